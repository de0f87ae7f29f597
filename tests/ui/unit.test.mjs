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
const match = await load('lib/match.ts');
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
const exporting = await load('logs/Export.tsx');

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

test('the page filters rows as the server would', () => {
  const row = { id: '1', time_ns: '0', kind: 'log', dataset: 'd', fields: { n: 5, s: 'Hello', b: false } };
  const yes = (column, op, value) => match.matches(row, [{ column, op, value }], false, '');
  assert.ok(yes('n', '>', 4) && yes('s', 'contains', 'ell') && yes('b', '=', false) && yes('none', 'does-not-exist') && yes('n', 'in', [1, 5]) && yes('none', '!=', 1));
  assert.ok(!yes('n', '=', '5') && !yes('s', '>', 1) && !yes('none', '=', '') && !yes('s', 'not-in', ['Hello']));
  assert.ok(match.matches(row, [], false, 'hELL') && !match.matches(row, [], false, 'absent'));
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
  assert.deepEqual(['a', 'a,b', 'say "x"', 'two\nlines', '=1+1', '-5.2', '-x', '@a'].map(exporting.csvCell), ['a', '"a,b"', '"say ""x"""', '"two\nlines"', "'=1+1", '-5.2', "'-x", "'@a"]);
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
