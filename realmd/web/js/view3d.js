/** The cavern on the screen: draws frames, says what is under a point and where things are. */
import * as THREE from '../vendor/three.module.min.js';
import { Camera } from './camera.js';
import { Herd } from './creatures/herd.js';
import { media } from './dom.js';
import { opening } from './opening.js';
import { Quality } from './quality.js';
import { nameHeight } from './scene/buildings.js';
import { World } from './scene/world.js';

const ray = new THREE.Raycaster();
const floor = new THREE.Plane(new THREE.Vector3(0, 1, 0), 0);
const point = new THREE.Vector3();

export class View3d {
  /** @param {HTMLCanvasElement} canvas @param {import('./state.js').State} state @param {import('./quality.js').Drawn} drawn what draws */
  constructor(canvas, state, { gl, software }) {
    this.canvas = canvas;
    this.state = state;
    this.renderer = new THREE.WebGLRenderer({ canvas, context: gl });
    this.renderer.toneMapping = THREE.ACESFilmicToneMapping;
    this.renderer.toneMappingExposure = 1.25;
    this.quality = new Quality(software, () => this.eased());
    this.world = new World(state.atlas, software);
    this.camera = new Camera(state.atlas.bounds);
    this.herd = new Herd(this.world.scene, state, this.world.glow);
    this.ring = new THREE.Mesh(
      new THREE.RingGeometry(0.97, 1.05, 40).rotateX(-Math.PI / 2),
      new THREE.MeshBasicMaterial({ color: '#ffd9a0', transparent: true, opacity: 0.9, depthWrite: false }),
    );
    this.ring.renderOrder = 2;
    this.world.scene.add(this.ring);
    /** @type {string | null} */
    this.selected = null;
    this.width = this.height = 1;
    /** What covers the picture at its right and at its bottom (px). */
    this.inset = { right: 0, bottom: 0 };
    this.last = 0;
    this.clock = 0;
    this.opened = false;
    this.eased();
    this.resize();
  }

  eased() {
    this.world.ease(this.quality.level);
    this.resize();
  }

  resize() {
    this.width = this.canvas.clientWidth || 1;
    this.height = this.canvas.clientHeight || 1;
    this.renderer.setPixelRatio(this.quality.pixels);
    this.renderer.setSize(this.width, this.height, false);
    this.camera.resize(this.width, this.height, this.inset);
  }

  /** Draw now. @param {number} ms the page's time */
  frame(ms) {
    const still = media('(prefers-reduced-motion: reduce)');
    if (this.quality.early(ms - this.last)) return;
    const dt = Math.min(0.1, (ms - this.last) / 1000);
    this.quality.frame(ms - this.last);
    this.last = ms;
    this.clock += dt;
    this.herd.update(this.clock, dt, still);
    if (!this.opened && this.state.snapshots) this.open();
    const followed = this.camera.follow ? this.herd.figures.get(this.camera.follow) ?? null : null;
    this.camera.update(dt, followed, still);
    this.mark();
    this.world.update(this.state, this.clock, this.camera.scale(this.height * this.quality.pixels), still);
    this.renderer.render(this.world.scene, this.camera.lens);
  }

  /** The first look, once it is known who is where; unless somebody looks elsewhere already. */
  open() {
    this.opened = true;
    const { camera } = this;
    if (camera.touched || camera.follow) return;
    const share = (1 - this.inset.right / this.width) * camera.lens.aspect * Math.tan((camera.lens.fov * Math.PI) / 360);
    const { atlas } = this.state;
    const shot = opening([...this.herd.figures.values()], atlas.buildings, atlas.bounds, Math.atan(share));
    if (shot) camera.begin(shot);
  }

  mark() {
    const figure = this.selected ? this.herd.figures.get(this.selected) : null;
    this.ring.visible = Boolean(figure);
    if (!figure) return;
    this.ring.position.set(figure.x, 0.07, figure.z);
    this.ring.scale.setScalar(figure.radius * 1.5);
  }

  /** What is under a point of the canvas. @param {number} x @param {number} y @returns {{agent?: string, building?: string, station?: string, x?: number, z?: number}} */
  pick(x, y) {
    ray.setFromCamera(new THREE.Vector2((x / this.width) * 2 - 1, 1 - (y / this.height) * 2), this.camera.lens);
    let best = { far: Infinity, id: '' };
    for (const figure of this.herd.figures.values()) {
      point.set(figure.x, figure.y + figure.head / 2, figure.z);
      const far = ray.ray.distanceToPoint(point);
      const along = point.distanceTo(ray.ray.origin);
      if (far < Math.max(figure.head * 0.55, along * 0.018) && along < best.far) best = { far: along, id: figure.id };
    }
    if (best.id) return { agent: best.id };
    const hit = ray.intersectObjects(this.world.buildings.group.children, false)[0];
    const ground = ray.ray.intersectPlane(floor, point);
    if (hit?.object.name && (!ground || hit.distance < ground.distanceTo(ray.ray.origin))) return { building: hit.object.name };
    if (!ground) return {};
    const station = this.state.atlas.workstations.find((one) => Math.hypot(one.x - point.x, one.z - point.z) < 1.4);
    return { station: station?.id, x: point.x, z: point.z };
  }

  /** Where a point of the world is on the screen; null behind us. @param {number} x @param {number} y @param {number} z */
  project(x, y, z) {
    point.set(x, y, z).applyMatrix4(this.camera.lens.matrixWorldInverse);
    const far = -point.z;
    if (far < 0.5) return null;
    point.applyMatrix4(this.camera.lens.projectionMatrix);
    return { x: ((point.x + 1) / 2) * this.width, y: ((1 - point.y) / 2) * this.height, far };
  }

  /** Who is drawn, and where. */
  figures() {
    return this.herd.figures;
  }

  /** The names of places, and where they hang. */
  places() {
    return this.state.atlas.buildings.map((one) => ({ id: one.id, name: one.name, x: one.x, y: nameHeight(one), z: one.z }));
  }

  /** What the view looks at. */
  get centre() {
    return this.camera.target;
  }

  dispose() {
    this.renderer.dispose();
  }
}
