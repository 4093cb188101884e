/** The boards of the workstations: zone by zone, who is at which. */
import { h, keyed, need, seldom, write } from '../dom.js';
import { t } from '../strings.js';

export class StationBoards {
  /** @param {import('../state.js').State} state @param {(station: string) => void} choose */
  constructor(state, choose) {
    this.state = state;
    this.choose = choose;
    this.box = need('stations');
    const soon = seldom(() => this.show(), 400);
    state.addEventListener('stations', soon);
    state.addEventListener('agents', soon);
  }

  show() {
    if (this.box.closest('[hidden]')) return;
    const { atlas } = this.state;
    keyed(this.box, atlas.zones.filter((zone) => this.of(zone.id).length), (zone) => zone.id,
      (zone) => h('section', {}, h('h2', {}, zone.name, ' ', h('span', { class: 'used' })), h('ul', {})),
      (section, zone) => {
        const own = this.of(zone.id);
        write(section.querySelector('.used'), t('stations.used', { n: own.filter((one) => one.occupiedBy).length, max: own.length }));
        keyed(/** @type {HTMLElement} */ (section.querySelector('ul')), own, (one) => one.id, (one) => this.row(one), (row, one) => this.fill(row, one));
      });
  }

  /** @param {string} zone */
  of(zone) {
    return [...this.state.stations.values()].filter((one) => one.zone === zone);
  }

  /** @param {import('../state.js').Station} station */
  row(station) {
    return h('li', {}, h('button', { type: 'button', class: 'row', title: station.description, onclick: () => this.choose(station.id) },
      h('span', { class: 'lamp', 'aria-hidden': 'true' }), h('span', { class: 'who' }, station.name), ' ',
      h('span', { class: 'doing' }), ' ', h('span', { class: 'kind' }, t('stations.needs', { skill: station.skill }))));
  }

  /** @param {HTMLElement} row @param {import('../state.js').Station} station */
  fill(row, { occupiedBy, workingSince }) {
    const who = occupiedBy ? this.state.nameOf(occupiedBy) : '';
    write(row.querySelector('.doing'), occupiedBy ? t(workingSince ? 'stations.working' : 'stations.held', { who }) : t('stations.free'));
    row.classList.toggle('held', Boolean(occupiedBy));
    row.classList.toggle('working', Boolean(workingSince));
  }
}
