// SPDX-License-Identifier: Apache-2.0
// Calculated fields, formulas and earlier times to compare with: every function of derived columns against what
// JavaScript makes of the same rows, in breakdowns, filters, calculations, orders and havings, before and after a
// restart; refusals with their places.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { otlpTraces, Skep } from './support.mjs';

const N = 240;
const endS = Math.floor(Date.now() / 1000) - 100;
const range = { start_time: endS - N - 1, end_time: endS + 2, disable_series: true };
const dir = mkdtempSync(join(tmpdir(), 'skep-e2e-'));
let skep;

const routes = ['/cart', '/cart/42', '/Checkout', '/users/7/posts/9', ''];
const words = ['12', '-3.5', 'many', '200', 'true', 'Grüße'];
// Rows that lack this and that.
const rows = Array.from({ length: N }, (_, i) => ({
  at: endS - i,
  ms: (i * 37) % 100,
  route: i % 7 === 0 ? undefined : routes[i % 5],
  status: i % 11 === 0 ? undefined : [200, 404, 500][i % 3],
  size: i % 5 === 0 ? undefined : i / 4,
  flag: i % 3 === 0 ? undefined : i % 2 === 0,
  word: i % 4 === 0 ? undefined : words[i % 6],
  service: ['web', 'shop'][i % 2],
}));

function spans(service) {
  return otlpTraces(service, rows.map((r, i) => ({ r, i })).filter(({ r }) => r.service === service).map(({ r, i }) => ({
    traceId: (0x3000 + i).toString(16).padStart(32, 'e'), spanId: (0x300000 + i).toString(16).padStart(16, 'e'), name: 'work',
    startNs: BigInt(r.at) * 1000000000n, endNs: BigInt(r.at) * 1000000000n + BigInt(r.ms) * 1000000n,
    attributes: Object.fromEntries(['route', 'status', 'size', 'flag', 'word'].filter((k) => r[k] !== undefined).map((k) => [k, r[k]])),
  })));
}

before(async () => {
  skep = await Skep.start({ dir });
  await skep.json('POST', '/v1/traces', spans('web'));
  await skep.stop();
  skep = await Skep.start({ dir });
  await skep.json('POST', '/v1/traces', spans('shop'));
});
after(async () => {
  await skep.done();
  rmSync(dir, { recursive: true, force: true });
});

const num = (v) => (typeof v === 'number' ? v : typeof v === 'string' && v.trim() !== '' && Number.isFinite(Number(v)) ? Number(v) : 0);
const truthy = (v) => v === true || v === 'true' || (typeof v === 'number' && v !== 0);
const same = (a, b) => (a ?? null) === (b ?? null);
const less = (a, b) => a !== undefined && typeof a === typeof b && typeof a !== 'boolean' && a < b;
const text = (v) => (v === undefined ? '' : String(v));
const label = (v, size, min, max) => {
  if (v === undefined) return undefined;
  if (min !== undefined && v < min) return `< ${min}`;
  if (max !== undefined && v > max) return `> ${max}`;
  const at = Math.max(Math.ceil((v - (min ?? 0)) / size) - 1, min === undefined ? -Infinity : 0);
  return `${(min ?? 0) + at * size} - ${(min ?? 0) + at * size + size}`;
};

// Expression, and the same in JavaScript.
const table = [
  ['IF($status >= 500, "bad", $status >= 400, "odd", "good")', (r) => (less(r.status, 500) === false && r.status !== undefined ? 'bad' : r.status >= 400 ? 'odd' : 'good')],
  ['IF($flag, 1)', (r) => (truthy(r.flag) ? 1 : undefined)],
  ['SWITCH($route, "/cart", "a", "/Checkout", "b", "c")', (r) => (r.route === '/cart' ? 'a' : r.route === '/Checkout' ? 'b' : 'c')],
  ['SWITCH($status, "200", "fine")', (r) => (r.status === 200 ? 'fine' : undefined)],
  ['COALESCE($route, $word, "none")', (r) => r.route ?? r.word ?? 'none'],
  ['$service.name', (r) => r.service],
  ['CONCAT($service.name, ":", $status, $flag)', (r) => `${r.service}:${text(r.status)}${text(r.flag)}`],
  ['LT($size, 20)', (r) => less(r.size, 20)],
  ['LTE($status, 404)', (r) => r.status !== undefined && r.status <= 404],
  ['GT($route, "/b")', (r) => r.route !== undefined && r.route > '/b'],
  ['GTE($word, 1)', () => false], // a text and a number do not compare
  ['EQUALS($status, "200")', () => false],
  ['$status = 200.0', (r) => r.status === 200],
  ['$route = $word', (r) => same(r.route, r.word)],
  ['$flag = null', (r) => r.flag === undefined],
  ['$status != 200', (r) => r.status !== 200],
  ['IN($status, 404, 500, "x")', (r) => r.status === 404 || r.status === 500],
  ['AND($flag, $status = 200)', (r) => truthy(r.flag) && r.status === 200],
  ['$flag OR $word', (r) => truthy(r.flag) || truthy(r.word)],
  ['!$flag AND NOT(EXISTS($route))', (r) => !truthy(r.flag) && r.route === undefined],
  ['MIN($size, $status, 50)', (r) => Math.min(...[r.size, r.status, 50].filter((v) => v !== undefined))],
  ['MAX($route, $word)', (r) => [r.route, r.word].filter((v) => v !== undefined).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))).pop()],
  ['SUM($status, $word, 1)', (r) => num(r.status) + num(r.word) + 1],
  ['$status + $word - 1 * 2', (r) => num(r.status) + (num(r.word) - 2)],
  ['-$status', (r) => -num(r.status) + 0],
  ['SUB(10, $status, 1)', (r) => 10 - num(r.status) - 1],
  ['MUL($status, 3)', (r) => num(r.status) * 3],
  ['DIV($status, $size)', (r) => (num(r.size) === 0 ? undefined : num(r.status) / r.size)],
  ['$status % 7', (r) => num(r.status) % 7],
  ['INT(LOG10($status) * 1000)', (r) => (r.status ? Math.trunc(Math.log10(r.status) * 1000) : 0)],
  ['BUCKET($size, 10, 0, 30)', (r) => label(r.size, 10, 0, 30)],
  ['BUCKET($duration_ms, 25)', (r) => label(r.ms, 25)],
  ['INT($word)', (r) => Math.trunc(num(r.word)) + 0],
  ['FLOAT($flag)', (r) => (r.flag ? 1 : 0)],
  ['BOOL($word)', (r) => truthy(r.word)],
  ['STRING($status)', (r) => text(r.status)],
  ['STARTS_WITH($route, "/cart")', (r) => text(r.route).startsWith('/cart')],
  ['ENDS_WITH($route, "9")', (r) => text(r.route).endsWith('9')],
  ['CONTAINS($route, $service.name)', (r) => text(r.route).includes(r.service)],
  ['TO_LOWER($route)', (r) => r.route?.toLowerCase()],
  ['LENGTH($word)', (r) => r.word === undefined ? undefined : Buffer.byteLength(r.word)],
  ['LENGTH($word, "chars")', (r) => r.word?.length],
  ['REG_MATCH($route, `^/users/\\d+`)', (r) => /^\/users\/\d+/.test(text(r.route))],
  ['REG_VALUE($route, `/(\\d+)`)', (r) => /\/(\d+)/.exec(text(r.route))?.[1]],
  ['REG_COUNT($route, "\\\\d")', (r) => [...text(r.route).matchAll(/\d/g)].length],
  ['INT(EVENT_TIMESTAMP()) % 60', (r) => r.at % 60],
  ['FORMAT_TIME("%M", EVENT_TIMESTAMP())', (r) => new Date(r.at * 1000).toISOString().slice(14, 16)],
  ['INGEST_TIMESTAMP() > EVENT_TIMESTAMP()', () => true],
  ['UNIX_TIMESTAMP("2026-11-29T10:00:00.5+01:00")', () => Date.parse('2026-11-29T09:00:00.5Z') / 1000],
  ['UNIX_TIMESTAMP($timestamp) = EVENT_TIMESTAMP()', () => true],
  ['RAND() < 1 AND RAND() = RAND()', () => true],
  ['METRO_HASH($service.name) = METRO_HASH("web")', (r) => r.service === 'web'],
  ['IF($is_root, $trace.trace_id)', (r) => (0x3000 + rows.indexOf(r)).toString(16).padStart(32, 'e')],
];

const counted = (values) => {
  const m = new Map();
  for (const v of values) m.set(v ?? null, (m.get(v ?? null) ?? 0) + 1);
  return [...m].map(([k, n]) => `${JSON.stringify(typeof k === 'number' ? Number(k.toPrecision(12)) : k)} x ${n}`).sort();
};

async function everyFunction() {
  for (const [expression, js] of table) {
    const values = rows.map(js);
    const ask = (more) => skep.query({ ...range, calculated_fields: [{ name: 'x', expression }], ...more });
    const by = await ask({ breakdowns: ['x'], limit: 1000 });
    const got = by.groups.flatMap((g) => Array(g.values[0]).fill(g.key[0]));
    assert.deepEqual(counted(got), counted(values), expression);
    // As a filter, a sum and a number of different values, next to a filter on stored columns.
    const some = await ask({ filters: [{ column: 'x', op: 'exists' }, { column: 'service.name', op: '=', value: 'web' }],
      calculations: [{ op: 'COUNT' }, { op: 'SUM', column: 'x' }, { op: 'COUNT_DISTINCT', column: 'x' }] });
    const web = rows.map((r, i) => [r, values[i]]).filter(([r, v]) => r.service === 'web' && v !== undefined).map(([, v]) => v);
    const [n, sum, distinct] = some.groups[0]?.values ?? [0, null, 0];
    assert.equal(n, web.length, expression);
    const numbers = web.filter((v) => typeof v === 'number');
    if (numbers.length) assert.ok(Math.abs(sum - numbers.reduce((a, b) => a + b, 0)) < 1e-6 * Math.max(1, Math.abs(sum)), expression);
    assert.equal(distinct, new Set(web).size, expression);
  }
}

test('every function says what JavaScript says', everyFunction);

test('fields of fields, in every clause; relatives have them, too', async () => {
  const calculated_fields = [
    { name: 'failed', expression: '$class = "bad"' },
    { name: 'class', expression: 'IF($status >= 500, "bad", EXISTS($status), "good")' },
    { name: 'ms per size', expression: '$duration_ms / $size' },
  ];
  const r = await skep.query({ ...range, calculated_fields, breakdowns: ['class'],
    calculations: [{ op: 'COUNT' }, { op: 'COUNT', name: 'bad', filters: [{ column: 'failed', op: '=', value: true }] }, { op: 'MAX', column: 'ms per size' }],
    havings: [{ calculate_op: 'MAX', column: 'ms per size', op: '>', value: 0 }], orders: [{ column: 'class', order: 'ascending' }] });
  const of = (k) => rows.filter((x) => (x.status === undefined ? null : x.status >= 500 ? 'bad' : 'good') === k);
  assert.deepEqual(r.groups.map((g) => g.key[0]), [null, 'bad', 'good']);
  for (const g of r.groups) {
    assert.equal(g.values[0], of(g.key[0]).length);
    assert.equal(g.values[1], g.key[0] === 'bad' ? of('bad').length : 0);
    assert.ok(Math.abs(g.values[2] - Math.max(...of(g.key[0]).filter((x) => x.size).map((x) => x.ms / x.size))) < 1e-9);
  }
  const root = await skep.query({ ...range, calculated_fields, breakdowns: ['root.class'] });
  assert.equal(root.groups.find((g) => g.key[0] === 'bad').values[0], of('bad').length);
  assert.equal(root.columns[0].key, 'root.class');
  const list = await skep.json('POST', '/skep/v1/rows', { start_time: range.start_time, end_time: range.end_time, calculated_fields,
    columns: ['class', 'status'], filters: [{ column: 'failed', op: '=', value: true }], limit: 1000 });
  assert.equal(list.rows.length, of('bad').length);
  assert.ok(list.rows.every((x) => JSON.stringify(x).includes('bad')));
});

test('fields of fields by code, by value and row by row, asked for in parts', async () => {
  const calculated_fields = [{ name: 'y', expression: 'COALESCE($route, "none")' }, { name: 'x', expression: 'CONCAT($y, "!")' }, { name: 'w', expression: 'IF($status = 200, "ok")' }, { name: 'v', expression: 'COALESCE($w, "other")' },
    { name: 'u', expression: 'MOD(INT(EVENT_TIMESTAMP()), 7)' }, { name: 't', expression: 'IF($u = 3, "three", $u)' }];
  const js = { x: (r) => `${r.route ?? 'none'}!`, v: (r) => (r.status === 200 ? 'ok' : 'other'), t: (r) => (r.at % 7 === 3 ? 'three' : r.at % 7) };
  for (const [name, f] of Object.entries(js)) {
    // Filters ask for some rows first, breakdowns and single calculations for others.
    const r = await skep.query({ ...range, calculated_fields, breakdowns: [name], limit: 1000, filters: [{ column: name, op: '!=', value: 'ok' }, { column: 'ms', op: 'does-not-exist' }],
      calculations: [{ op: 'COUNT' }, { op: 'COUNT', name: 'some', filters: [{ column: 'status', op: 'does-not-exist' }, { column: name, op: 'exists' }] }] });
    const kept = rows.filter((x) => f(x) !== 'ok');
    assert.deepEqual(counted(r.groups.flatMap((g) => Array(g.values[0]).fill(g.key[0]))), counted(kept.map(f)), name);
    assert.equal(r.totals.values[1], kept.filter((x) => x.status === undefined).length, name);
  }
});

test('derived columns are named like others, of their dataset first', async () => {
  await skep.json('POST', '/1/derived_columns/__all__', { alias: 'outcome', expression: 'IF($status >= 500, "bad", "fine")' });
  await skep.json('POST', '/1/derived_columns/web', { alias: 'outcome', expression: 'CONCAT("web ", $flag)' });
  const all = await skep.query({ ...range, breakdowns: ['outcome'] });
  assert.deepEqual(counted(all.groups.flatMap((g) => Array(g.values[0]).fill(g.key[0]))), counted(rows.map((r) => (r.status >= 500 ? 'bad' : 'fine'))));
  const web = await skep.query({ ...range, dataset: 'web', breakdowns: ['outcome'] });
  assert.deepEqual(counted(web.groups.flatMap((g) => Array(g.values[0]).fill(g.key[0]))), counted(rows.filter((r) => r.service === 'web').map((r) => `web ${text(r.flag)}`)));
  const names = async (dataset) => (await skep.json('GET', `/skep/v1/fields?start=${range.start_time}&end=${range.end_time}${dataset}`)).derived.map((d) => d.name);
  assert.deepEqual([await names(''), await names('&dataset=web')], [['outcome'], ['outcome', 'outcome']]);
  const bad = await skep.call('POST', '/1/derived_columns/__all__', { alias: 'y', expression: 'IF($a' });
  assert.equal(bad.status, 422);
});

test('formulas stand instead of calculations, and give orders, havings, series and totals', async () => {
  const spec = { ...range, disable_series: false, granularity: 60, breakdowns: ['service.name'],
    calculations: [{ op: 'COUNT', name: 'total' }, { op: 'COUNT', name: 'bad', filters: [{ column: 'status', op: '>=', value: 500 }] }, { op: 'SUM', column: 'duration_ms' }],
    formulas: [{ name: 'rate', expression: '$bad/$total' }, { name: 'mean', expression: 'DIV($"SUM(duration_ms)", $total)' }],
    orders: [{ column: 'rate', order: 'descending' }], havings: [{ column: 'mean', op: '>', value: 0 }] };
  const r = await skep.query(spec);
  assert.deepEqual(r.columns.map((c) => [c.key, c.kind]), [['service.name', 'group'], ['rate', 'formula'], ['mean', 'formula']]);
  const rate = (list) => list.filter((x) => x.status >= 500).length / list.length;
  const mean = (list) => list.reduce((a, x) => a + x.ms, 0) / list.length;
  const close = (a, b) => assert.ok(Math.abs(a - b) < 1e-9, `${a} is not ${b}`);
  for (const g of r.groups) {
    const of = rows.filter((x) => x.service === g.key[0]);
    close(g.values[0], rate(of));
    close(g.values[1], mean(of));
    r.times_ms.forEach((t, b) => {
      const in_ = of.filter((x) => x.at * 1000 >= t && x.at * 1000 < t + r.granularity_ms);
      if (in_.length) close(g.series[0][b], rate(in_));
      else assert.equal(g.series[0][b], null);
    });
  }
  assert.ok(r.groups[0].values[0] >= r.groups[1].values[0]);
  close(r.totals.values[0], rate(rows));
  // Through Honeycomb's API.
  const q = await skep.json('POST', '/1/queries/__all__', { ...spec, disable_series: undefined });
  const run = await skep.json('POST', '/1/query_results/__all__', { query_id: q.id, disable_series: true, disable_total_by_aggregate: false });
  let res;
  do res = await skep.json('GET', `/1/query_results/__all__/${run.id}`); while (!res.complete);
  assert.deepEqual(Object.keys(res.data.results[0].data), ['service.name', 'rate', 'mean']);
  // Its link opens the same question in the page.
  const link = new URL(res.links.query_url).searchParams;
  assert.deepEqual(link.getAll('c'), ['COUNT as total', 'COUNT as bad where status >= 500', 'SUM(duration_ms)']);
  assert.deepEqual(link.getAll('fx'), ['rate = $bad/$total', 'mean = DIV($"SUM(duration_ms)", $total)']);
  close(res.data.total_by_aggregate.data.rate, rate(rows));
});

test('the same of an earlier time, group by group', async () => {
  const half = N / 2;
  const spec = { start_time: endS - half + 1, end_time: endS + 1, granularity: 60, compare_time_offset_seconds: half, breakdowns: ['service.name', 'route'] };
  const r = await skep.query(spec);
  assert.equal(r.compare.offset_ms, half * 1000);
  assert.equal(r.compare.groups.length, r.groups.length);
  assert.ok(r.groups.length > 5);
  r.groups.forEach((g, i) => {
    const is = (x) => x.service === g.key[0] && (x.route ?? null) === g.key[1];
    assert.equal(g.values[0], rows.filter((x, k) => k < half && is(x)).length);
    assert.equal(r.compare.groups[i].values[0] ?? 0, rows.filter((x, k) => k >= half && is(x)).length);
    assert.equal(r.compare.groups[i].series[0].length, r.compare.times_ms.length);
  });
  // Totals are of all rows of then, those of groups that are not there now among them.
  assert.deepEqual(r.compare.totals, { values: [rows.filter((x, k) => k >= half).length] });
  const cut = await skep.query({ ...spec, limit: 2, filters: [{ column: 'route', op: '!=', value: '/nothing' }], calculations: [{ op: 'COUNT' }, { op: 'MAX', column: 'duration_ms' }] });
  assert.equal(cut.compare.groups.length, 2);
  assert.deepEqual(cut.compare.totals.values, [half, Math.max(...rows.slice(half).map((x) => x.ms))]);
  // Groups that were only then: each trace has its one row in one of the halves.
  const traces = rows.slice(half).map((x) => (0x3000 + rows.indexOf(x)).toString(16).padStart(32, 'e')).sort();
  const gone = await skep.query({ ...spec, breakdowns: ['trace.trace_id'], limit: 7 });
  assert.deepEqual(gone.compare.gone, traces.slice(0, 7).map((key) => ({ key: [key], values: [1] })));
  assert.deepEqual(r.compare.gone, []);
  // Now lists no service, because of the having; then does, and both have rows now: they are not gone.
  const early = { ...spec, breakdowns: ['service.name'], calculated_fields: [{ name: 'ts', expression: 'EVENT_TIMESTAMP()' }],
    calculations: [{ op: 'COUNT' }, { op: 'MAX', column: 'ts' }], havings: [{ calculate_op: 'MAX', column: 'ts', op: '<', value: endS - half + 0.5 }] };
  const unlisted = await skep.query(early);
  assert.equal(unlisted.groups.length, 0);
  assert.deepEqual(unlisted.compare.gone, []);
  const both = await skep.query({ ...early, breakdowns: ['trace.trace_id'], limit: 1000 });
  assert.equal(both.groups.length, 0);
  assert.equal(both.compare.gone.length, half);
  const q = await skep.json('POST', '/1/queries/__all__', { time_range: 1800, compare_time_offset_seconds: 86400 });
  assert.equal(q.compare_time_offset_seconds, 86400);
});

// What is different, over all columns: a version that is slow, sizes that are larger, a cache that was not asked.
test('what is different: planted causes first, noise not at all, times against times', async () => {
  const at = endS - 5000;
  const many = Array.from({ length: 1500 }, (_, i) => {
    const slow = i % 25 === 0;
    const attributes = { version: slow && i % 50 === 0 ? 'v2' : `v1`, bytes: (slow ? 40000 : 1000) + ((i * 7919) % 1009) / 1009, noise: (i * 31) % 17, long: `id-${i}` };
    if (!slow || i % 75 === 0) attributes.cache = 'hit';
    return { traceId: (0x9000 + i).toString(16).padStart(32, 'f'), spanId: (0x900000 + i).toString(16).padStart(16, 'f'), name: 'served', startNs: BigInt(at + (i < 750 ? 0 : 100)) * 1000000000n,
      endNs: BigInt(at + (i < 750 ? 0 : 100)) * 1000000000n + (slow ? 900000000n : 9000000n), attributes };
  });
  await skep.json('POST', '/v1/traces', otlpTraces('served', many));
  const spec = { start_time: at - 10, end_time: at + 200, dataset: 'served' };
  const a = await skep.json('POST', '/skep/v1/facets', { ...spec, selection: { filters: [{ column: 'duration_ms', op: '>', value: 500 }] } });
  assert.equal(a.selected, 60);
  const found = a.facets.filter((f) => f.significant);
  assert.deepEqual(found.map((f) => f.column).sort(), ['bytes', 'cache', 'version']);
  assert.deepEqual(a.facets.slice(0, 3), found);
  assert.ok(found.every((f) => f.q < 0.01 && f.effect > 0.05 && f.effect <= f.difference));
  assert.ok(!a.facets.some((f) => ['duration_ms', 'trace.trace_id', 'timestamp'].includes(f.column)), 'what selects is not compared');
  const bytes = found.find((f) => f.column === 'bytes');
  assert.equal(bytes.kind, 'numbers');
  assert.equal(bytes.histogram.edges.length, bytes.histogram.selected.length + 1);
  assert.equal(bytes.histogram.selected.reduce((x, y) => x + y), 60);
  assert.equal(bytes.histogram.rest.reduce((x, y) => x + y), 1440);
  assert.ok(bytes.histogram.selected.at(-1) > 0 && bytes.histogram.rest.at(-1) === 0);
  // The first half against the second: the same call with times; nothing is different but when.
  const half = await skep.json('POST', '/skep/v1/facets', { ...spec, selection: { start_time: at + 50, end_time: at + 150 }, baseline: { start_time: at - 50, end_time: at + 50 } });
  assert.deepEqual([half.selected, half.rest], [750, 750]);
  assert.deepEqual(half.facets.filter((f) => f.significant).map((f) => f.column), []);
});

const refusals = [
  [{ calculated_fields: [{ name: 'x', expression: 'IF($a' }] }, 'calculated_fields[0].expression', 'at byte 5: a comma or ) is expected here'],
  [{ calculated_fields: [{ name: 'x', expression: '1 +' }] }, 'calculated_fields[0].expression', 'at byte 3: a column ($name), value or function is expected here'],
  [{ calculated_fields: [{ name: 'x', expression: 'status = 200' }] }, 'calculated_fields[0].expression', 'at byte 0: status is no function; a column is written $status'],
  [{ calculated_fields: [{ name: 'x', expression: 'REG_MATCH($a, $b)' }] }, 'calculated_fields[0].expression', 'at byte 0: a text is expected here: REG_MATCH(text, `expression`)'],
  [{ calculated_fields: [{ name: 'x', expression: 'BUCKET($a, $b)' }] }, 'calculated_fields[0].expression', 'a number is expected here'],
  [{ calculated_fields: [{ name: 'x', expression: 'RATE($a)' }] }, 'calculated_fields[0].expression', 'RATE is for metrics'],
  [{ calculated_fields: [{ name: 'x', expression: 'LT(1)' }] }, 'calculated_fields[0].expression', 'takes more arguments'],
  [{ calculated_fields: [{ name: 'x', expression: '$y' }, { name: 'y', expression: '!$x' }] }, 'calculated_fields[1].expression', 'cannot use itself'],
  [{ calculated_fields: [{ name: 'x', expression: '"abc' }] }, 'calculated_fields[0].expression', 'without its closing'],
  [{ calculated_fields: [{ name: 'root.x', expression: '1' }] }, 'calculated_fields[0].name', 'means something else'],
  [{ calculated_fields: [{ name: 'x', expression: '!'.repeat(200) + '1' }] }, 'calculated_fields[0].expression', 'too deep'],
  [{ calculated_fields: [{ name: 'x' }] }, 'calculated_fields[0].expression', 'write an expression'],
  [{ formulas: [{ name: 'f', expression: '$nothing + 1' }] }, 'formulas[0].expression', 'no calculation of this query is called nothing'],
  [{ formulas: [{ name: 'COUNT', expression: '1' }] }, 'formulas[0].name', 'the name of another'],
  [{ formulas: [{ name: 'f', expression: 'EVENT_TIMESTAMP()' }] }, 'formulas[0].expression', 'of an event'],
  [{ calculations: [{ op: 'HEATMAP', column: 'duration_ms', name: 'h' }], formulas: [{ name: 'f', expression: '$h' }] }, 'formulas[0].expression', 'HEATMAP'],
  [{ compare_time_offset_seconds: 1234 }, 'compare_time_offset_seconds', 'use 1800'],
  [{ time_range: 7200, compare_time_offset_seconds: 1800 }, 'compare_time_offset_seconds', 'at least'],
];

test('what is no expression is refused with its place', async () => {
  for (const [spec, field, why] of refusals) {
    const r = await skep.call('POST', '/1/queries/__all__', spec);
    const body = await r.json();
    assert.equal(r.status, 422, JSON.stringify(spec));
    assert.equal(body.type_detail[0].field, field, JSON.stringify(body));
    assert.ok(JSON.stringify(body).includes(why.replaceAll('"', '\\"')), `${JSON.stringify(body)} for ${why}`);
  }
});

test('all the same after another restart', async () => {
  await skep.stop();
  skep = await Skep.start({ dir });
  await everyFunction();
});
