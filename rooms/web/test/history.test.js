// What was missed while there was no connection.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ReservedEventError } from '../rooms.js';
import { World, gist, heard } from './fakes.js';

/** A client in the lobby of a server that keeps history, up to position p1. */
function inLobby(world) {
  const root = world.opened({ history: undefined });
  const lobby = root.join('lobby');
  world.socket.ack('lobby', 'me', 'you');
  answer(world, 'me', { at: 'p1', missed: 0, gap: false });
  world.socket.take();
  return lobby;
}

function answer(world, id, what) {
  world.socket.says('lobby', 'rooms.history', { dst: id, payload: JSON.stringify(what) });
}

/** Gone, and back with this id; gives what was written first. */
function comesBack(world, id) {
  world.socket.ends();
  world.pass(1000);
  world.socket.accept(id);
  return world.socket.take().map(gist);
}

const texts = (events) => events.map(([, , , message]) => `${message.text()}${message.missed ? ' (missed)' : ''}`);

test('a room is asked for its position before it is joined, root is not', () => {
  const world = new World();
  world.opened({ history: undefined }).join('lobby');
  assert.deepEqual(world.socket.take().map(gist), ['lobby rooms.history me', 'lobby join']);
});

test('what was missed comes once, in order, before what is new, and without its position', () => {
  const world = new World();
  const lobby = inLobby(world);
  const [events, told] = [heard(lobby, 'chat'), heard(lobby.connection, 'history')];
  world.socket.says('lobby', 'chat', { src: 'you', dst: '@p2', payload: 'heard' });
  assert.deepEqual(comesBack(world, 'me2'), ['lobby rooms.history me2 p2', 'lobby join']);
  world.socket.ack('lobby', 'me2', 'you');
  answer(world, 'me2', { at: 'p4', missed: 2, gap: false });
  for (const n of [3, 4, 5]) world.socket.says('lobby', 'chat', { src: 'you', dst: `@p${n}`, payload: `m${n}` });
  assert.deepEqual(texts(events), ['heard', 'm3 (missed)', 'm4 (missed)', 'm5']);
  assert.ok(events.every(([, , src, message]) => src === 'you' && message.dst === '' && !message.direct));
  assert.deepEqual(told.map(([, room, what]) => [room.name, what]), [['lobby', { missed: 2, gap: false }]]);
  assert.deepEqual(comesBack(world, 'me3'), ['lobby rooms.history me3 p5', 'lobby join']);
});

test('a connection that is lost among missed messages asks for the rest', () => {
  const world = new World();
  inLobby(world);
  comesBack(world, 'me2');
  world.socket.ack('lobby', 'me2', 'you');
  answer(world, 'me2', { at: 'p9', missed: 8, gap: false });
  world.socket.says('lobby', 'chat', { src: 'you', dst: '@p2' });
  assert.deepEqual(comesBack(world, 'me3'), ['lobby rooms.history me3 p2', 'lobby join']);
});

test('one\'s own messages move the position, and do not come back', () => {
  const world = new World();
  const lobby = inLobby(world);
  const events = heard(lobby, 'chat', 'rooms.at');
  world.socket.says('lobby', 'rooms.at', { src: 'me', dst: '@p2' });
  assert.deepEqual(comesBack(world, 'me2'), ['lobby rooms.history me2 p2', 'lobby join']);
  world.socket.ack('lobby', 'me2', 'you');
  answer(world, 'me2', { at: 'p3', missed: 1, gap: false });
  world.socket.says('lobby', 'chat', { src: 'me', dst: '@p3', payload: 'my own' });
  assert.deepEqual(events, []);
  assert.deepEqual(comesBack(world, 'me3'), ['lobby rooms.history me3 p3', 'lobby join']);
});

test('more than the server has is told', () => {
  const world = new World();
  const lobby = inLobby(world);
  const told = heard(lobby.connection, 'history');
  comesBack(world, 'me2');
  world.socket.ack('lobby', 'me2');
  answer(world, 'me2', { at: 'p9', missed: 0, gap: true });
  assert.deepEqual(told.map(([, , what]) => what), [{ missed: 0, gap: true }]);
});

test('a server without history sends the question back, and nothing is different', () => {
  const world = new World();
  const lobby = world.opened({ history: undefined }).join('lobby');
  const [events, told] = [heard(lobby, 'chat', 'rooms.history'), heard(lobby.connection, 'history')];
  world.socket.says('lobby', 'rooms.history', { src: 'me', dst: 'me' });
  world.socket.ack('lobby', 'me', 'you');
  world.socket.says('lobby', 'chat', { src: 'you', payload: 'hi' });
  assert.deepEqual([texts(events), told], [['hi'], []]);
  assert.deepEqual(comesBack(world, 'me2'), ['lobby rooms.history me2', 'lobby join']);
});

test('neither an answer nor a position is believed of other clients, nor may be sent', () => {
  const world = new World();
  const lobby = inLobby(world);
  const told = heard(lobby.connection, 'history');
  world.socket.says('lobby', 'rooms.history', { src: 'you', payload: '{"at":"x","missed":9,"gap":true}' });
  world.socket.says('lobby', 'rooms.at', { src: 'you', dst: '@x' });
  for (const payload of ['', 'null', '7', '{', '{"missed":3}']) world.socket.says('lobby', 'rooms.history', { payload });
  assert.deepEqual(told, []);
  assert.deepEqual(comesBack(world, 'me2'), ['lobby rooms.history me2 p1', 'lobby join']);
  for (const event of ['rooms.history', 'rooms.at']) assert.throws(() => lobby.send(event), ReservedEventError);
});

test('a direct message moves no position', () => {
  const world = new World();
  const lobby = inLobby(world);
  const events = heard(lobby, 'chat');
  world.socket.says('lobby', 'chat', { src: 'you', dst: 'me', payload: 'psst' });
  assert.ok(events[0][3].direct);
  assert.deepEqual(comesBack(world, 'me2'), ['lobby rooms.history me2 p1', 'lobby join']);
});

test('who does not want it is not asked', () => {
  const world = new World();
  world.opened({ history: false }).join('lobby');
  assert.deepEqual(world.socket.take().map(gist), ['lobby join']);
});
