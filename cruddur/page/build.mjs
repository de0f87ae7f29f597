// SPDX-License-Identifier: Apache-2.0
//
// Bundles the page into files that cruddur serves.
//
//   node build.mjs [--out DIR] [--modules DIR]
//
// --out      where index.html, assets/app.js, assets/app.css and the icon go (dist)
// --modules  a node_modules folder to resolve packages from (default: the one next to this file)

import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const options = { out: join(here, 'dist'), modules: join(here, 'node_modules') };
for (let i = 2; i < process.argv.length; i += 2) {
  const name = process.argv[i].replace(/^--/, '');
  if (!(name in options) || i + 1 >= process.argv.length) throw new Error(`unknown or incomplete option ${process.argv[i]}`);
  options[name] = resolve(process.argv[i + 1]);
}

const require = createRequire(join(options.modules, 'x.js'));
const esbuild = await import(pathToFileURL(require.resolve('esbuild')).href);
rmSync(options.out, { recursive: true, force: true });
mkdirSync(join(options.out, 'assets'), { recursive: true });
await esbuild.build({
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
});
cpSync(join(here, 'static'), options.out, { recursive: true });
