/**
 * The score matrix: its cells by tile, drawn once each way and copied from then on.
 */

import { alpha } from './palette.js';

/** Cells larger than this get round corners and a gap, in CSS pixels. */
const ROOMY = 5;

/** How opaque a cell of a weight between 0 and 1 is; the power lifts small weights into sight. */
export const shade = (weight) => 0.1 + 0.9 * Math.min(1, Math.max(0, weight)) ** 0.5;

/** Phases from which on a tile's scores, and its weights, are on the chip. */
const ARRIVING = new Set(['load_q', 'load_kv', 'clear']);

/**
 * The four looks of all cells: waiting, stored (the naive algorithm's S or P), done, skipped.
 */
export class GridLayers {
  /** Draws them again if the layout, the theme or the trace has changed. */
  refresh({ plan, trace, colours, ratio }) {
    const { cells } = plan;
    const key = [cells.cw, cells.ch, ratio, colours.data, colours.line, colours.stage].join(' ');
    if (this.key === key && this.trace === trace) return;
    Object.assign(this, { key, trace });
    const size = [Math.ceil(cells.cw * trace.view.cols * ratio) + 1, Math.ceil(cells.ch * trace.view.rows * ratio) + 1];
    this.looks = {};
    for (const [name, look] of Object.entries(LOOKS)) this.looks[name] = paintLook(size, ratio, cells, trace, colours, look);
  }
}

const LOOKS = {
  waiting: (trace, colours) => ({ fill: colours.line, opacity: () => (colours.dark ? 0.75 : 0.62), masked: 0.3 }),
  stored: (trace, colours) => ({ fill: colours.noise, opacity: storedShade(trace), masked: 0.12 }),
  done: (trace, colours) => ({ fill: colours.data, opacity: (k) => shade(trace.weights[k]), broken: colours.warn, masked: 0.12 }),
  skipped: (trace, colours) => ({ fill: colours.noise, opacity: () => 0, masked: 0.16, hatch: colours.noise }),
};

/** What lies in HBM between the passes: S by its value, or P where the pass starts with it. */
function storedShade(trace) {
  if (trace.view.backward) return (k) => 0.7 * shade(trace.weights[k]);
  const [low, high] = scoreRange(trace);
  return (k) => 0.12 + 0.6 * ((trace.scores[k] - low) / (high - low || 1));
}

/** The least and the largest score. */
function scoreRange(trace) {
  trace.limits ??= [trace.finite.reduce((a, b) => Math.min(a, b), Infinity), trace.finite.reduce((a, b) => Math.max(a, b), -Infinity)];
  return trace.limits;
}

function paintLook([width, height], ratio, { cw, ch }, trace, colours, make) {
  const canvas = Object.assign(document.createElement('canvas'), { width, height });
  const g = canvas.getContext('2d');
  g.scale(ratio, ratio);
  const look = make(trace, colours);
  const { view, masked, weights } = trace;
  for (let row = 0, k = 0; row < view.rows; row++) {
    for (let col = 0; col < view.cols; col++, k++) {
      const bad = look.broken && Number.isNaN(weights[k]);
      g.fillStyle = masked[k] ? colours.noise : bad ? look.broken : look.fill;
      g.globalAlpha = masked[k] ? look.masked * (colours.dark ? 1.4 : 1) : bad ? 0.8 : look.opacity(k);
      if (g.globalAlpha > 0) cell(g, col * cw, row * ch, cw, ch, cornered(trace, row, col));
    }
  }
  if (look.hatch) hatch(g, width / ratio, height / ratio, alpha(look.hatch, colours.dark ? 0.34 : 0.26));
  return canvas;
}

/** Whether a cell is the last of its tile, to the right and below: there the gap is wider. */
function cornered({ view }, row, col) {
  return { right: (col + 1) % view.block_cols === 0, below: (row + 1) % view.block_rows === 0 };
}

function cell(g, x, y, cw, ch, { right, below }) {
  const roomy = Math.min(cw, ch) >= ROOMY;
  const gap = roomy ? Math.min(1.6, Math.min(cw, ch) * 0.14) : Math.min(cw, ch) > 2.6 ? 0.6 : 0;
  const edge = Math.min(1.2, Math.min(cw, ch) * 0.22);
  const [width, height] = [cw - gap - (right ? edge : 0), ch - gap - (below ? edge : 0)];
  if (!roomy) return g.fillRect(x, y, width, height);
  g.beginPath();
  g.roundRect(x, y, width, height, Math.min(2.4, cw * 0.16));
  return g.fill();
}

function hatch(g, width, height, colour) {
  g.globalAlpha = 1;
  g.strokeStyle = colour;
  g.lineWidth = 1;
  g.beginPath();
  for (let x = -height; x < width; x += 7) {
    g.moveTo(x, height);
    g.lineTo(x + height, 0);
  }
  g.stroke();
}

/**
 * Draws all cells at a moment: tiles at rest copied in runs, the current one by itself.
 *
 * @param {object} brush
 * @param {GridLayers} layers
 */
export function drawGrid(brush, layers) {
  const { trace, moment } = brush;
  const current = moment.fraction > 0 ? trace.tileOf(moment.step) : -1;
  layers.refresh(brush);
  for (let i = 0; i < trace.tileRows; i++) {
    for (let j = 0, end = 0; j < trace.tileCols; j = end) {
      const look = lookOf(trace, i * trace.tileCols + j, moment.step, current);
      end = j + 1;
      while (end < trace.tileCols && lookOf(trace, i * trace.tileCols + end, moment.step, current) === look) end++;
      if (look !== 'now') copy(brush, layers.looks[look], i, j, end);
    }
  }
  if (current >= 0) drawCurrent(brush, layers, current);
}

function lookOf(trace, tile, done, current) {
  if (tile === current) return 'now';
  if (trace.doneAt[tile] <= done) return 'done';
  if (trace.skippedAt[tile] <= done) return 'skipped';
  return trace.storedAt[tile] <= done ? 'stored' : 'waiting';
}

/** Copies the tiles from j to end (exclusive) of a block of rows, pixel for pixel. */
function copy({ g, plan: { cells }, trace, ratio }, layer, i, j, end) {
  const [top, bottom] = trace.rowsOf(i);
  const [left, right] = [trace.colsOf(j)[0], trace.colsOf(end - 1)[1]];
  const [x, width] = span(left * cells.cw * ratio, right * cells.cw * ratio);
  const [y, height] = span(top * cells.ch * ratio, bottom * cells.ch * ratio);
  const [toX, toY] = [(Math.round(cells.x * ratio) + x) / ratio, (Math.round(cells.y * ratio) + y) / ratio];
  g.drawImage(layer, x, y, width, height, toX, toY, width / ratio, height / ratio);
}

const span = (from, to) => [Math.round(from), Math.round(to) - Math.round(from)];

/** The tile of the current step, in the model's colour; scores come cell by cell. */
function drawCurrent(brush, layers, tile) {
  const { g, plan, trace, colours, moment } = brush;
  const [i, j] = [Math.floor(tile / trace.tileCols), tile % trace.tileCols];
  const phase = trace.phase(moment.step);
  const naive = trace.view.order === 'naive';
  if (phase === 'skip') return copy(brush, layers.looks[moment.fraction < 0.5 ? 'waiting' : 'skipped'], i, j, j + 1);
  copy(brush, layers.looks[naive && trace.storedAt[tile] <= moment.step ? 'stored' : 'waiting'], i, j, j + 1);
  if (ARRIVING.has(phase)) return undefined;
  const { cells } = plan;
  const [[top, bottom], [left, right]] = [trace.rowsOf(i), trace.colsOf(j)];
  const swept = phase === 'scores' ? moment.fraction * (right - left) : Infinity;
  for (let row = top; row < bottom; row++) {
    for (let col = left; col < right; col++) {
      const k = row * trace.view.cols + col;
      if (trace.masked[k] || col - left > swept) continue;
      const value = strength(trace, k, row, phase, moment);
      g.fillStyle = Number.isNaN(value) ? colours.warn : colours.model;
      g.globalAlpha = Number.isNaN(value) ? 0.8 : value * Math.min(1, swept - (col - left));
      erase(g, cells, row, col, colours, trace);
      cell(g, cells.x + col * cells.cw, cells.y + row * cells.ch, cells.cw, cells.ch, cornered(trace, row, col));
    }
  }
  g.globalAlpha = 1;
  return undefined;
}

/** Clears the waiting look below a cell, so that colours do not mix. */
function erase(g, { x, y, cw, ch }, row, col, colours, trace) {
  const [fill, opacity] = [g.fillStyle, g.globalAlpha];
  Object.assign(g, { fillStyle: colours.stage, globalAlpha: Math.min(1, opacity * 3) });
  cell(g, x + col * cw, y + row * ch, cw, ch, cornered(trace, row, col));
  Object.assign(g, { fillStyle: fill, globalAlpha: opacity });
}

/** How strong a cell of the current tile looks: its score, turning into its weight. */
function strength(trace, k, row, phase, { step, fraction }) {
  const [low, high] = scoreRange(trace);
  const score = 0.18 + 0.72 * ((trace.scores[k] - low) / (high - low || 1));
  if (phase === 'scores') return score;
  const weight = shade(weightNow(trace, k, row, step + 1));
  const turning = phase === 'softmax' || phase === 'recompute';
  return turning ? score + (weight - score) * fraction : weight;
}

/**
 * The weight of a cell as the chip holds it: e^(S − m) with the maximum known so far, or the final
 * softmax where the pass works with that.
 */
export function weightNow(trace, k, row, done) {
  const { m } = trace.tracks;
  if (!m) return trace.weights[k];
  const peak = m.at(row, done);
  return Math.exp(trace.scores[k] - (Number.isFinite(peak) ? peak : 0));
}
