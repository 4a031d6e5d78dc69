/**
 * Rooms over WebSocket, for browsers: the client API of wsrooms, on a connection that comes back by itself.
 *
 * One ES module without dependencies. `rooms.d.ts` says what each part is, README.md how it is used.
 *
 * @module
 */

/**
 * Connects, and gives the room `root`, which every client is in.
 *
 * @param {string | URL} url `ws:`, `wss:`, `http:` or `https:`; relative to the page, if there is one.
 * @param {import('./rooms.js').Options} [options]
 */
export function wsrooms(url, options = {}) {
  return new Core(address(url), options).start();
}

export default wsrooms;

/** What is listened to: rooms and the connection. */
class Emitter {
  #listeners = new Map();

  on(event, listener) {
    return this.#add(event, listener, listener);
  }

  addListener(event, listener) {
    return this.on(event, listener);
  }

  once(event, listener) {
    const once = (...values) => {
      this.#remove(event, (one) => one.call === once);
      listener.apply(this, values);
    };
    return this.#add(event, listener, once);
  }

  off(event, listener) {
    return this.#remove(event, (one) => one.listener === listener);
  }

  removeListener(event, listener) {
    return this.off(event, listener);
  }

  removeAllListeners(event) {
    if (event === undefined) this.#listeners.clear();
    else this.#listeners.delete(event);
    return this;
  }

  listeners(event) {
    return this.#of(event).map((one) => one.listener);
  }

  /** Calls the listeners there are; whether there were any. One that throws is reported, and stops no other. */
  emit(event, ...values) {
    const all = this.#of(event);
    for (const { call } of all) {
      try {
        call.apply(this, values);
      } catch (error) {
        report(error);
      }
    }
    return all.length > 0;
  }

  /** Never changed in place: whoever walks through it sees it as it was. */
  #of(event) {
    return this.#listeners.get(event) ?? [];
  }

  #add(event, listener, call) {
    if (typeof listener !== 'function') throw new TypeError('a listener is a function');
    this.#listeners.set(event, [...this.#of(event), { listener, call }]);
    return this;
  }

  /** The last one that is meant. */
  #remove(event, isMeant) {
    const at = this.#of(event).map(isMeant).lastIndexOf(true);
    if (at >= 0) this.#listeners.set(event, this.#of(event).filter((_, index) => index !== at));
    return this;
  }
}

/** A room that this client is in, wants to be in again, or was in. */
export class Room extends Emitter {
  #core;
  #entry;

  /** @private Rooms are made by `wsrooms` and `join`. */
  constructor(core, entry) {
    super();
    this.#core = core;
    this.#entry = entry;
  }

  get name() {
    return this.#entry.name;
  }

  /** What all rooms of this client have in common. */
  get connection() {
    return this.#core.connection;
  }

  open() {
    return this.#entry.state === JOINED;
  }

  id() {
    return this.#core.id;
  }

  members() {
    return [...this.#entry.members];
  }

  join(name) {
    if (typeof name !== 'string') throw new TypeError('the name of a room is a string');
    if (this.#entry.state === OVER) throw new RoomClosedError(this.name);
    return this.#core.join(name);
  }

  leave() {
    this.#core.leave(this.#entry);
    return this;
  }

  send(event, payload, dst = '') {
    if (typeof event !== 'string') throw new TypeError('the name of an event is a string');
    if (RESERVED.has(event)) throw new ReservedEventError(event);
    const bytes = payloadBytes(payload);
    if (this.#entry.state === OVER) throw new RoomClosedError(this.name);
    this.#core.send(this.#entry, event, dst ?? '', bytes);
    return this;
  }

  purge() {
    this.#core.purge();
    return this;
  }

  rooms() {
    return this.#core.all();
  }

  clearListeners() {
    return this.removeAllListeners();
  }
}

/** The connection of a client: its state, its end. */
export class Connection extends Emitter {
  #core;

  /** @private Made by `wsrooms`. */
  constructor(core) {
    super();
    this.#core = core;
  }

  get url() {
    return this.#core.url;
  }

  get status() {
    return this.#core.status();
  }

  get state() {
    return this.#core.state;
  }

  /** How many messages wait for the connection to come back. */
  get queued() {
    return this.#core.outbox.length;
  }

  retry() {
    return this.#core.retry();
  }

  close(code = 1000, reason = '') {
    this.#core.end({ code, reason, by: 'client' });
  }
}

/** What a message was, for who wants more than its payload. */
export class Message {
  constructor({ room, event, dst, src, payload, missed = false }) {
    Object.assign(this, { room, event, dst, src, payload, missed });
    Object.freeze(this);
  }

  /** Whether it was for this client alone. */
  get direct() {
    return this.dst !== '';
  }

  text() {
    return text(this.payload);
  }
}

/** What all errors of this module are. */
export class RoomsError extends Error {
  get name() {
    return this.constructor.name;
  }
}

/** The event is the server's, or this module's. */
export class ReservedEventError extends RoomsError {
  constructor(event) {
    super(`Reserved event: ${event}`);
  }
}

/** The room was left, or the connection is at its end. */
export class RoomClosedError extends RoomsError {
  constructor(room) {
    super(`Room is closed: ${room}`);
  }
}

/** Nothing more can wait for the connection. What was sent before is kept; this message is not. */
export class OutboxFullError extends RoomsError {
  constructor(messages, bytes) {
    super(`Outbox is full: ${messages} messages, ${bytes} bytes`);
    this.messages = messages;
    this.bytes = bytes;
  }
}

/** A payload as text. */
export function text(payload) {
  return decoder.decode(payload);
}

// -- What happens behind the rooms ---------------------------------------------------------------------------------

// States of a room.
const JOINING = 'joining';
const JOINED = 'joined';
/** To be joined again once there is a connection. */
const LOST = 'lost';
const LEAVING = 'leaving';
const OVER = 'over';

// States of the connection.
const CONNECTING = 'connecting';
const OPEN = 'open';
const WAITING = 'waiting';
const CLOSED = 'closed';

const ROOT = 'root';
/** A leave is answered by every server, also of a room that nobody is in: that is how a connection is tried. */
const PROBE = 'rooms.js/alive';
/** What a server with history says, and is asked; any other server sends the question back. */
const HISTORY = 'rooms.history';
const AT = 'rooms.at';
/** Before the position of a message, in the place of a receiver. */
const POSITION = '@';
const RESERVED = new Set(['open', 'close', 'join', 'join_ack', 'leave', 'leave_ack', 'new_member', 'member_left', HISTORY, AT]);

/** Wrong once may be a server that is being deployed; three times in a row it is for good. */
const PROTOCOL_CODES = new Set([1002, 1003, 1007, 1009, 1010]);
const MOST_IN_A_ROW = 3;
const TRY_AGAIN_LATER = 1013;
/** How many ids that this client once had are remembered. */
const FORMER_IDS = 16;
/** Readiness of a WebSocket that is open, by the standard of the browsers. */
const SOCKET_OPEN = 1;

const DEFAULTS = {
  backoffBase: 500,
  backoffCap: 30_000,
  stableAfter: 10_000,
  tryAgainLater: 10_000,
  connectTimeout: 10_000,
  heartbeat: 30_000,
  heartbeatTimeout: 10_000,
  outboxMessages: 256,
  outboxBytes: 1 << 20,
  attempts: Infinity,
  history: true,
  protocols: [],
  final: isFinal,
};

/** One connection after the other, and the rooms that outlive them. */
class Core {
  state = CONNECTING;
  /** Given by the server, anew for each connection. */
  id = '';
  /** By name, in the order in which they were joined. */
  rooms = new Map();
  /** Left, and not yet acknowledged, in this order. */
  leaving = [];
  /** Ids of earlier connections, which a server may not have missed yet. */
  former = [];
  socket = null;
  /** Failures since the connection was last stable. */
  failures = 0;
  protocolFailures = 0;
  retryAt = 0;
  /** Before this no event of the page makes it try again. */
  notBefore = 0;
  last = {};
  timers = new Map();
  rootWasLeft = false;

  constructor(url, { platform, ...options }) {
    this.url = url;
    this.options = { ...DEFAULTS, ...defined(options) };
    this.platform = { ...defaultPlatform(), ...platform };
    if (options.WebSocket) this.platform.WebSocket = options.WebSocket;
    this.outbox = new Outbox(this.options);
    this.connection = new Connection(this);
  }

  start() {
    const root = this.enter(ROOT).room;
    // A URL that no WebSocket can have is an error of this call.
    this.connect();
    this.unwatch = watchPage(this.platform, this);
    return root;
  }

  // -- Rooms

  enter(name) {
    const entry = { name, state: JOINING, members: new Set(), wasOpen: false, position: '', missed: 0, room: null };
    entry.room = new Room(this, entry);
    this.rooms.set(name, entry);
    return entry;
  }

  all() {
    return [...this.rooms.values()].map((entry) => entry.room);
  }

  join(name) {
    const known = this.rooms.get(name);
    if (known) return known.room;
    if (this.state === CLOSED) throw new RoomClosedError(name);
    const entry = this.enter(name);
    if (name === ROOT) this.rootWasLeft = false;
    if (this.connected()) this.ask(entry);
    return entry.room;
  }

  /** To be in a room; and, before that, for what was said since the last that came of it. */
  ask({ name, position }) {
    if (this.options.history && name !== ROOT) {
      this.write({ room: name, event: HISTORY, dst: this.id, payload: encoder.encode(position) });
    }
    this.write({ room: name, event: 'join' });
  }

  leave(entry) {
    if (entry.state === LEAVING || entry.state === OVER) return;
    const wasTold = this.connected();
    this.rooms.delete(entry.name);
    this.outbox.forget(entry);
    if (entry.name === ROOT) this.rootWasLeft = true;
    if (!wasTold) return this.over(entry, CLEAR);
    entry.state = LEAVING;
    this.leaving.push(entry);
    this.write({ room: entry.name, event: 'leave', dst: this.id, payload: encoder.encode(this.id) });
  }

  purge() {
    for (const entry of [...this.rooms.values()]) {
      if (entry.name !== ROOT) this.leave(entry);
    }
  }

  /** The end of a room: of one that was left, or of all with the connection. */
  over(entry, listeners, how = {}) {
    entry.state = OVER;
    entry.members.clear();
    entry.room.emit('close', how);
    if (listeners === CLEAR) entry.room.removeAllListeners();
  }

  // -- Sending

  send(entry, event, dst, payload) {
    if (!this.connected()) return this.outbox.push({ entry, event, dst, payload });
    const { socket, options } = this;
    if (socket.bufferedAmount > 0 && socket.bufferedAmount + payload.length > options.outboxBytes) {
      throw new OutboxFullError(0, socket.bufferedAmount);
    }
    this.write({ room: entry.name, event, dst, payload });
  }

  connected() {
    return this.state === OPEN && this.socket.readyState === SOCKET_OPEN;
  }

  write({ room, event, dst = '', payload = EMPTY }) {
    this.socket.send(encode({ room, event, dst, src: this.id, payload }));
  }

  // -- The connection

  connect() {
    const socket = new this.platform.WebSocket(this.url, this.options.protocols);
    socket.binaryType = 'arraybuffer';
    this.socket = socket;
    // What an earlier socket still has to say is of no interest.
    const current = (handle) => (event) => {
      if (this.socket === socket) handle(event);
    };
    socket.onmessage = current(({ data }) => this.received(data));
    socket.onclose = current(({ code, reason }) => this.lost({ code, reason }));
    this.timer('connect', this.options.connectTimeout, () => this.abandon('no connection in time'));
    this.change(CONNECTING);
  }

  /** Gives up a socket whose peer may not even answer a close. */
  abandon(reason) {
    const { socket } = this;
    this.lost({ code: 1006, reason });
    socket.close();
  }

  received(data) {
    // wsrooms speaks in binary messages.
    const fields = typeof data === 'string' ? null : decode(data);
    if (this.state === OPEN) this.beat();
    if (!fields) return;
    const { room, event } = fields;
    if (event === 'join_ack' && room === ROOT && this.state === CONNECTING) return this.opened(fields);
    if (this.state !== OPEN) return;
    switch (event) {
      case 'join_ack':
        return this.joined(this.rooms.get(room), fields);
      case 'leave_ack':
        return this.left(room);
      case 'new_member':
        return this.came(this.rooms.get(room), text(fields.payload));
      case 'member_left':
        return this.went(this.rooms.get(room), text(fields.payload));
      case HISTORY:
        return this.caughtUp(this.rooms.get(room), fields);
      case AT:
        return this.moved(this.rooms.get(room), fields);
      default:
        if (!RESERVED.has(event)) this.told(fields);
    }
  }

  /** The server has told the id: the rooms are joined again, then what waited is sent. */
  opened(ack) {
    const isFirst = this.id === '';
    if (!isFirst) this.former = [...this.former, this.id].slice(-FORMER_IDS);
    this.id = ack.src;
    this.state = OPEN;
    this.clear('connect');
    this.timer('stable', this.options.stableAfter, () => {
      this.failures = 0;
      this.protocolFailures = 0;
    });
    this.beat();
    if (this.rootWasLeft) this.write({ room: ROOT, event: 'leave', dst: this.id });
    for (const entry of this.rooms.values()) {
      if (entry.name !== ROOT) this.ask(entry);
    }
    for (const { entry, ...message } of this.outbox.take()) this.write({ room: entry.name, ...message });
    this.change(OPEN);
    this.joined(this.rooms.get(ROOT), ack);
  }

  joined(entry, { payload }) {
    if (!entry) return;
    const before = entry.members;
    const listed = listOf(payload).filter((id) => id !== this.id && !this.former.includes(id));
    entry.members = new Set([this.id, ...listed]);
    const wasJoined = entry.state === JOINED;
    entry.state = JOINED;
    if (!entry.wasOpen) {
      entry.wasOpen = true;
      entry.room.emit('open');
      return;
    }
    for (const id of before) {
      if (!entry.members.has(id) && !this.former.includes(id)) entry.room.emit('member_left', id);
    }
    for (const id of listed) {
      if (!before.has(id)) entry.room.emit('new_member', id);
    }
    if (!wasJoined) this.connection.emit('rejoined', entry.room);
  }

  left(name) {
    const at = this.leaving.findIndex((entry) => entry.name === name);
    if (at >= 0) this.over(this.leaving.splice(at, 1)[0], CLEAR);
  }

  came(entry, id) {
    if (!entry || id === this.id || this.former.includes(id) || entry.members.has(id)) return;
    entry.members.add(id);
    entry.room.emit('new_member', id);
  }

  went(entry, id) {
    if (entry?.members.delete(id)) entry.room.emit('member_left', id);
  }

  /** What was missed follows, each message with its own position. */
  caughtUp(entry, { src, payload }) {
    const answer = src === '' && entry ? parsed(payload) : null;
    if (typeof answer?.at !== 'string') return;
    const missed = Number(answer.missed) || 0;
    if (missed === 0) entry.position = answer.at;
    entry.missed = missed;
    if (missed > 0 || answer.gap) this.connection.emit('history', entry.room, { missed, gap: Boolean(answer.gap) });
  }

  /** One's own message has a place among the others, and is not told again. */
  moved(entry, { src, dst }) {
    if (entry && src === this.id && dst.startsWith(POSITION)) entry.position = dst.slice(POSITION.length);
  }

  told(fields) {
    // What comes before the acknowledgement of a leave is for the one who left.
    const entry = this.leaving.find(({ name }) => name === fields.room) ?? this.rooms.get(fields.room);
    const hasPosition = this.options.history && fields.dst.startsWith(POSITION);
    let missed = false;
    if (entry && hasPosition) {
      entry.position = fields.dst.slice(POSITION.length);
      missed = entry.missed > 0;
      if (missed) entry.missed -= 1;
      // Sent by this client, which lost the connection before it was told.
      if (this.former.includes(fields.src)) return;
    }
    const message = new Message({ ...fields, dst: hasPosition ? '' : fields.dst, missed });
    if (entry) {
      entry.room.emit(message.event, message.payload, message.src, message);
    } else if (!this.connection.emit('unclaimed', message)) {
      console.warn(`rooms: nobody here is in room "${message.room}", for which a message "${message.event}" came`);
    }
  }

  // -- Its losses

  lost({ code, reason }) {
    this.detach();
    this.failures += 1;
    this.last = { code, reason };
    if (PROTOCOL_CODES.has(code)) this.protocolFailures += 1;
    const isTooOften = this.protocolFailures >= MOST_IN_A_ROW || this.failures > this.options.attempts;
    if (isTooOften || this.options.final(code, reason)) return this.end({ code, reason, by: 'server' });
    for (const entry of this.rooms.values()) {
      entry.state = entry.wasOpen ? LOST : JOINING;
      entry.missed = 0;
    }
    for (const entry of this.leaving.splice(0)) this.over(entry, CLEAR);
    this.waitFor(code === TRY_AGAIN_LATER ? this.options.tryAgainLater : 0);
  }

  /** Capped exponential backoff with full jitter: evenly distributed from nothing to the bound. */
  waitFor(floor) {
    const { backoffBase, backoffCap } = this.options;
    const bound = Math.min(backoffCap, backoffBase * 2 ** (this.failures - 1));
    const now = this.platform.now();
    this.notBefore = now + floor;
    this.retryAt = this.notBefore + this.platform.random() * bound;
    this.tick();
  }

  /** Tells about the wait each second, and ends it. */
  tick() {
    const left = Math.max(0, this.retryAt - this.platform.now());
    if (left === 0 && this.state === WAITING) return this.again();
    this.timer('wait', left === 0 ? 0 : left % 1000 || 1000, () => this.tick());
    this.change(WAITING);
  }

  again() {
    this.clear('wait');
    try {
      this.connect();
    } catch (error) {
      this.end({ code: 1006, reason: String(error), by: 'client' });
    }
  }

  /** Something happened to the page or its network: no better time to look. */
  wake() {
    if (this.state !== WAITING) return this.probe();
    const soon = Math.max(this.notBefore, this.platform.now()) + this.platform.random() * this.options.backoffBase;
    if (soon >= this.retryAt) return this.change(WAITING);
    this.retryAt = soon;
    this.tick();
  }

  /** The page's network is gone, it says; what is true shows a look at the connection. */
  offline() {
    if (this.state === WAITING) this.change(WAITING);
    else this.probe();
  }

  retry() {
    if (this.state !== WAITING) return false;
    this.again();
    return true;
  }

  /** Something came: the next look at the connection is due when nothing has come for a while. */
  beat() {
    const { heartbeat } = this.options;
    this.clear('probe');
    if (heartbeat > 0) this.timer('beat', heartbeat, () => this.probe());
  }

  probe() {
    if (this.timers.has('probe') || !this.connected()) return;
    this.write({ room: PROBE, event: 'leave', dst: this.id });
    this.timer('probe', this.options.heartbeatTimeout, () => this.abandon('no answer'));
  }

  end({ code, reason, by }) {
    if (this.state === CLOSED) return;
    const { socket } = this;
    // A code that may not be sent is the caller's mistake, before anything has ended.
    if (socket && by === 'client') socket.close(...closeArguments(socket, code, reason));
    this.detach();
    this.unwatch?.();
    this.outbox.take();
    this.last = { code, reason };
    const entries = [...this.leaving.splice(0), ...this.rooms.values()];
    this.rooms.clear();
    this.change(CLOSED);
    for (const entry of entries) this.over(entry, KEEP, { code, reason });
  }

  detach() {
    this.socket = null;
    for (const name of [...this.timers.keys()]) this.clear(name);
  }

  // -- State and timers

  status() {
    const { state, failures, last, platform } = this;
    const retryIn = state === WAITING ? Math.max(0, this.retryAt - platform.now()) : 0;
    return { state, failures, retryIn, online: platform.navigator?.onLine !== false, ...last };
  }

  change(state) {
    this.state = state;
    if (state === OPEN) this.last = {};
    this.connection.emit('state', this.status());
  }

  timer(name, after, call) {
    this.clear(name);
    const fire = () => {
      this.timers.delete(name);
      call();
    };
    this.timers.set(name, this.platform.setTimeout(fire, after));
  }

  clear(name) {
    if (!this.timers.has(name)) return;
    this.platform.clearTimeout(this.timers.get(name));
    this.timers.delete(name);
  }
}

// What becomes of the listeners of a room at its end.
const CLEAR = 'clear';
const KEEP = 'keep';

/** What waits for a connection, within bounds. */
class Outbox {
  #waiting = [];
  #bytes = 0;
  #most;

  constructor({ outboxMessages, outboxBytes }) {
    this.#most = { messages: outboxMessages, bytes: outboxBytes };
  }

  get length() {
    return this.#waiting.length;
  }

  push(message) {
    const bytes = this.#bytes + message.payload.length;
    if (this.#waiting.length >= this.#most.messages || bytes > this.#most.bytes) {
      throw new OutboxFullError(this.#waiting.length, this.#bytes);
    }
    // The caller may write into his array again.
    this.#waiting.push({ ...message, payload: message.payload.slice() });
    this.#bytes = bytes;
  }

  take() {
    this.#bytes = 0;
    return this.#waiting.splice(0);
  }

  /** A room was left: what waited for it has nowhere to go. */
  forget(entry) {
    const kept = this.take().filter((message) => message.entry !== entry);
    for (const message of kept) this.push(message);
  }
}

/** Which close codes end the connection for good; the counted ones apart. */
function isFinal(code) {
  return code === 1008 || (code >= 4400 && code <= 4499);
}

/** Tells when the page is looked at again, or its network has changed; gives what ends that. */
function watchPage({ window, document }, core) {
  const visible = () => {
    if (document.visibilityState === 'visible') core.wake();
  };
  const watched = [
    [window, 'online', () => core.wake()],
    [window, 'offline', () => core.offline()],
    [document, 'visibilitychange', visible],
  ].filter(([target]) => target?.addEventListener);
  for (const [target, event, listener] of watched) target.addEventListener(event, listener);
  return () => {
    for (const [target, event, listener] of watched) target.removeEventListener(event, listener);
  };
}

function defaultPlatform() {
  return {
    WebSocket: globalThis.WebSocket,
    window: globalThis.window,
    document: globalThis.document,
    navigator: globalThis.navigator,
    random: Math.random,
    now: () => performance.now(),
    setTimeout: (call, after) => setTimeout(call, after),
    clearTimeout: (timer) => clearTimeout(timer),
  };
}

function address(url) {
  if (typeof url !== 'string' && !(url instanceof URL)) throw new TypeError('the URL is a string');
  const full = new URL(url, globalThis.location?.href);
  full.protocol = full.protocol.replace(/^http/, 'ws');
  return full.href;
}

/** A socket that was never open takes no code. */
function closeArguments(socket, code, reason) {
  return socket.readyState === SOCKET_OPEN ? [code, reason] : [];
}

/** Options that are there but undefined are not there. */
function defined(options) {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

// -- The wire: five fields, each with its length in four bytes before it --------------------------------------------

const encoder = new TextEncoder();
/** All characters stay, a byte order mark too. */
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const EMPTY = new Uint8Array(0);
const LENGTH = 4;

/** A message as bytes. */
export function encode({ room, event, dst = '', src = '', payload = EMPTY }) {
  const fields = [...[room, event, dst, src].map((field) => encoder.encode(field)), payloadBytes(payload)];
  const bytes = new Uint8Array(fields.reduce((total, field) => total + LENGTH + field.length, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const field of fields) {
    view.setUint32(at, field.length);
    bytes.set(field, at + LENGTH);
    at += LENGTH + field.length;
  }
  return bytes;
}

/** The fields of a message; null if the bytes are none. */
export function decode(data) {
  const bytes = payloadBytes(data);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const fields = [];
  let at = 0;
  while (fields.length < 5) {
    if (at + LENGTH > bytes.length) return null;
    const end = at + LENGTH + view.getUint32(at);
    if (end > bytes.length) return null;
    fields.push(bytes.subarray(at + LENGTH, end));
    at = end;
  }
  if (at !== bytes.length) return null;
  const [room, event, dst, src] = fields.slice(0, 4).map(text);
  return { room, event, dst, src, payload: fields[4].slice() };
}

function payloadBytes(payload) {
  if (payload === undefined || payload === null) return EMPTY;
  if (typeof payload === 'string') return encoder.encode(payload);
  if (payload instanceof Uint8Array) return payload;
  if (payload instanceof ArrayBuffer) return new Uint8Array(payload);
  if (ArrayBuffer.isView(payload)) return new Uint8Array(payload.buffer, payload.byteOffset, payload.byteLength);
  throw new TypeError('a payload is text, bytes or nothing');
}

function listOf(payload) {
  const list = parsed(payload);
  return Array.isArray(list) ? list.filter((id) => typeof id === 'string') : [];
}

/** A payload as JSON; null if it is none. */
function parsed(payload) {
  try {
    return JSON.parse(text(payload));
  } catch {
    return null;
  }
}

/** An error of somebody's listener, where the page's owner looks for errors. */
function report(error) {
  if (globalThis.reportError) globalThis.reportError(error);
  else console.error(error);
}
