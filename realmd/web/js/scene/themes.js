/** How a zone of each theme looks; the atlas says which zone has which theme. */

/**
 * @typedef {object} Theme
 * @property {string} ground colour mixed into the stone @property {string} light of its lamps
 * @property {string} mote of what floats in its air @property {number} rise how fast that rises
 * @property {'ember' | 'crystal' | 'lantern' | 'meadow'} props
 */

/** @type {Record<string, Theme>} */
const THEMES = {
  ember: { ground: '#3a211a', light: '#ff6a2a', mote: '#ff9440', rise: 0.9, props: 'ember' },
  crystal: { ground: '#2c2547', light: '#a77bff', mote: '#b9a2ff', rise: 0.12, props: 'crystal' },
  lantern: { ground: '#46351f', light: '#ffb347', mote: '#ffd58a', rise: 0.2, props: 'lantern' },
  meadow: { ground: '#26391f', light: '#ffb765', mote: '#a9f58c', rise: 0.15, props: 'meadow' },
};

/** @param {{theme: string}} zone */
export function themeOf(zone) {
  return THEMES[zone.theme] ?? THEMES.meadow;
}
