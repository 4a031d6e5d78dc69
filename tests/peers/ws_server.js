'use strict';
// An echo server on npm `ws`. What it is to do stands in its first argument, as JSON:
//   host, port     where to listen; port 0 lets the system choose
//   refuse         answers {status, headers} to the first upgrade requests, one for each
//   subprotocols   what it speaks; the client's first choice among them wins
//   ping           milliseconds between pings; who has not answered one when the next is due is terminated
// It prints what it sees as one JSON object for each line, and does what the lines on its input say.

const http = require('http');
const readline = require('readline');
const { WebSocketServer } = require('ws');

const options = JSON.parse(process.argv[2]);
const refusals = [...(options.refuse ?? [])];
const server = http.createServer();
const sockets = new WebSocketServer({
  noServer: true,
  perMessageDeflate: true,
  handleProtocols: (offered) => [...offered].find((name) => options.subprotocols?.includes(name)) ?? false,
});

server.on('upgrade', (request, socket, head) => {
  const refusal = refusals.shift();
  if (refusal) return refuse(socket, refusal);
  sockets.handleUpgrade(request, socket, head, (ws) => serve(ws, request));
});

function refuse(socket, { status, headers = {} }) {
  report('refused', { status });
  const lines = Object.entries({ ...headers, 'Content-Length': 0, Connection: 'close' });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  socket.on('error', () => {});
  socket.end(`HTTP/1.1 ${status} ${http.STATUS_CODES[status]}\r\n${head}\r\n`);
}

function serve(ws, request) {
  report('open', {
    subprotocol: ws.protocol || null,
    offered: request.headers['sec-websocket-extensions'] ?? null,
    authorization: request.headers.authorization ?? null,
    extensions: ws.extensions || null,
  });
  ws.on('message', (data, binary) => ws.send(data, { binary }));
  ws.on('ping', (data) => report('ping', { data: data.toString('latin1') }));
  ws.on('pong', (data) => report('pong', { data: data.toString('latin1') }));
  ws.on('error', (error) => report('error', { text: error.message }));
  ws.on('close', (code, reason) => report('close', { code, reason: reason.toString() }));
  if (options.ping) keepAlive(ws);
}

// As the documentation of `ws` advises servers to find broken connections.
function keepAlive(ws) {
  let alive = true;
  ws.on('pong', () => {
    alive = true;
  });
  const timer = setInterval(() => {
    if (!alive) {
      report('terminated', {});
      return ws.terminate();
    }
    alive = false;
    ws.ping();
  }, options.ping);
  ws.on('close', () => clearInterval(timer));
}

const commands = {
  close: (ws, { code, reason }) => ws.close(code, reason),
  ping: (ws, { data }) => ws.ping(data),
  // A ping between each two frames.
  fragments: (ws, { parts }) => {
    parts.forEach((part, at) => {
      ws.send(part, { fin: at === parts.length - 1 });
      ws.ping(`after ${at}`);
    });
  },
};

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const command = JSON.parse(line);
  if (command.do === 'shutdown') {
    // Ends the process when the last connection is gone: nothing else is left to do.
    server.close();
    process.stdin.destroy();
    command.do = 'close';
  }
  for (const ws of sockets.clients) commands[command.do](ws, command);
});

function report(event, what) {
  process.stdout.write(`${JSON.stringify({ event, ...what })}\n`);
}

server.listen({ host: options.host, port: options.port }, () => report('listening', { port: server.address().port }));
