/** /status: the figures of the realm, live, fed by the metrics. */
import { chart } from './chart.js';
import { address, ask, h, need, write } from './dom.js';
import { t } from './strings.js';

/** Chart: the field of a sample, its unit, and a value that is unusual enough to be the least full scale. */
const CHARTS = /** @type {[string, string, number][]} */ ([
  ['tickMs', 'ms', 5], ['lagMs', 'ms', 10], ['messagesIn', '/s', 10], ['events', '/s', 10],
  ['agents', '', 10], ['connections', '', 10], ['memoryMb', 'MB', 100], ['commitMs', 'ms', 5], ['loopMs', 'ms', 10],
]);

const charts = CHARTS.map(([field, unit, least]) => ({ field, ...chart(t(`status.${field}`), unit, least) }));

/** @param {number} s */
function span(s) {
  const [d, hours, m] = [Math.floor(s / 86400), Math.floor(s / 3600) % 24, Math.floor(s / 60) % 60];
  return d ? `${d} d ${hours} h` : hours ? `${hours} h ${m} min` : m ? `${m} min` : `${s} s`;
}

/** @param {any} report */
function show({ health, samples, relays, every }) {
  const now = samples.at(-1) ?? {};
  document.body.className = health.status;
  write(need('verdict-text'), t(`status.${health.status}`));
  const figures = [
    ['uptime', span(health.uptime)], ['agents', t('status.seats', { n: health.agents.active, max: health.agents.total })],
    ['inhabitants', `${health.agents.inhabitants}`], ['known', `${health.agents.known}`],
    ['connections', `${health.connections}`], ['tickMs', `${now.tickMs ?? '–'} ms`], ['lagMs', `${now.lagMs ?? '–'} ms`],
    ['messagesIn', `${now.messagesIn ?? '–'} /s`], ['memory', health.memory.used], ['storage', t(`status.${health.checks.storage?.status ?? 'ok'}.short`)],
    ['relays', relays ? `${relays}` : t('status.none')],
  ];
  need('figures').replaceChildren(...figures.map(([name, value]) => h('li', {}, h('strong', {}, value), h('span', {}, t(`status.${name}`)))));
  need('checks').replaceChildren(...Object.entries(health.checks).map(([name, check]) => h('li', { class: check.status },
    h('span', { class: 'lamp', 'aria-hidden': 'true' }), `${name}: ${t(`status.${check.status}.short`)}${check.reason ? `, ${check.reason}` : ''}`)));
  for (const { field, draw } of charts) draw(samples.map((/** @type {any} */ sample) => sample[field]), every);
  /** @type {HTMLImageElement} */ (need('badge')).alt = t(`status.${health.status}`);
}

async function refresh() {
  try {
    const report = await ask('api/status');
    show(report);
    setTimeout(refresh, report.every * 1000);
  } catch {
    document.body.className = 'failed';
    write(need('verdict-text'), t('status.unreachable'));
    setTimeout(refresh, 5000);
  }
}

for (const element of document.querySelectorAll('[data-t]')) element.textContent = t(/** @type {HTMLElement} */ (element).dataset.t ?? '');
need('charts').append(...charts.map(({ element }) => element));
write(need('badge-address'), address('status.svg'));
refresh();
