// SPDX-License-Identifier: Apache-2.0
// Logs Insights through the page's endpoint: random queries, each made together with the plainest
// JavaScript that answers it; a table of commands and functions with what they must give; mistakes
// with their place.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Skep, attributes, nowNs, root, until } from './support.mjs';

let skep;
const events = [];
let seed = 20261129;
const rnd = (n) => ((seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) >>> 8) % n;
const pick = (list) => list[rnd(list.length)];
const N = 4000;
// A whole minute, so that bins fall on the events evenly whenever the test runs.
const startMs = Math.floor(Date.now() / 60000) * 60000 - 1800000;

function event(i) {
  const e = { n: i, level: pick(['ERROR', 'WARN', 'INFO']), ms: rnd(400) / 4, size: rnd(3000), flag: rnd(2) === 0 };
  if (rnd(3)) e.host = `h${rnd(5)}`;
  if (rnd(4) === 0) e.mixed = rnd(2) ? String(rnd(20)) : rnd(20);
  e['@timestamp'] = startMs + i * 250;
  e['@message'] = `${e.level} user=${rnd(9)} took ${e.size} ms "q=${i % 17}"`;
  return e;
}

before(async () => {
  skep = await Skep.start();
  for (let i = 0; i < N; i++) events.push(event(i));
  for (let i = 0; i < N; i += 1000) {
    const logRecords = events.slice(i, i + 1000).map((e) => {
      const fields = Object.fromEntries(Object.entries(e).filter(([k]) => !k.startsWith('@')));
      return { timeUnixNano: `${e['@timestamp']}000000`, body: { stringValue: e['@message'] }, attributes: attributes(fields) };
    });
    await skep.json('POST', '/v1/logs', { resourceLogs: [{ resource: { attributes: attributes({ 'service.name': i % 2000 ? 'two' : 'one' }) }, scopeLogs: [{ scope: {}, logRecords }] }] });
  }
});
after(() => skep.done());

const ask = (query, more = {}) => skep.json('POST', '/skep/v1/logs/insights', { query, time_range: 7200, ...more }, { accept: 'application/json' });

// --- the reference ---------------------------------------------------------------------------

const stamp = (ms) => new Date(ms).toISOString().replace('T', ' ').replace('Z', '');
const numeric = (v) => typeof v === 'number' || typeof v === 'boolean' || (typeof v === 'string' && v.trim() !== '' && Number.isFinite(Number(v)));
const text = (v) => (v === undefined ? null : typeof v === 'boolean' ? (v ? '1' : '0') : String(v));

function compare(a, b) { // undefined: they do not compare
  if (a === undefined || b === undefined) return undefined;
  if (numeric(a) && numeric(b)) return Math.sign(Number(a) - Number(b));
  const s = text(a), t = text(b);
  return s < t ? -1 : s > t ? 1 : 0;
}
const order = (a, b) => { // null, numbers, texts
  const rank = (v) => (v === undefined ? 0 : numeric(v) ? 1 : 2);
  return rank(a) - rank(b) || compare(a, b) || 0;
};

function condition(depth) {
  const k = rnd(depth > 0 ? 10 : 7);
  if (k === 0) { const s = pick(['ERROR', 'took 1', 'user=3', 'q=16"']); return [`@message like '${s}'`, (r) => r['@message'].includes(s)]; }
  if (k === 1) { const s = pick(['^WARN', 'took [12]\\d{2} ms', 'user=[0-4] ', 'q=1[0-6]']); const re = new RegExp(s); return [`@message like /${s}/`, (r) => re.test(r['@message'])]; }
  if (k === 2) { const list = [pick(['h0', 'h1']), pick(['h2', 'h9'])]; return [`host in ["${list.join('", "')}"]`, (r) => list.includes(r.host)]; }
  if (k === 3) return ['ispresent(mixed)', (r) => r.mixed !== undefined];
  if (k < 7) {
    const [name, value] = pick([['level', '"ERROR"'], ['level', '"WARN"'], ['ms', 50], ['ms', 12.5], ['size', 1500], ['size', 0], ['mixed', 7], ['mixed', '"7"'], ['host', '"h1"'], ['flag', 1], ['absent', 3], ['n', 2000]]);
    const op = pick(['=', '!=', '<', '<=', '>', '>=']);
    const x = typeof value === 'string' ? value.slice(1, -1) : value;
    const test = { '=': (c) => c === 0, '!=': (c) => c !== 0, '<': (c) => c < 0, '<=': (c) => c <= 0, '>': (c) => c > 0, '>=': (c) => c >= 0 }[op];
    return [`${name} ${op} ${value}`, (r) => { const c = compare(r[name], x); return op === '!=' ? c !== 0 : c !== undefined && test(c); }];
  }
  const [a, f] = condition(depth - 1), [b, g] = condition(depth - 1);
  if (k === 7) return [`(${a} or ${b})`, (r) => f(r) || g(r)];
  if (k === 8) return [`(${a} and ${b})`, (r) => f(r) && g(r)];
  return [`not (${a})`, (r) => !f(r)];
}

function measure() {
  const f = pick(['ms', 'size', 'n', 'mixed']);
  const values = (rows) => rows.map((r) => r[f]).filter(numeric).map(Number);
  const sum = (v) => v.reduce((a, b) => a + b, 0);
  const some = (v, x) => (v.length ? x : undefined);
  return pick([
    ['count(*)', (rows) => rows.length],
    [`count(${f})`, (rows) => rows.filter((r) => r[f] !== undefined).length],
    [`count_distinct(${f})`, (rows) => new Set(rows.map((r) => r[f]).filter((v) => v !== undefined).map(text)).size],
    [`sum(${f})`, (rows) => { const v = values(rows); return some(v, sum(v)); }],
    [`avg(${f})`, (rows) => { const v = values(rows); return some(v, sum(v) / v.length); }],
    [`min(${f})`, (rows) => { const v = values(rows); return some(v, Math.min(...v)); }],
    [`max(${f}) * 2 + 1`, (rows) => { const v = values(rows); return some(v, Math.max(...v) * 2 + 1); }],
    [`stddev(${f})`, (rows) => { const v = values(rows); const m = sum(v) / v.length; return some(v, v.length > 1 ? Math.sqrt(sum(v.map((x) => (x - m) ** 2)) / (v.length - 1)) : 0); }],
    [`pct(${f}, 90)`, (rows) => { const v = values(rows).sort((a, b) => a - b); return some(v, v[Math.max(Math.ceil(0.9 * v.length), 1) - 1]); }],
    [`latest(${f})`, (rows) => rows.filter((r) => r[f] !== undefined).at(0)?.[f]], // rows come newest first
    [`earliest(${f})`, (rows) => rows.filter((r) => r[f] !== undefined).at(-1)?.[f]],
  ]);
}

const group = () => pick([
  ['level', (r) => r.level], ['host', (r) => r.host], ['mixed', (r) => r.mixed], ['flag', (r) => r.flag],
  ['bin(5m)', (r) => stamp(Math.floor(r['@timestamp'] / 300000) * 300000)],
  ['bin(30s)', (r) => stamp(Math.floor(r['@timestamp'] / 30000) * 30000)],
  ['size % 3', (r) => r.size % 3], ['strcontains(@message, "user=1")', (r) => r['@message'].includes('user=1')],
]);

function grouped(rows, groups, aggs) {
  const tables = new Map();
  for (const r of rows) {
    const key = JSON.stringify(groups.map(([, f]) => text(f(r))));
    if (!tables.has(key)) tables.set(key, []);
    tables.get(key).push(r);
  }
  if (groups.length === 0 && tables.size === 0) tables.set('[]', []);
  return [...tables.values()].map((list) => [...groups.map(([, f]) => (list.length ? f(list[0]) : undefined)), ...aggs.map(([, f]) => f(list))]);
}

// Numbers may differ in the last digits, percentiles of the store by 1 %.
function same(got, want, query) {
  if (got === null || want === null || Number.isNaN(Number(want)) || Number.isNaN(Number(got))) return got === want;
  const a = Number(got), b = Number(want);
  return a === b || Math.abs(a - b) <= Math.abs(b) * (query.includes('pct(') ? 0.011 : 1e-9);
}

function sameRows(got, want, query) {
  const key = (r) => JSON.stringify(r.map((v) => (v === null || Number.isNaN(Number(v)) ? v : Number(v).toPrecision(2))));
  assert.equal(got.length, want.length, `${query}: rows`);
  for (let i = 0; i < got.length; i++)
    for (let k = 0; k < got[i].length; k++)
      assert.ok(same(got[i][k], want[i][k], query), `${query}\nrow ${i}: ${JSON.stringify(got[i])} is not ${JSON.stringify(want[i])} ${key(got[i])}`);
}

const newestFirst = () => events.slice().reverse();

test('random filters and fields', { timeout: 300000 }, async () => {
  let some = 0;
  for (let round = 0; round < 150; round++) {
    const conditions = Array.from({ length: 1 + rnd(2) }, () => condition(2));
    const limit = 1 + rnd(3000);
    const query = `${conditions.map(([t]) => `filter ${t}`).join(' | ')} | fields n, level, ms * 2 + size as x, concat(host, "/", mixed) as c | limit ${limit}`;
    const rows = newestFirst().filter((r) => conditions.every(([, f]) => f(r)));
    const want = rows.slice(0, limit).map((r) => [r.n, r.level, r.ms * 2 + r.size, `${r.host ?? ''}/${r.mixed ?? ''}`].map(text));
    const got = await ask(query);
    sameRows(got.rows, want, query);
    assert.equal(got.rows_scanned, N);
    if (rows.length <= limit) assert.equal(got.rows_matched, rows.length, query);
    some += want.length > 0;
  }
  assert.ok(some > 60);
});

test('random stats', { timeout: 300000 }, async () => {
  for (let round = 0; round < 200; round++) {
    const filtered = rnd(2) ? [condition(1)] : [];
    const groups = [...new Map(Array.from({ length: rnd(3) }, group).map((g) => [g[0], g])).values()];
    const aggs = [...new Map(Array.from({ length: 1 + rnd(3) }, measure).map((g) => [g[0], g])).values()];
    const by = groups.length ? ` by ${groups.map(([t]) => t).join(', ')}` : '';
    // Texts of the groups order the rows: all of them, so that there is one order.
    const sort = groups.length ? ` | sort ${groups.map(([t]) => `${t} ${round % 2 ? 'desc' : 'asc'}`).join(', ')}` : '';
    const query = `${filtered.map(([t]) => `filter ${t} | `).join('')}stats ${aggs.map(([t]) => t).join(', ')}${by}${sort}`;
    const rows = grouped(newestFirst().filter((r) => filtered.every(([, f]) => f(r))), groups, aggs);
    rows.sort((a, b) => {
      for (let g = 0; g < groups.length; g++) {
        const c = order(a[g], b[g]);
        if (c) return round % 2 ? -c : c;
      }
      return 0;
    });
    const got = await ask(query);
    sameRows(got.rows, rows.map((r) => r.map(text)), query);
    assert.equal(got.kind, 'table');
  }
});

test('stats of stats, sort and limit over them', { timeout: 300000 }, async () => {
  const got = await ask('stats sum(size) as s by level, host | stats max(s) as m, count(*) as k by level | sort level | limit 2');
  const first = grouped(events, [['level', (r) => r.level], ['host', (r) => r.host]], [['', (rows) => rows.reduce((a, r) => a + r.size, 0)]]);
  const want = ['ERROR', 'INFO'].map((level) => {
    const own = first.filter((r) => r[0] === level);
    return [level, String(Math.max(...own.map((r) => r[2]))), String(own.length)];
  });
  assert.deepEqual(got.rows, want);
  assert.deepEqual(got.columns.map((c) => c.name), ['level', 'm', 'k']);
});

test('log groups and SOURCE', async () => {
  const count = async (query, more) => Number((await ask(query, more)).rows[0][0]);
  assert.equal(await count('stats count(*)'), N);
  assert.equal(await count('stats count(*)', { groups: ['one'] }), N / 2);
  assert.equal(await count('stats count(*)', { groups: ['one', 'two', 'none'] }), N);
  assert.equal(await count('SOURCE logGroups(namePrefix: ["tw"]) | stats count(*)'), N / 2);
  assert.equal(await count('filter @log = "two" | stats count(*)'), N / 2);
});

// One event and what expressions over it give.
const functions = {
  'abs(-3)': '3', 'ceil(1.2)': '2', 'floor(-1.2)': '-2', 'greatest(1, 3, 2)': '3', 'least(4, 3)': '3', 'log(1)': '0', 'sqrt(16)': '4', 'round(2.5)': '3', 'round(3.14159, 2)': '3.14',
  '7 / 2': '3.5', '7 % 3': '1', '2 ^ 3 ^ 2': '512', '-2 + 3 * 4': '10', '1 / 0': null, '"x" + 1': null, 'toInt("12.9")': '12', 'toNumber("1e3")': '1000', 'isNumeric("4.5")': '1', 'isNumeric("x")': '0',
  'haversine(0, 0, 0, 180) > 20015': '1', 'ispresent(absent)': '0', 'coalesce(absent, "d")': 'd', 'case(1 > 2, "a", 2 > 1, "b", "c")': 'b', 'if(1 > 2, "a", "b")': 'b', 'messageSize()': '11',
  'isempty("")': '1', 'isempty(absent)': '1', 'isblank("  ")': '1', 'ltrim("  a ")': 'a ', 'trim("xxaxx", "x")': 'a', 'strlen("zoë")': '3', 'toupper("aBc")': 'ABC', 'substr("zoë!", 2)': 'ë!', 'substr("abcdef", 1, 3)': 'bcd',
  'replace("a.b.c", ".", "-")': 'a-b-c', 'regexReplace("a1b22", /[0-9]+/, "<$0>")': 'a<1>b<22>', 'regexReplace("John Doe", /(\\w+) (\\w+)/, "\\2 \\1")': 'Doe John', 'strcontains("Hello", "ELL", 1)': '1', 'startsWith("abc", "ab")': '1', 'endsWith("abc", "ab")': '0',
  'urlencode("a b&c")': 'a%20b%26c', 'urldecode("a%20b+c")': 'a b c', 'base64encode("hi")': 'aGk=', 'base64decode("aGk=")': 'hi', 'split("a,b", ",")': '["a","b"]', 'hexToAscii("6869")': 'hi', 'hexToDec("ff")': '255', 'decToHex(255)': 'ff',
  'datefloor(fromMillis(1700000123456), 1h)': '2023-11-14 22:00:00.000', 'dateceil(fromMillis(1700000123456), 1d)': '2023-11-15 00:00:00.000', 'datefloor(fromMillis(1700000123456), 1mo)': '2023-11-01 00:00:00.000', 'datefloor(fromMillis(1700000123456), 1q)': '2023-10-01 00:00:00.000',
  'datefloor(fromMillis(1700000123456), 300s)': '2023-11-14 22:15:00.000', 'toMillis(fromMillis(5))': '5', 'parseDate("2023-11-14T22:15:23.456Z", "yyyy-MM-dd\'T\'HH:mm:ss.SSSX")': '2023-11-14 22:15:23.456',
  'parseDate("14/Nov/2023:23:15:23 +0100", "dd/MMM/yyyy:HH:mm:ss Z")': '2023-11-14 22:15:23.000', 'parseDate("nope", "yyyy")': null, 'strftime(fromMillis(1700000123456), "%Y-%m-%d %H:%M:%S %a %b %j")': '2023-11-14 22:15:23 Tue Nov 318',
  'formatDate(fromMillis(1700000123456), "%H:%M", "+02:00")': '00:15',
  'jsonStringify(jsonParse("{\\"a\\":[1,2]}"))': '{"a":[1,2]}', 'jsonArraySize("[1,2,3]")': '3', 'jsonArrayContains("[1,\\"x\\"]", "x")': '1', 'jsonParse("{\\"a\\":{\\"b\\":[5,6]}}").a.b[1]': '6', 'jsonParse("{\\"odd key\\":7}").`odd key`': '7',
  'isValidIp("10.0.0.1")': '1', 'isValidIpV6("::1")': '1', 'isValidIpV4("::1")': '0', 'isIpInSubnet("10.1.2.3", "10.1.0.0/16")': '1', 'isIpv6InSubnet("2001:db8::1", "2001:db8::/32")': '1', 'isIpv4InSubnet("11.1.2.3", "10.0.0.0/8")': '0', 'ipv4ToNumber("1.2.3.4")': '16909060',
  'isPrivateIP("192.168.1.1")': '1', 'isPublicIP("8.8.8.8")': '1', 'isReservedIP("127.0.0.1")': '1', 'now() > 1700000000': '1', 'queryTimeRange()': '7200000', 'queryEndTime() > queryStartTime()': '1',
  'list.1': 'b', 'list[0]': 'a', 'deep.list.0.k': 'v', '`odd-name`': 'o', '1 in [2, 1]': '1', '"a" not in ["b"]': '1', 'note like /(?i)MESSAGE/': '0', '@message =~ /^the/': '1', 'true': '1', 'null': null, '1 = 1.0': '1', '"1" = 1': '1',
};

test('functions', { timeout: 300000 }, async () => {
  await skep.json('POST', '/v1/logs', { resourceLogs: [{ resource: { attributes: attributes({ 'service.name': 'single' }) }, scopeLogs: [{ scope: {}, logRecords: [{ timeUnixNano: String(nowNs()), body: { stringValue: 'the message' }, attributes: attributes({ list: ['a', 'b'], deep: { list: [{ k: 'v' }] }, 'odd-name': 'o' }) }] }] }] });
  for (const [expr, want] of Object.entries(functions)) {
    const got = await ask(`fields ${expr} as v`, { groups: ['single'] });
    assert.deepEqual(got.rows, [[want]], expr);
  }
});

const commands = [
  ['parse @message "* user=* took * ms" as a, u, t | filter u = 3 | stats count(*), sum(t)', () => { const r = events.filter((e) => e['@message'].includes('user=3 ')); return [[String(r.length), String(r.reduce((a, e) => a + e.size, 0))]]; }],
  ['parse @message /user=(?<u>\\d) took (\\d+)/ as t | stats count_distinct(u), max(t)', () => [['9', String(Math.max(...events.map((e) => e.size)))]]],
  ['parse @message /(?<d>\\d+)/ multi | stats count(*)', () => [[String(events.reduce((a, e) => a + e['@message'].match(/\d+/g).length, 0))]]],
  ['parse @message logfmt as m | stats count_distinct(m.user)', () => [['9']]],
  ['fields "x,\\"y,z\\",w" as c | parse c csv as a, b, d, e | display a, b, d, e | limit 1', () => [['x', 'y,z', 'w', null]]],
  ['fields n | dedup level | limit 10', () => ['ERROR', 'WARN', 'INFO'].map((l) => [String(events.findLast((e) => e.level === l).n)]).sort((a, b) => b - a)],
  ['fields split("a b a", " ") as l | unnest l into x | stats count(*) as c by x | sort x', () => [['a', String(2 * N)], ['b', String(N)]]],
  ['fields jsonParse("[9223372036854775807,9223372036854775808]") as l | unnest l into x | stats count(*) as c by x > 9e18 as large', () => [['1', String(2 * N)]]],
  ['filter level = "WARN" | pattern @message | display @sampleCount, @ratio', () => [[String(events.filter((e) => e.level === 'WARN').length), '1']]],
  ['fields n # a comment | not a command\n | sort n | limit 2', () => [['0'], ['1']]],
  ['filter @logStream = "default" | stats count(*)', () => [[String(N)]]],
  ['filter @logStream != "default" or @logStream like /^x/ | stats count(*)', () => [['0']]],
  ['filter coalesce(host, level) in ["h1", "ERROR"] | stats count(*)', () => [[String(events.filter((e) => ['h1', 'ERROR'].includes(e.host ?? e.level)).length)]]],
  ['filter coalesce(host, mixed, "none") != "h1" | stats count(*)', () => [[String(events.filter((e) => String(e.host ?? e.mixed ?? 'none') !== 'h1').length)]]],
  ['filter "h2" < coalesce(host, "h9") | stats count(*)', () => [[String(events.filter((e) => 'h2' < (e.host ?? 'h9')).length)]]],
  ['fields n | sort @timestamp asc | limit 2', () => [['0'], ['1']]],
  ['fields n | filter level = "INFO" | sort @timestamp desc | limit 1', () => [[String(events.findLast((e) => e.level === 'INFO').n)]]],
  ['FIELDS n | SORT n DESC | LIMIT 1', () => [[String(N - 1)]]],
  ['display level, n | display n | limit 1', () => [[String(N - 1)]]],
  ['filterIndex level = "ERROR" | stats count(*)', () => [[String(events.filter((e) => e.level === 'ERROR').length)]]],
  ['stats sortsFirst(level), sortsLast(level), earliest(@timestamp), max(@timestamp)', () => [['ERROR', 'WARN', stamp(startMs), stamp(startMs + (N - 1) * 250)]]],
  ['filter absent = 1 | stats count(*), avg(ms)', () => [['0', null]]],
  ['filter absent = 1 | stats count(*) by level', () => []],
];

test('commands', { timeout: 300000 }, async () => {
  for (const [query, want] of commands)
    assert.deepEqual((await ask(query, { groups: ['one', 'two'] })).rows, want(), query);
});

// Enough rows that the store is asked for what passes a dedup. Fields of one type and of several, missing in old
// rows alone, of few and of many values; combinations that stand among old rows only.
test('dedup over many rows is that of all of them', { timeout: 300000 }, async () => {
  const many = 70000, rows = [];
  const t = (i) => startMs - 40000000 + Math.floor(i / 3) * 40;
  for (let i = 0; i < many; i++) {
    const e = { n: i, level: i < 9 ? `old${i % 3}` : pick(['ERROR', 'WARN', 'INFO']), flag: rnd(2) === 0, either: rnd(2) ? String(rnd(3)) : rnd(3), id: i % 30000, host: `h${rnd(5)}`, ratio: rnd(4) / 4 };
    if (i > 6) e.late = rnd(2);
    rows.push(e);
  }
  for (let i = 0; i < many; i += 5000) {
    const logRecords = rows.slice(i, i + 5000).map((e) => ({ timeUnixNano: `${t(e.n)}000000`, body: { stringValue: `row ${e.n}` }, attributes: attributes(e) }));
    await skep.json('POST', '/v1/logs', { resourceLogs: [{ resource: { attributes: attributes({ 'service.name': 'many' }) }, scopeLogs: [{ scope: {}, logRecords }] }] });
  }
  const range = { groups: ['many'], start_time: Math.floor(t(0) / 1000) - 10, end_time: Math.ceil(t(many) / 1000) + 10, time_range: undefined };
  const first = (list, keys) => {
    const seen = new Set();
    return list.filter((e) => {
      const k = keys.map((key) => text(e[key]));
      if (k.includes(null)) return true;
      const known = seen.has(k.join(' '));
      seen.add(k.join(' '));
      return !known;
    });
  };
  // Of rows at one instant the one that came last is the newest.
  const newest = rows.toReversed();
  for (const keys of [['level'], ['level', 'flag'], ['either'], ['host', 'level'], ['late'], ['id'], ['ratio'], ['absent']]) {
    const want = first(newest, keys);
    const got = await ask(`fields n, @message | dedup ${keys.join(', ')} | limit 10000`, range);
    assert.deepEqual(got.rows, want.slice(0, 10000).map((e) => [String(e.n), `row ${e.n}`]), keys.join());
    if (want.length < 10000) assert.equal(got.rows_matched, many);
  }
  const up = await ask('fields n | sort @timestamp asc | dedup level', range);
  assert.deepEqual(up.rows, first(rows, ['level']).map((e) => [String(e.n)]));
  const kept = await ask('fields n | filter n % 7 = 3 | dedup level, flag', range);
  assert.deepEqual(kept.rows, first(newest.filter((e) => e.n % 7 === 3), ['level', 'flag']).map((e) => [String(e.n)]));
  const computed = await ask('fields n, concat(level, "!") as level | dedup level', range);
  assert.deepEqual(computed.rows.map((r) => r[0]), first(newest, ['level']).map((e) => String(e.n)));
});

// Rows are read in slices of time that follow how dense they lie: crowds on one instant, gaps of hours, single rows.
test('all rows are read, however they lie in time', { timeout: 300000 }, async () => {
  const times = [];
  let t = startMs - 86400000;
  for (const [n, step] of [[1, 0], [2500, 0], [1, 7200000], [1200, 1], [3, 3600000], [1500, 0], [700, 11], [1, 50000000]]) for (let i = 0; i < n; i++) times.push(t += step);
  const logRecords = times.map((ms, i) => ({ timeUnixNano: `${ms}000000`, body: { stringValue: `row ${i}` }, attributes: attributes({ n: i }) }));
  await skep.json('POST', '/v1/logs', { resourceLogs: [{ resource: { attributes: attributes({ 'service.name': 'clumps' }) }, scopeLogs: [{ scope: {}, logRecords }] }] });
  const range = { groups: ['clumps'], start_time: Math.floor(times[0] / 1000) - 40000, end_time: Math.ceil(t / 1000) + 40000, time_range: undefined };
  const read = async (query) => (await ask(query, range)).rows.map((r) => Number(r[0]));
  const all = times.map((_, i) => i);
  const parsed = 'parse @message "row *" as i | display i | ';
  assert.deepEqual((await read(`${parsed}limit 10000`)).sort((a, b) => a - b), all);
  const oldest = await read(`${parsed}sort @timestamp asc | limit 10000`);
  assert.deepEqual(oldest.map((i) => times[i]), times);
  assert.deepEqual(oldest.toSorted((a, b) => a - b), all);
  assert.deepEqual((await ask(`${parsed}stats count(*), sum(i), min(i), max(i)`, range)).rows, [[all.length, all.reduce((a, b) => a + b), 0, all.length - 1].map(String)]);
  const some = await read(`${parsed}filter i % 1000 = 7 | limit 10000`);
  assert.deepEqual(some.toSorted((a, b) => a - b), all.filter((i) => i % 1000 === 7));
});

// The last 500 seconds beside the 500 before them; the filter holds in both.
test('patterns beside those of the time before', { timeout: 300000 }, async () => {
  const at = startMs / 1000, late = events.filter((e) => e.n >= N / 2), early = events.filter((e) => e.n < N / 2);
  const range = { start_time: at + N / 8, end_time: at + N / 4, time_range: undefined, groups: ['one', 'two'] };
  const level = (list, l) => list.filter((e) => e.level === l && e.ms > 20).length;
  const got = await ask('filter ms > 20 | fields concat("now ", level) as l | pattern l | diff', range);
  assert.deepEqual(got.columns.map((c) => c.name), ['@pattern', '@sampleCount', '@ratio', '@previousSampleCount', '@difference', '@differencePercent', '@differenceDescription']);
  assert.equal(got.rows_scanned, N);
  assert.deepEqual(got.rows.map((r) => r[0]).sort(), ['now ERROR', 'now INFO', 'now WARN']);
  for (const [text, now, , before, more, percent, word] of got.rows) {
    const [a, b] = [late, early].map((list) => level(list, text.slice(4)));
    assert.deepEqual([now, before, more, word], [a, b, a - b, a > b ? 'more' : a < b ? 'fewer' : 'same'].map(String), text);
    assert.ok(Math.abs(Number(percent) - (100 * (a - b)) / b) < 1e-9);
  }
  // Without pattern the message is folded; a day before there was nothing, so all is new.
  const fresh = await ask('diff previousDay | stats sum(@sampleCount), sum(@previousSampleCount), count(@differencePercent) by @differenceDescription', range);
  assert.deepEqual(fresh.rows, [['new', String(N / 2), '0', '0']]);
  // Rows of one period alone are gone in the next; 1,000 s is their distance here.
  const gone = await ask('pattern level | logcompare timeshift 500s | filter @differenceDescription = "gone" | stats count(*)', { ...range, start_time: at + N / 4, end_time: at + N / 4 + 60 });
  assert.deepEqual(gone.rows, [['3']]);
  for (const [query, error] of [['limit 5 | diff', /limit/], ['pattern level | sort @ratio | diff', /right behind pattern/], ['stats count(*) | diff', /right behind pattern/], ['diff previousYear', /previousDay/],
    ['logcompare 7d', /timeshift/], ['logcompare timeshift seven', /length of time/], ['diff | diff', /once/], ['anomaly', /not supported/]]) {
    const r = await skep.json('POST', '/skep/v1/logs/check', { language: 'insights', text: query, time_range: 7200 });
    assert.ok(!r.ok && error.test(r.error), `${query}: ${r.error}`);
  }
});

test('filters over what computes', { timeout: 300000 }, async () => {
  const got = await ask('fields size + 1 as b | parse @message "user=* " as u | filter level = "ERROR" and (u = 3 or b < 100) | filter ms > 20 | stats count(*), sum(b)', { groups: ['one', 'two'] });
  const want = events.filter((e) => e.level === 'ERROR' && (e['@message'].includes('user=3 ') || e.size + 1 < 100) && e.ms > 20);
  assert.deepEqual(got.rows, [[String(want.length), String(want.reduce((a, e) => a + e.size + 1, 0))]]);
  assert.equal(got.rows_matched, want.length);
});

// One question has a share of the memory: it says what to narrow, and the server goes on.
test('a question beyond the memory', { timeout: 300000 }, async () => {
  const small = await Skep.start({ args: ['--memory', '64m'] });
  try {
    const at = nowNs() - 60_000_000_000n;
    for (let i = 0; i < 60; i++)
      await small.json('POST', '/v1/logs', { resourceLogs: [{ resource: { attributes: attributes({ 'service.name': 'big' }) }, scopeLogs: [{ scope: {}, logRecords: Array.from({ length: 2000 }, (_, k) => ({ timeUnixNano: String(at + BigInt(i * 2000 + k)), body: { stringValue: `line ${i * 2000 + k} ${'x'.repeat(100)}` } })) }] }] });
    const ask = (query) => small.call('POST', '/skep/v1/logs/insights', { query, time_range: 3600 }, { accept: 'application/json' });
    for (const query of ['stats count(*) by concat(@message, @message, @message)', 'fields concat(@message, @message) as c | dedup c | limit 100000', 'fields @message | sort @message | limit 100000', 'stats pct(strlen(@message), 50), count_distinct(concat(@message, "x")) by substr(@message, 0, 11)']) {
      const res = await ask(query);
      assert.match(`${res.status} ${await res.text()}`, /^422 .*memory/, query);
    }
    assert.equal((await (await ask('stats count(*)')).json()).rows[0][0], '120000');
    assert.equal((await (await ask('fields @message | sort @message desc | limit 3')).json()).rows.length, 3, 'a sort keeps what its limit needs');
  } finally { await small.done(); }
});

test('what is answered, and how much', async () => {
  const all = await ask('filter n < 3', { groups: ['one', 'two'] });
  assert.deepEqual(all.columns, [{ name: '@timestamp', time: true }, { name: '@message' }]);
  assert.deepEqual(all.rows, [2, 1, 0].map((i) => [stamp(events[i]['@timestamp']), events[i]['@message']]));
  const row = await skep.json('GET', `/skep/v1/row/${all.ids[0]}`);
  assert.equal(row.fields.find((f) => f.name === 'n').value, 2);
  const cut = await ask('fields n', { groups: ['one', 'two'], limit: 7 });
  assert.deepEqual([cut.rows.length, cut.truncated], [7, true]);
  const lines = (await (await skep.call('POST', '/skep/v1/logs/insights', { query: 'stats count(*)', time_range: 7200 })).text()).trim().split('\n').map((l) => JSON.parse(l));
  assert.equal(lines.at(-1).type, 'result');
});

const mistakes = {
  'fields @message | filtr x': [18, 23, 'filtr is no command'],
  'filter': [6, 6, 'a field, value or function is expected here'],
  'filter a = ': [11, 11, 'a field, value or function is expected here'],
  'filter a like b': [14, 15, '"text" or /expression/ is expected here'],
  'filter a like /(/': [14, 17, 'a ( that is not closed'],
  'filter nofn(a)': [7, 11, 'nofn is no function'],
  'fields count(*)': [7, 12, 'count stands in stats alone'],
  'stats a': [0, 7, 'a: stats takes aggregates like count(*)'],
  'stats count(*) by level | fields n': [33, 34, 'n is not among what the commands before it give'],
  'stats pct(a, 200)': [13, 16, 'a number from 0 to 100 is expected here'],
  'parse @message "a * b *" as x': [15, 24, '2 stars, but 1 names'],
  'sort a | stats count(*)': [9, 14, 'sort and limit stand behind the last stats'],
  'dedup a | filter b': [10, 16, 'only limit may stand behind dedup'],
  'limit 0': [6, 7, 'a number from 1 to 100000 is expected here'],
  'fields a | join b': [11, 15, 'the command join is not supported'],
  'fields datefloor(@timestamp, 5x)': [7, 32, 'a period like 5m, 1h or 1d is expected here'],
  'fields "a': [7, 9, 'a quote that is not closed'],
  'fields a b': [9, 10, '| or the end is expected here'],
  [`fields ${Array(4900).fill('a').join('+')}`]: [7, 210, 'an expression that is too deep'],
  [`filter ${'('.repeat(60)}a`]: [57, 58, 'an expression that is too deep'],
  'stats count(*) | stats count(*) | stats count(*)': [34, 39, 'at most two stats'],
};

test('mistakes and their place', async () => {
  for (const [query, [at, end, error]] of Object.entries(mistakes)) {
    const res = await skep.call('POST', '/skep/v1/logs/insights', { query, time_range: 60 });
    assert.equal(res.status, 422, query);
    assert.deepEqual(await res.json(), { error, field: 'query', at, ...(end ? { end } : {}) }, query);
    const checked = await skep.json('POST', '/skep/v1/logs/check', { language: 'insights', text: query });
    assert.deepEqual(checked, { ok: false, error, at, end }, query);
  }
  const ok = await skep.json('POST', '/skep/v1/logs/check', { language: 'insights', text: 'filter level = "x" | stats count(*) by bin(5m)', time_range: 7200 });
  assert.deepEqual(ok.steps, ['filter level = "x": by the store', 'stats count(*) by bin(5m): by the store']);
  // What stages compute and filter for stats the store computes; else what only looks at stored fields goes down over what computes others.
  const over = await skep.json('POST', '/skep/v1/logs/check', { language: 'insights', text: 'parse @message "user=* " as u | filter level = "ERROR" and u > 3 | stats count(*) by u', time_range: 7200 });
  assert.deepEqual(over.steps.map((t) => t.slice(t.lastIndexOf(':') + 2)), ['by the store', 'by the store', 'by the store']);
  const rows = await skep.json('POST', '/skep/v1/logs/check', { language: 'insights', text: 'parse @message "user=* " as u | filter level = "ERROR" and u > 3 | stats earliest(u)', time_range: 7200 });
  assert.deepEqual(rows.steps.map((t) => t.slice(t.lastIndexOf(':') + 2)), ['row by row', 'in part by the store', 'row by row']);
  const stream = await skep.json('POST', '/skep/v1/logs/check', { language: 'insights', text: 'filter @logStream = "default" and @logStream like "fau" and severity not like "x" | stats count(*)', time_range: 7200 });
  assert.deepEqual(stream.steps.map((t) => t.slice(t.lastIndexOf(':') + 2)), ['by the store', 'by the store']);
  const pattern = await skep.json('POST', '/skep/v1/logs/check', { language: 'pattern', text: '[ip, ..., b = 1]' });
  assert.deepEqual(pattern, { ok: true, language: 'pattern', kind: 'fields', fields: ['ip', '...', 'b'] });
});

test('the language itself', async () => {
  const l = await skep.json('GET', '/skep/v1/logs/language');
  for (const name of ['fields', 'display', 'filter', 'stats', 'sort', 'limit', 'parse', 'dedup', 'pattern', 'unnest', 'SOURCE']) assert.ok(l.commands.some((c) => c.name === name && c.syntax && c.text), name);
  for (const f of l.functions) assert.ok(f.name && f.signature && f.text && f.family, JSON.stringify(f));
  assert.ok(l.functions.length > 70 && l.fields.some((f) => f.name === '@message') && l.patterns.length > 5);
});

// --- CloudWatch Logs' API, by AWS's own SDK ------------------------------------------------------

test('the SDK: start, poll, read, list, stop', { timeout: 300000 }, async () => {
  const L = createRequire(join(root, 'tests/clients/node/package.json'))('@aws-sdk/client-cloudwatch-logs');
  const client = new L.CloudWatchLogsClient({ endpoint: skep.url, region: 'eu-west-1', credentials: { accessKeyId: 'AKID', secretAccessKey: 'secret' } });
  const send = (name, input) => client.send(new L[`${name}Command`](input));
  const refused = async (name, input) => send(name, input).then(() => assert.fail(`${name} is taken`), (e) => e);
  const group = 'sdk/lines', now = Date.now(), s = Math.floor(now / 1000);
  await send('CreateLogGroup', { logGroupName: group });
  await send('CreateLogStream', { logGroupName: group, logStreamName: 's1' });
  await send('PutLogEvents', { logGroupName: group, logStreamName: 's1', logEvents: Array.from({ length: 60 }, (_, i) => ({ timestamp: now - 60000 + i * 1000, message: JSON.stringify({ i, level: i % 2 ? 'info' : 'error', severity: 'own', req: { ids: [i] } }) })) });
  const window = { startTime: s - 600, endTime: s + 60 };
  const start = (queryString, more = { logGroupName: group }) => send('StartQuery', { ...window, queryString, ...more });
  const run = async (queryString, more) => {
    const { queryId } = await start(queryString, more);
    return until(`the end of ${queryString}`, async () => {
      const r = await send('GetQueryResults', { queryId });
      return !['Scheduled', 'Running'].includes(r.status) && { queryId, ...r };
    });
  };
  const cells = (r) => r.results.map((row) => Object.fromEntries(row.map((f) => [f.field, f.value])));

  const rows = await run('fields @timestamp, @logStream, @log, i, severity, req.ids.0 as id, absent | filter level = "error" | sort i desc | limit 2');
  assert.equal(rows.status, 'Complete');
  assert.deepEqual(rows.results[0].slice(0, 6).map((f) => f.field), ['@timestamp', '@logStream', '@log', 'i', 'severity', 'id']);
  const [first, second] = cells(rows);
  assert.deepEqual([first['@timestamp'], first['@logStream'], first['@log'], first.i, first.severity, first.id, first.absent], [stamp(now - 2000), 's1', `000000000000:${group}`, '58', 'own', '58', undefined]);
  assert.equal(second.i, '56');
  assert.deepEqual([rows.statistics.recordsMatched, rows.statistics.recordsScanned, rows.statistics.logGroupsScanned], [30, 60, 1]);
  const { logRecord } = await send('GetLogRecord', { logRecordPointer: first['@ptr'] });
  assert.equal(JSON.parse(logRecord['@message']).i, 58);

  const counted = await run('stats count(*) as n, max(i) by level | sort level', { logGroupIdentifiers: [`arn:aws:logs:eu-west-1:000000000000:log-group:${group}:*`] });
  assert.deepEqual(cells(counted), [{ level: 'error', n: '30', 'max(i)': '58' }, { level: 'info', n: '30', 'max(i)': '59' }]);
  assert.equal((await run('SOURCE logGroups(namePrefix: ["sdk/"]) | stats count(*) as n', {})).results[0][0].value, '60');

  // Pages of the answer.
  const all = await run('fields i | sort i');
  let page = await send('GetQueryResults', { queryId: all.queryId, maxItems: 25 });
  const seen = cells(page).map((r) => Number(r.i));
  while (page.nextToken) {
    page = await send('GetQueryResults', { queryId: all.queryId, maxItems: 25, nextToken: page.nextToken });
    seen.push(...cells(page).map((r) => Number(r.i)));
  }
  assert.deepEqual(seen, Array.from({ length: 60 }, (_, i) => i));

  const described = await send('DescribeQueries', { logGroupName: group, status: 'Complete' });
  assert.deepEqual(described.queries.map((q) => q.queryId).includes(all.queryId), true);
  assert.deepEqual((await send('DescribeQueries', { logGroupName: 'other' })).queries, []);
  const { logGroupIdentifiers } = await send('ListLogGroupsForQuery', { queryId: all.queryId });
  assert.deepEqual(logGroupIdentifiers, [group]);
  assert.equal((await refused('StopQuery', { queryId: all.queryId })).name, 'InvalidParameterException');

  const wrong = await refused('StartQuery', { ...window, logGroupName: group, queryString: 'fields é | nope' });
  assert.deepEqual([wrong.name, wrong.message, wrong.queryCompileError], ['MalformedQueryException', 'nope is no command', { location: { startCharOffset: 11, endCharOffset: 15 }, message: 'nope is no command' }]);
  assert.equal((await refused('StartQuery', { ...window, logGroupName: 'none', queryString: 'fields i' })).message, "Log group 'none' does not exist for account ID '000000000000'");
  assert.equal((await refused('StartQuery', { ...window, queryString: 'fields i' })).name, 'InvalidParameterException');
  assert.equal((await refused('StartQuery', { startTime: 5, endTime: 4, logGroupName: group, queryString: 'fields i' })).message, 'End time should not be before start time.');
  assert.equal((await refused('StartQuery', { ...window, logGroupName: group, queryString: 'SELECT 1', queryLanguage: 'SQL' })).name, 'InvalidParameterException');
  assert.equal((await refused('GetQueryResults', { queryId: 'none' })).name, 'ResourceNotFoundException');

  const { logGroupFields } = await send('GetLogGroupFields', { logGroupName: group });
  const share = Object.fromEntries(logGroupFields.map((f) => [f.name, f.percent]));
  assert.deepEqual([share['@timestamp'], share['@message'], share['@logStream'], share.level, share.severity], [100, 100, 100, 100, 100]);
  assert.equal(share['meta.kind'], undefined);

  const { queryDefinitionId } = await send('PutQueryDefinition', { name: 'team/errors', queryString: 'filter level = "error"', logGroupNames: [group] });
  await send('PutQueryDefinition', { queryDefinitionId, name: 'team/all errors', queryString: 'filter level = "error" | limit 5', logGroupNames: [group] });
  await send('PutQueryDefinition', { name: 'other', queryString: 'fields i' });
  const { queryDefinitions } = await send('DescribeQueryDefinitions', { queryDefinitionNamePrefix: 'team/' });
  assert.deepEqual(queryDefinitions.map((d) => [d.queryDefinitionId, d.name, d.queryString, d.logGroupNames]), [[queryDefinitionId, 'team/all errors', 'filter level = "error" | limit 5', [group]]]);
  assert.equal((await send('DeleteQueryDefinition', { queryDefinitionId })).success, true);
  assert.equal((await refused('DeleteQueryDefinition', { queryDefinitionId })).name, 'ResourceNotFoundException');
  assert.equal((await refused('PutQueryDefinition', { queryDefinitionId, name: 'x', queryString: 'fields i' })).name, 'ResourceNotFoundException');
});
