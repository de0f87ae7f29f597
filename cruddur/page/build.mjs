// SPDX-License-Identifier: Apache-2.0
//
// Bundles the page into files that cruddur serves.
//
//   node build.mjs [--out DIR] [--modules DIR] [--deps FILE]
//
// --out      where index.html, assets/app.js, assets/app.css and the icon go (dist)
// --modules  a node_modules folder to resolve packages from (default: the one next to this file)
// --deps     what it was made of, as a depfile of index.html

import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const options = { out: join(here, 'dist'), modules: join(here, 'node_modules'), deps: '' };
for (let i = 2; i < process.argv.length; i += 2) {
  const name = process.argv[i].replace(/^--/, '');
  if (!(name in options) || i + 1 >= process.argv.length) throw new Error(`unknown or incomplete option ${process.argv[i]}`);
  options[name] = resolve(process.argv[i + 1]);
}

const require = createRequire(join(options.modules, 'x.js'));
const esbuild = await import(pathToFileURL(require.resolve('esbuild')).href);
rmSync(options.out, { recursive: true, force: true });
mkdirSync(join(options.out, 'assets'), { recursive: true });
const { metafile } = await esbuild.build({
  entryPoints: { app: join(here, 'src/main.tsx') },
  outdir: join(options.out, 'assets'),
  bundle: true,
  minify: true,
  // zone.js follows promises, not the await of the language: it is lowered to them.
  target: ['es2016'],
  format: 'iife',
  jsx: 'automatic',
  jsxImportSource: 'preact',
  nodePaths: [options.modules],
  alias: { preact: join(options.modules, 'preact') },
  legalComments: 'none',
  logLevel: 'warning',
  metafile: true,
});
cpSync(join(here, 'static'), options.out, { recursive: true });
if (options.deps) { // a folder among them changes with the names in it
  const fixed = join(here, 'static');
  const all = [...Object.keys(metafile.inputs).map((f) => resolve(f)), fixed, ...readdirSync(fixed).map((f) => join(fixed, f))];
  writeFileSync(options.deps, `${join(options.out, 'index.html')}: ${all.map((f) => f.replaceAll(' ', '\\ ')).join(' \\\n  ')}\n`);
}
