// SPDX-License-Identifier: Apache-2.0
// Who is told what about errors: new, back again, every tenth power, so many in a while; to a webhook of
// the test. What is muted tells nobody, and nothing is told twice.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { Skep, until } from './support.mjs';

let skep, sink, place;
const told = [], rollbars = [];
before(async () => {
  skep = await Skep.start();
  sink = createServer((req, res) => {
    let body = '';
    req.on('data', (d) => { body += d; });
    req.on('end', () => {
      if (req.url === '/hook') told.push(JSON.parse(body));
      else rollbars.push({ headers: req.headers, ...JSON.parse(body) });
      res.end();
    });
  });
  await new Promise((r) => sink.listen(0, '127.0.0.1', r));
  place = await skep.json('POST', '/skep/v1/notify/places', { name: 'hook', kind: 'webhook', target: `http://127.0.0.1:${sink.address().port}/hook`, per_minute: 1000 });
});
after(async () => {
  sink.close();
  await skep.done();
});

let n = 0;
async function happen(type, more = {}) {
  n += 1;
  const r = await skep.call('POST', '/api/1/item/', { data: { uuid: `r-${n}`, environment: 'production', level: 'error', ...more,
    body: { trace: { frames: [{ filename: '/srv/a.py', method: 'f', lineno: n }], exception: { class: type, message: `m ${n}` } } } } });
  assert.equal(r.status, 200);
}
const items = async () => (await skep.json('GET', '/skep/v1/items')).items;
const of = (trigger, title) => told.filter((m) => m.data.trigger === trigger && m.title.startsWith(title));
const rule = (r) => skep.json('POST', '/skep/v1/item-rules', { place: place.id, ...r });

test('new, and back again', async () => {
  await rule({ trigger: 'new', level: 'error' });
  await rule({ trigger: 'reactivated' });
  await happen('KeyError');
  const [m] = await until('a message', () => of('new', 'KeyError').length && of('new', 'KeyError'));
  assert.equal(m.type, 'error.new');
  assert.equal(m.title, 'KeyError: m 1');
  assert.match(m.text, /^A new error in production: .*a\.py in f$/);
  assert.match(m.url, /\/ui\/errors\/1\?env=default$/);
  assert.equal(m.data.level, 40);
  await skep.json('PATCH', '/skep/v1/items', { ids: [m.data.item], status: 'resolved' });
  await happen('KeyError', { code_version: '2.0' });
  const [again] = await until('another', () => of('reactivated', 'KeyError').length && of('reactivated', 'KeyError'));
  assert.equal(again.data.version, '2.0');
  assert.equal(of('new', 'KeyError').length, 1);
});

test('level and stage are kept to; what is muted tells nobody', async () => {
  await rule({ trigger: 'new', stage: 'staging' });
  await happen('Quiet', { level: 'info' });
  await happen('Staged', { level: 'info', environment: 'staging' });
  await until('the staged one', () => of('new', 'Staged').length);
  assert.equal(of('new', 'Quiet').length, 0);
  await happen('Noisy');
  await until('it is there', async () => (await items()).some((i) => i.title.startsWith('Noisy')));
  const { id } = (await items()).find((i) => i.title.startsWith('Noisy'));
  await skep.json('PATCH', '/skep/v1/items', { ids: [id], status: 'muted' });
  await rule({ trigger: 'repeat' });
  for (let i = 0; i < 12; i++) await happen('Noisy');
  for (let i = 0; i < 12; i++) await happen('Loud');
  const [m] = await until('ten times', () => of('repeat', 'Loud').length && of('repeat', 'Loud'));
  assert.match(m.text, /^An error happened 1\d times in production/);
  assert.equal(of('repeat', 'Noisy').length, 0);
});

test('so many in a while, once', async () => {
  await rule({ trigger: 'rate', count: 5, window_s: 3600 });
  for (let i = 0; i < 9; i++) await happen('Storm');
  await until('a message', () => of('rate', 'Storm').length);
  for (let i = 0; i < 5; i++) await happen('Storm');
  await happen('Last');
  await until('the last', () => of('new', 'Last').length);
  assert.ok(of('rate', 'Storm').length <= 2, 'once an hour'); // two when an hour just ended
});

test('a webhook is sent Rollbar\'s payload where the rule says so', async () => {
  const hook = await skep.json('POST', '/skep/v1/notify/places', { name: 'rollbar', kind: 'webhook', target: `http://127.0.0.1:${sink.address().port}/rollbar`, per_minute: 1000 });
  for (const r of [{ trigger: 'new' }, { trigger: 'reactivated' }, { trigger: 'repeat' }, { trigger: 'rate', count: 11, window_s: 3600 }])
    assert.equal((await skep.json('POST', '/skep/v1/item-rules', { place: hook.id, payload: 'rollbar', level: 'error', ...r })).payload, 'rollbar');
  const sent = (event, title) => until(`${event} of ${title}`, () => rollbars.find((m) => m.event_name === event && m.data.item.title.startsWith(title)));
  await happen('Webhooked', { framework: 'flask', language: 'python 3.11', server: { host: 'web-1' }, odd: { kept: [1, null] } });
  const first = await sent('new_item', 'Webhooked');
  assert.match(first.headers['webhook-signature'], /^v1,/);
  assert.equal(first.headers['content-type'], 'application/json');
  const { item } = first.data, { last_occurrence: last } = item;
  const read = (await skep.json('GET', `/api/1/item/${item.id}`)).result;
  // Numbers where Rollbar's webhooks have them; all else as its calls answer it.
  assert.deepEqual([item.level, item.status, item.framework, item.platform, item.group_status], [40, 1, 16, 0, 1]);
  for (const same of ['id', 'counter', 'title', 'environment', 'hash', 'first_occurrence_id', 'last_occurrence_id', 'first_occurrence_timestamp', 'assigned_user_id', 'unique_occurrences', 'total_occurrences'])
    assert.deepEqual(item[same], read[same], same);
  assert.equal(item.project_id, (await skep.json('GET', '/api/1/projects')).result[0].id);
  assert.deepEqual([last.uuid, last.odd, last.server.host, last.body.trace.exception.class], [`r-${n}`, { kept: [1, null] }, 'web-1', 'Webhooked']);
  await skep.json('PATCH', '/skep/v1/items', { ids: [item.id], status: 'resolved' });
  await happen('Webhooked', { framework: 'flask' });
  assert.equal((await sent('reactivated_item', 'Webhooked')).data.item.last_occurrence.uuid, `r-${n}`);
  for (let i = 0; i < 9; i++) await happen('Webhooked');
  const ten = await sent('exp_repeat_item', 'Webhooked');
  assert.equal(ten.data.occurrences, 10);
  assert.equal(ten.data.item.last_occurrence.body.trace.exception.class, 'Webhooked');
  const rate = await sent('item_velocity', 'Webhooked');
  assert.deepEqual(rate.data.trigger, { threshold: 11, window_size: 3600, window_size_description: '1 hour' });
  assert.equal(rate.data.item.last_occurrence, undefined);
  // An exception of another wire has its stack in the same shape; an item that is too large for a
  // message is told of as its row has it.
  const span = { traceId: 'ab'.repeat(16), spanId: 'cd'.repeat(8), name: 's', startTimeUnixNano: `${Date.now()}000000`, endTimeUnixNano: `${Date.now()}000001`,
    events: [{ timeUnixNano: `${Date.now()}000000`, name: 'exception', attributes: [['exception.type', 'Otlped'], ['exception.message', 'm'],
      ['exception.stacktrace', 'Traceback (most recent call last):\n  File "/srv/a.py", line 3, in f\n    g()\nOtlped: m\n']].map(([key, stringValue]) => ({ key, value: { stringValue } })) }] };
  assert.equal((await skep.call('POST', '/v1/traces', { resourceSpans: [{ resource: { attributes: [] }, scopeSpans: [{ scope: {}, spans: [span] }] }] })).status, 200);
  const [chain] = (await sent('new_item', 'Otlped')).data.item.last_occurrence.body.trace_chain;
  assert.deepEqual([chain.exception.class, chain.frames.at(-1).method], ['Otlped', 'f']);
  await happen('Large', { custom: { much: 'x'.repeat(900_000) } });
  const large = (await sent('new_item', 'Large')).data.item.last_occurrence;
  assert.deepEqual([large.custom, large.environment, large.body.trace_chain[0].exception.class], [undefined, 'production', 'Large']);
  // Rollbar's own calls make rules that send its payload.
  const [made] = (await skep.json('POST', '/api/1/notifications/webhook/rules', [{ trigger: 'new_item', config: { place: hook.id } }])).result;
  assert.equal(made.config.payload, 'rollbar');
  const [own] = (await skep.json('POST', '/api/1/notifications/webhook/rules', [{ trigger: 'new_item', config: { place: hook.id, payload: 'skep', format: 'json' } }])).result;
  assert.equal(own.config.payload, 'skep');
  assert.equal((await skep.call('POST', '/api/1/notifications/webhook/rules', { trigger: 'new_item', config: { place: hook.id, format: 'xml' } })).status, 422);
  const slack = await skep.json('POST', '/skep/v1/notify/places', { name: 'chat', kind: 'slack', target: 'http://127.0.0.1:9/x' });
  for (const body of [{ place: slack.id, payload: 'rollbar' }, { place: hook.id, payload: 'xml' }]) {
    const r = await skep.call('POST', '/skep/v1/item-rules', { trigger: 'new', ...body });
    assert.deepEqual([r.status, (await r.json()).field], [400, 'payload']);
  }
  for (const r of (await skep.json('GET', '/skep/v1/item-rules')).rules.filter((r) => r.place === hook.id)) await skep.json('DELETE', `/skep/v1/item-rules/${r.id}`);
});

test('rules are listed and dropped; wrong ones are told why', async () => {
  const { rules } = await skep.json('GET', '/skep/v1/item-rules');
  assert.deepEqual(rules.map((r) => r.trigger), ['new', 'reactivated', 'new', 'repeat', 'rate']);
  for (const r of rules) await skep.json('DELETE', `/skep/v1/item-rules/${r.id}`);
  assert.deepEqual((await skep.json('GET', '/skep/v1/item-rules')).rules, []);
  const cases = [
    [{}, 'trigger'], [{ trigger: 'x' }, 'trigger'], [{ trigger: 'new' }, 'place'], [{ trigger: 'new', place: 'nope' }, 'place'],
    [{ trigger: 'new', place: place.id, level: 'x' }, 'level'], [{ trigger: 'rate', place: place.id }, 'count'], [{ trigger: 'rate', place: place.id, count: 1, window_s: 0 }, 'window_s'],
  ];
  for (const [body, field] of cases) {
    const r = await skep.call('POST', '/skep/v1/item-rules', body);
    assert.equal(r.status, 400);
    assert.equal((await r.json()).field, field);
  }
  assert.equal((await skep.call('DELETE', '/skep/v1/item-rules/999')).status, 404);
});
