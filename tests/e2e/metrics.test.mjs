// SPDX-License-Identifier: Apache-2.0
// /metrics: both formats read by a strict parser, counters that follow the traffic; questions at work
// are listed and can be cancelled.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { hex, nowNs, otlpTraces, Skep, until } from './support.mjs';

const bin = process.env.SKEP_BENCH_BIN || join(dirname(process.env.SKEP_BIN || 'build/release/skep'), 'bin');
let skep;
let dir;
before(async () => {
  dir = mkdtempSync(join(tmpdir(), 'skep-metrics-'));
  skep = await Skep.start({ args: ['--retain', '0'] });
});
after(async () => {
  await skep.done();
  rmSync(dir, { recursive: true, force: true });
});

// Names, types, labels and values by the letter of the formats; throws at the first offence.
function parse(text, open) {
  const families = new Map();
  const seen = new Set();
  assert.ok(text.endsWith('\n'), 'the last line ends');
  const lines = text.slice(0, -1).split('\n');
  if (open) assert.equal(lines.pop(), '# EOF');
  let family = null;
  for (const line of lines) {
    let m = /^# HELP ([a-z_][a-z0-9_]*) ([^\n\\"]+)$/.exec(line);
    if (m) {
      assert.ok(!families.has(m[1]), `${m[1]} twice`);
      family = { name: m[1], help: m[2], samples: new Map() };
      families.set(m[1], family);
      continue;
    }
    m = /^# TYPE ([a-z_][a-z0-9_]*) (counter|gauge|histogram)$/.exec(line);
    if (m) {
      assert.equal(m[1], family.name, 'TYPE follows HELP');
      assert.ok(!family.type);
      family.type = m[2];
      if (family.type === 'counter') assert.equal(family.name.endsWith('_total'), !open, family.name);
      continue;
    }
    m = /^([a-z_][a-z0-9_]*)(?:\{((?:[a-z_]+="[^"\\\n]*",?)+)\})? (\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/.exec(line);
    assert.ok(m, `no sample: ${line}`);
    const [, name, labels = '', value] = m;
    assert.ok(!labels.endsWith(','), line);
    const base = family.type === 'histogram' ? name.replace(/_(bucket|sum|count)$/, '')
      : family.type === 'counter' && open ? name.replace(/_total$/, '') : name;
    assert.equal(base, family.name, `${line} stands under ${family.name}`);
    if (family.type === 'counter') assert.ok(name.endsWith('_total'), line);
    const key = `${name}{${labels}}`;
    assert.ok(!seen.has(key), `${key} twice`);
    seen.add(key);
    family.samples.set(key, Number(value));
  }
  for (const f of families.values()) {
    assert.ok(f.type, `${f.name} has a type`);
    if (f.type !== 'histogram') continue;
    const buckets = [...f.samples].filter(([k]) => k.includes('_bucket')).map(([, v]) => v);
    assert.ok(buckets.every((v, i) => i === 0 || v >= buckets[i - 1]), `${f.name} cumulates`);
    assert.equal(buckets.at(-1), f.samples.get(`${f.name}_count{}`), `${f.name}: +Inf is the count`);
    assert.ok([...f.samples.keys()].some((k) => k.endsWith('le="+Inf"}')));
  }
  return new Map([...families.values()].flatMap((f) => [...f.samples]));
}

async function metrics(open = false) {
  const r = await skep.call('GET', '/metrics', undefined, { accept: open ? 'application/openmetrics-text;version=1.0.0,text/plain;q=0.5' : '*/*' });
  assert.equal(r.status, 200);
  assert.match(r.headers.get('content-type'), open ? /^application\/openmetrics-text; version=1\.0\.0/ : /^text\/plain; version=0\.0\.4/);
  return parse(await r.text(), open);
}

test('both formats hold to their grammar and tell the same', { timeout: 300000 }, async () => {
  const a = await metrics();
  const b = await metrics(true);
  assert.deepEqual([...a.keys()].sort(), [...b.keys()].sort());
  assert.ok(a.get('process_resident_memory_bytes{}') > 1e6);
  assert.ok(Math.abs(a.get('process_start_time_seconds{}') - Date.now() / 1000) < 60);
  assert.ok(a.get('process_open_fds{}') > 3 && a.get('process_cpu_seconds_total{}') > 0);
  assert.ok(a.get('skep_memory_limit_bytes{budget="memory"}') > a.get('skep_memory_limit_bytes{budget="store"}'));
});

test('counters follow the traffic', { timeout: 300000 }, async () => {
  const before = await metrics();
  const body = otlpTraces('m', [1, 2, 3].map(() => ({ traceId: hex(32), spanId: hex(16), startNs: nowNs() })));
  const bad = otlpTraces('m', [{ traceId: 'zz', spanId: hex(16), startNs: nowNs() }]);
  for (const b of [body, body, bad]) assert.equal((await skep.call('POST', '/v1/traces', b)).status, 200);
  assert.equal((await skep.call('POST', '/v1/traces', '{', { 'content-type': 'application/json' })).status, 400);
  assert.equal((await skep.call('GET', '/nothing')).status, 404);
  await skep.query({ time_range: 600, calculations: [{ op: 'COUNT' }] });
  assert.equal((await skep.call('POST', '/skep/v1/query', { calculations: [{ op: 'NONE' }] })).status, 422);
  const now = await until('the last question to be counted', async () => {
    const m = await metrics();
    return m.get('skep_queries_total{outcome="failed"}') > (before.get('skep_queries_total{outcome="failed"}') ?? 0) ? m : null;
  });
  const grew = (key, by) => assert.equal(now.get(key) - (before.get(key) ?? 0), by, key);
  grew('skep_ingest_received_total{source="otlp",signal="traces"}', 8);
  grew('skep_ingest_stored_total{source="otlp",signal="traces"}', 3);
  grew('skep_ingest_duplicates_total{source="otlp",signal="traces"}', 3);
  grew('skep_ingest_rejected_total{source="otlp",signal="traces",reason="bad_trace_id"}', 1);
  grew('skep_ingest_rejected_total{source="otlp",signal="traces",reason="malformed"}', 1);
  grew('skep_ingest_requests_total{}', 4);
  grew('skep_ingest_ack_seconds_count{}', 2);
  grew('skep_store_commits_total{}', 1);
  grew('skep_store_commit_rows_total{}', 3);
  grew('skep_store_fsync_seconds_count{}', 1);
  grew('skep_store_rows{}', 3);
  grew('skep_queries_total{outcome="answered"}', 1);
  grew('skep_queries_total{outcome="failed"}', 1);
  grew('skep_query_rows_scanned_total{}', 3);
  grew('skep_query_seconds_count{}', 2);
  assert.equal(now.get('skep_ingest_pending{source="otlp",signal="traces"}'), 0);
  assert.ok(now.get('skep_net_responses_total{class="4xx"}') - before.get('skep_net_responses_total{class="4xx"}') === 3);
  assert.ok(now.get('skep_net_bytes_total{direction="in"}') > before.get('skep_net_bytes_total{direction="in"}'));
  for (const [key, v] of before) if (/_(total|bucket|count|sum)\{/.test(key)) assert.ok(now.get(key) >= v, `${key} went back`);
});

test('the doors hold for /metrics, and only GET', { timeout: 300000 }, async () => {
  assert.equal((await skep.call('POST', '/metrics', '')).status, 405);
  assert.equal((await skep.call('GET', '/metrics', undefined, { origin: 'http://evil.example' })).status, 403);
  assert.equal((await skep.call('DELETE', '/skep/v1/running/1', undefined, { origin: 'http://evil.example' })).status, 403);
  const status = await new Promise((resolve, reject) => {
    http.get({ port: skep.port, host: '127.0.0.1', path: '/metrics', headers: { host: 'evil.example' } }, (r) => resolve(r.statusCode)).on('error', reject);
  });
  assert.ok(status === 403 || status === 421, `Host: evil.example gives ${status}`);
});

test('a question at work is listed and can be cancelled', { timeout: 300000 }, async () => {
  const file = join(dir, 'bodies.bin');
  execFileSync(join(bin, 'gen'), [String(400 * 512), file, '1790000000', '3']);
  execFileSync(join(bin, 'blast'), ['127.0.0.1', String(skep.port), file, '--connections', '4'], { stdio: 'ignore' });
  assert.deepEqual((await skep.json('GET', '/skep/v1/running')).running, []);
  // Heavy enough to be seen: several of them, each with many groups.
  const spec = { start_time: 1789990000, end_time: 1790080000, breakdowns: ['trace.trace_id'], limit: 10, granularity: 0,
    calculations: ['duration_ms', 'http.request.size', 'user.id'].map((column) => ({ op: 'COUNT_DISTINCT', column })) };
  const ask = () => skep.call('POST', '/skep/v1/query', spec, { accept: 'application/json' });
  const caught = await until('a running question to be cancelled', async () => {
    const asked = [ask(), ask(), ask(), ask(), ask(), ask()];
    const { running } = await skep.json('GET', '/skep/v1/running');
    let was = null;
    for (const q of running) {
      assert.equal(q.kind, 'query');
      assert.equal(q.path, '/skep/v1/query');
      assert.match(q.text, /trace\.trace_id/);
      assert.ok(['waiting', 'running'].includes(q.state) && q.elapsed_ms >= 0 && q.rows_total >= q.rows_scanned && q.memory_bytes >= 0);
      const r = await skep.call('DELETE', `/skep/v1/running/${q.id}`);
      if (r.status === 200) was = q;
    }
    const answers = await Promise.all(asked.map(async (a) => [(await a).status, await (await a).text()]));
    const canceled = answers.filter(([status]) => status === 499);
    for (const [, text] of canceled) assert.match(text, /cancel/);
    return was && canceled.length > 0;
  }, 60000);
  assert.ok(caught);
  const m = await metrics();
  assert.ok(m.get('skep_queries_total{outcome="canceled"}') > 0);
  assert.equal((await skep.call('DELETE', '/skep/v1/running/999999')).status, 404);
  assert.equal((await skep.call('POST', '/skep/v1/running/x/cancel', '')).status, 404);
  await until('none to be left', async () => (await skep.json('GET', '/skep/v1/running')).running.length === 0);
});
