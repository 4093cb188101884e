/** Chance that falls the same way for everyone: seeded numbers and smooth noise. */

/** Numbers from 0 to 1, the same for the same seed (mulberry32). @param {number} seed */
export function dice(seed) {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let n = Math.imul(a ^ (a >>> 15), 1 | a);
    n = (n + Math.imul(n ^ (n >>> 7), 61 | n)) ^ n;
    return ((n ^ (n >>> 14)) >>> 0) / 4294967296;
  };
}

/** A number for a text (FNV-1a). @param {string} text */
export function seedOf(text) {
  let n = 2166136261;
  for (let i = 0; i < text.length; i++) n = Math.imul(n ^ text.charCodeAt(i), 16777619);
  return n >>> 0;
}

/** @param {number} x @param {number} y */
function corner(x, y) {
  let n = Math.imul(x, 374761393) ^ Math.imul(y, 668265263);
  n = Math.imul(n ^ (n >>> 13), 1274126177);
  return ((n ^ (n >>> 16)) >>> 0) / 4294967296;
}

/** Smooth noise from 0 to 1 over the plane. @param {number} x @param {number} y */
export function noise(x, y) {
  const i = Math.floor(x);
  const j = Math.floor(y);
  const u = (x - i) ** 2 * (3 - 2 * (x - i));
  const v = (y - j) ** 2 * (3 - 2 * (y - j));
  const top = corner(i, j) * (1 - u) + corner(i + 1, j) * u;
  const bottom = corner(i, j + 1) * (1 - u) + corner(i + 1, j + 1) * u;
  return top * (1 - v) + bottom * v;
}

/** Noise of three sizes together. @param {number} x @param {number} y */
export function rough(x, y) {
  return (noise(x, y) * 4 + noise(x * 2.1, y * 2.1) * 2 + noise(x * 4.3, y * 4.3)) / 7;
}
