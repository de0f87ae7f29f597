// SPDX-License-Identifier: Apache-2.0
// What the page asks about X-Ray's traces: filter expressions in its own list, durations, documents.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { hex, otlpTraces, Skep } from './support.mjs';

const T0 = Math.floor(Date.now() / 1000) - 300;
const range = { start_time: T0 - 1000, end_time: T0 + 1000 };
const xid = (hex32) => `1-${hex32.slice(0, 8)}-${hex32.slice(8)}`;
const newId = () => T0.toString(16).padStart(8, '0') + hex(24);

let skep;
const ids = { ok: newId(), slow: newId(), broken: newId(), otlp: newId(), rootless: newId() };
const [okSegment, embedded, streamed] = [hex(16), hex(16), hex(16)];
const okDocument = `{"id": "${okSegment}",  "name": "front", "trace_id": "${xid(ids.ok)}", "start_time": ${T0}.25, "end_time": ${T0}.35, "annotations": {"who": "bob"}, "subsegments": [{"id": "${embedded}", "name": "inner", "start_time": ${T0}.26, "end_time": ${T0}.28}]}`;

before(async () => {
  skep = await Skep.start();
  const documents = [
    okDocument,
    JSON.stringify({ type: 'subsegment', id: streamed, parent_id: embedded, trace_id: xid(ids.ok), name: 'late', start_time: T0 + 0.27, end_time: T0 + 0.275 }),
    JSON.stringify({ id: hex(16), name: 'front', trace_id: xid(ids.slow), start_time: T0 + 1, end_time: T0 + 4, http: { request: { url: 'http://x/slow', method: 'GET' }, response: { status: 200 } } }),
    JSON.stringify({ id: hex(16), name: 'front', trace_id: xid(ids.broken), start_time: T0 + 2, end_time: T0 + 2.5, fault: true, subsegments: [{ id: hex(16), name: 'db', namespace: 'remote', start_time: T0 + 2.1, end_time: T0 + 2.4 }],
      cause: { working_directory: '/', exceptions: [{ id: hex(16), type: 'Oops', message: 'no', stack: [{ path: 'a.py', line: 3, label: 'f' }] }] } }),
    JSON.stringify({ id: hex(16), parent_id: hex(16), name: 'lost', trace_id: xid(ids.rootless), start_time: T0 + 3, end_time: T0 + 3.2, throttle: true, error: true }),
  ];
  const r = await skep.json('POST', '/TraceSegments', { TraceSegmentDocuments: documents });
  assert.deepEqual(r.UnprocessedTraceSegments, []);
  const at = BigInt(T0 + 5) * 1000000000n;
  const res = await skep.call('POST', '/v1/traces', otlpTraces('otlp-svc', [{ traceId: ids.otlp, spanId: hex(16), name: 'GET /', kind: 2, startNs: at, endNs: at + 20000000n, attributes: { 'http.response.status_code': 503 } }]));
  assert.equal(res.status, 200);
});
after(() => skep.done());

const list = (more) => skep.json('POST', '/skep/v1/traces', { ...range, ...more });
const found = async (more) => (await list(more)).traces.map((t) => t.trace_id).sort();

test('a filter expression selects what it selects in GetTraceSummaries', async () => {
  const expressions = ['', 'fault', 'ok', 'service("front")', 'service("front") { fault }', 'responsetime > 1', 'duration < 0.2', 'annotation.who = "bob"', 'annotation.who != "bob"', 'edge("front", "db")', 'throttle', 'http.status >= 500', 'http.status < 500',
    '!fault', 'service(id(type: "remote"))', 'group.name = "Default"', 'rootcause.fault.exception { name = "Oops" }', 'inferred OR partial', 'name = "lost"'];
  for (const filter_expression of expressions) {
    const theirs = await skep.json('POST', '/TraceSummaries', { StartTime: range.start_time, EndTime: range.end_time, FilterExpression: filter_expression });
    const answer = await list({ filter_expression });
    assert.deepEqual(answer.traces.map((t) => xid(t.trace_id)).sort(), theirs.TraceSummaries.map((t) => t.Id).sort(), filter_expression);
    if (filter_expression) assert.equal(answer.looked_all, true);
  }
});

test('it narrows beside filters and a range of durations, and the durations are told', async () => {
  assert.deepEqual(await found({ filter_expression: 'service("front")', filters: [{ column: 'name', op: '=', value: 'db' }] }), [ids.broken]);
  assert.deepEqual(await found({ duration_ms: { min: 400, max: 1000 } }), [ids.broken]);
  assert.deepEqual(await found({ duration_ms: { min: 500 } }), [ids.slow, ids.broken].sort());
  assert.deepEqual(await found({ duration_ms: { max: 500 } }), [ids.ok, ids.otlp, ids.rootless].sort(), 'the upper end is not in it');
  const a = await list({ filter_expression: 'service("front")', duration_ms: { min: 400, max: 1000 }, distribution: true });
  assert.deepEqual(a.traces.map((t) => t.trace_id), [ids.broken]);
  assert.deepEqual([...a.durations_ms].sort((x, y) => x - y), [100, 500, 3000], 'of those that the expression selects, whatever their duration');
  assert.ok(a.looked >= 3 && a.looked_all);
  assert.deepEqual((await list({ distribution: true, sort: 'slow', limit: 2 })).traces.map((t) => t.trace_id), [ids.slow, ids.broken]);
  assert.equal((await list({})).looked, undefined);
});

test('three slow traces behind thousands of others are found, by an expression and by a range', async () => {
  const there = { start_time: T0 - 9000, end_time: T0 - 5000, limit: 10 };
  const at = (s, ms = 0) => BigInt(T0 - 8000 + s) * 1000000000n + BigInt(ms) * 1000000n;
  const slow = [hex(32), hex(32), hex(32)];
  const span = (traceId, from, to, more) => ({ traceId, spanId: hex(16), kind: 2, startNs: from, endNs: to, ...more });
  await skep.json('POST', '/v1/traces', otlpTraces('crowd', slow.flatMap((t, i) => {
    const root = span(t, at(i), at(i, 20)); // short itself: what it set off lasts
    return [root, span(t, at(i + 4), at(i + 4, 500), { parentId: root.spanId })];
  })));
  for (let k = 0; k < 5; k++) {
    await skep.json('POST', '/v1/traces', otlpTraces('crowd', Array.from({ length: 500 }, (_, i) => span(hex(32), at(100 + k * 500 + i), at(100 + k * 500 + i, 20)))));
  }
  for (const more of [{ filter_expression: 'duration > 3' }, { duration_ms: { min: 3000 } }, { filter_expression: 'duration >= 4.5 AND !fault' }, { filter_expression: 'service("crowd")', duration_ms: { min: 4500, max: 4501 } }]) {
    const a = await list({ ...there, ...more });
    assert.deepEqual([a.traces.map((t) => t.trace_id).sort(), a.looked_all], [[...slow].sort(), true], JSON.stringify(more));
  }
  assert.deepEqual((await list({ ...there, duration_ms: { min: 4501 } })).traces, []);
  const full = await list({ ...there, filter_expression: 'duration < 3' });
  assert.deepEqual([full.traces.length, full.looked_all], [10, true], 'none that was not looked at belongs into the list');
  const { TraceSummaries } = await skep.json('POST', '/TraceSummaries', { StartTime: there.start_time, EndTime: there.end_time, FilterExpression: 'duration > 3' });
  assert.deepEqual(TraceSummaries.map((t) => t.Id).sort(), slow.map(xid).sort(), 'in one page');
});

test('what cannot be read is refused at its place', async () => {
  for (const [filter_expression, at] of [['fault AND', 9], ['http.status = "x"', 14], ['näme = 1', 0], ['service("a") { nonsense }', 15], ['(ok', 3]]) {
    const res = await skep.call('POST', '/skep/v1/traces', { ...range, filter_expression });
    const body = await res.json();
    assert.equal(res.status, 422, filter_expression);
    assert.equal(body.field, 'filter_expression');
    assert.equal(body.at, at, `${filter_expression}: ${body.error}`);
  }
  const res = await skep.call('POST', '/skep/v1/traces', { ...range, filter_expression: 7 });
  assert.deepEqual([res.status, (await res.json()).field], [422, 'filter_expression']);
});

test('a document is given back for each row it became', async () => {
  const t = await skep.json('GET', `/skep/v1/trace/${xid(ids.ok)}`);
  const row = (name) => t.rows.id[t.rows.name.indexOf(name)];
  for (const name of ['front', 'inner']) {
    const d = await skep.json('GET', `/skep/v1/document/${row(name)}`);
    assert.equal(d.document, okDocument, name);
    assert.deepEqual([d.id, d.span_id, d.name], [row('front'), okSegment, 'front']);
  }
  assert.equal(JSON.parse((await skep.json('GET', `/skep/v1/document/${row('late')}`)).document).id, streamed);
  const broken = await skep.json('GET', `/skep/v1/trace/${ids.broken}`);
  const event = broken.rows.id[broken.rows.kind.indexOf('span_event')];
  assert.equal(JSON.parse((await skep.json('GET', `/skep/v1/document/${event}`)).document).fault, true);
  const otlp = await skep.json('GET', `/skep/v1/trace/${ids.otlp}`);
  for (const id of [otlp.rows.id[0], '99999-1', 'x']) {
    const res = await skep.call('GET', `/skep/v1/document/${id}`);
    assert.equal(res.status, 404, id);
    assert.match((await res.json()).error, /document that is kept|no such row/);
  }
});
