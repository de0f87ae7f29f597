// SPDX-License-Identifier: Apache-2.0
// What an operator does with a data folder, as he types it: verify, dump, repair, backup, restore, export,
// import, beside a running server and without one.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { mkdtempSync, openSync, closeSync, readFileSync, readdirSync, readSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Skep, binary, hex, nowNs, otlpTraces } from './support.mjs';

function run(args, { input, env = {} } = {}) {
  return new Promise((resolve) => {
    const child = spawn(binary, args, { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
    const out = { stdout: '', stderr: '' };
    child.stdout.on('data', (d) => { out.stdout += d; });
    child.stderr.on('data', (d) => { out.stderr += d; });
    child.once('close', (code) => resolve({ code, ...out }));
    child.stdin.on('error', () => {});
    child.stdin.end(input ?? '');
  });
}

const jsonLines = (text) => text.trim().split('\n').filter(Boolean).map((l) => JSON.parse(l));

async function fill(skep, n, service = 'shop') {
  const spans = Array.from({ length: n }, (_, i) => ({
    traceId: hex(32), spanId: hex(16), name: `GET /${i}`, startNs: nowNs() + BigInt(i), endNs: nowNs() + BigInt(i) + 1000000n,
    attributes: { i, big: 9007199254740993n, f: 1.5, b: i % 2 === 0, s: `text ${i}`, list: [1, 'a', null] },
  }));
  await skep.json('POST', '/v1/traces', otlpTraces(service, spans, { host: 'h1' }));
}

function files(dir, sub) {
  return readdirSync(join(dir, 'rows', sub)).map((f) => join(dir, 'rows', sub, f)).sort();
}

function flip(path, at) {
  const fd = openSync(path, 'r+');
  const b = Buffer.alloc(1);
  readSync(fd, b, 0, 1, at);
  b[0] ^= 4;
  writeSync(fd, b, 0, 1, at);
  closeSync(fd);
}

const temp = () => mkdtempSync(join(tmpdir(), 'skep-operator-'));

test('the server is one small file, its page inside', { skip: !/release/.test(binary) && 'of the release build' }, () => {
  assert.ok(statSync(binary).size < 15e6, `${statSync(binary).size} bytes`);
});

test('verify says all is well beside a running server, and what is not after it', { timeout: 300000 }, async () => {
  const dir = temp();
  let skep = await Skep.start({ dir: join(dir, 'data') });
  try {
    for (let i = 0; i < 5; i++) await fill(skep, 20);
    const live = await run(['verify', '--data', skep.dir]);
    assert.equal(live.code, 0, live.stdout + live.stderr);
    assert.match(live.stdout, /100 rows: all as it was written/);
    assert.equal(await skep.stop(), 0);
    const log = files(skep.dir, 'wal')[0];
    flip(log, 64 + 48 + 200); // in the first commit's payload
    const r = await run(['verify', '--data', skep.dir, '--json']);
    assert.equal(r.code, 1);
    const found = jsonLines(r.stdout).filter((f) => f.level === 'damage');
    assert.equal(found.length, 1);
    assert.equal(found[0].offset, 64);
    assert.equal(found[0].first_commit, 1);
    assert.match(found[0].file, /^wal\//);
    // The server serves the rest; each answer says what is missing.
    skep = await Skep.start({ dir: skep.dir });
    const q = await skep.query({ time_range: 3600, disable_series: true, calculations: [{ op: 'COUNT' }] });
    assert.equal(q.complete, false);
    assert.equal(q.groups[0].values[0], 80);
    assert.match(q.warnings.join(), /commit 1,/);
    const status = await skep.json('GET', '/skep/v1/status');
    assert.match(status.store.missing[0], /commit 1,/);
  } finally {
    await skep.done();
    rmSync(dir, { recursive: true, force: true });
  }
});

test('a server that cannot start says which command mends it, and the command does', { timeout: 300000 }, async () => {
  const dir = temp();
  const skep = await Skep.start({ dir: join(dir, 'data') });
  try {
    await fill(skep, 30);
    assert.equal(await skep.stop(), 0);
    const manifest = join(skep.dir, 'rows', 'MANIFEST');
    flip(manifest, 10);
    const refused = await run(['serve', '--data', skep.dir, '--listen', '127.0.0.1:0', '--grpc', 'none', '--xray', 'none']);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, new RegExp(`skep repair --data ${skep.dir}`));
    const dry = await run(['repair', '--data', skep.dir, '--dry-run']);
    assert.equal(dry.code, 0);
    assert.match(dry.stdout, /Nothing was changed/);
    assert.equal((await run(['verify', '--data', skep.dir])).code, 1);
    const mended = await run(['repair', '--data', skep.dir]);
    assert.equal(mended.code, 0, mended.stdout + mended.stderr);
    assert.match(mended.stdout, /30 rows served/);
    assert.equal((await run(['verify', '--data', skep.dir])).code, 0);
    const again = await run(['repair', '--data', skep.dir]);
    assert.match(again.stdout, /nothing to repair: 30 rows/);
  } finally {
    await skep.done();
    rmSync(dir, { recursive: true, force: true });
  }
});

test('repair of a folder that a server owns is refused', { timeout: 300000 }, async () => {
  const skep = await Skep.start();
  try {
    const r = await run(['repair', '--data', skep.dir]);
    assert.equal(r.code, 1);
    assert.match(r.stderr, /stop it first/);
  } finally {
    await skep.done();
  }
});

test('dump shows frames, edits and rows; what is not ours is refused', { timeout: 300000 }, async () => {
  const skep = await Skep.start();
  try {
    await fill(skep, 7);
    await fill(skep, 3);
    const log = files(skep.dir, 'wal').at(-1);
    const frames = jsonLines((await run(['dump', '--json', log])).stdout).filter((x) => x.what === 'frame');
    assert.deepEqual(frames.map((f) => f.rows), [7, 3]);
    assert.match(frames[0].identity, /^[0-9a-f]{32}$/);
    const rows = jsonLines((await run(['dump', '--rows', log])).stdout);
    assert.equal(rows.length, 10);
    assert.equal(rows[0].resource['service.name'], 'shop');
    assert.deepEqual(rows[0].attributes.big, { int: '9007199254740993' });
    const edits = await run(['dump', join(skep.dir, 'rows', 'MANIFEST')]);
    assert.match(edits.stdout, /operation checkpoint/);
    const other = join(skep.dir, 'other');
    writeFileSync(other, 'something else');
    const refused = await run(['dump', other]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /no file of skep's store/);
  } finally {
    await skep.done();
  }
});

test('backup beside a running server, restored elsewhere, serves the same', { timeout: 300000 }, async () => {
  const dir = temp();
  const skep = await Skep.start({ dir: join(dir, 'data') });
  let other;
  try {
    await fill(skep, 25);
    const to = join(dir, 'backups');
    const one = await run(['backup', '--data', skep.dir, '--to', to, '--name', 'one']);
    assert.equal(one.code, 0, one.stderr);
    assert.match(one.stdout, /^one: 25 rows/);
    await fill(skep, 5);
    assert.equal((await run(['backup', '--data', skep.dir, '--to', to, '--name', 'two'])).code, 0);
    const list = jsonLines((await run(['backup', '--to', to, '--list', '--json'])).stdout);
    assert.deepEqual(list.map((b) => [b.name, b.rows]), [['one', 25], ['two', 30]]);
    const data = join(dir, 'restored');
    const r = await run(['restore', '--from', to, '--at', 'one', '--data', data]);
    assert.equal(r.code, 0, r.stderr);
    const over = await run(['restore', '--from', to, '--data', data]);
    assert.equal(over.code, 1);
    assert.match(over.stderr, /holds data/);
    other = await Skep.start({ dir: data });
    const q = await other.query({ time_range: 3600, disable_series: true, calculations: [{ op: 'COUNT' }] });
    assert.equal(q.groups[0].values[0], 25);
    assert.equal(q.complete, true);
  } finally {
    await skep.done();
    await other?.done();
    rmSync(dir, { recursive: true, force: true });
  }
});

// A row without what is new in the store it stands in.
const bare = (line) => { const { id, received_ns: _, ...rest } = JSON.parse(line); assert.ok(id); return JSON.stringify(rest); };

test('export and import are each other\'s inverse, through servers and folders', { timeout: 300000 }, async () => {
  const dir = temp();
  const a = await Skep.start({ dir: join(dir, 'a') });
  const b = await Skep.start({ dir: join(dir, 'b') });
  try {
    await fill(a, 300);
    await a.json('POST', '/v1/logs', { resourceLogs: [{ resource: { attributes: [] }, scopeLogs: [{ logRecords: [
      { timeUnixNano: String(nowNs()), severityNumber: 17, body: { stringValue: 'old \u0000 text' } }] }] }] });
    const out = await run(['export', '--server', a.url]);
    assert.equal(out.code, 0, out.stderr);
    const want = out.stdout.trim().split('\n').map(bare);
    assert.equal(want.length, 301);
    const file = join(dir, 'rows.jsonl');
    writeFileSync(file, out.stdout);
    const into = await run(['import', '--server', b.url, file]);
    assert.equal(into.code, 0, into.stderr);
    assert.match(into.stdout, /^301 rows imported/);
    const back = await run(['export', '--server', b.url]);
    assert.deepEqual(back.stdout.trim().split('\n').map(bare).sort(), want.toSorted());
    // Again: the mark beside the file says that it is in; without the mark the chunk is known.
    assert.match((await run(['import', '--server', b.url, file])).stderr, /imported before/);
    rmSync(`${file}.skep-import`);
    assert.match((await run(['import', '--server', b.url, file])).stdout, /^0 rows imported, 301 were there already/);
    // Straight into a folder, from one that a server has open.
    const folder = join(dir, 'c');
    const live = await run(['export', '--data', a.dir, '--where', 'name = "GET /7"']);
    assert.equal(live.stdout.trim().split('\n').length, 1);
    assert.equal((await run(['import', '--data', folder, '-'], { input: out.stdout })).code, 0);
    const closed = await run(['export', '--data', folder]);
    assert.deepEqual(closed.stdout.trim().split('\n').map(bare).sort(), want.toSorted());
    assert.equal((await run(['verify', '--data', folder])).code, 0);
    assert.match((await run(['import', '--data', a.dir, file])).stderr, /a server has .* open/);
  } finally {
    await a.done();
    await b.done();
    rmSync(dir, { recursive: true, force: true });
  }
});

test('import refuses what is no row, with its line', { timeout: 300000 }, async () => {
  const skep = await Skep.start();
  try {
    const row = '{"time_ns":5,"kind":"log","source":"otlp"}\n';
    const r = await skep.call('POST', '/skep/v1/import', `${row}{"time_ns":5}\n`, { 'content-type': 'application/x-ndjson' });
    assert.equal(r.status, 400);
    assert.deepEqual(Object.keys(await r.clone().json()), ['error', 'line']);
    assert.equal((await r.json()).line, 2);
    const headers = { 'content-type': 'application/x-ndjson', 'x-skep-chunk': hex(32) };
    assert.deepEqual(await (await skep.call('POST', '/skep/v1/import', row, headers)).json(), { rows: 1, duplicate: false });
    assert.deepEqual(await (await skep.call('POST', '/skep/v1/import', row, headers)).json(), { rows: 1, duplicate: true });
    assert.equal((await skep.call('POST', '/skep/v1/import', row, { ...headers, 'x-skep-chunk': 'zz' })).status, 400);
  } finally {
    await skep.done();
  }
});

test('import of OTLP lines, and going on where it was cut', { timeout: 300000 }, async () => {
  const dir = temp();
  try {
    const lines = Array.from({ length: 4 }, (_, i) => JSON.stringify(otlpTraces('old', [
      { traceId: hex(32), spanId: hex(16), startNs: 1500000000000000000n + BigInt(i) * 86400000000000n }])));
    const file = join(dir, 'old.jsonl');
    writeFileSync(file, `${lines.slice(0, 2).join('\n')}\n{"resourceSpans":`);
    const data = join(dir, 'data');
    const cut = await run(['import', '--data', data, file]);
    assert.equal(cut.code, 1);
    writeFileSync(file, `${lines.join('\n')}\n`);
    const rest = await run(['import', '--data', data, file]);
    assert.equal(rest.code, 0, rest.stderr);
    assert.match(rest.stderr, /going on at byte/);
    assert.match(rest.stdout, /^2 rows, 2 OTLP requests imported/);
    const out = await run(['export', '--data', data, '--to', '1600000000']);
    assert.equal(jsonLines(out.stdout).length, 4);
    assert.equal(jsonLines((await run(['export', '--data', data, '--from', '1600000000'])).stdout).length, 0);
    assert.ok(statSync(file).size > 0 && readFileSync(file).length > 0);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test('doctor says what is wrong and what to do about it', { timeout: 300000 }, async () => {
  const skep = await Skep.start({ args: ['--disk', '100G'] });
  try {
    await fill(skep, 3);
    const well = await run(['doctor', '--data', skep.dir, '--server', skep.url, '--json']);
    const seen = jsonLines(well.stdout);
    assert.ok(seen.some((f) => /answers at .* and holds 3 rows/.test(f.text)), well.stdout);
    assert.ok(seen.some((f) => /an fsync takes/.test(f.text)));
    assert.ok(seen.some((f) => /nothing was refused/.test(f.text)));
    assert.ok(seen.some((f) => f.level === 'ok' && /accounted for: 3 = 3 stored \+ 0 sent again \+ 0 sampled \+ 0 under way \+ 0 refused/.test(f.text)), well.stdout);
    assert.equal(well.code, seen.some((f) => f.level === 'problem') ? 1 : 0);

    // A sender with a wrong path, one with a bad body, one with a bad span.
    for (let i = 0; i < 2; i++) await skep.call('POST', '/v1/traces/v1/traces', '{}', { 'content-type': 'application/json' });
    await skep.call('POST', '/v1/traces', '{', { 'content-type': 'application/json' });
    await skep.json('POST', '/v1/traces', otlpTraces('shop', [{ traceId: '00'.repeat(16), spanId: hex(16), startNs: nowNs() }]));
    const r = await run(['doctor', '--data', skep.dir, '--server', skep.url, '--json']);
    assert.equal(r.code, 1);
    const problems = jsonLines(r.stdout).filter((f) => f.level === 'problem');
    const about = (what) => problems.find((f) => f.text.includes(what));
    assert.match(about('POST /v1/traces/v1/traces').text, /2 times/);
    assert.match(about('POST /v1/traces/v1/traces').do, /OTEL_EXPORTER_OTLP_ENDPOINT/);
    assert.ok(about('could not be read'));
    assert.ok(about('trace ids'));
    assert.ok(problems.every((f) => f.do.length > 10), 'each problem says what to do');
    assert.deepEqual(readdirSync(skep.dir).filter((f) => f.includes('scratch')), []);
    const text = await run(['doctor', '--data', skep.dir, '--server', skep.url]);
    assert.match(text.stdout, /^PROBLEM {2}a sender tries/m);
  } finally {
    await skep.done();
  }
  const alone = await run(['doctor', '--data', '/nowhere/at/all', '--server', 'http://127.0.0.1:1']);
  assert.equal(alone.code, 1);
  assert.match(alone.stdout, /no skep answers at/);
  assert.match(alone.stdout, /is no data folder/);
});

test('doctor says which minute lacks what was acknowledged, why, and when it is settled', { timeout: 300000 }, async () => {
  const dir = temp();
  const doctor = async (skep) => jsonLines((await run(['doctor', '--data', skep.dir, '--server', skep.url, '--json'])).stdout);
  const data = join(dir, 'b');
  let skep = await Skep.start({ dir: join(dir, 'a') });
  try {
    await fill(skep, 30);
    const out = await run(['export', '--data', skep.dir]);
    assert.equal((await run(['import', '--data', data, '-'], { input: out.stdout })).code, 0); // it ends in a segment
    await skep.stop();
    flip(join(data, 'rows', 'seg', readdirSync(join(data, 'rows', 'seg')).find((f) => f.endsWith('.seg'))), 40);
    assert.equal((await run(['repair', '--data', data])).code, 0);
    skep = await Skep.start({ dir: data });
    const gap = (await doctor(skep)).find((f) => /not there any more/.test(f.text));
    assert.ok(gap, 'the minute is named');
    assert.match(gap.text, /^30 traces of source otlp that came from (\S+:\d\d):00Z to \S+:00Z were stored .* a loss is on record/);
    const [, from, to] = /from (\S+) to (\S+) /.exec(gap.text);
    assert.equal(Date.parse(to) - Date.parse(from), 60000);
    assert.equal(gap.level, 'problem');
    assert.match(gap.do, /skep restore.*skep repair --forget/);
    assert.equal(await skep.stop(), 0);
    assert.equal((await run(['repair', '--data', data, '--forget'])).code, 0);
    skep = await Skep.start({ dir: data });
    const settled = await doctor(skep);
    assert.ok(settled.some((f) => /all that was received is accounted for: 30 = 30 stored/.test(f.text)), JSON.stringify(settled));
    assert.ok(!settled.some((f) => /not there any more/.test(f.text)));
  } finally {
    await skep.done();
    rmSync(dir, { recursive: true, force: true });
  }
});

// A server that answers what the test says, for differences that no sound server has.
async function pretend(ledgerOf) {
  const asked = [];
  const server = createServer((req, res) => {
    const url = new URL(req.url, 'http://x');
    asked.push(url);
    const body = url.pathname === '/skep/v1/status'
      ? { version: '0', rows: 1, store: { missing: [] }, net: {}, ledger: [{ source: 'otlp', signal: 'traces' }] }
      : ledgerOf(Number(url.searchParams.get('start')), Number(url.searchParams.get('end')));
    res.setHeader('content-type', 'application/json').end(JSON.stringify(body));
  });
  await new Promise((r) => server.listen(0, '127.0.0.1', r));
  return { url: `http://127.0.0.1:${server.address().port}`, asked, close: () => server.close() };
}

test('doctor follows a difference to its minute, and tells the cases apart', { timeout: 300000 }, async () => {
  const step = (n, wire, store) => ({ source: 'otlp', signal: 'traces', totals: { received: 9, stored: 9 },
    series: { start_s: [n], difference: [wire], store_difference: [store] } });
  const cases = [[0, 7, /^7 traces .* no loss is on record/, /skep verify/], [0, -2, /^2 traces .* are there, and were not stored, or are deleted/, /delete them again/],
    [5, 0, /^5 traces .* neither stored nor refused/, /stored once/], [-4, 0, /^4 traces .* no wire counted them/, /state\.db/]];
  for (const [wire, store, text, what] of cases) {
    const fake = await pretend((start, end) => {
      const finest = end - start === 3600; // an hour was asked for: its minutes
      return { step_s: finest ? 60 : 3600, complete: true, differences: 1, sources: [step(finest ? start + 120 : 7200, wire, store)] };
    });
    try {
      const r = await run(['doctor', '--data', '/nowhere/at/all', '--server', fake.url, '--json']);
      assert.equal(r.code, 1);
      const told = jsonLines(r.stdout).filter((f) => / of source /.test(f.text));
      assert.equal(told.length, 1, r.stdout);
      assert.match(told[0].text, text);
      assert.match(told[0].text, /from 1970-01-01T02:02:00Z to 1970-01-01T02:03:00Z/);
      assert.match(told[0].do, what);
      assert.equal(fake.asked.length, 3, 'the status, the whole ledger, one hour');
    } finally {
      fake.close();
    }
  }
  const blind = await pretend(() => ({ step_s: 60, complete: false, unread_rows: 12, missing: 'segment 7: no memory', differences: 0, sources: [] }));
  try {
    const r = await run(['doctor', '--data', '/nowhere/at/all', '--server', blind.url, '--json']);
    assert.ok(jsonLines(r.stdout).some((f) => f.level === 'problem' && /12 stored rows cannot be read.*segment 7: no memory/.test(f.text)), r.stdout);
  } finally {
    blind.close();
  }
});
