/** The bar on top: the room, the link and its honesty, the hour, and the switches. */
import { need, write } from '../dom.js';
import { hourOf } from '../hours.js';
import { t } from '../strings.js';

/** @param {import('../net.js').Net} net @param {import('../state.js').State} state */
export function bar(net, state) {
  const banner = need('banner');
  const link = need('link');
  const show = () => {
    const { room } = state;
    document.title = t('title', { room: room.name });
    write(need('room'), room.name);
    const inhabitants = state.atlas.inhabitants.filter(({ id }) => state.agents.has(id)).length;
    write(need('seats'), t('seats', { inhabitants, n: state.agents.size - inhabitants, max: room.maxAgents || '…' }));
    write(need('hour'), t(`day.${hourOf(state.now()).name}`));
  };
  const linked = () => {
    link.dataset.state = net.state;
    write(need('link-word'), t(`net.${net.state}`));
    write(need('latency'), net.state === 'open' && net.latency ? t('net.latency', { ms: Math.max(1, Math.round(net.latency)) }) : '');
    const gone = net.state === 'lost' || (net.state !== 'open' && net.misses > 0);
    banner.hidden = !gone;
    const s = Math.ceil((net.retryAt - performance.now()) / 1000);
    if (gone) write(need('banner-text'), s > 0 && net.state === 'lost' ? t('net.banner', { s }) : t('net.banner.now'));
  };
  need('again').addEventListener('click', () => net.retry());
  net.addEventListener('link', linked);
  for (const what of ['room', 'agents']) state.addEventListener(what, show);
  setInterval(() => {
    show();
    if (net.state === 'lost') linked();
  }, 1000);
  show();
  linked();
}
