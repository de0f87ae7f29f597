// SPDX-License-Identifier: Apache-2.0
// waggle, the library for C, as a program would use it: what arrives at skep is what was recorded; its bytes
// are those that OpenTelemetry's own serializer (npm) makes of the same spans; contexts go from Node to C and
// back.
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { freePort, nowNs, root, Skep, until } from './support.mjs';
import { Authority, https } from './tls.mjs';

const run = promisify(execFile);
const require = createRequire(join(root, 'tests', 'clients', 'node', 'package.json'));
const { JsonLogsSerializer, JsonTraceSerializer, ProtobufLogsSerializer, ProtobufTraceSerializer } = require('@opentelemetry/otlp-transformer');
const { W3CTraceContextPropagator, W3CBaggagePropagator } = require('@opentelemetry/core');
const api = require('@opentelemetry/api');
const sender = join(process.env.SKEP_BUILD_DIR || join(root, 'build', 'release'), 'sub', 'waggle', 'tests', 'waggle_e2e_send');

let skep;
before(async () => { skep = await Skep.start(); });
after(() => skep?.done());

const baseNs = () => nowNs() - 60_000_000_000n;

async function send(endpoint, env = {}) {
  const { stdout } = await run(sender, [], {
    env: { PATH: process.env.PATH, OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_SERVICE_NAME: 'waggle-e2e', OTEL_LOG_LEVEL: 'debug', BASE_NS: String(baseNs()), ...env },
  });
  return JSON.parse(stdout);
}

// A receiver that keeps what it gets.
async function receiver() {
  const requests = [];
  const server = createServer((req, res) => {
    const chunks = [];
    req.on('data', (c) => chunks.push(c));
    req.on('end', () => {
      const raw = Buffer.concat(chunks);
      requests.push({ headers: req.headers, url: req.url, body: req.headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw });
      res.writeHead(200, { 'content-type': 'application/x-protobuf' });
      res.end();
    });
  });
  await new Promise((r) => server.listen(0, '127.0.0.1', r));
  return { requests, url: `http://127.0.0.1:${server.address().port}`, done: () => new Promise((r) => { server.closeAllConnections(); server.close(r); }) };
}

// --- skep ---------------------------------------------------------------------------------------

function plain(v) {
  if (v && typeof v === 'object' && !Array.isArray(v)) {
    if ('int' in v) return Number(v.int);
    if ('double' in v) return Number(v.double);
  }
  return v;
}

async function fields(id) {
  const row = await skep.json('GET', `/skep/v1/row/${id}`);
  const out = { intrinsic: {}, attribute: {}, instrumentation: {}, resource: {}, types: {} };
  for (const f of row.fields) {
    out[f.scope][f.name] = plain(f.value);
    if (f.scope === 'attribute') out.types[f.name] = f.type;
  }
  return out;
}

async function rowsOf(traceId) {
  const trace = await until('the trace', async () => {
    const r = await skep.call('GET', `/skep/v1/trace/${traceId}`);
    return r.status === 200 && r.json();
  });
  return { trace, rows: trace.rows.id.map((_, i) => Object.fromEntries(Object.entries(trace.rows).map(([k, v]) => [k, v[i]]))) };
}

async function logsArrive(told) {
  const log = await until('the log record', async () => (await rowsOf(told.root.traceId)).rows.find((x) => x.kind === 'log'));
  const row = await skep.json('GET', `/skep/v1/row/${log.id}`);
  const f = await fields(log.id);
  assert.equal(row.time_ns, String(BigInt(told.root.startNs) + 3_000_000n));
  assert.deepEqual(f.attribute, { 'log.attr': 'yes', ratio: 0.5 });
  assert.equal(f.intrinsic.severity_text, 'warning');
  assert.equal(f.intrinsic.severity_code, 13);
  assert.equal(f.intrinsic['event.name'], 'order.odd');
  assert.deepEqual([f.intrinsic['body.what'], f.intrinsic['body.n']], ['order', 3]);
  assert.equal(f.intrinsic['trace.parent_id'], told.root.spanId);
  assert.equal(f.instrumentation['library.name'], 'waggle-log');
}

for (const [protocol, compression] of [['http/protobuf', 'none'], ['http/protobuf', 'gzip'], ['http/json', 'none'], ['http/json', 'gzip']]) {
  test(`what arrives at skep is what was recorded (${protocol}, ${compression})`, async () => {
    const told = await send(skep.url, { OTEL_EXPORTER_OTLP_COMPRESSION: compression, OTEL_EXPORTER_OTLP_PROTOCOL: protocol });
    const { trace, rows } = await rowsOf(told.root.traceId);
    const r = rows.find((x) => x.span_id === told.root.spanId);
    const c = rows.find((x) => x.span_id === told.child.spanId && x.kind === 'span');
    assert.equal(r.name, 'root of all types');
    assert.equal(r.span_kind, 'server');
    assert.equal(String(BigInt(trace.start_ns) + BigInt(r.offset_ns)), told.root.startNs);
    assert.equal(Number(r.duration_ns), 5_000_000);
    assert.equal(rows[c.parent].span_id, told.root.spanId);
    assert.equal(c.span_kind, 'client');
    assert.equal(c.error, true);
    const f = await fields(r.id);
    assert.deepEqual(f.attribute, {
      text: 'h\u00e4llo "w\u00f6rld"\n', empty: '', 'text.number': '200', int: 42, 'int.negative': -7, double: 1.5,
      'bool.true': true, 'bool.false': false, bytes: f.attribute.bytes, 'array.text': ['a', 'b c', ''],
      'array.bool': [true, false], 'array.int': f.attribute['array.int'], 'array.double': [0.5, -1.25],
    });
    assert.deepEqual(f.attribute['array.int'].map((v) => Number(plain(v))), [1, -2, 3]);
    assert.deepEqual([f.types.int, f.types.double, f.types['text.number'], f.types.bytes], ['int', 'double', 'string', 'bytes']);
    assert.equal(f.resource['service.name'], 'waggle-e2e');
    assert.equal(f.resource['service.version'], '1.2.3');
    assert.equal(f.resource['telemetry.sdk.name'], 'waggle');
    assert.equal(f.instrumentation['library.name'], 'waggle-e2e');
    assert.equal(f.instrumentation['library.version'], '0.9');
    assert.equal((await fields(c.id)).intrinsic.status_message, 'it broke');
    const event = rows.find((x) => x.kind === 'span_event');
    assert.equal(event.name, 'cache miss');
    assert.deepEqual((await fields(event.id)).attribute, { key: 'user:7', size: 3 });
    const link = await fields(rows.find((x) => x.kind === 'link').id);
    assert.equal(link.intrinsic['trace.link.span_id'], told.root.spanId);
    assert.deepEqual(link.attribute, { self: true });
    await logsArrive(told);
  });
}

test('a number that no double holds stays whole', async () => {
  const told = await send(skep.url, { BIG: '1' });
  const { rows } = await rowsOf(told.root.traceId);
  const row = await skep.json('GET', `/skep/v1/row/${rows.find((x) => x.span_id === told.root.spanId).id}`);
  assert.deepEqual(row.fields.find((f) => f.name === 'int.big').value, { int: '9007199254740993' });
});

// --- the bytes ----------------------------------------------------------------------------------

// Which length-delimited fields of OTLP's trace messages are messages; all others are bytes.
const any = { 5: { 1: null }, 6: { 1: null } };
any[5][1] = any;
const keyValue = { 2: any };
any[6][1] = keyValue;
const span = { 9: keyValue, 11: { 3: keyValue }, 13: { 4: keyValue }, 15: {} };
const request = { 1: { 1: { 1: keyValue }, 2: { 1: { 3: keyValue }, 2: span } } };

function varint(b, at) {
  let v = 0n;
  for (let shift = 0n; ; shift += 7n) {
    const c = b[at.i++];
    v |= BigInt(c & 0x7f) << shift;
    if (c < 0x80) return v;
  }
}

// The message as a sorted list of [field, wire type, value]; what is zero is as absent (proto3), but for the
// values of a oneof (inside AnyValue).
function tree(b, type) {
  const out = [];
  const at = { i: 0 };
  while (at.i < b.length) {
    const tag = Number(varint(b, at));
    const [field, wire] = [tag >> 3, tag & 7];
    let value;
    if (wire === 0) value = String(varint(b, at));
    else if (wire === 1) { value = b.subarray(at.i, at.i + 8).toString('hex'); at.i += 8; } else if (wire === 5) { value = b.subarray(at.i, at.i + 4).toString('hex'); at.i += 4; } else {
      const n = Number(varint(b, at));
      assert.ok(at.i + n <= b.length, 'a length leads out of the message');
      const bytes = b.subarray(at.i, at.i + n);
      value = type?.[field] ? tree(bytes, type[field]) : bytes.toString('hex');
      at.i += n;
    }
    const zero = wire !== 2 ? /^0+$/.test(value) : value.length === 0;
    if (type === any || !zero) out.push([field, wire, value]);
  }
  return out.sort((x, y) => (JSON.stringify(x) < JSON.stringify(y) ? -1 : 1));
}

const logRequest = { 1: { 1: { 1: keyValue }, 2: { 1: { 3: keyValue }, 2: { 5: any, 6: keyValue } } } };

function compareLogs(compare, told, resource, spanContext) {
  const at = (ns) => hr(BigInt(told.root.startNs) + ns);
  const instrumentationScope = { name: 'waggle-log', version: '0.9' };
  compare([
    {
      hrTime: at(3_000_000n), hrTimeObserved: at(3_000_001n), spanContext: { ...spanContext, isRemote: undefined }, severityNumber: 13, severityText: 'warning', eventName: 'order.odd',
      body: { what: 'order', n: 3 }, attributes: { 'log.attr': 'yes', ratio: 0.5 }, droppedAttributesCount: 0, resource, instrumentationScope,
    },
    {
      hrTime: [0, 0], hrTimeObserved: at(4_000_000n), severityNumber: 9, body: 'plain \u00e4', attributes: {}, droppedAttributesCount: 0, resource, instrumentationScope,
    },
  ]);
}

const hr = (ns) => [Number(BigInt(ns) / 1_000_000_000n), Number(BigInt(ns) % 1_000_000_000n)];

const context = (s) => ({ traceId: s.traceId, spanId: s.spanId, traceFlags: s.flags, traceState: { serialize: () => 'a=1,b=2' } });

// What e2e_send.c records, as the objects that npm's serializers take.
function spansOf(told, resource, parent) {
  const common = { resource, droppedAttributesCount: 0, droppedEventsCount: 0, droppedLinksCount: 0, ended: true };
  return [
    {
      ...common, name: 'root of all types', kind: 1, spanContext: () => context(told.root), parentSpanContext: { ...parent, isRemote: true },
      startTime: hr(told.root.startNs), endTime: hr(told.root.endNs), status: { code: 1 }, events: [], links: [],
      attributes: {
        text: 'h\u00e4llo "w\u00f6rld"\n', empty: '', 'text.number': '200', int: 42, 'int.negative': -7, double: 1.5, 'bool.true': true,
        'bool.false': false, bytes: new Uint8Array([0, 1, 255]), 'array.text': ['a', 'b c', ''], 'array.bool': [true, false],
        'array.int': [1, -2, 3], 'array.double': [0.5, -1.25],
      },
      instrumentationScope: { name: 'waggle-e2e', version: '0.9', schemaUrl: 'https://example.com/schema/1', attributes: { 'scope.attr': 'yes' } },
    },
    {
      ...common, name: 'child', kind: 2, spanContext: () => context(told.child), parentSpanContext: { ...told.root, isRemote: false },
      startTime: hr(told.child.startNs), endTime: hr(told.child.endNs), status: { code: 2, message: 'it broke' }, attributes: {},
      events: [{ name: 'cache miss', time: hr(BigInt(told.root.startNs) + 1_500_000n), attributes: { key: 'user:7', size: 3 } }],
      links: [{ context: { ...context(told.root), isRemote: false }, attributes: { self: true } }],
      instrumentationScope: { name: 'other-scope' },
    },
  ];
}

test("the bytes are those of OpenTelemetry's own serializer", async () => {
  const sink = await receiver();
  const parent = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' };
  const told = await send(sink.url, { TRACEPARENT: `00-${parent.traceId}-${parent.spanId}-01`, TRACESTATE: 'a=1,b=2' });
  await sink.done();
  assert.equal(sink.requests.length, 2);
  const { headers, body } = sink.requests.find((r) => r.url === '/v1/traces');
  assert.equal(headers['content-type'], 'application/x-protobuf');
  const resourceAttributes = {};
  const mine = tree(body, request);
  for (const [, , kv] of mine[0][2].find((f) => f[0] === 1)[2]) { // the resource is the machine's: taken from the bytes
    const key = Buffer.from(kv.find((f) => f[0] === 1)[2], 'hex').toString();
    const [[field, , value]] = kv.find((f) => f[0] === 2)[2];
    resourceAttributes[key] = field === 1 ? Buffer.from(value, 'hex').toString() : Number(value);
  }
  assert.equal(resourceAttributes['service.name'], 'waggle-e2e');
  const resource = { attributes: resourceAttributes };
  const theirs = ProtobufTraceSerializer.serializeRequest(spansOf(told, resource, parent));
  const expected = tree(Buffer.from(theirs), request);
  const logs = sink.requests.find((r) => r.url === '/v1/logs').body;
  compareLogs((records) => assert.deepEqual(tree(logs, logRequest), tree(Buffer.from(ProtobufLogsSerializer.serializeRequest(records)), logRequest)), told, resource, context(told.root));
  const scopeAttributes = (t) => JSON.stringify(t).includes(Buffer.from('scope.attr').toString('hex'));
  assert.ok(scopeAttributes(mine), 'the scope has its attributes');
  const without = (t) => t.map(([f, w, v]) => [f, w, Array.isArray(v) ? without(v) : v]).filter(([, , v]) => !JSON.stringify(v).startsWith(`[[1,2,"${Buffer.from('scope.attr').toString('hex')}"]`));
  assert.deepEqual(scopeAttributes(expected) ? mine : without(mine), expected);
});

// Without what proto3 may leave out: zeros and empty texts and lists, but for the values of attributes.
function strip(v, inValue = false) {
  if (Array.isArray(v)) return v.map((x) => strip(x, inValue));
  if (v === null || typeof v !== 'object') return v;
  const out = {};
  for (const [k, x] of Object.entries(v)) {
    const kept = strip(x, inValue || k === 'value' || k === 'body');
    const empty = kept === null || kept === 0 || kept === '' || kept === '0' || (Array.isArray(kept) && kept.length === 0);
    if (inValue || !empty) out[k] = kept;
  }
  return out;
}

test("the JSON is that of OpenTelemetry's own serializer", async () => {
  const sink = await receiver();
  const parent = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' };
  const told = await send(sink.url, { TRACEPARENT: `00-${parent.traceId}-${parent.spanId}-01`, TRACESTATE: 'a=1,b=2', OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' });
  await sink.done();
  const { headers, body } = sink.requests.find((r) => r.url === '/v1/traces');
  assert.equal(headers['content-type'], 'application/json');
  const mine = JSON.parse(body);
  const scope = mine.resourceSpans[0].scopeSpans.find((s) => s.scope.name === 'waggle-e2e').scope;
  assert.deepEqual(scope.attributes, [{ key: 'scope.attr', value: { stringValue: 'yes' } }]);
  const attributes = Object.fromEntries(mine.resourceSpans[0].resource.attributes.map((a) => [a.key, a.value.stringValue ?? Number(a.value.intValue)]));
  const resource = { attributes };
  // npm's own choices within OTLP/JSON: integers as numbers; both are to be accepted.
  const numbers = (v) => JSON.parse(JSON.stringify(v), (k, x) => (k === 'intValue' ? Number(x) : x));
  const byScope = (v) => { (v.resourceSpans?.[0].scopeSpans ?? v.resourceLogs[0].scopeLogs).sort((x, y) => (x.scope.name < y.scope.name ? -1 : 1)); return v; };
  const compare = (a, serializer, objects) => assert.deepEqual(numbers(strip(byScope(a))), numbers(strip(byScope(JSON.parse(Buffer.from(serializer.serializeRequest(objects)))))));
  compare(mine, JsonTraceSerializer, spansOf(told, resource, parent));
  const logs = JSON.parse(sink.requests.find((r) => r.url === '/v1/logs').body);
  compareLogs((records) => compare(logs, JsonLogsSerializer, records), told, resource, context(told.root));
});

test('a compressed request says so', async () => {
  const sink = await receiver();
  await send(sink.url, { OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip' });
  await sink.done();
  assert.deepEqual(sink.requests.map((r) => r.headers['content-encoding']), ['gzip', 'gzip']);
});

test('the file exporter writes a request a line', async () => {
  const { stdout } = await run(sender, [], { env: { PATH: process.env.PATH, BASE_NS: String(baseNs()), OTEL_TRACES_EXPORTER: 'otlp/stdout', OTEL_LOGS_EXPORTER: 'otlp/stdout' } });
  const lines = stdout.trim().split('\n').map((l) => JSON.parse(l));
  const spans = lines.find((l) => l.resourceSpans).resourceSpans[0].scopeSpans.flatMap((s) => s.spans);
  assert.deepEqual(spans.map((s) => s.name).sort(), ['child', 'root of all types']);
  assert.equal(lines.find((l) => l.resourceLogs).resourceLogs[0].scopeLogs[0].logRecords.length, 2);
});

// --- X-Ray --------------------------------------------------------------------------------------

test('spans as segments, to the X-Ray port', async (t) => {
  const port = await freePort();
  const daemon = await Skep.start({ args: ['--xray', `127.0.0.1:${port}`] });
  t.after(() => daemon.done());
  const told = await send('', { OTEL_TRACES_EXPORTER: 'xray', OTEL_LOGS_EXPORTER: 'none', AWS_XRAY_DAEMON_ADDRESS: `127.0.0.1:${port}` });
  const id = `1-${told.root.traceId.slice(0, 8)}-${told.root.traceId.slice(8)}`;
  const segment = await until('the segment', async () => {
    const { Traces } = await daemon.json('POST', '/Traces', { TraceIds: [id] });
    const documents = Traces.flatMap((x) => x.Segments).map((x) => JSON.parse(x.Document));
    return documents.find((d) => d.id === told.root.spanId && d.subsegments?.length === 1);
  });
  assert.equal(segment.name, 'waggle-e2e');
  assert.equal(BigInt(Math.round(segment.start_time * 1000)), BigInt(told.root.startNs) / 1_000_000n);
  assert.deepEqual(segment.metadata.default['array.text'], ['a', 'b c', '']);
  assert.equal(segment.metadata.default.int, 42);
  const [child] = segment.subsegments;
  assert.equal(child.id, told.child.spanId);
  assert.equal(child.namespace, 'remote');
  assert.equal(child.fault, true);
  assert.equal(child.cause.exceptions[0].message, 'it broke');
});

// --- TLS ----------------------------------------------------------------------------------------

// --- errors -------------------------------------------------------------------------------------

const errors = join(sender, '..', 'waggle_e2e_errors');

async function errorRows(name) {
  const is = (column, value) => ({ column, op: '=', value });
  const r = await skep.json('POST', '/skep/v1/rows', {
    dataset: 'waggle-errors', start_time: 0, end_time: Math.ceil(Date.now() / 1000) + 3600, filters: [is('name', name)], limit: 10,
  });
  return r.rows.length && r.rows;
}

test('errors as items of Rollbar: in the inbox, with frames, linked to their trace', async () => {
  const { stdout } = await run(errors, [], {
    env: {
      PATH: process.env.PATH, OTEL_EXPORTER_OTLP_ENDPOINT: skep.url, OTEL_LOG_LEVEL: 'debug', OTEL_TRACES_EXPORTER: 'rollbar', OTEL_LOGS_EXPORTER: 'rollbar',
      ROLLBAR_ACCESS_TOKEN: '0123456789abcdef0123456789abcdef', ROLLBAR_ENDPOINT: `${skep.url}/api/1/`, ROLLBAR_ENVIRONMENT: 'waggle-e2e', ROLLBAR_ROOT: '/srv/shop',
    },
  });
  const { traceId, reportId } = JSON.parse(stdout);
  const [thrown] = await until('the exception', () => errorRows('CartError: no total'));
  assert.equal(thrown.kind, 'error');
  assert.equal(thrown.fields['trace.trace_id'], traceId);
  assert.equal(thrown.fields['code.function.name'], 'total');
  assert.equal(thrown.fields['code.file.path'], '/srv/shop/cart.c');
  assert.equal(thrown.fields['code.line.number'], 12);
  assert.equal(thrown.fields['deployment.environment.name'], 'waggle-e2e');
  assert.equal(thrown.fields['service.version'], '1.2.3');
  assert.equal(thrown.fields['user.id'], '42');
  assert.equal(thrown.fields['url.full'], 'http://shop/cart');
  const [logged] = await until('the message', () => errorRows('stock "is" gone \u00e4'));
  assert.equal(logged.fields['error.level'], 'error');
  assert.equal(logged.fields['custom.left'], 0);
  assert.notEqual(logged.fields['custom.password'], 'hunter2');
  assert.equal(logged.fields['trace.trace_id'], traceId);
  const item = await until('the inbox', async () => {
    const page = await skep.json('GET', '/api/1/items/?environment=waggle-e2e');
    return page.result.items.length === 3 && page.result.items.find((i) => i.title === 'CartError: no total');
  });
  const { result } = await skep.json('GET', `/api/1/item/${item.id}/instances/`);
  const { frames } = result.instances[0].data.body.trace;
  assert.deepEqual(frames.map((f) => [f.method, f.module ?? null, f.offset ?? null, f.build_id ?? null]), [
    ['app+0x2f00', '/srv/shop/app', '0x2f00', '6f0ad1c2'], ['total', null, null, null],
  ]);
  const [reported] = await until('the report', () => errorRows('StockError: less than none'));
  assert.equal(reported.fields['error.uuid'], reportId);
  assert.equal(reported.fields['custom.left'], -1);
  const { result: one } = await skep.json('GET', `/api/1/instance/${(await skep.json('GET', '/api/1/instances/')).result.instances.find((i) => i.data.uuid === reportId).id}`);
  const stack = one.data.body.trace.frames; // its own: module, offset and build id, which name it later
  assert.match(stack.at(-1).module, /waggle_e2e_errors$/);
  assert.match(stack.at(-1).offset, /^0x[0-9a-f]+$/);
  assert.match(stack.at(-1).build_id, /^[0-9a-f]{40}$/);
});

test('what is reported over OTLP and to Rollbar is one error', async () => {
  await run(errors, [], {
    env: {
      PATH: process.env.PATH, OTEL_EXPORTER_OTLP_ENDPOINT: skep.url, OTEL_TRACES_EXPORTER: 'otlp,rollbar', OTEL_LOGS_EXPORTER: 'otlp,rollbar',
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=both', ROLLBAR_ACCESS_TOKEN: '0123456789abcdef0123456789abcdef', ROLLBAR_ENDPOINT: `${skep.url}/api/1/`,
    },
  });
  const titles = await until('the items', async () => {
    const { result } = await skep.json('GET', '/api/1/items/?environment=both');
    return result.items.length >= 3 && result.items.map((i) => i.title).sort();
  });
  assert.deepEqual(titles, ['CartError: no total', 'StockError: less than none', 'stock "is" gone \u00e4']);
});

test('a crash is reported by the next start, in the trace it happened in', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'waggle-crash-'));
  try {
    const env = { PATH: process.env.PATH, OTEL_EXPORTER_OTLP_ENDPOINT: skep.url, OTEL_SERVICE_NAME: 'waggle-crash' };
    await assert.rejects(run(errors, [directory, 'crash'], { env }), (e) => { assert.equal(e.signal, 'SIGSEGV', String(e)); return true; });
    assert.equal(readdirSync(directory).length, 1);
    const { stdout } = await run(errors, [directory], { env });
    assert.equal(stdout, '1\n');
    assert.deepEqual(readdirSync(directory), []);
    const item = await until('the item', async () => (await skep.json('GET', '/api/1/items/')).result.items.find((i) => i.title.startsWith('SIGSEGV')));
    assert.match(item.title, /^SIGSEGV: invalid memory access/);
    assert.equal(item.level, 'critical');
    const row = await skep.json('POST', '/skep/v1/rows', {
      dataset: 'waggle-errors', start_time: 0, end_time: Math.ceil(Date.now() / 1000) + 3600, filters: [{ column: 'exception.type', op: '=', value: 'SIGSEGV' }], limit: 2,
    });
    assert.equal(row.rows.length, 1);
    const { fields: f } = row.rows[0];
    assert.equal(f['crash.note'], 'request 7');
    assert.match(f['trace.trace_id'], /^[0-9a-f]{32}$/);
    assert.match(f['exception.stacktrace'], /#0 0x[0-9a-f]+ \(.*waggle_e2e_errors\+0x[0-9a-f]+\) \(BuildId: [0-9a-f]{40}\)/);
    assert.match(f['error.culprit'], /waggle_e2e_errors/);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

// --- CloudWatch Logs ----------------------------------------------------------------------------

const has = (program, args) => { try { execFileSync(program, args, { stdio: 'ignore' }); return true; } catch { return false; } };
const python = ['/usr/bin/python3', 'python3'].find((p) => has(p, ['-c', 'import boto3']));
const client = (name) => join(root, 'tests', 'clients', 'python', name);
const aws = {
  AWS_ACCESS_KEY_ID: 'AKIDWAGGLE', AWS_SECRET_ACCESS_KEY: 'se/cr+et', AWS_SESSION_TOKEN: 'to==ken', AWS_REGION: 'eu-west-1',
  OTEL_C_CLOUDWATCH_GROUP: '/waggle/e2e', OTEL_C_CLOUDWATCH_STREAM: 'one', OTEL_TRACES_EXPORTER: 'none', OTEL_LOGS_EXPORTER: 'cloudwatch',
};

test('logs to CloudWatch Logs: boto3 reads from skep what was logged', { skip: python ? false : 'no python3 has boto3' }, async () => {
  await run(errors, [], { env: { PATH: process.env.PATH, OTEL_LOG_LEVEL: 'debug', ...aws, AWS_ENDPOINT_URL_CLOUDWATCH_LOGS: skep.url } });
  const { stdout } = await run(python, [client('logs_read.py'), skep.url, '/waggle/e2e']);
  const { streams, events } = JSON.parse(stdout);
  assert.deepEqual(streams, ['one']);
  assert.equal(events.length, 3);
  const told = events.map((e) => JSON.parse(e.message));
  assert.deepEqual(told.map((t) => [t.body, t.severity_text, t.severity_number]), [['cart opened', 'INFO', 9], ['stock "is" gone \u00e4', 'ERROR', 17], ['less than none', 'ERROR', 17]]);
  assert.equal(told[1].attributes.left, 0);
  assert.equal(told[1].resource['service.name'], 'waggle-errors');
  assert.ok(Math.abs(events[0].timestamp - Date.now()) < 120_000);
});

test("its requests are signed and shaped as botocore's own are", { skip: python ? false : 'no python3 has boto3' }, async () => {
  const receiver = spawn(python, [client('logs_receiver.py'), aws.AWS_SECRET_ACCESS_KEY], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: receiver.stdout })[Symbol.asyncIterator]();
  try {
    const { value: port } = await lines.next();
    await run(errors, [], { env: { PATH: process.env.PATH, ...aws, AWS_ENDPOINT_URL: `http://127.0.0.1:${port}` } });
    const seen = [];
    while (seen.length < 4) seen.push(JSON.parse((await lines.next()).value));
    assert.deepEqual(seen.map((r) => r.operation), ['PutLogEvents', 'CreateLogGroup', 'CreateLogStream', 'PutLogEvents']);
    assert.deepEqual(seen.flatMap((r) => r.wrong), []);
    assert.equal(seen[3].input.logEvents.length, 3);
  } finally {
    receiver.kill();
  }
});

test('over TLS, with an authority of the environment', async (t) => {
  const authority = new Authority();
  t.after(() => authority.done());
  const server = authority.make('server', '/CN=localhost');
  const secure = await Skep.start({
    args: ['--tls-cert', server.cert, '--tls-key', server.key],
    ready: async (s) => (await https(s.port, '/skep/v1/status', { ca: authority.ca })).status === 200,
  });
  t.after(() => secure.done());
  const told = await send(`https://127.0.0.1:${secure.port}`, { OTEL_EXPORTER_OTLP_CERTIFICATE: authority.path('ca.pem') });
  const answer = await https(secure.port, `/skep/v1/trace/${told.root.traceId}`, { ca: authority.ca });
  assert.equal(answer.status, 200);
  const unknown = await send(`https://127.0.0.1:${secure.port}`, { OTEL_EXPORTER_OTLP_TIMEOUT: '300' }); // who is not known is not trusted
  assert.equal((await https(secure.port, `/skep/v1/trace/${unknown.root.traceId}`, { ca: authority.ca })).status, 404);
});

// Answers 200 to clients with a certificate of the authority; who they are, by path.
async function mutualServer(t, authority, server) {
  const clients = {};
  const s = createSecureServer({ cert: server.pem, key: server.keyPem, ca: authority.ca, requestCert: true, rejectUnauthorized: true }, (request, response) => {
    clients[request.url] = request.socket.getPeerCertificate().subject.CN;
    request.resume().on('end', () => response.end());
  });
  await new Promise((resolve) => s.listen(0, '127.0.0.1', resolve));
  t.after(() => s.close());
  return { url: `https://127.0.0.1:${s.address().port}`, clients };
}

test('mutual TLS: each signal with the key and certificates its variables name', async (t) => {
  const authority = new Authority();
  t.after(() => authority.done());
  const server = await mutualServer(t, authority, authority.make('server', '/CN=localhost'));
  const [all, logs] = ['all', 'logs'].map((name) => authority.make(name, `/CN=${name}`));
  const strangers = new Authority();
  t.after(() => strangers.done());
  const env = {
    OTEL_LOGS_EXPORTER: 'otlp', OTEL_METRICS_EXPORTER: 'otlp', METRICS: '1', OTEL_EXPORTER_OTLP_TIMEOUT: '3000',
    OTEL_EXPORTER_OTLP_CERTIFICATE: authority.path('ca.pem'), OTEL_EXPORTER_OTLP_CLIENT_KEY: all.key, OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: all.cert,
    OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY: logs.key, OTEL_EXPORTER_OTLP_LOGS_CLIENT_CERTIFICATE: logs.cert,
    OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE: strangers.path('ca.pem'), // who is not known is not trusted
  };
  await send(server.url, env).catch(() => {}); // its exit code says that metrics did not arrive
  assert.deepEqual(server.clients, { '/v1/traces': 'all', '/v1/logs': 'logs' });
});

// --- declarative configuration --------------------------------------------------------------------

test('a configuration file: exporters, certificates and the resource; variables only where it names them', async (t) => {
  const authority = new Authority();
  t.after(() => authority.done());
  const server = await mutualServer(t, authority, authority.make('server', '/CN=localhost'));
  const client = authority.make('client', '/CN=client');
  const file = authority.path('otel.yaml');
  writeFileSync(file, `# what the environment says otherwise is not asked
file_format: "1.0"
log_level: warn
resource:
  attributes:
    - name: service.name
      value: \${SHOP:-shop}
propagator:
  composite:
    - tracecontext:
tls: &tls
  ca_file: ${authority.path('ca.pem')}
  key_file: ${client.key}
  cert_file: ${client.cert}
tracer_provider:
  processors:
    - batch:
        exporter:
          otlp_http:
            endpoint: ${skep.url}/v1/traces
            compression: gzip
    - batch:
        exporter:
          otlp_http:
            endpoint: ${server.url}/second
            tls: *tls
logger_provider:
  processors:
    - simple:
        exporter:
          otlp_http: { endpoint: "${skep.url}/v1/logs", encoding: json }
`);
  const told = await send('http://127.0.0.1:1', { OTEL_CONFIG_FILE: file, SHOP: 'filed', OTEL_SERVICE_NAME: 'lost', OTEL_TRACES_SAMPLER: 'always_off' });
  assert.deepEqual(server.clients, { '/second': 'client' });
  const { rows } = await rowsOf(told.root.traceId);
  const row = rows.find((r) => r.span_id === told.root.spanId);
  assert.equal((await fields(row.id)).resource['service.name'], 'filed');
  writeFileSync(file, 'file_format: "1.0"\ntracer_provider:\n  processors:\n    - batch:\n        exporter:\n          otlp_htp:\n');
  const failed = await run(sender, [], { env: { PATH: process.env.PATH, BASE_NS: '1', OTEL_CONFIG_FILE: file } }).catch((e) => e);
  assert.equal(failed.code, 2);
  assert.equal(failed.stderr, `waggle: error: ${file}:6: there is no exporter "otlp_htp"\n`); // without OTEL_LOG_LEVEL, too
});

// --- propagation --------------------------------------------------------------------------------

test('contexts go from Node to C and back', async () => {
  const propagators = [new W3CTraceContextPropagator(), new W3CBaggagePropagator()];
  const mine = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7', traceFlags: 1 };
  const baggage = api.propagation.createBaggage({ user: { value: 'J\u00f6rg, the 1st' }, cart: { value: '7' } });
  const ctx = api.propagation.setBaggage(api.trace.setSpanContext(api.ROOT_CONTEXT, mine), baggage);
  const carrier = {};
  for (const p of propagators) p.inject(ctx, carrier, api.defaultTextMapSetter);
  const told = await send(skep.url, { TRACEPARENT: carrier.traceparent, BAGGAGE: carrier.baggage });
  assert.equal(told.root.traceId, mine.traceId);
  let back = api.ROOT_CONTEXT;
  for (const p of propagators) back = p.extract(back, told.headers, api.defaultTextMapGetter);
  assert.equal(api.trace.getSpanContext(back).spanId, told.root.spanId);
  assert.equal(api.trace.getSpanContext(back).traceFlags & 1, 1);
  assert.equal(api.propagation.getBaggage(back).getEntry('user').value, 'J\u00f6rg, the 1st');
  assert.equal(api.propagation.getBaggage(back).getEntry('cart').value, '7');
  const { rows } = await rowsOf(mine.traceId);
  assert.ok(rows.some((r) => r.span_id === told.root.spanId));
});

test("an unsampled parent's decision is kept", async () => {
  const told = await send(skep.url, { TRACEPARENT: '00-aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbb-00f067aa0ba902b7-00' });
  assert.match(told.headers.traceparent, /^00-a{16}b{16}-[0-9a-f]{16}-00$/);
  const { rows } = await rowsOf(told.root.traceId); // the log record is there, its spans are not
  assert.deepEqual(rows.filter((r) => r.kind !== 'log'), []);
});

test('the example server: a request of Node is served in its own trace', async () => {
  const server = spawn(join(sender, '..', '..', 'examples', 'waggle_http_server'), ['0', '2'], {
    env: { PATH: process.env.PATH, OTEL_EXPORTER_OTLP_ENDPOINT: skep.url }, stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((r) => server.once('exit', r));
  const port = await new Promise((r) => { server.stdout.once('data', (d) => r(/:(\d+)/.exec(d)[1])); });
  const traceId = 'abcdef0123456789abcdef0123456789';
  const answer = await fetch(`http://127.0.0.1:${port}/hello?x=1`, { headers: { traceparent: `00-${traceId}-00f067aa0ba902b7-01` } });
  assert.equal(await answer.text(), 'hello\n');
  assert.equal((await fetch(`http://127.0.0.1:${port}/nowhere`)).status, 404);
  assert.equal(await ended, 0); // after two requests: what is left was sent
  const { rows } = await rowsOf(traceId);
  assert.equal(rows.length, 1);
  assert.equal(rows[0].name, 'GET /hello');
  const f = await fields(rows[0].id);
  assert.equal(f.attribute['http.response.status_code'], 200);
  assert.equal(f.attribute['url.path'], '/hello');
});
