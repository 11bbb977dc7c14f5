/**
 * What stands beside the score matrix: m and l of every row, the output fading and growing, and,
 * going back, the gradients of keys and values below.
 */

import { currentBlocks, inside, write } from './tiles-brush.js';
import { factor, real } from './tiles-words.js';

/** What the columns at the right are, by whether the pass goes back. */
const OUTPUTS = { false: 'O', true: 'dQ' };

/** Draws m, l and the outputs. */
export function drawSides(brush) {
  drawBars(brush);
  drawOut(brush);
  drawDeep(brush);
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
  const roomy = active && cells.ch >= 1.15 * fonts.size;
  box(bar.width * length, active ? colours.model : colours.data, active ? (roomy ? 0.42 : 1) : 0.72);
  if (active && !roomy && before !== after && Number.isFinite(before)) {
    Object.assign(g, { fillStyle: colours.ink, globalAlpha: 0.65 });
    g.fillRect(bar.x + bar.width * share(before) - 0.75, y, 1.5, height);
  }
  g.globalAlpha = 1;
  if (!roomy) return;
  const number = real(moment.fraction < 0.5 ? before : after);
  write(g, number, bar.x + bar.width - 3, y + height / 2 + 0.5, fonts.number, colours.ink, 'right');
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
  const largest = track.largest || 1;
  const fading = trace.phase(moment.step) === 'rescale' && rows !== null;
  for (let row = 0; row < trace.view.rows; row++) {
    const active = inside(rows, row);
    const [was, is] = [track.offset(row, moment.step), track.offset(row, moment.step + (active ? 1 : 0))];
    for (let column = 0; column < out.columns; column++) {
      const [x, y] = [out.x + column * out.cw, cells.y + row * cells.ch];
      const before = was < 0 ? 0 : track.values[was + column];
      const after = is < 0 ? 0 : track.values[is + column];
      const value = fading && active ? before * fadeOf(trace, row, moment) : before + (after - before) * moment.fraction;
      outCell(brush, x, y, { value: Math.abs(value) / largest, active, empty: is < 0 });
      if (fading && active) ghost(brush, x, y, Math.abs(before) / largest);
    }
  }
  g.globalAlpha = 1;
  outTitle(brush, fading ? rows : null);
}

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

function outTitle({ g, plan, trace, colours, chosen, moment: { step } }, rows) {
  const { out, colStrip, fonts } = plan;
  const name = OUTPUTS[Boolean(trace.view.backward)];
  const y = colStrip.y + colStrip.height / 2;
  write(g, name, out.x, y, fonts.bold, colours.ink2);
  if (!rows) return;
  const row = chosen !== null && inside(rows, chosen) ? chosen : null;
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
