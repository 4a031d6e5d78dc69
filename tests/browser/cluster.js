// What the profile `rooms` of docker-compose.yml runs, without containers: a Redis, two servers, and nginx with the same
// configuration in front of them.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect } from './expect.js';
import { Server } from './harness.js';

const CONFIGURATION = new URL('../../examples/rooms-proxy.conf', import.meta.url);
const PATH = `${process.env.PATH}:/usr/sbin:/sbin`;

/** What is missing on this machine; false if nothing is. */
export function missing() {
  if (process.platform !== 'linux') return 'every address of 127.0.0.0/8 is needed, which only Linux has';
  const absent = ['redis-server', 'nginx'].filter((name) => spawnSync(name, ['-v'], { env: { PATH } }).error);
  return absent.length > 0 ? `not installed: ${absent.join(', ')}` : false;
}

/** Whether servers keep what was said. */
export function keepsHistory() {
  return spawnSync(process.env.ROOMS_SERVER, ['--help']).stdout.includes('--history-messages');
}

export class Cluster {
  #children = [];
  #folder;
  #host;
  servers;
  url;

  /** Servers with these settings besides. */
  static async start(...more) {
    const cluster = new Cluster();
    cluster.#folder = await mkdtemp(join(tmpdir(), 'rooms-cluster-'));
    // An address of its own, so that every port on it is free.
    const host = cluster.#host = `127.${[random(), random(), random()].join('.')}`;
    await cluster.#run(host, 6379, 'redis-server', '--bind', host, '--save', '', '--appendonly', 'no', '--dir', cluster.#folder);
    const server = (name) => Server.start('--redis', `redis://${host}:6379`, '--node', name, '--node-expiry', '2s', ...more);
    cluster.servers = [await server('rooms-1'), await server('rooms-2')];
    await cluster.startProxy();
    cluster.url = `http://${host}:8090/`;
    return cluster;
  }

  /** Who came through it has no connection. */
  async killProxy() {
    await kill(this.#children.pop());
  }

  async stop() {
    for (const server of this.servers) await server.kill();
    for (const child of this.#children) await kill(child);
    await rm(this.#folder, { recursive: true, force: true });
  }

  async startProxy(servers = this.servers) {
    const host = this.#host;
    const [first, second] = servers.map(({ address }) => address);
    const text = (await readFile(CONFIGURATION, 'utf8'))
      .replace('rooms-1:8080', first).replace('rooms-2:8080', second)
      .replace('listen 8090', `listen ${host}:8090`)
      .replaceAll('/tmp/', `${this.#folder}/`);
    const file = join(this.#folder, 'nginx.conf');
    await writeFile(file, text);
    // One process, which ends when it is told to.
    await this.#run(host, 8090, 'nginx', '-c', file, '-g', 'daemon off; master_process off;');
  }

  async #run(host, port, program, ...args) {
    this.#children.push(spawn(program, args, { stdio: 'ignore', env: { ...process.env, PATH } }));
    await expect(`${program} listens`, true, () => listens(host, port));
  }
}

async function kill(child) {
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

function random() {
  return 1 + Math.floor(Math.random() * 254);
}

async function listens(host, port) {
  const socket = connect(port, host);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
