// Waits for what a page is going to show.

import { deepStrictEqual } from 'node:assert';
import { setTimeout as pause } from 'node:timers/promises';

import { HANG } from './harness.js';

/** Looks until it is so. */
export async function expect(what, wanted, look) {
  const until = Date.now() + HANG;
  for (;;) {
    const seen = await look();
    try {
      return deepStrictEqual(seen, wanted);
    } catch (error) {
      if (Date.now() > until) throw new Error(`${what}, but: ${JSON.stringify(seen)}`, { cause: error });
    }
    await pause(20);
  }
}
