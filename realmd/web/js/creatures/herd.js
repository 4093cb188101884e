/** Everyone in the realm as figures: posed, coloured, lit and shaded each frame. */
import * as THREE from '../../vendor/three.module.min.js';
import { seedOf } from '../scene/chance.js';
import { many } from '../scene/forms.js';
import { dragon } from './dragon.js';
import { guest, human } from './guest.js';
import { kobold } from './kobold.js';
import { pose } from './pose.js';
import { Troop } from './rig.js';

/** @typedef {import('../state.js').Agent} Agent */
/** @typedef {{id: string, agent: Agent, x: number, y: number, z: number, head: number, radius: number, action: string}} Figure */

/** How much larger than life the figures are, to be seen across the cavern. */
const LARGER = 1.35;
const SHADOW = 0.55;
/** The most that lamps add to a colour. */
const BRIGHT = 0.6;

const color = new THREE.Color();
const light = new THREE.Color();
const spot = new THREE.Object3D();

export class Herd {
  /**
   * @param {THREE.Scene} scene @param {import('../state.js').State} state
   * @param {import('../scene/glow.js').Glow} glow
   */
  constructor(scene, state, glow) {
    this.state = state;
    this.glow = glow;
    this.troops = {
      dragon: new Troop(dragon(), scene), kobold: new Troop(kobold(), scene),
      guest: new Troop(guest(), scene), human: new Troop(human(), scene),
    };
    /** @type {Map<string, Figure & {stride: number, phase: number, color: THREE.Color, shade: string}>} */
    this.figures = new Map();
    const disc = new THREE.CircleGeometry(1, 20).rotateX(-Math.PI / 2);
    const dark = new THREE.MeshBasicMaterial({ color: 0x000000, transparent: true, opacity: 0.42, depthWrite: false });
    this.shadows = many(disc, Array.from({ length: 512 }, () => ({ x: 0, z: 0 })), dark);
    this.shadows.frustumCulled = false;
    this.shadows.renderOrder = 1;
    scene.add(this.shadows);
  }

  /** @param {number} time s @param {number} dt s @param {boolean} still */
  update(time, dt, still) {
    const { agents } = this.state;
    for (const troop of Object.values(this.troops)) troop.begin(agents.size);
    let shadow = 0;
    const now = this.state.now();
    for (const agent of agents.values()) {
      if (!agent.motion.latest) continue;
      const figure = this.figures.get(agent.id) ?? this.make(agent);
      const { place } = agent;
      const troop = this.troops[agent.kind];
      const scale = agent.scale * LARGER;
      figure.stride += (place.speed * dt) / scale;
      const station = place.speed < 0.15 ? this.state.stationOf(agent.id) : null;
      pose(troop.body, {
        action: agent.action, t: Math.max(0, (now - agent.actionSince) / 1000), time, phase: figure.phase,
        stride: figure.stride, speed: place.speed, dozing: agent.dozing,
        emote: agent.emoteUntil > now ? agent.emote : '', working: Boolean(station?.workingSince), still,
      });
      this.dress(figure, agent, place);
      troop.add(place, scale, color);
      Object.assign(figure, {
        agent, x: place.x, y: place.y, z: place.z, head: troop.rig.height * scale,
        radius: 0.5 * scale * (agent.kind === 'dragon' ? 1.8 : 1), action: place.speed > 0.15 ? 'walk' : agent.action,
      });
      if (shadow < 512) this.shade(shadow++, figure, troop.body.y);
    }
    for (const troop of Object.values(this.troops)) troop.end();
    this.shadows.count = shadow;
    this.shadows.instanceMatrix.needsUpdate = true;
    if (this.figures.size > agents.size) {
      for (const id of this.figures.keys()) if (!agents.has(id)) this.figures.delete(id);
    }
  }

  /** @param {Agent} agent */
  make(agent) {
    const figure = {
      id: agent.id, agent, x: 0, y: 0, z: 0, head: 2, radius: 0.5, action: 'idle',
      stride: 0, phase: (seedOf(agent.id) % 628) / 100, color: new THREE.Color(), shade: '',
    };
    this.figures.set(agent.id, figure);
    return figure;
  }

  /** Its own colour, in the light where it stands. @param {any} figure @param {Agent} agent @param {{x: number, z: number}} place */
  dress(figure, agent, place) {
    if (figure.shade !== agent.profile.color) {
      figure.shade = agent.profile.color;
      figure.color.set(agent.profile.color);
    }
    this.glow.at(place.x, place.z, light);
    color.copy(figure.color);
    color.r *= 0.85 + Math.min(BRIGHT, light.r);
    color.g *= 0.85 + Math.min(BRIGHT, light.g);
    color.b *= 0.85 + Math.min(BRIGHT, light.b);
    if (agent.dozing) color.multiplyScalar(0.6);
  }

  /** @param {number} slot @param {Figure} figure @param {number} lift */
  shade(slot, figure, lift) {
    const wide = (figure.radius / 0.5) * SHADOW * (1 - Math.min(0.6, lift * 0.4));
    spot.position.set(figure.x, figure.y + 0.04, figure.z);
    spot.scale.set(wide, 1, wide);
    spot.updateMatrix();
    this.shadows.setMatrixAt(slot, spot.matrix);
  }
}
