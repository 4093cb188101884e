/** The window: brings the parts of the page together and lets time pass. */
import { Avatar } from './avatar.js';
import { Controls, thumbPad } from './controls.js';
import { ask, ipc, media, need } from './dom.js';
import { fullScreen } from './fullscreen.js';
import { Labels } from './labels.js';
import { MapView } from './map2d.js';
import { Minimap } from './minimap.js';
import { DELAY } from './motion.js';
import { Net } from './net.js';
import { bar } from './panels/bar.js';
import { addressOf, Card } from './panels/card.js';
import { joining } from './panels/joining.js';
import { Log } from './panels/log.js';
import { People } from './panels/people.js';
import { Places } from './panels/places.js';
import { sanction } from './panels/sanction.js';
import { StationBoards } from './panels/stations.js';
import { tabs } from './panels/tabs.js';
import { graphics } from './quality.js';
import { Sound } from './sound.js';
import { State } from './state.js';
import { t } from './strings.js';

const VIEWPORT_EVERY = 1000;

class Page {
  /** @param {State} state @param {Net} net @param {any} deep the view of the cavern; null where it cannot be drawn */
  constructor(state, net, deep) {
    this.state = state;
    this.net = net;
    this.avatar = new Avatar(this.net, state);
    this.labels = new Labels(need('labels'), state);
    this.sound = new Sound();
    this.wanted = net.follow;
    /** @type {any} */
    this.deep = deep;
    /** @type {MapView | null} */
    this.map = null;
    /** @type {any} */
    this.view = deep ?? this.flat;
    this.last = 0;
    this.told = 0;
    this.choose = tabs(need('tabs'));
    this.card = new Card(state, {
      follow: (id) => this.follow(id), followed: () => this.view.camera.follow, closed: () => this.select(null),
      walk: (id) => this.net.request({ type: 'world-walk', agentId: this.avatar.id, targetAgentId: id }).catch(() => undefined),
      joined: () => Boolean(this.avatar.id),
    });
    this.controls = new Controls(need('view'), {
      view: () => this.view, picked: (what, twice) => this.picked(what, twice),
      walking: () => Boolean(this.avatar.id), key: (key) => this.key(key),
    });
    this.minimap = new Minimap(/** @type {HTMLCanvasElement} */ (need('minimap')), state, (x, z) => this.look(x, z));
    this.panels();
  }

  /** The map, made when it is first wanted. */
  get flat() {
    return (this.map ??= new MapView(/** @type {HTMLCanvasElement} */ (need('flat')), this.state));
  }

  panels() {
    const { state } = this;
    const select = (/** @type {string} */ id) => this.select(id, true);
    const log = new Log(state, select);
    const people = new People(state, select);
    const stations = new StationBoards(state, (id) => {
      const station = state.stations.get(id);
      if (station?.occupiedBy) this.select(station.occupiedBy, true);
      else if (station) this.look(station.x, station.z);
    });
    this.places = new Places(state);
    need('tabs').addEventListener('chosen', () => {
      people.show();
      stations.show();
      this.places?.show();
      log.down();
    });
    joining(this.avatar, () => {
      this.follow(this.avatar.id);
      need('view').focus();
    });
    bar(this.net, state);
    sanction(this.net);
    thumbPad(need('thumb'), this.controls.pad);
    need('to-map').addEventListener('click', () => this.swap());
    need('to-sound').addEventListener('click', () => need('to-sound').setAttribute('aria-pressed', String(this.sound.toggle())));
    fullScreen(need('to-full'));
    need('to-help').addEventListener('click', () => /** @type {HTMLDialogElement} */ (need('help')).showModal());
    need('to-panels').addEventListener('click', () => this.fold(!document.body.classList.contains('folded')));
    if (media('(max-width: 720px)')) this.fold(true);
    state.addEventListener('event', (event) => {
      const { detail } = /** @type {CustomEvent} */ (event);
      if (!detail.past) this.sound.heard(detail.event);
    });
    this.avatar.addEventListener('waiting', () => this.toast(t('join.waiting')));
    this.avatar.addEventListener('back', () => this.toast(t('join.back')));
    this.avatar.addEventListener('refused', (event) => this.toast(t('join.refused', { why: /** @type {CustomEvent} */ (event).detail })));
  }

  /** @param {boolean} folded */
  fold(folded) {
    document.body.classList.toggle('folded', folded);
    need('to-panels').setAttribute('aria-expanded', String(!folded));
    this.resize();
  }

  /** Fit the picture into what the panels leave free. */
  resize() {
    const side = need('side');
    const below = media('(max-width: 720px)');
    this.view.inset = { right: below ? 0 : side.offsetWidth, bottom: below ? side.offsetHeight : 0 };
    this.view.resize();
  }

  /** @param {string} sentence */
  toast(sentence) {
    const box = need('toast');
    box.textContent = sentence;
    box.classList.remove('fade');
    requestAnimationFrame(() => requestAnimationFrame(() => box.classList.add('fade')));
  }

  /** @param {string | null} id @param {boolean} [look] whether to go there, with the keyboard too */
  select(id, look = false) {
    this.view.selected = id;
    if (id) this.card.open(id, look);
    const figure = id ? this.view.figures().get(id) : null;
    if (look && figure && this.view.camera.follow !== id) this.look(figure.x, figure.z);
    if (!id && this.card.id) this.card.close();
  }

  /** @param {string | null} id */
  follow(id) {
    this.view.camera.attach(id);
    if (id) this.view.selected = id;
    this.net.follow = id;
    this.net.send({ type: 'follow', agentId: id });
    history.replaceState(null, '', addressOf(id && id !== this.avatar.id ? id : null));
    this.card.told = '';
    this.card.refresh();
  }

  /** @param {number} x @param {number} z */
  look(x, z) {
    if (this.view.camera.follow) this.follow(null);
    const { camera } = this.view;
    if (this.view !== this.deep) {
      Object.assign(this.flat, { centre: { x, y: 0, z }, near: Math.max(2, this.flat.near) });
    } else {
      Object.assign(camera.goal, { x, y: 1, z, far: Math.min(camera.goal.far, 24) });
      camera.touched = true;
    }
  }

  /** @param {any} what @param {boolean} twice */
  picked(what, twice) {
    if (what.agent) {
      this.select(what.agent);
      if (twice) this.follow(what.agent);
    } else if (what.building) {
      this.fold(false);
      this.choose('tab-places');
      this.places?.visit(what.building);
    } else if (what.x !== undefined && this.avatar.id) this.avatar.walkTo(what.x, what.z);
    else if (twice && what.x !== undefined) this.look(what.x, what.z);
    else if (what.station) {
      this.fold(false);
      this.choose('tab-stations');
    } else this.select(null);
  }

  /** @param {string} key */
  key(key) {
    const { camera } = this.view;
    if (key === '+' || key === '=') camera.zoom(0.85);
    else if (key === '-') camera.zoom(1.18);
    else if (key === 'Escape') {
      this.select(null);
      if (!this.avatar.id) this.follow(null);
    } else if (key === 'Home') {
      this.follow(null);
      camera.overview();
    } else if (key === 'f' && this.view.selected) this.follow(this.view.selected);
    else if (key === 'm') this.swap();
    else if (key === 'Enter' && this.avatar.id) need('say').focus();
  }

  /** From the cavern to the map, and back. */
  swap() {
    if (!this.deep) return;
    this.show(this.view === this.deep ? this.flat : this.deep);
  }

  /** @param {any} view */
  show(view) {
    const { selected } = this.view;
    const { follow } = this.view.camera;
    this.view = view;
    view.selected = selected;
    view.camera.attach(follow);
    need('cavern').hidden = view !== this.deep;
    need('flat').hidden = view === this.deep;
    const button = need('to-map');
    button.setAttribute('aria-pressed', String(view !== this.deep));
    this.resize();
  }

  /** One frame. @param {number} ms */
  frame(ms) {
    const dt = Math.min(0.1, (ms - this.last) / 1000);
    this.last = ms;
    const steps = this.controls.steps();
    if (this.avatar.id) this.avatar.drive(steps.right, steps.ahead, this.view.camera.goal.yaw, dt, ms);
    this.controls.frame(dt);
    const at = this.state.now() - DELAY;
    for (const agent of this.state.agents.values()) {
      if (agent.driven) Object.assign(agent.place, agent.driven);
      else if (agent.motion.latest) agent.motion.at(at, agent.action === 'walk', agent.place);
    }
    if (!this.state.snapshots) return; // nobody to be seen yet
    this.view.frame(ms);
    this.labels.frame(this.view);
    this.minimap.frame(ms, this.view.selected, this.view.centre);
    if (this.wanted && this.state.agents.has(this.wanted)) {
      this.follow(this.wanted);
      this.wanted = null;
    }
    if (ms - this.told > VIEWPORT_EVERY && !this.view.camera.follow) {
      this.told = ms;
      this.net.send({ type: 'viewport', x: this.view.centre.x, z: this.view.centre.z });
    }
    if (!document.body.dataset.ready) this.ready();
  }

  /** The first picture with everybody in it. */
  ready() {
    document.body.dataset.ready = this.deep ? 'cavern' : 'map';
    requestAnimationFrame(() => performance.mark('first-picture')); // by then it was drawn
    need('loading').remove();
  }
}

/** Write the words of the page where they belong. */
function speak() {
  for (const element of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('[data-t]'))) {
    element.textContent = t(element.dataset.t ?? '');
  }
  for (const element of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('[data-label]'))) {
    const label = t(element.dataset.label ?? '');
    element.setAttribute('aria-label', label);
    if (element instanceof HTMLInputElement) element.placeholder = label;
  }
}

/** What comes over the link, into the state. @param {Net} net @param {State} state */
function link(net, state) {
  net.addEventListener('message', (event) => state.take(/** @type {CustomEvent} */ (event).detail));
  net.addEventListener('stations', (event) => state.occupy(/** @type {CustomEvent} */ (event).detail));
  net.addEventListener('link', () => {
    document.body.dataset.link = net.state;
    if (net.state === 'connecting') state.expectAll();
  });
  state.addEventListener('stranger', (event) => net.send({ type: 'requestProfile', agentId: /** @type {CustomEvent} */ (event).detail }));
  net.open();
}

async function begin() {
  const query = new URLSearchParams(location.search);
  const canvas = /** @type {HTMLCanvasElement} */ (need('cavern'));
  const answers = Promise.all([ask('api/world'), ipc('profiles')]); // on their way while we look what draws
  const drawn = query.has('map') ? null : graphics(canvas);
  performance.mark('probed');
  const cavern = drawn && (await import('./view3d.js'));
  const [{ world }, { profiles }] = await answers;
  performance.mark('loaded');
  const state = new State(world);
  state.take({ type: 'profiles', profiles });
  const net = new Net(query.get('agent'));
  link(net, state); // it opens while the cavern is built
  const deep = cavern && drawn && new cavern.View3d(canvas, state, drawn);
  performance.mark('built');
  const realm = new Page(state, net, deep);
  realm.show(realm.view);
  canvas.addEventListener('webglcontextlost', () => {
    realm.deep = null;
    realm.show(realm.flat);
    need('to-map').hidden = true;
    realm.toast(t('view.lost'));
  });
  need('to-map').hidden = !deep;
  need('no-webgl').hidden = Boolean(deep) || query.has('map');
  const loop = (/** @type {number} */ ms) => {
    requestAnimationFrame(loop);
    realm.frame(ms);
  };
  requestAnimationFrame(loop);
  addEventListener('resize', () => realm.resize());
  Object.assign(globalThis, { realm }); // for who looks inside: the tests, and the curious at the console
}

/** Begin, again and again until the realm answers. */
async function insist() {
  try {
    await begin();
  } catch (error) {
    console.warn(error);
    need('loading').textContent = t('unreachable');
    setTimeout(insist, 3000);
  }
}

speak();
insist();
