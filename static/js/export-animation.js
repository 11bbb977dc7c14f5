/**
 * The animation as a GIF and as a WebM video.
 */

import { GIFEncoder, applyPalette, quantize } from '../vendor/gifenc/gifenc.esm.js';

const MOST_FRAMES = 120;
const FRAMES_PER_SECOND = 20;

/** A GIF's round takes no longer, in seconds: with 120 frames it would be a slide show. */
const LONGEST = 8;

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
const BITS = 0.2;

/**
 * The moments of one round: there, and back again where the scene bounces.
 *
 * @param {{frames: number, seconds: number, loop: string}} scene
 * @param {{count?: number, seconds?: number}} most frames and seconds at most
 * @returns {{position: number, delay: number}[]} frame positions, and how long each stays, in
 *   milliseconds; the ends stay longer, as on the stage
 */
export function moments({ frames, seconds, loop }, most = {}) {
  const bounces = loop === 'bounce';
  const round = Math.min(bounces ? 2 * seconds : seconds, most.seconds ?? Infinity);
  const count = Math.max(2, Math.min(most.count ?? Infinity, Math.round(round * FRAMES_PER_SECOND)));
  return Array.from({ length: count }, (_, i) => {
    const share = bounces ? 1 - Math.abs(1 - (2 * i) / count) : i / (count - 1);
    const ends = share === 1 || (bounces && share === 0);
    return { position: share * (frames - 1), delay: Math.max(20, (1000 * round) / count) + (ends ? HOLD : 0) };
  });
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
  const shown = moments(scene, { count: MOST_FRAMES, seconds: LONGEST });
  const { width, height } = picture;
  const palette = await paletteOf(picture, shown, signal);
  const encoder = GIFEncoder();
  let before = null;
  for (const [i, { position, delay }] of shown.entries()) {
    await breath(signal);
    const indices = applyPalette(await pixels(picture, position), palette);
    encoder.writeFrame(before ? changed(before, indices) : indices, width, height, {
      palette: i === 0 ? [...palette, [0, 0, 0]] : undefined,
      delay,
      transparent: before !== null,
      transparentIndex: palette.length,
      dispose: 1,
    });
    before = indices;
    progress((i + 1) / shown.length);
  }
  encoder.finish();
  return new Blob([encoder.bytesView()], { type: 'image/gif' });

  function changed(old, now) {
    return now.map((index, pixel) => (index === old[pixel] ? palette.length : index));
  }
}

async function paletteOf(picture, shown, signal) {
  const samples = [];
  for (let i = 0; i < SAMPLED; i++) {
    await breath(signal);
    const { position } = shown[Math.round((i / (SAMPLED - 1)) * (shown.length - 1))];
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
  const shown = moments(scene);
  const length = shown.reduce((sum, { delay }) => sum + delay, 0);
  const began = performance.now();
  let due = 0;
  for (const { position, delay } of shown) {
    due += delay;
    const passed = performance.now() - began;
    if (passed >= due) continue;
    await show(position);
    progress(Math.min(1, passed / length));
    await pause(Math.max(0, due - (performance.now() - began)), signal);
  }
  await show(shown.at(-1).position);
}

/** Lets the page answer its viewer; throws once the job is cancelled. */
function breath(signal) {
  return pause(0, signal);
}

async function pause(milliseconds, signal) {
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  signal.throwIfAborted();
}
