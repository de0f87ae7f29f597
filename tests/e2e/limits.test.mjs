// SPDX-License-Identifier: Apache-2.0
// --memory and --disk are limits: under a load that wants more, the server refuses or drops the oldest,
// lives on, and stays inside. The load is generated shop traffic, about 60 MB of bodies a run.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { hex, nowNs, otlpTraces, Skep, until } from './support.mjs';

const bin = process.env.SKEP_BENCH_BIN || join(dirname(process.env.SKEP_BIN || 'build/release/skep'), 'bin');
const BASE = 1790000000;
const SPANS = 256 * 512;
let dir, file;
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'skep-limits-'));
  file = join(dir, 'bodies.bin');
  execFileSync(join(bin, 'gen'), [String(SPANS), file, String(BASE), '3']);
});
after(() => rmSync(dir, { recursive: true, force: true }));

function blast(skep, path = file) {
  const r = spawnSync(join(bin, 'blast'), ['127.0.0.1', String(skep.port), path, '--connections', '8'], { encoding: 'utf8' });
  return JSON.parse(r.stdout);
}
function peakMb(skep) {
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${skep.child.pid}/status`, 'utf8'))[1]) / 1024;
}
function du(path) {
  let n = 0;
  for (const e of readdirSync(path, { withFileTypes: true })) {
    try {
      n += e.isDirectory() ? du(join(path, e.name)) : statSync(join(path, e.name)).blocks * 512;
    } catch { /* a merged file has gone */ }
  }
  return n;
}
const count = async (skep) => (await skep.query({ start_time: BASE - 60, end_time: BASE + 86400, disable_series: true,
  calculations: [{ op: 'COUNT' }], filters: [{ column: 'meta.annotation_type', op: 'does-not-exist' }] })).totals.values[0];

test('memory stays inside --memory, what was acknowledged is there', { timeout: 120000 }, async () => {
  const skep = await Skep.start({ args: ['--memory', '64M', '--retain', '0'] });
  try {
    const sent = blast(skep);
    assert.equal(sent.broken, 0, 'no connection broke');
    assert.ok(sent.spans > 0);
    assert.equal(await count(skep), sent.spans);
    for (const calc of [{ op: 'HEATMAP', column: 'duration_ms' }, { op: 'COUNT_DISTINCT', column: 'user.id' }]) {
      const r = await skep.call('POST', '/skep/v1/query', { start_time: BASE, end_time: BASE + 3600, calculations: [calc], breakdowns: ['trace.trace_id'] },
        { accept: 'application/json' });
      // Waiting would not help such a question: 422, and what to narrow.
      assert.ok(r.status === 200 || (r.status === 422 && /memory.*group by less/.test(await r.text())), `status ${r.status}`);
    }
    assert.ok(peakMb(skep) < 64 * 1.1, `peak resident ${peakMb(skep).toFixed(1)} MB`);
    const { ledger } = await skep.json('GET', '/skep/v1/status');
    const traces = ledger.find((l) => l.signal === 'traces');
    assert.equal(traces.stored, sent.spans);
    assert.equal(await skep.stop(), 0);
  } finally {
    await skep.done();
  }
});

test('half the default memory: a fast sender is slowed down, not refused, and flushes find theirs', { timeout: 120000 }, async () => {
  const skep = await Skep.start({ args: ['--memory', '128M', '--retain', '0'] });
  const path = join(dir, 'many.bin');
  try {
    execFileSync(join(bin, 'gen'), [String(4 * SPANS), path, String(BASE), '4']);
    const sent = blast(skep, path);
    assert.equal(sent.refused, 0);
    assert.equal(await count(skep), 4 * SPANS);
    assert.ok(peakMb(skep) < 128 * 1.1, `peak resident ${peakMb(skep).toFixed(1)} MB`);
    assert.doesNotMatch(skep.log, /warn.*failed/);
  } finally {
    rmSync(path, { force: true });
    await skep.done();
  }
});

test('disk stays inside --disk, the oldest goes, the newest is taken', { timeout: 170000 }, async () => {
  const limit = 64 << 20;
  const skep = await Skep.start({ args: ['--memory', '128M', '--disk', '64M', '--retain', '0'] });
  try {
    let most = 0;
    let kept = 0;
    for (let i = 0; i < 8; i++) {
      const path = join(dir, `later-${i}.bin`);
      execFileSync(join(bin, 'gen'), [String(SPANS), path, String(BASE + 86400 * (i + 1)), String(i + 10)]);
      kept += blast(skep, path).spans;
      most = Math.max(most, du(skep.dir));
      rmSync(path);
    }
    assert.ok(kept > 0);
    assert.ok(most <= limit * 1.02, `${most} bytes on disk of ${limit}`);
    const { traceId, spanId } = { traceId: hex(32), spanId: hex(16) };
    await until('a new span to be taken', async () =>
      (await skep.call('POST', '/v1/traces', otlpTraces('new', [{ traceId, spanId, startNs: nowNs() }]))).status === 200, 60000);
    assert.equal((await skep.call('GET', `/skep/v1/trace/${traceId}`)).status, 200);
    assert.ok(du(skep.dir) <= limit * 1.02);
  } finally {
    await skep.done();
  }
});

test('a refusal for memory says when to come back', { timeout: 60000 }, async () => {
  const skep = await Skep.start({ args: ['--memory', '64M', '--retain', '0'] });
  try {
    // A body that may be sent but does not fit what requests may hold, from several at once.
    const big = JSON.stringify(otlpTraces('big', Array.from({ length: 2000 }, () => ({ traceId: hex(32), spanId: hex(16), startNs: nowNs(),
      attributes: { text: 'x'.repeat(2000) } }))));
    const answers = await Promise.all(Array.from({ length: 24 }, () => skep.call('POST', '/v1/traces', big, { 'content-type': 'application/json' })));
    const refused = answers.filter((r) => r.status !== 200);
    for (const r of refused) {
      assert.ok([429, 503].includes(r.status), `status ${r.status}`);
      assert.match(r.headers.get('retry-after') ?? '', /^\d+$/);
      assert.ok((await r.json()).message.length > 0);
    }
    const small = await skep.call('POST', '/v1/traces', otlpTraces('small', [{ traceId: hex(32), spanId: hex(16), startNs: nowNs() }]));
    assert.equal(small.status, 200);
    assert.ok(peakMb(skep) < 64 * 1.1, `peak resident ${peakMb(skep).toFixed(1)} MB`);
  } finally {
    await skep.done();
  }
});

test('a trace of 100,000 spans is shown and searched in the default memory', { timeout: 120000 }, async () => {
  const skep = await Skep.start();
  try {
    const traceId = hex(32);
    const t0 = nowNs();
    const ids = [hex(16)];
    for (let at = 0; at < 100000; at += 5000) {
      const spans = Array.from({ length: 5000 }, (_, k) => {
        const i = at + k;
        const spanId = i === 0 ? ids[0] : hex(16);
        const parentId = i === 0 ? undefined : ids[(i * 7919) % ids.length];
        if (i > 0) ids.push(spanId);
        return { traceId, spanId, parentId, name: `op ${i % 50}`, startNs: t0 + BigInt(i) * 1000n, endNs: t0 + BigInt(i) * 1000n + 500000n,
          attributes: { 'user.id': `u-${i % 1000}`, 'db.statement': `SELECT * FROM t WHERE id = ${i}`, n: i, flag: true } };
      });
      assert.equal((await skep.call('POST', '/v1/traces', otlpTraces('huge', spans))).status, 200);
    }
    const trace = await skep.json('GET', `/skep/v1/trace/${traceId}`);
    assert.equal(trace.complete, true);
    assert.equal(trace.rows.id.length, 100000);
    assert.equal(trace.missing_parents, 0);
    const { matches } = await skep.json('GET', `/skep/v1/trace/${traceId}?search=${encodeURIComponent('ID = 99998')}`);
    assert.equal(matches.length, 1);
    const row = await skep.json('GET', `/skep/v1/row/${trace.rows.id[matches[0]]}`);
    assert.equal(row.fields.find((f) => f.name === 'n').value, 99998);
    assert.ok(peakMb(skep) < 256 * 1.1, `peak resident ${peakMb(skep).toFixed(1)} MB`);
  } finally {
    await skep.done();
  }
});
