/** The button that gives the realm the whole screen, and takes it back. */

/** @param {HTMLElement} button */
export function fullScreen(button) {
  button.hidden = !document.fullscreenEnabled; // some phones give the screen to films only
  button.addEventListener('click', () => {
    const done = document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen();
    done.catch(() => undefined); // refused by the browser, which says so itself
  });
  document.addEventListener('fullscreenchange', () => button.setAttribute('aria-pressed', String(Boolean(document.fullscreenElement))));
}
