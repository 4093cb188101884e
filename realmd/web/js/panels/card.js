/** One agent, told in full: who it says it is, what it can, where it is, what it said lately. */
import { h, media, need, spot } from '../dom.js';
import { brief, npub } from '../npub.js';
import { date, clock, t } from '../strings.js';
import { doing } from './story.js';

const WORDS = 5;
/** ms in which a second click is meant for who is under the card, to follow. */
const DOUBLE = 400;

export class Card {
  /**
   * @param {import('../state.js').State} state
   * @param {{follow: (id: string | null) => void, followed: () => string | null, closed: () => void, walk: (id: string) => void, joined: () => boolean}} deeds
   */
  constructor(state, deeds) {
    this.state = state;
    this.deeds = deeds;
    this.box = need('card');
    /** @type {string | null} */
    this.id = null;
    /** @type {HTMLElement | null} */
    this.from = null;
    this.told = '';
    state.addEventListener('agents', () => this.refresh());
    state.addEventListener('stations', () => this.refresh());
    state.addEventListener('event', (event) => /** @type {CustomEvent} */ (event).detail.event.agentId === this.id && this.refresh());
    setInterval(() => this.refresh(), 1000);
  }

  /** @param {string} id @param {boolean} focus whether the keyboard goes there */
  open(id, focus) {
    if (!this.id) this.from = /** @type {HTMLElement} */ (document.activeElement);
    this.id = id;
    this.told = '';
    this.box.hidden = false;
    this.refresh();
    this.box.classList.toggle('passing', !focus);
    setTimeout(() => this.box.classList.remove('passing'), DOUBLE);
    if (focus) /** @type {HTMLElement | null} */ (this.box.querySelector('h2'))?.focus();
  }

  close() {
    if (!this.id) return;
    this.id = null;
    this.box.hidden = true;
    if (this.from?.isConnected && this.box.contains(document.activeElement)) this.from.focus();
    this.deeds.closed();
  }

  refresh() {
    const { id, state } = this;
    const profile = id && state.profiles.get(id);
    if (!id || !profile) return;
    const agent = state.agents.get(id);
    const place = agent ? `${doing(agent, state)} · ${state.zoneAt(agent.place.x, agent.place.z).name}` : t('card.gone');
    const words = state.history.filter((event) => event.agentId === id && event.worldType === 'chat').slice(-WORDS);
    const followed = this.deeds.followed() === id;
    const telling = JSON.stringify([profile, place, words.at(-1)?.seq, followed, this.deeds.joined()]);
    if (telling === this.told) return;
    this.told = telling;
    const held = /** @type {HTMLElement | null} */ (document.activeElement)?.dataset.deed;
    this.box.replaceChildren(...this.parts(profile, place, words, agent ? t(`kind.${agent.kind}`) : '', followed));
    if (held) /** @type {HTMLElement | null} */ (this.box.querySelector(`[data-deed=${held}]`))?.focus();
  }

  /** @param {import('../state.js').Profile} profile @param {string} place @param {any[]} words @param {string} kind @param {boolean} followed */
  parts(profile, place, words, kind, followed) {
    const id = profile.agentId;
    const skills = [...new Set([...profile.capabilities, ...(profile.skills ?? []).map((skill) => skill.name)])];
    return [
      h('header', {}, spot(profile.color), h('h2', { tabindex: '-1' }, profile.name), h('span', { class: 'kind' }, kind),
        h('button', { type: 'button', class: 'icon', 'data-deed': 'close', 'aria-label': t('card.close'), onclick: () => this.close() }, '×')),
      h('p', { class: 'place' }, place),
      profile.bio ? h('p', { class: 'bio' }, profile.bio) : null,
      skills.length ? h('ul', { class: 'chips', 'aria-label': t('card.skills') }, ...skills.map((skill) => h('li', {}, skill))) : null,
      profile.pubkey ? identity(npub(profile.pubkey)) : null,
      h('h3', {}, t('card.words')),
      words.length
        ? h('ul', { class: 'words' }, ...words.map((event) => h('li', {}, event.text, ' ', h('time', {}, clock(event.timestamp)))))
        : h('p', { class: 'faint' }, t('card.silent')),
      profile.joinedAt ? h('p', { class: 'faint' }, t('card.joined', { time: date(profile.joinedAt) })) : null,
      h('div', { class: 'deeds' },
        h('button', { type: 'button', 'data-deed': 'follow', 'aria-pressed': String(followed), onclick: () => this.deeds.follow(followed ? null : id) },
          t(followed ? 'card.unfollow' : 'card.follow')),
        this.deeds.joined() ? h('button', { type: 'button', 'data-deed': 'walk', onclick: () => this.deeds.walk(id) }, t('card.walk')) : null,
        h('button', { type: 'button', 'data-deed': 'share', onclick: (/** @type {Event} */ event) => share(id, /** @type {HTMLElement} */ (event.target)) }, t('card.share'))),
    ].filter((part) => part !== null);
  }
}

/** The address that follows an agent. @param {string | null} id */
export function addressOf(id) {
  const url = new URL(location.href);
  url.searchParams.delete('agent');
  if (id) url.searchParams.set('agent', id);
  return url.href;
}

/** The key, short; whole in its title and for the clipboard. @param {string} key */
function identity(key) {
  const copy = async (/** @type {Event} */ event) => {
    await navigator.clipboard?.writeText(key).catch(() => undefined);
    /** @type {HTMLElement} */ (event.target).textContent = t('card.shared');
  };
  return h('p', { class: 'npub' }, `${t('card.npub')}: `, h('code', { title: key }, brief(key)), ' ',
    h('button', { type: 'button', 'data-deed': 'key', 'aria-label': t('card.npub.copy'), onclick: copy }, t('places.copy')));
}

/** @param {string} id @param {HTMLElement} button */
async function share(id, button) {
  const url = addressOf(id);
  if (navigator.share && media('(pointer: coarse)')) await navigator.share({ url }).catch(() => undefined);
  else await navigator.clipboard?.writeText(url).catch(() => undefined);
  button.textContent = t('card.shared');
}
