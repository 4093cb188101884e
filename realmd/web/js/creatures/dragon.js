/** The dragon: large, winged, lit from within. */
import * as THREE from '../../vendor/three.module.min.js';
import { ball, box, cone, join, tube } from '../scene/forms.js';

const HORN = '#f0e6d2';
const BELLY = '#d9c8ff';
const EYE = '#ffd04a';

/** A wing as a fan of panels between long fingers. @param {number} side 1 left, -1 right */
function wing(side) {
  const tips = [[1.9, 1.25, -0.1], [2.15, 0.45, -0.75], [1.75, -0.15, -1.2], [0.9, -0.35, -1.3], [0.05, -0.1, -0.9]];
  const web = new THREE.BufferGeometry();
  const corners = [];
  for (let i = 0; i + 1 < tips.length; i++) {
    const [a, b] = [tips[i], tips[i + 1]];
    const sag = [(a[0] + b[0]) * 0.44, (a[1] + b[1]) * 0.44, (a[2] + b[2]) * 0.44];
    corners.push([0, 0, 0], a, sag, [0, 0, 0], sag, b);
  }
  web.setAttribute('position', new THREE.Float32BufferAttribute(corners.flatMap(([x, y, z]) => [x * side, y, z]), 3));
  const bones = tips.slice(0, 4).map(([x, y, z]) => {
    const to = new THREE.Vector3(x * side, y, z);
    const form = tube(0.02, 0.06, to.length(), 5);
    form.applyMatrix4(new THREE.Matrix4().makeTranslation(0, to.length() / 2, 0));
    form.applyQuaternion(new THREE.Quaternion().setFromUnitVectors(new THREE.Vector3(0, 1, 0), to.normalize()));
    return { form, tint: 0.8, color: '#ffffff' };
  });
  return join([{ form: web, tint: 0.9, color: '#ffc9f0', glow: 0.22 }, ...bones]);
}

/** @returns {import('./rig.js').Rig} */
export function dragon() {
  const spikes = [0.62, 0.3, -0.05, -0.4].map((z, i) => ({
    form: cone(0.09, 0.3 - i * 0.02, 4), at: [0, 0.52 - Math.abs(z - 0.2) * 0.1, z], turn: [-0.5, 0, 0], color: HORN,
  }));
  const torso = join([
    { form: ball(0.55, 2), size: [0.92, 0.88, 1.5], tint: 1 },
    { form: ball(0.45, 1), size: [0.8, 0.8, 1.55], at: [0, -0.14, 0.08], color: BELLY, glow: 0.12 },
    ...spikes,
  ]);
  const neck = join([
    { form: tube(0.2, 0.36, 0.75, 7), at: [0, 0.26, 0.12], turn: [0.45, 0, 0], tint: 1 },
    { form: tube(0.17, 0.22, 0.6, 7), at: [0, 0.78, 0.3], turn: [0.18, 0, 0], tint: 1 },
    { form: cone(0.07, 0.24, 4), at: [0, 0.5, -0.08], turn: [-0.5, 0, 0], color: HORN },
    { form: cone(0.06, 0.2, 4), at: [0, 0.85, 0.08], turn: [-0.5, 0, 0], color: HORN },
  ]);
  const head = join([
    { form: ball(0.28, 1), size: [0.95, 0.85, 1.1], at: [0, 0.06, 0.04], tint: 1 },
    { form: tube(0.13, 0.22, 0.5, 6), at: [0, 0.02, 0.42], turn: [Math.PI / 2, 0, 0], size: [1, 1, 0.75], tint: 1 },
    { form: box(0.26, 0.06, 0.42), at: [0, -0.12, 0.38], color: BELLY },
    { form: ball(0.05, 0), at: [0.08, 0.1, 0.65], color: '#ff8a3c', glow: 1 },
    { form: ball(0.05, 0), at: [-0.08, 0.1, 0.65], color: '#ff8a3c', glow: 1 },
    { form: ball(0.075, 1), at: [0.18, 0.16, 0.2], color: EYE, glow: 1.4 },
    { form: ball(0.075, 1), at: [-0.18, 0.16, 0.2], color: EYE, glow: 1.4 },
    { form: cone(0.08, 0.62, 5), at: [0.17, 0.36, -0.28], turn: [-1, 0, -0.22], color: HORN },
    { form: cone(0.08, 0.62, 5), at: [-0.17, 0.36, -0.28], turn: [-1, 0, 0.22], color: HORN },
    { form: cone(0.09, 0.3, 4), at: [0.3, 0, -0.08], turn: [-0.5, 0, -1.2], size: [1, 1, 0.4], tint: 0.7 },
    { form: cone(0.09, 0.3, 4), at: [-0.3, 0, -0.08], turn: [-0.5, 0, 1.2], size: [1, 1, 0.4], tint: 0.7 },
  ]);
  const leg = join([
    { form: tube(0.2, 0.13, 0.5, 6), at: [0, -0.18, 0], tint: 1 },
    { form: tube(0.11, 0.12, 0.3, 6), at: [0, -0.52, 0.02], tint: 0.9 },
    { form: box(0.28, 0.12, 0.38), at: [0, -0.68, 0.08], tint: 0.85 },
    ...[-0.09, 0, 0.09].map((x) => ({ form: cone(0.04, 0.14, 4), at: [x, -0.7, 0.31], turn: [Math.PI / 2, 0, 0], color: HORN })),
  ]);
  const tail = join([
    { form: cone(0.34, 1.3, 7), at: [0, 0, -0.55], turn: [-Math.PI / 2, 0, 0], tint: 1 },
    { form: cone(0.07, 0.22, 4), at: [0, 0.26, -0.3], turn: [-0.5, 0, 0], color: HORN },
    { form: cone(0.06, 0.18, 4), at: [0, 0.18, -0.65], turn: [-0.5, 0, 0], color: HORN },
  ]);
  const tip = join([
    { form: cone(0.13, 0.9, 6), at: [0, 0, -0.3], turn: [-Math.PI / 2, 0, 0], tint: 1 },
    { form: cone(0.2, 0.4, 4), at: [0, 0, -0.75], turn: [-Math.PI / 2, 0, 0], size: [1, 1, 0.35], color: '#ff9a4d', glow: 0.5 },
  ]);
  return {
    height: 2.35,
    hip: 0.74,
    joints: [
      { name: 'torso', form: torso, at: [0, 0.98, 0] },
      { name: 'neck', form: neck, at: [0, 0.16, 0.6], on: 0 },
      { name: 'head', form: head, at: [0, 1.05, 0.38], on: 1 },
      { name: 'legL', form: leg, at: [0.42, 0.74, 0.5] },
      { name: 'legR', form: leg, at: [-0.42, 0.74, 0.5] },
      { name: 'hindL', form: leg, at: [0.42, 0.74, -0.5] },
      { name: 'hindR', form: leg, at: [-0.42, 0.74, -0.5] },
      { name: 'wingL', form: wing(1), at: [0.28, 0.36, 0.25], on: 0, thin: true },
      { name: 'wingR', form: wing(-1), at: [-0.28, 0.36, 0.25], on: 0, thin: true },
      { name: 'tail', form: tail, at: [0, 0, -0.68], on: 0 },
      { name: 'tip', form: tip, at: [0, 0, -1.05], on: 9 },
    ],
  };
}
