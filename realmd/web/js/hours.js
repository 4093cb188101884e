/** The hours of the realm: the day of a place without a clock on the wall. */

/** A day lasts so long (ms), everywhere the same: it hangs on the daemon's clock. */
export const DAY = 20 * 60_000;

/** Share of the day, its name, sky, shaft, strength of the light from above. */
const HOURS = /** @type {[number, string, string, string, number][]} */ ([
  [0, 'night', '#0d1638', '#8aa5ff', 0.46], [0.2, 'night', '#0d1638', '#8aa5ff', 0.46], [0.29, 'dawn', '#e0876a', '#ffb48a', 0.55],
  [0.38, 'day', '#8fc4ff', '#fff1d0', 1], [0.68, 'day', '#8fc4ff', '#fff1d0', 1], [0.78, 'dusk', '#b8527a', '#ff9a8a', 0.55],
  [0.88, 'night', '#0d1638', '#8aa5ff', 0.46], [1, 'night', '#0d1638', '#8aa5ff', 0.46],
]);

/** @param {number} ms the daemon's time */
export function hourOf(ms) {
  const share = (((ms % DAY) + DAY) % DAY) / DAY;
  const next = Math.max(1, HOURS.findIndex(([until]) => until >= share));
  const [a, b] = [HOURS[next - 1], HOURS[next]];
  const k = (share - a[0]) / (b[0] - a[0]);
  return { name: (k < 0.5 ? a : b)[1], a, b, k };
}
