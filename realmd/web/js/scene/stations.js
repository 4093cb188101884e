/** Workstations: a desk of the zone's make, and a ring that lights up while someone works there. */
import * as THREE from '../../vendor/three.module.min.js';
import { ball, box, cone, join, many, tube } from './forms.js';
import { themeOf } from './themes.js';

/** How far in front of its worker a desk stands. */
const AHEAD = 1.5;

const DESKS = {
  ember: () => join([
    { form: tube(0.5, 0.62, 0.6, 8), at: [0, 0.3, 0], color: '#4a3a30' },
    { form: box(1.5, 0.36, 0.55), at: [0, 0.8, 0], color: '#5d5f68' },
    { form: cone(0.26, 0.8, 6), at: [1.05, 0.84, 0], turn: [0, 0, -Math.PI / 2], color: '#5d5f68' },
    { form: box(0.5, 0.08, 0.3), at: [0, 1.02, 0], color: '#ff7b2d', glow: 1 },
    { form: box(0.5, 1.5, 0.4), at: [-1.1, 0.75, -0.3], color: '#3c2d28' },
    { form: box(0.34, 0.4, 0.42), at: [-1.1, 0.7, -0.28], color: '#ff8a35', glow: 1.1 },
  ]),
  crystal: () => join([
    { form: tube(0.75, 0.95, 0.7, 6), at: [0, 0.35, 0], color: '#4a4266' },
    { form: tube(0.85, 0.7, 0.16, 6), at: [0, 0.78, 0], color: '#6a5f92' },
    { form: new THREE.OctahedronGeometry(0.48), at: [0, 1.55, 0], size: [0.8, 1.25, 0.8], color: '#b99bff', glow: 1 },
    { form: cone(0.16, 0.9, 5), at: [0.75, 0.9, 0.1], turn: [0, 0, -0.25], color: '#7f8cff', glow: 0.6 },
    { form: cone(0.14, 0.7, 5), at: [-0.75, 0.85, 0.1], turn: [0, 0, 0.25], color: '#d48bff', glow: 0.6 },
  ]),
  lantern: () => join([
    { form: box(2.1, 0.9, 0.7), at: [0, 0.45, 0], color: '#7a4f2c' },
    { form: box(2.3, 0.12, 0.9), at: [0, 0.95, 0], color: '#a87440' },
    { form: ball(0.17, 1), at: [0.7, 1.1, 0.1], color: '#ffd56b', glow: 0.6 },
    { form: box(0.6, 0.05, 0.45), at: [-0.2, 1.04, 0.05], turn: [0, 0.2, 0], color: '#f2e6c4', glow: 0.2 },
    { form: box(1.5, 1, 0.08), at: [0, 1.95, -0.3], color: '#2a2530' },
    { form: box(0.14, 0.4, 0.1), at: [-0.4, 1.75, -0.26], color: '#5fe08a', glow: 1 },
    { form: box(0.14, 0.62, 0.1), at: [-0.1, 1.86, -0.26], color: '#5fe08a', glow: 1 },
    { form: box(0.14, 0.28, 0.1), at: [0.2, 1.69, -0.26], color: '#ff7a6b', glow: 1 },
    { form: box(0.14, 0.75, 0.1), at: [0.5, 1.92, -0.26], color: '#5fe08a', glow: 1 },
    { form: tube(0.05, 0.05, 1.1, 5), at: [-0.7, 1.5, -0.3], color: '#4a3020' },
    { form: tube(0.05, 0.05, 1.1, 5), at: [0.7, 1.5, -0.3], color: '#4a3020' },
  ]),
  meadow: () => join([
    { form: tube(0.3, 0.5, 0.8, 8), at: [0, 0.4, 0], color: '#5b4329' },
    { form: tube(1, 1, 0.16, 12), at: [0, 0.88, 0], color: '#8d6a3d' },
    { form: box(0.5, 0.1, 0.36), at: [-0.35, 1.02, 0.2], turn: [0, 0.5, 0], color: '#9c3d3d' },
    { form: box(0.5, 0.1, 0.36), at: [-0.32, 1.12, 0.2], turn: [0, 0.2, 0], color: '#3d6b9c' },
    { form: ball(0.2, 1), at: [0.35, 1.2, 0.1], color: '#9ff5d2', glow: 0.9 },
    { form: tube(0.14, 0.17, 0.16, 8), at: [0.35, 1.03, 0.1], color: '#6b5636' },
    { form: box(0.5, 0.03, 0.4), at: [0.1, 0.98, 0.5], turn: [0, -0.3, 0], color: '#f2e6c4', glow: 0.2 },
  ]),
};

const FREE = new THREE.Color('#4a4034');

export class Stations {
  /** @param {import('../state.js').Atlas} atlas @param {import('./halos.js').Halos} halos */
  constructor(atlas, halos) {
    this.group = new THREE.Group();
    this.list = atlas.workstations.map((station) => {
      const zone = atlas.zones.find((one) => one.id === station.zone) ?? atlas.zones[0];
      return { id: station.id, station, theme: themeOf(zone), color: new THREE.Color(themeOf(zone).light) };
    });
    for (const props of /** @type {(keyof typeof DESKS)[]} */ (Object.keys(DESKS))) {
      const own = this.list.filter((item) => item.theme.props === props);
      if (own.length) this.group.add(many(DESKS[props](), own.map(({ station }) => desk(station))));
    }
    for (const { station, theme } of this.list) {
      const { x, z } = desk(station);
      halos.add(x, 1.3, z, theme.light, 2.2, 0.06, 0.35);
    }
    const flat = { blending: THREE.AdditiveBlending, transparent: true, depthWrite: false };
    const ring = new THREE.RingGeometry(0.95, 1.2, 32).rotateX(-Math.PI / 2);
    this.rings = many(ring, this.list.map(({ station: { x, z } }) => ({ x, y: 0.05, z })), new THREE.MeshBasicMaterial(flat));
    this.beams = many(beam(), this.list.map(({ station: { x, z } }) => ({ x, z })), new THREE.MeshBasicMaterial({ ...flat, vertexColors: true, side: THREE.DoubleSide }));
    this.rings.renderOrder = this.beams.renderOrder = 3;
    this.group.add(this.rings, this.beams);
  }

  /** @param {Map<string, import('../state.js').Station>} stations @param {number} time s @param {boolean} still */
  update(stations, time, still) {
    const tone = new THREE.Color();
    this.list.forEach(({ id, color }, i) => {
      const now = stations.get(id);
      const working = Boolean(now?.workingSince);
      const pulse = still ? 1 : 0.85 + 0.15 * Math.sin(time * 3 + i);
      this.rings.setColorAt(i, now?.occupiedBy ? tone.copy(color).multiplyScalar(working ? 1.5 * pulse : 0.9) : tone.copy(FREE).multiplyScalar(0.7));
      this.beams.setColorAt(i, tone.copy(color).multiplyScalar(working ? 0.55 * pulse : now?.occupiedBy ? 0.16 : 0));
    });
    for (const mesh of [this.rings, this.beams]) if (mesh.instanceColor) mesh.instanceColor.needsUpdate = true;
  }
}

/** Where a desk stands. @param {import('../state.js').Station} station */
function desk({ x, z, rotation = 0 }) {
  return { x: x + Math.sin(rotation) * AHEAD, z: z + Math.cos(rotation) * AHEAD, turn: rotation + Math.PI };
}

/** A pillar of light that fades upwards. */
function beam() {
  const form = new THREE.CylinderGeometry(0.75, 1.05, 5, 20, 1, true).translate(0, 2.5, 0);
  const { position } = form.attributes;
  const fade = new Float32Array(position.count * 3);
  for (let i = 0; i < position.count; i++) fade.fill(position.getY(i) < 0.1 ? 0.8 : 0, i * 3, i * 3 + 3);
  form.setAttribute('color', new THREE.BufferAttribute(fade, 3));
  return form;
}
