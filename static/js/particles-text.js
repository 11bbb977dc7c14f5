/**
 * What a particles view says in words and numbers: text alternative, hover readout, table.
 */

import { number } from './dom.js';
import { rowAt, valueAt } from './particles-keyframes.js';

const WORDS = {
  frame: { en: (i, n) => `Frame ${i} of ${n}.`, zh: (i, n) => `第 ${i} 帧，共 ${n} 帧。` },
  points: {
    en: (n, at, spread) => `${n} points around ${at}, spread ${spread}.`,
    zh: (n, at, spread) => `${n} 个点，中心 ${at}，离散度 ${spread}。`,
  },
  density: { en: (peak, at) => `highest ${peak} at ${at}.`, zh: (peak, at) => `最高 ${peak}，位于 ${at}。` },
  arrows: { en: (n, most) => `${n} arrows, longest ${most}.`, zh: (n, most) => `${n} 个箭头，最长 ${most}。` },
  paths: { en: (n, at) => `${n} paths, now at ${at}.`, zh: (n, at) => `${n} 条路径，现位于 ${at}。` },
  handles: { en: (n, at) => `movable, at ${at}.`, zh: (n, at) => `可拖动，位于 ${at}。` },
  pin: { en: (at) => `Chosen point: ${at}.`, zh: (at) => `所选点：${at}。` },
};

/** Writes a coordinate with two decimals and a true minus sign. */
export const coordinate = (value) => value.toFixed(2).replace('-', '−');

const pair = (x, y) => `(${coordinate(x)}, ${coordinate(y)})`;

/**
 * The plain text alternative of a view at a moment.
 *
 * @param {object} view with loaded layers
 * @param {number} position frame position
 * @param {number} frames of the scene
 * @param {object} ctx the stage's context
 * @returns {string}
 */
export function describeView(view, position, frames, ctx) {
  const language = ctx.locale();
  const share = frames > 1 ? position / (frames - 1) : 0;
  const say = (name, ...values) => WORDS[name][language](...values);
  const sentences = view.layers.map((layer) => {
    const fact = FACTS[layer.type](layer, share, view.extent);
    return `${ctx.t(layer.label)}${language === 'zh' ? '：' : ': '}${say(layer.type, ...fact)}`;
  });
  if (view.pin) sentences.push(say('pin', pair(...view.pin)));
  return [say('frame', Math.round(position) + 1, frames), ...sentences].join(language === 'zh' ? '' : ' ');
}

const FACTS = {
  points(layer, share) {
    const row = rowAt(layer.positions, share);
    const { x, y, spread } = moments(row);
    return [number(row.length / 2), pair(x, y), coordinate(spread)];
  },
  density(layer, share, extent) {
    const row = rowAt(layer.values, share);
    const best = row.reduce((most, value, i) => (value > row[most] ? i : most), 0);
    const { x, y } = nodePoint(layer, best, extent);
    return [densityText(row[best] * valueAt(layer.peak, share), layer, share), pair(x, y)];
  },
  arrows(layer, share) {
    const row = rowAt(layer.vectors, share);
    let most = 0;
    for (let i = 0; i < row.length; i += 2) most = Math.max(most, Math.hypot(row[i], row[i + 1]));
    return [number(row.length / 2), coordinate(most)];
  },
  paths(layer, share) {
    const row = rowAt(layer.positions, share);
    return [row.length / 2, pairs(row)];
  },
  handles: (layer) => [layer.positions.length, pairs(layer.positions.flat())],
};

function pairs(row) {
  const shown = Array.from({ length: Math.min(6, row.length / 2) }, (_, i) => pair(row[2 * i], row[2 * i + 1]));
  return shown.join(', ') + (row.length > 12 ? ', …' : '');
}

/** Mean and root-mean-square distance from it. */
function moments(row) {
  let [x, y, square] = [0, 0, 0];
  const count = Math.max(1, row.length / 2);
  for (let i = 0; i < row.length; i += 2) {
    x += row[i] / count;
    y += row[i + 1] / count;
  }
  for (let i = 0; i < row.length; i += 2) square += ((row[i] - x) ** 2 + (row[i + 1] - y) ** 2) / count;
  return { x, y, spread: Math.sqrt(square) };
}

function nodePoint({ values }, node, [left, right, bottom, top]) {
  const [, height, width] = values.shape;
  return {
    x: left + ((node % width) / (width - 1)) * (right - left),
    y: top - (Math.floor(node / width) / (height - 1)) * (top - bottom),
  };
}

/** A density with no more digits than its rounding on the way here has left. */
function densityText(value, { grain, peak, unit }, share, area = 1) {
  const step = grain * valueAt(peak, share);
  const digits = step > 0 ? Math.floor(Math.log10(Math.max(value, step) / step)) + 1 : 3;
  const text = value < step / 2 ? `< ${number(step / 2 / area, 1)}` : number(value / area, Math.min(3, digits));
  return unit ? `${text} ${unit}` : text;
}

/**
 * A density at a point, between its nodes and keyframes.
 *
 * @param {object} layer a loaded density
 * @param {[number, number, number, number]} extent of the view
 * @param {number} share of the frames passed, 0 to 1
 * @param {{x: number, y: number}} point in stage units
 * @returns {?number} the real value, or null outside the extent
 */
export function densityAt(layer, [left, right, bottom, top], share, { x, y }) {
  const [, height, width] = layer.values.shape;
  const column = ((x - left) / (right - left)) * (width - 1);
  const row = ((top - y) / (top - bottom)) * (height - 1);
  if (!(column >= 0 && row >= 0 && column <= width - 1 && row <= height - 1)) return null;
  const [c, r] = [Math.min(Math.floor(column), width - 2), Math.min(Math.floor(row), height - 2)];
  const field = rowAt(layer.values, share);
  const along = (line) => field[line * width + c] + (field[line * width + c + 1] - field[line * width + c]) * (column - c);
  return (along(r) + (along(r + 1) - along(r)) * (row - r)) * valueAt(layer.peak, share);
}

/**
 * The lines of the hover readout.
 *
 * @param {object} view with loaded layers
 * @param {number} share of the frames passed, 0 to 1
 * @param {{x: number, y: number, index: ?number}} hover the point, and the particle if one is near
 * @param {object} ctx the stage's context
 * @param {number} unit what a unit of the stage stands for
 * @returns {[string, string][]} names and values
 */
export function readout(view, share, hover, ctx, unit = 1) {
  const lines = [['x, y', `${coordinate(hover.x * unit)}, ${coordinate(hover.y * unit)}`]];
  for (const layer of view.layers) {
    if (layer.type !== 'density') continue;
    const value = densityAt(layer, view.extent, share, hover);
    if (value !== null) lines.push([ctx.t(layer.label), densityText(value, layer, share, unit ** 2)]);
  }
  return lines;
}

/**
 * The numbers shown at a moment.
 *
 * @param {object} view with loaded layers
 * @param {number} share of the frames passed, 0 to 1
 * @returns {{columns: string[], rows: Array}} one row per point, arrow, handle and density node:
 *   dx, dy are an arrow's vector, value a density's real value
 */
export function tableOf(view, share) {
  const rows = view.layers.flatMap((layer) => ROWS[layer.type](layer, share, view.extent));
  if (view.pin) rows.push(['pin', 0, ...view.pin, null, null, null]);
  return { columns: ['layer', 'index', 'x', 'y', 'dx', 'dy', 'value'], rows };
}

const ROWS = {
  points: pointRows,
  paths: pointRows,
  handles: ({ id, positions }) => positions.map(([x, y], i) => [id, i, x, y, null, null, null]),
  arrows({ id, anchors, vectors }, share) {
    const [{ data }, row] = [anchors, rowAt(vectors, share)];
    return halves(row, (i) => [id, i, data[2 * i], data[2 * i + 1], row[2 * i], row[2 * i + 1], null]);
  },
  density(layer, share, extent) {
    const peak = valueAt(layer.peak, share);
    return Array.from(rowAt(layer.values, share), (value, i) => {
      const { x, y } = nodePoint(layer, i, extent);
      return [layer.id, i, x, y, null, null, value * peak];
    });
  },
};

function pointRows({ id, positions }, share) {
  const row = rowAt(positions, share);
  return halves(row, (i) => [id, i, row[2 * i], row[2 * i + 1], null, null, null]);
}

function halves(row, make) {
  return Array.from({ length: row.length / 2 }, (_, i) => make(i));
}

/** The index of the point nearest to a place, or null when none is within reach. */
export function nearest(row, { x, y }, reach) {
  let [best, least] = [null, reach * reach];
  for (let i = 0; i < row.length; i += 2) {
    const square = (row[i] - x) ** 2 + (row[i + 1] - y) ** 2;
    if (square < least) [best, least] = [i / 2, square];
  }
  return best;
}

