/**
 * The player of a view that an exported page cannot play: the picture it showed when it was
 * exported. It has what every player has, and does not move.
 */

import { make } from './dom.js';

/**
 * Mounts a player.
 *
 * @param {HTMLElement} host gives the size; is emptied by destroy()
 * @param {object} ctx the stage's context
 * @returns {object} {update, draw, describe, snapshot, table, destroy}; its view is {kind: "still",
 *   source: a data URL, said: {en, zh} or text, table: {columns, rows}}
 */
export function mount(host, ctx) {
  const picture = make('img', { class: 'vt-still' });
  let view = null;
  host.append(picture);
  return {
    update: async (next) => {
      view = next;
      picture.src = view.source;
      await picture.decode();
    },
    draw: () => (picture.alt = ctx.t(view?.title)),
    describe: () => view?.said ?? '',
    snapshot: async (position, width, height) => {
      const canvas = Object.assign(document.createElement('canvas'), { width, height });
      canvas.getContext('2d').drawImage(picture, 0, 0, width, height);
      return canvas;
    },
    table: () => view?.table ?? { columns: [], rows: [] },
    destroy: () => host.replaceChildren(),
  };
}
