// SPDX-License-Identifier: Apache-2.0
// Hostile and mistaken senders: the right status, a body in the protocol's form that names the place,
// the reason counted, and connection, process and stored data alive afterwards.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import * as zlib from 'node:zlib';
import { hex, nowNs, otlpTraces, Skep } from './support.mjs';

let skep;
before(async () => { skep = await Skep.start({ args: ['--memory', '256M'] }); });
after(() => skep?.done());

const { gzipSync, zstdCompressSync } = zlib; // zstd: from Node 22.15 on
const PROTO = { 'content-type': 'application/x-protobuf' };
const JSON_ = { 'content-type': 'application/json' };

function body(n = 1) {
  const traceId = hex(32);
  const startNs = nowNs();
  return { traceId, json: otlpTraces('bad-input', Array.from({ length: n }, () => ({ traceId, spanId: hex(16), startNs, endNs: startNs + 1000000n }))) };
}

async function spansOf(traceId) {
  const r = await skep.call('GET', `/skep/v1/trace/${traceId}`);
  return r.status === 404 ? 0 : (await r.json()).rows.id.length;
}

async function rejected() {
  const { ledger } = await skep.json('GET', '/skep/v1/status');
  const out = {};
  for (const row of ledger) for (const [reason, n] of Object.entries(row.rejected)) out[reason] = (out[reason] ?? 0) + n;
  return out;
}

test('wrong content type is 415', async () => {
  const r = await skep.call('POST', '/v1/traces', 'hello', { 'content-type': 'text/plain' });
  assert.equal(r.status, 415);
});

test('GET on an ingest path is 405', async () => {
  const r = await skep.call('GET', '/v1/traces');
  assert.equal(r.status, 405);
  assert.match(r.headers.get('allow'), /POST/);
});

test('malformed protobuf is 400 with a Status that names the offset', async () => {
  const r = await skep.call('POST', '/v1/traces', new Uint8Array([0x0a, 0x7f, 1, 2, 3]), PROTO);
  assert.equal(r.status, 400);
  assert.equal(r.headers.get('content-type'), 'application/x-protobuf');
  const text = Buffer.from(await r.arrayBuffer()).toString('latin1');
  assert.match(text, /\b(offset|byte|at) \d+/);
  assert.match(text, /google\.rpc\.BadRequest/);
});

test('malformed JSON is 400 with a JSON Status that names the position', async () => {
  const r = await skep.call('POST', '/v1/traces', '{"resourceSpans":[{"resource":', JSON_);
  assert.equal(r.status, 400);
  const status = await r.json();
  assert.equal(status.code, 3);
  assert.match(status.message, /\d+/);
});

test('malformed gzip is 400, an unknown encoding 415', async () => {
  const broken = gzipSync(JSON.stringify(body().json)).subarray(0, 40);
  assert.equal((await skep.call('POST', '/v1/traces', broken, { ...JSON_, 'content-encoding': 'gzip' })).status, 400);
  assert.equal((await skep.call('POST', '/v1/traces', broken, { ...JSON_, 'content-encoding': 'br' })).status, 415);
});

test('gzip and zstd bodies are stored', async () => {
  const forms = [['gzip', gzipSync]];
  if (zstdCompressSync) forms.push(['zstd', zstdCompressSync]);
  for (const [encoding, pack] of forms) {
    const { traceId, json } = body(3);
    const r = await skep.call('POST', '/v1/traces', pack(JSON.stringify(json)), { ...JSON_, 'content-encoding': encoding });
    assert.equal(r.status, 200);
    assert.equal(await r.text(), '{}');
    assert.equal(await spansOf(traceId), 3);
  }
});

test('a decompression bomb stops at the limit', async () => {
  const bomb = gzipSync(Buffer.alloc(200 << 20, 0x20), { level: 9 });
  assert.ok(bomb.length < 1 << 20);
  const r = await skep.call('POST', '/v1/traces', bomb, { ...JSON_, 'content-encoding': 'gzip' });
  assert.equal(r.status, 413);
});

// Raw bytes to the port; gives all that came back until the peer closed or `ms` went by.
function raw(bytes, ms = 3000) {
  return new Promise((resolve, reject) => {
    const s = connect(skep.port, '127.0.0.1', () => s.write(bytes));
    let got = '';
    s.on('data', (d) => { got += d.toString('latin1'); });
    s.on('error', reject);
    s.on('close', () => resolve(got));
    setTimeout(() => s.destroy(), ms);
  });
}

test('a body announced over the limit is 413 before it is sent', async () => {
  const got = await raw(`POST /v1/traces HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-protobuf\r\nContent-Length: ${80 << 20}\r\n\r\n`);
  assert.match(got, /^HTTP\/1\.1 413 /);
});

test('both body lengths at once are refused', async () => {
  const got = await raw('POST /v1/traces HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n');
  assert.match(got, /^HTTP\/1\.1 400 /);
});

test('a foreign Host and a null Origin are refused', async () => {
  assert.match(await raw('GET /skep/v1/status HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n'), /^HTTP\/1\.1 403 [^]*--allow-host/);
  assert.equal((await skep.call('GET', '/skep/v1/status', undefined, { origin: 'null' })).status, 403);
});

test('spans without usable ids are refused alone and counted', async () => {
  const { traceId, json } = body(2);
  const spans = json.resourceSpans[0].scopeSpans[0].spans;
  spans.push({ ...spans[0], traceId: '0'.repeat(32), spanId: hex(16) });
  spans.push({ ...spans[0], traceId, spanId: '' });
  const before_ = await rejected();
  const r = await skep.call('POST', '/v1/traces', json);
  assert.equal(r.status, 200);
  const { partialSuccess } = await r.json();
  assert.equal(String(partialSuccess.rejectedSpans), '2');
  assert.ok(partialSuccess.errorMessage.length > 0);
  assert.equal(await spansOf(traceId), 2);
  const now = await rejected();
  const sum = (o) => Object.values(o).reduce((a, b) => a + b, 0);
  assert.equal(sum(now) - sum(before_), 2);
});

test('metrics are accepted, said not to be stored, and counted', async () => {
  const r = await skep.call('POST', '/v1/metrics', { resourceMetrics: [{ scopeMetrics: [{ metrics: [
    { name: 'm', gauge: { dataPoints: [{ timeUnixNano: String(nowNs()), asInt: '1' }, { timeUnixNano: String(nowNs()), asDouble: 2.5 }] } }] }] }] });
  assert.equal(r.status, 200);
  const { partialSuccess } = await r.json();
  assert.equal(String(partialSuccess.rejectedDataPoints), '2');
  assert.match(partialSuccess.errorMessage, /not stored/);
});

test('integers of 64 bits, numbers in strings and empty values survive', async () => {
  const traceId = hex(32);
  const startNs = nowNs();
  const spanId = hex(16);
  const values = { big: 9223372036854775807n, small: -9223372036854775808n, text: '9223372036854775807', half: 0.5, none: null,
    map: { a: 1, b: { c: 'x' } }, mixed: [1, 'a', true, null] };
  await skep.json('POST', '/v1/traces', otlpTraces('types', [{ traceId, spanId, startNs, attributes: values }]));
  const { rows } = await skep.json('POST', '/skep/v1/rows', { time_range: 600, filters: [{ column: 'trace.trace_id', op: '=', value: traceId }] });
  const row = await skep.json('GET', `/skep/v1/row/${rows[0].id}`);
  const f = Object.fromEntries(row.fields.filter((x) => x.scope === 'attribute').map((x) => [x.name, x]));
  assert.deepEqual([f.big.type, f.big.value], ['int', { int: '9223372036854775807' }]);
  assert.deepEqual([f.small.type, f.small.value], ['int', { int: '-9223372036854775808' }]);
  assert.deepEqual([f.text.type, f.text.value], ['string', '9223372036854775807']);
  assert.equal(f.half.value, 0.5);
  assert.equal(f['map.a'].value, 1);
  assert.equal(f['map.b.c'].value, 'x');
  assert.deepEqual(f.mixed.value, [1, 'a', true, null]);
  const found = async (value) => (await skep.query({ time_range: 600, calculations: [{ op: 'COUNT' }], disable_series: true,
    filters: [{ column: 'trace.trace_id', op: '=', value: traceId }, { column: 'half', op: '=', value }] })).totals.values[0];
  assert.equal(await found(0.5), 1);
  assert.equal(await found(0.25), 0);
});

test('a number JavaScript calls an integer but no integer holds', async () => {
  const { traceId, json } = body(1);
  json.resourceSpans[0].scopeSpans[0].spans[0].attributes = [{ key: 'huge', value: { intValue: Number.MAX_VALUE } }];
  assert.equal((await skep.call('POST', '/v1/traces', json)).status, 200);
  const { rows } = await skep.json('POST', '/skep/v1/rows', { time_range: 600, filters: [{ column: 'trace.trace_id', op: '=', value: traceId }] });
  assert.equal(rows[0].fields.huge, Number.MAX_VALUE);
});

test('two equal events without identity of their own are two events', async () => {
  const log = { resourceLogs: [{ resource: {}, scopeLogs: [{ logRecords: [{ body: { stringValue: 'twice' } }] }] }] };
  for (let i = 0; i < 2; i++) assert.equal((await skep.call('POST', '/v1/logs', log)).status, 200);
  const r = await skep.query({ time_range: 600, disable_series: true, calculations: [{ op: 'COUNT' }], filters: [{ column: 'body', op: '=', value: 'twice' }] });
  assert.equal(r.totals.values[0], 2);
});

test('after all this the server answers, on a kept connection too', async () => {
  const { traceId, json } = body(1);
  assert.equal((await skep.call('POST', '/v1/traces', json)).status, 200);
  assert.equal(await spansOf(traceId), 1);
  const kept = await raw(`POST /v1/traces HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 1\r\n\r\n{` +
    'GET /skep/v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n');
  assert.match(kept, /^HTTP\/1\.1 400 [^]*HTTP\/1\.1 200 /);
});
