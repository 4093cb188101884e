/**
 * What the page knows of the realm, from messages; it knows nothing of how it is drawn.
 *
 * Listeners get `agents` (somebody came, went or changed), `event` (a journalled event, live
 * or past), `stations`, and `room`.
 */
import { Motion } from './motion.js';

/**
 * @typedef {object} Profile
 * @property {string} agentId @property {string} name @property {string} color @property {string} bio
 * @property {string} [pubkey] @property {string[]} capabilities @property {string} [avatar]
 * @property {number} [joinedAt] @property {{skillId: string, name: string, description: string}[]} [skills]
 */
/**
 * @typedef {object} Agent
 * @property {string} id @property {Profile} profile @property {Motion} motion
 * @property {string} action @property {number} actionSince @property {boolean} dozing
 * @property {string} emote @property {number} emoteUntil
 * @property {string} words @property {number} wordsUntil
 * @property {'dragon' | 'kobold' | 'guest' | 'human'} kind @property {number} scale
 * @property {import('./motion.js').Place} place @property {import('./motion.js').Place | null} driven
 */
/**
 * @typedef {object} Station
 * @property {string} id @property {string} name @property {string} zone @property {number} x @property {number} z
 * @property {string} skill @property {string | null} occupiedBy @property {number | null} workingSince
 * @property {number} [rotation] @property {string} [description]
 */
/** @typedef {{id: string, name: string, x: number, z: number, width: number, depth: number, color: string, theme: string, description: string}} Zone */
/** @typedef {{id: string, name: string, x: number, z: number, radius: number, kind: string, description: string}} Building */
/** @typedef {{id: string, kind: 'dragon' | 'kobold', scale: number, color: string, x: number, z: number}} Inhabitant */
/**
 * @typedef {object} Atlas
 * @property {string} name @property {{minX: number, maxX: number, minZ: number, maxZ: number}} bounds
 * @property {number} clearance @property {Zone[]} zones @property {Building[]} buildings
 * @property {Station[]} workstations @property {Inhabitant[]} inhabitants @property {{x: number, z: number}[]} spawns
 */
/** @typedef {{seq: number, worldType: string, agentId: string, timestamp: number} & Record<string, any>} Happening */

/** ms */
const EMOTE_SHOWN = 3500;
/** @param {string} text */
const wordsShown = (text) => Math.min(12_000, 3500 + 55 * text.length);

export class State extends EventTarget {
  /** @param {Atlas} atlas */
  constructor(atlas) {
    super();
    this.atlas = atlas;
    /** @type {Map<string, Agent>} */
    this.agents = new Map();
    /** @type {Map<string, Profile>} */
    this.profiles = new Map();
    /** @type {Map<string, Station>} */
    this.stations = new Map(atlas.workstations.map((s) => [s.id, { ...s, occupiedBy: null, workingSince: null }]));
    /** @type {Happening[]} */
    this.history = [];
    this.room = { roomId: '', name: atlas.name, description: '', agents: 0, maxAgents: 0 };
    /** ms to add to this machine's clock to get the daemon's, as far as is known. */
    this.ahead = -Infinity;
    /** When those here came in (ms), as far as is known. @type {Map<string, number>} */
    this.arrivals = new Map();
    this.snapshots = 0;
    this.fresh = true;
  }

  /** The daemon's time now (ms). */
  now() {
    return Date.now() + (this.ahead === -Infinity ? 0 : this.ahead);
  }

  /** A message from the link. @param {any} message */
  take(message) {
    if (message.type === 'snapshot') this.snapshot(message.agents);
    else if (message.type === 'world') this.happened(message.message, Boolean(message.past));
    else if (message.type === 'roomInfo') {
      this.room = message.info;
      this.tell('room');
    } else if (message.type === 'profiles' || message.type === 'profile') {
      for (const profile of message.profiles ?? [message.profile]) this.learn(profile);
      this.tell('agents');
    }
  }

  /** The next snapshot tells everyone who is here; others are gone. */
  expectAll() {
    this.fresh = true;
  }

  /** @param {any[]} list */
  snapshot(list) {
    const present = new Set();
    for (const { profile, position, action, dozing } of list) {
      this.learn(profile);
      const agent = this.agents.get(profile.agentId) ?? this.enter(profile.agentId);
      present.add(profile.agentId);
      this.move(agent, position);
      this.act(agent, action, Boolean(dozing));
    }
    if (this.fresh) {
      for (const id of this.agents.keys()) if (!present.has(id)) this.agents.delete(id);
      this.fresh = false;
    }
    this.snapshots++;
    this.tell('agents');
  }

  /** @param {any} event @param {boolean} past */
  happened(event, past) {
    if (event.seq === undefined) {
      this.sync(event.timestamp);
      const agent = this.agents.get(event.agentId) ?? (event.worldType === 'position' ? this.enter(event.agentId) : null);
      if (agent && event.worldType === 'position') this.move(agent, event);
      else if (agent) this.act(agent, event.action, Boolean(event.dozing));
      if (event.worldType === 'action') this.tell('agents');
      return;
    }
    this.history.push(event);
    if (this.history.length > 1000) this.history.splice(0, 200);
    this.apply(event, past);
    this.dispatchEvent(new CustomEvent('event', { detail: { event, past } }));
  }

  /** @param {Happening} event @param {boolean} past */
  apply(event, past) {
    const agent = this.agents.get(event.agentId);
    const { worldType } = event;
    if (worldType === 'join' || worldType === 'profile') {
      const { name, color, bio, capabilities, skills } = event;
      if (worldType === 'join') this.arrivals.set(event.agentId, event.timestamp);
      const before = this.profiles.get(event.agentId);
      this.learn({ ...before, agentId: event.agentId, name, color, bio, capabilities, skills });
      if (worldType === 'join' && !past && !agent) this.dispatchEvent(new CustomEvent('stranger', { detail: event.agentId }));
      this.tell('agents');
    } else if (worldType === 'leave' && !past) {
      this.agents.delete(event.agentId);
      this.arrivals.delete(event.agentId);
      this.tell('agents');
    } else if (worldType === 'chat' && agent && !this.stale(event)) {
      agent.words = event.text;
      agent.wordsUntil = this.now() + wordsShown(event.text);
    } else if (worldType === 'emote' && agent && !this.stale(event)) {
      agent.emote = event.emote;
      agent.emoteUntil = this.now() + EMOTE_SHOWN;
    } else if (worldType === 'work' && !past) this.worked(event);
  }

  /** @param {Happening} event */
  stale(event) {
    return this.now() - event.timestamp > 8000;
  }

  /** @param {Happening} event */
  worked(event) {
    const station = this.stations.get(event.workstationId);
    if (!station) return;
    station.occupiedBy = event.phase === 'left' ? null : event.agentId;
    station.workingSince = event.phase === 'started' ? event.timestamp : null;
    this.tell('stations');
  }

  /** The daemon's own list of stations. @param {Station[]} list */
  occupy(list) {
    for (const given of list) this.stations.set(given.id, { ...this.stations.get(given.id), ...given });
    this.tell('stations');
  }

  /** @param {Profile} profile */
  learn(profile) {
    this.profiles.set(profile.agentId, profile);
    const agent = this.agents.get(profile.agentId);
    if (agent) {
      agent.profile = profile;
      agent.kind = this.kindOf(profile);
    }
  }

  /** @param {string} id @returns {Agent} */
  enter(id) {
    const profile = this.profiles.get(id) ?? { agentId: id, name: id, color: '#b8a58c', bio: '', capabilities: [] };
    const agent = /** @type {Agent} */ ({
      id, profile, motion: new Motion(), action: 'idle', actionSince: 0, dozing: false,
      emote: '', emoteUntil: 0, words: '', wordsUntil: 0, kind: this.kindOf(profile),
      scale: this.atlas.inhabitants.find((being) => being.id === id)?.scale ?? 1,
      place: { x: 0, y: 0, z: 0, rotation: 0, speed: 0 }, driven: null,
    });
    this.agents.set(id, agent);
    return agent;
  }

  /** @param {Profile} profile @returns {Agent['kind']} */
  kindOf(profile) {
    const being = this.atlas.inhabitants.find((one) => one.id === profile.agentId);
    if (being) return being.kind;
    if (profile.avatar === 'dragon' || profile.avatar === 'kobold') return profile.avatar;
    return profile.agentId.startsWith('human-') ? 'human' : 'guest';
  }

  /** @param {Agent} agent @param {any} at */
  move(agent, at) {
    if (!agent.motion.latest) Object.assign(agent.place, { x: at.x, y: at.y, z: at.z, rotation: at.rotation });
    agent.motion.add({ t: at.timestamp, x: at.x, y: at.y, z: at.z, rotation: at.rotation });
  }

  /** @param {Agent} agent @param {string} action @param {boolean} dozing */
  act(agent, action, dozing) {
    if (agent.action !== action) agent.actionSince = this.now();
    agent.action = action;
    agent.dozing = dozing;
  }

  /** Learn from a live event how the daemon's clock goes. @param {number} timestamp */
  sync(timestamp) {
    const ahead = timestamp - Date.now();
    if (ahead > this.ahead || this.ahead - ahead > 60_000) this.ahead = ahead;
    else this.ahead -= 0.002; // clocks drift; follow slowly
  }

  /** The station that an agent holds. @param {string} id */
  stationOf(id) {
    for (const station of this.stations.values()) if (station.occupiedBy === id) return station;
    return null;
  }

  /** The zone at a point: the nearest one. @param {number} x @param {number} z */
  zoneAt(x, z) {
    /** @param {Zone} zone */
    const far = (zone) =>
      Math.hypot(Math.max(0, Math.abs(x - zone.x) - zone.width / 2), Math.max(0, Math.abs(z - zone.z) - zone.depth / 2));
    return this.atlas.zones.reduce((best, zone) => (far(zone) < far(best) ? zone : best));
  }

  /** @param {string} id */
  nameOf(id) {
    return this.profiles.get(id)?.name ?? id;
  }

  /** @param {string} what */
  tell(what) {
    this.dispatchEvent(new Event(what));
  }
}
