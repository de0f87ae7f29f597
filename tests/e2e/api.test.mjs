// SPDX-License-Identifier: Apache-2.0
// The page's API as docs/api/page.md has it, on data whose numbers are known.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { sendShop, spanId, traceId } from './fixture.mjs';
import { hex, nowNs, otlpTraces, Skep, until } from './support.mjs';

const N = 20;
let skep, range;
before(async () => {
  skep = await Skep.start();
  const empty = await skep.json('GET', '/skep/v1/status');
  assert.equal(empty.rows, 0);
  assert.equal(empty.oldest_ns, null);
  assert.equal(empty.newest_ns, null);
  assert.deepEqual(empty.ledger, []);
  range = await sendShop(skep, N);
});
after(() => skep.done());

const span = (name) => ({ column: 'name', op: '=', value: name });
const spansOnly = { column: 'meta.kind', op: '=', value: 'span' };

test('status counts what came and where it came from', async () => {
  const s = await skep.json('GET', '/skep/v1/status');
  assert.equal(s.rows, N * 3 + N / 5);
  assert.match(s.version, /^\d+\.\d+\.\d+$/);
  assert.ok(s.uptime_s >= 0 && BigInt(s.now_ns) > 0n && BigInt(s.oldest_ns) < BigInt(s.newest_ns));
  assert.ok(s.memory.used_bytes > 0 && s.memory.used_bytes < s.memory.limit_bytes);
  assert.ok(s.disk.used_bytes > 0);
  // Nothing is being written or waits: a few rows are not worth a segment yet.
  assert.deepEqual([s.store.flush, s.store.merge, s.store.merge_backlog_rows, s.store.merge_backlog_since_ns], [null, null, 0, null]);
  assert.deepEqual(s.listeners.map((l) => l.address), [`127.0.0.1:${skep.port}`, `127.0.0.1:${skep.grpcPort}`]);
  const traces = s.ledger.find((l) => l.signal === 'traces');
  assert.equal(traces.received, traces.stored + traces.duplicate + Object.values(traces.rejected).reduce((a, b) => a + b, 0));
  assert.equal(s.last.length, 16);
  assert.equal(s.last[0].what, 'POST /v1/logs');
  assert.equal(s.last[0].status, 200);
});

test('datasets, fields and values', async () => {
  const { datasets } = await skep.json('GET', '/skep/v1/datasets');
  assert.deepEqual(datasets.map((d) => d.name), ['db', 'shop']);
  assert.deepEqual(datasets.map((d) => d.rows), [N, 2 * N + N / 5]);
  assert.ok(BigInt(datasets[0].first_ns) <= BigInt(datasets[0].last_ns));

  const { fields } = await skep.json('GET', '/skep/v1/fields?dataset=shop');
  const by = Object.fromEntries(fields.map((f) => [f.name, f]));
  assert.deepEqual(by['http.route'].types, ['string']);
  assert.deepEqual(by['http.route'].scopes, ['attribute']);
  assert.deepEqual(by['service.name'].scopes, ['resource']);
  assert.deepEqual(by.big.types, ['int']);
  assert.deepEqual(by.tags.types, ['array']);
  assert.deepEqual(by.duration_ms.types, ['double']);
  assert.equal(by.ratio, undefined); // the other dataset's
  assert.deepEqual(fields.map((f) => f.name), fields.map((f) => f.name).toSorted?.() ?? [...fields.map((f) => f.name)].sort());

  const values = await skep.json('GET', '/skep/v1/values?field=http.response.status_code');
  assert.deepEqual(values, { values: [{ value: 200, rows: N * 4 / 5 }, { value: 500, rows: N / 5 }], complete: true });
  const one = await skep.json('GET', '/skep/v1/values?field=http.response.status_code&limit=1');
  assert.deepEqual(one, { values: [{ value: 200, rows: N * 4 / 5 }], complete: false });
  const prefix = await skep.json('GET', '/skep/v1/values?field=name&prefix=SEL');
  assert.deepEqual(prefix.values, [{ value: 'SELECT', rows: N }]);
});

test('a query: groups, totals, series, heatmap', async () => {
  const r = await skep.query({
    ...range, breakdowns: ['service.name'], filters: [spansOnly], granularity: 5,
    calculations: [{ op: 'COUNT' }, { op: 'MAX', column: 'duration_ms' }, { op: 'SUM', column: 'n' }, { op: 'HEATMAP', column: 'duration_ms' }],
    orders: [{ column: 'service.name' }],
  });
  assert.equal(r.type, 'result');
  assert.equal(r.complete, true);
  assert.equal(r.granularity_ms, 5000);
  assert.deepEqual(r.columns.map((c) => c.key), ['service.name', 'COUNT', 'MAX(duration_ms)', 'SUM(n)', 'HEATMAP(duration_ms)']);
  assert.deepEqual(r.columns[2], { key: 'MAX(duration_ms)', kind: 'calc', op: 'MAX', field: 'duration_ms' });
  assert.equal(r.columns[1].field, null);
  assert.deepEqual(r.groups.map((g) => g.key), [['db'], ['shop']]);
  assert.deepEqual(r.groups[1].values, [N, 10 + N - 1, N * (N - 1) / 2, null]);
  assert.deepEqual(r.groups[0].values, [N, 3, null, null]);
  assert.deepEqual(r.totals.values, [2 * N, 10 + N - 1, N * (N - 1) / 2, null]);
  assert.equal(r.groups_total, 2);
  for (const g of [...r.groups, r.totals]) {
    assert.equal(g.series.length, 4);
    for (const s of g.series) assert.equal(s.length, r.times_ms.length);
    assert.equal(g.series[0].reduce((a, b) => a + (b ?? 0), 0), g.values[0]);
    const cells = g.series[3].flatMap((c) => c ?? []);
    assert.equal(cells.reduce((a, [, count]) => a + count, 0), g.values[0]);
    const edges = r.heatmaps['HEATMAP(duration_ms)'].edges;
    for (const [bin] of cells) assert.ok(bin >= 0 && bin < edges.length - 1);
  }
});

test('without breakdowns there is one group; totals alone on demand', async () => {
  const r = await skep.query({ ...range, disable_series: true });
  assert.deepEqual(r.groups.map((g) => g.key), [[]]);
  assert.equal(r.groups[0].values[0], 3 * N + N / 5);
  assert.equal(r.groups[0].series, undefined);
  assert.deepEqual(r.times_ms, []);
});

test('limit cuts groups, not totals; havings filter', async () => {
  const r = await skep.query({ ...range, breakdowns: ['n'], filters: [span('GET /cart')], limit: 3, orders: [{ column: 'n', order: 'descending' }], disable_series: true });
  assert.deepEqual(r.groups.map((g) => g.key[0]), [N - 1, N - 2, N - 3]);
  assert.equal(r.groups_total, N);
  assert.equal(r.totals.values[0], N);
  assert.match(r.warnings.join(), /limit/);
  const h = await skep.query({ ...range, breakdowns: ['name'], havings: [{ calculate_op: 'COUNT', op: '<', value: N }], disable_series: true });
  assert.deepEqual(h.groups.map((g) => g.key[0]), ['exception']);
});

test('filters find typed values, absent is not empty', async () => {
  const count = async (...filters) => (await skep.query({ ...range, filters, disable_series: true })).groups[0]?.values[0] ?? 0;
  assert.equal(await count({ column: 'text', op: '=', value: 200 }), N); // 200 also finds "200"
  assert.equal(await count({ column: 'http.response.status_code', op: '=', value: '500' }), N / 5);
  assert.equal(await count({ column: 'http.response.status_code', op: '>=', value: 500 }), N / 5);
  assert.equal(await count({ column: 'big', op: '=', value: { int: '9007199254740993' } }), N);
  assert.equal(await count({ column: 'big', op: '=', value: { int: '9007199254740992' } }), 0);
  assert.equal(await count({ column: 'tags', op: '=', value: 'b' }), N);
  assert.equal(await count({ column: 'ratio', op: 'exists' }), N);
  assert.equal(await count({ column: 'ratio', op: 'does-not-exist' }), 2 * N + N / 5);
  assert.equal(await count({ column: 'ratio', op: '!=', value: 0.5 }), 2 * N + N / 5);
  assert.equal(await count({ column: 'n', op: 'in', value: [1, 2, 99] }), 2);
  assert.equal(await count({ column: 'body', op: 'starts-with', value: 'cart 1' }), 11);
  // The event's own, and the span it is lifted to.
  assert.equal(await count({ column: '*', op: 'contains', value: 'BOOM' }), 2 * N / 5);
  assert.equal(await count({ column: 'is_root', op: '=', value: true }), N);
});

test('the same answer as a stream of lines', async () => {
  const res = await skep.call('POST', '/skep/v1/query', { ...range });
  assert.equal(res.status, 200);
  assert.match(res.headers.get('content-type'), /^application\/x-ndjson/);
  const lines = (await res.text()).trimEnd().split('\n').map((l) => JSON.parse(l));
  assert.equal(lines.at(-1).type, 'result');
  for (const l of lines.slice(0, -1)) assert.equal(l.type, 'progress');
});

test('rows: order, paging, columns', async () => {
  const all = [];
  let after;
  do {
    const page = await skep.json('POST', '/skep/v1/rows', { ...range, limit: 7, ...(after ? { after } : {}) });
    assert.ok(page.rows.length <= 7);
    all.push(...page.rows);
    after = page.next;
  } while (after);
  assert.equal(all.length, 3 * N + N / 5);
  assert.equal(new Set(all.map((r) => r.id)).size, all.length);
  for (let i = 1; i < all.length; i++) assert.ok(BigInt(all[i - 1].time_ns) >= BigInt(all[i].time_ns));
  const asc = await skep.json('POST', '/skep/v1/rows', { ...range, order: 'asc', limit: 1000 });
  assert.deepEqual(asc.rows.map((r) => r.id).sort(), all.map((r) => r.id).sort());
  assert.equal(asc.rows[0].time_ns, all.at(-1).time_ns);
  assert.equal(asc.next, null);

  const some = await skep.json('POST', '/skep/v1/rows', { ...range, filters: [span('GET /cart')], columns: ['n', 'ratio', 'duration_ms'], limit: 1 });
  assert.deepEqual(some.rows[0].fields, { n: 0, ratio: null, duration_ms: 10 });
  assert.equal(some.rows[0].kind, 'span');
  assert.equal(some.rows[0].dataset, 'shop');

  const full = await skep.json('POST', '/skep/v1/rows', { ...range, filters: [{ column: 'n', op: '=', value: 3 }] });
  const f = full.rows[0].fields;
  assert.equal(f.name, 'GET /cart');
  assert.deepEqual(f.big, { int: '9007199254740993' });
  assert.deepEqual(f.tags, ['a', 'b']);
  assert.equal(f['service.name'], 'shop');
  assert.equal(f['trace.trace_id'], traceId(3));
  assert.equal(f['http.response.status_code'], 200);
});

test('traces: recent, slow, errors', async () => {
  const recent = await skep.json('POST', '/skep/v1/traces', { ...range });
  assert.equal(recent.traces.length, N);
  assert.equal(recent.traces[0].trace_id, traceId(0));
  const t = recent.traces[0];
  assert.equal(t.spans, 2);
  assert.equal(t.errors, 1);
  assert.equal(t.duration_ms, 10);
  assert.equal(t.root_missing, false);
  assert.deepEqual(t.root, { service: 'shop', name: 'GET /cart', status: 500 });
  assert.deepEqual(t.services.map((s) => [s.name, s.spans]).sort(), [['db', 1], ['shop', 1]]);
  const slow = await skep.json('POST', '/skep/v1/traces', { ...range, sort: 'slow', limit: 2 });
  assert.deepEqual(slow.traces.map((x) => x.trace_id), [traceId(N - 1), traceId(N - 2)]);
  const errors = await skep.json('POST', '/skep/v1/traces', { ...range, sort: 'errors' });
  assert.equal(errors.traces.length, N / 5);
  const filtered = await skep.json('POST', '/skep/v1/traces', { ...range, filters: [{ column: 'n', op: '=', value: 4 }] });
  assert.deepEqual(filtered.traces.map((x) => x.trace_id), [traceId(4)]);
});

test('facets: what distinguishes the failed ones', async () => {
  const a = await skep.json('POST', '/skep/v1/facets', {
    ...range,
    selection: { filters: [{ column: 'error', op: '=', value: true }] },
    columns: ['http.response.status_code', 'service.name', 'nowhere'],
  });
  const count = await skep.json('POST', '/skep/v1/query', { ...range, calculations: [{ op: 'COUNT' }], breakdowns: ['http.response.status_code'], filters: [{ column: 'error', op: '=', value: true }], disable_series: true });
  assert.equal(a.complete, true);
  assert.equal(a.selected, count.groups.reduce((n, g) => n + g.values[0], 0));
  assert.deepEqual(a.facets.map((f) => f.column).sort(), ['http.response.status_code', 'nowhere', 'service.name']);
  const nowhere = a.facets.find((f) => f.column === 'nowhere');
  assert.equal(nowhere.difference, 0);
  assert.deepEqual(nowhere.values, [{ value: null, selected: a.selected, rest: a.rest }]);
  const status = a.facets.find((f) => f.column === 'http.response.status_code');
  assert.ok(status.difference > 0 && status.difference <= 1);
  for (const g of count.groups) assert.equal(status.values.find((v) => v.value === g.key[0]).selected, g.values[0]);
});

test('one trace in tree order, and searching it', async () => {
  const t = await skep.json('GET', `/skep/v1/trace/${traceId(5)}`);
  const r = t.rows;
  const n = r.id.length;
  assert.equal(n, 4); // two spans, one event, one log
  for (const c of ['kind', 'parent', 'depth', 'span_id', 'name', 'service', 'offset_ns', 'duration_ns', 'span_kind', 'error', 'summary']) assert.equal(r[c].length, n, c);
  assert.equal(t.spans, 2);
  assert.equal(t.missing_parents, 0);
  assert.equal(t.complete, true);
  assert.equal(r.kind[0], 'span');
  assert.equal(r.parent[0], -1);
  assert.equal(r.depth[0], 0);
  assert.equal(r.span_id[0], spanId(5, 1));
  assert.equal(r.offset_ns[0], '0');
  assert.equal(r.duration_ns[0], '15000000');
  assert.equal(r.span_kind[0], 'server');
  assert.equal(r.error[0], true);
  assert.equal(t.services[r.service[0]], 'shop');
  for (let i = 1; i < n; i++) assert.equal(r.parent[i], 0);
  const client = r.name.indexOf('SELECT');
  assert.equal(t.services[r.service[client]], 'db');
  assert.equal(r.offset_ns[client], '2000000');
  assert.equal(r.summary[r.kind.indexOf('log')], 'cart 5 shown');
  assert.match(r.summary[r.kind.indexOf('span_event')], /boom/);

  const found = await skep.json('GET', `/skep/v1/trace/${traceId(5)}?search=${encodeURIComponent('CART 5 SHOWN')}`);
  assert.deepEqual(found, { matches: [r.kind.indexOf('log')] });
  assert.deepEqual(await skep.json('GET', `/skep/v1/trace/${traceId(5)}?search=nothing-has-this`), { matches: [] });
  for (const id of [hex(32), 'nonsense']) assert.equal((await skep.call('GET', `/skep/v1/trace/${id}`)).status, 404);
});

test('one row with all its scopes', async () => {
  const { rows } = await skep.json('POST', '/skep/v1/rows', { ...range, filters: [{ column: 'n', op: '=', value: 7 }] });
  const row = await skep.json('GET', `/skep/v1/row/${rows[0].id}`);
  assert.equal(row.id, rows[0].id);
  assert.equal(row.trace_id, traceId(7));
  assert.equal(row.span_id, spanId(7, 1));
  const field = (name) => row.fields.find((f) => f.name === name);
  assert.deepEqual(field('http.route'), { name: 'http.route', type: 'string', scope: 'attribute', value: '/cart' });
  assert.deepEqual(field('service.name'), { name: 'service.name', type: 'string', scope: 'resource', value: 'shop' });
  assert.equal(field('n').type, 'int');
  for (const id of ['999999-0', 'x', '0-0']) assert.equal((await skep.call('GET', `/skep/v1/row/${id}`)).status, 404);
});

test('tail: a row a line as it becomes readable', async () => {
  const abort = new AbortController();
  const res = await fetch(`${skep.url}/skep/v1/tail?dataset=tailed&column=wanted&op=%3D&value=yes`, { signal: abort.signal });
  assert.equal(res.status, 200);
  const lines = [];
  const reading = (async () => {
    let text = '';
    for await (const chunk of res.body) {
      text += Buffer.from(chunk).toString();
      const parts = text.split('\n');
      text = parts.pop();
      lines.push(...parts.map((l) => JSON.parse(l)));
    }
  })().catch(() => {});
  for (const wanted of ['no', 'yes', 'yes']) {
    await skep.json('POST', '/v1/traces', otlpTraces('tailed', [{ traceId: hex(32), spanId: hex(16), name: 'x', startNs: nowNs(), attributes: { wanted } }]));
  }
  await until('two rows', () => lines.filter((l) => !l.type).length >= 2);
  const rows = lines.filter((l) => !l.type);
  assert.equal(rows.length, 2);
  assert.ok(rows.every((r) => r.fields.wanted === 'yes' && r.dataset === 'tailed' && r.kind === 'span'));
  abort.abort();
  await reading;
});

test('tail: a reader that is too slow skips rows, and is told how many', async () => {
  const total = 30000, each = 1000;
  const res = await fetch(`${skep.url}/skep/v1/tail?dataset=flood`);
  for (let i = 0; i < total; i += each) {
    const spans = Array.from({ length: each }, (_, k) => ({ traceId: hex(32), spanId: hex(16), name: 'x', startNs: nowNs() + BigInt(k), attributes: { pad: 'p'.repeat(300) } }));
    await skep.json('POST', '/v1/traces', otlpTraces('flood', spans));
  }
  let rows = 0, skipped = 0, text = '';
  for await (const chunk of res.body) { // the first read: until here nothing was taken
    text += Buffer.from(chunk).toString();
    const lines = text.split('\n');
    text = lines.pop();
    for (const l of lines) {
      if (l.startsWith('{"id"')) rows++;
      else if (l.startsWith('{"type":"skipped"')) skipped += JSON.parse(l).rows;
    }
    if (rows + skipped >= total) break;
  }
  assert.equal(rows + skipped, total);
  assert.ok(rows > 0 && skipped > 0, `${rows} rows, ${skipped} skipped`);
});

test('a query whose client leaves does not linger', async () => {
  for (let i = 0; i < 20; i++) {
    const abort = new AbortController();
    const gone = fetch(`${skep.url}/skep/v1/query`, { method: 'POST', signal: abort.signal, body: '{}' }).catch(() => {});
    abort.abort();
    await gone;
  }
  assert.equal((await skep.query({ ...range })).type, 'result');
});

test('mistakes are told with their place', async () => {
  const bad = async (path, body, status, field) => {
    const r = await skep.call('POST', path, body);
    const e = await r.json();
    assert.equal(r.status, status, JSON.stringify(e));
    assert.ok(e.error.length > 3);
    if (field) assert.equal(e.field, field);
    return e;
  };
  assert.equal((await bad('/skep/v1/query', '{"a":', 400)).at, 5);
  await bad('/skep/v1/query', { filters: [{ column: 'x', op: 'like', value: 1 }] }, 422, 'filters[0].op');
  await bad('/skep/v1/query', { formulas: [{ name: 'x', expression: '$y' }] }, 422, 'formulas[0].expression');
  await bad('/skep/v1/rows', { order: 'up' }, 422, 'order');
  await bad('/skep/v1/traces', { sort: 'up' }, 422, 'sort');
  await bad('/skep/v1/facets', { columns: ['a'] }, 422, 'selection');
  await bad('/skep/v1/query', 'x'.repeat(2 << 20), 413);
  const range = await skep.call('GET', '/skep/v1/datasets?start=2&end=1');
  assert.equal(range.status, 422);
  assert.equal((await range.json()).field, 'start');
  const tail = await skep.call('GET', '/skep/v1/tail?column=a&op=like&value=x');
  assert.equal(tail.status, 422);
  assert.equal((await tail.json()).field, 'op');
  assert.equal((await skep.call('GET', '/skep/v1/values')).status, 422);
  assert.equal((await skep.call('GET', '/skep/v1/nothing')).status, 404);
  assert.equal((await skep.call('GET', '/skep/v1/query')).status, 405);
  assert.equal((await skep.call('POST', '/skep/v1/query', {}, { origin: 'http://evil.example' })).status, 403);
});
