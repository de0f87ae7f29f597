// SPDX-License-Identifier: Apache-2.0
// Deleting rows: through the API and as an operator types it; gone at once, and after kill -9.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Skep, binary, hex, nowNs, otlpTraces } from './support.mjs';

function run(args, input) {
  return new Promise((resolve) => {
    const child = spawn(binary, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    const out = { stdout: '', stderr: '' };
    child.stdout.on('data', (d) => { out.stdout += d; });
    child.stderr.on('data', (d) => { out.stderr += d; });
    child.once('close', (code) => resolve({ code, ...out }));
    child.stdin.on('error', () => {});
    child.stdin.end(input ?? '');
  });
}

async function fill(skep, service, n) {
  const spans = Array.from({ length: n }, (_, i) => ({
    traceId: hex(32), spanId: hex(16), name: `GET /${i % 10}`, startNs: nowNs() - BigInt(i), endNs: nowNs(), attributes: { i } }));
  await skep.json('POST', '/v1/traces', otlpTraces(service, spans));
  await skep.json('POST', '/v1/logs', { resourceLogs: [{
    resource: { attributes: [{ key: 'service.name', value: { stringValue: service } }] },
    scopeLogs: [{ logRecords: spans.map((s, i) => ({
      timeUnixNano: String(s.startNs), severityNumber: 9, body: { stringValue: `line ${i}` }, traceId: s.traceId, spanId: s.spanId })) }] }] });
  return spans;
}

const count = async (skep, filters = []) => {
  const r = await skep.query({ time_range: 3600, calculations: [{ op: 'COUNT' }], filters });
  return r.groups[0]?.values[0] ?? 0;
};
const is = (column, value) => ({ column, op: '=', value });

test('what a delete says it deletes is gone for the next question, and stays gone', { timeout: 300000 }, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'skep-delete-'));
  let skep = await Skep.start({ dir });
  try {
    const spans = await fill(skep, 'shop', 200);
    await fill(skep, 'other', 50);
    assert.equal(await count(skep), 500);
    const body = { time_range: 3600, filters: [is('name', 'GET /3')] };
    const post = (b, headers) => skep.call('POST', '/skep/v1/delete', b, headers);
    // Nothing without times, nothing unknown, nothing from another site.
    assert.equal((await post({ filters: [is('name', 'GET /3')] })).status, 422);
    assert.equal((await post({ ...body, limit: 5 })).status, 422);
    assert.equal((await post({ ...body, confirm: 'yes' })).status, 422);
    assert.equal((await post({ ...body, confirm: true }, { origin: 'https://evil.example' })).status, 403);
    assert.equal(await count(skep), 500);
    // Counted, then confirmed by number.
    assert.deepEqual(await post(body).then((r) => r.json()).then(({ deleted, rows }) => ({ deleted, rows })), { deleted: false, rows: 25 });
    assert.equal((await post({ ...body, confirm: 24 })).status, 409);
    assert.equal(await count(skep), 500);
    const done = await (await post({ ...body, confirm: 25 })).json();
    assert.equal(done.deleted, true);
    assert.equal(done.rows, 25);
    assert.equal(await count(skep), 475);
    assert.equal(await count(skep, [is('name', 'GET /3')]), 0);
    assert.equal((await (await post({ ...body, confirm: true })).json()).rows, 0);
    // A whole trace, spans and lines.
    const trace = spans[0].traceId;
    assert.equal((await skep.call('GET', `/skep/v1/trace/${trace}`)).status, 200);
    assert.equal((await skep.json('POST', '/skep/v1/delete', { time_range: 3600, confirm: true, filters: [is('trace.trace_id', trace)] })).rows, 2);
    assert.equal((await skep.call('GET', `/skep/v1/trace/${trace}`)).status, 404);
    // A dataset, as it is typed.
    const args = ['delete', '--server', skep.url, '--dataset', 'other', '--last', '1h'];
    const dry = await run(args);
    assert.equal(dry.code, 0, dry.stderr);
    assert.match(dry.stdout, /^95 rows match; --yes deletes them/);
    const yes = await run([...args, '--yes']);
    assert.match(yes.stdout, /^95 rows deleted/, yes.stderr);
    assert.equal((await run(['delete', '--server', skep.url, '--dataset', 'other'])).code, 2);
    assert.equal((await run(['delete', '--server', skep.url, '--last', '1h', '--yes'])).code, 2);
    assert.equal(await count(skep), 378);
    await skep.kill();
    skep = await Skep.start({ dir });
    assert.equal(await count(skep), 378);
    assert.equal((await skep.call('GET', `/skep/v1/trace/${trace}`)).status, 404);
    const store = (await skep.json('GET', '/skep/v1/status')).store;
    assert.equal(store.deleted_rows, 122);
    assert.equal(store.stored_rows, 500);
  } finally {
    await skep.done();
    rmSync(dir, { recursive: true, force: true });
  }
});
