// What pages may write, and what not: checked by the compiler alone.

import rooms, { Message, OutboxFullError, Room, text, wsrooms } from '../rooms.js';

const root: Room = wsrooms(new URL('wss://example.test'), { backoffCap: 5000, final: (code) => code === 4001 });
const lobby = root.join('lobby').on('open', () => {}).on('new_member', (id) => id.length);
lobby.on('chat', (payload, sender, message: Message) => text(payload) + sender.length + message.text());
lobby.on('close', ({ code, reason }) => [code, reason]).removeAllListeners('close').once('x', () => {});
lobby.send('chat', 'hi').send('chat', new Uint8Array(1), root.id()).send('chat', null).send('chat').leave();
root.connection.on('state', ({ state, retryIn }) => (state === 'waiting' ? retryIn : 0)).retry();
root.connection.on('rejoined', (room) => room.members().map((id) => id.length));
const isFull = (error: unknown) => error instanceof OutboxFullError && error.bytes > 0;
rooms('/ws').connection.close(1000, isFull(null) ? 'full' : '');

// @ts-expect-error a number is no payload
lobby.send('chat', 7);
// @ts-expect-error there is no such state
root.connection.state === 'gone';
// @ts-expect-error rooms are made by join
new Room();
// @ts-expect-error a connection has no such event
root.connection.on('chat', () => {});
// @ts-expect-error an id is text
lobby.on('member_left', (id: number) => id);
