// The status page: asks the server every two seconds, and makes rates of what it counts.

import { h, sync, write } from './dom.js';

const EVERY = 2000;
const TIMEOUT = 5000;
const SAMPLES = 60;
const [WIDTH, HEIGHT] = [600, 140];

const $ = (id) => document.getElementById(id);
const whole = new Intl.NumberFormat();
const rough = new Intl.NumberFormat(undefined, { notation: 'compact', maximumFractionDigits: 1 });

let before = null;
const rates = [];

async function ask() {
  try {
    const response = await fetch('status.json', { signal: AbortSignal.timeout(TIMEOUT) });
    if (!response.ok) throw new Error(`status ${response.status}`);
    show(await response.json());
  } catch {
    $('health').dataset.state = 'bad';
    write($('health'), 'The server does not answer');
    before = null;
  }
  setTimeout(ask, document.visibilityState === 'hidden' ? 5 * EVERY : EVERY);
}

function show(now) {
  const [node] = now.nodes;
  const total = (name) => now.protocols.reduce((sum, protocol) => sum + protocol[name], 0);
  const rate = rateSince(before, now);
  const isDraining = now.nodes.some(({ state }) => state !== 'serving');
  $('health').dataset.state = isDraining ? 'wait' : 'good';
  write($('health'), isDraining ? 'Draining' : 'All is well');
  write($('connections'), whole.format(total('connections')));
  write($('connections-note'), `${rough.format(total('connections_total'))} in all`);
  write($('rooms'), whole.format(now.rooms_total));
  write($('rooms-note'), now.rooms[0] ? `largest: ${now.rooms[0].members} in ${now.rooms[0].name}` : '');
  figure('in', rate, now, 'messages_in', 'bytes_in');
  figure('out', rate, now, 'messages_out', 'bytes_out');
  tables(now, rate);
  if (rate) {
    rates.push({ in: rate('messages_in'), out: rate('messages_out') });
    rates.splice(0, rates.length - SAMPLES);
    chart();
  }
  // After a restart the counters begin anew.
  before = { ...now, node };
}

/** How much each counter grew in a second, of one protocol or of all; null without an earlier answer. */
function rateSince(earlier, now) {
  const time = earlier && earlier.node.name === now.nodes[0].name ? now.nodes[0].uptime - earlier.node.uptime : 0;
  if (time <= 0) return null;
  const value = (status, name, only) => status.protocols
    .filter((protocol) => only === undefined || protocol.name === only)
    .reduce((sum, protocol) => sum + protocol[name], 0);
  return (name, only) => Math.max(0, (value(now, name, only) - value(earlier, name, only)) / time);
}

function figure(id, rate, now, messages, bytes) {
  if (!rate) return;
  const total = now.protocols.reduce((sum, protocol) => sum + protocol[messages], 0);
  $(id).replaceChildren(`${rough.format(rate(messages))} `, h('small', {}, 'messages/s'));
  write($(`${id}-note`), `${rough.format(total)} in all, ${rough.format(rate(bytes))} B/s`);
}

function tables(now, rate) {
  const nodes = now.nodes.map((node) => ({
    key: node.name,
    cells: [node.name, node.state, duration(node.uptime), whole.format(node.connections), whole.format(node.rooms)],
  }));
  const rooms = now.rooms.map(({ name, members }) => ({ key: name, cells: [name || '(no name)', whole.format(members)] }));
  const protocols = now.protocols.map((protocol) => {
    const each = (name) => (rate ? rough.format(rate(name, protocol.name)) : '–');
    const { name, connections, dropped, too_slow } = protocol;
    return { key: name, cells: [name, whole.format(connections), each('messages_in'), each('messages_out'), whole.format(dropped), whole.format(too_slow)] };
  });
  rows($('nodes'), nodes, 2);
  rows($('room-list'), rooms, 1);
  rows($('protocols'), protocols, 1);
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
