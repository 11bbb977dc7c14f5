/** The page around the labs: language, theme, presenter mode and the help overlay. */

import { make } from './dom.js';
import { icon } from './icons.js';
import { KEYS } from './transport.js';
import { LANGUAGES, locale, t, word } from './words.js';

/** Mounts the tools at the upper right into Gradio's element. */
export function mount(element) {
  const tools = element.querySelector('.vt-tools');
  if (!tools || tools.childElementCount) return;
  const language = make('button', { type: 'button', class: 'vt-button vt-text', on: { click: switchLanguage } });
  const theme = button('theme', switchTheme);
  const presenter = button('presenter', togglePresenter);
  const help = button('help', showHelp);
  tools.append(language, theme, presenter, help);
  const leave = make('button', { type: 'button', class: 'vt-button vt-leave', on: { click: togglePresenter } }, [icon('close')]);
  document.body.append(leave);
  const relabel = () => {
    language.textContent = word('language');
    describe(language, word('switchLanguage'));
    describe(theme, word('theme'));
    describe(presenter, word('presenter'));
    describe(help, word('help'));
    describe(leave, word('leavePresenter'));
  };
  new MutationObserver(relabel).observe(document.documentElement, { attributeFilter: ['lang'] });
  relabel();
  restoreLanguage();
}

function button(name, click) {
  return make('button', { type: 'button', class: 'vt-button', on: { click } }, [icon(name)]);
}

function describe(element, text) {
  element.title = text;
  element.setAttribute('aria-label', text);
}

function restoreLanguage() {
  const asked = new URLSearchParams(location.search).get('language') ?? localStorage.getItem('vitrine-language');
  if (LANGUAGES.includes(asked) && asked !== locale()) setLanguage(asked);
}

function switchLanguage() {
  const next = locale() === 'zh' ? 'en' : 'zh';
  localStorage.setItem('vitrine-language', next);
  setLanguage(next);
}

/** Gradio translates its own components; its translator lives in its core module. */
async function setLanguage(language) {
  const core = performance.getEntriesByType('resource').map(({ name }) => name).find((name) => /\/core-[^/]*\.js/.test(name));
  const { changeLocale } = core ? await import(core) : {};
  if (changeLocale) await changeLocale(language === 'zh' ? 'zh-CN' : 'en');
  else document.documentElement.lang = language;
}

function switchTheme() {
  const dark = document.body.classList.toggle('dark');
  localStorage.setItem('vitrine-theme', dark ? 'dark' : 'light');
}

/** Presenter mode: the stage alone, larger, for a projector. */
export function togglePresenter() {
  document.body.classList.toggle('vt-presenter');
  window.dispatchEvent(new Event('resize'));
}

/** Shows the keys; one declaration serves the keyboard and this list (transport.js). */
export function showHelp() {
  const close = make('button', { type: 'button', class: 'vt-button', 'aria-label': word('close'), title: word('close') }, [icon('close')]);
  const rows = KEYS.map(({ keys, ...texts }) =>
    make('tr', {}, [make('th', { scope: 'row' }, keys.map((key) => make('kbd', { text: key }))), make('td', { text: t(texts) })]));
  const dialog = make('dialog', { class: 'vt-help', 'aria-label': word('help') }, [
    make('div', { class: 'vt-help-head' }, [make('h2', { text: word('keys') }), close]),
    make('table', {}, rows),
    make('p', { text: word('helpText') }),
  ]);
  close.addEventListener('click', () => dialog.close());
  dialog.addEventListener('click', (event) => event.target === dialog && dialog.close());
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
