/**
 * The program of an exported page: a stage that plays its scene from a file, without a server.
 *
 * It is the stage of the app without the controls: panels, transport, readouts, both languages and
 * both themes. export-page.js packs it together with the modules it imports.
 */

import { make } from './dom.js';
import { icon } from './icons.js';
import { createPalette } from './palette.js';
import { Readouts } from './readouts.js';
import { Header } from './stage-header.js';
import { Transport, bindKeys, mountTransport } from './transport.js';
import { locale, t, word } from './words.js';

const WORDS = {
  open: { en: 'Open in Vitrine', zh: '在 Vitrine 中打开' },
};

/**
 * Plays a scene.
 *
 * @param {HTMLElement} root receives the stage
 * @param {object} page {scene, title, idea, link}: a scene as the server sends it, and where it is
 *   from; title and idea are {en, zh}
 * @param {object} modules the players by kind of view
 * @returns {Promise<object>} {transport, panels} for whoever wants to drive it
 */
export async function play(root, page, modules) {
  const stage = new PlayerPage(root, page);
  await stage.show(modules);
  return stage;
}

class PlayerPage {
  constructor(root, { scene, title, idea, link }) {
    Object.assign(this, { root, scene, link, panels: [], pending: null });
    this.palette = createPalette();
    this.transport = new Transport({ reducedMotion: matchMedia('(prefers-reduced-motion: reduce)').matches });
    this.header = new Header({ title, idea });
    this.stages = make('div', { class: 'vt-stages vt-ready', role: 'group', 'data-count': scene.views.length });
    this.alternative = make('p', { class: 'vt-alternative', 'aria-live': 'polite' });
    this.readouts = new Readouts();
    const bar = make('div', { class: 'vt-bar' });
    this.bar = mountTransport(bar, this.transport, { locale });
    root.append(this.header.element, this.stages, this.alternative, bar, this.readouts.element, this.#foot());
    this.#listen();
  }

  #foot() {
    const button = (click) => make('button', { type: 'button', class: 'vt-button', on: { click } });
    this.language = button(() => (document.documentElement.lang = locale() === 'zh' ? 'en' : 'zh'));
    this.language.classList.add('vt-text');
    this.theme = button(() => document.body.classList.toggle('dark'));
    this.theme.append(icon('theme'));
    this.bar.slot.append(this.language, this.theme);
    const web = /^https?:/.test(this.link ?? '');
    this.origin = make(web ? 'a' : 'span', { href: web ? this.link : null, rel: web ? 'noreferrer' : null });
    return make('footer', { class: 'vt-page-foot' }, ['Vitrine · ', this.origin]);
  }

  #listen() {
    const { transport } = this;
    bindKeys(this.root, transport, { fullscreen: () => this.root.requestFullscreen?.() });
    this.palette.onTheme(() => this.invalidate());
    for (const event of ['state', 'position']) transport.addEventListener(event, () => this.invalidate());
    new MutationObserver(() => this.relabel()).observe(document.documentElement, { attributeFilter: ['lang'] });
  }

  /** Puts up the panels and starts to play. */
  async show(modules) {
    const { scene } = this;
    const ctx = this.#context();
    this.panels = scene.views.map((view) => {
      const [title, note, host] = [make('b'), make('span'), make('div', { class: 'vt-host' })];
      const head = make('div', { class: 'vt-panel-head' }, [title, note]);
      this.stages.append(make('section', { class: 'vt-panel', 'data-view': view.id }, [head, host]));
      return { view, title, note, player: modules[view.kind].mount(host, ctx) };
    });
    this.bar.update(scene);
    this.header.update(scene);
    this.readouts.update(scene);
    this.relabel();
    await Promise.all(this.panels.map(({ view, player }) => player.update(view)));
    this.transport.autoplay();
    this.invalidate();
  }

  #context() {
    return {
      locale, t,
      palette: () => this.palette.read(),
      frames: () => this.transport.frames,
      emit: () => {}, // nobody answers in a file
      invalidate: () => this.invalidate(),
      shared: new EventTarget(),
      asset: (path) => path,
      reducedMotion: () => this.transport.reducedMotion,
    };
  }

  /** Draws before the next frame of the screen, and on while it plays. */
  invalidate() {
    this.pending ??= requestAnimationFrame((now) => {
      this.pending = null;
      this.transport.tick(now);
      const { position, playing } = this.transport;
      for (const { player } of this.panels) player.draw(position);
      this.readouts.draw(position);
      if (playing) this.invalidate();
      else this.#describe(position);
    });
  }

  #describe(position) {
    const panels = this.panels.map(({ view, player }) => `${t(view.title)}: ${player.describe(position)}`);
    this.alternative.textContent = [...panels, this.readouts.describe()].join(' ');
  }

  relabel() {
    this.header.relabel();
    this.stages.setAttribute('aria-label', word('stage'));
    this.bar.relabel();
    this.readouts.relabel();
    for (const { view, title, note } of this.panels) {
      title.textContent = t(view.title);
      note.textContent = t(view.note);
    }
    this.language.textContent = word('language');
    this.language.title = word('switchLanguage');
    this.theme.title = word('theme');
    this.theme.setAttribute('aria-label', word('theme'));
    this.origin.textContent = this.origin.href ? t(WORDS.open) : (this.link ?? '');
    this.invalidate();
  }
}
