/**
 * The stage as one HTML file that plays from a disk: for slides and handouts.
 *
 * The modules it needs are read as they are served, found by following their imports, and put into
 * an import map of data: addresses; nothing is built. The page's own policy forbids any request.
 */

const HERE = import.meta.url;

/** What an exported page looks like, relative to this module. */
const STYLES = ['../css/vitrine.css', '../css/players.css', '../css/tiles.css'];

/** Prefix of the bare names that the modules get in the file. */
const BARE = 'vitrine/';

/** An import or export from a relative address, static or dynamic. */
const IMPORT = /(\b(?:from|import)\s*\(?\s*)(['"])(\.{1,2}\/[^'"]+)\2/g;

/** Kinds of view that need more than a file should carry. */
const STILL = new Set(['plot']);

/** Width of a still, in pixels: twice that of a panel beside another. */
const STILL_WIDTH = 1280;

const POLICY = "default-src 'none'; script-src 'unsafe-inline' data:; style-src 'unsafe-inline'; img-src data: blob:";

/**
 * Packs a stage.
 *
 * @param {object} ctx the stage's context
 * @param {object} stage {scene, players, transport, title, idea} as the exporter gets it
 * @param {string} link where it is from
 * @returns {Promise<Blob>} an HTML file
 */
export async function page(ctx, stage, link) {
  const position = stage.transport.position;
  const panel = stage.root?.querySelector('.vt-panel');
  const ratio = panel?.clientWidth ? panel.clientHeight / panel.clientWidth : 0.75;
  const views = await Promise.all(stage.players.map((shown) => portable(shown, position, ratio)));
  const kinds = [...new Set(views.map(({ kind }) => kind))];
  const modules = await collect(['player-page.js', ...kinds.map(moduleOf)].map((name) => new URL(name, HERE).href));
  const styles = await Promise.all(STYLES.map((path) => read(new URL(path, HERE).href)));
  const both = (text) => (typeof text === 'string' ? { en: text, zh: text } : text);
  const content = { scene: { ...stage.scene, views }, title: both(stage.title), idea: both(stage.idea ?? ''), link };
  return new Blob([write(ctx, { content, kinds, modules, styles })], { type: 'text/html' });
}

/** A view that plays in a file, or its picture. */
async function portable({ view, player }, position, ratio) {
  if (!STILL.has(view.kind)) return view;
  const canvas = await player.snapshot(position, STILL_WIDTH, Math.round(STILL_WIDTH * ratio));
  const { id, title, note } = view;
  const source = canvas.toDataURL('image/png');
  return { id, title, note, kind: 'still', source, said: player.describe(position), table: player.table(position) };
}

const moduleOf = (kind) => (kind === 'still' ? 'player-still.js' : `${kind}.js`);

/**
 * Reads modules and all they import.
 *
 * @param {string[]} entries addresses
 * @returns {Promise<Map<string, string>>} bare name to source, with bare names in its imports
 */
export async function collect(entries) {
  const found = new Map();
  const visit = async (address) => {
    const name = bareName(address);
    if (found.has(name)) return;
    found.set(name, '');
    const source = await read(address);
    const next = [];
    const bare = source.replace(IMPORT, (_, before, quote, path) => {
      next.push(new URL(path, address).href);
      return `${before}${quote}${bareName(next.at(-1))}${quote}`;
    });
    found.set(name, bare);
    await Promise.all(next.map(visit));
  };
  await Promise.all(entries.map(visit));
  return found;
}

/** A module's name in the file: its path from the folder above this one. */
function bareName(address) {
  const root = new URL('../', HERE).pathname;
  return BARE + new URL(address).pathname.slice(root.length);
}

async function read(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${new URL(address).pathname} could not be read: ${answer.status}.`);
  return answer.text();
}

function write(ctx, { content, kinds, modules, styles }) {
  const imports = Object.fromEntries([...modules].map(([name, source]) => [name, dataAddress(source)]));
  const players = kinds.map((kind, i) => [kind, `player${i}`, `${BARE}js/${moduleOf(kind)}`]);
  const program = [
    `import { play } from '${BARE}js/player-page.js';`,
    ...players.map(([, variable, name]) => `import * as ${variable} from '${name}';`),
    "const content = JSON.parse(document.getElementById('content').textContent);",
    `const players = { ${players.map(([kind, variable]) => `'${kind}': ${variable}`).join(', ')} };`,
    "window.stage = await play(document.querySelector('.vt-root'), content, players);",
  ].join('\n');
  const width = `calc(${content.scene.views.length} * max(100vh - 270px, 320px) + 60px)`;
  const dark = ctx.palette().dark ? ' class="dark"' : '';
  const title = (content.title[ctx.locale()] ?? 'Vitrine').replace(/[<>&]/g, (sign) => `&#${sign.charCodeAt(0)};`);
  return `<!doctype html>
<html lang="${ctx.locale()}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="Vitrine">
<title>${title}</title>
<link rel="icon" href="data:,">
<style>
${styles.join('\n').replaceAll('</', '<\\/')}
body { margin: 0; }
.vt-root { margin: 0 auto; padding: 16px 24px 24px; max-width: min(1280px, ${width}); }
.vt-still { width: 100%; height: 100%; object-fit: contain; display: block; }
.vt-page-foot { margin-top: 16px; font-size: 13px; color: var(--ink-2); overflow-wrap: anywhere; }
.vt-page-foot a { color: var(--data); }
@media (max-width: 760px) { .vt-root { padding: 8px 12px 16px; } }
</style>
<script type="importmap">
${embedded({ imports })}
</script>
</head>
<body${dark}>
<main class="vt-root"></main>
<script type="application/json" id="content">
${embedded(content)}
</script>
<script type="module">
${program}
</script>
</body>
</html>
`;
}

/** JSON that no text in it can end early. */
function embedded(value) {
  return JSON.stringify(value).replaceAll('<', '\\u003c');
}

function dataAddress(source) {
  const bytes = new TextEncoder().encode(source);
  let letters = '';
  for (let i = 0; i < bytes.length; i += 0x8000) letters += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return `data:text/javascript;base64,${btoa(letters)}`;
}
