// The chat page in a real browser.

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';

import { expect } from './expect.js';
import { Browser, GONE, Server, assertAccessible, assertUnharmed } from './harness.js';
import { Person } from './person.js';
import { Stranger } from './stranger.js';

const PHONE = { viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true };

let browser;
let server;

before(async () => { browser = await Browser.launch(); });
after(() => browser.close());
beforeEach(async () => { server = await Server.start(); });
afterEach(async () => {
  Stranger.allLeave();
  await browser.closePages();
  await server.kill();
});

test('two pages and a client of another make see and hear each other, in any script', async () => {
  const ada = await Person.arrives(browser, server, 'Ada');
  const zoe = await Person.arrives(browser, server, 'Zoë 世界');
  const stranger = await Stranger.arrives(server.ws, 'Robot', 'lobby');
  for (const person of [ada, zoe]) await person.sees('Ada', 'Robot', 'Zoë 世界');
  await ada.says('hello from a browser');
  await zoe.reads('hello from a browser');
  await zoe.says('Grüße 👋 — こんにちは');
  await stranger.hears('chat', 'hello from a browser', 'Grüße 👋 — こんにちは');
  stranger.sends('lobby', 'chat', 'beep');
  for (const person of [ada, zoe]) await person.reads('hello from a browser', 'Grüße 👋 — こんにちは', 'beep');
  stranger.leaves();
  for (const person of [ada, zoe]) await person.sees('Ada', 'Zoë 世界');
  for (const { page } of [ada, zoe]) assertUnharmed(page);
});

test('a direct message is read by one, and can be answered', async () => {
  const ada = await Person.arrives(browser, server, 'Ada');
  const ben = await Person.arrives(browser, server, 'Ben');
  const stranger = await Stranger.arrives(server.ws, 'Robot', 'lobby');
  await ada.opensDirect('Ben');
  await ada.says('for you alone');
  await ben.opens('Ada');
  await ben.reads('for you alone');
  await ben.says('thank you');
  await ada.reads('for you alone', 'thank you');
  await ada.opens('lobby');
  await ada.says('for all');
  await stranger.hears('chat', 'for all');
  stranger.sends('root', 'dm', 'from a machine', stranger.sender('for all'));
  await ada.opens('Robot');
  await ada.reads('from a machine');
  await ada.says('over');
  await stranger.hears('dm', 'over');
  await ben.opens('lobby');
  await ben.reads('for all');
  for (const { page } of [ada, ben]) assertUnharmed(page);
});

test('the server is killed and started again: all come back and see each other, and what was written meanwhile is sent', async () => {
  const ada = await Person.arrives(browser, server, 'Ada');
  const ben = await Person.arrives(browser, server, 'Ben');
  await ada.says('before');
  await ben.reads('before');
  await server.kill();
  for (const { page } of [ada, ben]) await page.locator('#connection[data-state=waiting]').waitFor();
  await ada.page.getByText(/Next try in \d+ s/).waitFor();
  await ada.says('meanwhile');
  await ada.page.locator('.message.waiting').waitFor();
  await server.start();
  // Not all of them have to wait for their turn.
  await ada.page.getByRole('button', { name: 'Try now' }).click({ timeout: 1000 }).catch(() => {});
  for (const person of [ada, ben]) {
    await person.connected();
    await person.sees('Ada', 'Ben');
  }
  assert.equal(await ada.page.locator('.message.waiting').count(), 0);
  await ben.says('back');
  await ada.reads('before', 'meanwhile', 'back');
  await ada.opensDirect('Ben');
  await ada.says('still you?');
  await ben.opens('Ada');
  await ben.reads('still you?');
  for (const { page } of [ada, ben]) assertUnharmed(page, GONE);
});

test('a conversation with one goes on after both have come back with new ids', async () => {
  const ada = await Person.arrives(browser, server, 'Ada');
  const ben = await Person.arrives(browser, server, 'Ben');
  await ada.opensDirect('Ben');
  await ada.says('one');
  await ben.opens('Ada');
  await ben.reads('one');
  await server.kill();
  await ada.page.locator('#connection[data-state=waiting]').waitFor();
  await expect('Ada cannot write to Ben', true, () => ada.page.locator('#text').isDisabled());
  await server.start();
  await ada.page.locator('#text:enabled').waitFor();
  await ada.says('two');
  await ben.reads('one', 'two');
});

test('all can be done by keyboard: the name, rooms, messages of several lines', async () => {
  const page = await browser.page();
  await page.goto(server.url);
  const keys = page.keyboard;
  await page.locator('#who[open]').waitFor();
  await keys.type('Kim');
  await keys.press('Enter');
  const kim = new Person('Kim', page);
  await kim.connected();
  await kim.sees('Kim');
  await keys.type('one');
  await keys.press('Shift+Enter');
  await keys.type('two');
  await keys.press('Enter');
  await kim.reads('one\ntwo');
  await keys.press('Control+k');
  await keys.type('quiet');
  await keys.press('Enter');
  await page.getByRole('heading', { name: '# quiet' }).waitFor();
  await kim.reads();
  await keys.press('Alt+ArrowUp');
  await page.getByRole('heading', { name: '# lobby' }).waitFor();
  await kim.reads('one\ntwo');
  // Everything that is for the mouse can be reached, and shows where one is.
  const reached = new Set();
  for (let n = 0; n < 30; n += 1) {
    await keys.press('Tab');
    reached.add(await page.evaluate(() => document.activeElement.id || document.activeElement.textContent.trim()));
  }
  for (const name of ['join-name', 'rename', 'theme', 'invite', 'leave', 'messages', 'text', '#quiet']) {
    assert.ok(reached.has(name), `${name} is not among ${[...reached]}`);
  }
  assertUnharmed(page);
});

test('a page that is loaded again is in its rooms, under its name', async () => {
  const ada = await Person.arrives(browser, server, 'Ada');
  const { page } = ada;
  await page.getByLabel('Name of a room to join').fill('garden');
  await page.keyboard.press('Enter');
  await ada.sees('Ada');
  await page.reload();
  await ada.connected();
  await page.getByRole('heading', { name: '# garden' }).waitFor();
  const rooms = () => page.locator('#rooms .name').allInnerTexts();
  await expect('both rooms', ['lobby', 'garden'], rooms);
});

test('who looks away is away, and who renames himself has another name everywhere', async () => {
  const ada = await Person.arrives(browser, server, 'Ada');
  const ben = await Person.arrives(browser, server, 'Ben');
  await ada.sees('Ada', 'Ben');
  const looks = (state) => ben.page.evaluate((value) => {
    Object.defineProperty(document, 'visibilityState', { value, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  }, state);
  await looks('hidden');
  await ada.page.getByRole('button', { name: 'Ben away – write' }).waitFor();
  await looks('visible');
  await ada.page.getByRole('button', { name: 'Ben – write' }).waitFor();
  await ben.page.getByRole('button', { name: 'Change name' }).click();
  await ben.page.locator('#who-name').fill('Benjamin');
  await ben.page.keyboard.press('Enter');
  await ada.sees('Ada', 'Benjamin');
});

test('what somebody writes is text, and the page runs nothing that is not the server\'s', async () => {
  const ada = await Person.arrives(browser, server, 'Ada');
  const evil = '<img src=x onerror="document.title=1"><script>document.title=2</script> https://example.com/?a="><b>';
  const stranger = await Stranger.arrives(server.ws, evil, 'lobby');
  stranger.sends('lobby', 'chat', evil);
  await ada.reads(evil);
  assert.equal(await ada.page.locator('main img, main script').count(), 1, 'the picture of the page itself');
  assert.equal(await ada.page.locator('.message a').getAttribute('href'), 'https://example.com/?a=');
  assertUnharmed(ada.page);
  assert.deepEqual([...ada.page.hosts], [new URL(server.url).host]);
  await ada.page.evaluate(() => {
    const script = document.createElement('script');
    script.textContent = 'globalThis.hasRun = true';
    document.body.append(script);
  });
  assert.equal(await ada.page.evaluate(() => globalThis.hasRun), undefined);
  assert.match(ada.page.faults.join(), /Content Security Policy/);
});

test('on a phone the lists are drawers, and nothing is wider than the screen', async () => {
  const ada = await Person.arrives(browser, server, 'Ada', 'lobby', PHONE);
  const { page } = ada;
  const widest = () => page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok((await widest()) <= 390);
  assert.equal(await page.locator('#rooms-panel').isVisible(), false);
  await page.getByRole('button', { name: 'Rooms and direct messages' }).tap();
  await page.getByLabel('Name of a room to join').fill('garden');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: '# garden' }).waitFor();
  await expect('the drawer is shut', false, () => page.locator('#rooms-panel').isVisible());
  await page.getByRole('button', { name: 'People in this room' }).tap();
  await ada.sees('Ada');
  await page.keyboard.press('Escape');
  await ada.says(`${'long'.repeat(100)} word`);
  await page.locator('.message').waitFor();
  assert.ok((await widest()) <= 390);
  assertUnharmed(page);
});

for (const colorScheme of ['light', 'dark']) {
  test(`the pages keep the rules for accessible pages, ${colorScheme}, also without a connection`, async () => {
    const options = { colorScheme, bypassCSP: true, reducedMotion: 'reduce' };
    const ben = await Person.arrives(browser, server, 'Ben');
    const ada = await Person.arrives(browser, server, 'Ada', 'lobby', options);
    const { page } = ada;
    await ada.says('see https://example.com/');
    await ben.says('I see');
    await ada.reads('see https://example.com/', 'I see');
    await assertAccessible(page);
    await page.setViewportSize(PHONE.viewport);
    await page.getByRole('button', { name: 'Rooms and direct messages' }).click();
    await assertAccessible(page);
    await page.keyboard.press('Escape');
    await server.kill();
    await page.locator('#connection[data-state=waiting]').waitFor();
    await ada.says('waits');
    await assertAccessible(page);
    await server.start();
    const status = await browser.page(options);
    await status.goto(`${server.url}status`);
    await status.getByText('All is well').waitFor();
    await assertAccessible(status);
  });
}

test('the theme is the system\'s until one is chosen, and stays chosen', async () => {
  const { page } = await Person.arrives(browser, server, 'Ada', 'lobby', { colorScheme: 'dark' });
  const isDark = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor === 'rgb(14, 16, 22)');
  assert.equal(await isDark(), true);
  await page.getByRole('button', { name: /^Colours/ }).click();
  assert.equal(await isDark(), false);
  await page.reload();
  assert.equal(await isDark(), false);
  await page.getByRole('button', { name: 'Colours: light' }).click();
  assert.equal(await isDark(), true);
  await page.emulateMedia({ colorScheme: 'light' });
  assert.equal(await isDark(), true);
});

test('the status page shows what goes on, and comes back with the server', async () => {
  const ada = await Person.arrives(browser, server, 'Ada', 'garden');
  const status = await browser.page();
  await status.goto(`${server.url}status`);
  await status.getByText('All is well').waitFor();
  await expect('the rooms', ['garden', 'root'], async () => {
    await ada.says('something');
    return status.locator('#room-list td.name').allInnerTexts();
  });
  await expect('one connection', '1', () => status.locator('#connections').innerText());
  await status.getByText(/messages\/s/).first().waitFor();
  assertUnharmed(status);
  await server.kill();
  await status.getByText('The server does not answer').waitFor();
  await server.start();
  await status.getByText('All is well').waitFor();
  assertUnharmed(status, GONE);
  assert.deepEqual([...status.hosts], [new URL(server.url).host]);
});

test('a page of another host imports the client and speaks', async () => {
  const stranger = await Stranger.arrives(server.ws, 'Robot', 'lobby');
  const other = await Server.start();
  const page = await browser.page();
  await page.goto(`${other.url}healthz`);
  const answer = page.evaluate(async ([script, url]) => {
    const { wsrooms, text } = await import(script);
    const lobby = wsrooms(url).join('lobby');
    lobby.send('chat', new TextEncoder().encode('ünder').buffer).send('chat', null);
    return new Promise((resolve) => { lobby.on('chat', (payload) => resolve(text(payload))); });
  }, [`${server.url}rooms.js`, server.ws]);
  await stranger.hears('chat', 'ünder', '');
  stranger.sends('lobby', 'chat', 'wörld');
  assert.equal(await answer, 'wörld');
  await other.kill();
});
