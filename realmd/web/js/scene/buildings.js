/** The buildings, each shaped by its kind and as wide as the atlas says. */
import * as THREE from '../../vendor/three.module.min.js';
import { dice, seedOf } from './chance.js';
import { ball, box, cone, join, solid, tube } from './forms.js';

/** @typedef {import('./forms.js').Part} Part */

const PAPERS = ['#f5ecd0', '#ffd9a0', '#cfe8ff', '#ffc2c2', '#d9f5c8'];

/** A point on a circle. @param {number} a @param {number} r @param {number} y */
const round = (a, r, y) => [Math.sin(a) * r, y, Math.cos(a) * r];

/** A drum of slate, chalked over and pinned full. @param {number} r @param {() => number} chance @returns {Part[]} */
function board(r, chance) {
  const parts = /** @type {Part[]} */ ([
    { form: tube(r, r * 1.06, 0.5, 16), at: [0, 0.25, 0], color: '#6a5a4c' },
    { form: tube(r * 0.8, r * 0.82, 3.6, 16), at: [0, 2.2, 0], color: '#2b3038' },
    { form: tube(r * 0.86, r * 0.86, 0.25, 16), at: [0, 4, 0], color: '#7d5833' },
    { form: cone(r * 1.12, 2.4, 8), at: [0, 5.3, 0], color: '#8a3f2c' },
    { form: cone(r * 0.5, 1.4, 8), at: [0, 6.4, 0], color: '#a24b32' },
    { form: ball(0.3, 1), at: [0, 7.2, 0], color: '#ffcf6b', glow: 1.2 },
  ]);
  for (let i = 0; i < 8; i++) parts.push({ form: tube(0.14, 0.18, 3.8, 6), at: round((i + 0.5) * 0.785, r * 0.95, 2.1), color: '#5c3f26' });
  for (let i = 0; i < 46; i++) {
    const a = chance() * 6.28;
    parts.push({
      form: box(0.42 + chance() * 0.3, 0.4 + chance() * 0.3, 0.05), at: round(a, r * 0.83, 1 + chance() * 2.6),
      turn: [0, a, 0], color: PAPERS[Math.floor(chance() * PAPERS.length)], glow: 0.3,
    });
  }
  return parts;
}

/** A domed bazaar with awnings and lamps. @param {number} r @param {() => number} chance @returns {Part[]} */
function market(r, chance) {
  const parts = /** @type {Part[]} */ ([
    { form: tube(r * 0.98, r * 1.02, 0.4, 20), at: [0, 0.2, 0], color: '#71604c' },
    { form: tube(r * 0.72, r * 0.76, 3, 20), at: [0, 1.8, 0], color: '#8a6a4b' },
    { form: new THREE.SphereGeometry(r * 0.74, 20, 7, 0, 6.2832, 0, Math.PI / 2), at: [0, 3.2, 0], color: '#2f7f86' },
    { form: tube(r * 0.77, r * 0.77, 0.22, 20), at: [0, 3.25, 0], color: '#e0b054', glow: 0.15 },
    { form: tube(0.08, 0.12, 1.4, 6), at: [0, 3.7 + r * 0.74, 0], color: '#e0b054' },
    { form: ball(0.36, 1), at: [0, 4.5 + r * 0.74, 0], color: '#7ff2e0', glow: 1.3 },
  ]);
  for (let i = 0; i < 16; i++) {
    const a = (i / 16) * 6.2832;
    parts.push({ form: box(r * 0.4, 0.08, r * 0.36), at: round(a, r * 0.88, 2.75), turn: [0.5, a, 0], color: i % 2 ? '#d94f3d' : '#f4e3bd' });
    if (i % 2) parts.push({ form: tube(0.09, 0.11, 2.5, 6), at: round(a, r * 0.98, 1.25), color: '#5c3f26' });
    if (i % 2 === 0) parts.push({ form: box(0.9, 1.1, 0.12), at: round(a, r * 0.75, 1.2), turn: [0, a, 0], color: '#ffb659', glow: 0.85 });
    parts.push({ form: ball(0.2, 1), at: round(a + 0.2, r * 0.98, 2.25), color: ['#ffcf6b', '#ff8f6b', '#8fe3ff'][i % 3], glow: 1.1 });
    if (chance() < 0.6) parts.push({ form: box(0.5, 0.5, 0.5), at: round(a + 0.1, r * 0.93, 0.62), turn: [0, chance() * 3, 0], color: '#94703f' });
  }
  return parts;
}

/** A ring of standing stone that holds the light of other rooms. @param {number} r @returns {Part[]} */
function portal(r) {
  const parts = /** @type {Part[]} */ ([0, 1, 2].map((i) => ({
    form: tube(r * (1 - i * 0.16), r * (1.04 - i * 0.16), 0.36, 24), at: [0, 0.18 + i * 0.34, 0], color: ['#4d4658', '#5b5368', '#6a6178'][i],
  })));
  const high = r * 0.78;
  for (let i = 0; i < 22; i++) {
    const a = (i / 22) * 6.2832;
    parts.push({
      form: box(r * 0.25, r * 0.2, r * 0.3), at: [Math.sin(a) * high, 0.9 + high + Math.cos(a) * high, 0],
      turn: [0, 0, -a], color: i % 2 ? '#6c6485' : '#575070',
    });
    if (i % 2) parts.push({ form: box(0.16, 0.3, r * 0.31), at: [Math.sin(a) * high, 0.9 + high + Math.cos(a) * high, 0], turn: [0, 0, -a], color: '#8ff0ff', glow: 1.2 });
  }
  for (const x of [-1, 1]) {
    parts.push({ form: cone(0.7, 3.4, 5), at: [x * r * 0.86, 1.7, r * 0.3], color: '#575070' });
    parts.push({ form: cone(0.4, 1.2, 5), at: [x * r * 0.86, 3.2, r * 0.3], color: '#8ff0ff', glow: 0.9 });
  }
  return parts;
}

/** A round house, for every other kind. @param {number} r @returns {Part[]} */
function hall(r) {
  const parts = /** @type {Part[]} */ ([
    { form: tube(r * 0.9, r, 3.4, 14), at: [0, 1.7, 0], color: '#7b6a58' },
    { form: cone(r * 1.15, r * 0.9, 14), at: [0, 3.4 + r * 0.42, 0], color: '#5c3b2a' },
    { form: box(1.5, 2.2, 0.3), at: [0, 1.1, r * 0.95], color: '#3a2618' },
  ]);
  for (let i = 1; i < 6; i++) parts.push({ form: box(0.7, 0.9, 0.2), at: round(i * 1.047, r * 0.94, 2), turn: [0, i * 1.047, 0], color: '#ffb659', glow: 1 });
  return parts;
}

/** @type {Record<string, (r: number, chance: () => number) => Part[]>} */
const KINDS = { board, market, portal, hall };

const SWIRL = `
uniform float time; varying vec2 vAt;
void main() {
  vec2 p = (vAt - 0.5) * 2.0;
  float far = length(p);
  if (far > 1.0) discard;
  float a = atan(p.y, p.x);
  float arms = 0.5 + 0.5 * sin(a * 3.0 + far * 9.0 - time * 1.6);
  float rings = 0.5 + 0.5 * sin(far * 22.0 - time * 2.3 + sin(a * 5.0) * 0.8);
  vec3 tone = mix(vec3(0.10, 0.05, 0.32), vec3(0.25, 0.85, 1.0), arms * rings * (1.0 - far * 0.35));
  tone += vec3(0.75, 0.55, 1.0) * smoothstep(0.45, 0.0, far) * 0.7;
  gl_FragColor = vec4(tone, 0.93 * smoothstep(1.0, 0.9, far));
}`;

/** The light inside a portal. @param {{value: number}} time */
function swirl(time) {
  return new THREE.ShaderMaterial({
    uniforms: { time }, transparent: true, side: THREE.DoubleSide, depthWrite: false,
    vertexShader: 'varying vec2 vAt; void main() { vAt = uv; gl_Position = projectionMatrix * modelViewMatrix * vec4(position, 1.0); }',
    fragmentShader: SWIRL,
  });
}

/**
 * @param {import('../state.js').Building[]} list @param {import('./halos.js').Halos} halos
 * @returns {{group: THREE.Group, time: {value: number}}}
 */
export function buildings(list, halos) {
  const group = new THREE.Group();
  const time = { value: 0 };
  for (const { id, kind, x, z, radius } of list) {
    const chance = dice(seedOf(id));
    const mesh = new THREE.Mesh(join((KINDS[kind] ?? hall)(radius, chance)), solid);
    mesh.position.set(x, 0, z);
    mesh.name = id;
    group.add(mesh);
    if (kind === 'portal') {
      const disc = new THREE.Mesh(new THREE.CircleGeometry(radius * 0.72, 40), swirl(time));
      disc.position.set(x, 0.9 + radius * 0.78, z);
      disc.renderOrder = 2;
      group.add(disc);
      halos.add(x, 0.9 + radius * 0.78, z, '#6ad4ff', radius * 3.4, 0.05, 0.5);
    } else halos.add(x, kind === 'market' ? 4.5 + radius * 0.74 : 7.2, z, kind === 'market' ? '#7ff2e0' : '#ffcf6b', 4, 0.05, 0.5);
  }
  return { group, time };
}

/** How high a building's name hangs. @param {import('../state.js').Building} building */
export function nameHeight({ kind, radius }) {
  return kind === 'portal' ? radius * 1.8 + 1.6 : kind === 'market' ? radius * 0.74 + 5.6 : 8;
}
