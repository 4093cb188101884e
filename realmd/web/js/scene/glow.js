/** The light of all lamps on the floor, worked out once: a small grid that everything may ask. */
import * as THREE from '../../vendor/three.module.min.js';

const CELLS = 128;

export class Glow {
  /** @param {number} half the grid reaches so far from the origin */
  constructor(half) {
    this.half = half;
    this.cells = new Float32Array(CELLS * CELLS * 3);
  }

  /** A lamp. @param {number} x @param {number} z @param {string} color @param {number} reach @param {number} strength */
  add(x, z, color, reach, strength) {
    const rgb = new THREE.Color(color);
    const step = (2 * this.half) / CELLS;
    const low = (/** @type {number} */ v) => Math.max(0, Math.floor((v - reach + this.half) / step));
    const high = (/** @type {number} */ v) => Math.min(CELLS - 1, Math.ceil((v + reach + this.half) / step));
    for (let j = low(z); j <= high(z); j++) {
      for (let i = low(x); i <= high(x); i++) {
        const far = Math.hypot((i + 0.5) * step - this.half - x, (j + 0.5) * step - this.half - z) / reach;
        if (far >= 1) continue;
        const k = strength * (1 - far * far) ** 2;
        const at = (j * CELLS + i) * 3;
        this.cells[at] += rgb.r * k;
        this.cells[at + 1] += rgb.g * k;
        this.cells[at + 2] += rgb.b * k;
      }
    }
  }

  /** The light at a point, into `out`. @param {number} x @param {number} z @param {THREE.Color} out */
  at(x, z, out) {
    const scale = CELLS / (2 * this.half);
    const i = Math.min(CELLS - 1, Math.max(0, Math.floor((x + this.half) * scale)));
    const j = Math.min(CELLS - 1, Math.max(0, Math.floor((z + this.half) * scale)));
    const at = (j * CELLS + i) * 3;
    return out.setRGB(this.cells[at], this.cells[at + 1], this.cells[at + 2]);
  }

  /** The grid as a light map for the ground; its first row is the north. */
  texture() {
    const data = new Uint8Array(CELLS * CELLS * 4);
    for (let n = 0; n < CELLS * CELLS; n++) {
      for (let c = 0; c < 3; c++) data[n * 4 + c] = Math.min(255, this.cells[n * 3 + c] * 110);
      data[n * 4 + 3] = 255;
    }
    const texture = new THREE.DataTexture(data, CELLS, CELLS);
    texture.magFilter = texture.minFilter = THREE.LinearFilter;
    texture.needsUpdate = true;
    return texture;
  }
}
