/** How finely we draw: falls when frames come late, rises when there is time to spare. */

/** Pixels drawn for each of the screen's, by level. */
const SHARP = [0.5, 0.75, 1, 2];
/** ms of a frame that is too slow, and of one that leaves time; frames that decide. */
const SLOW = 30;
const QUICK = 15;
const WINDOW = 24;

export class Quality {
  /** @param {boolean} software whether no graphics card draws @param {(level: number) => void} changed */
  constructor(software, changed) {
    this.software = software;
    this.level = software ? 0 : matchMedia('(pointer: coarse)').matches ? 2 : 3;
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

  /** Whether it is too early to draw again: the processor has other things to do as well. @param {number} ms since the last frame */
  early(ms) {
    return this.software && ms < 40;
  }

  get pixels() {
    return Math.min(SHARP[this.level], globalThis.devicePixelRatio * Math.min(1, SHARP[this.level]));
  }
}

/** @typedef {{gl: WebGL2RenderingContext, software: boolean}} Drawn */

/**
 * What draws on this canvas: null without WebGL 2.  The context is made once, for it is what takes longest at
 * the start; its edges are smoothed only where a graphics card does that.
 * @param {HTMLCanvasElement} canvas @returns {Drawn | null}
 */
export function graphics(canvas) {
  const wish = { alpha: false, stencil: false, powerPreference: /** @type {const} */ ('high-performance') };
  const gl = canvas.getContext('webgl2', { ...wish, antialias: true, failIfMajorPerformanceCaveat: true })
    ?? canvas.getContext('webgl2', { ...wish, antialias: false });
  if (!gl) return null;
  const info = gl.getExtension('WEBGL_debug_renderer_info');
  const name = info ? String(gl.getParameter(info.UNMASKED_RENDERER_WEBGL)) : '';
  return { gl, software: /swiftshader|llvmpipe|software|basic render/i.test(name) };
}
