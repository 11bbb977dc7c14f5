/**
 * How each layer of a particles view is drawn at one moment.
 *
 * A brush is {g, camera, colours, share, dots}: the 2-D context, the Camera, the palette's colours,
 * the share of the frames passed (0 to 1) and a DotBuffer.
 */

import { contourPath } from './contours.js';
import { alpha, mix, parse, roleColour } from './palette.js';
import { keyframe, rowAt, valueAt } from './particles-keyframes.js';

/** Contour levels as shares of the layer's peak. */
const LEVELS = [0.04, 0.12, 0.24, 0.4, 0.58, 0.78];

const TURN = 2 * Math.PI;

/**
 * Draws one layer.
 *
 * @param {object} brush where, with what colours, and when
 * @param {object} layer as loadLayer() gave it
 */
export function drawLayer(brush, layer) {
  const { g } = brush;
  g.save();
  DRAW[layer.type](brush, layer);
  g.restore();
}

const DRAW = {
  density: (brush, layer) => (layer.style === 'heat' ? drawHeat : drawContours)(brush, layer),
  points: drawPoints,
  arrows: drawArrows,
  paths: drawPaths,
  handles: drawHandles,
};

/**
 * The colour of a layer at a moment: its role, blended from `from_role` by `mix`.
 *
 * @param {object} colours of the palette
 * @param {object} layer with role and perhaps from_role and mix
 * @param {number} share of the frames passed, 0 to 1
 * @returns {string} a CSS colour
 */
export function layerColour(colours, layer, share) {
  const colour = roleColour(colours, layer.role);
  if (!layer.from_role || !layer.mix) return colour;
  return mix(colour, roleColour(colours, layer.from_role), valueAt(layer.mix, share));
}

/** Makes grid steps of a density the unit: nodes run from corner to corner of the extent. */
function useGridUnits({ g, camera }, [, height, width]) {
  const [x, y] = [camera.x(camera.left), camera.y(camera.top)];
  const dx = (camera.x(camera.right) - x) / (width - 1);
  const dy = (camera.y(camera.bottom) - y) / (height - 1);
  g.setTransform(dx, 0, 0, dy, x, y);
}

function drawContours(brush, layer) {
  const { g, colours, share } = brush;
  useGridUnits(brush, layer.values.shape);
  g.fillStyle = alpha(roleColour(colours, layer.role), colours.dark ? 0.1 : 0.075);
  for (const path of contourPaths(layer, share)) g.fill(path, 'evenodd');
}

const contours = new WeakMap();

/**
 * The paths of a density at a moment. Between keyframes the field itself is blended, not two
 * pictures of it, so that a contour moves instead of fading over. Whole keyframes are kept.
 */
function contourPaths({ values, levels = LEVELS }, share) {
  if (!contours.has(values)) contours.set(values, { whole: new Map(), last: NaN, paths: null });
  const kept = contours.get(values);
  const [count, height, width] = values.shape;
  const { key, mix: between } = keyframe(share, count);
  if (kept.whole.has(key)) return kept.whole.get(key);
  if (kept.last === key) return kept.paths;
  const field = rowAt(values, share);
  const paths = levels.map((level) => contourPath(field, width, height, level));
  if (between === 0) kept.whole.set(key, paths);
  [kept.last, kept.paths] = [key, paths];
  return paths;
}

const heat = new WeakMap();

function drawHeat(brush, layer) {
  const { g, colours, share } = brush;
  const { values } = layer;
  const [count, height, width] = values.shape;
  if (!heat.has(values)) heat.set(values, { canvas: document.createElement('canvas'), shown: '' });
  const kept = heat.get(values);
  const colour = roleColour(colours, layer.role);
  const shown = `${keyframe(share, count).key} ${colour}`;
  if (kept.shown !== shown) paintHeat(kept.canvas, rowAt(values, share), width, height, parse(colour));
  kept.shown = shown;
  useGridUnits(brush, values.shape);
  g.beginPath();
  g.rect(0, 0, width - 1, height - 1);
  g.clip();
  g.imageSmoothingQuality = 'high';
  g.drawImage(kept.canvas, -0.5, -0.5, width, height);
}

/** One pixel per node, from clear to the role's colour; the power lifts the thin parts into sight. */
function paintHeat(canvas, field, width, height, [red, green, blue]) {
  [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext('2d');
  const image = context.createImageData(width, height);
  for (let i = 0; i < field.length; i++) {
    image.data.set([red, green, blue, 225 * Math.max(0, field[i]) ** 0.7], 4 * i);
  }
  context.putImageData(image, 0, 0);
}

function drawPoints(brush, layer) {
  const { g, camera, colours, share, dots } = brush;
  const colour = layerColour(colours, layer, share);
  if (layer.trail) drawTrails(brush, layer, colour);
  const style = { radius: layer.radius ?? 1.6, colour, alpha: layer.alpha ?? 0.75 };
  dots.draw(g, camera, rowAt(layer.positions, share), style);
}

/** A tail through the last `trail` keyframes, drawn per age so that it fades. */
function drawTrails({ g, camera, share }, { positions, trail, trail_count: wanted }, colour) {
  const [count, total] = positions.shape;
  const { low } = keyframe(share, count);
  const shown = Math.min(total, wanted ?? total);
  const now = rowAt(positions, share);
  const at = (key) => positions.data.subarray(key * total * 2, (key + 1) * total * 2);
  g.strokeStyle = colour;
  g.lineWidth = camera.ratio;
  for (let age = 0; age < trail && low - age >= 0; age++) {
    const [from, to] = [at(low - age), age === 0 ? now : at(low - age + 1)];
    g.globalAlpha = 0.45 * (1 - age / trail);
    g.beginPath();
    for (let i = 0; i < 2 * shown; i += 2) {
      g.moveTo(camera.x(from[i]), camera.y(from[i + 1]));
      g.lineTo(camera.x(to[i]), camera.y(to[i + 1]));
    }
    g.stroke();
  }
  g.globalAlpha = 1;
}

const longest = new WeakMap();

/** The largest length in a field over all its keyframes, at least a hair. */
function longestVector(vectors) {
  if (!longest.has(vectors)) {
    let square = 1e-18;
    const { data } = vectors;
    for (let i = 0; i < data.length; i += 2) square = Math.max(square, data[i] ** 2 + data[i + 1] ** 2);
    longest.set(vectors, Math.sqrt(square));
  }
  return longest.get(vectors);
}

/** Arrows no longer than their cell, grouped by opacity: the weaker, the fainter. */
function drawArrows({ g, camera, colours, share }, layer) {
  const anchors = layer.anchors.data;
  const vectors = rowAt(layer.vectors, share);
  const count = anchors.length / 2;
  const area = (camera.right - camera.left) * (camera.top - camera.bottom);
  const cell = 0.9 * Math.sqrt(area / Math.max(1, count));
  const most = longestVector(layer.vectors);
  const shades = Array.from({ length: 6 }, () => new Path2D());
  for (let i = 0; i < anchors.length; i += 2) {
    const length = Math.hypot(vectors[i], vectors[i + 1]);
    const shrink = (camera.scale * Math.min(1, cell / length)) || 0;
    if (length * shrink < 0.75 * camera.ratio) continue;
    const shade = shades[Math.min(5, Math.floor((6 * length) / most))];
    addArrow(shade, camera.x(anchors[i]), camera.y(anchors[i + 1]), vectors[i] * shrink, -vectors[i + 1] * shrink, camera.ratio);
  }
  g.strokeStyle = roleColour(colours, layer.role);
  g.lineWidth = 1.25 * camera.ratio;
  g.lineCap = g.lineJoin = 'round';
  shades.forEach((shade, i) => {
    g.globalAlpha = 0.35 + 0.4 * (i / 5);
    g.stroke(shade);
  });
}

function addArrow(path, x, y, dx, dy, ratio) {
  const length = Math.hypot(dx, dy);
  const head = Math.min(5 * ratio, 0.4 * length) / length;
  path.moveTo(x, y);
  path.lineTo(x + dx, y + dy);
  path.moveTo(x + dx - head * (dx - 0.6 * dy), y + dy - head * (dy + 0.6 * dx));
  path.lineTo(x + dx, y + dy);
  path.lineTo(x + dx - head * (dx + 0.6 * dy), y + dy - head * (dy - 0.6 * dx));
}

/** Lines: solid up to now, faint after; a ring where they start, a dot where they are. */
function drawPaths(brush, layer) {
  const { camera, colours, share } = brush;
  const start = layer.positions.data;
  const now = rowAt(layer.positions, share);
  for (let index = 0; index < layer.positions.shape[1]; index++) {
    drawTrace(brush, layer.positions, index, roleColour(colours, layer.line_role ?? 'ink'));
    const [x, y] = [camera.x(start[2 * index]), camera.y(start[2 * index + 1])];
    ring(brush, x, y, 3, roleColour(colours, layer.from_role ?? 'noise'));
  }
  for (let i = 0; i < now.length; i += 2) {
    dot(brush, camera.x(now[i]), camera.y(now[i + 1]), 4, roleColour(colours, layer.role));
  }
}

/**
 * Draws where one point of an array over time has been and will go.
 *
 * @param {object} brush where, with what colours, and when
 * @param {{shape: number[], data: Float32Array}} positions of shape (K, N, 2)
 * @param {number} index of the point, below N
 * @param {string} colour a CSS colour
 */
export function drawTrace({ g, camera, share }, { shape, data }, index, colour) {
  const [count, total] = shape;
  const { low, high, mix: between } = keyframe(share, count);
  const at = (key) => 2 * (key * total + index);
  const line = (key) => g.lineTo(camera.x(data[at(key)]), camera.y(data[at(key) + 1]));
  const nowX = camera.x(data[at(low)] + (data[at(high)] - data[at(low)]) * between);
  const nowY = camera.y(data[at(low) + 1] + (data[at(high) + 1] - data[at(low) + 1]) * between);
  g.strokeStyle = colour;
  g.lineWidth = 1.1 * camera.ratio;
  g.lineJoin = g.lineCap = 'round';
  g.globalAlpha = 0.65;
  g.beginPath();
  for (let key = 0; key <= low; key++) line(key);
  g.lineTo(nowX, nowY);
  g.stroke();
  g.globalAlpha = 0.16;
  g.beginPath();
  g.moveTo(nowX, nowY);
  for (let key = high; key < count; key++) line(key);
  g.stroke();
  g.globalAlpha = 1;
}

function drawHandles(brush, layer) {
  const { camera, colours } = brush;
  for (const [x, y] of layer.positions) {
    const [atX, atY] = [camera.x(x), camera.y(y)];
    ring(brush, atX, atY, 10.5, alpha(roleColour(colours, layer.role), 0.35));
    dot(brush, atX, atY, 6, roleColour(colours, layer.role));
  }
}

/**
 * Draws a filled dot with a rim of the paper's colour.
 *
 * @param {object} brush where and with what colours
 * @param {number} x device pixels
 * @param {number} y device pixels
 * @param {number} radius CSS pixels
 * @param {string} colour a CSS colour
 */
export function dot({ g, camera, colours }, x, y, radius, colour) {
  g.beginPath();
  g.arc(x, y, (radius + 1.25) * camera.ratio, 0, TURN);
  g.fillStyle = colours.stage;
  g.fill();
  g.beginPath();
  g.arc(x, y, radius * camera.ratio, 0, TURN);
  g.fillStyle = colour;
  g.fill();
}

/**
 * Draws a ring.
 *
 * @param {object} brush where
 * @param {number} x device pixels
 * @param {number} y device pixels
 * @param {number} radius CSS pixels
 * @param {string} colour a CSS colour
 */
export function ring({ g, camera }, x, y, radius, colour) {
  g.beginPath();
  g.arc(x, y, radius * camera.ratio, 0, TURN);
  g.strokeStyle = colour;
  g.lineWidth = 1.5 * camera.ratio;
  g.stroke();
}
