/**
 * Where an agent is between two ticks: samples in, a smooth place out.
 *
 * Playback runs a little behind the newest sample (`DELAY`); through a gap the agent goes on
 * as it went, for a short while (dead reckoning), and a jump is shown as a jump.
 */

/** @typedef {{t: number, x: number, y: number, z: number, rotation: number}} Sample */
/** @typedef {{x: number, y: number, z: number, rotation: number, speed: number}} Place */

/** ms: playback delay, a tick, the longest guess, and the gap after which an agent had stood. */
export const DELAY = 160;
const TICK = 100;
const GUESS = 350;
const STOOD = 260;
/** Units that nobody walks in a tick: somebody was moved there at once. */
const JUMP = 5;
const KEPT = 24;

export class Motion {
  constructor() {
    /** @type {Sample[]} */
    this.samples = [];
  }

  /** @param {Sample} sample */
  add(sample) {
    const last = this.samples.at(-1);
    if (last) {
      if (sample.t <= last.t) return;
      const far = Math.hypot(sample.x - last.x, sample.z - last.z);
      if (far === 0 && sample.rotation === last.rotation) return;
      if (far > JUMP) this.samples.push({ ...last, t: sample.t - 1 });
      else if (sample.t - last.t > STOOD) this.samples.push({ ...last, t: sample.t - TICK });
    }
    this.samples.push(sample);
    if (this.samples.length > KEPT) this.samples.splice(0, this.samples.length - KEPT);
  }

  /** The last place known. @returns {Sample | undefined} */
  get latest() {
    return this.samples.at(-1);
  }

  /**
   * The place at time `t` (ms, the daemon's clock), written into `out`.
   * @param {number} t @param {boolean} walking @param {Place} out
   */
  at(t, walking, out) {
    const list = this.samples;
    let i = list.length - 1;
    while (i > 0 && list[i].t > t) i--;
    const a = list[i];
    const b = list[i + 1];
    if (b && t >= a.t) mix(a, b, (t - a.t) / (b.t - a.t), out);
    else if (!b && walking && i > 0 && t - a.t < GUESS) reckon(list[i - 1], a, t, out);
    else Object.assign(out, { x: a.x, y: a.y, z: a.z, rotation: a.rotation, speed: 0 });
    return out;
  }
}

/** @param {Sample} a @param {Sample} b @param {number} k @param {Place} out */
function mix(a, b, k, out) {
  out.x = a.x + (b.x - a.x) * k;
  out.y = a.y + (b.y - a.y) * k;
  out.z = a.z + (b.z - a.z) * k;
  out.rotation = a.rotation + turn(a.rotation, b.rotation) * k;
  const far = Math.hypot(b.x - a.x, b.z - a.z);
  out.speed = far > JUMP ? 0 : (1000 * far) / (b.t - a.t);
}

/** @param {Sample} a @param {Sample} b @param {number} t @param {Place} out */
function reckon(a, b, t, out) {
  const span = b.t - a.t;
  const far = Math.hypot(b.x - a.x, b.z - a.z);
  const k = far > JUMP || span > STOOD ? 0 : (t - b.t) / span;
  out.x = b.x + (b.x - a.x) * k;
  out.y = b.y;
  out.z = b.z + (b.z - a.z) * k;
  out.rotation = b.rotation;
  out.speed = k ? (1000 * far) / span : 0;
}

/** The short way round from one angle to another. @param {number} from @param {number} to */
export function turn(from, to) {
  const full = 2 * Math.PI;
  return ((((to - from + Math.PI) % full) + full) % full) - Math.PI;
}
