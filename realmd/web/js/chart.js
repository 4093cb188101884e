/** A line over the last minutes, as SVG; the newest value is written beside it. */
import { h, write } from './dom.js';
import { t } from './strings.js';

const WIDE = 300;
const HIGH = 80;

/** @param {string} tag @param {Record<string, string>} attributes */
function svg(tag, attributes) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

/**
 * @param {string} title @param {string} unit @param {number} least the smallest full scale
 * @returns {{element: HTMLElement, draw: (values: number[], every: number) => void}}
 */
export function chart(title, unit, least) {
  const area = svg('path', { class: 'area' });
  const curve = svg('path', { class: 'curve' });
  const picture = svg('svg', { viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: 'none', role: 'img' });
  picture.append(svg('line', { class: 'base', x1: '0', x2: String(WIDE), y1: String(HIGH), y2: String(HIGH) }), area, curve);
  const value = h('strong');
  const past = h('span');
  const top = h('span');
  const element = h('figure', { class: 'chart' }, h('figcaption', {}, h('span', {}, title), value), picture, h('div', { class: 'range' }, past, top));
  return {
    element,
    draw(values, every) {
      if (!values.length) return;
      const most = Math.max(...values);
      const full = Math.max(least, most) * 1.1;
      const points = values.map((v, i) => `${((i / Math.max(1, values.length - 1)) * WIDE).toFixed(1)},${(HIGH - (v / full) * HIGH).toFixed(1)}`);
      curve.setAttribute('d', `M${points.join('L')}`);
      area.setAttribute('d', `M0,${HIGH}L${points.join('L')}L${WIDE},${HIGH}Z`);
      const last = `${values[values.length - 1]} ${unit}`.trim();
      write(value, last);
      write(past, t('status.past', { min: Math.max(1, Math.round((values.length * every) / 60)) }));
      write(top, t('status.most', { value: `${most} ${unit}`.trim() }));
      picture.setAttribute('aria-label', `${title}: ${last}`);
    },
  };
}
