// Prints what each entry of the package weighs in a page: bundled with all it imports, minified and
// gzipped. One above its budget fails the build.

import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { minify } from 'terser';

/** In bytes. */
const BUDGETS: Readonly<Record<string, number>> = {
  index: 15_000,
  codec: 6_100,
  rest: 2_000,
  'store-idb': 1_500,
  react: 500,
};

async function weigh(entry: string): Promise<number> {
  const { outputFiles } = await build({
    entryPoints: [`src/${entry}.ts`],
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    write: false,
    external: ['react'],
  });
  const bundled = outputFiles.map(({ text }) => text).join('');
  const { code = '' } = await minify(bundled, { module: true, ecma: 2020, compress: { passes: 3 } });
  return gzipSync(code, { level: 9 }).length;
}

for (const [entry, budget] of Object.entries(BUDGETS)) {
  const bytes = await weigh(entry);
  const over = bytes > budget;
  process.stdout.write(`${entry.padEnd(10)} ${String(bytes).padStart(6)} bytes of ${budget}${over ? ': too much' : ''}\n`);
  if (over) process.exitCode = 1;
}
