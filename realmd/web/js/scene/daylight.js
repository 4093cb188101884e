/** The day of the realm: the sky over the hole in the vault, and the shaft of light that falls through. */
import * as THREE from '../../vendor/three.module.min.js';
import { hourOf } from '../hours.js';

export class Daylight {
  /** @param {{x: number, z: number}} centre @param {number} reach @param {number} tall */
  constructor(centre, reach, tall) {
    this.group = new THREE.Group();
    this.group.position.set(centre.x, 0, centre.z);
    /** More light from above where no lamp shines on what moves. */
    this.boost = 1;
    this.sky = new THREE.MeshBasicMaterial({ fog: false });
    const hole = new THREE.Mesh(new THREE.CircleGeometry(reach * 0.3, 32).rotateX(Math.PI / 2), this.sky);
    hole.position.y = 37 * tall;
    this.shaft = new THREE.MeshBasicMaterial({
      vertexColors: true, blending: THREE.AdditiveBlending, transparent: true, depthWrite: false, side: THREE.DoubleSide, fog: false,
    });
    const cone = new THREE.Mesh(shaft(reach * 0.2, reach * 0.34, 35 * tall), this.shaft);
    cone.renderOrder = 4;
    this.above = new THREE.HemisphereLight(0xffffff, 0x3a2418, 1);
    this.sun = new THREE.DirectionalLight(0xffffff, 1);
    this.sun.position.set(8, 40, 14);
    this.group.add(hole, cone, this.above, this.sun, this.sun.target);
  }

  /** @param {number} ms the daemon's time */
  update(ms) {
    const { a, b, k } = hourOf(ms);
    const strong = a[4] + (b[4] - a[4]) * k;
    this.sky.color.set(a[2]).lerp(SCRATCH.set(b[2]), k);
    this.sun.color.set(a[3]).lerp(SCRATCH.set(b[3]), k);
    this.shaft.color.copy(this.sun.color).multiplyScalar(0.07 + 0.1 * strong);
    this.above.color.copy(this.sun.color).lerp(SCRATCH.set('#8a86b8'), 0.55);
    this.above.intensity = (0.95 + 0.45 * strong) * this.boost;
    this.sun.intensity = 0.35 + 1.1 * strong;
  }
}

const SCRATCH = new THREE.Color();

/** @param {number} top @param {number} bottom @param {number} height */
function shaft(top, bottom, height) {
  const form = new THREE.CylinderGeometry(top, bottom, height, 36, 6, true).translate(0, height / 2, 0);
  const { position } = form.attributes;
  const tone = new Float32Array(position.count * 3);
  for (let i = 0; i < position.count; i++) {
    const share = position.getY(i) / height;
    const angle = Math.atan2(position.getX(i), position.getZ(i));
    const streak = 0.55 + 0.45 * Math.sin(angle * 7) * Math.sin(angle * 3 + 1);
    tone.fill(share ** 1.6 * streak, i * 3, i * 3 + 3);
  }
  form.setAttribute('color', new THREE.BufferAttribute(tone, 3));
  return form;
}
