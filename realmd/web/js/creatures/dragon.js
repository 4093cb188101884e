/** The dragon: large, winged, lit from within. */
import * as THREE from '../../vendor/three.module.min.js';
import { ball, box, cone, join, tube } from '../scene/forms.js';

const HORN = '#f0e6d2';
const BELLY = '#d9c8ff';
const EYE = '#ffd04a';

/** A wing as a fan of panels between long fingers. @param {number} side 1 left, -1 right */
function wing(side) {
  const tips = [[1.5, 1.75, 0.35], [2.6, 1.7, -0.35], [2.75, 0.75, -1.05], [2.2, 0.05, -1.55], [1.3, -0.3, -1.75], [0.3, -0.25, -1.45]];
  const web = new THREE.BufferGeometry();
  const corners = [];
  for (let i = 0; i + 1 < tips.length; i++) {
    const [a, b] = [tips[i], tips[i + 1]];
    const sag = [(a[0] + b[0]) * 0.43, (a[1] + b[1]) * 0.43, (a[2] + b[2]) * 0.43];
    corners.push([0, 0, 0], a, sag, [0, 0, 0], sag, b);
  }
  web.setAttribute('position', new THREE.Float32BufferAttribute(corners.flatMap(([x, y, z]) => [x * side, y, z]), 3));
  const bones = tips.slice(0, 5).map(([x, y, z], i) => {
    const to = new THREE.Vector3(x * side, y, z);
    const form = tube(0.015, i ? 0.05 : 0.1, to.length(), 5);
    form.applyMatrix4(new THREE.Matrix4().makeTranslation(0, to.length() / 2, 0));
    form.applyQuaternion(new THREE.Quaternion().setFromUnitVectors(new THREE.Vector3(0, 1, 0), to.normalize()));
    return { form, tint: 0.9, color: '#ffffff' };
  });
  const claw = { form: cone(0.06, 0.26, 4), at: [1.5 * side, 1.86, 0.38], color: HORN };
  return join([{ form: web, tint: 0.9, color: '#dcb8f2', glow: 0.16 }, ...bones, claw]);
}

/** A limb with claws. @param {number} thick */
function limb(thick) {
  return join([
    { form: ball(0.3 * thick, 1), size: [0.8, 1.2, 1], at: [0, -0.08, 0], tint: 1 },
    { form: tube(0.15 * thick, 0.11 * thick, 0.5, 6), at: [0, -0.44, 0.02], tint: 0.95 },
    { form: ball(0.19 * thick, 1), size: [1, 0.55, 1.3], at: [0, -0.69, 0.09], tint: 0.9 },
    ...[-0.1, 0, 0.1].map((x) => ({ form: cone(0.05, 0.18, 4), at: [x, -0.71, 0.34], turn: [Math.PI / 2 + 0.25, 0, 0], color: HORN })),
  ]);
}

function skull() {
  const halves = [1, -1].flatMap((side) => [
    { form: ball(0.055, 0), at: [0.1 * side, 0.13, 0.78], color: '#ff8a3c', glow: 1 },
    { form: ball(0.085, 1), at: [0.215 * side, 0.19, 0.26], color: EYE, glow: 1.2 },
    { form: box(0.04, 0.13, 0.06), at: [0.27 * side, 0.19, 0.3], turn: [0, 0.5 * side, 0], color: '#1c0d12' },
    { form: box(0.08, 0.08, 0.34), at: [0.2 * side, 0.31, 0.26], turn: [0.25, 0.25 * side, 0.35 * -side], tint: 0.75 },
    { form: tube(0.07, 0.11, 0.42, 6), at: [0.19 * side, 0.33, -0.26], turn: [-1.15, 0, -0.25 * side], color: HORN },
    { form: cone(0.07, 0.5, 6), at: [0.27 * side, 0.55, -0.58], turn: [-0.6, 0, -0.2 * side], color: HORN },
    { form: cone(0.13, 0.46, 4), at: [0.4 * side, 0.02, -0.16], turn: [-0.7, 0, -1.2 * side], size: [1, 1, 0.35], tint: 0.7 },
    { form: cone(0.025, 0.12, 4), at: [0.12 * side, -0.1, 0.72], turn: [Math.PI, 0, 0], color: '#ffffff' },
    { form: cone(0.025, 0.1, 4), at: [0.14 * side, -0.1, 0.55], turn: [Math.PI, 0, 0], color: '#ffffff' },
  ]);
  return join([
    { form: ball(0.34, 1), size: [0.95, 0.85, 1.1], at: [0, 0.1, 0.02], tint: 1 },
    { form: tube(0.17, 0.29, 0.6, 7), at: [0, 0.05, 0.5], turn: [Math.PI / 2, 0, 0], size: [1, 1, 0.7], tint: 1 },
    { form: tube(0.12, 0.22, 0.62, 7), at: [0, -0.14, 0.42], turn: [Math.PI / 2 + 0.12, 0, 0], size: [1, 1, 0.4], color: BELLY, tint: 0.3 },
    ...halves,
  ]);
}

/** @returns {import('./rig.js').Rig} */
export function dragon() {
  const spikes = [0.62, 0.36, 0.08, -0.2, -0.48].map((z, i) => ({
    form: cone(0.1, 0.34 - i * 0.025, 4), at: [0, 0.55 - Math.abs(z - 0.1) * 0.14, z], turn: [-0.5, 0, 0], color: HORN,
  }));
  const torso = join([
    { form: ball(0.56, 2), size: [0.95, 0.92, 1.5], tint: 1 },
    { form: ball(0.5, 1), size: [0.9, 1, 0.95], at: [0, 0.06, 0.48], tint: 1 },
    ...[0.75, 0.5, 0.22, -0.08, -0.38].map((z, i) => ({ form: ball(0.34 - i * 0.015, 1), size: [0.95, 0.5, 0.6], at: [0, -0.36 + Math.abs(z - 0.1) * 0.16, z], color: BELLY, tint: 0.25 })),
    ...spikes,
  ]);
  const neck = join([
    { form: tube(0.29, 0.42, 0.6, 8), at: [0, 0.2, 0.14], turn: [0.6, 0, 0], tint: 1 },
    { form: tube(0.24, 0.3, 0.5, 8), at: [0, 0.58, 0.36], turn: [0.35, 0, 0], tint: 1 },
    { form: tube(0.24, 0.25, 0.36, 8), at: [0, 0.92, 0.44], turn: [-0.05, 0, 0], tint: 1 },
    ...[0.25, 0.52, 0.8].map((y, i) => ({ form: ball(0.2, 1), size: [0.9, 0.7, 0.6], at: [0, y, 0.42 + i * 0.1], color: BELLY, tint: 0.25 })),
    ...[0.28, 0.58, 0.9].map((y, i) => ({ form: cone(0.08, 0.27, 4), at: [0, y + 0.06, -0.14 + i * 0.16], turn: [-0.7, 0, 0], color: HORN })),
  ]);
  const tail = join([
    { form: tube(0.2, 0.42, 1.1, 8), at: [0, -0.08, -0.5], turn: [-Math.PI / 2 - 0.1, 0, 0], tint: 1 },
    ...[0.2, 0.5, 0.8].map((z, i) => ({ form: cone(0.08, 0.26 - i * 0.03, 4), at: [0, 0.28 - i * 0.12, -z], turn: [-0.6, 0, 0], color: HORN })),
  ]);
  const tip = join([
    { form: cone(0.2, 1.3, 7), at: [0, 0.02, -0.58], turn: [-Math.PI / 2 + 0.1, 0, 0], tint: 1 },
    { form: cone(0.26, 0.5, 4), at: [0, 0.1, -1.2], turn: [-Math.PI / 2 + 0.1, 0, 0], size: [1, 1, 0.3], color: '#ff9a4d', glow: 0.5 },
  ]);
  const [fore, hind] = [limb(1), limb(1.15)];
  return {
    height: 2.35,
    hip: 0.74,
    joints: [
      { name: 'torso', form: torso, at: [0, 0.98, 0] },
      { name: 'neck', form: neck, at: [0, 0.16, 0.6], on: 0 },
      { name: 'head', form: skull(), at: [0, 1.12, 0.42], on: 1 },
      { name: 'legL', form: fore, at: [0.42, 0.76, 0.5] },
      { name: 'legR', form: fore, at: [-0.42, 0.76, 0.5] },
      { name: 'hindL', form: hind, at: [0.42, 0.78, -0.52] },
      { name: 'hindR', form: hind, at: [-0.42, 0.78, -0.52] },
      { name: 'wingL', form: wing(1), at: [0.26, 0.42, 0.3], on: 0, thin: true },
      { name: 'wingR', form: wing(-1), at: [-0.26, 0.42, 0.3], on: 0, thin: true },
      { name: 'tail', form: tail, at: [0, 0, -0.66], on: 0 },
      { name: 'tip', form: tip, at: [0, -0.12, -1], on: 9 },
    ],
  };
}
