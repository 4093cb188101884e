/** The whole place, built from the atlas that the daemon gives; nothing about it is known here. */
import * as THREE from '../../vendor/three.module.min.js';
import { buildings } from './buildings.js';
import { Cavern } from './cavern.js';
import { Daylight } from './daylight.js';
import { ambient, dressing } from './dressing.js';
import { Glow } from './glow.js';
import { ground } from './ground.js';
import { Halos, Motes } from './halos.js';
import { lampMeshes, place } from './lamps.js';
import { Stations } from './stations.js';
import { themeOf } from './themes.js';

/** The floor is painted and lit so far beyond the bounds. */
const MARGIN = 12;
/** Of a zone's light (cd). */
const BRIGHT = 42;

export class World {
  /** @param {import('../state.js').Atlas} atlas @param {boolean} plain whether no graphics card draws */
  constructor(atlas, plain) {
    this.scene = new THREE.Scene();
    this.scene.background = new THREE.Color('#07060b');
    this.scene.fog = new THREE.FogExp2('#120d16', 0.0085);
    const { bounds } = atlas;
    const half = Math.max(bounds.maxX, -bounds.minX, bounds.maxZ, -bounds.minZ) + MARGIN;
    this.glow = new Glow(half);
    const lamps = place(atlas);
    ambient(atlas, this.glow);
    for (const lamp of lamps) this.glow.add(lamp.x, lamp.z, lamp.color, lamp.kind === 'brazier' ? 14 : 13, 0.95);
    for (const one of atlas.buildings) this.glow.add(one.x, one.z, one.kind === 'portal' ? '#6ad4ff' : '#ffc07a', one.radius * 3, 0.7);

    this.halos = new Halos();
    this.motes = new Motes();
    this.cavern = new Cavern(atlas, this.glow);
    this.stations = new Stations(atlas, this.halos);
    this.buildings = buildings(atlas.buildings, this.halos);
    this.floor = ground(atlas, half, this.glow, plain);
    this.daylight = new Daylight(this.cavern.centre, this.cavern.reach, this.cavern.tall);
    this.scene.add(
      this.floor, this.cavern.group, this.stations.group, this.buildings.group, this.daylight.group,
      lampMeshes(lamps, this.halos), dressing(atlas, this.glow, this.halos),
    );
    for (const zone of atlas.zones) this.motes.fill(zone, themeOf(zone), Math.min(110, Math.round((zone.width * zone.depth) / 40)));
    this.air = this.motes.points();
    this.scene.add(this.halos.points(), this.air);
    this.lights = this.zoneLights(atlas);
    for (const object of [this.floor, this.cavern.group, this.buildings.group]) object.updateMatrixWorld(true);
  }

  /** A real light for each of the first zones, so that what moves is lit by them. @param {import('../state.js').Atlas} atlas */
  zoneLights(atlas) {
    return atlas.zones.slice(0, 5).map((zone) => {
      const light = new THREE.PointLight(themeOf(zone).light, BRIGHT, Math.max(zone.width, zone.depth) * 0.9, 1.35);
      light.position.set(zone.x, 7, zone.z);
      this.scene.add(light);
      return light;
    });
  }

  /**
   * @param {import('../state.js').State} state @param {number} time s @param {number} scale pixels of a unit at a
   * unit's distance @param {boolean} still no movement wanted
   */
  update(state, time, scale, still) {
    const moving = still ? 0.5 : time;
    this.halos.update(moving, scale);
    this.motes.update(moving, scale);
    this.buildings.time.value = moving;
    this.stations.update(state.stations, time, still);
    this.daylight.update(state.now());
    const flicker = 1 + (still ? 0 : 0.05 * Math.sin(time * 7.3) + 0.04 * Math.sin(time * 13.7 + 2));
    this.lights.forEach((light, i) => {
      light.intensity = BRIGHT * (1 + (flicker - 1) * (i % 2 ? 1 : -0.8));
    });
    const floor = /** @type {THREE.MeshLambertMaterial} */ (this.floor.material);
    floor.lightMapIntensity = 6 * flicker;
    floor.emissiveIntensity = 0.85 + (still ? 0 : 0.2 * Math.sin(time * 1.3));
  }

  /** Fewer lights and motes where drawing is slow. @param {number} level 0 lowest to 3 */
  ease(level) {
    this.lights.forEach((light) => (light.visible = level > 1));
    this.daylight.boost = level > 1 ? 1 : 1.5;
    this.air.geometry.setDrawRange(0, level > 1 ? Infinity : level ? 160 : 60);
  }
}
