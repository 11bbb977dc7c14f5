/**
 * Arrays over time: K keyframes spread evenly over the frames, linear in between.
 */

import { decode } from './codec.js';

const ENCODED = { density: ['values'], points: ['positions'], arrows: ['anchors', 'vectors'], paths: ['positions'], handles: [] };

/**
 * Decodes a layer's arrays.
 *
 * @param {object} layer as it came off the wire
 * @returns {Promise<object>} the layer with {shape, data} in place of its encoded arrays; a density
 *   also has `grain`, the step its values were rounded to
 */
export async function loadLayer(layer) {
  const fields = ENCODED[layer.type];
  if (!fields) throw new RangeError(`type must be one of ${Object.keys(ENCODED).join(', ')}, got ${layer.type}.`);
  const arrays = await Promise.all(fields.map((field) => decode(layer[field])));
  const grain = layer.type === 'density' ? { grain: layer.values.scale } : {};
  return { ...layer, ...grain, ...Object.fromEntries(fields.map((field, i) => [field, arrays[i]])) };
}

/**
 * Where a moment falls among keyframes.
 *
 * @param {number} share of the frames passed, 0 to 1
 * @param {number} count of keyframes
 * @returns {{key: number, low: number, high: number, mix: number}} the keyframe as a float, its
 *   neighbours, and how far from the lower to the higher
 */
export function keyframe(share, count) {
  const key = share * (count - 1);
  const low = Math.min(Math.floor(key), Math.max(0, count - 2));
  return { key, low, high: Math.min(low + 1, count - 1), mix: key - low };
}

/**
 * The number between the entries of a list over time.
 *
 * @param {number[]} values per keyframe
 * @param {number} share of the frames passed, 0 to 1
 * @returns {number}
 */
export function valueAt(values, share) {
  const { low, high, mix } = keyframe(share, values.length);
  return values[low] + (values[high] - values[low]) * mix;
}

const rows = new WeakMap();

/**
 * The row between the keyframes of an array. The buffer belongs to the array and is written over
 * by the next call for another moment.
 *
 * @param {{shape: number[], data: Float32Array}} array of shape (K, ...)
 * @param {number} share of the frames passed, 0 to 1
 * @returns {Float32Array} the values of one moment, in C order
 */
export function rowAt(array, share) {
  const size = array.data.length / array.shape[0];
  const { key, low, high, mix } = keyframe(share, array.shape[0]);
  if (mix === 0) return array.data.subarray(low * size, (low + 1) * size);
  let row = rows.get(array);
  if (!row) rows.set(array, (row = { key: NaN, values: new Float32Array(size) }));
  if (row.key === key) return row.values;
  row.key = key;
  const [from, to, { data }] = [low * size, high * size, array];
  for (let i = 0; i < size; i++) row.values[i] = data[from + i] + (data[to + i] - data[from + i]) * mix;
  return row.values;
}
