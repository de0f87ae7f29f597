// SPDX-License-Identifier: Apache-2.0
// TLS on every port, tried with the clients people have: curl, Node, the stock OpenTelemetry SDK over HTTP and
// gRPC, the terminal commands. Certificates change while the server runs; ingest wants a client certificate.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import http2 from 'node:http2';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { connect, createSecureContext } from 'node:tls';
import { promisify } from 'node:util';
import { binary, freePort, hex, nowNs, otlpTraces, root, Skep, until } from './support.mjs';
import { Authority, https } from './tls.mjs';

const run = promisify(execFile);
let authority, server, agent;
const started = [];

async function start(...args) {
  const skep = await Skep.start({
    args: ['--tls-cert', server.cert, '--tls-key', server.key, ...args],
    ready: async (s) => {
      const r = await https(s.port, '/skep/v1/status', { ca: authority.ca, cert: agent.pem, key: agent.keyPem });
      return r.status === 200 && !JSON.parse(r.text).recovering;
    },
  });
  started.push(skep);
  return skep;
}

let skep;
before(async () => {
  authority = new Authority();
  server = authority.make('server', '/CN=first');
  agent = authority.make('agent', '/O=Hive/CN=agent');
  skep = await start();
});
after(async () => {
  await Promise.all(started.map((s) => s.done()));
  authority?.done();
});

const trace = () => {
  const traceId = hex(32);
  return { traceId, body: JSON.stringify(otlpTraces('over-tls', [{ traceId, spanId: hex(16), startNs: nowNs() }])) };
};
const JSON_ = { 'content-type': 'application/json' };
const call = (path, options = {}) => https(skep.port, path, { ca: authority.ca, ...options });

test('the page, its API and ingest over HTTP/1.1; the page says HSTS and its policy', async () => {
  const page = await call('/');
  assert.equal(page.status, 200);
  assert.match(page.headers['content-type'], /text\/html/);
  assert.equal(page.headers['strict-transport-security'], 'max-age=86400');
  assert.match(page.headers['content-security-policy'], /script-src 'self'(;|$)/);
  const { traceId, body } = trace();
  assert.equal((await call('/v1/traces', { method: 'POST', headers: JSON_, body })).status, 200);
  const got = JSON.parse((await call(`/skep/v1/trace/${traceId}`)).text);
  assert.equal(got.rows.id.length, 1);
});

test('curl: both protocols, every port, TLS 1.2 and 1.3 but not 1.1', async () => {
  const ca = authority.path('ca.pem');
  for (const port of [skep.port, skep.grpcPort]) {
    for (const [flag, version] of [['--http1.1', '1.1'], ['--http2', '2']]) {
      const { stdout } = await run('curl', ['-sS', flag, '--cacert', ca, '-o', '/dev/null', '-w', '%{http_code} %{http_version}', `https://localhost:${port}/skep/v1/status`]);
      assert.equal(stdout, `200 ${version}`);
    }
  }
  for (const [version, ok] of [['1.2', true], ['1.3', true], ['1.1', false]]) {
    const args = ['-sS', '--cacert', ca, '--ciphers', 'DEFAULT:@SECLEVEL=0', `--tlsv${version}`, '--tls-max', version, '-o', '/dev/null', `https://localhost:${skep.port}/`];
    const done = await run('curl', args).then(() => true, () => false);
    assert.equal(done, ok, version);
  }
});

test('a large body and a stream come whole over HTTP/1.1 and HTTP/2', async () => {
  const traceId = hex(32);
  const spans = Array.from({ length: 12000 }, () => ({ traceId, spanId: hex(16), startNs: nowNs(), attributes: { filler: hex(200) } }));
  const body = Buffer.from(JSON.stringify(otlpTraces('large', spans)));
  assert.ok(body.length > 4 << 20);
  assert.equal((await call('/v1/traces', { method: 'POST', headers: JSON_, body })).status, 200);
  const session = http2.connect(`https://localhost:${skep.port}`, { ca: authority.ca });
  const stream = session.request({ ':method': 'POST', ':path': '/v1/traces', ...JSON_ });
  stream.end(body);
  const status = await new Promise((resolve, reject) => { stream.on('response', (h) => resolve(h[':status'])); stream.on('error', reject); });
  assert.equal(status, 200);
  session.close();
  const { stdout } = await run('curl', ['-sS', '--http2', '--cacert', authority.path('ca.pem'), `https://localhost:${skep.port}/skep/v1/trace/${traceId}`], { maxBuffer: 1 << 28 });
  assert.ok(JSON.parse(stdout).rows.id.length >= 10000); // as many as the answer may hold
});

test('the stock SDK sends over https, by HTTP and by gRPC', async () => {
  for (const protocol of ['http/protobuf', 'grpc']) {
    const { stdout } = await run(process.execPath, [join(root, 'tests', 'clients', 'node', 'sdk-send.cjs')], {
      env: { ...process.env, OTEL_EXPORTER_OTLP_PROTOCOL: protocol, OTEL_EXPORTER_OTLP_ENDPOINT: `https://localhost:${protocol === 'grpc' ? skep.grpcPort : skep.port}`,
        OTEL_EXPORTER_OTLP_CERTIFICATE: authority.path('ca.pem'), NODE_EXTRA_CA_CERTS: authority.path('ca.pem'),
        OTEL_TRACES_EXPORTER: 'otlp', OTEL_LOGS_EXPORTER: 'otlp', OTEL_METRICS_EXPORTER: 'none' },
    });
    const told = JSON.parse(stdout);
    await until(`the trace sent by ${protocol}`, async () => {
      const r = await call(`/skep/v1/trace/${told.traceId}`);
      return r.status === 200 && JSON.parse(r.text).rows.id.length >= 5;
    });
  }
});

test('the terminal commands: --ca, SKEP_CA, and a refusal that says why', async () => {
  const url = `https://localhost:${skep.port}`;
  const { stdout } = await run(binary, ['query', '--server', url, '--ca', authority.path('ca.pem')]);
  assert.match(stdout, /COUNT/);
  await run(binary, ['query'], { env: { ...process.env, SKEP_URL: url, SKEP_CA: authority.path('ca.pem') } });
  await assert.rejects(run(binary, ['query', '--server', url]), /certificate/);
});

test('without TLS: words instead of silence; --tls allow takes both', async () => {
  const plain = await fetch(skep.url + '/');
  assert.equal(plain.status, 400);
  assert.match(await plain.text(), /https:\/\//);
  const both = await start('--tls', 'allow');
  assert.equal((await fetch(both.url + '/skep/v1/status')).status, 200);
  const page = await https(both.port, '/', { ca: authority.ca });
  assert.equal(page.status, 200);
  assert.equal(page.headers['strict-transport-security'], undefined); // plain is served, too
});

test('the X-Ray daemon\'s port takes the SDKs\' calls without TLS and nothing else, or asks for TLS', async () => {
  const xray = async (...more) => {
    const port = await freePort();
    return { port, skep: await start('--xray', `127.0.0.1:${port}`, ...more) };
  };
  const call = (port, path, body) => fetch(`http://127.0.0.1:${port}${path}`, { method: body === undefined ? 'GET' : 'POST', body, headers: { 'content-type': 'application/json' } });
  const { port, skep: s } = await xray();
  const rules = await call(port, '/GetSamplingRules', '{}');
  assert.equal(rules.status, 200);
  assert.ok((await rules.json()).SamplingRuleRecords.length > 0);
  for (const [path, body] of [['/'], ['/skep/v1/status'], ['/skep/v1/query', '{}'], ['/v1/traces', '{}'], ['/TraceSummaries', '{}'], ['/1/auth']]) {
    const r = await call(port, path, body);
    assert.equal(r.status, 403, path);
    assert.match(await r.text(), /without TLS/, path);
  }
  const secure = await https(port, '/GetSamplingRules', { ca: authority.ca, method: 'POST', body: '{}' });
  assert.equal(secure.status, 200);
  assert.equal((await https(port, '/skep/v1/status', { ca: authority.ca })).status, 200);
  assert.equal((await fetch(s.url + '/GetSamplingRules', { method: 'POST', body: '{}' })).status, 400, 'not on the other ports');
  const strict = await xray('--xray-tls', 'require');
  assert.equal((await call(strict.port, '/GetSamplingRules', '{}')).status, 400);
  const both = await xray('--tls', 'allow');
  assert.equal((await call(both.port, '/skep/v1/status')).status, 200);
});

test('sessions are resumed', async () => {
  const open = (session) => new Promise((resolve, reject) => {
    let reused, ticket;
    const s = connect({ host: 'localhost', port: skep.port, ca: authority.ca, session, servername: 'localhost' }, () => {
      reused = s.isSessionReused();
      s.write('GET /skep/v1/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    });
    s.on('session', (t) => { ticket = t; });
    s.on('data', () => {});
    s.on('error', reject);
    s.on('close', () => resolve({ ticket, reused }));
  });
  const first = await open();
  assert.equal(first.reused, false);
  assert.equal((await open(first.ticket)).reused, true);
});

test('a new certificate without a restart, by itself and by SIGHUP; a bad pair is refused', async () => {
  const shown = async () => (await call('/skep/v1/status')).subject;
  const held = http2.connect(`https://localhost:${skep.port}`, { ca: authority.ca });
  await new Promise((resolve, reject) => { held.on('connect', resolve); held.on('error', reject); });
  assert.equal(await shown(), 'first');
  authority.make('server', '/CN=second');
  await until('the new certificate', async () => (await shown()) === 'second');
  authority.make('server', '/CN=third');
  skep.child.kill('SIGHUP');
  await until('the certificate after SIGHUP', async () => (await shown()) === 'third');
  writeFileSync(server.key, '-----BEGIN PRIVATE KEY-----\nrubbish\n-----END PRIVATE KEY-----\n');
  skep.child.kill('SIGHUP');
  await until('the warning', () => skep.log.includes('the new certificate cannot be used'));
  assert.equal(await shown(), 'third');
  const stream = held.request({ ':path': '/skep/v1/status' }); // a connection from before
  assert.equal(await new Promise((resolve, reject) => { stream.on('response', (h) => resolve(h[':status'])); stream.on('error', reject); }), 200);
  held.close();
  authority.make('server', '/CN=first');
});

test('ingest wants a client certificate: 403 in the form of each API without', async () => {
  const mine = { ca: authority.ca, cert: agent.pem, key: agent.keyPem };
  const guarded = await start('--tls-client-ca', authority.path('ca.pem'));
  const post = (path, extra = {}, headers = JSON_) => https(guarded.port, path, { ca: authority.ca, method: 'POST', headers, body: trace().body, ...extra });
  const refused = await post('/v1/traces');
  assert.equal(refused.status, 403);
  assert.equal(JSON.parse(refused.text).code, 7); // google.rpc.Status
  assert.equal((await post('/v1/traces', { ...mine })).status, 200);
  assert.equal((await https(guarded.port, '/', { ca: authority.ca })).status, 200); // the page needs none
  const grpc = async (options) => {
    const session = http2.connect(`https://localhost:${guarded.grpcPort}`, options);
    const stream = session.request({ ':method': 'POST', ':path': '/opentelemetry.proto.collector.trace.v1.TraceService/Export', 'content-type': 'application/grpc', te: 'trailers' });
    let status;
    stream.on('response', (h) => { status ??= h['grpc-status']; });
    stream.on('trailers', (h) => { status ??= h['grpc-status']; });
    stream.on('data', () => {});
    stream.end(Buffer.alloc(5)); // an empty message
    await new Promise((resolve, reject) => { stream.on('close', resolve); stream.on('error', reject); });
    session.close();
    return Number(status);
  };
  assert.equal(await grpc({ ca: authority.ca }), 7);
  assert.equal(await grpc(mine), 0);
  const stranger = new Authority();
  const theirs = stranger.make('agent', '/O=Hive/CN=agent');
  assert.equal((await post('/v1/traces', { cert: theirs.pem, key: theirs.keyPem })).status, 403);
  stranger.done();
  const all = await start('--tls-client-ca', authority.path('ca.pem'), '--tls-client-cert', 'all');
  assert.equal((await https(all.port, '/', { ca: authority.ca })).status, 403);
  assert.equal((await https(all.port, '/', mine)).status, 200);
  await run(binary, ['query', '--server', `https://localhost:${all.port}`, '--ca', authority.path('ca.pem'), '--client-cert', agent.both]);
});

test('idle TLS connections stay inside --memory: what is over is closed, the rest goes on', async () => {
  const small = await start('--memory', '64M'); // room for 170
  const sockets = [];
  const secureContext = createSecureContext({ ca: authority.ca }); // one, or most of the time is Node's
  const open = (alpn) => new Promise((resolve, reject) => {
    const s = connect({ host: 'localhost', port: small.port, secureContext, servername: 'localhost', ALPNProtocols: [alpn] }, () => resolve(s));
    s.on('error', reject);
    sockets.push(s);
  });
  const before_ = resident(small);
  const results = await Promise.allSettled(Array.from({ length: 250 }, (_, i) => open(i % 2 ? 'h2' : 'http/1.1')));
  const opened = results.filter((r) => r.status === 'fulfilled').length;
  assert.ok(opened >= 150 && opened <= 171, `${opened} opened`);
  assert.ok(resident(small) - before_ < 16, `${resident(small) - before_} MB more`);
  for (const s of sockets) s.on('error', () => {}).destroy();
  await until('room again', async () => (await https(small.port, '/skep/v1/status', { ca: authority.ca }).catch(() => ({}))).status === 200);
});

function resident(s) {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${s.child.pid}/status`, 'utf8'))[1]) / 1024;
}
