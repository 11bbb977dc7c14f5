/**
 * What the parts of the tiles player share: the blocks at work, and how text is written.
 *
 * A brush is {g, plan, trace, colours, language, ratio, moment, chosen}: the 2-D context in CSS
 * pixels, the layout, the trace, the palette's colours, "en" or "zh", pixels per CSS pixel, the
 * moment that Trace.moment() gave, and the row the viewer chose, or null.
 */

/** The queries and keys of the current step: [first, past the last] each, or null. */
export function currentBlocks({ trace, moment }) {
  if (moment.done === 0) return { rows: null, cols: null };
  const [i, j] = [trace.columns.i[moment.step], trace.columns.j[moment.step]];
  return { rows: i < 0 ? null : trace.rowsOf(i), cols: j < 0 ? null : trace.colsOf(j), i, j };
}

/** The row whose numbers are written out: the chosen one; while none is, the first at work. */
export const focusRow = (brush) => brush.chosen ?? currentBlocks(brush).rows?.[0] ?? null;

/** Whether an index lies in [first, past the last], which may be null. */
export const inside = (range, index) => range !== null && index >= range[0] && index < range[1];

/** Writes a text in one line, its middle at y. */
export function write(g, text, x, y, font, colour, align = 'left') {
  Object.assign(g, { font, fillStyle: colour, textAlign: align, textBaseline: 'middle', globalAlpha: 1 });
  g.fillText(text, x, y);
}

const cuts = new Map();

const SEGMENTERS = {
  grapheme: new Intl.Segmenter(),
  word: new Intl.Segmenter(undefined, { granularity: 'word' }),
};

/**
 * A text cut to a width, with an ellipsis; whole characters, as a reader counts them, or whole
 * words. A number is never cut: its first digits would be another number.
 */
export function fitted(g, text, width, font, unit = 'grapheme') {
  const key = `${unit}|${font}|${Math.round(width)}|${text}`;
  if (cuts.has(key)) return cuts.get(key);
  g.font = font;
  let shown = text;
  const whole = /^\d*$/.test(text) || g.measureText(text).width <= width;
  const parts = whole ? [] : [...SEGMENTERS[unit].segment(text)];
  for (let count = parts.length - 1; count > 0 && g.measureText(shown).width > width; count--) {
    shown = `${parts.slice(0, count).map(({ segment }) => segment).join('').trimEnd()}…`;
  }
  if (cuts.size > 4000) cuts.clear();
  cuts.set(key, shown);
  return shown;
}

/** The first of some texts, longest first, that fits a width; else the last, cut after a word. */
export function longest(g, texts, width, font) {
  g.font = font;
  return texts.find((text) => g.measureText(text).width <= width) ?? fitted(g, texts.at(-1), width, font, 'word');
}
