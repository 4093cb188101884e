/** Soft lights without lighting: all flames and halos in one draw call, all floating motes in another. */
import * as THREE from '../../vendor/three.module.min.js';
import { dice } from './chance.js';

const HALO_VERTEX = `
attribute vec3 tone; attribute vec3 shape; uniform float time; uniform float scale; varying vec3 vTone;
void main() {
  float flicker = 1.0 + shape.y * (0.5 * sin(time * 9.0 + shape.z) + 0.5 * sin(time * 23.0 + shape.z * 3.0));
  vec4 at = modelViewMatrix * vec4(position, 1.0);
  float far = -at.z;
  vTone = tone * flicker * clamp(1.25 - far / 120.0, 0.25, 1.0);
  gl_PointSize = min(shape.x * (0.9 + 0.1 * flicker) * scale / far, 190.0);
  gl_Position = projectionMatrix * at;
}`;
const HALO_FRAGMENT = `
varying vec3 vTone;
void main() {
  float far = length(gl_PointCoord - 0.5) * 2.0;
  if (far > 1.0) discard;
  float soft = (1.0 - far) * (1.0 - far);
  gl_FragColor = vec4(vTone * (soft * 0.55 + pow(soft, 4.0) * 1.6), 1.0);
}`;
const MOTE_VERTEX = `
attribute vec3 tone; attribute vec3 shape; uniform float time; uniform float scale; varying vec3 vTone;
void main() {
  vec3 at = position;
  float life = fract(shape.z + time * shape.y * 0.11);
  at.y += life * 7.0;
  at.x += sin(time * 0.5 + shape.z * 40.0) * 1.2;
  at.z += cos(time * 0.4 + shape.z * 57.0) * 1.2;
  vec4 seen = modelViewMatrix * vec4(at, 1.0);
  vTone = tone * sin(life * 3.1416) * (0.6 + 0.4 * sin(time * 2.0 + shape.z * 90.0));
  gl_PointSize = clamp(shape.x * scale / -seen.z, 1.0, 12.0);
  gl_Position = projectionMatrix * seen;
}`;

/** Points of light; `shape` is size, flicker or rise, and phase. */
class Lights {
  /** @param {string} vertex */
  constructor(vertex) {
    this.uniforms = { time: { value: 0 }, scale: { value: 700 } };
    this.material = new THREE.ShaderMaterial({
      uniforms: this.uniforms, vertexShader: vertex, fragmentShader: HALO_FRAGMENT,
      blending: THREE.AdditiveBlending, depthWrite: false, transparent: true,
    });
    /** @type {number[]} */
    this.at = [];
    /** @type {number[]} */
    this.tones = [];
    /** @type {number[]} */
    this.shapes = [];
    this.chance = dice(7);
  }

  /**
   * @param {number} x @param {number} y @param {number} z @param {string} color @param {number} size
   * @param {number} liveliness @param {number} [strength]
   */
  add(x, y, z, color, size, liveliness, strength = 1) {
    const rgb = new THREE.Color(color).multiplyScalar(strength);
    this.at.push(x, y, z);
    this.tones.push(rgb.r, rgb.g, rgb.b);
    this.shapes.push(size, liveliness, this.chance() * (this.material.vertexShader === MOTE_VERTEX ? 1 : 50));
  }

  points() {
    const form = new THREE.BufferGeometry();
    form.setAttribute('position', new THREE.Float32BufferAttribute(this.at, 3));
    form.setAttribute('tone', new THREE.Float32BufferAttribute(this.tones, 3));
    form.setAttribute('shape', new THREE.Float32BufferAttribute(this.shapes, 3));
    const points = new THREE.Points(form, this.material);
    points.frustumCulled = false;
    points.renderOrder = 5;
    return points;
  }

  /** @param {number} time s @param {number} scale pixels of one unit at one unit's distance */
  update(time, scale) {
    this.uniforms.time.value = time;
    this.uniforms.scale.value = scale;
  }
}

export class Halos extends Lights {
  constructor() {
    super(HALO_VERTEX);
  }
}

export class Motes extends Lights {
  constructor() {
    super(MOTE_VERTEX);
  }

  /** Motes over a zone. @param {import('../state.js').Zone} zone @param {import('./themes.js').Theme} theme @param {number} count */
  fill(zone, theme, count) {
    for (let i = 0; i < count; i++) {
      const x = zone.x + (this.chance() - 0.5) * zone.width;
      const z = zone.z + (this.chance() - 0.5) * zone.depth;
      this.add(x, 0.2, z, theme.mote, 0.16 + this.chance() * 0.14, theme.rise * (0.6 + this.chance()), 0.9);
    }
  }
}
