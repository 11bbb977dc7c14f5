/**
 * How an export reaches the viewer: a file, the clipboard, and a word about it.
 */

import { make } from './dom.js';

/** How long a word stays, in milliseconds. */
const STAY = 2400;

/**
 * Hands a file over.
 *
 * @param {Blob} blob
 * @param {string} name
 */
export function download(blob, name) {
  const address = URL.createObjectURL(blob);
  const link = make('a', { href: address, download: name, hidden: true });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/** A file's name: what it is of, and the day. */
export function fileName(lab, extension, day = new Date()) {
  const two = (value) => String(value).padStart(2, '0');
  const date = `${day.getFullYear()}-${two(day.getMonth() + 1)}-${two(day.getDate())}`;
  return `vitrine-${lab || 'stage'}-${date}.${extension}`;
}

/**
 * Copies a text.
 *
 * @param {string} text
 * @returns {Promise<boolean>} false where the browser lets nobody write to its clipboard
 */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text); // no clipboard without a secure page or the viewer's leave
  }
}

function copyBySelection(text) {
  const focused = document.activeElement;
  const area = make('textarea', { readonly: true, style: 'position:fixed;opacity:0;top:0' });
  area.value = text;
  document.body.append(area);
  area.select();
  const copied = document.execCommand('copy');
  area.remove();
  focused?.focus?.();
  return copied;
}

/** Shows a text to be copied by hand. */
export function offer(text, { title, close }) {
  const area = make('textarea', { class: 'vt-export-text', readonly: true, rows: '8', 'aria-label': title });
  area.value = text;
  const button = make('button', { type: 'button', class: 'vt-button vt-text vt-outline', text: close });
  const dialog = make('dialog', { class: 'vt-export-dialog', 'aria-label': title }, [
    make('p', { text: title }), area, button,
  ]);
  button.addEventListener('click', () => dialog.close());
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  area.select();
}

/** A line at the foot of the stage that says what happens; one at a time. */
export class Word {
  /** @param {() => Element} place where it is put, so that a full-screen stage shows it too */
  constructor(place) {
    this.place = place;
    this.text = make('span', { role: 'status' });
    this.meter = make('progress', { max: '1', hidden: true });
    this.button = make('button', { type: 'button', class: 'vt-button vt-text', hidden: true });
    this.element = make('div', { class: 'vt-export-word', hidden: true }, [this.text, this.meter, this.button]);
  }

  /** Says a sentence for a while. */
  say(text) {
    this.#show(text);
    this.meter.hidden = this.button.hidden = true;
    this.leaving = setTimeout(() => (this.element.hidden = true), STAY);
  }

  /**
   * Shows a job's progress until the next word.
   *
   * @param {string} text
   * @param {string} cancelText
   * @param {() => void} cancel
   * @returns {(share: number) => void} moves the meter
   */
  follow(text, cancelText, cancel) {
    this.#show(text);
    this.meter.value = 0;
    this.button.textContent = cancelText;
    this.button.onclick = cancel;
    this.meter.hidden = this.button.hidden = false;
    return (share) => (this.meter.value = share);
  }

  #show(text) {
    clearTimeout(this.leaving);
    this.place().append(this.element);
    this.element.hidden = false;
    this.text.textContent = text;
  }

  destroy() {
    clearTimeout(this.leaving);
    this.element.remove();
  }
}
