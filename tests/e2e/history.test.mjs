// SPDX-License-Identifier: Apache-2.0
// The history of questions: an answer that was kept is the answer as it was, whatever came since and behind a restart;
// lists by who asked, words, stars and names; environments and rights.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { makeKey } from './keyring.mjs';
import { Skep, hex, nowNs, otlpTraces, until } from './support.mjs';

const dir = mkdtempSync(join(tmpdir(), 'skep-e2e-'));
let skep;
const send = (n, service = 'shop', headers = {}) => skep.json('POST', '/v1/traces', otlpTraces(service, Array.from({ length: n }, (_, i) => {
  const at = nowNs();
  return { traceId: hex(32), spanId: hex(16), name: `work ${i % 3}`, startNs: at, endNs: at + BigInt(i + 1) * 1000000n };
})), headers);
const ask = (spec, headers = {}, keep = '?keep=true') => skep.json('POST', `/skep/v1/query${keep}`, spec, { accept: 'application/json', ...headers });
const runs = (more = '', headers = {}) => skep.json('GET', `/skep/v1/runs${more}`, undefined, headers);

before(async () => { skep = await Skep.start({ dir }); });
after(async () => {
  await skep.done();
  rmSync(dir, { recursive: true, force: true });
});

const spec = { time_range: 3600, breakdowns: ['name'], calculations: [{ op: 'COUNT' }, { op: 'HEATMAP', column: 'duration_ms' }, { op: 'P95', column: 'duration_ms', name: 'slow' }],
  filters: [{ column: 'service.name', op: '=', value: 'shop & "co"' }], orders: [{ op: 'COUNT', order: 'ascending' }], limit: 7, granularity: 60, heatmap: { scale: 'linear', bins: 20 } };

test('an answer is kept as it was; its address asks the same', async () => {
  await send(30, 'shop & "co"');
  const { type, run, ...answer } = await ask(spec);
  assert.equal(type, 'result');
  assert.match(run, /^[A-Za-z0-9]{11}$/);
  const kept = await skep.json('GET', `/skep/v1/runs/${run}`);
  assert.deepEqual(kept.result, answer);
  assert.deepEqual(kept.question, spec);
  assert.deepEqual([kept.answered, kept.starred, kept.name, kept.mine, kept.rows_examined], [true, false, '', true, answer.rows_examined]);
  const path = new URL(kept.path, skep.url);
  assert.equal(path.pathname, '/ui/query');
  assert.deepEqual(path.searchParams.getAll('c'), ['COUNT', 'HEATMAP(duration_ms)', 'P95(duration_ms) as slow']);
  assert.deepEqual([...'w by o n g hs'.split(' ').map((k) => path.searchParams.get(k))], ['service.name = "shop & \\"co\\""', 'name', 'COUNT asc', '7', '60', 'linear']);
  assert.equal(Math.round((Number(path.searchParams.get('to')) - Number(path.searchParams.get('from')))), 3600);

  await send(5, 'shop & "co"');
  await skep.stop();
  skep = await Skep.start({ dir });
  assert.deepEqual((await skep.json('GET', `/skep/v1/runs/${run}`)).result, answer);
  const { run: again, ...anew } = await ask(spec);
  assert.notEqual(again, run);
  assert.notDeepEqual(anew.totals, answer.totals);
  // A stream has it, too; who does not ask for it has no history made.
  const lines = (await (await skep.call('POST', '/skep/v1/query?keep=true', spec)).text()).trim().split('\n').map((l) => JSON.parse(l));
  assert.ok(lines.at(-1).run);
  assert.equal((await ask(spec, {}, '')).run, undefined);
  assert.equal((await runs()).runs.length, 3);
  assert.equal((await ask({ calculations: [{ op: 'P95' }] }).catch((e) => e.message)).includes('422'), true);
  assert.equal((await runs()).runs.length, 3);
});

test('lists: pages, words, equal questions once, stars and names', async () => {
  for (const name of ['alpha', 'beta', 'gamma']) await ask({ time_range: 60, filters: [{ column: 'name', op: '=', value: name }] });
  const all = (await runs()).runs;
  assert.equal(all.length, 6);
  assert.ok(all.every((r, i) => i === 0 || BigInt(r.at_ns) <= BigInt(all[i - 1].at_ns)));
  const first = await runs('?limit=4');
  const rest = await runs(`?limit=4&before=${first.next}`);
  assert.deepEqual([...first.runs, ...rest.runs], all);
  assert.equal(rest.next, null);
  assert.deepEqual((await runs('?once=true')).runs.map((r) => r.times), [1, 1, 1, 3]);
  assert.deepEqual((await runs('?q=BETA')).runs.map((r) => r.question.filters[0].value), ['beta']);
  assert.equal((await runs('?q=beta%20gamma')).runs.length, 0);
  const id = all[1].id;
  const named = await skep.json('PATCH', `/skep/v1/runs/${id}`, { name: ' the beta of all ', starred: true });
  assert.deepEqual([named.name, named.starred], ['the beta of all', true]);
  assert.ok(named.result);
  assert.deepEqual((await runs('?kept=true')).runs.map((r) => [r.id, r.name]), [[id, 'the beta of all']]);
  assert.equal((await runs('?q=of+all')).runs.length, 1);
  await skep.json('PATCH', `/skep/v1/runs/${id}`, { starred: false });
  assert.equal((await runs('?kept=true')).runs.length, 1, 'it has its name');
  for (const [body, field] of [[{ starred: 1 }, 'starred'], [{ name: 'x'.repeat(321) }, 'name']]) {
    const bad = await skep.call('PATCH', `/skep/v1/runs/${id}`, body);
    assert.deepEqual([bad.status, (await bad.json()).field], [400, field]);
  }
  assert.equal((await skep.call('GET', '/skep/v1/runs?before=x')).status, 400);
  await skep.json('DELETE', `/skep/v1/runs/${id}`);
  assert.equal((await skep.call('GET', `/skep/v1/runs/${id}`)).status, 404);
});

test('an answer that is very large is not kept, its question is', { timeout: 300000 }, async () => {
  // A million cells: a thousand groups at a thousand steps.
  await skep.json('POST', '/v1/traces', otlpTraces('many', Array.from({ length: 1000 }, (_, i) => ({ traceId: hex(32), spanId: hex(16), name: `n${i}`, startNs: nowNs(), endNs: nowNs() + 1n }))));
  const { run, groups } = await ask({ dataset: 'many', time_range: 3600, granularity: 4, breakdowns: ['name'], limit: 1000, calculations: [{ op: 'COUNT' }, { op: 'SUM', column: 'duration_ms' }] });
  assert.equal(groups.length, 1000);
  const kept = await skep.json('GET', `/skep/v1/runs/${run}`);
  assert.deepEqual([kept.answered, kept.result, kept.question.dataset], [false, null, 'many']);
  assert.equal(new URL(kept.path, skep.url).searchParams.get('ds'), 'many');
});

test('what is older than the history reaches goes by the clock, also where nobody asks; what is starred stays', { timeout: 300000 }, async () => {
  const old = (await ask(spec)).run, kept = (await ask(spec)).run, young = (await ask(spec)).run;
  await skep.json('PATCH', `/skep/v1/runs/${kept}`, { starred: true });
  await skep.stop();
  const code = 'import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.execute("UPDATE run SET created_ns = created_ns - 91 * 86400000000000 WHERE id IN (?, ?)", sys.argv[2:]); db.commit()';
  execFileSync('python3', ['-c', code, join(dir, 'state.db'), old, kept]);
  skep = await Skep.start({ dir });
  await until('the old one to be gone', async () => (await skep.call('GET', `/skep/v1/runs/${old}`)).status === 404);
  for (const id of [kept, young]) assert.equal((await skep.call('GET', `/skep/v1/runs/${id}`)).status, 200);
});

test('environments and rights: seen by who may ask there, changed by who asked', { timeout: 300000 }, async () => {
  const keyed = await Skep.start({ args: ['--auth', 'keys'] });
  const open = skep;
  skep = keyed;
  try {
    const key = async (name, ...flags) => ({ authorization: `Bearer ${(await makeKey(keyed.dir, name, ...flags)).token}` });
    const ann = await key('ann', '--rights', 'query'), bob = await key('bob', '--rights', 'query'), boss = await key('boss', '--rights', 'query,admin'), sender = await key('sender', '--rights', 'ingest');
    for (const k of [ann, bob, boss, sender]) await until('the key to be known', async () => (await keyed.call('GET', '/skep/v1/runs', undefined, k)).status !== 401);
    const { run } = await ask({ time_range: 60 }, ann);
    await ask({ time_range: 120 }, bob);
    assert.deepEqual((await runs('', bob)).runs.map((r) => [r.who, r.mine]), [['bob', true], ['ann', false]]);
    assert.deepEqual((await runs('?mine=true', ann)).runs.map((r) => r.id), [run]);
    const call = async (method, headers, body) => (await keyed.call(method, `/skep/v1/runs/${run}`, body, headers)).status;
    assert.equal(await call('GET', bob), 200);
    assert.equal(await call('PATCH', bob, { starred: true }), 403);
    assert.equal(await call('DELETE', bob), 403);
    assert.equal(await call('PATCH', ann, { starred: true }), 200);
    assert.equal(await call('PATCH', boss, { name: 'seen' }), 200);
    assert.equal(await call('GET', sender), 403);
    assert.equal((await keyed.call('GET', '/skep/v1/runs')).status, 401);
  } finally {
    skep = open;
    await keyed.done();
  }
  await skep.json('POST', '/skep/v1/environments', { name: 'staging' });
  const there = { 'x-skep-environment': 'staging' };
  const { run } = await ask({ time_range: 60 }, there);
  assert.deepEqual((await runs('', there)).runs.map((r) => r.id), [run]);
  assert.equal((await skep.call('GET', `/skep/v1/runs/${run}`)).status, 404);
  assert.ok(!(await runs('?limit=200')).runs.some((r) => r.id === run));
  await skep.json('DELETE', '/skep/v1/environments/staging');
  await skep.json('POST', '/skep/v1/environments', { name: 'staging' });
  assert.deepEqual((await runs('', there)).runs, []);
});

test("what programs ask by Honeycomb's API is in it: the newest answer of each question, in its environment", async () => {
  await send(4, 'robot');
  await until('the dataset', async () => (await skep.json('GET', '/1/datasets')).some((d) => d.slug === 'robot'));
  const of = async () => (await runs('?q=robot')).runs;
  const before = (await of()).length;
  const poll = async (question, headers = {}) => {
    const { id } = await skep.json('POST', '/1/queries/robot', question, headers);
    const result = await skep.json('POST', '/1/query_results/robot', { query_id: id, disable_series: false }, headers);
    return until('the result', async () => { const r = await skep.json('GET', `/1/query_results/robot/${result.id}`, undefined, headers); return r.complete && r; });
  };
  const question = { time_range: 3600, breakdowns: ['name'], calculations: [{ op: 'COUNT' }, { op: 'HEATMAP', column: 'duration_ms' }] };
  await poll(question);
  const [one] = await of();
  assert.deepEqual([one.mine, one.answered, one.question.dataset, one.question.breakdowns, new URL(one.path, skep.url).searchParams.get('ds')], [true, true, 'robot', ['name'], 'robot']);
  const { result } = await skep.json('GET', `/skep/v1/runs/${one.id}`);
  assert.equal(result.totals.values[0], 4);
  assert.deepEqual(result.groups.map((g) => [g.key[0], g.values[0]]).sort(), [['work 0', 2], ['work 1', 1], ['work 2', 1]]);
  assert.ok(result.heatmaps['HEATMAP(duration_ms)'].edges.length > 1 && result.times_ms.length > 1);
  // Who polls has one place, with the newest answer; what somebody keeps stays beside it.
  await send(1, 'robot');
  for (let i = 0; i < 3; i++) await poll(question);
  const [again, ...rest] = await of();
  assert.equal(rest.length, before);
  assert.notEqual(again.id, one.id);
  assert.equal((await skep.json('GET', `/skep/v1/runs/${again.id}`)).result.totals.values[0], 5);
  await skep.json('PATCH', `/skep/v1/runs/${again.id}`, { starred: true });
  await poll(question);
  assert.equal((await of()).length, before + 2);
  // The page's own of the same text is another one.
  await ask((await of())[0].question);
  await poll(question);
  assert.equal((await of()).length, before + 3);
  await poll({ ...question, limit: 5 });
  assert.equal((await of()).length, before + 4);
});
