// A client of another make: the one on npm `ws` that the end-to-end tests use, too.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

import { expect } from './expect.js';

const PROGRAM = new URL('../peers/rooms_client.js', import.meta.url).pathname;
const MODULES = new URL('../.cache/browser/node_modules', import.meta.url).pathname;

export class Stranger {
  static #here = new Set();
  #child;
  #heard = [];
  id = '';

  /** In a room, as somebody who says hello with a name and nothing else. */
  static async arrives(url, name, room) {
    const stranger = new Stranger();
    stranger.#run(url);
    await expect('the stranger has an id', true, () => stranger.#heard.some(({ name }) => name === 'join_ack'));
    stranger.id = stranger.#heard.find(({ name }) => name === 'join_ack').src;
    stranger.sends(room, 'join');
    await expect('the stranger is in the room', true, () => stranger.#heard.some((message) => message.room === room));
    stranger.sends(room, 'hello', name);
    return stranger;
  }

  sends(room, name, payload = '', dst = '') {
    this.#child.stdin.write(`${JSON.stringify({ room, name, dst, payload })}\n`);
  }

  /** Waits until these are the payloads of all messages of a kind. */
  async hears(kind, ...payloads) {
    const heard = () => this.#heard.filter(({ name }) => name === kind).map(({ payload }) => payload);
    await expect(`the stranger hears ${payloads}`, payloads, heard);
  }

  /** The id of the one who said this. */
  sender(text) {
    return this.#heard.find(({ payload }) => payload === text).src;
  }

  leaves() {
    this.#child.kill();
    Stranger.#here.delete(this);
  }

  /** Between tests. */
  static allLeave() {
    for (const stranger of Stranger.#here) stranger.leaves();
  }

  #run(url) {
    const env = { ...process.env, NODE_PATH: MODULES };
    this.#child = spawn(process.execPath, [PROGRAM, url], { env, stdio: ['pipe', 'pipe', 'inherit'] });
    Stranger.#here.add(this);
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#heard.push(JSON.parse(line)));
  }
}
