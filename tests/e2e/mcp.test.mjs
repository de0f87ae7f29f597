// SPDX-License-Identifier: Apache-2.0
// The assistant's door: the protocol's own client asks with every tool; answers are bounded; what is wrong is said.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { sendShop, traceId } from './fixture.mjs';
import { Skep, root } from './support.mjs';

const require = createRequire(join(root, 'tests/clients/node/package.json'));
const load = (path) => import(pathToFileURL(require.resolve(path)).href);
const { Client } = await load('@modelcontextprotocol/sdk/client/index.js');
const { StreamableHTTPClientTransport } = await load('@modelcontextprotocol/sdk/client/streamableHttp.js');

const dir = mkdtempSync(join(tmpdir(), 'skep-e2e-'));
let skep, client, range;
before(async () => {
  skep = await Skep.start({ dir });
  range = await sendShop(skep, 20);
  client = new Client({ name: 'test', version: '1' });
  await client.connect(new StreamableHTTPClientTransport(new URL(`${skep.url}/mcp`)));
});
after(async () => {
  await client.close();
  await skep.done();
  rmSync(dir, { recursive: true, force: true });
});

const ask = async (name, args = {}) => {
  const r = await client.callTool({ name, arguments: args });
  assert.equal(r.content.length, 1);
  assert.ok(Buffer.byteLength(r.content[0].text) <= 48 << 10);
  return { text: r.content[0].text, failed: r.isError };
};
const told = async (name, args) => {
  const r = await ask(name, args);
  assert.equal(r.failed, false, r.text);
  return r.text;
};

test('who it is, and its tools: all of them only read', async () => {
  assert.equal(client.getServerVersion().name, 'skep');
  assert.match(client.getInstructions(), /get_workspace_context/);
  await client.ping();
  const { tools } = await client.listTools();
  assert.deepEqual(tools.map((t) => t.name), ['get_workspace_context', 'get_dataset_columns', 'run_query', 'run_bubbleup', 'list_spans', 'get_trace', 'get_service_map',
    'find_queries', 'list_boards', 'get_triggers', 'get_slos']);
  for (const t of tools) {
    assert.ok(t.annotations.readOnlyHint && t.description && t.inputSchema.type === 'object', t.name);
  }
});

test('what there is', async () => {
  assert.match(await told('get_workspace_context'), /\| shop \| shop \| \d{4}-/);
  await skep.json('POST', '/1/derived_columns/shop', { alias: 'slow', expression: 'GT($duration_ms, 20)' });
  const columns = await told('get_dataset_columns', { dataset: 'shop' });
  assert.match(columns, /\| http\.route \| string \| 20 \|/);
  assert.match(columns, /\| slow \| derived: GT\(\$duration_ms, 20\) \|/);
  const few = await told('get_dataset_columns', { dataset: 'shop', search: 'duration', limit: 1 });
  assert.equal(few.trim().split('\n').length, 3);
  assert.match((await ask('get_dataset_columns', { dataset: 'nope' })).text, /no such dataset/);
});

test('a query: a table, values over time, mistakes with their place', async () => {
  const spec = { ...range, calculations: [{ op: 'COUNT' }, { op: 'MAX', column: 'duration_ms' }], breakdowns: ['http.response.status_code'],
    filters: [{ column: 'name', op: '=', value: 'GET /cart' }], granularity: 5 };
  const text = await told('run_query', { dataset: 'shop', query: spec });
  assert.match(text, /^\| http\.response\.status_code \| COUNT \| MAX\(duration_ms\) \| over time \|\n/);
  assert.match(text, /\| 200 \| 16 \| 29 \| [▁▂▃▄▅▆▇█]+ \|/);
  assert.match(text, /\| 500 \| 4 \| 25 \|/);
  assert.match(text, /\| \(all\) \| 20 \| 29 \|/);
  assert.match(text, /2 of 2 groups/);
  const derived = await told('run_query', { dataset: 'shop', query: { ...range, breakdowns: ['slow'], calculations: [{ op: 'COUNT' }], filters: spec.filters } });
  assert.match(derived, /\| true \| 9 \|/);
  const bad = await ask('run_query', { dataset: 'shop', query: { filters: [{ column: 'a', op: 'like' }] } });
  assert.ok(bad.failed);
  assert.match(bad.text, /^filters\[0\]\.op: /);
  assert.ok((await ask('run_query', {})).failed);
  const wide = await told('run_query', { query: { ...range, breakdowns: ['trace.trace_id', 'name', 'trace.span_id'], limit: 1000 } });
  assert.ok(wide.split('\n').length < 110);
});

test('what is different, spans, a trace, the map', async () => {
  const different = await told('run_bubbleup', { dataset: 'shop', ...range, filters: [{ column: 'name', op: '=', value: 'GET /cart' }],
    selection: { filters: [{ column: 'http.response.status_code', op: '=', value: 500 }] } });
  assert.match(different, /^4 selected rows, 16 others/);
  const spans = await told('list_spans', { dataset: 'shop', ...range, filters: [{ column: 'name', op: '=', value: 'GET /cart' }], columns: ['n'], limit: 3 });
  assert.equal(spans.trim().split('\n').map((l) => JSON.parse(l)).length, 3);
  const trace = await told('get_trace', { trace_id: traceId(5) });
  assert.match(trace, /\+0\.000 ms shop: GET \/cart 15\.000 ms ERROR \[/);
  assert.match(trace, /\n {2}\+2\.000 ms db: SELECT 3\.000 ms \[/);
  assert.doesNotMatch(trace, /exception/);
  assert.match(await told('get_trace', { trace_id: traceId(5), show_events: true }), /exception/);
  assert.match((await ask('get_trace', { trace_id: 'f'.repeat(32) })).text, /no such trace/);
  assert.match(await told('get_service_map', {}), /\| shop \| db \| 20 \|/);
});

test('saved queries, boards, triggers, SLOs', async () => {
  assert.match(await told('find_queries'), /No saved queries/);
  const q = await skep.json('POST', '/1/queries/shop', { calculations: [{ op: 'COUNT' }], time_range: 900 });
  await skep.json('POST', '/1/query_annotations/shop', { name: 'How many', query_id: q.id });
  assert.match(await told('find_queries', { search: 'many' }), /How many \(dataset shop\): \{"calculations"/);
  await skep.json('POST', '/1/boards', { name: 'Mine', type: 'flexible' });
  assert.match(await told('list_boards'), /"name":"Mine"/);
  const t = await skep.json('POST', '/1/triggers/shop', { name: 'many', query_id: q.id, frequency: 900, threshold: { op: '>', value: 1 } });
  await skep.json('POST', `/skep/v1/alerts/${t.id}/evaluate`);
  assert.match(await told('get_triggers'), /many \(dataset shop\): \*\*triggered\*\* since .*, value 44/);
  await skep.json('POST', '/1/derived_columns/shop', { alias: 'ok', expression: 'IF(EXISTS($http.route), NOT(EQUALS($http.response.status_code, 500)))' });
  await skep.json('POST', '/1/slos/shop', { name: 'up', sli: { alias: 'ok' }, time_period_days: 7, target_per_million: 900000 });
  assert.match(await told('get_slos'), /up \(dataset shop\): target 90\.0000 %, compliance 80\.0000 %, budget remaining -100\.00 % \(exhausted\), 16 of 20 events/);
});

test('the wire: errors of JSON-RPC, notifications, methods', async () => {
  const post = (body) => skep.call('POST', '/mcp', body, { 'content-type': 'application/json', accept: 'application/json, text/event-stream' });
  const code = async (body, status) => {
    const r = await post(body);
    assert.equal(r.status, status);
    return (await r.json()).error.code;
  };
  assert.equal(await code('{', 400), -32700);
  assert.equal(await code([], 400), -32600);
  assert.equal(await code({ id: 1, method: 'ping' }, 400), -32600);
  assert.equal(await code({ jsonrpc: '2.0', id: {}, method: 'ping' }, 400), -32600);
  assert.equal(await code({ jsonrpc: '2.0', id: 1, method: 'nope' }, 200), -32601);
  assert.equal(await code({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'nope' } }, 200), -32602);
  assert.equal(await code({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'run_query', arguments: 7 } }, 200), -32602);
  assert.equal((await post({ jsonrpc: '2.0', method: 'notifications/initialized' })).status, 202);
  const init = await (await post({ jsonrpc: '2.0', id: 'a', method: 'initialize', params: { protocolVersion: '2024-11-05' } })).json();
  assert.deepEqual([init.id, init.result.protocolVersion], ['a', '2024-11-05']);
  for (const method of ['GET', 'DELETE']) {
    const r = await skep.call(method, '/mcp');
    assert.deepEqual([r.status, r.headers.get('allow')], [405, 'POST']);
  }
});
