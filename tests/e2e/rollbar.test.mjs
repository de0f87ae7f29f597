// SPDX-License-Identifier: Apache-2.0
// Rollbar's intake with its own notifiers: rollbar.js in Node and in a page of another origin, and the
// requests pyrollbar was recorded sending; then what a broken or hostile sender is told.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { root, Skep, until } from './support.mjs';

const require = createRequire(join(root, 'tests', 'clients', 'node', 'package.json'));
const { chromium } = createRequire(join(root, 'tests', 'clients', 'browser', 'package.json'))('playwright-core');
const Rollbar = require('rollbar');

let skep;
before(async () => {
  skep = await Skep.start({ args: ['--rollbar-scrub', 'iban', '--rollbar-scrub', 'Card-No'] });
});
after(() => skep.done());

const item = (data) => JSON.stringify({ access_token: 't', data });
const post = (body, headers = {}) => skep.call('POST', '/api/1/item/', body, { 'content-type': 'application/json', ...headers });

async function rows(...filters) {
  const r = await skep.json('POST', '/skep/v1/rows', {
    dataset: 'rollbar', start_time: 0, end_time: Math.ceil(Date.now() / 1000) + 3600, filters, limit: 100,
  });
  return r.rows;
}
const is = (column, value) => ({ column, op: '=', value });

test('rollbar.js in Node: an error with its cause, a message', async () => {
  const rollbar = new Rollbar({ accessToken: 't', environment: 'test', endpoint: `${skep.url}/api/1/item/`, codeVersion: '1.2.3' });
  function total() {
    throw new TypeError('no user 17', { cause: new RangeError('out of range') });
  }
  let uuid;
  try {
    total();
  } catch (e) {
    uuid = rollbar.error(e, { order: 7, password: 'hunter2' }).uuid;
  }
  rollbar.warning('disk is full', { free: 3 });
  await new Promise((r) => rollbar.wait(r));
  const [error] = await until('the error', async () => {
    const found = await rows(is('error.uuid', uuid));
    return found.length && found;
  });
  assert.equal(error.kind, 'error');
  assert.equal(error.fields['exception.type'], 'TypeError');
  assert.equal(error.fields['exception.message'], 'no user 17');
  assert.equal(error.fields.name, 'TypeError: no user 17');
  assert.equal(error.fields['code.function.name'], 'total');
  assert.match(error.fields['code.file.path'], /rollbar\.test\.mjs$/);
  assert.equal(error.fields['custom.order'], 7);
  assert.equal(error.fields['custom.password'], '*****');
  assert.equal(error.fields['service.version'], '1.2.3');
  assert.match(error.fields['error.fingerprint'], /^[0-9a-f]{40}$/);
  const [message] = await rows(is('name', 'disk is full'));
  assert.equal(message.fields['error.level'], 'warning');
  assert.equal(message.fields['custom.free'], 3);
});

test('rollbar.js in a page of another origin', async () => {
  const script = readFileSync(join(root, 'tests', 'clients', 'node', 'node_modules', 'rollbar', 'dist', 'rollbar.umd.min.js'));
  const site = createServer((req, res) => {
    res.setHeader('content-type', req.url === '/rollbar.js' ? 'text/javascript' : 'text/html');
    res.end(req.url === '/rollbar.js' ? script : '<!doctype html><title>shop</title><script src="/rollbar.js"></script>');
  });
  await new Promise((r) => site.listen(0, '127.0.0.1', r));
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${site.address().port}/`);
    await page.evaluate((endpoint) => {
      const Class = window.rollbar ?? window.Rollbar;
      const r = new Class({ accessToken: 't', environment: 'page', endpoint, captureIp: true });
      function pay() {
        throw new Error('card refused');
      }
      try {
        pay();
      } catch (e) {
        r.critical(e);
      }
    }, `${skep.url}/api/1/item/`);
    const [row] = await until('the error of the page', async () => {
      const found = await rows(is('exception.message', 'card refused'));
      return found.length && found;
    });
    assert.equal(row.fields['error.level'], 'critical');
    assert.equal(row.fields['code.function.name'], 'pay');
    assert.equal(row.fields['client.address'], '127.0.0.1');
    assert.match(row.fields['user_agent.name'], /^Chrome \d+$/);
  } finally {
    await browser.close();
    site.close();
  }
});

test('what pyrollbar was recorded sending', async () => {
  for (let i = 1; i <= 5; i++) {
    const body = readFileSync(join(root, 'tests', 'golden', 'rollbar', `pyrollbar-${i}.json`), 'utf8');
    const r = await post(body);
    assert.equal(r.status, 200);
    assert.deepEqual(await r.json(), { err: 0, result: { id: null, uuid: JSON.parse(body).data.uuid } });
  }
  const [row] = await rows(is('exception.type', 'ZeroDivisionError'));
  assert.equal(row.fields['error.context'], '/err');
  assert.equal(row.fields['code.function.name'], 'err');
});

test('one uuid is one occurrence, whoever sends it how often', async () => {
  const body = item({ uuid: 'u-once', body: { message: { body: 'only once' } } });
  for (let i = 0; i < 3; i++) assert.equal((await post(body)).status, 200);
  assert.equal((await rows(is('error.uuid', 'u-once'))).length, 1);
});

test('a form, a type that says nothing, no slash at the end', async () => {
  const json = (n) => item({ body: { message: { body: `as ${n}` } } });
  const form = await skep.call('POST', '/api/1/item/', new URLSearchParams({ payload: json('form') }).toString(), { 'content-type': 'application/x-www-form-urlencoded' });
  assert.equal(form.status, 200);
  assert.equal((await post(json('ruby'), { 'content-type': 'application/x-www-form-urlencoded' })).status, 200);
  assert.equal((await skep.call('POST', '/api/1/item', json('bare'))).status, 200);
  for (const n of ['form', 'ruby', 'bare']) assert.equal((await rows(is('name', `as ${n}`))).length, 1, n);
  assert.equal(await (await skep.call('GET', '/api/1/status/ping')).text(), 'pong');
});

test('what is no item is told why, in Rollbar\'s form, and counted', async () => {
  const before = await skep.json('GET', '/skep/v1/status');
  const cases = [
    ['nothing', 400, /empty/],
    ['{', 400, /Could not parse JSON: .*byte \d+/],
    ['{}', 422, /data is required/],
    [item({}), 422, /data\.body/],
    [item({ body: { trace: 7 } }), 422, /data\.body/],
    [`{"data":{"body":{"message":{"body":"${'x'.repeat(5 << 20)}"}}}}`, 413, /./],
  ];
  for (const [body, status, message] of cases) {
    const r = await post(body === 'nothing' ? '' : body);
    assert.equal(r.status, status, body.slice(0, 40));
    const answer = await r.json();
    assert.equal(answer.err, 1);
    assert.match(answer.message, message);
  }
  const rejected = (s) => Object.values(s.ledger?.find((l) => l.source === 'rollbar')?.rejected ?? {}).reduce((a, b) => a + b, 0);
  const now = await skep.json('GET', '/skep/v1/status');
  assert.equal(rejected(now) - rejected(before), cases.length);
});

test('hostile items: nested without end, a million frames, secrets everywhere', async () => {
  const deep = `${'{"a":'.repeat(50000)}1${'}'.repeat(50000)}`;
  assert.equal((await post(`{"data":{"body":{"message":{"body":"deep"}},"custom":${deep}}}`)).status, 200);
  const frames = Array.from({ length: 20000 }, (_, i) => ({ filename: '/srv/a.py', method: `f${i}` }));
  assert.equal((await post(item({ body: { trace: { frames, exception: { class: 'Deep', message: 'm' } } } }))).status, 200);
  assert.equal((await rows(is('exception.type', 'Deep')))[0].fields['code.function.name'], 'f19999');
  await post(item({ body: { message: { body: 'hidden' } }, request: { headers: { Authorization: 'Bearer s3cr3t' }, url: 'http://h/?token=s3cr3t' }, custom: { IBAN: 's3cr3t', card_no: ['s3cr3t'] } }));
  assert.doesNotMatch(JSON.stringify(await skep.json('GET', `/skep/v1/row/${(await rows(is('name', 'hidden')))[0].id}`)), /s3cr3t/);
});
