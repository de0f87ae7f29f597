// SPDX-License-Identifier: Apache-2.0
// Honeycomb's API: what Terraform, Grafana and scripts ask of it.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { sendShop } from './fixture.mjs';
import { Skep, until } from './support.mjs';

const N = 20;
const dir = mkdtempSync(join(tmpdir(), 'skep-e2e-'));
let skep, range;
before(async () => {
  skep = await Skep.start({ dir });
  range = await sendShop(skep, N);
});
after(async () => {
  await skep.done();
  rmSync(dir, { recursive: true, force: true });
});

async function run(spec, options = {}, dataset = 'shop') {
  const query = await skep.json('POST', `/1/queries/${dataset}`, spec);
  const made = await skep.call('POST', `/1/query_results/${dataset}`, { query_id: query.id, ...options });
  assert.equal(made.status, 201);
  const body = await made.json();
  assert.equal(body.complete, false);
  const location = made.headers.get('location');
  assert.equal(location, `/1/query_results/${dataset}/${body.id}`);
  return until('the result', async () => {
    const r = await skep.json('GET', location);
    return r.complete && r;
  });
}

test('auth: every key may do everything in "default"', async () => {
  const r = await skep.call('GET', '/1/auth', undefined, { 'x-honeycomb-team': 'anything' });
  const a = await r.json();
  assert.equal(r.status, 200);
  assert.equal(a.environment.slug, 'default');
  assert.ok(Object.values(a.api_key_access).every((v) => v === true));
  assert.match(r.headers.get('ratelimit'), /^limit=\d+, remaining=\d+, reset=\d+$/);
});

test('datasets: list, one, create', async () => {
  const list = await skep.json('GET', '/1/datasets');
  assert.deepEqual(list.map((d) => d.slug), ['db', 'shop']);
  const one = await skep.json('GET', '/1/datasets/shop');
  assert.equal(one.name, 'shop');
  assert.match(one.last_written_at, /^\d{4}-\d\d-\d\dT/);
  assert.ok(one.regular_columns_count > 5);
  const made = await skep.call('POST', '/1/datasets', { name: 'My Dataset!', description: 'd' });
  assert.equal(made.status, 201);
  assert.equal((await made.json()).slug, 'my-dataset-');
  assert.equal((await skep.call('POST', '/1/datasets', { name: 'My Dataset!' })).status, 200);
  assert.equal((await skep.json('GET', '/1/datasets/my-dataset-')).description, 'd');
  assert.equal((await skep.call('POST', '/1/datasets', { name: 'shop' })).status, 200);
  const none = await skep.call('GET', '/1/datasets/nope');
  assert.equal(none.status, 404);
  assert.ok((await none.json()).error);
  assert.equal((await skep.call('POST', '/1/datasets', {})).status, 422);
});

test('columns: one type each, ids that stay', async () => {
  const list = await skep.json('GET', '/1/columns/shop');
  const type = (k) => list.find((c) => c.key_name === k)?.type;
  assert.equal(type('http.route'), 'string');
  assert.equal(type('n'), 'integer');
  assert.equal(type('duration_ms'), 'float');
  assert.equal(type('is_root'), 'boolean');
  const one = await skep.json('GET', '/1/columns/shop?key_name=n');
  assert.equal(one.key_name, 'n');
  assert.equal(one.id, list.find((c) => c.key_name === 'n').id);
  assert.equal((await skep.call('GET', '/1/columns/shop?key_name=zzz')).status, 404);
});

test('queries are immutable and the same one has one id', async () => {
  const a = await skep.json('POST', '/1/queries/shop', { time_range: 7200, breakdowns: ['name'] });
  const b = await skep.json('POST', '/1/queries/shop', { breakdowns: ['name'], time_range: 7200 });
  const c = await skep.json('POST', '/1/queries/__all__', { breakdowns: ['name'], time_range: 7200 });
  assert.equal(a.id, b.id);
  assert.notEqual(a.id, c.id);
  assert.deepEqual(await skep.json('GET', `/1/queries/shop/${a.id}`), { id: a.id, breakdowns: ['name'], time_range: 7200 });
  assert.equal((await skep.call('GET', '/1/queries/shop/nope')).status, 404);
  assert.equal((await skep.call('POST', '/1/queries/nope', {})).status, 404);
});

test('a mistake is a problem that names its field', async () => {
  const r = await skep.call('POST', '/1/queries/shop', { filters: [{ column: 'a', op: 'like', value: 1 }] });
  assert.equal(r.status, 422);
  assert.match(r.headers.get('content-type'), /^application\/problem\+json/);
  const p = await r.json();
  assert.equal(p.status, 422);
  assert.match(p.type, /validation-failed$/);
  assert.equal(p.type_detail[0].field, 'filters[0].op');
  assert.equal(p.type_detail[0].code, 'invalid');
  assert.ok(p.error && p.title && p.detail);
  const u = await skep.call('POST', '/1/queries/shop', '{');
  assert.equal(u.status, 400);
  assert.match((await u.json()).type, /unparseable$/);
  assert.equal((await skep.call('POST', '/1/query_results/shop', {})).status, 422);
  assert.equal((await skep.call('POST', '/1/query_results/shop', { query_id: 'nope' })).status, 404);
});

test('a result: series, results, totals', async () => {
  const spec = { ...range, breakdowns: ['http.response.status_code'], calculations: [{ op: 'COUNT' }, { op: 'MAX', column: 'duration_ms' }],
    filters: [{ column: 'name', op: '=', value: 'GET /cart' }], granularity: 10 };
  const r = await run(spec, { disable_total_by_aggregate: false });
  assert.deepEqual(r.data.results, [
    { data: { 'http.response.status_code': 200, COUNT: 16, 'MAX(duration_ms)': 29 } },
    { data: { 'http.response.status_code': 500, COUNT: 4, 'MAX(duration_ms)': 25 } },
  ]);
  assert.deepEqual(r.data.total_by_aggregate, { data: { COUNT: 20, 'MAX(duration_ms)': 29 } });
  assert.equal(r.data.total_by_aggregate_series.reduce((a, p) => a + p.data.COUNT, 0), N);
  assert.equal(r.data.series.reduce((a, p) => a + p.data.COUNT, 0), N);
  for (const p of r.data.series) assert.match(p.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
  assert.deepEqual(r.query.breakdowns, spec.breakdowns);
  const flat = await run(spec, { disable_series: true });
  assert.equal(flat.data.series, undefined);
  assert.equal(flat.data.total_by_aggregate, undefined);
  const limited = await run(spec, { disable_series: true, limit: 1, disable_other_by_aggregate: false });
  assert.equal(limited.data.results.length, 1);
  assert.deepEqual(limited.data.other_by_aggregate, { data: { COUNT: 4, 'MAX(duration_ms)': null } });
});

test('a heatmap cell has counts in equal steps', async () => {
  const r = await run({ ...range, calculations: [{ op: 'HEATMAP', column: 'duration_ms' }], filters: [{ column: 'name', op: '=', value: 'GET /cart' }] });
  const cells = r.data.series.map((p) => p.data['HEATMAP(duration_ms)']);
  assert.equal(cells.reduce((a, c) => a + c.counts.reduce((x, y) => x + y, 0), 0), N);
  for (const c of cells) {
    assert.ok(c.max_value > c.min_value);
    assert.ok(Math.abs(c.min_value + c.step_size * c.counts.length - c.max_value) < 1e-9 * c.max_value + 1e-9);
  }
});

test('all datasets together', async () => {
  const r = await run({ ...range, breakdowns: ['service.name'] }, { disable_series: true }, '__all__');
  assert.deepEqual(r.data.results.map((x) => [x.data['service.name'], x.data.COUNT]), [['shop', 2 * N + N / 5], ['db', N]]);
});

test('links work after a restart', async () => {
  const r = await run({ ...range, calculations: [{ op: 'COUNT' }] }, { disable_series: true });
  assert.equal(await skep.stop(), 0);
  skep = await Skep.start({ dir });
  const again = await skep.json('GET', `/1/query_results/shop/${r.id}`);
  assert.deepEqual(again.data, r.data);
  assert.equal(again.complete, true);
  assert.equal((await skep.json('GET', `/1/queries/shop/${r.query.id}`)).id, r.query.id);
  const now = await run({ ...range, calculations: [{ op: 'COUNT' }] }, { disable_series: true });
  assert.deepEqual(now.data.results, r.data.results);
});
