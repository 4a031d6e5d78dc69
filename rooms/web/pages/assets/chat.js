// The chat page: what is seen, and what is pressed.

import { OutboxFullError, wsrooms } from '../rooms.js';
import { Chat } from './conversations.js';
import { avatar, h, kept, linked, sync, write } from './dom.js';

const LOBBY = 'lobby';
/** Messages of one person within this time stand together. */
const TOGETHER = 3 * 60_000;
const TITLE = document.title;

const $ = (id) => document.getElementById(id);
const time = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const clock = (at) => h('time', { datetime: new Date(at).toISOString() }, time.format(at));

const savedName = kept('localStorage', 'rooms.name');
const savedTag = kept('sessionStorage', 'rooms.tag');
const savedRooms = kept('sessionStorage', 'rooms.joined');

let chat;
/** The conversation whose messages are on the page, and the last line of it. */
let shown = null;
let lastLine = null;

// -- What is seen ----------------------------------------------------------------------------------------------------

const view = {
  changed() {
    if (!chat) return;
    showLists();
    showHeader();
    showPeople();
    showMessages();
    remember();
  },
  line(conversation, line) {
    if (conversation === shown) append(line);
    view.changed();
  },
  status: showStatus,
};

function showLists() {
  const all = [...chat.conversations.values()];
  const row = (conversation) => h('li', {}, h('button', { class: 'row', onclick: () => open(conversation.key) }));
  const update = (item, conversation) => {
    const { kind, title, unread } = conversation;
    const peer = kind === 'direct' ? chat.peer(conversation) : undefined;
    const icon = kind === 'room'
      ? h('span', { class: 'hash', 'aria-hidden': 'true' }, '#')
      : avatar({ name: title, tag: conversation.tag }, presence(peer));
    const badge = unread > 0 ? h('span', { class: 'badge', 'aria-label': `${unread} unread` }, String(unread)) : null;
    const button = item.firstChild;
    button.replaceChildren(icon, h('span', { class: 'grow name' }, title), ...(badge ? [badge] : []));
    button.setAttribute('aria-current', String(conversation === chat.current));
  };
  for (const [list, kind] of [[$('rooms'), 'room'], [$('directs'), 'direct']]) {
    sync(list, all.filter((conversation) => conversation.kind === kind), ({ key }) => key, row, update);
  }
  $('no-directs').hidden = all.some(({ kind }) => kind === 'direct');
  const unread = all.reduce((total, conversation) => total + conversation.unread, 0);
  $('unread-elsewhere').hidden = unread === 0;
  document.title = `${unread > 0 ? `(${unread}) ` : ''}${chat.current ? `${chat.current.title} · ` : ''}${TITLE}`;
  $('self-avatar').replaceWith(Object.assign(avatar(chat.me), { id: 'self-avatar' }));
  write($('self-name'), chat.me.name);
}

function showHeader() {
  const { current } = chat;
  const isRoom = current?.kind === 'room';
  write($('title'), current ? (isRoom ? `# ${current.title}` : current.title) : 'No room');
  write($('subtitle'), current ? subtitle(current) : 'Join one to begin.');
  write($('leave'), isRoom ? 'Leave' : 'Close');
  $('leave').hidden = !current;
  $('invite').hidden = !isRoom;
  $('show-people').hidden = !isRoom;
  $('composer').inert = !current;
  const text = $('text');
  text.disabled = !current || !chat.canSay(current);
  text.placeholder = current && text.disabled ? `${current.title} is not here now` : `Message ${isRoom ? '#' : ''}${current?.title ?? ''}`;
  $('composer').querySelector('button').disabled = text.disabled;
  const typists = current ? chat.typists(current) : [];
  write($('typing'), typists.length === 0 ? '' : typists.length > 2 ? 'Several people are typing…' : `${typists.join(' and ')} ${typists.length > 1 ? 'are' : 'is'} typing…`);
}

function subtitle(conversation) {
  if (chat.status.state !== 'open') return 'Not connected';
  if (conversation.kind === 'room') {
    const count = chat.present(conversation).length;
    return count === 1 ? 'Only you' : `${count} people`;
  }
  return { here: 'Here now', away: 'Away', gone: 'Not here' }[presence(chat.peer(conversation))];
}

function showPeople() {
  const people = chat.current ? chat.present(chat.current) : [];
  write($('people-title'), people.length > 0 ? `People — ${people.length}` : 'People');
  const row = (person) => (person.isSelf
    ? h('li', { class: 'row' })
    : h('li', {}, h('button', { class: 'row', onclick: () => openDirect(person) })));
  const update = (item, person) => {
    const holder = person.isSelf ? item : item.firstChild;
    const note = person.isSelf ? 'you' : person.isAway ? 'away' : undefined;
    const name = h('span', { class: 'grow' }, h('span', { class: 'name' }, person.name), ...(note ? [h('small', {}, note)] : []));
    if (!person.isSelf) name.append(h('span', { class: 'hidden' }, ' – write a direct message'));
    holder.replaceChildren(avatar(person, presence(person)), name);
  };
  $('people').classList.toggle('unsure', chat.status.state !== 'open');
  sync($('people'), people, ({ id, isSelf }) => (isSelf ? 'self' : id), row, update);
}

/** Without a connection nobody knows. */
function presence(person) {
  if (!person || chat.status.state !== 'open') return 'gone';
  return person.isAway ? 'away' : 'here';
}

function showMessages() {
  const { current } = chat;
  if (current !== shown) {
    shown = current;
    lastLine = null;
    // Not announced: it was, or it is read now.
    $('messages').setAttribute('aria-live', 'off');
    $('messages').replaceChildren();
    current?.lines.forEach(append);
    $('messages').setAttribute('aria-live', 'polite');
  }
  for (const [index, line] of (current?.lines ?? []).entries()) {
    const element = $('messages').children[index];
    if (element?.classList.contains('waiting') && !line.isWaiting) {
      element.classList.remove('waiting');
      element.querySelector('.fate')?.remove();
    }
  }
  showEmpty();
}

function showEmpty() {
  const { current } = chat;
  const isEmpty = !current || !current.lines.some(({ kind }) => kind === 'message');
  $('empty').hidden = !isEmpty;
  if (!isEmpty) return;
  const isRoom = current?.kind === 'room';
  const isAlone = isRoom && chat.present(current).length < 2;
  write($('empty-title'), !current ? 'You are in no room' : isAlone ? 'It is quiet in here' : isRoom ? `Say hello to #${current.title}` : `You and ${current.title}`);
  write($('empty-text'), !current ? 'Join one, or make a new one.' : isAlone ? 'Open this page in a second window, or send the link to somebody.' : isRoom ? 'Everybody who is in the room sees what you write.' : 'Nobody else sees what you write here.');
  $('empty-invite').hidden = !isRoom;
}

function append(line) {
  const messages = $('messages');
  const isAtEnd = messages.scrollHeight - messages.scrollTop - messages.clientHeight < 80;
  messages.append(line.kind === 'news' ? h('p', { class: 'news' }, line.text) : message(line));
  while (messages.children.length > shown.lines.length) messages.firstChild.remove();
  lastLine = line;
  if (isAtEnd || line.isOwn) messages.scrollTop = messages.scrollHeight;
}

function message(line) {
  const { isOwn, author, text, at, isWaiting } = line;
  const before = lastLine;
  const isTogether = before?.kind === 'message' && before.author.tag === author.tag && at - before.at < TOGETHER;
  const classes = ['message', !isTogether && 'first', isOwn && 'own', isWaiting && 'waiting'].filter(Boolean);
  const element = h('div', { class: classes.join(' ') });
  if (!isTogether) {
    if (!isOwn) element.append(avatar(author));
    const name = isOwn ? h('span', { class: 'hidden' }, 'You ') : h('b', { dir: 'auto' }, author.name);
    element.append(h('div', { class: 'head' }, name, clock(at)));
  }
  element.append(h('div', { class: 'body', dir: 'auto' }, ...linked(text)));
  if (isWaiting) element.append(h('div', { class: 'fate' }, 'sent when the connection is back'));
  return element;
}

function showStatus(status) {
  const { state, code, reason } = status;
  const bar = $('connection');
  const before = bar.dataset.state;
  bar.dataset.state = state;
  write($('connection-text'), statusText(status));
  bar.title = code ? `${code}${reason ? `: ${reason}` : ''}` : '';
  $('retry').hidden = state !== 'waiting' && state !== 'closed';
  write($('retry'), state === 'closed' ? 'Connect again' : 'Try now');
  // The seconds are seen; heard is only what is new.
  if (before !== state) write($('announcer'), state === 'waiting' ? 'The connection is lost.' : state === 'open' ? 'Connected.' : '');
  if (before !== state) view.changed();
}

function statusText({ state, retryIn, online, reason }) {
  const seconds = Math.max(1, Math.ceil(retryIn / 1000));
  switch (state) {
    case 'open':
      return 'Connected';
    case 'connecting':
      return 'Connecting…';
    case 'waiting':
      return `${online ? 'Connection lost' : 'You are offline'}. Next try in ${seconds} s`;
    default:
      return `The server closed the connection${reason ? `: ${reason}` : ''}`;
  }
}

function remember() {
  const rooms = [...chat.conversations.values()].filter(({ kind }) => kind === 'room').map(({ title }) => title);
  savedRooms.set(JSON.stringify(rooms));
  const { current } = chat;
  if (current?.kind !== 'room') return;
  const hash = `#${encodeURIComponent(current.title)}`;
  if (location.hash !== hash) history.replaceState(null, '', hash);
}

// -- What is pressed -------------------------------------------------------------------------------------------------

function open(key) {
  closePanels();
  chat.select(key);
  $('messages').scrollTop = $('messages').scrollHeight;
  focusText();
}

function openDirect(person) {
  closePanels();
  chat.direct(chat.person(person.id));
  focusText();
}

/** On a phone the keyboard comes when somebody asks for it. */
function focusText() {
  if (matchMedia('(hover: hover)').matches) $('text').focus();
}

function send() {
  const text = $('text').value.trim();
  if (!text || !chat.current || !chat.canSay(chat.current)) return;
  try {
    chat.say(chat.current, text);
  } catch (error) {
    if (!(error instanceof OutboxFullError)) throw error;
    return write($('announcer'), 'Too many messages wait for the connection. Yours is kept in the box.');
  }
  $('text').value = '';
}

async function copyLink(event) {
  const button = event.currentTarget;
  const before = button.textContent;
  const isCopied = await navigator.clipboard?.writeText(location.href).then(() => true, () => false);
  button.textContent = isCopied ? 'Copied' : 'Copy the address of this page';
  setTimeout(() => { button.textContent = before; }, 2000);
}

const PANELS = [['show-rooms', 'rooms-panel'], ['show-people', 'people-panel']];

function showPanel(opener, panel) {
  $(panel).classList.add('shown');
  $(opener).setAttribute('aria-expanded', 'true');
  $('scrim').hidden = false;
  document.querySelector('main').inert = true;
  $(panel).querySelector('button, input')?.focus();
}

function closePanels() {
  document.querySelector('main').inert = false;
  for (const [opener, panel] of PANELS) {
    if (!$(panel).classList.contains('shown')) continue;
    $(panel).classList.remove('shown');
    $(opener).setAttribute('aria-expanded', 'false');
    $(opener).focus();
  }
  $('scrim').hidden = true;
}

function listen() {
  $('composer').addEventListener('submit', (event) => {
    event.preventDefault();
    send();
  });
  $('text').addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    send();
  });
  $('text').addEventListener('input', () => chat.current && chat.typing(chat.current));
  $('join').addEventListener('submit', (event) => {
    event.preventDefault();
    const name = $('join-name').value.trim();
    $('join-name').value = '';
    if (!name) return;
    closePanels();
    chat.enter(name);
    focusText();
  });
  $('leave').addEventListener('click', () => chat.current && chat.leave(chat.current));
  $('retry').addEventListener('click', () => (chat.status.state === 'closed' ? location.reload() : chat.retry()));
  $('rename').addEventListener('click', async () => chat.rename(await askName(chat.me.name)));
  for (const id of ['invite', 'empty-invite']) $(id).addEventListener('click', copyLink);
  for (const [opener, panel] of PANELS) $(opener).addEventListener('click', () => showPanel(opener, panel));
  $('scrim').addEventListener('click', closePanels);
  document.addEventListener('keydown', shortcut);
  document.addEventListener('visibilitychange', () => chat.away(document.visibilityState === 'hidden'));
  addEventListener('hashchange', () => roomOfAddress() && chat.enter(roomOfAddress()));
}

function shortcut(event) {
  const { key, altKey, ctrlKey, metaKey } = event;
  if (key === 'Escape') return closePanels();
  if (altKey && (key === 'ArrowUp' || key === 'ArrowDown')) chat.step(key === 'ArrowUp' ? -1 : 1);
  else if ((ctrlKey || metaKey) && key === 'k') {
    if (matchMedia('(max-width: 720px)').matches) showPanel(...PANELS[0]);
    $('join-name').focus();
  } else return;
  event.preventDefault();
}

// -- The beginning ---------------------------------------------------------------------------------------------------

/** Asks for a name until there is one; who does not want to say it has the proposal. */
function askName(proposal) {
  const [dialog, input] = [$('who'), $('who-name')];
  input.value = proposal;
  dialog.returnValue = '';
  dialog.showModal();
  input.select();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      const name = input.value.trim() || proposal;
      savedName.set(name);
      resolve(name);
    }, { once: true });
  });
}

function proposal() {
  const pick = (words) => words[Math.floor(Math.random() * words.length)];
  const [colours, animals] = ['Amber Azure Coral Golden Indigo Jade Quiet Scarlet Silver Swift', 'Badger Falcon Fox Heron Lynx Marten Otter Owl Panda Wren'];
  return `${pick(colours.split(' '))} ${pick(animals.split(' '))}`;
}

function roomOfAddress() {
  try {
    return decodeURIComponent(location.hash.slice(1)).trim();
  } catch {
    return '';
  }
}

function tag() {
  const stored = savedTag.get();
  if (stored) return stored;
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  const fresh = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  savedTag.set(fresh);
  return fresh;
}

function roomsToEnter() {
  let saved = [];
  try {
    saved = JSON.parse(savedRooms.get() ?? '[]');
  } catch {
    // As without any.
  }
  const wanted = roomOfAddress() || saved[0] || LOBBY;
  return [...new Set([...saved, wanted].filter((name) => typeof name === 'string')), wanted];
}

async function begin() {
  const name = new URLSearchParams(location.search).get('name')?.trim() || savedName.get() || (await askName(proposal()));
  // Somebody looks at it, and there is a button for the impatient.
  const root = wsrooms('ws/wsrooms', { backoffCap: 10_000 });
  chat = new Chat(root, { name: name.slice(0, 40), tag: tag() }, view);
  for (const room of roomsToEnter()) chat.enter(room);
  listen();
  chat.away(document.visibilityState === 'hidden');
  showStatus(chat.status);
  focusText();
}

begin();
