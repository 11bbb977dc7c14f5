/** The line above the stage: title, idea, and the badge of the check. */

import { make, number } from './dom.js';
import { icon } from './icons.js';
import { t, word } from './words.js';

export class Header {
  constructor(lab) {
    this.lab = lab;
    this.title = make('h1');
    this.idea = make('p', { class: 'vt-idea' });
    this.badge = make('button', {
      class: 'vt-badge', type: 'button', hidden: true, 'aria-expanded': 'false',
      on: { click: () => this.#toggle() },
    });
    this.detail = make('p', { class: 'vt-badge-detail', hidden: true });
    const line = make('div', { class: 'vt-head' }, [this.title, this.idea, this.badge]);
    this.element = make('header', {}, [line, this.detail]);
    this.relabel();
  }

  update({ badge }) {
    this.check = badge;
    this.badge.hidden = !badge;
    if (!badge) return;
    this.badge.classList.toggle('vt-failed', !badge.ok);
    this.badge.replaceChildren(icon(badge.ok ? 'check' : 'cross', { size: 14 }), `${t(badge.label)} ${number(badge.error, 1)}`);
    this.badge.setAttribute('aria-label', `${word(badge.ok ? 'checkPassed' : 'checkFailed')}: ${t(badge.label)} ${number(badge.error, 1)}`);
    this.detail.textContent = `${word(badge.ok ? 'checkPassed' : 'checkFailed')}: ${t(badge.help)} ${number(badge.error, 2)} (${word('tolerance')} ${number(badge.tolerance, 1)}).`;
  }

  relabel() {
    this.title.textContent = t(this.lab.title);
    this.idea.textContent = t(this.lab.idea);
    this.update({ badge: this.check });
  }

  #toggle() {
    this.detail.hidden = !this.detail.hidden;
    this.badge.setAttribute('aria-expanded', String(!this.detail.hidden));
  }
}
