// SPDX-License-Identifier: Apache-2.0
// The terminal commands and the server's own flags.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { sendShop, traceId } from './fixture.mjs';
import { binary, hex, nowNs, otlpTraces, Skep, sleep, until } from './support.mjs';

const N = 20;
const dir = mkdtempSync(join(tmpdir(), 'skep-e2e-'));
let skep, range;
before(async () => {
  skep = await Skep.start();
  range = await sendShop(skep, N);
});
after(async () => {
  await skep.done();
  rmSync(dir, { recursive: true, force: true });
});

function run(args, { input, env = {} } = {}) {
  return new Promise((resolve) => {
    const child = spawn(binary, args, { env: { ...process.env, SKEP_URL: skep.url, ...env } });
    let out = '', err = '';
    child.stdout.on('data', (d) => { out += d; });
    child.stderr.on('data', (d) => { err += d; });
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    child.on('close', (code) => resolve({ code, out, err }));
  });
}

test('help, version and unknown commands', async () => {
  const version = await run(['--version']);
  assert.match(version.out, /^skep \d+\.\d+\.\d+\n$/);
  assert.equal((await run(['--help'])).code, 0);
  assert.equal((await run([])).code, 2);
  const unknown = await run(['nonsense']);
  assert.equal(unknown.code, 2);
  assert.match(unknown.err, /no such command/);
  for (const c of ['serve', 'query', 'trace', 'tail', 'send']) {
    const r = await run([c, '--help']);
    assert.equal(r.code, 0, c);
    assert.match(r.out, /Usage: skep/);
  }
});

test('query: a table whose columns stand under each other', async () => {
  const r = await run(['query', '--calc', 'COUNT', '--calc', 'MAX(duration_ms)', '--by', 'service.name', '--where', 'meta.kind = span',
    '--from', String(range.start_time), '--to', String(range.end_time), '--order', 'service.name']);
  assert.equal(r.code, 0, r.err);
  const lines = r.out.split('\n');
  assert.deepEqual(lines[0].split(/ {2,}/), ['service.name', 'COUNT', 'MAX(duration_ms)']);
  assert.deepEqual(lines[1].trim().split(/ +/), ['db', '20', '3']);
  assert.deepEqual(lines[2].trim().split(/ +/), ['shop', '20', '29']);
  assert.equal(lines[1].length, lines[2].length);
  assert.match(r.out, /\n[\d,]+ rows, [\d.e+-]+ ms, complete\n$/);
});

test('query: JSON in, JSON out, errors with their place', async () => {
  const spec = JSON.stringify({ ...range, disable_series: true });
  const r = await run(['query', spec, '--json']);
  assert.equal(JSON.parse(r.out).totals.values[0], 3 * N + N / 5);
  const piped = await run(['query', '-', '--json'], { input: spec });
  assert.equal(JSON.parse(piped.out).totals.values[0], 3 * N + N / 5);
  const bad = await run(['query', '{"filters":[{"column":"a","op":"like"}]}']);
  assert.equal(bad.code, 1);
  assert.match(bad.err, /422.*filters\[0\]\.op/);
  const where = await run(['query', '--where', 'a = ']);
  assert.equal(where.code, 2);
  assert.match(where.err, /value is expected/);
  const down = await run(['query', '--server', 'http://127.0.0.1:1']);
  assert.equal(down.code, 1);
  assert.match(down.err, /127\.0\.0\.1/);
});

test('trace: a waterfall without foreign control characters', async () => {
  const r = await run(['trace', traceId(5)], { env: { COLUMNS: '120', LC_ALL: 'C' } });
  assert.equal(r.code, 0, r.err);
  assert.match(r.out, /GET \/cart\s+shop\s+15 ms \|=+\s*\|/);
  assert.match(r.out, /  SELECT\s+db/);
  assert.match(r.out, /\* exception: boom \\x1b\[31m/);
  assert.match(r.out, /\| cart 5 shown|\| : cart 5 shown/);
  assert.ok(!r.out.includes('\u001b'));
  for (const line of r.out.trimEnd().split('\n')) assert.ok(line.length <= 120, line);
  const colored = await run(['trace', traceId(5), '--color', 'always']);
  assert.ok(colored.out.includes('\u001b[31m') && colored.out.includes('\u001b[36m'));
  assert.equal((await run(['trace', hex(32)])).code, 1);
  assert.equal((await run(['trace'])).code, 2);
});

// What a terminal obeys or shows other than it is: C0, DEL, C1, bidirectional controls, separators, unseen ones.
const STEERS = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\u{e0000}-\u{e007f}]/u;

test('hostile rows cannot steer the terminal in tail, trace and query, as text or as JSON', async () => {
  const evil = ['\u001b[2J\u001b]0;title\u0007', '\u001b]52;c;cm0gLXJmIC8=\u001b\\\\', '\u001bP+q\u001b\\\\', '\u009b31m\u0090x\u009c', '\r\nforged: line\r', '\b\b\u007f', '\u202egnp.exe\u2066\u2028', '\ufeff\u200b\u{e0041}\u061c'].join('|');
  const id = hex(32);
  const row = { traceId: id, spanId: hex(16), name: evil, startNs: nowNs(), attributes: { [evil]: evil, list: [evil], map: { [evil]: evil } }, status: { code: 2, message: evil },
    events: [{ timeUnixNano: String(nowNs()), name: evil, attributes: [] }] };
  const tails = [[], ['--json']].map((flags) => {
    const child = spawn(binary, ['tail', '--where', 'steers = yes', '--server', skep.url, ...flags]);
    const t = { child, out: '' };
    child.stdout.on('data', (d) => { t.out += d; });
    return t;
  });
  await until('both tails to see a row', async () => {
    await skep.json('POST', '/v1/traces', otlpTraces(evil, [{ ...row, spanId: hex(16), attributes: { ...row.attributes, steers: 'yes' } }], { [evil]: evil }));
    return tails.every((t) => t.out.includes('\n'));
  });
  for (const t of tails) {
    t.child.kill();
    assert.doesNotMatch(t.out, STEERS);
    assert.match(t.out, /\\x1b\[2J|\\u001b\[2J/); // shown, not dropped
  }
  assert.doesNotThrow(() => JSON.parse(tails[1].out.split('\n')[0]));
  const by = ['--by', 'service.name', '--by', 'name', '--by', evil, '--where', 'steers = yes'];
  for (const args of [['trace', id], ['trace', id, '--json'], ['query', ...by], ['query', ...by, '--json'], ['query', '--by', evil, '--order', `${evil} desc`], ['trace', evil], ['query', '--where', `${evil} = `]]) {
    const r = await run(args);
    assert.doesNotMatch(r.out + r.err, STEERS, args[0]);
  }
  const json = JSON.parse((await run(['trace', id, '--json'])).out);
  assert.ok(JSON.stringify(json).includes('gnp.exe'));
});

test('tail: rows as they arrive', async () => {
  const child = spawn(binary, ['tail', '--where', 'wanted = yes', '--server', skep.url]);
  let out = '';
  child.stdout.on('data', (d) => { out += d; });
  await sleep(500);
  for (const wanted of ['no', 'yes']) await skep.json('POST', '/v1/traces', otlpTraces('t', [{ traceId: hex(32), spanId: hex(16), name: `n-${wanted}`, startNs: nowNs(), attributes: { wanted } }]));
  await until('a line', () => out.includes('n-yes'));
  assert.ok(!out.includes('n-no'));
  assert.match(out, /^\d\d:\d\d:\d\d\.\d{3} {2}span {2}t {2}n-yes/m);
  child.kill('SIGTERM');
});

test('tail: log groups, streams, a filter pattern, colours', async () => {
  const aws = (op, body) => skep.call('POST', '/', JSON.stringify(body), { 'x-amz-target': `Logs_20140328.${op}` });
  for (const g of ['tail-a', 'tail-b', 'tail-c']) {
    await aws('CreateLogGroup', { logGroupName: g });
    for (const s of ['web/1', 'db/1']) await aws('CreateLogStream', { logGroupName: g, logStreamName: s });
  }
  const start = (...args) => {
    const t = { child: spawn(binary, ['tail', '--server', skep.url, ...args]), out: '' };
    t.child.stdout.on('data', (d) => { t.out += d; });
    return t;
  };
  const groups = ['--group', 'tail-a', '--group', 'tail-b'];
  const plain = start(...groups, '--filter', 'ERROR'), web = start(...groups, '--stream', 'web/*'), colored = start(...groups, '--filter', '{ $.latency > 10 }', '--color', 'always');
  const put = (g, s, ...messages) => aws('PutLogEvents', { logGroupName: g, logStreamName: s, logEvents: messages.map((message) => ({ timestamp: Date.now(), message })) });
  await until('the tails to see a line', async () => { // one that all of them show
    await put('tail-a', 'web/1', '{"latency":99,"text":"ERROR probe"}');
    return [plain, web, colored].every((t) => t.out.includes('probe'));
  });
  const lines = (t) => t.out.trim().split('\n').filter((l) => !l.includes('probe'));
  await put('tail-a', 'web/1', 'ERROR one', 'fine', '{"level":"warn","latency":12}');
  await put('tail-b', 'db/1', 'ERROR two');
  await put('tail-c', 'web/1', 'ERROR of another group');
  await until('the lines', () => /ERROR two/.test(plain.out) && /"latency":12/.test(web.out) && /warn/.test(colored.out));
  assert.deepEqual(lines(plain).map((l) => l.slice(14)), ['error  tail-a  web/1  ERROR one', 'error  tail-b  db/1  ERROR two']);
  assert.deepEqual(lines(web).map((l) => l.split('  ').slice(3).join('  ')), ['web/1  ERROR one', 'web/1  fine', 'web/1  {"level":"warn","latency":12}']);
  assert.match(colored.out, /\x1b\[33mwarn\x1b\[0m/);
  for (const t of [plain, web, colored]) t.child.kill('SIGTERM');
  const bad = await run(['tail', '--filter', '{ $.x = ', '--server', skep.url]);
  assert.notEqual(bad.code, 0);
  assert.match(bad.err, /pattern|expected|value/i);
  assert.equal((await run(['tail', '--color', 'pink'])).code, 2);
});

test('send: JSON lines, from a file and from a pipe', async () => {
  const line = () => JSON.stringify(otlpTraces('sent', [{ traceId: hex(32), spanId: hex(16), name: 'x', startNs: nowNs() }]));
  const file = join(dir, 'lines.json');
  writeFileSync(file, [line(), line(), '', line()].join('\n'));
  const r = await run(['send', file]);
  assert.equal(r.code, 0, r.err);
  assert.match(r.out, /^3 requests, \d+ bytes sent\n$/);
  assert.equal((await run(['send', '-'], { input: line() })).code, 0);
  const count = await skep.query({ time_range: 600, filters: [{ column: 'service.name', op: '=', value: 'sent' }], disable_series: true });
  assert.equal(count.groups[0].values[0], 4);
  assert.equal((await run(['send', join(dir, 'absent')])).code, 1);
  writeFileSync(file, '{"resourceSpans": nonsense}');
  const bad = await run(['send', file]);
  assert.equal(bad.code, 1);
  assert.match(bad.err, /400/);
});

test('send: protobuf, whole and framed', async () => {
  // resource_spans { resource { service.name = "pb" } scope_spans { span } }, written by hand.
  const field = (n, b) => Buffer.concat([Buffer.from([(n << 3) | 2, b.length]), b]);
  const fixed = (n, v) => { const b = Buffer.alloc(9); b[0] = (n << 3) | 1; b.writeBigUInt64LE(v, 1); return b; };
  const body = () => field(1, Buffer.concat([
    field(1, field(1, Buffer.concat([field(1, Buffer.from('service.name')), field(2, field(1, Buffer.from('pb')))]))),
    field(2, field(2, Buffer.concat([field(1, Buffer.from(hex(32), 'hex')), field(2, Buffer.from(hex(16), 'hex')), field(5, Buffer.from('x')), fixed(7, nowNs()), fixed(8, nowNs())]))),
  ]));
  const file = join(dir, 'body.bin');
  writeFileSync(file, body());
  assert.equal((await run(['send', file])).code, 0);
  const framed = [body(), body()].flatMap((b) => { const h = Buffer.alloc(8); h.writeUInt32LE(b.length, 0); h.writeUInt32LE(1, 4); return [h, b]; });
  writeFileSync(file, Buffer.concat(framed));
  const r = await run(['send', file]);
  assert.match(r.out, /^2 requests/);
  const count = await skep.query({ time_range: 600, filters: [{ column: 'service.name', op: '=', value: 'pb' }], disable_series: true });
  assert.equal(count.groups[0].values[0], 3);
});

test('serve: mistakes in flags are told, strangers are kept out', async () => {
  const refused = async (args, text, env) => {
    const r = await run(['serve', '--data', join(dir, 'd'), '--xray', 'none', ...args], { env });
    assert.equal(r.code, 2, r.err);
    assert.match(r.err, text);
  };
  await refused(['--listen', '0.0.0.0:4318', '--auth', 'open'], /--auth open is for loopback addresses/);
  await refused(['--grpc', '[::]:4317', '--auth', 'open'], /--grpc \[::\]:4317 is none/);
  await refused(['--listen', '127.0.0.1.evil.example:1', '--auth', 'open'], /loopback addresses/);
  await refused(['--listen', '127.0.0.1'], /HOST:PORT/);
  await refused(['--memory', '1M'], /at least 64M/);
  await refused(['--retain', 'soon'], /30d/);
  await refused(['--nonsense', '1'], /unknown flag '--nonsense'/);
  await refused(['--memory'], /needs a value/);
  await refused([], /environment variable of memory.*'lots'/, { SKEP_MEMORY: 'lots' });
});

test('serve: a taken port and a taken folder are told', async () => {
  const port = await run(['serve', '--data', join(dir, 'd'), '--listen', `127.0.0.1:${skep.port}`, '--grpc', 'none', '--xray', 'none']);
  assert.equal(port.code, 1);
  assert.match(port.err, new RegExp(String(skep.port)));
  const folder = await run(['serve', '--data', skep.dir, '--listen', '127.0.0.1:0', '--grpc', 'none', '--xray', 'none']);
  assert.equal(folder.code, 1);
  assert.ok(folder.err.length > 10);
});
