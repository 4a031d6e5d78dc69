/** Text, bytes, or nothing. */
export type Payload = string | ArrayBuffer | ArrayBufferView | null | undefined;

/**
 * Connects to a wsrooms server, and gives the room `root`, which every client is in. Each call makes a client of its
 * own.
 *
 * The connection comes back by itself: rooms are joined again in the order in which they were joined first, then what
 * waited is sent. A client has a new id after that.
 *
 * @param url `ws:`, `wss:`, `http:` or `https:`; in a page also relative to it.
 * @throws TypeError if the URL is none, SyntaxError if no WebSocket can have it.
 */
export function wsrooms(url: string | URL, options?: Options): Room;
export default wsrooms;

/** Times are in milliseconds. */
export interface Options {
  /** The longest delay before the first retry; it doubles with each. Default 500. */
  backoffBase?: number;
  /** The longest delay of all. Default 30,000. Each delay is a random part of what it may be ("full jitter"). */
  backoffCap?: number;
  /** How long a connection must be up for failures before it to be forgotten. Default 10,000. */
  stableAfter?: number;
  /** The least delay after close code 1013 (try again later). Default 10,000. */
  tryAgainLater?: number;
  /** How long it may take until the server has told the id. Default 10,000. */
  connectTimeout?: number;
  /** After how long a silence the connection is tried. 0: never. Default 30,000. */
  heartbeat?: number;
  /** How long the answer to that may take. Default 10,000. */
  heartbeatTimeout?: number;
  /** How many messages may wait for the connection. Default 256. */
  outboxMessages?: number;
  /** How many bytes of payload may wait for the connection, or in its socket. Default 1 MiB. */
  outboxBytes?: number;
  /** How many failures in a row end it for good. Default: none do. */
  attempts?: number;
  /**
   * Which close codes end it for good, at once. Default: 1008 (policy violation) and 4400 to 4499. Besides, 1002, 1003,
   * 1007, 1009 and 1010 do when three came without a stable connection between them.
   */
  final?: (code: number, reason: string) => boolean;
  /**
   * Whether a server that keeps what was said is asked, when a room is joined again, for what was missed meanwhile. It
   * comes as ordinary messages, before those that are new. Default true: other servers are not disturbed by it.
   */
  history?: boolean;
  /** Subprotocols of the WebSocket. */
  protocols?: string | string[];
  /** What is connected with, where there is no global one, or another is wanted. */
  WebSocket?: new (url: string, protocols?: string | string[]) => unknown;
  /** Clock, chance and page: for tests. */
  platform?: Record<string, unknown>;
}

/** Events that a room has of its own, with what their listeners are given. */
export interface RoomEvents {
  /** It was joined for the first time. */
  open: [];
  /** It was left, or the connection is at its end: then with its code. Comes once. */
  close: [how: { code?: number; reason?: string }];
  new_member: [id: string];
  member_left: [id: string];
}

/** Gets a custom event: any name but those of {@link RoomEvents} and of the protocol. */
export type CustomListener = (payload: Uint8Array, sender: string, message: Message) => void;

/** What is listened to. A listener that throws is reported (`reportError`), and stops no other. */
interface Emitter {
  off(event: string, listener: (...values: any[]) => void): this;
  removeListener(event: string, listener: (...values: any[]) => void): this;
  /** Those of one event, or all. */
  removeAllListeners(event?: string): this;
  listeners(event: string): ((...values: any[]) => void)[];
  /** Calls the listeners here; nothing is sent. Whether there were any. */
  emit(event: string, ...values: unknown[]): boolean;
}

/**
 * A room that this client is in, wants to be in again, or was in.
 *
 * Custom events are told with their payload, the id of their sender, and the whole message.
 */
export class Room {
  private constructor();
  readonly name: string;
  /** What all rooms of this client have in common. */
  readonly connection: Connection;
  /** Whether this client is in the room now. */
  open(): boolean;
  /** The id of this client; empty before the first connection, another one after each. */
  id(): string;
  /** The ids of who is in the room, this client's among them; those of the last connection while there is none. */
  members(): string[];
  /**
   * Gives the room of that name, and joins it, at once or when there is a connection.
   *
   * @throws RoomClosedError if this room was left, or the connection is at its end.
   */
  join(name: string): Room;
  /** Leaves. `close` comes when the server has heard it; then the listeners are removed. */
  leave(): this;
  /**
   * Sends to all others in the room, or to the one with the id `dst`; while there is no connection it waits for one.
   *
   * @throws ReservedEventError, RoomClosedError, OutboxFullError; TypeError if the payload is none.
   */
  send(event: string, payload?: Payload, dst?: string): this;
  /** Leaves every room but `root`. */
  purge(): this;
  /** The rooms of this client. */
  rooms(): Room[];
  /** Removes all listeners. */
  clearListeners(): this;

  on<E extends keyof RoomEvents>(event: E, listener: (...values: RoomEvents[E]) => void): this;
  on(event: string, listener: CustomListener): this;
  addListener<E extends keyof RoomEvents>(event: E, listener: (...values: RoomEvents[E]) => void): this;
  addListener(event: string, listener: CustomListener): this;
  once<E extends keyof RoomEvents>(event: E, listener: (...values: RoomEvents[E]) => void): this;
  once(event: string, listener: CustomListener): this;
}

/** `waiting`: for the next attempt. `closed`: for good. */
export type State = 'connecting' | 'open' | 'waiting' | 'closed';

export interface Status {
  state: State;
  /** Failures since the connection was last stable. */
  failures: number;
  /** Milliseconds until the next attempt; 0 unless it is waited for. */
  retryIn: number;
  /** What the browser says about its network. It may be wrong, and is told only. */
  online: boolean;
  /** How the last connection ended: 1006 without a close frame. */
  code?: number;
  reason?: string;
}

/** Events of a connection, with what their listeners are given. */
export interface ConnectionEvents {
  /** The state has changed; each second of a wait, too. */
  state: [status: Status];
  /** A room was joined again after a loss, and its members told. */
  rejoined: [room: Room];
  /** Messages that were missed in a room follow. `gap`: there were more, which the server has no longer. */
  history: [room: Room, what: { missed: number; gap: boolean }];
  /** A message for a room that this client has no object of. Without a listener it is a warning on the console. */
  unclaimed: [message: Message];
}

/** The connection of a client: its state, its end. */
export class Connection {
  private constructor();
  readonly url: string;
  readonly state: State;
  readonly status: Status;
  /** How many messages wait for a connection. */
  readonly queued: number;
  /** Ends a wait. Whether there was one. */
  retry(): boolean;
  /** Ends the connection for good; every room closes. */
  close(code?: number, reason?: string): void;

  on<E extends keyof ConnectionEvents>(event: E, listener: (...values: ConnectionEvents[E]) => void): this;
  addListener<E extends keyof ConnectionEvents>(event: E, listener: (...values: ConnectionEvents[E]) => void): this;
  once<E extends keyof ConnectionEvents>(event: E, listener: (...values: ConnectionEvents[E]) => void): this;
}
export interface Connection extends Emitter {}
export interface Room extends Emitter {}

/** The five fields of a message. */
export interface Fields {
  room: string;
  event: string;
  /** The id of the one receiver; empty for everybody in the room. */
  dst: string;
  /** The id of the sender. */
  src: string;
  payload: Uint8Array;
}

/** What a message was, for who wants more than its payload. */
export class Message implements Readonly<Fields> {
  private constructor();
  readonly room: string;
  readonly event: string;
  readonly dst: string;
  readonly src: string;
  readonly payload: Uint8Array;
  /** Whether it was said while this client was not there, and comes from the history of the room. */
  readonly missed: boolean;
  /** Whether it was for this client alone. */
  readonly direct: boolean;
  /** The payload as text. */
  text(): string;
}

/** What all errors of this module are, but for TypeErrors. */
export class RoomsError extends Error {}
/** The event is the server's, or this module's. */
export class ReservedEventError extends RoomsError {}
/** The room was left, or the connection is at its end. */
export class RoomClosedError extends RoomsError {}
/** Nothing more can wait for the connection. What was sent before is kept; this message is not. */
export class OutboxFullError extends RoomsError {
  /** How many wait. */
  readonly messages: number;
  /** How many bytes of payload wait. */
  readonly bytes: number;
}

/** A payload as text. */
export function text(payload: Uint8Array): string;
/** A message as it is on the wire. */
export function encode(message: { room: string; event: string; dst?: string; src?: string; payload?: Payload }): Uint8Array;
/** The fields of a message; null if the bytes are none. */
export function decode(data: ArrayBuffer | ArrayBufferView): Fields | null;
