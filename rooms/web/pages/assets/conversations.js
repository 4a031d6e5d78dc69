// What the chat page knows: people, rooms, what was said. It knows the connection, but not the page.
//
// The server needs to know nothing of it. In a room: `hello` tells a name (to all who are there, and to each who
// comes), `chat` is a message, `away` and `typing` are what they say; `dm`, in `root`, is for one person.

const AWAY = '1';
const HERE = '0';
/** Who is back within this time was not away: a page that was loaded again, a connection that was lost. */
const GRACE = 8000;
const TYPING_SHOWN = 3500;
const TYPING_TOLD = 2000;
/** Lines that are kept of each conversation. */
const LINES = 500;
/** Names that are remembered: of those who wrote what one has missed. */
const NAMES = 1000;
const LONGEST_NAME = 40;

export class Chat {
  /** By id: who has said hello. */
  people = new Map();
  /** By id: how those were called who have said hello, also after they have gone. */
  #called = new Map();
  /** By key, in the order of the lists. */
  conversations = new Map();
  current = null;
  #root;
  #me;
  #view;
  #isAway = false;
  /** Who has just left which room, with the timer that says so. */
  #going = new Map();
  /** The rooms that know one's name since the connection is up. */
  #introduced = new Set();
  #typingTold = 0;

  /**
   * @param root the room `root` of a connection
   * @param me name, and a tag that stays while the id changes
   * @param view `changed()`, `line(conversation, line)`, `status(status)`
   */
  constructor(root, me, view) {
    this.#root = root;
    this.#me = me;
    this.#view = view;
    root.on('dm', (payload, src, message) => this.#heard(this.#directOf(src), src, message.text()));
    root.on('chat', (payload, src, message) => message.direct && this.#heard(this.#directOf(src), src, message.text()));
    root.on('member_left', () => this.#view.changed());
    root.connection.on('state', (status) => this.#state(status));
    root.connection.on('history', ({ name }, { gap }) => {
      const conversation = this.conversations.get(`room:${name}`);
      if (gap && conversation) this.#news(conversation, 'Some messages were missed');
    });
    root.connection.on('rejoined', (room) => {
      this.#introduce(room);
      this.#view.changed();
    });
  }

  get me() {
    return this.#me;
  }

  get status() {
    return this.#root.connection.status;
  }

  /** Does not wait for the next attempt to connect. */
  retry() {
    this.#root.connection.retry();
  }

  // -- Rooms

  /** Joins a room and looks at it. */
  enter(name) {
    const key = `room:${name}`;
    if (!this.conversations.has(key)) {
      const room = this.#root.join(name);
      this.#add({ key, kind: 'room', title: name, room });
      this.#listen(room);
    }
    this.select(key);
  }

  leave(conversation) {
    conversation.room?.leave();
    this.#introduced.delete(conversation.room);
    this.conversations.delete(conversation.key);
    this.#forgetStrangers();
    if (this.current === conversation) this.select([...this.conversations.keys()][0]);
  }

  /** Looks at the messages with one person. */
  direct(person) {
    this.select(this.#directOf(person.id).key);
  }

  select(key) {
    this.current = this.conversations.get(key) ?? null;
    if (this.current) this.current.unread = 0;
    this.#view.changed();
  }

  /** The one before or after the current one, around the corner. */
  step(by) {
    const keys = [...this.conversations.keys()];
    const at = keys.indexOf(this.current?.key) + by;
    this.select(keys.at(at % keys.length));
  }

  // -- People

  /** Who is in the conversation, oneself first. */
  present(conversation) {
    if (conversation.kind === 'direct') return [];
    const others = conversation.room.members().filter((id) => id !== this.#root.id());
    const people = others.map((id) => this.person(id)).sort((a, b) => a.name.localeCompare(b.name));
    const self = { id: this.#root.id(), ...this.#me, isAway: this.#isAway, isSelf: true };
    return conversation.room.open() ? [self, ...people] : people;
  }

  /** Who has an id; also one who has not said hello. */
  person(id) {
    return this.people.get(id) ?? this.#called.get(id) ?? { id, name: `Guest ${id.slice(0, 4)}`, tag: id };
  }

  /** The other one of a direct conversation, if he is there. */
  peer(conversation) {
    return [...this.people.values()].find(({ tag }) => tag === conversation.tag) ?? this.#unnamed(conversation.tag);
  }

  /** One who never said a name, but wrote. */
  #unnamed(tag) {
    return this.#root.members().includes(tag) ? this.person(tag) : undefined;
  }

  typists(conversation) {
    const now = Date.now();
    return [...conversation.typing].filter(([, until]) => until > now).map(([id]) => this.person(id).name);
  }

  rename(name) {
    this.#me = { ...this.#me, name };
    for (const { room } of this.conversations.values()) if (room?.open()) this.#hello(room);
    this.#view.changed();
  }

  away(isAway) {
    if (this.#isAway === isAway) return;
    this.#isAway = isAway;
    for (const { room } of this.conversations.values()) if (room?.open()) room.send('away', isAway ? AWAY : HERE);
    this.#view.changed();
  }

  // -- Saying

  /** Throws what `send` throws. */
  say(conversation, text) {
    if (conversation.kind === 'room') conversation.room.send('chat', text);
    else this.#root.send('dm', text, this.peer(conversation).id);
    const isWaiting = this.#root.connection.state !== 'open';
    this.#line(conversation, { kind: 'message', isOwn: true, author: this.#me, text, isWaiting });
    this.#typingTold = 0;
  }

  /** Whether something that is said now would find somebody, or wait for a room. */
  canSay(conversation) {
    return conversation.kind === 'room' || (this.peer(conversation) !== undefined && this.status.state === 'open');
  }

  typing(conversation) {
    const now = Date.now();
    if (now < this.#typingTold + TYPING_TOLD || !conversation.room?.open()) return;
    this.#typingTold = now;
    conversation.room.send('typing');
  }

  // -- What comes

  #listen(room) {
    const of = () => this.conversations.get(`room:${room.name}`);
    room.on('open', () => {
      this.#introduce(room);
      this.#view.changed();
    });
    room.on('new_member', (id) => {
      // After a reconnect the difference is told first; then all are told at once.
      if (this.#introduced.has(room)) this.#hello(room, id);
      this.#view.changed();
    });
    room.on('member_left', (id) => this.#gone(of(), id));
    room.on('hello', (payload, src, message) => this.#met(of(), src, message));
    room.on('chat', (payload, src, message) => this.#heard(message.direct ? this.#directOf(src) : of(), src, message.text()));
    room.on('away', (payload, src, message) => {
      const person = this.people.get(src);
      if (person) person.isAway = message.text() === AWAY;
      this.#view.changed();
    });
    room.on('typing', (payload, src, { missed }) => {
      if (missed) return;
      of()?.typing.set(src, Date.now() + TYPING_SHOWN);
      this.#view.changed();
      setTimeout(() => this.#view.changed(), TYPING_SHOWN + 50);
    });
  }

  /** To a room that one is in, newly or again. */
  #introduce(room) {
    if (room.name === 'root' && !this.conversations.has('room:root')) return;
    this.#introduced.add(room);
    this.#hello(room);
    if (this.#isAway) room.send('away', AWAY);
  }

  #hello(room, to) {
    const { name, tag } = this.#me;
    room.send('hello', JSON.stringify({ name, tag }), to);
    if (to && this.#isAway) room.send('away', AWAY, to);
  }

  #met(conversation, id, message) {
    const { name, tag } = introduction(message.text(), id);
    this.#called.delete(id);
    this.#called.set(id, { id, name, tag });
    if (this.#called.size > NAMES) this.#called.delete(this.#called.keys().next().value);
    // Somebody who came and went meanwhile.
    if (message.missed && !conversation?.room.members().includes(id)) return;
    const known = this.people.get(id);
    const going = `${conversation?.key} ${tag}`;
    const isBack = this.#going.has(going);
    clearTimeout(this.#going.get(going));
    this.#going.delete(going);
    this.people.set(id, { isAway: false, ...known, id, name, tag });
    // To each who comes, all others say hello; to all, only who comes.
    if (!known && !isBack && !message.direct && conversation) this.#news(conversation, `${name} is here`);
    if (known && known.name !== name && conversation) this.#news(conversation, `${known.name} is now ${name}`);
    for (const direct of this.conversations.values()) if (direct.tag === tag) direct.title = name;
    this.#view.changed();
  }

  #heard(conversation, src, text) {
    if (!conversation) return;
    conversation.typing.delete(src);
    this.#line(conversation, { kind: 'message', isOwn: false, author: this.person(src), text });
  }

  #gone(conversation, id) {
    const person = this.people.get(id);
    conversation?.typing.delete(id);
    if (![...this.conversations.values()].some(({ room }) => room?.members().includes(id))) this.people.delete(id);
    this.#view.changed();
    if (!person || !conversation) return;
    const key = `${conversation.key} ${person.tag}`;
    clearTimeout(this.#going.get(key));
    const say = () => {
      this.#going.delete(key);
      this.#news(conversation, `${person.name} has left`);
    };
    this.#going.set(key, setTimeout(say, GRACE));
  }

  /** Forgets whom no room has any more. */
  #forgetStrangers() {
    const rooms = [...this.conversations.values()].flatMap(({ room }) => (room ? room.members() : []));
    const present = new Set(rooms);
    for (const id of this.people.keys()) if (!present.has(id)) this.people.delete(id);
  }

  #state(status) {
    if (status.state === 'open') {
      for (const { lines } of this.conversations.values()) for (const line of lines) line.isWaiting = false;
    } else {
      this.#introduced.clear();
    }
    this.#view.status(status);
    if (status.state === 'open') this.#view.changed();
  }

  // -- Conversations and their lines

  #directOf(id) {
    const { tag, name } = this.person(id);
    return this.conversations.get(`direct:${tag}`) ?? this.#add({ key: `direct:${tag}`, kind: 'direct', title: name, tag });
  }

  #add(what) {
    const conversation = { lines: [], unread: 0, typing: new Map(), ...what };
    this.conversations.set(conversation.key, conversation);
    return conversation;
  }

  #news(conversation, text) {
    this.#line(conversation, { kind: 'news', text });
  }

  #line(conversation, line) {
    conversation.lines.push({ at: Date.now(), ...line });
    conversation.lines.splice(0, conversation.lines.length - LINES);
    if (conversation !== this.current && line.kind === 'message') conversation.unread += 1;
    this.#view.line(conversation, conversation.lines.at(-1));
  }
}

/** What a hello says: a name, and what the person is known by when the id changes. Any text at all is a name. */
export function introduction(text, id) {
  const plain = { name: text, tag: id };
  let said = plain;
  try {
    const parsed = JSON.parse(text);
    if (typeof parsed?.name === 'string') said = parsed;
  } catch {
    // Text as it is.
  }
  const name = said.name.trim().slice(0, LONGEST_NAME) || `Guest ${id.slice(0, 4)}`;
  const tag = typeof said.tag === 'string' && said.tag ? said.tag.slice(0, 64) : id;
  return { name, tag };
}
