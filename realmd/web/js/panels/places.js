/** What the buildings hold: the bulletin board, the plugin catalogue, the portal to other worlds. */
import { ask, h, need, seldom } from '../dom.js';
import { clock, date, t } from '../strings.js';
import { Worlds } from './worlds.js';

export class Places {
  /** @param {import('../state.js').State} state */
  constructor(state) {
    this.state = state;
    this.box = need('places');
    this.loaded = false;
    this.worlds = new Worlds();
    const soon = seldom(() => this.show(), 800);
    state.addEventListener('event', (event) => {
      const { worldType } = /** @type {CustomEvent} */ (event).detail.event;
      if (worldType === 'board' || worldType === 'catalogue') soon();
    });
  }

  /** Fetch and show, if anybody looks. */
  async show() {
    if (this.box.closest('[hidden]')) return;
    const [board, catalogue, portal] = await Promise.all(
      ['api/moltbook/feed', 'api/clawhub/skills?limit=200', 'api/invite'].map((path) => ask(path).catch(() => ({}))),
    );
    const of = (/** @type {string} */ kind) => this.state.atlas.buildings.find((one) => one.kind === kind);
    this.box.replaceChildren(
      this.section(of('board'), t('places.board'), posts(board.posts ?? [])),
      this.section(of('market'), t('places.catalogue'), plugins(catalogue.skills ?? [])),
      this.section(of('portal'), t('places.portal'), [this.worlds.box, ...invitation(portal.invite)]),
      ...this.state.atlas.buildings.filter((one) => !['board', 'market', 'portal'].includes(one.kind)).map((one) => this.section(one, one.name, [])),
    );
    this.worlds.fetch();
  }

  /** @param {import('../state.js').Building | undefined} building @param {string} title @param {HTMLElement[]} content */
  section(building, title, content) {
    const name = building && building.name.toLowerCase() !== title.toLowerCase() ? `${building.name} · ${title}` : title;
    return h('section', { 'data-building': building?.id }, h('h2', { tabindex: '-1' }, name),
      building?.description ? h('p', { class: 'faint' }, building.description) : null, ...content);
  }

  /** Show the panel at a building. @param {string} id */
  async visit(id) {
    await this.show();
    const heading = /** @type {HTMLElement | null} */ (this.box.querySelector(`[data-building="${CSS.escape(id)}"] h2`));
    heading?.focus({ preventScroll: true });
    heading?.scrollIntoView({ block: 'start' });
  }
}

/** @param {any[]} list */
function posts(list) {
  if (!list.length) return [h('p', { class: 'faint' }, t('places.board.empty'))];
  return [h('ul', { class: 'posts' }, ...list.slice(0, 30).map((post) => h('li', {},
    h('h3', {}, post.title), h('p', {}, post.content),
    h('p', { class: 'faint' }, t('places.by', { author: post.author, time: `${date(post.createdAt)} ${clock(post.createdAt)}` })))))];
}

/** @param {any[]} list */
function plugins(list) {
  if (!list.length) return [h('p', { class: 'faint' }, t('places.catalogue.empty'))];
  return [h('ul', { class: 'posts' }, ...list.map((plugin) => h('li', {},
    h('h3', {}, plugin.name, ' ', h('span', { class: 'kind' }, plugin.version ?? ''), plugin.installed ? h('span', { class: 'badge' }, `✓ ${t('places.installed')}`) : null),
    plugin.description ? h('p', {}, plugin.description) : null)))];
}

/** How others come here. @param {any} invite */
function invitation(invite) {
  if (!invite) return [];
  const command = `curl -s ${new URL('ipc', document.baseURI).href} -d '{"command":"register","args":{"agentId":"me","name":"Me"}}'`;
  const code = h('code', { class: 'command', tabindex: '0' }, command);
  return [
    h('p', {}, t('places.portal.text')), code,
    h('button', { type: 'button', onclick: () => navigator.clipboard?.writeText(command).catch(() => undefined) }, t('places.copy')),
    invite.relays.length
      ? h('p', {}, `${t('places.relays')}: `, ...invite.relays.map((/** @type {string} */ url) => h('code', {}, url)))
      : h('p', { class: 'faint' }, t('places.norelays')),
  ];
}
