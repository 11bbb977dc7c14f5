/**
 * The player of tiles: attention block by block, in its own numbers, between two memories.
 */

import { make } from './dom.js';
import { drawEdges } from './tiles-edges.js';
import { GridLayers, drawGrid } from './tiles-grid.js';
import { drawLanes } from './tiles-lanes.js';
import { layOut } from './tiles-layout.js';
import { TilesPointer } from './tiles-pointer.js';
import { drawSides } from './tiles-sides.js';
import { describeTiles, tableOf } from './tiles-text.js';
import { loadTrace } from './tiles-trace.js';

/** Finer screens than this are drawn at this many pixels per CSS pixel: the eye cannot tell. */
const FINEST = 2;

/**
 * Mounts a player.
 *
 * @param {HTMLElement} host gives the size; is emptied by destroy()
 * @param {object} ctx the stage's context
 * @returns {object} {update, draw, describe, snapshot, table, destroy}
 */
export function mount(host, ctx) {
  const player = new TilesPlayer(host, ctx);
  return {
    update: (view) => player.update(view),
    draw: (position) => player.draw(position),
    describe: (position) => (player.trace ? describeTiles(player.brushAt(position)) : ''),
    snapshot: async (position, width, height) => player.snapshot(position, width, height),
    table: (position) => (player.trace ? tableOf(player.brushAt(position)) : { columns: [], rows: [] }),
    destroy: () => player.destroy(),
  };
}

class TilesPlayer {
  constructor(host, ctx) {
    Object.assign(this, { host, ctx, wire: null, trace: null, chosen: null, plan: null });
    this.listening = new AbortController();
    this.canvas = make('canvas', { class: 'vt-canvas vt-tiles-canvas', role: 'img', tabindex: '0' });
    host.classList.add('vt-tiles');
    host.append(this.canvas);
    this.layers = new GridLayers();
    this.pointer = new TilesPointer(this, this.listening.signal);
    this.resized = new ResizeObserver(() => ctx.invalidate());
    this.resized.observe(host);
  }

  /** Shows another view, or changes fields of the one shown; the latest call wins. */
  async update(view) {
    if (view.patch && !this.wire) return;
    const { patch: _, ...fields } = view;
    const wire = view.patch ? { ...this.wire, ...fields } : fields;
    this.wire = wire;
    const trace = await loadTrace(wire);
    if (this.wire !== wire) return;
    Object.assign(this, { trace, chosen: wire.row ?? null, plan: null });
    this.host.classList.toggle('vt-pick', Boolean(wire.pick));
    this.ctx.invalidate();
  }

  draw(position) {
    const { clientWidth: width, clientHeight: height } = this.host;
    if (!this.trace || width === 0 || height === 0) return;
    const ratio = Math.min(FINEST, window.devicePixelRatio || 1);
    const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.canvas.width !== wide || this.canvas.height !== high) Object.assign(this.canvas, { width: wide, height: high });
    const g = this.canvas.getContext('2d');
    g.setTransform(ratio, 0, 0, ratio, 0, 0);
    g.clearRect(0, 0, width, height);
    this.plan = this.planned(g, width, height);
    this.moment = this.trace.moment(position);
    const brush = this.brush({ g, plan: this.plan, ratio, moment: this.moment });
    this.paint(brush, this.layers);
    this.pointer.draw(brush);
    const label = `${this.ctx.t(this.wire.title)}. ${this.pointer.help()}`;
    if (this.canvas.getAttribute('aria-label') !== label) this.canvas.setAttribute('aria-label', label);
  }

  /** The layout, kept until the size or the trace changes. */
  planned(g, width, height) {
    const { plan, trace } = this;
    if (plan && plan.trace === trace && plan.width === width && plan.height === height) return plan;
    return Object.assign(layOut(trace, { width, height }, g, this.ctx.palette()), { trace });
  }

  brush(parts) {
    const { trace, chosen, ctx } = this;
    return { trace, chosen, colours: ctx.palette(), language: ctx.locale(), ...parts };
  }

  brushAt(position) {
    return this.brush({ moment: this.trace.moment(position) });
  }

  paint(brush, layers) {
    drawGrid(brush, layers);
    drawSides(brush);
    drawEdges(brush);
    drawLanes(brush);
  }

  /** Marks a row and tells the stage. */
  choose(row) {
    if (!this.wire?.pick || row === this.chosen) return;
    this.chosen = row;
    this.ctx.invalidate();
    this.ctx.emit('pick', { view: this.wire.id, x: row, y: 0, row });
  }

  /** Draws one moment at any size, on the stage's colour, as large as it looks on the screen. */
  snapshot(position, width, height) {
    const canvas = Object.assign(document.createElement('canvas'), { width, height });
    const g = canvas.getContext('2d');
    g.fillStyle = this.ctx.palette().stage;
    g.fillRect(0, 0, width, height);
    if (!this.trace) return canvas;
    const { clientWidth, clientHeight } = this.host;
    const ratio = Math.max(0.5, Math.min(width / (clientWidth || 520), height / (clientHeight || 437)));
    g.setTransform(ratio, 0, 0, ratio, 0, 0);
    const plan = layOut(this.trace, { width: width / ratio, height: height / ratio }, g, this.ctx.palette());
    this.spare ??= new GridLayers();
    this.paint(this.brush({ g, plan, ratio, moment: this.trace.moment(position) }), this.spare);
    return canvas;
  }

  destroy() {
    this.listening.abort();
    this.resized.disconnect();
    this.host.classList.remove('vt-tiles', 'vt-pick');
    this.host.replaceChildren();
  }
}
