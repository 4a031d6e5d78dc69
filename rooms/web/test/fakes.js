// A WebSocket, a clock and a page that do what a test says.

import { decode, encode, wsrooms } from '../rooms.js';

/** The times and chances of one test, and the sockets that were opened in it. */
export class World {
  now = 0;
  random = 0.5;
  timers = [];
  sockets = [];
  window = new EventTarget();
  document = Object.assign(new EventTarget(), { visibilityState: 'visible' });
  navigator = { onLine: true };

  /** Without the questions for what was missed, unless a test is about them. */
  connect(options = {}) {
    return wsrooms('ws://example.test/ws', { history: false, ...options, platform: this.platform() });
  }

  /** Connected, with an id. */
  opened(options = {}, id = 'me') {
    const root = this.connect(options);
    this.socket.accept(id);
    return root;
  }

  get socket() {
    return this.sockets.at(-1);
  }

  /** Lets time pass, timer by timer. */
  pass(time) {
    const until = this.now + time;
    for (;;) {
      const due = this.timers.filter((timer) => timer.at <= until).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.now = Math.max(this.now, due.at);
      this.platform().clearTimeout(due);
      due.call();
    }
    this.now = until;
  }

  platform() {
    const world = this;
    return {
      WebSocket: class extends FakeSocket {
        constructor(url, protocols) {
          super(url, protocols);
          world.sockets.push(this);
        }
      },
      window: world.window,
      document: world.document,
      navigator: world.navigator,
      now: () => world.now,
      random: () => world.random,
      setTimeout: (call, after) => {
        const timer = { at: world.now + after, call };
        world.timers.push(timer);
        return timer;
      },
      clearTimeout: (timer) => {
        world.timers = world.timers.filter((one) => one !== timer);
      },
    };
  }
}

class FakeSocket {
  readyState = 0;
  bufferedAmount = 0;
  /** What the client wrote, as fields. */
  sent = [];
  closed = null;

  constructor(url, protocols) {
    this.url = url;
    this.protocols = protocols;
  }

  send(bytes) {
    if (this.readyState !== 1) throw new Error('not open');
    this.sent.push(decode(bytes));
  }

  close(code, reason) {
    this.readyState = 2;
    this.closed = { code, reason };
  }

  /** Takes what was written until now. */
  take() {
    return this.sent.splice(0);
  }

  // What a server does.

  accept(id, members = [id]) {
    this.readyState = 1;
    this.says('root', 'join_ack', { src: id, payload: JSON.stringify(members) });
  }

  ack(room, ...members) {
    this.says(room, 'join_ack', { payload: JSON.stringify(members) });
  }

  says(room, event, { dst = '', src = '', payload = '' } = {}) {
    this.bytes(encode({ room, event, dst, src, payload }).buffer);
  }

  bytes(data) {
    this.onmessage({ data });
  }

  ends(code = 1006, reason = '') {
    this.readyState = 3;
    this.onclose({ code, reason });
  }
}

/** Events of a room or a connection, in one list, as they come. */
export function heard(emitter, ...events) {
  const list = [];
  for (const event of events) emitter.on(event, (...values) => list.push([event, ...values]));
  return list;
}

/** The fields that say what a message is about. */
export function gist({ room, event, dst, payload }) {
  return [room, event, dst, new TextDecoder().decode(payload)].filter((field) => field !== '').join(' ');
}
