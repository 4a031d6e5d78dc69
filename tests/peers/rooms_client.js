'use strict';
// A client of the wsrooms protocol on npm `ws`: node rooms_client.js URL
// It prints each message as one JSON object for a line, and sends what the lines on its input say: {room, name, dst,
// payload}, or {close: CODE}.

const readline = require('readline');
const WebSocket = require('ws');

const socket = new WebSocket(process.argv[2]);
const report = (event, fields) => console.log(JSON.stringify({ event, ...fields }));

socket.on('message', (data, isBinary) => {
  const fields = [];
  for (let at = 0; at < data.length; ) {
    const end = at + 4 + data.readUInt32BE(at);
    fields.push(data.toString('utf8', at + 4, end));
    at = end;
  }
  const [room, name, dst, src, payload] = fields;
  report('message', { room, name, dst, src, payload, binary: isBinary });
});
socket.on('close', (code) => report('close', { code }));
socket.on('error', (error) => report('error', { text: String(error) }));

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const { room, name, dst, payload, close } = JSON.parse(line);
  if (close !== undefined) return socket.close(close);
  const fields = [room, name, dst, '', payload].map((field) => Buffer.from(field));
  const parts = fields.flatMap((field) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(field.length);
    return [length, field];
  });
  socket.send(Buffer.concat(parts));
});
