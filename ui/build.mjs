// Builds the pages into `dist`, compressed as they are served, and the list of them for the server.
//
//   node build.mjs            writes dist and ../src/gateway/pages/files.rs
//   node build.mjs --compare  fails unless both are what the sources make
//   node build.mjs --tests    bundles test/*.test.ts into .tests, within reach of node_modules

import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, brotliDecompressSync, constants, gunzipSync, gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { parse } from 'smol-toml';

const root = dirname(fileURLToPath(import.meta.url));
const dist = join(root, 'dist');
const list = join(root, '../src/gateway/pages/files.rs');

const PAGES = ['chat', 'console'];

/** The whole of the pages, gzipped, may have so many bytes: what every visitor pays is on this bill. */
const BUDGET = 60_000;

/** `protocol.toml` as a module: what the pages show of it. */
const toml = {
  name: 'toml',
  setup({ onLoad }) {
    onLoad({ filter: /protocol\.toml$/ }, async ({ path }) => {
      const { frame, record, entry_kind, error, close, number } = parse(await readFile(path, 'utf8'));
      const shown = { frame, record, entry_kind, error, close, number };
      return { contents: JSON.stringify(shown), loader: 'json' };
    });
  },
};

const common = {
  absWorkingDir: root,
  bundle: true,
  format: 'esm',
  target: 'es2022',
  plugins: [toml],
  logLevel: 'warning',
};

/** The scripts and styles, by their names. */
async function bundle() {
  const { outputFiles, metafile } = await build({
    ...common,
    entryPoints: Object.fromEntries(PAGES.map((name) => [name, `src/${name}/main.tsx`])),
    outdir: 'dist',
    entryNames: 'assets/[name]-[hash]',
    chunkNames: 'assets/[name]-[hash]',
    splitting: true,
    minify: true,
    metafile: true,
    write: false,
  });
  const files = new Map(outputFiles.map(({ path, contents }) => [path.slice(dist.length + 1), Buffer.from(contents)]));
  const entries = {};
  for (const [path, { entryPoint, cssBundle, imports }] of Object.entries(metafile.outputs)) {
    const name = /src\/(\w+)\/main\.tsx$/.exec(entryPoint ?? '')?.[1];
    const local = (path) => path.slice('dist/'.length);
    if (name) entries[name] = { script: local(path), style: local(cssBundle), chunks: imports.map(({ path }) => local(path)) };
  }
  return { files, entries };
}

/** Everything that is served: paths below `dist`, and what is there. */
async function make() {
  const { files, entries } = await bundle();
  for (const [name, { script, style, chunks }] of Object.entries(entries)) {
    const template = await readFile(join(root, `src/${name}/page.html`), 'utf8');
    const preloads = chunks.map((path) => `<link rel="modulepreload" href="/${path}">`).join('\n');
    const page = template.replace('%script%', `/${script}`).replace('%style%', `/${style}`).replace('%preloads%', preloads);
    files.set(`${name}.html`, Buffer.from(page));
  }
  files.set('icon.svg', await readFile(join(root, 'src/shared/icon.svg')));
  files.set('manifest.webmanifest', await readFile(join(root, 'src/chat/manifest.webmanifest')));
  files.set('sw.js', await worker(files, entries.chat));
  return new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The service worker, which knows what the chat consists of. */
async function worker(files, { script, style, chunks }) {
  const parts = ['chat.html', script, style, ...chunks, 'icon.svg', 'manifest.webmanifest'];
  const hash = createHash('sha256');
  for (const path of parts) hash.update(files.get(path));
  const paths = parts.map((path) => `/${path === 'chat.html' ? '' : path}`);
  const define = { PARTS: JSON.stringify(paths), VERSION: JSON.stringify(hash.digest('hex').slice(0, 8)) };
  const { outputFiles } = await build({ ...common, entryPoints: ['src/chat/worker.ts'], define, minify: true, write: false });
  return Buffer.from(outputFiles[0].contents);
}

function compress(bytes) {
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
  return { br: brotliCompressSync(bytes, { params }), gz: gzipSync(bytes, { level: 9 }) };
}

/** The list of the files as the server includes it. */
function render(files) {
  const lines = [...files.keys()].map((path) => `    "${path}";\n`);
  return `//! The files of the pages. Made by \`ui/build.mjs\`; not to be edited.\n\nsuper::embed! {\n${lines.join('')}}\n`;
}

async function write(files) {
  await rm(dist, { recursive: true, force: true });
  for (const [path, bytes] of files) {
    const { br, gz } = compress(bytes);
    await mkdir(dirname(join(dist, path)), { recursive: true });
    await writeFile(join(dist, path), bytes);
    await writeFile(join(dist, `${path}.br`), br);
    await writeFile(join(dist, `${path}.gz`), gz);
  }
  await mkdir(dirname(list), { recursive: true });
  await writeFile(list, render(files));
}

/** What differs between the sources and what is committed. Compressed bytes may differ between machines; what they
 * hold may not. */
async function compare(files) {
  const committed = (await readdir(dist, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(dist.length + 1));
  const expected = [...files.keys()].flatMap((path) => [path, `${path}.br`, `${path}.gz`]);
  const wrong = [...expected.filter((path) => !committed.includes(path)), ...committed.filter((path) => !expected.includes(path))];
  for (const path of expected.filter((path) => !wrong.includes(path))) {
    const bytes = await readFile(join(dist, path));
    const plain = { '.br': brotliDecompressSync, '.gz': gunzipSync }[extname(path)]?.(bytes) ?? bytes;
    if (!plain.equals(files.get(path.replace(/\.(br|gz)$/, '')))) wrong.push(path);
  }
  if ((await readFile(list, 'utf8')) !== render(files)) wrong.push('../src/gateway/pages/files.rs');
  return wrong;
}

/** Tells what each file weighs and fails above the budget. */
function weigh(files) {
  let total = 0;
  for (const [path, bytes] of files) {
    const { br, gz } = compress(bytes);
    total += gz.length;
    console.log(`${path.padEnd(32)} ${String(bytes.length).padStart(7)} plain ${String(gz.length).padStart(6)} gzip ${String(br.length).padStart(6)} brotli`);
  }
  console.log(`${'in all'.padEnd(46)} ${String(total).padStart(6)} gzip, of ${BUDGET} allowed`);
  if (total > BUDGET) throw new Error(`the pages weigh ${total} bytes gzipped, ${BUDGET} are allowed`);
}

if (process.argv.includes('--tests')) {
  const tests = (await readdir(join(root, 'test'))).filter((name) => name.endsWith('.test.ts'));
  await build({
    ...common,
    entryPoints: tests.map((name) => `test/${name}`),
    outdir: '.tests',
    platform: 'node',
    external: ['playwright-core'],
    outExtension: { '.js': '.mjs' },
    sourcemap: 'inline',
  });
} else {
  const files = await make();
  weigh(files);
  if (process.argv.includes('--compare')) {
    const wrong = await compare(files);
    if (wrong.length > 0) throw new Error(`not what the sources make, run \`make ui-dist\`: ${wrong.join(', ')}`);
  } else {
    await write(files);
  }
}
