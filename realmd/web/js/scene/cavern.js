/** The rock around the realm: walls that rise and close to a vault with a hole to the sky. */
import * as THREE from '../../vendor/three.module.min.js';
import { dice, rough } from './chance.js';
import { cone, join, many } from './forms.js';

const AROUND = 132;
/** How the wall rises: share of the way in, units beyond the bounds, height. */
const PROFILE = [
  [0, 2, -0.6], [0, 3.5, 2.5], [0, 5.5, 6], [0, 7, 10], [0, 7, 14], [0, 5, 18], [0.06, 3, 21.5],
  [0.16, 0, 25], [0.3, 0, 28], [0.46, 0, 30.5], [0.62, 0, 32.5], [0.76, 0, 34], [0.8, 0, 36],
];

export class Cavern {
  /** @param {import('../state.js').Atlas} atlas @param {import('./glow.js').Glow} glow */
  constructor(atlas, glow) {
    const { minX, maxX, minZ, maxZ } = atlas.bounds;
    this.centre = { x: (minX + maxX) / 2, z: (minZ + maxZ) / 2 };
    this.reach = Math.max(maxX - minX, maxZ - minZ) / 2;
    this.tall = Math.max(0.6, Math.min(2, this.reach / 50));
    this.glow = glow;
    this.group = new THREE.Group();
    this.group.add(this.shell(), ...this.rocks());
  }

  /** A point of the rock: `a` around (0 to 1), `row` of the profile. @param {number} a @param {number} row */
  point(a, row) {
    const [inward, beyond, height] = PROFILE[row];
    const angle = a * 2 * Math.PI;
    const square = 6 - 4 * Math.min(1, inward * 1.6);
    const c = Math.cos(angle);
    const s = Math.sin(angle);
    const bulge = (Math.abs(c) ** square + Math.abs(s) ** square) ** (-1 / square);
    const far = (this.reach + beyond) * bulge * (1 - inward);
    const knob = row === 0 ? 0.3 : 1;
    const bump = (rough(c * 6 + row * 0.7, s * 6 + 20) - 0.5) * 7 * knob + (rough(c * 19 + row, s * 19) - 0.5) * 3 * knob;
    const out = far + Math.max(row < 3 ? -0.6 : -9, bump);
    const y = (height + (row > 1 ? (rough(c * 7 + 40, s * 7 + row) - 0.5) * 4 : 0)) * this.tall;
    return new THREE.Vector3(this.centre.x + c * out, y, this.centre.z + s * out);
  }

  shell() {
    const position = [];
    const color = [];
    const tone = new THREE.Color();
    const light = new THREE.Color();
    for (let row = 0; row + 1 < PROFILE.length; row++) {
      for (let i = 0; i < AROUND; i++) {
        const [a, b] = [i / AROUND, ((i + 1) % AROUND) / AROUND];
        const [p, q, r, s] = [this.point(a, row), this.point(b, row), this.point(a, row + 1), this.point(b, row + 1)];
        for (const corner of [p, q, r, q, s, r]) {
          position.push(corner.x, corner.y, corner.z);
          const shade = 0.5 + 0.75 * rough(corner.x / 3 + corner.y, corner.z / 3);
          tone.setRGB(0.34 * shade, 0.28 * shade, 0.3 * shade);
          this.glow.at(corner.x * 0.97, corner.z * 0.97, light);
          const near = Math.exp(-(((corner.y - 3) / (7 * this.tall)) ** 2));
          tone.r *= 0.8 + light.r * 3.4 * near;
          tone.g *= 0.8 + light.g * 3.4 * near;
          tone.b *= 0.8 + light.b * 3.4 * near;
          color.push(tone.r, tone.g, tone.b);
        }
      }
    }
    const form = new THREE.BufferGeometry();
    form.setAttribute('position', new THREE.Float32BufferAttribute(position, 3));
    form.setAttribute('color', new THREE.Float32BufferAttribute(color, 3));
    form.computeVertexNormals();
    const mesh = new THREE.Mesh(form, new THREE.MeshLambertMaterial({ vertexColors: true }));
    mesh.name = 'shell';
    return mesh;
  }

  /** Stalagmites and boulders at the foot of the wall, stalactites above. */
  rocks() {
    const chance = dice(31);
    const light = new THREE.Color();
    const tone = (/** @type {number} */ x, /** @type {number} */ z, boost = 1.6) => {
      const shade = 0.5 + chance() * 0.4;
      this.glow.at(x * 0.97, z * 0.97, light);
      return new THREE.Color(0.4 * shade, 0.33 * shade, 0.34 * shade).multiply(
        new THREE.Color(1 + light.r * boost, 1 + light.g * boost, 1 + light.b * boost),
      );
    };
    const standing = [];
    const boulders = [];
    for (let i = 0; i < 150; i++) {
      const foot = this.point(chance(), 0);
      const pull = 1.005 + chance() * 0.05;
      const [x, z] = [foot.x * pull, foot.z * pull];
      const size = 0.5 + chance() ** 2 * 1.5;
      if (i % 2) standing.push({ x, y: -0.3, z, turn: chance() * 6, lean: (chance() - 0.5) * 0.2, size: [size, size * (1.2 + chance() * 2), size], color: tone(x, z) });
      else boulders.push({ x, y: 0, z, turn: chance() * 6, lean: chance(), size: [size * 1.1, size * 0.8, size], color: tone(x, z) });
    }
    const hanging = [];
    for (let i = 0; i < 120; i++) {
      const top = this.point(chance(), 6 + Math.floor(chance() * 6));
      const size = 0.4 + chance() ** 2 * 1.6;
      hanging.push({ x: top.x * 0.97, y: top.y, z: top.z * 0.97, turn: chance() * 6, size: [size, size * (2 + chance() * 3), size], color: tone(top.x, top.z, 0) });
    }
    const spike = join([{ form: cone(1, 2.6, 6), at: [0, 1.2, 0], tint: 1 }, { form: cone(0.6, 1.3, 5), at: [0.8, 0.5, 0.2], turn: [0, 0, -0.12], tint: 1 }]);
    const drop = join([{ form: cone(0.8, 2.4, 6), at: [0, -1.1, 0], turn: [Math.PI, 0, 0], tint: 1 }]);
    const stone = join([{ form: new THREE.DodecahedronGeometry(1), tint: 1 }]);
    return [many(spike, standing), many(stone, boulders), many(drop, hanging)];
  }
}
