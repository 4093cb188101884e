/** Small pieces for making and finding elements. */

/**
 * An element with attributes and children; what begins with "on" is a listener, and
 * text is always text, never markup.
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Node | string | null | undefined)} children
 * @returns {HTMLElement}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** The element of that id, which must be there. @param {string} id */
export function need(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`no element #${id}`);
  return element;
}

/** An address of the daemon, wherever the page is mounted. @param {string} path */
export function address(path) {
  return new URL(path, document.baseURI).href;
}

/** The daemon's JSON answer. @param {string} path @param {object} [body] @returns {Promise<any>} */
export async function ask(path, body) {
  const answer = await fetch(address(path), body ? { method: 'POST', body: JSON.stringify(body) } : {});
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

/** A command over HTTP. @param {string} command @param {object} [args] */
export function ipc(command, args = {}) {
  return ask('ipc', { command, args });
}

/** A spot of somebody's colour; the name always stands beside it. @param {string} color */
export function spot(color) {
  const dot = h('span', { class: 'spot', 'aria-hidden': 'true' });
  dot.style.backgroundColor = color;
  return dot;
}

/** Whether a media query holds now. @param {string} query */
export function media(query) {
  return globalThis.matchMedia?.(query).matches ?? false;
}

/**
 * Make the children of `list` match `items`, keeping the element of each key.
 * @template T
 * @param {HTMLElement} list @param {T[]} items @param {(item: T) => string} key
 * @param {(item: T) => HTMLElement} make @param {(element: HTMLElement, item: T) => void} update
 */
export function keyed(list, items, key, make, update) {
  const old = new Map([...list.children].map((child) => [/** @type {HTMLElement} */ (child).dataset.key, child]));
  items.forEach((item, i) => {
    const name = key(item);
    let element = /** @type {HTMLElement | undefined} */ (old.get(name));
    old.delete(name);
    if (!element) {
      element = make(item);
      element.dataset.key = name;
    }
    update(element, item);
    if (list.children[i] !== element) list.insertBefore(element, list.children[i] ?? null);
  });
  for (const gone of old.values()) gone.remove();
}

/** Set the text of an element if it is another. @param {Element | null} element @param {string} text */
export function write(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

/** A function that runs at most every `ms`, and once more after the last call. @param {() => void} work @param {number} ms */
export function seldom(work, ms) {
  let timer = 0;
  let last = -Infinity;
  const run = () => {
    timer = 0;
    last = performance.now();
    work();
  };
  return () => {
    if (!timer) timer = window.setTimeout(run, Math.max(0, last + ms - performance.now()));
  };
}
