/**
 * The sheet: how the board looks on the screen. Stage paper with the stage's own grid, ink in the
 * colour of data, the brush under the pointer.
 */

import { make } from './dom.js';
import { BOARD } from './painter-board.js';
import { createPalette } from './palette.js';
import { Camera, drawGrid } from './particles-camera.js';

/** Finer screens than this are drawn at this many pixels per CSS pixel: the eye cannot tell. */
const FINEST = 2;

/** Where the painting lies when nobody says so. */
const ALONE = [-2.4, 2.4, -2.4, 2.4];

export class Sheet {
  /**
   * @param {Board} board
   * @param {{extent?: number[], square?: number[]}} place what of the plane the sheet shows, and
   *   where in it the painting lies: [x_min, x_max, y_min, y_max] each
   */
  constructor(board, { square, extent }) {
    Object.assign(this, { board, square: square ?? extent ?? ALONE, extent: extent ?? square ?? ALONE });
    this.canvas = make('canvas', { class: 'vt-painter-sheet', tabindex: '0', role: 'application' });
    this.tint = Object.assign(document.createElement('canvas'), { width: BOARD, height: BOARD });
    this.tip = null;
    this.palette = createPalette(this.canvas);
    this.palette.onTheme(() => this.invalidate());
    this.resized = new ResizeObserver(() => this.invalidate());
    this.resized.observe(this.canvas);
  }

  /** Draws before the next frame of the screen. */
  invalidate() {
    this.pending ??= requestAnimationFrame(() => {
      this.pending = null;
      if (this.canvas.isConnected) this.#draw();
    });
  }

  /** Shows where the brush is: {x, y, width} in board pixels, or null. */
  point(tip) {
    this.tip = tip;
    this.invalidate();
  }

  /** The board's pixel under a pointer event. */
  at({ clientX, clientY }) {
    const { left, top } = this.canvas.getBoundingClientRect();
    const frame = this.#frame(1);
    return { x: (clientX - left - frame.x) / frame.scale, y: (clientY - top - frame.y) / frame.scale };
  }

  destroy() {
    cancelAnimationFrame(this.pending);
    this.resized.disconnect();
    this.palette.destroy();
  }

  /** Where the board lies on the canvas: its upper left corner and the pixels per board pixel. */
  #frame(ratio) {
    const { clientWidth, clientHeight } = this.canvas;
    const camera = new Camera(this.extent, clientWidth * ratio, clientHeight * ratio, ratio);
    const [left, right, bottom, top] = this.square;
    const side = Math.min(right - left, top - bottom);
    const x = camera.x((left + right - side) / 2);
    const y = camera.y((bottom + top + side) / 2);
    return { camera, x, y, scale: (side * camera.scale) / BOARD };
  }

  #draw() {
    const { canvas } = this;
    const ratio = Math.min(FINEST, window.devicePixelRatio || 1);
    const [width, height] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
    if (!width || !height) return;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const g = canvas.getContext('2d');
    const colours = this.palette.read();
    const frame = this.#frame(ratio);
    g.fillStyle = colours.stage;
    g.fillRect(0, 0, width, height);
    drawGrid(g, frame.camera, { ...colours, ink2: 'transparent', stage: 'transparent' }); // no numbers
    this.#drawRim(g, frame, ratio, colours);
    g.imageSmoothingQuality = 'high';
    g.drawImage(this.#tinted(colours.data), frame.x, frame.y, BOARD * frame.scale, BOARD * frame.scale);
    if (this.board.mirror) this.#drawMirror(g, frame, ratio, colours);
    if (this.tip) this.#drawTip(g, frame, ratio, colours);
  }

  /** The ink in its colour. */
  #tinted(colour) {
    const g = this.tint.getContext('2d');
    g.globalCompositeOperation = 'copy';
    g.drawImage(this.board.canvas, 0, 0);
    g.globalCompositeOperation = 'source-in';
    g.fillStyle = colour;
    g.fillRect(0, 0, BOARD, BOARD);
    return this.tint;
  }

  /** The edge of the paper that takes ink, where the sheet is larger than it. */
  #drawRim(g, { x, y, scale }, ratio, colours) {
    if (x < ratio && y < ratio) return;
    g.strokeStyle = colours.noise;
    g.lineWidth = ratio;
    g.setLineDash([2 * ratio, 4 * ratio]);
    g.beginPath();
    g.roundRect(Math.round(x) + 0.5, Math.round(y) + 0.5, BOARD * scale, BOARD * scale, 6 * ratio);
    g.stroke();
    g.setLineDash([]);
  }

  #drawMirror(g, { x, y, scale }, ratio, colours) {
    const middle = Math.round(x + (BOARD / 2) * scale) + 0.5;
    g.strokeStyle = colours.cond;
    g.lineWidth = ratio;
    g.setLineDash([5 * ratio, 4 * ratio]);
    g.beginPath();
    g.moveTo(middle, y);
    g.lineTo(middle, y + BOARD * scale);
    g.stroke();
    g.setLineDash([]);
  }

  #drawTip(g, frame, ratio, colours) {
    const { width, x, y, cross } = this.tip;
    const places = this.board.mirror ? [x, BOARD - x] : [x];
    places.forEach((place, twin) => {
      const [left, top] = [frame.x + place * frame.scale, frame.y + y * frame.scale];
      const radius = Math.max(2 * ratio, (width / 2) * frame.scale);
      g.globalAlpha = twin ? 0.45 : 1;
      g.lineWidth = ratio;
      g.strokeStyle = colours.ink;
      g.beginPath();
      g.arc(left, top, radius, 0, 2 * Math.PI);
      if (cross) for (const [u, v] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        g.moveTo(left + u * (radius + 3 * ratio), top + v * (radius + 3 * ratio));
        g.lineTo(left + u * (radius + 8 * ratio), top + v * (radius + 8 * ratio));
      }
      g.stroke();
    });
    g.globalAlpha = 1;
  }
}
