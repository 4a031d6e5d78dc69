// A server that can be killed and started again on its port, a browser, and pages that notice what goes wrong in them.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const root = new URL('../..', import.meta.url).pathname;
// Installed by ./set-up; not beside this file, which is why import would not find it.
const installed = createRequire(join(root, 'tests/.cache/browser/'));
const { chromium } = installed('playwright-core');

/** Nothing here waits for a time: this only turns a hang into a failure. */
export const HANG = 30_000;

const FLAGS = [
  '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
  '--disable-sync', '--disable-dev-shm-usage',
];

export class Server {
  #binary = process.env.ROOMS_SERVER;
  #more;
  #child = null;
  #port = 0;

  constructor(...more) {
    this.#more = more;
  }

  /** With these settings besides. */
  static async start(...more) {
    const server = new Server(...more);
    await server.start();
    return server;
  }

  get address() {
    return `127.0.0.1:${this.#port}`;
  }

  get url() {
    return `http://${this.address}/`;
  }

  get ws() {
    return `ws://${this.address}/ws/wsrooms`;
  }

  /** On the port of the last time. */
  async start() {
    const args = ['--listen', this.address, '--log', 'warn', ...this.#more];
    this.#child = spawn(this.#binary, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = await once(createInterface({ input: this.#child.stdout }), 'line');
    this.#port = Number(/^listening on http:\/\/127\.0\.0\.1:(\d+)$/.exec(line)[1]);
  }

  /** Without a word to anybody. */
  async kill() {
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }
}

export class Browser {
  #browser;

  static async launch() {
    const browser = new Browser();
    // A profile of its own, new and empty, is what it has anyway.
    browser.#browser = await chromium.launch({
      executablePath: process.env.CHROMIUM,
      chromiumSandbox: false,
      args: FLAGS,
      timeout: HANG,
    });
    return browser;
  }

  /** The page of somebody who shares nothing with the others, not even what a browser remembers. */
  async page(options = { viewport: { width: 1200, height: 780 } }) {
    const context = await this.#browser.newContext(options);
    context.setDefaultTimeout(HANG);
    return watched(await context.newPage());
  }

  /** Between tests. */
  async closePages() {
    for (const context of this.#browser.contexts()) await context.close();
  }

  async close() {
    await this.#browser.close();
  }
}

/** A page with a list of what went wrong in it, and of the hosts that it asked. */
function watched(page) {
  page.faults = [];
  page.hosts = new Set();
  page.on('pageerror', (error) => page.faults.push(String(error)));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) page.faults.push(message.text());
  });
  page.on('request', (request) => page.hosts.add(new URL(request.url()).host));
  return page;
}

/** Nothing that the rules of axe-core find; for a page made with `bypassCSP`, since it runs a script in there. */
export async function assertAccessible(page) {
  await page.addScriptTag({ path: installed.resolve('axe-core/axe.min.js') });
  const found = await page.evaluate(async () => {
    const { violations } = await globalThis.axe.run(document, { resultTypes: ['violations'] });
    return violations.map(({ id, nodes }) => [id, ...nodes.map(({ html }) => html)]);
  });
  assert.deepEqual(found, []);
}

/** Nothing went wrong; that a server is gone for a while is told by the browser itself, and expected where said. */
export function assertUnharmed(page, ...expected) {
  const faults = page.faults.filter((fault) => !expected.some((pattern) => pattern.test(fault)));
  assert.deepEqual(faults, []);
}

export const GONE = /ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|net::ERR_/;
