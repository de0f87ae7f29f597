// SPDX-License-Identifier: Apache-2.0
// The same Cruddur pointed at the four services themselves, as far as their answers are known: over TLS, with the
// course's variables. Each checks what its original checks: the team's header, the token, the signature, the form
// of segments.
import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { createServer as createHttp } from 'node:http';
import { createServer } from 'node:https';
import { after, before, test } from 'node:test';
import { Cruddur } from './cruddur.mjs';
import { until } from './support.mjs';
import { Authority } from './tls.mjs';

const AWS = { id: 'AKIAIOSFODNN7EXAMPLE', secret: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY', region: 'ca-central-1' };
const sha256 = (x) => createHash('sha256').update(x).digest('hex');
const hmac = (key, x) => createHmac('sha256', key).update(x).digest();

// Signature version 4 computed anew from the request as it came.
function signatureIsRight(req, body) {
  const [, id, day, region, service, signed, signature] = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(req.headers.authorization) ?? [];
  assert.deepEqual([id, region, service], [AWS.id, AWS.region, 'logs']);
  for (const name of ['host', 'x-amz-date', 'x-amz-target']) assert.ok(signed.split(';').includes(name), name);
  assert.ok(Math.abs(Date.parse(req.headers['x-amz-date'].replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z')) - Date.now()) < 300000);
  const canonical = [req.method, req.url, '', ...signed.split(';').map((h) => `${h}:${String(req.headers[h]).trim().replace(/ +/g, ' ')}`), '', signed, sha256(body)].join('\n');
  const text = ['AWS4-HMAC-SHA256', req.headers['x-amz-date'], `${day}/${region}/logs/aws4_request`, sha256(canonical)].join('\n');
  const key = ['aws4_request', 'logs', region, day].reduceRight((k, x) => hmac(k, x), `AWS4${AWS.secret}`);
  assert.equal(signature, hmac(key, text).toString('hex'));
}

// A server over TLS that keeps each request and answers as `answer` says.
async function service(authority, answer) {
  const s = { requests: [], wrong: [] };
  const { pem, keyPem } = s.cert = authority.make(`s${Math.random().toString(36).slice(2)}`, '/CN=localhost');
  s.server = createServer({ cert: pem, key: keyPem }, (req, res) => {
    const chunks = [];
    req.on('data', (c) => chunks.push(c));
    req.on('end', () => {
      const body = Buffer.concat(chunks);
      s.requests.push({ url: req.url, headers: req.headers, body });
      try {
        answer(req, res, body, s);
      } catch (e) {
        s.wrong.push(e);
        res.writeHead(400).end();
      }
    });
  });
  await new Promise((r) => s.server.listen(0, '127.0.0.1', r));
  s.url = `https://localhost:${s.server.address().port}`;
  s.done = () => new Promise((r) => { s.server.closeAllConnections(); s.server.close(r); });
  return s;
}

// What CloudWatch Logs answers: a group and a stream must be made first.
function cloudwatch(req, res, body, s) {
  signatureIsRight(req, body);
  assert.equal(req.headers['content-type'], 'application/x-amz-json-1.1');
  const operation = req.headers['x-amz-target'].replace('Logs_20140328.', '');
  const asked = JSON.parse(body);
  s.made ??= new Set();
  s.events ??= [];
  if (operation === 'CreateLogGroup' || operation === 'CreateLogStream') {
    s.made.add(operation);
    res.writeHead(200, { 'content-type': 'application/x-amz-json-1.1' }).end();
  } else if (s.made.size < 2) {
    res.writeHead(400, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify({ __type: 'ResourceNotFoundException', message: `The specified log ${s.made.size ? 'stream' : 'group'} does not exist.` }));
  } else {
    assert.equal(operation, 'PutLogEvents');
    assert.equal(asked.logGroupName, 'cruddur');
    s.events.push(...asked.logEvents);
    res.writeHead(200, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify({ nextSequenceToken: '49640000000000000000000000000000000000000000000000000000' }));
  }
}

let authority, honeycomb, rollbar, logs, xray, rules, cruddur;
before(async () => {
  authority = new Authority();
  honeycomb = await service(authority, (req, res) => {
    assert.equal(req.headers['x-honeycomb-team'], 'team-key');
    assert.equal(req.url, '/v1/traces');
    res.writeHead(200, { 'content-type': req.headers['content-type'] }).end();
  });
  rollbar = await service(authority, (req, res, body) => {
    assert.equal(req.url, '/api/1/item/');
    const item = JSON.parse(body);
    assert.equal(req.headers['x-rollbar-access-token'] ?? item.access_token, 'post-token');
    assert.equal(item.data.environment, 'production');
    res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ err: 0, result: { id: null, uuid: item.data.uuid } }));
  });
  logs = await service(authority, cloudwatch);
  // The X-Ray daemon: UDP and TCP on one port.
  xray = createSocket('udp4');
  xray.datagrams = [];
  xray.on('message', (d) => xray.datagrams.push(d.toString()));
  await new Promise((r) => xray.bind(0, '127.0.0.1', r));
  rules = createHttp((req, res) => res.end(JSON.stringify(req.url === '/GetSamplingRules'
    ? { SamplingRuleRecords: [{ SamplingRule: { RuleName: 'Default', RuleARN: 'arn:aws:xray:ca-central-1:123456789012:sampling-rule/Default', ResourceARN: '*', Priority: 10000, FixedRate: 1, ReservoirSize: 1, ServiceName: '*', ServiceType: '*', Host: '*', HTTPMethod: '*', URLPath: '*', Version: 1, Attributes: {} }, CreatedAt: 0, ModifiedAt: 1529959993 }], NextToken: null }
    : { SamplingTargetDocuments: [], LastRuleModification: 1530920505, UnprocessedStatistics: [] })));
  await new Promise((r) => rules.listen(xray.address().port, '127.0.0.1', r));
  cruddur = await Cruddur.start({ args: ['--bootcamp'], env: {
    OTEL_EXPORTER_OTLP_ENDPOINT: honeycomb.url, OTEL_EXPORTER_OTLP_HEADERS: 'x-honeycomb-team=team-key', OTEL_SERVICE_NAME: 'Cruddur', OTEL_EXPORTER_OTLP_CERTIFICATE: authority.path('ca.pem'),
    AWS_XRAY_DAEMON_ADDRESS: `127.0.0.1:${xray.address().port}`, AWS_XRAY_URL: '*4567-*',
    AWS_ENDPOINT_URL_CLOUDWATCH_LOGS: logs.url, AWS_DEFAULT_REGION: AWS.region, AWS_ACCESS_KEY_ID: AWS.id, AWS_SECRET_ACCESS_KEY: AWS.secret,
    ROLLBAR_ACCESS_TOKEN: 'post-token', ROLLBAR_ENDPOINT: `${rollbar.url}/api/1/`,
  } });
});
after(async () => {
  await cruddur?.done();
  xray?.close();
  rules?.close();
  for (const s of [honeycomb, rollbar, logs]) await s?.done();
  authority?.done();
});
const wrong = () => [...honeycomb.wrong, ...rollbar.wrong, ...logs.wrong];

test('all four take what the course\'s backend tells them', async () => {
  // Whether or not the sampling rules have come already.
  const call = (path) => cruddur.call('GET', path, { headers: { 'x-amzn-trace-id': 'Sampled=1' } });
  assert.equal((await call('/api/activities/home')).status, 200);
  await call('/rollbar/test');
  assert.equal((await call('/api/activities/68f126b0-1ceb-4a33-88be-d90fa7109eee')).status, 500); // the course's NameError
  await until('spans', () => honeycomb.requests.some((r) => r.body.includes('home-activites-mock-data')));
  assert.ok(honeycomb.requests.some((r) => r.body.includes('app.result_length') && r.body.includes('Cruddur')));
  const items = await until('items', () => {
    const all = rollbar.requests.map((r) => JSON.parse(r.body).data);
    return all.length >= 2 && all;
  });
  assert.deepEqual(items.map((i) => [i.level, i.body.message?.body ?? i.body.trace.exception.class]).sort(), [['error', 'NameError'], ['warning', 'Hello World!']]);
  const messages = await until('lines', () => logs.events?.length >= 5 && logs.events.map((e) => e.message));
  assert.ok(messages.includes('Hello Cloudwatch! from  /api/activities/home'));
  assert.ok(messages.some((m) => /^\[\d{4}-[A-Z][a-z]{2}-\d\d \d\d:\d\d\] 127\.0\.0\.1 GET http \/api\/activities\/home\? 200 OK$/.test(m)), messages.join('\n'));
  assert.ok(messages.some((m) => m.startsWith('Exception on /api/activities/68f126b0-1ceb-4a33-88be-d90fa7109eee [GET]\nNameError: ')));
  const segments = await until('segments', () => xray.datagrams.length >= 5 && xray.datagrams.map((d) => {
    const [head, document] = [d.slice(0, d.indexOf('\n')), d.slice(d.indexOf('\n') + 1)];
    assert.deepEqual(JSON.parse(head), { format: 'json', version: 1 });
    return JSON.parse(document);
  }));
  for (const s of segments) {
    assert.match(s.trace_id, /^1-[0-9a-f]{8}-[0-9a-f]{24}$/);
    assert.match(s.id, /^[0-9a-f]{16}$/);
    assert.ok(Math.abs(parseInt(s.trace_id.slice(2, 10), 16) - Date.now() / 1000) < 60);
  }
  assert.ok(segments.some((s) => s.name === 'Cruddur' && s.http.response.status === 200));
  assert.ok(segments.some((s) => s.name === 'activities_home' && s.type === 'subsegment'));
  assert.ok(segments.some((s) => s.name === 'Cruddur' && s.fault && s.cause.exceptions[0].type === 'NameError'));
  assert.deepEqual(wrong(), []);
});
