// The room server that one writes with `ws` of npm: node rooms.js PORT. The first text of a connection, `join ROOM`,
// names its room; what it says after that goes to all others there.
'use strict';

const { createRequire } = require('node:module');
const path = require('node:path');

// The package lies where `benches/rooms/run` installed it.
const { WebSocketServer } = createRequire(path.join(process.env.BENCHES_NPM_MODULES, 'x.js'))('ws');

const rooms = new Map();
const server = new WebSocketServer({ host: '127.0.0.1', port: Number(process.argv[2]) });

server.on('connection', (socket) => {
  let name;
  let members;
  socket.on('message', (data, isBinary) => {
    if (members === undefined) {
      name = data.toString().replace(/^join /, '');
      members = rooms.get(name) ?? new Set();
      rooms.set(name, members.add(socket));
      return;
    }
    for (const member of members) {
      if (member !== socket) member.send(data, { binary: isBinary });
    }
  });
  socket.on('close', () => {
    if (members === undefined) return;
    members.delete(socket);
    if (members.size === 0 && rooms.get(name) === members) rooms.delete(name);
  });
  // `close` follows.
  socket.on('error', () => {});
});
