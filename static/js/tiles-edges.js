/**
 * What stands around the score matrix: tokens, blocks of Q and K, the frame, the step in words.
 */

import { alpha } from './palette.js';
import { currentBlocks, fitted, focusRow, inside, longest, write } from './tiles-brush.js';
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

/** Tokens beside the rows and above the columns, each at its own; thinned out where they are tight. */
function drawTokens(brush) {
  const { g, plan, trace: { view }, colours, chosen } = brush;
  const { cells, fonts, labels, rowStrip, colStrip, unit } = plan;
  const { rows, cols } = currentBlocks(brush);
  for (const row of labelled(view.rows, cells.ch, fonts.size, chosen)) {
    const font = row === chosen ? fonts.bold : fonts.small;
    const text = fitted(g, view.row_labels ? (view.row_labels[row] ?? '') : String(row), labels.left - 8, font);
    const colour = inside(rows, row) || row === chosen ? colours.ink : colours.ink2;
    write(g, text, rowStrip.x - 5, cells.y + (row + 0.5) * cells.ch, font, colour, 'right');
  }
  if (!view.col_labels || labels.top === 0) return;
  for (const col of labelled(view.cols, cells.cw, fonts.size, null)) {
    const text = fitted(g, view.col_labels[col] ?? '', labels.top - 2 * unit, fonts.small);
    const colour = inside(cols, col) ? colours.ink : colours.ink2;
    above(g, text, cells.x + (col + 0.5) * cells.cw, colStrip.y - 4, fonts, colour);
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

/**
 * Which rows or columns have their labels written: every one, every 2nd, 4th, 8th, by what fits,
 * and always the chosen one, for which those that would touch it make way.
 */
function labelled(count, pitch, size, chosen) {
  let every = 1;
  while (every * pitch < size && every < count) every *= 2;
  const touches = (index) => chosen !== null && index !== chosen && Math.abs(index - chosen) * pitch < size;
  const all = Array.from({ length: count }, (_, index) => index);
  return all.filter((index) => index === chosen || (index % every === 0 && !touches(index)));
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
  const [deed, pair] = number ? [phaseName(trace.phase(moment.step), language), blocks] : ['', ''];
  const [long, short] = [say(language, 'step', number, trace.count), `${number}/${trace.count}`];
  const texts = [[long, deed, pair], [short, deed, pair], [short, deed], [short]];
  const shown = texts.map((parts) => parts.filter(Boolean).join(' · '));
  const room = plan.width - 2 * plan.pad - titleWidth(g, plan, trace.view.title?.[language] ?? '');
  write(g, longest(g, shown, room, plan.fonts.status), plan.width - plan.pad, 17 + 2 * plan.unit, plan.fonts.status, colours.ink2, 'right');
}

/** What the panel's title, which the page writes, takes of the first line, with a gap. */
function titleWidth(g, { fonts, unit }, title) {
  g.font = fonts.title;
  return g.measureText(title).width + 16 * unit;
}

/** Below the matrix: the numbers of one row in this step, or what the step does. */
function drawCaption(brush) {
  const { g, plan: { caption, fonts }, trace, colours, moment, language } = brush;
  const [{ x, right }, y] = [caption, caption.y - fonts.size / 2];
  const texts = captionsOf(brush);
  if (!texts.length) {
    const deed = moment.done > 0 ? deedOf(trace, moment.step, language) : '';
    write(g, longest(g, [deed], right - x, fonts.small), x, y, fonts.small, colours.ink2);
    return;
  }
  const row = focusRow(brush);
  const name = `${say(language, 'row', row)} ${trace.view.row_labels?.[row] ?? ''}`.trim();
  const label = fitted(g, name, (right - x) * 0.4, fonts.bold);
  write(g, label, x, y, fonts.bold, colours.ink);
  const used = g.measureText(label).width + 10;
  write(g, longest(g, texts, right - x - used, fonts.number), x + used, y, fonts.number, colours.ink2);
}

/** m, the factor and l of the focused row around this step, and shorter; nothing without an m. */
function captionsOf(brush) {
  const { trace, moment, language } = brush;
  const row = focusRow(brush);
  const { m, l, a } = trace.tracks;
  if (row === null || !m) return [];
  const now = moment.step + (moment.fraction > 0 ? 1 : 0);
  if (m.offset(row, now) < 0) return [say(language, 'unbegun')];
  const change = (track) => {
    const [before, after] = [track.at(row, moment.step), track.at(row, now)].map(real);
    return before === after ? after : `${before} → ${after}`;
  };
  const faded = moment.done > 0 ? a.during(row, moment.step) : null;
  const factors = faded === null ? [] : [`e^(m−m′) ${factor(faded)}`];
  const [most, sum] = [`m ${change(m)}`, `l ${change(l)}`];
  const after = [`m ${real(m.at(row, now))}`, `l ${real(l.at(row, now))}`];
  return [[most, ...factors, sum], [most, sum], after].map((parts) => parts.join(' · '));
}
