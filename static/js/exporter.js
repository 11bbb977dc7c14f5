/**
 * The menu that shares a stage: its link, its code, a picture, an animation, the numbers, a page.
 */

import { make } from './dom.js';
import { Word, copy, download, fileName, offer } from './export-delivery.js';
import { icon } from './icons.js';

const WORDS = {
  share: { en: 'Share', zh: '分享' },
  link: { en: 'Copy link', zh: '复制链接' },
  python: { en: 'Copy Python', zh: '复制 Python 代码' },
  png: { en: 'Picture', zh: '图片' },
  gif: { en: 'Animation', zh: '动画' },
  webm: { en: 'Video', zh: '视频' },
  csv: { en: 'Table', zh: '表格' },
  json: { en: 'Data', zh: '数据' },
  html: { en: 'Page that plays offline', zh: '可离线播放的网页' },
  copied: { en: 'Copied', zh: '已复制' },
  saved: { en: 'Saved {name}', zh: '已保存 {name}' },
  making: { en: 'Making the {kind}…', zh: '正在生成 {kind}…' },
  cancel: { en: 'Cancel', zh: '取消' },
  cancelled: { en: 'Cancelled', zh: '已取消' },
  failed: { en: 'The {kind} could not be made: {why}', zh: '无法生成 {kind}：{why}' },
  byHand: { en: 'Copy this text:', zh: '请手动复制：' },
  close: { en: 'Close', zh: '关闭' },
  still: { en: 'Nothing moves here.', zh: '这里没有动画。' },
  noVideo: { en: 'This browser records no video.', zh: '此浏览器无法录制视频。' },
  noPython: { en: 'There is no code for this picture.', zh: '此画面没有对应代码。' },
};

/** Widths of what is made, in CSS pixels: a picture as wide as the stage, the others as their use wants. */
const PICTURE = { least: 640, most: 1280, scale: 2 };
const GIF_WIDTH = 640;
const VIDEO = { width: 960, scale: 4 / 3 };

/**
 * Builds the menu.
 *
 * @param {object} ctx the stage's context
 * @param {() => object} getStage gives {scene, players: [{view, player}], transport, title, idea,
 *   root} as they are when an item is chosen; title and idea may be texts or pairs {en, zh}
 * @returns {{element: Element, relabel: () => void, destroy: () => void}}
 */
export function exportMenu(ctx, getStage) {
  const menu = new Menu(ctx, getStage);
  return { element: menu.element, relabel: () => menu.relabel(), destroy: () => menu.destroy() };
}

const ITEMS = [
  { name: 'link', icon: 'share', run: (menu) => menu.copy(menu.link()) },
  { name: 'python', icon: 'code', run: (menu) => menu.copy(menu.stage().scene.python), needs: hasCode },
  { rule: true },
  { name: 'png', file: 'PNG', icon: 'camera', run: (menu) => menu.make('png', png) },
  { name: 'gif', file: 'GIF', icon: 'play', run: (menu) => menu.make('gif', gif), needs: moves },
  { name: 'webm', file: 'WebM', icon: 'play', run: (menu) => menu.make('webm', webm), needs: records },
  { rule: true },
  { name: 'csv', file: 'CSV', icon: 'download', run: (menu) => menu.make('csv', csv) },
  { name: 'json', file: 'JSON', icon: 'download', run: (menu) => menu.make('json', json) },
  { rule: true },
  { name: 'html', file: 'HTML', icon: 'presenter', run: (menu) => menu.make('html', html) },
];

// What an item needs: null where it is there, else the word that says what is missing.

function hasCode({ scene }) {
  return scene.python ? null : 'noPython';
}

function moves({ scene }) {
  return scene.frames > 1 ? null : 'still';
}

function records(stage) {
  const able = typeof MediaRecorder !== 'undefined' && MediaRecorder.isTypeSupported('video/webm');
  return moves(stage) ?? (able ? null : 'noVideo');
}

class Menu {
  constructor(ctx, getStage) {
    Object.assign(this, { ctx, getStage, job: null });
    this.label = make('span');
    const closed = { 'aria-haspopup': 'menu', 'aria-expanded': 'false' };
    this.button = make('button', { type: 'button', class: 'vt-button vt-text', ...closed }, [
      icon('share', { size: 16 }), this.label, icon('chevron', { size: 12 }),
    ]);
    this.items = ITEMS.filter(({ name }) => name).map((item) => this.#item(item));
    const made = [...this.items];
    this.list = make('div', { class: 'vt-export-menu', role: 'menu', popover: 'auto' },
      ITEMS.map(({ rule }) => (rule ? make('hr') : made.shift().element)));
    this.element = make('div', { class: 'vt-export' }, [this.button, this.list]);
    this.word = new Word(() => getStage().root ?? document.body);
    this.#listen();
    this.relabel();
  }

  #item(item) {
    const [name, file] = [make('span'), make('small')];
    const element = make('button', { type: 'button', role: 'menuitem', tabindex: '-1', 'data-item': item.name }, [
      icon(item.icon, { size: 18 }), name, file,
    ]);
    element.addEventListener('click', () => this.#choose(item));
    return { ...item, element, label: name, remark: file };
  }

  #listen() {
    this.button.addEventListener('pointerdown', () => (this.wasOpen = this.open));
    this.button.addEventListener('click', (event) => {
      if (!(this.wasOpen && event.detail)) this.#show();
      this.wasOpen = false;
    });
    this.button.addEventListener('keydown', (event) => {
      if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return;
      event.preventDefault();
      this.#show(event.key === 'ArrowUp' ? -1 : 0);
    });
    this.list.addEventListener('keydown', (event) => this.#key(event));
    this.list.addEventListener('toggle', ({ newState }) => {
      this.button.setAttribute('aria-expanded', String(newState === 'open'));
    });
  }

  get open() {
    return this.list.matches(':popover-open');
  }

  #show(first = 0) {
    const stage = this.stage();
    if (!stage.scene) return;
    for (const { element, remark, needs, file } of this.items) {
      const why = needs?.(stage);
      element.setAttribute('aria-disabled', String(Boolean(why)));
      remark.textContent = why ? this.say(why) : (file ?? '');
    }
    this.list.showPopover();
    this.#place();
    this.items.at(first).element.focus();
  }

  /** Below its button, or above where there is more room, and within the window. */
  #place() {
    const [button, list] = [this.button.getBoundingClientRect(), this.list.getBoundingClientRect()];
    const below = innerHeight - button.bottom;
    const top = below >= list.height + 8 || below > button.top ? button.bottom + 4 : button.top - list.height - 4;
    const left = Math.min(innerWidth - list.width - 8, button.right - list.width);
    Object.assign(this.list.style, {
      top: `${Math.max(8, Math.min(top, innerHeight - list.height - 8))}px`,
      left: `${Math.max(8, left)}px`,
    });
  }

  #key(event) {
    const elements = this.items.map(({ element }) => element);
    const at = elements.indexOf(document.activeElement);
    const moves = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 };
    if (event.key === 'Tab') this.list.hidePopover();
    if (event.key === 'Escape') this.button.focus();
    if (Object.hasOwn(moves, event.key)) {
      event.preventDefault();
      elements.at(moves[event.key] % elements.length).focus();
    } else if (event.key.length === 1 && event.key !== ' ') {
      const letter = event.key.toLowerCase();
      const rest = [...elements.slice(at + 1), ...elements.slice(0, at + 1)];
      rest.find((element) => element.textContent.trim().toLowerCase().startsWith(letter))?.focus();
      event.preventDefault(); // the stage's letters rest while a menu is open
    }
  }

  #choose(item) {
    if (item.needs?.(this.stage())) return;
    this.list.hidePopover();
    this.button.focus();
    item.run(this);
  }

  stage() {
    return this.getStage();
  }

  /** The address of what is shown. */
  link() {
    const { origin, pathname } = location;
    return `${origin}${pathname}?${this.stage().scene.link}`;
  }

  say(name, parts = {}) {
    return this.ctx.t(WORDS[name]).replace(/\{(\w+)\}/g, (_, part) => parts[part]);
  }

  async copy(text) {
    if (await copy(text)) this.word.say(this.say('copied'));
    else offer(text, { title: this.say('byHand'), close: this.say('close') });
  }

  /** Makes a file, with its progress in sight; one at a time. */
  async make(extension, maker) {
    this.job?.abort();
    const job = (this.job = new AbortController());
    const { signal } = job;
    const stage = { ...this.stage() };
    const kind = this.items.find(({ name }) => name === extension).file;
    const played = stage.transport.playing;
    const progress = this.word.follow(this.say('making', { kind }), this.say('cancel'), () => job.abort());
    stage.transport.pause();
    try {
      const blob = await maker({ ctx: this.ctx, stage, link: this.link(), progress, signal });
      signal.throwIfAborted();
      const name = fileName(stage.scene.lab, extension);
      download(blob, name);
      this.word.say(this.say('saved', { name }));
    } catch (error) {
      if (error.name !== 'AbortError') this.word.say(this.say('failed', { kind, why: error.message }));
      else if (this.job === job) this.word.say(this.say('cancelled'));
    } finally {
      if (played) stage.transport.play();
    }
  }

  /** Follows the language. */
  relabel() {
    this.label.textContent = this.say('share');
    this.list.setAttribute('aria-label', this.say('share'));
    for (const { name, label } of this.items) label.textContent = this.say(name);
  }

  destroy() {
    this.job?.abort();
    this.word.destroy();
    this.element.remove();
  }
}

// The makers load their modules when they are first used: nobody pays for an export by not exporting.

async function png({ ctx, stage, link }) {
  const { picture } = await import('./export-picture.js');
  const shown = stage.root?.querySelector('.vt-stages')?.clientWidth ?? 0;
  const width = Math.min(PICTURE.most, Math.max(PICTURE.least, shown));
  const plan = picture(ctx, titled(ctx, stage), link, { width, scale: PICTURE.scale });
  const canvas = await plan.paint(stage.transport.position);
  return new Promise((resolve) => canvas.toBlob(resolve, 'image/png'));
}

async function gif({ ctx, stage, link, ...job }) {
  const [{ picture }, animation] = await Promise.all([import('./export-picture.js'), import('./export-animation.js')]);
  return animation.gif(picture(ctx, titled(ctx, stage), link, { width: GIF_WIDTH, scale: 1 }), stage.scene, job);
}

async function webm({ ctx, stage, link, ...job }) {
  const [{ picture }, animation] = await Promise.all([import('./export-picture.js'), import('./export-animation.js')]);
  return animation.webm(picture(ctx, titled(ctx, stage), link, VIDEO), stage.scene, job);
}

async function csv({ ctx, stage, link }) {
  const { csvOf, numbersOf } = await import('./export-numbers.js');
  return new Blob([csvOf(numbersOf(stage, link), ctx.t)], { type: 'text/csv' });
}

async function json({ stage, link }) {
  const { numbersOf } = await import('./export-numbers.js');
  return new Blob([JSON.stringify(numbersOf(stage, link))], { type: 'application/json' });
}

async function html({ ctx, stage, link }) {
  const { page } = await import('./export-page.js');
  return page(ctx, stage, link);
}

/** The stage with its title in the viewer's language. */
function titled(ctx, stage) {
  return { ...stage, title: typeof stage.title === 'string' ? stage.title : ctx.t(stage.title) };
}
