// SPDX-License-Identifier: Apache-2.0
// RQL: jobs as Rollbar has them; what a question answers, beside the same counted here; what is refused, and where.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Skep, until } from './support.mjs';

let skep;
const now = Math.floor(Date.now() / 1000);
const SENT = [];
before(async () => {
  skep = await Skep.start();
  for (let i = 0; i < 24; i++) {
    const d = {
      timestamp: now - i * 60, environment: i % 4 === 0 ? 'staging' : 'production', level: i % 3 === 0 ? 'critical' : 'error', language: 'python', code_version: `1.${i % 2}`, uuid: `rql-${i}`,
      server: { host: `web${i % 3}` }, person: { id: String(i % 5), username: `user ${i % 5}` }, custom: { order: i, total: i * 1.5, cart: { kind: i % 2 ? 'a' : 'b' } }, request: { url: `https://shop/cart/${i % 2}` },
      body: i % 6 === 5 ? { message: { body: 'disk is full' } } : { trace: { exception: { class: i % 2 ? 'ValueError' : 'KeyError', message: `no user ${i}` }, frames: [{ filename: '/srv/app.py', lineno: 7, method: i % 2 ? 'pay' : 'cart' }] } },
    };
    SENT.push(d);
    assert.equal((await skep.call('POST', '/api/1/item/', { data: d })).status, 200);
  }
});
after(() => skep.done());

const api = async (method, path, body) => {
  const r = await skep.call(method, `/api/1${path}`, body);
  return { status: r.status, ...(await r.json()) };
};
async function ask(query) {
  const made = await api('POST', '/rql/jobs', { query_string: query, force_refresh: '1' });
  assert.equal(made.err, 0, `${query}: ${made.message}`);
  const done = await until(`the end of ${query}`, async () => {
    const { result } = await api('GET', `/rql/job/${made.result.id}?expand=result`);
    return result.status !== 'running' && result;
  });
  assert.equal(done.status, 'success', `${query}: ${JSON.stringify(done.result)}`);
  return done.result;
}
const rows = async (query) => (await ask(query)).rows;
const kind = (d) => (d.body.message ? 'message' : d.body.trace.exception.class);
const where = (f) => SENT.filter(f);

test('a job: made, running or done, listed, its answer in Rollbar\'s shape', async () => {
  const made = await api('POST', '/rql/jobs', { query_string: 'SELECT count(*) FROM item_occurrence' });
  assert.equal(made.result.status, 'running');
  assert.ok(Math.abs(made.result.date_created - now) < 120);
  const done = await until('the answer', async () => {
    const r = await api('GET', `/rql/job/${made.result.id}/result`);
    return r.result.status === 'success' && r.result;
  });
  assert.deepEqual(done.result.rows, [[24]]);
  assert.deepEqual([done.job_id, done.result.rowcount, done.result.columns, done.result.selectionColumns], [made.result.id, 1, ['count(*)'], ['count(*)']]);
  assert.deepEqual([done.result.errors, done.result.warnings], [[], []]);
  const list = await api('GET', '/rql/jobs');
  assert.equal(list.result.jobs[0].id, made.result.id);
  assert.equal((await api('GET', '/rql/job/99999')).status, 404);
  const over = await api('POST', `/rql/job/${made.result.id}/cancel`, {});
  assert.equal(over.result.status, 'success', 'what is over is not cancelled');
});

test('columns of occurrences, conditions, order and limit', async () => {
  assert.deepEqual(await rows("SELECT uuid, person.id, custom.order FROM item_occurrence WHERE server.host = 'web1' AND custom.order > 10 ORDER BY custom.order"),
    where((d) => d.server.host === 'web1' && d.custom.order > 10).map((d) => [d.uuid, d.person.id, d.custom.order]));
  assert.deepEqual(await rows('SELECT custom.order AS o FROM item_occurrence ORDER BY o DESC LIMIT 2, 3'), [[21], [20], [19]]);
  assert.deepEqual(await rows('SELECT custom.order FROM item_occurrence LIMIT 2'), [[0], [1]], 'the newest first');
  assert.deepEqual(await rows("SELECT timestamp FROM item_occurrence WHERE uuid = 'rql-3'"), [[now - 180]]);
  const one = async (cond) => (await rows(`SELECT count(*) FROM item_occurrence WHERE ${cond}`))[0][0];
  const cases = {
    "level = 'critical'": (d) => d.level === 'critical',
    "level != 'critical' AND environment IN ('staging', 'dev')": (d) => d.level !== 'critical' && d.environment === 'staging',
    "body.trace.exception.message LIKE 'NO user 1%'": (d) => kind(d) !== 'message' && d.custom.order.toString().startsWith('1'),
    "body.trace.exception.message NOT LIKE '%user __'": (d) => kind(d) !== 'message' && d.custom.order < 10,
    'custom.order BETWEEN 5 AND 7 OR custom.order NOT BETWEEN 2 AND 22': (d) => (d.custom.order >= 5 && d.custom.order <= 7) || d.custom.order < 2 || d.custom.order > 22,
    'body.trace.exception.class IS NULL': (d) => kind(d) === 'message',
    "NOT (custom.cart.kind = 'a') AND custom.order % 4 = 0": (d) => d.custom.cart.kind === 'b' && d.custom.order % 4 === 0,
    'custom.order DIV 10 = 1 AND custom.order MOD 2 = 1 AND custom.total / 3 > 6': (d) => Math.trunc(d.custom.order / 10) === 1 && d.custom.order % 2 === 1 && d.custom.total / 3 > 6,
    '`custom.order` + 1 = 2 * 5': (d) => d.custom.order === 9,
    'timestamp > unix_timestamp() - 60 * 10 AND timestamp <= unix_timestamp()': null,
    'nobody.says.this = 1': () => false,
    "nobody.says.this IS NULL": () => true,
  };
  for (const [cond, f] of Object.entries(cases)) {
    if (f) assert.equal(await one(cond), where(f).length, cond);
    else assert.ok(Math.abs((await one(cond)) - 10) <= 1, cond);
  }
});

test('groups, aggregates, functions', async () => {
  const by = (list, f) => Object.entries(Object.groupBy ? Object.groupBy(list, f) : list.reduce((o, d) => ({ ...o, [f(d)]: [...(o[f(d)] ?? []), d] }), {}));
  assert.deepEqual(await rows('SELECT server.host, count(*) AS n, count_distinct(person.id), sum(custom.total), avg(custom.order), min(custom.order), max(custom.order) FROM item_occurrence GROUP BY server.host ORDER BY server.host'),
    by(SENT, (d) => d.server.host).sort().map(([h, l]) => [h, l.length, new Set(l.map((d) => d.person.id)).size, l.reduce((s, d) => s + d.custom.total, 0), l.reduce((s, d) => s + d.custom.order, 0) / l.length, Math.min(...l.map((d) => d.custom.order)), Math.max(...l.map((d) => d.custom.order))]));
  assert.deepEqual(await rows("SELECT concat(code_version, '-', level) AS what, count(*) FROM item_occurrence GROUP BY 1 ORDER BY 2 DESC, what LIMIT 2"),
    by(SENT, (d) => `${d.code_version}-${d.level}`).map(([k, l]) => [k, l.length]).sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, 2));
  assert.deepEqual(await rows("SELECT count(*), count(body.trace.exception.class) FROM item_occurrence WHERE code_version = '1.1'"), [[12, where((d) => d.code_version === '1.1' && kind(d) !== 'message').length]]);
  assert.deepEqual(await rows('SELECT code_version, uuid, count(*) * 2 FROM item_occurrence GROUP BY code_version ORDER BY count(*) DESC, code_version'), [['1.0', 'rql-0', 24], ['1.1', 'rql-1', 24]], 'of a group the latest');
  assert.deepEqual(await rows('SELECT server.host AS h, count(*) AS n FROM item_occurrence GROUP BY h ORDER BY 0 - n, concat(h, \'x\') DESC'), by(SENT, (d) => d.server.host).map(([h, l]) => [h, l.length]).sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? 1 : -1)), 'names of columns in expressions');
  assert.deepEqual(await rows("SELECT upper(server.host), lower('AB'), left('abcdef', 2), right('abcdef', 2), substring('abcdef', 2, 3), substring('abcdef', -2), locate('c', 'abc'), char_length('hé'), length('hé'), concat_ws('/', 'a', null, 'b'), 7 DIV 2, 7 MOD 4, -3 + 5 FROM item_occurrence WHERE uuid = 'rql-1'"),
    [['WEB1', 'ab', 'ab', 'ef', 'bcd', 'ef', 3, 2, 3, 'a/b', 3, 3, 2]]);
});

test('columns of items', async () => {
  const { items } = (await api('GET', '/items/?limit=100')).result;
  const got = await rows('SELECT item.counter, item.title, item.level, item.status, item.environment, item.hash, item.id, count(*) FROM item_occurrence GROUP BY item.counter, item.title, item.level, item.status, item.environment, item.hash, item.id ORDER BY 1');
  assert.deepEqual(got, items.sort((a, b) => a.counter - b.counter).map((i) => [i.counter, i.title, i.level, i.status, i.environment, i.hash, i.id, i.total_occurrences]));
  const [first] = items;
  assert.deepEqual(await rows(`SELECT count(*) FROM item_occurrence WHERE item.id = ${first.id}`), [[first.total_occurrences]]);
  const [[id]] = await rows("SELECT id FROM item_occurrence WHERE uuid = 'rql-2'");
  assert.equal((await api('GET', `/instance/${id}`)).result.data.uuid, 'rql-2');
  const all = await ask('SELECT * FROM item_occurrence LIMIT 1');
  assert.deepEqual(all.columns, ['timestamp', 'item.counter', 'id', 'level', 'environment', 'title', 'code_version']);
});

test('deploys', async () => {
  assert.deepEqual(await rows('SELECT * FROM deploy'), []);
  assert.deepEqual(await rows('SELECT count(*) FROM deploy'), [[0]]);
  const made = [];
  for (let i = 0; i < 450; i++) { // more than are read at a time
    const d = { environment: i % 3 ? 'production' : 'staging', revision: `rev${i}`, local_username: `user ${i % 4}`, status: i % 5 ? 'succeeded' : 'failed', ...(i % 2 && { comment: `number ${i}` }) };
    made.unshift({ ...d, id: (await api('POST', '/deploy/', d)).result.deploy_id });
  }
  const list = (await api('GET', '/deploys/?limit=1000')).result.deploys;
  const all = await ask('SELECT * FROM deploy LIMIT 450');
  assert.deepEqual(all.columns, ['id', 'environment', 'revision', 'comment', 'status', 'local_username', 'start_time', 'finish_time']);
  assert.deepEqual(all.rows, list.map((d) => all.columns.map((c) => d[c])), 'the newest first');
  assert.deepEqual(await rows('SELECT count(*), count(comment), max(id), count_distinct(deploy.local_username) FROM deploy'), [[450, 225, made[0].id, 4]]);
  assert.deepEqual(await rows("SELECT revision, comment FROM deploy WHERE environment = 'staging' AND status != 'failed' ORDER BY id LIMIT 2"),
    made.filter((d) => d.environment === 'staging' && d.status !== 'failed').reverse().slice(0, 2).map((d) => [d.revision, d.comment ?? null]));
  assert.deepEqual(await rows('SELECT environment, count(*) AS n FROM deploy WHERE timestamp > unix_timestamp() - 3600 GROUP BY environment ORDER BY n DESC'), [['production', 300], ['staging', 150]]);
  assert.deepEqual(await rows('select `revision` from DEPLOY where start_time < 1000'), []);
});

test('what the grammar has not is refused, with its place', async () => {
  const refused = async (query, message) => {
    const r = await api('POST', '/rql/jobs', { query_string: query });
    assert.equal(r.status, 422, query);
    assert.match(r.message, message, query);
  };
  const F = 'FROM item_occurrence';
  await refused('', /query_string is needed/);
  await refused('DELETE FROM item', /byte 0: SELECT is expected/);
  await refused(`SELECT level l ${F}`, /byte 13: FROM is expected/);
  await refused(`SELECT DISTINCT level ${F}`, /DISTINCT is not supported/);
  await refused(`SELECT level ${F} GROUP BY level HAVING count(*) > 1`, /HAVING is not supported/);
  await refused(`SELECT level ${F} JOIN item`, /joins are not supported/);
  await refused(`SELECT level ${F} WHERE level IN (SELECT 1)`, /subqueries are not supported/);
  await refused('SELECT level FROM deploy', /byte 7: level is no column of deploy/);
  await refused('SELECT 1 FROM deploy WHERE 1 = 1 LIMIT x', /whole number/);
  await refused('SELECT 1 FROM other', /the tables are item_occurrence and deploy/);
  await refused(`SELECT sleep(5) ${F}`, /sleep is no function/);
  await refused(`SELECT item.nothing ${F}`, /item\.nothing is no column/);
  await refused(`SELECT level ${F} WHERE count(*) > 1`, /aggregate cannot stand here/);
  await refused(`SELECT count(*) + level ${F}`, /aggregates and columns/);
  await refused(`SELECT level ${F} ORDER BY 3`, /no such column/);
  await refused(`SELECT level ${F} WHERE level = 'x`, /text without an end/);
  await refused(`SELECT level ${F} WHERE level LIKE level`, /constant|text/);
  await refused(`SELECT ${'('.repeat(200)}1 ${F}`, /too deep/);
  await refused(`SELECT level ${F} LIMIT 10 20`, /the end is expected/);
  assert.equal((await api('POST', '/rql/jobs', { query_string: 'x'.repeat(20000) })).status, 422);
  assert.equal(skep.child.exitCode, null);
});
