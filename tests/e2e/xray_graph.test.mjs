// SPDX-License-Identifier: Apache-2.0
// X-Ray's service graph, trace graph and time series, from segments and OTLP spans, as raw HTTP, boto3,
// the AWS CLI and the SDK for JavaScript read them; the page's graph of the same rows.
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { hex, otlpTraces, root, Skep } from './support.mjs';

const run = promisify(execFile);
const EPOCH = Math.floor(Date.now() / 1000);
const T0 = EPOCH - 300;
const env = { ...process.env, AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE', AWS_SECRET_ACCESS_KEY: 'secret', AWS_DEFAULT_REGION: 'eu-central-1', AWS_PAGER: '', AWS_EC2_METADATA_DISABLED: 'true' };
delete env.AWS_PROFILE;
const range = { StartTime: EPOCH - 600, EndTime: EPOCH };

let skep;
const ids = [];
const xid = (h) => `1-${h.slice(0, 8)}-${h.slice(8)}`;
const call = (path, body) => skep.json('POST', path, body);

// One request: api (EC2) -> auth (a segment), DynamoDB table, and, over OTLP, shop -> its database.
function request(i) {
  const trace = T0.toString(16).padStart(8, '0') + hex(24);
  const [api, call1, call2, call3, auth, shop, sql] = Array.from({ length: 7 }, () => hex(16));
  const at = T0 + i;
  ids.push(xid(trace));
  const documents = [
    { id: api, name: 'api', trace_id: xid(trace), origin: 'AWS::EC2::Instance', start_time: at, end_time: at + 0.5, ...(i === 0 ? { fault: true, error: true } : {}),
      subsegments: [
        { id: call1, name: 'auth', namespace: 'remote', start_time: at + 0.1, end_time: at + 0.2, ...(i === 1 ? { throttle: true, error: true } : {}) },
        { id: call2, name: 'DynamoDB', namespace: 'aws', aws: { operation: 'GetItem', table_name: 'users' }, start_time: at + 0.2, end_time: at + 0.25, ...(i === 2 ? { error: true } : {}) },
        { id: call3, name: 'shop', namespace: 'remote', start_time: at + 0.3, end_time: at + 0.4 },
      ] },
    { id: auth, name: 'auth', trace_id: xid(trace), parent_id: call1, start_time: at + 0.12, end_time: at + 0.18 },
  ].map((d) => JSON.stringify(d));
  const ns = (s) => BigInt(Math.round((at + s) * 1e6)) * 1000n;
  const spans = [
    { traceId: trace, spanId: shop, parentId: call3, name: 'GET /', kind: 2, startNs: ns(0.31), endNs: ns(0.39), attributes: { 'http.response.status_code': i === 3 ? 503n : 200n } },
    { traceId: trace, spanId: sql, parentId: shop, name: 'SELECT', kind: 3, startNs: ns(0.32), endNs: ns(0.34), attributes: { 'db.system': 'postgresql', 'db.name': 'orders', 'server.address': 'pg' } },
  ];
  return { documents, spans };
}

before(async () => {
  skep = await Skep.start();
  const all = Array.from({ length: 10 }, (_, i) => request(i));
  const r = await call('/TraceSegments', { TraceSegmentDocuments: all.flatMap((a) => a.documents) });
  assert.deepEqual(r.UnprocessedTraceSegments, []);
  await call('/v1/traces', otlpTraces('shop', all.flatMap((a) => a.spans)));
});
after(async () => { await skep.done(); });

const named = (services, name, type) => services.find((s) => s.Name === name && (type === undefined || s.Type === type));
const counts = (s) => [s.TotalCount, s.OkCount, s.ErrorStatistics.ThrottleCount, s.ErrorStatistics.OtherCount, s.ErrorStatistics.TotalCount, s.FaultStatistics.TotalCount];
const arrows = (services) => services.flatMap((s) => s.Edges.map((e) => `${s.Type === 'client' ? '@' : ''}${s.Name}>${services.find((t) => t.ReferenceId === e.ReferenceId).Name}`)).sort();
const ARROWS = ['@api>api', 'api>auth', 'api>shop', 'api>users', 'shop>orders@pg'];

function check(services) {
  assert.deepEqual(arrows(services), ARROWS);
  assert.equal(new Set(services.map((s) => s.ReferenceId)).size, services.length);
  for (const s of services) assert.equal(typeof s.Type, 'string', `${s.Name}: readers take a missing type for a broken answer`);
  const api = named(services, 'api', 'AWS::EC2::Instance');
  assert.equal(api.Root, true);
  assert.equal(api.State, 'active');
  assert.deepEqual(counts(api.SummaryStatistics), [10, 9, 0, 0, 0, 1]);
  assert.ok(Math.abs(api.SummaryStatistics.TotalResponseTime - 5) < 0.01);
  assert.equal(api.ResponseTimeHistogram.reduce((n, b) => n + b.Count, 0), 10);
  const [client] = services.filter((s) => s.Type === 'client');
  assert.deepEqual([client.Name, client.State, client.SummaryStatistics], ['api', 'unknown', undefined]);
  const users = named(services, 'users', 'AWS::DynamoDB::Table');
  assert.deepEqual(users.Names, ['users', 'DynamoDB']);
  assert.deepEqual(counts(users.SummaryStatistics), [10, 9, 0, 1, 1, 0]);
  const toAuth = api.Edges.find((e) => e.ReferenceId === named(services, 'auth').ReferenceId);
  assert.deepEqual(counts(toAuth.SummaryStatistics), [10, 9, 1, 0, 1, 0], 'the caller\'s numbers');
  assert.ok(Math.abs(toAuth.SummaryStatistics.TotalResponseTime - 1) < 0.01);
  assert.deepEqual(toAuth.Aliases, []);
  assert.deepEqual(counts(named(services, 'shop').SummaryStatistics), [10, 9, 0, 0, 0, 1]);
  assert.equal(named(services, 'orders@pg').Type, 'Database::SQL');
}

test('GetServiceGraph: nodes, edges, outcomes, inferred nodes of two wires', async () => {
  const graph = await call('/ServiceGraph', range);
  assert.deepEqual([graph.StartTime, graph.EndTime, graph.ContainsOldGroupVersions, graph.NextToken], [range.StartTime, range.EndTime, false, undefined]);
  check(graph.Services);
  assert.deepEqual((await call('/ServiceGraph', { ...range, GroupName: 'Default' })).Services, graph.Services);
  const none = await call('/ServiceGraph', { StartTime: EPOCH - 100000, EndTime: EPOCH - 90000 });
  assert.deepEqual(none.Services, []);
  const bad = await skep.call('POST', '/ServiceGraph', { ...range, GroupName: 'no"such' });
  assert.deepEqual([bad.status, (await bad.json()).__type], [400, 'InvalidRequestException']);
});

test('a group narrows the graph: by what rows say, and by what only whole traces do', async () => {
  await call('/CreateGroup', { GroupName: 'Cruddur', FilterExpression: 'service("shop") { fault }' });
  await call('/CreateGroup', { GroupName: 'Slow', FilterExpression: 'duration > 0.4 AND service(id(name: "users", type: "AWS::DynamoDB::Table")) { error }' });
  for (const GroupName of ['Cruddur', 'Slow']) {
    const { Services } = await call('/ServiceGraph', { ...range, GroupName });
    assert.deepEqual(arrows(Services), ARROWS, GroupName);
    assert.equal(named(Services, 'api', 'AWS::EC2::Instance').SummaryStatistics.TotalCount, 1, GroupName);
    const { TimeSeriesServiceStatistics: s } = await call('/TimeSeriesServiceStatistics', { ...range, GroupName, Period: 3600 });
    assert.equal(s.reduce((n, x) => n + x.EdgeSummaryStatistics.TotalCount, 0), 1, GroupName);
  }
});

test('GetTraceGraph: the same over traces by id; unknown ids are left out', async () => {
  check((await call('/TraceGraph', { TraceIds: ids })).Services);
  const one = await call('/TraceGraph', { TraceIds: [ids[4], '1-00000000-000000000000000000000001'] });
  assert.equal(named(one.Services, 'api', 'AWS::EC2::Instance').SummaryStatistics.TotalCount, 1);
  assert.deepEqual((await call('/TraceGraph', { TraceIds: ['1-00000000-000000000000000000000001'] })).Services, []);
  assert.equal((await skep.call('POST', '/TraceGraph', { TraceIds: [''] })).status, 400);
});

test('links are edges of their own, from the span they go on from; the age of what was received', async () => {
  const range = { StartTime: EPOCH - 5100, EndTime: EPOCH - 4900 }; // where the others do not look
  const ns = (s) => BigInt(Math.round((EPOCH - 5000 + s) * 1e6)) * 1000n;
  const [made, taken, unknown] = [hex(32), hex(32), hex(32)];
  const [web, send] = [hex(16), hex(16)];
  await call('/v1/traces', otlpTraces('web', [
    { traceId: made, spanId: web, name: 'POST /order', kind: 2, startNs: ns(0), endNs: ns(0.2) },
    { traceId: made, spanId: send, parentId: web, name: 'send', kind: 4, startNs: ns(0.1), endNs: ns(0.15), attributes: { 'peer.service': 'orders-queue' } },
  ]));
  await call('/v1/traces', otlpTraces('worker', [0, 1].map((i) => ({ traceId: taken, spanId: hex(16), name: 'take', kind: 5, startNs: ns(2 + i), endNs: ns(3 + i),
    links: [{ traceId: made, spanId: send }, { traceId: unknown, spanId: hex(16) }] }))));
  await call('/v1/traces', otlpTraces('mailer', [{ traceId: hex(32), spanId: hex(16), name: 'take', kind: 5, startNs: ns(5), endNs: ns(6), links: [{ traceId: made, spanId: web }] }]));
  const links = (services) => services.flatMap((s) => s.Edges.filter((e) => e.EdgeType === 'link').map((e) => [s.Name, services.find((t) => t.ReferenceId === e.ReferenceId).Name, e.ReceivedEventAgeHistogram]));
  const graph = (await call('/ServiceGraph', range)).Services;
  assert.deepEqual(links(graph).sort(), [
    ['orders-queue', 'worker', [{ Value: 1.85, Count: 1 }, { Value: 2.85, Count: 1 }]],
    ['web', 'mailer', [{ Value: 4.8, Count: 1 }]],
  ]);
  await call('/CreateGroup', { GroupName: 'Workers', FilterExpression: 'service("worker")' });
  assert.deepEqual(links((await call('/ServiceGraph', { ...range, GroupName: 'Workers' })).Services), [], 'the producer is not in the group');
  const both = (await call('/TraceGraph', { TraceIds: [xid(taken), xid(made)] })).Services;
  assert.deepEqual(links(both).map(([from, to]) => `${from}>${to}`), ['orders-queue>worker']);
  const { RetrievalToken } = await call('/StartTraceRetrieval', { TraceIds: [xid(taken), xid(made)], ...range });
  const retrieved = await call('/GetRetrievedTracesGraph', { RetrievalToken });
  assert.equal(retrieved.RetrievalStatus, 'COMPLETE');
  assert.deepEqual(retrieved.Services.map((s) => s.Service), both);
  const worker = retrieved.Services.find((s) => s.Service.Name === 'worker' && s.Service.Type !== 'client');
  assert.deepEqual(worker.Links.map((l) => [l.SourceTraceId, l.DestinationTraceIds.length]), Array(4).fill([xid(taken), 1]));
  assert.deepEqual([...new Set(worker.Links.map((l) => l.DestinationTraceIds[0]))].sort(), [xid(made), xid(unknown)].sort());
  await call('/CancelTraceRetrieval', { RetrievalToken });
  assert.deepEqual(await call('/GetRetrievedTracesGraph', { RetrievalToken }), { RetrievalStatus: 'CANCELLED', Services: [] });
  const bad = await skep.call('POST', '/GetRetrievedTracesGraph', { RetrievalToken: 'x' });
  assert.deepEqual([bad.status, (await bad.json()).__type], [404, 'ResourceNotFoundException']);
});

test('GetTimeSeriesServiceStatistics: client edges, a service, an edge; what is no entity is refused', async () => {
  const series = async (more) => (await call('/TimeSeriesServiceStatistics', { ...range, Period: 60, ...more })).TimeSeriesServiceStatistics;
  const sum = (list, key) => list.reduce((n, s) => n + s[key].TotalCount, 0);
  const clients = await series({});
  assert.equal(sum(clients, 'EdgeSummaryStatistics'), 10);
  for (const s of clients) assert.equal(s.Timestamp % 60, 0);
  assert.equal(sum(await series({ EntitySelectorExpression: 'service(id(name: "users", type: "AWS::DynamoDB::Table"))' }), 'ServiceSummaryStatistics'), 10);
  const edge = await series({ EntitySelectorExpression: 'edge("api", "auth")', Period: 3600 });
  assert.equal(sum(edge, 'EdgeSummaryStatistics'), 10);
  assert.equal(edge.reduce((n, s) => n + s.EdgeSummaryStatistics.ErrorStatistics.ThrottleCount, 0), 1);
  assert.deepEqual(await series({ EntitySelectorExpression: 'service("nobody")' }), []);
  for (const EntitySelectorExpression of ['', 'fault', 'service("api") { fault }']) {
    const r = await skep.call('POST', '/TimeSeriesServiceStatistics', { ...range, EntitySelectorExpression });
    assert.equal(r.status, 400, EntitySelectorExpression);
    assert.equal((await r.json()).__type, 'InvalidRequestException');
  }
});

test('POST /skep/v1/graph: the same rows for the page, of traces that a filter selects', async () => {
  const body = { start_time: range.StartTime, end_time: range.EndTime };
  const g = await call('/skep/v1/graph', body);
  const line = (e) => `${g.nodes[e.from].kind === 'client' ? '@' : ''}${g.nodes[e.from].name}>${g.nodes[e.to].name}`;
  assert.deepEqual(g.edges.map(line).sort(), ARROWS);
  const users = g.nodes.find((n) => n.name === 'users');
  assert.deepEqual([users.kind, users.count, users.errors, users.filters], ['inferred', 10, 1, [{ column: 'aws.table_name', value: 'users' }]]);
  assert.deepEqual(g.nodes.find((n) => n.name === 'orders@pg').filters, [{ column: 'db.name', value: 'orders' }, { column: 'server.address', value: 'pg' }]);
  assert.equal(g.nodes.find((n) => n.name === 'shop').faults, 1);
  const failed = await call('/skep/v1/graph', { ...body, filters: [{ column: 'xray.fault', op: '=', value: true }] });
  assert.deepEqual(failed.nodes.filter((n) => n.kind === 'service').map((n) => n.count), [1, 1, 1]);
  assert.deepEqual((await call('/skep/v1/graph', { ...body, dataset: 'nothing' })).nodes, []);
  const r = await skep.call('POST', '/skep/v1/graph', { ...body, filters: [{ column: 'a', op: 'resembles', value: 1 }] });
  assert.deepEqual([r.status, (await r.json()).field], [422, 'filters[0].op']);
});

// --- real clients ---

const has = (names, args) => names.find((p) => {
  try {
    execFileSync(p, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
});
const python = has(['/usr/bin/python3', 'python3'], ['-c', 'import boto3']);
const aws = has(['/usr/bin/aws', 'aws'], ['--version']);

test('boto3: paginators of the three', { skip: !python && 'no boto3' }, async () => {
  const program = `
import boto3, json, sys
x = boto3.client("xray", endpoint_url=sys.argv[1])
a, b = int(sys.argv[2]), int(sys.argv[3])
graph = [s for p in x.get_paginator("get_service_graph").paginate(StartTime=a, EndTime=b) for s in p["Services"]]
traces = [s for p in x.get_paginator("get_trace_graph").paginate(TraceIds=json.loads(sys.argv[4])) for s in p["Services"]]
series = [s for p in x.get_paginator("get_time_series_service_statistics").paginate(StartTime=a, EndTime=b, Period=60) for s in p["TimeSeriesServiceStatistics"]]
print(json.dumps({"graph": graph, "traces": traces, "n": sum(s["EdgeSummaryStatistics"]["TotalCount"] for s in series)}, default=str))
`;
  const { stdout } = await run(python, ['-c', program, skep.url, String(range.StartTime), String(range.EndTime), JSON.stringify(ids)], { env });
  const got = JSON.parse(stdout);
  check(got.graph);
  check(got.traces);
  assert.equal(got.n, 10);
});

test('awscli: the bootcamp\'s get-service-graph, word for word', { skip: !aws && 'no awscli' }, async () => {
  const line = `EPOCH=${EPOCH}; "${aws}" --endpoint-url "${skep.url}" --output json xray get-service-graph --start-time $(($EPOCH-600)) --end-time $EPOCH`;
  const { stdout } = await run('/bin/sh', ['-c', line], { env });
  check(JSON.parse(stdout).Services);
});

test('the SDK for JavaScript: graph, trace graph, series', async (t) => {
  let sdk;
  try {
    sdk = createRequire(join(root, 'tests/clients/node/package.json'))('@aws-sdk/client-xray');
  } catch {
    t.skip('no @aws-sdk/client-xray: tools/node-packages.sh tests/clients/node');
    return;
  }
  const client = new sdk.XRayClient({ endpoint: skep.url, region: 'eu-central-1', credentials: { accessKeyId: 'a', secretAccessKey: 'b' } });
  const times = { StartTime: new Date(range.StartTime * 1000), EndTime: new Date(range.EndTime * 1000) };
  const graph = await client.send(new sdk.GetServiceGraphCommand(times));
  assert.ok(graph.StartTime instanceof Date && graph.Services[0].StartTime instanceof Date);
  check(graph.Services);
  check((await client.send(new sdk.GetTraceGraphCommand({ TraceIds: ids }))).Services);
  const series = await client.send(new sdk.GetTimeSeriesServiceStatisticsCommand({ ...times, Period: 300 }));
  assert.ok(series.TimeSeriesServiceStatistics.every((s) => s.Timestamp instanceof Date));
  client.destroy();
});
