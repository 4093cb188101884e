/** What is said and done, as a log that a screen reader reads out too. */
import { h, need, spot } from '../dom.js';
import { clock, t } from '../strings.js';
import { sortOf, tell } from './story.js';

const KEPT = 400;

/** Who speaks in a line of the operator's: drawn because the realm says so, never for what a text says. */
function operator() {
  return [h('span', { class: 'mark', role: 'img', 'aria-label': t('operator.mark') }), h('span', { class: 'who' }, t('operator'))];
}

export class Log {
  /** @param {import('../state.js').State} state @param {(id: string) => void} choose */
  constructor(state, choose) {
    this.state = state;
    this.choose = choose;
    this.list = need('log');
    this.filter = 'all';
    this.words = '';
    this.list.append(h('li', { class: 'empty' }, t('log.empty')));
    for (const button of document.querySelectorAll('#filters button')) {
      button.addEventListener('click', () => this.sift(/** @type {HTMLElement} */ (button).dataset.sort ?? 'all'));
    }
    const find = /** @type {HTMLInputElement} */ (need('find'));
    find.addEventListener('input', () => {
      this.words = find.value.trim().toLowerCase();
      this.sift(this.filter);
    });
    state.addEventListener('event', (event) => this.add(/** @type {CustomEvent} */ (event).detail.event));
  }

  /** @param {import('../state.js').Happening} event */
  add(event) {
    const sentence = tell(event, this.state);
    if (sentence === null) return;
    this.list.querySelector('.empty')?.remove();
    const profile = this.state.profiles.get(event.agentId);
    const name = profile?.name ?? event.name ?? event.agentId;
    const sort = sortOf(event);
    const own = event.by === 'operator';
    const line = h('li', { class: `line ${sort} ${event.worldType}${own ? ' operator' : ''}`, 'data-seq': event.seq, 'data-sort': sort },
      ...(own ? operator() : [spot(profile?.color ?? event.color ?? '#b8a58c'),
        h('button', { class: 'who', type: 'button', tabindex: '-1', onclick: () => this.choose(event.agentId) }, name)]),
      ' ', h('span', { class: 'said' }, sentence), ' ',
      h('time', { datetime: new Date(event.timestamp).toISOString() }, clock(event.timestamp)));
    line.hidden = !this.fits(line);
    const low = this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight < 60;
    this.list.append(line);
    if (this.list.childElementCount > KEPT) this.list.firstElementChild?.remove();
    if (low) this.list.scrollTop = this.list.scrollHeight;
  }

  /** @param {HTMLElement} line */
  fits(line) {
    const right = this.filter === 'all' || line.dataset.sort === this.filter;
    return right && (!this.words || (line.textContent ?? '').toLowerCase().includes(this.words));
  }

  /** @param {string} filter */
  sift(filter) {
    this.filter = filter;
    for (const button of document.querySelectorAll('#filters button')) {
      button.setAttribute('aria-pressed', String(/** @type {HTMLElement} */ (button).dataset.sort === filter));
    }
    for (const line of this.list.children) {
      if (!line.classList.contains('empty')) /** @type {HTMLElement} */ (line).hidden = !this.fits(/** @type {HTMLElement} */ (line));
    }
    this.list.scrollTop = this.list.scrollHeight;
  }

  /** Show the newest, after the panel was hidden. */
  down() {
    this.list.scrollTop = this.list.scrollHeight;
  }
}
