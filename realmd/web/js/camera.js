/** Where we look from: around a point that is free, or that goes with an agent. */
import * as THREE from '../vendor/three.module.min.js';

const { min, max, sin, cos, exp, PI } = Math;
const NEAREST = 4;
const LOW = 0.1;
const HIGH = 1.45;

export class Camera {
  /** @param {import('./state.js').Atlas['bounds']} bounds */
  constructor(bounds) {
    this.lens = new THREE.PerspectiveCamera(50, 1, 0.3, 400);
    this.bounds = bounds;
    this.reach = max(bounds.maxX - bounds.minX, bounds.maxZ - bounds.minZ) / 2;
    /** @type {string | null} */
    this.follow = null;
    this.target = new THREE.Vector3();
    this.goal = { x: 0, y: 2, z: 0, yaw: 0, pitch: 0.4, far: 40 };
    this.now = { ...this.goal };
    this.touched = false;
    /** Whether somebody large was just attached, and wants room. */
    this.fitting = false;
    this.overview();
    Object.assign(this.now, this.goal);
    this.now.far *= 1.25;
  }

  /** See all of it. */
  overview() {
    this.follow = null;
    const tall = this.lens.aspect < 1;
    Object.assign(this.goal, {
      x: 0, y: 2.5, z: this.reach * (tall ? 0.0 : -0.02), yaw: 0.16, pitch: tall ? 0.46 : 0.3, far: this.reach * (tall ? 0.98 : 0.84),
    });
  }

  /** Look from there, coming a little nearer. @param {Partial<Camera['goal']>} shot */
  begin(shot) {
    Object.assign(this.goal, shot);
    Object.assign(this.now, this.goal, { far: this.goal.far * 1.15 });
    this.touched = true;
  }

  /** @param {number} width @param {number} height @param {{right: number, bottom: number}} inset what is covered; the middle of the rest is the middle */
  resize(width, height, inset) {
    this.lens.aspect = width / max(1, height);
    this.lens.fov = this.lens.aspect < 1 ? 62 : 50;
    this.lens.setViewOffset(width, height, inset.right / 2, inset.bottom / 2, width, height);
    if (!this.touched && !this.follow) this.overview();
  }

  /** @param {string | null} id @param {number} [far] */
  attach(id, far = 13) {
    if (id && this.follow !== id) {
      this.goal.far = min(this.goal.far, far);
      this.goal.pitch = max(0.28, min(this.goal.pitch, 0.5));
      this.fitting = true;
    }
    this.follow = id;
  }

  /** Turn by angles. @param {number} yaw @param {number} pitch */
  orbit(yaw, pitch) {
    this.touched = true;
    this.goal.yaw += yaw;
    this.goal.pitch = min(HIGH, max(LOW, this.goal.pitch + pitch));
  }

  /** @param {number} factor */
  zoom(factor) {
    this.touched = true;
    this.goal.far = min(this.reach * 2.2, max(NEAREST, this.goal.far * factor));
  }

  /** Move along the ground, by shares of the view; lets go of who was followed. @param {number} right @param {number} ahead */
  pan(right, ahead) {
    this.touched = true;
    this.follow = null;
    const { yaw, far } = this.goal;
    const { minX, maxX, minZ, maxZ } = this.bounds;
    this.goal.x = min(maxX, max(minX, this.goal.x + (cos(yaw) * right - sin(yaw) * ahead) * far));
    this.goal.z = min(maxZ, max(minZ, this.goal.z - (sin(yaw) * right + cos(yaw) * ahead) * far));
    this.goal.y = 1;
  }

  /**
   * @param {number} dt s @param {{x: number, y: number, z: number, head: number} | null} followed
   * @param {boolean} still no easing wanted
   */
  update(dt, followed, still) {
    const { goal, now } = this;
    if (followed && this.fitting) {
      goal.far = max(goal.far, followed.head * 2.6);
      this.fitting = false;
    }
    if (followed) Object.assign(goal, { x: followed.x, y: followed.y + followed.head * 0.7, z: followed.z });
    const ease = still ? 1 : 1 - exp(-dt * 6);
    for (const key of /** @type {(keyof typeof goal)[]} */ (Object.keys(goal))) now[key] += (goal[key] - now[key]) * ease;
    const flat = cos(now.pitch) * now.far;
    this.target.set(now.x, now.y, now.z);
    this.lens.position.set(now.x + sin(now.yaw) * flat, max(0.6, now.y + sin(now.pitch) * now.far), now.z + cos(now.yaw) * flat);
    this.lens.lookAt(this.target);
    this.lens.updateMatrixWorld();
  }

  /** Pixels that a unit covers at a unit's distance. @param {number} height */
  scale(height) {
    return height / (2 * Math.tan((this.lens.fov * PI) / 360));
  }
}
