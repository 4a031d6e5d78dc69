'use strict';
// A client of the rooms on npm `ws`: node rooms_client.js URL [COOKIE]
// It prints which extensions are agreed to, then each message as one JSON object for a line, its bytes as `hex`, and
// those of a binary message also as the fields of wsrooms. It sends what the lines on its input say: {room, name,
// dst, payload} in wsrooms, {text: TEXT}, {hex: BYTES}, or {close: CODE}.

const readline = require('readline');
const WebSocket = require('ws');

const [url, cookie] = process.argv.slice(2);
const headers = cookie === undefined ? {} : { Cookie: cookie };
// Compressed, where the server agrees, whatever their size.
const socket = new WebSocket(url, { headers, perMessageDeflate: { threshold: 0 } });
const report = (event, fields) => console.log(JSON.stringify({ event, ...fields }));

socket.on('message', (data, isBinary) => {
  const hex = data.toString('hex');
  if (!isBinary) return report('message', { hex, binary: false });
  const fields = [];
  for (let at = 0; at < data.length; ) {
    const end = at + 4 + data.readUInt32BE(at);
    fields.push(data.toString('utf8', at + 4, end));
    at = end;
  }
  const [room, name, dst, src, payload] = fields;
  report('message', { room, name, dst, src, payload, hex, binary: true });
});
socket.on('close', (code) => report('close', { code }));
socket.on('error', (error) => report('error', { text: String(error) }));

socket.on('open', () => report('open', { extensions: socket.extensions }));
socket.on('open', () => readline.createInterface({ input: process.stdin }).on('line', obey));

function obey(line) {
  const { room, name, dst, payload, text, hex, close } = JSON.parse(line);
  if (close !== undefined) return socket.close(close);
  if (text !== undefined) return socket.send(text);
  if (hex !== undefined) return socket.send(Buffer.from(hex, 'hex'));
  const fields = [room, name, dst, '', payload].map((field) => Buffer.from(field));
  const parts = fields.flatMap((field) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(field.length);
    return [length, field];
  });
  socket.send(Buffer.concat(parts));
}
