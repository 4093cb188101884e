/** The small map in the corner; a click looks there. */
import { drawAgents, drawStations, groundPlan } from './plan.js';

const EVERY = 120;

export class Minimap {
  /**
   * @param {HTMLCanvasElement} canvas @param {import('./state.js').State} state
   * @param {(x: number, z: number) => void} look
   */
  constructor(canvas, state, look) {
    this.state = state;
    this.pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d', { willReadFrequently: true }));
    this.canvas = canvas;
    this.plan = groundPlan(state.atlas, canvas.width);
    canvas.height = this.plan.height;
    this.last = 0;
    canvas.addEventListener('click', (event) => {
      const { minX, maxX, minZ, maxZ } = state.atlas.bounds;
      const box = canvas.getBoundingClientRect();
      look(minX + ((event.clientX - box.left) / box.width) * (maxX - minX), minZ + ((event.clientY - box.top) / box.height) * (maxZ - minZ));
    });
  }

  /** @param {number} ms @param {string | null} selected @param {{x: number, z: number}} centre */
  frame(ms, selected, centre) {
    if (ms - this.last < EVERY) return;
    this.last = ms;
    const { pen, plan, state } = this;
    const { minX, maxX, minZ } = state.atlas.bounds;
    const scale = plan.width / (maxX - minX);
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.drawImage(plan, 0, 0);
    pen.setTransform(scale, 0, 0, scale, -minX * scale, -minZ * scale);
    drawStations(pen, state, 1.8);
    drawAgents(pen, state, 1.5, selected);
    pen.strokeStyle = '#ffffff';
    pen.lineWidth = 0.5;
    pen.beginPath();
    pen.arc(centre.x, centre.z, 3, 0, 7);
    pen.stroke();
  }
}
