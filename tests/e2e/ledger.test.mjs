// SPDX-License-Identifier: Apache-2.0
// Everything received is accounted for: the ledger of a real server with good, half bad, doubled,
// malformed and refused requests balances to the span, at once and after stop, kill -9 and merges.
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { hex, nowNs, otlpTraces, Skep, sleep, until } from './support.mjs';

const bin = process.env.SKEP_BENCH_BIN || join(dirname(process.env.SKEP_BIN || 'build/release/skep'), 'bin');

const ledger = (skep, query = '') => skep.json('GET', `/skep/v1/ledger${query}`);

// The totals of one source and signal, after checking that everything balances. A server that is
// busy to its last byte of memory says that it could not read some rows: it is asked again.
async function balanced(skep, signal = 'traces', query = '') {
  const l = await until('every row read', async () => {
    const seen = await ledger(skep, query);
    return (seen.complete || seen.differences > 0) && seen;
  }, 30000);
  assert.equal(l.differences, 0, JSON.stringify(l));
  assert.equal(l.differences, 0, JSON.stringify(l));
  assert.equal(l.complete, true);
  for (const { totals: t, series } of l.sources) {
    const rejected = Object.values(t.rejected).reduce((a, b) => a + b, 0);
    assert.equal(t.received, t.stored + t.pending + t.duplicate + t.superseded + t.sampled + rejected);
    assert.equal(t.stored, t.live + t.expired + t.deleted);
    for (const key of ['received', 'stored', 'pending', 'duplicate']) {
      assert.equal(series[key].length, series.start_s.length);
      assert.equal(series[key].reduce((a, b) => a + b, 0), t[key], key);
    }
    assert.equal(series.rejected.reduce((a, b) => a + b, 0), rejected);
  }
  return l.sources.find((s) => s.source === 'otlp' && s.signal === signal)?.totals;
}

const span = (more = {}) => ({ traceId: hex(32), spanId: hex(16), startNs: nowNs(), ...more });
const send = (skep, body) => skep.call('POST', '/v1/traces', body);

test('good, half bad, doubled, malformed: each is where it belongs', { timeout: 300000 }, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'skep-ledger-'));
  let skep = await Skep.start({ dir });
  try {
    assert.deepEqual((await ledger(skep)).sources, [], 'nothing has come');
    const good = otlpTraces('a', [span(), span({ events: [{ name: 'e', timeUnixNano: String(nowNs()) }] })]);
    assert.equal((await send(skep, good)).status, 200);
    assert.equal((await send(skep, good)).status, 200); // a retry
    assert.equal((await send(skep, otlpTraces('b', [span(), span({ spanId: '12' }), span({ traceId: 'zz' })]))).status, 200);
    assert.equal((await send(skep, otlpTraces('b', [span({ spanId: '12' })]))).status, 200); // none good
    assert.equal((await send(skep, '{"resourceSpans": [')).status, 415);
    assert.equal((await skep.call('POST', '/v1/traces', '{"resourceSpans": [', { 'content-type': 'application/json' })).status, 400);
    assert.equal((await skep.call('POST', '/v1/logs', {
      resourceLogs: [{ scopeLogs: [{ logRecords: [{ timeUnixNano: String(nowNs()), body: { stringValue: 'x' } }] }] }],
    })).status, 200);
    assert.equal((await skep.call('POST', '/v1/metrics', {
      resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name: 'm', gauge: { dataPoints: [{ asInt: '1' }, { asInt: '2' }] } }] }] }],
    })).status, 200);
    const want = async (what) => {
      const t = await balanced(skep);
      assert.equal(t.received, 2 + 2 + 3 + 1 + 1 + 1, what);
      assert.equal(t.stored, 3, what);
      assert.equal(t.live, 3, what);
      assert.equal(t.live_rows, 4, what);
      assert.equal(t.duplicate, 2, what);
      assert.equal(t.pending, 0, what);
      assert.deepEqual(t.rejected, { bad_trace_id: 1, bad_span_id: 2, malformed: 1, unsupported: 1 }, what);
      assert.equal((await balanced(skep, 'logs')).stored, 1, what);
      assert.deepEqual((await balanced(skep, 'metrics')).rejected, { metrics_not_stored: 2 }, what);
    };
    await want('at once');
    assert.equal(await skep.stop(), 0);
    skep = await Skep.start({ dir });
    await want('after a restart');
    await sleep(6000); // refusals are kept every 5 s: from here on kill -9 loses nothing
    await skep.kill();
    skep = await Skep.start({ dir });
    await want('after kill -9');
    const l = await ledger(skep, '?source=otlp');
    assert.equal(l.sources.length, 3);
    assert.equal((await ledger(skep, '?source=xray')).sources.length, 0);
    assert.equal((await skep.call('GET', '/skep/v1/ledger?source=nobody')).status, 422);
    assert.equal((await ledger(skep, `?start=${Math.floor(Date.now() / 1000) + 3600}&end=${Math.floor(Date.now() / 1000) + 7200}`)).sources.length, 0);
    // The status tells the same sums.
    const { ledger: sums } = await skep.json('GET', '/skep/v1/status');
    assert.equal(sums.find((s) => s.signal === 'traces').received, 10);
  } finally {
    await skep.done();
    rmSync(dir, { recursive: true, force: true });
  }
});

test('the ledger balances while requests come', { timeout: 300000 }, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'skep-ledger-'));
  const skep = await Skep.start({ dir: join(dir, 'data'), args: ['--retain', '0'] });
  try {
    const file = join(dir, 'bodies.bin');
    execFileSync(join(bin, 'gen'), [String(200 * 512), file, '1790000000', '1']);
    const blast = spawn(join(bin, 'blast'), ['127.0.0.1', String(skep.port), file, '--connections', '4'], { stdio: 'ignore' });
    const ended = new Promise((r) => blast.once('exit', r));
    let running = true;
    let looks = 0;
    void ended.then(() => { running = false; });
    while (running) {
      await balanced(skep);
      looks++;
    }
    assert.ok(looks > 0);
    const t = await balanced(skep);
    assert.deepEqual([t.received, t.stored, t.pending], [200 * 512, 200 * 512, 0]);
  } finally {
    await skep.done();
    rmSync(dir, { recursive: true, force: true });
  }
});

test('kill -9 under load: after each restart the equation holds to the row', { timeout: 300000 }, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'skep-ledger-'));
  const args = ['--retain', '0'];
  const start = () => Skep.start({ dir: join(dir, 'data'), args });
  let skep;
  try {
    let before = 0;
    for (let round = 0; round < 5; round++) {
      const file = join(dir, `bodies-${round}.bin`);
      execFileSync(join(bin, 'gen'), [String(120 * 512), file, String(1790000000 + round * 86400), String(round + 1)]);
      skep = await start();
      const blast = spawn(join(bin, 'blast'), ['127.0.0.1', String(skep.port), file, '--connections', '4'], { stdio: 'ignore' });
      const ended = new Promise((r) => blast.once('exit', r));
      await until('something to be stored', async () => ((await balanced(skep))?.stored ?? 0) > before);
      await sleep(Math.random() * 100);
      await skep.kill();
      await ended;
      skep = await start();
      const t = await balanced(skep);
      const rows = (await skep.query({ start_time: 1789990000, end_time: 1799990000, disable_series: true, calculations: [{ op: 'COUNT' }] })).totals.values[0];
      assert.equal(t.live_rows, rows, `round ${round}: the ledger's rows are those a query counts`);
      assert.equal(t.received, t.stored);
      assert.ok(t.stored > before);
      before = t.stored;
      assert.equal(await skep.stop(), 0);
    }
  } finally {
    await skep?.done();
    rmSync(dir, { recursive: true, force: true });
  }
});

test('what --disk lets go is expired, and a 503 is a rejection', { timeout: 300000 }, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'skep-ledger-'));
  const args = ['--memory', '128M', '--disk', '64M', '--retain', '0'];
  let skep = await Skep.start({ dir: join(dir, 'data'), args });
  try {
    for (let i = 0, expired = 0; expired === 0; i++) {
      assert.ok(i < 60, 'the disk is not full yet'); // a busy machine refuses some for memory
      const file = join(dir, 'bodies.bin');
      execFileSync(join(bin, 'gen'), [String(256 * 512), file, String(1790000000 + 86400 * i), String(i + 10)]);
      spawnSync(join(bin, 'blast'), ['127.0.0.1', String(skep.port), file, '--connections', '8'], { stdio: 'ignore' }); // may be refused
      const t = await balanced(skep);
      const refused = (t.rejected.no_space ?? 0) + (t.rejected.no_memory ?? 0);
      assert.equal(t.received, t.stored + refused, JSON.stringify(t));
      expired = t.expired;
    }
    const { store } = await skep.json('GET', '/skep/v1/status');
    assert.ok(store.expired_rows > 0);
    await skep.stop();
    skep = await Skep.start({ dir: join(dir, 'data'), args });
    const t = await balanced(skep);
    assert.ok(t.expired > 0 && t.live > 0);
  } finally {
    await skep.done();
    rmSync(dir, { recursive: true, force: true });
  }
});

test('imported rows are counted by their own sources', { timeout: 300000 }, async () => {
  const skep = await Skep.start();
  try {
    const row = (i) => JSON.stringify({ time_ns: String(nowNs() + BigInt(i)), kind: i % 2 ? 'log' : 'span', dataset: 'old', source: 'otlp' });
    const body = [0, 1, 2].map(row).join('\n');
    const send = () => skep.call('POST', '/skep/v1/import', body, { 'x-skep-chunk': '0123456789abcdef0123456789abcdef' });
    const first = await send();
    assert.equal(first.status, 200, await first.text());
    assert.equal((await send()).status, 200); // the same chunk again
    const traces = await balanced(skep, 'traces');
    const logs = await balanced(skep, 'logs');
    assert.deepEqual([traces.received, traces.stored, traces.duplicate], [4, 2, 2]);
    assert.deepEqual([logs.received, logs.stored, logs.duplicate], [2, 1, 1]);
  } finally {
    await skep.done();
  }
});
