/** The Worlds Portal: other realms that were announced on this one's relays, and the way there. */
import { ask, h, keyed, write } from '../dom.js';
import { brief } from '../npub.js';
import { clock, t } from '../strings.js';

const EVERY = 15_000;
/** So many realms are read at a glance; more are searched. */
const FEW = 6;

/** @typedef {{id: string, name: string, description: string, pubkey: string, npub: string, url: string, agents: number | null, maxAgents: number | null, seenAt: number}} World */

export class Worlds {
  constructor() {
    /** @type {World[]} */
    this.worlds = [];
    this.words = '';
    this.find = h('input', {
      id: 'find-worlds', type: 'search', autocomplete: 'off', 'aria-label': t('worlds.find'), placeholder: t('worlds.find'), hidden: true,
      oninput: (/** @type {Event} */ event) => this.filter(/** @type {HTMLInputElement} */ (event.target).value),
    });
    this.none = h('p', { class: 'faint', role: 'status' });
    this.list = h('ul', { id: 'worlds', class: 'posts', 'aria-label': t('worlds.label') });
    this.box = h('div', {}, h('h3', {}, t('worlds.label')), this.find, this.none, this.list);
    setInterval(() => this.fetch(), EVERY);
  }

  /** Ask the daemon again, if anybody looks; what was known stays if it does not answer. */
  async fetch() {
    if (!this.box.isConnected || this.box.closest('[hidden]') || document.hidden) return;
    const answer = await ask('api/worlds').catch(() => null);
    if (!answer) return;
    this.worlds = answer.worlds;
    this.show();
  }

  /** @param {string} words */
  filter(words) {
    this.words = words.trim().toLowerCase();
    this.show();
  }

  show() {
    this.find.hidden = this.worlds.length <= FEW && !this.words;
    const shown = this.worlds.filter((world) => `${world.name} ${world.description} ${world.id} ${world.npub}`.toLowerCase().includes(this.words));
    write(this.none, shown.length ? '' : t(this.worlds.length ? 'worlds.nomatch' : 'worlds.none'));
    this.none.hidden = shown.length > 0;
    keyed(this.list, shown, (world) => `${world.pubkey} ${world.id}`, () => h('li', {}), fill);
  }
}

/** @param {HTMLElement} item @param {World} world */
function fill(item, world) {
  const address = safe(world.url);
  const seats = world.agents === null ? '' : world.maxAgents === null ? t('worlds.agents', { n: world.agents }) : t('worlds.seats', { n: world.agents, max: world.maxAgents });
  const told = JSON.stringify([world, clock(world.seenAt)]);
  if (item.dataset.told === told) return; // a link that is being used stays
  item.dataset.told = told;
  item.replaceChildren(
    h('p', { class: 'world' }, address ? h('a', { href: address.href, target: '_blank', rel: 'noopener noreferrer', referrerpolicy: 'no-referrer' }, world.name) : h('strong', {}, world.name),
      seats ? h('span', { class: 'kind' }, ` ${seats}`) : null),
    ...[world.description].filter(Boolean).map((text) => h('p', {}, text)),
    h('p', { class: 'faint' }, `${address ? `${address.host} · ` : ''}${brief(world.npub)} · ${t('worlds.seen', { time: clock(world.seenAt) })}`),
  );
}

/** The address of a web page, or nothing: others wrote it. @param {string} text */
function safe(text) {
  try {
    const url = new URL(text);
    return (url.protocol === 'https:' || url.protocol === 'http:') && !url.username && !url.password ? url : null;
  } catch {
    return null;
  }
}
