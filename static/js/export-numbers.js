/**
 * The numbers shown, as CSV and JSON.
 */

/** Significant digits: the positions on the wire have fewer. */
const DIGITS = 7;

/**
 * A readout at a moment.
 *
 * @param {object} readout of a scene; its values are one, or one per keyframe
 * @param {number} position frame position
 * @param {number} frames of the scene
 * @returns {*} a number, a text, a pair {en, zh} or null
 */
export function readoutAt({ values }, position, frames) {
  if (!Array.isArray(values)) return values;
  return values[Math.round((position / Math.max(1, frames - 1)) * (values.length - 1))];
}

/**
 * All numbers: the readouts and ticks at every frame, and each view's table at the frame in sight.
 *
 * @param {object} stage {scene, players, transport, title} as the exporter gets it
 * @param {string} link the address of the picture
 * @returns {object} JSON
 */
export function numbersOf({ scene, players, transport, title }, link) {
  const { settings, frames, seconds, ticks, readouts, legend, badge, python } = scene;
  return {
    title, lab: scene.lab, link, settings, python, badge, legend, frames, seconds,
    frame: transport.frame,
    ticks,
    readouts: readouts.map(({ id, label, unit, values }) => ({ id, label, unit, values })),
    views: players.map(({ view, player }) => {
      const { columns, rows } = player.table(transport.position);
      return { id: view.id, kind: view.kind, title: view.title, columns, rows: rows.map((row) => row.map(shortened)) };
    }),
  };
}

/**
 * The same numbers as one table: a row per number of a view, then a row per frame of a readout.
 *
 * @param {object} numbers what numbersOf gave
 * @param {(pair: object) => string} t picks the viewer's language
 * @returns {string} CSV as RFC 4180 has it
 */
export function csvOf({ views, readouts, ticks, frame, frames }, t) {
  const symbol = ticks?.symbol ?? 'tick';
  const inViews = views.flatMap((view) => view.columns);
  const columns = [...new Set(['view', 'frame', symbol, 'layer', 'index', ...inViews, 'value', 'unit'])];
  const tick = (at) => ({ [symbol]: ticks?.values[at] });
  const rows = views.flatMap((view) => view.rows.map((row) => {
    const own = Object.fromEntries(view.columns.map((name, i) => [name, row[i]]));
    return { view: view.id, frame, ...tick(frame), ...own };
  }));
  for (const readout of readouts) {
    const last = Array.isArray(readout.values) ? frames : 1;
    for (let at = 0; at < last; at++) {
      const value = readoutAt(readout, at, frames);
      const text = value !== null && typeof value === 'object' ? t(value) : value;
      const when = last > 1 ? { frame: at, ...tick(at) } : {};
      rows.push({ view: 'readouts', ...when, layer: readout.id, value: text, unit: readout.unit });
    }
  }
  const lines = [columns, ...rows.map((row) => columns.map((name) => row[name]))];
  return lines.map((line) => line.map(cell).join(',')).join('\r\n') + '\r\n';
}

/**
 * One cell. A text that a spreadsheet would run as a formula gets an apostrophe in front.
 *
 * @param {*} value
 * @returns {string}
 */
export function cell(value) {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number') return Number.isFinite(value) ? String(shortened(value)) : '';
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function shortened(value) {
  return typeof value === 'number' ? Number(value.toPrecision(DIGITS)) : value;
}
