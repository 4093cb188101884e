/** Who is here: where, doing what, and since when. */
import { h, keyed, need, seldom, spot, write } from '../dom.js';
import { clock, t } from '../strings.js';
import { doing } from './story.js';

const EVERY = 600;

export class People {
  /** @param {import('../state.js').State} state @param {(id: string) => void} choose */
  constructor(state, choose) {
    this.state = state;
    this.choose = choose;
    this.list = need('people');
    this.words = '';
    const find = /** @type {HTMLInputElement} */ (need('find-people'));
    find.addEventListener('input', () => {
      this.words = find.value.trim().toLowerCase();
      this.show();
    });
    const soon = seldom(() => this.show(), EVERY);
    state.addEventListener('agents', soon);
    state.addEventListener('stations', soon);
  }

  show() {
    if (this.list.closest('[hidden]')) return;
    const rank = { dragon: 0, kobold: 1, human: 2, guest: 3 };
    const here = [...this.state.agents.values()]
      .filter(({ profile }) => !this.words || `${profile.name} ${profile.capabilities.join(' ')}`.toLowerCase().includes(this.words))
      .sort((a, b) => rank[a.kind] - rank[b.kind] || a.profile.name.localeCompare(b.profile.name));
    need('no-people').hidden = here.length > 0;
    keyed(this.list, here, (agent) => agent.id, (agent) => this.row(agent.id), (row, agent) => this.fill(row, agent));
  }

  /** @param {string} id */
  row(id) {
    return h('li', {}, h('button', { type: 'button', class: 'row', onclick: () => this.choose(id) },
      spot('#888888'), h('span', { class: 'who' }), ' ', h('span', { class: 'kind' }), ' ',
      h('span', { class: 'doing' }), ' ', h('span', { class: 'since' })));
  }

  /** @param {HTMLElement} row @param {import('../state.js').Agent} agent */
  fill(row, agent) {
    const { profile, place } = agent;
    /** @type {HTMLElement} */ (row.querySelector('.spot')).style.backgroundColor = profile.color;
    const since = this.state.arrivals.get(agent.id);
    write(row.querySelector('.who'), profile.name);
    write(row.querySelector('.kind'), t(`kind.${agent.kind}`));
    write(row.querySelector('.doing'), t('people.row', { doing: doing(agent, this.state), zone: this.state.zoneAt(place.x, place.z).name }));
    write(row.querySelector('.since'), since ? t('people.since', { time: clock(since) }) : '');
  }
}
