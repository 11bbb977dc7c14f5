/** The page's own words, in every language of the app. Texts of labs come with their scenes. */

export const LANGUAGES = ['en', 'zh'];

const WORDS = {
  idea: { en: 'Idea', zh: '思路' },
  maths: { en: 'Maths', zh: '数学' },
  code: { en: 'Code', zh: '代码' },
  try: { en: 'Try this', zh: '试一试' },
  papers: { en: 'Papers', zh: '论文' },
  show: { en: 'Show me', zh: '演示' },
  reveal: { en: 'Show the answer', zh: '显示答案' },
  previous: { en: 'Previous card', zh: '上一张' },
  next: { en: 'Next card', zh: '下一张' },
  cancel: { en: 'Cancel', zh: '取消' },
  cancelled: { en: 'Cancelled. The picture before it is still here.', zh: '已取消，保留之前的画面。' },
  working: { en: 'Computing…', zh: '计算中…' },
  queued: { en: 'Waiting for the machine…', zh: '正在排队…' },
  close: { en: 'Close', zh: '关闭' },
  language: { en: '中文', zh: 'English' },
  switchLanguage: { en: 'Switch to Chinese', zh: '切换到英文' },
  theme: { en: 'Light or dark', zh: '浅色或深色' },
  presenter: { en: 'Presenter mode (p)', zh: '演讲模式（p）' },
  leavePresenter: { en: 'Leave presenter mode (p)', zh: '退出演讲模式（p）' },
  fullscreen: { en: 'Full-screen stage (f)', zh: '全屏舞台（f）' },
  help: { en: 'Keys and help (?)', zh: '按键与帮助（?）' },
  keys: { en: 'Keys', zh: '按键' },
  helpText: {
    en: 'Everything that moves was computed by the algorithm shown under Code. Every setting is in the address: copy it and you copy the picture.',
    zh: '所有运动的画面都由“代码”一栏中的算法算出。所有设置都在网址里：复制网址，就复制了画面。',
  },
  checkPassed: { en: 'Check passed', zh: '核对通过' },
  checkFailed: { en: 'Check failed', zh: '核对未通过' },
  tolerance: { en: 'tolerance', zh: '容差' },
  paint: { en: 'Paint', zh: '绘画' },
  donePainting: { en: 'Done', zh: '完成' },
  stage: { en: 'Stage', zh: '舞台' },
  noText: { en: 'The text could not be loaded. Reload the page.', zh: '文字未能载入，请刷新页面。' },
};

/** The language of the page: "zh" where the document says so, else "en". */
export const locale = () => (document.documentElement.lang.toLowerCase().startsWith('zh') ? 'zh' : 'en');

/** The text of a pair {en, zh} in the language of the page. */
export const t = (pair) => (pair ? (pair[locale()] ?? pair.en ?? '') : '');

/** One of the page's own words, in all languages. */
export const pair = (name) => WORDS[name];

/** One of the page's own words. */
export const word = (name) => t(WORDS[name]);
