/**
 * The icons: drawn on a 20 by 20 grid, one stroke of 1.6 in the colour of the text around them.
 */

const SOLID = 'fill="currentColor" stroke="none"';

const DRAWINGS = {
  play: `<path d="M6.6 4.4v11.2c0 .6.7 1 1.2.7l8.6-5.6a.8.8 0 0 0 0-1.4L7.8 3.7a.8.8 0 0 0-1.2.7z" ${SOLID}/>`,
  pause: `<rect x="5.3" y="4" width="3.2" height="12" rx="1" ${SOLID}/><rect x="11.5" y="4" width="3.2" height="12" rx="1" ${SOLID}/>`,
  stepBack: '<path d="M12.5 4.5 7 10l5.5 5.5"/>',
  stepForward: '<path d="M7.5 4.5 13 10l-5.5 5.5"/>',
  first: '<path d="M14.5 4.5 9 10l5.5 5.5M5.5 4.5v11"/>',
  last: '<path d="M5.5 4.5 11 10l-5.5 5.5M14.5 4.5v11"/>',
  loop: '<path d="M3.5 9.5A4 4 0 0 1 7.5 5.5h8M13 3l2.5 2.5L13 8M16.5 10.5a4 4 0 0 1-4 4h-8M7 17l-2.5-2.5L7 12"/>',
  bounce: '<path d="M3 10h14M6 6.5 2.8 10 6 13.5M14 6.5 17.2 10 14 13.5"/>',
  once: '<path d="M3 10h10.5M10.5 6.5 14 10l-3.5 3.5M17 5v10"/>',
  speed: '<path d="M3.6 14.5a7.2 7.2 0 1 1 12.8 0M10 11.5l3.2-4"/><circle cx="10" cy="11.5" r="1.1" fill="currentColor"/>',
  fullscreen: '<path d="M3.5 7.5v-4h4M12.5 3.5h4v4M16.5 12.5v4h-4M7.5 16.5h-4v-4"/>',
  fullscreenExit: '<path d="M7.5 3.5v4h-4M16.5 7.5h-4v-4M12.5 16.5v-4h4M3.5 12.5h4v4"/>',
  share: '<path d="M8.3 11.7a3.2 3.2 0 0 0 4.6 0l3-3a3.25 3.25 0 0 0-4.6-4.6l-1 1M11.7 8.3a3.2 3.2 0 0 0-4.6 0l-3 3a3.25 3.25 0 0 0 4.6 4.6l1-1"/>',
  download: '<path d="M10 3.5v9M6.3 9 10 12.7 13.7 9M3.8 16.5h12.4"/>',
  upload: '<path d="M10 13V4M6.3 7.5 10 3.8l3.7 3.7M3.8 16.5h12.4"/>',
  help: '<circle cx="10" cy="10" r="7"/><path d="M7.9 8a2.15 2.15 0 1 1 3.3 1.9c-.8.5-1.2.9-1.2 1.7"/><circle cx="10" cy="13.9" r=".9" fill="currentColor" stroke="none"/>',
  info: '<circle cx="10" cy="10" r="7"/><path d="M10 9.3v4.4"/><circle cx="10" cy="6.5" r=".9" fill="currentColor" stroke="none"/>',
  theme: '<circle cx="10" cy="10" r="6.8"/><path d="M10 3.2a6.8 6.8 0 0 1 0 13.6z" fill="currentColor"/>',
  language: '<circle cx="10" cy="10" r="7"/><path d="M3 10h14M10 3c2.4 2.1 3.3 4.4 3.3 7s-.9 4.9-3.3 7c-2.4-2.1-3.3-4.4-3.3-7s.9-4.9 3.3-7z"/>',
  presenter: '<path d="M3 4h14M4.3 4v8.5h11.4V4M10 12.5V15M6.8 17.2 10 15l3.2 2.2"/>',
  close: '<path d="M5 5l10 10M15 5 5 15"/>',
  cross: '<path d="M5.8 5.8l8.4 8.4M14.2 5.8l-8.4 8.4"/>',
  check: '<path d="M4 10.5l4 4 8-9"/>',
  plus: '<path d="M10 4.5v11M4.5 10h11"/>',
  minus: '<path d="M4.5 10h11"/>',
  chevron: '<path d="M5 7.5 10 12.5l5-5"/>',
  brush: '<path d="M16.6 3.4c-.8-.8-2-.7-2.7.1l-5.7 6.7 1.7 1.7 6.6-5.7c.8-.7.9-2 .1-2.8zM8 10.5c-1.9 0-2.9 1.2-3.1 2.9-.1 1-.6 1.8-1.7 2.3 2.9 1.3 6.7.6 6.7-2.9"/>',
  eraser: '<path d="M8 16.5 3.8 12.3a1.4 1.4 0 0 1 0-2l6.6-6.6a1.4 1.4 0 0 1 2 0l3.9 3.9a1.4 1.4 0 0 1 0 2L9.5 16.5zM7.2 7l5.9 5.9M8 16.5h8.5"/>',
  undo: '<path d="M7 4.5 3.5 8 7 11.5M3.8 8h8a4.2 4.2 0 0 1 0 8.5H8"/>',
  redo: '<path d="M13 4.5 16.5 8 13 11.5M16.2 8h-8a4.2 4.2 0 0 0 0 8.5H12"/>',
  trash: '<path d="M3.8 5.5h12.4M8 5.5V3.8h4v1.7M5.3 5.5l.7 10.2c0 .5.4.8.9.8h6.2c.5 0 .9-.3.9-.8l.7-10.2M8.3 8.7v4.6M11.7 8.7v4.6"/>',
  circle: '<circle cx="10" cy="10" r="6.2"/>',
  square: '<rect x="4.3" y="4.3" width="11.4" height="11.4" rx="1.2"/>',
  star: '<path d="M10 3.2l2.1 4.5 4.9.6-3.6 3.4.9 4.9-4.3-2.4-4.3 2.4.9-4.9L3 8.3l4.9-.6z"/>',
  line: '<path d="M4.5 15.5l11-11"/>',
  mirror: '<path d="M10 3v2M10 7.5v2M10 12v2M10 16.3v.9M7 6 2.8 14.5H7zM13 6l4.2 8.5H13z"/>',
  camera: '<path d="M3 7.3c0-.6.5-1 1-1h2.3l1.2-2h5l1.2 2H16c.6 0 1 .4 1 1v7.9c0 .6-.4 1-1 1H4c-.5 0-1-.4-1-1z"/><circle cx="10" cy="11" r="2.8"/>',
  cursor: '<path d="M5 3.5l10.5 5.3-4.6 1.5-1.8 4.6z"/>',
  pin: '<path d="M10 17.2c3-3.3 5-5.7 5-8.4a5 5 0 0 0-10 0c0 2.7 2 5.1 5 8.4z"/><circle cx="10" cy="8.7" r="1.7"/>',
  search: '<circle cx="8.8" cy="8.8" r="5.3"/><path d="M12.8 12.8l4 4"/>',
  code: '<path d="M7 5.5 2.8 10 7 14.5M13 5.5l4.2 4.5L13 14.5"/>',
  copy: '<rect x="7" y="7" width="9.5" height="9.5" rx="1.6"/><path d="M13 7V5.1c0-.9-.7-1.6-1.6-1.6H5.1c-.9 0-1.6.7-1.6 1.6v6.3c0 .9.7 1.6 1.6 1.6H7"/>',
  menu: '<path d="M3.5 6h13M3.5 10h13M3.5 14h13"/>',
};

/** The names of all icons. */
export const names = Object.freeze(Object.keys(DRAWINGS));

/**
 * An icon as markup, hidden from screen readers: the button around it carries the label.
 *
 * @param {string} name one of `names`
 * @param {{size?: number}} options size in CSS pixels
 * @returns {string} an svg element
 * @throws {RangeError} if there is no such icon
 */
export function svg(name, { size = 20 } = {}) {
  if (!Object.hasOwn(DRAWINGS, name)) throw new RangeError(`icon must be one of ${names.join(', ')}, got ${name}.`);
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 20 20" width="${size}" height="${size}" ` +
    `fill="none" stroke="currentColor" stroke-width="1.6" stroke-linecap="round" ` +
    `stroke-linejoin="round" aria-hidden="true" focusable="false">${DRAWINGS[name]}</svg>`
  );
}

/**
 * An icon as an element.
 *
 * @param {string} name one of `names`
 * @param {{size?: number}} options size in CSS pixels
 * @returns {SVGElement} a new element
 * @throws {RangeError} if there is no such icon
 */
export function icon(name, options) {
  const holder = document.createElement('template');
  holder.innerHTML = svg(name, options);
  return holder.content.firstElementChild;
}
