/** The realm seen from above, drawn flat: for the small map and for the map view. */

/** @typedef {import('./state.js').State} State */

/** The ground, which changes only with the atlas. @param {State['atlas']} atlas @param {number} size pixels @returns {HTMLCanvasElement} */
export function groundPlan(atlas, size) {
  const canvas = document.createElement('canvas');
  const { minX, maxX, minZ, maxZ } = atlas.bounds;
  canvas.width = size;
  canvas.height = Math.round((size * (maxZ - minZ)) / (maxX - minX));
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d', { willReadFrequently: true }));
  const scale = size / (maxX - minX);
  pen.setTransform(scale, 0, 0, scale, -minX * scale, -minZ * scale);
  pen.fillStyle = '#17131a';
  pen.fillRect(minX, minZ, maxX - minX, maxZ - minZ);
  for (const zone of atlas.zones) {
    const [x, z] = [zone.x - zone.width / 2, zone.z - zone.depth / 2];
    pen.globalAlpha = 0.28;
    pen.fillStyle = zone.color;
    pen.fillRect(x, z, zone.width, zone.depth);
    pen.globalAlpha = 0.8;
    pen.strokeStyle = zone.color;
    pen.lineWidth = 0.4;
    pen.strokeRect(x + 0.3, z + 0.3, zone.width - 0.6, zone.depth - 0.6);
  }
  pen.globalAlpha = 1;
  for (const { x, z, radius } of atlas.buildings) {
    pen.fillStyle = '#2d2530';
    pen.strokeStyle = '#d8b98a';
    pen.lineWidth = 0.5;
    pen.beginPath();
    pen.arc(x, z, radius, 0, 7);
    pen.fill();
    pen.stroke();
  }
  return canvas;
}

/** Stations, by what happens there: a square, filled while held, ringed while worked at. @param {CanvasRenderingContext2D} pen @param {State} state @param {number} size units */
export function drawStations(pen, state, size) {
  for (const { x, z, occupiedBy, workingSince } of state.stations.values()) {
    pen.strokeStyle = '#ffd9a0';
    pen.lineWidth = size / 5;
    pen.strokeRect(x - size / 2, z - size / 2, size, size);
    if (occupiedBy) {
      pen.fillStyle = workingSince ? '#ffc24d' : '#8f7a55';
      pen.fillRect(x - size / 2, z - size / 2, size, size);
    }
  }
}

/** Everybody: a dragon as a diamond, others as discs, humans with a white rim. @param {CanvasRenderingContext2D} pen @param {State} state @param {number} size units @param {string | null} selected */
export function drawAgents(pen, state, size, selected) {
  for (const agent of state.agents.values()) {
    if (!agent.motion.latest) continue;
    const { x, z, rotation } = agent.place;
    const r = agent.kind === 'dragon' ? size * 1.5 : size;
    pen.globalAlpha = agent.dozing ? 0.5 : 1;
    pen.fillStyle = agent.profile.color;
    pen.strokeStyle = agent.id === selected ? '#ffffff' : agent.kind === 'human' ? '#fff4dd' : '#0d0a0f';
    pen.lineWidth = size * (agent.id === selected ? 0.5 : 0.3);
    pen.beginPath();
    if (agent.kind === 'dragon') {
      pen.moveTo(x, z - r);
      pen.lineTo(x + r, z);
      pen.lineTo(x, z + r);
      pen.lineTo(x - r, z);
      pen.closePath();
    } else pen.arc(x, z, r, 0, 7);
    pen.fill();
    pen.stroke();
    pen.beginPath();
    pen.moveTo(x, z);
    pen.lineTo(x + Math.sin(rotation) * r * 1.7, z + Math.cos(rotation) * r * 1.7);
    pen.stroke();
  }
  pen.globalAlpha = 1;
}
