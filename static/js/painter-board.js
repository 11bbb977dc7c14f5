/**
 * The board: the painting itself, 256 by 256 amounts of ink, with its history.
 *
 * Only the opacity of its canvas counts; the colour is given when it is shown. The board does not
 * know how large it is on the screen: every resize and every theme is drawn from here.
 */

import { FULL, SIZE } from './painter-ink.js';
import { stamp } from './painter-stamps.js';

/** Pixels on a side of the board. */
export const BOARD = 256;

const CELL = BOARD / SIZE;

/** Steps that can be taken back. */
const HISTORY = 20;

/** How much a new point moves the pen: the hand's tremor is averaged, the line lags by a hair. */
const FOLLOW = 0.65;

/** How often the smooth picture of coarse cells is corrected towards them. */
const ROUNDS = 6;

/** How much steeper than the interpolation its edges are drawn. */
const STEEP = 2.5;

export class Board {
  #past = [];
  #future = [];
  #loaded = null;

  constructor() {
    this.canvas = Object.assign(document.createElement('canvas'), { width: BOARD, height: BOARD });
    this.g = this.canvas.getContext('2d', { willReadFrequently: true });
    this.mirror = false;
  }

  get undoable() {
    return this.#past.length > 0;
  }

  get redoable() {
    return this.#future.length > 0;
  }

  /** Notes the picture, so that what follows can be taken back. */
  mark() {
    this.#past.push(this.#state());
    if (this.#past.length > HISTORY) this.#past.shift();
    this.#future = [];
  }

  /** Takes the last step back. */
  undo() {
    this.#travel(this.#past, this.#future);
  }

  /** Takes it again. */
  redo() {
    this.#travel(this.#future, this.#past);
  }

  #travel(from, to) {
    if (!from.length) return;
    to.push(this.#state());
    this.#restore(from.pop());
  }

  /** Takes all ink away. */
  clear() {
    this.g.clearRect(0, 0, BOARD, BOARD);
  }

  /** Shows the picture as it was marked last: a shape is drawn anew while it is dragged. */
  recall() {
    this.#restore(this.#past.at(-1));
  }

  /**
   * Starts a stroke with a round tip.
   *
   * @param {{width: number, erase: boolean}} tip in board pixels; whether it takes ink away
   * @returns {Stroke} takes the points as they come
   */
  stroke(tip) {
    return new Stroke(this, tip);
  }

  /** Draws one shape of painter-stamps.js from the middle outwards. */
  stamp(name, from, to, width) {
    this.draw(false, (g) => stamp(g, name, from, to, width));
  }

  /** Runs a drawing, and its mirror image where the mirror stands. */
  draw(erase, drawing) {
    const { g } = this;
    g.save();
    g.globalCompositeOperation = erase ? 'destination-out' : 'source-over';
    g.fillStyle = g.strokeStyle = '#fff';
    g.lineCap = g.lineJoin = 'round';
    drawing(g);
    if (this.mirror) {
      g.translate(BOARD, 0);
      g.scale(-1, 1);
      drawing(g);
    }
    g.restore();
  }

  /**
   * The painting as cells: SIZE * SIZE tones, 0 to FULL, rows from the top. Where nothing was painted
   * since a load, they are the tones that were loaded.
   */
  cells() {
    const means = blockMeans(this.#amounts());
    const { tones, means: before } = this.#loaded ?? {};
    return Uint8Array.from(means, (mean, i) => (before?.[i] === mean ? tones[i] : Math.round((mean / 255) * FULL)));
  }

  /**
   * Shows cells, smoothly: the eye gets no stairs, and cells() keeps what it was given.
   *
   * @param {Uint8Array} tones SIZE * SIZE, 0 to FULL
   */
  load(tones) {
    this.#show(smooth(Float32Array.from(tones, (tone) => (tone / FULL) * 255)));
    this.#loaded = { tones: Uint8Array.from(tones), means: blockMeans(this.#amounts()) };
  }

  #state() {
    return { amounts: this.#amounts(), loaded: this.#loaded };
  }

  #restore({ amounts, loaded }) {
    this.#show(amounts);
    this.#loaded = loaded;
  }

  #amounts() {
    const { data } = this.g.getImageData(0, 0, BOARD, BOARD);
    const amounts = new Uint8ClampedArray(BOARD * BOARD);
    for (let i = 0; i < amounts.length; i++) amounts[i] = data[4 * i + 3];
    return amounts;
  }

  #show(amounts) {
    const picture = new ImageData(BOARD, BOARD);
    picture.data.fill(255);
    for (let i = 0; i < amounts.length; i++) picture.data[4 * i + 3] = amounts[i];
    this.g.putImageData(picture, 0, 0);
  }
}

/** One movement of the pen: a smooth line through its points. */
class Stroke {
  constructor(board, { width, erase }) {
    Object.assign(this, { board, width, erase, pen: null, middle: null });
  }

  /** Takes the next point, in board pixels; `thick` scales the width where the pen feels pressure. */
  add({ x, y }, thick = 1) {
    if (!this.pen) {
      [this.pen, this.middle, this.thick] = [{ x, y }, { x, y }, thick];
      this.#dab(this.pen, thick);
      return;
    }
    const pen = { x: this.pen.x + FOLLOW * (x - this.pen.x), y: this.pen.y + FOLLOW * (y - this.pen.y) };
    const middle = { x: (this.pen.x + pen.x) / 2, y: (this.pen.y + pen.y) / 2 };
    this.#line((g) => g.quadraticCurveTo(this.pen.x, this.pen.y, middle.x, middle.y), this.middle, thick);
    [this.pen, this.middle, this.thick] = [pen, middle, thick];
  }

  /** Ends the line where the hand is. */
  end({ x, y }) {
    if (!this.pen) return;
    this.#line((g) => g.quadraticCurveTo(this.pen.x, this.pen.y, x, y), this.middle, this.thick);
  }

  /** A canvas draws no line of no length, so a touch without a movement is a disc. */
  #dab({ x, y }, thick) {
    this.board.draw(this.erase, (g) => {
      g.beginPath();
      g.arc(x, y, (this.width * thick) / 2, 0, 2 * Math.PI);
      g.fill();
    });
  }

  #line(path, from, thick) {
    this.board.draw(this.erase, (g) => {
      g.lineWidth = this.width * thick;
      g.beginPath();
      g.moveTo(from.x, from.y);
      path(g);
      g.stroke();
    });
  }
}

/** The mean over each cell of the board. */
function blockMeans(amounts) {
  const means = new Float32Array(SIZE * SIZE);
  for (let y = 0; y < BOARD; y++) {
    const row = Math.floor(y / CELL) * SIZE;
    for (let x = 0; x < BOARD; x++) means[row + Math.floor(x / CELL)] += amounts[y * BOARD + x];
  }
  return means.map((sum) => sum / (CELL * CELL));
}

/**
 * A smooth picture of coarse cells. A field is bent until its interpolation, steepened so that edges
 * are crisp, has nearly the cells' means; going all the way would bring the stairs back.
 */
function smooth(cells) {
  const field = cells.map((amount) => 127.5 + (amount - 127.5) / STEEP);
  for (let round = 0; round < ROUNDS; round++) {
    const means = blockMeans(interpolate(field));
    for (let i = 0; i < field.length; i++) field[i] += (cells[i] - means[i]) / STEEP;
  }
  return interpolate(field);
}

/** Bilinear interpolation between the middles of the cells, steepened about half ink. */
function interpolate(field) {
  const amounts = new Uint8ClampedArray(BOARD * BOARD);
  const clamp = (i) => Math.min(SIZE - 1, Math.max(0, i));
  const places = Array.from({ length: BOARD }, (_, i) => {
    const place = (i + 0.5) / CELL - 0.5;
    const low = Math.floor(place);
    return { low: clamp(low), high: clamp(low + 1), share: place - low };
  });
  places.forEach((row, y) => {
    const [top, bottom] = [row.low * SIZE, row.high * SIZE];
    places.forEach(({ low, high, share }, x) => {
      const above = field[top + low] + (field[top + high] - field[top + low]) * share;
      const below = field[bottom + low] + (field[bottom + high] - field[bottom + low]) * share;
      amounts[y * BOARD + x] = 127.5 + STEEP * (above + (below - above) * row.share - 127.5);
    });
  });
  return amounts;
}
