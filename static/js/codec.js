/**
 * Arrays off the wire: the other half of labs/codec.py.
 *
 * One value is offset + scale * integer; the integers may be first differences along axis 0
 * (wrapping in their type) and their bytes may be deflated.
 */

const TYPES = { int16: Int16Array, uint8: Uint8Array, float32: Float32Array };

const decoded = new WeakMap();

/**
 * Decodes an encoded array. The same object is decoded once, so a view that is updated with
 * `{...view, ...changes}` pays only for what changed.
 *
 * @param {{dtype: string, shape: number[], scale: number, offset: number, delta: boolean,
 *   deflate: boolean, data: string}} encoded what labs/codec.py wrote
 * @returns {Promise<{shape: number[], data: Float32Array}>} the values in C order
 */
export function decode(encoded) {
  if (!decoded.has(encoded)) decoded.set(encoded, unpack(encoded));
  return decoded.get(encoded);
}

async function unpack({ dtype, shape, scale, offset, delta, deflate, data }) {
  const Type = TYPES[dtype];
  if (!Type) throw new RangeError(`dtype must be int16, uint8 or float32, got ${dtype}.`);
  const bytes = deflate ? await inflate(fromBase64(data)) : fromBase64(data);
  const size = shape.reduce((product, side) => product * side, 1);
  if (bytes.byteLength !== size * Type.BYTES_PER_ELEMENT) {
    const wanted = size * Type.BYTES_PER_ELEMENT;
    throw new RangeError(`data must hold ${wanted} bytes, got ${bytes.byteLength}.`);
  }
  const stored = new Type(bytes.buffer, bytes.byteOffset, size);
  if (delta) accumulate(stored, size / shape[0]);
  return { shape, data: dtype === 'float32' ? stored : dequantise(stored, scale, offset) };
}

/** Undoes the differences in place; the typed array wraps as the encoder's type did. */
function accumulate(stored, row) {
  for (let i = row; i < stored.length; i++) stored[i] += stored[i - row];
}

function dequantise(stored, scale, offset) {
  const values = new Float32Array(stored.length);
  for (let i = 0; i < stored.length; i++) values[i] = offset + scale * stored[i];
  return values;
}

function fromBase64(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

async function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
