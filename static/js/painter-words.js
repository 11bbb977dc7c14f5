/** What the painter says, in every language of the app. */

const WORDS = {
  tools: { en: 'Painting tools', zh: '绘画工具' },
  sheet: { en: 'Painting', zh: '画纸' },
  role: { en: 'painting area', zh: '绘画区' },
  keys: {
    en: 'Arrow keys move the brush, with Shift in strides. Space or Enter paints; hold Space and move to draw a line. B brush, E eraser, 1 to 3 size, M mirror, Control Z undo.',
    zh: '方向键移动画笔，按住 Shift 大步移动。空格或回车落笔；按住空格移动可画线。B 画笔，E 橡皮，1 到 3 粗细，M 镜像，Ctrl+Z 撤销。',
  },
  brush: { en: 'Brush (b)', zh: '画笔（b）' },
  eraser: { en: 'Eraser (e)', zh: '橡皮（e）' },
  stamps: { en: 'Shapes', zh: '形状' },
  circle: { en: 'Disc', zh: '圆' },
  ring: { en: 'Ring', zh: '圆环' },
  square: { en: 'Square', zh: '方块' },
  star: { en: 'Star', zh: '星' },
  heart: { en: 'Heart', zh: '心' },
  line: { en: 'Line', zh: '直线' },
  size0: { en: 'Fine (1)', zh: '细（1）' },
  size1: { en: 'Medium (2)', zh: '中（2）' },
  size2: { en: 'Broad (3)', zh: '粗（3）' },
  sizes: { en: 'Width (1, 2, 3)', zh: '粗细（1、2、3）' },
  mirror: { en: 'Mirror (m)', zh: '镜像（m）' },
  undo: { en: 'Undo (Ctrl+Z)', zh: '撤销（Ctrl+Z）' },
  redo: { en: 'Redo (Ctrl+Shift+Z)', zh: '重做（Ctrl+Shift+Z）' },
  clear: { en: 'Clear', zh: '清空' },
  picture: { en: 'Use a picture', zh: '使用图片' },
  hint: { en: 'Draw here', zh: '在这里画' },
  hintPicture: { en: 'Draw here, or drop a picture', zh: '在这里画，或拖入图片' },
  drop: { en: 'Drop the picture', zh: '松开以使用图片' },
  reading: { en: 'Reading the picture…', zh: '正在读取图片…' },
  inked: { en: '{share} % inked', zh: '已着墨 {share}%' },
  place: { en: 'column {column}, row {row}', zh: '第 {column} 列，第 {row} 行' },
  painted: { en: 'Painted at {place}.', zh: '已在{place}落笔。' },
  wrongType: {
    en: 'The picture must be a PNG, JPEG or WebP file, got {type}.',
    zh: '图片必须是 PNG、JPEG 或 WebP 文件，收到的是 {type}。',
  },
  wrongSize: {
    en: 'The picture must be at most 5 MB, got {size} MB.',
    zh: '图片不能超过 5 MB，收到的是 {size} MB。',
  },
  unknownType: { en: 'a file of unknown type', zh: '未知类型的文件' },
  wrongInk: { en: 'This painting could not be read.', zh: '无法读取这幅画。' },
};

/**
 * A word of the painter.
 *
 * @param {object} ctx the stage's context
 * @param {string} name of a word
 * @param {object} parts what replaces {name}s in it
 * @returns {string} in the viewer's language
 */
export function say(ctx, name, parts = {}) {
  return ctx.t(WORDS[name]).replace(/\{(\w+)\}/g, (_, part) => parts[part]);
}
