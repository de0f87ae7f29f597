// SPDX-License-Identifier: Apache-2.0
// People: the first start's link, logging in and out, users over HTTP and in the terminal, guesses, the audit log.
// The attack table of the cookie is in auth.test.mjs.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { makeKey, run } from './keyring.mjs';
import { Skep, until } from './support.mjs';

let skep, ann, root;
const secrets = ['correct horse', 'another horse', 'a third horse', 'wrong horse 1'];
const texts = [];

// One who is logged in: calls with the cookie that the server set.
class Person {
  constructor(cookie) { this.cookie = cookie; }

  async call(method, path, body) {
    const r = await skep.call(method, `/skep/v1/${path}`, body, { 'x-skep-page': '1', ...(this.cookie ? { cookie: this.cookie } : {}) });
    const set = r.headers.get('set-cookie');
    if (set) this.cookie = /Max-Age=0/.test(set) ? null : set.split(';')[0];
    const text = await r.text();
    texts.push(text);
    return { status: r.status, retry: Number(r.headers.get('retry-after')), set, ...JSON.parse(text) };
  }

  async must(method, path, body) {
    const a = await this.call(method, path, body);
    assert.ok(a.status < 300, `${method} ${path}: ${a.status} ${a.error}`);
    return a;
  }
}

const login = async (name, password) => {
  const p = new Person(null);
  return { p, a: await p.call('POST', 'login', { name, password }) };
};
const linkIn = (text) => /\/ui\/welcome#([a-z0-9]{52})/.exec(text)?.[1];

before(async () => {
  skep = await Skep.start({ args: ['--auth', 'keys'] });
  await until('the link', () => linkIn(skep.log));
});
after(() => skep?.done());

test('the first start prints a link that makes one administrator', async () => {
  const token = linkIn(skep.log);
  assert.match(skep.log, new RegExp(`${skep.url}/ui/welcome#${token}`));
  ann = new Person(null);
  for (const [body, status] of [[{ token: 'x'.repeat(52), name: 'ann', password: secrets[0] }, 403], [{ token, name: 'ann', password: 'short' }, 400],
    [{ token, name: 'an n', password: secrets[0] }, 400], [{ name: 'ann', password: secrets[0] }, 400]])
    assert.equal((await ann.call('POST', 'welcome', body)).status, status, JSON.stringify(body));
  const a = await ann.must('POST', 'welcome', { token, name: 'Ann', password: secrets[0] });
  assert.deepEqual(a.user, { name: 'Ann', role: 'admin' });
  assert.match(a.set, /^skep_session=[a-z0-9]{52}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=2592000$/);
  assert.equal((await new Person(null).call('POST', 'welcome', { token, name: 'eve', password: secrets[0] })).status, 403, 'used once');
  const me = await ann.must('GET', 'me');
  assert.deepEqual([me.mode, me.user, me.rights], ['keys', { name: 'Ann', role: 'admin', login: 'password' }, ['ingest', 'query', 'admin']]);
});

test('login, logout, and the session that a new login ends', async () => {
  const { p, a } = await login('ANN', secrets[0]);
  assert.equal(a.status, 200);
  const first = p.cookie;
  await p.must('POST', 'login', { name: 'ann', password: secrets[0] });
  assert.notEqual(p.cookie, first);
  assert.equal((await new Person(first).call('GET', 'me')).status, 401);
  const second = p.cookie;
  await p.must('POST', 'logout', {});
  assert.equal(p.cookie, null);
  assert.equal((await new Person(second).call('GET', 'me')).status, 401);
  assert.equal((await ann.must('GET', 'me')).user.name, 'Ann'); // another session goes on
});

test('an administrator makes users and links; a viewer asks questions in every environment', async () => {
  await ann.must('POST', 'users', { name: 'bob', password: secrets[0], role: 'viewer' });
  assert.equal((await ann.call('POST', 'users', { name: 'BOB', password: secrets[0] })).status, 409);
  assert.equal((await ann.call('POST', 'users', { name: 'x', password: secrets[0], role: 'king' })).status, 400);
  const { token } = await ann.must('POST', 'links', { role: 'viewer' });
  const carl = new Person(null);
  assert.equal((await carl.must('POST', 'welcome', { token, name: 'carl', password: secrets[0] })).user.role, 'viewer');
  const { p: bob } = await login('bob', secrets[0]);
  await ann.must('POST', 'environments', { name: 'camp' });
  assert.deepEqual((await bob.must('GET', 'environments')).environments.map((e) => e.slug), ['camp', 'default']);
  await bob.must('GET', 'status');
  for (const [method, path] of [['GET', 'keys'], ['GET', 'users'], ['GET', 'audit'], ['POST', 'environments'], ['POST', 'links'], ['POST', 'delete']])
    assert.equal((await bob.call(method, path, method === 'GET' ? undefined : {})).status, 403, path);
  const users = (await ann.must('GET', 'users')).users;
  assert.deepEqual(users.map((u) => [u.name, u.role]), [['Ann', 'admin'], ['bob', 'viewer'], ['carl', 'viewer']]);
  assert.ok(users.every((u) => u.disabled_ns === null && !('password' in u)));
  await ann.must('PATCH', 'users/bob', { role: 'admin' });
  await bob.must('GET', 'users'); // the session has today's role
  await ann.must('PATCH', 'users/bob', { disabled: true });
  assert.equal((await bob.call('GET', 'me')).status, 401);
  assert.equal((await login('bob', secrets[0])).a.status, 401);
  assert.equal((await ann.call('PATCH', 'users/ann', { disabled: true })).status, 400, 'the last administrator');
  assert.equal((await ann.call('PATCH', 'users/nobody', { disabled: true })).status, 404);
});

test('a password is changed with the old one; other sessions end', async () => {
  const { p } = await login('carl', secrets[0]);
  const other = (await login('carl', secrets[0])).p;
  const wrong = await p.call('POST', 'password', { old: secrets[3], new: secrets[1] });
  assert.deepEqual([wrong.status, wrong.field], [400, 'old']);
  await p.must('POST', 'password', { old: secrets[0], new: secrets[1] });
  await p.must('GET', 'me');
  assert.equal((await other.call('GET', 'me')).status, 401);
  assert.equal((await login('carl', secrets[0])).a.status, 401);
  await ann.must('PATCH', 'users/carl', { password: secrets[2] });
  assert.equal((await p.call('GET', 'me')).status, 401);
  assert.equal((await login('carl', secrets[2])).a.status, 200);
});

test('guesses are slowed, for names that nobody has alike', async () => {
  for (const name of ['bob', 'nobody']) {
    const seen = [];
    for (let i = 0; i < 12; i++) seen.push((await login(name, secrets[3])).a);
    assert.ok(seen.slice(0, 5).every((a) => a.status === 401 && a.error === 'wrong name or password'), name);
    const waits = seen.filter((a) => a.status === 429);
    assert.ok(waits.length >= 3 && waits.every((a) => a.retry >= 1 && a.retry <= 60), JSON.stringify(seen));
  }
  assert.equal((await login('carl', secrets[2])).a.status, 200); // others are not held up
});

test('the terminal: create, list, role, disable, enable, password, link', async () => {
  const user = (args, input) => run(['user', ...args, '--data', skep.dir], {}, input ?? null);
  assert.equal((await user(['create', 'dora', '--role', 'admin'], `${secrets[0]}\n`)).code, 0);
  assert.equal((await user(['create', 'dora'], `${secrets[0]}\n`)).code, 1);
  assert.match((await user(['create', 'dan'], 'short\n')).err, /10 to 256/);
  assert.notEqual((await user(['create'], '')).code, 0);
  const { p } = await login('dora', secrets[0]);
  await p.must('GET', 'users');
  assert.equal((await user(['disable', 'DORA'])).code, 0);
  await until('dora is out', async () => (await p.call('GET', 'me')).status === 401);
  assert.equal((await user(['enable', 'dora'])).code, 0);
  assert.equal((await user(['password', 'dora'], `${secrets[1]}\n`)).code, 0);
  assert.equal((await user(['role', 'dora', '--role', 'viewer'])).code, 0);
  assert.equal((await login('dora', secrets[1])).a.user.role, 'viewer');
  const list = (await user(['list', '--json'])).out.trim().split('\n').map((l) => JSON.parse(l));
  assert.deepEqual(list.map((u) => u.name), ['Ann', 'bob', 'carl', 'dora']);
  assert.ok(Number(list[1].disabled_ns) > 0);
  const token = linkIn((await user(['link', '--url', skep.url])).out);
  assert.equal((await new Person(null).must('POST', 'welcome', { token, name: 'emil', password: secrets[0] })).user.role, 'viewer');
  assert.match((await user(['disable', 'ann'])).err, /last administrator/);
});

test('skep user through the server: every verb, with a key that may', async () => {
  const root = await makeKey(skep.dir, 'root', '--env', 'all', '--rights', 'admin');
  const one = await makeKey(skep.dir, 'one', '--rights', 'admin');
  await until('the keys', async () => (await skep.call('GET', '/skep/v1/auth', undefined, { authorization: `Bearer ${one.token}` })).status === 200);
  const user = (args, input = '', key = root) => run(['user', ...args, '--server', skep.url], { SKEP_KEY: key.token }, input);
  const good = async (args, words, input) => {
    const r = await user(args, input);
    assert.equal(r.code, 0, `${args.join(' ')}: ${r.err}`);
    assert.match(r.out, words);
    return r.out;
  };
  await good(['create', 'gina'], /made user gina/, `${secrets[0]}\n`);
  assert.equal((await login('gina', secrets[0])).a.status, 200);
  await good(['password', 'gina'], /a new password for gina/, `${secrets[1]}\n`);
  const { p, a } = await login('gina', secrets[1]);
  assert.equal(a.user.role, 'viewer');
  await good(['role', 'gina', '--role', 'admin'], /changed gina/);
  assert.equal((await p.must('GET', 'me')).user.role, 'admin');
  await good(['disable', 'gina'], /disabled.*gina/);
  assert.equal((await p.call('GET', 'me')).status, 401);
  await good(['enable', 'gina'], /changed gina/);
  assert.equal((await login('gina', secrets[1])).a.status, 200);
  await good(['create', 'hugo', '--oidc'], /identity provider: hugo/);
  const lines = (await good(['list', '--json'], /gina/)).trim().split('\n').map((l) => JSON.parse(l));
  assert.deepEqual(lines.filter((u) => ['gina', 'hugo'].includes(u.name)).map((u) => [u.name, u.role, u.login]), [['gina', 'admin', 'password'], ['hugo', 'viewer', 'waiting']]);
  const here = await run(['user', 'list', '--json', '--data', skep.dir]);
  assert.deepEqual(here.out.trim().split('\n').map((l) => JSON.parse(l)), lines, 'as from the folder');
  const link = await good(['link', '--role', 'viewer'], new RegExp(`^${skep.url}/ui/welcome#[a-z0-9]{52}\n$`));
  assert.equal((await new Person(null).must('POST', 'welcome', { token: link.trim().split('#')[1], name: 'finn', password: secrets[0] })).user.role, 'viewer');
  for (const [args, key, words] of [[['list'], one, /of one environment/], [['create', 'gina'], root, /already/], [['disable', 'nobody'], root, /no such user/], [['list'], { token: 'x' }, /401/]]) {
    const r = await user(args, `${secrets[0]}\n`, key);
    assert.notEqual(r.code, 0, args.join(' '));
    assert.match(r.err, words);
  }
  await ann.must('PATCH', 'users/gina', { disabled: true });
});

test('the audit log says who did what, newest first, a page at a time', async () => {
  root = await makeKey(skep.dir, 'root', '--env', 'all', '--rights', 'ingest,query,admin');
  const auth = { authorization: `Bearer ${root.token}` };
  await until('the key', async () => (await skep.call('GET', '/skep/v1/auth', undefined, auth)).ok);
  const made = await skep.json('POST', '/skep/v1/keys', { name: 'sender', environment: 'camp', rights: ['ingest'] }, auth);
  await ann.must('DELETE', `keys/${made.id}`);
  await ann.must('POST', 'delete', { start_time: 1, end_time: 2, confirm: true });
  const all = [];
  let before_ = null, pages = 0;
  do {
    const a = await ann.must('GET', `audit?limit=7${before_ ? `&before=${before_}` : ''}`);
    assert.ok(a.entries.length <= 7);
    all.push(...a.entries);
    before_ = a.next;
    pages++;
  } while (before_);
  assert.ok(pages > 3);
  assert.ok(all.every((e, i) => i === 0 || e.number < all[i - 1].number));
  const has = (who, what, on, from) => assert.ok(all.some((e) => e.who === who && e.what === what && on.test(e.on) && e.from === from), `${who} ${what} ${on}`);
  has('user Ann', 'user.create', /^Ann \(admin\), by a link$/, '127.0.0.1');
  has('user Ann', 'user.create', /^bob \(viewer\)$/, '127.0.0.1');
  has('user Ann', 'user.disable', /^bob/, '127.0.0.1');
  has('user Ann', 'environment.create', /^camp$/, '127.0.0.1');
  has('user Ann', 'key.revoke', new RegExp(`^sender \\(${made.id}\\)$`), '127.0.0.1');
  has('user Ann', 'rows.delete', /^0 rows of default: /, '127.0.0.1');
  has('key root', 'key.create', /^sender .* of camp: ingest$/, '127.0.0.1');
  has('anybody', 'login.failed', /^nobody$/, '127.0.0.1');
  has('user carl', 'login', /^carl$/, '127.0.0.1');
  has(`terminal, uid ${process.getuid()}`, 'user.disable', /^DORA$/, '');
  has(`terminal, uid ${process.getuid()}`, 'key.create', /^root/, '');
  for (const q of ['limit=0', 'limit=1001', 'limit=x', 'before=-1']) assert.equal((await ann.call('GET', `audit?${q}`)).status, 400, q);
});

test('a restart keeps sessions and prints no link; no secret is anywhere', async () => {
  const { dir, port } = skep;
  const link = linkIn(skep.log);
  const log = skep.log;
  await skep.stop();
  const places = { answers: texts.join('\n'), log: log.replaceAll(link, '') };
  for (const name of ['state.db', 'state.db-wal']) if (existsSync(`${dir}/${name}`)) places[name] = readFileSync(`${dir}/${name}`, 'latin1');
  assert.ok(places['state.db'].includes('$argon2id$'));
  for (const [place, text] of Object.entries(places))
    for (const secret of [...secrets, link, ann.cookie.split('=')[1]]) assert.ok(!text.includes(secret), `a secret in ${place}`);
  const again = await Skep.start({ dir, args: ['--auth', 'keys', '--listen', `127.0.0.1:${port}`] });
  try {
    assert.equal(linkIn(again.log), undefined);
    const r = await fetch(`${again.url}/skep/v1/me`, { headers: { cookie: ann.cookie } });
    assert.equal((await r.json()).user.name, 'Ann');
  } finally {
    await again.done();
  }
});
