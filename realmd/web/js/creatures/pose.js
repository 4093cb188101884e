/**
 * How a body holds itself: an action and a time → angles of its joints.
 *
 * Every kind has a torso, a head, two arms or forelegs and two legs by these names; a
 * dragon has more.  A pose writes into `body` (lift, lean, turn of the whole) and into the
 * angles of the joints it knows.
 */

/**
 * @typedef {object} Body
 * @property {number} y @property {number} x @property {number} z @property {number} pitch
 * @property {number} yaw @property {number} roll @property {number} squash
 * @property {Record<string, Float32Array>} joints angles x, y, z of each joint
 */
/**
 * @typedef {object} Mood
 * @property {string} action @property {number} t s since the action began @property {number} time s, the page's
 * @property {number} phase own rhythm, 0 to 7 @property {number} stride units walked @property {number} speed
 * @property {boolean} dozing @property {string} emote @property {boolean} working @property {boolean} still reduced motion
 */

const { sin, cos, abs, min, max, PI } = Math;

/** @param {Body} body */
export function rest(body) {
  body.x = body.y = body.z = body.pitch = body.yaw = body.roll = 0;
  body.squash = 1;
  for (const name in body.joints) body.joints[name].fill(0);
}

/** @param {Body} body @param {string} name @param {number} x @param {number} [y] @param {number} [z] */
function bend(body, name, x, y = 0, z = 0) {
  const angles = body.joints[name];
  if (!angles) return;
  angles[0] += x;
  angles[1] += y;
  angles[2] += z;
}

/** @type {Record<string, (body: Body, mood: Mood) => void>} */
const ACTIONS = {
  idle(body, { time, phase, working }) {
    const breath = sin(time * 1.7 + phase);
    body.y = breath * 0.012;
    bend(body, 'head', breath * 0.04, sin(time * 0.43 + phase * 2) * 0.4 * (working ? 0.2 : 1));
    bend(body, 'armL', working ? -0.9 + sin(time * 7 + phase) * 0.35 : breath * 0.05, 0, 0.14);
    bend(body, 'armR', working ? -0.9 - sin(time * 7 + phase) * 0.35 : -breath * 0.05, 0, -0.14);
    if (working) bend(body, 'head', 0.25);
  },
  walk(body, { stride, speed }) {
    const step = stride * 3.4;
    const swing = min(1, speed / 2.5) * 0.75;
    body.y = abs(sin(step)) * 0.06 * swing;
    bend(body, 'torso', 0.1 * swing, 0, sin(step) * 0.05);
    bend(body, 'legL', sin(step) * swing);
    bend(body, 'legR', -sin(step) * swing);
    bend(body, 'armL', -sin(step) * swing * 0.9, 0, 0.1);
    bend(body, 'armR', sin(step) * swing * 0.9, 0, -0.1);
    bend(body, 'head', -0.08, sin(step) * 0.06);
  },
  wave(body, { time }) {
    bend(body, 'armR', -0.3, 0, -2.5 + sin(time * 9) * 0.45);
    bend(body, 'head', 0, 0, 0.15 + sin(time * 4) * 0.06);
    bend(body, 'torso', 0, 0, sin(time * 4) * 0.05);
  },
  pinch(body, { time }) {
    const snap = max(0, sin(time * 8));
    bend(body, 'armL', -1.45, -0.5 * snap, 0);
    bend(body, 'armR', -1.45, 0.5 * snap, 0);
    bend(body, 'head', 0.1, sin(time * 2) * 0.2);
  },
  talk(body, { time, phase }) {
    const beat = sin(time * 6.5 + phase);
    bend(body, 'head', beat * 0.09, sin(time * 1.3 + phase) * 0.22);
    bend(body, 'armL', -0.55 + sin(time * 3.1 + phase) * 0.35, 0, 0.3);
    bend(body, 'armR', -0.55 + cos(time * 2.7 + phase) * 0.4, 0, -0.3);
    body.y = abs(beat) * 0.015;
  },
  dance(body, { time, phase }) {
    const beat = time * 7 + phase;
    body.y = abs(sin(beat)) * 0.14;
    body.yaw = sin(beat / 2) * 0.6;
    body.roll = sin(beat) * 0.1;
    bend(body, 'armL', -0.6, 0, 1.2 + sin(beat) * 0.9);
    bend(body, 'armR', -0.6, 0, -1.2 + sin(beat) * 0.9);
    bend(body, 'legL', max(0, sin(beat)) * -0.7);
    bend(body, 'legR', max(0, -sin(beat)) * -0.7);
    bend(body, 'head', 0, 0, sin(beat) * 0.2);
  },
  backflip(body, { t }) {
    const k = (t % 1.8) / 0.9;
    if (k < 1) {
      body.y = sin(k * PI) * 1.5;
      body.pitch = -2 * PI * k;
      bend(body, 'legL', -1.1 * sin(k * PI));
      bend(body, 'legR', -1.1 * sin(k * PI));
    } else body.squash = 1 - 0.12 * sin(min(1, (k - 1) * 4) * PI);
  },
  spin(body, { t }) {
    body.yaw = t * 7;
    body.y = abs(sin(t * 3.5)) * 0.1;
    bend(body, 'armL', 0, 0, 1.4);
    bend(body, 'armR', 0, 0, -1.4);
  },
};

/** @type {Record<string, (body: Body, mood: Mood) => void>} */
const EMOTES = {
  happy(body, { time }) {
    body.y += abs(sin(time * 8)) * 0.16;
    bend(body, 'armL', 0, 0, 1.9);
    bend(body, 'armR', 0, 0, -1.9);
  },
  thinking(body, { time }) {
    bend(body, 'head', -0.12, 0.2, 0.22 + sin(time * 1.4) * 0.04);
    bend(body, 'armR', -2.1, 0.5, 0);
  },
  surprised(body, { time }) {
    body.z -= 0.12;
    bend(body, 'torso', -0.2);
    bend(body, 'head', -0.25);
    bend(body, 'armL', -1.2, 0, 0.9 + sin(time * 20) * 0.06);
    bend(body, 'armR', -1.2, 0, -0.9);
  },
  laugh(body, { time }) {
    body.y += abs(sin(time * 12)) * 0.05;
    bend(body, 'torso', -0.15 + sin(time * 12) * 0.08);
    bend(body, 'head', -0.35);
    bend(body, 'armL', -0.7, 0, 0.1);
    bend(body, 'armR', -0.7, 0, -0.1);
  },
};

/** What only a dragon has. @param {Body} body @param {Mood} mood */
function dragonish(body, { time, phase, speed, stride, action, emote }) {
  const lively = action === 'idle' && !emote ? 0 : 1;
  const beat = sin(time * (2 + 3 * lively) + phase);
  const open = 0.12 + 0.3 * lively + beat * (0.06 + 0.14 * lively);
  bend(body, 'wingL', 0, -0.35 + open * 0.5, open);
  bend(body, 'wingR', 0, 0.35 - open * 0.5, -open);
  bend(body, 'neck', sin(time * 0.9 + phase) * 0.05, sin(time * 0.5 + phase) * 0.22);
  const step = stride * 1.7;
  const swing = min(1, speed / 2.5) * 0.5;
  bend(body, 'hindL', -sin(step) * swing);
  bend(body, 'hindR', sin(step) * swing);
}

/** @param {Body} body @param {Mood} mood */
export function pose(body, mood) {
  rest(body);
  if (mood.dozing) {
    body.y = -0.16;
    bend(body, 'torso', 0.35);
    bend(body, 'head', 0.5 + (mood.still ? 0 : sin(mood.time * 1.1 + mood.phase) * 0.05), 0.2);
    bend(body, 'neck', 0.9);
    bend(body, 'legL', -1.2);
    bend(body, 'legR', -1.2);
    return;
  }
  const moving = mood.speed > 0.15;
  const action = moving ? 'walk' : mood.action === 'walk' ? 'idle' : mood.action;
  const calm = mood.still ? { ...mood, time: 0.4, t: 0, phase: 0 } : mood;
  (ACTIONS[action] ?? ACTIONS.idle)(body, calm);
  if (mood.emote && !moving) EMOTES[mood.emote]?.(body, calm);
  const wag = sin(calm.time * (moving ? 6 : 1.8) + mood.phase);
  bend(body, 'tail', 0, wag * 0.28);
  bend(body, 'tip', 0, wag * 0.4);
  if (body.joints.wingL) dragonish(body, { ...calm, action });
}
