// SPDX-License-Identifier: Apache-2.0
// waggle's metrics: what the program in C measures is what OpenTelemetry's own SDK (npm) makes of the same
// measurements, as protobuf and as JSON, for each temporality and kind of histogram; skep counts each data point.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { nowNs, root, Skep, until } from './support.mjs';

const run = promisify(execFile);
const require = createRequire(join(root, 'tests', 'clients', 'node', 'package.json'));
const { JsonMetricsSerializer, ProtobufMetricsSerializer } = require('@opentelemetry/otlp-transformer');
const { AggregationTemporality, AggregationType, InstrumentType, MeterProvider, MetricReader } = require('@opentelemetry/sdk-metrics');
const sender = join(process.env.SKEP_BUILD_DIR || join(root, 'build', 'release'), 'sub', 'waggle', 'tests', 'waggle_e2e_send');

let skep;
before(async () => { skep = await Skep.start(); });
after(() => skep?.done());

async function send(env) {
  await run(sender, [], {
    env: { PATH: process.env.PATH, METRICS: '1', OTEL_SERVICE_NAME: 'waggle-e2e', BASE_NS: String(nowNs() - 60_000_000_000n), OTEL_METRICS_EXEMPLAR_FILTER: 'always_off', ...env },
  });
}

async function receiver() {
  const requests = [];
  const server = createServer((req, res) => {
    const chunks = [];
    req.on('data', (c) => chunks.push(c));
    req.on('end', () => {
      requests.push({ type: req.headers['content-type'], url: req.url, body: Buffer.concat(chunks) });
      res.writeHead(200);
      res.end();
    });
  });
  await new Promise((r) => server.listen(0, '127.0.0.1', r));
  return { requests, url: `http://127.0.0.1:${server.address().port}`, done: () => new Promise((r) => { server.closeAllConnections(); server.close(r); }) };
}

// --- what npm's SDK makes of it -----------------------------------------------------------------

class Reader extends MetricReader {
  async onForceFlush() {}
  async onShutdown() {}
}

const isDelta = (preference, type) => ({
  cumulative: [],
  delta: [InstrumentType.COUNTER, InstrumentType.HISTOGRAM, InstrumentType.OBSERVABLE_COUNTER],
  lowmemory: [InstrumentType.COUNTER, InstrumentType.HISTOGRAM],
}[preference].includes(type));

// The same measurements as e2e_send.c's measure().
async function theirs(preference, exponential) {
  const reader = new Reader({
    aggregationTemporalitySelector: (type) => (isDelta(preference, type) ? AggregationTemporality.DELTA : AggregationTemporality.CUMULATIVE),
    aggregationSelector: (type) => ({ type: exponential && type === InstrumentType.HISTOGRAM ? AggregationType.EXPONENTIAL_HISTOGRAM : AggregationType.DEFAULT }),
  });
  const provider = new MeterProvider({ readers: [reader] });
  const meter = provider.getMeter('waggle-e2e', '0.9', { schemaUrl: 'https://example.com/schema/1' });
  const orders = meter.createCounter('orders', { unit: '{order}', description: 'Orders pl\u00e4ced', valueType: 0 });
  orders.add(2, { by: 'card', shop: 7 });
  orders.add(40, { by: 'card', shop: 7 });
  orders.add(1, { new: true, rate: 0.5, tags: ['x', 'y'] });
  orders.add(3);
  const level = meter.createUpDownCounter('level', { unit: 'By' });
  level.add(1.5);
  level.add(-4.25);
  meter.createGauge('temperature', { unit: 'Cel', valueType: 0 }).record(-3);
  const size = meter.createHistogram('size', { advice: { explicitBucketBoundaries: [1, 10, 100] } });
  const duration = meter.createHistogram('duration', { unit: 's' });
  for (let i = 0; i < 200; i++) {
    size.record(i);
    duration.record(i * i * 0.37, { i: i % 2 });
  }
  meter.createObservableCounter('cpu.time', { valueType: 0 }).addCallback((o) => { o.observe(12345678901, { state: 'user' }); o.observe(7, { state: 'system' }); });
  meter.createObservableGauge('load', { unit: 'By' }).addCallback((o) => o.observe(0.75));
  meter.createObservableUpDownCounter('open', { valueType: 0 }).addCallback((o) => o.observe(-4));
  const { resourceMetrics } = await reader.collect();
  await provider.shutdown();
  return resourceMetrics;
}

// --- the bytes as a tree ------------------------------------------------------------------------

const any = { 5: { 1: null }, 6: { 1: null } };
any[5][1] = any;
const keyValue = { 2: any };
any[6][1] = keyValue;
const number = { 7: keyValue };
const request = {
  1: {
    1: { 1: keyValue },
    2: { 1: { 3: keyValue }, 2: { 5: { 1: number }, 7: { 1: number }, 9: { 1: { 9: keyValue } }, 10: { 1: { 1: keyValue, 8: {}, 9: {} } } } },
  },
};
const points = new Set([number, request[1][2][2][9][1], request[1][2][2][10][1]]);

function varint(b, at) {
  let v = 0n;
  for (let shift = 0n; ; shift += 7n) {
    const c = b[at.i++];
    v |= BigInt(c & 0x7f) << shift;
    if (c < 0x80) return v;
  }
}

// [field, wire type, value] sorted; times of points are left out; what is zero is as absent, but for the values of a oneof.
function tree(b, type) {
  const out = [];
  const at = { i: 0 };
  while (at.i < b.length) {
    const tag = Number(varint(b, at));
    const [field, wire] = [tag >> 3, tag & 7];
    let value;
    if (wire === 0) value = String(varint(b, at));
    else if (wire === 1) { value = b.subarray(at.i, at.i + 8).toString('hex'); at.i += 8; } else {
      assert.equal(wire, 2);
      const n = Number(varint(b, at));
      assert.ok(at.i + n <= b.length, 'a length leads out of the message');
      const bytes = b.subarray(at.i, at.i + n);
      value = type?.[field] ? tree(bytes, type[field]) : bytes.toString('hex');
      at.i += n;
    }
    if (points.has(type) && (field === 2 || field === 3)) {
      assert.ok(Buffer.from(value, 'hex').readBigUInt64LE() > 1_700_000_000_000_000_000n, 'a time');
      continue;
    }
    const zero = wire !== 2 ? /^0+$/.test(value) : value.length === 0;
    if (type === any || !zero) out.push([field, wire, value]);
  }
  return out.sort((x, y) => (JSON.stringify(x) < JSON.stringify(y) ? -1 : 1));
}

const scopeOf = (t, name) => t[0][2].filter(([f]) => f === 2).map(([, , v]) => v).find((v) => JSON.stringify(v).includes(Buffer.from(name).toString('hex')));

for (const preference of ['cumulative', 'delta', 'lowmemory']) {
  for (const exponential of preference === 'delta' ? [true] : [false, preference === 'cumulative'].slice(0, preference === 'cumulative' ? 2 : 1)) {
    test(`the bytes are those of OpenTelemetry's own SDK: ${preference}${exponential ? ', exponential' : ''}`, async () => {
      const sink = await receiver();
      const env = { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: preference };
      if (exponential) env.OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION = 'base2_exponential_bucket_histogram';
      await send(env);
      await sink.done();
      const sent = sink.requests.filter((r) => r.url === '/v1/metrics');
      assert.equal(sent.length, 1);
      assert.equal(sent[0].type, 'application/x-protobuf');
      const expected = tree(Buffer.from(ProtobufMetricsSerializer.serializeRequest(await theirs(preference, exponential))), request);
      assert.deepEqual(scopeOf(tree(sent[0].body, request), 'https://example.com/schema/1'), scopeOf(expected, 'https://example.com/schema/1'));
    });
  }
}

// --- JSON ---------------------------------------------------------------------------------------

function strip(v, inValue = false) {
  if (Array.isArray(v)) return v.map((x) => strip(x, inValue));
  if (v === null || typeof v !== 'object') return v;
  const out = {};
  for (const [k, x] of Object.entries(v)) {
    const kept = strip(x, inValue || k === 'value');
    const empty = kept === null || kept === 0 || kept === '' || kept === '0' || kept === false || (Array.isArray(kept) && kept.length === 0) || (k === 'negative' && !kept.bucketCounts);
    if (/TimeUnixNano$|^timeUnixNano$/.test(k)) continue;
    if (inValue || !empty || /^as(Int|Double)$/.test(k)) out[k] = kept;
  }
  return out;
}

// 64-bit integers are strings in proto3's JSON; npm writes some as numbers. Both are to be accepted.
const numbers = (v) => JSON.parse(JSON.stringify(v), (k, x) => (typeof x === 'string' && /^-?\d+$/.test(x) ? Number(x) : x));
const sorted = (m) => JSON.parse(JSON.stringify(m), (k, x) => (k === 'dataPoints' ? x.sort((a, b) => (JSON.stringify(a.attributes ?? []) < JSON.stringify(b.attributes ?? []) ? -1 : 1)) : x));

for (const exponential of [false, true]) {
  test(`the JSON is that of OpenTelemetry's own SDK${exponential ? ': exponential' : ''}`, async () => {
    const sink = await receiver();
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' };
    if (exponential) env.OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION = 'base2_exponential_bucket_histogram';
    await send(env);
    await sink.done();
    const [{ type, body }] = sink.requests.filter((r) => r.url === '/v1/metrics');
    assert.equal(type, 'application/json');
    const mine = JSON.parse(body).resourceMetrics[0].scopeMetrics.find((s) => s.scope.name === 'waggle-e2e');
    const [expected] = JSON.parse(Buffer.from(JsonMetricsSerializer.serializeRequest(await theirs('cumulative', exponential)))).resourceMetrics[0].scopeMetrics;
    assert.deepEqual(sorted(numbers(strip(mine))), sorted(numbers(strip(expected))));
  });
}

// --- skep and the others ------------------------------------------------------------------------

test('skep counts every data point', async () => {
  const points = async () => (await skep.json('GET', '/skep/v1/ledger?signal=metrics')).sources.find((s) => s.signal === 'metrics')?.totals.received ?? 0;
  assert.equal(await points(), 0);
  await send({ OTEL_EXPORTER_OTLP_ENDPOINT: skep.url, OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip' });
  await until('the points', async () => (await points()) >= 13);
});

test('a program that measures nothing sends no metrics', async () => {
  const sink = await receiver();
  await send({ OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, METRICS: undefined });
  await sink.done();
  assert.deepEqual(sink.requests.map((r) => r.url).sort(), ['/v1/logs', '/v1/traces']);
});

test('on the console', async () => {
  const { stdout } = await run(sender, [], { env: { PATH: process.env.PATH, METRICS: '1', BASE_NS: String(nowNs()), OTEL_TRACES_EXPORTER: 'none', OTEL_LOGS_EXPORTER: 'none', OTEL_METRICS_EXPORTER: 'console' } });
  assert.match(stdout, /^SUM "orders" cumulative unit="\{order\}" scope=waggle-e2e\/0\.9\n {4}42 by="card" shop=7$/m);
  assert.match(stdout, /^HISTOGRAM "size" cumulative unit="" scope=.*\n {4}count=200 sum=19900 min=0 max=199 <=1:2 <=10:9 <=100:90 <=inf:99$/m);
  assert.match(stdout, /^GAUGE "temperature" unit="Cel" .*\n {4}-3$/m);
});
