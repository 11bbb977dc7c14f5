/**
 * The transport: one clock for everything on a stage, the bar that drives it, and its keys.
 *
 * Positions count frames, 0 to frames - 1, and run between them while playing.
 */

import { make, number } from './dom.js';
import { icon } from './icons.js';

/** The speeds that faster() and slower() go through. */
export const SPEEDS = Object.freeze([0.25, 0.5, 1, 2, 4]);

const MODES = ['loop', 'bounce', 'once'];

/** How long a picture at an end stays before the motion goes on, in milliseconds. */
const HOLD = 700;

/** The longest step of the clock: a tab that slept goes on where it was. In milliseconds. */
const LONGEST = 100;

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

/**
 * A clock over frames. It has no loop of its own: the stage calls tick().
 *
 * Events: "position" with detail {position} whenever it moves, "state" with detail {playing, speed,
 * mode, frames, reducedMotion} whenever one of those changes.
 */
export class Transport extends EventTarget {
  #last = null;
  #held = 0;
  #direction = 1;
  #seen = 0;

  /**
   * @param {{frames?: number, seconds?: number, loop?: "loop"|"bounce"|"once", reducedMotion?:
   *   boolean}} options frames and the seconds they take at speed 1; whether the viewer asked for
   *   less motion, in which case nothing plays by itself
   */
  constructor({ frames = 1, seconds = 6, loop = 'loop', reducedMotion = false } = {}) {
    super();
    Object.assign(this, { frames, seconds, mode: loop, reducedMotion });
    Object.assign(this, { position: 0, playing: false, speed: 1 });
  }

  /** The frame nearest to the position. */
  get frame() {
    return Math.round(this.position);
  }

  /** The last position. */
  get last() {
    return Math.max(0, this.frames - 1);
  }

  /** Takes a new trajectory; `keepPosition` keeps the share of it already shown. */
  configure({ frames = this.frames, seconds = this.seconds, loop = this.mode, keepPosition = false }) {
    const share = this.last ? this.position / this.last : 0;
    Object.assign(this, { frames, seconds, mode: loop });
    if (!keepPosition) [this.#direction, this.#held] = [1, 0];
    this.#seen = NaN;
    this.#move(keepPosition ? share * this.last : 0);
    this.#tell();
  }

  /** Plays on, from the start when the end has been reached. */
  play() {
    if (this.playing || this.last === 0) return;
    if (this.position >= this.last && this.mode !== 'bounce') this.#move(0);
    [this.#last, this.#held, this.playing] = [null, 0, true];
    this.#tell();
  }

  /** Plays unless the viewer asked for reduced motion; returns whether it plays. */
  autoplay() {
    if (!this.reducedMotion) this.play();
    return this.playing;
  }

  /** Stops where it is. */
  pause() {
    if (!this.playing) return;
    this.playing = false;
    this.#tell();
  }

  /** Plays or pauses. */
  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  /** Goes to the next whole frame (+1) or the one before (-1) and stops there. */
  step(by) {
    this.pause();
    const start = by > 0 ? Math.floor(this.position + 1e-6) : Math.ceil(this.position - 1e-6);
    this.#move(start + by);
  }

  /** Goes to a position, which may lie between frames. */
  seek(position) {
    this.#held = 0;
    this.#move(position);
  }

  /** Goes to the first frame. */
  home() {
    this.seek(0);
  }

  /** Goes to the last frame. */
  end() {
    this.seek(this.last);
  }

  /** One speed up. */
  faster() {
    this.setSpeed(SPEEDS.find((speed) => speed > this.speed) ?? SPEEDS.at(-1));
  }

  /** One speed down. */
  slower() {
    this.setSpeed(SPEEDS.findLast((speed) => speed < this.speed) ?? SPEEDS[0]);
  }

  /** Sets the speed, 0.25 to 4. */
  setSpeed(speed) {
    this.speed = clamp(speed, SPEEDS[0], SPEEDS.at(-1));
    this.#tell();
  }

  /** Sets what happens at the end: "loop", "bounce" or "once". */
  setMode(mode) {
    if (!MODES.includes(mode)) throw new RangeError(`mode must be one of ${MODES.join(', ')}, got ${mode}.`);
    [this.mode, this.#direction] = [mode, 1];
    this.#tell();
  }

  /** Takes the next mode. */
  cycleMode() {
    this.setMode(MODES[(MODES.indexOf(this.mode) + 1) % MODES.length]);
  }

  /**
   * Moves the clock.
   *
   * @param {number} now milliseconds, as requestAnimationFrame gives them
   * @returns {boolean} whether the position differs from the one at the last tick
   */
  tick(now) {
    if (this.playing) {
      const passed = this.#last === null ? 0 : clamp(now - this.#last, 0, LONGEST);
      this.#last = now;
      this.#advance(passed);
    }
    const moved = this.position !== this.#seen;
    this.#seen = this.position;
    return moved;
  }

  #advance(passed) {
    if (this.#held > 0) {
      this.#held -= passed;
      if (this.#held <= 0 && this.mode === 'loop') this.#move(0);
      return;
    }
    const rate = (this.speed * this.last) / (1000 * this.seconds);
    const target = this.position + this.#direction * passed * rate;
    this.#move(target);
    if (this.#direction > 0 ? target >= this.last : target <= 0) this.#arrive();
  }

  #arrive() {
    if (this.mode === 'once') this.pause();
    else this.#held = HOLD;
    if (this.mode === 'bounce') this.#direction *= -1;
  }

  #move(position) {
    const next = clamp(position, 0, this.last);
    if (next === this.position) return;
    this.position = next;
    this.dispatchEvent(new CustomEvent('position', { detail: { position: next } }));
  }

  #tell() {
    const { playing, speed, mode, frames, reducedMotion } = this;
    this.dispatchEvent(new CustomEvent('state', { detail: { playing, speed, mode, frames, reducedMotion } }));
  }
}

const WORDS = {
  bar: { en: 'Playback', zh: '播放控制' },
  first: { en: 'First frame (Home)', zh: '第一帧（Home）' },
  back: { en: 'Step back (←)', zh: '后退一帧（←）' },
  forward: { en: 'Step forward (→)', zh: '前进一帧（→）' },
  play: { en: 'Play (Space)', zh: '播放（空格）' },
  pause: { en: 'Pause (Space)', zh: '暂停（空格）' },
  scrub: { en: 'Position', zh: '位置' },
  speed: { en: 'Speed ([ slower, ] faster)', zh: '速度（[ 减慢，] 加快）' },
  loop: { en: 'At the end: start again', zh: '结束后：从头再来' },
  bounce: { en: 'At the end: play backwards', zh: '结束后：倒着播放' },
  once: { en: 'At the end: stop', zh: '结束后：停止' },
};

/**
 * Builds the bar that drives a transport.
 *
 * @param {Element} host receives the bar
 * @param {Transport} transport the clock
 * @param {{locale: () => 'en'|'zh'}} ctx the viewer's language
 * @returns {{element: Element, slot: Element, update: (scene: object) => void, relabel: () => void,
 *   destroy: () => void}} `slot` takes further buttons at the right end; `update` takes {frames,
 *   seconds, loop, ticks, track, keepPosition} of a scene; `relabel` follows the language
 */
export function mountTransport(host, transport, ctx) {
  const bar = new Bar(transport, ctx);
  host.append(bar.element);
  const { element, slot } = bar;
  return {
    element,
    slot,
    update: (scene) => bar.update(scene),
    relabel: () => bar.relabel(),
    destroy: () => bar.destroy(),
  };
}

class Bar {
  constructor(transport, ctx) {
    Object.assign(this, { transport, ctx, ticks: null });
    this.listening = new AbortController();
    const click = (run) => ({ click: run });
    const button = (run, name) =>
      make('button', { type: 'button', class: 'vt-button', on: click(run) }, name ? [icon(name)] : []);
    this.buttons = {
      first: button(() => transport.home(), 'first'),
      back: button(() => transport.step(-1), 'stepBack'),
      play: make('button', { type: 'button', class: 'vt-play', on: click(() => transport.toggle()) }),
      forward: button(() => transport.step(1), 'stepForward'),
      speed: button((event) => this.cycleSpeed(event.shiftKey ? -1 : 1)),
      mode: button(() => transport.cycleMode()),
    };
    this.buttons.speed.classList.add('vt-speed');
    this.scrubber = new Scrubber(transport, (position) => this.tick(position));
    this.label = make('span', { class: 'vt-tick' });
    this.slot = make('div', { class: 'vt-slot' });
    const { first, back, play, forward, speed, mode } = this.buttons;
    const line = make('div', { class: 'vt-timeline' }, [this.scrubber.element, this.label]);
    const row = [first, back, play, forward, line, speed, mode, this.slot];
    this.element = make('div', { class: 'vt-transport', role: 'group' }, [
      make('div', { class: 'vt-transport-row' }, row),
    ]);
    const { signal } = this.listening;
    transport.addEventListener('position', () => this.move(), { signal });
    transport.addEventListener('state', () => this.relabel(), { signal });
    this.relabel();
  }

  cycleSpeed(by) {
    const at = SPEEDS.indexOf(this.transport.speed);
    this.transport.setSpeed(SPEEDS.at((at + by) % SPEEDS.length));
  }

  update({ frames, seconds, loop, ticks = null, track = null, keepPosition = false }) {
    this.ticks = ticks;
    this.transport.configure({ frames, seconds, loop, keepPosition });
    this.scrubber.draw(track);
    const widest = Math.max(...Array.from({ length: frames }, (_, frame) => this.tick(frame).length));
    this.label.style.minWidth = `${widest}ch`;
    this.relabel();
  }

  /** What a position is called: the scene's tick, or the frame's number. */
  tick(position) {
    if (!this.ticks) return `${Math.round(position) + 1} / ${this.transport.frames}`;
    const { symbol, values } = this.ticks;
    return `${symbol} = ${fixed(between(values, position), values)}`;
  }

  relabel() {
    const { playing, mode, speed, last } = this.transport;
    const language = this.ctx.locale();
    const name = (element, key, icons) => {
      element.title = WORDS[key][language];
      element.setAttribute('aria-label', element.title);
      if (icons) element.replaceChildren(icon(icons));
    };
    const { first, back, play, forward } = this.buttons;
    name(first, 'first');
    name(back, 'back');
    name(forward, 'forward');
    name(play, playing ? 'pause' : 'play', playing ? 'pause' : 'play');
    name(this.buttons.mode, mode, mode);
    name(this.buttons.speed, 'speed');
    this.buttons.speed.textContent = `${speed}×`;
    this.buttons.speed.setAttribute('aria-label', `${this.buttons.speed.title}: ${speed}×`);
    for (const button of Object.values(this.buttons)) button.disabled = last === 0;
    this.element.setAttribute('aria-label', WORDS.bar[language]);
    this.scrubber.element.setAttribute('aria-label', WORDS.scrub[language]);
    this.move();
  }

  move() {
    this.label.textContent = this.tick(this.transport.position);
    this.scrubber.move();
  }

  destroy() {
    this.listening.abort();
    this.element.remove();
  }
}

/** The slider of positions, with the track as an area above its line. */
class Scrubber {
  constructor(transport, label) {
    Object.assign(this, { transport, label, resumes: false });
    this.area = document.createElementNS('http://www.w3.org/2000/svg', 'path');
    const picture = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
    picture.setAttribute('viewBox', '0 0 1 1');
    picture.setAttribute('preserveAspectRatio', 'none');
    picture.setAttribute('aria-hidden', 'true');
    picture.append(this.area);
    this.bubble = make('span', { class: 'vt-bubble', hidden: true });
    this.travel = make('div', { class: 'vt-travel' }, [
      picture, make('i', { class: 'vt-rail-line' }), make('i', { class: 'vt-thumb' }), this.bubble,
    ]);
    this.element = make('div', { class: 'vt-scrub', role: 'slider', tabindex: '0' }, [this.travel]);
    this.element.addEventListener('keydown', (event) => this.key(event));
    this.element.addEventListener('pointerdown', (event) => this.press(event));
    this.element.addEventListener('pointermove', (event) => this.hover(event));
    this.element.addEventListener('pointerleave', () => (this.bubble.hidden = true));
    for (const end of ['pointerup', 'pointercancel']) this.element.addEventListener(end, () => this.release());
  }

  draw(track) {
    const points = (track ?? []).map((value, i) => `L${i / Math.max(1, track.length - 1)} ${1 - clamp(value, 0, 1)}`);
    this.area.setAttribute('d', points.length ? `M0 1${points.join('')}L1 1Z` : '');
  }

  move() {
    const { position, frame, last, frames } = this.transport;
    this.element.style.setProperty('--share', last ? position / last : 0);
    if (this.frame === `${frame}/${last} ${this.label(frame)}`) return;
    this.frame = `${frame}/${last} ${this.label(frame)}`;
    const values = { valuemin: 0, valuemax: last, valuenow: frame, disabled: last === 0 };
    for (const [name, value] of Object.entries(values)) this.element.setAttribute(`aria-${name}`, value);
    this.element.setAttribute('aria-valuetext', `${this.label(frame)} (${frame + 1}/${frames})`);
  }

  key(event) {
    const { transport } = this;
    const page = Math.max(1, Math.round(transport.last / 10));
    const moves = {
      ArrowRight: () => transport.step(1), ArrowUp: () => transport.step(1),
      ArrowLeft: () => transport.step(-1), ArrowDown: () => transport.step(-1),
      PageUp: () => transport.seek(transport.frame + page), PageDown: () => transport.seek(transport.frame - page),
      Home: () => transport.home(), End: () => transport.end(),
    };
    if (!Object.hasOwn(moves, event.key) || modified(event)) return;
    event.preventDefault();
    moves[event.key]();
  }

  press(event) {
    if (event.button !== 0 || this.transport.last === 0) return;
    this.element.setPointerCapture(event.pointerId);
    this.resumes = this.transport.playing;
    this.transport.pause();
    this.dragging = true;
    this.transport.seek(this.at(event));
  }

  hover(event) {
    const position = this.at(event);
    this.bubble.hidden = this.transport.last === 0;
    this.bubble.textContent = this.label(position);
    this.element.style.setProperty('--hover', this.transport.last ? position / this.transport.last : 0);
    if (this.dragging) this.transport.seek(position);
  }

  release() {
    this.dragging = false;
    if (this.resumes) this.transport.play();
    this.resumes = false;
  }

  at({ clientX }) {
    const { left, width } = this.travel.getBoundingClientRect();
    return clamp((clientX - left) / width, 0, 1) * this.transport.last;
  }
}

/** The value between the entries of a list. */
function between(values, position) {
  const low = Math.floor(position);
  const next = values[Math.min(values.length - 1, low + 1)];
  return values[low] + (next - values[low]) * (position - low);
}

/** A number with as many decimals as its neighbours need, so that it does not dance. */
function fixed(value, values) {
  if (values.every(Number.isInteger)) return number(Math.round(value));
  const largest = Math.max(...values.map(Math.abs), 1e-6);
  const decimals = clamp(2 - Math.floor(Math.log10(largest)), 0, 6);
  return value.toFixed(decimals).replace('-', '−');
}

/** The keys of a stage: one declaration for the keyboard and for the list in the help. */
export const KEYS = Object.freeze([
  { keys: ['Space'], on: [' '], action: 'toggle', en: 'Play or pause', zh: '播放或暂停' },
  { keys: ['←'], on: ['ArrowLeft'], action: 'back', en: 'One frame back', zh: '后退一帧' },
  { keys: ['→'], on: ['ArrowRight'], action: 'forward', en: 'One frame forward', zh: '前进一帧' },
  { keys: ['Home'], on: ['Home'], action: 'home', en: 'First frame', zh: '第一帧' },
  { keys: ['End'], on: ['End'], action: 'end', en: 'Last frame', zh: '最后一帧' },
  { keys: ['['], on: ['['], action: 'slower', en: 'Slower', zh: '减慢' },
  { keys: [']'], on: [']'], action: 'faster', en: 'Faster', zh: '加快' },
  { keys: ['f'], on: ['f', 'F'], action: 'fullscreen', en: 'Full-screen stage', zh: '全屏舞台' },
  { keys: ['p'], on: ['p', 'P'], action: 'presenter', en: 'Presenter mode', zh: '演讲模式' },
  { keys: ['?'], on: ['?'], action: 'help', en: 'This list', zh: '按键列表' },
]);

const TYPING =
  'input, textarea, select, [contenteditable]:not([contenteditable="false"]), [role="textbox"], [role="combobox"]';
const ARROWED = '[role="tab"], [role="slider"], [role="listbox"], [role="menu"], [role="radiogroup"], [role="grid"], [role="tree"]';
const PRESSED = 'button, a[href], summary, [role="button"], [role="checkbox"], [role="switch"], [role="option"]';

/**
 * Binds the keys. They rest while the viewer types, holds a modifier, or cannot see the stage, and
 * leave to a focused control the keys that are its own.
 *
 * @param {Element} root the stage
 * @param {Transport} transport its clock
 * @param {{fullscreen?: () => void, presenter?: () => void, help?: () => void}} extra the actions
 *   that are not the clock's
 * @returns {() => void} unbinds them
 */
export function bindKeys(root, transport, extra = {}) {
  const actions = {
    toggle: () => transport.toggle(),
    back: () => transport.step(-1),
    forward: () => transport.step(1),
    home: () => transport.home(),
    end: () => transport.end(),
    slower: () => transport.slower(),
    faster: () => transport.faster(),
    ...extra,
  };
  const pressed = (event) => {
    const action = KEYS.find(({ on }) => on.includes(event.key))?.action;
    if (!actions[action] || taken(event) || !seen(root)) return;
    event.preventDefault();
    actions[action]();
  };
  document.addEventListener('keydown', pressed);
  return () => document.removeEventListener('keydown', pressed);
}

/** Whether somebody else means this key. */
function taken(event) {
  if (event.defaultPrevented || event.isComposing || modified(event)) return true;
  const inside = (selector) => event.target.closest?.(selector);
  if (inside(TYPING) || document.querySelector('dialog[open]')) return true;
  if (event.key === ' ') return Boolean(inside(PRESSED));
  return event.key.length > 1 && Boolean(inside(ARROWED));
}

/** AltGr is how some keyboards type a bracket, so it does not count. */
function modified(event) {
  return (event.ctrlKey || event.metaKey || event.altKey) && !event.getModifierState('AltGraph');
}

function seen(root) {
  return root.isConnected && root.getClientRects().length > 0;
}
