/**
 * The trace behind a view of tiles: what every step did, and every quantity at any moment.
 *
 * "After k steps" is the unit of time: k = 0 before the first, k = steps at the end.
 */

import { decode } from './codec.js';

/** Names on chip that belong to a block of keys; the others belong to a block of queries. */
const BY_KEY = new Set(['k', 'v', 'dk', 'dv']);

/** Arrays in HBM with one row per key. */
export const KEY_ARRAYS = new Set(['K', 'V', 'dK', 'dV']);

/** Phases after which a row of tiles has its scores and its weights in HBM (the naive algorithm). */
const STORED = { false: ['scores', 'softmax'], true: [null, 'grad_scores'] };

const NEVER = Infinity;

/** Numbers that stand for what is not finite on the wire. */
function restore(data) {
  for (let k = 0; k < data.length; k++) {
    if (data[k] > 1.5e38) data[k] = NaN;
    else if (Math.abs(data[k]) > 5e37) data[k] = Math.sign(data[k]) * Infinity;
  }
  return data;
}

const floats = async (array) => restore((await decode(array)).data);

/**
 * A quantity with one row per query or key, kept as the list of its changes.
 */
class Track {
  constructor({ width, start }, length, [steps, first, stop], values) {
    Object.assign(this, { width, values, start: start < -5e37 ? -Infinity : start });
    this.changes = Array.from({ length }, () => ({ steps: [], offsets: [] }));
    let offset = 0;
    for (let change = 0; change < steps.length; change++) {
      for (let row = first[change]; row < stop[change]; row++, offset += width) {
        this.changes[row].steps.push(steps[change]);
        this.changes[row].offsets.push(offset);
      }
    }
    this.largest = values.reduce((most, value) => (Number.isFinite(value) ? Math.max(most, Math.abs(value)) : most), 0);
  }

  /** Where a row's values lie after `done` steps, or -1 while it has its starting value. */
  offset(row, done) {
    const { steps, offsets } = this.changes[row];
    let [low, high] = [0, steps.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (steps[middle] < done) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? -1 : offsets[low - 1];
  }

  /** One value of a row after `done` steps. */
  at(row, done, column = 0) {
    const offset = this.offset(row, done);
    return offset < 0 ? this.start : this.values[offset + column];
  }

  /** The value that a row got in exactly this step, or null. */
  during(row, step) {
    const { steps, offsets } = this.changes[row];
    const index = steps.indexOf(step);
    return index < 0 ? null : this.values[offsets[index]];
  }

  /** The least and the largest finite value. */
  range() {
    const finite = this.values.filter(Number.isFinite);
    return [finite.reduce((a, b) => Math.min(a, b), Infinity), finite.reduce((a, b) => Math.max(a, b), -Infinity)];
  }
}

/**
 * Decodes a view.
 *
 * @param {object} view of kind "tiles", as it came off the wire
 * @returns {Promise<Trace>}
 */
export async function loadTrace(view) {
  const { steps } = view;
  const names = ['phase', 'i', 'j', 'done', 'read', 'written', 'flops', 'held', 'moves'];
  const columns = await Promise.all(names.map(async (name) => (await decode(steps[name])).data));
  const tracks = {};
  for (const [name, track] of Object.entries(view.tracks)) {
    const times = await Promise.all([track.steps, track.first, track.stop].map(async (each) => (await decode(each)).data));
    tracks[name] = new Track(track, track.side === 'rows' ? view.rows : view.cols, times, await floats(track.values));
  }
  const cells = { scores: await floats(view.scores), weights: await floats(view.weights), masked: (await decode(view.masked)).data };
  const at = view.at ? (await decode(view.at)).data : null;
  return new Trace(view, Object.fromEntries(names.map((name, k) => [name, columns[k]])), { tracks, cells, at });
}

/** A running total after each step, from what each step adds. */
function totals(growth) {
  const sums = new Float64Array(growth.length + 1);
  for (let k = 0; k < growth.length; k++) sums[k + 1] = sums[k] + growth[k];
  return sums;
}

/**
 * A view's steps and quantities. Blocks have the numbers i (queries) and j (keys), from 0.
 */
export class Trace {
  constructor(view, columns, { tracks, cells, at }) {
    Object.assign(this, { view, tracks, columns, at, ...cells });
    this.count = columns.phase.length;
    this.phases = view.steps.phases;
    [this.read, this.written, this.flops] = [columns.read, columns.written, columns.flops].map(totals);
    this.tileRows = Math.ceil(view.rows / view.block_rows);
    this.tileCols = Math.ceil(view.cols / view.block_cols);
    this.chipBytes = view.steps.held_sets.map((set) => set.reduce((sum, [, bytes]) => sum + bytes, 0));
    this.finite = this.scores.filter((score, k) => !this.masked[k] && Number.isFinite(score));
    this.#follow();
    this.#fill();
  }

  /** Which blocks are meant at every step: the last ones named. */
  #follow() {
    const { i, j } = this.columns;
    [this.row, this.col] = [new Int16Array(this.count), new Int16Array(this.count)];
    let [row, col] = [-1, -1];
    for (let step = 0; step < this.count; step++) {
      if (i[step] >= 0) row = i[step];
      if (j[step] >= 0) col = j[step];
      [this.row[step], this.col[step]] = [row, col];
    }
  }

  /** When each tile has been stored, done or skipped, what it moved; when each block was written. */
  #fill() {
    const tiles = this.tileRows * this.tileCols;
    const naive = this.view.order === 'naive';
    const [stored, final] = STORED[Boolean(this.view.backward)];
    this.storedAt = new Float64Array(tiles).fill(naive && !stored ? 0 : NEVER);
    [this.doneAt, this.skippedAt] = [new Float64Array(tiles).fill(NEVER), new Float64Array(tiles).fill(NEVER)];
    this.tileBytes = new Float64Array(tiles);
    this.writes = Object.fromEntries(this.view.arrays.map(({ name }) => [name, new Map()]));
    for (let step = 0; step < this.count; step++) {
      const phase = this.phase(step);
      const tile = this.tileOf(step);
      for (const [array, start, stop, , write] of this.moves(step)) if (write) this.#write(array, start, stop, step);
      if (tile < 0) continue;
      this.tileBytes[tile] += this.moves(step).reduce((sum, move) => sum + move[3], 0);
      if (naive && phase === stored) this.storedAt[tile] = step + 1;
      if (phase === 'skip') this.skippedAt[tile] = step + 1;
      if (naive ? phase === final : this.columns.done[step]) this.doneAt[tile] = step + 1;
    }
  }

  #write(array, start, stop, step) {
    const block = KEY_ARRAYS.has(array) ? this.keyBlock : this.view.block_rows;
    for (let k = Math.floor(start / block); k * block < stop; k++) {
      if (!this.writes[array].has(k)) this.writes[array].set(k, step + 1);
    }
  }

  /** Keys per block of K in HBM; the naive algorithm takes them all at once. */
  get keyBlock() {
    return this.view.block_cols;
  }

  /** The moment of a transport position: the step going on and how much of it has passed. */
  moment(position) {
    const { at } = this;
    let done = position;
    if (at) {
      const low = Math.max(0, Math.min(at.length - 1, Math.floor(position)));
      const next = at[Math.min(at.length - 1, low + 1)];
      done = at[low] + (next - at[low]) * Math.min(1, Math.max(0, position - low));
    }
    done = Math.min(this.count, Math.max(0, done));
    const step = Math.max(0, Math.ceil(done - 1e-4) - 1);
    return { done, step, fraction: Math.min(1, Math.max(0, done - step)) };
  }

  phase(step) {
    return this.phases[this.columns.phase[step]];
  }

  /** The tile that a step works on, or -1. The naive algorithm has one tile per block of rows. */
  tileOf(step) {
    const [i, j] = [this.columns.i[step], this.columns.j[step]];
    if (this.view.order === 'naive') return i;
    return i < 0 || j < 0 ? -1 : i * this.tileCols + j;
  }

  /** First and one past the last query of a block. */
  rowsOf(i) {
    return [i * this.view.block_rows, Math.min(this.view.rows, (i + 1) * this.view.block_rows)];
  }

  /** First and one past the last key of a block. */
  colsOf(j) {
    return [j * this.view.block_cols, Math.min(this.view.cols, (j + 1) * this.view.block_cols)];
  }

  /** What is on the chip after `done` steps: [name, bytes] each. */
  held(done) {
    return done > 0 ? this.view.steps.held_sets[this.columns.held[done - 1]] : [];
  }

  /** Bytes on the chip after `done` steps. */
  chip(done) {
    return done > 0 ? this.chipBytes[this.columns.held[done - 1]] : 0;
  }

  /** What crosses in a step: [array, start, stop, bytes, write] each. */
  moves(step) {
    return this.view.steps.move_sets[this.columns.moves[step]];
  }

  /** Bytes that have crossed after `done` steps, which may end within one. */
  moved(done) {
    const low = Math.floor(done);
    const total = (k) => this.read[Math.min(k, this.count)] + this.written[Math.min(k, this.count)];
    return total(low) + (total(low + 1) - total(low)) * (done - low);
  }

  /** The block number of something on the chip at a step. */
  blockOf(name, step) {
    return BY_KEY.has(name) ? this.col[step] : this.row[step];
  }
}
