// SPDX-License-Identifier: Apache-2.0
// Stacks read with what was uploaded: a bundle made by esbuild that throws in Chromium under rollbar.js, and a
// stripped C program that says module, offset and build id. Then what is no map and no debug file.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { binary, freePort, root, Skep, until } from './support.mjs';

const run = promisify(execFile);
const { chromium } = createRequire(join(root, 'tests', 'clients', 'browser', 'package.json'))('playwright-core');
const esbuild = createRequire(join(root, 'ui', 'package.json'))('esbuild');

let skep, dir, daemon;
before(async () => {
  daemon = await freePort();
  skep = await Skep.start({ args: ['--xray', `127.0.0.1:${daemon}`] });
  dir = mkdtempSync(join(tmpdir(), 'skep-symbols-'));
});
after(async () => {
  await skep.done();
  rmSync(dir, { recursive: true, force: true });
});

async function row(...filters) {
  const [found] = await until('the occurrence', async () => {
    const r = await skep.json('POST', '/skep/v1/rows', { start_time: 0, end_time: Math.ceil(Date.now() / 1000) + 3600, filters, limit: 10 });
    return r.rows.length && r.rows;
  });
  return found;
}
const is = (column, value) => ({ column, op: '=', value });
const stackOf = (r) => skep.json('GET', `/skep/v1/stack/${r.id}`);
const place = (f) => `${f.file}:${f.line} ${f.function}`;

// --- bundles -----------------------------------------------------------------------------------

const SHOP = `export interface Line { price: number; user?: { name: string } }

const ownerOf = (line: Line): string => {
  const tax = line.price * 0.2; // "{" and /{/ are no braces
  return line.user!.name + tax;
};

export function checkout(lines: Line[]): string {
  return lines.map((l) => ownerOf(l)).join(', ');
}
`;
const MAIN = (extra) => `import { checkout } from './shop';
${extra}
class Till {
  pay(r: { error(e: unknown): void }) {
    try { checkout([{ price: 3 }]); } catch (e) { r.error(e); }
  }
}
(globalThis as unknown as { pay(r: never): void }).pay = (r) => { setTimeout(() => new Till().pay(r)); };
`;

// Two builds: what stands before the code moves every line, column and minified name.
async function bundle(version, extra) {
  const src = join(dir, `v${version}`, 'src');
  await run('mkdir', ['-p', src]);
  writeFileSync(join(src, 'shop.ts'), SHOP);
  writeFileSync(join(src, 'main.ts'), MAIN(extra));
  await esbuild.build({ entryPoints: [join(src, 'main.ts')], bundle: true, minify: true, sourcemap: true, format: 'iife', outfile: join(dir, `v${version}`, 'app.js'), logLevel: 'error' });
  return { js: readFileSync(join(dir, `v${version}`, 'app.js')), map: join(dir, `v${version}`, 'app.js.map') };
}

test('a bundle in Chromium: files, functions, lines and code of the originals, one group over two builds', async () => {
  const builds = {
    1: await bundle(1, ''),
    2: await bundle(2, 'export const a = 1, b = [a, 2]; export function other(q: number) { return b.map((z) => z * q); } console.log(other(2));'),
    3: await bundle(3, ''),
  };
  const umd = readFileSync(join(root, 'tests', 'clients', 'node', 'node_modules', 'rollbar', 'dist', 'rollbar.umd.min.js'));
  const site = createServer((req, res) => {
    const [, n, file] = /^\/(\d)\/(.*)$/.exec(req.url.split('?')[0]) ?? [];
    res.setHeader('content-type', file === '' ? 'text/html' : 'text/javascript');
    res.end(file === '' ? `<!doctype html><title>shop</title><script src="rollbar.js"></script><script src="/${n}/app.js?cache=${n}"></script>` : file === 'rollbar.js' ? umd : builds[n]?.js ?? '');
  });
  await new Promise((r) => site.listen(0, '127.0.0.1', r));
  const address = `http://127.0.0.1:${site.address().port}`;
  const upload = (n, ...beside) => run('curl', ['-sS', '-F', 'access_token=t', '-F', `version=v${n}`, '-F', `minified_url=${address}/${n}/app.js`, '-F', `source_map=@${builds[n].map}`, ...beside.flatMap((f) => ['-F', f]), `${skep.url}/api/1/sourcemap`]);
  for (const n of [1, 2]) assert.equal(JSON.parse((await upload(n)).stdout).err, 0);
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
  try {
    for (const n of [1, 2, 3]) {
      const page = await browser.newPage();
      await page.goto(`${address}/${n}/`);
      await page.evaluate(([endpoint, version]) => {
        const Class = window.rollbar ?? window.Rollbar;
        window.pay(new Class({ accessToken: 't', environment: 'page', endpoint, payload: { client: { javascript: { code_version: version } } } }));
      }, [`${skep.url}/api/1/item/`, `v${n}`]);
      await row(is('service.version', `v${n}`));
    }
  } finally {
    await browser.close();
    site.close();
  }
  const [one, two, three] = [await row(is('service.version', 'v1')), await row(is('service.version', 'v2')), await row(is('service.version', 'v3'))];
  assert.match(one.fields['code.file.path'], /src\/shop\.ts$/);
  assert.equal(one.fields['code.line.number'], 5);
  assert.equal(one.fields['code.function.name'], 'ownerOf');
  assert.equal(two.fields['error.fingerprint'], one.fields['error.fingerprint'], 'another build, the same error');
  const stack = await stackOf(one);
  const own = stack.exceptions[0].frames.filter((f) => f.own && f.sent).map(place);
  for (const want of [/src\/main\.ts:5 pay$/, /src\/shop\.ts:9 checkout$/, /src\/shop\.ts:5 ownerOf$/]) assert.ok(own.some((p) => want.test(p)), `${want} in ${own.join(' | ')}`);
  const last = stack.exceptions[0].frames.at(-1);
  assert.equal(last.code.line, '  return line.user!.name + tax;');
  assert.deepEqual(last.code.before.slice(-1), ['  const tax = line.price * 0.2; // "{" and /{/ are no braces']);
  assert.match(last.sent.file, /\/1\/app\.js/);
  assert.equal(stack.by_sender, false);
  assert.equal(stack.mapped_later, undefined);
  // The same error by OpenTelemetry, as text: one group.
  const { exception, frames } = JSON.parse((await skep.json('GET', `/skep/v1/row/${one.id}`)).fields.find((f) => f.name === 'meta.raw')?.value ?? (await skep.json('GET', `/skep/v1/document/${one.id}`)).document).body.trace;
  const text = `${exception.class}: ${exception.message}\n${[...frames].reverse().map((f) => `    at ${f.method && f.method !== '[anonymous]' ? `${f.method} (${f.filename}:${f.lineno}:${f.colno})` : `${f.filename}:${f.lineno}:${f.colno}`}`).join('\n')}`;
  const now = String(BigInt(Date.now()) * 1000000n);
  const say = (key, stringValue) => ({ key, value: { stringValue } });
  await skep.json('POST', '/v1/logs', { resourceLogs: [{ resource: { attributes: [say('service.name', 'web'), say('service.version', 'v1'), say('deployment.environment.name', 'page'), say('telemetry.sdk.language', 'webjs')] },
    scopeLogs: [{ logRecords: [{ timeUnixNano: now, severityNumber: 17, attributes: [say('exception.type', exception.class), say('exception.message', exception.message), say('exception.stacktrace', text)] }] }] }] });
  const otlp = await row(is('service.name', 'web'));
  assert.equal(otlp.fields['error.culprit'], one.fields['error.culprit']);
  assert.equal(otlp.fields['error.fingerprint'], one.fields['error.fingerprint'], `two wires, one error: ${text}`);
  // The third came before its map: the group stays, the stack is read all the same.
  assert.notEqual(three.fields['error.fingerprint'], one.fields['error.fingerprint']);
  assert.equal((await stackOf(three)).exceptions[0].frames.at(-1).sent, undefined);
  // Its map brings no code: one file is beside it, twice, of which the first is meant; a file that is no text is none.
  const { sourcesContent, ...bare } = JSON.parse(readFileSync(builds[3].map, 'utf8'));
  assert.ok(sourcesContent.length >= 2 && bare.sources.some((s) => s === 'src/shop.ts'), String(bare.sources));
  writeFileSync(builds[3].map, JSON.stringify(bare));
  writeFileSync(join(dir, 'none.ts'), Buffer.from([0xff, 0xfe, 10]));
  assert.equal(JSON.parse((await upload(3, `src/shop.ts=@${join(dir, 'v3', 'src', 'shop.ts')}`, `src/main.ts=@${join(dir, 'none.ts')}`, 'src/shop.ts=later')).stdout).err, 0);
  const later = await stackOf(three);
  assert.equal(later.exceptions[0].frames.at(-1).code.line, '  return line.user!.name + tax;');
  assert.match(place(later.exceptions[0].frames.at(-1)), /src\/shop\.ts:5 ownerOf$/);
  assert.equal(later.mapped_later, true);
  assert.equal(later.by_sender, false);
});

// --- compiled programs -------------------------------------------------------------------------

const CRASH = `#include <dlfcn.h>
#include <stdio.h>
static void say(void *at) {
  Dl_info i; dladdr(at, &i);
  printf("%lx\\n", (unsigned long)at - (unsigned long)i.dli_fbase - 1);
}
__attribute__((noinline)) void deep(void) {
  say(__builtin_return_address(0));
}
static inline __attribute__((always_inline)) void inlined(void) {
  deep();
  __asm__ volatile("");
}
__attribute__((noinline)) int total(int n) {
  inlined();
  return n + 1;
}
int main(int argc, char **argv) { (void)argv; return total(argc) == 0; }
`;

async function program() {
  writeFileSync(join(dir, 'crash.c'), CRASH);
  await run('cc', ['-D_GNU_SOURCE', '-g', '-O2', '-pie', '-fPIE', '-Wl,--build-id=sha1', 'crash.c', '-o', 'crash'], { cwd: dir });
  await run('objcopy', ['--only-keep-debug', 'crash', 'crash.debug'], { cwd: dir });
  await run('strip', ['crash'], { cwd: dir });
  const offset = (await run(join(dir, 'crash'))).stdout.trim();
  const id = /Build ID: ([0-9a-f]+)/.exec((await run('readelf', ['-n', join(dir, 'crash')])).stdout)[1];
  return { offset, id };
}

const report = (what, frames) => skep.json('POST', '/api/1/item/', {
  data: { environment: 'production', level: 'critical', language: 'c', code_version: what, body: { trace: { exception: { class: 'SIGSEGV', message: what }, frames } } },
});
const frame = (id, offset) => ({ filename: '/usr/bin/crash', method: `crash+0x${offset}`, module: '/usr/bin/crash', offset: `0x${offset}`, build_id: id });

test('a stripped program: function, file, line, and what was inlined', async () => {
  const { offset, id } = await program();
  await report('unknown', [frame(id, offset)]);
  const before = await row(is('exception.message', 'unknown'));
  assert.equal(before.fields['code.function.name'], `0x${offset}`); // as a stack in text has it
  const { stdout } = await run(binary, ['symbols', 'upload', '--server', skep.url, join(dir, 'crash.debug')]);
  assert.ok(stdout.includes(id), stdout);
  await report('known', [frame(id.toUpperCase(), offset)]);
  const after = await row(is('exception.message', 'known'));
  assert.equal(after.fields['code.function.name'], 'inlined');
  assert.match(after.fields['code.file.path'], /crash\.c$/);
  const frames = (await stackOf(after)).exceptions[0].frames;
  assert.deepEqual(frames.map((f) => [f.function, f.line, f.inlined ?? false]), [['total', 15, false], ['inlined', 11, true]]);
  assert.equal(frames[0].sent.offset, `0x${offset}`);
  assert.equal((await stackOf(before)).mapped_later, true);
  // The same as text, in a log line of OTLP.
  const now = String(BigInt(Date.now()) * 1000000n);
  await skep.json('POST', '/v1/logs', { resourceLogs: [{ resource: {}, scopeLogs: [{ logRecords: [{ timeUnixNano: now, severityNumber: 17,
    body: { stringValue: `fault\n    #0 0x${offset}  (/usr/bin/crash+0x${offset}) (BuildId: ${id})\n` } }] }] }] });
  const line = await row({ column: 'body', op: 'starts-with', value: 'fault' });
  assert.equal(line.fields['error.culprit'], after.fields['error.culprit'], 'mapped as it arrived');
  assert.equal(line.fields['error.fingerprint'], (await stackOf(line)).fingerprint);
  assert.equal((await stackOf(line)).mapped_later, undefined);
  assert.deepEqual((await stackOf(line)).exceptions[0].frames.map((f) => f.function), ['total', 'inlined']);
  // The same as a cause of X-Ray's, through the daemon's UDP port.
  const socket = createSocket('udp4');
  const s = Date.now() / 1000;
  const segment = { name: 'crash', id: '0102030405060708', trace_id: `1-${Math.floor(s).toString(16)}-${'ab'.repeat(12)}`, start_time: s, end_time: s + 0.1, fault: true,
    metadata: { default: { 'otel.resource.host.name': 'h', 'otel.resource.process.pid': 7 } }, aws: { xray: { sdk: 'waggle for c', sampling_rule_name: 'all' } },
    cause: { exceptions: [{ id: '0a', type: 'SIGSEGV', message: 'by datagram', stack: [{ path: '/usr/bin/crash', label: `+0x${offset}`, module: '/usr/bin/crash', offset: `0x${offset}`, build_id: id }] }] } };
  await new Promise((r) => socket.send(`{"format":"json","version":1}\n${JSON.stringify(segment)}`, daemon, '127.0.0.1', r));
  socket.close();
  const cause = await row(is('exception.message', 'by datagram'), { column: 'error.fingerprint', op: 'exists' });
  assert.equal(cause.fields['error.culprit'], after.fields['error.culprit'], 'mapped as it arrived');
  assert.equal(cause.fields['error.fingerprint.loose'], after.fields['error.fingerprint.loose']);
  assert.deepEqual([cause.fields['host.name'], cause.fields['process.pid']], ['h', 7]);
  assert.deepEqual((await stackOf(cause)).exceptions[0].frames.map((f) => f.function), ['total', 'inlined']);
  assert.equal((await stackOf(cause)).mapped_later, undefined);
  // What there is, over a restart; then it is taken away.
  const list = async () => (await skep.json('GET', '/skep/v1/symbols')).symbols.filter((s) => s.kind === 'native');
  const [kept] = await list();
  assert.equal(kept.build_id, id);
  assert.equal(kept.title, 'crash.debug');
  await run(binary, ['symbols', 'delete', '--server', skep.url, String(kept.id)]);
  assert.deepEqual(await list(), []);
  assert.equal((await stackOf(after)).exceptions[0].frames[0].sent, undefined);
  // Both are in the audit log, and so are maps, of either call.
  await skep.json('POST', '/api/1/sourcemap', { version: 'a1', minified_url: 'https://example.com/a.js', source_map: JSON.stringify({ version: 3, sources: [], names: [], mappings: '' }) });
  const map = (await skep.json('GET', '/skep/v1/symbols')).symbols.find((s) => s.version === 'a1');
  assert.ok((await skep.call('DELETE', `/skep/v1/symbols/${map.id}`)).ok);
  assert.equal((await skep.call('DELETE', `/skep/v1/symbols/${map.id}`)).status, 404);
  const entries = (await skep.json('GET', '/skep/v1/audit')).entries.filter((e) => e.what.startsWith('symbols.'));
  assert.deepEqual(entries.slice(0, 4).map((e) => [e.what, e.on]), [
    ['symbols.delete', `example.com/a.js (${map.id})`], ['symbols.create', `example.com/a.js (${map.id})`],
    ['symbols.delete', `${id} (${kept.id})`], ['symbols.create', `${id} (${kept.id})`],
  ]);
});

test('a debug file sent whole is read by a process of its own; a hostile one hurts nobody', async () => {
  const { offset, id } = await program();
  const elf = readFileSync(join(dir, 'crash.debug'));
  const send = (body, query = '') => skep.call('POST', `/skep/v1/symbols${query}`, body, { 'content-type': 'application/octet-stream' });
  assert.equal((await (await send(elf, '?title=whole')).json()).build_id, id);
  await report('whole', [frame(id, offset)]);
  assert.equal((await row(is('exception.message', 'whole'))).fields['code.function.name'], 'inlined');
  const refused = async (body, query) => {
    const r = await send(body, query);
    assert.equal(r.status, 422, await r.clone().text());
    return (await r.json()).error;
  };
  assert.match(await refused(Buffer.from('no file at all')), /neither an ELF file/);
  assert.match(await refused(Buffer.from('\x7fELF')), /no ELF/);
  assert.match(await refused(readFileSync(join(dir, 'crash'))), /says nothing of its code|dynamic|stripped/);
  for (let i = 0; i < 24; i++) {
    const bad = Buffer.from(elf);
    for (let k = 0; k < 40; k++) bad[64 + ((i * 7919 + k * 104729) % (bad.length - 64))] ^= 1 << (k % 8);
    const r = await send(i % 3 === 0 ? bad.subarray(0, bad.length - 1000 - i) : bad);
    assert.ok([201, 422].includes(r.status), `${r.status} ${await r.text()}`);
  }
  assert.match(await refused(JSON.stringify({ version: 3, sources: [], names: [], mappings: '!!' }), '?version=1&url=//a/b.js'), /mappings, byte/);
  assert.match(await refused('{}', '?version=1&url=//a/b.js'), /version 3/);
  assert.match(await refused('{}', '?url=//a/b.js'), /version is needed/);
  const api = await skep.call('POST', '/api/1/sourcemap', { version: '1', minified_url: '//a/b.js', source_map: '{' });
  assert.deepEqual([api.status, (await api.json()).err], [422, 1]);
  assert.equal((await skep.call('POST', '/api/1/sourcemap/download', { version: '1', minified_url: 'http://127.0.0.1/x.js' })).status, 422);
  assert.equal(skep.child.exitCode, null);
});
