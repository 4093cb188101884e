/** What the operator has imposed, told to the human in words that stay until they are read. */
import { need, write } from '../dom.js';
import { clock, date, t } from '../strings.js';

/** A day in ms: what ends later is told with its date. */
const DAY = 86_400_000;

/** @param {import('../net.js').Net} net */
export function sanction(net) {
  const box = need('sanction');
  need('sanction-read').addEventListener('click', () => {
    box.hidden = true;
  });
  net.addEventListener('message', (event) => {
    const message = /** @type {CustomEvent} */ (event).detail;
    const told = message.type === 'draining' ? 'draining' : message.code;
    if (message.type !== 'sanction' && message.type !== 'draining') return;
    const until = message.until ? t('sanction.until', { time: when(message.until) }) : '';
    write(need('sanction-text'), t(`sanction.${told}`, { until, reason: message.reason }));
    box.hidden = false;
  });
}

/** @param {number} ms */
function when(ms) {
  return ms - Date.now() < DAY ? clock(ms) : `${date(ms)} ${clock(ms)}`;
}
