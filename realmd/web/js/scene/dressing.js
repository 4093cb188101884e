/** What grows and lies in a zone of each theme; everything of one form is one draw call. */
import * as THREE from '../../vendor/three.module.min.js';
import { dice, seedOf } from './chance.js';
import { ball, box, cone, join, many, tube } from './forms.js';
import { free } from './lamps.js';
import { themeOf } from './themes.js';

/** @typedef {{x: number, z: number, turn: number, size: number, color?: THREE.Color}} Spot */

const FORMS = {
  crystal: () => join([
    { form: cone(0.34, 1.9, 5), at: [0, 0.85, 0], tint: 1, glow: 0.55 },
    { form: cone(0.24, 1.3, 5), at: [0.34, 0.5, 0.1], turn: [0.1, 0, -0.5], tint: 1, glow: 0.45 },
    { form: cone(0.22, 1.1, 5), at: [-0.3, 0.42, 0.12], turn: [0.25, 0, 0.55], tint: 1, glow: 0.45 },
    { form: cone(0.18, 0.8, 5), at: [0.02, 0.3, -0.34], turn: [-0.6, 0, 0], tint: 1, glow: 0.4 },
  ]),
  mushroom: () => join([
    { form: tube(0.09, 0.13, 0.6, 6), at: [0, 0.3, 0], color: '#e8dcc0' },
    { form: ball(0.4, 1), at: [0, 0.6, 0], size: [1, 0.55, 1], tint: 1, glow: 0.5 },
    { form: tube(0.05, 0.07, 0.3, 5), at: [0.34, 0.15, 0.1], color: '#e8dcc0' },
    { form: ball(0.2, 1), at: [0.34, 0.32, 0.1], size: [1, 0.6, 1], tint: 1, glow: 0.5 },
  ]),
  tuft: () => join([-0.5, 0, 0.5, 1].map((lean, i) => ({
    form: cone(0.07, 0.55, 3), at: [lean * 0.18, 0.22, (i % 2) * 0.16 - 0.08], turn: [0, 0, -lean * 0.5], tint: 1,
  }))),
  stone: () => join([{ form: new THREE.DodecahedronGeometry(0.45), size: [1.2, 0.6, 1], tint: 1 }]),
  ingots: () => join([
    ...[0, 0.36, -0.36].map((x) => ({ form: box(0.3, 0.16, 0.8), at: [x, 0.08, 0], color: '#6d6a70' })),
    ...[0.18, -0.18].map((x) => ({ form: box(0.3, 0.16, 0.8), at: [x, 0.25, 0], color: '#8a6a50' })),
    { form: box(0.3, 0.16, 0.8), at: [0, 0.42, 0], color: '#ff7a30', glow: 0.9 },
  ]),
  chimney: () => join([
    { form: tube(0.5, 0.8, 3.4, 7), at: [0, 1.7, 0], color: '#43332d' },
    { form: tube(0.62, 0.56, 0.3, 7), at: [0, 3.4, 0], color: '#2c2320' },
    { form: ball(0.42), at: [0, 3.46, 0], size: [1, 0.3, 1], color: '#ff6a20', glow: 1.4 },
    { form: box(0.6, 0.55, 0.3), at: [0, 0.5, 0.68], color: '#ff8a35', glow: 1.2 },
  ]),
  crates: () => join([
    { form: box(0.9, 0.8, 0.9), at: [0, 0.4, 0], color: '#7c5a36' },
    { form: box(0.7, 0.6, 0.7), at: [0.15, 1.1, -0.05], turn: [0, 0.4, 0], color: '#94703f' },
    { form: box(0.94, 0.1, 0.94), at: [0, 0.72, 0], color: '#4d3721' },
    { form: tube(0.32, 0.32, 0.8, 8), at: [0.95, 0.4, 0.2], color: '#6a4a2c' },
  ]),
  tent: () => join([
    { form: cone(1.5, 1.5, 4), at: [0, 2.05, 0], turn: [0, Math.PI / 4, 0], tint: 0.9 },
    ...[[1, 1], [1, -1], [-1, 1], [-1, -1]].map(([x, z]) => ({ form: tube(0.05, 0.05, 1.5, 5), at: [x * 0.9, 0.75, z * 0.9], color: '#4a3626' })),
    { form: box(1.8, 0.7, 0.5), at: [0, 0.35, 0.7], color: '#7c5a36' },
    { form: ball(0.14, 1), at: [0, 1.45, 0.4], color: '#ffd27a', glow: 1.3 },
  ]),
};

/** What a theme has: form, number for each hundred square units, room around, colours, sizes. */
/** @type {Record<string, [keyof typeof FORMS, number, number, string[], number, number][]>} */
const LOOKS = {
  ember: [['chimney', 0.35, 2.4, ['#ffffff'], 0.9, 1.3], ['ingots', 0.5, 1.2, ['#ffffff'], 0.9, 1.3], ['stone', 2.4, 0.4, ['#4c3a36', '#6b4436', '#2e2626'], 0.5, 1.5]],
  crystal: [['crystal', 2.2, 1.3, ['#9d6bff', '#6f7bff', '#d48bff', '#58c7ff'], 0.5, 2], ['stone', 1.6, 0.4, ['#4b4468', '#38335a'], 0.5, 1.3]],
  lantern: [['tent', 0.55, 2.3, ['#d1495b', '#edae49', '#30638e', '#8f5fb5', '#3a9f7c'], 0.9, 1.15], ['crates', 0.9, 1.4, ['#ffffff'], 0.7, 1.1], ['stone', 1, 0.4, ['#6a5844', '#54473a'], 0.4, 1]],
  meadow: [['mushroom', 0.75, 0.9, ['#5fe0c0', '#7fd8ff', '#ff9bb5', '#ffd479'], 0.5, 1.5], ['tuft', 8, 0.3, ['#4f7d35', '#6f9a3f', '#3c6a3a', '#8aa84a'], 0.6, 1.5], ['stone', 1.1, 0.4, ['#5d5a4e', '#474a3e'], 0.4, 1.2]],
};

/** @param {import('../state.js').Atlas} atlas @param {import('../state.js').Zone} zone @param {() => number} chance @param {number} count @param {number} room */
function* scatter(atlas, zone, chance, count, room) {
  for (let n = 0, tries = 0; n < count && tries < count * 6; tries++) {
    const x = zone.x + (chance() - 0.5) * zone.width;
    const z = zone.z + (chance() - 0.5) * zone.depth;
    if (!free(atlas, x, z, room)) continue;
    n++;
    yield { x, z };
  }
}

/**
 * @param {import('../state.js').Atlas} atlas @param {import('./glow.js').Glow} glow @param {import('./halos.js').Halos} halos
 */
export function dressing(atlas, glow, halos) {
  /** @type {Map<keyof typeof FORMS, Spot[]>} */
  const spots = new Map();
  const light = new THREE.Color();
  for (const zone of atlas.zones) {
    const chance = dice(seedOf(zone.id));
    for (const [form, dense, room, colors, least, most] of LOOKS[themeOf(zone).props]) {
      const count = Math.min(420, Math.round((zone.width * zone.depth * dense) / 100));
      const list = spots.get(form) ?? [];
      spots.set(form, list);
      for (const { x, z } of scatter(atlas, zone, chance, count, room)) {
        const size = least + (most - least) * chance() ** 2;
        const shade = colors[Math.floor(chance() * colors.length)];
        glow.at(x, z, light);
        const color = new THREE.Color(shade);
        if (form !== 'crystal') color.multiply(new THREE.Color(0.8 + light.r, 0.8 + light.g, 0.8 + light.b));
        list.push({ x, z, turn: chance() * 6.3, size, color });
        if (form === 'crystal' && size > 0.8) halos.add(x, size * 0.8, z, shade, 3.4 * size, 0.02, 0.3);
        if (form === 'mushroom' && size > 0.8) halos.add(x, size * 0.6, z, shade, 2 * size, 0.02, 0.22);
        if (form === 'chimney') halos.add(x, 3.6 * size, z, '#ff6a20', 4.5, 0.2, 0.5);
      }
    }
  }
  const group = new THREE.Group();
  for (const [form, list] of spots) group.add(many(FORMS[form](), list));
  return group;
}

/** The crystals and mushrooms that shine on the ground around them, before anything is lit. @param {import('../state.js').Atlas} atlas @param {import('./glow.js').Glow} glow */
export function ambient(atlas, glow) {
  for (const zone of atlas.zones) {
    const { light, props } = themeOf(zone);
    const chance = dice(seedOf(zone.name));
    const lamps = Math.round((zone.width * zone.depth) / (props === 'crystal' ? 90 : 200));
    for (const { x, z } of scatter(atlas, zone, chance, lamps, 0.5)) glow.add(x, z, light, 10, props === 'crystal' ? 0.42 : 0.16);
  }
}
