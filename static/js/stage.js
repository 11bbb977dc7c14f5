/**
 * The stage of one lab: panels drawn by players, the transport, readouts, badge and folds.
 *
 * Gradio hands over scenes and patches (labs/scene.py) as `props.value`; the stage answers with the
 * events of labs/stage.py. It owns the only animation loop, which rests while nothing changes and
 * while the stage is out of sight.
 */

import { make } from './dom.js';
import { Folds } from './folds.js';
import { Header } from './stage-header.js';
import { Painting } from './stage-painting.js';
import { createPalette } from './palette.js';
import { mergeView } from './particles.js';
import { Readouts } from './readouts.js';
import { Rail } from './rail.js';
import { Transport, bindKeys, mountTransport } from './transport.js';
import { locale, pair, t, word } from './words.js';
import { showHelp, togglePresenter } from './page.js';

const PLAYERS = {
  particles: () => import('./particles.js'),
  plot: () => import('./plot.js'),
  tiles: () => import('./tiles.js'),
  online: () => import('./online.js'),
};

/** Mounts the stage into Gradio's element. `bridge` holds props, watch and the five events. */
export function mount(element, bridge) {
  const root = element.querySelector('.vt-root');
  if (root.stage) return;
  root.stage = new Stage(root, bridge);
}

class Stage {
  constructor(root, bridge) {
    this.root = root;
    this.bridge = bridge;
    this.lab = bridge.props.lab;
    this.scene = null;
    this.panels = [];
    this.dirty = true;
    this.palette = createPalette(document.body);
    this.transport = new Transport({
      frames: 1,
      reducedMotion: matchMedia('(prefers-reduced-motion: reduce)').matches,
    });
    this.ctx = this.#context();
    this.#build();
    this.#listen();
    this.applied = Promise.resolve();
    bridge.watch('value', () => this.#receive(bridge.props.value));
    bridge.open({});
  }

  #context() {
    return {
      locale,
      t,
      palette: () => this.palette.read(),
      frames: () => this.transport.frames,
      emit: (name, detail) => this.#emitted(name, detail),
      invalidate: () => this.#invalidate(),
      shared: new EventTarget(),
      asset: (path) => new URL(`${this.lab.static}/${path}`, document.baseURI).href,
      reducedMotion: () => this.transport.reducedMotion,
    };
  }

  #build() {
    this.header = new Header(this.lab);
    this.stages = make('div', { class: 'vt-stages', role: 'group', 'aria-label': word('stage') });
    this.alternative = make('p', { class: 'vt-alternative', 'aria-live': 'polite' });
    this.progress = new Progress(() => this.#cancel());
    this.notice = make('p', { class: 'vt-notice', role: 'status', hidden: true });
    const bar = make('div', { class: 'vt-bar' });
    this.bar = mountTransport(bar, this.transport, { locale });
    this.readouts = new Readouts();
    this.folds = new Folds(this.lab, this.ctx, (link) => this.#follow(link));
    const area = make('div', { class: 'vt-area' }, [this.stages, this.progress.element]);
    this.root.append(
      this.header.element, this.notice, area, this.alternative, bar,
      this.readouts.element, this.folds.element,
    );
    this.rail = new Rail(this.lab);
    this.painting = new Painting(this.stages, this.ctx, (values) => this.#set(values));
    this.bar.slot.append(this.painting.button);
  }

  #listen() {
    bindKeys(this.root, this.transport, {
      fullscreen: () => toggleFullscreen(this.root),
      presenter: togglePresenter,
      help: showHelp,
    });
    this.palette.onTheme(() => this.#invalidate());
    new MutationObserver(() => this.#relabel()).observe(document.documentElement, { attributeFilter: ['lang'] });
    new IntersectionObserver(([entry]) => {
      if (!entry.isIntersecting) return;
      this.#showLink();
      this.#invalidate();
    }).observe(this.root);
    this.transport.addEventListener('state', () => {
      this.#invalidate();
      if (!this.transport.playing) this.#describe();
    });
    this.transport.addEventListener('position', () => this.#invalidate());
  }

  /** Starts the loop if it rests; it goes on while something changes and the stage is in sight. */
  #invalidate() {
    this.dirty = true;
    this.frame ??= requestAnimationFrame((now) => this.#loop(now));
  }

  #loop(now) {
    const seen = this.#inSight();
    if (seen && (this.transport.tick(now) || this.dirty)) this.#draw();
    const goesOn = seen && (this.transport.playing || this.dirty);
    this.frame = goesOn ? requestAnimationFrame((next) => this.#loop(next)) : null;
  }

  /** Whether the stage is laid out; a full-screen element has no offsetParent, but it has boxes. */
  #inSight() {
    return this.root.isConnected && this.root.getClientRects().length > 0;
  }

  #draw() {
    this.dirty = false;
    const position = this.transport.position;
    for (const panel of this.panels) panel.player.draw(position);
    this.readouts.draw(position);
    this.folds.draw(position);
    if (!this.transport.playing) this.#describe();
  }

  /** Writes the frame's text alternative; only at rest, or a screen reader would never stop. */
  #describe() {
    const position = this.transport.position;
    const panels = this.panels.map(({ view, player }) => `${t(view.title)}: ${player.describe(position)}`);
    this.alternative.textContent = [...panels, this.readouts.describe()].join(' ');
  }

  /** Applies answers one after the other; a scene that a newer one has overtaken is left out. */
  #receive(value) {
    if (!value || value === this.newest) return;
    this.newest = value;
    if (value.link) this.#adopt(value);
    if (!value.patch) this.newestScene = value;
    this.applied = this.applied.then(() => this.#apply(value)).catch((error) => console.error(error));
  }

  async #apply(value) {
    if (value.refusal) this.#say(value.refusal);
    else if (value.patch) await this.#patch(value);
    else if (value === this.newestScene) await this.#show(value);
    if (value.job) this.#work();
    this.#invalidate();
  }

  /** Takes over what the answer says of its origin: the settings and the link. */
  #adopt({ settings, link }) {
    this.settings = settings;
    this.link = link;
    this.rail.update(settings);
    this.#showLink();
  }

  #showLink() {
    if (!this.link || !this.#inSight()) return;
    const kept = new URLSearchParams(location.search);
    for (const name of [...kept.keys()]) if (!['hide', '__theme'].includes(name)) kept.delete(name);
    const rest = kept.size ? `&${kept}` : '';
    history.replaceState(history.state, '', `${location.pathname}?${this.link}${rest}`);
  }

  async #show(scene) {
    const first = !this.scene;
    const keep = !first && scene.frames === this.scene.frames && scene.loop === this.scene.loop;
    this.scene = scene;
    if (!scene.partial) {
      this.settled = scene.link;
      this.progress.hide();
    }
    await this.#arrange(scene.views);
    this.bar.update({ ...scene, keepPosition: keep });
    this.header.update(scene);
    this.readouts.update(scene);
    this.folds.update(scene);
    this.painting.update(scene, this.settings, this.panels[0]);
    this.#say(scene.notice ?? this.parting);
    this.parting = null;
    this.stages.classList.add('vt-ready');
    if (first) {
      this.transport.autoplay();
      this.#addMenu();
    }
  }

  /** The share menu comes after the first picture, which needs the wire more. */
  async #addMenu() {
    const { exportMenu } = await import('./exporter.js');
    this.menu = exportMenu(this.ctx, () => this.exportable());
    this.bar.slot.append(this.menu.element);
  }

  /** Keeps the panels whose kind stays, so that nothing flickers; makes and removes the others. */
  async #arrange(views) {
    const old = this.panels;
    const made = views.map(async (view, index) => {
      const kept = old[index];
      if (kept?.view.kind === view.kind) return kept.show(view);
      const module = await PLAYERS[view.kind]();
      return new Panel(module, this.ctx).show(view);
    });
    const panels = await Promise.all(made);
    old.filter((panel) => !panels.includes(panel)).forEach((panel) => panel.destroy());
    this.panels = panels;
    const order = panels.map(({ element }) => element);
    if (order.some((element, index) => this.stages.children[index] !== element)) this.stages.append(...order);
    this.stages.dataset.count = panels.length;
  }

  async #patch(patch) {
    for (const change of patch.views) {
      const panel = this.panels.find(({ view }) => view.id === change.id);
      if (!panel) continue;
      await panel.player.update({ ...change, patch: true });
      panel.view = change.layers ? mergeView(panel.view, change) : { ...panel.view, ...change };
    }
    this.readouts.patch(patch.readouts);
    this.#keep(patch);
    if (patch.progress != null) this.progress.show(patch.progress, t(patch.doing));
  }

  /** Keeps what a patch changed, so that an export shows what is on the stage. */
  #keep({ readouts }) {
    if (!this.scene) return;
    const newest = Object.fromEntries(readouts.map((readout) => [readout.id, readout]));
    this.scene = {
      ...this.scene,
      views: this.panels.map(({ view }) => view),
      readouts: this.scene.readouts.map((readout) => newest[readout.id] ?? readout),
    };
  }

  #set(values) {
    this.bridge.set(values);
  }

  /** Applies a card's settings, and brings the stage that shows them into view. */
  #follow(link) {
    this.painting.stayClosed();
    this.#set({ link });
    this.root.scrollIntoView({ block: 'start', behavior: this.transport.reducedMotion ? 'auto' : 'smooth' });
    if (!this.transport.playing) this.transport.autoplay();
  }

  #work() {
    this.progress.show(null, word('queued'));
    this.bridge.job({});
  }

  #cancel() {
    this.bridge.stop({});
    this.parting = pair('cancelled');
    this.#say(this.parting);
    if (this.settled && this.settled !== this.link) this.#set({ link: this.settled });
  }

  /** Says a sentence over the stage, or takes the last one away; the picture stays as it is. */
  #say(sentence) {
    if (sentence) this.progress.hide();
    this.sentence = sentence;
    this.notice.hidden = !sentence;
    this.notice.textContent = t(sentence);
  }

  /** A player's event: a dragged handle asks while it moves and is settled when it is let go. */
  #emitted(name, { phase, x, y, index }) {
    const rounded = { x: Number(x.toFixed(3)), y: Number(y.toFixed(3)) };
    if (name === 'pick' && this.scene.pick) this.#set(this.#named(this.scene.pick, rounded));
    if (name !== 'drag') return;
    if (phase === 'end') this.#set(this.#named(this.scene.drag, rounded));
    else this.bridge.act({ action: this.scene.drag.action, index, ...rounded });
  }

  /** Names a point's coordinates as the settings that hold them. */
  #named({ fields: [first, second] }, { x, y }) {
    return second ? { [first]: x, [second]: y } : { [first]: x };
  }

  #relabel() {
    this.header.relabel();
    this.bar.relabel();
    this.readouts.relabel();
    this.folds.relabel();
    this.painting.relabel();
    this.menu?.relabel();
    this.panels.forEach((panel) => panel.relabel());
    this.notice.textContent = t(this.sentence);
    this.#invalidate();
  }

  /** What the exporter needs: the scene, its players and the transport. */
  exportable() {
    const players = this.panels.map(({ view, player }) => ({ view, player }));
    const { title, idea } = this.lab;
    return { scene: this.scene, players, transport: this.transport, title, idea, root: this.root };
  }
}

/** One panel of the stage: a title, a note, and the player below them. */
class Panel {
  constructor(module, ctx) {
    this.host = make('div', { class: 'vt-host' });
    this.title = make('b');
    this.note = make('span');
    this.element = make('section', { class: 'vt-panel' }, [
      make('div', { class: 'vt-panel-head' }, [this.title, this.note]), this.host,
    ]);
    this.player = module.mount(this.host, ctx);
  }

  async show(view) {
    this.view = view;
    this.element.dataset.view = view.id;
    this.relabel();
    await this.player.update(view);
    return this;
  }

  relabel() {
    this.title.textContent = t(this.view.title);
    this.note.textContent = t(this.view.note);
    this.element.setAttribute('aria-label', t(this.view.title));
  }

  destroy() {
    this.player.destroy();
    this.element.remove();
  }
}

/** The progress of a job, with a button that cancels it. */
class Progress {
  constructor(cancel) {
    this.meter = make('progress', { max: '1' });
    this.doing = make('span');
    this.button = make('button', { class: 'vt-button vt-text', type: 'button', on: { click: cancel } });
    this.element = make('div', { class: 'vt-progress', hidden: true }, [this.meter, this.doing, this.button]);
  }

  show(share, doing) {
    if (share == null) this.meter.removeAttribute('value');
    else this.meter.value = share;
    this.doing.textContent = doing || word('working');
    this.button.textContent = word('cancel');
    this.element.hidden = false;
  }

  hide() {
    this.element.hidden = true;
  }
}

function toggleFullscreen(root) {
  if (document.fullscreenElement) document.exitFullscreen();
  else root.requestFullscreen?.();
}
