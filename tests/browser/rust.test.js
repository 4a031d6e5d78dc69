// A program on rooms/client and pages in one room.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { test } from 'node:test';

import { expect } from './expect.js';
import { Browser, GONE, Server, assertUnharmed } from './harness.js';
import { Person } from './person.js';

const CHAT = process.env.ROOMS_CHAT;

/** The example `chat`: what is typed and what is shown. */
class Program {
  #lines = [];
  #child;

  constructor(url) {
    const args = ['--url', url, '--room', 'lobby', '--name', 'Rust'];
    this.#child = spawn(CHAT, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#lines.push(line));
  }

  types(line) {
    this.#child.stdin.write(`${line}\n`);
  }

  async shows(pattern) {
    await expect(`the program shows ${pattern} among ${this.#lines}`, true, () => this.#lines.some((line) => pattern.test(line)));
  }

  end() {
    this.#child.kill('SIGKILL');
  }
}

test('two pages and a program in Rust talk, and do so again after the server was killed', { skip: CHAT ? false : 'there is no rooms/client' }, async (t) => {
  const browser = await Browser.launch();
  t.after(() => browser.close());
  const server = await Server.start();
  t.after(() => server.kill());
  const program = new Program(server.ws);
  t.after(() => program.end());
  await program.shows(/^\* you are /);
  const ada = await Person.arrives(browser, server, 'Ada');
  const ben = await Person.arrives(browser, server, 'Ben');
  await ada.says('grüezi from a browser');
  await program.shows(/grüezi from a browser/);
  program.types('hello from Rust');
  for (const person of [ada, ben]) await person.hears(/hello from Rust$/);
  await ada.page.locator('#people').getByRole('button', { name: /^(Guest|Rust)/ }).click();
  await ada.says('for the program alone');
  await program.shows(/to you.*for the program alone/);
  await ada.opens('lobby');

  await server.kill();
  for (const { page } of [ada, ben]) await page.locator('#connection[data-state=waiting]').waitFor();
  await server.start();
  for (const person of [ada, ben]) await expect(`${person.name} sees three`, 3, () => person.page.locator('#people .name').count());
  await program.shows(/^\* connected again/);
  program.types('Rust is back');
  for (const person of [ada, ben]) await person.hears(/Rust is back$/);
  await ben.says('so is Ben');
  await program.shows(/so is Ben/);
  for (const { page } of [ada, ben]) assertUnharmed(page, GONE);
});
