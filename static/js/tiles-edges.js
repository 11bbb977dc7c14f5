/**
 * What stands around the score matrix: tokens, blocks of Q and K, m and l, the outputs, the frame.
 */

import { alpha } from './palette.js';
import { factor, indexed, phaseName, real, say, shownName } from './tiles-words.js';

/** Phases that keep the tile's K and V at hand. */
const OUTPUTS = { false: 'O', true: 'dQ' };

/** Draws everything around the matrix. */
export function drawEdges(brush) {
  drawTokens(brush);
  drawBlocks(brush);
  drawBars(brush);
  drawOut(brush);
  drawDeep(brush);
  drawFrame(brush);
  drawStatus(brush);
  drawCaption(brush);
}

/** The queries and keys of the current step: [first, past the last] each, or null. */
export function currentBlocks({ trace, moment }) {
  if (moment.done === 0) return { rows: null, cols: null };
  const [i, j] = [trace.columns.i[moment.step], trace.columns.j[moment.step]];
  return { rows: i < 0 ? null : trace.rowsOf(i), cols: j < 0 ? null : trace.colsOf(j), i, j };
}

/** The row whose numbers are written out: the chosen one if it is at work, else the block's first. */
export function focusRow(brush) {
  const { rows } = currentBlocks(brush);
  const { chosen } = brush;
  if (chosen !== null && (!rows || (chosen >= rows[0] && chosen < rows[1]))) return chosen;
  return rows ? rows[0] : null;
}

const inside = (range, index) => range !== null && index >= range[0] && index < range[1];

function write(g, text, x, y, font, colour, align = 'left') {
  Object.assign(g, { font, fillStyle: colour, textAlign: align, textBaseline: 'middle' });
  g.fillText(text, x, y);
}

const cuts = new Map();

/** A text cut to a width, with an ellipsis; whole characters, as a reader counts them. */
export function fitted(g, text, width, font) {
  const key = `${font}|${Math.round(width)}|${text}`;
  if (cuts.has(key)) return cuts.get(key);
  g.font = font;
  let shown = text;
  const letters = g.measureText(text).width > width ? [...new Intl.Segmenter().segment(text)] : [];
  for (let count = letters.length - 1; count > 0 && g.measureText(shown).width > width; count--) {
    shown = `${letters.slice(0, count).map(({ segment }) => segment).join('')}…`;
  }
  if (cuts.size > 4000) cuts.clear();
  cuts.set(key, shown);
  return shown;
}

/** Tokens beside the rows and above the columns; where they are too tight, those of the block. */
function drawTokens(brush) {
  const { g, plan, trace: { view }, colours, chosen } = brush;
  const { cells, fonts, labels, rowStrip, colStrip, unit } = plan;
  const { rows, cols } = currentBlocks(brush);
  const right = rowStrip.x - 5;
  const texts = view.row_labels ?? Array.from({ length: view.rows }, (_, row) => String(row));
  const shown = spread(view.rows, cells.ch, fonts.size, rows, chosen);
  const limit = [cells.y + fonts.size * 0.4 - cells.ch, cells.bottom];
  for (const { index, at } of settle(shown, cells.ch, fonts.size, limit[1] - cells.y)) {
    const active = inside(rows, index) || index === chosen;
    const font = index === chosen ? fonts.bold : fonts.small;
    const text = fitted(g, texts[index] ?? '', labels.left - 8, font);
    write(g, text, right, cells.y + at, font, active ? colours.ink : colours.ink2, 'right');
  }
  if (!view.col_labels || labels.top === 0) return;
  const picked = spread(view.cols, cells.cw, fonts.size, cols, null);
  for (const { index, at } of settle(picked, cells.cw, fonts.size, cells.cw * view.cols)) {
    g.save();
    g.translate(cells.x + at, colStrip.y - 4);
    g.rotate(-Math.PI / 2);
    const text = fitted(g, view.col_labels[index] ?? '', labels.top - 2 * unit, fonts.small);
    write(g, text, 0, 0, fonts.small, inside(cols, index) ? colours.ink : colours.ink2);
    g.restore();
  }
}

/** Which labels are written: all if they fit, else those of the block at work and the chosen one. */
function spread(count, pitch, size, block, chosen) {
  const wanted = [];
  const step = pitch >= size * 0.95 ? 1 : 0;
  const every = Math.ceil(size / (pitch * (block ? block[1] - block[0] : 1)));
  for (let index = 0; index < count; index++) {
    const near = inside(block, index) && (index - block[0]) % Math.max(1, Math.min(every, 64)) === 0;
    if (step || near || index === chosen) wanted.push(index);
  }
  return wanted.map((index) => ({ index, at: (index + 0.5) * pitch }));
}

/** Moves labels apart where they would touch, around where they belong. */
function settle(labels, pitch, size, length) {
  if (pitch >= size * 0.95) return labels;
  const gap = size + 1;
  const last = labels.length - 1;
  const middle = labels.reduce((sum, { at }) => sum + at, 0) / (labels.length || 1);
  const start = Math.min(Math.max(gap / 2, middle - (last * gap) / 2), Math.max(gap / 2, length - last * gap - gap / 2));
  const fanned = labels.map((label, k) => ({ ...label, at: start + k * gap }));
  return fanned.filter(({ at }) => at <= length);
}

/** The blocks of K above and of Q at the left; purple while they are on the chip. */
function drawBlocks(brush) {
  const { g, plan, trace, colours, moment } = brush;
  const { cells, rowStrip, colStrip, fonts } = plan;
  const held = new Set([...trace.held(moment.step), ...(moment.done > 0 ? trace.held(moment.step + 1) : [])].map(([name]) => name));
  const [onRow, onCol] = [held.has('q') || held.has('p') ? trace.row[moment.step] : -1, held.has('k') ? trace.col[moment.step] : -1];
  const whole = trace.view.order === 'naive';
  for (let j = 0; j < trace.tileCols; j++) {
    const [left, right] = trace.colsOf(j);
    const box = [cells.x + left * cells.cw, colStrip.y, (right - left) * cells.cw - 2, colStrip.height];
    block(g, box, whole ? 'K' : indexed('K', j), j === onCol, colours, fonts);
  }
  for (let i = 0; i < trace.tileRows; i++) {
    const [top, bottom] = trace.rowsOf(i);
    const box = [rowStrip.x, cells.y + top * cells.ch, rowStrip.width, (bottom - top) * cells.ch - 2];
    block(g, box, indexed('Q', i), i === onRow, colours, fonts);
  }
}

function block(g, [x, y, width, height], text, held, colours, fonts) {
  g.beginPath();
  g.roundRect(x, y, Math.max(1, width), Math.max(1, height), Math.min(4, width / 3, height / 3));
  g.fillStyle = held ? colours.cond : alpha(colours.data, colours.dark ? 0.2 : 0.12);
  g.fill();
  if (width < fonts.size * 1.5 || height < fonts.size) return;
  write(g, text, x + width / 2, y + height / 2 + 0.5, fonts.number, held ? colours.stage : colours.ink2, 'center');
}

/** The running maximum and sum of every row; the old value stays as a mark while it changes. */
function drawBars(brush) {
  const { g, plan, trace, colours, moment } = brush;
  const { rows } = currentBlocks(brush);
  for (const bar of plan.bars) {
    write(g, bar.name, bar.x, plan.colStrip.y + plan.colStrip.height / 2, plan.fonts.bold, colours.ink2);
    const share = scaleOf(trace, bar.name);
    for (let row = 0; row < trace.view.rows; row++) {
      const active = inside(rows, row);
      const [before, after] = [trace.tracks[bar.name].at(row, moment.step), trace.tracks[bar.name].at(row, moment.step + 1)];
      drawBar(brush, bar, row, { active, before, after: active ? after : before, share });
    }
  }
  g.globalAlpha = 1;
}

/** How long a value's bar is, 0 to 1. */
function scaleOf(trace, name) {
  const track = trace.tracks[name];
  track.limits ??= track.range();
  const [low, high] = track.limits;
  const base = name === 'm' ? low - 0.12 * (high - low || 1) : 0;
  return (value) => (Number.isFinite(value) ? Math.max(0, (value - base) / (high - base || 1)) : 0);
}

function drawBar({ g, plan, trace, colours, moment }, bar, row, { active, before, after, share }) {
  const { cells, fonts } = plan;
  const begun = trace.tracks[bar.name].offset(row, moment.step + (active ? 1 : 0)) >= 0;
  const gap = cells.ch > 4 ? Math.min(3, cells.ch * 0.2) : cells.ch > 2.6 ? 0.6 : 0;
  const [y, height] = [cells.y + row * cells.ch + gap / 2, cells.ch - gap];
  const radius = Math.min(2.5, height / 2);
  const box = (width, colour, opacity) => {
    Object.assign(g, { fillStyle: colour, globalAlpha: opacity });
    if (height < 4) return g.fillRect(bar.x, y, width, height);
    g.beginPath();
    g.roundRect(bar.x, y, width, height, radius);
    return g.fill();
  };
  box(bar.width, colours.line, colours.dark ? 0.75 : 0.62);
  if (!begun) return;
  const length = share(before) + (share(after) - share(before)) * moment.fraction;
  const roomy = active && cells.ch >= fonts.size;
  box(bar.width * length, active ? colours.model : colours.data, active ? (roomy ? 0.42 : 1) : 0.72);
  if (active && before !== after && Number.isFinite(before)) {
    Object.assign(g, { fillStyle: colours.ink, globalAlpha: 0.65 });
    g.fillRect(bar.x + bar.width * share(before) - 0.75, y, 1.5, height);
  }
  g.globalAlpha = 1;
  if (roomy) write(g, real(moment.fraction < 0.5 ? before : after), bar.x + bar.width - 3, y + height / 2 + 0.5, fonts.number, colours.ink, 'right');
}

/**
 * The factor by which a row of O has faded at a moment: 1 before, the trace's factor after.
 *
 * @returns {number}
 */
export function fadeOf(trace, row, { step, fraction }) {
  const wanted = trace.tracks.a?.during(row, step) ?? null;
  return wanted === null ? 1 : 1 + (wanted - 1) * fraction;
}

/** The output (going back: dQ), a cell per column shown; its shade is the size of the value. */
function drawOut(brush) {
  const { g, plan, trace, colours, moment } = brush;
  const { out, cells } = plan;
  const { rows } = currentBlocks(brush);
  const track = trace.tracks.out;
  const phase = trace.phase(moment.step);
  const fading = phase === 'rescale' && rows !== null;
  for (let row = 0; row < trace.view.rows; row++) {
    const active = inside(rows, row);
    const [was, is] = [track.offset(row, moment.step), track.offset(row, moment.step + (active ? 1 : 0))];
    for (let column = 0; column < out.columns; column++) {
      const [x, y] = [out.x + column * out.cw, cells.y + row * cells.ch];
      const before = was < 0 ? 0 : track.values[was + column];
      const after = is < 0 ? 0 : track.values[is + column];
      const value = fading && active ? before * fadeOf(trace, row, moment) : before + (after - before) * moment.fraction;
      outCell(brush, x, y, { value: Math.abs(value) / (scaleAt(trace, row, moment) || 1), active, empty: is < 0 });
      if (fading && active) ghost(brush, x, y, Math.abs(before) / (scaleAt(trace, row, moment) || 1));
    }
  }
  g.globalAlpha = 1;
  outTitle(brush, fading ? rows : null);
}

/** The largest size in the track, by which shades are measured. */
const scaleAt = (trace) => trace.tracks.out.largest;

function outCell({ g, plan: { cells, out }, colours }, x, y, { value, active, empty }) {
  const gap = cells.ch > 5 ? 1.4 : cells.ch > 2.6 ? 0.6 : 0;
  const bad = Number.isNaN(value);
  g.fillStyle = bad ? colours.warn : empty ? colours.line : active ? colours.model : colours.data;
  g.globalAlpha = bad ? 0.85 : empty ? (colours.dark ? 0.75 : 0.62) : 0.07 + 0.93 * Math.min(1, value) ** 0.7;
  if (cells.ch <= 5) return g.fillRect(x, y, out.cw - gap, cells.ch - gap);
  g.beginPath();
  g.roundRect(x, y, out.cw - gap, cells.ch - gap, Math.min(2.4, out.cw * 0.16));
  return g.fill();
}

/** The outline of what a cell was before it fades. */
function ghost({ g, plan: { cells, out }, colours }, x, y, value) {
  if (cells.ch < 5 || !(value > 0.02)) return;
  Object.assign(g, { strokeStyle: colours.model, lineWidth: 1, globalAlpha: 0.25 + 0.75 * Math.min(1, value) ** 0.7 });
  g.strokeRect(x + 0.5, y + 0.5, out.cw - 2.4, cells.ch - 2.4);
}

function outTitle({ g, plan, trace, colours, chosen }, rows) {
  const { out, colStrip, fonts } = plan;
  const name = OUTPUTS[Boolean(trace.view.backward)];
  const y = colStrip.y + colStrip.height / 2;
  write(g, name, out.x, y, fonts.bold, colours.ink2);
  if (!rows) return;
  const row = chosen !== null && inside(rows, chosen) ? chosen : null;
  const step = plan.now;
  const all = Array.from({ length: rows[1] - rows[0] }, (_, k) => trace.tracks.a.during(rows[0] + k, step));
  const value = row === null ? all.reduce((sum, a) => sum + a, 0) / all.length : trace.tracks.a.during(row, step);
  write(g, `× ${factor(value)}`, out.right, y, fonts.number, colours.model, 'right');
}

/** Going back: dK and dV below the keys, one column of cells per key. */
function drawDeep(brush) {
  const { g, plan, trace, colours, moment } = brush;
  const { cols } = currentBlocks(brush);
  for (const { name, y, ch } of plan.deep) {
    const track = trace.tracks[name];
    const label = name === 'out_k' ? 'dK' : 'dV';
    write(g, label, plan.cells.x - 6, y + (ch * track.width) / 2, plan.fonts.bold, colours.ink2, 'right');
    for (let col = 0; col < trace.view.cols; col++) {
      const active = inside(cols, col);
      const [was, is] = [track.offset(col, moment.step), track.offset(col, moment.step + 1)];
      for (let row = 0; row < track.width; row++) {
        const before = was < 0 ? 0 : track.values[was + row];
        const after = is < 0 ? 0 : track.values[is + row];
        const value = Math.abs(before + (after - before) * moment.fraction) / (track.largest || 1);
        const bad = Number.isNaN(value);
        g.fillStyle = bad ? colours.warn : is < 0 ? colours.line : active ? colours.model : colours.data;
        g.globalAlpha = is < 0 ? (colours.dark ? 0.75 : 0.62) : bad ? 0.85 : 0.07 + 0.93 * Math.min(1, value) ** 0.7;
        g.fillRect(plan.cells.x + col * plan.cells.cw, y + row * ch, plan.cells.cw - (plan.cells.cw > 3 ? 1 : 0), ch - (ch > 3 ? 0.6 : 0));
      }
    }
  }
  g.globalAlpha = 1;
}

/** A frame around the queries at work and what belongs to them; a quieter one around the keys. */
function drawFrame(brush) {
  const { g, plan, colours, chosen, trace } = brush;
  const { cells, out, unit } = plan;
  const { rows, cols } = currentBlocks(brush);
  if (cols && trace.view.order !== 'naive') {
    const bottom = plan.deep.length ? plan.deep.at(-1).y + plan.deep.at(-1).height : cells.bottom;
    Object.assign(g, { strokeStyle: alpha(colours.cond, 0.75), lineWidth: 1.2 });
    outline(g, cells.x + cols[0] * cells.cw - 2, cells.y - 2.5, (cols[1] - cols[0]) * cells.cw + 2, bottom - cells.y + 4);
  }
  if (rows) {
    Object.assign(g, { strokeStyle: colours.model, lineWidth: 1.5 * Math.max(1, unit * 0.9) });
    outline(g, cells.x - 2.5, cells.y + rows[0] * cells.ch - 2, out.right - cells.x + 4, (rows[1] - rows[0]) * cells.ch + 2.5);
  }
  if (chosen === null) return;
  const y = cells.y + (chosen + 0.5) * cells.ch;
  Object.assign(g, { strokeStyle: colours.ink, fillStyle: colours.ink, lineWidth: 1 });
  outline(g, cells.x - 1.5, y - cells.ch / 2 - 1, out.right - cells.x + 2, cells.ch + 0.5);
  g.beginPath();
  g.moveTo(out.right + 4, y);
  g.lineTo(out.right + 10, y - 4);
  g.lineTo(out.right + 10, y + 4);
  g.fill();
}

function outline(g, x, y, width, height) {
  g.beginPath();
  g.roundRect(x, y, width, height, Math.min(5, height / 2));
  g.stroke();
}

/** Top right: which step this is, what it does, and on which blocks. */
function drawStatus({ g, plan, trace, colours, moment, language }) {
  const { i, j } = { i: trace.columns.i[moment.step], j: trace.columns.j[moment.step] };
  const steps = say(language, 'step', moment.done > 0 ? moment.step + 1 : 0, trace.count);
  const naive = trace.view.order === 'naive';
  const blocks = [i < 0 ? '' : indexed('Q', i), j < 0 || naive ? '' : indexed('K', j)].filter(Boolean).join(' × ');
  const parts = moment.done > 0 ? [steps, phaseName(trace.phase(moment.step), language), blocks] : [steps];
  const y = 17 + 2 * plan.unit;
  const room = plan.width - plan.pad * 2 - 150 * plan.unit;
  g.font = plan.fonts.status;
  let text = parts.filter(Boolean).join(' · ');
  if (g.measureText(text).width > room) text = [`${moment.done > 0 ? moment.step + 1 : 0}/${trace.count}`, ...parts.slice(1)].filter(Boolean).join(' · ');
  write(g, text, plan.width - plan.pad, y, plan.fonts.status, colours.ink2, 'right');
}

/** Below the matrix: the numbers of one row in this step. */
function drawCaption(brush) {
  const { g, plan, trace, colours, language } = brush;
  const text = captionOf(brush);
  if (!text) return;
  const row = focusRow(brush);
  const label = `${say(language, 'row', row)}${trace.view.row_labels ? ` ${trace.view.row_labels[row]}` : ''}`;
  const { x, y, right } = plan.caption;
  const shown = fitted(g, label, (right - x) * 0.4, plan.fonts.bold);
  write(g, shown, x, y - plan.fonts.size / 2, plan.fonts.bold, colours.ink);
  g.font = plan.fonts.bold;
  const used = g.measureText(shown).width + 10;
  write(g, fitted(g, text, right - x - used, plan.fonts.number), x + used, y - plan.fonts.size / 2, plan.fonts.number, colours.ink2);
}

/** m, the factor and l of the focused row around this step, or nothing. */
export function captionOf(brush) {
  const { trace, moment } = brush;
  const row = focusRow(brush);
  const { m, l, a } = trace.tracks;
  if (row === null || !m) return '';
  const change = (track) => {
    const [before, after] = [track.at(row, moment.step), track.at(row, moment.step + (moment.fraction > 0 ? 1 : 0))];
    return before === after ? real(after) : `${real(before)} → ${real(after)}`;
  };
  const faded = moment.done > 0 ? a.during(row, moment.step) : null;
  const parts = [`m ${change(m)}`, `l ${change(l)}`];
  if (faded !== null) parts.splice(1, 0, `e^(m−m′) ${factor(faded)}`);
  return parts.join(' · ');
}

/** The name that an array in HBM has on the stage. */
export const arrayName = (name) => shownName(name);
