/**
 * How one row of scores is drawn while it is taken in: bars, running maximum, weights, sum, formula.
 *
 * A brush is {g, view, colours, plan, language, moment}. Within an element the old weights fade
 * first, then the new one grows.
 */

import { alpha } from './palette.js';
import { fitted, write } from './tiles-brush.js';
import { formulas, nameOf, raised, sayOnline } from './online-text.js';
import { factor, real } from './tiles-words.js';

/** Text is never smaller, in CSS pixels. */
const SMALLEST = 11;

/** The share of an element in which what came before fades; in the rest the new weight grows. */
const FADING = 0.55;

const smooth = (t) => t * t * (3 - 2 * t);
const part = (fraction, from, to) => smooth(Math.min(1, Math.max(0, (fraction - from) / (to - from))));

/**
 * Lays the row out.
 *
 * @param {object} view of kind "online"
 * @param {{width: number, height: number}} size in CSS pixels
 * @param {CanvasRenderingContext2D} g measures texts
 * @param {object} colours of the palette, for the font stacks
 * @returns {object} places of the two charts, the tokens, the sum and the formulas
 */
export function layOutOnline(view, { width, height }, g, { sans, mono }) {
  const unit = Math.min(1.7, Math.max(0.85, Math.min(width / 520, height / 437)));
  const size = Math.max(SMALLEST, Math.round(11.5 * unit));
  const fonts = { size, small: `${size}px ${sans}`, bold: `600 ${size}px ${sans}`, number: `${size}px ${mono}`, status: `${size + 1}px ${mono}` };
  const pad = Math.round(14 * unit);
  g.font = fonts.small;
  const pitch = (width - 2 * pad) / view.scores.length;
  const longest = (view.labels ?? []).reduce((most, text) => Math.max(most, g.measureText(text).width), 0);
  const tokens = view.labels && pitch >= size ? Math.min(56 * unit, longest + 6) : size + 8;
  const lines = wrapped(g, formulas(view, { index: view.scores.length - 1 }), width - 2 * pad, fonts.number);
  const line = size + 7;
  const formula = { x: pad, y: height - pad - lines * line, line, lines };
  const sum = { x: pad, y: formula.y - 24 * unit, width: width - 2 * pad, height: 13 * unit };
  const [top, bottom] = [Math.round(Math.max(44, 40 * unit) + size), sum.y - size - 20];
  const free = bottom - top - tokens - size - 16;
  const upper = { x: pad, y: top, height: free * 0.55 };
  const token = { y: upper.y + upper.height + 3, height: tokens };
  const lower = { x: pad, y: token.y + tokens + size + 12, height: free * 0.45 };
  return { width, height, unit, pad, fonts, pitch, upper, token, lower, sum, formula, ...scaleOf(view, upper) };
}

/** The formulas on as many lines as they need. */
function wrapped(g, texts, width, font) {
  g.font = font;
  let [lines, used] = [1, 0];
  for (const text of texts) {
    const wide = g.measureText(text).width + 24;
    if (used && used + wide > width) [lines, used] = [lines + 1, 0];
    used += wide;
  }
  return lines;
}

/** Heights of scores: the least has a small bar, the largest the full height. */
function scaleOf({ scores }, { height }) {
  const finite = scores.filter((score) => score !== null);
  const [low, high] = [Math.min(...finite, Infinity), Math.max(...finite, -Infinity)];
  const base = low - 0.12 * (high - low || 1);
  return { rise: (score) => (height * (score - base)) / (high - base || 1) };
}

/** The element under a point, or -1. */
export function elementAt({ pad, pitch, upper, lower }, { scores }, { x, y }) {
  const index = Math.floor((x - pad) / pitch);
  return y >= upper.y && y <= lower.y + lower.height && index >= 0 && index < scores.length ? index : -1;
}

/** Draws the row at a moment. */
export function drawOnline(brush) {
  drawHeads(brush);
  drawScores(brush);
  drawPeak(brush);
  drawTokens(brush);
  drawWeights(brush);
  drawSum(brush);
  drawOut(brush);
  drawFormulas(brush);
}

function drawHeads({ g, view, plan, colours, moment, language }) {
  const { fonts, pad, upper, lower } = plan;
  write(g, sayOnline(language, 'scores'), pad, upper.y - fonts.size, fonts.bold, colours.ink2);
  write(g, sayOnline(language, 'weights'), pad, lower.y - fonts.size * 0.9, fonts.bold, colours.ink2);
  const head = sayOnline(language, 'element', Math.max(0, moment.index + 1), view.scores.length);
  const name = moment.index >= 0 && view.labels ? ` · ${view.labels[moment.index]}` : '';
  write(g, fitted(g, head + name, plan.width * 0.6, fonts.status), plan.width - pad, 17 + 2 * plan.unit, fonts.status, colours.ink2, 'right');
}

/** A bar per score: waiting, taken in, or coming in; masked ones are a hatched foot. */
function drawScores({ g, view, plan, colours, moment }) {
  const { upper, pitch, pad } = plan;
  const gap = Math.min(3, pitch * 0.22);
  const floor = upper.y + upper.height;
  view.scores.forEach((score, k) => {
    const x = pad + k * pitch;
    g.globalAlpha = 1;
    if (k > 0 && k % view.block === 0) {
      g.fillStyle = colours.line;
      g.fillRect(x - gap / 2 - 0.5, upper.y, 1, upper.height);
    }
    const height = score === null ? 4 : Math.max(2, plan.rise(score));
    g.fillStyle = score === null ? alpha(colours.noise, 0.35) : k < moment.index ? colours.data : k === moment.index ? colours.model : colours.line;
    g.globalAlpha = k < moment.index ? 0.72 : 1;
    column(g, x, floor, pitch - gap, height);
  });
  g.globalAlpha = 1;
  Object.assign(g, { fillStyle: colours.line });
  g.fillRect(pad, floor, plan.width - 2 * pad, 1);
}

function column(g, x, floor, width, height) {
  g.beginPath();
  g.roundRect(x, floor - height, Math.max(0.8, width), height, [Math.min(3, width / 3), Math.min(3, width / 3), 0, 0]);
  g.fill();
}

/** The running maximum: a line that jumps. */
function drawPeak({ g, view, plan, colours, moment }) {
  const { upper, pitch, pad, fonts } = plan;
  if (moment.index < 0) return;
  const at = (peak) => upper.y + upper.height - (peak === null ? 0 : plan.rise(peak));
  const risen = part(moment.fraction, 0, FADING);
  g.beginPath();
  let y = at(view.m[1]);
  g.moveTo(pad, y);
  for (let k = 0; k <= moment.index; k++) {
    const before = k === 0 ? y : at(view.m[k]);
    const after = at(view.m[k + 1]);
    y = k === moment.index ? before + (after - before) * risen : after;
    const x = pad + k * pitch;
    g.lineTo(x, before);
    g.lineTo(x, y);
    g.lineTo(x + pitch, y);
  }
  Object.assign(g, { strokeStyle: colours.ink, lineWidth: 1.8, lineJoin: 'round' });
  g.stroke();
  const x = Math.min(plan.width - pad - 58 * plan.unit, pad + (moment.index + 1) * pitch + 5);
  g.setLineDash([2, 4]);
  Object.assign(g, { strokeStyle: alpha(colours.ink, 0.35), lineWidth: 1 });
  g.beginPath();
  g.moveTo(pad + (moment.index + 1) * pitch, y);
  g.lineTo(plan.width - pad, y);
  g.stroke();
  g.setLineDash([]);
  const peak = view.m[moment.index + 1];
  const text = `m ${real(peak === null ? -Infinity : peak)}`;
  g.font = fonts.number;
  g.fillStyle = alpha(colours.stage, 0.85);
  g.fillRect(x - 2, y - fonts.size - 3, g.measureText(text).width + 4, fonts.size + 1);
  write(g, text, x, y - fonts.size / 2 - 2, fonts.number, colours.ink);
}

/** Tokens below the scores: turned where they fit, else the one that comes in. */
function drawTokens({ g, view, plan, colours, moment }) {
  const { token, pitch, pad, fonts } = plan;
  const fits = view.labels && pitch >= fonts.size;
  view.scores.forEach((score, k) => {
    const x = pad + (k + 0.5) * pitch;
    const colour = k === moment.index ? colours.model : k < moment.index ? colours.ink : colours.ink2;
    if (fits && pitch < 40) turned(g, fitted(g, view.labels[k], token.height - 4, fonts.small), x, token.y + 2, fonts.small, colour);
    else if (fits) write(g, fitted(g, view.labels[k], pitch - 4, fonts.small), x, token.y + fonts.size * 0.7, fonts.small, colour, 'center');
    else if (k === moment.index) write(g, nameOf(view, k), Math.min(plan.width - 40, Math.max(40, x)), token.y + fonts.size * 0.7, fonts.small, colour, 'center');
  });
}

function turned(g, text, x, y, font, colour) {
  g.save();
  g.translate(x, y);
  g.rotate(Math.PI / 2);
  write(g, text, 0, 0, font, colour);
  g.restore();
}

/**
 * The running state inside an element: the old weights fade, then the new one grows.
 *
 * @param {object} view of kind "online"
 * @param {{index: number, fraction: number}} moment
 * @returns {{fade: number, own: number, total: number, kept: number}} the factor on what came
 *   before, the new element's e^(s − m'), the sum of both, and the sum that was kept
 */
export function stateOf(view, { index, fraction }) {
  if (index < 0) return { fade: 1, own: 0, total: 0, kept: 0 };
  const fade = 1 + (view.rescale[index] - 1) * part(fraction, 0, FADING);
  const own = raised(view.scores[index], view.m[index + 1]) * part(fraction, FADING, 1);
  const kept = view.l[index] * fade;
  return { fade, own, kept, total: kept + own };
}

/** The weight of an element at a moment, before division by the sum. */
function weightAt(view, k, { index }, { fade, own }) {
  return k === index ? own : raised(view.scores[k], view.m[index]) * fade;
}

/**
 * The weights of what is in: e^(s − m) light, its share of the sum solid. While m rises, outlines
 * show where the light bars were.
 */
function drawWeights({ g, view, plan, colours, moment }) {
  const { lower, pitch, pad, fonts } = plan;
  const gap = Math.min(3, pitch * 0.22);
  const floor = lower.y + lower.height;
  const state = stateOf(view, moment);
  const fading = moment.index > 0 && view.rescale[moment.index] < 1;
  for (let k = 0; k <= moment.index; k++) {
    const [x, weight] = [pad + k * pitch, weightAt(view, k, moment, state)];
    g.fillStyle = k === moment.index ? colours.model : colours.data;
    g.globalAlpha = 0.24;
    column(g, x, floor, pitch - gap, lower.height * weight);
    g.globalAlpha = 1;
    column(g, x, floor, pitch - gap, (lower.height * weight) / (state.total || 1));
    const old = k < moment.index && fading ? lower.height * raised(view.scores[k], view.m[moment.index]) : 0;
    Object.assign(g, { strokeStyle: colours.model, lineWidth: 1, globalAlpha: 0.55 });
    if (old > 2) g.strokeRect(x + 0.5, floor - old, pitch - gap - 1, old);
  }
  g.globalAlpha = 1;
  g.fillStyle = colours.line;
  g.fillRect(pad, floor, plan.width - 2 * pad, 1);
  if (fading) write(g, `× ${factor(view.rescale[moment.index])}`, plan.width - pad, lower.y - fonts.size * 0.9, fonts.number, colours.model, 'right');
}

/** The sum l as one bar of its parts, which shrinks as they fade and grows at its end. */
function drawSum({ g, view, plan, colours, moment, language }) {
  const { sum, fonts } = plan;
  const most = Math.max(...view.l, 1e-30);
  const state = stateOf(view, moment);
  const scale = sum.width / most;
  write(g, `${sayOnline(language, 'sum')} = ${real(state.total)}`, sum.x, sum.y - fonts.size * 0.8, fonts.bold, colours.ink2);
  box(g, sum.x, sum.y, sum.width, sum.height, alpha(colours.line, 0.6));
  let x = sum.x;
  for (let k = 0; k <= moment.index; k++) {
    const width = weightAt(view, k, moment, state) * scale;
    if (width <= 0) continue;
    g.globalAlpha = k === moment.index ? 1 : 0.85;
    box(g, x, sum.y, Math.max(0.3, width - (width > 3 ? 1 : 0)), sum.height, k === moment.index ? colours.model : colours.data);
    x += width;
  }
  g.globalAlpha = 1;
}

/** The output so far, over l: a cell per column, its shade the size of the value. */
function drawOut({ g, view, plan, colours, moment }) {
  if (!view.out) return;
  const { data, shape: [, columns] } = view.out;
  const side = plan.fonts.size + 1;
  const left = plan.sum.x + plan.sum.width - columns * (side + 2);
  const [top, after] = [plan.sum.y - plan.fonts.size * 0.8 - side / 2, moment.index + 1];
  const most = data.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1e-30);
  write(g, 'O / l', left - 6, top + side / 2, plan.fonts.bold, colours.ink2, 'right');
  for (let column = 0; column < columns; column++) {
    const [was, is] = [data[Math.max(0, moment.index) * columns + column], data[after * columns + column]];
    const value = Math.abs(was + (is - was) * part(moment.fraction, 0, 1)) / most;
    g.globalAlpha = 0.08 + 0.92 * value;
    box(g, left + column * (side + 2), top, side, side, moment.index < 0 ? colours.line : colours.model);
  }
  g.globalAlpha = 1;
}

function box(g, x, y, width, height, colour) {
  g.fillStyle = colour;
  g.beginPath();
  g.roundRect(x, y, width, height, Math.min(3, width / 2));
  g.fill();
}

/** The recurrence with its numbers. */
function drawFormulas({ g, view, plan, colours, moment }) {
  const { formula, fonts, width, pad } = plan;
  let [x, y] = [formula.x, formula.y + formula.line * 0.6];
  for (const text of formulas(view, moment)) {
    g.font = fonts.number;
    const wide = g.measureText(text).width + 24;
    if (x > formula.x && x + wide - 24 > width - pad) [x, y] = [formula.x, y + formula.line];
    write(g, text, x, y, fonts.number, colours.ink);
    x += wide;
  }
}
