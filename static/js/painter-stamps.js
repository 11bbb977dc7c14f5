/**
 * The shapes that the painter stamps. One outline serves the canvas and the icon of its button.
 *
 * Outlines live in the square from -1 to 1, y down, as SVG path data. A `stroked` shape is drawn
 * with the width of the brush, the others are filled.
 */

const CIRCLE = 'M1 0A1 1 0 1 1-1 0A1 1 0 1 1 1 0Z';

/** The shapes by name, in the order of their buttons. */
export const STAMPS = Object.freeze({
  circle: { outline: CIRCLE },
  ring: { outline: CIRCLE, stroked: true },
  square: { outline: 'M-.86-.86H.86V.86H-.86Z' },
  star: { outline: star(5, 0.46) },
  heart: {
    outline: 'M0 .92C-.42 .56-1 .18-1-.36C-1-.7-.76-.9-.5-.9C-.27-.9-.1-.76 0-.56C.1-.76 .27-.9 .5-.9C.76-.9 1-.7 1-.36C1 .18 .42 .56 0 .92Z',
  },
  line: { outline: 'M-1 0H1', stroked: true },
});

/** How far a shape reaches that is stamped by a click rather than drawn out, in board pixels. */
const USUAL = 30;

/** A drag shorter than this is a click, in board pixels. */
const CLICK = 4;

/**
 * Draws a shape.
 *
 * @param {CanvasRenderingContext2D} g board pixels; its stroke and fill styles count
 * @param {string} name of STAMPS
 * @param {{x: number, y: number}} from the middle of the shape, or one end of a line
 * @param {{x: number, y: number}} to how far it reaches, or the other end of the line
 * @param {number} width of a stroked shape's line, in board pixels
 */
export function stamp(g, name, from, to, width) {
  const reach = Math.hypot(to.x - from.x, to.y - from.y);
  const clicked = reach < CLICK;
  const size = clicked ? USUAL : reach;
  const { outline, stroked } = STAMPS[name];
  g.save();
  if (name === 'line' && !clicked) {
    g.translate((from.x + to.x) / 2, (from.y + to.y) / 2);
    g.rotate(Math.atan2(to.y - from.y, to.x - from.x));
    g.scale(size / 2, size / 2);
    g.lineWidth = width / (size / 2);
  } else {
    g.translate(from.x, from.y);
    g.scale(size, size);
    g.lineWidth = width / size;
  }
  if (stroked) g.stroke(new Path2D(outline));
  else g.fill(new Path2D(outline));
  g.restore();
}

/** A shape as the icon of its button, 20 by 20. */
export function stampIcon(name, size = 20) {
  const { outline, stroked } = STAMPS[name];
  const look = stroked ? 'fill="none" stroke="currentColor" stroke-width=".26"' : 'fill="currentColor"';
  const holder = document.createElement('template');
  holder.innerHTML =
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="-1.5 -1.5 3 3" width="${size}" height="${size}" ${look} ` +
    `stroke-linecap="round" aria-hidden="true" focusable="false"><path d="${outline}"` +
    `${name === 'line' ? ' transform="rotate(-45)"' : ''}/></svg>`;
  return holder.content.firstElementChild;
}

/** A star with its inner corners at a share of its reach. */
function star(corners, inner) {
  const points = Array.from({ length: 2 * corners }, (_, i) => {
    const [radius, angle] = [i % 2 ? inner : 1, (Math.PI * i) / corners - Math.PI / 2];
    return `${(radius * Math.cos(angle)).toFixed(3)} ${(radius * Math.sin(angle)).toFixed(3)}`;
  });
  return `M${points.join('L')}Z`;
}
