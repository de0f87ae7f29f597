// SPDX-License-Identifier: Apache-2.0
// The attack table, made from the server's own route table: each route, in each form of key that it takes, against no key,
// a wrong one, a revoked one, an expired one, one of another environment and one with too little right. What is refused
// must be refused in that API's own words; the right key must get past the gate. A new route is in the table by itself.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect } from 'node:http2';
import { after, before, test } from 'node:test';
import { carry, makeKey, run } from './keyring.mjs';
import { Skep, until } from './support.mjs';

let skep, routes;
const keys = {};
const answers = []; // every refusal's text: no secret may be in any

const wrong = {
  token: `hcxlk_${'0'.repeat(58)}`, access_key: 'AKIASKEPAAAAAAAAAAAA', aws_secret: 'x'.repeat(40), rollbar_token: 'f'.repeat(32),
};

before(async () => {
  skep = await Skep.start({ args: ['--auth', 'keys'] });
  await until('it to say how to make a key', () => /There is no API key yet: {2}skep key create/.test(skep.log));
  for (const env of ['camp', 'other']) assert.equal((await run(['env', 'create', env, '--data', skep.dir])).code, 0);
  const make = (name, rights, ...more) => makeKey(skep.dir, name, '--env', 'camp', '--rights', rights, ...more);
  keys.ingest = await make('ingest', 'ingest');
  keys.query = await make('query', 'query');
  keys.both = await make('both', 'ingest,query');
  keys.admin = await make('admin', 'ingest,query,admin');
  keys.root = await makeKey(skep.dir, 'root', '--env', 'all', '--rights', 'ingest,query,admin');
  keys.expired = await make('expired', 'ingest,query,admin', '--expires', '1s');
  keys.revoked = await make('revoked', 'ingest,query,admin');
  assert.equal((await run(['key', 'revoke', keys.revoked.id, '--data', skep.dir])).code, 0);
  const auth = (key) => skep.call('GET', '/1/auth', undefined, { 'x-honeycomb-team': key.token });
  await until('the keys to be known', async () => {
    const says = await Promise.all([keys.root, keys.revoked, keys.expired].map(async (k) => (await auth(k)).text()));
    return /"id":"hcxmk_/.test(says[0]) && /revoked/.test(says[1]) && /expired/.test(says[2]);
  }, 30000);
  routes = (await skep.json('GET', '/skep/v1/routes', undefined, { authorization: `Bearer ${keys.root.token}` })).routes;
});
after(() => skep?.done());

const urlOf = (r) => skep.url + r.path.replace(/:[a-z]+/g, 'x').replace('*', 'x');
const bodyOf = (r) => (r.method === 'GET' || r.method === 'DELETE' ? undefined : '{}');

// Status and text of a request, of a stream the beginning alone.
async function ask(r, headers) {
  const stop = new AbortController();
  const res = await fetch(urlOf(r), {
    method: r.method, body: bodyOf(r), redirect: 'manual', signal: stop.signal,
    headers: { ...(bodyOf(r) ? { 'content-type': 'application/json' } : {}), ...r.header, ...headers },
  });
  const refused = res.status >= 400;
  const text = refused ? await res.text() : '';
  if (!refused) stop.abort();
  return { status: res.status, text, headers: res.headers };
}

function askGrpc(r, headers) {
  return new Promise((resolve, reject) => {
    const client = connect(`http://127.0.0.1:${skep.grpcPort}`);
    client.once('error', reject);
    const stream = client.request({ ':method': 'POST', ':path': r.path, 'content-type': 'application/grpc', te: 'trailers', ...headers });
    let status, message;
    const take = (h) => { status = h['grpc-status'] ?? status; message = h['grpc-message'] ?? message; };
    stream.on('response', take);
    stream.on('trailers', take);
    stream.on('close', () => { client.close(); resolve({ status: Number(status), message: decodeURIComponent(message ?? '') }); });
    stream.on('data', () => {});
    stream.end(Buffer.alloc(5));
  });
}

// What a refusal looks like, by the wire that it belongs to.
function inItsWords(r, form, answer, statuses, what) {
  const at = `${r.method} ${r.path} ${form} ${what}: ${answer.status} ${answer.text}`;
  answers.push(answer.text);
  const xray = r.forms.length === 1 && r.forms[0] === 'sigv4';
  if (xray) {
    assert.ok([400, 403, 404].includes(answer.status), at);
    const body = JSON.parse(answer.text);
    assert.match(body.__type, /Exception$/, at);
    assert.equal(typeof body[r.path === '/' ? 'message' : 'Message'], 'string', at);
    if (answer.headers.has('x-amzn-errortype')) assert.equal(answer.headers.get('x-amzn-errortype'), body.__type, at);
    return;
  }
  assert.ok(statuses.includes(answer.status), at);
  if (r.path.startsWith('/2/')) assert.equal(JSON.parse(answer.text).errors[0].status, String(answer.status), at);
  else if (r.path.startsWith('/v1/')) assert.ok(JSON.parse(answer.text).message, at);
  else if (r.path.startsWith('/api/1/')) assert.equal(JSON.parse(answer.text).err, 1, at);
  else if (r.path.startsWith('/1/kinesis_events/')) assert.ok(JSON.parse(answer.text).errorMessage, at);
  else if (/^\/(1|skep|metrics)/.test(r.path)) assert.ok(JSON.parse(answer.text).error, at);
}

const lesser = { ingest: 'query', query: 'ingest', admin: 'both' };

test('every route says what right it takes and in which form a key comes', () => {
  assert.ok(routes.length > 40);
  for (const r of routes) {
    assert.notEqual(r.right, 'none', `${r.method} ${r.path} has no right`);
    assert.equal(r.whole, ['/metrics', '/skep/v1/ledger', '/api/1/users', '/api/1/user/:id'].includes(r.path), `${r.method} ${r.path}: SKEP_ROUTE_WHOLE`);
    if (r.right !== 'public') assert.ok(r.forms.length > 0, `${r.method} ${r.path} takes no form of key`);
  }
});

test('the attack table', async () => {
  let n = 0;
  for (const r of routes.filter((x) => !x.grpc && x.right !== 'public')) {
    for (const form of r.forms.filter((f) => f !== 'session')) {
      const request = { method: r.method, url: urlOf(r), body: bodyOf(r) ?? '', headers: r.header };
      const headers = (key) => carry(form, key, request);
      inItsWords(r, form, await ask(r, {}), [401], 'none');
      inItsWords(r, form, await ask(r, headers(wrong)), [401, 403], 'wrong');
      inItsWords(r, form, await ask(r, headers(keys.revoked)), [401, 403], 'revoked');
      inItsWords(r, form, await ask(r, headers(keys.expired)), [401, 403], 'expired');
      inItsWords(r, form, await ask(r, { ...headers(keys.admin), 'x-skep-environment': 'other' }), [403], 'of another environment');
      inItsWords(r, form, await ask(r, { ...headers(keys.root), 'x-skep-environment': 'nowhere' }), [404], 'of no environment');
      if (lesser[r.right]) inItsWords(r, form, await ask(r, headers(keys[lesser[r.right]])), [403], 'with too little right');
      if (r.whole) inItsWords(r, form, await ask(r, headers(keys.admin)), [403], 'of one environment, where all are told of');
      const good = await ask(r, headers(r.right === 'admin' || r.whole ? keys.root : keys.admin));
      assert.ok(good.status !== 401 && !/API key|credentials|security token|signature/i.test(good.text),
        `${r.method} ${r.path} ${form} with the right key: ${good.status} ${good.text}`);
      n += 8;
    }
  }
  assert.ok(n > 300, `${n} attacks`);
});

// A session's cookie: on the page's own API alone, with the rights of the role, and never by itself.
test('the attack table of the page: sessions', async () => {
  for (const [name, role] of [['ann', 'admin'], ['bob', 'viewer'], ['eve', 'admin']]) {
    const r = await run(['user', 'create', name, '--role', role, '--data', skep.dir], {}, 'correct horse\n');
    assert.equal(r.code, 0, r.err);
  }
  const login = async (name) => {
    const r = await skep.call('POST', '/skep/v1/login', { name, password: 'correct horse' });
    assert.equal(r.status, 200);
    return /^(skep_session=[a-z0-9]{52}); Path=\/; HttpOnly; SameSite=Strict; Max-Age=/.exec(r.headers.get('set-cookie'))[1];
  };
  const page = (cookie, more = {}) => ({ cookie, 'x-skep-page': '1', ...more });
  const [ann, bob, ended, disabled] = [await login('ann'), await login('bob'), await login('ann'), await login('eve')];
  assert.equal((await skep.call('POST', '/skep/v1/logout', {}, page(ended))).status, 200);
  assert.equal((await run(['user', 'disable', 'eve', '--data', skep.dir])).code, 0);
  await until('eve to be out', async () => (await skep.call('GET', '/skep/v1/me', undefined, page(disabled))).status === 401);
  const mine = routes.filter((r) => r.path.startsWith('/skep/v1/') && r.right !== 'public');
  assert.ok(mine.length > 30);
  for (const r of routes) { // a new route of the page without it is found here
    const takes = r.path.startsWith('/skep/v1/') && r.right !== 'public';
    assert.equal(r.forms.includes('session'), takes, `${r.method} ${r.path}: SKEP_FORM_PAGE`);
  }
  for (const r of mine) {
    inItsWords(r, 'session', await ask(r, {}), [401], 'none');
    inItsWords(r, 'session', await ask(r, page('skep_session=')), [401], 'empty');
    inItsWords(r, 'session', await ask(r, page(`skep_session=${'0'.repeat(52)}`)), [401], 'wrong');
    inItsWords(r, 'session', await ask(r, page(ann.replace('skep_', '__Host-skep_'))), [401], 'the name of TLS');
    inItsWords(r, 'session', await ask(r, page(ended)), [401], 'logged out');
    inItsWords(r, 'session', await ask(r, page(disabled)), [401], 'disabled');
    inItsWords(r, 'session', await ask(r, page(ann, { 'x-skep-environment': 'nowhere' })), [404], 'of no environment');
    if (r.right === 'admin' || r.right === 'ingest') inItsWords(r, 'session', await ask(r, page(bob)), [403], 'a viewer');
    for (const foreign of [{ origin: 'https://evil.example' }, { origin: 'null' }, { 'sec-fetch-site': 'cross-site' }])
      assert.equal((await ask(r, page(ann, foreign))).status, 403, `${r.method} ${r.path} ${JSON.stringify(foreign)}`);
    if (r.method !== 'GET') // a form or a script that is not the page's: neither content type nor environment is enough
      inItsWords(r, 'session', await ask(r, { cookie: ann, 'x-skep-environment': 'default', 'content-type': 'application/json' }), [403], 'without X-Skep-Page');
    const good = await ask(r, page(r.path.endsWith('/logout') ? await login('ann') : ann));
    assert.ok(good.status !== 401 && good.status !== 403, `${r.method} ${r.path} logged in: ${good.status} ${good.text}`);
  }
  for (const path of ['/1/auth', '/2/auth', '/metrics', '/v1/traces']) { // not on the other wires
    const r = await skep.call(path === '/v1/traces' ? 'POST' : 'GET', path, path === '/v1/traces' ? {} : undefined, page(ann));
    assert.equal(r.status, 401, path);
  }
});

test('the attack table of gRPC', async () => {
  const wires = routes.filter((r) => r.grpc && r.right !== 'public');
  assert.ok(wires.length >= 3);
  for (const r of wires) {
    const cases = [
      [{}, 16], [{ 'x-honeycomb-team': wrong.token }, 16], [{ 'x-honeycomb-team': keys.revoked.token }, 16],
      [{ 'x-honeycomb-team': keys.expired.token }, 16], [{ 'x-honeycomb-team': keys.query.token }, 7],
      [{ 'x-honeycomb-team': keys.ingest.token, 'x-skep-environment': 'other' }, 7],
      [{ authorization: `Bearer ${wrong.token}` }, 16], [{ authorization: `Bearer ${keys.ingest.token}` }, 0], [{ 'x-honeycomb-team': keys.ingest.token }, 0],
    ];
    for (const [headers, status] of cases) {
      const a = await askGrpc(r, headers);
      answers.push(a.message);
      assert.equal(a.status, status, `${r.path} ${JSON.stringify(headers)}: ${a.status} ${a.message}`);
    }
  }
});

test('what is public is answered without a key', async () => {
  for (const r of routes.filter((x) => x.right === 'public' && !x.grpc)) {
    const a = await ask(r, {});
    assert.ok(a.status !== 401 && a.status !== 403, `${r.method} ${r.path}: ${a.status}`);
  }
  const health = await askGrpc({ path: '/grpc.health.v1.Health/Check' }, {});
  assert.equal(health.status, 0);
});

test('tricks with the path, the method and the header do not go around the gate', async () => {
  for (const path of ['/skep/v1/STATUS', '/skep/v1//status', '/skep/v1/%73tatus', '/skep/v1/status/', '//skep/v1/status', '/skep/v1/./status', '/ui/../skep/v1/status']) {
    const r = await fetch(skep.url + path, { redirect: 'manual' });
    assert.ok([401, 404, 200].includes(r.status), `${path}: ${r.status}`);
    assert.ok(!/"version"/.test(await r.text()), path);
  }
  const head = await fetch(`${skep.url}/skep/v1/status`, { method: 'HEAD' });
  assert.equal(head.status, 401);
  for (const value of ['', 'Bearer', 'Bearer ', 'Basic', 'Basic Og==', 'bearer null', `Bearer ${keys.admin.id}`, `Bearer ${keys.admin.token.toUpperCase()}`, `Bearer ${keys.admin.token}x`]) {
    const r = await skep.call('GET', '/skep/v1/status', undefined, { authorization: value });
    assert.equal(r.status, 401, value);
    answers.push(await r.text());
  }
});

test('no secret is in an answer, a log line, a metric or the database', async () => {
  const admin = { authorization: `Bearer ${keys.root.token}` };
  await skep.call('POST', '/v1/traces', '{"broken', { 'content-type': 'application/json', 'x-honeycomb-team': keys.ingest.token });
  for (const path of ['/metrics', '/skep/v1/status', '/skep/v1/keys', '/skep/v1/running', '/2/teams/skep/api-keys', '/skep/v1/ledger']) {
    const r = await skep.call('GET', path, undefined, admin);
    assert.equal(r.status, 200, path);
    answers.push(await r.text());
  }
  await skep.stop();
  const places = { answers: answers.join('\n'), log: skep.log };
  for (const name of ['state.db', 'state.db-wal', 'key']) {
    try { places[name] = readFileSync(`${skep.dir}/${name}`, 'latin1'); } catch { /* no log after a clean stop */ }
  }
  assert.ok(places['state.db'].includes(keys.root.id)); // the search finds what is there
  for (const [place, text] of Object.entries(places)) {
    for (const [name, key] of Object.entries(keys)) {
      for (const secret of [key.token.slice(32), key.aws_secret, key.rollbar_token]) assert.ok(!text.includes(secret), `${name}'s secret in ${place}`);
    }
  }
});
