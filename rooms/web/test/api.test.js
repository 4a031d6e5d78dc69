// The client API of wsrooms, and what the original did wrong.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { OutboxFullError, ReservedEventError, RoomClosedError, decode, encode, text, wsrooms } from '../rooms.js';
import { World, gist, heard } from './fakes.js';

const hex = (bytes) => Buffer.from(bytes).toString('hex');

test('a join is on the wire what the original client sends', () => {
  const expected = '000000056c6f626279000000046a6f696e000000000000000000000000';
  assert.equal(hex(encode({ room: 'lobby', event: 'join' })), expected);
});

test('any fields come back as they were', () => {
  const message = { room: 'Zürich', event: '話', dst: 'a', src: '\u{feff}b', payload: new Uint8Array([0, 255]) };
  assert.deepEqual(decode(encode(message)), message);
});

test('bytes that are no message are none', () => {
  const whole = encode({ room: 'a', event: 'b', payload: 'c' });
  for (let length = 0; length < whole.length; length += 1) assert.equal(decode(whole.slice(0, length)), null);
  assert.equal(decode(new Uint8Array([...whole, 0])), null);
  const world = new World();
  const root = world.opened();
  world.socket.bytes(new Uint8Array([0, 0, 0, 9]).buffer);
  world.socket.bytes('text');
  assert.ok(root.open());
});

test('wsrooms gives the root room, which opens when the server has told the id', () => {
  const world = new World();
  const root = world.connect();
  const events = heard(root, 'open');
  assert.deepEqual([root.name, root.open(), root.id(), root.members()], ['root', false, '', []]);
  world.socket.accept('me', ['me', 'you']);
  assert.deepEqual([root.open(), root.id(), root.members()], [true, 'me', ['me', 'you']]);
  assert.deepEqual(events, [['open']]);
});

test('a URL is text or a URL, of the web or of a WebSocket', () => {
  for (const url of [undefined, null, 7, {}]) assert.throws(() => wsrooms(url), TypeError);
  const world = new World();
  wsrooms(new URL('https://example.test/a'), { platform: world.platform() });
  assert.equal(world.socket.url, 'wss://example.test/a');
});

test('a list of members without oneself, as the original server sends it, is completed', () => {
  const world = new World();
  const root = world.connect();
  world.socket.accept('me', []);
  assert.deepEqual(root.members(), ['me']);
});

test('a room is joined once, and opens with its acknowledgement', () => {
  const world = new World();
  const root = world.opened();
  const lobby = root.join('lobby');
  const events = heard(lobby, 'open', 'new_member');
  assert.equal(root.join('lobby'), lobby);
  assert.deepEqual(world.socket.take().map(gist), ['lobby join']);
  assert.equal(lobby.open(), false);
  world.socket.ack('lobby', 'me', 'you');
  assert.deepEqual([lobby.open(), lobby.members()], [true, ['me', 'you']]);
  assert.deepEqual(events, [['open']]);
});

test('a room that is joined before there is a connection is joined once there is one', () => {
  const world = new World();
  const lobby = world.connect().join('lobby').send('chat', 'early');
  world.socket.accept('me');
  assert.deepEqual(world.socket.take().map(gist), ['lobby join', 'lobby chat early']);
  world.socket.ack('lobby', 'me');
  assert.ok(lobby.open());
});

test('who comes and goes is told once, and only of those who were unknown or known', () => {
  const world = new World();
  const root = world.opened();
  const events = heard(root, 'new_member', 'member_left');
  for (const event of ['new_member', 'new_member', 'member_left', 'member_left']) {
    world.socket.says('root', event, { payload: 'you' });
  }
  world.socket.says('root', 'member_left', { payload: 'stranger' });
  assert.deepEqual(events, [['new_member', 'you'], ['member_left', 'you']]);
  root.members().push('nobody');
  assert.deepEqual(root.members(), ['me']);
});

test('payloads may be text of any script, bytes, a buffer, or nothing', () => {
  const world = new World();
  const root = world.opened();
  const payloads = ['grüße 👋 世界', new Uint8Array([1, 2]), new Uint8Array([3, 4]).buffer, new Uint16Array([5]), null, undefined];
  for (const payload of payloads) root.send('é', payload);
  const sent = world.socket.take();
  assert.deepEqual(sent.map(({ payload }) => hex(payload)), [
    hex(Buffer.from('grüße 👋 世界')), '0102', '0304', '0500', '', '',
  ]);
  assert.ok(sent.every(({ event, src }) => event === 'é' && src === 'me'));
  for (const payload of [7, {}, [], true]) assert.throws(() => root.send('x', payload), TypeError);
});

test('a custom event brings its payload, its sender and the whole message', () => {
  const world = new World();
  const root = world.opened();
  const events = heard(root, 'chat');
  world.socket.says('root', 'chat', { src: 'you', dst: 'me', payload: 'hi' });
  const [[, payload, sender, message]] = events;
  assert.deepEqual([payload, sender], [new Uint8Array([104, 105]), 'you']);
  assert.deepEqual([message.text(), message.direct, message.room, text(payload)], ['hi', true, 'root', 'hi']);
});

test('send gives the room back, takes a receiver, and refuses reserved events', () => {
  const world = new World();
  const root = world.opened();
  assert.equal(root.send('chat', 'psst', 'you'), root);
  assert.deepEqual(world.socket.take().map(gist), ['root chat you psst']);
  for (const event of ['open', 'close', 'join', 'join_ack', 'leave', 'leave_ack', 'new_member', 'member_left']) {
    const isNamed = (error) => error instanceof ReservedEventError && error.message === `Reserved event: ${event}`;
    assert.throws(() => root.send(event), isNamed);
  }
});

test('a forged open or close of another client is not heard', () => {
  const world = new World();
  const root = world.opened();
  const events = heard(root, 'open', 'close', 'join');
  for (const event of ['open', 'close', 'join']) world.socket.says('root', event, { src: 'you' });
  assert.deepEqual(events, []);
});

test('a leave closes the room when it is acknowledged, and removes its listeners', () => {
  const world = new World();
  const lobby = world.opened().join('lobby');
  world.socket.ack('lobby', 'me');
  world.socket.take();
  const events = heard(lobby, 'close', 'chat');
  lobby.leave();
  assert.deepEqual(world.socket.take().map(gist), ['lobby leave me me']);
  world.socket.says('lobby', 'chat', { src: 'you' });
  world.socket.says('lobby', 'leave_ack', { src: 'me', payload: 'me' });
  assert.deepEqual(events.map(([event]) => event), ['chat', 'close']);
  assert.deepEqual([lobby.open(), lobby.members(), lobby.listeners('close')], [false, [], []]);
  assert.throws(() => lobby.send('chat'), RoomClosedError);
  assert.throws(() => lobby.join('other'), RoomClosedError);
});

test('a room that is left and joined at once is another room, in order', () => {
  const world = new World();
  const root = world.opened();
  const first = root.join('lobby');
  world.socket.ack('lobby', 'me');
  first.leave();
  const second = root.join('lobby');
  assert.notEqual(first, second);
  const [ofFirst, ofSecond] = [heard(first, 'close'), heard(second, 'open', 'close')];
  world.socket.says('lobby', 'leave_ack');
  world.socket.ack('lobby', 'me');
  assert.deepEqual([ofFirst.length, ofSecond], [1, [['open']]]);
});

test('purge leaves every room but root', () => {
  const world = new World();
  const root = world.opened();
  root.join('a');
  root.join('b');
  world.socket.take();
  root.purge();
  assert.deepEqual(world.socket.take().map(({ room, event }) => [room, event]), [['a', 'leave'], ['b', 'leave']]);
  assert.deepEqual(root.rooms(), [root]);
});

test('a message for a room without an object is told to the connection, or warned about', (t) => {
  const warn = t.mock.method(console, 'warn', () => {});
  const world = new World();
  const root = world.opened();
  world.socket.says('util', 'pong', { src: 'you' });
  assert.equal(warn.mock.callCount(), 1);
  const events = heard(root.connection, 'unclaimed');
  world.socket.says('util', 'pong', { src: 'you' });
  assert.deepEqual([warn.mock.callCount(), events[0][1].room, events[0][1].event], [1, 'util', 'pong']);
});

test('clients in one page have nothing in common', () => {
  const world = new World();
  const one = world.opened({}, 'one');
  const other = world.opened({}, 'other');
  const events = heard(one, 'chat');
  world.socket.says('root', 'chat', { src: 'x' });
  assert.deepEqual([one.id(), other.id(), events], ['one', 'other', []]);
});

test('listeners are called in order, once if so wished, and removed one or all', () => {
  const root = new World().opened();
  const calls = [];
  const listener = (value) => calls.push(['on', value]);
  root.addListener('x', listener).once('x', (value) => calls.push(['once', value])).once('x', listener);
  assert.equal(root.emit('x', 1), true);
  assert.deepEqual(calls, [['on', 1], ['once', 1], ['on', 1]]);
  assert.deepEqual(root.listeners('x'), [listener]);
  root.removeListener('x', listener);
  assert.equal(root.emit('x', 2), false);
  for (let n = 0; n < 4; n += 1) root.on('x', () => calls.push(n));
  root.on('y', listener).removeAllListeners('x');
  assert.deepEqual([root.listeners('x'), root.listeners('y')], [[], [listener]]);
  root.clearListeners();
  assert.deepEqual(root.listeners('y'), []);
  assert.throws(() => root.on('x', 'no function'), TypeError);
});

test('a listener that throws is reported and stops neither the others nor the connection', (t) => {
  const reported = t.mock.method(console, 'error', () => {});
  const root = new World().opened();
  const calls = [];
  root.on('x', () => { throw new Error('mine'); }).on('x', () => calls.push('next'));
  root.emit('x');
  assert.deepEqual([calls, reported.mock.callCount()], [['next'], 1]);
});

test('a listener that is removed while its event is told hears it out, as in the emitter of Node', () => {
  const root = new World().opened();
  const calls = [];
  const second = () => calls.push('second');
  root.on('x', () => root.off('x', second)).on('x', second);
  root.emit('x');
  root.emit('x');
  assert.deepEqual(calls, ['second']);
});

test('a socket that does not get rid of what is sent takes no more', () => {
  const world = new World();
  const root = world.opened({ outboxBytes: 10 });
  root.send('x', 'longer than the outbox, but nothing waits');
  world.socket.bufferedAmount = 9;
  assert.throws(() => root.send('x', 'ab'), OutboxFullError);
});
