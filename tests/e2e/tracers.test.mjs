// SPDX-License-Identifier: Apache-2.0
// One request, two tracers: a service that reports each request through OpenTelemetry and through
// X-Ray has as many requests as there were, in every view; one that reports through X-Ray alone has
// all of its own; who asks for both sees both.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Skep, hex, nowNs, otlpTraces } from './support.mjs';

const N = 100;

function segment(name, traceId, startNs) {
  const t = Number(startNs) / 1e9;
  return JSON.stringify({ name, id: hex(16), trace_id: `1-${traceId.slice(0, 8)}-${traceId.slice(8)}`, start_time: t, end_time: t + 0.01,
    http: { request: { method: 'GET', url: 'http://shop/x' }, response: { status: 200 } } });
}

test('each request counts once', { timeout: 300000 }, async () => {
  const skep = await Skep.start();
  try {
    const at = nowNs() - 60_000_000_000n;
    const spans = Array.from({ length: N }, (_, i) => ({
      traceId: hex(32), spanId: hex(16), name: 'GET /x', kind: 2, startNs: at + BigInt(i) * 1000000n, endNs: at + BigInt(i) * 1000000n + 10000000n }));
    await skep.json('POST', '/v1/traces', otlpTraces('backend', spans));
    const documents = spans.map((s) => segment('backend', hex(32), s.startNs)); // each tracer makes ids of its own
    documents.push(...spans.slice(0, 7).map((s) => segment('lone', hex(32), s.startNs)));
    for (let i = 0; i < documents.length; i += 50) {
      const res = await skep.json('POST', '/TraceSegments', { TraceSegmentDocuments: documents.slice(i, i + 50) });
      assert.deepEqual(res.UnprocessedTraceSegments, []);
    }
    const service = [{ column: 'service.name', op: '=', value: 'backend' }];
    const ask = (path, body) => skep.json('POST', path, { time_range: 3600, ...body });
    const counted = await ask('/skep/v1/query', { calculations: [{ op: 'COUNT' }], breakdowns: ['service.name'] });
    assert.deepEqual(counted.groups.map((g) => [g.key[0], g.values[0]]), [['backend', N], ['lone', 7]]);
    assert.deepEqual(counted.also_xray, ['backend']);
    assert.equal((await ask('/skep/v1/rows', { filters: service, limit: 1000 })).rows.length, N);
    const traces = await ask('/skep/v1/traces', { limit: 1000 });
    assert.equal(traces.traces.length, N + 7);
    assert.deepEqual(traces.also_xray, ['backend']);

    const all = await ask('/skep/v1/query?tracers=all', { calculations: [{ op: 'COUNT' }], filters: service });
    assert.equal(all.groups[0].values[0], 2 * N);
    assert.equal(all.also_xray, undefined);

    const { id } = await skep.json('POST', '/1/queries/backend', { time_range: 3600, calculations: [{ op: 'COUNT' }] });
    let result = await (await skep.call('POST', '/1/query_results/backend', { query_id: id })).json();
    for (let i = 0; i < 400 && !result.complete; i++) {
      await new Promise((r) => setTimeout(r, 50));
      result = await skep.json('GET', `/1/query_results/backend/${result.id}`);
    }
    assert.equal(result.data.results[0].data.COUNT, N);

    const to = Math.ceil(Date.now() / 1000) + 60;
    const summaries = await skep.json('POST', '/TraceSummaries', { StartTime: to - 3600, EndTime: to, FilterExpression: 'service("backend")' });
    assert.equal(summaries.TraceSummaries.length, N);
    const counts = (list, key) => Object.fromEntries(list.filter(key).map((n) => [n.name ?? n.Name, n.count ?? n.SummaryStatistics.TotalCount]));
    const map = await ask('/skep/v1/graph', {});
    assert.deepEqual(counts(map.nodes, (n) => n.kind === 'service'), { backend: N, lone: 7 });
    assert.deepEqual(map.also_xray, ['backend']);
    const graph = await skep.json('POST', '/ServiceGraph', { StartTime: to - 3600, EndTime: to });
    assert.deepEqual(counts(graph.Services, (n) => n.Type !== 'client'), { backend: N, lone: 7 });
    const exported = await (await skep.call('POST', '/skep/v1/export', { start_time: 0, end_time: to })).text();
    assert.equal(exported.split('\n').filter((l) => l.includes('"dataset":"backend"')).length, 2 * N, 'an export leaves nothing out');
  } finally {
    await skep.done();
  }
});
