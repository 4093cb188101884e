/** Taking part: the door, and once inside what one says and does. */
import { h, need } from '../dom.js';
import { t } from '../strings.js';

const ACTIONS = ['wave', 'dance', 'spin', 'backflip'];
const EMOTES = ['happy', 'thinking', 'surprised', 'laugh'];
const COLORS = ['#e4572e', '#f3a712', '#a8c686', '#2e86ab', '#8e6dd8', '#e887b0'];
const KEY = 'realm.human';

/** @param {import('../avatar.js').Avatar} avatar @param {() => void} entered */
export function joining(avatar, entered) {
  const open = need('join-open');
  const form = /** @type {HTMLFormElement} */ (need('join'));
  const inside = need('inside');
  const name = /** @type {HTMLInputElement} */ (need('join-name'));
  const color = /** @type {HTMLInputElement} */ (need('join-color'));
  const say = /** @type {HTMLInputElement} */ (need('say'));
  const known = remembered();
  name.value = known.name;
  color.value = known.color;

  open.addEventListener('click', () => {
    form.hidden = false;
    open.hidden = true;
    name.focus();
  });
  need('join-cancel').addEventListener('click', () => {
    form.hidden = true;
    open.hidden = false;
    open.focus();
  });
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    remember(name.value.trim(), color.value);
    avatar.join(name.value.trim() || 'Visitor', color.value);
  });
  need('talk').addEventListener('submit', (event) => {
    event.preventDefault();
    if (say.value.trim()) avatar.say(say.value.trim());
    say.value = '';
  });
  say.addEventListener('keydown', (event) => event.key === 'Escape' && need('view').focus());
  need('leave').addEventListener('click', () => avatar.leave());
  need('deeds').append(
    ...ACTIONS.map((action) => h('button', { type: 'button', onclick: () => avatar.act(action) }, t(`do.${action}`))),
    ...EMOTES.map((emote) => h('button', { type: 'button', 'aria-label': t(`do.${emote}.label`), title: t(`do.${emote}.label`), onclick: () => avatar.feel(emote) }, t(`do.${emote}`))),
  );
  avatar.addEventListener('changed', () => {
    const joined = Boolean(avatar.id);
    inside.hidden = need('thumb').hidden = !joined;
    form.hidden = true;
    open.hidden = joined;
    need('join-as').textContent = joined && avatar.wish ? t('join.as', { name: avatar.wish.name }) : '';
    if (joined) entered();
  });
}

function remembered() {
  const color = COLORS[Math.floor(Math.random() * COLORS.length)];
  try {
    return { name: '', color, ...JSON.parse(localStorage.getItem(KEY) ?? '{}') };
  } catch {
    return { name: '', color }; // storage is closed to us, or somebody wrote nonsense there
  }
}

/** @param {string} name @param {string} color */
function remember(name, color) {
  try {
    localStorage.setItem(KEY, JSON.stringify({ name, color }));
  } catch {
    // a private window: nothing is remembered
  }
}
