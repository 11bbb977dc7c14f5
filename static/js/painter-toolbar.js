/**
 * The painter's toolbar: one declaration of buttons, one stop of the Tab key, arrows within.
 */

import { make } from './dom.js';
import { icon } from './icons.js';
import { STAMPS, stampIcon } from './painter-stamps.js';
import { say } from './painter-words.js';

/** Diameter of the dots that stand for the widths, in CSS pixels. */
const DOTS = [5, 9, 14];

const BUTTONS = [
  { name: 'brush', icon: 'brush', press: (painter) => painter.choose('brush'), on: ({ tool }) => tool === 'brush' },
  { name: 'eraser', icon: 'eraser', press: (painter) => painter.choose('eraser'), on: ({ tool }) => tool === 'eraser' },
  { name: 'stamps', shapes: true },
  { gap: true },
  ...DOTS.map((_, size) => ({
    name: `size${size}`, dot: size, wide: true,
    press: (painter) => painter.widen(size), on: (painter) => painter.size === size,
  })),
  { name: 'sizes', dot: 'now', narrow: true, press: (painter) => painter.widen((painter.size + 1) % DOTS.length) },
  { name: 'mirror', icon: 'mirror', press: (painter) => painter.reflect(), on: ({ board }) => board.mirror },
  { gap: true },
  { name: 'undo', icon: 'undo', press: (painter) => painter.undo(), off: ({ board }) => !board.undoable },
  { name: 'redo', icon: 'redo', press: (painter) => painter.redo(), off: ({ board }) => !board.redoable },
  { name: 'clear', icon: 'trash', press: (painter) => painter.clear(), off: (painter) => painter.blank },
  { name: 'picture', icon: 'upload', picture: true, press: (painter) => painter.pick() },
];

export class Toolbar {
  /**
   * @param {object} painter what the buttons drive: choose, widen, reflect, undo, redo, clear, pick,
   *   and the state {tool, size, blank, board} that they show
   * @param {object} ctx the stage's context
   * @param {boolean} pictures whether a picture can be used
   */
  constructor(painter, ctx, pictures) {
    Object.assign(this, { painter, ctx, items: [] });
    this.element = make('div', { class: 'vt-painter-tools', role: 'toolbar' });
    for (const button of BUTTONS) {
      if (button.gap) this.element.append(make('i', { class: 'vt-painter-gap' }));
      else if (!button.picture || pictures) this.#add(button);
    }
    this.#makeShapes();
    this.element.addEventListener('keydown', (event) => this.#key(event));
    this.element.addEventListener('focusin', ({ target }) => this.#rove(target));
    this.relabel();
    this.#rove(this.items[0].element);
  }

  #add(button) {
    const { wide, narrow, shapes } = button;
    const width = wide ? ' vt-painter-wide' : narrow ? ' vt-painter-narrow' : '';
    const element = make('button', { type: 'button', class: `vt-painter-button${width}`, 'data-tool': button.name });
    if (button.icon) element.append(icon(button.icon));
    if (shapes) element.setAttribute('aria-haspopup', 'true');
    element.addEventListener('click', () => (shapes ? this.#open(this.shapes.hidden) : button.press(this.painter)));
    this.items.push({ ...button, element });
    this.element.append(element);
  }

  /** The shapes wait in a row of their own above their button. */
  #makeShapes() {
    this.opener = this.items.find(({ shapes }) => shapes).element;
    this.shapes = make('div', { class: 'vt-painter-shapes', role: 'group', hidden: true });
    for (const name of Object.keys(STAMPS)) {
      const element = make('button', { type: 'button', class: 'vt-painter-button', 'data-tool': name }, [stampIcon(name)]);
      element.addEventListener('click', () => {
        this.painter.choose(name);
        this.#open(false);
        this.opener.focus();
      });
      this.items.push({ name, element, on: ({ tool }) => tool === name });
      this.shapes.append(element);
    }
    this.element.append(this.shapes);
  }

  #open(open) {
    this.shapes.hidden = !open;
    this.opener.setAttribute('aria-expanded', String(open));
    if (!open) return;
    this.shapes.style.left = `${this.opener.offsetLeft + this.opener.offsetWidth / 2}px`;
    this.shapes.querySelector('[aria-pressed="true"], button').focus();
  }

  /** Closes the row of shapes: somebody means something else. */
  close() {
    if (!this.shapes.hidden) this.#open(false);
  }

  /** Shows the painter's state. */
  update() {
    const { painter } = this;
    for (const { element, on, off, dot } of this.items) {
      if (on) element.setAttribute('aria-pressed', String(on(painter)));
      if (off) element.disabled = off(painter);
      if (dot !== undefined) element.style.setProperty('--dot', `${DOTS[dot === 'now' ? painter.size : dot]}px`);
    }
    const shape = STAMPS[painter.tool] ? painter.tool : null;
    this.opener.replaceChildren(shape ? stampIcon(shape) : icon('star'));
    this.opener.setAttribute('aria-pressed', String(shape !== null));
    const focused = this.items.find(({ element }) => element.tabIndex === 0);
    if (focused?.element.disabled) this.#rove(this.items[0].element);
  }

  /** Follows the language. */
  relabel() {
    this.element.setAttribute('aria-label', say(this.ctx, 'tools'));
    this.shapes.setAttribute('aria-label', say(this.ctx, 'stamps'));
    for (const { name, element } of this.items) {
      element.title = say(this.ctx, name);
      element.setAttribute('aria-label', element.title);
    }
    this.opener.setAttribute('aria-expanded', String(!this.shapes.hidden));
  }

  #rove(target) {
    for (const { element } of this.items) element.tabIndex = element === target ? 0 : -1;
  }

  #key(event) {
    if (event.key === 'Escape' && !this.shapes.hidden) {
      event.stopPropagation();
      this.#open(false);
      this.opener.focus();
      return;
    }
    const inside = this.shapes.contains(event.target);
    const reachable = this.items
      .map(({ element }) => element)
      .filter((element) => !element.disabled && element.offsetParent && this.shapes.contains(element) === inside);
    const at = reachable.indexOf(event.target);
    const moves = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: -1 };
    if (at < 0 || !Object.hasOwn(moves, event.key)) return;
    event.preventDefault();
    reachable.at(moves[event.key] % reachable.length).focus();
  }
}
