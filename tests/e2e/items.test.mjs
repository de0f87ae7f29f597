// SPDX-License-Identifier: Apache-2.0
// The errors inbox: items made of occurrences of every wire, counted once, over restarts; what people do
// with them; why an occurrence is where it is.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { Skep, until } from './support.mjs';

const dir = mkdtempSync(join(tmpdir(), 'skep-e2e-'));
let skep;
before(async () => {
  skep = await Skep.start({ dir });
});
after(async () => {
  await skep.done();
  rmSync(dir, { recursive: true, force: true });
});

const frames = [
  { filename: '/usr/lib/python3/dist-packages/flask/app.py', lineno: 2525, method: 'wsgi_app' },
  { filename: '/srv/shop/cart.py', lineno: 30, method: 'total', code: 'return 1/0' },
];
let n = 0;
async function rollbar(data, body) {
  n += 1;
  const r = await skep.call('POST', '/api/1/item/', {
    data: { uuid: `u-${n}`, environment: 'production', language: 'python', server: { root: '/srv/shop', host: `h${n % 2}` }, body, ...data },
  });
  assert.equal(r.status, 200);
}
const zero = (more = {}) => rollbar(more, { trace: { frames, exception: { class: 'ZeroDivisionError', message: `division by zero ${n}` } } });

const trace = `Traceback (most recent call last):
  File "/usr/lib/python3/dist-packages/flask/app.py", line 1, in wsgi_app
    x
  File "/srv/shop/cart.py", line 31, in total
    return 1/0
ZeroDivisionError: division by zero
`;
async function otlp() {
  const now = `${BigInt(Date.now()) * 1000000n}`;
  const text = (key, stringValue) => ({ key, value: { stringValue } });
  const r = await skep.call('POST', '/v1/traces', {
    resourceSpans: [{
      resource: { attributes: [text('service.name', 'shop'), text('deployment.environment.name', 'production')] },
      scopeSpans: [{ spans: [{
        traceId: '0102030405060708090a0b0c0d0e0f10', spanId: '0102030405060708', name: 'GET /cart', kind: 2, startTimeUnixNano: now, endTimeUnixNano: now,
        events: [{ name: 'exception', timeUnixNano: now, attributes: [text('exception.type', 'ZeroDivisionError'), text('exception.message', 'division by zero'), text('exception.stacktrace', trace)] }],
      }] }],
    }],
  });
  assert.equal(r.status, 200);
}

const list = (query = '') => skep.json('GET', `/skep/v1/items?${query}`);
const find = async (title, stage = 'production') => (await list()).items.find((i) => i.title.startsWith(title) && i.stage === stage);
const patch = (ids, change) => skep.json('PATCH', '/skep/v1/items', { ids, ...change });

test('occurrences of two wires are one item, seen by the next question', async () => {
  await zero({ person: { id: 'ann' } });
  await zero({ person: { id: 'bob' } });
  await otlp();
  const all = await list();
  assert.equal(all.total, 1);
  const [item] = all.items;
  assert.equal(item.title, 'ZeroDivisionError: division by zero 0');
  assert.equal(item.culprit, '/srv/shop/cart.py in total');
  assert.equal(item.stage, 'production');
  assert.equal(item.status, 'active');
  assert.equal(item.level, 'error');
  assert.equal(item.total, 3);
  assert.deepEqual([item.range.count, item.range.users, item.range.hosts], [3, 2, 2]);
  assert.equal(item.range.series.reduce((a, b) => a + b, 0), 3);
  assert.deepEqual(all.counts, { active: 1, resolved: 0, muted: 0 });
});

test('another class, another stage, a message: items of their own', async () => {
  await rollbar({}, { trace: { frames, exception: { class: 'KeyError', message: 'x' } } });
  await zero({ environment: 'staging' });
  await rollbar({ level: 'warning' }, { message: { body: 'disk is 91 % full' } });
  await rollbar({ level: 'warning' }, { message: { body: 'disk is 95 % full' } });
  const all = await list();
  assert.equal(all.total, 4);
  assert.equal(all.items.find((i) => i.title.startsWith('disk')).total, 2);
  assert.equal((await list('level=error')).total, 3);
  assert.equal((await list('stage=staging')).total, 1);
  assert.equal((await list('words=cart+KEYERROR')).total, 1);
  assert.equal((await list('words=nothing+like+it')).total, 0);
  assert.equal((await list('order=total&limit=1')).items[0].total, 3);
  assert.deepEqual(all.items.map((i) => i.counter).sort(), [1, 2, 3, 4]);
});

test('resolved, and back when it happens again; not by an older version', async () => {
  const { id } = await find('ZeroDivisionError');
  await patch([id], { status: 'resolved', resolved_in: '1.10' });
  await zero({ code_version: '1.9' });
  assert.equal((await skep.json('GET', `/skep/v1/items/${id}`)).status, 'resolved');
  await zero({ code_version: '1.10' });
  const item = await skep.json('GET', `/skep/v1/items/${id}`);
  assert.equal(item.status, 'active');
  assert.equal(item.since_activated, 1);
  assert.equal(item.last_version, '1.10');
  assert.deepEqual(item.history.map((l) => l.what), ['reactivated', 'resolved in', 'status', 'new']);
});

test('muted until it happened so often', async () => {
  const { id } = await find('KeyError');
  await patch([id], { status: 'muted', mute_for_count: 2 });
  const again = () => rollbar({}, { trace: { frames, exception: { class: 'KeyError', message: 'x' } } });
  await again();
  assert.equal((await skep.json('GET', `/skep/v1/items/${id}`)).status, 'muted');
  await again();
  assert.equal((await skep.json('GET', `/skep/v1/items/${id}`)).status, 'active');
});

test('owner, level, title, comment, several at once', async () => {
  const { items } = await list();
  assert.equal((await patch(items.map((i) => i.id), { owner: 'ann' })).changed, items.length);
  assert.equal((await list('owner=ann')).total, items.length);
  assert.equal((await list('owner=-')).total, 0);
  const { id } = items[0];
  await patch([id], { level: 'critical', title: 'The cart breaks', owner: '' });
  await skep.json('POST', `/skep/v1/items/${id}/comments`, { text: 'since the last deploy' });
  const item = await skep.json('GET', `/skep/v1/items/${id}`);
  assert.deepEqual([item.level, item.title, item.owner], ['critical', 'The cart breaks', undefined]);
  assert.equal(item.history[0].after, 'since the last deploy');
});

test('merged: counts and new occurrences go to the other; split again', async () => {
  const into = await find('ZeroDivisionError');
  const member = (await list()).items.find((i) => i.title.startsWith('KeyError') || i.title === 'The cart breaks');
  await skep.json('POST', `/skep/v1/items/${member.id}/merge`, { into: into.id });
  const merged = await skep.json('GET', `/skep/v1/items/${into.id}`);
  assert.equal(merged.total, into.total + member.total);
  assert.equal(merged.range.count, into.range.count + member.range.count);
  assert.deepEqual(merged.members.map((m) => m.id), [member.id]);
  assert.deepEqual([into.range.hosts, member.range.hosts, merged.range.hosts], [2, 2, 2]); // the same two: not four
  assert.equal((await list()).items.some((i) => i.id === member.id), false);
  await skep.json('POST', `/skep/v1/items/${member.id}/merge`, { into: 0 });
  assert.equal((await skep.json('GET', `/skep/v1/items/${into.id}`)).total, into.total);
});

test('items and counts stand over a restart, and nothing is counted twice', async () => {
  const before = (await list('order=first')).items.map(({ id, total, status, owner, title }) => ({ id, total, status, owner, title }));
  await skep.stop();
  skep = await Skep.start({ dir });
  const now = (await list('order=first')).items.map(({ id, total, status, owner, title }) => ({ id, total, status, owner, title }));
  assert.deepEqual(now, before);
});

test('why: frames, which are own, what was hashed', async () => {
  await otlp();
  const rows = await skep.json('POST', '/skep/v1/rows', {
    start_time: 0, end_time: Math.ceil(Date.now() / 1000) + 60, filters: [{ column: 'exception.type', op: '=', value: 'ZeroDivisionError' }, { column: 'error.fingerprint', op: 'exists' }], limit: 20,
  });
  const why = new Set();
  for (const row of rows.rows) {
    const s = await skep.json('GET', `/skep/v1/stack/${row.id}`);
    assert.equal(s.exceptions[0].frames.at(-1).function, 'total');
    assert.deepEqual(s.exceptions[0].frames.map((f) => f.own), [false, true]);
    assert.equal(s.fingerprint, s.computed);
    why.add(s.why);
  }
  assert.ok(rows.rows.some((r) => r.kind === 'span_event') && rows.rows.some((r) => r.kind === 'error'));
  assert.deepEqual([...why], ['shop/cart.py|total\nZeroDivisionError\n']);
});

// An answer waits 0.3 s for what was acknowledged before it; a busy machine may need longer.
async function soon(read, want) {
  let have;
  await until('the inbox', async () => isDeepStrictEqual(have = await read(), want)).catch(() => {});
  assert.deepEqual(have, want);
}

// The same exception by OpenTelemetry and by Rollbar: of a trace, or of a process.
const base_s = Math.floor(Date.now() / 1000) - 60; // one moment: seconds between requests are no seconds between occurrences
const at = (s = 0) => BigInt(base_s + s) * 1000000000n;
const text = (key, stringValue) => ({ key, value: { stringValue } });
const pairs = `Traceback (most recent call last):
  File "/srv/shop/pairs.py", line 31, in both
    return self.x
LookupError: gone
`;
const fields = [text('exception.type', 'LookupError'), text('exception.message', 'gone'), text('exception.stacktrace', pairs)];
const resource = (pid) => ({ attributes: [text('service.name', 'shop'), text('deployment.environment.name', 'pairs'), ...(pid ? [text('host.name', 'h7'), { key: 'process.pid', value: { intValue: `${pid}` } }] : [])] });
const byTrace = async (traceId) => assert.equal((await skep.call('POST', '/v1/traces', {
  resourceSpans: [{ resource: resource(0), scopeSpans: [{ spans: [{ traceId, spanId: '0102030405060708', name: 'GET /both', kind: 2, startTimeUnixNano: `${at()}`, endTimeUnixNano: `${at(1)}`, events: [{ name: 'exception', timeUnixNano: `${at()}`, attributes: fields }] }] }] }],
})).status, 200);
const byLog = async (traceId, pid, s = 0) => assert.equal((await skep.call('POST', '/v1/logs', {
  resourceLogs: [{ resource: resource(pid), scopeLogs: [{ logRecords: [{ ...(traceId && { traceId }), timeUnixNano: `${at(s)}`, severityNumber: 17, body: { stringValue: 'failed' }, attributes: fields }] }] }],
})).status, 200);
const byRollbar = (trace_id, pid, s = 0) => rollbar({ environment: 'pairs', timestamp: Number(at(s) / 1000000000n), server: { root: '/srv/shop', ...(pid && { host: 'h7', pid }) }, ...(trace_id && { custom: { trace_id } }) }, { trace: { frames: [{ filename: '/srv/shop/pairs.py', lineno: 9, method: 'both' }], exception: { class: 'LookupError', message: 'gone' } } });
const pairsItem = () => find('LookupError', 'pairs');

test('one exception that several wires report is one occurrence, whichever comes first, over a restart', async () => {
  const [t1, t2, t3] = ['11', '22', '33'].map((x) => x.repeat(16));
  await byTrace(t1);
  await byRollbar(t1);
  await byLog(t1);
  await byRollbar(t2); // the other way round, and the server starts anew between
  await skep.stop();
  skep = await Skep.start({ dir });
  await byTrace(t2);
  await byRollbar(t3); // another trace
  const numbers = async () => { const i = await pairsItem(); return i && [i.total, i.range.count, i.range.twins]; };
  await soon(numbers, [3, 3, 3]);
  const i = await pairsItem();
  assert.equal(i.range.series.reduce((a, b) => a + b, 0), 3);
  await byLog(null, 41);
  await byRollbar(null, 41, 1); // the same process a second later
  await byRollbar(null, 42); // another process
  await byRollbar(null, 41, 9); // later
  await soon(numbers, [6, 6, 4]);
  // What counts elsewhere counts the same: of an occurrence RQL sees Rollbar's report where there is one.
  const api = async (method, path, body) => (await skep.json(method, `/api/1${path}`, body)).result;
  const sum = (list) => list.reduce((a, [, c]) => a + c, 0);
  for (const query of ['environments=pairs', 'environments=pairs,nowhere', `item_id=${i.id}`])
    assert.equal(sum(await api('GET', `/reports/occurrence_counts?bucket_size=86400&buckets=3&${query}`)), 6, query);
  assert.equal((await api('GET', '/reports/top_active_items?environments=pairs'))[0].counts.reduce((a, b) => a + b, 0), 6);
  const job = await api('POST', '/rql/jobs', { query_string: "SELECT count(*), count_distinct(uuid), count(uuid) FROM item_occurrence WHERE environment = 'pairs' AND item.id = " + i.id });
  const { rows: counted } = await until('the answer', async () => { const r = await api('GET', `/rql/job/${job.id}/result`); return r.status === 'success' && r.result; });
  assert.deepEqual(counted, [[6, 6, 6]]);
  // Both reports stay rows, and each says which others there are.
  const { rows } = await skep.json('POST', '/skep/v1/rows', {
    start_time: 0, end_time: Math.ceil(Date.now() / 1000) + 60, filters: [{ column: 'exception.type', op: '=', value: 'LookupError' }, { column: 'error.fingerprint', op: 'exists' }, { column: 'trace.trace_id', op: '=', value: t1 }], columns: ['meta.source'], limit: 20,
  });
  assert.equal(rows.length, 3);
  for (const row of rows) {
    const { also } = await skep.json('GET', `/skep/v1/stack/${row.id}`);
    assert.deepEqual(also.map((a) => a.row).sort(), rows.map((r) => r.id).filter((id) => id !== row.id).sort());
  }
  const kinds = (await skep.json('GET', `/skep/v1/stack/${rows.find((r) => r.kind === 'span_event').id}`)).also.map((a) => `${a.source} ${a.kind}`).sort();
  assert.deepEqual(kinds, ['otlp log', 'rollbar error']);
});

test('deploys: what is new with one, what came back, and which one an error came with', async () => {
  const deploy = async (revision, ago_s, more = {}) => {
    const r = await skep.json('POST', '/api/1/deploy/', { environment: 'deploys', revision, local_username: 'ann', ...more });
    return [r.data.deploy_id, ago_s];
  };
  const broken = (method, version, more = {}) => rollbar({ environment: 'deploys', ...(version && { code_version: version }), ...more }, { trace: { frames: [{ filename: '/srv/shop/d.py', lineno: 1, method }], exception: { class: 'DeployError', message: 'x' } } });
  await broken('old'); // before any deploy
  const [one] = await deploy('1111111aaaa');
  await broken('first');
  const [two] = await deploy('2222222bbbb');
  await deploy('3333333cccc', 0, { status: 'failed' }); // ran nothing
  await broken('second', '1111111'); // a machine that still runs the first
  await broken('third');
  const find = async (method, q = '') => (await list(`stage=deploys&${q}`)).items.find((i) => i.culprit.endsWith(method));
  await soon(async () => (await list('stage=deploys')).total, 4);
  assert.equal((await find('old')).suspect, undefined);
  const [first, second, third] = [await find('first'), await find('second'), await find('third')];
  assert.deepEqual([first.suspect.id, first.suspect.by, first.suspect.user], [one, 'time', 'ann']);
  assert.deepEqual([second.suspect.id, second.suspect.by], [one, 'version']);
  assert.deepEqual([third.suspect.id, third.suspect.by, third.back_in], [two, 'time', undefined]);
  await patch([first.id], { status: 'resolved' });
  await broken('first');
  await soon(async () => (await skep.json('GET', `/skep/v1/items/${first.id}`)).back_in?.id, two);
  const again = await skep.json('GET', `/skep/v1/items/${first.id}`);
  assert.deepEqual([again.suspect.id, again.back_in.id, again.back_in.revision], [one, two, '2222222bbbb']);
  const { deploys } = await skep.json('GET', '/skep/v1/deploys?stage=deploys');
  assert.deepEqual(deploys.map((d) => [d.revision.slice(0, 1), d.new, d.back]), [['3', 2, 1], ['2', 2, 1], ['1', 1, 0]]);
  assert.deepEqual((await list(`deploy=${two}&order=first`)).items.map((i) => i.id), [third.id, second.id]);
  assert.deepEqual((await list(`deploy=${two}&since=back`)).items.map((i) => i.id), [first.id]);
});

// Rules about grouping: what comes after them is grouped by them.
const api = (code, more = {}) => rollbar({ environment: 'rules', custom: { code }, ...more }, {
  trace: { frames: [{ filename: '/srv/shop/pay.py', lineno: 3, method: 'charge' }, { filename: '/srv/shop/client.py', lineno: 9, method: 'call' }], exception: { class: 'ApiError', message: `code ${code}` } },
});
const apiLog = async (code) => assert.equal((await skep.call('POST', '/v1/logs', {
  resourceLogs: [{ resource: { attributes: [text('service.name', 'shop'), text('deployment.environment.name', 'rules')] }, scopeLogs: [{ logRecords: [{ timeUnixNano: `${at()}`, severityNumber: 17, body: { stringValue: 'failed' }, attributes: [text('exception.type', 'ApiError'), text('exception.message', `code ${code}`), { key: 'custom.code', value: { intValue: `${code}` } }] }] }] }],
})).status, 200);
const ofRules = async () => (await list('stage=rules&order=first')).items.map((i) => [i.title, i.total, i.fingerprint]).sort();
const rule = (change) => ({ name: 'payments', conditions: [{ field: 'class', op: 'is', value: 'ApiError' }, { field: 'message', op: 'matches', value: '^code [0-9]' }], fingerprint: 'pay {{ custom.code }}', title: 'Payment refused: {{ custom.code }}', ...change });

test('a rule groups what comes after it, of every wire; a preview says what it would do', async () => {
  await api(1);
  await api(2);
  await soon(async () => (await ofRules()).map((i) => i.slice(0, 2)), [['ApiError: code 1', 2]]);
  const preview = await skep.json('POST', '/skep/v1/grouping-rules/preview', { rule: rule() });
  assert.equal(preview.held, 2);
  assert.deepEqual(preview.groups.map((g) => [g.fingerprint, g.title, g.count, g.from.length]).sort(), [['pay 1', 'Payment refused: 1', 1, 1], ['pay 2', 'Payment refused: 2', 1, 1]]);
  const r = await skep.call('POST', '/skep/v1/grouping-rules', rule());
  assert.equal(r.status, 201);
  const { id } = await r.json();
  await api(1, { fingerprint: 'of-the-sender' }); // a rule stands over what the sender says
  await api(2);
  await apiLog(2);
  await soon(async () => (await ofRules()).slice(1), [['Payment refused: 1', 1, 'pay 1'], ['Payment refused: 2', 2, 'pay 2']]);
  assert.equal((await ofRules())[0][1], 2);
  const ruled = (await list('stage=rules')).items.find((i) => i.fingerprint === 'pay 1');
  const why = await skep.json('GET', `/skep/v1/stack/${ruled.last_row}`);
  assert.deepEqual(why.rule, { id, name: 'payments' });
  // Over a restart, and for another rule in its place.
  await skep.stop();
  skep = await Skep.start({ dir });
  await api(2);
  await soon(async () => (await ofRules()).find((i) => i[2] === 'pay 2')[1], 3);
  await skep.json('PUT', `/skep/v1/grouping-rules/${id}`, rule({ fingerprint: 'all of it', title: '' }));
  await api(9);
  await soon(async () => (await ofRules()).find((i) => i[2] === 'all of it')?.[0], 'ApiError: code 9');
  await skep.json('DELETE', `/skep/v1/grouping-rules/${id}`);
  await api(3);
  await soon(async () => (await ofRules())[0][1], 3);
});

test('a rule leaves frames out; the first of several rules counts', async () => {
  const out = { name: 'not the client', conditions: [{ field: 'frame', op: 'contains', value: 'client.py' }], ignore_frames: true };
  const { id } = await (await skep.call('POST', '/skep/v1/grouping-rules', out)).json();
  await api(4);
  await soon(async () => (await list('stage=rules&order=first')).items[0].culprit, '/srv/shop/pay.py in charge');
  const item = (await list('stage=rules&order=first')).items[0];
  const title = { name: 'title alone', conditions: [{ field: 'frame', op: 'ends-with', value: 'in charge' }], title: 'Charging' };
  const late = await (await skep.call('POST', '/skep/v1/grouping-rules', { ...title, name: 'later', title: 'Too late' })).json();
  const first = await (await skep.call('POST', '/skep/v1/grouping-rules', title)).json();
  await skep.json('POST', '/skep/v1/grouping-rules/order', { ids: [first.id, late.id] });
  assert.deepEqual((await skep.json('GET', '/skep/v1/grouping-rules')).rules.map((r) => r.name), ['title alone', 'later', 'not the client']);
  await patch([item.id], { status: 'resolved' }); // an item's title is taken anew when it is back
  await api(5);
  await soon(async () => (await skep.json('GET', `/skep/v1/items/${item.id}`)).title, 'Charging');
  for (const r of [id, late.id, first.id]) await skep.json('DELETE', `/skep/v1/grouping-rules/${r}`);
});

test('an item is split by a field', async () => {
  const item = (await list('stage=rules')).items.find((i) => i.total === 3 && i.title === 'ApiError: code 1');
  const r = await skep.call('POST', `/skep/v1/items/${item.id}/split`, { by: ['custom.code'] });
  assert.equal(r.status, 201);
  const before = (await ofRules()).length;
  await api(6);
  await api(7);
  await api(7);
  await soon(async () => (await ofRules()).length, before + 2);
  assert.equal((await skep.json('GET', `/skep/v1/items/${item.id}`)).history[0].after, 'Split by custom.code: what comes from now on is parted');
  await skep.json('DELETE', `/skep/v1/grouping-rules/${(await r.json()).id}`);
});

test('wrong rules say what and where', async () => {
  const cases = [
    [{}, 'name'], [rule({ name: 'x'.repeat(101) }), 'name'], [rule({ conditions: [] }), 'conditions'], [rule({ fingerprint: '', title: '' }), 'fingerprint'],
    [rule({ conditions: [{ field: 'class', op: 'like', value: 'x' }] }), 'op'], [rule({ conditions: [{ op: 'is', value: 'x' }] }), 'field'],
    [rule({ conditions: [{ field: 'class', op: 'matches', value: '(' }] }), 'value'], [rule({ ignore_frames: true }), 'ignore_frames'], [rule({ ignore_frames: 1 }), 'ignore_frames'],
    [rule({ fingerprint: undefined, title: undefined, ignore_frames: true }), 'conditions'], [rule({ title: 'x'.repeat(1001) }), 'title'],
  ];
  for (const [body, field] of cases) {
    for (const [path, sent] of [['/skep/v1/grouping-rules', body], ['/skep/v1/grouping-rules/preview', { rule: body }]]) {
      const r = await skep.call('POST', path, sent);
      assert.equal(r.status, 400, JSON.stringify(body));
      assert.equal((await r.json()).field, field, JSON.stringify(body));
    }
  }
  assert.equal((await skep.call('PUT', '/skep/v1/grouping-rules/999', rule())).status, 404);
  assert.equal((await skep.call('DELETE', '/skep/v1/grouping-rules/999')).status, 404);
  assert.equal((await skep.call('POST', '/skep/v1/grouping-rules/order', { ids: [999] })).status, 404);
  assert.equal((await skep.call('POST', '/skep/v1/items/1/split', { by: [] })).status, 400);
  assert.equal((await skep.call('POST', '/skep/v1/items/999/split', { by: ['x'] })).status, 404);
  for (let i = 0; i < 100; i++) assert.equal((await skep.call('POST', '/skep/v1/grouping-rules', rule({ name: `r${i}` }))).status, 201);
  assert.ok((await skep.call('POST', '/skep/v1/grouping-rules', rule())).status >= 400);
});

test('wrong questions say what and where', async () => {
  const cases = [
    ['GET', '/skep/v1/items?status=gone', undefined, 400, 'status'],
    ['GET', '/skep/v1/items?level=7', undefined, 400, 'level'],
    ['GET', '/skep/v1/items?order=x', undefined, 400, 'order'],
    ['GET', '/skep/v1/items?limit=-1', undefined, 400, 'limit'],
    ['GET', '/skep/v1/items?start_time=10&end_time=5', undefined, 400, 'start_time'],
    ['GET', '/skep/v1/items?deploy=999', undefined, 400, 'deploy'],
    ['GET', '/skep/v1/items?since=x', undefined, 400, 'since'],
    ['GET', '/skep/v1/deploys?limit=0', undefined, 400, 'limit'],
    ['GET', '/skep/v1/items/999', undefined, 404, undefined],
    ['GET', '/skep/v1/items/x', undefined, 404, undefined],
    ['GET', '/skep/v1/stack/9999-9', undefined, 404, undefined],
    ['PATCH', '/skep/v1/items', {}, 400, 'ids'],
    ['PATCH', '/skep/v1/items', { ids: [1], status: 'x' }, 400, 'status'],
    ['PATCH', '/skep/v1/items', { ids: [1], title: '' }, 400, 'title'],
    ['PATCH', '/skep/v1/items', { ids: [999], status: 'muted' }, 404, undefined],
    ['POST', '/skep/v1/items/1/comments', { text: ' ' }, 400, 'text'],
    ['POST', '/skep/v1/items/1/merge', { into: 1 }, 400, undefined],
    ['POST', '/skep/v1/items/1/merge', { into: 'x' }, 400, 'into'],
  ];
  for (const [method, path, body, status, field] of cases) {
    const r = await skep.call(method, path, body);
    assert.equal(r.status, status, `${method} ${path}`);
    const answer = await r.json();
    assert.ok(answer.error, path);
    assert.equal(answer.field, field, path);
  }
});

test('a search: words, fields of items and of occurrences, what is not', async () => {
  const one = async (q, more = '') => (await list(`q=${encodeURIComponent(q)}&time_range=86400${more}`)).items.map((i) => i.title).sort();
  const send = (kind, data) => rollbar(data, { trace: { frames: [{ filename: `/srv/find/${kind}.py`, lineno: 1, method: 'find' }], exception: { class: kind, message: `search for ${kind}` } } });
  await send('FindA', { environment: 'find', level: 'critical', code_version: '7.1', person: { id: 42, email: 'ann@example.com' }, server: { host: 'find-1' }, custom: { order: 17 } });
  await send('FindA', { environment: 'find', level: 'critical', code_version: '7.2', person: { id: 43 }, server: { host: 'find-2' } });
  await send('FindB', { environment: 'find', level: 'warning', code_version: '7.2', server: { host: 'find-2' }, custom: { order: 18, 'http.route': '/a:b' } });
  const [A, B] = ['FindA: search for FindA', 'FindB: search for FindB'];
  const cases = {
    'env:find': [A, B], 'environment:find search': [A, B], '"search for findb"': [B], 'env:find -FindB': [A], 'env:find level:critical': [A], 'env:find level:>=warning': [A, B],
    'env:find -level:critical': [B], 'env:find level:info,warning': [B], 'class:finda': [A], 'file:findb.py': [B], 'env:find -file:findb.py': [A],
    'host:find-1': [A], 'host:find-*': [A, B], 'host:*-2 version:7.2': [A, B], 'host:find-1 version:7.2': [], 'person:42': [A], 'email:ann@example.com': [A], 'env:find -host:find-1': [B],
    'custom.order:17': [A], 'custom.order:17,18': [A, B], 'custom.http.route:"/a:b"': [B], 'env:find status:muted': [], 'env:find -status:muted': [A, B], 'env:find owner:none': [A, B],
    'env:find level:info -level:info': [], 'env:find person:*': [A], 'env:FIND': [A, B],
  };
  for (const [q, want] of Object.entries(cases)) assert.deepEqual(await one(q), want, q);
  assert.deepEqual(await one('env:find', '&status=active&level=error'), [A], 'beside the other parameters');
  for (const [q, at] of [['env:find level:loud', 9], ['status:x', 0], ['host:', 0], ['env:find "open', 9]]) {
    const r = await skep.call('GET', `/skep/v1/items?q=${encodeURIComponent(q)}`);
    const says = await r.json();
    assert.deepEqual([r.status, says.field, says.at], [400, 'q', at], q);
  }
  assert.equal((await skep.call('GET', `/skep/v1/items?q=${'x%20'.repeat(60)}`)).status, 400);
});
