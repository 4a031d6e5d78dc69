// Small things that make a page. Whatever people wrote becomes text, never markup.

/** An element with properties and children; text is text. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === false) continue;
    if (name === 'class') element.className = value;
    else if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.filter((child) => child !== undefined && child !== null));
  return element;
}

/** Makes a list show these items, and keeps what is there already: the focus stays where it is. */
export function sync(list, items, key, make, update) {
  const there = new Map([...list.children].map((child) => [child.dataset.key, child]));
  items.forEach((item, index) => {
    const name = key(item);
    const child = there.get(name) ?? make(item);
    there.delete(name);
    child.dataset.key = name;
    update(child, item);
    if (list.children[index] !== child) list.insertBefore(child, list.children[index] ?? null);
  });
  for (const child of there.values()) child.remove();
}

/** Changes a text if it is another: what is announced is announced once. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function avatar(person, presence) {
  const initial = [...person.name.trim()][0]?.toUpperCase() ?? '?';
  const element = h('span', { class: 'avatar', 'aria-hidden': 'true', 'data-presence': presence }, initial);
  element.style.setProperty('--hue', hue(person.tag));
  return element;
}

/** One colour for each person, on every page the same. */
function hue(tag) {
  let hash = 7;
  for (const character of tag) hash = (hash * 31 + character.codePointAt(0)) % 9973;
  return String(hash % 360);
}

/** A text with its web addresses as links. */
export function linked(text) {
  return text.split(/(https?:\/\/[^\s<>"]+[^\s<>".,;:!?)\]'])/).map((part, index) => {
    if (index % 2 === 0) return part;
    return h('a', { href: part, target: '_blank', rel: 'noopener noreferrer nofollow' }, part);
  });
}

/** A value kept by the browser, for this tab or for all; where it may not be, for this page. */
export function kept(storage, key) {
  return {
    get: () => attempt(() => globalThis[storage].getItem(key)),
    set: (value) => attempt(() => globalThis[storage].setItem(key, value)),
  };
}

function attempt(action) {
  try {
    return action();
  } catch {
    return null;
  }
}
