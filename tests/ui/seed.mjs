// SPDX-License-Identifier: Apache-2.0
//
// Sends the mock's rows to a real server as OTLP/JSON, so that the flows of these tests and the
// screenshots can run against it:
//
//   SKEP_URL=http://127.0.0.1:4318 node seed.mjs [--traces 1500] [--hours 2] [--huge 100000]

import { fileURLToPath } from 'node:url';
import { Data, hugeTrace, ns } from './mock-data.mjs';
import { HUGE } from './mock-server.mjs';

const RESOURCE = new Set(['service.name', 'service.version', 'telemetry.sdk.language', 'host.name', 'deployment.environment']);
const OWN = new Set(['trace.trace_id', 'trace.span_id', 'trace.parent_id', 'name', 'duration_ms', 'span.kind', 'status_code', 'error', 'meta.signal_type', 'meta.annotation_type',
  'body', 'severity', 'trace.link.trace_id', 'trace.link.span_id', ...RESOURCE]);
const KIND = { internal: 1, server: 2, client: 3, producer: 4, consumer: 5 };
const SEVERITY = { trace: 1, debug: 5, info: 9, warn: 13, error: 17, fatal: 21 };

const value = (v) => (typeof v === 'string' ? { stringValue: v } : typeof v === 'boolean' ? { boolValue: v } : Number.isInteger(v) ? { intValue: String(v) } : { doubleValue: v });
const attributes = (fields, keep) => Object.entries(fields).filter(([k]) => keep(k)).map(([key, v]) => ({ key, value: value(v) }));
const own = (f) => attributes(f, (k) => !OWN.has(k));

function spanOf(row, below) {
  const f = row.fields;
  return {
    traceId: f['trace.trace_id'], spanId: f['trace.span_id'], parentSpanId: f['trace.parent_id'] ?? '', name: f.name, kind: KIND[f['span.kind']],
    startTimeUnixNano: ns(row.t), endTimeUnixNano: ns(row.t + f.duration_ms), attributes: own(f), status: { code: f.error ? 2 : 0 },
    events: below.filter((b) => b.kind === 'span_event').map((b) => ({ timeUnixNano: ns(b.t), name: b.fields.name, attributes: own(b.fields) })),
    links: below.filter((b) => b.kind === 'link').map((b) => ({ traceId: b.fields['trace.link.trace_id'], spanId: b.fields['trace.link.span_id'] })),
  };
}

const logOf = (row) => ({
  timeUnixNano: ns(row.t), severityNumber: SEVERITY[row.fields.severity], severityText: row.fields.severity, body: { stringValue: row.fields.body }, attributes: own(row.fields),
  ...(row.fields['trace.trace_id'] ? { traceId: row.fields['trace.trace_id'], spanId: row.fields['trace.parent_id'] } : {}),
});

// Groups by resource: OTLP says a resource once for all its rows.
function byResource(rows) {
  const groups = new Map();
  for (const row of rows) {
    const resource = attributes(row.fields, (k) => RESOURCE.has(k));
    const key = JSON.stringify(resource);
    if (!groups.has(key)) groups.set(key, { resource: { attributes: resource }, rows: [] });
    groups.get(key).rows.push(row);
  }
  return [...groups.values()];
}

async function post(url, path, body) {
  const res = await fetch(`${url}${path}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  if (!res.ok) throw new Error(`${path}: ${res.status} ${await res.text()}`);
}

const BATCH = 2000;

export async function seed(url, { traces = 1500, hours = 2, huge = 0 } = {}) {
  const { rows } = new Data(Date.now(), { traces, hours });
  const below = new Map();
  for (const r of rows) if (r.kind !== 'span' && r.kind !== 'log') below.set(r.fields['trace.parent_id'], [...(below.get(r.fields['trace.parent_id']) ?? []), r]);
  const scope = { name: 'skep.tests.ui' };
  for (let i = 0; i < rows.length; i += BATCH) {
    const part = rows.slice(i, i + BATCH);
    const spans = byResource(part.filter((r) => r.kind === 'span'));
    const logs = byResource(part.filter((r) => r.kind === 'log'));
    await post(url, '/v1/traces', { resourceSpans: spans.map((g) => ({ resource: g.resource, scopeSpans: [{ scope, spans: g.rows.map((r) => spanOf(r, below.get(r.fields['trace.span_id']) ?? [])) }] })) });
    if (logs.length) await post(url, '/v1/logs', { resourceLogs: logs.map((g) => ({ resource: g.resource, scopeLogs: [{ scope, logRecords: g.rows.map(logOf) }] })) });
  }
  if (huge) await sendHuge(url, huge, scope);
  return rows;
}

async function sendHuge(url, n, scope) {
  const { rows: r, services } = hugeTrace(HUGE, n);
  const start = BigInt(Date.now() - 700e3) * 1000000n;
  const id = (i) => (i + 1).toString(16).padStart(16, '0');
  for (let from = 0; from < n; from += BATCH) {
    const groups = services.map((s) => ({ resource: { attributes: [{ key: 'service.name', value: value(s) }] }, spans: [] }));
    for (let i = from; i < Math.min(n, from + BATCH); i++) {
      const at = start + BigInt(r.offset_ns[i]);
      groups[r.service[i]].spans.push({ traceId: HUGE, spanId: id(i), parentSpanId: r.parent[i] < 0 ? '' : id(r.parent[i]), name: r.name[i], kind: 1,
        startTimeUnixNano: String(at), endTimeUnixNano: String(at + BigInt(r.duration_ns[i])), status: { code: r.error[i] ? 2 : 0 }, attributes: [{ key: 'app.row', value: value(i) }] });
    }
    await post(url, '/v1/traces', { resourceSpans: groups.filter((g) => g.spans.length).map((g) => ({ resource: g.resource, scopeSpans: [{ scope, spans: g.spans }] })) });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const arg = (name, other) => { const i = process.argv.indexOf(`--${name}`); return i > 0 ? Number(process.argv[i + 1]) : other; };
  const url = process.env.SKEP_URL;
  if (!url) throw new Error('say where to in SKEP_URL');
  const rows = await seed(url, { traces: arg('traces', 1500), hours: arg('hours', 2), huge: arg('huge', 0) });
  console.log(`${rows.length} rows sent to ${url}`);
}
