// SPDX-License-Identifier: Apache-2.0
// Honeycomb's event endpoints with its own library, libhoney, and with requests as Refinery (MessagePack), buildevents,
// honeymarker's siblings and Amazon Data Firehose send them; then what broken and hostile senders are told.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { root, Skep, until } from './support.mjs';

const require = createRequire(join(root, 'tests', 'clients', 'node', 'package.json'));
const libhoney = require('libhoney');
const Libhoney = libhoney.default ?? libhoney;

let skep;
before(async () => { skep = await Skep.start(); });
after(() => skep?.done());

const send = (path, body, headers = {}) => skep.call('POST', path, typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body), { 'content-type': 'application/json', 'x-honeycomb-team': 'k', ...headers });
const rows = async (dataset, ...filters) => (await skep.json('POST', '/skep/v1/rows', { dataset, start_time: 0, end_time: Math.ceil(Date.now() / 1000) + 3600, filters, limit: 1000, order: 'asc' })).rows;
const is = (column, value) => ({ column, op: '=', value });
const clean = (f) => Object.fromEntries(Object.entries(f).filter(([k]) => !/^(meta\.(kind|received_ns|row_id|signal_type|source|misdated)|dataset|flags|SampleRate|severity(_code)?|timestamp)$/.test(k)));

// As much MessagePack as Refinery writes.
function pack(v) {
  const be = (head, n, bytes) => { const b = Buffer.alloc(1 + bytes); b[0] = head; b.writeUIntBE(n, 1, bytes); return b; };
  if (v === null) return Buffer.from([0xc0]);
  if (typeof v === 'boolean') return Buffer.from([v ? 0xc3 : 0xc2]);
  if (v instanceof Date) { // timestamp 64
    const b = Buffer.alloc(10);
    b.set([0xd7, 0xff]);
    b.writeBigUInt64BE((BigInt(v.getTime() % 1000) * 1000000n << 34n) | BigInt(Math.floor(v.getTime() / 1000)), 2);
    return b;
  }
  if (Number.isInteger(v) && v >= 0) return v < 128 ? Buffer.from([v]) : be(0xce, v, 4);
  if (typeof v === 'number') { const b = Buffer.alloc(9); b[0] = 0xcb; b.writeDoubleBE(v, 1); return b; }
  if (typeof v === 'string') return Buffer.concat([be(0xda, Buffer.byteLength(v), 2), Buffer.from(v)]);
  if (Array.isArray(v)) return Buffer.concat([be(0xdc, v.length, 2), ...v.map(pack)]);
  return Buffer.concat([be(0xde, Object.keys(v).length, 2), ...Object.entries(v).flat().map(pack)]);
}

test('libhoney: events with their times and rates, and an answer for each', async () => {
  const answers = [];
  const hny = new Libhoney({ writeKey: 'k', dataset: 'libhoney app', apiHost: skep.url, sampleRate: 1, batchTimeTrigger: 10, responseCallback: (r) => answers.push(...r) });
  const at = new Date(Date.now() - 60000);
  for (let i = 0; i < 120; i++) {
    const e = hny.newEvent();
    e.add({ n: i, 'request.path': `/p/${i % 3}`, ok: i % 2 === 0, ms: i / 4, nested: { a: i } });
    e.timestamp = new Date(at.getTime() + i);
    e.sampleRate = 1 + (i % 4 === 0 ? 9 : 0);
    e.metadata = i;
    e.sendPresampled();
  }
  await hny.flush();
  await until('all answers', () => answers.length === 120);
  assert.ok(answers.every((a) => a.status_code === 202), JSON.stringify(answers.find((a) => a.status_code !== 202)));
  const got = await rows('libhoney app');
  assert.deepEqual(got.map((r) => r.fields.n), Array.from({ length: 120 }, (_, i) => i));
  assert.deepEqual(clean(got[5].fields), { n: 5, 'request.path': '/p/2', ok: false, ms: 1.25, nested: '{"a":5}' });
  assert.equal(got[5].time_ns, `${at.getTime() + 5}000000`);
  const sum = await skep.query({ dataset: 'libhoney app', start_time: Math.floor(at / 1000) - 5, end_time: Math.ceil(Date.now() / 1000) + 5, calculations: [{ op: 'COUNT' }, { op: 'MAX', column: 'ms' }], breakdowns: ['request.path'], disable_series: true });
  assert.equal(sum.totals.values[0], 30 * 10 + 90);
});

test('events with ids are spans of a trace: beelines and Refinery', async () => {
  const trace = '0af7651916cd43dd8448eb211c80319c', t = Date.now() - 30000;
  const events = [
    { time: new Date(t), samplerate: 2, data: { 'trace.trace_id': trace, 'trace.span_id': 'b7ad6b7169203331', name: 'GET /cart', duration_ms: 120.5, 'service.name': 'web', 'span.kind': 'server', type: 'server', status_code: 2, status_message: 'upstream', error: true, 'meta.signal_type': 'trace', 'meta.refinery.reason': 'rules', 'http.status_code': 502 } },
    { time: new Date(t + 10), data: { 'trace.trace_id': trace, 'trace.span_id': '00f067aa0ba902b7', 'trace.parent_id': 'b7ad6b7169203331', name: 'SELECT', duration_ms: 7, service_name: 'db', 'meta.span_type': 'leaf', 'meta.beeline_version': '0.9' } },
    { time: new Date(t + 12), data: { 'trace.trace_id': trace, 'trace.parent_id': '00f067aa0ba902b7', 'meta.annotation_type': 'span_event', name: 'retry', 'service.name': 'db', attempt: 2 } },
    { time: new Date(t + 13), data: { 'trace.trace_id': trace, 'trace.parent_id': '00f067aa0ba902b7', 'meta.annotation_type': 'link', 'trace.link.trace_id': 'ff'.repeat(16), 'trace.link.span_id': 'ee'.repeat(8), 'service.name': 'db' } },
    { time: new Date(t + 14), data: { 'trace.trace_id': trace, 'trace.parent_id': '00f067aa0ba902b7', 'meta.signal_type': 'log', 'meta.annotation_type': 'span_event', severity: 'warn', severity_code: 13, body: 'slow query', 'service.name': 'db' } },
  ];
  const res = await send('/1/batch/refined', gzipSync(pack(events)), { 'content-type': 'application/msgpack', 'content-encoding': 'gzip' });
  assert.equal(res.status, 200);
  assert.equal(res.headers.get('content-type'), 'application/msgpack');
  assert.deepEqual(Buffer.from(await res.arrayBuffer()), Buffer.concat([Buffer.from([0x95]), ...Array.from({ length: 5 }, () => Buffer.from([0x81, 0xa6, ...Buffer.from('status'), 0xcc, 202]))]));
  const tree = await skep.json('GET', `/skep/v1/trace/${trace}`);
  assert.deepEqual(tree.rows.name.slice(0, 2), ['GET /cart', 'SELECT']);
  assert.deepEqual(tree.services.toSorted(), ['db', 'web']);
  assert.deepEqual([tree.spans, tree.missing_parents, tree.rows.error[0], tree.rows.span_kind[0], tree.rows.duration_ns[0]], [2, 0, true, 'server', '120500000']);
  assert.deepEqual(new Set(tree.rows.kind), new Set(['span', 'span_event', 'link', 'log']));
  const [span] = await rows('refined', is('name', 'GET /cart'));
  assert.deepEqual(clean(span.fields), { 'trace.trace_id': trace, 'trace.span_id': 'b7ad6b7169203331', name: 'GET /cart', duration_ms: 120.5, duration_ns: 120500000, is_root: true, error: true, 'span.kind': 'server', type: 'server', status_code: 2, status_message: 'upstream', 'meta.refinery.reason': 'rules', 'http.status_code': 502, 'service.name': 'web' });
  assert.equal(span.fields.SampleRate, 2);
  const [line] = await rows('refined', is('meta.kind', 'log'));
  assert.deepEqual([line.fields.body, line.fields.severity, line.fields['trace.parent_id']], ['slow query', 'warn', '00f067aa0ba902b7']);
  // The same batch once more, as after a timeout: stored once.
  assert.equal((await send('/1/batch/refined', pack(events), { 'content-type': 'application/x-msgpack' })).status, 200);
  assert.equal((await rows('refined')).length, 5);
});

test('ids that are no hex are ids all the same: buildevents', async () => {
  const at = Math.floor(Date.now() / 1000) - 100;
  const put = (data, headers) => send('/1/events/buildevents', data, headers);
  assert.equal((await put({ 'trace.trace_id': 'build 4711', 'trace.span_id': 'deploy', 'trace.parent_id': 'build 4711', name: 'deploy', service_name: 'step', duration_ms: 2000 }, { 'x-honeycomb-event-time': String(at) })).status, 200);
  assert.equal((await put({ 'trace.trace_id': 'build 4711', 'trace.span_id': 'build 4711', name: 'build 4711', service_name: 'build', duration_ms: 9000, status: 'success' }, { 'x-honeycomb-event-time': String(at * 1000 - 5000) })).status, 200);
  const tree = await skep.json('GET', `/skep/v1/trace/${encodeURIComponent('build 4711')}`);
  assert.deepEqual([tree.rows.name, tree.rows.parent], [['build 4711', 'deploy'], [-1, 0]]);
  const [step] = await rows('buildevents', is('trace.span_id', 'deploy'));
  assert.equal(step.fields['trace.trace_id'], 'build 4711');
  assert.equal((await skep.call('GET', '/skep/v1/trace/build%204712')).status, 404);
});

test('every form of a time; one that is none says so', async () => {
  const ns = '1764452400123456789';
  const forms = [['2025-11-29T21:40:00.123456789Z', ns], ['2025-11-29T23:40:00.123456789+02:00', ns], ['1764452400', '1764452400000000000'], ['1764452400123', '1764452400123000000'], ['1764452400123456', '1764452400123456000'],
    [ns, ns], ['1764452400.123456789', ns], [1764452400, '1764452400000000000'], [1764452400123, '1764452400123000000'], [1764452400.5, '1764452400500000000'], ['1.7644524e9', '1764452400000000000']];
  const res = await send('/1/batch/times', forms.map(([time], i) => ({ time, data: { i } })));
  assert.deepEqual(await res.json(), forms.map(() => ({ status: 202 })));
  const got = await rows('times');
  for (const [i, [form, want]] of forms.entries()) assert.equal(got.find((r) => r.fields.i === i).time_ns, want, String(form));
  const before = BigInt(Date.now()) * 1000000n;
  await send('/1/batch/timeless', [{ time: 'yesterday', data: { odd: true } }, { data: { odd: false } }, { time: '2025-02-30T00:00:00Z', data: { odd: true } }]);
  const timeless = await rows('timeless');
  for (const r of timeless) {
    assert.ok(BigInt(r.time_ns) >= before - 10_000_000n);
    assert.equal(r.fields['meta.invalid_time'], r.fields.odd || undefined);
  }
});

test('what cannot be taken is named, event by event; nothing else is lost', async () => {
  const batch = [{ data: { a: 1 } }, { data: {} }, 7, { time: 1 }, { data: [1] }, { data: { b: 2, timestamp: 'mine', 'meta.environment': 'other', dataset: 'mine' } }];
  const answers = await (await send('/1/batch/odd', batch)).json();
  assert.deepEqual(answers.map((a) => a.status), [202, 400, 400, 400, 400, 202]);
  assert.ok(answers.every((a) => a.status === 202 || a.error));
  const [, mine] = await rows('odd');
  assert.deepEqual(clean(mine.fields), { b: 2, 'event.timestamp': 'mine', 'event.meta.environment': 'other', 'event.dataset': 'mine' });
  for (const [path, body, type, status, error] of [
    ['/1/events/odd', '', 'application/json', 400, /should not be empty/], ['/1/events/odd', '{"a":', 'application/json', 400, /malformed.*byte 5/], ['/1/events/odd', '[1]', 'application/json', 400, /malformed/],
    ['/1/batch/odd', '{}', 'application/json', 400, /not an array/], ['/1/batch/odd', Buffer.from([0x91, 0x81]), 'application/msgpack', 400, /malformed.*ends early at byte 2/],
    ['/1/batch/odd', Buffer.alloc(200, 0x91), 'application/msgpack', 400, /too deeply/], ['/1/kinesis_events/odd', '{}', 'application/json', 400, null]]) {
    const r = await send(path, body, { 'content-type': type });
    const said = await r.json();
    assert.equal(r.status, status, path);
    if (error) assert.match(said.error, error);
    else assert.ok(said.errorMessage && Number.isInteger(said.timestamp));
  }
  // Over-long texts are cut where it is seen, many fields are kept.
  const long = 'ä'.repeat(3 << 20);
  assert.equal((await send('/1/events/long', { long, ...Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`f${i}`, i])) })).status, 200);
  const [row] = await rows('long');
  assert.equal(row.fields.long, `${'ä'.repeat((4 << 20) / 2 - 2)}...`);
  assert.deepEqual([row.fields['meta.cut_fields'], row.fields.f4999], [1, 4999]);
  const ledger = await skep.json('GET', '/skep/v1/ledger');
  assert.equal(ledger.differences, 0);
  assert.equal(ledger.sources.find((s) => s.source === 'events' && s.signal === 'logs').totals.rejected.malformed, 11);
});

test('expand_json_depth of a dataset takes objects apart, from the next event on', async () => {
  const hny = (method, path, body) => skep.json(method, path, body, { 'x-honeycomb-team': 'k' });
  const put = (dataset) => send(`/1/batch/${dataset}`, [{ time: new Date(), data: { a: { b: { c: { d: 1 } }, list: [{ x: 1 }] }, plain: 'p' } }]);
  await hny('POST', '/1/datasets', { name: 'Deep Data', expand_json_depth: 2 });
  await put('deep%20data');
  await hny('PUT', '/1/datasets/deep-data', { description: '', expand_json_depth: 10 });
  await put('deep%20data');
  await put('other%20data');
  const [two, ten] = (await rows('deep data')).map((r) => clean(r.fields));
  assert.deepEqual(two, { 'a.b.c': '{"d":1}', 'a.list': two['a.list'], plain: 'p' });
  assert.deepEqual(two['a.list'], [{ x: 1 }]);
  assert.equal(ten['a.b.c.d'], 1);
  assert.equal((await rows('other data'))[0].fields.a, '{"b":{"c":{"d":1}},"list":[{"x":1}]}');
});

test('errors of events stand in the inbox', async () => {
  const stack = 'Traceback (most recent call last):\n  File "/srv/app.py", line 7, in pay\n    raise CardError("no")\nCardError: no';
  await send('/1/batch/shop', [{ time: new Date(), data: { 'exception.type': 'CardError', 'exception.message': 'no', 'exception.stacktrace': stack } }, { time: new Date(), data: { ok: true } }]);
  const item = await until('the item', async () => (await skep.json('GET', '/skep/v1/items')).items.find((x) => /CardError/.test(x.title)));
  assert.match(JSON.stringify(item), /"occurrences":1|"count":1|"total":1/);
});

test('bodies that are much larger than they look: refused within the memory, and the server lives on', { timeout: 300000 }, async () => {
  const small = await Skep.start({ args: ['--memory', '64m'] });
  try {
    const post = (path, body, type = 'application/msgpack') => small.call('POST', path, body, { 'content-type': type, 'content-encoding': 'gzip' });
    const nils = Buffer.alloc(16 << 20, 0xc0);
    nils.set([0xdd]);
    nils.writeUInt32BE(nils.length - 5, 1);
    const many = gzipSync(Buffer.from(`[${'0,'.repeat(300000)}0]`)), wide = gzipSync(Buffer.from(`[${'{"data":{"a":1}},'.repeat(200000)}0]`));
    const bomb = gzipSync(Buffer.alloc(60 << 20, 0x20)).toString('base64');
    for (const [path, body, type, statuses] of [['/1/batch/x', gzipSync(nils), 'application/msgpack', [503]], ['/1/batch/x', many, 'application/json', [413]], ['/1/batch/x', wide, 'application/json', [200, 503]],
      ['/1/kinesis_events/x', gzipSync(JSON.stringify({ records: [{ data: bomb }, { data: bomb }] })), 'application/json', [200, 503]]]) {
      const r = await post(path, body, type);
      await r.arrayBuffer();
      assert.ok(statuses.includes(r.status), `${path} ${type}: ${r.status}`);
    }
    assert.equal((await small.call('POST', '/1/events/x', '{"still":"here"}')).status, 200);
    assert.equal((await small.json('GET', '/skep/v1/ledger')).differences, 0);
  } finally {
    await small.done();
  }
});

test('Amazon Data Firehose: events, lines of CloudWatch Logs, what cannot be read', async () => {
  const data = (v) => Buffer.from(typeof v === 'string' ? v : JSON.stringify(v)).toString('base64');
  const lines = { messageType: 'DATA_MESSAGE', owner: '1', logGroup: '/app', logStream: 's1', subscriptionFilters: ['f'],
    logEvents: [{ id: '1', timestamp: 1795988400000, message: 'plain line' }, { id: '2', timestamp: 1795988400001, message: '{"level":"warn","n":3}' }] };
  const res = await send('/1/kinesis_events/hose', { requestId: 'r-1', timestamp: 1795988400500, records: [
    { data: data('{"a":1}{"a":2}\n{"a":3}') }, { data: gzipSync(JSON.stringify(lines)).toString('base64') }, { data: data({ messageType: 'CONTROL_MESSAGE', logEvents: [] }) }, { data: data('no json') }, { data: '*' }, {}] },
  { 'x-amz-firehose-request-id': 'r-1', 'x-amz-firehose-access-key': 'k' });
  const deep = { ...lines, logEvents: [{ message: `{"a":${'["]",'.repeat(300000)}1${']'.repeat(300000)}}` }] }; // a line, and no more
  assert.equal((await send('/1/kinesis_events/deep', { records: [{ data: gzipSync(JSON.stringify(deep)).toString('base64') }] })).status, 200);
  assert.deepEqual((await rows('deep')).map((r) => [r.fields.body.length > 1e6, r.fields.a]), [[true, undefined]]);
  const said = await res.json();
  assert.deepEqual([res.status, said.requestId, Object.keys(said)], [200, 'r-1', ['requestId', 'timestamp']]);
  const got = await rows('hose');
  assert.deepEqual(got.map((r) => [r.time_ns.slice(6, 13), r.fields.a ?? r.fields.body]), [['8400000', 'plain line'], ['8400001', '{"level":"warn","n":3}'], ['8400500', 1], ['8400500', 2], ['8400500', 3]].map(([t, v]) => [t.padEnd(7, '0'), v]));
  assert.deepEqual([got[1].fields.n, got[1].fields.level, got[1].fields['aws.cloudwatch.logGroup'], got[1].fields['aws.cloudwatch.logStream']], [3, 'warn', '/app', 's1']);
});
