// SPDX-License-Identifier: Apache-2.0
// Two programs of the bootcamp's kind, Flask with the X-Ray SDK for Python: their requests as traces,
// summaries, a group's service graph and typed fields; rules fetched through the daemon's TCP port.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Skep, freePort, root, until } from './support.mjs';

const nodeClients = createRequire(join(root, 'tests', 'clients', 'node', 'package.json'));

// Debian's python3 first; another may have the SDK, too.
const python = ['/usr/bin/python3', 'python3'].find((p) => {
  try {
    execFileSync(p, ['-c', 'import aws_xray_sdk.version as v, flask, requests; assert int(v.VERSION.split(".")[0]) >= 2'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
});
const skip = !python && 'no python3 has flask and aws_xray_sdk 2: tools/setup-debian.sh test';

async function program(env) {
  const child = spawn(python, [join(root, 'tests/clients/python/cruddur.py')], {
    env: { ...process.env, AWS_DEFAULT_REGION: 'eu-west-1', ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
  let errors = '';
  child.stderr.on('data', (d) => { errors += d; });
  const ended = once(child, 'exit').then(() => { throw new Error(`the program ended:\n${errors}`); });
  const [port] = await Promise.race([once(child.stdout, 'data'), ended]);
  ended.catch(() => {});
  return { child, port: Number(port.toString()), url: `http://127.0.0.1:${Number(port.toString())}` };
}

// With the question whether it was taken, as a load balancer asks it.
function ask({ port }, method, path, headers = {}) {
  return new Promise((resolve, reject) => {
    const req = request({ host: '127.0.0.1', port, method, path, headers: { 'x-amzn-trace-id': 'Sampled=?', ...headers } }, (res) => {
      res.resume().on('end', () => resolve({ status: res.statusCode, trace: /Root=([^;]+)/.exec(res.headers['x-amzn-trace-id'] ?? '')?.[1],
        sampled: /Sampled=1/.test(res.headers['x-amzn-trace-id']) }));
    });
    req.on('error', reject).end();
  });
}

let skep, backend, upstream, daemon;
before(async () => {
  if (skip) return;
  daemon = `127.0.0.1:${await freePort()}`;
  skep = await Skep.start({ args: ['--xray', daemon] });
  await skep.json('POST', '/CreateGroup', { GroupName: 'Cruddur', FilterExpression: 'service("backend-flask")' });
  await skep.json('POST', '/CreateSamplingRule', { SamplingRule: { RuleName: 'Cruddur', ResourceARN: '*', Priority: 9000, FixedRate: 1, ReservoirSize: 5,
    ServiceName: 'backend-flask', ServiceType: '*', Host: '*', HTTPMethod: '*', URLPath: '*', Version: 1 } });
  await skep.json('POST', '/CreateSamplingRule', { SamplingRule: { RuleName: 'quiet', ResourceARN: '*', Priority: 1, FixedRate: 0, ReservoirSize: 0,
    ServiceName: 'backend-flask', ServiceType: '*', Host: '*', HTTPMethod: 'GET', URLPath: '/api/notify', Version: 1 } });
  const env = { AWS_XRAY_DAEMON_ADDRESS: daemon };
  upstream = await program({ ...env, SERVICE: 'notifier' });
  backend = await program({ ...env, SERVICE: 'backend-flask', UPSTREAM: upstream.url, AWS_XRAY_URL: '*.cruddur.test*' });
  // Until the rules are there the SDK goes by its own, which take one a second and 5 %.
  await until('a segment taken by the rule', async () => {
    const { trace, sampled } = await ask(backend, 'GET', '/api/activities/home');
    return sampled && (await documents(trace, 1))[0].aws?.xray?.sampling_rule_name === 'Cruddur';
  });
});
after(async () => {
  for (const p of [backend, upstream]) p?.child.stdin.end();
  await skep?.done();
});

const documents = (id, n) => until(`${n} segments of ${id}`, async () => {
  const { Traces } = await skep.json('POST', '/Traces', { TraceIds: [id] });
  const list = (Traces[0]?.Segments ?? []).map((s) => JSON.parse(s.Document));
  return list.length >= n && list;
});
const range = () => ({ StartTime: Math.floor(Date.now() / 1000) - 600, EndTime: Math.ceil(Date.now() / 1000) + 60 });
const summaries = async (FilterExpression) => (await skep.json('POST', '/TraceSummaries', { ...range(), FilterExpression })).TraceSummaries;
const flat = (doc) => [doc, ...(doc.subsegments ?? []).flatMap(flat)];

test('one trace through four services: Node, C (waggle), Flask with the X-Ray SDK, and C again', { skip }, async () => {
  const hop = spawn(join(process.env.SKEP_BUILD_DIR || join(root, 'build', 'release'), 'sub', 'waggle', 'tests', 'waggle_e2e_hop'), [], {
    env: {
      PATH: process.env.PATH, OTEL_EXPORTER_OTLP_ENDPOINT: skep.url, OTEL_SERVICE_NAME: 'hop', OTEL_PROPAGATORS: 'tracecontext,baggage,xray',
      OTEL_BSP_SCHEDULE_DELAY: '100', OTEL_LOGS_EXPORTER: 'none', OTEL_METRICS_EXPORTER: 'none',
    }, stdio: ['pipe', 'pipe', 'inherit'],
  });
  let second, flask;
  try {
    const port = Number((await once(hop.stdout, 'data')).toString());
    // A Flask service whose upstream is the C service, and a C service whose next is that one.
    flask = await program({ AWS_XRAY_DAEMON_ADDRESS: daemon, SERVICE: 'flask-to-c', UPSTREAM: `http://127.0.0.1:${port}` });
    second = spawn(hop.spawnfile, [], { env: { PATH: process.env.PATH, OTEL_EXPORTER_OTLP_ENDPOINT: skep.url, OTEL_SERVICE_NAME: 'first-hop', OTEL_PROPAGATORS: 'tracecontext,baggage,xray',
      OTEL_BSP_SCHEDULE_DELAY: '100', OTEL_LOGS_EXPORTER: 'none', OTEL_METRICS_EXPORTER: 'none', NEXT_URL: `${flask.url}/api/activities` }, stdio: ['pipe', 'pipe', 'inherit'] });
    const first = Number((await once(second.stdout, 'data')).toString());
    // Node's side: OpenTelemetry's own propagator writes the header.
    const { W3CTraceContextPropagator } = nodeClients('@opentelemetry/core');
    const api = nodeClients('@opentelemetry/api');
    const traceId = Math.floor(Date.now() / 1000).toString(16) + randomBytes(12).toString('hex'); // as X-Ray wants them
    const headers = {};
    new W3CTraceContextPropagator().inject(api.trace.setSpanContext(api.ROOT_CONTEXT, { traceId, spanId: '00f067aa0ba902b7', traceFlags: 1 }), headers, api.defaultTextMapSetter);
    const { status } = await ask({ port: first }, 'GET', '/start', { ...headers, 'x-amzn-trace-id': '' });
    assert.equal(status, 201);
    const rows = await until('all spans of the trace', async () => {
      const r = await skep.call('GET', `/skep/v1/trace/${traceId}`);
      if (r.status !== 200) return false;
      const { rows: t } = await r.json();
      const list = t.id.map((_, k) => Object.fromEntries(Object.entries(t).map(([name, v]) => [name, v[k]])));
      return list.length >= 6 && list;
    });
    const path = [];
    for (let at = rows.find((x) => x.name === 'GET /{any}'); at; at = rows[at.parent]) path.push(at.name);
    assert.deepEqual(path, ['GET /{any}', '127.0.0.1', 'Create Activity', 'flask-to-c', 'POST', 'GET /start']);
    const top = await skep.json('GET', `/skep/v1/row/${rows.find((x) => x.name === 'GET /start').id}`);
    assert.equal(top.fields.find((f) => f.name === 'trace.parent_id').value, '00f067aa0ba902b7');
  } finally {
    for (const child of [hop, second, flask?.child]) child?.stdin.end();
  }
});

test('a created activity: subsegment, annotations, metadata, user, and the program it called', { skip }, async () => {
  const { status, trace } = await ask(backend, 'POST', '/api/activities');
  assert.equal(status, 201);
  const list = await documents(trace, 2);
  const segment = list.find((d) => d.name === 'backend-flask');
  const called = list.find((d) => d.name === 'notifier');
  const create = flat(segment).find((d) => d.name === 'Create Activity');
  assert.deepEqual([segment.user, segment.http.response.status, segment.http.request.method], ['andrewbrown', 201, 'POST']);
  assert.deepEqual(create.annotations, { handle: 'andrewbrown', length: 140, reply: false });
  assert.deepEqual(create.metadata.cruddur.activity, { message: 'Grüße', ttl: '7-days' });
  const call = flat(create).find((d) => d.namespace === 'remote');
  assert.equal(called.parent_id, call.id, 'the header carried the subsegment over');

  const [summary] = await summaries('annotation.handle = "andrewbrown" AND annotation.length > 100');
  assert.equal(summary.Id, trace);
  assert.deepEqual(summary.Annotations.length[0].AnnotationValue, { NumberValue: 140 });
  assert.deepEqual(summary.Annotations.reply[0].AnnotationValue, { BooleanValue: false });
  assert.deepEqual(summary.Users.map((u) => u.UserName), ['andrewbrown']);
  assert.deepEqual((await summaries('edge("backend-flask", "notifier")')).map((s) => s.Id), [trace]);

  const { groups } = await skep.query({ time_range: 600, calculations: [{ op: 'AVG', column: 'length' }], breakdowns: ['handle'], filters: [{ column: 'name', op: '=', value: 'Create Activity' }] });
  assert.deepEqual(groups.map((g) => [g.key[0], g.values[0]]), [['andrewbrown', 140]]);
});

test('home: the nested subsegments of the course', { skip }, async () => {
  const { trace } = await ask(backend, 'GET', '/api/activities/home');
  const [segment] = await documents(trace, 1);
  const home = segment.subsegments.find((d) => d.name === 'activities_home');
  const mock = home.subsegments.find((d) => d.name === 'mock-data');
  assert.equal(mock.metadata.namespace.key['results-size'], 3);
});

test('an exception is a fault with its frames; an unknown path an error', { skip }, async () => {
  const { status, trace } = await ask(backend, 'GET', '/api/fail');
  assert.equal(status, 500);
  const [segment] = await documents(trace, 1);
  assert.equal(segment.fault, true);
  const [summary] = await summaries('service("backend-flask") { fault }');
  assert.equal(summary.Id, trace);
  const exceptions = summary.FaultRootCauses.flatMap((c) => c.Services.flatMap((s) => s.EntityPath.flatMap((e) => e.Exceptions)));
  assert.ok(exceptions.some((e) => e.Name === 'ZeroDivisionError' && e.Message === 'division by zero'), JSON.stringify(exceptions));
  const { rows } = await skep.json('POST', '/skep/v1/rows', { time_range: 600, filters: [{ column: 'trace.trace_id', op: '=', value: trace.replace(/^1-|-/g, '') }], columns: ['name', 'exception.type', 'exception.stacktrace'], limit: 100 });
  assert.match(JSON.stringify(rows), /cruddur\.py/);

  const missing = await ask(backend, 'GET', '/api/nowhere');
  await documents(missing.trace, 1);
  assert.deepEqual((await summaries('service("backend-flask") { error }')).map((s) => s.Id), [missing.trace]);
});

test('dynamic naming: a host that matches names the segment, another does not', { skip }, async () => {
  const named = await ask(backend, 'GET', '/api/activities/home', { host: '4567-x.cruddur.test' });
  const fallback = await ask(backend, 'GET', '/api/activities/home', { host: 'elsewhere.test' });
  assert.equal((await documents(named.trace, 1))[0].name, '4567-x.cruddur.test');
  assert.equal((await documents(fallback.trace, 1))[0].name, 'backend-flask');
});

test('the group\'s service graph: client, backend and what it called', { skip }, async () => {
  const { trace } = await ask(backend, 'POST', '/api/activities');
  await documents(trace, 2);
  const { Services } = await skep.json('POST', '/ServiceGraph', { ...range(), GroupName: 'Cruddur' });
  const named = (name) => Services.find((s) => s.Name === name && s.Type !== 'client');
  assert.ok(Services.some((s) => s.Type === 'client'));
  const to = named('backend-flask').Edges.map((e) => Services.find((s) => s.ReferenceId === e.ReferenceId).Name);
  assert.deepEqual(to, ['notifier']);
  assert.ok(named('notifier').SummaryStatistics.OkCount >= 1);
  assert.equal(named('4567-x.cruddur.test'), undefined, 'not of the group');
});

test('the SDK obeys rules it fetched through the daemon\'s port, and reports of them', { skip, timeout: 300000 }, async () => {
  const { trace, sampled } = await ask(backend, 'GET', '/api/notify');
  assert.equal(sampled, false);
  await ask(backend, 'GET', '/api/activities/home').then((r) => documents(r.trace, 1)); // sent later, there: the other would be, too
  assert.deepEqual((await skep.json('POST', '/Traces', { TraceIds: [trace] })).Traces, []);
  const { SamplingStatisticSummaries } = await until('statistics of both rules', async () => {
    const r = await skep.json('POST', '/SamplingStatisticSummaries', {});
    return new Set(r.SamplingStatisticSummaries.filter((s) => s.RequestCount > 0).map((s) => s.RuleName)).size >= 2 && r;
  }, 40000);
  const quiet = SamplingStatisticSummaries.filter((s) => s.RuleName === 'quiet');
  assert.ok(quiet.every((s) => s.SampledCount + s.BorrowCount === 0 || s.BorrowCount <= 1), JSON.stringify(quiet));
});
