// SPDX-License-Identifier: Apache-2.0
// What runs with a key or a session ends with it: live tails, questions, exports. And what a key of one
// environment is told of the whole server.
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { after, before, test } from 'node:test';
import { makeKey, run } from './keyring.mjs';
import { Skep, hex, nowNs, otlpTraces, sleep, until } from './support.mjs';

let skep, root, operator, sender;
const PASSWORD = 'correct horse';
const bearer = (key) => ({ authorization: `Bearer ${key.token}` });

before(async () => {
  skep = await Skep.start({ args: ['--auth', 'keys'] });
  root = await makeKey(skep.dir, 'root', '--env', 'all', '--rights', 'query,admin');
  operator = await makeKey(skep.dir, 'operator', '--env', 'all', '--rights', 'query');
  sender = await makeKey(skep.dir, 'sender', '--rights', 'ingest');
  await until('the keys', async () => (await skep.call('GET', '/skep/v1/auth', undefined, bearer(sender))).status === 200);
  const pad = 'x'.repeat(2000);
  for (let k = 0; k < 20; k++) {
    const spans = Array.from({ length: 500 }, (_, i) => ({ traceId: hex(32), spanId: hex(16), name: `s${i}`, startNs: nowNs(), endNs: nowNs() + 1000n, attributes: { pad: `${k} ${i} ${pad}` } }));
    assert.equal((await skep.call('POST', '/v1/traces', otlpTraces('shop', spans), { 'x-honeycomb-team': sender.token })).status, 200);
  }
});
after(() => skep?.done());

// A streamed answer: its lines as they come, until its end. pause: read nothing until resume().
function stream(method, path, headers, body, pause = false) {
  const s = { lines: [], ended: false };
  s.begun = new Promise((resolve, reject) => {
    const r = request(skep.url + path, { method, headers: { 'content-type': 'application/json', ...headers } }, (res) => {
      let rest = '';
      s.status = res.statusCode;
      s.resume = () => res.on('data', (d) => { const parts = (rest + d).split('\n'); rest = parts.pop(); s.lines.push(...parts); }).on('end', () => { s.ended = true; }).on('error', () => { s.ended = true; });
      if (!pause) s.resume();
      resolve();
    });
    r.on('error', (e) => { s.ended = true; reject(e); });
    r.end(body && JSON.stringify(body));
  });
  return s;
}

async function tail(headers) {
  const t = stream('GET', '/skep/v1/tail', headers);
  await t.begun;
  assert.equal(t.status, 200);
  await until('its first line', () => t.lines.length > 0);
  return t;
}

async function isCut(t) {
  await until('the tail to end', () => t.ended);
  assert.match(t.lines.at(-1), /"error":"the API key was revoked or has expired, or the session has ended"/);
}

const login = async (name) => {
  const r = await skep.call('POST', '/skep/v1/login', { name, password: PASSWORD });
  assert.equal(r.status, 200);
  return { cookie: r.headers.get('set-cookie').split(';')[0], 'x-skep-page': '1' };
};

test('a tail ends with its key: revoked over HTTP, in the terminal, disabled, expired', async () => {
  const made = async (name, ...more) => {
    const k = await makeKey(skep.dir, name, '--rights', 'query', ...more);
    await until('the key', async () => (await skep.call('GET', '/skep/v1/auth', undefined, bearer(k))).status === 200);
    return k;
  };
  const others = await tail(bearer(operator));
  const first = await made('first');
  const t = await tail(bearer(first));
  assert.equal((await skep.call('DELETE', `/skep/v1/keys/${first.id}`, undefined, bearer(root))).status, 200);
  await isCut(t);
  const second = await made('second');
  const u = await tail(bearer(second));
  assert.equal((await run(['key', 'revoke', second.id, '--data', skep.dir])).code, 0);
  await isCut(u);
  const third = await made('third');
  const v = await tail(bearer(third));
  const change = { data: { id: third.id, type: 'api-keys', attributes: { disabled: true } } };
  const r = await skep.call('PATCH', `/2/teams/skep/api-keys/${third.id}`, JSON.stringify(change), { authorization: `Bearer ${root.id}:${root.token.slice(root.id.length)}`, 'content-type': 'application/vnd.api+json' });
  assert.equal(r.status, 200, await r.text());
  await isCut(v);
  const w = await tail(bearer(await made('fourth', '--expires', '2s')));
  await isCut(w);
  assert.equal(others.ended, false);
});

test('a tail ends with its session: logged out, disabled, a new password', async () => {
  for (const name of ['ann', 'bob']) assert.equal((await run(['user', 'create', name, '--data', skep.dir], {}, `${PASSWORD}\n`)).code, 0);
  const [one, two, bob] = [await login('ann'), await login('ann'), await login('bob')];
  const tails = [await tail(one), await tail(two), await tail(bob)];
  assert.equal((await skep.call('POST', '/skep/v1/logout', {}, one)).status, 200);
  await isCut(tails[0]);
  assert.equal(tails[1].ended, false, 'another session of the same user goes on');
  assert.equal((await skep.call('PATCH', '/skep/v1/users/ann', { password: 'another horse' }, bearer(root))).status, 200);
  await isCut(tails[1]);
  assert.equal(tails[2].ended, false);
  assert.equal((await skep.call('PATCH', '/skep/v1/users/bob', { disabled: true }, bearer(root))).status, 200);
  await isCut(tails[2]);
});

// The buffers between the two are full and the export waits for its reader: what was sent stands still.
async function standsStill() {
  const out = async () => (await (await skep.call('GET', '/skep/v1/status', undefined, bearer(operator))).json()).net.bytes_out;
  await until('the export to wait', async () => { const was = await out(); await sleep(400); return await out() - was < 65536; });
}

test('an export whose key is revoked is cut short; so is one of a session', async () => {
  const k = await makeKey(skep.dir, 'exporter', '--rights', 'query');
  await until('the key', async () => (await skep.call('GET', '/skep/v1/auth', undefined, bearer(k))).status === 200);
  const whole = stream('POST', '/skep/v1/export', bearer(operator), {});
  await whole.begun;
  await until('a whole export', () => whole.ended);
  assert.equal(whole.status, 200);
  const cut = stream('POST', '/skep/v1/export', bearer(k), {}, true); // 20 MB do not fit between the two
  await cut.begun;
  await standsStill();
  assert.equal((await skep.call('DELETE', `/skep/v1/keys/${k.id}`, undefined, bearer(root))).status, 200);
  await until('its worker to be free, though nobody reads', async () => (await (await skep.call('GET', '/skep/v1/running', undefined, bearer(operator))).json()).running.length === 0);
  cut.resume();
  await until('its end', () => cut.ended);
  assert.ok(cut.lines.length < whole.lines.length / 2, `${cut.lines.length} of ${whole.lines.length} lines`);
});

test('an export that is cancelled, or whose session ends, frees its worker while its reader waits', async () => {
  assert.equal((await run(['user', 'create', 'cid', '--data', skep.dir], {}, `${PASSWORD}\n`)).code, 0);
  const running = async () => (await (await skep.call('GET', '/skep/v1/running', undefined, bearer(operator))).json()).running;
  const session = await login('cid');
  for (const end of [
    async () => skep.call('DELETE', `/skep/v1/running/${(await running())[0].id}`, undefined, bearer(root)),
    async () => skep.call('POST', '/skep/v1/logout', {}, session),
  ]) {
    const s = stream('POST', '/skep/v1/export', session, {}, true);
    await s.begun;
    assert.equal(s.status, 200);
    await standsStill();
    assert.equal((await running()).length, 1);
    assert.equal((await end()).status, 200);
    await until('its worker to be free', async () => (await running()).length === 0);
    s.resume();
    await until('its end', () => s.ended);
    assert.ok(!s.lines.some((l) => l.includes('"type":"end"')), 'it does not claim to be whole');
  }
});

test('a question whose key is revoked is refused in the middle', async () => {
  const spec = { time_range: 3600, breakdowns: ['trace.trace_id'], limit: 10, granularity: 0, calculations: ['duration_ms', 'pad', 'name'].map((column) => ({ op: 'COUNT_DISTINCT', column })) };
  await until('a question that was cut', async () => {
    const k = await makeKey(skep.dir, 'asker', '--rights', 'query');
    await until('the key', async () => (await skep.call('GET', '/skep/v1/auth', undefined, bearer(k))).status === 200);
    const asked = Array.from({ length: 40 }, () => skep.call('POST', '/skep/v1/query', spec, { ...bearer(k), accept: 'application/json' }).then(async (r) => ({ status: r.status, text: await r.text() })));
    assert.equal((await skep.call('DELETE', `/skep/v1/keys/${k.id}`, undefined, bearer(root))).status, 200);
    const answers = await Promise.all(asked);
    assert.ok(answers.every((a) => a.status === 200 || a.status === 401), JSON.stringify(answers.map((a) => [a.status, a.text.slice(0, 100)])));
    return answers.some((a) => a.status === 401 && /meanwhile/.test(a.text));
  }, 60000);
});

test('a key of one environment is told nothing of the others; one of all sees the server', async () => {
  const one = await makeKey(skep.dir, 'one', '--rights', 'query,admin');
  await until('the key', async () => (await skep.call('GET', '/skep/v1/auth', undefined, bearer(one))).status === 200);
  for (const path of ['/metrics', '/skep/v1/ledger']) {
    const r = await skep.call('GET', path, undefined, bearer(one));
    assert.equal(r.status, 403, path);
    assert.match(await r.text(), /all environments/);
    assert.equal((await skep.call('GET', path, undefined, bearer(operator))).status, 200, path);
  }
  const status = await (await skep.call('GET', '/skep/v1/status', undefined, bearer(one))).json();
  assert.deepEqual(Object.keys(status).sort(), ['environment', 'now_ns', 'read_only', 'recovering', 'uptime_s', 'version']);
  assert.equal(status.environment, 'default');
  const all = await (await skep.call('GET', '/skep/v1/status', undefined, bearer(operator))).json();
  assert.ok(all.rows >= 10000 && all.net.requests > 0);
  assert.equal((await skep.call('GET', '/skep/v1/keys', undefined, bearer(operator))).status, 403);
  const r = await run(['key', 'create', '--data', skep.dir, '--name', 'x', '--env', 'all', '--rights', 'ingest']);
  assert.notEqual(r.code, 0);
  assert.match(r.err, /queries or administers/);
});
