// SPDX-License-Identifier: Apache-2.0
// The page's plain functions, without a browser: texts of a question and back, tree order, formats.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const src = join(here, '../../ui/src');
const modules = process.env.SKEP_UI_MODULES ?? join(here, '../../ui/node_modules');
const out = mkdtempSync(join(tmpdir(), 'skep-ui-'));
after(() => rmSync(out, { recursive: true }));

globalThis.location = new URL('http://127.0.0.1:4318/ui/home');
globalThis.addEventListener = () => {};

async function load(file) {
  const esbuild = createRequire(join(modules, 'x.js'))('esbuild');
  const outfile = join(out, `${file.replace(/\W/g, '_')}.mjs`);
  await esbuild.build({ entryPoints: [join(src, file)], outfile, bundle: true, format: 'esm', jsx: 'automatic', jsxImportSource: 'preact', nodePaths: [modules],
    alias: { preact: join(modules, 'preact') }, logLevel: 'error' });
  return import(pathToFileURL(outfile).href);
}

const query = await load('lib/query.ts');
const format = await load('lib/format.ts');
const model = await load('trace/model.ts');
const series = await load('lib/series.ts');
const color = await load('lib/color.ts');
const heat = await load('parts/heatdraw.ts');
const time = await load('lib/time.ts');
const axis = await load('lib/axis.ts');
const relation = await load('lib/relation.ts');
const logs = await load('lib/logs.ts');
const insights = await load('lib/insights.ts');
const logtext = await load('lib/logtext.ts');
const source = await load('logs/source.ts');
const saved = await load('lib/saved.ts');
const files = await load('lib/files.ts');
const table = await load('lib/table.ts');
const { score } = await load('lib/complete.ts');
const layout = await load('boards/layout.ts');
const markdown = await load('lib/markdown.ts');
const { limiter } = await load('lib/limit.ts');

test('filters read as people type them', () => {
  const cases = {
    'http.route = /': { column: 'http.route', op: '=', value: '/' },
    'status=200': { column: 'status', op: '=', value: 200 },
    'duration_ms>=1.5': { column: 'duration_ms', op: '>=', value: 1.5 },
    'x != "200"': { column: 'x', op: '!=', value: '200' },
    'error = true': { column: 'error', op: '=', value: true },
    'big = 9007199254740993': { column: 'big', op: '=', value: { int: '9007199254740993' } },
    '`a field` exists': { column: 'a field', op: 'exists' },
    'name starts-with GET /x y': { column: 'name', op: 'starts-with', value: 'GET /x y' },
    'code contains 5': { column: 'code', op: 'contains', value: '5' },
    'a in 1, b,c d': { column: 'a', op: 'in', value: [1, 'b', 'c d'] },
    'a not-in ["x, y", 2]': { column: 'a', op: 'not-in', value: ['x, y', 2] },
    'trace.parent_id does-not-exist': { column: 'trace.parent_id', op: 'does-not-exist' },
    'does-not-exist exists': { column: 'does-not-exist', op: 'exists' },
  };
  for (const [text, want] of Object.entries(cases)) {
    assert.deepEqual(query.parseFilter(text), want, text);
  }
  assert.deepEqual(query.parseFilter('zip = 04109', () => ['string']).value, '04109');
  for (const text of ['', 'name', 'name =', 'name ~ x', '= 5', 'a = "x', 'a in [1']) assert.throws(() => query.parseFilter(text), query.Unreadable, text);
});

test('every filter survives its text', () => {
  const values = ['', ' ', 'a b', '"quoted"', 'back`tick', '{"int":"1"}', '200', 'true', 'ü – €', '[1]', 'a\nb', 0, -1.5, 1e300, true, false, { int: '9223372036854775807' }, { double: 'NaN' }];
  for (const column of ['a', 'http.status_code', 'with space', 'a=b', 'a(b)', 'x!']) {
    for (const value of values) {
      for (const op of typeof value === 'string' ? ['=', '!=', 'contains'] : ['=', '!=', '>']) {
        const f = { column, op, value };
        assert.deepEqual(query.parseFilter(query.filterText(f)), f, JSON.stringify(f));
      }
    }
    const list = { column, op: 'in', value: values.slice(0, 8) };
    assert.deepEqual(query.parseFilter(query.filterText(list)), list);
  }
});

test('calculations, orders and havings survive their text', () => {
  for (const t of ['COUNT', 'P99(duration_ms)', 'COUNT(error)', 'HEATMAP(a b)']) assert.equal(query.calcText(query.parseCalc(t)), t);
  assert.deepEqual(query.parseCalc('p95( duration_ms )'), { op: 'P95', column: 'duration_ms' });
  for (const t of ['P99', 'MEDIAN(x)', 'CONCURRENCY(x)', '', 'COUNT)']) assert.throws(() => query.parseCalc(t), query.Unreadable, t);
  for (const t of ['COUNT desc', 'P99(duration_ms) asc', 'service.name asc']) assert.equal(query.orderText(query.parseOrder(t)), t);
  for (const t of ['COUNT > 10', 'P99(duration_ms) <= 0.5', 'AVG(x) != -1']) assert.equal(query.havingText(query.parseHaving(t)), t);
});

test('named and filtered calculations, calculated fields and formulas survive their text', () => {
  for (const t of ['COUNT as errors', 'P95(duration_ms) as `slow ones` where error = true and name = "a and b"', 'COUNT as x where y exists']) assert.equal(query.calcText(query.parseCalc(t)), t);
  assert.deepEqual(query.parseCalc('count as errors where error = true AND status >= 500'), { op: 'COUNT', name: 'errors', filters: [{ column: 'error', op: '=', value: true }, { column: 'status', op: '>=', value: 500 }] });
  assert.throws(() => query.parseCalc('COUNT where x exists'), query.Unreadable);
  assert.throws(() => query.parseCalc('COUNT as x where y'), query.Unreadable);
  assert.equal(query.calcKey('COUNT as errors where error = true'), 'errors');
  assert.equal(query.calcKey('P95(duration_ms)'), 'P95(duration_ms)');
  assert.deepEqual(query.parseNamed(' error rate =  $errors / $COUNT '), { name: 'error rate', expression: '$errors / $COUNT' });
  assert.deepEqual(query.parseNamed('same = $a = $b'), { name: 'same', expression: '$a = $b' });
  for (const t of ['rate = $a / $b', '`a=b` = 1']) assert.equal(query.namedText(query.parseNamed(t)), t);
  for (const t of ['x', '= 1', 'x =', '']) assert.throws(() => query.parseNamed(t), query.Unreadable, t);
  assert.deepEqual(query.parseHaving('rate > 0.5'), { column: 'rate', op: '>', value: 0.5 });
  assert.equal(query.havingText(query.parseHaving('rate > 0.5')), 'rate > 0.5');
});

test('an earlier time is compared with where it may be, bucket on bucket', () => {
  const of = (text) => query.offsetOf(new URLSearchParams(text));
  assert.equal(of('t=2h&cmp=prev'), 7200);
  assert.equal(of('t=2h&cmp=86400'), 86400);
  assert.equal(of('t=2h&cmp=3600'), 0, 'it must not overlap');
  assert.equal(of('t=2h&cmp=7777'), 0);
  assert.equal(of('t=2h'), 0);
  const r = { start_ms: 1000e3, end_ms: 1040e3, granularity_ms: 10e3, times_ms: [1000e3, 1010e3, 1020e3, 1030e3], columns: [{ key: 'AVG(x)', kind: 'calc', op: 'AVG' }],
    compare: { offset_ms: 600e3, granularity_ms: 10e3, times_ms: [400e3, 410e3, 420e3, 430e3], groups: [{ values: [2], series: [[1, 2, null, 4]] }] } };
  const [then] = series.earlierOf(r, 0, [{ id: '[]', name: 'all rows', color: 'red', key: [], data: [5, 6, 7, 8] }]);
  assert.deepEqual([then.name, then.dash, then.data], ['all rows, 10 minutes before', true, [1, 2, null, 4]]);
  assert.deepEqual(series.earlierOf({ ...r, compare: undefined }, 0, []), []);
});

test('numbers read well at every size', () => {
  assert.equal(format.count(10240113), '10,240,113');
  assert.deepEqual([0.0000005, 0.0123, 1, 999, 1000, 61e3, 3.6e6, 9e7].map(format.duration), ['0.5 ns', '12.3 µs', '1 ms', '999 ms', '1 s', '1.02 min', '1 h', '1.04 d']);
  assert.deepEqual([0, 12, 999, 1000, 1234567, 5e9].map(format.si), ['0', '12', '999', '1k', '1.23M', '5G']);
  assert.deepEqual([0, 0.0001, 0.019, 1].map(format.percent), ['0%', '<0.1%', '1.9%', '100%']);
  assert.equal(format.nsToMs('1795132800123456789'), 1795132800123.456);
  assert.equal(format.value({ int: '9223372036854775807' }), '9223372036854775807');
  assert.equal(format.value({ bytes: 'AP8=' }), '0x00ff');
  assert.deepEqual(['duration_ms', 'db.time_ns', 'size_bytes', 'body.bytes', 'ms', 'forms', 'app.seconds'].map(format.unitOf), ['ms', 'ns', 'bytes', 'bytes', 'ms', '', 's']);
});

test('tree order: kept when right, repaired when not, safe with cycles', () => {
  const order = (p) => [...model.treeOrder(p, p.length)];
  assert.deepEqual(order([-1, 0, 1, 0, -1, 4]), [0, 1, 2, 3, 4, 5]);
  assert.deepEqual(order([-1, 0, 0, 1, 2]), [0, 1, 3, 2, 4]);
  const cyclic = order([1, 0, 2, -1, 3]);
  assert.deepEqual([...cyclic].sort((a, b) => a - b), [0, 1, 2, 3, 4], 'each row once');
  let seed = 7;
  const rand = (n) => (seed = (seed * 1103515245 + 12345) % 2147483648) % n;
  for (let round = 0; round < 200; round++) {
    const p = Array.from({ length: 1 + rand(40) }, (_, i) => (i === 0 || rand(5) === 0 ? -1 : rand(i)));
    const o = order(p);
    assert.equal(new Set(o).size, p.length);
    const at = o.map(() => 0);
    o.forEach((x, i) => { at[x] = i; });
    p.forEach((up, i) => up >= 0 && assert.ok(at[up] < at[i]));
    assert.deepEqual([...model.treeOrder(o.map((x) => (p[x] < 0 ? -1 : at[p[x]])), p.length)], o.map((_, i) => i), 'its own result is in order');
  }
});

test('a trace whose children start first and end last is measured whole', () => {
  const rows = { id: ['a', 'b', 'c'], kind: ['span', 'span', 'span'], parent: [-1, 0, 0], depth: [0, 1, 1], span_id: ['1', '2', '3'], name: ['r', 'early', 'late'],
    service: [0, 0, 0], offset_ns: ['100', '0', '150'], duration_ns: ['100', '50', '300'], span_kind: ['', '', ''], error: [false, true, false], summary: ['', '', ''] };
  const t = new model.Trace({ trace_id: 'x', start_ns: '0', end_ns: '450', services: ['s'], spans: 3, complete: true, missing_parents: 0, rows });
  assert.deepEqual([t.from, t.to, t.low[0], t.high[0], t.end[0], t.failedBelow[0]], [0, 450, 0, 450, 3, 1]);
  assert.deepEqual([...t.own], [50, 50, 300], 'time in which no child ran');
  assert.deepEqual([...t.visible(new Set([0]), new Set())], [0]);
  assert.deepEqual(t.find('LATE'), [2]);
});

test('services claim distinct colours, the same whatever came first', () => {
  const names = Array.from({ length: 18 }, (_, i) => `service-${i}`);
  color.claim(names);
  const seen = new Set(names.map((n) => color.serviceColor(n, 'dark')));
  assert.equal(seen.size, 18);
  assert.equal(typeof color.serviceColor('one more', 'dark'), 'string');
  const lum = color.ramp('dark').map((c) => c.match(/\d+/g).map(Number)).map((c) => c.map((v) => (v / 255) ** 2.2)).map(([r, g, b]) => 0.2126 * r + 0.7152 * g + 0.0722 * b);
  for (let i = 1; i < lum.length; i++) assert.ok(lum[i] > lum[i - 1], `the ramp never gets darker, step ${i}`);
});

test('heatmap geometry: a point maps to its cell and back', () => {
  const edges = Array.from({ length: 11 }, (_, i) => 2 ** i);
  const h = heat.heatOf([[[2, 5], [7, 1]], null, [[3, 2]]], edges);
  assert.deepEqual([h.max, h.low, h.high, h.cells.length], [5, 1, 8, 3]);
  const g = new heat.Geometry({ width: 400, height: 200, left: 60, right: 10, top: 10, bottom: 20 }, h, edges, [0, 10, 20], 10, [0, 30]);
  for (const c of h.cells) {
    const x = g.x(c.bucket * 10 + 5);
    const y = (g.yOfBin(c.bin) + g.yOfBin(c.bin + 1)) / 2;
    assert.deepEqual([g.bucket(x), g.bin(y)], [c.bucket, c.bin]);
    assert.ok(Math.abs(g.y(Math.sqrt(edges[c.bin] * edges[c.bin + 1])) - y) < 0.01, 'a value stands in the middle of its bin');
  }
  assert.deepEqual(heat.heatOf([[[0, 0], [99, 3], [-1, 2]]], edges).cells, [], 'bins that are none are ignored');
});

test('a rate counts the time a bucket really covers', () => {
  const r = { times_ms: [0, 1000, 2000], granularity_ms: 1000, start_ms: 500, end_ms: 2100 };
  assert.deepEqual(series.rates(r, [4, 4, 4]), [8, 4, null]);
});

test('a count whose bucket is hardly in the range is no fall to nothing', () => {
  const r = { times_ms: [0, 1000, 2000], granularity_ms: 1000, start_ms: 400, end_ms: 2100 };
  assert.deepEqual(series.settled(r, [4, 4, 1], 'COUNT'), [4, 4, null]);
  assert.deepEqual(series.settled(r, [4, 4, 1], 'P95'), [4, 4, 1]);
});

test('without a range in the address the smallest that holds all the data is shown, an hour at most', () => {
  assert.deepEqual([0, 60, 61, 300, 301, 900, 901, 1e7].map(time.fitting), ['1m', '1m', '5m', '5m', '15m', '15m', '1h', '1h']);
});

test('marks of a time axis stand at round times and have room', () => {
  const from = new Date(2026, 10, 20, 20, 13, 7).getTime();
  for (const span of [50, 2000, 60e3, 300e3, 3600e3, 86400e3]) {
    const ticks = axis.timeTicks(from, from + span, 1000);
    const step = ticks[1] - ticks[0];
    assert.ok(ticks.length >= 3 && ticks.length <= 12, `${ticks.length} marks in ${span} ms`);
    const midnight = new Date(2026, 10, 20).getTime();
    for (const t of ticks) assert.equal((t - midnight) % step, 0, `${axis.timeLabel(t, from, from + span, 1000)} in steps of ${step}`);
  }
  assert.equal(axis.timeLabel(axis.timeTicks(from, from + 3600e3, 1000)[0], from, from + 3600e3, 1000), '20:20');
});

test('relations before a field, and fields that are called like one', () => {
  const cases = { 'root.name': ['root.', 'name'], 'any2.error': ['any2.', 'error'], name: ['', 'name'], rooted: ['', 'rooted'], 'root.parent.x': ['root.', 'parent.x'], '.root.x': ['', 'root.x'], '..any.x': ['', '.any.x'], '.x': ['', '.x'] };
  for (const [column, [prefix, field]] of Object.entries(cases)) assert.deepEqual(relation.relationOf(column), { prefix, field }, column);
  for (const field of ['name', 'root.x', '.any.x', '.x', 'any']) assert.deepEqual(relation.relationOf(relation.ownColumn(field)), { prefix: '', field }, field);
});

test('what an X-Ray operation says of a form goes to its fields', async () => {
  const { formErrors, position } = await load('lib/awsform.ts');
  const two = "2 validation errors detected: Value '0' at 'samplingRule.priority' failed to satisfy constraint: Member must have value greater than or equal to 1; "
    + "Value 'a;b' at 'groupName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a;b]+";
  assert.deepEqual(formErrors(two), { fields: { priority: 'must have value greater than or equal to 1', groupName: 'must satisfy regular expression pattern: [a;b]+' }, rest: null });
  assert.deepEqual(formErrors('RuleName: "a" exists already'), { fields: {}, rest: 'RuleName: "a" exists already' });
  assert.equal(position('Invalid filter expression at position 12: ) is expected here'), 12);
  assert.equal(position('no such group'), null);
});

test('a line of JSON says its message first, its short members behind it', () => {
  assert.deepEqual(logs.saidIn('{"body":"Hello","severity_number":9,"level":"info","resource":{"a":1},"none":null}'),
    { text: 'Hello', rest: [['severity_number', 9], ['level', 'info']] });
  assert.equal(logs.saidIn(' {"msg":"m","message":"first of all"}').text, 'first of all');
  assert.deepEqual(logs.saidIn(`{"msg":"x","long":"${'y'.repeat(60)}"}`).rest, []);
  for (const as of ['plain', '{"level":"info"}', '{"message":7}', '{"message":', '["message"]', `{"message":"${'x'.repeat(65536)}"}`]) assert.equal(logs.saidIn(as), null);
});

test('terms are marked where they stand, the first and longest has the place', () => {
  const cut = (text, terms) => logs.pieces(text, terms).map((p) => (p.term < 0 ? p.text : `<${p.term}:${p.text}>`)).join('');
  assert.equal(cut('GET /Cart get', ['get', '/c']), '<0:GET> <1:/C>art <0:get>');
  assert.equal(cut('timeout', ['time', 'timeout']), '<1:timeout>');
  assert.equal(cut('nothing', ['x']), 'nothing');
  assert.equal(cut('İstanbul get', ['get']), 'İstanbul get', 'where case changes the length the text is left as it is');
  const searched = (query) => logs.searchedTerms(new URLSearchParams(query));
  assert.deepEqual(searched('lang=pattern&fp=' + encodeURIComponent('ERROR "two words" -"not this" ?maybe')), ['ERROR', 'two words', 'maybe']);
  assert.deepEqual(searched('lang=pattern&fp=' + encodeURIComponent('{ $.a = 1 }')), []);
  assert.deepEqual(searched('q=one+text'), ['one text']);
});

test('severities as people write them', () => {
  assert.deepEqual(['ERROR', 'err', 'Warning', 'notice', 'CRITICAL', 'panic', 'verbose', ''].map(logs.severityOf), ['error', 'error', 'warn', 'info', 'fatal', 'fatal', 'unspecified', 'unspecified']);
});

test('mistakes stand at characters, whatever their bytes', () => {
  assert.deepEqual(logtext.mistakeOf('größe € filtr x', 'no', 12, 17), { message: 'no', from: 8, to: 13 });
  assert.deepEqual(logtext.mistakeOf('abc', 'no', 3, 3), { message: 'no', from: 3, to: 3 });
  assert.deepEqual(logtext.mistakeOf('abc def', 'no', 4, null), { message: 'no', from: 4, to: 7 });
});

test('an Insights result becomes series over time, or bars', () => {
  const result = (columns, rows) => ({ kind: 'table', columns: columns.map(([name, more]) => ({ name, ...more })), rows });
  const c = insights.chartOf(result([['bin(1m)', { time: true }], ['level'], ['n']], [
    ['2026-11-20 17:15:00.000', 'info', '7'], ['2026-11-20 17:17:00.000', 'info', '5'], ['2026-11-20 17:15:00.000', 'error', '1'], ['2026-11-20 17:16:00.000', 'error', null],
  ]));
  assert.deepEqual(c.times.map((t) => new Date(t).toISOString().slice(11, 16)), ['17:15', '17:16', '17:17']);
  assert.deepEqual(c.series, [{ name: 'info', data: [7, null, 5] }, { name: 'error', data: [1, null, null] }]);
  const bars = insights.chartOf(result([['user'], ['n', { number: true }]], [['ann', '3'], [null, '4']]));
  assert.deepEqual([bars.times, bars.labels, bars.series], [null, ['ann', '–'], [{ name: 'n', data: [3, 4] }]]);
  assert.equal(insights.chartOf(result([['user'], ['text']], [['a', 'b'], ['c', 'd']])), null);
  assert.equal(insights.chartOf({ ...result([['n']], [['1']]), kind: 'events' }), null);
});

test('CSV: quotes, line ends, and no formulas', () => {
  assert.deepEqual(['a', 'a,b', 'say "x"', 'two\nlines', '=1+1', '-5.2', '-x', '@a'].map(files.csvCell), ['a', '"a,b"', '"say ""x"""', '"two\nlines"', "'=1+1", '-5.2', "'-x", "'@a"]);
});

test('steps of the list are cut at the range', () => {
  assert.deepEqual(source.stepsOf([0, 10, 20], 10, [1, NaN, 3], 5, 25), [{ from: 5, to: 10, n: 1 }, { from: 10, to: 20, n: 0 }, { from: 20, to: 25, n: 3 }]);
});

test('a saved search is a query, and comes back as it was', () => {
  const there = (query) => {
    const params = new URLSearchParams(query);
    return new URLSearchParams(saved.savedOf({ queryDefinitionId: '1', name: 'x', queryString: saved.queryStringOf(params) }).params).toString();
  };
  for (const q of ['lang=pattern&fp=ERROR+-x&w=a+%3D+1&w=b+exists&ds=shop', 'q=%23+%26+%0A', 'tab=patterns', 'lang=insights&ds=a&iq=fields+%40message%0A%7C+limit+5']) assert.equal(there(q), new URLSearchParams(q).toString());
  assert.equal(there('q=x&from=1&to=2&row=3&tail=1&env=e'), 'q=x', 'times and lines are not part of it');
  const foreign = saved.savedOf({ queryDefinitionId: '1', name: 'x', queryString: 'stats count(*)', logGroupNames: ['g'] });
  assert.equal(new URLSearchParams(foreign.params).toString(), 'lang=insights&iq=stats+count%28*%29&ds=g');
});

// A cheap generator: the same numbers in every run.
function dice(seed) {
  let x = seed;
  return (n) => { x = (Math.imul(x, 1664525) + 1013904223) >>> 0; return Math.floor((x / 2 ** 32) * n); };
}

const overlaps = (ps) => ps.some((a, i) => ps.some((b, k) => i < k && a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h));

test('panels never overlap nor leave the grid, whatever is moved and resized; a way back changes nothing', () => {
  const roll = dice(7);
  for (let round = 0; round < 300; round++) {
    let places = layout.flow(Array.from({ length: 1 + roll(12) }, () => ({ w: 1 + roll(12), h: 1 + roll(6) })));
    for (let step = 0; step < 8; step++) {
      const i = roll(places.length);
      const was = JSON.stringify(places);
      const to = roll(2) ? { ...places[i], x: roll(20) - 4, y: roll(24) - 2 } : { ...places[i], w: roll(15), h: roll(9) };
      const next = layout.changed(places, i, to);
      assert.equal(JSON.stringify(places), was, 'the places before are as they were');
      assert.ok(!overlaps(next), JSON.stringify({ places, i, to, next }));
      assert.ok(next.every((p) => p.x >= 0 && p.y >= 0 && p.w >= 1 && p.h >= 1 && p.x + p.w <= 12), JSON.stringify(next));
      assert.ok(next.every((p) => p.y === 0 || next.some((q) => q !== p && q.y + q.h === p.y && q.x < p.x + p.w && p.x < q.x + q.w)), `none hangs in the air: ${JSON.stringify(next)}`);
      assert.deepEqual(layout.changed(next, i, next[i]), next, 'put where it is');
      places = next;
      if (places.length > 1) assert.ok(!overlaps(layout.without(places, i)));
      const fresh = layout.free(places, 6, 4);
      assert.ok(!overlaps([...places, fresh]));
    }
  }
});

test('two panels side by side change seats; one pushed down gives way; keys go past a neighbour', () => {
  const two = [{ x: 0, y: 0, w: 6, h: 4 }, { x: 6, y: 0, w: 6, h: 4 }];
  assert.deepEqual(layout.changed(two, 1, { ...two[1], x: 4 }), [{ x: 0, y: 4, w: 6, h: 4 }, { x: 4, y: 0, w: 6, h: 4 }]);
  assert.deepEqual(layout.changed(two, 1, { ...two[1], x: 0 }), [{ x: 6, y: 0, w: 6, h: 4 }, { x: 0, y: 0, w: 6, h: 4 }]);
  assert.deepEqual(layout.changed(two, 0, { ...two[0], w: 7 }), [{ x: 0, y: 0, w: 7, h: 4 }, { x: 6, y: 4, w: 6, h: 4 }]);
  const stack = [{ x: 0, y: 0, w: 6, h: 4 }, { x: 0, y: 4, w: 6, h: 2 }, { x: 0, y: 6, w: 6, h: 3 }];
  const down = layout.stepped(stack, 0, 0, 1, stack[0]);
  assert.deepEqual(layout.changed(stack, 0, down).map((p) => p.y), [2, 0, 6]);
  assert.deepEqual(layout.changed(stack, 0, layout.stepped(stack, 0, 0, 1, down)).map((p) => p.y), [5, 0, 2]);
  assert.deepEqual(layout.changed(stack, 2, layout.stepped(stack, 2, 0, -1, stack[2])).map((p) => p.y), [0, 7, 4]);
  assert.deepEqual(layout.stepped(stack, 0, 0, -1, stack[0]), stack[0], 'nothing above the first');
  assert.deepEqual(layout.free(two, 6, 4), { x: 0, y: 4, w: 6, h: 4 });
  assert.deepEqual(layout.free([two[0]], 6, 4), { x: 6, y: 0, w: 6, h: 4 });
});

test('Markdown becomes a tree of texts; addresses that lead elsewhere than to pages stay text', () => {
  assert.deepEqual(markdown.blocks('# A *b*\n\ntwo\nlines\n- x\n- y\n  - z\n\n3. c\n> q\n\n```\n<b> **no**\n```\n---\n| a | b |\n|---|---|\n| 1 | `2` |'), [
    { tag: 'h', level: 1, inside: ['A ', { tag: 'em', inside: ['b'] }] },
    { tag: 'p', inside: ['two lines'] },
    { tag: 'list', ordered: false, start: 1, items: [[{ tag: 'p', inside: ['x'] }], [{ tag: 'p', inside: ['y'] }, { tag: 'list', ordered: false, start: 1, items: [[{ tag: 'p', inside: ['z'] }]] }]] },
    { tag: 'list', ordered: true, start: 3, items: [[{ tag: 'p', inside: ['c'] }]] },
    { tag: 'quote', inside: [{ tag: 'p', inside: ['q'] }] },
    { tag: 'pre', text: '<b> **no**' },
    { tag: 'hr' },
    { tag: 'table', head: [['a'], ['b']], rows: [[['1'], [{ tag: 'code', inside: ['2'] }]]] },
  ]);
  assert.deepEqual(markdown.inline('**s** __t__ ~~d~~ a_b_c *x \\*y\\*'), [{ tag: 'strong', inside: ['s'] }, ' ', { tag: 'strong', inside: ['t'] }, ' ', { tag: 'del', inside: ['d'] }, ' a_b_c *x *y*']);
  assert.deepEqual(markdown.inline('see https://a.example/x?y=1. [in](/ui/home) <https://b.example>'), ['see ', { tag: 'a', href: 'https://a.example/x?y=1', inside: ['https://a.example/x?y=1'] }, '. ', { tag: 'a', href: '/ui/home', inside: ['in'] }, ' ',
    { tag: 'a', href: 'https://b.example', inside: ['https://b.example'] }]);
  for (const bad of ['[x](javascript:alert(1))', '[x](JAVASCRIPT:1)', '[x](data:text/html,1)', '[x](//evil.example)', '[x](/skep/v1/x)', '[x](/uix)', '<script>1</script>', '<img src=x onerror=1>']) {
    assert.ok(markdown.inline(bad).every((n) => typeof n === 'string'), bad);
  }
});

test('no text makes Markdown slow or deep', () => {
  const depth = (n) => (Array.isArray(n) ? Math.max(0, ...n.map(depth)) : n && typeof n === 'object' ? 1 + Math.max(depth(n.inside ?? []), depth(n.items ?? []), depth(n.rows ?? [])) : 0);
  let steps = 0;
  for (const one of ['*', '**', '_', '`', '[', '[a](', '> ', '- ', '~~', '| ', '\\', 'https://', '<', '# ', '*a ', '**a*', '[*', '1. ']) {
    for (const text of [one.repeat(10000 / one.length), `${one}x\n`.repeat(10000 / (one.length + 2)), one.repeat(5000 / one.length) + 'x' + [...one].reverse().join('').repeat(5000 / one.length)]) {
      const tree = markdown.blocks(text);
      steps += JSON.stringify(tree).length;
      assert.ok(depth(tree) < 40, `${one}: ${depth(tree)}`);
    }
  }
  assert.ok(steps > 0);
});

test('at most so many at a time, in order; who leaves the queue does not hold it up', async () => {
  const run = limiter(2);
  let now = 0;
  let most = 0;
  const ends = [];
  const order = [];
  const task = (name, signal = new AbortController().signal) => run(signal, () => { now++; most = Math.max(most, now); order.push(name); return new Promise((done) => ends.push(() => { now--; done(name); })); });
  const gone = new AbortController();
  const all = [task('a'), task('b'), task('c', gone.signal), task('d'), run(new AbortController().signal, async () => { throw new Error('e'); })];
  const refused = assert.rejects(all[2], { name: 'AbortError' });
  const failed = assert.rejects(all[4], /e/);
  await Promise.resolve();
  gone.abort();
  await refused;
  const settle = async () => { for (let i = 0; i < 20; i++) await Promise.resolve(); };
  for (let i = 0; i < 4; i++) { await settle(); ends.shift()?.(); }
  await Promise.all([all[0], all[1], all[3], failed]);
  assert.deepEqual([order, most], [['a', 'b', 'd'], 2]);
  await assert.rejects(run(gone.signal, async () => 1), { name: 'AbortError' });
  assert.equal(await run(new AbortController().signal, async () => 'still'), 'still');
});

const answer = {
  complete: true, start_ms: 0, end_ms: 120e3, granularity_ms: 60e3, times_ms: [0, 60e3], groups_total: 2, rows_examined: 9, elapsed_ms: 1, warnings: [],
  columns: [{ key: 'user', kind: 'group' }, { key: 'COUNT', kind: 'calc', op: 'COUNT' }, { key: 'HEATMAP(d)', kind: 'calc', op: 'HEATMAP', field: 'd' }],
  groups: [{ key: ['=Ann, "A"'], values: [3, null], series: [[1, 2], []] }, { key: [null], values: [1, null], series: [[null, 1], []] }],
  totals: { values: [4, null], series: [[1, 3], [[[0, 2]], [[1, 1]]]] }, heatmaps: { 'HEATMAP(d)': { edges: [1, 2, 4] } },
};

test('a result as CSV and JSON: groups, series, the cells of a heatmap', () => {
  assert.equal(files.csvText(table.groupRows(answer)), 'user,COUNT\r\n"\'=Ann, ""A""",3\r\n,1\r\n');
  assert.deepEqual(table.groupJson(answer), [{ user: '=Ann, "A"', COUNT: 3 }, { user: null, COUNT: 1 }]);
  assert.deepEqual(table.seriesRows(answer, 0), [['time', '=Ann, "A"', 'absent'], ['1970-01-01T00:00:00.000Z', '1', '0'], ['1970-01-01T00:01:00.000Z', '2', '1']]);
  assert.deepEqual(table.seriesRows(answer, 1), [['time', 'from', 'to', 'rows'], ['1970-01-01T00:00:00.000Z', '1', '2', '2'], ['1970-01-01T00:01:00.000Z', '2', '4', '1']]);
  assert.deepEqual(table.seriesJson(answer, 0).series, [{ group: { user: '=Ann, "A"' }, values: [1, 2] }, { group: { user: null }, values: [0, 1] }]);
  assert.deepEqual(table.seriesJson(answer, 1).cells[1], { time: '1970-01-01T00:01:00.000Z', from: 2, to: 4, rows: 1 });
  assert.equal(files.fileName('P95(duration_ms) by UserId'), 'P95-duration_ms-by-UserId');
});

test('a stored question becomes the address that asks it', () => {
  const spec = { calculations: [{ op: 'COUNT' }, { op: 'P95', column: 'duration_ms', name: 'slow', filters: [{ column: 'error', op: '=', value: true }] }], filters: [{ column: 'a b', op: 'in', value: ['x', 2] }, { column: 'c', op: 'exists' }], filter_combination: 'OR',
    breakdowns: ['user'], orders: [{ op: 'COUNT', order: 'ascending' }], havings: [{ calculate_op: 'COUNT', op: '>', value: 2 }], limit: 7, calculated_fields: [{ name: 'f', expression: '$a + 1' }], formulas: [{ name: 'r', expression: '$slow / $COUNT' }], time_range: 7200 };
  const params = new URLSearchParams();
  for (const [k, v] of Object.entries(query.addressOf(spec, 'shop'))) for (const one of v === null ? [] : [v].flat()) params.append(k, one);
  assert.equal(params.get('t'), '2h');
  assert.deepEqual(query.specOf(params), { ...spec, dataset: 'shop' });
  assert.equal(query.questionName({ ...spec, formulas: undefined }), 'COUNT, slow by user where `a b` in [x,2] or c exists');
  assert.deepEqual([time.spanText(90), time.spanText(86400), time.spanText(5400)], ['90s', '1d', '90m']);
});

test('capitals say which of two names one means', () => {
  assert.ok(score('UserId', 'User') > score('user_agent.original', 'User'));
  assert.equal(score('UserId', 'user'), score('user_agent.original', 'user'));
  assert.ok(score('user', 'User') > score('UserId', 'User'), 'the whole name comes first');
});
