/**
 * The words of the tiles player, in both languages, and how it writes numbers.
 */

const SUBSCRIPTS = '₀₁₂₃₄₅₆₇₈₉';

/** How names in the algorithm's source are written on the stage. */
const NAMES = {
  q: 'Q', k: 'K', v: 'V', o: 'O', s: 'S', p: 'P', a: 'e^Δm', do: 'dO', dq: 'dQ', dk: 'dK', dv: 'dV',
  dp: 'dP', ds: 'dS', lse: 'L', delta: 'D', dQ_sum: 'ΣdQ',
};

/** What a step does. `q` and `k` are the names of its blocks. */
const PHASES = {
  clear: { en: ['clear', (q) => `O, m and l of ${q} start at 0, −∞ and 0`], zh: ['清零', (q) => `${q} 的 O、m、l 置为 0、−∞、0`] },
  load_q: { en: ['load Q', (q) => `${q} comes onto the chip`], zh: ['载入 Q', (q) => `${q} 载入片上`] },
  load_kv: { en: ['load K, V', (q, k) => `${k} and its values come onto the chip`], zh: ['载入 K、V', (q, k) => `${k} 及其 V 载入片上`] },
  scores: { en: ['scores', (q, k) => `scores of ${q} with ${k}`], zh: ['分数', (q, k) => `计算 ${q} 与 ${k} 的分数`] },
  softmax: { en: ['softmax', (q, k) => `maximum and exponentials of ${q} with ${k}`], zh: ['softmax', (q, k) => `${q} 与 ${k} 的最大值与指数`] },
  rescale: { en: ['rescale', (q) => `what ${q} has gathered is rescaled`], zh: ['重新缩放', (q) => `${q} 已累积的部分被缩放`] },
  accumulate: { en: ['accumulate', (q, k) => `values of ${k} are added to the output of ${q}`], zh: ['累加', (q, k) => `${k} 的值加到 ${q} 的输出上`] },
  write: { en: ['write', (q, k, back) => `${back ? `gradients of ${k} go` : `the output of ${q} goes`} to HBM`], zh: ['写回', (q, k, back) => `${back ? `${k} 的梯度` : `${q} 的输出`}写回 HBM`] },
  skip: { en: ['skip', (q, k) => `the causal mask hides ${k} from ${q}, nothing to do`], zh: ['跳过', (q, k) => `因果掩码对 ${q} 遮住 ${k}，无需计算`] },
  output: { en: ['output', (q) => `the output of ${q} from its weights`], zh: ['输出', (q) => `由权重得到 ${q} 的输出`] },
  delta: { en: ['row sums', (q) => `D, the row sums of dO∘O, of ${q}`], zh: ['行和', (q) => `${q} 的 D，即 dO∘O 的行和`] },
  recompute: { en: ['recompute P', (q, k) => `weights of ${q} with ${k} are computed again`], zh: ['重算 P', (q, k) => `重新计算 ${q} 与 ${k} 的权重`] },
  grad_v: { en: ['dV', (q, k) => `dV of ${k} gains what ${q} gives`], zh: ['dV', (q, k) => `${q} 的贡献加到 ${k} 的 dV`] },
  grad_p: { en: ['dP', (q, k) => `gradient of the weights of ${q} with ${k}`], zh: ['dP', (q, k) => `${q} 与 ${k} 权重的梯度`] },
  grad_scores: { en: ['dS', (q, k) => `gradient of the scores of ${q} with ${k}`], zh: ['dS', (q, k) => `${q} 与 ${k} 分数的梯度`] },
  grad_q: { en: ['dQ', (q, k) => `dQ of ${q} gains what ${k} gives`], zh: ['dQ', (q, k) => `${k} 的贡献加到 ${q} 的 dQ`] },
  grad_k: { en: ['dK', (q, k) => `dK of ${k} gains what ${q} gives`], zh: ['dK', (q, k) => `${q} 的贡献加到 ${k} 的 dK`] },
  write_k: { en: ['write dK', () => 'dK goes to HBM'], zh: ['写回 dK', () => 'dK 写回 HBM'] },
  write_v: { en: ['write dV', () => 'dV goes to HBM'], zh: ['写回 dV', () => 'dV 写回 HBM'] },
  convert: { en: ['convert', (q) => `dQ of ${q} is rounded to half precision`], zh: ['转换', (q) => `${q} 的 dQ 舍入为半精度`] },
};

const WORDS = {
  step: { en: (s, n) => `step ${s} of ${n}`, zh: (s, n) => `第 ${s} 步，共 ${n} 步` },
  start: { en: (n) => `Before the first of ${n} steps.`, zh: (n) => `共 ${n} 步，尚未开始。` },
  row: { en: (r) => `row ${r}`, zh: (r) => `第 ${r} 行` },
  moved: { en: (b) => `${b} moved`, zh: (b) => `已搬运 ${b}` },
  of: { en: (a, b) => `${a} of ${b}`, zh: (a, b) => `${a} / ${b}` },
  unbegun: { en: 'not begun', zh: '尚未开始' },
  running: { en: (r, m, l) => `row ${r} has m ${m} and l ${l}`, zh: (r, m, l) => `第 ${r} 行的 m 为 ${m}，l 为 ${l}` },
  idle: { en: (r) => `row ${r} not begun`, zh: (r) => `第 ${r} 行尚未开始` },
  rises: { en: (r, a, b) => `m of row ${r} rises from ${a} to ${b}`, zh: (r, a, b) => `第 ${r} 行的 m 从 ${a} 升到 ${b}` },
  stays: { en: (r, a) => `m of row ${r} stays ${a}`, zh: (r, a) => `第 ${r} 行的 m 保持 ${a}` },
  fades: { en: (a) => `O fades by ${a}`, zh: (a) => `O 乘以 ${a}` },
  chip: { en: (b, c) => `${b} of ${c} on chip`, zh: (b, c) => `片上 ${b} / ${c}` },
  chosen: { en: (r) => `Row ${r} is chosen.`, zh: (r) => `已选第 ${r} 行。` },
  grid: { en: 'Score matrix. Keys , and . choose a row.', zh: '分数矩阵。按 , 和 . 选择一行。' },
  query: { en: 'query', zh: '查询' },
  key: { en: 'key', zh: '键' },
  score: { en: 'score S', zh: '分数 S' },
  weight: { en: 'softmax P', zh: 'softmax P' },
  tile: { en: 'tile', zh: '分块' },
  most: { en: 'largest S of the tile', zh: '块内最大 S' },
  state: { en: 'state', zh: '状态' },
  bytes: { en: 'bytes moved for it', zh: '为它搬运的字节' },
  waiting: { en: 'not computed yet', zh: '尚未计算' },
  finished: { en: 'done', zh: '完成' },
  stored: { en: 'S in HBM', zh: 'S 在 HBM 中' },
  kept: { en: 'P in HBM', zh: 'P 在 HBM 中' },
  skipped: { en: 'skipped: masked', zh: '跳过：被掩码遮住' },
  masked: { en: 'masked', zh: '被遮住' },
  size: { en: 'shade: size of the value', zh: '深浅：数值大小' },
};

/** A word or sentence of the player; functions are called with what follows. */
export function say(language, name, ...values) {
  const found = WORDS[name][language];
  return typeof found === 'function' ? found(...values) : found;
}

/** The short name of a phase. */
export const phaseName = (phase, language) => PHASES[phase]?.[language][0] ?? phase;

/** A name of the source as the stage shows it: `q` as Q, `dQ_sum` as ΣdQ. */
export const shownName = (name) => NAMES[name] ?? name;

/** A name with its block number: Q₃. */
export function indexed(name, block) {
  return block < 0 ? name : name + [...String(block)].map((digit) => SUBSCRIPTS[digit]).join('');
}

/** Bytes in KiB, as precise as a reader wants: 0.5 KiB, 58.4 KiB, 1.20 MiB. */
export function bytes(count) {
  if (count < 1024 * 1024) return `${(count / 1024).toFixed(1)} KiB`;
  return `${(count / 1024 / 1024).toFixed(2)} MiB`;
}

/** A running maximum or sum: three decimals at most, ∞ and NaN as such. */
export function real(value) {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value < 0 ? '−∞' : '∞';
  if (Math.abs(value) >= 1e4) return value.toExponential(1).replace('-', '−').replace('e+', 'e');
  const size = Math.abs(value);
  const text = value.toFixed(size >= 1000 ? 0 : size >= 100 ? 1 : 2);
  return Number(text) === 0 ? text.replace('-', '') : text.replace('-', '−');
}

/** A factor between 0 and 1, with three decimals. */
export const factor = (value) => (Number.isFinite(value) ? value.toFixed(3) : 'NaN');

/** What a step does, in words. */
export function deedOf(trace, step, language) {
  const phase = trace.phase(step);
  const { order, backward } = trace.view;
  const key = order === 'naive' || trace.columns.j[step] < 0 ? -1 : trace.columns.j[step];
  const query = trace.columns.i[step] < 0 ? -1 : trace.columns.i[step];
  return PHASES[phase]?.[language][1](indexed('Q', query), indexed('K', key), backward) ?? phase;
}
