/**
 * What the rail needs beyond Gradio: controls that show only when they mean something or that the
 * address hides (?hide=key,key), and sliders with a logarithmic track.
 */

import { make } from './dom.js';

export class Rail {
  constructor(lab) {
    this.lab = lab;
    this.style = make('style');
    document.head.append(this.style);
    const asked = new URLSearchParams(location.search).get('hide') ?? '';
    this.hidden = new Set(asked.split(','));
    const rail = document.getElementById(`${lab.slug}-lab`)?.querySelector('.vt-rail');
    if (!rail) return;
    new MutationObserver(() => spaceLogarithmically(rail)).observe(rail, { childList: true, subtree: true });
    spaceLogarithmically(rail);
    document.body.classList.toggle('vt-no-rail', this.hidden.has('rail'));
  }

  /** Shows the controls that the settings call for. A rule outlives Gradio's own re-rendering. */
  update(settings) {
    const off = Object.entries(this.lab.fields).filter(([name, { key, when }]) => {
      const idle = when && !when[1].includes(settings[when[0]]);
      return idle || this.hidden.has(key) || this.hidden.has(name);
    });
    this.style.textContent = off.map(([name]) => `#${this.lab.slug}-${name}{display:none!important}`).join('\n');
  }
}

/** Puts a logarithmic track over each slider of the class vt-log; the number field stays Gradio's. */
function spaceLogarithmically(rail) {
  for (const block of rail.querySelectorAll('.vt-log:not([data-log])')) {
    const range = block.querySelector('input[type=range]');
    const field = block.querySelector('input[type=number]');
    if (!range || !field) continue;
    block.dataset.log = 'true';
    const [low, high] = [Math.log(Number(range.min)), Math.log(Number(range.max))];
    const track = make('input', {
      type: 'range', min: '0', max: '1', step: '0.005', class: 'vt-log-track',
      'aria-label': range.getAttribute('aria-label') ?? block.textContent.trim(),
    });
    const follow = () => {
      if (document.activeElement === track && track.matches(':active')) return;
      track.value = (Math.log(Number(range.value)) - low) / (high - low);
      paint(track);
    };
    track.addEventListener('input', () => {
      enter(range, roundNicely(Math.exp(low + Number(track.value) * (high - low))));
      paint(track);
    });
    range.hidden = true;
    range.after(track);
    field.addEventListener('input', follow);
    new MutationObserver(follow).observe(range, { attributes: true });
    follow();
  }
}

const paint = (track) => track.style.setProperty('--fill', `${Number(track.value) * 100}%`);

/** Two significant digits: a hand on a slider means no more. */
function roundNicely(value) {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(value)) - 1);
  return Math.round(value / unit) * unit;
}

/** Enters a value as a hand would, so that Gradio takes notice. */
function enter(input, value) {
  Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(input, String(value));
  input.dispatchEvent(new Event('input', { bubbles: true }));
}
