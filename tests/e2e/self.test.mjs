// SPDX-License-Identifier: Apache-2.0
// The server writes a trace to itself and reads it back: told in status and metrics, hidden from
// everybody who does not ask for it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hex, nowNs, otlpTraces, Skep, sleep, until } from './support.mjs';

const probed = (skep, n) => until(`${n} probes`, async () => {
  const { self } = await skep.json('GET', '/skep/v1/status');
  return self.attempts >= n ? self : null;
}, 20000);

test('the probe is acknowledged, found by the first question, and hidden', { timeout: 300000 }, async () => {
  const skep = await Skep.start({ args: ['--self-probe', '1s'] });
  try {
    const self = await probed(skep, 2);
    assert.equal(self.failures, 0);
    assert.equal(self.last_error, null);
    assert.equal(self.queries, 1, 'the first question after the acknowledgement has it');
    assert.ok(self.ack_ms > 0 && self.visible_ms > 0 && Math.abs(self.last_ms - Date.now()) < 30000);
    const status = await skep.json('GET', '/skep/v1/status');
    assert.equal(status.rows, 0, 'a server that nobody sent anything is empty');
    assert.equal(status.newest_ns, null);
    assert.deepEqual(status.ledger, []);
    assert.deepEqual((await skep.json('GET', '/skep/v1/datasets')).datasets, []);
    assert.deepEqual((await skep.json('GET', '/skep/v1/fields')).fields, []);
    assert.equal((await skep.json('GET', '/skep/v1/ledger')).sources.length, 0);
    const count = async (dataset) => (await skep.query({ time_range: 600, disable_series: true, calculations: [{ op: 'COUNT' }], ...(dataset ? { dataset } : {}) })).totals.values[0] ?? 0;
    assert.equal(await count(), 0);
    assert.equal((await skep.call('POST', '/v1/traces', otlpTraces('shop', [{ traceId: hex(32), spanId: hex(16), startNs: nowNs() }]))).status, 200);
    assert.equal(await count(), 1);
    // Who asks for it sees it.
    const own = await count('_skep');
    assert.ok(own >= 2);
    const { rows } = await skep.json('POST', '/skep/v1/rows', { dataset: '_skep', time_range: 600, limit: 1 });
    assert.equal(rows[0].fields['meta.source'] ?? rows[0].fields.name, rows[0].fields['meta.source'] ? 'skep' : 'self-probe');
    assert.equal((await skep.call('GET', `/skep/v1/trace/${rows[0].fields['trace.trace_id']}`)).status, 200);
    const { sources } = await skep.json('GET', '/skep/v1/ledger?source=skep');
    assert.equal(sources.length, 1);
    assert.equal(sources[0].totals.difference, 0);
    const text = await (await skep.call('GET', '/metrics')).text();
    assert.match(text, /^skep_self_probe_queries 1$/m);
    assert.match(text, /^skep_self_probe_failures_total 0$/m);
    assert.match(text, /^skep_store_rows 1$/m);
    assert.match(text, /^skep_ingest_received_total\{source="skep",signal="traces"\} \d+$/m);
    assert.equal(await skep.stop(), 0);
  } finally {
    await skep.done();
  }
});

test('--self-probe 0 writes nothing', { timeout: 300000 }, async () => {
  const skep = await Skep.start({ args: ['--self-probe', '0'] });
  try {
    await sleep(6000); // the first one would come after five seconds
    const { self, store } = await skep.json('GET', '/skep/v1/status');
    assert.deepEqual([self.attempts, self.last_ms, store.commits], [0, null, 0]);
  } finally {
    await skep.done();
  }
});

test('--self-trace: requests and questions are spans, in the caller\'s trace, hidden and without secrets', { timeout: 300000 }, async () => {
  const skep = await Skep.start({ args: ['--self-probe', '0', '--self-trace', 'on'] });
  try {
    const traceId = hex(32);
    const body = JSON.stringify({ time_range: 600, disable_series: true, calculations: [{ op: 'COUNT' }] });
    const asked = await skep.call('POST', '/skep/v1/query?access_token=geheim', body, { 'content-type': 'application/json', traceparent: `00-${traceId}-${hex(16)}-01` });
    assert.equal(asked.status, 200);
    await asked.text();
    const trace = await until('the spans', async () => {
      const r = await skep.call('GET', `/skep/v1/trace/${traceId}`);
      const t = r.status === 200 ? await r.json() : null;
      return t?.rows.id.length >= 2 ? t : null;
    });
    const at = (name) => trace.rows.name.indexOf(name);
    const [request, work] = [at('POST /skep/v1/query'), at('work')];
    assert.ok(request >= 0 && work >= 0, JSON.stringify(trace.rows.name));
    assert.equal(trace.rows.parent[work], request);
    const fields = async (i) => Object.fromEntries((await skep.json('GET', `/skep/v1/row/${trace.rows.id[i]}`)).fields.map((f) => [f.name, f.value?.int !== undefined ? Number(f.value.int) : f.value]));
    const r = await fields(request);
    assert.equal(r['http.response.status_code'], 200);
    assert.equal(r['http.route'], '/skep/v1/query');
    assert.equal(r['http.request.body.size'], body.length);
    assert.equal(r['service.name'], '_skep');
    assert.doesNotMatch(JSON.stringify(r), /geheim/);
    const w = await fields(work);
    assert.deepEqual([w['skep.kind'], w['skep.outcome'], w['skep.environment']], ['query', 'answered', 'default']);
    // Hidden from who does not name them; nothing goes round in circles.
    assert.equal((await skep.json('GET', '/skep/v1/status')).rows, 0);
    const count = async () => (await skep.query({ time_range: 600, disable_series: true, dataset: '_skep', calculations: [{ op: 'COUNT' }] })).totals.values[0];
    await until('more of them', async () => await count() > 3);
    await until('the ledger to agree', async () => (await skep.json('GET', '/skep/v1/ledger?source=skep')).sources[0].totals.difference === 0);
    assert.equal(await skep.stop(), 0);
  } finally {
    await skep.done();
  }
});
