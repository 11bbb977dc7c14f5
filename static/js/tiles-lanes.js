/**
 * The two memories, and the blocks that travel between them.
 */

import { alpha } from './palette.js';
import { longest, write } from './tiles-brush.js';
import { PARCEL, slotOf } from './tiles-layout.js';
import { KEY_ARRAYS } from './tiles-trace.js';
import { bytes, indexed, say, shownName } from './tiles-words.js';

/** Where a block on the chip has its home in HBM. */
const HOME = {
  q: 'Q', k: 'K', v: 'V', o: 'O', m: 'm', l: 'l', s: 'S', p: 'P', lse: 'L', delta: 'D',
  do: 'dO', dq: 'dQ', dk: 'dK', dv: 'dV', dp: 'dP', ds: 'dS',
};

/** What in HBM comes from or goes to which place on the chip. */
const LANDING = { ...Object.fromEntries(Object.entries(HOME).map(([chip, array]) => [array, chip])), dQ_sum: 'dq' };

/** Later blocks of a step leave this much later, as a share of the step. */
const STAGGER = 0.16;

/** Draws both memories at a moment. */
export function drawLanes(brush) {
  const moves = brush.moment.done > 0 ? brush.trace.moves(brush.moment.step) : [];
  drawHbm(brush, moves);
  drawChip(brush);
  drawTravel(brush, moves);
}

function pane({ g, plan, colours }, lane, name) {
  g.beginPath();
  g.roundRect(lane.x + 0.5, lane.y + 0.5, lane.width - 1, lane.height - 1, 7);
  Object.assign(g, { fillStyle: colours.paper2, strokeStyle: colours.line, lineWidth: 1 });
  g.fill();
  g.stroke();
  write(g, name, lane.x, lane.line, plan.fonts.bold, colours.ink);
}

/** Every array as a strip of its blocks: full where it has been written, purple where it is on chip. */
function drawHbm(brush, moves) {
  const { g, plan, trace, colours, moment, language } = brush;
  const { hbm, fonts } = plan;
  pane(brush, hbm, 'HBM');
  write(g, say(language, 'moved', bytes(trace.moved(moment.done))), hbm.x + hbm.width, hbm.line, fonts.number, colours.ink2, 'right');
  const held = new Set((moment.done > 0 ? trace.held(moment.step + 1) : []).map(([name]) => HOME[name]));
  for (const array of trace.view.arrays) {
    const place = hbm.places.get(array.name);
    write(g, shownName(array.name), place.x, place.y + place.height / 2 + 0.5, fonts.small, colours.ink2);
    const strip = stripOf(trace, array, place);
    const byKey = KEY_ARRAYS.has(array.name);
    const whole = byKey && trace.view.order === 'naive';
    const onChip = held.has(array.name) ? (byKey ? trace.col : trace.row)[moment.step] : -1;
    for (let k = 0; k < strip.count; k++) {
      const written = trace.writes[array.name].get(k);
      const arrived = written !== undefined && (written <= moment.step || (written === moment.step + 1 && moment.fraction > 0.85));
      const filled = array.input || arrived;
      const active = (onChip === k || (whole && held.has(array.name))) && filled;
      g.fillStyle = active ? colours.cond : filled ? alpha(colours.data, 0.6) : colours.line;
      const [left, right] = [strip.at(k), strip.at(k + 1)];
      g.beginPath();
      g.roundRect(left, place.y + 2, Math.max(0.8, right - left - strip.gap), place.height - 4, Math.min(3, (right - left) / 3));
      g.fill();
    }
  }
  if (!moves.length) return;
  const towards = moves.some((move) => move[4]) && moves.some((move) => !move[4]) ? '⇅' : moves[0][4] ? '↑' : '↓';
  const now = moves.reduce((sum, move) => sum + move[3], 0);
  const x = hbm.x + 40 * Math.max(1, plan.unit);
  write(g, `${towards} ${bytes(now)}`, x, hbm.line, fonts.number, colours.cond);
}

/** Where the blocks of an array lie within its strip. */
function stripOf({ view, tileRows, tileCols }, { name, rows }, place) {
  const byKey = KEY_ARRAYS.has(name);
  const size = byKey ? view.block_cols : view.block_rows;
  const [count, left, width] = [byKey ? tileCols : tileRows, place.x + place.label, place.width - place.label];
  const at = (k) => left + (width * Math.min(rows, k * size)) / rows;
  return { count, at, gap: width / count > 4 ? 1.5 : width / count > 2.4 ? 0.6 : 0 };
}

/** What is on the chip: each thing in its place, coming in as its block arrives. */
function drawChip(brush) {
  const { g, plan, trace, colours, moment } = brush;
  pane(brush, plan.sram, 'SRAM');
  drawBudget(brush);
  const before = new Map(trace.held(moment.step));
  const after = new Map(moment.done > 0 ? trace.held(moment.step + 1) : []);
  for (const place of plan.sram.places.values()) {
    g.beginPath();
    g.roundRect(place.x + 0.5, place.y + 0.5, place.width - 1, place.height - 1, 4);
    Object.assign(g, { strokeStyle: colours.line, lineWidth: 1 });
    g.stroke();
  }
  const arriving = new Set((moment.done > 0 ? trace.moves(moment.step) : []).filter((move) => !move[4]).map(([array]) => LANDING[array]));
  for (const name of new Set([...before.keys(), ...after.keys()])) {
    const [was, is] = [before.has(name), after.has(name)];
    if (was && !is && after.size && [...after.keys()].some((other) => slotOf(other) === slotOf(name))) continue;
    const rising = is && (!was || arriving.has(name));
    const shown = rising ? ramp(moment.fraction, arriving.has(name) ? 0.6 : 0) : is ? 1 : 1 - moment.fraction;
    drawHeld(brush, name, is ? moment.step : Math.max(0, moment.step - 1), shown);
  }
  g.globalAlpha = 1;
}

/** 0 until `from`, then up to 1. */
const ramp = (fraction, from) => Math.min(1, Math.max(0, (fraction - from) / Math.max(0.25, 1 - from - 0.15)));

function drawHeld({ g, plan, trace, colours }, name, step, opacity) {
  const place = plan.sram.places.get(slotOf(name));
  const indexable = !['s', 'p', 'dp', 'ds', 'm', 'l', 'a'].includes(name);
  const block = indexable ? trace.blockOf(name, step) : -1;
  const whole = trace.view.order === 'naive' && ['k', 'v', 'dk', 'dv'].includes(name);
  Object.assign(g, { globalAlpha: opacity * 0.92, fillStyle: colours.cond });
  g.beginPath();
  g.roundRect(place.x, place.y, place.width, place.height, 4);
  g.fill();
  if (opacity < 0.4) return;
  const text = indexed(shownName(name), whole ? -1 : block);
  write(g, text, place.x + place.width / 2, place.y + place.height / 2 + 0.5, plan.fonts.number, colours.stage, 'center');
}

/** How full the chip is, against the budget. */
function drawBudget({ g, plan, trace, colours, moment, language }) {
  const { sram, fonts, unit, wide } = plan;
  const { capacity, gpu } = trace.view;
  const [before, after] = [trace.chip(moment.step), moment.done > 0 ? trace.chip(moment.step + 1) : 0];
  const size = before + (after - before) * moment.fraction;
  const over = capacity > 0 && size > capacity;
  const budget = capacity ? say(language, 'of', bytes(size), bytes(capacity).replace('.0 ', ' ')) : bytes(size);
  const colour = over ? colours.warn : colours.ink2;
  const [y, right] = [sram.line, sram.x + sram.width];
  const named = sram.x + 46 * Math.max(1, unit);
  const text = longest(g, gpu && !wide ? [`${budget} · ${gpu}`, budget] : [budget], right - named, fonts.number);
  write(g, text, right, y, fonts.number, colour, 'right');
  if (!capacity) return;
  if (wide) write(g, gpu, right, sram.second, fonts.number, colour, 'right');
  g.font = fonts.number;
  const left = wide ? sram.x : named;
  const width = wide ? sram.width - g.measureText(gpu).width - 12 : Math.min(150 * unit, right - g.measureText(text).width - 12 - left);
  if (width < 24) return;
  const line = wide ? sram.second : y;
  bar(g, left, line, width, colours.line);
  bar(g, left, line, Math.max(3, width * Math.min(1, size / capacity)), over ? colours.warn : colours.cond);
}

function bar(g, x, y, width, colour) {
  g.fillStyle = colour;
  g.beginPath();
  g.roundRect(x, y - 3, width, 6, 3);
  g.fill();
}

/**
 * The blocks of this step on their way, each on its own arc. They come out from under one memory and
 * go in under the other, so that what is written in either stays in sight.
 */
function drawTravel(brush, moves) {
  const { g, plan, moment: { fraction } } = brush;
  const { hbm, sram } = plan;
  g.save();
  g.beginPath();
  g.rect(hbm.x, hbm.bottom, hbm.width, sram.y - hbm.bottom);
  g.clip();
  const parcels = moves.map((move, index) => {
    const start = moves.length > 1 ? (STAGGER * index) / (moves.length - 1) : 0;
    const passed = Math.min(1, Math.max(0, (fraction - start) / (1 - STAGGER)));
    return travel(brush, move, ease(passed));
  });
  for (const each of apart(parcels.filter(Boolean), plan.fonts.size + PARCEL)) parcel(brush, each);
  g.restore();
}

/** Blocks that would hide one another's names, moved side by side; ordered by their ways. */
function apart(parcels, height) {
  const sorted = parcels.toSorted((a, b) => a.way - b.way);
  sorted.forEach((each, k) => {
    const last = sorted[k - 1];
    if (!last) return;
    const level = Math.min(1, Math.max(0, 3 - (2 * Math.abs(each.y - last.y)) / height));
    each.x = Math.max(each.x, last.x + level * ((last.width + each.width) / 2 + 2));
  });
  return sorted;
}

const ease = (t) => (t < 0.5 ? 2 * t * t : 1 - 2 * (1 - t) ** 2);

/** Draws a block's way; gives the block itself while it is under way, else null. */
function travel(brush, [array, start, stop, , write_], share) {
  const { g, plan, trace, colours } = brush;
  const strip = plan.hbm.places.get(array);
  const slot = plan.sram.places.get(slotOf(LANDING[array])) ?? passing(plan.sram);
  if (!strip) return null;
  const { rows } = trace.view.arrays.find(({ name }) => name === array);
  const width = strip.width - strip.label;
  const half = (plan.fonts.size + PARCEL) / 2;
  const home = { x: strip.x + strip.label + (width * (start + stop)) / 2 / rows, y: plan.hbm.bottom - half };
  const chip = { x: slot.x + slot.width / 2, y: plan.sram.y + half };
  const [from, to] = write_ ? [chip, home] : [home, chip];
  const bend = (to.y - from.y) * 0.55;
  const points = [from, { x: from.x, y: from.y + bend }, { x: to.x, y: to.y - bend }, to];
  Object.assign(g, { strokeStyle: alpha(colours.cond, share < 1 ? 0.55 : 0.4), lineWidth: 1.3 });
  g.setLineDash([3, 3]);
  g.beginPath();
  g.moveTo(from.x, from.y);
  g.bezierCurveTo(points[1].x, points[1].y, points[2].x, points[2].y, to.x, to.y);
  g.stroke();
  g.setLineDash([]);
  if (share <= 0 || share >= 1) return null;
  const text = parcelName(trace, array, start);
  g.font = plan.fonts.number;
  return { ...pointOn(points, share), text, width: g.measureText(text).width + 10, way: home.x + chip.x };
}

function parcelName({ view }, array, start) {
  const byKey = KEY_ARRAYS.has(array);
  const block = Math.floor(start / (byKey ? view.block_cols : view.block_rows));
  return indexed(shownName(array), byKey && view.order === 'naive' ? -1 : block);
}

/** The place of what streams through the chip without staying: the end of its lane. */
function passing({ x, width }) {
  return { x: x + width - 40, width: 34 };
}

function pointOn([a, b, c, d], t) {
  const s = 1 - t;
  const along = (axis) => s ** 3 * a[axis] + 3 * s * s * t * b[axis] + 3 * s * t * t * c[axis] + t ** 3 * d[axis];
  return { x: along('x'), y: along('y') };
}

/** A block under way. */
function parcel({ g, plan, colours }, { x, y, text, width }) {
  const height = plan.fonts.size + PARCEL;
  g.beginPath();
  g.roundRect(x - width / 2, y - height / 2, width, height, 4);
  Object.assign(g, { fillStyle: colours.cond, strokeStyle: colours.stage, lineWidth: 2 });
  g.stroke();
  g.fill();
  write(g, text, x, y + 0.5, plan.fonts.number, colours.stage, 'center');
}
