/**
 * Ink as text: 64 by 64 cells in 16 tones, short enough for the address.
 *
 * The text is the version "1", then, as unpadded base64url, a raw deflate stream of 2048 bytes; each
 * byte holds two cells of a row, the left one in its high four bits, rows from the top. labs/ink.py
 * reads and writes the same text and is the stricter reader.
 */

/** Cells on a side. */
export const SIZE = 64;

/** The fullest tone of a cell; 0 is no ink. */
export const FULL = 15;

const VERSION = '1';
const PACKED = (SIZE * SIZE) / 2;

/** Longest text that is worth reading; what does not compress at all needs 2,740 characters. */
export const INK_LENGTH = 2800;

/**
 * Packs cells into a text.
 *
 * @param {Uint8Array} cells SIZE * SIZE tones, 0 to FULL, rows from the top
 * @returns {Promise<string>} the text; "" where nothing is painted
 */
export async function encodeInk(cells) {
  if (cells.every((tone) => tone === 0)) return '';
  const packed = new Uint8Array(PACKED);
  for (let i = 0; i < PACKED; i++) packed[i] = (cells[2 * i] << 4) | cells[2 * i + 1];
  const stream = new Blob([packed]).stream().pipeThrough(new CompressionStream('deflate-raw'));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  const base64 = btoa(String.fromCharCode(...bytes));
  return VERSION + base64.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

/**
 * Unpacks a text.
 *
 * @param {string} text what encodeInk or labs/ink.py packed; "" is a blank painting
 * @returns {Promise<Uint8Array>} SIZE * SIZE tones, 0 to FULL, rows from the top
 * @throws {RangeError} if the text is no painting
 */
export async function decodeInk(text) {
  const cells = new Uint8Array(SIZE * SIZE);
  if (text === '') return cells;
  const spelled = /^1([\w-]+)$/.exec(text);
  if (!spelled || text.length > INK_LENGTH) throw new RangeError('ink must be a painting of version 1.');
  const packed = await inflate(spelled[1]);
  packed.forEach((pair, i) => {
    cells[2 * i] = pair >> 4;
    cells[2 * i + 1] = pair & FULL;
  });
  return cells;
}

/** Inflates exactly one painting; a stream that goes beyond it is dropped unread. */
async function inflate(base64url) {
  const packed = new Uint8Array(PACKED);
  let filled = 0;
  try {
    const base64 = base64url.replaceAll('-', '+').replaceAll('_', '/');
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
    for (const reader = stream.getReader(); ; ) {
      const { done, value } = await reader.read();
      if (done) break;
      packed.set(value, filled); // throws where the stream is longer than a painting
      filled += value.length;
    }
  } catch (cause) {
    throw new RangeError('ink must be a painting of version 1, got a damaged one.', { cause });
  }
  if (filled !== PACKED) throw new RangeError(`ink must unpack to ${PACKED} bytes, got ${filled}.`);
  return packed;
}
