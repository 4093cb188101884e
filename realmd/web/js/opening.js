/** Where the first look comes from: the liveliest part of the realm in view, its buildings behind. */

/** @typedef {{id: string, agent: {kind: string, place: {rotation: number}}, x: number, z: number, head: number}} Body */
/** @typedef {{x: number, z: number, radius: number}} Round */

/** Sides tried; distance from whom we look at, in its heights, and at least. */
const SIDES = 24;
const HEIGHTS = 5.2;
const LEAST = 16;
/** Of the half angle of view: nearer to the edge somebody would be cut. */
const WITHIN = 0.85;

/**
 * @param {Body[]} bodies who is here @param {Round[]} buildings
 * @param {import('./state.js').Atlas['bounds']} bounds @param {number} half half the angle of view, sideways
 * @returns {{x: number, y: number, z: number, yaw: number, pitch: number, far: number} | null} null if nobody is here
 */
export function opening(bodies, buildings, bounds, half) {
  const heart = bodies.find((body) => body.agent.kind === 'dragon') ?? liveliest(bodies);
  if (!heart) return null;
  const far = Math.max(LEAST, heart.head * HEIGHTS);
  let best = { worth: -Infinity, yaw: 0 };
  for (let i = 0; i < SIDES; i++) {
    const yaw = (i / SIDES) * 2 * Math.PI;
    const worth = value(yaw, far, heart, bodies, buildings, bounds, half * WITHIN);
    if (worth > best.worth) best = { worth, yaw };
  }
  return { x: heart.x, y: heart.head * 0.62, z: heart.z, yaw: best.yaw, pitch: 0.24, far };
}

/** Who has the most others around. @param {Body[]} bodies */
function liveliest(bodies) {
  const near = (/** @type {Body} */ a) => bodies.filter((b) => Math.hypot(a.x - b.x, a.z - b.z) < 15).length;
  return bodies.slice(0, 60).reduce((best, body) => (best && near(best) >= near(body) ? best : body), /** @type {Body | null} */ (null));
}

/** @param {number} yaw @param {number} far @param {Body} heart @param {Body[]} bodies @param {Round[]} buildings @param {import('./state.js').Atlas['bounds']} bounds @param {number} half */
function value(yaw, far, heart, bodies, buildings, bounds, half) {
  const eye = { x: heart.x + Math.sin(yaw) * far, z: heart.z + Math.cos(yaw) * far };
  const outside = eye.x < bounds.minX || eye.x > bounds.maxX || eye.z < bounds.minZ || eye.z > bounds.maxZ;
  const seen = (/** @type {{x: number, z: number}} */ at, least = 0.4) => {
    const [dx, dz] = [at.x - eye.x, at.z - eye.z];
    const ahead = -dx * Math.sin(yaw) - dz * Math.cos(yaw);
    const aside = dx * Math.cos(yaw) - dz * Math.sin(yaw);
    return ahead > far * least && ahead < far * 4 && Math.abs(Math.atan2(aside, ahead)) < half;
  };
  const clear = (/** @type {{x: number, z: number}} */ at) => buildings.every((one) => away(one, eye, at) > one.radius + 2);
  let worth = Math.cos(heart.agent.place.rotation - yaw); // a face rather than a back
  if (outside) worth -= 20;
  if (!clear(heart)) worth -= 20;
  for (const body of bodies.slice(0, 60)) if (body !== heart && seen(body) && clear(body)) worth += 1;
  for (const one of buildings) if (seen(one, 1)) worth += 4; // behind whom we look at, not in the way
  return worth;
}

/** How far a point is from the way between two others. @param {{x: number, z: number}} p @param {{x: number, z: number}} a @param {{x: number, z: number}} b */
function away(p, a, b) {
  const [dx, dz] = [b.x - a.x, b.z - a.z];
  const k = Math.max(0, Math.min(1, ((p.x - a.x) * dx + (p.z - a.z) * dz) / (dx * dx + dz * dz || 1)));
  return Math.hypot(p.x - a.x - dx * k, p.z - a.z - dz * k);
}
