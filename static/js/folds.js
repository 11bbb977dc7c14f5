/** The folds under the stage: Idea, Maths, Code and the guided cards of "Try this". */

import { make } from './dom.js';
import { icon } from './icons.js';
import { locale, t, word } from './words.js';

const NAMES = ['idea', 'maths', 'code', 'try'];
const ROLES = ['data', 'noise', 'model', 'truth', 'cond', 'warn'];

export class Folds {
  /** @param {(link: string) => void} follow - applies the settings of a card. */
  constructor(lab, ctx, follow) {
    this.lab = lab;
    this.ctx = ctx;
    this.follow = follow;
    this.open = 'idea';
    this.card = 0;
    this.texts = {};
    this.tabs = NAMES.map((name) => make('button', {
      type: 'button', role: 'tab', class: 'vt-fold-tab', id: `vt-${lab.slug}-${name}`,
      on: { click: () => this.#select(name), keydown: (event) => this.#keys(event, name) },
    }));
    this.bar = make('div', { class: 'vt-folds', role: 'tablist' }, this.tabs);
    this.body = make('div', { class: 'vt-fold-body', role: 'tabpanel' });
    this.element = make('div', { class: 'vt-folds-area' }, [this.bar, this.body]);
    this.#label();
  }

  update(scene) {
    const changed = JSON.stringify(scene.code.names) !== JSON.stringify(this.scene?.code.names);
    this.scene = scene;
    if (!this.text) this.#load();
    else if (this.open === 'code' && changed) this.#render();
  }

  /** Lights the source line of the current frame. */
  draw(position) {
    if (this.open !== 'code' || !this.rows || !this.scene?.code.lines.length) return;
    const { lines } = this.scene.code;
    const at = Math.round((position / Math.max(1, this.scene.frames - 1)) * (lines.length - 1));
    const row = this.rows.get(lines[at]);
    if (row === this.lit) return;
    this.lit?.classList.remove('vt-lit');
    row?.classList.add('vt-lit');
    this.lit = row;
  }

  relabel() {
    this.#label();
    this.#load();
  }

  async #load() {
    const language = locale();
    try {
      this.texts[language] ??= await fetchJson(`texts/${this.lab.slug}.${language}.json`);
    } catch {
      this.body.textContent = word('noText');
      return;
    }
    if (language !== locale()) return;
    this.text = this.texts[language];
    this.#label();
    this.#render();
  }

  #label() {
    const count = this.text?.cards.length;
    this.bar.setAttribute('aria-label', t(this.lab.title));
    NAMES.forEach((name, index) => {
      const tab = this.tabs[index];
      const selected = name === this.open;
      tab.textContent = name === 'try' && count ? `${word(name)} · ${this.card + 1}/${count}` : word(name);
      tab.setAttribute('aria-selected', selected);
      tab.tabIndex = selected ? 0 : -1;
    });
    this.body.setAttribute('aria-labelledby', `vt-${this.lab.slug}-${this.open}`);
  }

  #keys(event, name) {
    const move = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!move) return;
    event.stopPropagation();
    const next = (NAMES.indexOf(name) + move + NAMES.length) % NAMES.length;
    this.#select(NAMES[next]);
    this.tabs[next].focus();
  }

  #select(name) {
    this.open = name;
    this.#label();
    if (this.text) this.#render();
  }

  #render() {
    this.rows = null;
    this.lit = null;
    this.body.replaceChildren();
    this.body.dataset.fold = this.open;
    ({ idea: () => this.#idea(), maths: () => this.#maths(), code: () => this.#code(), try: () => this.#try() })[this.open]();
    this.#formulas();
    this.ctx.invalidate();
  }

  #idea() {
    this.body.append(prose(this.text.idea));
    const papers = this.text.papers.map(({ authors, year, title, url }) =>
      make('li', {}, [make('a', { href: url, target: '_blank', rel: 'noopener noreferrer', text: title }), ` — ${authors}, ${year}`]));
    this.body.append(make('h2', { class: 'vt-papers-title', text: word('papers') }), make('ul', { class: 'vt-papers' }, papers));
  }

  #maths() {
    this.body.append(prose(this.text.maths));
  }

  /** The source that ran; each line knows its number in the file. */
  #code() {
    this.rows = new Map();
    for (const name of this.scene?.code.names ?? []) {
      const source = this.text.code[name];
      if (!source) continue;
      const lines = source.lines.map((html, index) => {
        const row = make('code', { class: 'vt-line', 'data-line': source.first + index });
        row.innerHTML = html || ' ';
        this.rows.set(source.first + index, row);
        return row;
      });
      this.body.append(
        make('p', { class: 'vt-source', text: `${source.file}:${source.first}` }),
        make('pre', { class: 'vt-code', tabindex: '0' }, lines),
      );
    }
  }

  /** One guided card: what to set, what to look for, a question, and its answer when asked for. */
  #try() {
    const card = this.text.cards[this.card];
    const answer = prose(card.answer);
    answer.hidden = true;
    const reveal = make('button', {
      type: 'button', class: 'vt-button vt-text vt-outline', text: word('reveal'),
      on: { click: () => { answer.hidden = false; reveal.remove(); } },
    });
    const step = (by, name, picture) => make('button', {
      type: 'button', class: 'vt-button', 'aria-label': word(name), title: word(name),
      on: { click: () => this.#turn(by) },
    }, [icon(picture)]);
    const show = make('button', {
      type: 'button', class: 'vt-button vt-text vt-primary', text: word('show'),
      on: { click: () => this.follow(card.link) },
    });
    this.body.append(make('article', { class: 'vt-card' }, [
      make('h2', { text: card.title }), prose(card.look), show,
      make('div', { class: 'vt-question' }, [prose(card.question), reveal, answer]),
      make('div', { class: 'vt-turn' }, [step(-1, 'previous', 'stepBack'), step(1, 'next', 'stepForward')]),
    ]));
  }

  #turn(by) {
    const count = this.text.cards.length;
    this.card = (this.card + by + count) % count;
    this.#label();
    this.#render();
  }

  /** Typesets formulas; KaTeX loads when the first one is seen. */
  async #formulas() {
    const formulas = [...this.body.querySelectorAll('.vt-tex:not(.vt-set)')];
    if (!formulas.length) return;
    const katex = await loadKatex(this.ctx);
    const macros = Object.fromEntries(ROLES.map((role) => [`\\${role}`, `\\htmlClass{vt-ink-${role}}{#1}`]));
    for (const formula of formulas) {
      const source = formula.textContent;
      katex.render(source, formula, { displayMode: formula.tagName === 'DIV', macros, trust: true, strict: false, throwOnError: false });
      formula.classList.add('vt-set');
    }
  }
}

/** Prose that the server rendered from the project's own Markdown, raw HTML switched off. */
function prose(html) {
  const element = make('div', { class: 'vt-prose' });
  element.innerHTML = html;
  return element;
}

async function fetchJson(address) {
  const response = await fetch(new URL(address, document.baseURI));
  if (!response.ok) throw new Error(`${address}: ${response.status}`);
  return response.json();
}

let katex;

function loadKatex(ctx) {
  katex ??= (async () => {
    document.head.append(make('link', { rel: 'stylesheet', href: ctx.asset('vendor/katex/katex.min.css') }));
    return (await import(ctx.asset('vendor/katex/katex.mjs'))).default;
  })();
  return katex;
}
