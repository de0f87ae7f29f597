// SPDX-License-Identifier: Apache-2.0
// What Cruddur tells skep, by each of its ways: spans, X-Ray segments, and that it serves on while skep is away.
import assert from 'node:assert/strict';
import { createServer, request } from 'node:http';
import { after, before, test } from 'node:test';
import { Cruddur } from './cruddur.mjs';
import { freePort, hex, Skep, until } from './support.mjs';

let skep, cruddur, daemon;
before(async () => {
  daemon = `127.0.0.1:${await freePort()}`;
  skep = await Skep.start({ args: ['--xray', daemon] });
  cruddur = await Cruddur.start({ args: ['--trouble'], env: {
    OTEL_EXPORTER_OTLP_ENDPOINT: skep.url, OTEL_BSP_SCHEDULE_DELAY: '50',
    AWS_XRAY_DAEMON_ADDRESS: daemon, AWS_XRAY_URL: '*4567-*',
    ROLLBAR_ACCESS_TOKEN: 'any-token', ROLLBAR_ENDPOINT: `${skep.url}/api/1/`,
    AWS_ENDPOINT_URL_CLOUDWATCH_LOGS: skep.url, AWS_DEFAULT_REGION: 'ca-central-1', AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE', AWS_SECRET_ACCESS_KEY: 'secret',
  } });
});
after(async () => {
  await cruddur?.done();
  await skep?.done();
});

// The spans of a trace once there are n: columns as the server gives them, and each one's fields. (Lines and
// exceptions of the trace are rows of it, too.)
async function traced(id, n) {
  const whole = await until(`${n} spans of ${id}`, async () => {
    const r = await skep.call('GET', `/skep/v1/trace/${id}`);
    const t = r.status === 200 && await r.json();
    return t && t.rows.kind.filter((k) => k === 'span').length >= n && t;
  });
  const spans = whole.rows.kind.flatMap((kind, i) => (kind === 'span' ? [i] : []));
  const trace = { services: whole.services, rows: Object.fromEntries(Object.entries(whole.rows).map(([name, values]) => [name, spans.map((i) => values[i])])) };
  trace.rows.parent = trace.rows.parent.map((p) => spans.indexOf(p));
  const rows = [];
  for (const rowId of trace.rows.id) {
    const { fields } = await skep.json('GET', `/skep/v1/row/${rowId}`);
    rows.push(Object.fromEntries(fields.map((f) => [f.name, f.value?.int !== undefined ? Number(f.value.int) : f.value])));
  }
  return { trace, rows };
}

// A request that begins a trace of this test's own.
async function call(method, path, { body, baggage, headers = {} } = {}) {
  const id = hex(32);
  const r = await cruddur.call(method, path, { body, headers: { traceparent: `00-${id}-${hex(16)}-01`, ...(baggage ? { baggage } : {}), ...headers } });
  return { id, status: r.status, text: await r.text(), headers: r.headers };
}

test('home: server span, the course\'s span with UserId, SQL statements', async () => {
  const { id, headers } = await call('GET', '/api/activities/home?x=1', { baggage: 'user.handle=worf,app.client=ios,app.version=1.4.2', headers: { 'user-agent': 'visitor/1' } });
  assert.match(headers.get('x-amzn-trace-id'), /^Root=1-/);
  const { trace, rows: [server, home, posts, replies] } = await traced(id, 4);
  assert.deepEqual(trace.services, ['backend-flask']);
  assert.deepEqual(trace.rows.name, ['GET /api/activities/home', 'home-activities-mock-data', 'SELECT activities', 'SELECT activities']);
  assert.deepEqual(trace.rows.parent.slice(1), [0, 1, 1]);
  assert.deepEqual([server['http.request.method'], server['http.route'], server['url.path'], server['url.query'], server['http.response.status_code'], server['user_agent.original']],
    ['GET', '/api/activities/home', '/api/activities/home', 'x=1', 200, 'visitor/1']);
  assert.deepEqual([server['app.client'], server['app.version']], ['ios', '1.4.2']);
  assert.deepEqual([home['app.result_length'], home.UserId], [3, 'Worf']);
  assert.match(home['app.now'], /^\d{4}-\d\d-\d\dT[\d:.]+\+00:00$/);
  assert.match(posts['db.query.text'], /^SELECT a\.uuid.*LIMIT \?6$/);
  assert.deepEqual([posts['db.system.name'], server['client.address'], replies['db.query.summary']], ['sqlite', '127.0.0.1', 'SELECT activities']);
});

test('homework: a user at random for whoever does not say; latency by UserId', async () => {
  const seen = new Set();
  for (let i = 0; seen.size < 4 && i < 400; i += 8) {
    const ids = await Promise.all(Array.from({ length: 8 }, () => call('GET', '/api/activities/home').then((r) => r.id)));
    await traced(ids[7], 4);
    const { groups } = await skep.query({ time_range: 600, calculations: [{ op: 'HEATMAP', column: 'duration_ms' }, { op: 'COUNT' }], breakdowns: ['UserId'], filters: [{ column: 'name', op: '=', value: 'home-activities-mock-data' }] });
    for (const g of groups) seen.add(g.key[0]);
  }
  assert.deepEqual([...seen].sort(), ['Andrew Brown', 'Cocomelon', 'Garek', 'Worf']);
});

test('homework: a new post takes 50 to 500 ms, and says whose it is', async () => {
  const { id, status } = await call('POST', '/api/activities', { body: { message: 'traced', ttl: '1-day' }, baggage: 'user.handle=garek' });
  assert.equal(status, 200);
  const { trace, rows } = await traced(id, 3);
  assert.deepEqual(trace.rows.name, ['POST /api/activities', 'create-activity', 'INSERT activities']);
  assert.equal(rows[1]['app.user_handle'], 'garek');
  assert.ok(Number(trace.rows.duration_ns[1]) >= 50e6);
  assert.match(rows[2]['db.query.text'], /^INSERT INTO activities/);
  assert.doesNotMatch(JSON.stringify(rows), /"traced"/); // what people write stays in the database
});

test('homework: notifications count', async () => {
  const { id } = await call('GET', '/api/activities/notifications');
  const { rows } = await traced(id, 4);
  assert.deepEqual([rows[1].name, rows[1].notificationcount], ['notification-activities-mock-data', 1]);
});

test('bootcamp: a health check is two spans, named and attributed as in the course', async () => {
  const course = await Cruddur.start({ args: ['--bootcamp'], env: { OTEL_EXPORTER_OTLP_ENDPOINT: skep.url, OTEL_BSP_SCHEDULE_DELAY: '50', OTEL_SERVICE_NAME: 'Cruddur' } });
  try {
    const id = hex(32);
    const r = await course.call('GET', '/api/activities/home', { headers: { traceparent: `00-${id}-${hex(16)}-03`, baggage: 'user.handle=worf', 'user-agent': 'curl/8' } });
    assert.equal(r.status, 200);
    assert.equal(await course.stop(), 0); // all is sent by then
    const { trace, rows: [, home] } = await traced(id, 2);
    assert.deepEqual([trace.services, trace.rows.name, trace.rows.parent[1]], [['Cruddur'], ['GET /api/activities/home', 'home-activites-mock-data'], 0]);
    assert.deepEqual([home['app.result_length'], 'UserId' in home, typeof home['app.now']], [3, false, 'string']);
  } finally {
    await course.done();
  }
});

test('trouble on demand: slow is one query a post, error an exception', async () => {
  const slow = await call('GET', '/api/activities/home', { baggage: 'cruddur.trouble=slow' });
  const { trace } = await traced(slow.id, 7);
  assert.equal(trace.rows.name.filter((n) => n === 'SELECT activities').length, trace.rows.name.length - 2);
  assert.ok(Number(trace.rows.duration_ns[0]) >= 60e6);
  const failed = await call('GET', '/api/activities/home', { baggage: 'cruddur.trouble=error' });
  assert.equal(failed.status, 500);
  const { rows: [server], trace: t } = await traced(failed.id, 1);
  assert.deepEqual([t.rows.error[0], server['http.response.status_code']], [true, 500]);
});

// --- X-Ray ----------------------------------------------------------------------------------------

// fetch does not let a program choose the Host.
const ask = (path, headers) => new Promise((resolve, reject) => {
  const req = request(cruddur.url + path, { headers: { 'x-amzn-trace-id': 'Sampled=?', ...headers } }, (res) => {
    res.resume().on('end', () => resolve({ status: res.statusCode, header: res.headers['x-amzn-trace-id'], trace: /Root=([^;]+)/.exec(res.headers['x-amzn-trace-id'])[1], sampled: /Sampled=1/.test(res.headers['x-amzn-trace-id']) }));
  });
  req.on('error', reject).end();
});
const flat = (doc) => [doc, ...(doc.subsegments ?? []).flatMap(flat)];
const documents = (id, probe) => until(`the segments of ${id}`, async () => {
  const { Traces } = await skep.json('POST', '/Traces', { TraceIds: [id] });
  const list = (Traces[0]?.Segments ?? []).map((s) => JSON.parse(s.Document)).flatMap(flat);
  return probe(list) && list;
});
const named = (list, name) => list.find((d) => d.name === name);
const SAMPLED = (root) => `Root=${root};Parent=53995c3f42cd8ad8;Sampled=1`;
const newRoot = () => `1-${Math.floor(Date.now() / 1000).toString(16).padStart(8, '0')}-${hex(24)}`;

test('X-Ray: a profile is a segment with the course\'s subsegments, annotation and metadata', async () => {
  const root = newRoot();
  const { status, header } = await ask('/api/activities/@worf', { 'x-amzn-trace-id': SAMPLED(root), 'user-agent': 'visitor/2' });
  assert.equal(status, 200);
  assert.equal(header, `Root=${root}`);
  const list = await documents(root, (l) => named(l, 'backend-flask') && named(l, 'user_activities_nested_subsegment') && named(l, 'mock-data') && named(l, 'activities_users'));
  const segment = named(list, 'backend-flask');
  assert.equal(segment.parent_id, '53995c3f42cd8ad8');
  assert.deepEqual([segment.http.request.method, segment.http.request.user_agent, segment.http.response.status], ['GET', 'visitor/2', 200]);
  assert.match(segment.http.request.url, /^http:\/\/127\.0\.0\.1:\d+\/api\/activities\/@worf$/);
  assert.equal(named(list, 'mock-data').metadata.namespace.key['results-size'], 1);
  assert.deepEqual(named(list, 'user_activities_nested_subsegment').annotations, { url: '/api/activities/@worf', user_handle: 'worf' });
  const now = Math.floor(Date.now() / 1000);
  const { TraceSummaries } = await skep.json('POST', '/TraceSummaries', { StartTime: now - 600, EndTime: now + 60, FilterExpression: 'service("backend-flask") AND annotation.user_handle = "worf"' });
  assert.deepEqual(TraceSummaries.map((s) => s.Id), [root]);
});

test('X-Ray: Create Activity, an error, a fault with its exception, dynamic naming', async () => {
  const create = newRoot();
  await cruddur.json('POST', '/api/activities', { body: { message: 'x', ttl: '1-day' }, headers: { 'x-amzn-trace-id': SAMPLED(create) } });
  const c = named(await documents(create, (l) => named(l, 'Create Activity')), 'Create Activity');
  assert.deepEqual(c.annotations, { user_handle: 'andrewbrown' });
  assert.deepEqual(c.metadata.activity_attributes, { metadata: { created_by: 'andrewbrown', display_name: 'Andrew Brown' } });
  const missing = newRoot();
  await ask('/api/nowhere', { 'x-amzn-trace-id': SAMPLED(missing) });
  assert.equal((await documents(missing, (l) => l.length > 0))[0].error, true);
  const fault = newRoot();
  await ask('/api/activities/@worf', { 'x-amzn-trace-id': SAMPLED(fault), baggage: 'cruddur.trouble=error' });
  const [segment] = (await documents(fault, (l) => named(l, 'backend-flask'))).filter((d) => d.name === 'backend-flask');
  assert.equal(segment.fault, true);
  const [exception] = segment.cause.exceptions;
  assert.deepEqual([exception.type, exception.stack[0].path, exception.stack[0].label], ['TroubleError', 'src/server.c', 'run_view']);
  const host = newRoot();
  await ask('/api/activities/home', { 'x-amzn-trace-id': SAMPLED(host), host: '4567-bootcamp.example.org' });
  await documents(host, (l) => named(l, '4567-bootcamp.example.org'));
});

test('a failure is one occurrence of one item, told of by spans, Rollbar and X-Ray', async () => {
  const c = await Cruddur.start({ args: ['--trouble'], env: {
    OTEL_EXPORTER_OTLP_ENDPOINT: skep.url, OTEL_BSP_SCHEDULE_DELAY: '50', OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=told-once',
    AWS_XRAY_DAEMON_ADDRESS: daemon, ROLLBAR_ACCESS_TOKEN: 'any-token', ROLLBAR_ENDPOINT: `${skep.url}/api/1/`,
  } });
  try {
    for (let i = 0; i < 4; i++) {
      const r = await c.call('GET', '/api/activities/@worf', { headers: { 'x-amzn-trace-id': SAMPLED(newRoot()), baggage: 'cruddur.trouble=error' } });
      assert.equal(r.status, 500);
    }
    const told = () => skep.json('GET', '/skep/v1/items?stage=told-once').then((a) => a.items.map((i) => [i.title.split(':')[0], i.culprit, i.total, i.range.count, i.range.twins]));
    let seen;
    await until('three reports of each', async () => (seen = await told()).reduce((n, [, , count, , twins]) => n + count + twins, 0) >= 12);
    assert.deepEqual(seen, [['TroubleError', 'src/server.c in run_view', 4, 4, 8]]);
  } finally {
    await c.done();
  }
});

test('X-Ray: the server\'s sampling rules decide; a caller who asks is told', async () => {
  const rule = (RuleName, Priority, FixedRate, URLPath) => skep.json('POST', '/CreateSamplingRule', { SamplingRule: { RuleName, ResourceARN: '*', Priority, FixedRate, ReservoirSize: 0,
    ServiceName: 'backend-flask', ServiceType: '*', Host: '*', HTTPMethod: 'GET', URLPath, Version: 1 } });
  await rule('none', 1, 0, '/api/message_*');
  await rule('all', 2, 1, '/api/activities/search');
  const picky = await Cruddur.start({ env: { OTEL_SDK_DISABLED: 'true', AWS_XRAY_DAEMON_ADDRESS: daemon } });
  try {
    const told = async (path) => (await picky.call('GET', path, { headers: { 'x-amzn-trace-id': 'Sampled=?' } })).headers.get('x-amzn-trace-id');
    // Until the rules are there one request a second is taken.
    await until('the rules', async () => { for (let i = 0; i < 20; i++) if (!/;Sampled=1$/.test(await told('/api/activities/search'))) return false; return true; });
    for (let i = 0; i < 20; i++) assert.match(await told('/api/message_groups'), /;Sampled=0$/);
    const [, taken] = /Root=([^;]+)/.exec(await told('/api/activities/search'));
    const segment = named(await documents(taken, (l) => named(l, 'backend-flask')), 'backend-flask');
    assert.deepEqual([segment.aws.xray.sampling_rule_name, segment.metadata.default['aws.xray.sampling_rule']], ['all', undefined]);
    assert.equal(await (await picky.call('GET', '/api/message_groups', { headers: { 'x-amzn-trace-id': 'Sampled=1' } })).status, 200);
  } finally {
    await picky.done();
  }
});

// --- out of the program ---------------------------------------------------------------------------

test('a new post is announced: both traces go on to whoever is told; one that is away harms nothing', async () => {
  const heard = [];
  const server = createServer((req, res) => {
    let body = '';
    req.on('data', (d) => { body += d; });
    req.on('end', () => { heard.push({ headers: req.headers, body: JSON.parse(body) }); res.writeHead(204).end(); });
  });
  await new Promise((r) => server.listen(0, '127.0.0.1', r));
  const c = await Cruddur.start({ env: { OTEL_EXPORTER_OTLP_ENDPOINT: skep.url, OTEL_BSP_SCHEDULE_DELAY: '50', AWS_XRAY_DAEMON_ADDRESS: daemon, CRUDDUR_ANNOUNCE_URL: `http://127.0.0.1:${server.address().port}/posts` } });
  try {
    const id = hex(32), root = newRoot();
    const post = () => c.json('POST', '/api/activities', { body: { message: 'heard?', ttl: '1-day' }, headers: { traceparent: `00-${id}-${hex(16)}-01`, 'x-amzn-trace-id': SAMPLED(root) } });
    const posted = await post();
    assert.deepEqual(heard[0].body, posted);
    const { trace, rows } = await traced(id, 4);
    const client = trace.rows.name.indexOf('POST');
    assert.deepEqual([trace.rows.span_kind[client], rows[client]['http.response.status_code'], rows[client]['url.full']], ['client', 204, `http://127.0.0.1:${server.address().port}/posts`]);
    assert.equal(heard[0].headers.traceparent, `00-${id}-${trace.rows.span_id[client]}-01`);
    const list = await documents(root, (l) => named(l, 'announcements'));
    const remote = named(list, 'announcements');
    assert.deepEqual([remote.namespace, remote.http.response.status], ['remote', 204]);
    assert.equal(heard[0].headers['x-amzn-trace-id'], `Root=${root};Parent=${remote.id};Sampled=1`);
    server.closeAllConnections();
    await new Promise((r) => server.close(r));
    assert.equal((await post()).message, 'heard?');
    await until('the line', () => c.log.includes('not announced: '));
  } finally {
    server.close();
    await c.done();
  }
});

// --- Rollbar, CloudWatch Logs ---------------------------------------------------------------------

const logs = (operation, body) => skep.json('POST', '/', body, { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': `Logs_20140328.${operation}` });

test('CloudWatch Logs: the lines of group cruddur, with their traces', async () => {
  const { id } = await call('GET', '/api/activities/home?from=logs');
  const lines = await until('the lines of the request', async () => {
    const { events } = await logs('FilterLogEvents', { logGroupName: 'cruddur' });
    const of = events.map((e) => JSON.parse(e.message)).filter((m) => m.trace_id === id);
    return of.length >= 2 && of;
  });
  assert.equal(lines[0].body, 'Hello Cloudwatch! from  /api/activities/home');
  assert.match(lines[1].body, /^\[\d{4}-[A-Z][a-z]{2}-\d\d \d\d:\d\d\] 127\.0\.0\.1 GET http \/api\/activities\/home\?from=logs 200 OK$/);
  assert.equal(lines[1].severity_text ?? lines[1].severity_number, lines[1].severity_text ? 'ERROR' : 17);
});

test('Rollbar: a message; a failure with its request, person and place, which leads to its trace and line', async () => {
  await call('GET', '/rollbar/test');
  await call('POST', '/api/activities', { body: { message: '', ttl: '1-day' } });
  const failed = await call('GET', '/api/activities/@worf?token=secret', { baggage: 'user.handle=worf,cruddur.trouble=error' });
  assert.equal(failed.status, 500);
  const items = await until('three items', async () => {
    const { result } = await skep.json('GET', '/api/1/items');
    return ['Hello World!', 'message_blank', 'TroubleError'].every((t) => result.items.some((i) => i.title.includes(t))) && result.items;
  });
  const titled = (t) => items.find((i) => i.title.includes(t));
  assert.equal(titled('Hello World!').level, 'warning');
  assert.equal(titled('TroubleError').level, 'error');
  const instance = await until('the occurrence Rollbar\'s wire brought', async () => {
    const { result } = await skep.json('GET', '/api/1/instances');
    return result.instances.find((i) => i.data.person?.username === 'Worf' && JSON.stringify(i).includes(failed.id));
  });
  const text = JSON.stringify(instance.data);
  assert.match(text, /"url":"http:\/\/127\.0\.0\.1:\d+\/api\/activities\/@worf"/);
  assert.match(text, /"username":"Worf"/);
  assert.match(text, /server\.c/);
  assert.doesNotMatch(text, /secret/);
  await until('the line', async () => {
    const { events } = await logs('FilterLogEvents', { logGroupName: 'cruddur', filterPattern: '"Exception on"' });
    return events.some((e) => JSON.parse(e.message).trace_id === failed.id && JSON.parse(e.message).body === 'Exception on /api/activities/@worf [GET]\nTroubleError: this request was to fail');
  });
});

// --- skep is away ---------------------------------------------------------------------------------

test('skep is away at start and half-way: served on, said once, delivered when it is back', async () => {
  const port = await freePort();
  const c = await Cruddur.start({ env: { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`, OTEL_BSP_SCHEDULE_DELAY: '50', AWS_XRAY_DAEMON_ADDRESS: '127.0.0.1:9' } });
  const ids = [];
  const get = async () => {
    ids.push(hex(32));
    const r = await c.call('GET', '/api/activities/home', { headers: { traceparent: `00-${ids.at(-1)}-${hex(16)}-01` } });
    assert.equal(r.status, 200);
  };
  const complaints = () => c.log.split('\n').filter((l) => l.includes('telemetry is not delivered')).length;
  let late;
  try {
    for (let i = 0; i < 5; i++) await get();
    await until('a complaint', () => complaints() === 1);
    for (let i = 0; i < 5; i++) await get();
    late = await Skep.start({ args: ['--listen', `127.0.0.1:${port}`] });
    const arrived = async (all) => (await Promise.all(all.map(async (id) => (await fetch(`http://127.0.0.1:${port}/skep/v1/trace/${id}`)).status))).every((s) => s === 200);
    await until('what the buffers held', () => arrived(ids));
    assert.equal(complaints(), 1);
    await late.kill();
    for (let i = 0; i < 5; i++) await get();
    await until('another complaint', () => complaints() === 2);
    const again = await Skep.start({ dir: late.dir, args: ['--listen', `127.0.0.1:${port}`] });
    try {
      await until('the rest', () => arrived(ids));
    } finally {
      await again.done();
    }
    assert.equal(complaints(), 2);
  } finally {
    await late?.done();
    await c.done();
  }
});
