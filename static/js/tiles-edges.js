/**
 * What stands around the score matrix: tokens, blocks of Q and K, the frame, the step in words.
 */

import { alpha } from './palette.js';
import { currentBlocks, fitted, focusRow, inside, write } from './tiles-brush.js';
import { deedOf, factor, indexed, phaseName, real, say } from './tiles-words.js';

/** One Chinese, Japanese or Korean character, or one emoji with all its parts. */
const UPRIGHT = /^(\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}|\p{Extended_Pictographic}.*)$/u;

/** Draws everything around the matrix. */
export function drawEdges(brush) {
  drawTokens(brush);
  drawBlocks(brush);
  drawFrame(brush);
  drawStatus(brush);
  drawCaption(brush);
}

/** Tokens beside the rows and above the columns; where they are too tight, those of the block. */
function drawTokens(brush) {
  const { g, plan, trace: { view }, colours, chosen } = brush;
  const { cells, fonts, labels, rowStrip, colStrip, unit } = plan;
  const { rows, cols } = currentBlocks(brush);
  const right = rowStrip.x - 5;
  const texts = view.row_labels ?? Array.from({ length: view.rows }, (_, row) => String(row));
  const shown = spread(view.rows, cells.ch, fonts.size, rows, chosen);
  for (const { index, at } of settle(shown, cells.ch, fonts.size, cells.bottom - cells.y)) {
    const active = inside(rows, index) || index === chosen;
    const font = index === chosen ? fonts.bold : fonts.small;
    const text = fitted(g, texts[index] ?? '', labels.left - 8, font);
    write(g, text, right, cells.y + at, font, active ? colours.ink : colours.ink2, 'right');
  }
  if (!view.col_labels || labels.top === 0) return;
  const picked = spread(view.cols, cells.cw, fonts.size, cols, null);
  for (const { index, at } of settle(picked, cells.cw, fonts.size, cells.cw * view.cols)) {
    const text = fitted(g, view.col_labels[index] ?? '', labels.top - 2 * unit, fonts.small);
    above(g, text, cells.x + at, colStrip.y - 4, fonts, inside(cols, index) ? colours.ink : colours.ink2);
  }
}

/** A token above its column: turned, unless it is one character of a script that can stand. */
function above(g, text, x, y, { small, size }, colour) {
  if (UPRIGHT.test(text)) return write(g, text, x, y - size / 2, small, colour, 'center');
  g.save();
  g.translate(x, y);
  g.rotate(-Math.PI / 2);
  write(g, text, 0, 0, small, colour);
  return g.restore();
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
    const wide = box[2] > 5.2 * fonts.size;
    const names = [indexed('K', whole ? -1 : j), wide ? indexed('V', whole ? -1 : j) : ''];
    block(g, box, names.filter(Boolean).join(' '), j === onCol, colours, fonts);
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
  Object.assign(g, { strokeStyle: alpha(colours.ink, 0.75), fillStyle: colours.ink, lineWidth: 1 });
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

/** Top right: which step this is, what it does, and on which blocks; shorter where it is tight. */
function drawStatus({ g, plan, trace, colours, moment, language }) {
  const [i, j] = [trace.columns.i[moment.step], trace.columns.j[moment.step]];
  const number = moment.done > 0 ? moment.step + 1 : 0;
  const blocks = [i < 0 ? '' : indexed('Q', i), j < 0 ? '' : indexed('K', j)].filter(Boolean).join(' × ');
  const deed = number ? [phaseName(trace.phase(moment.step), language), blocks] : [];
  const joined = (steps) => [steps, ...deed].filter(Boolean).join(' · ');
  g.font = plan.fonts.status;
  const long = joined(say(language, 'step', number, trace.count));
  const room = plan.width - 2 * plan.pad - 150 * plan.unit;
  const text = g.measureText(long).width > room ? joined(`${number}/${trace.count}`) : long;
  write(g, text, plan.width - plan.pad, 17 + 2 * plan.unit, plan.fonts.status, colours.ink2, 'right');
}

/** Below the matrix: the numbers of one row in this step, or what the step does. */
function drawCaption(brush) {
  const { g, plan: { caption, fonts }, trace, colours, moment, language } = brush;
  const [{ x, right }, y] = [caption, caption.y - fonts.size / 2];
  const text = captionOf(brush);
  if (!text) {
    const deed = moment.done > 0 ? deedOf(trace, moment.step, language) : '';
    write(g, fitted(g, deed, right - x, fonts.small), x, y, fonts.small, colours.ink2);
    return;
  }
  const row = focusRow(brush);
  const name = `${say(language, 'row', row)} ${trace.view.row_labels?.[row] ?? ''}`.trim();
  const label = fitted(g, name, (right - x) * 0.4, fonts.bold);
  write(g, label, x, y, fonts.bold, colours.ink);
  const used = g.measureText(label).width + 10;
  write(g, fitted(g, text, right - x - used, fonts.number), x + used, y, fonts.number, colours.ink2);
}

/** m, the factor and l of the focused row around this step, or nothing. */
function captionOf(brush) {
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
