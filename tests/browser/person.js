// Somebody at the chat page, who sees what is on it and uses the keyboard.

import { expect } from './expect.js';

export class Person {
  constructor(name, page) {
    Object.assign(this, { name, page });
  }

  /** At the page of a server, in a room. */
  static async arrives(browser, server, name, room = 'lobby', options) {
    const person = new Person(name, await browser.page(options));
    await person.page.goto(`${server.url}?name=${encodeURIComponent(name)}#${encodeURIComponent(room)}`);
    await person.connected();
    return person;
  }

  async connected() {
    await this.page.locator('#connection[data-state=open]').waitFor();
  }

  async says(text) {
    await this.page.locator('#text').fill(text);
    await this.page.locator('#text').press('Enter');
  }

  /** Waits until the conversation shows these messages and no others. */
  async reads(...texts) {
    await expect(`${this.name} reads ${texts}`, texts, () => this.page.locator('.message .body').allInnerTexts());
  }

  /** Waits until the last message of the conversation is such a one. */
  async hears(pattern) {
    const isLast = async () => pattern.test((await this.page.locator('.message .body').allInnerTexts()).at(-1) ?? '');
    await expect(`${this.name} hears ${pattern}`, true, isLast);
  }

  /** Waits until these people are in the room, oneself among them. */
  async sees(...names) {
    const shown = async () => (await this.page.locator('#people .name').allInnerTexts()).sort();
    await expect(`${this.name} sees ${names}`, names.slice().sort(), shown);
  }

  async opensDirect(name) {
    await this.page.getByRole('button', { name: `${name} – write a direct message` }).click();
  }

  async opens(title) {
    await this.page.getByRole('navigation').getByRole('button', { name: title }).click();
  }
}
