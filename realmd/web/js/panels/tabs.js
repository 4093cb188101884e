/** Tabs over panels, as the ARIA pattern has them: arrows move, only the chosen one is in the tab order. */

/** @param {HTMLElement} list the tablist; each tab names its panel by aria-controls */
export function tabs(list) {
  const all = /** @type {HTMLElement[]} */ ([...list.querySelectorAll('[role=tab]')]);
  /** @param {HTMLElement} chosen */
  function choose(chosen) {
    for (const tab of all) {
      const on = tab === chosen;
      tab.setAttribute('aria-selected', String(on));
      tab.tabIndex = on ? 0 : -1;
      const panel = document.getElementById(tab.getAttribute('aria-controls') ?? '');
      if (panel) panel.hidden = !on;
    }
    chosen.dispatchEvent(new CustomEvent('chosen', { bubbles: true }));
  }
  list.addEventListener('click', (event) => {
    const tab = /** @type {HTMLElement | null} */ (/** @type {HTMLElement} */ (event.target).closest('[role=tab]'));
    if (tab) choose(tab);
  });
  list.addEventListener('keydown', (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const to = event.key === 'Home' ? 0 : event.key === 'End' ? all.length - 1 : step && (all.indexOf(/** @type {HTMLElement} */ (event.target)) + step + all.length) % all.length;
    if (to === undefined) return;
    event.preventDefault();
    choose(all[to]);
    all[to].focus();
  });
  return (/** @type {string} */ id) => {
    const tab = all.find((one) => one.id === id);
    if (tab) choose(tab);
  };
}
