/**
 * The player of Plotly figures: axes and hover where they pay. Plotly is fetched when the first
 * figure is shown. A colour written "role:model" (or "role:model@0.3", translucent) anywhere in the
 * figure is the palette's.
 */

import { make, number } from './dom.js';
import { alpha, roleColour } from './palette.js';

const ROLE = /^role:([a-z0-9-]+)(?:@([\d.]+))?$/;

const OPTIONS = { displayModeBar: false, responsive: false, doubleClick: 'reset' };

const BYTES = {
  f8: Float64Array, f4: Float32Array,
  i4: Int32Array, i2: Int16Array, i1: Int8Array,
  u4: Uint32Array, u2: Uint16Array, u1: Uint8Array,
};

const WORDS = {
  at: { en: (x) => `at ${x}`, zh: (x) => `在 ${x} 处` },
  none: { en: 'no values', zh: '没有数值' },
};

let loading = null;

/** Fetches Plotly once; it is a classic script that leaves one global. */
function loadPlotly(url) {
  if (window.Plotly) return Promise.resolve(window.Plotly);
  loading ??= new Promise((resolve, reject) => {
    const script = make('script', { src: url, async: true });
    script.addEventListener('load', () => resolve(window.Plotly));
    script.addEventListener('error', () => {
      loading = null;
      reject(new Error(`Plotly could not be loaded from ${url}.`));
    });
    document.head.append(script);
  });
  return loading;
}

/**
 * Mounts a player.
 *
 * @param {HTMLElement} host gives the size; is emptied by destroy()
 * @param {object} ctx the stage's context
 * @returns {object} {update, draw, describe, snapshot, table, destroy}
 */
export function mount(host, ctx) {
  const player = new Plot(host, ctx);
  return {
    update: (view) => player.update(view),
    draw: (position) => player.draw(position),
    describe: (position) => player.describe(position),
    snapshot: (position, width, height) => player.snapshot(position, width, height),
    table: () => player.table(),
    destroy: () => player.destroy(),
  };
}

/** Picks the viewer's language wherever the figure holds a pair {en, zh}. */
export function inLanguage(figure, t) {
  if (Array.isArray(figure)) return figure.map((entry) => inLanguage(entry, t));
  if (figure === null || typeof figure !== 'object' || ArrayBuffer.isView(figure)) return figure;
  if ('en' in figure && 'zh' in figure) return t(figure);
  return Object.fromEntries(Object.entries(figure).map(([key, entry]) => [key, inLanguage(entry, t)]));
}

/**
 * Puts the palette's colours in place of roles.
 *
 * @param {*} figure any JSON
 * @param {object} colours of the palette
 * @returns {*} the same JSON, with CSS colours
 */
export function withColours(figure, colours) {
  if (typeof figure === 'string') {
    const [, role, opacity] = ROLE.exec(figure) ?? [];
    if (!role) return figure;
    return opacity ? alpha(roleColour(colours, role), Number(opacity)) : roleColour(colours, role);
  }
  if (Array.isArray(figure)) return figure.map((entry) => withColours(entry, colours));
  if (figure === null || typeof figure !== 'object' || ArrayBuffer.isView(figure)) return figure;
  return Object.fromEntries(Object.entries(figure).map(([key, entry]) => [key, withColours(entry, colours)]));
}

class Plot {
  constructor(host, ctx) {
    Object.assign(this, { host, ctx, view: null, plotly: null, drawn: null });
    this.element = make('div', { class: 'vt-plot', role: 'img' });
    this.cursor = make('i', { class: 'vt-cursor', hidden: true });
    host.classList.add('vt-plot-host');
    host.append(this.element, this.cursor);
    this.resized = new ResizeObserver(() => {
      this.drawn = null;
      ctx.invalidate();
    });
    this.resized.observe(host);
  }

  /** Shows another figure, or other fields of the one shown. */
  async update(view) {
    this.view = { ...(view.patch ? this.view : {}), ...view };
    this.drawn = null;
    this.plotly = await loadPlotly(this.ctx.asset('plotly.min.js'));
    this.ctx.invalidate();
  }

  draw(position) {
    if (!this.plotly || !this.view || this.host.clientWidth === 0) return;
    const colours = this.ctx.palette();
    this.position = position;
    const locale = this.ctx.locale();
    if (this.drawn !== colours || this.spoken !== locale) this.react(colours);
    this.drawn = colours;
    this.spoken = locale;
    this.moveCursor(position);
  }

  react(colours) {
    const { clientWidth: width, clientHeight: height } = this.host;
    const { data, layout } = this.figure(colours, width, height);
    this.plotly.react(this.element, data, layout, OPTIONS);
    this.element.removeAllListeners('plotly_afterplot');
    this.element.on('plotly_afterplot', () => this.moveCursor(this.position));
    this.element.setAttribute('aria-label', this.ctx.t(this.view.title));
  }

  /** The figure in the page's fonts and colours; what the lab itself asked for comes last. */
  figure(colours, width, height) {
    const { data = [], layout = {} } = withColours(inLanguage(this.view.figure, this.ctx.t), colours);
    const axes = Object.keys(layout).filter((key) => /^[xy]axis\d*$/.test(key));
    const styled = {};
    for (const name of new Set(['xaxis', 'yaxis', ...axes])) {
      const title = { ...layout[name]?.title, font: { size: 13, color: colours.ink2 } };
      styled[name] = { ...axis(colours), ...layout[name], title };
    }
    const base = {
      margin: { l: 52, r: 16, t: 40, b: 44 },
      paper_bgcolor: 'rgba(0,0,0,0)',
      plot_bgcolor: 'rgba(0,0,0,0)',
      font: { family: colours.sans, size: 13, color: colours.ink },
      colorway: ['data', 'model', 'truth', 'cond', 'noise', 'warn'].map((role) => colours[role]),
      hoverlabel: {
        bgcolor: colours.paper,
        bordercolor: colours.line,
        font: { color: colours.ink, family: colours.sans, size: 13 },
      },
      hovermode: 'closest',
      legend: { orientation: 'h', x: 1, xanchor: 'right', y: 1, yanchor: 'bottom', font: { size: 13, color: colours.ink2 } },
    };
    return { data, layout: { ...base, ...layout, ...styled, width, height, autosize: false } };
  }

  /** The x of the cursor at a position, or null. */
  cursorX(position) {
    const values = this.view.cursor?.x;
    if (!values?.length) return null;
    const low = Math.min(values.length - 1, Math.floor(position));
    const next = values[Math.min(values.length - 1, low + 1)];
    return values[low] + (next - values[low]) * (position - low);
  }

  /** Moves a line over the plot, which is far cheaper than asking Plotly for a new layout. Plotly
   * may still shift its axes after drawing, to make room for labels; then it moves again. */
  moveCursor(position) {
    const x = this.cursorX(position);
    const { xaxis, yaxis } = this.element._fullLayout ?? {};
    this.cursor.hidden = x === null || !xaxis;
    if (this.cursor.hidden) return;
    const offset = xaxis.d2p(x);
    this.cursor.hidden = !(offset >= -1 && offset <= xaxis._length + 1);
    this.cursor.style.transform = `translate(${xaxis._offset + offset}px, ${yaxis._offset}px)`;
    this.cursor.style.height = `${yaxis._length}px`;
  }

  describe(position) {
    if (!this.view) return '';
    const language = this.ctx.locale();
    const x = this.cursorX(position);
    const parts = this.traces().map(({ name, xs, ys }) => {
      if (ys.length === 0) return `${name}: ${WORDS.none[language]}`;
      if (x === null) return `${name}: ${number(lowest(ys))} … ${number(highest(ys))}`;
      return `${name}: ${number(ys[nearestIndex(xs, x)])}`;
    });
    const where = x === null ? '' : `${WORDS.at[language](number(x))}${language === 'zh' ? '：' : ': '}`;
    return `${where}${parts.join('; ')}.`;
  }

  /** The traces that have numbers, decoded where plotly.py sent bytes. */
  traces() {
    return (this.view?.figure.data ?? []).map((trace, index) => {
      const ys = listOf(trace.y);
      const xs = trace.x === undefined ? ys.map((_, i) => i) : listOf(trace.x);
      return { name: trace.name ?? `${index + 1}`, xs, ys };
    });
  }

  table() {
    const rows = this.traces().flatMap(({ name, xs, ys }) => ys.map((y, i) => [name, xs[i], y]));
    return { columns: ['trace', 'x', 'y'], rows };
  }

  async snapshot(position, width, height) {
    const canvas = Object.assign(document.createElement('canvas'), { width, height });
    const colours = this.ctx.palette();
    const g = canvas.getContext('2d');
    g.fillStyle = colours.stage;
    g.fillRect(0, 0, width, height);
    if (!this.plotly || !this.view) return canvas;
    const scale = Math.max(0.5, Math.min(width / (this.host.clientWidth || 480), height / (this.host.clientHeight || 480)));
    const [drawnWidth, drawnHeight] = [width / scale, height / scale];
    const { data, layout } = this.figure(colours, drawnWidth, drawnHeight);
    const x = this.cursorX(position);
    if (x !== null) layout.shapes = [...(layout.shapes ?? []), cursorShape(x, colours)];
    const size = { width: drawnWidth, height: drawnHeight, scale };
    const picture = new Image();
    picture.src = await this.plotly.toImage({ data, layout }, { format: 'png', ...size });
    await picture.decode();
    g.drawImage(picture, 0, 0, width, height);
    return canvas;
  }

  destroy() {
    this.resized.disconnect();
    this.plotly?.purge(this.element);
    this.host.classList.remove('vt-plot-host');
    this.host.replaceChildren();
  }
}

function axis(colours) {
  return {
    gridcolor: colours.line,
    linecolor: colours.line,
    zerolinecolor: colours.line,
    tickfont: { size: 11, color: colours.ink2, family: colours.mono },
    automargin: true,
  };
}

function cursorShape(x, { ink }) {
  return { type: 'line', x0: x, x1: x, y0: 0, y1: 1, yref: 'paper', line: { color: ink, width: 1.5 } };
}

/** A list of numbers, which plotly.py may have sent as {dtype, bdata}. */
function listOf(values) {
  if (!values?.bdata) return [...(values ?? [])];
  const bytes = Uint8Array.from(atob(values.bdata), (letter) => letter.charCodeAt(0));
  return [...new BYTES[values.dtype](bytes.buffer)];
}

const lowest = (values) => values.reduce((least, value) => (value !== null && value < least ? value : least), Infinity);
const highest = (values) => values.reduce((most, value) => (value !== null && value > most ? value : most), -Infinity);

function nearestIndex(values, wanted) {
  return values.reduce((best, value, i) => (Math.abs(value - wanted) < Math.abs(values[best] - wanted) ? i : best), 0);
}
