'use strict';
// The client for browsers that the server gives out, with the WebSocket of npm `ws`:
// node iris_client.js ENDPOINT SCRIPT-URL
// It prints each call of a callback as one JSON object for a line, and does what the lines on its input say: {on: EVENT},
// {emit: [EVENT, DATA]}, {native: TEXT}, {onConnect: true}, {disconnect: true}.

const http = require('http');
const readline = require('readline');
const { TextDecoder } = require('util');
const WebSocket = require('ws');

const [endpoint, script] = process.argv.slice(2);
const report = (event, fields) => console.log(JSON.stringify({ event, ...fields }));

function run(source) {
  const Ws = new Function('WebSocket', 'TextDecoder', `${source}\nreturn Ws;`)(WebSocket, TextDecoder);
  const ws = new Ws(endpoint);
  const connected = () => report('connect');
  ws.OnConnect(connected);
  ws.OnDisconnect(() => report('disconnect'));
  ws.OnMessage((data) => report('native', { data }));
  readline.createInterface({ input: process.stdin }).on('line', (line) => {
    const { on, emit, native, onConnect, disconnect } = JSON.parse(line);
    if (on !== undefined) ws.On(on, (data) => report('heard', { name: on, data }));
    if (emit !== undefined) ws.Emit(...emit);
    if (native !== undefined) ws.EmitMessage(native);
    if (onConnect) ws.OnConnect(connected);
    if (disconnect) ws.Disconnect();
  });
}

http.get(script, (response) => {
  const parts = [];
  response.on('data', (part) => parts.push(part));
  response.on('end', () => run(Buffer.concat(parts).toString()));
});
