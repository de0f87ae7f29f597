// SPDX-License-Identifier: Apache-2.0
//
// Bundles the page and, when asked, writes it out as a C table.
//
//   node build.mjs [--out DIR] [--modules DIR] [--c FILE [--deps FILE]] [--dev]
//
// --out      where index.html, assets/app-<hash>.js, assets/app-<hash>.css and the icon go (dist)
// --modules  a node_modules folder to resolve packages from (default: the one next to this file)
// --c        also write a C source with every file, raw and gzipped (see include/ui/assets.h)
// --deps     what the C source was made of, as a depfile: the build looks at these and at nothing else
// --dev      readable output with an inline source map
//
// Script and style names carry a hash of their content, so a server may let browsers keep them for ever.

import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';

const here = dirname(fileURLToPath(import.meta.url));

function options(argv) {
  const o = { out: join(here, 'dist'), modules: join(here, 'node_modules'), c: null, deps: null, dev: false };
  for (let i = 0; i < argv.length; i++) {
    const name = argv[i].replace(/^--/, '');
    if (name === 'dev') o.dev = true;
    else if (name in o && i + 1 < argv.length) o[name] = resolve(argv[++i]);
    else throw new Error(`unknown or incomplete option ${argv[i]}`);
  }
  return o;
}

const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

function contentType(path) {
  return TYPES[path.slice(path.lastIndexOf('.'))] ?? 'application/octet-stream';
}

const digest = (bytes) => createHash('sha256').update(bytes).digest('hex').slice(0, 16);

// A folder among them changes with the names in it.
function writeDeps(o, inputs) {
  const fixed = join(here, 'static');
  const all = [...inputs, fixed, ...readdirSync(fixed).map((f) => join(fixed, f))];
  writeFileSync(o.deps, `${o.c}: ${all.map((f) => f.replaceAll(' ', '\\ ')).join(' \\\n  ')}\n`);
}

async function bundle(o) {
  const require = createRequire(join(o.modules, 'x.js'));
  const esbuild = await import(pathToFileURL(require.resolve('esbuild')).href);
  const { outputFiles, metafile } = await esbuild.build({
    entryPoints: { app: join(here, 'src/main.tsx') },
    outdir: join(o.out, 'assets'),
    entryNames: '[name]-[hash]',
    bundle: true,
    minify: !o.dev,
    sourcemap: o.dev ? 'inline' : false,
    target: ['chrome111', 'firefox113', 'safari16.2'],
    format: 'esm',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    nodePaths: [o.modules],
    alias: { 'preact': join(o.modules, 'preact'), 'uplot': join(o.modules, 'uplot') },
    legalComments: 'none',
    logLevel: 'warning',
    write: false,
    metafile: true,
  });
  if (o.c && o.deps) writeDeps(o, Object.keys(metafile.inputs).map((f) => resolve(f)));
  return outputFiles.map((f) => ({ name: f.path.slice(f.path.lastIndexOf('/') + 1), bytes: f.contents }));
}

function writeSite(o, files) {
  rmSync(o.out, { recursive: true, force: true });
  mkdirSync(join(o.out, 'assets'), { recursive: true });
  const name = (end) => files.find((f) => f.name.endsWith(end)).name;
  for (const f of files) writeFileSync(join(o.out, 'assets', f.name), f.bytes);
  for (const f of readdirSync(join(here, 'static'))) {
    const bytes = readFileSync(join(here, 'static', f));
    if (f !== 'index.html') writeFileSync(join(o.out, 'assets', f), bytes);
    else {
      const html = bytes.toString().replace('%SCRIPT%', name('.js')).replace('%STYLE%', name('.css'));
      writeFileSync(join(o.out, f), html);
    }
  }
}

// Every file of the site with the request path the server answers it under.
function site(o) {
  const list = [{ path: '/', file: join(o.out, 'index.html') }];
  for (const f of readdirSync(join(o.out, 'assets')).sort()) {
    list.push({ path: `/ui/assets/${f}`, file: join(o.out, 'assets', f) });
  }
  return list.map(({ path, file }) => {
    const raw = readFileSync(file);
    return { path, raw, gzip: gzipSync(raw, { level: 9 }), type: contentType(file), etag: `"${digest(raw)}"` };
  });
}

function cBytes(name, bytes) {
  const lines = [];
  for (let i = 0; i < bytes.length; i += 32) lines.push(Array.from(bytes.subarray(i, i + 32)).join(','));
  return `static const uint8_t ${name}[] = {\n${lines.join(',\n')}\n};\n`;
}

function cSource(files) {
  const arrays = files.map((f, i) => cBytes(`raw_${i}`, f.raw) + cBytes(`gzip_${i}`, f.gzip));
  const rows = files.map((f, i) =>
    `    {${JSON.stringify(f.path)}, ${JSON.stringify(f.type)}, ${JSON.stringify(f.etag)},\n` +
    `     gzip_${i}, sizeof(gzip_${i}), raw_${i}, sizeof(raw_${i})},\n`);
  return '// SPDX-License-Identifier: Apache-2.0\n/* Written by ui/build.mjs; never edited. */\n' +
    `#include "ui/assets.h"\n\n#include "ui/assets_priv.h"\n\n${arrays.join('\n')}\n` +
    `const struct skep_asset skep_assets__all[] = {\n${rows.join('')}};\n` +
    `const size_t skep_assets__n = ${files.length};\n`;
}

const o = options(process.argv.slice(2));
writeSite(o, await bundle(o));
const files = site(o);
if (o.c) writeFileSync(o.c, cSource(files));
const total = files.reduce((n, f) => n + f.gzip.length, 0);
const kib = (n) => `${(n / 1024).toFixed(1)} KiB`;
for (const f of files) console.log(`${f.path.padEnd(32)} ${kib(f.raw.length).padStart(10)} ${kib(f.gzip.length).padStart(10)} gzip`);
console.log(`${files.length} files, ${kib(total)} gzip, ${statSync(o.out).isDirectory() ? o.out : ''}`);
