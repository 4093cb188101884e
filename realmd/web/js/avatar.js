/** The human's own body: joins, walks under the hand, speaks; comes back after a lost link. */

/** Units a second; ms between two tellings, until a stop is seen as the daemon saw it, and at the longest. */
const SPEED = 4.6;
const TELL_EVERY = 100;
const SETTLE = 400;
const AT_LAST = 5000;

export class Avatar extends EventTarget {
  /** @param {import('./net.js').Net} net @param {import('./state.js').State} state */
  constructor(net, state) {
    super();
    this.net = net;
    this.state = state;
    /** @type {string | null} */
    this.id = null;
    /** @type {{name: string, color: string} | null} */
    this.wish = null;
    this.walking = false;
    /** Whether a body was asked for and not given yet; and whether because the link was lost. */
    this.asked = this.returning = false;
    this.told = 0;
    this.stopped = 0;
    net.addEventListener('link', () => this.linked());
    net.addEventListener('message', (event) => this.heard(/** @type {CustomEvent} */ (event).detail));
  }

  /** @param {string} name @param {string} color */
  join(name, color) {
    this.wish = { name, color };
    this.asked = this.net.send({ type: 'playerJoin', name, color });
    if (!this.asked) this.dispatchEvent(new Event('waiting'));
  }

  leave() {
    this.net.send({ type: 'playerLeave' });
    this.wish = null;
    this.become(null);
  }

  linked() {
    if (this.net.state === 'lost') {
      if (this.id) this.dispatchEvent(new Event('waiting'));
      this.asked = this.returning = false;
      this.become(null);
    } else if (this.net.state === 'open' && this.wish && !this.id && !this.asked) {
      this.asked = this.returning = true;
      this.net.send({ type: 'playerJoin', ...this.wish });
    }
  }

  /** @param {any} message */
  heard(message) {
    if (message.type === 'playerJoined') {
      this.become(message.agentId);
      if (this.returning) this.dispatchEvent(new Event('back'));
      this.asked = this.returning = false;
    } else if (message.type === 'error') {
      this.asked = this.returning = false;
      if (!this.id) this.wish = null;
      this.dispatchEvent(new CustomEvent('refused', { detail: message.reason ?? message.message }));
    } else if (message.type === 'sanction' && ['kicked', 'banned'].includes(message.code)) {
      this.wish = null; // nobody comes back by himself who was sent out
    } else if (message.type === 'world' && message.message.worldType === 'leave' && message.message.agentId === this.id) {
      this.wish = null;
      this.become(null);
    }
  }

  /** @param {string | null} id */
  become(id) {
    if (id === this.id) return;
    this.id = id;
    this.walking = false;
    this.dispatchEvent(new Event('changed'));
  }

  get agent() {
    return this.id ? this.state.agents.get(this.id) ?? null : null;
  }

  /** @param {string} text */
  say(text) {
    this.net.send({ type: 'playerChat', text });
  }

  /** @param {string} emote */
  feel(emote) {
    this.net.send({ type: 'world-emote', agentId: this.id, emote });
  }

  /** @param {string} action */
  act(action) {
    this.net.send({ type: 'playerAction', action });
  }

  /** Walk there, around what stands in the way; the daemon finds the path. @param {number} x @param {number} z */
  walkTo(x, z) {
    const agent = this.agent;
    if (agent) agent.driven = null;
    this.net.request({ type: 'world-walk', agentId: this.id, x, z }).catch((error) =>
      this.dispatchEvent(new CustomEvent('refused', { detail: error.message })));
  }

  /**
   * Walk by hand for a frame.
   * @param {number} right -1 to 1, as seen @param {number} ahead -1 to 1 @param {number} yaw where we look from
   * @param {number} dt s @param {number} ms the page's time
   */
  drive(right, ahead, yaw, dt, ms) {
    const agent = this.agent;
    if (!agent?.motion.latest) return;
    const strength = Math.min(1, Math.hypot(right, ahead));
    if (strength < 0.1) {
      this.rest(agent, ms);
      return;
    }
    const own = (agent.driven ??= { ...agent.place });
    const angle = Math.atan2(right, -ahead) + yaw; // 0 is towards us
    const step = SPEED * strength * dt;
    const [dx, dz] = [Math.sin(angle) * step, Math.cos(angle) * step];
    if (this.open(own.x + dx, own.z + dz)) Object.assign(own, { x: own.x + dx, z: own.z + dz });
    else if (this.open(own.x + dx, own.z)) own.x += dx;
    else if (this.open(own.x, own.z + dz)) own.z += dz;
    own.rotation = angle;
    own.speed = SPEED * strength;
    this.stopped = 0;
    if (!this.walking) this.act('walk');
    this.walking = true;
    if (ms - this.told > TELL_EVERY) this.tell(own, ms);
  }

  /** @param {import('./state.js').Agent} agent @param {number} ms */
  rest(agent, ms) {
    if (this.walking && agent.driven) {
      this.tell(agent.driven, ms);
      this.act('idle');
    }
    this.walking = false;
    if (!agent.driven) return;
    agent.driven.speed = 0;
    this.stopped ||= ms;
    const { x = NaN, z = NaN } = agent.motion.latest ?? {};
    const there = Math.hypot(x - agent.driven.x, z - agent.driven.z) < 0.05;
    if (ms - this.stopped > (there ? SETTLE : AT_LAST)) agent.driven = null;
  }

  /** @param {{x: number, z: number, rotation: number}} at @param {number} ms */
  tell({ x, z, rotation }, ms) {
    this.told = ms;
    const near = (/** @type {number} */ v) => Math.round(v * 100) / 100;
    this.net.send({ type: 'playerMove', x: near(x), z: near(z), rotation: near(rotation) });
  }

  /** Whether a body may stand there. @param {number} x @param {number} z */
  open(x, z) {
    const { bounds, buildings, clearance } = this.state.atlas;
    return x > bounds.minX && x < bounds.maxX && z > bounds.minZ && z < bounds.maxZ
      && buildings.every((one) => Math.hypot(x - one.x, z - one.z) > one.radius + clearance + 0.02);
  }
}
