// SPDX-License-Identifier: Apache-2.0
// Relational columns through every door, over traces whose spans came in different requests, before and after
// a restart: the root last. (Parts and segments mixed: tests/unit/query.)
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { binary, otlpTraces, Skep, until } from './support.mjs';

const N = 30; // traces; every fifth fails in the database, every third is a checkout
const endS = Math.floor(Date.now() / 1000) - 10;
const range = { start_time: endS - N - 1, end_time: endS + 2, disable_series: true };
const dir = mkdtempSync(join(tmpdir(), 'skep-e2e-'));
let skep;

const traceId = (i) => (0x2000 + i).toString(16).padStart(32, 'c');
const spanId = (i, k) => (0x200000 + i * 16 + k).toString(16).padStart(16, 'd');
const rootName = (i) => (i % 3 === 0 ? 'GET /checkout' : 'GET /cart');
const ms = (n) => BigInt(n) * 1000000n;
const begin = (i) => BigInt(endS - i) * 1000000000n;

// web: the root; shop: under it; db: under shop, which fails at times.
function root(i) {
  return otlpTraces('web', [{ traceId: traceId(i), spanId: spanId(i, 1), name: rootName(i), startNs: begin(i), endNs: begin(i) + ms(100 + i), attributes: { 'root.real': `r${i % 2}` } }]);
}
function rest(i) {
  const failed = i % 5 === 0 ? { code: 2, message: 'failed' } : {};
  return [
    ...otlpTraces('shop', [{ traceId: traceId(i), spanId: spanId(i, 2), parentId: spanId(i, 1), name: 'load', startNs: begin(i) + ms(1), endNs: begin(i) + ms(50) }]).resourceSpans,
    ...otlpTraces('db', [{ traceId: traceId(i), spanId: spanId(i, 3), parentId: spanId(i, 2), name: 'SELECT', startNs: begin(i) + ms(2), endNs: begin(i) + ms(12), status: failed, attributes: { rows: i } }]).resourceSpans,
  ];
}

before(async () => {
  skep = await Skep.start({ dir });
  for (let i = 0; i < N; i++) await skep.json('POST', '/v1/traces', { resourceSpans: rest(i) });
  await skep.stop();
  skep = await Skep.start({ dir });
  for (let i = 0; i < N; i++) await skep.json('POST', '/v1/traces', root(i));
});
after(async () => {
  await skep.done();
  rmSync(dir, { recursive: true, force: true });
});

const table = (r) => Object.fromEntries(r.groups.map((g) => [g.key.join(' > '), g.values[0]]));
const count = async (...filters) => (await skep.query({ ...range, filters })).groups[0]?.values[0] ?? 0;
const f = (column, op, value) => ({ column, op, ...(value === undefined ? {} : { value }) });

// Run twice: as they came, and after another restart.
async function questions() {
  assert.equal(await count(f('root.name', '=', 'GET /checkout')), 3 * N / 3);
  assert.equal(await count(f('root.name', '!=', 'GET /checkout')), 3 * N * 2 / 3);
  assert.equal(await count(f('parent.service.name', 'does-not-exist')), N);
  assert.equal(await count(f('parent.service.name', '=', 'shop')), N);
  assert.equal(await count(f('child.error', '=', true)), N / 5);
  assert.equal(await count(f('any.error', '=', true)), 3 * N / 5);
  assert.equal(await count(f('any.error', '=', true), f('any.service.name', '=', 'web')), 0, 'one span must be both');
  assert.equal(await count(f('any.error', '=', true), f('any2.service.name', '=', 'web')), 3 * N / 5);
  assert.equal(await count(f('none.error', '=', true)), 3 * (N - N / 5));
  assert.equal(await count(f('none.trace.parent_id', 'does-not-exist')), 0, 'every trace has a root');
  assert.equal(await count(f('.root.real', '=', 'r1')), N / 2, 'the attribute that is called so');
  assert.equal(await count(f('root.root.real', '=', 'r1')), 3 * N / 2);
  const edges = await skep.query({ ...range, breakdowns: ['parent.service.name', 'service.name'], calculations: [{ op: 'COUNT' }, { op: 'P95', column: 'duration_ms' }, { op: 'COUNT', name: 'errors', filters: [f('error', '=', true)] }] });
  assert.deepEqual(table(edges), { ' > web': N, 'web > shop': N, 'shop > db': N });
  const db = edges.groups.find((g) => g.key[1] === 'db');
  assert.deepEqual(db.values, [N, 10, N / 5]);
  assert.deepEqual(edges.columns.map((c) => c.key).slice(0, 2), ['parent.service.name', 'service.name']);
  const slow = await skep.query({ ...range, calculations: [{ op: 'MAX', column: 'root.duration_ms' }], breakdowns: ['service.name'], orders: [{ op: 'MAX', column: 'root.duration_ms', order: 'descending' }] });
  assert.deepEqual(slow.groups.map((g) => g.values[0]), [100 + N - 1, 100 + N - 1, 100 + N - 1]);
  const found = await skep.query({ ...range, breakdowns: ['any.rows'], filters: [f('any.error', '=', true), f('service.name', '=', 'web')] });
  assert.deepEqual(found.groups.map((g) => g.key[0]).sort((a, b) => a - b), [0, 5, 10, 15, 20, 25]);
  const rows = await skep.json('POST', '/skep/v1/rows', { ...range, disable_series: undefined, filters: [f('root.name', '=', 'GET /checkout'), f('service.name', '=', 'db')], limit: 100 });
  assert.equal(rows.rows.length, N / 3);
  const traces = await skep.json('POST', '/skep/v1/traces', { start_time: range.start_time, end_time: range.end_time, filters: [f('child.error', '=', true)], limit: 100 });
  assert.equal(traces.traces.length, N / 5);
}

test('over traces that came in pieces', questions);

test('the relatives may lie outside the range asked for', async () => {
  const r = await skep.query({ start_time: endS - 5 + 0.0015, end_time: endS + 2, disable_series: true, breakdowns: ['root.name'], filters: [f('name', '=', 'SELECT')] });
  assert.equal(Object.values(table(r)).reduce((a, b) => a + b, 0), 6);
  assert.ok(!('' in table(r)));
});

test('Honeycomb: /1/queries takes them', async () => {
  const { disable_series, ...when } = range;
  const query = await skep.json('POST', '/1/queries/__all__', { ...when, breakdowns: ['parent.service.name', 'service.name'], filters: [f('any.error', '=', true), f('root.name', '=', 'GET /checkout')] });
  const made = await skep.json('POST', '/1/query_results/__all__', { query_id: query.id, disable_series });
  const done = await until('the result', async () => {
    const r = await skep.json('GET', `/1/query_results/__all__/${made.id}`);
    return r.complete && r;
  });
  const data = done.data.results.map((r) => r.data);
  assert.deepEqual(data.map((d) => [d['parent.service.name'] ?? null, d['service.name'], d.COUNT]).sort(), [['shop', 'db', 2], ['web', 'shop', 2], [null, 'web', 2]].sort());
});

test('the terminal', async () => {
  const child = spawn(binary, ['query', '--where', 'any.error = true and root.name = "GET /checkout"', '--by', 'parent.service.name', '--order', 'parent.service.name',
    '--from', String(range.start_time), '--to', String(range.end_time)], { env: { ...process.env, SKEP_URL: skep.url } });
  let out = '', err = '';
  child.stdout.on('data', (d) => { out += d; });
  child.stderr.on('data', (d) => { err += d; });
  const code = await new Promise((resolve) => child.on('close', resolve));
  assert.equal(code, 0, err);
  const lines = out.split('\n');
  assert.match(lines[0], /^parent\.service\.name +COUNT$/);
  assert.deepEqual(lines.slice(1, 4).map((l) => l.trim().split(/ +/).at(-1)), ['2', '2', '2']);
});

test('what is refused names its place', async () => {
  const bad = async (spec, field) => {
    const r = await skep.call('POST', '/skep/v1/query', spec);
    assert.equal(r.status, 422);
    assert.equal((await r.json()).field, field);
  };
  await bad({ breakdowns: ['none.a'] }, 'breakdowns[0]');
  await bad({ filters: [f('root.', 'exists')] }, 'filters[0].column');
});

test('after another restart', async () => {
  await skep.stop();
  skep = await Skep.start({ dir });
  await questions();
});
