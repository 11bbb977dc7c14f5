/**
 * Colours by role, read from the page's CSS custom properties, so that canvases follow the theme.
 */

const ROLES = ['data', 'noise', 'model', 'truth', 'cond', 'warn', 'ink', 'line', 'paper', 'stage'];
const PROPERTIES = { ink2: '--ink-2', paper2: '--paper-2', focus: '--focus', sans: '--sans', mono: '--mono' };
for (const role of ROLES) PROPERTIES[role] = `--${role}`;

/**
 * Watches an element's colours. Reading the computed style costs a layout, so the answer is kept
 * until the theme changes.
 *
 * @param {Element} element whose custom properties count; the body by default, which carries .dark
 * @returns {{read: () => object, refresh: () => object, onTheme: (callback: (colours: object) =>
 *   void) => (() => void), destroy: () => void}} `read` gives a frozen object of colours by role
 *   (ink-2 as ink2, paper-2 as paper2), the two font stacks, and `dark`
 */
export function createPalette(element = document.body) {
  const callbacks = new Set();
  let colours = null;

  const refresh = () => (colours = readColours(element));
  const changed = () => {
    const before = JSON.stringify(colours);
    if (JSON.stringify(refresh()) === before) return;
    for (const callback of callbacks) callback(colours);
  };
  const observer = new MutationObserver(changed);
  for (const watched of new Set([document.documentElement, document.body, element])) {
    observer.observe(watched, { attributes: true, attributeFilter: ['class', 'style', 'data-theme'] });
  }

  return {
    read: () => colours ?? refresh(),
    refresh,
    onTheme(callback) {
      callbacks.add(callback);
      return () => callbacks.delete(callback);
    },
    destroy() {
      observer.disconnect();
      callbacks.clear();
    },
  };
}

function readColours(element) {
  const style = getComputedStyle(element);
  const colours = {};
  for (const [name, property] of Object.entries(PROPERTIES)) {
    colours[name] = style.getPropertyValue(property).trim();
  }
  colours.dark = luminance(colours.paper || '#fff') < 0.5;
  return Object.freeze(colours);
}

/**
 * The colour of a role; ink for a role that the palette does not have.
 *
 * @param {object} colours what `read` gave
 * @param {string} role "data", "model", ..., with "ink-2" and "paper-2" as the CSS spells them
 * @returns {string} a CSS colour
 */
export function roleColour(colours, role) {
  return colours[role?.replace('-', '')] || colours.ink || '#000';
}

/**
 * The red, green and blue of a colour.
 *
 * @param {string} colour #rgb, #rrggbb, or rgb()/rgba() with commas or spaces
 * @returns {[number, number, number]} 0 to 255 each
 */
export function parse(colour) {
  const text = colour.trim();
  if (text.startsWith('#')) {
    const digits = text.length < 7 ? [...text.slice(1, 4)].map((d) => d + d) : text.slice(1).match(/../g);
    return digits.slice(0, 3).map((pair) => parseInt(pair, 16));
  }
  return text.match(/-?[\d.]+/g).slice(0, 3).map(Number);
}

/**
 * Blends two colours.
 *
 * @param {string} from the colour at t = 0
 * @param {string} to the colour at t = 1
 * @param {number} t between 0 and 1
 * @returns {string} rgb(...)
 */
export function mix(from, to, t) {
  const [a, b] = [parse(from), parse(to)];
  return `rgb(${a.map((value, i) => Math.round(value + (b[i] - value) * t)).join(', ')})`;
}

/**
 * Makes a colour translucent.
 *
 * @param {string} colour any colour that `parse` reads
 * @param {number} opacity between 0 and 1
 * @returns {string} rgba(...)
 */
export function alpha(colour, opacity) {
  return `rgba(${parse(colour).join(', ')}, ${opacity})`;
}

/** How bright a colour looks, 0 to 1 (the weights of ITU-R BT.601). */
function luminance(colour) {
  const [red, green, blue] = parse(colour);
  return (0.299 * red + 0.587 * green + 0.114 * blue) / 255;
}
