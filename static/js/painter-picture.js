/**
 * Pictures for the painter: chosen, dropped or pasted, and checked before they travel.
 */

import { make } from './dom.js';
import { say } from './painter-words.js';

/** What labs/ink.py decodes, and how much of it. */
const TYPES = ['image/png', 'image/jpeg', 'image/webp'];
const BYTES = 5_000_000;

export class Picture {
  /** @param {object} painter whose element takes pictures and whose onPicture gets them */
  constructor(painter, ctx) {
    Object.assign(this, { painter, ctx, depth: 0 });
    const { element } = painter;
    this.input = make('input', { type: 'file', accept: TYPES.join(','), hidden: true, tabindex: '-1' });
    this.input.addEventListener('change', () => {
      this.take(this.input.files[0]);
      this.input.value = ''; // the same file may be chosen again
    });
    element.append(this.input);
    element.addEventListener('dragenter', (event) => this.#over(event, 1));
    element.addEventListener('dragleave', (event) => this.#over(event, -1));
    element.addEventListener('dragover', (event) => carriesFile(event) && event.preventDefault());
    element.addEventListener('drop', (event) => this.#drop(event));
    element.addEventListener('paste', (event) => this.#paste(event));
  }

  /** Opens the browser's file dialog. */
  choose() {
    this.input.click();
  }

  /** Passes a picture on, or says what is wrong with it. */
  take(file) {
    if (!file) return;
    const { painter, ctx } = this;
    const type = file.type || say(ctx, 'unknownType');
    if (!TYPES.includes(file.type)) painter.complain(say(ctx, 'wrongType', { type }));
    else if (file.size > BYTES) painter.complain(say(ctx, 'wrongSize', { size: (file.size / 1e6).toFixed(1) }));
    else painter.options.onPicture(file);
  }

  #over(event, by) {
    if (!carriesFile(event)) return;
    event.preventDefault();
    this.depth += by;
    this.painter.element.classList.toggle('vt-painter-dropping', this.depth > 0);
  }

  #drop(event) {
    if (!carriesFile(event)) return;
    event.preventDefault();
    this.depth = 0;
    this.painter.element.classList.remove('vt-painter-dropping');
    this.take(event.dataTransfer.files[0]);
  }

  #paste(event) {
    const [file] = event.clipboardData?.files ?? [];
    if (!file) return;
    event.preventDefault();
    this.take(file);
  }
}

function carriesFile({ dataTransfer }) {
  return dataTransfer.types.includes('Files');
}
