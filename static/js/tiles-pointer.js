/**
 * What a viewer does to a tiles view: hovering a cell, picking a row, walking the rows by keys.
 */

import { make } from './dom.js';
import { hit } from './tiles-layout.js';
import { readoutOf } from './tiles-text.js';
import { say } from './tiles-words.js';

/** How far the tooltip stands from the pointer, in CSS pixels. */
const AWAY = 14;

/**
 * Pointer and keys of one player. A finger has no hover; a tap picks its row and shows the numbers.
 */
export class TilesPointer {
  /**
   * @param {object} player has canvas, trace, plan, moment, ctx, chosen and choose()
   * @param {AbortSignal} signal ends the listening
   */
  constructor(player, signal) {
    Object.assign(this, { player, at: null, shown: '' });
    this.tip = make('div', { class: 'vt-tip vt-tiles-tip', hidden: true, 'aria-hidden': 'true' });
    const { canvas } = player;
    canvas.after(this.tip);
    const on = (name, run) => canvas.addEventListener(name, run, { signal });
    on('pointermove', (event) => event.pointerType !== 'touch' && this.point(event));
    on('pointerleave', (event) => event.pointerType !== 'touch' && this.leave());
    on('click', (event) => this.click(event));
    on('keydown', (event) => this.key(event));
    on('blur', () => this.leave());
  }

  point({ offsetX, offsetY }) {
    this.at = { x: offsetX, y: offsetY };
    this.player.ctx.invalidate();
  }

  leave() {
    this.at = null;
    this.player.ctx.invalidate();
  }

  click(event) {
    this.point(event);
    const found = this.found();
    if (found) this.player.choose(found.row);
  }

  /** "," and "." walk through the rows; the arrows stay with the transport. */
  key(event) {
    const by = { ',': -1, '.': 1 }[event.key];
    if (!by || event.ctrlKey || event.metaKey || event.altKey || !this.player.trace) return;
    event.preventDefault();
    const { chosen, trace: { view } } = this.player;
    const next = chosen === null ? (by > 0 ? 0 : view.rows - 1) : chosen + by;
    this.player.choose(Math.min(view.rows - 1, Math.max(0, next)));
  }

  found() {
    const { plan, trace } = this.player;
    return this.at && plan ? hit(plan, trace.view, this.at.x, this.at.y) : null;
  }

  /** Rings the cell under the pointer and shows its numbers beside it. */
  draw({ g, colours }) {
    const found = this.found();
    this.tip.hidden = !found;
    if (!found) return;
    if (found.part === 'cell') this.ring(g, colours, found);
    const { trace, moment, ctx, plan } = this.player;
    const lines = readoutOf(trace, moment, found, ctx.locale());
    const text = JSON.stringify(lines);
    if (text !== this.shown) {
      this.shown = text;
      this.tip.replaceChildren(...lines.flatMap(([name, value]) => [make('span', { text: name }), make('b', { text: value })]));
    }
    const { offsetWidth: width, offsetHeight: height } = this.tip;
    const left = this.at.x + AWAY + width > plan.width ? this.at.x - AWAY - width : this.at.x + AWAY;
    const top = Math.min(plan.height - height - 4, Math.max(4, this.at.y - height / 2));
    this.tip.style.transform = `translate(${Math.max(4, left)}px, ${top}px)`;
  }

  ring(g, { ink }, { row, col }) {
    const { x, y, cw, ch } = this.player.plan.cells;
    Object.assign(g, { strokeStyle: ink, lineWidth: 1.5 });
    g.strokeRect(x + col * cw - 1, y + row * ch - 1, cw + 0.5, ch + 0.5);
  }

  /** What the keys do, for the canvas's label. */
  help() {
    return say(this.player.ctx.locale(), 'grid');
  }
}
