/**
 * Thousands of round dots, fast: they are added up in memory, dot by dot from a mask of coverage,
 * and go to the canvas as one image. Ten thousand calls of arc() or drawImage() take more than a
 * frame; this takes 2 ms and each dot sits between pixels where it belongs.
 */

import { parse } from './palette.js';

/** Masks per pixel and axis: a dot is placed to a quarter of a pixel. */
const FINE = 4;

/** A canvas-sized buffer that dots are drawn into. */
export class DotBuffer {
  constructor() {
    this.canvas = document.createElement('canvas');
    this.context = this.canvas.getContext('2d', { willReadFrequently: true });
    this.image = null;
  }

  /**
   * Draws dots of one colour.
   *
   * @param {CanvasRenderingContext2D} g where they go
   * @param {import('./particles-camera.js').Camera} camera
   * @param {Float32Array} positions x0, y0, x1, y1, ... in stage units
   * @param {{radius: number, colour: string, alpha: number}} style radius in CSS pixels
   */
  draw(g, camera, positions, { radius, colour, alpha }) {
    this.#fit(camera.width, camera.height);
    const mask = this.#mask(radius * camera.ratio, alpha);
    const [red, green, blue] = parse(colour);
    const box = this.#splat(camera, positions, mask, (blue << 16) | (green << 8) | red);
    if (!box) return;
    const [x, y, width, height] = box;
    this.context.putImageData(this.image, 0, 0, x, y, width, height);
    g.drawImage(this.canvas, x, y, width, height, x, y, width, height);
    for (let row = y; row < y + height; row++) {
      this.pixels.fill(0, row * camera.width + x, row * camera.width + x + width);
    }
  }

  #fit(width, height) {
    if (this.image?.width === width && this.image.height === height) return;
    [this.canvas.width, this.canvas.height] = [width, height];
    this.image = this.context.createImageData(width, height);
    this.pixels = new Uint32Array(this.image.data.buffer);
    this.masks = new Map();
  }

  #mask(radius, alpha) {
    const name = `${radius.toFixed(2)} ${alpha}`;
    if (!this.masks.has(name)) this.masks.set(name, makeMask(radius, alpha, this.image.width));
    return this.masks.get(name);
  }

  /** Lays each dot over what is there; returns the box touched as x, y, width, height. */
  #splat(camera, positions, { side, reach, tables }, bgr) {
    const { width, height, scale } = camera;
    const [left, top] = [camera.x(0), camera.y(0)];
    let [x0, y0, x1, y1] = [width, height, 0, 0];
    for (let i = 0; i < positions.length; i += 2) {
      const x = left + positions[i] * scale;
      const y = top - positions[i + 1] * scale;
      const [column, row] = [Math.floor(x), Math.floor(y)];
      if (!(column >= reach && row >= reach && column < width - reach && row < height - reach)) continue;
      const table = tables[FINE * (((y - row) * FINE) | 0) + (((x - column) * FINE) | 0)];
      stamp(this.pixels, row * width + column, table, bgr);
      if (column < x0) x0 = column;
      if (column > x1) x1 = column;
      if (row < y0) y0 = row;
      if (row > y1) y1 = row;
    }
    return x1 < x0 ? null : [x0 - reach, y0 - reach, x1 - x0 + side, y1 - y0 + side];
  }
}

/** Covers pixels by one mask: the new opacity is 1 - (1 - old)(1 - mask), in 255ths (257/65536). */
function stamp(pixels, start, { offsets, covers }, bgr) {
  for (let entry = 0; entry < covers.length; entry++) {
    const pixel = start + offsets[entry];
    const before = pixels[pixel] >>> 24;
    pixels[pixel] = ((before + (((255 - before) * covers[entry] * 257 + 32768) >> 16)) << 24) | bgr;
  }
}

/** The coverage of a disc around each of FINE x FINE places within a pixel: which pixels it touches,
 * as steps from the middle one in rows of `stride`, and how much of each. */
function makeMask(radius, alpha, stride) {
  const reach = Math.ceil(radius + 0.5);
  const tables = [];
  for (let place = 0; place < FINE * FINE; place++) {
    const [centreX, centreY] = [((place % FINE) + 0.5) / FINE - 0.5, (Math.floor(place / FINE) + 0.5) / FINE - 0.5];
    const [offsets, covers] = [[], []];
    for (let y = -reach; y <= reach; y++) {
      for (let x = -reach; x <= reach; x++) {
        const inside = radius + 0.5 - Math.hypot(x - centreX, y - centreY);
        const cover = Math.round(255 * alpha * Math.min(1, Math.max(0, inside)));
        if (cover === 0) continue;
        offsets.push(y * stride + x);
        covers.push(cover);
      }
    }
    tables.push({ offsets: Int32Array.from(offsets), covers: Uint8Array.from(covers) });
  }
  return { side: 2 * reach + 1, reach, tables };
}
