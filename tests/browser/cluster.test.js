// Two servers behind a proxy are one, for whoever looks at the pages.

import { test } from 'node:test';

import { Cluster, keepsHistory, missing } from './cluster.js';
import { expect } from './expect.js';
import { Browser, GONE, assertUnharmed } from './harness.js';
import { Person } from './person.js';
import { Stranger } from './stranger.js';

/** What nginx answers while it tries the other server, and what it says when one breaks off. */
const PROXY = /Unexpected response code: 50\d|net::ERR|status of 50\d/;

test('browsers on two servers chat, and those of a server that is killed come back by the other', { skip: missing() }, async (t) => {
  const cluster = await Cluster.start();
  t.after(() => cluster.stop());
  const browser = await Browser.launch();
  t.after(() => browser.close());
  const [first, second] = cluster.servers;
  // One on each server, whatever the proxy does, and two by the proxy.
  const ada = await Person.arrives(browser, first, 'Ada');
  const ben = await Person.arrives(browser, second, 'Ben');
  const cy = await Person.arrives(browser, cluster, 'Cy');
  const di = await Person.arrives(browser, cluster, 'Di');
  const stranger = await Stranger.arrives(second.ws, 'Robot', 'lobby');
  t.after(() => stranger.leaves());
  const all = [ada, ben, cy, di];
  for (const person of all) await person.sees('Ada', 'Ben', 'Cy', 'Di', 'Robot');
  await ada.says('from the first');
  for (const person of all) await person.reads('from the first');
  await ben.says('from the second');
  for (const person of all) await person.reads('from the first', 'from the second');
  await stranger.hears('chat', 'from the first', 'from the second');
  await ada.opensDirect('Ben');
  await ada.says('psst');
  await ben.opens('Ada');
  await ben.reads('psst');
  for (const person of [ada, ben]) await person.opens('lobby');

  const status = await browser.page();
  await status.goto(`${cluster.url}status`);
  const nodes = async () => (await status.locator('#nodes td.name').allInnerTexts()).sort();
  await expect('both nodes', ['rooms-1', 'rooms-2'], nodes);

  await first.kill();
  // By the second they are, or will be, after its expiry nobody else.
  await cy.sees('Ben', 'Cy', 'Di', 'Robot');
  await di.sees('Ben', 'Cy', 'Di', 'Robot');
  await ben.sees('Ben', 'Cy', 'Di', 'Robot');
  await ben.says('still here');
  for (const person of [cy, di]) {
    await expect(`${person.name} reads it`, 'still here', () => person.page.locator('.message .body').last().innerText());
  }
  await first.start();
  await ada.connected();
  await ada.sees('Ada', 'Ben', 'Cy', 'Di', 'Robot');
  for (const { page } of all) assertUnharmed(page, GONE, PROXY);
});

/** Each node remembers by itself: who comes back to another one is told of a gap. */
const noHistory = missing() || (keepsHistory() ? false : 'this server keeps no history');

test('what was said while there was no connection is read after it is back, once and in order', { skip: noHistory }, async (t) => {
  const cluster = await Cluster.start('--history-messages', '100');
  t.after(() => cluster.stop());
  const browser = await Browser.launch();
  t.after(() => browser.close());
  const [first] = cluster.servers;
  await cluster.killProxy();
  await cluster.startProxy([first, first]);
  const ada = await Person.arrives(browser, first, 'Ada');
  const ben = await Person.arrives(browser, first, 'Ben');
  const cy = await Person.arrives(browser, cluster, 'Cy');
  for (const person of [ada, ben, cy]) await person.sees('Ada', 'Ben', 'Cy');
  await ada.says('one');
  await cy.reads('one');
  await cy.says('two');
  for (const person of [ada, ben]) await person.reads('one', 'two');
  await cluster.killProxy();
  await cy.page.locator('#connection[data-state=waiting]').waitFor();
  await ben.says('three');
  await ada.reads('one', 'two', 'three');
  await ada.says('four');
  await ben.reads('one', 'two', 'three', 'four');
  await cluster.startProxy([first, first]);
  await cy.reads('one', 'two', 'three', 'four');
  await cy.sees('Ada', 'Ben', 'Cy');
  await cy.says('five');
  for (const person of [ada, ben, cy]) await person.reads('one', 'two', 'three', 'four', 'five');
  for (const { page } of [ada, ben]) assertUnharmed(page);
  assertUnharmed(cy.page, GONE, PROXY);
});
