/** Low-poly forms put together from simple solids, painted by vertex, with one material for all. */
import * as THREE from '../../vendor/three.module.min.js';

/**
 * @typedef {object} Part
 * @property {THREE.BufferGeometry} form
 * @property {number[]} [at] @property {number[]} [turn] @property {number[] | number} [size]
 * @property {string | number} [color]
 * @property {number} [tint] how much of the owner's colour it takes, 0 to 1
 * @property {number} [glow] how much it shines by itself
 */

export const box = (/** @type {number} */ x, /** @type {number} */ y, /** @type {number} */ z) => new THREE.BoxGeometry(x, y, z);
export const ball = (/** @type {number} */ r, detail = 1) => new THREE.IcosahedronGeometry(r, detail);
export const cone = (/** @type {number} */ r, /** @type {number} */ height, sides = 6) => new THREE.ConeGeometry(r, height, sides);
export const tube = (/** @type {number} */ top, /** @type {number} */ bottom, /** @type {number} */ height, sides = 7) =>
  new THREE.CylinderGeometry(top, bottom, height, sides);

/** One geometry of all parts, flat-shaded. @param {Part[]} parts */
export function join(parts) {
  const pieces = parts.map((part) => {
    const piece = part.form.index ? part.form.toNonIndexed() : part.form.clone();
    const size = part.size ?? 1;
    const scale = typeof size === 'number' ? new THREE.Vector3(size, size, size) : new THREE.Vector3(...size);
    const [x = 0, y = 0, z = 0] = part.turn ?? [];
    const turn = new THREE.Quaternion().setFromEuler(new THREE.Euler(x, y, z));
    piece.applyMatrix4(new THREE.Matrix4().compose(new THREE.Vector3(...(part.at ?? [0, 0, 0])), turn, scale));
    piece.computeVertexNormals();
    return piece;
  });
  const count = pieces.reduce((sum, piece) => sum + piece.attributes.position.count, 0);
  const position = new Float32Array(count * 3);
  const normal = new Float32Array(count * 3);
  const color = new Float32Array(count * 3);
  const paint = new Float32Array(count * 2);
  let at = 0;
  pieces.forEach((piece, i) => {
    const { color: shade = '#ffffff', tint = 0, glow = 0 } = parts[i];
    const rgb = new THREE.Color(shade);
    position.set(piece.attributes.position.array, at * 3);
    normal.set(piece.attributes.normal.array, at * 3);
    for (let n = piece.attributes.position.count; n > 0; n--, at++) {
      color.set([rgb.r, rgb.g, rgb.b], at * 3);
      paint.set([tint, glow], at * 2);
    }
    piece.dispose();
  });
  const whole = new THREE.BufferGeometry();
  whole.setAttribute('position', new THREE.BufferAttribute(position, 3));
  whole.setAttribute('normal', new THREE.BufferAttribute(normal, 3));
  whole.setAttribute('color', new THREE.BufferAttribute(color, 3));
  whole.setAttribute('paint', new THREE.BufferAttribute(paint, 2));
  return whole;
}

/** The material of everything made by `join`: tinted by instance, shining where painted so. @param {THREE.Side} side */
export function paintMaterial(side) {
  const material = new THREE.MeshLambertMaterial({ vertexColors: true, side });
  material.onBeforeCompile = (shader) => {
    shader.vertexShader = shader.vertexShader
      .replace('#include <common>', '#include <common>\nattribute vec2 paint;\nvarying float vGlow;')
      .replace('#include <color_vertex>', '#include <color_vertex>\nvColor.rgb = mix(color.rgb, vColor.rgb, paint.x);\nvGlow = paint.y;');
    shader.fragmentShader = shader.fragmentShader
      .replace('#include <common>', '#include <common>\nvarying float vGlow;')
      .replace('#include <emissivemap_fragment>', '#include <emissivemap_fragment>\ntotalEmissiveRadiance += vColor.rgb * vGlow;');
  };
  return material;
}

/** The materials are shared: one for solids, one for what is seen from both sides. */
export const solid = paintMaterial(THREE.FrontSide);
export const thin = paintMaterial(THREE.DoubleSide);

const spot = new THREE.Object3D();

/**
 * Many of one form in one draw call.
 * @param {THREE.BufferGeometry} form
 * @param {{x: number, y?: number, z: number, turn?: number, lean?: number, size?: number | number[], color?: THREE.Color}[]} places
 * @param {THREE.Material} [material]
 */
export function many(form, places, material = solid) {
  const mesh = new THREE.InstancedMesh(form, material, Math.max(1, places.length));
  mesh.count = places.length;
  const white = new THREE.Color(1, 1, 1);
  places.forEach(({ x, y = 0, z, turn = 0, lean = 0, size = 1, color = white }, i) => {
    spot.position.set(x, y, z);
    spot.rotation.set(lean, turn, 0, 'YXZ');
    if (typeof size === 'number') spot.scale.setScalar(size);
    else spot.scale.set(size[0], size[1], size[2]);
    spot.updateMatrix();
    mesh.setMatrixAt(i, spot.matrix);
    mesh.setColorAt(i, color);
  });
  mesh.computeBoundingSphere();
  return mesh;
}
