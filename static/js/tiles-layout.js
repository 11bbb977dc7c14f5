/**
 * Where everything of a tiles view lies, in CSS pixels, for a canvas of a given size.
 *
 * Beside the score matrix stand the running maximum and sum and the output; below it, or to its
 * right where the canvas is wide, the two memories.
 */

import { indexed, shownName } from './tiles-words.js';

/** Text is never smaller, in CSS pixels. */
const SMALLEST = 11;

/** A canvas wider than this many times its height has the memories to the right. */
const WIDE = 1.5;

/** Most of the space that a token may take beside its row or above its column. */
const LONGEST = 64;

/** Cells never get smaller, in CSS pixels, however little space there is. */
const SLIGHTEST = 0.5;

/** How much higher a block under way is than its text. */
export const PARCEL = 7;

/** Pairs that lie in the same memory on the chip, one after the other. */
const SHARED = { p: 's', ds: 'dp' };

/** The place on the chip of a name. */
export const slotOf = (name) => SHARED[name] ?? name;

/** The order of the places on the chip. */
const SLOTS = 'q k v s dp m l a o do lse delta dq dk dv'.split(' ');

/**
 * Lays a view out.
 *
 * @param {Trace} trace
 * @param {{width: number, height: number}} size in CSS pixels
 * @param {CanvasRenderingContext2D} g measures texts
 * @param {object} colours of the palette, for the font stacks
 * @returns {object} {unit, fonts, cells, bars, out, below, hbm, sram, caption, status}
 */
export function layOut(trace, { width, height }, g, colours) {
  const unit = Math.min(1.7, Math.max(0.85, Math.min(width / 520, height / 437)));
  const fonts = fontsOf(unit, colours);
  const wide = width > WIDE * height;
  const plan = { width, height, unit, fonts, wide, pad: Math.round(12 * unit) };
  const measure = (text, font = fonts.small) => ((g.font = font), g.measureText(text).width);
  const lanes = wide ? besides(plan, trace, measure) : beneath(plan, trace, measure);
  Object.assign(plan, lanes);
  matrix(plan, trace, measure);
  return plan;
}

function fontsOf(unit, { sans, mono }) {
  const size = Math.max(SMALLEST, Math.round(11.5 * unit));
  return {
    size,
    small: `${size}px ${sans}`,
    bold: `600 ${size}px ${sans}`,
    number: `${size}px ${mono}`,
    title: `600 ${Math.max(13, Math.round(13 * Math.min(unit, 15 / 13)))}px ${sans}`,
    status: `${Math.max(SMALLEST + 1, Math.round(12.5 * unit))}px ${mono}`,
  };
}

/** The memories as two lanes across the bottom. No text lies between them: there, blocks travel. */
function beneath(plan, trace, measure) {
  const { pad, width, height, unit, fonts } = plan;
  const [left, right] = [pad, width - pad];
  const head = Math.round(fonts.size * 1.55);
  const pitch = Math.round(fonts.size + 9 * unit);
  const strips = flow(stripItems(trace, measure), right - left - 12, pitch);
  const slots = flow(slotItems(trace, measure, fonts.number), right - left - 12, pitch);
  const sram = lane(left, height - pad / 2 - head - slots.height - 8, right - left, slots);
  const hbm = lane(left, sram.y - channelOf(plan) - strips.height - 8, right - left, strips);
  headed(hbm, sram, head);
  const caption = { x: left, y: hbm.y - head - 4 * unit, right };
  const region = { left, right, top: topOf(plan), bottom: caption.y - fonts.size - 6 * unit };
  return { hbm, sram, caption, region };
}

/** The memories in a column at the right. */
function besides(plan, trace, measure) {
  const { pad, width, height, unit, fonts } = plan;
  const wanted = Math.min(420 * unit, Math.max(250, width - height * 1.5));
  const [left, right] = [width - pad - wanted, width - pad];
  const head = Math.round(fonts.size * 1.6);
  const pitch = Math.round(fonts.size + 13 * unit);
  const single = trace.view.arrays.length * pitch < height * 0.42;
  const items = stripItems(trace, measure);
  const label = Math.max(...items.map((item) => item.label));
  const strips = flow(single ? items.map((item) => ({ ...item, label })) : items, right - left - 12, pitch, single);
  const slots = flow(slotItems(trace, measure, fonts.number), right - left - 12, pitch + 4);
  const free = height - topOf(plan) - strips.height - slots.height - 2 * head - 16 - pad;
  const gap = Math.max(channelOf(plan), Math.min(free * 0.6, 64 * unit));
  const start = topOf(plan) + head + Math.max(0, (free - gap) * 0.42);
  const hbm = lane(left, start, right - left, strips);
  const sram = lane(left, hbm.bottom + gap, right - left, slots);
  headed(hbm, sram, head);
  const caption = { x: pad, y: height - pad, right: left - 2 * pad };
  const region = { left: pad, right: left - 2 * pad, top: topOf(plan), bottom: caption.y - fonts.size - 8 * unit };
  return { hbm, sram, caption, region };
}

/** Below the panel's title, which the page writes over the canvas. */
const topOf = ({ unit }) => Math.round(34 + 6 * unit);

/** The space between the memories: for one block under way. */
const channelOf = ({ fonts }) => fonts.size + PARCEL + 8;

/** Puts the lines of text above the upper lane and below the lower one. */
function headed(hbm, sram, head) {
  Object.assign(hbm, { line: hbm.y - head / 2 + 0.5 });
  Object.assign(sram, { line: sram.bottom + head / 2 + 0.5, second: sram.bottom + head * 1.45 });
}

function lane(x, y, width, { rows, height }) {
  const places = new Map(rows.map(({ key, left, top, ...rest }) => [key, { key, x: x + 6 + left, y: y + 4 + top, ...rest }]));
  return { x, y, width, height: height + 8, bottom: y + height + 8, places };
}

/** One strip of blocks per array in HBM: its name, then its blocks. */
function stripItems({ view }, measure) {
  return view.arrays.map(({ name, bytes }) => {
    const label = Math.ceil(measure(shownName(name))) + 4;
    return { key: name, label, least: label + 20, weight: bytes };
  });
}

/** One place per thing that is ever on the chip, as wide as it grows. */
function slotItems(trace, measure, font) {
  const { view, tileRows, tileCols } = trace;
  const most = new Map();
  for (const set of view.steps.held_sets) {
    for (const [name, size] of set) most.set(slotOf(name), Math.max(size, most.get(slotOf(name)) ?? 0));
  }
  const last = Math.max(tileRows, tileCols) - 1;
  return SLOTS.filter((name) => most.has(name)).map((name) => {
    const widest = 'slmap'.includes(name) || name.startsWith('dp') ? shownName(name) : indexed(shownName(name), last);
    return { key: name, label: 0, least: Math.ceil(measure(widest, font)) + 10, weight: most.get(name) };
  });
}

/**
 * Sets items in lines, each at least as wide as it must be and wider by its weight.
 *
 * @returns {{rows: object[], height: number}} items with left, top, width, height
 */
function flow(items, width, pitch, single = false) {
  const gap = 6;
  const lines = [[]];
  for (const item of items) {
    const used = lines.at(-1).reduce((sum, { least }) => sum + least + gap, 0);
    if (lines.at(-1).length && (single || used + item.least > width)) lines.push([]);
    lines.at(-1).push(item);
  }
  const rows = lines.flatMap((line, index) => {
    const spare = width - line.reduce((sum, { least }) => sum + least, 0) - gap * (line.length - 1);
    const weight = line.reduce((sum, item) => sum + Math.sqrt(item.weight), 0) || 1;
    let left = 0;
    return line.map((item) => {
      const grown = item.least + Math.min(item.label ? spare : 90, (spare * Math.sqrt(item.weight)) / weight);
      const place = { ...item, left, top: index * pitch, width: grown, height: pitch - 4 };
      left += grown + gap;
      return place;
    });
  });
  return { rows, height: lines.length * pitch - 4 };
}

/** The score matrix with its edges, m and l, and the outputs. */
function matrix(plan, trace, measure) {
  const { unit, fonts, region } = plan;
  const { view, tracks } = trace;
  const strip = Math.round(fonts.size + 6);
  const labels = labelSpace(view, measure, plan);
  const wideStrip = Math.ceil(measure(indexed('Q', trace.tileRows - 1), fonts.number)) + 6;
  const barWidth = Math.round(tracks.m ? Math.min(42 * unit, 0.1 * (region.right - region.left)) : 0);
  const shown = tracks.out.width;
  const deep = ['out_k', 'out_v'].filter((name) => tracks[name]);
  const edge = { left: region.left + labels.left + wideStrip + 4, top: region.top + labels.top + strip + 4 };
  const beside = 2 * (barWidth ? barWidth + 8 * unit : 0) + 24 * unit;
  const under = deep.length * 8 * unit;
  const room = { x: region.right - edge.left - beside, y: region.bottom - edge.top - under };
  const least = Math.ceil(measure(tracks.a ? 'O × 0.000' : 'dQ', fonts.number)) + 8;
  const cap = 30 * unit;
  let ch = room.y / (view.rows + deep.length * shown * 0.34);
  let cw = Math.min(room.x / (view.cols + shown), (room.x - least) / view.cols);
  [cw, ch] = [Math.min(cw, ch * 1.35, cap), Math.min(ch, cw * 1.35, cap)].map((pitch) => Math.max(SLIGHTEST, pitch));
  const outWidth = Math.max(cw * shown, least);
  const spare = { x: room.x - cw * view.cols - outWidth, y: room.y - ch * (view.rows + deep.length * shown * 0.34) };
  edge.left = Math.round(edge.left + spare.x / 2);
  edge.top = Math.round(edge.top + spare.y / 2);
  plan.cells = { x: edge.left, y: edge.top, cw, ch, right: edge.left + cw * view.cols, bottom: edge.top + ch * view.rows };
  plan.rowStrip = { x: edge.left - wideStrip - 4, width: wideStrip };
  plan.colStrip = { y: edge.top - strip - 4, height: strip };
  plan.labels = labels;
  let x = plan.cells.right + 8 * unit;
  plan.bars = [];
  for (const name of barWidth ? ['m', 'l'] : []) {
    plan.bars.push({ name, x, width: barWidth });
    x += barWidth + 8 * unit;
  }
  plan.out = { name: 'out', x: x + 2 * unit, cw: outWidth / shown, columns: shown, right: x + 2 * unit + outWidth };
  let y = plan.cells.bottom + 8 * unit;
  plan.deep = deep.map((name) => {
    const place = { name, y, ch: ch * 0.34, height: ch * 0.34 * shown };
    y += place.height + 8 * unit;
    return place;
  });
}

/**
 * Space for the tokens: as long as the longest, bold, to a limit; numbers are never cut. Those above
 * the columns go where they would take too much of the height.
 */
function labelSpace({ row_labels: rows, col_labels: cols, rows: count }, measure, { unit, fonts, region }) {
  const longest = (texts, font) => texts.reduce((most, text) => Math.max(most, measure(text, font)), 0);
  const widest = '8'.repeat(String(count - 1).length);
  const most = Math.min(LONGEST * unit, 0.15 * (region.right - region.left));
  const left = rows ? Math.min(most, longest(rows, fonts.bold)) : measure(widest, fonts.bold);
  const high = cols ? Math.min(0.8 * LONGEST * unit, longest(cols)) : 0;
  const top = high < (region.bottom - region.top) * 0.32 ? high : 0;
  return { left: Math.ceil(left) + 8, top: Math.ceil(top) + (top ? 4 : 0) };
}

/** The cell under a point: row and col, either -1 outside; `part` says in what. */
export function hit({ cells, bars, out }, { rows, cols }, x, y) {
  const row = Math.floor((y - cells.y) / cells.ch);
  if (row < 0 || row >= rows) return null;
  const col = Math.floor((x - cells.x) / cells.cw);
  if (col >= 0 && col < cols) return { row, col, part: 'cell' };
  if (x > out.x && x < out.right) return { row, col: -1, part: 'out' };
  if (bars.length && x > cells.right && x < out.x) return { row, col: -1, part: 'bars' };
  return x < cells.x ? { row, col: -1, part: 'row' } : null;
}
