/**
 * What the player of one row says in words and numbers.
 */

import { factor, real } from './tiles-words.js';

const WORDS = {
  start: { en: (n) => `Nothing seen yet; ${n} elements to come.`, zh: (n) => `尚未开始，共 ${n} 个元素。` },
  element: { en: (k, n) => `element ${k} of ${n}`, zh: (k, n) => `第 ${k} 个元素，共 ${n} 个` },
  masked: { en: () => 'masked: nothing changes', zh: () => '被遮住，不变' },
  score: { en: () => 'score s', zh: () => '分数 s' },
  scores: { en: () => 'scores and their running maximum m', zh: () => '分数及其当前最大值 m' },
  weights: { en: () => 'e^(s−m) light, divided by l solid', zh: () => '浅色：e^(s−m)；深色：再除以 l' },
  sum: { en: () => 'running sum l', zh: () => '当前总和 l' },
  rises: { en: (a, b) => `m rises from ${a} to ${b}`, zh: (a, b) => `m 从 ${a} 升到 ${b}` },
  stays: { en: (a) => `m stays ${a}`, zh: (a) => `m 保持 ${a}` },
  fades: { en: (a) => `what came before fades by ${a}`, zh: (a) => `之前的部分乘以 ${a}` },
  sums: { en: (l) => `l is ${l}`, zh: (l) => `l 为 ${l}` },
  waiting: { en: () => 'not seen yet', zh: () => '尚未到达' },
};

/** A word or sentence of the player. */
export const sayOnline = (language, name, ...values) => WORDS[name][language](...values);

/** What an element is called: its number, and its token. */
export const nameOf = ({ labels }, index) => (labels ? `${index} ${labels[index]}` : String(index));

/** m as a number: −∞ before the first element. */
const peakOf = (value) => (value === null ? -Infinity : value);

/** e^(s − m) of an element for a running maximum; 0 for a masked one. */
export function raised(score, peak) {
  return score === null || peak === null ? 0 : Math.exp(score - peak);
}

/**
 * The plain text alternative of a moment.
 *
 * @param {object} view of kind "online"
 * @param {{index: number}} moment
 * @param {"en"|"zh"} language
 * @returns {string}
 */
export function describeOnline(view, { index }, language) {
  const { scores, m, l, rescale } = view;
  if (index < 0) return sayOnline(language, 'start', scores.length);
  const [comma, stop] = language === 'zh' ? ['，', '。'] : [', ', '.'];
  const head = sayOnline(language, 'element', index + 1, scores.length);
  const parts = [`${head[0].toUpperCase()}${head.slice(1)}`];
  if (view.labels) parts.push(view.labels[index]);
  if (scores[index] === null) return parts.concat(sayOnline(language, 'masked')).join(comma) + stop;
  const [before, after] = [real(peakOf(m[index])), real(peakOf(m[index + 1]))];
  parts.push(`s ${real(scores[index])}`);
  parts.push(before === after ? sayOnline(language, 'stays', after) : sayOnline(language, 'rises', before, after));
  if (rescale[index] < 1) parts.push(sayOnline(language, 'fades', factor(rescale[index])));
  return parts.concat(sayOnline(language, 'sums', real(l[index + 1]))).join(comma) + stop;
}

/** The recurrence with this element's numbers, in up to three parts. */
export function formulas(view, { index }) {
  const { scores, m, l, rescale } = view;
  if (index < 0) return ['m = −∞', 'l = 0'];
  const masked = scores[index] === null;
  const own = masked ? 0 : raised(scores[index], m[index + 1]);
  return [
    `m′ = max(${real(peakOf(m[index]))}, ${masked ? '−∞' : real(scores[index])}) = ${real(peakOf(m[index + 1]))}`,
    `e^(m−m′) = ${factor(rescale[index])}`,
    `l′ = ${factor(rescale[index])} × ${real(l[index])} + ${factor(own)} = ${real(l[index + 1])}`,
  ];
}

/** The numbers of one element under the pointer. */
export function readoutOfElement(view, { index: last, fraction }, index, language) {
  const { scores, m, l, labels } = view;
  const seen = last + (fraction > 0 ? 1 : 0);
  const lines = [[labels ? labels[index] : '', String(index)]];
  lines.push([sayOnline(language, 'score'), scores[index] === null ? '−∞' : real(scores[index])]);
  if (index >= seen) return lines.concat([['', sayOnline(language, 'waiting')]]);
  const own = raised(scores[index], m[seen]);
  return lines.concat([['e^(s−m)', own.toFixed(4)], ['e^(s−m) / l', (l[seen] ? own / l[seen] : 0).toFixed(4)]]);
}

/** The numbers shown: every element seen so far, with its weight now. */
export function tableOfOnline(view, { index }) {
  const { scores, m, l, labels, rescale } = view;
  const seen = index + 1;
  const rows = scores.slice(0, seen).map((score, k) => {
    const own = raised(score, m[seen]);
    return [k, labels?.[k] ?? '', score, own, l[seen] ? own / l[seen] : 0, m[k + 1], l[k + 1], rescale[k]];
  });
  return { columns: ['index', 'token', 'score', 'e^(s-m)', 'weight', 'm', 'l', 'rescale'], rows };
}
