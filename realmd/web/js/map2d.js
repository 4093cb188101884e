/** The realm as a map: for browsers without WebGL, and for who likes maps.  Same face as `View3d`. */
import { drawAgents, drawStations, groundPlan } from './plan.js';

/** @typedef {{id: string, agent: import('./state.js').Agent, x: number, y: number, z: number, head: number, radius: number, action: string}} Figure */

const MARGIN = 12;

export class MapView {
  /** @param {HTMLCanvasElement} canvas @param {import('./state.js').State} state */
  constructor(canvas, state) {
    this.canvas = canvas;
    this.state = state;
    this.pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
    const { minX, maxX, minZ, maxZ } = state.atlas.bounds;
    this.bounds = state.atlas.bounds;
    this.plan = groundPlan(state.atlas, 1400);
    this.span = { x: maxX - minX, z: maxZ - minZ };
    this.centre = { x: (minX + maxX) / 2, y: 0, z: (minZ + maxZ) / 2 };
    /** How much nearer than all of it. */
    this.near = 1;
    /** @type {string | null} */
    this.selected = null;
    /** @type {string | null} */
    this.followed = null;
    this.width = this.height = 1;
    this.inset = { right: 0, bottom: 0 };
    this.camera = this.rudder();
    /** @type {Map<string, Figure>} */
    this.drawn = new Map();
    this.resize();
  }

  /** What the controls turn, as the camera of the cavern. */
  rudder() {
    const view = this;
    return {
      touched: false,
      goal: { yaw: 0 },
      get follow() {
        return view.followed;
      },
      overview() {
        view.followed = null;
        view.near = 1;
        view.centre = { x: (view.bounds.minX + view.bounds.maxX) / 2, y: 0, z: (view.bounds.minZ + view.bounds.maxZ) / 2 };
      },
      /** @param {string | null} id */
      attach(id) {
        if (id && view.followed !== id) view.near = Math.max(view.near, 2.4);
        view.followed = id;
      },
      /** @param {number} yaw @param {number} pitch */
      orbit(yaw, pitch) {
        this.pan(yaw * 0.25, pitch * 0.25);
      },
      /** @param {number} factor */
      zoom(factor) {
        view.near = Math.min(10, Math.max(0.8, view.near / factor));
      },
      /** @param {number} right @param {number} ahead */
      pan(right, ahead) {
        view.followed = null;
        const wide = Math.min(view.width, view.height) / view.scale;
        view.centre.x = Math.min(view.bounds.maxX, Math.max(view.bounds.minX, view.centre.x + right * wide));
        view.centre.z = Math.min(view.bounds.maxZ, Math.max(view.bounds.minZ, view.centre.z - ahead * wide));
      },
    };
  }

  /** The middle of what is not covered (px). */
  get middle() {
    return { x: (this.width - this.inset.right) / 2, y: (this.height - this.inset.bottom) / 2 };
  }

  /** Pixels a unit. */
  get scale() {
    const { x, y } = this.middle;
    return Math.min((2 * x) / (this.span.x + MARGIN), (2 * y) / (this.span.z + MARGIN)) * this.near;
  }

  resize() {
    this.width = this.canvas.clientWidth || 1;
    this.height = this.canvas.clientHeight || 1;
    this.canvas.width = this.width * Math.min(2, devicePixelRatio);
    this.canvas.height = this.height * Math.min(2, devicePixelRatio);
  }

  frame() {
    const { pen, state, scale, centre } = this;
    const sharp = this.canvas.width / this.width;
    this.drawn = new Map();
    for (const agent of state.agents.values()) {
      if (!agent.motion.latest) continue;
      const { x, y, z, speed } = agent.place;
      this.drawn.set(agent.id, { id: agent.id, agent, x, y, z, head: 1.6, radius: 1, action: speed > 0.15 ? 'walk' : agent.action });
    }
    const followed = this.followed ? this.drawn.get(this.followed) : null;
    if (followed) this.centre = { x: followed.x, y: 0, z: followed.z };
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.fillStyle = '#0a080c';
    pen.fillRect(0, 0, this.canvas.width, this.canvas.height);
    pen.setTransform(scale * sharp, 0, 0, scale * sharp, sharp * (this.middle.x - centre.x * scale), sharp * (this.middle.y - centre.z * scale));
    pen.drawImage(this.plan, this.bounds.minX, this.bounds.minZ, this.span.x, this.span.z);
    this.names();
    drawStations(pen, state, 1.5);
    drawAgents(pen, state, Math.max(0.7, 6 / scale), this.selected);
  }

  /** Names of the zones, large and faint. */
  names() {
    const { pen } = this;
    pen.textAlign = 'center';
    const size = Math.min(3, 26 / this.scale);
    pen.font = `600 ${size}px Georgia, serif`;
    for (const zone of this.state.atlas.zones) {
      pen.globalAlpha = 0.75;
      pen.fillStyle = '#f3ead8';
      pen.fillText(zone.name, zone.x, zone.z + zone.depth / 2 - size / 2);
    }
    pen.globalAlpha = 1;
  }

  /** @param {number} px @param {number} py @returns {{agent?: string, building?: string, station?: string, x?: number, z?: number}} */
  pick(px, py) {
    const x = (px - this.middle.x) / this.scale + this.centre.x;
    const z = (py - this.middle.y) / this.scale + this.centre.z;
    const reach = Math.max(1.6, 16 / this.scale);
    let best = { far: reach, id: '' };
    for (const figure of this.drawn.values()) {
      const far = Math.hypot(figure.x - x, figure.z - z);
      if (far < best.far) best = { far, id: figure.id };
    }
    if (best.id) return { agent: best.id };
    const building = this.state.atlas.buildings.find((one) => Math.hypot(one.x - x, one.z - z) < one.radius);
    if (building) return { building: building.id };
    const station = this.state.atlas.workstations.find((one) => Math.hypot(one.x - x, one.z - z) < 1.4);
    return { station: station?.id, x, z };
  }

  /** @param {number} x @param {number} y @param {number} z */
  project(x, y, z) {
    return {
      x: (x - this.centre.x) * this.scale + this.middle.x,
      y: (z - this.centre.z) * this.scale + this.middle.y - y * Math.min(9, this.scale),
      far: 30,
    };
  }

  figures() {
    return this.drawn;
  }

  places() {
    return this.state.atlas.buildings.map(({ id, name, x, z }) => ({ id, name, x, y: 0.6, z }));
  }

  dispose() {
    this.drawn.clear();
  }
}
