/** How finely we draw: falls when frames come late, rises when there is time to spare. */

/** Pixels drawn for each of the screen's, by level. */
const SHARP = [0.5, 0.75, 1, 2];
/** ms of a frame that is too slow, and of one that leaves time; frames that decide. */
const SLOW = 30;
const QUICK = 15;
const WINDOW = 24;

export class Quality {
  /** @param {string} renderer what draws, as WebGL calls it @param {(level: number) => void} changed */
  constructor(renderer, changed) {
    this.software = /swiftshader|llvmpipe|software|basic render/i.test(renderer);
    this.level = this.software ? 1 : matchMedia('(pointer: coarse)').matches ? 2 : 3;
    this.changed = changed;
    /** @type {number[]} */
    this.times = [];
    this.calm = 0;
    this.fps = 0;
  }

  /** A frame was drawn so long (ms) after the one before. @param {number} ms */
  frame(ms) {
    if (ms > 500) return; // the tab slept
    this.times.push(ms);
    if (this.times.length < WINDOW) return;
    const middle = this.times.sort((a, b) => a - b)[WINDOW >> 1];
    this.times = [];
    this.fps = Math.round(1000 / middle);
    if (middle > SLOW) this.step(-1);
    else if (middle < QUICK && ++this.calm > 14 && !this.software) this.step(1);
  }

  /** @param {number} by */
  step(by) {
    this.calm = by < 0 ? -30 : 0; // what was too much is not tried again soon
    const level = Math.min(SHARP.length - 1, Math.max(0, this.level + by));
    if (level !== this.level) this.changed((this.level = level));
  }

  get pixels() {
    return Math.min(SHARP[this.level], globalThis.devicePixelRatio * Math.min(1, SHARP[this.level]));
  }
}
