/** Small helpers to build DOM without ever passing text through markup. */

/**
 * Makes an element.
 * @param {string} tag
 * @param {Object} attributes - `class`, `text` (textContent), `on` ({event: listener}), anything else as attributes.
 * @param {Array<Node|string>} children
 */
export function make(tag, attributes = {}, children = []) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === 'text') element.textContent = value;
    else if (name === 'on') for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

/** A number with `digits` significant digits, with a true minus sign and thin grouping. */
export function number(value, digits = 3) {
  if (value == null) return '–';
  if (typeof value === 'string') return value;
  if (value === 0) return '0';
  const size = Math.abs(value);
  let text;
  if (size >= 1e6 || size < 1e-3) text = value.toExponential(Math.max(0, digits - 1)).replace('e+', 'e');
  else if (Number.isInteger(value)) text = value.toLocaleString('en-US');
  else text = value.toFixed(Math.max(0, digits - 1 - Math.floor(Math.log10(size))));
  return text.replace('-', '−').replace('e−', 'e-').replace('e-', 'e−');
}
