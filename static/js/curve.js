/**
 * A curve drawn by hand: K values at even places, set in one sweep of the pointer or one by one
 * with the keyboard.
 */

import { make, number } from './dom.js';

const SVG = 'http://www.w3.org/2000/svg';

/** Room around the curve, in CSS pixels; half a handle must fit above, below and beside it. */
const INSET = { left: 34, right: 14, top: 12, bottom: 12 };

/** Between two reports of a sweep in progress, in milliseconds. */
const PAUSE = 120;

const WORDS = {
  point: { en: 'point {i} of {count}', zh: '第 {i} 点，共 {count} 点' },
  keys: {
    en: 'Up and down change the value, left and right go to the next point.',
    zh: '上下键改变数值，左右键移到相邻的点。',
  },
};

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

/**
 * Mounts a curve.
 *
 * @param {HTMLElement} host receives it
 * @param {object} ctx the stage's context
 * @param {object} options
 *   points: how many values (16).
 *   min, max: the range of each.
 *   value: the values to start with; the middle of the range where it is missing.
 *   label, xLabel, yLabel: {en, zh}; what the curve is, and what its axes are.
 *   onInput(values): during a sweep, at most every 120 ms.
 *   onChange(values): after a sweep or a key.
 * @returns {{element: Element, value: () => number[], setValue: (values: number[]) => void,
 *   relabel: () => void, destroy: () => void}}
 */
export function mountCurve(host, ctx, options) {
  const curve = new Curve(ctx, options);
  host.append(curve.element);
  return {
    element: curve.element,
    value: () => [...curve.values],
    setValue: (values) => curve.setValue(values),
    relabel: () => curve.relabel(),
    destroy: () => curve.destroy(),
  };
}

class Curve {
  constructor(ctx, { points = 16, min = 0, max = 1, value, ...options }) {
    Object.assign(this, { ctx, options, min, max, width: 300, height: 132, last: null });
    this.values = value ? [...value] : Array(points).fill((min + max) / 2);
    this.#build();
    this.#listen();
    this.resized = new ResizeObserver(() => this.#resize());
    this.resized.observe(this.svg);
    this.relabel();
  }

  #build() {
    this.name = make('span');
    this.told = make('output');
    this.xAxis = make('span');
    this.yAxis = make('span');
    this.svg = shape('svg', { role: 'group' });
    this.grid = shape('path', { class: 'vt-curve-grid' });
    this.area = shape('path', { class: 'vt-curve-area' });
    this.line = shape('path', { class: 'vt-curve-line' });
    this.marks = [this.max, this.min].map((value) => {
      const mark = shape('text', { x: INSET.left - 8, 'text-anchor': 'end', 'aria-hidden': 'true' });
      mark.textContent = number(value);
      return mark;
    });
    this.handles = this.values.map((_, i) => this.#handle(i));
    this.svg.append(this.grid, this.area, this.line, ...this.marks, ...this.handles);
    this.element = make('div', { class: 'vt-curve' }, [
      make('div', { class: 'vt-curve-head' }, [this.name, this.told]),
      this.svg,
      make('div', { class: 'vt-curve-axis' }, [this.yAxis, this.xAxis]),
    ]);
  }

  #handle(i) {
    const looks = { class: 'vt-curve-handle', role: 'slider', 'aria-orientation': 'vertical' };
    const handle = shape('g', { ...looks, tabindex: i ? -1 : 0 });
    const circles = { 'vt-curve-target': 12, 'vt-curve-ring': 8, 'vt-curve-point': 3.5 };
    handle.append(...Object.entries(circles).map(([name, r]) => shape('circle', { class: name, r })));
    handle.addEventListener('keydown', (event) => this.#key(event, i));
    handle.addEventListener('focus', () => this.#attend(i));
    return handle;
  }

  #listen() {
    const { svg } = this;
    svg.addEventListener('pointerdown', (event) => {
      if (event.button !== 0) return;
      svg.setPointerCapture(event.pointerId);
      event.preventDefault();
      this.pointer = event.pointerId;
      this.last = null;
      this.#sweep(event);
      this.handles[this.last.i].focus({ preventScroll: true, focusVisible: false });
    });
    svg.addEventListener('pointermove', (event) => event.pointerId === this.pointer && this.#sweep(event));
    for (const end of ['pointerup', 'pointercancel']) svg.addEventListener(end, (event) => this.#settle(event));
  }

  /** Sets the point under the pointer and those it passed since the last event. */
  #sweep(event) {
    const { left, top } = this.svg.getBoundingClientRect();
    const i = clamp(Math.round(this.#share(event.clientX - left)), 0, this.values.length - 1);
    const inner = this.height - INSET.top - INSET.bottom;
    const share = 1 - (event.clientY - top - INSET.top) / inner;
    const value = clamp(this.min + share * (this.max - this.min), this.min, this.max);
    const from = this.last ?? { i, value };
    const steps = Math.abs(i - from.i);
    for (let step = 0; step <= steps; step++) {
      const t = steps ? step / steps : 1;
      this.values[from.i + Math.round(t * (i - from.i))] = from.value + t * (value - from.value);
    }
    this.last = { i, value };
    this.#attend(i);
    this.#draw();
    this.later ??= setTimeout(() => {
      this.later = null;
      this.options.onInput?.([...this.values]);
    }, PAUSE);
  }

  #settle(event) {
    if (event.pointerId !== this.pointer) return;
    this.pointer = null;
    this.#tell();
  }

  #tell() {
    clearTimeout(this.later);
    this.later = null;
    this.options.onChange?.([...this.values]);
  }

  #key(event, i) {
    const step = (this.max - this.min) / 50;
    const by = { ArrowUp: step, ArrowDown: -step, PageUp: 5 * step, PageDown: -5 * step };
    const to = { ArrowLeft: i - 1, ArrowRight: i + 1 };
    const ends = { Home: this.min, End: this.max };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in to) this.handles[clamp(to[event.key], 0, this.values.length - 1)].focus();
    else if (event.key in by) this.#set(i, this.values[i] + by[event.key] * (event.shiftKey ? 5 : 1));
    else if (event.key in ends) this.#set(i, ends[event.key]);
    else return;
    event.preventDefault();
  }

  #set(i, value) {
    this.values[i] = clamp(value, this.min, this.max);
    this.#attend(i);
    this.#draw();
    this.#tell();
  }

  /** Shows the number of a point and makes it the one that Tab reaches. */
  #attend(i) {
    this.attended = i;
    this.handles.forEach((handle, at) => handle.setAttribute('tabindex', at === i ? 0 : -1));
    this.told.textContent = number(this.values[i]);
  }

  setValue(values) {
    if (this.pointer != null) return;
    this.values = this.values.map((_, i) => clamp(values[i], this.min, this.max));
    if (this.attended !== undefined) this.#attend(this.attended);
    this.#draw();
  }

  /** The place of a CSS pixel along the curve, counted in points. */
  #share(x) {
    const inner = this.width - INSET.left - INSET.right;
    return ((x - INSET.left) / inner) * (this.values.length - 1);
  }

  #place(i) {
    const inner = { x: this.width - INSET.left - INSET.right, y: this.height - INSET.top - INSET.bottom };
    const share = (this.values[i] - this.min) / (this.max - this.min);
    return [INSET.left + (inner.x * i) / Math.max(1, this.values.length - 1), INSET.top + inner.y * (1 - share)];
  }

  #resize() {
    this.width = this.svg.clientWidth || this.width;
    this.height = this.svg.clientHeight || this.height;
    this.svg.setAttribute('viewBox', `0 0 ${this.width} ${this.height}`);
    const [left, right] = [INSET.left, this.width - INSET.right];
    const rows = [0, 0.5, 1].map((share) => INSET.top + share * (this.height - INSET.top - INSET.bottom));
    this.grid.setAttribute('d', rows.map((y) => `M${left} ${y}H${right}`).join(''));
    [rows[0], rows[2]].forEach((y, i) => this.marks[i].setAttribute('y', y + 4));
    this.#draw();
  }

  #draw() {
    const places = this.values.map((_, i) => this.#place(i));
    const path = `M${places.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join('L')}`;
    const floor = this.height - INSET.bottom;
    this.line.setAttribute('d', path);
    this.area.setAttribute('d', `${path}V${floor}H${places[0][0]}Z`);
    this.handles.forEach((handle, i) => {
      handle.setAttribute('transform', `translate(${places[i].map((value) => value.toFixed(1)).join(' ')})`);
      handle.setAttribute('aria-valuenow', Number(this.values[i].toPrecision(4)));
      handle.setAttribute('aria-valuetext', number(this.values[i]));
    });
  }

  /** Follows the language. */
  relabel() {
    const { ctx, options } = this;
    this.name.textContent = ctx.t(options.label);
    this.xAxis.textContent = ctx.t(options.xLabel);
    this.yAxis.textContent = ctx.t(options.yLabel);
    this.svg.setAttribute('aria-label', ctx.t(options.label));
    this.handles.forEach((handle, i) => {
      const place = ctx.t(WORDS.point).replace('{i}', i + 1).replace('{count}', this.values.length);
      handle.setAttribute('aria-label', `${ctx.t(options.label)}, ${place}`);
      handle.setAttribute('aria-description', ctx.t(WORDS.keys));
      handle.setAttribute('aria-valuemin', this.min);
      handle.setAttribute('aria-valuemax', this.max);
    });
    this.#resize();
  }

  destroy() {
    clearTimeout(this.later);
    this.resized.disconnect();
    this.element.remove();
  }
}

function shape(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}
