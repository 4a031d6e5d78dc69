// The cases about compression with the `ws` package of npm: node json.js in|out off|LEVEL URL COUNT
// Reads the messages from standard input, all of one length, and prints what it measured of itself, in the form that
// the suite reads.
'use strict';

const { readFileSync } = require('node:fs');
const { createRequire } = require('node:module');
const path = require('node:path');

const SIZE = 500;
// Not more is handed to the library than a stream would hold.
const BATCH = 256;

// The package lies where `benches/run` installed it.
const WebSocket = createRequire(path.join(process.env.BENCHES_NPM_MODULES, 'x.js'))('ws');
const [direction, deflate, url, count] = process.argv.slice(2);
const total = Number(count);
const messages = split(readFileSync(0));

const compression = { threshold: 64, zlibDeflateOptions: { level: Number(deflate) } };
const socket = new WebSocket(url, { perMessageDeflate: deflate === 'off' ? false : compression });
let left = direction === 'in' ? total : 1;
let begun;
let usage;

socket.on('open', () => {
  begun = process.hrtime.bigint();
  usage = process.cpuUsage();
  if (direction === 'in') socket.send('go');
  else send(0);
});
socket.on('message', () => {
  if (--left === 0) finish();
});
socket.on('error', (error) => {
  console.error(String(error));
  process.exit(1);
});

function split(bytes) {
  const all = [];
  for (let at = 0; at < bytes.length; at += SIZE) all.push(bytes.subarray(at, at + SIZE));
  return all;
}

function send(from) {
  const to = Math.min(from + BATCH, total);
  for (let number = from; number < to; number++) {
    const then = number === to - 1 && to < total ? () => send(to) : undefined;
    socket.send(messages[number % messages.length], { binary: true }, then);
  }
}

function finish() {
  const wall = process.hrtime.bigint() - begun;
  const { user, system } = process.cpuUsage(usage);
  console.log(JSON.stringify({ wall_s: Number(wall) / 1e9, user_s: user / 1e6, sys_s: system / 1e6 }));
  process.exit(0);
}
