/**
 * The player of one row: softmax taken in element by element, with a running maximum and sum.
 */

import { decode } from './codec.js';
import { make } from './dom.js';
import { drawOnline, elementAt, layOutOnline } from './online-draw.js';
import { describeOnline, readoutOfElement, tableOfOnline } from './online-text.js';

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
  const player = new OnlinePlayer(host, ctx);
  return {
    update: (view) => player.update(view),
    draw: (position) => player.draw(position),
    describe: (position) => (player.view ? describeOnline(player.view, momentOf(player.view, position), ctx.locale()) : ''),
    snapshot: async (position, width, height) => player.snapshot(position, width, height),
    table: (position) => (player.view ? tableOfOnline(player.view, momentOf(player.view, position)) : { columns: [], rows: [] }),
    destroy: () => player.destroy(),
  };
}

/**
 * What happens at a position of the transport.
 *
 * @param {object} view with `scores` and perhaps `at`
 * @param {number} position frame position
 * @returns {{done: number, index: number, fraction: number}} elements in, the one coming in (or -1),
 *   and how much of it has come in
 */
function momentOf({ scores, at }, position) {
  let done = position;
  if (at) {
    const low = Math.min(at.length - 1, Math.floor(position));
    const next = at[Math.min(at.length - 1, low + 1)];
    done = at[low] + (next - at[low]) * (position - low);
  }
  done = Math.min(scores.length, Math.max(0, done));
  const index = Math.ceil(done - 1e-4) - 1;
  return { done, index, fraction: index < 0 ? 0 : Math.min(1, done - index) };
}

class OnlinePlayer {
  constructor(host, ctx) {
    Object.assign(this, { host, ctx, wire: null, view: null, at: null });
    this.listening = new AbortController();
    this.canvas = make('canvas', { class: 'vt-canvas', role: 'img' });
    this.tip = make('div', { class: 'vt-tip vt-tiles-tip', hidden: true, 'aria-hidden': 'true' });
    host.classList.add('vt-online');
    host.append(this.canvas, this.tip);
    const { signal } = this.listening;
    const over = ({ offsetX, offsetY }) => this.point({ x: offsetX, y: offsetY });
    this.canvas.addEventListener('pointermove', (event) => event.pointerType !== 'touch' && over(event), { signal });
    this.canvas.addEventListener('pointerleave', (event) => event.pointerType !== 'touch' && this.point(null), { signal });
    this.canvas.addEventListener('click', over, { signal });
    this.resized = new ResizeObserver(() => ctx.invalidate());
    this.resized.observe(host);
  }

  point(at) {
    this.at = at;
    this.ctx.invalidate();
  }

  /** Shows another row, or changes fields of the one shown; the latest call wins. */
  async update(view) {
    if (view.patch && !this.wire) return;
    const { patch: _, ...fields } = view;
    const wire = view.patch ? { ...this.wire, ...fields } : fields;
    this.wire = wire;
    const out = wire.out ? await decode(wire.out) : null;
    if (this.wire !== wire) return;
    this.view = { ...wire, out };
    this.ctx.invalidate();
  }

  draw(position) {
    const { clientWidth: width, clientHeight: height } = this.host;
    if (!this.view || width === 0 || height === 0) return;
    const ratio = Math.min(FINEST, window.devicePixelRatio || 1);
    const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.canvas.width !== wide || this.canvas.height !== high) Object.assign(this.canvas, { width: wide, height: high });
    const g = this.canvas.getContext('2d');
    g.setTransform(ratio, 0, 0, ratio, 0, 0);
    g.clearRect(0, 0, width, height);
    const brush = this.brush(g, position, width, height);
    drawOnline(brush);
    this.hover(brush);
    const label = this.ctx.t(this.view.title);
    if (this.canvas.getAttribute('aria-label') !== label) this.canvas.setAttribute('aria-label', label);
  }

  brush(g, position, width, height) {
    const { view, ctx } = this;
    const colours = ctx.palette();
    const plan = layOutOnline(view, { width, height }, g, colours);
    return { g, view, colours, plan, language: ctx.locale(), moment: momentOf(view, position) };
  }

  /** The numbers of the element under the pointer. */
  hover({ plan, view, moment, language }) {
    const index = this.at ? elementAt(plan, view, this.at) : -1;
    this.tip.hidden = index < 0;
    if (index < 0) return;
    const lines = readoutOfElement(view, moment, index, language);
    this.tip.replaceChildren(...lines.flatMap(([name, value]) => [make('span', { text: name }), make('b', { text: value })]));
    const { offsetWidth, offsetHeight } = this.tip;
    const left = this.at.x + 14 + offsetWidth > plan.width ? this.at.x - 14 - offsetWidth : this.at.x + 14;
    const top = Math.min(plan.height - offsetHeight - 4, Math.max(4, this.at.y - offsetHeight / 2));
    this.tip.style.transform = `translate(${Math.max(4, left)}px, ${top}px)`;
  }

  /** Draws one moment at any size, on the stage's colour, as large as it looks on the screen. */
  snapshot(position, width, height) {
    const canvas = Object.assign(document.createElement('canvas'), { width, height });
    const g = canvas.getContext('2d');
    g.fillStyle = this.ctx.palette().stage;
    g.fillRect(0, 0, width, height);
    if (!this.view) return canvas;
    const { clientWidth, clientHeight } = this.host;
    const ratio = Math.max(0.5, Math.min(width / (clientWidth || 520), height / (clientHeight || 437)));
    g.setTransform(ratio, 0, 0, ratio, 0, 0);
    drawOnline(this.brush(g, position, width / ratio, height / ratio));
    return canvas;
  }

  destroy() {
    this.listening.abort();
    this.resized.disconnect();
    this.host.classList.remove('vt-online');
    this.host.replaceChildren();
  }
}
