// SPDX-License-Identifier: Apache-2.0
// waggle's OTLP over gRPC: to skep, and to a server of @grpc/grpc-js that answers with each kind of status.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createServer } from 'node:http2';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { nowNs, root, Skep, until } from './support.mjs';
import { Authority } from './tls.mjs';

const run = promisify(execFile);
const require = createRequire(join(root, 'tests', 'clients', 'node', 'package.json'));
const grpc = require('@grpc/grpc-js');
const sender = join(process.env.SKEP_BUILD_DIR || join(root, 'build', 'release'), 'sub', 'waggle', 'tests', 'waggle_e2e_send');

async function send(endpoint, env = {}) {
  const { stdout, stderr } = await run(sender, [], {
    env: {
      PATH: process.env.PATH, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc', OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_SERVICE_NAME: 'waggle-e2e', OTEL_LOG_LEVEL: 'debug', OTEL_LOGS_EXPORTER: 'none', OTEL_C_NO_DROP_REPORT: 'true',
      BASE_NS: String(nowNs() - 60_000_000_000n), ...env,
    },
  }).catch((e) => e); // a shutdown that could not send says so by its exit code
  return { told: JSON.parse(stdout), stderr };
}

// A server whose n-th answer is what `answer(n)` says: a status, or the bytes of the message.
async function server(answer, credentials = grpc.ServerCredentials.createInsecure()) {
  const calls = [];
  const s = new grpc.Server();
  const bytes = { requestStream: false, responseStream: false, requestSerialize: (b) => b, requestDeserialize: (b) => b, responseSerialize: (b) => b, responseDeserialize: (b) => b };
  const export_ = (file, name) => [name, `/opentelemetry.proto.collector.${file}.v1.${name}Service/Export`];
  const strategy = ['Strategy', '/jaeger.api_v2.SamplingManager/GetSamplingStrategy'];
  for (const [name, path] of [export_('trace', 'Trace'), export_('logs', 'Logs'), export_('metrics', 'Metrics'), strategy]) {
    s.addService({ Export: { path, ...bytes } }, {
      Export: (call, done) => {
        calls.push({ name, at: Date.now(), metadata: call.metadata.getMap(), request: call.request, deadline: call.getDeadline() });
        const a = answer(calls.length - 1);
        if (Buffer.isBuffer(a)) done(null, a);
        else done(a);
      },
    });
  }
  const port = await new Promise((ok, no) => s.bindAsync('127.0.0.1:0', credentials, (e, p) => (e ? no(e) : ok(p))));
  return { calls, port, url: `http://127.0.0.1:${port}`, done: () => s.forceShutdown() };
}

const empty = Buffer.alloc(0);
const holds = (call, text) => call.request.includes(Buffer.from(text));

test('traces, logs and metrics arrive, each at its service, with the headers', async () => {
  const s = await server(() => empty);
  const { stderr } = await send(s.url, { OTEL_LOGS_EXPORTER: 'otlp', METRICS: '1', OTEL_EXPORTER_OTLP_HEADERS: 'x-key=secret', OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'x-only=traces' });
  s.done();
  assert.deepEqual(s.calls.map((c) => c.name).sort(), ['Logs', 'Metrics', 'Trace']);
  const of = (name) => s.calls.find((c) => c.name === name);
  assert.ok(holds(of('Trace'), 'root of all types') && holds(of('Logs'), 'order.odd') && holds(of('Metrics'), 'cpu.time'));
  assert.equal(of('Trace').metadata['x-key'], 'secret');
  assert.equal(of('Trace').metadata['x-only'], 'traces');
  assert.equal(of('Logs').metadata['x-only'], undefined);
  assert.match(of('Trace').metadata['user-agent'], /OTel-OTLP-Exporter-C\//);
  assert.ok(of('Trace').deadline > Date.now() - 300000, 'the time limit is told');
  assert.equal(stderr, '');
});

test('what the protocol lets be sent again is, with back-off; the rest is final', async () => {
  const busy = await server((n) => (n === 0 ? { code: grpc.status.UNAVAILABLE, details: 'starting' } : empty));
  const again = await send(busy.url, { FLUSH: '1' });
  busy.done();
  assert.equal(busy.calls.length, 2);
  assert.ok(busy.calls[0].request.equals(busy.calls[1].request), 'the same request');
  assert.doesNotMatch(again.stderr, /dropping/);
  const wrong = await server(() => ({ code: grpc.status.INVALID_ARGUMENT, details: 'no such thing' }));
  const { stderr } = await send(wrong.url);
  wrong.done();
  assert.equal(wrong.calls.length, 1);
  assert.match(stderr, /dropping 2 records: gRPC status 3 no such thing/);
});

test('RESOURCE_EXHAUSTED is sent again only when the receiver says when', async () => {
  const full = await server(() => ({ code: grpc.status.RESOURCE_EXHAUSTED, details: 'full' }));
  await send(full.url);
  full.done();
  assert.equal(full.calls.length, 1);
  // google.rpc.Status { 1: 8, 3: Any { RetryInfo { Duration { 2: 400 ms } } } }
  const message = (field, b) => Buffer.concat([Buffer.from([field << 3 | 2, b.length]), b]);
  const any = Buffer.concat([message(1, Buffer.from('type.googleapis.com/google.rpc.RetryInfo')), message(2, message(1, Buffer.from([0x10, 0x80, 0x88, 0xde, 0xbe, 0x01])))]);
  const metadata = new grpc.Metadata();
  metadata.set('grpc-status-details-bin', Buffer.concat([Buffer.from([8, 8]), message(3, any)]));
  const soon = await server((n) => (n === 0 ? { code: grpc.status.RESOURCE_EXHAUSTED, details: 'later', metadata } : empty));
  await send(soon.url, { FLUSH: '1' });
  soon.done();
  assert.equal(soon.calls.length, 2);
  assert.ok(soon.calls[1].at - soon.calls[0].at >= 390, 'not before it was said');
});

test('partial success is told', async () => {
  const s = await server(() => Buffer.from([0x0a, 0x08, 0x08, 0x01, 0x12, 0x04, ...Buffer.from('why?')]));
  const { stderr } = await send(s.url);
  s.done();
  assert.equal(s.calls.length, 1);
  assert.match(stderr, /the receiver rejected 1 of 2 records: why\?/);
});

test('gzip is of the message, in its frame', async () => {
  const calls = [];
  const s = createServer();
  s.on('stream', (stream, headers) => {
    const chunks = [];
    stream.on('data', (c) => chunks.push(c));
    stream.on('end', () => {
      calls.push({ headers, body: Buffer.concat(chunks) });
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(Buffer.alloc(5));
    });
  });
  await new Promise((r) => s.listen(0, '127.0.0.1', r));
  const { stderr } = await send(`http://127.0.0.1:${s.address().port}`, { OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip' });
  s.close();
  const [{ headers, body }] = calls;
  assert.equal(calls.length, 1);
  assert.deepEqual([headers['content-type'], headers.te, headers['grpc-encoding'], headers['content-encoding']], ['application/grpc', 'trailers', 'gzip', undefined]);
  assert.equal(body[0], 1, 'the frame says that it is compressed');
  assert.equal(body.readUInt32BE(1), body.length - 5);
  assert.ok(gunzipSync(body.subarray(5)).includes(Buffer.from('root of all types')));
  assert.equal(stderr, '');
});

test('over TLS, with an authority of the environment; without a scheme it is TLS, too', async (t) => {
  const authority = new Authority();
  t.after(() => authority.done());
  const { pem, keyPem } = authority.make('server', '/CN=localhost');
  const s = await server(() => empty, grpc.ServerCredentials.createSsl(null, [{ cert_chain: pem, private_key: keyPem }]));
  await send(`https://127.0.0.1:${s.port}`, { OTEL_EXPORTER_OTLP_CERTIFICATE: authority.path('ca.pem') });
  await send(`localhost:${s.port}`, { OTEL_EXPORTER_OTLP_CERTIFICATE: authority.path('ca.pem') });
  assert.equal(s.calls.length, 2);
  const { stderr } = await send(`https://127.0.0.1:${s.port}`, { OTEL_EXPORTER_OTLP_TIMEOUT: '300' }); // who is not known is not trusted
  s.done();
  assert.equal(s.calls.length, 2);
  assert.match(stderr, /dropping 2 records/);
  const plain = await server(() => empty);
  await send(`127.0.0.1:${plain.port}`, { OTEL_EXPORTER_OTLP_INSECURE: 'true' });
  plain.done();
  assert.equal(plain.calls.length, 1);
});

test("Jaeger's remote sampler asks for its service's strategy", async (t) => {
  const s = await server(() => Buffer.from([0x08, 0, 0x12, 9, 9, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f])); // a share of 1
  t.after(() => s.done());
  const call = await until('the question', async () => { // a program may end before its answer
    await send('http://127.0.0.1:1', { OTEL_EXPORTER_OTLP_TIMEOUT: '300', OTEL_TRACES_SAMPLER: 'jaeger_remote', OTEL_TRACES_SAMPLER_ARG: `endpoint=${s.url},initialSamplingRate=1` });
    return s.calls.find((c) => c.name === 'Strategy');
  });
  assert.deepEqual([...call.request], [0x0a, 10, ...Buffer.from('waggle-e2e')]);
});

test('to skep', async (t) => {
  const skep = await Skep.start();
  t.after(() => skep.done());
  const { told, stderr } = await send(`http://127.0.0.1:${skep.grpcPort}`, { OTEL_LOGS_EXPORTER: 'otlp', OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip' });
  const trace = await until('the trace', async () => {
    const r = await skep.call('GET', `/skep/v1/trace/${told.root.traceId}`);
    return r.status === 200 ? r.json() : null;
  });
  const at = trace.rows.span_id.indexOf(told.root.spanId);
  assert.equal(trace.rows.name[at], 'root of all types');
  assert.ok(trace.rows.span_id.includes(told.child.spanId));
  assert.equal(stderr, '');
});
