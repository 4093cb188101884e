/** Those who come from elsewhere: hooded agents with a lantern of their colour, and humans. */
import { ball, box, cone, join, tube } from '../scene/forms.js';

const SKIN = '#e2b48c';
const LEATHER = '#5b4030';

/** An agent: a robe with light under the hood. @returns {import('./rig.js').Rig} */
export function guest() {
  const torso = join([
    { form: cone(0.42, 1.05, 8), at: [0, 0.08, 0], tint: 1 },
    { form: tube(0.3, 0.34, 0.1, 8), at: [0, 0.12, 0], color: LEATHER },
    { form: box(0.16, 0.16, 0.06), at: [0, 0.28, 0.26], color: '#bff4ff', glow: 0.9 },
  ]);
  const head = join([
    { form: ball(0.27, 1), at: [0, 0.16, -0.02], size: [1, 1.1, 1], tint: 0.85 },
    { form: cone(0.2, 0.34, 6), at: [0, 0.42, -0.16], turn: [-0.7, 0, 0], tint: 0.85 },
    { form: ball(0.2, 1), at: [0, 0.14, 0.09], color: '#14101c' },
    { form: ball(0.05, 1), at: [0.085, 0.17, 0.27], color: '#bff4ff', glow: 1.5 },
    { form: ball(0.05, 1), at: [-0.085, 0.17, 0.27], color: '#bff4ff', glow: 1.5 },
  ]);
  const arm = join([
    { form: tube(0.08, 0.13, 0.46, 6), at: [0, -0.2, 0], tint: 0.9 },
    { form: ball(0.08, 0), at: [0, -0.46, 0], color: '#2a2230' },
  ]);
  const leg = join([{ form: box(0.16, 0.16, 0.28), at: [0, -0.1, 0.05], color: '#2a2230' }]);
  return {
    height: 1.6,
    hip: 0.2,
    joints: [
      { name: 'torso', form: torso, at: [0, 0.56, 0] },
      { name: 'head', form: head, at: [0, 0.46, 0.02], on: 0 },
      { name: 'armL', form: arm, at: [0.28, 0.36, 0.02], on: 0 },
      { name: 'armR', form: arm, at: [-0.28, 0.36, 0.02], on: 0 },
      { name: 'legL', form: leg, at: [0.15, 0.18, 0] },
      { name: 'legR', form: leg, at: [-0.15, 0.18, 0] },
    ],
  };
}

/** A human: tunic in its colour, hat, boots. @returns {import('./rig.js').Rig} */
export function human() {
  const torso = join([
    { form: tube(0.24, 0.32, 0.62, 8), at: [0, 0.22, 0], size: [1, 1, 0.75], tint: 1 },
    { form: tube(0.29, 0.3, 0.1, 8), at: [0, 0.06, 0], size: [1, 1, 0.78], color: LEATHER },
    { form: box(0.36, 0.42, 0.18), at: [0, 0.26, -0.28], color: '#7a5a3a' },
    { form: tube(0.09, 0.09, 0.42, 6), at: [0, 0.5, -0.28], turn: [0, 0, Math.PI / 2], color: '#c9b48a' },
  ]);
  const head = join([
    { form: ball(0.24, 1), at: [0, 0.2, 0], color: SKIN },
    { form: box(0.035, 0.07, 0.03), at: [0.09, 0.22, 0.22], color: '#1c130e' },
    { form: box(0.035, 0.07, 0.03), at: [-0.09, 0.22, 0.22], color: '#1c130e' },
    { form: tube(0.42, 0.42, 0.04, 9), at: [0, 0.34, 0], tint: 0.8 },
    { form: cone(0.26, 0.42, 8), at: [0, 0.56, -0.02], turn: [-0.12, 0, 0], tint: 0.8 },
    { form: tube(0.262, 0.268, 0.07, 8), at: [0, 0.39, 0], color: '#e9c46a', glow: 0.2 },
  ]);
  const arm = join([
    { form: tube(0.09, 0.08, 0.42, 6), at: [0, -0.2, 0], tint: 0.9 },
    { form: ball(0.085, 1), at: [0, -0.46, 0], color: SKIN },
  ]);
  const leg = join([
    { form: tube(0.12, 0.1, 0.4, 6), at: [0, -0.18, 0], color: '#3d3448' },
    { form: box(0.17, 0.16, 0.3), at: [0, -0.42, 0.05], color: LEATHER },
  ]);
  return {
    height: 1.85,
    hip: 0.5,
    joints: [
      { name: 'torso', form: torso, at: [0, 0.54, 0] },
      { name: 'head', form: head, at: [0, 0.52, 0.02], on: 0 },
      { name: 'armL', form: arm, at: [0.31, 0.46, 0], on: 0 },
      { name: 'armR', form: arm, at: [-0.31, 0.46, 0], on: 0 },
      { name: 'legL', form: leg, at: [0.14, 0.5, 0] },
      { name: 'legR', form: leg, at: [-0.14, 0.5, 0] },
    ],
  };
}
