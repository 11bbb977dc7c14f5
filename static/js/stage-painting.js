/** Editors of the stage: the painter over the first panel, and the drawn curve under the stage. */

import { make } from './dom.js';
import { icon } from './icons.js';
import { word } from './words.js';

const DIGITS = '0123456789abcdefghijklmnopqrstuvwxyz';

export class Painting {
  /** @param {(values: Object) => void} set - sends changed settings to the server. */
  constructor(stages, ctx, set) {
    this.ctx = ctx;
    this.set = set;
    this.button = make('button', {
      type: 'button', class: 'vt-button vt-text vt-outline', hidden: true, 'aria-pressed': 'false',
      on: { click: () => this.#toggle(!this.open) },
    });
    this.overlay = make('div', { class: 'vt-paint-overlay', hidden: true });
    this.curveHost = make('div', { class: 'vt-curve-host', hidden: true });
    stages.parentNode.after(this.curveHost);
    this.field = undefined; // no scene seen yet: a link to a painting opens with the painter closed
    this.open = false;
    this.relabel();
  }

  update(scene, settings, panel) {
    this.#updatePainter(scene.painter, settings, panel);
    this.#updateCurve(scene.curve, settings);
  }

  /** Keeps the painter closed when the next scene brings a painting of its own. */
  stayClosed() {
    this.quiet = true;
  }

  relabel() {
    this.button.replaceChildren(icon(this.open ? 'check' : 'brush', { size: 16 }), word(this.open ? 'donePainting' : 'paint'));
    this.painter?.relabel();
    this.curve?.relabel?.();
  }

  #updatePainter(field, settings, panel) {
    const entered = field && this.field === null && !this.quiet;
    this.quiet = false;
    this.field = field ?? null;
    this.button.hidden = !field;
    if (!field) {
      this.#toggle(false);
      return;
    }
    if (!this.overlay.parentNode || this.overlay.parentNode !== panel.element) panel.element.append(this.overlay);
    this.ink = settings[field];
    this.view = { extent: panel.view.extent, square: panel.view.square };
    if (entered) this.#toggle(true);
    else if (this.open) this.painter.setValue(this.ink);
  }

  async #toggle(open) {
    if (open) {
      this.mounting ??= this.#mountPainter();
      this.painter = await this.mounting;
    }
    this.open = open;
    this.overlay.hidden = !open;
    this.button.setAttribute('aria-pressed', String(open));
    this.button.classList.toggle('vt-primary', open);
    if (open) this.painter.setValue(this.ink);
    this.relabel();
  }

  async #mountPainter() {
    const { mountPainter } = await import('./painter.js');
    return mountPainter(this.overlay, this.ctx, {
      value: this.ink,
      extent: this.view.extent,
      square: this.view.square,
      overlay: true,
      onInput: (ink) => this.set({ [this.field]: ink }),
      onPicture: async (file) => this.set({ picture: await base64(file) }),
    });
  }

  async #updateCurve(curve, settings) {
    this.curveHost.hidden = !curve;
    if (!curve) return;
    const span = curve.maximum - curve.minimum;
    const values = [...settings[curve.field]].map((digit) => curve.minimum + (span * DIGITS.indexOf(digit)) / 35);
    if (this.curve) {
      this.curve.setValue(values);
      return;
    }
    const write = (list) => list.map((value) => DIGITS[Math.round((35 * (value - curve.minimum)) / span)]).join('');
    const { mountCurve } = await import('./curve.js');
    if (this.curve) return;
    this.curve = mountCurve(this.curveHost, this.ctx, {
      points: curve.points, min: curve.minimum, max: curve.maximum, value: values, label: curve.label,
      xLabel: curve.x_label, onChange: (list) => this.set({ [curve.field]: write(list) }),
    });
  }
}

async function base64(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = '';
  for (let i = 0; i < bytes.length; i += 0x8000) text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return btoa(text);
}
