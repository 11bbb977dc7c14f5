/**
 * The animation as a GIF and as a WebM video.
 */

import { GIFEncoder, applyPalette, quantize } from '../vendor/gifenc/gifenc.esm.js';

const MOST_FRAMES = 120;
const FRAMES_PER_SECOND = 20;

/** Colours of a GIF, and the place after them that means "as in the frame before". */
const COLOURS = 127;

/** Frames out of which the colours are chosen. */
const SAMPLED = 6;

/** Every so many pixels of them. */
const STRIDE = 3;

/** How long the ends stay, in milliseconds, as on the stage. */
const HOLD = 700;

const VIDEO = ['video/webm;codecs=vp9', 'video/webm;codecs=vp8', 'video/webm'];

/** Bits per pixel and frame: dots in motion need more than a talking head. */
const BITS = 0.35;

/**
 * The moments of one round: there, and back again where the scene bounces.
 *
 * @param {{frames: number, seconds: number, loop: string}} scene
 * @param {number} most how many at most
 * @returns {{positions: number[], delay: number}} frame positions, and milliseconds between them
 */
export function moments({ frames, seconds, loop }, most = MOST_FRAMES) {
  const bounces = loop === 'bounce';
  const round = bounces ? 2 * seconds : seconds;
  const count = Math.max(2, Math.min(most, Math.round(round * FRAMES_PER_SECOND)));
  const positions = Array.from({ length: count }, (_, i) => {
    const share = bounces ? 1 - Math.abs(1 - (2 * i) / count) : i / (count - 1);
    return share * (frames - 1);
  });
  return { positions, delay: Math.max(20, (1000 * round) / count) };
}

/**
 * Encodes a GIF. Pixels that stay are left out, so that its size follows what moves.
 *
 * @param {{width: number, height: number, paint: Function}} picture what picture() laid out
 * @param {object} scene
 * @param {{progress: (share: number) => void, signal: AbortSignal}} job
 * @returns {Promise<Blob>}
 */
export async function gif(picture, scene, { progress, signal }) {
  const { positions, delay } = moments(scene);
  const { width, height } = picture;
  const palette = await paletteOf(picture, positions, signal);
  const encoder = GIFEncoder();
  let before = null;
  for (const [i, position] of positions.entries()) {
    await breath(signal);
    const indices = applyPalette(await pixels(picture, position), palette);
    const ends = i === positions.length - 1 || i === 0;
    encoder.writeFrame(before ? changed(before, indices) : indices, width, height, {
      palette: i === 0 ? [...palette, [0, 0, 0]] : undefined,
      delay: delay + (ends ? HOLD : 0),
      transparent: before !== null,
      transparentIndex: palette.length,
      dispose: 1,
    });
    before = indices;
    progress((i + 1) / positions.length);
  }
  encoder.finish();
  return new Blob([encoder.bytesView()], { type: 'image/gif' });

  function changed(old, now) {
    return now.map((index, pixel) => (index === old[pixel] ? palette.length : index));
  }
}

async function paletteOf(picture, positions, signal) {
  const samples = [];
  for (let i = 0; i < SAMPLED; i++) {
    await breath(signal);
    const position = positions[Math.round((i / (SAMPLED - 1)) * (positions.length - 1))];
    const words = new Uint32Array((await pixels(picture, position)).buffer);
    samples.push(words.filter((_, pixel) => pixel % STRIDE === 0));
  }
  const joined = new Uint32Array(samples.reduce((sum, { length }) => sum + length, 0));
  samples.reduce((at, words) => (joined.set(words, at), at + words.length), 0);
  return quantize(new Uint8ClampedArray(joined.buffer), COLOURS);
}

async function pixels({ paint, width, height }, position) {
  return (await paint(position)).getContext('2d').getImageData(0, 0, width, height).data;
}

/** The kind of video this browser records, or null. */
export function videoType() {
  if (typeof MediaRecorder === 'undefined' || !HTMLCanvasElement.prototype.captureStream) return null;
  return VIDEO.find((type) => MediaRecorder.isTypeSupported(type)) ?? null;
}

/**
 * Records a video. A recorder keeps real time, so it takes as long as the animation.
 *
 * @param {{width: number, height: number, paint: Function}} picture what picture() laid out
 * @param {object} scene
 * @param {{progress: (share: number) => void, signal: AbortSignal}} job
 * @returns {Promise<Blob>}
 */
export async function webm(picture, scene, { progress, signal }) {
  const { width, height } = picture;
  const canvas = Object.assign(document.createElement('canvas'), { width, height });
  const g = canvas.getContext('2d');
  const stream = canvas.captureStream(0);
  const [track] = stream.getVideoTracks();
  const recorder = new MediaRecorder(stream, {
    mimeType: videoType(), videoBitsPerSecond: Math.round(BITS * width * height * FRAMES_PER_SECOND),
  });
  const parts = [];
  recorder.addEventListener('dataavailable', ({ data }) => data.size && parts.push(data));
  const stopped = new Promise((resolve) => recorder.addEventListener('stop', resolve, { once: true }));
  const show = async (position) => {
    g.drawImage(await picture.paint(position), 0, 0);
    track.requestFrame();
  };
  try {
    await show(0);
    recorder.start();
    await record(scene, show, { progress, signal });
  } finally {
    if (recorder.state !== 'inactive') recorder.stop();
    track.stop();
  }
  await stopped;
  return new Blob(parts, { type: 'video/webm' });
}

/** Shows each moment when its time has come; a slow machine leaves some out. */
async function record(scene, show, { progress, signal }) {
  const { positions, delay } = moments(scene, Infinity);
  const began = performance.now();
  const length = positions.length * delay;
  for (let passed = 0; passed < length; passed = performance.now() - began) {
    const at = Math.min(positions.length - 1, Math.floor(passed / delay));
    await show(positions[at]);
    progress(passed / length);
    await pause(Math.max(0, (at + 1) * delay - (performance.now() - began)), signal);
  }
  await show(positions.at(-1));
  await pause(HOLD, signal);
}

/** Lets the page answer its viewer; throws once the job is cancelled. */
function breath(signal) {
  return pause(0, signal);
}

async function pause(milliseconds, signal) {
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  signal.throwIfAborted();
}
