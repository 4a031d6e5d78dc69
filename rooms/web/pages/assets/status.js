// The status page: asks the server every second, and makes rates of what it counts.

import { h, sync, write } from './dom.js';

const EVERY = 1000;
const TIMEOUT = 5000;
const SAMPLES = 120;
/** A node that has not answered for so long may be gone. */
const STALE = 15_000;
const LISTED = 20;
const RATES = ['messages_in', 'messages_out', 'bytes_in', 'bytes_out'];
const [WIDTH, HEIGHT] = [600, 140];

const $ = (id) => document.getElementById(id);
const whole = new Intl.NumberFormat();
const rough = new Intl.NumberFormat(undefined, { notation: 'compact', maximumFractionDigits: 1 });

/** The last answer of each node: behind a proxy now one answers, now another. */
const answers = new Map();
const rates = [];

async function ask() {
  try {
    const response = await fetch('status.json', { signal: AbortSignal.timeout(TIMEOUT) });
    if (!response.ok) throw new Error(`status ${response.status}`);
    take(await response.json());
    show();
  } catch {
    $('health').dataset.state = 'bad';
    write($('health'), 'The server does not answer');
    answers.clear();
  }
  setTimeout(ask, document.visibilityState === 'hidden' ? 5 * EVERY : EVERY);
}

/** A node says first how it is itself, then what it has heard of the others. */
function take(status) {
  const [{ name }] = status.nodes;
  const before = answers.get(name);
  answers.delete(name);
  answers.set(name, { status, at: performance.now(), rate: rateSince(before?.status, status) ?? before?.rate });
  for (const [other, { at }] of answers) if (performance.now() - at > STALE) answers.delete(other);
}

/** How much each counter of a node grew in a second, by protocol; null without an earlier answer. */
function rateSince(before, status) {
  const time = before ? status.nodes[0].uptime - before.nodes[0].uptime : 0;
  // After a restart the counters begin anew, and so does the time.
  if (time <= 0) return null;
  const earlier = new Map(before.protocols.map((protocol) => [protocol.name, protocol]));
  return (counter, protocol) => (protocol[counter] - (earlier.get(protocol.name)?.[counter] ?? 0)) / time;
}

function show() {
  const protocols = byProtocol();
  const total = (counter) => protocols.reduce((sum, protocol) => sum + protocol[counter], 0);
  const rooms = byName(allAnswers().flatMap(({ status }) => status.rooms), (room, other) => { room.members += other.members; });
  rooms.sort((a, b) => b.members - a.members);
  const nodes = allNodes();
  const isDraining = nodes.some(({ state }) => state === 'draining');
  $('health').dataset.state = isDraining ? 'wait' : 'good';
  write($('health'), isDraining ? 'Draining' : 'All is well');
  write($('connections'), whole.format(total('connections')));
  write($('connections-note'), `${rough.format(total('connections_total'))} in all`);
  write($('rooms'), whole.format(Math.max(rooms.length, ...nodes.map((node) => node.rooms))));
  write($('rooms-note'), rooms[0] ? `largest: ${rooms[0].members} in ${rooms[0].name}` : '');
  tables(nodes, rooms, protocols);
  if (!allAnswers().some(({ rate }) => rate)) return;
  for (const way of ['in', 'out']) {
    $(way).replaceChildren(`${rough.format(total(`messages_${way}_rate`))} `, h('small', {}, 'messages/s'));
    write($(`${way}-note`), `${rough.format(total(`messages_${way}`))} in all, ${rough.format(total(`bytes_${way}_rate`))} B/s`);
  }
  rates.push({ in: total('messages_in_rate'), out: total('messages_out_rate') });
  rates.splice(0, rates.length - SAMPLES);
  chart();
}

function allAnswers() {
  return [...answers.values()];
}

/** What the nodes count, added up, with the rates. */
function byProtocol() {
  const each = allAnswers().flatMap(({ status, rate }) => status.protocols.map((protocol) => {
    const rates = RATES.map((counter) => [`${counter}_rate`, rate ? rate(counter, protocol) : 0]);
    return { ...protocol, ...Object.fromEntries(rates) };
  }));
  return byName(each, (sum, other) => {
    for (const [counter, value] of Object.entries(other)) if (counter !== 'name') sum[counter] += value;
  });
}

/** Every node as it says itself, or as the last one that answered has heard of it. */
function allNodes() {
  const own = new Map(allAnswers().map(({ status }) => [status.nodes[0].name, status.nodes[0]]));
  const heard = allAnswers().at(-1)?.status.nodes ?? [];
  return heard.map((node) => own.get(node.name) ?? node).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** One of each name. */
function byName(items, add) {
  const all = new Map();
  for (const item of items) {
    if (all.has(item.name)) add(all.get(item.name), item);
    else all.set(item.name, { ...item });
  }
  return [...all.values()];
}

function tables(nodes, rooms, protocols) {
  const known = (value, text) => (value === undefined ? '–' : text(value));
  rows($('nodes'), nodes.map((node) => ({
    key: node.name,
    cells: [node.name, node.state, known(node.uptime, duration), whole.format(node.connections), known(node.rooms, whole.format)],
  })), 2);
  rows($('room-list'), rooms.slice(0, LISTED).map(({ name, members }) => ({ key: name, cells: [name || '(no name)', whole.format(members)] })), 1);
  rows($('protocols'), protocols.map((protocol) => {
    const { name, connections, dropped, too_slow: tooSlow } = protocol;
    const counts = [connections, protocol.messages_in_rate, protocol.messages_out_rate, dropped, tooSlow];
    return { key: name, cells: [name, ...counts.map((count) => rough.format(count))] };
  }), 1);
  $('no-rooms').hidden = rooms.length > 0;
}

/** `numbers`: the first column of figures. */
function rows(body, items, numbers) {
  const make = ({ cells }) => h('tr', {}, ...cells.map((_, column) => h('td', { class: column >= numbers ? 'number' : column === 0 ? 'name' : '' })));
  const update = (row, { cells }) => cells.forEach((cell, column) => {
    write(row.children[column], cell);
    if (column === 0) row.children[column].title = cell;
  });
  sync(body, items, ({ key }) => key, make, update);
}

function duration(seconds) {
  const parts = [[86_400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']].map(([size, unit]) => [Math.floor(seconds / size), unit, size]);
  const at = parts.findIndex(([count]) => count > 0);
  if (at < 0) return '0 s';
  const [[count, unit, size], next] = [parts[at], parts[at + 1]];
  const rest = next ? Math.floor((seconds % size) / next[2]) : 0;
  return rest > 0 ? `${count} ${unit} ${rest} ${next[1]}` : `${count} ${unit}`;
}

function chart() {
  const most = Math.max(1, ...rates.map((rate) => Math.max(rate.in, rate.out)));
  const point = (value, index) => {
    const x = WIDTH - (rates.length - 1 - index) * (WIDTH / (SAMPLES - 1));
    return `${x.toFixed(1)} ${(HEIGHT - (value / most) * (HEIGHT - 8)).toFixed(1)}`;
  };
  const path = (name) => `M${rates.map((rate, index) => point(rate[name], index)).join('L')}`;
  $('line-in').setAttribute('d', path('in'));
  $('line-out').setAttribute('d', path('out'));
  const start = (WIDTH - (rates.length - 1) * (WIDTH / (SAMPLES - 1))).toFixed(1);
  $('area-out').setAttribute('d', `${path('out')}L${WIDTH} ${HEIGHT}L${start} ${HEIGHT}Z`);
  write($('chart-most'), `top: ${rough.format(most)}/s`);
}

function grid() {
  for (const y of [HEIGHT, HEIGHT / 2, 8]) {
    const line = document.createElementNS('http://www.w3.org/2000/svg', 'line');
    for (const [name, value] of Object.entries({ x1: 0, x2: WIDTH, y1: y, y2: y })) line.setAttribute(name, value);
    $('grid').append(line);
  }
}

grid();
ask();
