/** Names over heads and what is said, as elements over the picture; the nearest get one. */
import { h, write } from './dom.js';
import { t } from './strings.js';

/** Names shown at once on a wide screen, and on a narrow one. */
const MANY = 34;
const FEW = 14;
/** px: names nearer to each other than this would cover each other. */
const WIDE = 64;
const HIGH = 17;
const EDGE = 130;

export class Labels {
  /** @param {HTMLElement} layer @param {import('./state.js').State} state */
  constructor(layer, state) {
    this.layer = layer;
    this.state = state;
    /** @type {Map<string, {tag: HTMLElement, name: HTMLElement, bubble: HTMLElement, feeling: HTMLElement, seen: number}>} */
    this.tags = new Map();
    this.turn = 0;
    this.shown = true;
  }

  /** @param {string} key @param {string} kind */
  tag(key, kind) {
    let made = this.tags.get(key);
    if (!made) {
      const bubble = h('p', { class: 'bubble' });
      const feeling = h('span', { class: 'feeling' });
      const name = h('span', { class: 'name' });
      made = { tag: h('div', { class: `tag ${kind}` }, bubble, feeling, name), name, bubble, feeling, seen: 0 };
      this.tags.set(key, made);
      this.layer.append(made.tag);
    }
    made.seen = this.turn;
    return made;
  }

  /** @param {{project: Function, figures: () => Map<string, any>, places: () => any[], width: number, height: number, inset: {right: number, bottom: number}, selected: string | null}} view */
  frame(view) {
    this.turn++;
    /** @type {{x: number, y: number}[]} */
    const taken = [];
    for (const { key, at, agent } of this.choose(view)) {
      const speaks = agent && agent.wordsUntil > this.state.now();
      const close = taken.some((one) => Math.abs(one.x - at.x) < WIDE && Math.abs(one.y - at.y) < HIGH);
      if (close && !speaks && key !== view.selected) continue;
      taken.push(at);
      const label = this.tag(key, agent ? 'agent' : 'place');
      this.fill(label, key, agent, Boolean(speaks), view.selected === key);
      const x = speaks ? Math.min(view.width - view.inset.right - EDGE, Math.max(EDGE, at.x)) : at.x;
      const y = speaks ? Math.max(150, at.y) : at.y;
      label.tag.style.transform = `translate(${x.toFixed(1)}px, ${y.toFixed(1)}px)`;
      label.tag.style.zIndex = String(speaks ? 2000 : Math.max(1, 1000 - Math.round(at.far)));
      label.tag.style.opacity = agent ? '' : String(Math.max(0.35, Math.min(1, 1.5 - at.far / 90)));
    }
    for (const [key, label] of this.tags) {
      if (label.seen === this.turn) continue;
      label.tag.remove();
      this.tags.delete(key);
    }
  }

  /** Who gets a label, first who matters most. @param {any} view */
  choose(view) {
    const found = [];
    const now = this.state.now();
    for (const figure of view.figures().values()) {
      const at = view.project(figure.x, figure.y + figure.head + 0.25, figure.z);
      if (!at || at.x < -40 || at.y < -20 || at.x > view.width - view.inset.right - 10 || at.y > view.height - view.inset.bottom + 40) continue;
      const { agent } = figure;
      const weight = figure.id === view.selected ? -3000 : agent.wordsUntil > now ? -2000 : agent.emoteUntil > now ? -1000 : 0;
      found.push({ key: figure.id, at, agent, weight: at.far + weight });
    }
    found.sort((a, b) => a.weight - b.weight);
    found.length = Math.min(found.length, view.width < 700 ? FEW : MANY);
    for (const place of view.places()) {
      const at = view.project(place.x, place.y, place.z);
      if (at && at.x > 0 && at.x < view.width - view.inset.right - 40 && at.y > 60) found.push({ key: `place ${place.name}`, at, agent: null, weight: 0 });
    }
    return found;
  }

  /** @param {any} label @param {string} key @param {import('./state.js').Agent | null} agent @param {boolean} speaks @param {boolean} selected */
  fill(label, key, agent, speaks, selected) {
    if (!agent) {
      write(label.name, key.slice(6));
      return;
    }
    const feels = agent.emoteUntil > this.state.now();
    write(label.name, agent.profile.name);
    label.name.style.setProperty('--own', agent.profile.color);
    write(label.bubble, speaks ? agent.words : '');
    write(label.feeling, feels ? t(`emote.${agent.emote}`) : agent.dozing ? 'z z z' : '');
    label.tag.classList.toggle('chosen', selected);
  }
}
