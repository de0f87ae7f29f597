// SPDX-License-Identifier: Apache-2.0
// Keys as people use them: made in the terminal or over HTTP beside a running server, selecting an environment, limited,
// ended; Honeycomb's version 2 on the same objects; the key file in a backup.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { makeKey, run, sigv4 } from './keyring.mjs';
import { Skep, hex, nowNs, otlpTraces, root as repository, until } from './support.mjs';

let skep, root;
const bearer = (key) => ({ authorization: `Bearer ${key.token}` });

before(async () => {
  skep = await Skep.start({ args: ['--auth', 'keys'] });
  root = await makeKey(skep.dir, 'root', '--env', 'all', '--rights', 'ingest,query,admin');
  await until('the key to be known', async () => (await skep.call('GET', '/skep/v1/auth', undefined, bearer(root))).ok);
});
after(() => skep?.done());

const spans = (n) => otlpTraces('shop', Array.from({ length: n }, () => ({ traceId: hex(32), spanId: hex(16), startNs: nowNs() })));
const send = (key, n = 1) => skep.call('POST', '/v1/traces', spans(n), { 'x-honeycomb-team': key.token });
const create = (what, by = root) => skep.json('POST', '/skep/v1/keys', what, bearer(by));

async function countOf(key, headers = {}) {
  const r = await skep.json('POST', '/skep/v1/query', { time_range: 600, calculations: [{ op: 'COUNT' }] }, { accept: 'application/json', ...bearer(key), ...headers });
  return r.groups[0]?.values[0] ?? 0;
}

test('a key selects the environment of what is sent and asked with it', async () => {
  for (const name of ['Boot Camp', 'prod']) await skep.json('POST', '/skep/v1/environments', { name }, bearer(root));
  const camp = await create({ name: 'camp', environment: 'boot-camp', rights: ['ingest', 'query'] });
  const prod = await create({ name: 'prod', environment: 'prod', rights: ['ingest', 'query'] });
  assert.equal((await send(camp, 3)).status, 200);
  assert.equal((await send(prod, 2)).status, 200);
  assert.equal(await countOf(camp), 3);
  assert.equal(await countOf(prod), 2);
  assert.equal(await countOf(root), 0);
  assert.equal(await countOf(root, { 'x-skep-environment': 'prod' }), 2);
  const says = await skep.json('GET', '/1/auth', undefined, { 'x-honeycomb-team': camp.token });
  assert.deepEqual(says.environment, { name: 'Boot Camp', slug: 'boot-camp' });
  assert.equal(says.id, camp.id);
  assert.equal(says.type, 'configuration');
  assert.equal(says.api_key_access.events, true);
  const sender = await create({ name: 'sender', environment: 'prod', rights: ['ingest'] });
  const of = await skep.json('GET', '/1/auth', undefined, { 'x-honeycomb-team': sender.token });
  assert.equal(of.type, 'ingest');
  assert.equal(of.api_key_access.queries, false);
  assert.ok(/^hc[a-z]ik_[0-9a-z]{58}$/.test(sender.token), 'an ingest key to every SDK');
});

test('AWS signatures: a body that was changed and a clock that is wrong are refused', async () => {
  const key = await create({ name: 'aws', environment: 'default', rights: ['ingest', 'query'] });
  const url = `${skep.url}/v1/traces?a=b%20c`;
  const body = JSON.stringify(spans(1));
  const post = (headers, text = body) => fetch(url, { method: 'POST', body: text, headers: { 'content-type': 'application/json', ...headers } });
  const signed = sigv4({ method: 'POST', url, body, key, headers: { 'content-type': 'application/json' } });
  assert.equal((await post(signed)).status, 200);
  assert.equal((await post(signed)).status, 200, 'once more within the window');
  assert.equal((await post(signed, body.replace('shop', 'sh0p'))).status, 401);
  const late = await post(sigv4({ method: 'POST', url, body, key, at: new Date(Date.now() - 400e3) }));
  assert.equal(late.status, 401);
  assert.match(await late.text(), /Signature expired/);
});

test('a key that administers one environment makes keys of that one, with rights it has', async () => {
  const chief = await create({ name: 'chief', environment: 'prod', rights: ['query', 'admin'] });
  const make = (what) => skep.call('POST', '/skep/v1/keys', { name: 'x', ...what }, bearer(chief));
  assert.equal((await make({ environment: 'prod', rights: ['query'] })).status, 201);
  assert.equal((await make({ environment: 'prod', rights: ['ingest'] })).status, 403);
  assert.equal((await make({ environment: 'boot-camp', rights: ['query'] })).status, 403);
  assert.equal((await make({ environment: '', rights: ['admin'] })).status, 403);
  const { keys } = await skep.json('GET', '/skep/v1/keys', undefined, bearer(chief));
  assert.ok(keys.length > 0 && keys.every((k) => k.environment === 'prod'));
  assert.equal((await skep.call('DELETE', `/skep/v1/keys/${root.id}`, undefined, bearer(chief))).status, 404);
  assert.equal((await skep.call('POST', '/skep/v1/environments', { name: 'mine' }, bearer(chief))).status, 403);
});

test('limits of a key: 429 with Retry-After in the words of the wire', async () => {
  const key = await create({ name: 'limited', environment: 'default', rights: ['ingest', 'query'], limits: { events_per_day: 5 } });
  assert.equal((await send(key, 5)).status, 200);
  const over = await send(key);
  assert.equal(over.status, 429);
  assert.ok(Number(over.headers.get('retry-after')) > 0);
  assert.match((await over.json()).message, /rate limiting.*events a day/);
  assert.equal((await skep.call('GET', '/1/auth', undefined, { 'x-honeycomb-team': key.token })).status, 200);
});

test("mistakes are told with the member's name", async () => {
  for (const [what, text] of [[{}, /rights/], [{ rights: ['root'] }, /rights/], [{ name: 'x', rights: ['ingest'] }, /environment/], [{ name: '', environment: 'prod', rights: ['ingest'] }, /name/],
    [{ name: 'x', environment: 'prod', rights: ['ingest'], expires_ns: 'soon' }, /expires_ns/], [{ name: 'x', environment: 'prod', rights: ['ingest'], limits: { events_per_day: -1 } }, /limits/],
    [{ name: 'x', environment: 'nowhere', rights: ['ingest'] }, /no environment/], [{ name: 'x', environment: 'prod', rights: ['ingest'], expires_ns: '5' }, /expired/]]) {
    const r = await skep.call('POST', '/skep/v1/keys', what, bearer(root));
    assert.ok(r.status === 400 || r.status === 404, JSON.stringify(what));
    assert.match(await r.text(), text);
  }
  assert.equal((await skep.call('POST', '/skep/v1/keys', '[]', bearer(root))).status, 400);
});

test("Honeycomb's version 2: environments and keys are the same objects", async () => {
  const v2 = (method, path, data) => skep.call(method, path, data && { data }, { authorization: `Bearer ${root.id}:${root.token.slice(32)}` });
  const auth = await (await v2('GET', '/2/auth')).json();
  assert.equal(auth.data.id, root.id);
  assert.equal(auth.data.attributes.key_type, 'management');
  assert.equal(auth.included[0].attributes.slug, 'skep');
  const made = await v2('POST', '/2/teams/skep/environments', { type: 'environments', attributes: { name: 'Two', color: 'blue', description: 'd' } });
  assert.equal(made.status, 201);
  const env = (await made.json()).data;
  assert.equal(env.attributes.slug, 'two');
  assert.equal((await v2('POST', '/2/teams/skep/environments', { attributes: { name: 'two' } })).status, 409);
  assert.equal((await v2('GET', '/2/teams/other/environments')).status, 404);
  const createKey = (attributes) => v2('POST', '/2/teams/skep/api-keys', { type: 'api-keys', attributes, relationships: { environment: { data: { type: 'environments', id: env.id } } } });
  const sender = (await (await createKey({ key_type: 'ingest', name: 'sender' })).json()).data;
  const config = (await (await createKey({ key_type: 'configuration', name: 'config', permissions: { run_queries: true } })).json()).data;
  const whole = { token: sender.id + sender.attributes.secret };
  assert.equal((await send(whole, 4)).status, 200);
  assert.equal((await send({ token: config.attributes.secret })).status, 403);
  assert.equal(await countOf({ token: config.attributes.secret }), 4);
  assert.equal((await createKey({ key_type: 'configuration', name: 'nothing' })).status, 422);
  // Recipients are for keys that administer: who asks for them is not made one, and no other key shows them.
  assert.equal((await createKey({ key_type: 'configuration', name: 'more', permissions: { manage_recipients: true } })).status, 422);
  const asker = (await (await createKey({ key_type: 'configuration', name: 'asker', permissions: { run_queries: true, manage_recipients: true } })).json()).data;
  for (const k of [config, asker]) assert.deepEqual([k.attributes.key_type, k.attributes.permissions.manage_boards, k.attributes.permissions.manage_recipients], ['configuration', true, false]);
  assert.equal((await skep.call('GET', '/1/recipients', undefined, { 'x-honeycomb-team': asker.attributes.secret })).status, 403);
  const all = (await (await v2('GET', '/2/teams/skep/api-keys')).json()).data;
  assert.equal(all.find((k) => k.id === root.id).attributes.permissions.manage_recipients, true);
  // Who changed a board last stands on it.
  const board = await skep.json('POST', '/1/boards', { name: 'b', type: 'flexible', updated_by: 'nobody' }, { 'x-honeycomb-team': asker.attributes.secret });
  assert.equal(board.updated_by, 'asker');
  assert.equal((await skep.json('PUT', `/1/boards/${board.id}`, board, { 'x-honeycomb-team': config.attributes.secret })).updated_by, 'config');
  const list = (await (await v2('GET', '/2/teams/skep/api-keys?filter%5Btype%5D=ingest')).json()).data;
  assert.ok(list.some((k) => k.id === sender.id) && list.every((k) => k.attributes.key_type === 'ingest' && !k.attributes.secret));
  const changed = await v2('PATCH', `/2/teams/skep/api-keys/${sender.id}`, { attributes: { disabled: true } });
  assert.equal((await changed.json()).data.attributes.disabled, true);
  assert.equal((await send(whole)).status, 401);
  await v2('PATCH', `/2/teams/skep/api-keys/${sender.id}`, { attributes: { disabled: false, name: 'again' } });
  assert.equal((await send(whole)).status, 200);
  assert.equal((await v2('DELETE', `/2/teams/skep/api-keys/${sender.id}`)).status, 204);
  assert.equal((await send(whole)).status, 401);
  assert.equal((await v2('GET', `/2/teams/skep/api-keys/${sender.id}`)).status, 404);
  await v2('PATCH', `/2/teams/skep/environments/${env.id}`, { attributes: { settings: { delete_protected: true } } });
  assert.equal((await v2('DELETE', `/2/teams/skep/environments/${env.id}`)).status, 409);
  await v2('PATCH', `/2/teams/skep/environments/${env.id}`, { attributes: { settings: { delete_protected: false } } });
  assert.equal((await v2('DELETE', `/2/teams/skep/environments/${env.id}`)).status, 204);
  assert.equal((await skep.call('GET', '/1/auth', undefined, { 'x-honeycomb-team': config.attributes.secret })).status, 401, 'its keys are revoked with it');
});

test('the terminal: beside the server, through it, and with a key', async () => {
  const there = { SKEP_URL: skep.url, SKEP_KEY: root.token };
  const made = await run(['key', 'create', '--server', skep.url, '--name', 'from afar', '--env', 'prod', '--rights', 'ingest,query'], there);
  assert.equal(made.code, 0, made.err);
  for (const line of [/export OTEL_EXPORTER_OTLP_HEADERS=x-honeycomb-team=hcxlk_/, /export AWS_ENDPOINT_URL=http/, /export AWS_SECRET_ACCESS_KEY=\w{40}\n/, /endpoint_url=/, /AWS_XRAY_DAEMON_ADDRESS=127\.0\.0\.1:2000/, /rollbar\.init\("[0-9a-f]{32}".*\/api\/1\/"\)/]) assert.match(made.out, line);
  const token = made.out.match(/SKEP_KEY=(\S+)/)[1];
  const id = made.out.match(/\((hcxlk_\w+)\)/)[1];
  const asked = await run(['query', '--key', token, '--server', skep.url]);
  assert.equal(asked.code, 0, asked.err);
  const none = await run(['query', '--server', skep.url]);
  assert.equal(none.code, 1);
  assert.match(none.err, /401.*--key/);
  assert.match((await run(['key', 'list', '--data', skep.dir])).out, /prod +ingest,query +from afar/);
  assert.match((await run(['env', 'list', '--server', skep.url], there)).out, /^prod/m);
  assert.equal((await run(['key', 'revoke', id, '--data', skep.dir])).code, 0);
  await until('the server to notice', async () => (await run(['query', '--key', token, '--server', skep.url])).code === 1);
  assert.doesNotMatch((await run(['key', 'list', '--data', skep.dir])).out, new RegExp(id));
  assert.match((await run(['key', 'list', '--all', '--data', skep.dir])).out, new RegExp(`${id}.*REVOKED`));
  assert.equal((await run(['env', 'create', 'short', '--data', skep.dir])).code, 0);
  assert.equal((await run(['env', 'delete', 'short', '--server', skep.url], there)).code, 0);
  assert.equal((await run(['key', 'create', '--data', join(skep.dir, 'nothing'), '--name', 'x'])).code, 1);
  for (const args of [['key'], ['key', 'eat'], ['key', 'create'], ['key', 'revoke'], ['key', 'create', '--name', 'x', '--rights', 'root'], ['env', 'create'], ['key', 'create', '--name', 'x', '--expires', 'soon']]) assert.equal((await run([...args, '--data', skep.dir])).code, 2, args.join(' '));
});

// The `export` lines that `skep key create` prints, as a client's environment.
async function linesOf(...flags) {
  const r = await run(['key', 'create', '--data', skep.dir, '--url', skep.url, '--name', 'lines', '--rights', 'ingest,query', ...flags]);
  assert.equal(r.code, 0, r.err);
  return Object.fromEntries([...r.out.matchAll(/^ {2}export (.*)$/gm)].flatMap((m) => m[1].split(' ').map((kv) => [kv.slice(0, kv.indexOf('=')), kv.slice(kv.indexOf('=') + 1)])));
}

const known = (token) => until('the key to be known', async () => (await skep.call('GET', '/skep/v1/auth', undefined, bearer({ token }))).ok);

for (const protocol of ['http/protobuf', 'grpc']) {
  test(`the lines to copy, with a stock SDK over ${protocol}`, async () => {
    assert.ok([0, 1].includes((await run(['env', 'create', 'lines', '--data', skep.dir])).code));
    const lines = await linesOf('--env', 'lines');
    await known(lines.SKEP_KEY);
    const before = await countOf({ token: lines.SKEP_KEY });
    const env = { ...process.env, ...lines, OTEL_EXPORTER_OTLP_PROTOCOL: protocol, OTEL_TRACES_EXPORTER: 'otlp', OTEL_LOGS_EXPORTER: 'otlp', OTEL_METRICS_EXPORTER: 'none' };
    execFileSync(process.execPath, [join(repository, 'tests', 'clients', 'node', 'sdk-send.cjs')], { env, stdio: 'ignore' });
    await until('the rows', async () => (await countOf({ token: lines.SKEP_KEY })) > before);
  });
}

const boto = (() => { try { execFileSync('python3', ['-c', 'import boto3'], { stdio: 'ignore' }); return true; } catch { return false; } })();
test('the lines to copy, with boto3', { skip: !boto && 'python3 has no boto3' }, async () => {
  const lines = await linesOf();
  await known(lines.SKEP_KEY);
  const program = `
import boto3, botocore, sys, time
try:
    boto3.client('xray', endpoint_url=sys.argv[1], **({'aws_secret_access_key': 'x' * 40, 'aws_access_key_id': sys.argv[2]} if sys.argv[2] else {})).get_trace_summaries(StartTime=time.time() - 60, EndTime=time.time())
    print('ok')
except botocore.exceptions.ClientError as e:
    print(e.response['Error']['Code'])
`;
  const ask = (id = '') => execFileSync('python3', ['-c', program, skep.url, id], { env: { ...process.env, ...lines }, encoding: 'utf8' }).trim();
  assert.equal(ask(), 'ok');
  assert.equal(ask(lines.AWS_ACCESS_KEY_ID), 'InvalidSignatureException');
  assert.equal(ask('AKIAUNKNOWN'), 'UnrecognizedClientException');
});

test('open mode: any key is taken, a good one selects its environment, a Classic one is nobody', async () => {
  const open = await Skep.start();
  try {
    assert.equal((await run(['env', 'create', 'camp', '--data', open.dir])).code, 0);
    const key = await makeKey(open.dir, 'k', '--env', 'camp');
    const auth = async (token) => (await open.json('GET', '/1/auth', undefined, token ? { 'x-honeycomb-team': token } : {})).environment.slug;
    await until('the key to be known', async () => (await auth(key.token)) === 'camp');
    assert.equal(await auth(undefined), 'default');
    assert.equal(await auth('0123456789abcdef0123456789abcdef'), 'default');
    const r = await open.call('POST', '/v1/traces', spans(1), { 'x-honeycomb-team': 'whatever' });
    assert.equal(r.status, 200);
  } finally {
    await open.done();
  }
});

test('a backup takes the key file along, or says that it does not', async () => {
  const to = mkdtempSync(join(tmpdir(), 'skep-keys-'));
  try {
    assert.equal(statSync(join(skep.dir, 'key')).mode & 0o777, 0o600);
    const made = await run(['backup', '--data', skep.dir, '--to', join(to, 'b')]);
    assert.equal(made.code, 0, made.err);
    assert.match(made.out, /key file/);
    const restored = await run(['restore', '--from', join(to, 'b'), '--data', join(to, 'r')]);
    assert.equal(restored.code, 0, restored.err);
    assert.equal(statSync(join(to, 'r', 'key')).mode & 0o777, 0o600);
    const without = await run(['backup', '--data', skep.dir, '--to', join(to, 'c'), '--without-key']);
    assert.equal(without.code, 0, without.err);
    assert.match(without.out, /without the key file/);
    const bare = await run(['restore', '--from', join(to, 'c'), '--data', join(to, 's')]);
    assert.equal(bare.code, 0, bare.err);
    assert.ok(!existsSync(join(to, 's', 'key')));
    assert.match(bare.out, /key file/);
    const second = await Skep.start({ dir: join(to, 'r'), args: ['--auth', 'keys'] });
    assert.equal((await second.call('GET', '/skep/v1/auth', undefined, bearer(root))).status, 200);
    await second.stop();
    unlinkSync(join(to, 'r', 'key'));
  } finally {
    rmSync(to, { recursive: true, force: true });
  }
});
