// The connection comes back: when, in which order, and when not.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { OutboxFullError, RoomClosedError } from '../rooms.js';
import { World, gist, heard } from './fakes.js';

/** How long until the next socket is opened after the last one ended. */
function delay(world) {
  const [count, from] = [world.sockets.length, world.now];
  while (world.sockets.length === count) world.pass(Math.min(...world.timers.map((timer) => timer.at)) - world.now);
  return world.now - from;
}

test('delays are evenly distributed between nothing and a bound that doubles up to the cap', () => {
  for (const [random, share] of [[0, 0], [0.5, 0.5], [0.999, 0.999]]) {
    const world = new World();
    world.random = random;
    world.connect();
    for (const bound of [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]) {
      world.socket.ends();
      const waited = delay(world);
      assert.ok(Math.abs(waited - bound * share) < 1e-6, `${waited} of ${bound}`);
    }
  }
});

test('failures are forgotten only when the connection was up for a while', () => {
  const world = new World();
  world.random = 1;
  world.connect();
  for (const bound of [500, 1000, 2000]) {
    world.socket.accept('me');
    world.pass(9_999);
    world.socket.ends();
    assert.equal(delay(world), bound);
  }
  world.socket.accept('me');
  world.pass(10_000);
  world.socket.ends();
  assert.equal(delay(world), 500);
});

test('a connection that does not come about in time is given up', () => {
  const world = new World();
  world.connect();
  const [first] = world.sockets;
  world.pass(10_000);
  assert.deepEqual([first.readyState, world.sockets.length], [2, 1]);
  delay(world);
  assert.equal(world.sockets.length, 2);
});

test('rooms are joined again in their order, then what waited is sent, and nothing is said twice', () => {
  const world = new World();
  const root = world.opened();
  const [c, a, b] = ['c', 'a', 'b'].map((name) => root.join(name));
  for (const name of ['c', 'a', 'b']) world.socket.ack(name, 'me');
  const opens = [root, a, b, c].map((room) => heard(room, 'open', 'close'));
  a.leave();
  world.socket.says('a', 'leave_ack');
  b.send('chat', 'before');
  world.socket.ends();
  assert.deepEqual([root, b, c].map((room) => room.open()), [false, false, false]);
  c.send('chat', 'first');
  b.send('chat', 'second');
  root.join('a');
  assert.equal(root.connection.queued, 2);
  delay(world);
  world.socket.accept('me again');
  const sent = world.socket.take();
  assert.deepEqual(sent.map(gist), ['c join', 'b join', 'a join', 'c chat first', 'b chat second']);
  assert.ok(sent.every(({ src }) => src === 'me again'));
  const rejoined = heard(root.connection, 'rejoined');
  for (const name of ['c', 'b', 'a']) world.socket.ack(name, 'me again');
  assert.deepEqual(rejoined.map(([, room]) => room.name), ['c', 'b']);
  assert.deepEqual([root, b, c].map((room) => room.open()), [true, true, true]);
  assert.deepEqual(opens, [[], [['close', {}]], [], []]);
});

test('after a reconnect the members are those of the new list, and the difference is told', () => {
  const world = new World();
  const root = world.opened();
  const lobby = root.join('lobby');
  world.socket.ack('lobby', 'me', 'stays', 'goes');
  const events = heard(lobby, 'new_member', 'member_left');
  world.socket.ends();
  assert.deepEqual(lobby.members(), ['me', 'stays', 'goes']);
  delay(world);
  world.socket.accept('I');
  // The server may not have missed the last connection yet.
  world.socket.ack('lobby', 'stays', 'comes', 'me', 'I');
  assert.deepEqual(events, [['member_left', 'goes'], ['new_member', 'comes']]);
  assert.deepEqual(lobby.members().sort(), ['I', 'comes', 'stays']);
  world.socket.says('lobby', 'member_left', { payload: 'me' });
  assert.equal(events.length, 2);
  assert.equal(lobby.id(), 'I');
});

test('the outbox is bounded in messages and in bytes, and says so', () => {
  const world = new World();
  const root = world.connect({ outboxMessages: 2, outboxBytes: 10 });
  root.send('x', '12345').send('x', '1234');
  const isFull = (error) => error instanceof OutboxFullError && error.messages === 2 && error.bytes === 9;
  assert.throws(() => root.send('x'), isFull);
  world.socket.accept('me');
  assert.equal(world.socket.take().length, 2);
  world.socket.ends();
  root.send('x', '1234567890');
  assert.throws(() => root.send('x', '1'), OutboxFullError);
});

test('what waits is what was given, whatever becomes of the array', () => {
  const world = new World();
  const root = world.connect();
  const bytes = new Uint8Array([65]);
  root.send('x', bytes);
  bytes[0] = 66;
  world.socket.accept('me');
  assert.deepEqual(world.socket.take().map(gist), ['root x A']);
});

test('what waits for a room that is left is not sent, nor is the room joined', () => {
  const world = new World();
  const root = world.opened();
  const lobby = root.join('lobby');
  world.socket.ends();
  const events = heard(lobby, 'close');
  lobby.send('chat', 'lost');
  root.send('chat', 'kept');
  lobby.leave();
  assert.equal(events.length, 1);
  delay(world);
  world.socket.accept('me');
  assert.deepEqual(world.socket.take().map(gist), ['root chat kept']);
});

test('a room whose leave was not acknowledged is left with the connection', () => {
  const world = new World();
  const lobby = world.opened().join('lobby');
  world.socket.ack('lobby', 'me');
  const events = heard(lobby, 'close');
  lobby.leave();
  assert.equal(events.length, 0);
  world.socket.ends();
  assert.equal(events.length, 1);
  delay(world);
  world.socket.accept('me');
  assert.deepEqual(world.socket.take(), []);
});

test('a message while the socket is closing waits for the next one', () => {
  const world = new World();
  const root = world.opened();
  world.socket.readyState = 2;
  root.send('chat', 'hi');
  assert.equal(root.connection.queued, 1);
});

test('root stays left, and comes back when it is joined', () => {
  const world = new World();
  const root = world.opened();
  const lobby = root.join('lobby');
  root.leave();
  world.socket.says('root', 'leave_ack');
  world.socket.ends();
  delay(world);
  world.socket.accept('me');
  assert.deepEqual(world.socket.take().map(gist), ['root leave me', 'lobby join']);
  const again = lobby.join('root');
  world.socket.ack('root', 'me');
  assert.ok(again.open());
  world.socket.ends();
  delay(world);
  world.socket.take();
  world.socket.accept('me');
  assert.deepEqual(world.socket.take().map(gist), ['lobby join']);
  assert.ok(again.open());
});

test('1008 and 4400 to 4499 are final, other codes are not', () => {
  for (const code of [1008, 4400, 4401, 4499]) {
    const world = new World();
    const root = world.opened();
    const events = heard(root, 'close');
    world.socket.ends(code, 'why');
    assert.deepEqual([root.connection.state, events], ['closed', [['close', { code, reason: 'why' }]]]);
    assert.throws(() => root.send('x'), RoomClosedError);
    assert.equal(world.timers.length, 0);
  }
  for (const code of [1000, 1001, 1005, 1006, 1011, 1012, 1013, 3000, 4000, 4399, 4500]) {
    const world = new World();
    const root = world.opened();
    world.socket.ends(code);
    assert.equal(root.connection.state, 'waiting', code);
  }
});

test('codes of a broken protocol are final three times in a row', () => {
  for (const code of [1002, 1003, 1007, 1009, 1010]) {
    const world = new World();
    const root = world.opened();
    for (let n = 0; n < 2; n += 1) {
      world.socket.ends(code);
      delay(world);
      world.socket.accept('me');
    }
    assert.equal(root.connection.state, 'open');
    world.socket.ends(code);
    assert.equal(root.connection.state, 'closed', code);
  }
});

test('which codes are final can be said, and how many attempts there are', () => {
  const world = new World();
  const root = world.opened({ final: (code, reason) => reason === 'banned', attempts: 2 });
  world.socket.ends(1008, 'go away');
  assert.equal(root.connection.state, 'waiting');
  delay(world);
  world.socket.ends();
  delay(world);
  world.socket.ends();
  assert.equal(root.connection.state, 'closed');
  const other = world.opened({ final: (code, reason) => reason === 'banned' });
  world.socket.ends(4000, 'banned');
  assert.equal(other.connection.state, 'closed');
});

test('1013 is waited for ten seconds at least, also by a page that is looked at', () => {
  const world = new World();
  world.opened();
  world.socket.ends(1013);
  world.document.dispatchEvent(new Event('visibilitychange'));
  world.window.dispatchEvent(new Event('online'));
  assert.equal(delay(world), 10_250);
});

test('the state is told each second of a wait, counting down', () => {
  const world = new World();
  world.random = 1;
  const root = world.connect({ backoffBase: 2500 });
  const events = heard(root.connection, 'state');
  world.socket.ends(1006, 'gone');
  world.pass(2500);
  world.socket.accept('me');
  const told = events.map(([, { state, retryIn, code, failures }]) => [state, retryIn, code, failures]);
  assert.deepEqual(told, [
    ['waiting', 2500, 1006, 1], ['waiting', 2000, 1006, 1], ['waiting', 1000, 1006, 1],
    ['connecting', 0, 1006, 1], ['open', 0, undefined, 1],
  ]);
});

test('a page that is looked at again, or online again, does not wait its turn', () => {
  for (const [target, event] of [['document', 'visibilitychange'], ['window', 'online']]) {
    const world = new World();
    world.random = 1;
    world.connect({ backoffBase: 8000 });
    world.socket.ends();
    world.socket.ends();
    world.pass(1000);
    world.random = 0.25;
    world[target].dispatchEvent(new Event(event));
    assert.equal(delay(world), 2000, event);
  }
});

test('who is woken shortly before its turn does not wait longer', () => {
  const world = new World();
  world.random = 1;
  world.connect({ backoffBase: 8000 });
  world.socket.ends();
  world.pass(7900);
  world.window.dispatchEvent(new Event('online'));
  assert.equal(delay(world), 100);
});

test('a hidden page and one that goes offline wait on', () => {
  const world = new World();
  world.random = 1;
  const root = world.connect({ backoffBase: 8000 });
  world.socket.ends();
  world.random = 0;
  world.document.visibilityState = 'hidden';
  world.navigator.onLine = false;
  world.document.dispatchEvent(new Event('visibilitychange'));
  world.window.dispatchEvent(new Event('offline'));
  assert.equal(root.connection.status.online, false);
  assert.equal(delay(world), 8000);
});

test('a connection on which nothing comes is tried, and given up without an answer', () => {
  const world = new World();
  const root = world.opened();
  world.pass(29_999);
  assert.deepEqual(world.socket.take(), []);
  world.pass(1);
  assert.deepEqual(world.socket.take().map(gist), ['rooms.js/alive leave me']);
  world.socket.says('rooms.js/alive', 'leave_ack');
  world.pass(30_000);
  assert.equal(world.socket.take().length, 1);
  world.pass(10_000);
  assert.deepEqual([root.connection.state, root.connection.status.reason], ['waiting', 'no answer']);
});

test('a connection is tried when the page is looked at again, or its network changes', () => {
  for (const [target, event] of [['document', 'visibilitychange'], ['window', 'online'], ['window', 'offline']]) {
    const world = new World();
    world.opened();
    world[target].dispatchEvent(new Event(event));
    world[target].dispatchEvent(new Event(event));
    assert.equal(world.socket.take().length, 1, event);
  }
});

test('retry ends a wait, and only a wait', () => {
  const world = new World();
  const root = world.connect();
  assert.equal(root.connection.retry(), false);
  world.socket.ends();
  assert.equal(root.connection.retry(), true);
  assert.equal(world.sockets.length, 2);
});

test('a close is the end: rooms close, nothing is dialled, no timer and no listener is left', () => {
  const world = new World();
  let listeners = 0;
  for (const target of [world.window, world.document]) {
    target.addEventListener = () => { listeners += 1; };
    target.removeEventListener = () => { listeners -= 1; };
  }
  const root = world.opened();
  assert.equal(listeners, 3);
  const lobby = root.join('lobby');
  const events = [root, lobby].map((room) => heard(room, 'close'));
  root.connection.close(4000, 'bye');
  assert.deepEqual(world.socket.closed, { code: 4000, reason: 'bye' });
  assert.deepEqual(events.map((list) => list.length), [1, 1]);
  root.connection.close();
  world.pass(1_000_000);
  assert.deepEqual([world.sockets.length, world.timers.length, listeners], [1, 0, 0]);
  assert.equal(root.connection.state, 'closed');
});

test('a connection may be closed while it waits, and while it connects', () => {
  for (const waits of [true, false]) {
    const world = new World();
    const root = world.connect();
    if (waits) world.socket.ends();
    root.connection.close();
    world.pass(1_000_000);
    assert.deepEqual([world.sockets.length, root.connection.state], [1, 'closed']);
  }
});

test('what an earlier socket says is not heard', () => {
  const world = new World();
  const root = world.opened();
  const events = heard(root, 'chat');
  const [first] = world.sockets;
  first.ends();
  delay(world);
  world.socket.accept('me');
  first.says('root', 'chat', { src: 'you' });
  first.ends(1008);
  assert.deepEqual([events, root.connection.state], [[], 'open']);
});
