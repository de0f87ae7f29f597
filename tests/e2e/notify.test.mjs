// SPDX-License-Identifier: Apache-2.0
// Messages to webhooks, Slack-compatible channels and mailboxes: signed, repeated with the same id until
// they are taken, in order, over restarts, at no other place's cost; dead ones are seen and revived.
import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeKey } from './keyring.mjs';
import { Skep, freePort, root, until } from './support.mjs';

const require = createRequire(join(root, 'tests/clients/node/package.json'));
const { SMTPServer } = require('smtp-server');
const { Webhook } = require('standardwebhooks');

// A place over HTTP. `answer` says what each request gets: a status, or [status, headers]; null = nothing, ever.
async function sink(answer = () => 200, port = 0) {
  const s = { got: [], answer };
  s.server = createServer((req, res) => {
    let body = '';
    req.on('data', (d) => { body += d; }).on('end', () => {
      const one = { path: req.url, headers: req.headers, body, at: Date.now() };
      s.got.push(one);
      const says = s.answer(one, s.got.length);
      if (says === null) return;
      const [status, headers] = [says].flat();
      res.writeHead(status, headers).end('ok');
    });
  });
  await new Promise((done) => s.server.listen(port, '127.0.0.1', done));
  s.port = s.server.address().port;
  s.url = `http://127.0.0.1:${s.port}/hook`;
  s.close = () => new Promise((done) => { s.server.closeAllConnections(); s.server.close(done); });
  return s;
}

const place = (skep, body, headers) => skep.json('POST', '/skep/v1/notify/places', { per_minute: 60000, ...body }, headers);
const webhook = (skep, name, target) => place(skep, { name, kind: 'webhook', target });
const send = async (skep, p, headers) => (await skep.json('POST', `/skep/v1/notify/places/${p.id}/test`, {}, headers)).id;
const message = async (skep, id, headers) => (await skep.json('GET', '/skep/v1/notify/messages', undefined, headers)).messages.find((m) => m.id === id);
const ended = (skep, id, state) => until(`${id} to be ${state}`, async () => {
  const m = await message(skep, id);
  return m.state === state && m;
}, 30000);
const placeNow = async (skep, p) => (await skep.json('GET', '/skep/v1/notify/places')).places.find((q) => q.id === p.id);

async function withSkep(work, options) {
  const skep = await Skep.start(options);
  try {
    await work(skep);
  } finally {
    await skep.done();
  }
}

test('a webhook is signed as Standard Webhooks says, and its library agrees', () => withSkep(async (skep) => {
  const s = await sink();
  const p = await webhook(skep, 'hook', s.url);
  assert.match(p.secret, /^whsec_/);
  assert.equal((await skep.json('GET', `/skep/v1/notify/places/${p.id}/secret`)).secret, p.secret);
  assert.equal(JSON.stringify(await skep.json('GET', '/skep/v1/notify/places')).includes(p.secret), false);
  const id = await send(skep, p);
  await ended(skep, id, 'delivered');
  const [one] = s.got;
  const told = new Webhook(p.secret).verify(one.body, one.headers);
  assert.deepEqual([told.type, told.id, told.environment, told.title], ['test', id, 'default', 'A test from skep']);
  assert.equal(told.url, `${skep.url}/ui/settings/notify`);
  assert.equal(one.headers['webhook-id'], id);
  assert.throws(() => new Webhook(p.secret).verify(`${one.body} `, one.headers));
  const other = await webhook(skep, 'other', s.url);
  assert.throws(() => new Webhook(other.secret).verify(one.body, one.headers));
  const now = await placeNow(skep, p);
  assert.deepEqual([now.delivered, now.dead, now.failures, now.last_error], [1, 0, 0, '']);
  await s.close();
}));

test('a place that flaps gets each message with one id, in order; what it refuses is dead and can be revived', () => withSkep(async (skep) => {
  const s = await sink((_, n) => (n <= 2 ? 500 : 200));
  const p = await webhook(skep, 'flapping', s.url);
  const first = await send(skep, p), second = await send(skep, p);
  await ended(skep, second, 'delivered');
  assert.deepEqual(s.got.map((g) => g.headers['webhook-id']), [first, first, first, second]);
  assert.deepEqual(s.got.map((g) => g.headers['x-skep-attempt']), ['1', '2', '3', '1']);
  for (const g of s.got) new Webhook(p.secret).verify(g.body, g.headers);
  assert.equal((await message(skep, first)).attempts, 3);

  for (const [says, error] of [[404, /HTTP 404: ok/], [[302, { location: `${s.url}/elsewhere` }], /redirects are not followed/]]) {
    s.answer = () => says;
    const before = s.got.length;
    const id = await send(skep, p);
    const dead = await ended(skep, id, 'dead');
    assert.match(dead.error, error);
    assert.equal(s.got.length, before + 1, 'it was asked once');
    s.answer = () => 204;
    assert.equal((await skep.call('POST', `/skep/v1/notify/messages/${id}/retry`)).status, 200);
    await ended(skep, id, 'delivered');
    assert.equal(s.got.at(-1).headers['webhook-id'], id);
    assert.equal((await skep.call('POST', `/skep/v1/notify/messages/${id}/retry`)).status, 404, 'it is not dead');
  }
  const dead = await skep.json('GET', '/skep/v1/notify/messages?state=dead');
  assert.deepEqual(dead.messages, []);
  assert.equal((await placeNow(skep, p)).dead, 2);
  await s.close();
}));

test('Retry-After is obeyed', () => withSkep(async (skep) => {
  const s = await sink((_, n) => (n === 1 ? [429, { 'retry-after': '3' }] : 200));
  await ended(skep, await send(skep, await webhook(skep, 'busy', s.url)), 'delivered');
  assert.ok(s.got[1].at - s.got[0].at >= 2900, `${s.got[1].at - s.got[0].at} ms`);
  await s.close();
}));

test('no more a minute than a place wants, and none lost for it', () => withSkep(async (skep) => {
  const s = await sink();
  const p = await place(skep, { name: 'calm', kind: 'webhook', target: s.url, per_minute: 120 });
  const ids = [];
  for (let i = 0; i < 4; i++) ids.push(await send(skep, p));
  await ended(skep, ids[3], 'delivered');
  assert.deepEqual(s.got.map((g) => g.headers['webhook-id']), ids);
  for (let i = 1; i < 4; i++) assert.ok(s.got[i].at - s.got[i - 1].at >= 450, `${s.got[i].at - s.got[i - 1].at} ms`);
  await s.close();
}));

test('a place that never answers holds up no other, and the end of the server is not held up by it', () => withSkep(async (skep) => {
  const slow = await sink(() => null), fast = await sink();
  const a = await webhook(skep, 'slow', slow.url), b = await webhook(skep, 'fast', fast.url);
  await send(skep, a);
  await until('the slow one to be asked', () => slow.got.length > 0);
  for (let i = 0; i < 5; i++) await ended(skep, await send(skep, b), 'delivered');
  assert.equal(slow.got.length, 1);
  const began = Date.now();
  assert.equal(await skep.stop(), 0);
  assert.ok(Date.now() - began < 8000, 'the attempt was cut off');
  await Promise.all([slow.close(), fast.close()]);
}));

test('kill -9 and a receiver that comes back: what waits is delivered, each message under its one id', async () => {
  const port = await freePort();
  let skep = await Skep.start();
  const { dir } = skep;
  try {
    const p = await webhook(skep, 'later', `http://127.0.0.1:${port}/hook`);
    const ids = [await send(skep, p), await send(skep, p), await send(skep, p)];
    await until('a failed attempt', async () => (await placeNow(skep, p)).failures > 0);
    assert.match((await placeNow(skep, p)).last_error, /127\.0\.0\.1/);
    await skep.kill();
    const s = await sink(() => 200, port);
    skep = await Skep.start({ dir });
    await ended(skep, ids[2], 'delivered');
    assert.deepEqual(s.got.map((g) => g.headers['webhook-id']), ids);
    await s.close();
  } finally {
    skep.ownDir = true;
    await skep.done();
  }
});

test('a disabled place keeps its messages; one that is deleted takes them along; names are unique', () => withSkep(async (skep) => {
  const s = await sink();
  const p = await webhook(skep, 'hook', s.url);
  assert.equal((await skep.call('PATCH', `/skep/v1/notify/places/${p.id}`, { disabled: true })).status, 200);
  const id = await send(skep, p);
  const marker = await webhook(skep, 'marker', s.url);
  await ended(skep, await send(skep, marker), 'delivered');
  assert.equal((await message(skep, id)).state, 'waiting');
  await skep.call('PATCH', `/skep/v1/notify/places/${p.id}`, { disabled: false });
  await ended(skep, id, 'delivered');
  assert.equal((await skep.call('POST', '/skep/v1/notify/places', { name: 'hook', kind: 'webhook', target: s.url })).status, 409);
  assert.equal((await skep.call('DELETE', `/skep/v1/notify/places/${p.id}`)).status, 200);
  assert.equal(await message(skep, id), undefined);
  assert.equal((await skep.call('POST', `/skep/v1/notify/places/${p.id}/test`)).status, 404);
  await s.close();
}));

test('what is no place is refused with its field', () => withSkep(async (skep) => {
  const wrong = async (field, body) => {
    const r = await skep.call('POST', '/skep/v1/notify/places', { name: 'n', kind: 'webhook', target: 'http://127.0.0.1/x', ...body });
    assert.equal(r.status, 400, JSON.stringify(body));
    assert.equal((await r.json()).field, field);
  };
  await wrong('name', { name: '' });
  await wrong('name', { name: 'a\nb' });
  await wrong('kind', { kind: 'pigeon' });
  for (const target of ['', 'file:///etc/passwd', 'http://', 'https:///x', 'http://a b/', 'http://a/\r\nx: y', 'ftp://a/', `http://a/${'x'.repeat(3000)}`]) await wrong('target', { target });
  for (const target of ['', 'ann', 'ann@', '@x', 'a@b@c', 'a@b\r\nrcpt to:<x@y>', 'a@b,', 'a@b,\r\nBcc:x@y', 'a@b,\nc@d', 'a b@c', Array(30).fill('a@b').join(',')]) await wrong('target', { kind: 'mail', target });
  for (const per_minute of [0, -1, 1e9, 'x']) await wrong('per_minute', { per_minute });
  assert.equal((await skep.call('GET', '/skep/v1/notify/messages?state=odd')).status, 400);
  assert.deepEqual((await skep.json('GET', '/skep/v1/notify/places')).places, []);
}));

test('Slack: text that cannot make links or call people; its address is not shown', () => withSkep(async (skep) => {
  const s = await sink();
  const p = await place(skep, { name: 'all <!channel> & <http://x|y>', kind: 'slack', target: `${s.url}/T0/B0/secret` });
  assert.equal(p.target, `http://127.0.0.1:${s.port}/...`);
  assert.equal(p.secret, undefined);
  await ended(skep, await send(skep, p), 'delivered');
  assert.equal(s.got[0].path, '/hook/T0/B0/secret');
  const { text } = JSON.parse(s.got[0].body);
  assert.match(text, /^\*A test from skep\*\nMessages for "all &lt;!channel&gt; &amp; &lt;http:\/\/x\|y&gt;" arrive here\.\n<http:.*\|Open in skep>$/);
  await s.close();
}));

test('mail: to all recipients, in any characters, with a login; a mailbox that is none is dead, a busy server asked again', async () => {
  const mails = [], logins = [];
  let refusal = null;
  const server = new SMTPServer({
    disabledCommands: ['STARTTLS'], allowInsecureAuth: true,
    onAuth: (auth, _, done) => { logins.push([auth.username, auth.password]); done(auth.password === 'pass word' ? null : new Error('no'), { user: 1 }); },
    onRcptTo: (address, _, done) => done(refusal && Object.assign(new Error('not now'), { responseCode: refusal })),
    onData: (stream, session, done) => {
      let text = '';
      stream.on('data', (d) => { text += d; }).on('end', () => { mails.push({ text, to: session.envelope.rcptTo.map((r) => r.address), from: session.envelope.mailFrom.address }); done(); });
    },
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const file = join(mkdtempSync(join(tmpdir(), 'skep-notify-')), 'password');
  writeFileSync(file, 'pass word\n', { mode: 0o600 });
  const args = ['--smtp', `smtp://127.0.0.1:${server.server.address().port}`, '--smtp-from', 'skep@hive.example', '--smtp-user', 'skep', '--smtp-password-file', file];
  await withSkep(async (skep) => {
    assert.equal((await skep.json('GET', '/skep/v1/notify/places')).mail, true);
    const p = await place(skep, { name: 'Bienenstöcke 🐝', kind: 'mail', target: 'ann@hive.example, bob@hive.example' });
    const id = await send(skep, p);
    await ended(skep, id, 'delivered');
    const [mail] = mails;
    assert.deepEqual([mail.from, mail.to, logins[0]], ['skep@hive.example', ['ann@hive.example', 'bob@hive.example'], ['skep', 'pass word']]);
    const [head, body] = mail.text.split('\r\n\r\n');
    assert.match(head, new RegExp(`^Message-ID: <${id}@skep>$`, 'm'));
    assert.match(head, /^Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000$/m);
    const subject = [...head.matchAll(/=\?UTF-8\?B\?(.*?)\?=/g)].map((m) => Buffer.from(m[1], 'base64').toString()).join('');
    assert.equal(subject, 'A test from skep');
    assert.match(Buffer.from(body, 'base64').toString(), /^Messages for "Bienenstöcke 🐝" arrive here\.\r\n\r\nhttp:.*\/ui\/settings\/notify\r\n$/);

    refusal = 451;
    const busy = await send(skep, p);
    await until('a failed attempt', async () => (await message(skep, busy)).attempts > 0);
    assert.equal((await message(skep, busy)).state, 'waiting');
    refusal = null;
    await ended(skep, busy, 'delivered');
    refusal = 550;
    const dead = await ended(skep, await send(skep, p), 'dead');
    assert.equal(dead.status, 550);
  }, { args });
  await new Promise((done) => server.close(done));
});

test('a message for a mailbox waits where no mail server is set', () => withSkep(async (skep) => {
  const p = await place(skep, { name: 'mail', kind: 'mail', target: 'a@b.example' });
  const id = await send(skep, p);
  await until('a failed attempt', async () => (await message(skep, id)).error);
  assert.match((await message(skep, id)).error, /--smtp/);
}));

test('webhooks do not go where only this machine may; --notify-allow says where they may', async () => {
  const s = await sink();
  await withSkep(async (skep) => { // open: this machine, not its link
    const id = await send(skep, await webhook(skep, 'metadata', 'http://169.254.169.254/latest/meta-data'));
    assert.match((await ended(skep, id, 'dead')).error, /may not be connected to/);
    const logs = (target, body) => skep.call('POST', '/', JSON.stringify(body), { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': `Logs_20140328.${target}` });
    await logs('CreateLogGroup', { logGroupName: 'g' });
    const filter = await logs('PutSubscriptionFilter', { logGroupName: 'g', filterName: 'f', filterPattern: '', destinationArn: 'http://169.254.169.254/latest' });
    assert.match((await filter.json()).message, /may not be connected to/, 'what logs are delivered to, neither');
  });
  const keys = async (args, work) => {
    const dir = mkdtempSync(join(tmpdir(), 'skep-notify-'));
    const key = await makeKey(dir, 'boss', '--rights', 'admin,query,ingest');
    const skep = await Skep.start({ dir, args: ['--auth', 'keys', ...args] });
    try {
      const as = { authorization: `Bearer ${key.token}` };
      const of = async (name, target) => {
        const p = await place(skep, { name, kind: 'webhook', target }, as);
        const id = await send(skep, p, as);
        return until('an end', async () => { const m = await message(skep, id, as); return m.state !== 'waiting' && m; });
      };
      await work(of);
    } finally {
      skep.ownDir = true;
      await skep.done();
    }
  };
  await keys([], async (of) => {
    for (const [name, url] of Object.entries({ number: s.url, name: s.url.replace('127.0.0.1', 'localhost'), odd: s.url.replace('127.0.0.1', '2130706433'), mapped: s.url.replace('127.0.0.1', '[::ffff:127.0.0.1]') })) {
      const m = await of(name, url);
      assert.deepEqual([m.state, /may not be connected to/.test(m.error)], ['dead', true], `${name}: ${m.error}`);
    }
  });
  assert.equal(s.got.length, 0);
  await keys(['--notify-allow', '127.0.0.0/8'], async (of) => { assert.equal((await of('near', s.url)).state, 'delivered'); });
  await s.close();
});
