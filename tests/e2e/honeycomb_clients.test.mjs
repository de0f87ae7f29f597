// SPDX-License-Identifier: Apache-2.0
// Honeycomb's own distributions for Node, told another host and nothing else: the OpenTelemetry one over both of its
// protocols, with its sampler and its baggage, and the beeline on an Express server.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { root, Skep, until } from './support.mjs';

const run = promisify(execFile);
const program = (name, env) => run(process.execPath, [join(root, 'tests', 'clients', 'honeycomb', name)], { env: { ...process.env, ...env } });
let skep;
before(async () => { skep = await Skep.start(); });
after(() => skep?.done());

const count = (q) => skep.query({ time_range: 3600, calculations: [{ op: 'COUNT' }], disable_series: true, ...q });
const spans = async (dataset) => (await skep.json('POST', '/skep/v1/rows', { dataset, time_range: 3600, limit: 1000, order: 'asc', filters: [{ column: 'trace.span_id', op: 'exists' }] })).rows.map((r) => r.fields);

for (const protocol of ['http/protobuf', 'grpc']) {
  test(`the OpenTelemetry distribution over ${protocol}: rates, baggage, exceptions`, async () => {
    const service = `hny ${protocol.replace('/', ' ')}`;
    const endpoint = protocol === 'grpc' ? `http://127.0.0.1:${skep.grpcPort}` : skep.url;
    const { stdout, stderr } = await program('otel.cjs', { OTEL_SERVICE_NAME: service, OTEL_EXPORTER_OTLP_PROTOCOL: protocol, HONEYCOMB_API_ENDPOINT: endpoint, HONEYCOMB_API_KEY: 'hcaik_any', HONEYCOMB_METRICS_DATASET: 'm', SAMPLE_RATE: '4', ROOTS: '400' });
    const told = JSON.parse(stdout);
    assert.ok(told.kept > 40 && told.kept < 180, `kept ${told.kept}`);
    assert.doesNotMatch(stderr, /error/i);
    await until('all spans', async () => (await count({ dataset: service, usage_mode: true, filters: [{ column: 'trace.span_id', op: 'exists' }] })).totals.values[0] === told.kept * 2);
    // A span counts for the four of which it was kept.
    const roots = await count({ dataset: service, filters: [{ column: 'trace.span_id', op: 'exists' }, { column: 'trace.parent_id', op: 'does-not-exist' }] });
    assert.equal(roots.totals.values[0], told.kept * 4);
    const mine = (await spans(service)).filter((f) => f['trace.trace_id'] === told.traceId);
    assert.deepEqual(mine.map((f) => f.name).sort(), ['GET /cart', 'query']);
    assert.ok(mine.every((f) => /^user-[0-2]$/.test(f['app.user_handle']) && f['honeycomb.distro.version']), JSON.stringify(mine));
    const failed = await count({ dataset: service, usage_mode: true, breakdowns: ['exception.type'], filters: [{ column: 'name', op: '=', value: 'exception' }] });
    assert.deepEqual(failed.groups.map((g) => g.key), [['TypeError']]);
  });
}

test('the beeline: requests, a span of one\'s own and the call between them are one trace', async () => {
  await program('beeline.cjs', { API_HOST: skep.url });
  const got = await until('all events', async () => {
    const f = await spans('shop');
    return f.length >= 8 && f;
  });
  const whole = [...new Set(got.map((f) => f['trace.trace_id']))].map((id) => got.filter((f) => f['trace.trace_id'] === id));
  assert.equal(whole.length, 2);
  for (const t of whole) {
    const price = t.find((f) => f.name === 'price');
    assert.equal(price.items, 3);
    const entry = t.find((f) => f['trace.span_id'] === price['trace.parent_id'] || (f['meta.type'] === 'express' && !f['trace.parent_id']));
    assert.ok(entry, JSON.stringify(t));
    assert.equal(entry['response.status_code'], '200');
    assert.deepEqual(t.map((f) => f['span.kind']).sort(), ['server', 'server', 'unspecified', 'unspecified']);
    assert.ok(t.some((f) => f['response.status_code'] === '503' || f['response.status_code'] === 503), 'what was asked of itself');
    assert.match(t.find((f) => f['app.user'])?.['app.user'] ?? '', /^u[12]$/);
    assert.ok(t.every((f) => f['service.name'] === 'shop' && f.duration_ms >= 0));
    // And the page's waterfall has them all.
    const trace = await skep.json('GET', `/skep/v1/trace/${entry['trace.trace_id']}`);
    assert.equal(trace.rows.id.length, t.length);
  }
});
