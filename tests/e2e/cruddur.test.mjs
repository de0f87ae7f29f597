// SPDX-License-Identifier: Apache-2.0
// Cruddur's API: the course's answers byte for byte with --bootcamp, a real store without; what it says of
// bad input; who may call it from a page.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createConnection } from 'node:net';
import { after, before, test } from 'node:test';
import { Cruddur, visitorsBinary } from './cruddur.mjs';
import { until } from './support.mjs';

const FRONTEND = 'https://3000-bootcamp.example.org';
let course, own;
before(async () => {
  course = await Cruddur.start({ args: ['--bootcamp'], env: { OTEL_SDK_DISABLED: 'true', FRONTEND_URL: FRONTEND, BACKEND_URL: 'https://4567-bootcamp.example.org' } });
  own = await Cruddur.start();
});
after(() => Promise.all([course?.done(), own?.done()]));

// --- the course's answers -------------------------------------------------------------------------

const SECOND = 1000000n, HOUR = 3600n * SECOND, DAY = 24n * HOUR;

// Python's isoformat of microseconds since 1970 in UTC.
function iso(us, naive = false) {
  const fraction = us % SECOND;
  const seconds = new Date(Number(us / 1000n)).toISOString().slice(0, 19);
  return `${seconds}${fraction ? `.${String(fraction).padStart(6, '0')}` : ''}${naive ? '' : '+00:00'}`;
}
const micros = (text) => BigInt(Date.parse(`${text.slice(0, 19)}Z`)) * 1000n + BigInt((/\.(\d{6})/.exec(text)?.[1]) ?? '0');

// The answer, its text, and the moment it was made: `age` before its first created_at.
async function answered(path, age, { method = 'GET', body } = {}) {
  const from = BigInt(Date.now()) * 1000n;
  const r = await course.call(method, path, { body });
  const text = await r.text();
  const latest = BigInt(Date.now() + 1) * 1000n;
  assert.equal(r.status, 200);
  assert.equal(r.headers.get('content-type'), 'application/json');
  const now = micros(/"created_at":"([^"]+)"/.exec(text)[1]) + age;
  assert.ok(now >= from && now <= latest, 'times go by the clock');
  return { text, now };
}

const cloud = (now, handle, message, replier, reply) => `{"created_at":"${iso(now - 2n * DAY)}","expires_at":"${iso(now + 5n * DAY)}","handle":"${handle}","likes_count":5,"message":"${message}","replies":[{"created_at":"${iso(now - 2n * DAY)}","handle":"${replier}","likes_count":0,"message":"${reply}","replies_count":0,"reply_to_activity_uuid":"68f126b0-1ceb-4a33-88be-d90fa7109eee","reposts_count":0,"uuid":"26e12864-1c26-5c3a-9658-97a10f8fea67"}],"replies_count":1,"reposts_count":0,"uuid":"68f126b0-1ceb-4a33-88be-d90fa7109eee"}`;

test('bootcamp: home', async () => {
  const { text, now } = await answered('/api/activities/home', 2n * DAY);
  assert.equal(text, `[${cloud(now, 'Andrew Brown', 'Cloud is very fun!', 'Worf', 'This post has no honor!')},{"created_at":"${iso(now - 7n * DAY)}","expires_at":"${iso(now + 9n * DAY)}","handle":"Worf","likes":0,"message":"I am out of prune juice","replies":[],"uuid":"66e12864-8c26-4c3a-9658-95a10f8fea67"},{"created_at":"${iso(now - HOUR)}","expires_at":"${iso(now + 12n * HOUR)}","handle":"Garek","likes":0,"message":"My dear doctor, I am just simple tailor","replies":[],"uuid":"248959df-3079-4947-b847-9e0892d1bab4"}]\n`);
});

test('bootcamp: notifications', async () => {
  const { text, now } = await answered('/api/activities/notifications', 2n * DAY);
  assert.equal(text, `[${cloud(now, 'coco', 'I am white unicorn', 'worf', 'this post has no honor!')}]\n`);
});

test('bootcamp: a profile, whose times have no offset', async () => {
  const { text, now } = await answered('/api/activities/@andrewbrown', DAY);
  assert.equal(text, `[{"created_at":"${iso(now - DAY, true)}","expires_at":"${iso(now + 31n * DAY, true)}","handle":"Andrew Brown","message":"Cloud is fun!","uuid":"248959df-3079-4947-b847-9e0892d1bab4"}]\n`);
});

test('bootcamp: search', async () => {
  const { text, now } = await answered('/api/activities/search?term=cloud', 0n);
  assert.equal(text, `[{"created_at":"${iso(now)}","handle":"Andrew Brown","message":"Cloud is fun!","uuid":"248959df-3079-4947-b847-9e0892d1bab4"}]\n`);
});

test('bootcamp: message groups and messages', async () => {
  const groups = await answered('/api/message_groups', 0n);
  assert.equal(groups.text, `[{"created_at":"${iso(groups.now)}","display_name":"Andrew Brown","handle":"andrewbrown","uuid":"24b95582-9e7b-4e0a-9ad1-639773ab7552"},{"created_at":"${iso(groups.now)}","display_name":"Worf","handle":"worf","uuid":"417c360e-c4e6-4fce-873b-d2d71469b4ac"}]\n`);
  const list = await answered('/api/messages/@worf?user_reciever_handle=worf', 0n);
  assert.equal(list.text, `[{"created_at":"${iso(list.now)}","display_name":"Andrew Brown","handle":"andrewbrown","message":"Cloud is fun!","uuid":"4e81c06a-db0f-4281-b4cc-98208537772a"},{"created_at":"${iso(list.now)}","display_name":"Andrew Brown","handle":"andrewbrown","message":"This platform is great!","uuid":"66e12864-8c26-4c3a-9658-95a10f8fea67"}]\n`);
});

const UUID = /"uuid":"([0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})"/;
const TTLS = { '30-days': 30n * DAY, '7-days': 7n * DAY, '3-days': 3n * DAY, '1-day': DAY, '12-hours': 12n * HOUR, '3-hours': 3n * HOUR, '1-hour': HOUR };

test('bootcamp: a post of each length, with what is not ASCII escaped', async () => {
  for (const [ttl, us] of Object.entries(TTLS)) {
    const { text, now } = await answered('/api/activities', 0n, { method: 'POST', body: { message: 'Grüße "😀"\n\u0001/', ttl } });
    assert.equal(text, `{"created_at":"${iso(now)}","display_name":"Andrew Brown","expires_at":"${iso(now + us)}","handle":"andrewbrown","message":"Gr\\u00fc\\u00dfe \\"\\ud83d\\ude00\\"\\n\\u0001/","uuid":"${UUID.exec(text)[1]}"}\n`);
  }
});

test('bootcamp: a reply and a message', async () => {
  const reply = await answered('/api/activities/68f126b0-1ceb-4a33-88be-d90fa7109eee/reply', 0n, { method: 'POST', body: { message: 'so it is' } });
  assert.equal(reply.text, `{"created_at":"${iso(reply.now)}","display_name":"Andrew Brown","handle":"andrewbrown","message":"so it is","reply_to_activity_uuid":"68f126b0-1ceb-4a33-88be-d90fa7109eee","uuid":"${UUID.exec(reply.text)[1]}"}\n`);
  const message = await answered('/api/messages', 0n, { method: 'POST', body: { message: 'hello', user_receiver_handle: 'worf' } });
  assert.equal(message.text, `{"created_at":"${iso(message.now)}","display_name":"Andrew Brown","handle":"andrewbrown","message":"hello","uuid":"${UUID.exec(message.text)[1]}"}\n`);
});

const FAILED = '<!doctype html>\n<html lang=en>\n<title>500 Internal Server Error</title>\n<h1>Internal Server Error</h1>\n<p>The server encountered an internal error and was unable to complete your request. Either the server is overloaded or there is an error in the application.</p>\n';
const x281 = 'x'.repeat(281), x1025 = 'x'.repeat(1025);

// [method, path, body, status, text in the course, text of our own; status of our own where it differs]
const WRONG = [
  ['GET', '/api/activities/@', undefined, 422, '["blank_user_handle"]\n'],
  ['GET', '/api/activities/search', undefined, 422, '["search_term_blank"]\n'],
  ['GET', '/api/activities/search?term=', undefined, 422, '["search_term_blank"]\n'],
  ['POST', '/api/activities', { message: 'x', ttl: '2-days' }, 422, '["ttl_blank"]\n'],
  ['POST', '/api/activities', { message: '', ttl: '2-days' }, 422, '["message_blank"]\n'],
  ['POST', '/api/activities', { message: x281, ttl: '1-day' }, 422, '["message_exceed_max_chars"]\n'],
  ['POST', '/api/messages', { message: '', user_receiver_handle: 'worf' }, 422, '["message_blank"]\n'],
  ['POST', '/api/messages', { message: 'x', user_receiver_handle: '' }, 422, '["user_reciever_handle_blank"]\n'],
  ['POST', '/api/messages', { message: x1025, user_receiver_handle: 'worf' }, 422, '["message_exceed_max_chars"]\n'],
  // The course's own bugs; of our own they are answers.
  ['POST', '/api/activities', { message: 'x' }, 500, FAILED, '["ttl_blank"]\n', 422],
  ['POST', '/api/activities', { ttl: '1-day' }, 500, FAILED, '["message_blank"]\n', 422],
  ['POST', '/api/messages', { message: 'x' }, 500, FAILED, '["user_reciever_handle_blank"]\n', 422],
  ['POST', '/api/activities/68f126b0-1ceb-4a33-88be-d90fa7109eee/reply', { message: '' }, 500, FAILED, '["message_blank"]\n', 422],
  ['POST', '/api/activities/68f126b0-1ceb-4a33-88be-d90fa7109eee/reply', { message: x1025 }, 500, FAILED, '["message_exceed_max_chars"]\n', 422],
  ['GET', '/api/activities/68f126b0-1ceb-4a33-88be-d90fa7109eee', undefined, 500, FAILED, undefined, 404],
];

test('what is wrong with the input: the course, and where it had bugs', async () => {
  for (const [method, path, body, status, text, ownText = text, ownStatus = status] of WRONG) {
    const what = `${method} ${path} ${JSON.stringify(body)?.slice(0, 60)}`;
    const a = await course.call(method, path, { body });
    assert.equal(a.status, status, what);
    assert.equal(a.headers.get('content-type'), status === 422 ? 'application/json' : 'text/html; charset=utf-8', what);
    assert.equal(await a.text(), text, what);
    const b = await own.call(method, path, { body });
    assert.equal(b.status, ownStatus, `own: ${what}`);
    if (ownStatus === 422) assert.equal(await b.text(), ownText, `own: ${what}`);
    else await b.text();
  }
});

test('other paths and methods; Hello World', async () => {
  for (const c of [course, own]) {
    const hello = await c.call('GET', '/rollbar/test');
    assert.equal(hello.headers.get('content-type'), 'text/html; charset=utf-8');
    assert.equal(await hello.text(), 'Hello World!');
    const missing = await c.call('GET', '/nope');
    assert.equal(missing.status, 404);
    assert.match(await missing.text(), /^<!doctype html>\n<html lang=en>\n<title>404 Not Found<\/title>/);
    const method = await c.call('DELETE', '/api/activities/home');
    assert.equal(method.status, 405);
    assert.equal(method.headers.get('allow'), 'GET, HEAD, OPTIONS');
    const head = await c.call('HEAD', '/api/activities/home');
    assert.equal(head.status, 200);
    assert.ok(Number(head.headers.get('content-length')) > 100);
  }
  assert.equal((await course.call('GET', '/api/health-check')).status, 404); // it comes with week 6
  assert.equal(await (await own.call('GET', '/api/health-check')).text(), '{"success":true,"ver":1}\n');
});

// --- who may call from a page ---------------------------------------------------------------------

const preflight = (c, path, method, origin, asked = 'content-type,traceparent') => c.call('OPTIONS', path, { headers: { origin, 'access-control-request-method': method, 'access-control-request-headers': asked } });

test('bootcamp: CORS as flask-cors has it, with the list of headers that is none', async () => {
  const r = await course.call('GET', '/api/activities/home', { headers: { origin: FRONTEND } });
  assert.equal(r.headers.get('access-control-allow-origin'), FRONTEND);
  assert.equal(r.headers.get('access-control-expose-headers'), 'location,link');
  assert.equal(r.headers.get('vary'), 'Origin');
  const other = await course.call('GET', '/api/activities/home', { headers: { origin: 'https://elsewhere.example.org' } });
  assert.equal(other.headers.get('access-control-allow-origin'), null);
  const outside = await course.call('GET', '/rollbar/test', { headers: { origin: FRONTEND } });
  assert.equal(outside.headers.get('access-control-allow-origin'), null);
  const get = await preflight(course, '/api/activities/home', 'GET', FRONTEND);
  assert.equal(get.status, 200);
  assert.equal(get.headers.get('access-control-allow-headers'), null); // so a traced page cannot read
  for (const path of ['/api/activities', '/api/messages', '/api/activities/x/reply']) {
    const post = await preflight(course, path, 'POST', 'https://any.example.org');
    assert.equal(post.status, 200);
    assert.equal(post.headers.get('allow'), 'POST, OPTIONS');
    assert.equal(post.headers.get('access-control-allow-headers'), 'content-type,traceparent');
    assert.equal(post.headers.get('access-control-allow-methods'), 'DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT');
  }
});

test('own: the page may send a trace, others nothing', async () => {
  const origin = 'http://localhost:3000';
  // Without a page of its own, FRONTEND_URL or a port: nobody's page but the API's.
  assert.equal((await own.call('GET', '/api/activities/home', { headers: { origin } })).headers.get('access-control-allow-origin'), null);
  const c = await Cruddur.start({ env: { OTEL_SDK_DISABLED: 'true', FRONTEND_URL: origin } });
  try {
    for (const [path, method] of [['/api/activities/home', 'GET'], ['/api/activities', 'POST']]) {
      const r = await preflight(c, path, method, origin);
      assert.equal(r.headers.get('access-control-allow-origin'), origin);
      const allowed = r.headers.get('access-control-allow-headers').split(', ');
      for (const name of ['content-type', 'traceparent', 'tracestate', 'baggage']) assert.ok(allowed.includes(name), name);
      assert.equal((await preflight(c, path, method, 'http://evil.example.org')).headers.get('access-control-allow-origin'), null);
    }
  } finally {
    await c.done();
  }
});

test('X-Amzn-Trace-Id is on every reply; the caller\'s root is kept', async () => {
  for (const c of [course, own])
    for (const path of ['/api/activities/home', '/nope', '/rollbar/test', '/api/activities/search']) {
      assert.match((await c.call('GET', path)).headers.get('x-amzn-trace-id'), /^Root=1-[0-9a-f]{8}-[0-9a-f]{24}$/);
      const kept = await c.call('GET', path, { headers: { 'x-amzn-trace-id': 'Root=1-5759e988-bd862e3fe1be46a994272793' } });
      assert.equal(kept.headers.get('x-amzn-trace-id'), 'Root=1-5759e988-bd862e3fe1be46a994272793');
    }
});

// --- the store ------------------------------------------------------------------------------------

const as = (handle) => ({ baggage: `user.handle=${handle}` });

test('own: a post appears at home, on the profile, in a search, and takes replies', async () => {
  const posted = await own.json('POST', '/api/activities', { body: { message: 'Qapla’ to all', ttl: '7-days' }, headers: as('worf') });
  assert.equal(posted.display_name, 'Worf');
  const { uuid } = posted;
  assert.match(JSON.stringify({ uuid }), UUID);
  const home = await own.json('GET', '/api/activities/home');
  assert.deepEqual([home[0].uuid, home[0].handle, home[0].message, home[0].replies], [uuid, 'Worf', 'Qapla’ to all', []]);
  assert.equal(home.filter((p) => p.uuid === uuid).length, 1);
  assert.equal((await own.json('GET', '/api/activities/@worf'))[0].uuid, uuid);
  assert.deepEqual(await own.json('GET', '/api/activities/@nobody'), []);
  assert.deepEqual((await own.json('GET', '/api/activities/search?term=QAPLA')).map((p) => p.uuid), [uuid]);
  assert.deepEqual(await own.json('GET', `/api/activities/search?term=${encodeURIComponent("' OR 1=1 --")}`), []);
  assert.equal((await own.json('GET', '/api/activities/notifications', { headers: as('worf') })).length, 0);
  const reply = await own.json('POST', `/api/activities/${uuid}/reply`, { body: { message: 'success!' }, headers: as('garek') });
  assert.equal(reply.reply_to_activity_uuid, uuid);
  await own.json('POST', `/api/activities/${uuid}/reply`, { body: { message: 'again' } });
  const [post] = await own.json('GET', `/api/activities/${uuid}`);
  assert.equal(post.replies_count, 2);
  assert.deepEqual(post.replies.map((r) => [r.handle, r.message]), [['Garek', 'success!'], ['Andrew Brown', 'again']]);
  assert.deepEqual((await own.json('GET', '/api/activities/notifications', { headers: as('worf') })).map((p) => p.uuid), [uuid]);
  assert.equal((await own.call('POST', '/api/activities/0/reply', { body: { message: 'x' } })).status, 404);
});

test('own: messages between two', async () => {
  await own.json('POST', '/api/messages', { body: { message: 'a suit?', user_receiver_handle: 'garek' }, headers: as('worf') });
  await own.json('POST', '/api/messages', { body: { message: 'of Klingon leather', user_receiver_handle: 'worf' }, headers: as('garek') });
  assert.deepEqual((await own.json('GET', '/api/messages/@garek', { headers: as('worf') })).map((m) => [m.handle, m.message]), [['worf', 'a suit?'], ['garek', 'of Klingon leather']]);
  assert.equal((await own.json('GET', '/api/message_groups', { headers: as('worf') }))[0].handle, 'garek');
  assert.deepEqual(await own.json('GET', '/api/messages/@worf', { headers: as('cocomelon') }), []);
});

// --- bad input ------------------------------------------------------------------------------------

const raw = (text) => new Promise((resolve, reject) => {
  const socket = createConnection(Number(new URL(own.url).port), '127.0.0.1', () => socket.end(text));
  let answer = '';
  socket.on('data', (d) => { answer += d; });
  socket.on('close', () => resolve(answer));
  socket.on('error', reject);
});

test('bodies that are no JSON, too much, or not what is asked for', async () => {
  const post = (body, headers) => own.call('POST', '/api/activities', { body, headers }).then((r) => r.status);
  assert.equal(await post('{'), 400);
  assert.equal(await post(''), 400);
  assert.equal(await post('[1]'), 400);
  assert.equal(await post('"x"'), 400);
  assert.equal(await post('{"message":"\\ud800","ttl":"1-day"}'), 400);
  assert.equal(await post('{}', { 'content-type': 'text/plain' }), 415);
  for (const message of [null, 7, ['x'], { a: 1 }, 'a\u0000b'])
    assert.equal(await post(JSON.stringify({ message, ttl: '1-day' })), 422, JSON.stringify(message));
  assert.equal(await post(JSON.stringify({ message: 'x'.repeat(70000), ttl: '1-day' })), 413);
  const pieces = new ReadableStream({ start(c) { for (let i = 0; i < 70; i++) c.enqueue(new Uint8Array(1024).fill(32)); c.close(); } });
  const chunked = await fetch(`${own.url}/api/activities`, { method: 'POST', body: pieces, duplex: 'half', headers: { 'content-type': 'application/json' } });
  assert.equal(chunked.status, 413);
  assert.match(await raw('POST /api/activities HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n{'), /^HTTP\/1\.1 413 /);
  assert.match(await raw('nonsense\r\n\r\n'), /^(HTTP\/1\.1 400 .*)?/);
  assert.equal((await own.call('GET', `/api/activities/@${'h'.repeat(3000)}`)).status, 404);
  assert.equal((await own.call('GET', '/api/activities/%00%2e%2e%2fetc')).status, 404);
  assert.equal((await own.call('GET', '/x%0Ainjected')).status, 404);
  await until('its line', () => own.log.includes('GET http /x%0Ainjected? 404 NOT FOUND'));
  assert.doesNotMatch(own.log, /^injected/m);
  assert.equal((await own.json('GET', '/api/health-check')).success, true);
});

test('it ends cleanly, and says what it cannot do', async () => {
  const c = await Cruddur.start();
  const port = new URL(c.url).port;
  await assert.rejects(Cruddur.start({ args: ['--port', port] }), /cannot listen on 127\.0\.0\.1:\d+: Address already in use/);
  await assert.rejects(Cruddur.start({ args: ['--database', '/nowhere/at/all.db'] }), /cannot open \/nowhere\/at\/all\.db/);
  await assert.rejects(Cruddur.start({ args: ['--page', '/nowhere'] }), /holds no built page/);
  await assert.rejects(Cruddur.start({ args: ['--port', '70000'] }), /70000 is no port/);
  assert.equal(await c.stop(), 0);
});

// --- visitors -------------------------------------------------------------------------------------

// What visitors ask of a server that answers all the same: by visitor, in order. One at a time, so that
// requests of one visitor follow each other.
async function recorded(args) {
  const seen = [];
  const server = createServer((req, res) => {
    let body = '';
    req.on('data', (d) => { body += d; });
    req.on('end', () => {
      seen.push(`${req.method} ${req.url} ${body} ${req.headers.baggage} ${req.headers['user-agent']}`);
      res.end('[{"uuid":"68f126b0-1ceb-4a33-88be-d90fa7109eee"}]');
    });
  });
  await new Promise((r) => server.listen(0, '127.0.0.1', r));
  const child = spawn(visitorsBinary, ['--url', `http://127.0.0.1:${server.address().port}`, '--rate', '0', '--people', '1', ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  let out = '';
  child.stdout.on('data', (d) => { out += d; });
  const [code] = await once(child, 'close');
  server.closeAllConnections();
  server.close();
  return { seen, out, code };
}

test('visitors: the same seed does the same, another something else', async () => {
  const first = await recorded(['--count', '300']);
  assert.equal(first.code, 0);
  assert.equal(first.out, 'cruddur-visitors: 300 requests, 0 failed, 0 without an answer\n');
  assert.deepEqual((await recorded(['--count', '300'])).seen, first.seen);
  assert.notDeepEqual((await recorded(['--count', '300', '--seed', '2'])).seen, first.seen);
  const of = (pattern) => first.seen.filter((s) => pattern.test(s)).length;
  assert.ok(of(/^GET \/api\/activities\/home /) > 60);
  for (const pattern of [/^GET \/api\/activities\/@worf /, /^GET \/api\/activities\/search\?term=prune\+juice /, /^POST \/api\/activities \{"message":"/, /^POST \/api\/activities\/68f126b0-1ceb-4a33-88be-d90fa7109eee\/reply /,
    /^POST \/api\/messages /, /^GET \/api\/(activites\/home|activities\/search\?term=) /, /user\.handle=cocomelon,app\.client=android/])
    assert.ok(of(pattern) > 0, String(pattern));
  assert.equal(of(/trouble/), 0);
});

test('visitors: spells hit a kind of visitor alone', async () => {
  const { seen } = await recorded(['--count', '1000', '--slow', '0-1000', '--errors', '0-1000']);
  const slow = seen.filter((s) => s.includes('cruddur.trouble=slow'));
  const errors = seen.filter((s) => s.includes('cruddur.trouble=error'));
  assert.ok(slow.length > 10 && errors.length > 50, `${slow.length} ${errors.length}`);
  for (const s of slow) assert.match(s, /app\.client=ios,app\.version=2\.1\.0/);
  for (const s of errors) assert.match(s, /app\.client=android/);
  assert.ok(seen.some((s) => /^GET \/api\/activities\/home .*app\.client=ios,app\.version=2\.0\.4/.test(s)));
});

test('visitors: a real Cruddur takes them all; what they mistype is answered', async () => {
  const c = await Cruddur.start({ args: ['--trouble'] });
  try {
    const child = spawn(visitorsBinary, ['--url', c.url, '--rate', '0', '--people', '8', '--count', '12', '--errors', '0-1000'], { stdio: ['ignore', 'pipe', 'inherit'] });
    let out = '';
    child.stdout.on('data', (d) => { out += d; });
    const [code] = await once(child, 'close');
    assert.equal(code, 0);
    const [, failed, away] = /96 requests, (\d+) failed, (\d+) without/.exec(out);
    assert.equal(away, '0');
    const statuses = c.log.split('\n').map((l) => /http \S+ (\d{3}) /.exec(l)?.[1]).filter(Boolean);
    assert.equal(statuses.length, 96);
    assert.equal(String(statuses.filter((s) => s === '500').length), failed);
    assert.ok(Number(failed) > 0 && statuses.filter((s) => s === '200').length > 60);
  } finally {
    await c.done();
  }
});
