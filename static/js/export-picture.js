/**
 * One picture of the whole stage: its views side by side, legend, numbers, and where it comes from.
 */

import { number } from './dom.js';
import { readoutAt } from './export-numbers.js';
import { roleColour } from './palette.js';

const PAD = 16;
const GAP = 12;

/** A view narrower than this goes to the next row, in CSS pixels. */
const NARROWEST = 240;

/** Frames at which the numbers are measured, so that the layout does not move with them. */
const SAMPLES = 40;

/**
 * Lays a picture out; the same layout serves every frame.
 *
 * @param {object} ctx the stage's context
 * @param {object} stage {scene, players, title, root} as the exporter gets it
 * @param {string} link written below
 * @param {{width: number, scale: number}} size in CSS pixels, and pixels per CSS pixel
 * @returns {{width: number, height: number, paint: (position: number) =>
 *   Promise<HTMLCanvasElement>}} size in pixels; a canvas of that size, opaque
 */
export function picture(ctx, stage, link, { width, scale }) {
  const colours = ctx.palette();
  const measure = document.createElement('canvas').getContext('2d');
  const plan = { ctx, stage, link, width, scale, colours };
  plan.panels = panelsOf(stage, width);
  const below = plan.panels.at(-1).bottom;
  plan.legend = flow(width, below + 22, 20, legendOf(plan, measure));
  plan.readouts = flow(width, (plan.legend.bottom ?? below) + 26, 42, readoutsOf(plan, measure));
  plan.foot = (plan.readouts.bottom ?? plan.legend.bottom ?? below) + 30;
  const even = (value) => 2 * Math.ceil((value * scale) / 2); // what video encoders ask for
  const [pixelWidth, pixelHeight] = [even(width), even(plan.foot + PAD)];
  return { width: pixelWidth, height: pixelHeight, paint: (position) => paint(plan, position, pixelWidth, pixelHeight) };
}

/** The views in rows, as wide as they fit and as high as on the screen. */
function panelsOf({ players, root }, width) {
  const columns = Math.max(1, Math.min(players.length, Math.floor((width - 2 * PAD + GAP) / (NARROWEST + GAP))));
  const side = (width - 2 * PAD - GAP * (columns - 1)) / columns;
  const shown = root?.querySelector('.vt-panel');
  const ratio = shown?.clientWidth ? Math.min(1.05, Math.max(0.5, shown.clientHeight / shown.clientWidth)) : 1;
  const height = Math.round(side * ratio);
  return players.map(({ view, player }, i) => {
    const [x, y] = [PAD + (i % columns) * (side + GAP), 44 + Math.floor(i / columns) * (height + GAP)];
    return { view, player, x, y, width: side, height, bottom: y + height };
  });
}

function legendOf({ ctx, stage, colours }, g) {
  g.font = `12.5px ${colours.sans}`;
  return (stage.scene.legend ?? []).map(({ role, label }) => {
    const text = ctx.t(label);
    return { role, text, room: 14 + g.measureText(text).width + 14 };
  });
}

/** Each number has the room of its widest moment. */
function readoutsOf({ ctx, stage: { scene }, colours }, g) {
  return (scene.readouts ?? []).map((readout) => {
    const moments = Array.from({ length: SAMPLES + 1 }, (_, i) => (i / SAMPLES) * (scene.frames - 1));
    g.font = `600 15px ${colours.mono}`;
    const widths = moments.map((position) => g.measureText(textOf(ctx, readout, position, scene)).width);
    g.font = `13px ${colours.sans}`;
    return { readout, room: Math.max(...widths, g.measureText(ctx.t(readout.label)).width) + 28 };
  });
}

function textOf(ctx, readout, position, { frames }) {
  const value = readoutAt(readout, position, frames);
  const text = value !== null && typeof value === 'object' ? ctx.t(value) : number(value, readout.digits);
  return readout.unit ? `${text} ${readout.unit}` : text;
}

/** Sets items in lines like words; `bottom` is where the last line ends. */
function flow(width, top, height, items) {
  let [x, y] = [PAD, top];
  const placed = items.map((item) => {
    if (x > PAD && x + item.room > width) [x, y] = [PAD, y + height];
    x += item.room;
    return { ...item, x: x - item.room, y };
  });
  return Object.assign(placed, { bottom: placed.length ? y : undefined });
}

async function paint(plan, position, pixelWidth, pixelHeight) {
  const { ctx, stage, scale, colours, width } = plan;
  const canvas = Object.assign(document.createElement('canvas'), { width: pixelWidth, height: pixelHeight });
  const g = canvas.getContext('2d', { willReadFrequently: true });
  g.fillStyle = colours.paper;
  g.fillRect(0, 0, pixelWidth, pixelHeight);
  g.scale(scale, scale);
  const write = (text, x, y, font, colour, align = 'left') => {
    Object.assign(g, { font, fillStyle: colour, textAlign: align, textBaseline: 'alphabetic' });
    g.fillText(text, x, y);
  };
  write(stage.title, PAD, 28, `650 19px ${colours.sans}`, colours.ink);
  write(tickOf(stage.scene, position), width - PAD, 28, `13px ${colours.mono}`, colours.ink, 'right');
  for (const panel of plan.panels) await paintPanel(g, plan, panel, position, write);
  for (const { role, text, x, y } of plan.legend) {
    g.fillStyle = roleColour(colours, role);
    g.beginPath();
    g.arc(x + 4.5, y - 4, 4.5, 0, 2 * Math.PI);
    g.fill();
    write(text, x + 14, y, `12.5px ${colours.sans}`, colours.ink2);
  }
  for (const { readout, x, y } of plan.readouts) {
    write(textOf(ctx, readout, position, stage.scene), x, y, `600 15px ${colours.mono}`, colours.ink);
    write(ctx.t(readout.label), x, y + 18, `13px ${colours.sans}`, colours.ink2);
  }
  const small = `11px ${colours.mono}`;
  write(fitted(g, `Vitrine · ${plan.link}`, width - 2 * PAD, small), PAD, plan.foot + 8, small, colours.ink2);
  return canvas;
}

async function paintPanel(g, { ctx, scale, colours }, { view, player, x, y, width, height }, position, write) {
  const shot = await player.snapshot(position, Math.round(width * scale), Math.round(height * scale));
  g.save();
  g.beginPath();
  g.roundRect(x, y, width, height, 12);
  g.clip();
  g.drawImage(shot, x, y, width, height);
  const [title, note] = [ctx.t(view.title), ctx.t(view.note)];
  const [bold, plain] = [`600 13px ${colours.sans}`, `12.5px ${colours.mono}`];
  g.font = bold;
  const free = width - 36 - g.measureText(title).width;
  g.fillStyle = colours.stage;
  g.globalAlpha = 0.82;
  g.fillRect(x + 10, y + 8, g.measureText(title).width + 4, 18);
  g.globalAlpha = 1;
  write(title, x + 12, y + 22, bold, colours.ink);
  if (note && free > 40) write(fitted(g, note, free, plain), x + width - 12, y + 22, plain, colours.ink2, 'right');
  g.restore();
  g.strokeStyle = colours.line;
  g.lineWidth = 1;
  g.beginPath();
  g.roundRect(x + 0.5, y + 0.5, width - 1, height - 1, 12);
  g.stroke();
}

/** What the frame is called: "t = 0.34", or its number. */
export function tickOf({ ticks, frames }, position) {
  const values = ticks?.values ?? [];
  if (!values.length) return frames > 1 ? `${Math.round(position) + 1} / ${frames}` : '';
  const low = Math.min(values.length - 1, Math.floor(position));
  const next = values[Math.min(values.length - 1, low + 1)];
  const value = values[low] + (next - values[low]) * (position - low);
  const whole = values.every(Number.isInteger);
  return `${ticks.symbol} = ${whole ? number(Math.round(value)) : value.toFixed(2).replace('-', '−')}`;
}

/** A text, cut with an ellipsis where it is too wide. */
function fitted(g, text, width, font) {
  g.font = font;
  if (g.measureText(text).width <= width) return text;
  let [low, high] = [0, text.length];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (g.measureText(`${text.slice(0, middle)}…`).width <= width) low = middle;
    else high = middle;
  }
  return `${text.slice(0, low)}…`;
}
