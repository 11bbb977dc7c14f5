/**
 * What a viewer does to a particles view: hovering, picking a point, dragging handles.
 */

import { make } from './dom.js';
import { rowAt } from './particles-keyframes.js';
import { coordinate, nearest, readout } from './particles-text.js';

/** How near a particle must be to be the one meant, in CSS pixels. */
const REACH = 14;

const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

const WORDS = {
  pin: { en: 'Chosen point', zh: '所选点' },
  role: { en: 'movable point', zh: '可移动的点' },
};

/**
 * Hovering: tells the linked views where the pointer is and shows the numbers there. A finger has
 * no hover; a tap shows the readout until the next tap.
 */
export class Hover {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {object} player has view, camera, share and ctx
   * @param {AbortSignal} signal ends the listening
   */
  constructor(canvas, player, signal) {
    Object.assign(this, { player, tip: make('div', { class: 'vt-tip', hidden: true, 'aria-hidden': 'true' }) });
    canvas.after(this.tip);
    const over = (event) => this.point(event);
    canvas.addEventListener('pointermove', (event) => event.pointerType !== 'touch' && over(event), { signal });
    canvas.addEventListener('pointerleave', (event) => event.pointerType !== 'touch' && this.leave(), { signal });
    canvas.addEventListener('click', over, { signal });
    player.ctx.shared.addEventListener('hover', () => player.ctx.invalidate(), { signal });
  }

  point({ offsetX, offsetY }) {
    const { view, camera, share } = this.player;
    if (!view || !camera) return;
    const { x, y } = camera.at(offsetX, offsetY);
    const cloud = view.layers.find(({ type }) => type === 'points');
    const reach = (REACH * camera.ratio) / camera.scale;
    const index = cloud ? nearest(rowAt(cloud.positions, share), { x, y }, reach) : null;
    this.share({ view: view.id, x, y, index });
  }

  leave() {
    if (this.player.ctx.shared.hover?.view === this.player.view?.id) this.share(null);
  }

  share(hover) {
    const { shared } = this.player.ctx;
    shared.hover = hover;
    shared.dispatchEvent(new Event('hover'));
  }

  /** Shows the numbers of the shared point in a corner, where they cover nothing. */
  draw() {
    const { view, share, ctx } = this.player;
    const { hover } = ctx.shared;
    this.tip.hidden = !hover;
    if (!hover) return;
    const lines = readout(view, share, hover, ctx, this.player.unitAt(share));
    this.tip.replaceChildren(...lines.flatMap(([name, value]) => [make('span', { text: name }), make('b', { text: value })]));
  }
}

/**
 * The points that can be moved: the dots of handle layers, and the pin of a view that can be
 * picked. Each has a button over its drawing, for fingers, keyboards and screen readers.
 */
export class Handles {
  /**
   * @param {Element} host
   * @param {object} player has view, camera and ctx
   */
  constructor(host, player) {
    Object.assign(this, { player, grips: [], element: make('div', { class: 'vt-handles' }) });
    host.append(this.element);
  }

  /** The index of the handle now held in a layer, or null. */
  held(layer) {
    return this.grips.find((grip) => grip.layer === layer && grip.moved)?.index ?? null;
  }

  /** Makes as many buttons as the view has points to move. */
  update() {
    const { view } = this.player;
    const wanted = view.layers
      .filter(({ type }) => type === 'handles')
      .flatMap(({ id, positions }) => positions.map((_, index) => ({ layer: id, index })));
    if (view.pick) wanted.push({ layer: null, index: 0 });
    const before = this.grips;
    const known = ({ layer, index }) => before.find((grip) => grip.layer === layer && grip.index === index);
    this.grips = wanted.map((place) => known(place) ?? new Grip(this, place.layer, place.index));
    before.filter((grip) => !this.grips.includes(grip)).forEach((grip) => grip.element.remove());
    this.element.append(...this.grips.filter((grip) => !before.includes(grip)).map(({ element }) => element));
  }

  draw() {
    this.grips.forEach((grip) => grip.draw());
  }
}

/** One movable point. */
class Grip {
  constructor(handles, layer, index) {
    Object.assign(this, { player: handles.player, layer, index, moved: false, request: 0, offset: null });
    this.element = make('button', { type: 'button', class: 'vt-grip' });
    const on = (name, run) => this.element.addEventListener(name, run);
    on('pointerdown', (event) => this.press(event));
    on('pointermove', (event) => this.drag(event));
    for (const end of ['pointerup', 'pointercancel', 'blur']) on(end, () => this.release());
    on('keydown', (event) => this.key(event));
    on('keyup', (event) => event.key in STEPS && this.release());
  }

  get unit() {
    return this.player.unitAt(this.player.share);
  }

  /** Its place in stage units; a pin that is not set yet waits in the middle. */
  get place() {
    const { view, camera } = this.player;
    if (this.layer === null) return view.pin?.map((value) => value / this.unit) ?? camera.middle;
    return view.layers.find(({ id }) => id === this.layer).positions[this.index];
  }

  set place([x, y]) {
    const { view } = this.player;
    if (this.layer === null) view.pin = [x * this.unit, y * this.unit];
    else view.layers.find(({ id }) => id === this.layer).positions[this.index] = [x, y];
  }

  draw() {
    const { view, camera, ctx } = this.player;
    const [x, y] = this.place;
    this.element.style.transform = `translate(${camera.x(x) / camera.ratio}px, ${camera.y(y) / camera.ratio}px)`;
    this.element.classList.toggle('vt-unset', this.layer === null && !view.pin);
    const layer = view.layers.find(({ id }) => id === this.layer);
    const name = layer ? ctx.t(layer.label) : WORDS.pin[ctx.locale()];
    const number = layer && layer.positions.length > 1 ? ` ${this.index + 1}` : '';
    const label = `${name}${number}: x ${coordinate(x)}, y ${coordinate(y)}`;
    if (this.element.getAttribute('aria-label') === label) return;
    this.element.setAttribute('aria-label', label);
    this.element.setAttribute('aria-roledescription', WORDS.role[ctx.locale()]);
  }

  press(event) {
    if (event.button !== 0) return;
    this.element.setPointerCapture(event.pointerId);
    const pointer = this.under(event);
    const [x, y] = this.place;
    this.offset = [x - pointer.x, y - pointer.y];
  }

  drag(event) {
    if (!this.offset) return;
    const { x, y } = this.under(event);
    this.move(x + this.offset[0], y + this.offset[1]);
  }

  under({ clientX, clientY }) {
    const { left, top } = this.player.canvas.getBoundingClientRect();
    return this.player.camera.at(clientX - left, clientY - top);
  }

  /** Arrows move by a hundredth of the extent, with Shift by a tenth; Enter picks the pin. */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { camera } = this.player;
    const step = STEPS[event.key];
    const picks = this.layer === null && ['Enter', ' '].includes(event.key);
    if (!step && !picks) return;
    event.preventDefault();
    const share = event.shiftKey ? 0.1 : 0.01;
    const [x, y] = this.place;
    const [dx, dy] = step ?? [0, 0];
    this.move(x + dx * share * (camera.right - camera.left), y + dy * share * (camera.top - camera.bottom));
    if (picks) this.release();
  }

  /** Goes there at once, and tells the stage at most once per frame. */
  move(x, y) {
    const { camera, ctx } = this.player;
    const place = camera.clamp({ x, y });
    this.place = [place.x, place.y];
    this.moved = true;
    ctx.invalidate();
    if (this.layer === null) return;
    this.request ||= requestAnimationFrame(() => {
      this.request = 0;
      this.tell('move');
    });
  }

  release() {
    this.offset = null;
    if (!this.moved) return;
    cancelAnimationFrame(this.request);
    this.request = 0;
    this.moved = false;
    this.tell('end');
  }

  tell(phase) {
    const { view, ctx } = this.player;
    const [x, y] = this.place;
    if (this.layer === null) ctx.emit('pick', { view: view.id, x: x * this.unit, y: y * this.unit });
    else ctx.emit('drag', { view: view.id, layer: this.layer, index: this.index, x, y, phase });
  }
}
