/**
 * What a tiles view says in words and numbers: text alternative, hover readout, table.
 */

import { currentBlocks, focusRow, inside } from './tiles-brush.js';
import { weightNow } from './tiles-grid.js';
import { bytes, deedOf, factor, indexed, phaseName, real, say } from './tiles-words.js';

/**
 * The plain text alternative of a moment.
 *
 * @param {object} brush {trace, moment, chosen, language}
 * @returns {string} "Step 23 of 36: scores of Q₃ with K₄, ..."
 */
export function describeTiles(brush) {
  const { trace, moment, language } = brush;
  const { view } = trace;
  if (moment.done === 0) return say(language, 'start', trace.count);
  const comma = language === 'zh' ? '，' : ', ';
  const { step } = moment;
  const deed = deedOf(trace, step, language);
  const parts = [deed, ...runningOf(brush), say(language, 'moved', bytes(trace.moved(step + 1)))];
  if (view.capacity) parts.push(say(language, 'chip', bytes(trace.chip(step + 1)), bytes(view.capacity)));
  const head = say(language, 'step', step + 1, trace.count);
  const sentence = `${head[0].toUpperCase()}${head.slice(1)}${language === 'zh' ? '：' : ': '}${parts.join(comma)}`;
  const chosen = brush.chosen === null ? '' : `${language === 'zh' ? '' : ' '}${say(language, 'chosen', brush.chosen)}`;
  return `${sentence}${language === 'zh' ? '。' : '.'}${chosen}`;
}

/** How m moves and O fades in this step, for the row in focus. */
function runningOf(brush) {
  const { trace, moment: { step }, language } = brush;
  const { m, l, a } = trace.tracks;
  const row = focusRow(brush);
  if (row === null || !m) return [];
  if (m.offset(row, step + 1) < 0) return [say(language, 'idle', row)];
  if (!inside(currentBlocks(brush).rows, row)) {
    return [say(language, 'running', row, ...[m, l].map((track) => real(track.at(row, step + 1))))];
  }
  const said = [];
  if (['softmax', 'rescale'].includes(trace.phase(step))) {
    const from = trace.phase(step) === 'softmax' ? step : Math.max(0, step - 1);
    const [before, after] = [m.at(row, from), m.at(row, step + 1)].map(real);
    said.push(before === after ? say(language, 'stays', row, after) : say(language, 'rises', row, before, after));
  }
  const faded = a.during(row, step);
  if (faded !== null) said.push(say(language, 'fades', factor(faded)));
  return said;
}

/**
 * The numbers under the pointer.
 *
 * @param {Trace} trace
 * @param {object} moment of Trace.moment()
 * @param {{row: number, col: number, part: string}} found what hit() found
 * @param {"en"|"zh"} language
 * @returns {[string, string][]} names and values
 */
export function readoutOf(trace, moment, { row, col, part }, language) {
  const { view, tracks } = trace;
  const named = (labels, index) => (labels ? `${index} ${labels[index]}` : String(index));
  const lines = [[say(language, 'query'), named(view.row_labels, row)]];
  const now = moment.step + (moment.fraction > 0 ? 1 : 0);
  if (part === 'cell') lines.push([say(language, 'key'), named(view.col_labels, col)], ...cellLines(trace, moment, row, col, language));
  for (const name of ['m', 'l']) if (tracks[name] && part !== 'out') lines.push([name, real(tracks[name].at(row, now))]);
  if (part === 'out') {
    const shown = Array.from({ length: Math.min(4, tracks.out.width) }, (_, c) => real(tracks.out.at(row, now, c)));
    lines.push([view.backward ? 'dQ' : 'O', `${shown.join('  ')}${tracks.out.width > 4 ? ' …' : ''}`], ['', say(language, 'size')]);
  }
  return lines;
}

function cellLines(trace, moment, row, col, language) {
  const { view } = trace;
  const k = row * view.cols + col;
  const [i, j] = [Math.floor(row / view.block_rows), Math.floor(col / view.block_cols)];
  const tile = i * trace.tileCols + j;
  const state = stateOf(trace, tile, moment);
  const known = ['finished', 'now', 'stored', 'kept'].includes(state);
  const name = view.order === 'naive' ? indexed('Q', i) : `${indexed('Q', i)} × ${indexed('K', j)}`;
  const lines = [];
  if (trace.masked[k]) lines.push([say(language, 'score'), `−∞ (${say(language, 'masked')})`]);
  else if (known) {
    lines.push([say(language, 'score'), real(trace.scores[k])]);
    const running = state === 'now' && trace.tracks.m;
    const weight = running ? weightNow(trace, k, row, moment.step + 1) : trace.weights[k];
    lines.push([running ? 'e^(S−m)' : say(language, 'weight'), Number.isNaN(weight) ? 'NaN' : weight.toFixed(4)]);
  }
  lines.push([say(language, 'tile'), name]);
  if (known) lines.push([say(language, 'most'), real(largest(trace, i, j))]);
  lines.push([say(language, 'state'), state === 'now' ? phaseName(trace.phase(moment.step), language) : say(language, state)]);
  lines.push([say(language, 'bytes'), bytes(trace.tileBytes[tile])]);
  return lines;
}

/** What has become of a tile by a moment, as a word of tiles-words.js, or "now". */
export function stateOf(trace, tile, { step, fraction }) {
  if (fraction > 0 && trace.tileOf(step) === tile && trace.phase(step) !== 'skip') {
    return ['load_q', 'load_kv'].includes(trace.phase(step)) ? 'waiting' : 'now';
  }
  const now = step + (fraction > 0 ? 1 : 0);
  if (trace.doneAt[tile] <= now) return 'finished';
  if (trace.skippedAt[tile] <= now) return 'skipped';
  if (trace.storedAt[tile] <= now) return trace.view.backward ? 'kept' : 'stored';
  return 'waiting';
}

function largest(trace, i, j) {
  const [[top, bottom], [left, right]] = [trace.rowsOf(i), trace.colsOf(j)];
  let most = -Infinity;
  for (let row = top; row < bottom; row++) {
    for (let col = left; col < right; col++) {
      const k = row * trace.view.cols + col;
      if (!trace.masked[k]) most = Math.max(most, trace.scores[k]);
    }
  }
  return most;
}

/**
 * The numbers of the current step.
 *
 * @param {object} brush {trace, moment}
 * @returns {{columns: string[], rows: Array}} one row per counter, then m, l, the factor and the
 *   output of every query of the step, and S and P of every cell of its tile
 */
export function tableOf({ trace, moment }) {
  const { step, done } = moment;
  const now = done > 0 ? step + 1 : 0;
  const rows = [['step', null, null, now], ['phase', null, null, done > 0 ? trace.phase(step) : '']];
  for (const name of ['read', 'written', 'flops']) rows.push([name, null, null, trace[name][now]]);
  rows.push(['chip', null, null, trace.chip(now)]);
  const i = done > 0 ? trace.columns.i[step] : -1;
  if (i >= 0) for (let row = trace.rowsOf(i)[0]; row < trace.rowsOf(i)[1]; row++) rows.push(...rowNumbers(trace, row, step));
  const tile = done > 0 ? trace.tileOf(step) : -1;
  if (tile >= 0 && stateOf(trace, tile, moment) === 'now') rows.push(...tileNumbers(trace, i, tile % trace.tileCols));
  return { columns: ['quantity', 'query', 'key', 'value'], rows };
}

function rowNumbers(trace, row, step) {
  const { m, l, a, out } = trace.tracks;
  const rows = [];
  if (m) rows.push(['m', row, null, m.at(row, step + 1)], ['l', row, null, l.at(row, step + 1)]);
  const faded = a?.during(row, step) ?? null;
  if (faded !== null) rows.push(['rescale', row, null, faded]);
  for (let column = 0; column < out.width; column++) rows.push([`out[${column}]`, row, null, out.at(row, step + 1, column)]);
  return rows;
}

function tileNumbers(trace, i, j) {
  const [[top, bottom], [left, right]] = [trace.rowsOf(i), trace.colsOf(j)];
  const rows = [];
  for (let row = top; row < bottom; row++) {
    for (let col = left; col < right; col++) {
      const k = row * trace.view.cols + col;
      if (!trace.masked[k]) rows.push(['S', row, col, trace.scores[k]], ['P', row, col, trace.weights[k]]);
    }
  }
  return rows;
}
