// What the chat page knows, without a page.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';

import { OutboxFullError } from '../rooms.js';
import { Chat, introduction } from '../pages/assets/conversations.js';
import { World, gist } from './fakes.js';

const view = { changed() {}, line() {}, status() {} };
const ADA = { name: 'Ada', tag: 'a-tag' };

let world;
let chat;

beforeEach(() => {
  mock.timers.enable({ apis: ['setTimeout'] });
  world = new World();
  const root = world.opened();
  chat = new Chat(root, ADA, view);
  chat.enter('lobby');
  world.socket.ack('lobby', 'me', 'b1');
  world.socket.take();
});
afterEach(() => mock.timers.reset());

const hello = (id, name, tag, dst = '') => {
  world.socket.says('lobby', 'hello', { src: id, dst, payload: JSON.stringify({ name, tag }) });
};
const lines = (key = 'room:lobby') => chat.conversations.get(key).lines.map(({ text }) => text);
const names = () => chat.present(chat.conversations.get('room:lobby')).map(({ name }) => name);

test('a hello is a name and a tag, or any text at all', () => {
  assert.deepEqual(introduction('{"name":" Ben ","tag":"t"}', 'id-of-ben'), { name: 'Ben', tag: 't' });
  assert.deepEqual(introduction('Ben', 'id-of-ben'), { name: 'Ben', tag: 'id-of-ben' });
  for (const text of ['', ' ', '{"name":""}', '{"name":" ","tag":7}']) {
    assert.deepEqual(introduction(text, 'id-of-ben'), { name: 'Guest id-o', tag: 'id-of-ben' });
  }
  for (const text of ['null', '7', '[]', '{"name":7}']) assert.equal(introduction(text, 'x').name, text);
  assert.equal(introduction('x'.repeat(99), 'id').name.length, 40);
});

test('who joins says hello to all, and to each who comes', () => {
  world.socket.says('lobby', 'new_member', { payload: 'b2' });
  const said = JSON.stringify(ADA);
  assert.deepEqual(world.socket.take().map(gist), [`lobby hello b2 ${said}`]);
  chat.enter('other');
  world.socket.ack('other', 'me');
  assert.deepEqual(world.socket.take().map(gist), ['other join', `other hello ${said}`]);
});

test('who says hello has a name; that somebody came is told of who comes, not of who was there', () => {
  assert.deepEqual(names(), ['Ada', 'Guest b1']);
  hello('b1', 'Ben', 'b-tag', 'me');
  world.socket.says('lobby', 'new_member', { payload: 'c1' });
  hello('c1', 'Cy', 'c-tag');
  assert.deepEqual([names(), lines()], [['Ada', 'Ben', 'Cy'], ['Cy is here']]);
});

test('who is back soon was not away', () => {
  hello('b1', 'Ben', 'b-tag');
  world.socket.says('lobby', 'member_left', { payload: 'b1' });
  assert.deepEqual(names(), ['Ada']);
  mock.timers.tick(7999);
  world.socket.says('lobby', 'new_member', { payload: 'b2' });
  hello('b2', 'Ben', 'b-tag');
  mock.timers.tick(100_000);
  assert.deepEqual([names(), lines()], [['Ada', 'Ben'], ['Ben is here']]);
  world.socket.says('lobby', 'member_left', { payload: 'b2' });
  mock.timers.tick(8000);
  assert.deepEqual(lines(), ['Ben is here', 'Ben has left']);
});

test('after a reconnect all are told at once, and nobody twice', () => {
  hello('b1', 'Ben', 'b-tag', 'me');
  world.socket.ends();
  world.pass(500);
  world.socket.accept('me2');
  world.socket.take();
  world.socket.ack('lobby', 'b2', 'c1', 'me2');
  assert.deepEqual(world.socket.take().map(gist), [`lobby hello ${JSON.stringify(ADA)}`]);
  hello('b2', 'Ben', 'b-tag', 'me2');
  mock.timers.tick(100_000);
  assert.deepEqual([names(), lines()], [['Ada', 'Ben', 'Guest c1'], []]);
});

test('a direct conversation is with a person, whatever the id', () => {
  hello('b1', 'Ben', 'b-tag', 'me');
  world.socket.says('root', 'dm', { src: 'b1', dst: 'me', payload: 'psst' });
  const direct = chat.conversations.get('direct:b-tag');
  assert.deepEqual([direct.title, direct.unread, lines('direct:b-tag')], ['Ben', 1, ['psst']]);
  chat.say(direct, 'yes?');
  assert.equal(gist(world.socket.take().at(-1)), 'root dm b1 yes?');
  world.socket.says('lobby', 'member_left', { payload: 'b1' });
  assert.equal(chat.canSay(direct), false);
  world.socket.says('lobby', 'new_member', { payload: 'b2' });
  hello('b2', 'Ben', 'b-tag');
  chat.say(direct, 'back');
  assert.equal(gist(world.socket.take().at(-1)), 'root dm b2 back');
});

test('a message of a chat that is for one is a direct message, in whatever room', () => {
  world.socket.says('root', 'chat', { src: 'b1', dst: 'me', payload: 'one' });
  world.socket.says('lobby', 'chat', { src: 'b1', dst: 'me', payload: 'two' });
  world.socket.says('root', 'chat', { src: 'b1', payload: 'to all in root, where the page does not look' });
  assert.deepEqual([lines('direct:b1'), lines()], [['one', 'two'], []]);
});

test('what is said without a connection waits, and is marked until it is sent', () => {
  const lobby = chat.current;
  world.socket.ends();
  chat.say(lobby, 'later');
  assert.equal(lobby.lines[0].isWaiting, true);
  world.pass(500);
  world.socket.accept('me2');
  assert.equal(lobby.lines[0].isWaiting, false);
  assert.ok(world.socket.take().map(gist).includes('lobby chat later'));
});

test('what the outbox does not take is not said', () => {
  world.socket.ends();
  for (let n = 0; n < 256; n += 1) chat.say(chat.current, 'x');
  assert.throws(() => chat.say(chat.current, 'too much'), OutboxFullError);
  assert.equal(chat.current.lines.length, 256);
});

test('unread are messages of conversations that are not looked at', () => {
  chat.enter('other');
  world.socket.says('lobby', 'chat', { src: 'b1', payload: 'hi' });
  const lobby = chat.conversations.get('room:lobby');
  assert.equal(lobby.unread, 1);
  chat.step(1);
  assert.deepEqual([chat.current, lobby.unread], [lobby, 0]);
  chat.leave(lobby);
  assert.equal(chat.current.title, 'other');
});
