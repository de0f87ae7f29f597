// SPDX-License-Identifier: Apache-2.0
// Who is told what about errors: new, back again, every tenth power, so many in a while; to a webhook of
// the test. What is muted tells nobody, and nothing is told twice.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { Skep, until } from './support.mjs';

let skep, sink, place;
const told = [];
before(async () => {
  skep = await Skep.start();
  sink = createServer((req, res) => {
    let body = '';
    req.on('data', (d) => { body += d; });
    req.on('end', () => {
      told.push(JSON.parse(body));
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
