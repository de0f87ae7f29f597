// SPDX-License-Identifier: Apache-2.0
// Rollbar's own API: what a program that reads a Rollbar project by HTTP finds here, in its shapes and statuses.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { makeKey } from './keyring.mjs';
import { root, Skep, until } from './support.mjs';

let skep;
before(async () => {
  skep = await Skep.start();
});
after(() => skep?.done());

const call = (method, path, body, headers) => skep.call(method, `/api/1${path}`, body, headers);
async function good(method, path, body, headers) {
  const r = await call(method, path, body, headers);
  const text = await r.text();
  assert.equal(r.status, 200, text);
  const says = JSON.parse(text);
  assert.equal(says.err, 0);
  return says.result;
}
async function bad(status, method, path, body, headers) {
  const r = await call(method, path, body, headers);
  const text = await r.text();
  assert.equal(r.status, status, text);
  const says = JSON.parse(text);
  assert.equal(says.err, 1);
  assert.ok(says.message.length > 0);
  return says.message;
}

let n = 0;
async function send(body, more = {}) {
  n += 1;
  const data = { uuid: `u-${n}`, environment: 'production', framework: 'flask', language: 'python', server: { root: '/srv/shop' }, ...more, body };
  assert.equal((await call('POST', '/item/', { data })).status, 200);
  return data;
}
const raised = (name, more) => send({ trace: { frames: [{ filename: '/srv/shop/cart.py', lineno: 30, method: 'total' }], exception: { class: name, message: 'it broke' } } }, more);
const titles = async (query) => (await good('GET', `/items/?${query}`)).items.map((i) => i.title).sort();

test('items: a page of them, by status, level, environment, words and ids', async () => {
  await raised('ZeroDivisionError');
  await raised('ZeroDivisionError');
  await raised('KeyError', { environment: 'staging', level: 'critical' });
  await send({ message: { body: 'disk is full' } }, { level: 'warning' });
  const page = await good('GET', '/items/');
  assert.equal(page.page, 1);
  assert.equal(page.total_count, 3);
  const zero = page.items.find((i) => i.title.startsWith('Zero'));
  assert.equal(zero.total_occurrences, 2);
  assert.equal(zero.level, 'error');
  assert.equal(zero.status, 'active');
  assert.equal(zero.environment, 'production');
  assert.equal(zero.framework, 'flask');
  assert.equal(zero.assigned_user_id, null);
  assert.equal(zero.controlling_id, zero.id);
  assert.ok(Math.abs(zero.last_occurrence_timestamp - Date.now() / 1000) < 120);
  assert.ok(zero.first_occurrence_id < zero.last_occurrence_id);
  assert.deepEqual(page.items.map((i) => i.counter).sort(), [1, 2, 3]);

  const [disk, key, division] = ['disk is full', 'KeyError: it broke', 'ZeroDivisionError: it broke'].map((t) => [t]);
  assert.deepEqual(await titles('level=critical'), key);
  assert.deepEqual(await titles('level=30'), disk);
  assert.deepEqual(await titles('level=critical&level=warning'), [...key, ...disk].sort());
  assert.deepEqual(await titles('level=critical,warning'), [...key, ...disk].sort());
  assert.deepEqual(await titles('environment=staging'), key);
  assert.equal((await titles('environment=staging&environment=production')).length, 3);
  assert.deepEqual(await titles('environment=nowhere'), []);
  assert.deepEqual(await titles('query=DISK'), disk);
  assert.deepEqual(await titles(`ids=${zero.id},999999`), division);
  assert.deepEqual(await titles('status=resolved'), []);
  assert.equal((await titles('status=active')).length, 3);
  assert.equal((await titles('assigned_user=unassigned')).length, 3);

  const second = await good('GET', '/items/?limit=2&page=2');
  assert.deepEqual([second.page, second.total_count, second.items.length], [2, 3, 1]);
  assert.ok(!(await good('GET', '/items/?limit=2')).items.some((i) => i.id === second.items[0].id));
});

test('an item by its id and by its number', async () => {
  const { items } = await good('GET', '/items?query=KeyError');
  const [item] = items;
  assert.deepEqual(await good('GET', `/item/${item.id}`), item);
  assert.deepEqual(await good('GET', `/item/${item.id}/`), item);
  assert.deepEqual(await good('GET', `/item/?counter=${item.counter}`), item);

  const r = await fetch(`${skep.url}/api/1/item_by_counter/${item.counter}?access_token=abc`, { redirect: 'manual' });
  assert.equal(r.status, 301);
  assert.equal(r.headers.get('location'), `/api/1/item/${item.id}?access_token=abc`);
  assert.deepEqual((await r.json()).result, { itemId: item.id, path: `/item/${item.id}`, uri: `/api/1/item/${item.id}?access_token=abc` });
  const followed = await fetch(`${skep.url}/api/1/item_by_counter/${item.counter}`);
  assert.equal((await followed.json()).result.id, item.id);
  const hostile = await fetch(`${skep.url}/api/1/item_by_counter/${item.counter}?access_token=a%0d%0aSet-Cookie:x`, { redirect: 'manual' });
  assert.equal(hostile.headers.get('location'), `/api/1/item/${item.id}`);
});

test('PATCH: status with its version, level, title, owner', async () => {
  const { items: [{ id }] } = await good('GET', '/items/?query=ZeroDivision');
  let item = await good('PATCH', `/item/${id}`, { status: 'resolved', resolved_in_version: '1.2' });
  assert.deepEqual([item.status, item.resolved_in_version, item.level_lock, item.title_lock], ['resolved', '1.2', 0, 0]);
  assert.ok(item.last_resolved_timestamp > 0);
  assert.deepEqual(await titles('status=resolved'), ['ZeroDivisionError: it broke']);
  assert.deepEqual(await titles('status=2'), ['ZeroDivisionError: it broke']);

  await raised('ZeroDivisionError', { code_version: '1.1' });
  assert.equal((await good('GET', `/item/${id}`)).status, 'resolved');
  await raised('ZeroDivisionError', { code_version: '1.2' });
  item = await good('GET', `/item/${id}`);
  assert.equal(item.status, 'active');
  assert.equal(item.total_occurrences, 1);
  assert.equal(item.activating_occurrence_id, item.last_occurrence_id);

  item = await good('PATCH', `/item/${id}`, { level: 50, title: 'Carts break' });
  assert.deepEqual([item.level, item.title, item.level_lock, item.title_lock], ['critical', 'Carts break', 1, 1]);
  await skep.json('PATCH', '/skep/v1/items', { ids: [id], owner: 'ann' });
  assert.equal((await good('GET', '/items/?assigned_user=ann')).items[0].assigned_user, 'ann');
  item = await good('PATCH', `/item/${id}`, { assigned_user_id: null });
  assert.equal(item.assigned_user, null);
  const { history } = await skep.json('GET', `/skep/v1/items/${id}`);
  assert.ok(history.some((l) => l.what === 'title' && l.after === 'Carts break'));
});

test('occurrences: of all, of an item, one; what was sent comes back but for secrets', async () => {
  const sent = await raised('ValueError', { custom: { password: 'hunter2', deep: [1, { two: 'ü' }] }, level: 'info' });
  const { instances: [last] } = await good('GET', '/instances/');
  assert.deepEqual(last.data, { ...sent, custom: { ...sent.custom, password: '*****' } });
  assert.ok(Number.isSafeInteger(last.id));
  assert.ok(Math.abs(last.timestamp - Date.now() / 1000) < 120);
  const { items: [item] } = await good('GET', '/items/?query=ValueError');
  assert.equal(last.item_id, item.id);
  assert.equal(item.last_occurrence_id, last.id);
  assert.deepEqual(await good('GET', `/instance/${last.id}`), last);

  for (let i = 0; i < 44; i++) await raised('ValueError');
  const pages = [];
  for (const p of [1, 2, 3, 4]) pages.push((await good('GET', `/item/${item.id}/instances/?page=${p}`)).instances);
  assert.deepEqual(pages.map((p) => p.length), [20, 20, 5, 0]);
  const ids = pages.flat().map((i) => i.id);
  assert.equal(new Set(ids).size, 45);
  assert.deepEqual(ids, [...ids].sort((a, b) => b - a));
  assert.equal(ids.at(-1), last.id);
  const ten = (await good('GET', `/item/${item.id}/instances?limit=10&page=2`)).instances.map((i) => i.id);
  assert.deepEqual(ten, ids.slice(10, 20));
  const behind = (await good('GET', `/item/${item.id}/instances?limit=10&page=1&last_id=${ten.at(-1)}`)).instances.map((i) => i.id);
  assert.deepEqual(behind, ids.slice(20, 30));
  const other = (await good('GET', '/item/1/instances')).instances;
  assert.ok(other.length > 0 && other.every((i) => i.item_id === 1));
});

test('occurrences of items that were merged, and of one class in two environments', async () => {
  await raised('A1');
  await raised('A2');
  await raised('A2', { environment: 'staging' });
  const { items } = await good('GET', '/items/?environment=production');
  const [a1, a2] = ['A1', 'A2'].map((c) => items.find((i) => i.title.startsWith(`${c}:`)).id);
  assert.equal((await good('GET', `/item/${a2}/instances/`)).instances.length, 1);
  await skep.json('POST', `/skep/v1/items/${a2}/merge`, { into: a1 });
  const { instances } = await good('GET', `/item/${a1}/instances/`);
  assert.deepEqual(instances.map((i) => i.item_id), [a1, a1]);
  const member = await good('GET', `/item/${a2}`);
  assert.deepEqual([member.controlling_id, member.group_item_id], [a1, a1]);
});

test('an exception of OpenTelemetry is an occurrence in the same shape', async () => {
  const now = `${BigInt(Date.now()) * 1000000n}`;
  const text = (key, stringValue) => ({ key, value: { stringValue } });
  const trace = 'Traceback (most recent call last):\n  File "/srv/shop/pay.py", line 7, in charge\n    x\nTimeoutError: no answer\n';
  const r = await skep.call('POST', '/v1/traces', { resourceSpans: [{
    resource: { attributes: [text('service.name', 'shop'), text('service.version', '9'), text('deployment.environment.name', 'production')] },
    scopeSpans: [{ spans: [{
      traceId: '0102030405060708090a0b0c0d0e0f10', spanId: '0102030405060708', name: 'pay', kind: 2, startTimeUnixNano: now, endTimeUnixNano: now,
      events: [{ name: 'exception', timeUnixNano: now, attributes: [text('exception.type', 'TimeoutError'), text('exception.message', 'no answer'), text('exception.stacktrace', trace)] }],
    }] }] }] });
  assert.equal(r.status, 200);
  const { items: [item] } = await good('GET', '/items/?query=TimeoutError');
  const { instances } = await good('GET', `/item/${item.id}/instances/`);
  assert.equal(instances.length, 1);
  const { data } = await good('GET', `/instance/${instances[0].id}`);
  assert.deepEqual([data.environment, data.level, data.code_version], ['production', 'error', '9']);
  const [{ exception, frames }] = data.body.trace_chain;
  assert.deepEqual(exception, { class: 'TimeoutError', message: 'no answer' });
  assert.deepEqual(frames, [{ filename: '/srv/shop/pay.py', method: 'charge', lineno: 7 }]);
});

test('an imported row that pretends to be an item breaks no answer', async () => {
  for (const raw of ['{"a":', '"text"', '1}{', '']) {
    const row = { time_ns: `${BigInt(Date.now()) * 1000000n}`, kind: 'error', source: 'rollbar', dataset: 'rollbar', name: 'pretended', intrinsic: { body: 'pretended', 'error.fingerprint': 'f'.repeat(40), 'meta.raw': raw }, attributes: { 'deployment.environment.name': 'production' } };
    const r = await skep.call('POST', '/skep/v1/import', `${JSON.stringify(row)}\n`, { 'content-type': 'application/x-ndjson' });
    assert.equal(r.status, 200, await r.text());
    const { instances: [last] } = await good('GET', '/instances?limit=1');
    assert.deepEqual(last.data.body, { message: { body: 'pretended' } });
    assert.deepEqual(await good('GET', `/instance/${last.id}`), last);
  }
});

test('deploys: as JSON and as a form, changed, listed', async () => {
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  const r = await call('POST', '/deploy/', new URLSearchParams({ environment: 'production', revision: 'aabbcc1', local_username: 'ann', comment: 'a + b', status: 'started' }).toString(), form);
  assert.equal(r.status, 200);
  const made = await r.json();
  assert.equal(made.data.deploy_id, made.result.deploy_id);
  const id = made.result.deploy_id;
  let deploy = await good('GET', `/deploy/${id}`);
  assert.ok(Math.abs(deploy.start_time - Date.now() / 1000) < 120);
  assert.deepEqual({ ...deploy, start_time: 0 }, { id, environment: 'production', revision: 'aabbcc1', status: 'started', comment: 'a + b', local_username: 'ann', user_id: null, start_time: 0, finish_time: null });
  deploy = await good('PATCH', `/deploy/${id}`, { status: 'failed' });
  assert.deepEqual([deploy.status, deploy.comment], ['failed', 'a + b']);
  assert.ok(deploy.finish_time >= deploy.start_time);

  const { deploy_id: second } = await good('POST', '/deploy', { environment: 'staging', head_long: 'ffee', rollbar_username: 'bob' });
  const list = await good('GET', '/deploys/');
  assert.equal(list.page, 1);
  assert.deepEqual(list.deploys.map((d) => [d.id, d.revision, d.status, d.local_username]), [[second, 'ffee', 'succeeded', 'bob'], [id, 'aabbcc1', 'failed', 'ann']]);
  assert.deepEqual((await good('GET', '/deploys?limit=1&page=2')).deploys.map((d) => d.id), [id]);
  assert.deepEqual((await good('GET', '/deploys?environment=staging')).deploys.map((d) => d.id), [second]);
});

test('reports: the items with the most occurrences, and counts step by step', async () => {
  const { items: [item] } = await good('GET', '/items/?query=ValueError');
  const top = await good('GET', '/reports/top_active_items?hours=24&environments=production&sort=occurrences');
  assert.equal(top[0].item.id, item.id);
  assert.equal(top[0].counts.length, 24);
  assert.equal(top[0].counts.reduce((a, b) => a + b, 0), 45);
  assert.ok(top[0].counts.at(-1) + top[0].counts.at(-2) === 45); // the oldest first
  const totals = top.map((t) => t.counts.reduce((a, b) => a + b, 0));
  assert.deepEqual(totals, [...totals].sort((a, b) => b - a));
  assert.ok(top.every((t) => t.item.environment === 'production'));
  assert.deepEqual((await good('GET', '/reports/top_active_items?environments=staging')).map((t) => t.item.title.split(':')[0]).sort(), ['A2', 'KeyError']);

  const sum = (counts) => counts.reduce((a, [, c]) => a + c, 0);
  for (const size of [60, 3600, 86400]) {
    const counts = await good('GET', `/reports/occurrence_counts?bucket_size=${size}&buckets=30&item_id=${item.id}`);
    assert.equal(counts.length, 30);
    assert.ok(counts.every(([at], i) => at % size === 0 && (i === 0 || at === counts[i - 1][0] + size)));
    assert.ok(counts.at(-1)[0] <= Date.now() / 1000 && Date.now() / 1000 < counts.at(-1)[0] + 2 * size);
    assert.equal(sum(counts), 45);
  }
  const of = async (query) => sum(await good('GET', `/reports/occurrence_counts?${query}`));
  assert.equal(await of('environments=staging'), 2);
  assert.equal(await of('environments=staging,production'), await of(''));
  assert.equal(await of('environments=nowhere'), 0);
});

test('a version: its first and last occurrence, its deploy', async () => {
  await raised('LookupError', { code_version: '7.1' });
  await raised('LookupError', { code_version: '7.1' });
  await raised('LookupError', { code_version: '7.2' });
  await good('POST', '/deploy/', { environment: 'production', revision: '7.1', local_username: 'ann' });
  const v = await good('GET', '/versions/7.1?environment=production');
  const { instances } = await good('GET', '/instances/');
  assert.deepEqual([v.version, v.environment, v.deployed_by], ['7.1', 'production', 'ann']);
  assert.deepEqual([v.first_occurrence_id, v.last_occurrence_id], [instances[2].id, instances[1].id]);
  assert.equal((await good('GET', '/versions/7.2?environment=production')).deployed_by, null);
  await bad(404, 'GET', '/versions/7.1?environment=staging');
  await bad(422, 'GET', '/versions/7.1');
});

test('what is refused says why, with Rollbar\'s statuses', async () => {
  const { items: [{ id }] } = await good('GET', '/items/?limit=1');
  for (const path of ['/item/987654', '/item/x', '/item/0', '/item_by_counter/98765', '/item/987654/instances', '/instance/1', '/instance/x', '/instance/9223372036854775807', '/deploy/98765']) await bad(404, 'GET', path);
  for (const query of ['status=archived', 'level=loud', 'level=35', 'page=0', 'page=x', 'limit=5001', 'ids=a', 'assigned_user=assigned', 'framework=flask']) await bad(422, 'GET', `/items/?${query}`);
  for (const query of ['page=501', 'limit=101', 'limit=100&page=101', 'last_id=5']) await bad(422, 'GET', `/instances/?${query}`);
  for (const report of ['top_active_items?hours=169', 'top_active_items?sort=unique_occurrences', 'occurrence_counts?bucket_size=61', 'occurrence_counts?buckets=2001', 'occurrence_counts?min_level=error', `occurrence_counts?environments=${Array(51).fill('a')}`]) await bad(422, 'GET', `/reports/${report}`);
  await bad(404, 'GET', '/reports/occurrence_counts?item_id=987654');
  await bad(422, 'GET', '/item/');
  for (const change of [{}, { status: 'snoozed' }, { level: 'loud' }, { title: '' }, { title: 'x'.repeat(256) }, { resolved_in_version: 'x'.repeat(41) }, { assigned_user_id: 7 }, { snoozed: true }, { team_id: 3 }, { status: null }]) await bad(422, 'PATCH', `/item/${id}`, change);
  await bad(404, 'PATCH', '/item/987654', { status: 'muted' });
  await bad(400, 'PATCH', `/item/${id}`, '[1]');
  await bad(400, 'PATCH', `/item/${id}`, '{"status":');
  assert.match(await bad(422, 'POST', '/deploy/', { revision: 'a' }), /environment/);
  assert.match(await bad(422, 'POST', '/deploy/', { environment: 'a' }), /revision/);
  await bad(422, 'POST', '/deploy/', { environment: 'a', revision: 'b', status: 'done' });
  await bad(422, 'POST', '/deploy/', { environment: 'a', revision: 'b', comment: 'x'.repeat(65537) });
  assert.match(await bad(422, 'POST', '/deploy/', 'x', { 'content-type': 'multipart/form-data; boundary=x' }), /environment is needed/);
  assert.match(await bad(400, 'POST', '/deploy/', 'x', { 'content-type': 'multipart/form-data' }), /boundary/);
  await bad(404, 'PATCH', '/deploy/98765', { status: 'failed' });
});

test('projects, tokens, environments, users: who there is', async () => {
  const [project] = await good('GET', '/projects');
  assert.deepEqual([project.name, project.status], ['default', 'enabled']);
  assert.deepEqual(await good('GET', `/project/${project.id}`), project);
  assert.match(await bad(404, 'GET', `/project/${project.id + 1}`), /no such project/);
  const key = await makeKey(skep.dir, 'web', '--env', 'default', '--rights', 'ingest,query');
  const [token] = await until('the key to be known', async () => {
    const list = await good('GET', `/project/${project.id}/access_tokens`);
    return list.length && list;
  });
  assert.deepEqual([token.name, token.status, token.scopes, token.access_token], ['web', 'enabled', ['post_server_item', 'post_client_item', 'read'], null]);
  assert.ok(!JSON.stringify(token).includes(key.rollbar_token));
  const { environments } = await good('GET', '/environments');
  assert.ok(environments.some((e) => e.environment === 'production' && e.project_id === project.id));
  assert.deepEqual((await good('GET', '/users')).users, []);
  assert.deepEqual(await good('GET', '/teams'), []);
  assert.deepEqual(await good('GET', `/project/${project.id}/teams`), []);
});

test('notification rules are the inbox\'s', async () => {
  const place = await skep.json('POST', '/skep/v1/notify/places', { name: 'ops', kind: 'webhook', target: 'http://127.0.0.1:9/hook' });
  const level = { type: 'level', operation: 'gte', value: 'error' };
  const [made, rate] = await good('POST', '/notifications/webhook/rules', [
    { trigger: 'new_item', filters: [level, { type: 'environment', operation: 'eq', value: 'production' }], config: { url: 'http://127.0.0.1:9/hook' } },
    { trigger: 'occurrence_rate', filters: [{ type: 'rate', period: 300, count: 10 }] }]);
  assert.deepEqual([made.trigger, made.status, made.filters[0], made.config.place], ['new_item', 'enabled', level, place.id]);
  assert.deepEqual(rate.filters, [{ type: 'rate', period: 300, count: 10 }]);
  assert.deepEqual(await good('GET', `/notifications/webhook/rule/${made.id}`), made);
  const own = (await skep.json('GET', '/skep/v1/item-rules')).rules;
  assert.deepEqual(own.map((r) => [r.id, r.trigger]), [[made.id, 'new'], [rate.id, 'rate']]);
  assert.equal(await good('DELETE', `/notifications/webhook/rule/${made.id}`), null);
  assert.match(await bad(404, 'GET', `/notifications/webhook/rule/${made.id}`), /no such rule/);
  assert.deepEqual((await good('PUT', '/notifications/webhook/rules', [{ trigger: 'exp_repeat_item', config: { place: 'ops' } }])).map((r) => r.trigger), ['exp_repeat_item']);
  assert.equal((await good('GET', '/notifications/webhook/rules')).length, 1);
  assert.deepEqual(await good('GET', '/notifications/slack/rules'), []);
  const refuse = async (rule, message) => assert.match(await bad(422, 'POST', '/notifications/webhook/rules', [{ trigger: 'new_item' }, rule]), message);
  await refuse({ trigger: 'daily_summary' }, /rules\[1\]: not supported here: trigger daily_summary/);
  await refuse({ trigger: 'new_item', filters: [{ type: 'title', operation: 'within', value: 'x' }] }, /filter title within/);
  await refuse({ trigger: 'item_velocity' }, /filter of type rate/);
  await refuse({ trigger: 'new_item', config: { place: 'nowhere' } }, /no such place/);
  await bad(422, 'GET', '/notifications/pagerduty/rules');
  await bad(400, 'POST', '/notifications/webhook/rules', '"x"', { 'content-type': 'application/json' });
  assert.equal((await good('GET', '/notifications/webhook/rules')).length, 1, 'all or none');
  // An environment has at most 200: what would be more changes nothing, neither added nor instead of those there are.
  const many = (n) => Array.from({ length: n }, () => ({ trigger: 'new_item' }));
  const there = async () => (await good('GET', '/notifications/webhook/rules')).map((r) => r.id);
  assert.equal((await good('POST', '/notifications/webhook/rules', many(198))).length, 198);
  const before = await there();
  assert.match(await bad(429, 'POST', '/notifications/webhook/rules', many(2)), /at most 200|may have 200/);
  assert.deepEqual(await there(), before, 'none of the two');
  await skep.json('POST', '/skep/v1/notify/places', { name: 'chat', kind: 'slack', target: 'http://127.0.0.1:9/chat' });
  await good('POST', '/notifications/slack/rules', many(1));
  await bad(429, 'PUT', '/notifications/webhook/rules', many(200));
  assert.deepEqual(await there(), before, 'the old ones stay');
  assert.equal((await good('PUT', '/notifications/webhook/rules', many(1))).length, 1);
  const audit = (await skep.json('GET', '/skep/v1/audit?limit=100')).entries.filter((e) => e.what.startsWith('item-rule.')).map((e) => `${e.what} ${e.on}`);
  assert.deepEqual(audit.slice(0, 3), ['item-rule.replace webhook: 1', 'item-rule.create slack: 1', 'item-rule.create webhook: 198']);
});

// The table of docs/api/rollbar.md says what each documented call does here; this asks each.
test('every call of the table does what the table says', async () => {
  const table = readFileSync(join(root, 'docs', 'api', 'rollbar.md'), 'utf8').matchAll(/^\| `(GET|POST|PUT|PATCH|DELETE) (\/[^`]*)` \| (works|refused|absent) \|/gm);
  const calls = [...table].map(([, method, path, does]) => ({ method, path, does }));
  assert.ok(calls.length > 50);
  const routes = (await skep.json('GET', '/skep/v1/routes')).routes.filter((r) => r.path.startsWith('/api/1/')).map((r) => `${r.method} ${r.path.slice(6).replace(/:\w+/g, ':')}`);
  const [item] = (await good('GET', '/items/')).items;
  const [project] = await good('GET', '/projects');
  const sample = (path) => path.replace(':channel', 'webhook').replace('/project/:id', `/project/${project.id}`).replace('/item/:id', `/item/${item.id}`).replace(/:\w+/g, '1');
  const seen = new Set();
  for (const c of calls) {
    const r = await call(c.method, sample(c.path), c.method === 'GET' || c.method === 'DELETE' ? undefined : {});
    const text = await r.text();
    const shape = `${c.method} ${c.path.replace(/\/$/, '').replace(/:\w+/g, ':')}`;
    seen.add(shape);
    assert.equal(routes.includes(shape), c.does !== 'absent', `${shape}: a route`);
    if (c.does === 'absent') assert.ok([404, 405].includes(r.status), `${shape}: ${r.status} ${text}`);
    if (c.does === 'refused') {
      assert.equal(r.status, 422, `${shape}: ${r.status} ${text}`);
      assert.match(text, /"err":1/);
    }
    if (c.does === 'works' && r.status !== 200 && r.status !== 301) assert.match(text, /no such|is needed|is required|nothing that can be changed|rules\[0\]/, `${shape}: ${r.status} ${text}`);
  }
  assert.deepEqual(routes.filter((r) => !seen.has(r) && r !== 'GET /item'), [], 'calls that the table does not name');
});

test('keys: a token reads its own environment, and writes with the right to', async () => {
  const other = await Skep.start({ args: ['--auth', 'keys'] });
  try {
    const make = (name, env, rights) => makeKey(other.dir, name, '--env', env, '--rights', rights);
    const both = await make('both', 'default', 'ingest,query,admin');
    const reader = await make('reader', 'default', 'query');
    const as = (key) => ({ 'x-rollbar-access-token': key.rollbar_token });
    const ask = (method, path, body, headers) => other.call(method, `/api/1${path}`, body, headers);
    await until('the keys to be known', async () => (await ask('GET', '/items/', undefined, as(reader))).status === 200);
    assert.equal((await ask('POST', '/item/', { data: { body: { message: { body: 'hello' } } } }, as(both))).status, 200);
    const list = await (await ask('GET', `/items/?access_token=${reader.rollbar_token}`)).json();
    assert.equal(list.result.total_count, 1);
    const { id } = list.result.items[0];
    const no = await ask('PATCH', `/item/${id}`, { status: 'muted' }, as(reader));
    assert.equal(no.status, 403);
    assert.match((await no.json()).message, /^insufficient privileges: write scope/);
    assert.equal((await ask('GET', '/items/')).status, 401);
    assert.equal((await ask('PATCH', `/item/${id}`, { status: 'muted' }, as(both))).status, 200);
    // Rollbar's clients put the token into the body of what they send, too.
    const deploy = await ask('POST', '/deploy/', new URLSearchParams({ access_token: both.rollbar_token, environment: 'p', revision: 'r' }).toString(), { 'content-type': 'application/x-www-form-urlencoded' });
    assert.equal(deploy.status, 200);
    assert.equal((await (await ask('GET', '/deploys/', undefined, as(reader))).json()).result.deploys[0].revision, 'r');
  } finally {
    await other.done();
  }
});
