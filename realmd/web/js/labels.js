/** Names over heads and what is said, as elements over the picture; the nearest get one. */
import { h, write } from './dom.js';
import { t } from './strings.js';

/** Names shown at once on a wide screen, and on a narrow one. */
const MANY = 34;
const FEW = 14;
/** px: the height of a name, what a bubble with a name is higher than a bubble, what is between two, and what is left free at the edges. */
const HIGH = 17;
const ABOVE = 31;
const GAP = 3;
const EDGE = 6;
const TOP = 60;

/** @typedef {{left: number, right: number, top: number, bottom: number}} Box */
/** @typedef {{tag: HTMLElement, name: HTMLElement, bubble: HTMLElement, feeling: HTMLElement, seen: number, fresh: boolean, half: number, above: number}} Tag */

export class Labels {
  /** @param {HTMLElement} layer @param {import('./state.js').State} state */
  constructor(layer, state) {
    this.layer = layer;
    this.state = state;
    /** @type {Map<string, Tag>} */
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
      made = { tag: h('div', { class: `tag ${kind}` }, bubble, feeling, name), name, bubble, feeling, seen: 0, fresh: true, half: 30, above: 0 };
      this.tags.set(key, made);
      this.layer.append(made.tag);
    }
    made.seen = this.turn;
    return made;
  }

  /** @param {{project: Function, figures: () => Map<string, any>, places: () => any[], width: number, height: number, inset: {right: number, bottom: number}, selected: string | null}} view */
  frame(view) {
    this.turn++;
    this.measure();
    /** @type {Box[]} */
    const taken = [];
    for (const { key, at, agent } of this.choose(view)) {
      const speaks = agent && agent.wordsUntil > this.state.now();
      const known = this.tags.get(key) ?? { half: 10 + 4 * (agent?.profile.name ?? key).length, above: 0 }; // a guess until measured
      const above = speaks ? known.above : 0;
      const x = Math.min(view.width - view.inset.right - EDGE - known.half, Math.max(EDGE + known.half, at.x));
      let y = Math.max(speaks || agent ? TOP + HIGH + above : 0, at.y);
      const box = { left: x - known.half, right: x + known.half, top: y - HIGH - above, bottom: y };
      if (speaks) y = free(box, taken);
      else if (key !== view.selected && taken.some((one) => cover(one, box))) continue;
      const fits = y <= Math.max(box.bottom, view.height - view.inset.bottom); // else the log has it
      if (fits) taken.push({ ...box, top: y - HIGH - above, bottom: y });
      const label = this.tag(key, agent ? 'agent' : 'place');
      this.fill(label, key, agent, Boolean(speaks), view.selected === key);
      label.tag.style.transform = `translate(${x.toFixed(1)}px, ${y.toFixed(1)}px)`;
      label.tag.style.visibility = fits ? '' : 'hidden';
      label.tag.style.zIndex = String(speaks ? 2000 : Math.max(1, 1000 - Math.round(at.far)));
      label.tag.style.opacity = agent ? '' : String(Math.max(0.35, Math.min(1, 1.5 - at.far / 90)));
    }
    for (const [key, label] of this.tags) {
      if (label.seen === this.turn) continue;
      label.tag.remove();
      this.tags.delete(key);
    }
  }

  /** Ask how large the new ones are, all at once: the browser lays them out only one time. */
  measure() {
    for (const label of this.tags.values()) {
      if (!label.fresh) continue;
      label.fresh = false;
      label.half = Math.max(label.name.offsetWidth, label.bubble.offsetWidth, label.feeling.offsetWidth) / 2;
      label.above = label.bubble.offsetHeight && label.bubble.offsetHeight + ABOVE - HIGH;
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
      const chosen = figure.id === view.selected;
      const speaks = agent.wordsUntil > now;
      const weight = chosen ? -3000 : speaks ? -2000 : agent.emoteUntil > now ? -1000 : 0;
      found.push({ key: figure.id, at, agent, weight: at.far + weight, until: chosen ? 0 : speaks ? agent.wordsUntil : Number.MAX_VALUE });
    }
    found.sort((a, b) => a.weight - b.weight);
    found.length = Math.min(found.length, view.width < 700 ? FEW : MANY);
    found.sort((a, b) => a.until - b.until); // so that bubbles do not change places while everybody moves
    for (const place of view.places()) {
      const at = view.project(place.x, place.y, place.z);
      if (at && at.x > 0 && at.x < view.width - view.inset.right - 40 && at.y > 60) found.push({ key: `place ${place.name}`, at, agent: null, weight: 0, until: 0 });
    }
    return found;
  }

  /** @param {Tag} label @param {string} key @param {import('./state.js').Agent | null} agent @param {boolean} speaks @param {boolean} selected */
  fill(label, key, agent, speaks, selected) {
    const was = label.name.textContent + label.bubble.textContent;
    write(label.name, agent ? agent.profile.name : key.slice(6));
    write(label.bubble, speaks && agent ? agent.words : '');
    if (was !== label.name.textContent + label.bubble.textContent) label.fresh = true;
    if (!agent) return;
    const feels = agent.emoteUntil > this.state.now();
    label.name.style.setProperty('--own', agent.profile.color);
    const felt = label.feeling.textContent;
    write(label.feeling, feels ? t(`emote.${agent.emote}`) : agent.dozing ? 'z z z' : '');
    if (felt !== label.feeling.textContent) label.fresh = true;
    label.tag.classList.toggle('chosen', selected);
  }
}

/** @param {Box} a @param {Box} b */
function cover(a, b) {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

/** Where a box may end that covers none: as near above those in its way as can be, or below where there is no room. @param {Box} box @param {Box[]} taken */
function free(box, taken) {
  const high = box.bottom - box.top;
  /** @param {(one: Box) => number} past */
  const go = (past) => {
    let y = box.bottom;
    for (;;) {
      const at = { ...box, top: y - high, bottom: y };
      const one = taken.find((other) => cover(other, at));
      if (!one) return y;
      y = past(one);
    }
  };
  const up = go((one) => one.top - GAP);
  return up - high < TOP ? go((one) => one.bottom + GAP + high) : up;
}
