/** A kobold: small, horned, long-tailed; its scales have its own colour. */
import { ball, box, cone, join, tube } from '../scene/forms.js';

const HORN = '#efe2c4';
const BELLY = '#f3dcae';
const EYE = '#ffe27a';
const CLOTH = '#5a4632';

/** @returns {import('./rig.js').Rig} */
export function kobold() {
  const torso = join([
    { form: ball(0.3), size: [1, 1.25, 0.9], at: [0, 0.18, 0], tint: 1 },
    { form: ball(0.24), size: [0.85, 1.1, 0.6], at: [0, 0.14, 0.14], color: BELLY },
    { form: tube(0.3, 0.34, 0.16), at: [0, -0.06, 0], color: CLOTH },
    { form: box(0.1, 0.12, 0.06), at: [0, -0.05, 0.31], color: '#d8a94a', glow: 0.25 },
    { form: box(0.1, 0.62, 0.05), at: [0.02, 0.2, 0.27], turn: [-0.12, 0, 0.62], color: CLOTH },
    { form: cone(0.07, 0.16, 4), at: [0, 0.5, -0.2], turn: [-0.6, 0, 0], color: '#ffffff', tint: 0.75 },
    { form: cone(0.07, 0.16, 4), at: [0, 0.28, -0.29], turn: [-1, 0, 0], color: '#ffffff', tint: 0.75 },
  ]);
  const head = join([
    { form: ball(0.27), size: [1, 0.92, 1], at: [0, 0.16, 0.02], tint: 1 },
    { form: tube(0.1, 0.17, 0.34, 6), at: [0, 0.1, 0.32], turn: [Math.PI / 2, 0, 0], size: [1, 1, 0.72], tint: 1 },
    { form: box(0.2, 0.05, 0.28), at: [0, 0.02, 0.32], color: BELLY },
    { form: ball(0.075, 1), at: [0.15, 0.24, 0.2], color: EYE, glow: 0.9 },
    { form: ball(0.075, 1), at: [-0.15, 0.24, 0.2], color: EYE, glow: 0.9 },
    { form: box(0.03, 0.1, 0.03), at: [0.17, 0.24, 0.265], color: '#150d0a' },
    { form: box(0.03, 0.1, 0.03), at: [-0.17, 0.24, 0.265], color: '#150d0a' },
    { form: cone(0.075, 0.4, 5), at: [0.16, 0.46, -0.14], turn: [-0.75, 0, -0.3], color: HORN },
    { form: cone(0.075, 0.4, 5), at: [-0.16, 0.46, -0.14], turn: [-0.75, 0, 0.3], color: HORN },
    { form: cone(0.1, 0.34, 4), at: [0.33, 0.2, -0.06], turn: [0, 0, -1.3], size: [1, 1, 0.4], tint: 0.8 },
    { form: cone(0.1, 0.34, 4), at: [-0.33, 0.2, -0.06], turn: [0, 0, 1.3], size: [1, 1, 0.4], tint: 0.8 },
  ]);
  const arm = join([
    { form: tube(0.08, 0.07, 0.4, 6), at: [0, -0.2, 0], tint: 1 },
    { form: ball(0.1, 0), at: [0, -0.42, 0.02], tint: 0.85 },
    { form: cone(0.03, 0.1, 4), at: [0.05, -0.5, 0.05], turn: [Math.PI, 0, 0], color: HORN },
    { form: cone(0.03, 0.1, 4), at: [-0.05, -0.5, 0.05], turn: [Math.PI, 0, 0], color: HORN },
  ]);
  const leg = join([
    { form: tube(0.13, 0.09, 0.34, 6), at: [0, -0.15, 0], tint: 1 },
    { form: box(0.17, 0.1, 0.3), at: [0, -0.37, 0.07], tint: 0.85 },
    { form: cone(0.03, 0.09, 4), at: [0.05, -0.39, 0.25], turn: [Math.PI / 2, 0, 0], color: HORN },
    { form: cone(0.03, 0.09, 4), at: [-0.05, -0.39, 0.25], turn: [Math.PI / 2, 0, 0], color: HORN },
  ]);
  const tail = join([
    { form: cone(0.15, 0.95, 6), at: [0, -0.06, -0.42], turn: [-1.75, 0, 0], tint: 1 },
    { form: cone(0.09, 0.2, 4), at: [0, 0.02, -0.92], turn: [-1.75, 0, 0], color: HORN },
  ]);
  return {
    height: 1.55,
    hip: 0.42,
    joints: [
      { name: 'torso', form: torso, at: [0, 0.48, 0] },
      { name: 'head', form: head, at: [0, 0.5, 0.06], on: 0 },
      { name: 'armL', form: arm, at: [0.3, 0.38, 0.02], on: 0 },
      { name: 'armR', form: arm, at: [-0.3, 0.38, 0.02], on: 0 },
      { name: 'legL', form: leg, at: [0.15, 0.42, 0] },
      { name: 'legR', form: leg, at: [-0.15, 0.42, 0] },
      { name: 'tail', form: tail, at: [0, 0.02, -0.2], on: 0 },
    ],
  };
}
