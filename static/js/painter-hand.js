/**
 * The hand over the sheet: pointers and keys become strokes and shapes.
 */

import { BOARD } from './painter-board.js';
import { say } from './painter-words.js';

/** A key moves the brush by one cell, with Shift by eight, in board pixels. */
const STEP = BOARD / 64;
const STRIDE = 8 * STEP;

/** How much thinner and thicker than its width a pen's line gets with pressure. */
const LIGHT = 0.35;
const HEAVY = 1.65;

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Hand {
  /** @param {object} painter whose tool, width, board and sheet it uses */
  constructor(painter) {
    Object.assign(this, { painter, pointer: null, stroke: null, cursor: { x: BOARD / 2, y: BOARD / 2 } });
    const { canvas } = painter.sheet;
    const listen = (names, run) => names.split(' ').forEach((name) => canvas.addEventListener(name, run));
    listen('pointerdown', (event) => this.#press(event));
    listen('pointermove', (event) => this.#move(event));
    listen('pointerup pointercancel lostpointercapture', (event) => this.#lift(event));
    listen('pointerleave', () => this.#leave());
    listen('keydown', (event) => this.#key(event));
    listen('keyup', (event) => event.key === ' ' && this.#liftKey());
    listen('focus', () => canvas.matches(':focus-visible') && this.#showCursor());
    listen('blur', () => this.#blur());
    listen('contextmenu', (event) => event.preventDefault());
  }

  /** Whether a stroke is being drawn, which nothing may disturb. */
  get busy() {
    return this.pointer !== null || Boolean(this.keyed);
  }

  /** The brush got another width: shows it where it is seen. */
  resize() {
    const { sheet } = this.painter;
    if (sheet.tip) sheet.point({ ...sheet.tip, width: this.painter.width });
  }

  #press(event) {
    if (event.button !== 0 || this.pointer !== null) return;
    const { painter } = this;
    this.#liftKey();
    this.pointer = event.pointerId;
    painter.sheet.canvas.setPointerCapture(event.pointerId);
    painter.sheet.canvas.focus({ preventScroll: true });
    painter.toolbar.close();
    painter.element.classList.add('vt-painter-drawing');
    this.#begin(painter.sheet.at(event), thickness(event));
    event.preventDefault();
  }

  #move(event) {
    const { sheet } = this.painter;
    if (event.pointerId === this.pointer) {
      const passed = event.getCoalescedEvents?.() ?? [];
      for (const point of passed.length ? passed : [event]) this.#draw(sheet.at(point), thickness(point));
    }
    if (event.pointerType === 'touch' || (this.pointer !== null && event.pointerId !== this.pointer)) return;
    this.#showTip(sheet.at(event), false);
  }

  #lift(event) {
    if (event.pointerId !== this.pointer) return;
    this.pointer = null;
    this.painter.element.classList.remove('vt-painter-drawing');
    this.#end(event.type === 'pointerup' ? this.painter.sheet.at(event) : this.last);
  }

  #leave() {
    if (this.pointer === null) this.painter.sheet.point(null);
  }

  #begin(at, thick) {
    const { painter } = this;
    painter.board.mark();
    Object.assign(this, { from: at, last: at });
    if (!painter.shape) this.stroke = painter.board.stroke({ width: painter.width, erase: painter.tool === 'eraser' });
    this.#draw(at, thick);
  }

  #draw(at, thick) {
    const { painter } = this;
    this.last = at;
    if (painter.shape) {
      painter.board.recall();
      painter.board.stamp(painter.tool, this.from, at, painter.width);
    } else {
      this.stroke.add(at, thick);
    }
    painter.changed(false);
  }

  #end(at) {
    this.stroke?.end(at);
    this.stroke = null;
    this.painter.changed(true);
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const arrow = ARROWS[event.key];
    if (arrow) this.#moveCursor(arrow, event.shiftKey ? STRIDE : STEP);
    else if (event.key === ' ' || event.key === 'Enter') this.#pressKey(event);
    else return;
    event.preventDefault();
  }

  /** Space draws on while it is held; Enter leaves one dab. */
  #pressKey({ key, repeat }) {
    if (repeat || this.pointer !== null || this.keyed) return;
    this.#begin(this.cursor, 1);
    this.keyed = true;
    this.#showCursor();
    const place = say(this.painter.ctx, 'place', cellOf(this.cursor));
    this.painter.speak(say(this.painter.ctx, 'painted', { place }));
    if (key === 'Enter') this.#liftKey();
  }

  #liftKey() {
    if (!this.keyed) return;
    this.keyed = false;
    this.#end(this.last);
  }

  #moveCursor([dx, dy], by) {
    const within = (value) => Math.min(BOARD - STEP / 2, Math.max(STEP / 2, value));
    this.cursor = { x: within(this.cursor.x + dx * by), y: within(this.cursor.y + dy * by) };
    if (this.keyed) this.#draw(this.cursor, 1);
    else this.painter.speak(say(this.painter.ctx, 'place', cellOf(this.cursor)));
    this.#showCursor();
  }

  #showCursor() {
    this.#showTip(this.cursor, true);
  }

  #showTip({ x, y }, cross) {
    this.painter.sheet.point({ x, y, width: this.painter.width, cross });
  }

  #blur() {
    this.#liftKey();
    this.painter.sheet.point(null);
  }
}

/** The cell under a point, counted from 1 as people do. */
function cellOf({ x, y }) {
  return { column: Math.floor(x / STEP) + 1, row: Math.floor(y / STEP) + 1 };
}

/** A pen presses; a mouse and a finger do not. */
function thickness({ pointerType, pressure }) {
  return pointerType === 'pen' && pressure > 0 ? LIGHT + (HEAVY - LIGHT) * pressure : 1;
}
