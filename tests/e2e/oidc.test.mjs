// SPDX-License-Identifier: Apache-2.0
// Logging in through an identity provider: a real one, and one that lies in every way it can.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { Browser, Handmade, haveProvider, makeKey, publicPem, realProvider, signToken } from './oidc.mjs';
import { makeKey as makeApiKey, run } from './keyring.mjs';
import { Skep, freePort, until } from './support.mjs';

const SECRET = 'a secret with : and % in it';
const dir = mkdtempSync(join(tmpdir(), 'skep-oidc-'));
const secretFile = join(dir, 'secret');
writeFileSync(secretFile, `${SECRET}\n`);
let bad, skep, root;

before(async () => {
  bad = await Handmade.start();
  skep = await Skep.start({ args: ['--auth', 'keys', '--oidc-issuer', bad.issuer, '--oidc-client-id', 'skep', '--oidc-client-secret-file', secretFile,
    '--oidc-users', 'new', '--oidc-domain', 'hive.example', '--oidc-role-claim', 'groups', '--oidc-admin', 'ops', '--oidc-name', 'the Hive'] });
  root = await makeApiKey(skep.dir, 'root', '--env', 'all', '--rights', 'query,admin');
  await until('the key', async () => (await as('GET', 'users')).status === 200);
});
after(async () => {
  await skep?.done();
  await bad?.close();
  rmSync(dir, { recursive: true, force: true });
});
afterEach(() => bad.reset());

const as = (method, path, body) => skep.call(method, `/skep/v1/${path}`, body, { authorization: `Bearer ${root.token}` });
const users = async () => (await (await as('GET', 'users')).json()).users;
const audit = async () => (await (await as('GET', 'audit?limit=20')).json()).entries;

test('the first login makes a user, with the role that the claim gives', async () => {
  const ways = await (await fetch(`${skep.url}/skep/v1/login`)).json();
  assert.deepEqual(ways, { password: true, oidc: { name: 'the Hive', error: null } });
  const ann = new Browser(skep);
  const begun = await ann.begin('/ui/traces?q=1');
  const there = new URL(begun.headers.get('location'));
  assert.equal(begun.status, 302);
  assert.equal(there.origin + there.pathname, `${bad.issuer}/authorize`);
  const q = Object.fromEntries(there.searchParams);
  assert.deepEqual([q.response_type, q.client_id, q.scope, q.code_challenge_method, q.redirect_uri],
    ['code', 'skep', 'openid profile email', 'S256', `${skep.url}/skep/v1/oidc/callback`]);
  assert.ok(q.state.length >= 43 && q.nonce.length >= 43 && q.state !== q.nonce);
  assert.match(begun.headers.get('set-cookie'), /^skep_oidc=[\w-]+; Path=\/; HttpOnly; SameSite=Lax; Max-Age=600$/);
  const a = await ann.login('/ui/traces?q=1');
  assert.deepEqual([a.to, a.error, a.me?.user], ['/ui/traces?q=1', null, { name: 'ann@hive.example', role: 'viewer', login: 'oidc' }]);
  assert.equal(bad.lastToken.authorization, `Basic ${Buffer.from(`skep:${encodeURIComponent(SECRET)}`).toString('base64')}`);
  assert.equal(bad.lastToken.form.get('client_secret'), null);
  assert.ok(!ann.jar.has('skep_oidc'), 'forgotten');
  bad.who.groups = ['people', 'ops'];
  const b = await new Browser(skep).login();
  assert.deepEqual(b.me.user, { name: 'ann@hive.example', role: 'admin', login: 'oidc' });
  const list = await users();
  assert.deepEqual(list.map((u) => [u.name, u.role, u.login]), [['ann@hive.example', 'admin', 'oidc']]);
  const log = (await audit()).map((e) => `${e.who}: ${e.what} ${e.on}`);
  for (const line of ['user ann@hive.example: user.create ann@hive.example (viewer), by the identity provider', 'user ann@hive.example: user.change ann@hive.example (admin), by the identity provider', 'user ann@hive.example: login ann@hive.example, by the identity provider'])
    assert.ok(log.includes(line), log.join('\n'));
  const r = await run(['user', 'list', '--data', skep.dir]);
  assert.match(r.out, /ann@hive\.example\s+admin\s+identity provider/);
});

test('a user by the provider has no password here, and logs out', async () => {
  const ann = new Browser(skep);
  const { me } = await ann.login();
  assert.ok(me);
  for (const password of ['', 'hidden', 'correct horse'])
    assert.notEqual((await skep.call('POST', '/skep/v1/login', { name: 'ann@hive.example', password })).status, 200, password);
  const cookie = `skep_session=${ann.jar.get('skep_session')}`;
  assert.equal((await skep.call('POST', '/skep/v1/logout', {}, { cookie, 'x-skep-page': '1' })).status, 200);
  assert.equal((await skep.call('GET', '/skep/v1/me', undefined, { cookie })).status, 401);
});

test('a login ends in the browser where it began, once, and on the page', async () => {
  const ann = new Browser(skep), eve = new Browser(skep);
  const asked = (await ann.begin()).headers.get('location');
  const back = (await fetch(asked, { redirect: 'manual' })).headers.get('location');
  await eve.back(back);
  assert.match((await eve.state()).error, /not begun in this browser/);
  await eve.begin();
  await eve.back(back);
  assert.match((await eve.state()).error, /another login \(state\)/);
  const other = new URL(back);
  other.searchParams.set('state', `${other.searchParams.get('state')}x`);
  await ann.back(other.href);
  assert.match((await ann.state()).error, /state/);
  const spare = new Browser(skep);
  const again = (await fetch((await spare.begin()).headers.get('location'), { redirect: 'manual' })).headers.get('location');
  const copy = new Map(spare.jar);
  await spare.back(again);
  assert.ok((await spare.state()).me);
  spare.jar = copy; // the same answer once more: the code was used
  await spare.back(again);
  assert.match((await spare.state()).error, /invalid_grant/);
  for (const to of ['https://evil.example/', '//evil.example', '/\\evil.example', '/ui/\\evil', '/skep/v1/me', 'javascript:alert(1)', `/ui/${'x'.repeat(2000)}`, '/ui/a\r\nSet-Cookie: x=1'])
    assert.equal((await new Browser(skep).login(to)).to, '/ui/home', to);
  // A link that says something of its own shows nothing of it.
  const victim = new Browser(skep);
  await victim.begin();
  await victim.back(`${skep.url}/skep/v1/oidc/callback?error=${encodeURIComponent('Call 555-1234')}&state=x`);
  assert.ok(!(await victim.state()).error.includes('555'));
});

test('what the provider says of a failure is shown once, without control characters', async () => {
  bad.answer['/authorize'] = (req, res) => {
    const q = new URL(req.url, bad.issuer).searchParams;
    res.writeHead(302, { location: `${q.get('redirect_uri')}?${new URLSearchParams({ state: q.get('state'), error: 'access_denied', error_description: `not\u001b[2J you<script>${'y'.repeat(500)}` })}` });
    res.end();
  };
  const ann = new Browser(skep);
  const a = await ann.login();
  assert.match(a.error, /^the identity provider says: access_denied, not\?\[2J you<script>y+$/);
  assert.ok(a.error.length < 300);
  assert.equal((await ann.state()).error, null, 'once');
  assert.ok((await audit()).some((e) => e.what === 'login.failed' && /access_denied/.test(e.on)));
});

const claims = (change) => () => { bad.claims = (c) => ({ ...c, ...change(c) }); };
const token = (make) => () => { bad.token = make; };
const now = () => Math.floor(Date.now() / 1000);
const wrong = {
  'of another issuer': [claims(() => ({ iss: 'https://evil.example' })), /another issuer/],
  'for another client': [claims(() => ({ aud: 'other' })), /another client/],
  'for several without azp': [claims(() => ({ aud: ['skep', 'other'] })), /another client/],
  'for several and made for another': [claims(() => ({ aud: ['skep', 'other'], azp: 'other' })), /another client/],
  'without an audience': [claims(() => ({ aud: undefined })), /another client/],
  expired: [claims(() => ({ exp: now() - 120 })), /expired/],
  'without an end': [claims(() => ({ exp: undefined })), /no time/],
  'with an end that is text': [claims(() => ({ exp: '9999999999' })), /no time/],
  'of the future': [claims(() => ({ iat: now() + 600 })), /future/],
  'not yet good': [claims(() => ({ nbf: now() + 600 })), /future/],
  'of another nonce': [claims(() => ({ nonce: 'x'.repeat(43) })), /nonce/],
  'without a nonce': [claims(() => ({ nonce: undefined })), /nonce/],
  'of nobody': [claims(() => ({ sub: '' })), /nobody/],
  'of a subject that is no text': [claims(() => ({ sub: { $ne: 1 } })), /nobody/],
  'with alg none': [token((t, k, c) => `${Buffer.from('{"alg":"none"}').toString('base64url')}.${t.split('.')[1]}.`), /algorithm/],
  'with alg None and a signature': [token((t, k, c) => signToken({ ...k }, c, { alg: 'None' })), /algorithm/],
  'signed with the public key as a secret': [token((t, k, c) => {
    const part = `${Buffer.from(JSON.stringify({ alg: 'HS256', kid: k.kid })).toString('base64url')}.${t.split('.')[1]}`;
    return `${part}.${createHmac('sha256', publicPem(k)).update(part).digest('base64url')}`;
  }), /algorithm/],
  'signed with another key of the same id': [token((t, k, c) => signToken(makeKey('k1', 'RS256'), c)), /signature/],
  'with a key in its own header': [token((t, k, c) => { const mine = makeKey('mine', 'RS256'); return signToken(mine, c, { jwk: mine.jwk, jku: 'https://evil.example/keys' }); }), /key id/],
  'of another algorithm than its key': [token((t, k, c) => signToken(makeKey('k1', 'ES256'), c)), /key id|signature/],
  'with claims that were changed': [token((t) => { const [h, , s] = t.split('.'); return `${h}.${Buffer.from('{"sub":"root"}').toString('base64url')}.${s}`; }), /signature/],
  'with a critical extension': [token((t, k, c) => signToken(k, c, { crit: ['exp'] })), /critical/],
  'cut short': [token((t) => t.slice(0, -20)), /signature|base64/],
  'of two parts': [token((t) => t.split('.').slice(0, 2).join('.')), /three parts/],
  'that is no text': [token(() => 17), /no ID token/],
  'that is huge': [token(() => 'e'.repeat(100000)), /more than/],
  'of an e-mail address that was not verified': [() => { bad.who.email_verified = false; }, /not verified/],
  'of another domain': [() => { bad.who.email = 'ann@evil.example'; }, /no domain/],
  'of a domain that only ends so': [() => { bad.who.email = 'ann@evilhive.example'; }, /no domain/],
};
for (const [name, [spoil, words]] of Object.entries(wrong)) {
  test(`an ID token ${name} lets nobody in`, async () => {
    spoil();
    bad.who.sub = 'eve-1';
    const a = await new Browser(skep).login();
    assert.equal(a.me, null, JSON.stringify(a));
    assert.match(a.error, words);
    assert.deepEqual((await users()).map((u) => u.name), ['ann@hive.example']);
  });
}

test('every algorithm with a public key', async () => {
  const old = bad.key;
  for (const alg of ['RS256', 'RS384', 'RS512', 'PS256', 'ES256', 'ES384', 'EdDSA']) {
    // A skep of its own: one asks for keys anew at most twice a minute.
    const own = await Skep.start({ args: ['--auth', 'keys', '--oidc-issuer', bad.issuer, '--oidc-client-id', 'public', '--oidc-users', 'new'] });
    try {
      bad.key = makeKey(`k-${alg}`, alg);
      const a = await new Browser(own).login();
      assert.deepEqual([a.error, a.me?.user.name], [null, 'ann@hive.example'], alg);
      assert.equal(bad.lastToken.authorization, undefined);
      assert.equal(bad.lastToken.form.get('client_id'), 'public');
    } finally {
      await own.done();
    }
  }
  bad.key = old;
});

test('keys that change are fetched anew, but not at every try', async () => {
  const s = await Skep.start({ args: ['--auth', 'keys', '--oidc-issuer', bad.issuer, '--oidc-client-id', 'skep', '--oidc-users', 'new'] });
  const old = bad.key, before = bad.count('/keys');
  try {
    for (let i = 0; i < 2; i++) assert.equal((await new Browser(s).login()).error, null);
    assert.equal(bad.count('/keys'), before + 1, 'known for ten minutes');
    bad.key = makeKey('k2', 'RS256');
    assert.equal((await new Browser(s).login()).error, null);
    assert.equal(bad.count('/keys'), before + 2, 'once more for a key that is new');
    bad.key = makeKey('k3', 'RS256');
    for (let i = 0; i < 5; i++) assert.match((await new Browser(s).login()).error, /key id/);
    assert.equal(bad.count('/keys'), before + 2, 'not twice within half a minute');
  } finally {
    bad.key = old;
    await s.done();
  }
});

test('a provider that is slow, endless, in circles or plainly wrong is told apart', async () => {
  const own = async (spoil, words, ms = 15000) => {
    bad.reset();
    spoil();
    const s = await Skep.start({ args: ['--auth', 'keys', '--oidc-issuer', bad.issuer, '--oidc-client-id', 'skep', '--oidc-users', 'new'] });
    try {
      const t = Date.now();
      const a = await new Browser(s).login();
      assert.equal(a.me, null);
      assert.match(a.error, words);
      assert.ok(Date.now() - t < ms);
    } finally {
      await s.done();
    }
  };
  const endless = (req, res) => { res.writeHead(200); const more = () => { while (res.write('x'.repeat(65536))); }; res.on('drain', more); more(); };
  const d = '/.well-known/openid-configuration';
  await own(() => { bad.answer[d] = (req, res) => { res.writeHead(302, { location: bad.issuer + d }); res.end(); }; }, /discovery document.*redirect/i);
  await own(() => { bad.answer[d] = endless; }, /discovery document.*more than 262144 bytes/);
  await own(() => { bad.answer[d] = (req, res) => { res.end('<html>'); }; }, /without JSON/);
  await own(() => { bad.answer[d] = (req, res) => { res.writeHead(302, { location: 'file:///etc/passwd' }); res.end(); }; }, /discovery document/);
  await own(() => { bad.discovery = (x) => ({ ...x, issuer: 'http://127.0.0.1:1' }); }, /calls itself/);
  await own(() => { bad.discovery = (x) => ({ ...x, token_endpoint: 'http://evil.example/token' }); }, /token_endpoint is not https/);
  await own(() => { bad.discovery = (x) => ({ ...x, jwks_uri: undefined }); }, /no jwks_uri/);
  await own(() => { bad.answer['/keys'] = endless; }, /key set.*more than/);
  await own(() => { bad.jwks = { keys: Array.from({ length: 101 }, () => bad.key.jwk) }; }, /no set of up to 100 keys/);
  await own(() => { bad.jwks = { keys: [{ ...bad.key.jwk, n: 'AQAB' }, { kty: 'oct', kid: 'k1', k: 'AAAA' }, 5] }; }, /signature/);
  await own(() => { bad.answer['/token'] = (req, res) => { res.writeHead(307, { location: `${bad.issuer}/elsewhere` }); res.end('{}'); }; }, /answers 307/);
  assert.equal(bad.count('/elsewhere'), 0, 'a code follows no redirect');
  await own(() => { bad.answer['/token'] = (req, res) => { res.writeHead(200); res.write('{'); }; }, /does not answer within/);
});

test('a provider that hangs holds up logins alone, and stopping does not wait for it', async () => {
  let asked = 0;
  bad.answer['/.well-known/openid-configuration'] = () => { asked++; };
  const s = await Skep.start({ args: ['--auth', 'keys', '--oidc-issuer', bad.issuer, '--oidc-client-id', 'skep'] });
  try {
    const key = await makeApiKey(s.dir, 'q', '--env', 'default', '--rights', 'query');
    const waiting = Array.from({ length: 40 }, () => new Browser(s).begin().then((r) => r.status, () => 0));
    await until('the provider to be asked', () => asked > 0);
    await until('others to be served', async () => (await s.call('GET', '/skep/v1/status', undefined, { authorization: `Bearer ${key.token}` })).status === 200);
    const first = await Promise.race(waiting);
    assert.equal(first, 503, 'more than 32 at once');
    assert.equal(await s.stop(), 0);
    assert.ok((await Promise.all(waiting)).filter((x) => x === 503).length >= 8);
  } finally {
    await s.done();
  }
});

test('only who is known, unless told otherwise; a name gives nothing', async () => {
  const s = await Skep.start({ args: ['--auth', 'keys', '--oidc-issuer', bad.issuer, '--oidc-client-id', 'skep'] });
  try {
    const user = (...args) => run(['user', ...args, '--data', s.dir], {}, 'correct horse\n');
    assert.match((await new Browser(s).login()).error, /nobody here is "ann@hive.example".*skep user create/);
    assert.equal((await user('create', 'ann@hive.example', '--role', 'admin')).code, 0); // with a password
    assert.match((await new Browser(s).login()).error, /nobody here/, 'the name alone is not enough');
    assert.equal((await user('create', 'bob@hive.example', '--oidc', '--role', 'admin')).code, 0);
    bad.who = { sub: 'bob-1', email: 'Bob@hive.example', email_verified: true };
    const bob = await new Browser(s).login();
    assert.deepEqual([bob.error, bob.me?.user], [null, { name: 'bob@hive.example', role: 'admin', login: 'oidc' }]);
    bad.who = { sub: 'eve-1', email: 'bob@hive.example', email_verified: true }; // the address was given to another
    assert.match((await new Browser(s).login()).error, /nobody here/);
    bad.who = { sub: 'carl-1', preferred_username: 'bob@hive.example' };
    assert.match((await new Browser(s).login()).error, /nobody here/);
    assert.equal((await user('disable', 'bob@hive.example')).code, 0);
    bad.who = { sub: 'bob-1', email: 'new@hive.example', email_verified: true }; // the same one by another address
    assert.match((await new Browser(s).login()).error, /"bob@hive.example" is disabled/);
  } finally {
    await s.done();
  }
});

test('flags that do not go together are refused with their reason', async () => {
  const port = await freePort();
  const serve = (...args) => run(['serve', '--data', join(dir, 'never'), '--listen', `127.0.0.1:${port}`, ...args]);
  const issuer = ['--oidc-issuer', 'https://id.hive.example', '--oidc-client-id', 'skep'];
  for (const [args, words] of [[[...issuer], /--auth keys/], [['--auth', 'keys', '--oidc-issuer', 'https://id.hive.example'], /--oidc-client-id/],
    [['--auth', 'keys', '--oidc-issuer', 'http://id.hive.example', '--oidc-client-id', 'x'], /https/], [['--auth', 'keys', '--oidc-issuer', 'http://localhost@evil.example', '--oidc-client-id', 'x'], /https/],
    [['--auth', 'keys', ...issuer, '--oidc-role', 'none'], /--oidc-role-claim/], [['--auth', 'keys', ...issuer, '--oidc-admin', 'ops'], /--oidc-role-claim/],
    [['--auth', 'keys', ...issuer, '--oidc-users', 'all'], /known or new/], [['--auth', 'keys', ...issuer, '--oidc-session', '60d'], /30d/],
    [['--auth', 'keys', ...issuer, '--oidc-client-secret-file', join(dir, 'none')], /none/], [['--auth', 'keys', '--oidc-client-id', 'x'], /--oidc-issuer/]]) {
    const r = await serve(...args);
    assert.notEqual(r.code, 0, args.join(' '));
    assert.match(r.err, words, args.join(' '));
  }
});

test('a real provider: its forms, its keys, its user info', { skip: !haveProvider && 'no oidc-provider: tools/node-packages.sh tests/clients/node' }, async () => {
  const port = await freePort();
  const holder = {};
  const skepPort = await freePort();
  const clients = ['RS256', 'ES256'].map((alg) => ({ client_id: `skep-${alg}`, client_secret: 'the-secret', id_token_signed_response_alg: alg, redirect_uris: [`http://127.0.0.1:${skepPort}/skep/v1/oidc/callback`],
    ...(alg === 'ES256' ? { token_endpoint_auth_method: 'client_secret_basic' } : {}) }));
  writeFileSync(join(dir, 'real'), 'the-secret');
  const real = await realProvider({ port, clients, accounts: { ann: { email: 'ann@hive.example', email_verified: true, groups: ['ops'], name: 'Ann', preferred_username: 'ann' } } });
  try {
    for (const alg of ['RS256', 'ES256']) {
      const s = await Skep.start({ args: ['--listen', `127.0.0.1:${skepPort}`, '--auth', 'keys', '--oidc-issuer', real.issuer, '--oidc-client-id', `skep-${alg}`, '--oidc-client-secret-file', join(dir, 'real'),
        '--oidc-users', 'new', '--oidc-role', 'none', '--oidc-role-claim', 'groups', '--oidc-admin', 'ops'] });
      holder.s = s;
      s.url = `http://127.0.0.1:${skepPort}`;
      const ann = new Browser(s), forms = new Browser(s);
      let at = (await ann.begin()).headers.get('location');
      for (let i = 0; i < 12 && !at.startsWith(s.url); i++) at = await step(forms, real.issuer, at);
      assert.ok(at.startsWith(s.url), at);
      const a = await ann.state((await ann.back(at)).headers.get('location'));
      assert.deepEqual([a.error, a.me?.user, a.to], [null, { name: 'ann@hive.example', role: 'admin', login: 'oidc' }, '/ui/traces'], alg);
      await s.done();
    }
  } finally {
    await holder.s?.done();
    await real.close();
  }
});

// One page of the provider's: a redirect is followed, a form is filled in.
async function step(browser, issuer, at) {
  const r = await browser.get(at);
  const next = r.headers.get('location');
  if (next) return new URL(next, issuer).href;
  const html = await r.text();
  const action = /action="([^"]+)"/.exec(html)?.[1];
  assert.ok(action, `${at}: ${r.status} ${html.slice(0, 500)}`);
  const prompt = /name="prompt" value="(\w+)"/.exec(html)[1];
  const cookie = [...browser.jar].map(([k, v]) => `${k}=${v}`).join('; ');
  const sent = await fetch(new URL(action, issuer), { method: 'POST', redirect: 'manual', headers: { cookie, 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(prompt === 'login' ? { prompt, login: 'ann', password: 'any' } : { prompt }) });
  for (const line of sent.headers.getSetCookie()) {
    const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
    browser.jar.set(name, value);
  }
  return new URL(sent.headers.get('location'), issuer).href;
}
