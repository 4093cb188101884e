/**
 * The link to the daemon: one WebSocket that comes back by itself.
 *
 * Every journalled event has a `seq`.  After a lost link the events missed are asked for
 * before anything new is let through, so that a listener sees each exactly once, in order.
 */
import { address, ask } from './dom.js';

const FIRST_WAIT = 500;
const LONGEST_WAIT = 10_000;
const PING_EVERY = 5_000;
const PATIENCE = 12_000;
const PAGE = 200;
/** The sub-protocol that tells a tick's events in one message. */
const BATCH = 'realm.batch.1';

/** @typedef {'connecting' | 'catching' | 'open' | 'lost'} LinkState */

export class Net extends EventTarget {
  /** @param {string | null} follow the agent that the connection looks at */
  constructor(follow) {
    super();
    this.follow = follow;
    /** @type {LinkState} */
    this.state = 'connecting';
    this.latency = 0;
    this.lastSeq = 0;
    this.retryAt = 0;
    this.misses = 0;
    /** @type {WebSocket | null} */
    this.socket = null;
    /** @type {any[] | null} */
    this.held = null;
    this.waiting = new Map();
    this.nextId = 1;
    this.heardAt = 0;
    this.timer = 0;
    setInterval(() => this.ping(), PING_EVERY);
    addEventListener('online', () => this.retry());
    document.addEventListener('visibilitychange', () => document.hidden || this.retry());
  }

  open() {
    clearTimeout(this.timer);
    this.become('connecting');
    const url = new URL(address('ws'));
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    if (this.follow) url.searchParams.set('agent', this.follow);
    const socket = new WebSocket(url, [BATCH]);
    this.socket = socket;
    this.held = [];
    socket.addEventListener('open', () => this.opened(socket));
    socket.addEventListener('message', (event) => socket === this.socket && this.receive(event.data));
    socket.addEventListener('close', () => socket === this.socket && this.lost());
  }

  /** Try again now, if the link is lost. */
  retry() {
    if (this.state === 'lost') this.open();
  }

  /** @param {object} message @returns {boolean} whether it could be sent */
  send(message) {
    if (this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  /** Send a command or query and wait for its acknowledgement. @param {object} message @returns {Promise<any>} */
  request(message) {
    return new Promise((resolve, reject) => {
      const id = this.nextId++;
      if (!this.send({ ...message, id })) reject(new Error('offline'));
      else this.waiting.set(id, { resolve, reject });
    });
  }

  /** @param {WebSocket} socket */
  async opened(socket) {
    this.heardAt = performance.now();
    this.become('catching');
    try {
      await this.catchUp(socket);
    } catch {
      socket.close(); // the daemon answers no HTTP yet: begin again
      return;
    }
    if (socket !== this.socket || socket.readyState !== WebSocket.OPEN) return;
    const held = /** @type {any[]} */ (this.held ?? []);
    this.held = null;
    for (const message of held) this.pass(message);
    this.misses = 0;
    this.become('open');
    this.ping();
  }

  /** Fetch what happened since `lastSeq`; the first time, the newest page. @param {WebSocket} socket */
  async catchUp(socket) {
    for (;;) {
      const first = this.lastSeq === 0;
      const query = first ? `limit=${PAGE}` : `after=${this.lastSeq}&limit=${PAGE}`;
      const { events } = await ask(`api/events?${query}`);
      if (socket !== this.socket) return;
      for (const event of events) this.pass({ type: 'world', message: event, past: true });
      if (first || events.length < PAGE) return;
    }
  }

  /** @param {string} data */
  receive(data) {
    this.heardAt = performance.now();
    const message = JSON.parse(data);
    if (message.type === 'tick') for (const event of message.messages) this.told(event.toAgentId ? 'private' : 'world', event);
    else if (message.type === 'world') this.told('world', message.message);
    else if (message.type === 'ack') this.acknowledged(message);
    else this.pass(message);
  }

  /** An event; while we catch up, the journalled ones wait for those before them. @param {string} type @param {any} event */
  told(type, event) {
    const message = { type, message: event };
    if (this.held && event.seq) this.held.push(message);
    else this.pass(message);
  }

  /** @param {any} message */
  pass(message) {
    const seq = message.type === 'world' ? message.message.seq : undefined;
    if (seq !== undefined) {
      if (seq <= this.lastSeq) return;
      this.lastSeq = seq;
    }
    this.dispatchEvent(new CustomEvent('message', { detail: message }));
  }

  /** @param {any} ack */
  acknowledged(ack) {
    const wait = this.waiting.get(ack.id);
    this.waiting.delete(ack.id);
    if (ack.ok) wait?.resolve(ack);
    else wait?.reject(new Error(ack.reason ?? ack.error));
  }

  ping() {
    if (this.state !== 'open') return;
    if (performance.now() - this.heardAt > PATIENCE) {
      this.socket?.close(); // half open: nothing came, not even an answer to the last ping
      this.lost();
      return;
    }
    const sent = performance.now();
    this.request({ type: 'workstations' }).then((answer) => {
      this.latency = performance.now() - sent;
      this.dispatchEvent(new CustomEvent('stations', { detail: answer.workstations }));
      this.become(this.state);
    }, () => undefined);
  }

  lost() {
    this.socket = null;
    for (const wait of this.waiting.values()) wait.reject(new Error('offline'));
    this.waiting.clear();
    const wait = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.misses++) * (0.75 + Math.random() / 2);
    this.retryAt = performance.now() + wait;
    this.timer = setTimeout(() => this.open(), wait);
    this.become('lost');
  }

  /** @param {LinkState} state */
  become(state) {
    this.state = state;
    this.dispatchEvent(new CustomEvent('link', { detail: state }));
  }
}
