/** The floor, painted from the atlas: stone, zones, worn ways, and what shines from the cracks. */
import * as THREE from '../../vendor/three.module.min.js';
import { dice, rough } from './chance.js';
import { themeOf } from './themes.js';

const SIZE = 1024;
const GRAIN = 256;

/** @typedef {import('../state.js').Atlas} Atlas */

/** @param {number} size */
function canvas(size) {
  const element = document.createElement('canvas');
  element.width = element.height = size;
  // Kept off the graphics card: painted once, and where no card is there, painting by it is slowest.
  return /** @type {CanvasRenderingContext2D} */ (element.getContext('2d', { willReadFrequently: true }));
}

/** Uneven stone in grey. */
function grain() {
  const pen = canvas(GRAIN);
  const image = pen.createImageData(GRAIN, GRAIN);
  for (let y = 0; y < GRAIN; y++) {
    for (let x = 0; x < GRAIN; x++) {
      const v = 58 + 90 * rough(x / 9, y / 9) + 30 * rough(x / 2.2 + 50, y / 2.2);
      image.data.set([v * 1.02, v * 0.94, v * 0.9, 255], (y * GRAIN + x) * 4);
    }
  }
  pen.putImageData(image, 0, 0);
  return pen.canvas;
}

/**
 * A crooked line.
 * @param {CanvasRenderingContext2D} pen @param {() => number} chance
 * @param {number} x @param {number} z @param {number} length @param {number} step
 */
function crack(pen, chance, x, z, length, step) {
  let angle = chance() * 7;
  pen.beginPath();
  pen.moveTo(x, z);
  for (let i = 0; i < length; i++) {
    angle += (chance() - 0.5) * 1.6;
    x += Math.cos(angle) * step;
    z += Math.sin(angle) * step;
    pen.lineTo(x, z);
  }
  pen.stroke();
}

/** @param {CanvasRenderingContext2D} pen @param {import('../state.js').Zone} zone @param {() => number} chance */
function paintZone(pen, zone, chance) {
  const theme = themeOf(zone);
  pen.save();
  pen.globalAlpha = 0.28;
  pen.fillStyle = theme.ground;
  for (const inset of [-0.8, -0.3, 0.2, 0.7, 1.2]) { // soft edges, without the cost of a blur
    pen.fillRect(zone.x - zone.width / 2 + inset, zone.z - zone.depth / 2 + inset, zone.width - 2 * inset, zone.depth - 2 * inset);
  }
  pen.beginPath();
  pen.rect(zone.x - zone.width / 2, zone.z - zone.depth / 2, zone.width, zone.depth);
  pen.clip();
  const spots = Math.round(zone.width * zone.depth * 0.9);
  for (let i = 0; i < spots; i++) {
    const x = zone.x + (chance() - 0.5) * zone.width;
    const z = zone.z + (chance() - 0.5) * zone.depth;
    pen.globalAlpha = 0.05 + chance() * 0.16;
    pen.fillStyle = chance() < 0.5 ? zone.color : chance() < 0.6 ? '#000000' : '#cbb48f';
    if (theme.props === 'lantern') pen.fillRect(Math.round(x * 1.2) / 1.2, Math.round(z * 1.2) / 1.2, 0.74, 0.74);
    else if (i % 3) pen.fillRect(x, z, 0.15 + chance() * 0.35, 0.15 + chance() * 0.25);
    else {
      pen.beginPath();
      pen.ellipse(x, z, 0.2 + chance() * 0.6, 0.1 + chance() * 0.25, chance() * 3, 0, 7);
      pen.fill();
    }
  }
  pen.restore();
}

/** Flagstones on the ways from where people come in to all that can be visited. @param {CanvasRenderingContext2D} pen @param {Atlas} atlas */
function paintWays(pen, atlas) {
  const { spawns, buildings, workstations } = atlas;
  const chance = dice(17);
  const hub = {
    x: spawns.reduce((sum, s) => sum + s.x, 0) / spawns.length,
    z: spawns.reduce((sum, s) => sum + s.z, 0) / spawns.length,
  };
  const laid = new Set();
  for (const goal of [...workstations, ...buildings.map((b) => ({ x: b.x, z: b.z + b.radius + 1 }))]) {
    const steps = Math.ceil(Math.hypot(goal.x - hub.x, goal.z - hub.z) / 0.6);
    for (let i = 0; i <= steps; i++) {
      const k = i / steps;
      const ease = k * k * (3 - 2 * k);
      const x = hub.x + (goal.x - hub.x) * ease + (chance() - 0.5) * 1.5;
      const z = hub.z + (goal.z - hub.z) * k + (chance() - 0.5) * 0.8;
      const cell = `${Math.round(x / 0.85)} ${Math.round(z / 0.85)}`;
      if (laid.has(cell)) continue;
      laid.add(cell);
      flagstone(pen, x, z, 0.3 + chance() * 0.28, chance);
    }
  }
  for (const { x, z, radius } of buildings) {
    for (let a = 0; a < 6.28; a += 0.75 / radius) {
      for (const far of [radius + 0.5, radius + 1.3]) {
        flagstone(pen, x + Math.sin(a + far) * far, z + Math.cos(a + far) * far, 0.34 + chance() * 0.1, chance);
      }
    }
  }
}

/** @param {CanvasRenderingContext2D} pen @param {number} x @param {number} z @param {number} size @param {() => number} chance */
function flagstone(pen, x, z, size, chance) {
  const start = chance() * 6;
  for (const [grow, shade, alpha] of [[1.18, '#050303', 0.5], [1, chance() < 0.5 ? '#8f7a60' : '#75685a', 0.75]]) {
    pen.globalAlpha = Number(alpha);
    pen.fillStyle = String(shade);
    pen.beginPath();
    for (let i = 0; i < 6; i++) {
      const far = size * Number(grow) * (0.8 + 0.2 * Math.sin(start * 7 + i * 5));
      pen.lineTo(x + Math.cos(start + i * 1.047) * far, z + Math.sin(start + i * 1.047) * far * 0.8);
    }
    pen.fill();
  }
}

/** What shines: lava in the cracks of an ember zone, veins in a crystal one. @param {Atlas} atlas @param {number} half */
function paintShine(atlas, half) {
  const pen = canvas(SIZE);
  pen.fillStyle = '#000000';
  pen.fillRect(0, 0, SIZE, SIZE);
  fit(pen, half);
  const chance = dice(23);
  for (const zone of atlas.zones) {
    const { props, light } = themeOf(zone);
    if (props !== 'ember' && props !== 'crystal') continue;
    pen.save();
    pen.beginPath();
    pen.rect(zone.x - zone.width / 2, zone.z - zone.depth / 2, zone.width, zone.depth);
    pen.clip();
    for (let i = 0; i < zone.width * zone.depth * 0.02; i++) {
      const [x, z] = [zone.x + (chance() - 0.5) * zone.width, zone.z + (chance() - 0.5) * zone.depth];
      for (const [width, alpha, shade] of [[0.9, 0.12, light], [0.3, 0.5, light], [0.1, 0.8, '#ffe0b0']]) {
        pen.lineWidth = Number(width) * (props === 'ember' ? 1 : 0.5);
        pen.globalAlpha = Number(alpha) * (props === 'ember' ? 1 : 0.5);
        pen.strokeStyle = props === 'crystal' && shade === '#ffe0b0' ? '#e0d4ff' : String(shade);
        crack(pen, dice(i + 1), x, z, 9, 0.55);
      }
    }
    pen.restore();
  }
  return pen.canvas;
}

/** Draw in the world's units. @param {CanvasRenderingContext2D} pen @param {number} half */
function fit(pen, half) {
  const scale = SIZE / (2 * half);
  pen.setTransform(scale, 0, 0, scale, SIZE / 2, SIZE / 2);
}

/** @param {HTMLCanvasElement} picture @param {boolean} plain whether looking close must be cheap */
function texture(picture, plain) {
  const made = new THREE.CanvasTexture(picture);
  made.colorSpace = THREE.SRGBColorSpace;
  made.anisotropy = plain ? 1 : 4;
  made.flipY = false;
  return made;
}

/**
 * @param {Atlas} atlas @param {number} half how far the floor is painted @param {import('./glow.js').Glow} glow
 * @param {boolean} plain whether no graphics card draws
 */
export function ground(atlas, half, glow, plain) {
  const pen = canvas(SIZE);
  pen.imageSmoothingQuality = 'high';
  const stone = grain();
  pen.drawImage(stone, 0, 0, SIZE, SIZE);
  fit(pen, half);
  const chance = dice(5);
  for (const zone of atlas.zones) paintZone(pen, zone, chance);
  paintWays(pen, atlas);
  pen.strokeStyle = '#000000';
  for (let i = 0; i < 260; i++) {
    pen.globalAlpha = 0.12 + chance() * 0.2;
    pen.lineWidth = 0.05 + chance() * 0.1;
    crack(pen, chance, (chance() - 0.5) * 2 * half, (chance() - 0.5) * 2 * half, 7, 0.6);
  }
  const form = new THREE.PlaneGeometry(2 * half, 2 * half).rotateX(-Math.PI / 2);
  const uv = form.attributes.uv;
  for (let i = 0; i < uv.count; i++) uv.setY(i, 1 - uv.getY(i)); // row 0 is the north, as painted
  const lightMap = glow.texture();
  const material = new THREE.MeshLambertMaterial({
    map: texture(pen.canvas, plain), lightMap, lightMapIntensity: 6,
    emissiveMap: texture(paintShine(atlas, half), plain), emissive: 0xffffff, emissiveIntensity: 1,
  });
  const detail = texture(stone, plain);
  detail.wrapS = detail.wrapT = THREE.RepeatWrapping;
  material.onBeforeCompile = (shader) => {
    shader.uniforms.detail = { value: detail };
    shader.fragmentShader = shader.fragmentShader
      .replace('#include <common>', '#include <common>\nuniform sampler2D detail;')
      .replace('#include <map_fragment>', '#include <map_fragment>\ndiffuseColor.rgb *= 0.45 + 4.2 * texture2D(detail, vMapUv * 13.0).g;');
  };
  return new THREE.Mesh(form, material);
}
