/**
 * The painter: ink on stage paper with brush, eraser and shapes, or out of a picture.
 *
 * Works with a mouse, a finger, a pen that feels pressure, and the keyboard alone. The painting
 * leaves as the short text of painter-ink.js.
 */

import { make } from './dom.js';
import { Board } from './painter-board.js';
import { decodeInk, encodeInk } from './painter-ink.js';
import { Hand } from './painter-hand.js';
import { Picture } from './painter-picture.js';
import { Sheet } from './painter-sheet.js';
import { STAMPS } from './painter-stamps.js';
import { Toolbar } from './painter-toolbar.js';
import { say } from './painter-words.js';

/** Widths of the brush, in board pixels (four of them are one cell). */
const WIDTHS = [6, 13, 26];

/** Between two reports of a painting in progress, in milliseconds. */
const PAUSE = 120;

/** An answer that repeats what was painted this recently is an echo, in milliseconds. */
const ECHO = 5000;

/** How long a complaint stays, in milliseconds. */
const COMPLAINT = 6000;

/**
 * Mounts a painter.
 *
 * @param {HTMLElement} host receives it; positioned where the painter is an overlay
 * @param {object} ctx the stage's context
 * @param {object} options
 *   value: the painting to start with ("" is blank).
 *   extent, square: what of the plane the sheet shows, and where in it the 64 by 64 cells lie,
 *     [x_min, x_max, y_min, y_max] each; without them the painting is the whole sheet.
 *   overlay: whether it covers its host, tools afloat, or stands alone, tools below.
 *   onInput(ink): a change, at most every 120 ms while a stroke lasts, and once when it ends.
 *   onPicture(file): a picture that passed the browser's checks; answer with setValue.
 *   onError(text): a complaint in the viewer's language, which the painter shows as well.
 * @returns {{element: Element, value: () => string, settled: () => Promise<void>, setValue:
 *   (ink: string) => Promise<void>, busy: (reading: boolean) => void, describe: () => string, focus:
 *   () => void, relabel: () => void, destroy: () => void}} `settled` resolves once `value` has
 *   caught up with the hand
 */
export function mountPainter(host, ctx, options = {}) {
  const painter = new Painter(ctx, options);
  host.append(painter.element);
  painter.setValue(options.value ?? '');
  return {
    element: painter.element,
    value: () => painter.text,
    settled: () => painter.work,
    setValue: (ink) => painter.setValue(ink),
    busy: (reading) => painter.busy(reading),
    describe: () => painter.describe(),
    focus: () => painter.sheet.canvas.focus({ preventScroll: true }),
    relabel: () => painter.relabel(),
    destroy: () => painter.destroy(),
  };
}

class Painter {
  constructor(ctx, options) {
    Object.assign(this, { ctx, options, tool: 'brush', size: 1, text: '', told: new Map() });
    this.work = Promise.resolve();
    this.board = new Board();
    this.sheet = new Sheet(this.board, options);
    this.toolbar = new Toolbar(this, ctx, Boolean(options.onPicture));
    this.#build();
    this.hand = new Hand(this);
    this.picture = options.onPicture ? new Picture(this, ctx) : null;
    this.element.addEventListener('keydown', (event) => this.#key(event));
    this.relabel();
  }

  #build() {
    const { overlay } = this.options;
    this.hint = make('p', { class: 'vt-painter-hint', 'aria-hidden': 'true' });
    this.notice = make('p', { class: 'vt-painter-notice', role: 'alert', hidden: true });
    this.voice = make('p', { class: 'vt-painter-voice', 'aria-live': 'polite' });
    this.paper = make('div', { class: 'vt-painter-paper' }, [this.sheet.canvas, this.hint, this.notice]);
    this.element = make('div', { class: `vt-painter${overlay ? ' vt-painter-overlay' : ''}` }, [
      this.paper, this.toolbar.element, this.voice,
    ]);
  }

  /** Whether there is no ink at all. */
  get blank() {
    return this.text === '';
  }

  /** Width of the brush, in board pixels. */
  get width() {
    return WIDTHS[this.size];
  }

  /** Whether the tool is a shape of painter-stamps.js. */
  get shape() {
    return Object.hasOwn(STAMPS, this.tool);
  }

  choose(tool) {
    this.tool = tool;
    this.toolbar.update();
  }

  widen(size) {
    this.size = size;
    this.hand.resize();
    this.toolbar.update();
  }

  reflect() {
    this.board.mirror = !this.board.mirror;
    this.#refresh();
  }

  undo() {
    this.#step(() => this.board.undo());
  }

  redo() {
    this.#step(() => this.board.redo());
  }

  clear() {
    this.#step(() => {
      this.board.mark();
      this.board.clear();
    });
  }

  #step(run) {
    if (this.hand.busy) return;
    run();
    this.changed(true);
  }

  pick() {
    this.picture.choose();
  }

  /**
   * Shows what changed and reports it: at once when a stroke ended, else once in a while.
   *
   * @param {boolean} ended
   */
  changed(ended) {
    this.sheet.invalidate();
    this.hint.hidden = true;
    if (ended) {
      clearTimeout(this.later);
      this.later = null;
      this.#report();
    } else {
      this.later ??= setTimeout(() => {
        this.later = null;
        this.#report();
      }, PAUSE);
    }
  }

  /** Packs the painting and tells it; one at a time, so that the last word is the last stroke's. */
  #report() {
    const cells = this.board.cells();
    this.work = this.work.then(async () => {
      const before = this.text;
      this.text = await encodeInk(cells);
      this.#refresh();
      if (this.text === before) return;
      this.told.set(this.text, performance.now());
      this.options.onInput?.(this.text);
    });
  }

  /**
   * Shows another painting; the viewer can take it back. An echo of what was just painted is not
   * another painting, and a stroke in the viewer's hand goes before any.
   */
  setValue(ink) {
    this.work = this.work.then(async () => {
      if (ink === this.text || this.#isEcho(ink) || this.hand.busy) return;
      try {
        const cells = await decodeInk(ink);
        if (this.used) this.board.mark();
        this.board.load(cells);
        this.text = await encodeInk(cells);
        this.#refresh();
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        this.complain(say(this.ctx, 'wrongInk'));
      }
    });
    return this.work.then(() => (this.used = true));
  }

  #isEcho(ink) {
    return performance.now() - (this.told.get(ink) ?? -Infinity) < ECHO;
  }

  /** Says that the server reads a picture, or that it has. */
  busy(reading) {
    this.element.classList.toggle('vt-painter-busy', reading);
    if (reading) this.speak(say(this.ctx, 'reading'));
  }

  /** Shows a complaint for a while. */
  complain(text) {
    this.options.onError?.(text);
    this.notice.textContent = text;
    this.notice.hidden = false;
    clearTimeout(this.calm);
    this.calm = setTimeout(() => (this.notice.hidden = true), COMPLAINT);
  }

  /** Tells those who listen instead of looking. */
  speak(text) {
    this.voice.textContent = text;
  }

  describe() {
    const cells = this.board.cells();
    const inked = cells.reduce((count, tone) => count + (tone > 0), 0);
    return say(this.ctx, 'inked', { share: Math.round((100 * inked) / cells.length) });
  }

  #refresh() {
    this.hint.hidden = !this.blank;
    this.toolbar.update();
    this.sheet.invalidate();
    this.sheet.canvas.setAttribute('aria-label', `${say(this.ctx, 'sheet')}: ${this.describe()}`);
  }

  relabel() {
    const { canvas } = this.sheet;
    canvas.setAttribute('aria-roledescription', say(this.ctx, 'role'));
    canvas.setAttribute('aria-description', say(this.ctx, 'keys'));
    this.hint.textContent = say(this.ctx, this.picture ? 'hintPicture' : 'hint');
    this.notice.hidden = true;
    this.paper.dataset.drop = say(this.ctx, 'drop');
    this.toolbar.relabel();
    this.#refresh();
  }

  /** The letters work anywhere in the painter, the arrows on its sheet (painter-hand.js). */
  #key(event) {
    if (event.altKey || event.isComposing) return;
    const letter = event.key.toLowerCase();
    const commands = { z: () => (event.shiftKey ? this.redo() : this.undo()), y: () => this.redo() };
    const keys = {
      b: () => this.choose('brush'), e: () => this.choose('eraser'), m: () => this.reflect(),
      1: () => this.widen(0), 2: () => this.widen(1), 3: () => this.widen(2),
    };
    const action = (event.ctrlKey || event.metaKey ? commands : keys)[letter];
    if (!action) return;
    event.preventDefault();
    action();
  }

  destroy() {
    clearTimeout(this.later);
    clearTimeout(this.calm);
    this.options = {};
    this.sheet.destroy();
    this.element.remove();
  }
}

