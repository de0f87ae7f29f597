// SPDX-License-Identifier: Apache-2.0
// Environments: whatever is asked, by whatever way, is answered from the rows of one environment;
// the same ids in another are not seen, counted, found, followed, exported or deleted.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { Skep, binary, hex, nowNs, otlpTraces, until } from './support.mjs';

const NAMES = ['default', 'staging', 'prod'];
const as = (env) => ({ 'x-skep-environment': env });
const traceId = hex(32); // of all environments
const rootId = hex(16);

async function send(skep, env) {
  const at = nowNs();
  const root = { traceId, spanId: rootId, name: `root of ${env}`, startNs: at, endNs: at + 5000000n, attributes: { env, only: env } };
  const child = { traceId, spanId: hex(16), parentSpanId: rootId, name: `child of ${env}`, startNs: at + 1n, endNs: at + 2000000n, attributes: { env } };
  const res = await skep.call('POST', '/v1/traces', otlpTraces('shop', [root, child]), as(env));
  assert.equal(res.status, 200, await res.text());
}

// Every way to ask, and the texts its answer is made of.
const ways = (ids) => ({
  query: ['POST', '/skep/v1/query', { time_range: 3600, breakdowns: ['name', 'root.name', 'parent.name'], calculations: [{ op: 'COUNT' }] }],
  rows: ['POST', '/skep/v1/rows', { time_range: 3600 }],
  traces: ['POST', '/skep/v1/traces', { time_range: 3600 }],
  trace: ['GET', `/skep/v1/trace/${traceId}`],
  values: ['GET', '/skep/v1/values?field=name'],
  related: ['GET', '/skep/v1/values?field=env'],
  facets: ['POST', '/skep/v1/facets', { time_range: 3600, selection: { filters: [{ column: 'name', op: 'starts-with', value: 'root' }] }, columns: ['name', 'env'] }],
  export: ['POST', '/skep/v1/export', { time_range: 3600 }],
  row: ['GET', `/skep/v1/row/${ids}`],
});

const text = async (skep, [method, path, body], env) => {
  const res = await skep.call(method, path, body, as(env));
  return { status: res.status, text: await res.text() };
};

test('an environment is all that a question sees', { timeout: 300000 }, async () => {
  const skep = await Skep.start();
  try {
    for (const name of NAMES.slice(1)) {
      const res = await skep.call('POST', '/skep/v1/environments', { name });
      assert.equal(res.status, 201, await res.text());
    }
    for (const env of NAMES) await send(skep, env);
    await send(skep, 'prod'); // not a retry: its times differ
    const mine = {};
    for (const env of NAMES) {
      const rows = JSON.parse((await text(skep, ['POST', '/skep/v1/rows', { time_range: 3600 }], env)).text).rows;
      assert.equal(rows.length, env === 'prod' ? 4 : 2);
      mine[env] = rows[0].id;
    }
    for (const env of NAMES) {
      const foreign = NAMES.filter((n) => n !== env);
      for (const [what, way] of Object.entries(ways(mine[env]))) {
        const seen = await text(skep, way, env);
        assert.equal(seen.status, 200, `${what} in ${env}: ${seen.text}`);
        assert.ok(seen.text.includes(`of ${env}`) || seen.text.includes(`"${env}"`), `${what} in ${env} shows its own rows: ${seen.text}`);
        for (const other of foreign) assert.ok(!seen.text.includes(`of ${other}`) && !seen.text.includes(`"${other}"`), `${what} in ${env} shows ${other}: ${seen.text}`);
      }
      for (const other of foreign) assert.equal((await text(skep, ['GET', `/skep/v1/row/${mine[other]}`], env)).status, 404);
    }
    const listed = JSON.parse((await text(skep, ['GET', '/skep/v1/environments'], 'default')).text).environments;
    assert.deepEqual(listed.map(({ slug, rows }) => [slug, rows]).sort(), [['default', 2], ['prod', 4], ['staging', 2]]);
    assert.equal((await text(skep, ['GET', '/skep/v1/datasets'], 'nobody')).status, 404);
  } finally {
    await skep.done();
  }
});

const ways_to_delete = {
  'by a call': async (skep) => assert.equal((await skep.call('DELETE', '/skep/v1/environments/prod')).status, 200),
  'in the terminal beside the server': async (skep) => { execFileSync(binary, ['env', 'delete', 'prod', '--data', skep.dir]); },
};
for (const [how, drop] of Object.entries(ways_to_delete)) test(`an environment that is deleted ${how} takes along what was made in it, at once`, { timeout: 300000 }, async () => {
  const skep = await Skep.start();
  try {
    const make = async () => assert.equal((await skep.call('POST', '/skep/v1/environments', { name: 'prod' })).status, 201);
    const post = async (path, body) => (await skep.call('POST', path, body, as('prod'))).json();
    const places = async () => Number((await (await skep.call('GET', '/metrics')).text()).match(/^skep_notify_places\{state="all"\} (\d+)/m)[1]);
    await make();
    await send(skep, 'prod');
    const { id } = await post('/1/queries/shop', { calculations: [{ op: 'COUNT' }] });
    const trigger = await post('/1/triggers/__all__', { name: 'many', query: { calculations: [{ op: 'COUNT' }], time_range: 900 }, threshold: { op: '>', value: 0 } });
    const evaluate = async () => (await skep.call('POST', `/skep/v1/alerts/${trigger.id}/evaluate`, undefined, as('prod'))).status;
    assert.equal(await evaluate(), 200);
    await post('/skep/v1/notify/places', { name: 'ops', kind: 'webhook', target: 'http://127.0.0.1:9/' });
    await until('the place to be known', async () => await places() === 1);
    await drop(skep);
    await until('the place to be forgotten', async () => await places() === 0);
    await make();
    assert.equal(await evaluate(), 404);
    assert.equal((await skep.call('GET', `/1/queries/shop/${id}`, undefined, as('prod'))).status, 404);
  } finally {
    await skep.done();
  }
});

test('tails, stored queries, datasets and deletes stay inside', { timeout: 300000 }, async () => {
  const skep = await Skep.start();
  try {
    assert.equal((await skep.call('POST', '/skep/v1/environments', { name: 'prod' })).status, 201);
    const tail = await skep.call('GET', '/skep/v1/tail', undefined, as('prod'));
    let heard = '';
    (async () => { for await (const part of tail.body) heard += Buffer.from(part).toString(); })().catch(() => {});
    await until('the tail', () => heard.includes('ping'));
    await send(skep, 'default');
    await send(skep, 'prod');
    await until('the row of prod', () => heard.includes('child of prod'));
    assert.ok(!heard.includes('of default'), heard);

    const post = (path, body, env) => skep.call('POST', path, body, as(env)).then((r) => r.json());
    const { id } = await post('/1/queries/shop', { calculations: [{ op: 'COUNT' }] }, 'prod');
    assert.ok(id);
    assert.equal((await skep.call('GET', `/1/queries/shop/${id}`, undefined, as('prod'))).status, 200);
    assert.equal((await skep.call('GET', `/1/queries/shop/${id}`, undefined, as('default'))).status, 404);
    const result = await post('/1/query_results/shop', { query_id: id }, 'prod');
    assert.equal((await skep.call('GET', `/1/query_results/shop/${result.id}`, undefined, as('default'))).status, 404);
    assert.equal((await skep.call('POST', '/1/datasets', { name: 'made here' }, as('prod'))).status, 201);
    const names = async (env) => (await (await skep.call('GET', '/1/datasets', undefined, as(env))).json()).map((d) => d.name);
    assert.ok((await names('prod')).includes('made here'));
    assert.ok(!(await names('default')).includes('made here'));

    const all = { time_range: 3600, filters: [{ column: 'name', op: 'exists' }] };
    const { rows } = await post('/skep/v1/delete', all, 'prod');
    assert.equal(rows, 2);
    assert.equal((await post('/skep/v1/delete', { ...all, confirm: 2 }, 'prod')).deleted, true);
    assert.equal((await post('/skep/v1/rows', { time_range: 3600 }, 'prod')).rows.length, 0);
    assert.equal((await post('/skep/v1/rows', { time_range: 3600 }, 'default')).rows.length, 2);
  } finally {
    await skep.done();
  }
});
