/** The numbers under the stage, and the legend of its colours. */

import { make, number } from './dom.js';
import { t } from './words.js';

export class Readouts {
  constructor() {
    this.numbers = make('dl', { class: 'vt-readouts' });
    this.legend = make('ul', { class: 'vt-legend' });
    this.element = make('div', {}, [this.numbers, this.legend]);
    this.items = [];
    this.frames = 1;
    this.position = 0;
  }

  update({ readouts, legend, frames }) {
    this.frames = frames;
    this.roles = legend;
    this.items = readouts.map((readout) => ({ readout, value: make('dd'), label: make('dt') }));
    this.numbers.replaceChildren(...this.items.map(({ value, label }) => make('div', {}, [label, value])));
    this.relabel();
  }

  /** Replaces the readouts of a patch; those the scene did not have are left out. */
  patch(readouts) {
    for (const readout of readouts) {
      const item = this.items.find((known) => known.readout.id === readout.id);
      if (item) item.readout = readout;
    }
    if (readouts.length) this.relabel();
  }

  draw(position) {
    this.position = position;
    for (const item of this.items) {
      const text = this.#text(item.readout);
      if (item.value.textContent !== text) item.value.textContent = text;
    }
  }

  relabel() {
    for (const { readout, label, value } of this.items) {
      label.textContent = t(readout.label);
      value.parentNode.title = t(readout.help);
    }
    this.legend.replaceChildren(
      ...(this.roles ?? []).map(({ role, label }) => make('li', {}, [make('i', { class: `vt-dot vt-${role}` }), t(label)])),
    );
    this.draw(this.position);
  }

  /** All numbers as one sentence, for the text alternative. */
  describe() {
    return this.items.map(({ readout }) => `${t(readout.label)}: ${this.#text(readout)}`).join('; ');
  }

  #text({ values, unit, digits }) {
    let value = values;
    if (Array.isArray(values)) value = values[Math.round((this.position / Math.max(1, this.frames - 1)) * (values.length - 1))];
    else if (values && typeof values === 'object') value = t(values);
    return unit ? `${number(value, digits)} ${unit}` : number(value, digits);
  }
}
