// SPDX-License-Identifier: Apache-2.0
// The stock OpenTelemetry SDK for Node, over each of its three protocols: what arrives is compared with
// what the SDK was told to send, field by field.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { root, Skep, until } from './support.mjs';

const run = promisify(execFile);
let skep;
before(async () => { skep = await Skep.start(); });
after(() => skep?.done());

async function send(protocol) {
  const port = protocol === 'grpc' ? skep.grpcPort : skep.port;
  const { stdout } = await run(process.execPath, [join(root, 'tests', 'clients', 'node', 'sdk-send.cjs')], {
    env: {
      ...process.env, OTEL_EXPORTER_OTLP_PROTOCOL: protocol, OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
      OTEL_TRACES_EXPORTER: 'otlp', OTEL_LOGS_EXPORTER: 'otlp', OTEL_METRICS_EXPORTER: 'none',
    },
  });
  return JSON.parse(stdout);
}

// A value of the page's API as the SDK had it.
function plain(v) {
  if (v && typeof v === 'object' && !Array.isArray(v)) {
    if ('int' in v) return Number(v.int);
    if ('double' in v) return Number(v.double);
  }
  return v;
}

async function fieldsOf(id) {
  const row = await skep.json('GET', `/skep/v1/row/${id}`);
  const out = { intrinsic: {}, attribute: {}, instrumentation: {}, resource: {}, types: {} };
  for (const f of row.fields) {
    out[f.scope][f.name] = plain(f.value);
    if (f.scope === 'attribute') out.types[f.name] = f.type;
  }
  return out;
}

async function compareTrace(told) {
  const trace = await until('the trace', async () => {
    const r = await skep.call('GET', `/skep/v1/trace/${told.traceId}`);
    if (r.status !== 200) return null;
    const t = await r.json();
    return t.rows.id.length >= 8 ? t : null; // 5 spans, 2 events, 1 link, 1 log = 9 rows
  });
  const rows = trace.rows.id.map((id, i) => Object.fromEntries(Object.entries(trace.rows).map(([k, v]) => [k, v[i]])));
  const spans = told.spans.filter((s) => s.traceId === told.traceId);
  assert.equal(rows.filter((r) => r.kind === 'span').length, spans.length);
  for (const want of spans) {
    const got = rows.find((r) => r.kind === 'span' && r.span_id === want.spanId);
    assert.ok(got, `span ${want.name} arrived`);
    assert.equal(got.name, want.name);
    assert.equal(got.span_kind, want.kind);
    assert.equal(got.duration_ns, want.durationNs);
    assert.equal(String(BigInt(trace.start_ns) + BigInt(got.offset_ns)), want.startNs);
    assert.equal(got.error, want.status.code === 2);
    assert.equal(got.parent === -1 ? null : rows[got.parent].span_id, want.parentId);
    const fields = await fieldsOf(got.id);
    assert.deepEqual(fields.attribute, want.attributes);
    for (const [k, v] of Object.entries(told.resource)) assert.deepEqual(fields.resource[k], v);
    assert.equal(fields.instrumentation['library.name'], told.scope.name);
    assert.equal(fields.instrumentation['library.version'], told.scope.version);
    if (want.status.message) assert.equal(fields.intrinsic.status_message, want.status.message);
    await compareEvents(rows, got, want);
  }
  const root_ = rows.find((r) => r.name === 'root of all types');
  const { types } = await fieldsOf(root_.id);
  assert.equal(types['text.number'], 'string');
  assert.equal(types.int, 'int');
  assert.equal(types.double, 'double');
  assert.equal(types['bool.false'], 'bool');
  assert.equal(types['array.int'], 'array');
  return trace;
}

async function compareEvents(rows, span, want) {
  const index = rows.indexOf(span);
  const events = rows.filter((r) => r.kind === 'span_event' && r.parent === index);
  assert.deepEqual(events.map((e) => e.name).sort(), want.events.map((e) => e.name).sort());
  for (const e of want.events) {
    const got = events.find((x) => x.name === e.name);
    assert.deepEqual((await fieldsOf(got.id)).attribute, e.attributes);
  }
  const links = rows.filter((r) => r.kind === 'link' && r.parent === index);
  assert.equal(links.length, want.links.length);
  for (const [i, l] of want.links.entries()) {
    const f = await fieldsOf(links[i].id);
    assert.equal(f.intrinsic['trace.link.trace_id'], l.traceId);
    assert.equal(f.intrinsic['trace.link.span_id'], l.spanId);
    assert.deepEqual(f.attribute, l.attributes);
  }
}

async function compareLogs(told) {
  const { rows } = await until('the logs', async () => {
    const r = await skep.json('POST', '/skep/v1/rows', {
      time_range: 3600, limit: 100, order: 'asc', filters: [{ column: 'meta.signal_type', op: '=', value: 'log' },
        { column: 'library.name', op: '=', value: 'skep-test-logger' }],
    });
    return r.rows.length >= told.logs.length ? r : null;
  });
  const newest = rows.slice(-told.logs.length);
  for (const want of told.logs) {
    const isText = typeof want.body === 'string';
    const got = newest.find((r) => (isText ? r.fields.body === want.body : r.fields['body.structured'] === want.body.structured));
    assert.ok(got, `log ${JSON.stringify(want.body)} arrived`);
    const f = await fieldsOf(got.id);
    assert.equal(Number(BigInt(got.time_ns) / 1000000n), want.timeMs);
    assert.equal(f.intrinsic.severity_text, want.severityText);
    assert.equal(got.fields.severity_code, want.severityNumber);
    assert.deepEqual(f.attribute, isText ? want.attributes : f.attribute);
    assert.equal(got.fields['trace.trace_id'] === told.traceId, want.inTrace);
    if (!isText) {
      assert.deepEqual(JSON.parse(got.fields.body), want.body);
      assert.equal(got.fields['body.deep.er'], true);
      assert.equal(got.fields['body.n'], 3);
    }
  }
}

for (const protocol of ['http/protobuf', 'http/json', 'grpc']) {
  test(`stock SDK over ${protocol}`, async () => {
    const told = await send(protocol);
    await compareTrace(told);
    await compareLogs(told);
  });
}

test('the wrong port works too', async () => {
  const { stdout } = await run(process.execPath, [join(root, 'tests', 'clients', 'node', 'sdk-send.cjs')], {
    env: {
      ...process.env, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc', OTEL_EXPORTER_OTLP_ENDPOINT: skep.url,
      OTEL_TRACES_EXPORTER: 'otlp', OTEL_LOGS_EXPORTER: 'otlp', OTEL_METRICS_EXPORTER: 'none',
    },
  });
  await compareTrace(JSON.parse(stdout));
});
