/**
 * The player of particles: densities, clouds, fields, paths and handles in the plane, over time.
 */

import { make } from './dom.js';
import { Camera, drawGrid } from './particles-camera.js';
import { DotBuffer } from './particles-dots.js';
import { loadLayer, rowAt } from './particles-keyframes.js';
import { dot, drawLayer, drawTrace, layerColour, ring } from './particles-layers.js';
import { Handles, Hover } from './particles-pointer.js';
import { describeView, tableOf } from './particles-text.js';

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
  const player = new Particles(host, ctx);
  return {
    update: (view) => player.update(view),
    draw: (position) => player.draw(position),
    describe: (position) => (player.view ? describeView(player.view, position, ctx.frames(), ctx) : ''),
    snapshot: async (position, width, height) => player.snapshot(position, width, height),
    table: (position) => (player.view ? tableOf(player.view, player.shareOf(position)) : { columns: [], rows: [] }),
    destroy: () => player.destroy(),
  };
}

/**
 * Applies a partial update.
 *
 * @param {object} view as it came off the wire
 * @param {{layers?: object[]}} patch changed fields, with changed layers found by their id
 * @returns {object} the new view; layers that the patch does not name are the same objects
 */
export function mergeView(view, { patch: _, layers = [], ...fields }) {
  const changes = new Map(layers.map((layer) => [layer.id, layer]));
  const merged = view.layers.map((layer) => (changes.has(layer.id) ? { ...layer, ...changes.get(layer.id) } : layer));
  const added = layers.filter(({ id, type }) => type && !view.layers.some((layer) => layer.id === id));
  return { ...view, ...fields, layers: [...merged, ...added] };
}

class Particles {
  constructor(host, ctx) {
    Object.assign(this, { host, ctx, view: null, wire: null, camera: null, share: 0 });
    this.listening = new AbortController();
    this.canvas = make('canvas', { class: 'vt-canvas', role: 'img' });
    host.classList.add('vt-particles');
    host.append(this.canvas);
    this.dots = new DotBuffer();
    this.hover = new Hover(this.canvas, this, this.listening.signal);
    this.handles = new Handles(host, this);
    this.resized = new ResizeObserver(() => ctx.invalidate());
    this.resized.observe(host);
    this.canvas.addEventListener('click', (event) => this.pick(event), { signal: this.listening.signal });
  }

  /** Shows another view, or merges a patch into the one shown; the latest call wins. */
  async update(view) {
    if (view.patch && !this.wire) return;
    const wire = view.patch ? mergeView(this.wire, view) : view;
    this.wire = wire;
    const layers = await Promise.all(wire.layers.map(loadLayer));
    if (this.wire !== wire) return;
    this.view = { ...wire, layers: layers.map((layer) => this.settled(layer)) };
    this.host.classList.toggle('vt-pick', Boolean(wire.pick));
    this.handles.update();
    this.ctx.invalidate();
  }

  /** A handle in the viewer's hand stays there, whatever the server answers meanwhile. */
  settled(layer) {
    if (layer.type !== 'handles') return layer;
    const held = this.handles.held(layer.id);
    const before = this.view?.layers.find(({ id }) => id === layer.id)?.positions;
    const positions = layer.positions.map((place, index) => (index === held ? before[index] : [...place]));
    return { ...layer, positions };
  }

  shareOf(position) {
    const last = this.ctx.frames() - 1;
    return last > 0 ? Math.min(1, Math.max(0, position / last)) : 0;
  }

  draw(position) {
    const { clientWidth, clientHeight } = this.host;
    if (!this.view || clientWidth === 0 || clientHeight === 0) return;
    const ratio = Math.min(FINEST, window.devicePixelRatio || 1);
    const [width, height] = [Math.round(clientWidth * ratio), Math.round(clientHeight * ratio)];
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    this.camera = new Camera(this.view.extent, width, height, ratio);
    this.share = this.shareOf(position);
    const brush = this.brush(this.canvas, this.camera, this.share, this.dots);
    brush.g.clearRect(0, 0, width, height);
    this.paint(brush);
    this.paintHover(brush);
    this.hover.draw();
    this.handles.draw();
    const label = this.ctx.t(this.view.title);
    if (this.canvas.getAttribute('aria-label') !== label) this.canvas.setAttribute('aria-label', label);
  }

  brush(canvas, camera, share, dots) {
    return { g: canvas.getContext('2d'), camera, share, dots, colours: this.ctx.palette() };
  }

  paint(brush) {
    const { g, camera, colours } = brush;
    const unit = this.unitAt(brush.share);
    if (this.view.grid !== false) drawGrid(g, camera, colours, unit);
    const above = (layer) => layer.type === 'handles';
    for (const layer of this.view.layers) if (!above(layer)) drawLayer(brush, layer);
    if (this.view.pin) paintPin(brush, this.view.pin.map((value) => value / unit));
    for (const layer of this.view.layers) if (above(layer)) drawLayer(brush, layer);
  }

  /** The particle under the pointer, here or in a linked view, with its trail. */
  paintHover(brush) {
    const { hover } = this.ctx.shared;
    if (!hover) return;
    const { camera, colours, share } = brush;
    const cloud = this.view.layers.find(({ type }) => type === 'points');
    if (hover.view !== this.view.id) ring(brush, camera.x(hover.x), camera.y(hover.y), 2, colours.ink2);
    if (!cloud || hover.index === null || hover.index >= cloud.positions.shape[1]) return;
    drawTrace(brush, cloud.positions, hover.index, colours.ink);
    const row = rowAt(cloud.positions, share);
    const [x, y] = [camera.x(row[2 * hover.index]), camera.y(row[2 * hover.index + 1])];
    dot(brush, x, y, 3.5, layerColour(colours, cloud, share));
    ring(brush, x, y, 6.5, colours.ink);
  }

  pick({ offsetX, offsetY }) {
    if (!this.view?.pick || !this.camera) return;
    const { x, y } = this.camera.clamp(this.camera.at(offsetX, offsetY));
    const unit = this.unitAt(this.share);
    this.view.pin = [x * unit, y * unit];
    this.ctx.invalidate();
    this.ctx.emit('pick', { view: this.view.id, x: x * unit, y: y * unit });
  }

  /** What a unit of the stage stands for at a moment: 1, unless the view zooms with time. */
  unitAt(share) {
    const { units } = this.view;
    if (!units) return 1;
    const at = share * (units.length - 1);
    const low = Math.min(Math.floor(at), units.length - 2);
    return units[low] + (units[low + 1] - units[low]) * (at - low);
  }

  /** Draws one moment at any size, on the stage's colour, as large as it looks on the screen. */
  snapshot(position, width, height) {
    const canvas = Object.assign(document.createElement('canvas'), { width, height });
    const g = canvas.getContext('2d');
    g.fillStyle = this.ctx.palette().stage;
    g.fillRect(0, 0, width, height);
    if (!this.view) return canvas;
    const ratio = Math.max(0.5, Math.min(width / (this.host.clientWidth || 480), height / (this.host.clientHeight || 480)));
    const camera = new Camera(this.view.extent, width, height, ratio);
    this.spare ??= new DotBuffer();
    this.paint(this.brush(canvas, camera, this.shareOf(position), this.spare));
    return canvas;
  }

  destroy() {
    this.hover.leave();
    this.listening.abort();
    this.resized.disconnect();
    this.host.classList.remove('vt-particles', 'vt-pick');
    this.host.replaceChildren();
  }
}

/** The chosen point: a drop whose tip is the point. */
function paintPin({ g, camera, colours }, [x, y]) {
  const [tipX, tipY, size] = [camera.x(x), camera.y(y), camera.ratio];
  g.save();
  g.translate(tipX, tipY);
  g.scale(size, size);
  g.beginPath();
  g.moveTo(0, 0);
  g.bezierCurveTo(-1.2, -4, -7, -7.5, -7, -13);
  g.arc(0, -13, 7, Math.PI, 0);
  g.bezierCurveTo(7, -7.5, 1.2, -4, 0, 0);
  g.fillStyle = colours.ink;
  g.fill();
  g.strokeStyle = colours.stage;
  g.lineWidth = 1.5;
  g.stroke();
  g.beginPath();
  g.arc(0, -13, 2.5, 0, 2 * Math.PI);
  g.fillStyle = colours.stage;
  g.fill();
  g.restore();
}
