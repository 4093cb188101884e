/** Mouse, fingers, keys and the thumb pad → the camera, the choice, and the avatar's steps. */

const TURN = 0.005;
const CLICK = 6;
const DOUBLE = 350;
const STEPS = /** @type {Record<string, [number, number]>} */ ({
  KeyW: [0, 1], ArrowUp: [0, 1], KeyS: [0, -1], ArrowDown: [0, -1],
  KeyA: [-1, 0], ArrowLeft: [-1, 0], KeyD: [1, 0], ArrowRight: [1, 0],
});

/**
 * @typedef {object} Deeds
 * @property {() => any} view @property {(picked: any, twice: boolean) => void} picked
 * @property {() => boolean} walking whether keys walk rather than look @property {(key: string) => void} key
 */

export class Controls {
  /** @param {HTMLElement} surface @param {Deeds} deeds */
  constructor(surface, deeds) {
    this.surface = surface;
    this.deeds = deeds;
    /** @type {Map<number, {x: number, y: number}>} */
    this.fingers = new Map();
    this.keys = new Set();
    this.pad = { right: 0, ahead: 0 };
    this.travelled = 0;
    this.pressed = { x: 0, y: 0, ms: -Infinity };
    surface.addEventListener('pointerdown', (event) => this.down(event));
    surface.addEventListener('pointermove', (event) => this.move(event));
    for (const end of ['pointerup', 'pointercancel']) surface.addEventListener(end, (event) => this.up(/** @type {PointerEvent} */ (event)));
    surface.addEventListener('contextmenu', (event) => event.preventDefault());
    surface.addEventListener('wheel', (event) => this.wheel(event), { passive: false });
    addEventListener('keydown', (event) => this.keyDown(event));
    addEventListener('keyup', (event) => this.keys.delete(event.code));
    addEventListener('blur', () => this.keys.clear());
  }

  /** @param {PointerEvent} event */
  down(event) {
    this.surface.focus({ preventScroll: true });
    this.surface.setPointerCapture(event.pointerId);
    this.fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (this.fingers.size === 1) this.travelled = 0;
  }

  /** @param {PointerEvent} event */
  move(event) {
    const was = this.fingers.get(event.pointerId);
    if (!was) return;
    const [dx, dy] = [event.clientX - was.x, event.clientY - was.y];
    this.travelled += Math.abs(dx) + Math.abs(dy);
    const { camera, height } = this.deeds.view();
    if (this.fingers.size >= 2) this.pinch(event, was, camera, height);
    else if (this.travelled > CLICK) {
      if (event.buttons & 2 || event.buttons & 4 || event.shiftKey) camera.pan(-dx / height, dy / height);
      else camera.orbit(-dx * TURN, dy * TURN);
    }
    this.fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  }

  /** Two fingers zoom by their distance and move along together. @param {PointerEvent} event @param {{x: number, y: number}} was @param {any} camera @param {number} height */
  pinch(event, was, camera, height) {
    const [other] = [...this.fingers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
    const before = Math.hypot(was.x - other.x, was.y - other.y);
    const after = Math.hypot(event.clientX - other.x, event.clientY - other.y);
    if (before > 10 && after > 10) camera.zoom(before / after);
    camera.pan(-(event.clientX - was.x) / 2 / height, (event.clientY - was.y) / 2 / height);
    this.travelled += 100; // never a click
  }

  /** @param {PointerEvent} event */
  up(event) {
    if (!this.fingers.delete(event.pointerId) || this.fingers.size || this.travelled > CLICK || event.type !== 'pointerup') return;
    const box = this.surface.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const twice = event.timeStamp - this.pressed.ms < DOUBLE && Math.hypot(x - this.pressed.x, y - this.pressed.y) < 24;
    this.pressed = { x, y, ms: twice ? -Infinity : event.timeStamp };
    this.deeds.picked(this.deeds.view().pick(x, y), twice);
  }

  /** @param {WheelEvent} event */
  wheel(event) {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 30 : 1;
    this.deeds.view().camera.zoom(Math.exp(Math.max(-300, Math.min(300, event.deltaY * lines)) * 0.0012));
  }

  /** @param {KeyboardEvent} event */
  keyDown(event) {
    const at = /** @type {HTMLElement} */ (event.target);
    if (event.ctrlKey || event.metaKey || event.altKey || at.closest('input, textarea, select, [contenteditable]')) return;
    const arrows = event.code.startsWith('Arrow');
    if (arrows && at !== this.surface && at !== document.body) return; // lists and tabs have their own use for them
    if (event.code in STEPS) {
      this.keys.add(event.code);
      if (arrows) event.preventDefault();
    } else if (event.key === 'Enter' && at !== this.surface && at !== document.body) return;
    else this.deeds.key(event.key);
  }

  /** The steps asked for now, -1 to 1 to the right and ahead. */
  steps() {
    let { right, ahead } = this.pad;
    for (const key of this.keys) {
      right += STEPS[key][0];
      ahead += STEPS[key][1];
    }
    return { right, ahead };
  }

  /** What held keys do to the camera when nobody walks. @param {number} dt s */
  frame(dt) {
    if (this.deeds.walking()) return;
    const { right, ahead } = this.steps();
    const { camera } = this.deeds.view();
    if (right || ahead) camera.orbit(right * dt * 1.4, ahead * dt * 0.9);
  }
}

/** The pad under a thumb: as far from its middle as one walks fast. @param {HTMLElement} pad @param {{right: number, ahead: number}} out */
export function thumbPad(pad, out) {
  const knob = /** @type {HTMLElement} */ (pad.firstElementChild);
  const set = (/** @type {number} */ x, /** @type {number} */ y) => {
    const far = Math.max(1, Math.hypot(x, y));
    out.right = x / far;
    out.ahead = -y / far;
    knob.style.transform = `translate(${(x / far) * 30}px, ${(y / far) * 30}px)`;
  };
  const touch = (/** @type {PointerEvent} */ event) => {
    const box = pad.getBoundingClientRect();
    set((event.clientX - box.left) / (box.width / 2) - 1, (event.clientY - box.top) / (box.height / 2) - 1);
  };
  pad.addEventListener('pointerdown', (event) => {
    pad.setPointerCapture(event.pointerId);
    touch(event);
  });
  pad.addEventListener('pointermove', (event) => pad.hasPointerCapture(event.pointerId) && touch(event));
  for (const end of ['pointerup', 'pointercancel']) pad.addEventListener(end, () => set(0, 0));
}
