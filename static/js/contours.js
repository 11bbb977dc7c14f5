/**
 * Contours of a sampled field by marching squares (Lorensen and Cline's marching cubes, 1987, one
 * dimension down): closed loops around the places where the field reaches a level.
 */

/** Sides of a cell, and per case (corners inside: 1 TL, 2 TR, 4 BR, 8 BL) the segments between
 * them, each with the inside on its left. The saddles 5 and 10 come joined and, 16 further, apart. */
const [TOP, RIGHT, BOTTOM, LEFT] = [0, 1, 2, 3];
const SEGMENTS = [];
SEGMENTS[1] = [LEFT, TOP];
SEGMENTS[2] = [TOP, RIGHT];
SEGMENTS[3] = [LEFT, RIGHT];
SEGMENTS[4] = [RIGHT, BOTTOM];
SEGMENTS[5] = [RIGHT, TOP, LEFT, BOTTOM];
SEGMENTS[6] = [TOP, BOTTOM];
SEGMENTS[7] = [LEFT, BOTTOM];
SEGMENTS[8] = [BOTTOM, LEFT];
SEGMENTS[9] = [BOTTOM, TOP];
SEGMENTS[10] = [TOP, LEFT, BOTTOM, RIGHT];
SEGMENTS[11] = [BOTTOM, RIGHT];
SEGMENTS[12] = [RIGHT, LEFT];
SEGMENTS[13] = [RIGHT, TOP];
SEGMENTS[14] = [TOP, LEFT];
SEGMENTS[21] = [LEFT, TOP, RIGHT, BOTTOM];
SEGMENTS[26] = [TOP, RIGHT, BOTTOM, LEFT];

/**
 * The loops around {field >= level}. The field counts as lower outside its grid, so every loop is
 * closed and a region that reaches the rim runs along it.
 *
 * @param {Float32Array} field width * height samples at the nodes of a grid, row by row
 * @param {number} width nodes per row
 * @param {number} height rows
 * @param {number} level the value at the contour
 * @returns {Float32Array[]} per loop x0, y0, x1, y1, ... in grid steps from the first node
 */
export function contourLoops(field, width, height, level) {
  const stride = width + 2;
  const next = new Int32Array(2 * stride * (height + 2)).fill(-1);
  const starts = link(field, width, height, level, next);
  const loops = [];
  for (const start of starts) {
    if (next[start] < 0) continue;
    const loop = [];
    for (let edge = start; next[edge] >= 0; ) {
      crossing(field, width, height, level, edge, loop);
      const following = next[edge];
      next[edge] = -1;
      edge = following;
    }
    loops.push(Float32Array.from(loop));
  }
  return loops;
}

/**
 * The same loops as one smooth path, in grid steps. Two passes of a (1, 2, 1)/4 filter take out the
 * wobble of values that travelled as bytes, which moves a contour by far less than a grid step; each
 * crossing then bends a curve that runs through the middles of the chords.
 *
 * @param {Float32Array} field width * height samples at the nodes of a grid, row by row
 * @param {number} width nodes per row
 * @param {number} height rows
 * @param {number} level the value at the contour
 * @returns {Path2D} to be filled by the even-odd rule
 */
export function contourPath(field, width, height, level) {
  const path = new Path2D();
  for (const rough of contourLoops(field, width, height, level)) {
    const loop = smoothed(smoothed(rough));
    const last = loop.length - 2;
    if (last < 4) continue;
    path.moveTo((loop[last] + loop[0]) / 2, (loop[last + 1] + loop[1]) / 2);
    for (let i = 0; i <= last; i += 2) {
      const j = i === last ? 0 : i + 2;
      path.quadraticCurveTo(loop[i], loop[i + 1], (loop[i] + loop[j]) / 2, (loop[i + 1] + loop[j + 1]) / 2);
    }
    path.closePath();
  }
  return path;
}

function smoothed(loop) {
  const size = loop.length;
  return loop.map((value, i) => (loop[(i + size - 2) % size] + 2 * value + loop[(i + 2) % size]) / 4);
}

/**
 * Writes into `next`, for each crossed edge, the edge where its contour goes on; returns the edges
 * that have one. Edge 2n leaves node n to the right, edge 2n + 1 downwards; nodes count from the
 * rim of one step that surrounds the grid.
 */
function link(field, width, height, level, next) {
  const stride = width + 2;
  const starts = [];
  const inside = (x, y) => x >= 0 && x < width && y >= 0 && y < height && field[y * width + x] >= level;
  for (let y = -1; y < height; y++) {
    let right = (inside(-1, y) ? 2 : 0) | (inside(-1, y + 1) ? 4 : 0);
    for (let x = -1; x < width; x++) {
      const left = (right & 2 ? 1 : 0) | (right & 4 ? 8 : 0);
      right = (inside(x + 1, y) ? 2 : 0) | (inside(x + 1, y + 1) ? 4 : 0);
      const corners = left | right;
      if (corners === 0 || corners === 15) continue;
      const node = (y + 1) * stride + x + 1;
      const sides = [2 * node, 2 * (node + 1) + 1, 2 * (node + stride), 2 * node + 1];
      const apart = (corners === 5 || corners === 10) && centre(field, width, x, y) < level;
      const segments = SEGMENTS[apart ? corners + 16 : corners];
      for (let i = 0; i < segments.length; i += 2) {
        next[sides[segments[i]]] = sides[segments[i + 1]];
        starts.push(sides[segments[i]]);
      }
    }
  }
  return starts;
}

/** The field in the middle of a cell. A saddle never touches the rim: all four corners exist. */
function centre(field, width, x, y) {
  const node = y * width + x;
  return (field[node] + field[node + 1] + field[node + width] + field[node + width + 1]) / 4;
}

/** Appends the point where the contour crosses an edge, by linear interpolation. */
function crossing(field, width, height, level, edge, loop) {
  const node = edge >> 1;
  const x = (node % (width + 2)) - 1;
  const y = Math.floor(node / (width + 2)) - 1;
  const [dx, dy] = edge & 1 ? [0, 1] : [1, 0];
  if (x < 0 || y < 0) loop.push(Math.max(0, x), Math.max(0, y));
  else if (x + dx >= width || y + dy >= height) loop.push(x, y);
  else {
    const from = field[y * width + x];
    const share = (level - from) / (field[(y + dy) * width + x + dx] - from);
    loop.push(x + share * dx, y + share * dy);
  }
}
