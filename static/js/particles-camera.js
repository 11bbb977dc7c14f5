/**
 * The plane under the particles: what of it is seen, and its quiet grid.
 */

const FONT = 11;

/** Room for the panel's title at the top, where no axis number may stand, in CSS pixels. */
const HEAD = 34;

/** The least distance between two grid lines, in CSS pixels. */
const LEAST = 40;

/** An equal-aspect view of the plane in which an extent fits, centred. */
export class Camera {
  /**
   * @param {[number, number, number, number]} extent x_min, x_max, y_min, y_max in stage units
   * @param {number} width in device pixels
   * @param {number} height in device pixels
   * @param {number} ratio device pixels per CSS pixel
   */
  constructor([left, right, bottom, top], width, height, ratio) {
    Object.assign(this, { left, right, bottom, top, width, height, ratio });
    this.scale = Math.min(width / (right - left), height / (top - bottom));
    this.middle = [(left + right) / 2, (bottom + top) / 2];
  }

  /** Device pixels from the left. */
  x(x) {
    return this.width / 2 + (x - this.middle[0]) * this.scale;
  }

  /** Device pixels from the top. */
  y(y) {
    return this.height / 2 - (y - this.middle[1]) * this.scale;
  }

  /** The point of the plane under a CSS pixel. */
  at(cssX, cssY) {
    return {
      x: this.middle[0] + (cssX * this.ratio - this.width / 2) / this.scale,
      y: this.middle[1] - (cssY * this.ratio - this.height / 2) / this.scale,
    };
  }

  /** Puts a point into the extent. */
  clamp({ x, y }) {
    return {
      x: Math.min(this.right, Math.max(this.left, x)),
      y: Math.min(this.top, Math.max(this.bottom, y)),
    };
  }
}

/**
 * Draws lines at round numbers and writes the numbers along the rim.
 *
 * @param {CanvasRenderingContext2D} g
 * @param {Camera} camera
 * @param {object} colours of the palette
 * @param {number} unit what a unit of the stage stands for; the numbers are of what it stands for
 */
export function drawGrid(g, camera, colours, unit = 1) {
  const { ratio, width, height } = camera;
  const step = roundStep(((LEAST * ratio) / camera.scale) * unit);
  const [from, to] = [camera.at(0, height / ratio), camera.at(width / ratio, 0)];
  const columns = multiples(step, from.x * unit, to.x * unit);
  const lines = multiples(step, from.y * unit, to.y * unit);
  g.lineWidth = ratio;
  strokeLines(g, camera, columns.map((x) => x / unit), lines.map((y) => y / unit), colours.line);
  g.font = `${FONT * ratio}px ${colours.mono || 'monospace'}`;
  g.fillStyle = colours.ink2;
  g.strokeStyle = colours.stage;
  g.lineWidth = 4 * ratio;
  g.lineJoin = 'round';
  g.textAlign = 'center';
  for (const x of columns) {
    const at = camera.x(x / unit);
    if (at > 28 * ratio && at < width - 14 * ratio) write(g, label(x, step), at, height - 7 * ratio);
  }
  g.textAlign = 'left';
  for (const y of lines) {
    const at = camera.y(y / unit);
    if (at > HEAD * ratio && at < height - 22 * ratio) write(g, label(y, step), 8 * ratio, at + 3.5 * ratio);
  }
}

/** Writes a number on a halo, so that no line runs through it. */
function write(g, text, x, y) {
  g.strokeText(text, x, y);
  g.fillText(text, x, y);
}

function strokeLines(g, camera, columns, lines, colour) {
  const crisp = (value) => Math.round(value - 0.5) + 0.5;
  g.strokeStyle = colour;
  g.globalAlpha = 0.75;
  g.beginPath();
  for (const x of columns) {
    g.moveTo(crisp(camera.x(x)), 0);
    g.lineTo(crisp(camera.x(x)), camera.height);
  }
  for (const y of lines) {
    g.moveTo(0, crisp(camera.y(y)));
    g.lineTo(camera.width, crisp(camera.y(y)));
  }
  g.stroke();
  g.globalAlpha = 1;
}

/** The smallest of 1, 2 and 5 times a power of ten that is not below a step. */
function roundStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((digit) => digit * power).find((step) => step >= least);
}

function multiples(step, from, to) {
  const first = Math.ceil(from / step - 1e-9);
  const count = Math.floor(to / step + 1e-9) - first + 1;
  return Array.from({ length: Math.max(0, count) }, (_, i) => (first + i) * step);
}

function label(value, step) {
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return (Math.abs(value) < step / 2 ? 0 : value).toFixed(decimals).replace('-', '−');
}
