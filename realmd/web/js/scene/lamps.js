/** Where light comes from: torches along the walls and ways, and the lamps of each theme. */
import * as THREE from '../../vendor/three.module.min.js';
import { dice } from './chance.js';
import { ball, box, cone, join, many, tube } from './forms.js';
import { themeOf } from './themes.js';

/** @typedef {{x: number, z: number, y: number, color: string, kind: 'torch' | 'brazier' | 'lantern'}} Lamp */

/**
 * Free ground: within the bounds, off buildings, stations and spawn points.
 * @param {import('../state.js').Atlas} atlas @param {number} x @param {number} z @param {number} room
 */
export function free(atlas, x, z, room) {
  const { bounds, clearance } = atlas;
  const { min, max, hypot } = Math;
  const edge = min(x - bounds.minX, bounds.maxX - x, z - bounds.minZ, bounds.maxZ - z);
  const wall = min(...atlas.buildings.map((b) => hypot(x - b.x, z - b.z) - b.radius), Infinity);
  const post = min(...[...atlas.workstations, ...atlas.spawns].map((p) => hypot(x - p.x, z - p.z)), Infinity);
  return edge > room * 0.5 && wall > max(clearance, room) && post > room + 1;
}

/** @param {import('../state.js').Atlas} atlas @returns {Lamp[]} */
export function place(atlas) {
  const { bounds, buildings, zones } = atlas;
  /** @type {Lamp[]} */
  const lamps = [];
  const put = (/** @type {number} */ x, /** @type {number} */ z, /** @type {Lamp['kind']} */ kind, color = '#ff9a45') => {
    if (lamps.every((lamp) => Math.hypot(lamp.x - x, lamp.z - z) > 5)) {
      lamps.push({ x, z, kind, color, y: kind === 'brazier' ? 1.25 : kind === 'lantern' ? 2.5 : 2.65 });
    }
  };
  for (const building of buildings) {
    for (const side of [-1, 1]) put(building.x + side * (building.radius + 1), building.z + building.radius + 0.6, 'torch');
  }
  const wide = bounds.maxX - bounds.minX;
  const deep = bounds.maxZ - bounds.minZ;
  for (let x = bounds.minX + wide / 16; x < bounds.maxX; x += wide / 8) {
    put(x, bounds.minZ - 0.4, 'torch');
    put(x, bounds.maxZ + 0.4, 'torch');
  }
  for (let z = bounds.minZ + deep / 16; z < bounds.maxZ; z += deep / 8) {
    put(bounds.minX - 0.4, z, 'torch');
    put(bounds.maxX + 0.4, z, 'torch');
  }
  const chance = dice(11);
  for (const zone of zones) {
    const { props, light } = themeOf(zone);
    const kind = props === 'ember' ? 'brazier' : props === 'lantern' ? 'lantern' : 'torch';
    const wanted = props === 'crystal' ? 0 : Math.round((zone.width * zone.depth) / (props === 'lantern' ? 130 : props === 'meadow' ? 170 : 260));
    for (let n = 0, tries = 0; n < wanted && tries < 200; tries++) {
      const x = zone.x + (chance() - 0.5) * (zone.width - 4);
      const z = zone.z + (chance() - 0.5) * (zone.depth - 4);
      if (!free(atlas, x, z, 2.2)) continue;
      put(x, z, kind, light);
      n++;
    }
  }
  return lamps;
}

const FORMS = {
  torch: () => join([
    { form: tube(0.09, 0.14, 2.2, 6), at: [0, 1.1, 0], color: '#4a3524' },
    { form: tube(0.24, 0.12, 0.34, 6), at: [0, 2.25, 0], color: '#2b2521' },
    { form: ball(0.2), at: [0, 2.44, 0], size: [1, 0.6, 1], color: '#ff7a1e', glow: 1.2 },
    { form: cone(0.15, 0.62, 5), at: [0, 2.72, 0], color: '#ffc04d', glow: 1.6 },
  ]),
  brazier: () => join([
    { form: tube(0.62, 0.34, 0.42, 8), at: [0, 0.85, 0], color: '#2e2724' },
    ...[0, 2.1, 4.2].map((a) => ({ form: box(0.1, 0.9, 0.1), at: [Math.cos(a) * 0.36, 0.4, Math.sin(a) * 0.36], color: '#231d1b' })),
    { form: ball(0.5), at: [0, 1.02, 0], size: [1, 0.4, 1], color: '#ff5a18', glow: 1.3 },
    { form: cone(0.26, 0.8, 5), at: [0.1, 1.4, 0], color: '#ff9a2e', glow: 1.5 },
    { form: cone(0.2, 0.6, 5), at: [-0.16, 1.32, 0.1], color: '#ffc65c', glow: 1.5 },
  ]),
  lantern: () => join([
    { form: tube(0.06, 0.09, 3, 6), at: [0, 1.5, 0], color: '#3d2a1c' },
    { form: box(0.9, 0.07, 0.07), at: [0.38, 2.96, 0], color: '#3d2a1c' },
    { form: ball(0.34, 1), at: [0.74, 2.5, 0], size: [1, 1.15, 1], color: '#ffb648', glow: 1.1 },
    { form: tube(0.14, 0.14, 0.1, 6), at: [0.74, 2.9, 0], color: '#7a2d1d' },
    { form: tube(0.12, 0.12, 0.1, 6), at: [0.74, 2.1, 0], color: '#7a2d1d' },
  ]),
};

/**
 * Make them visible, and let them shine on what stands around.
 * @param {Lamp[]} lamps @param {import('./halos.js').Halos} halos
 */
export function lampMeshes(lamps, halos) {
  const group = new THREE.Group();
  for (const kind of /** @type {Lamp['kind'][]} */ (['torch', 'brazier', 'lantern'])) {
    const own = lamps.filter((lamp) => lamp.kind === kind);
    group.add(many(FORMS[kind](), own.map(({ x, z }) => ({ x, z }))));
    for (const { x, y, z, color } of own) {
      const aside = kind === 'lantern' ? 0.74 : 0;
      halos.add(x + aside, y, z, color, kind === 'brazier' ? 5.5 : 4.2, kind === 'lantern' ? 0.04 : 0.16, 0.62);
    }
  }
  return group;
}
