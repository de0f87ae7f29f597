// SPDX-License-Identifier: Apache-2.0
// X-Ray's traces as its clients read them: raw HTTP, boto3, the AWS CLI, the SDK for JavaScript.
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { makeKey, run as skepCommand } from './keyring.mjs';
import { hex, otlpTraces, root, Skep } from './support.mjs';

const run = promisify(execFile);
const T0 = Math.floor(Date.now() / 1000) - 300;
const env = { ...process.env, AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE', AWS_SECRET_ACCESS_KEY: 'secret', AWS_DEFAULT_REGION: 'eu-central-1', AWS_PAGER: '', AWS_EC2_METADATA_DISABLED: 'true' };
delete env.AWS_PROFILE;

let skep;
before(async () => { skep = await Skep.start(); });
after(async () => { await skep.done(); });

const call = (path, body) => skep.json('POST', path, body);
const xid = (hex32) => `1-${hex32.slice(0, 8)}-${hex32.slice(8)}`;
const newId = (s = T0) => Math.floor(s).toString(16).padStart(8, '0') + hex(24);

async function put(...documents) {
  const r = await call('/TraceSegments', { TraceSegmentDocuments: documents.map((d) => (typeof d === 'string' ? d : JSON.stringify(d))) });
  assert.deepEqual(r.UnprocessedTraceSegments, []);
}

async function summaries(more = {}) {
  const all = [];
  let pages = 0;
  for (let NextToken; ; pages++) {
    const r = await call('/TraceSummaries', { StartTime: T0 - 1000, EndTime: T0 + 1000, ...more, NextToken });
    all.push(...r.TraceSummaries);
    NextToken = r.NextToken;
    if (!NextToken) return { all, pages: pages + 1 };
  }
}

const find = async (FilterExpression, more) => (await summaries({ FilterExpression, ...more })).all.map((s) => s.Id).sort();

test('a document comes back byte for byte; late subsegments are put in their places', async () => {
  const trace = newId();
  const [seg, sub, late, deep] = [hex(16), hex(16), hex(16), hex(16)];
  const text = `{"id": "${seg}", "name": "raw-api", "start_time": ${T0}.1234567, "trace_id": "${xid(trace)}",  "end_time": ${(T0 + 1) / 1e9}E9, "in_progress": false, "http": {"request": {"url": "http://raw/x", "method": "GET"}, "response": {"status": 200}}, "subsegments": [{"id": "${sub}", "name": "work", "start_time": ${T0}.2, "end_time": ${T0}.9, "annotations": {"who": "andrew", "n": 3, "ok": true}, "namespace": "local"}], "user": "bob"}`;
  await put(text);
  const whole = await call('/Traces', { TraceIds: [xid(trace)] });
  assert.deepEqual(whole.UnprocessedTraceIds, []);
  assert.equal(whole.Traces.length, 1);
  assert.equal(whole.Traces[0].Id, xid(trace));
  assert.equal(whole.Traces[0].LimitExceeded, false);
  assert.deepEqual(whole.Traces[0].Segments, [{ Id: seg, Document: text }]);

  await put({ id: late, name: 'late', trace_id: xid(trace), type: 'subsegment', parent_id: sub, start_time: T0 + 0.3, end_time: T0 + 0.4, namespace: 'remote', http: { request: { url: 'http://other/' }, response: { status: 503 } }, fault: true,
    subsegments: [{ id: deep, name: 'deep', start_time: T0 + 0.31, end_time: T0 + 0.32 }] });
  const merged = await call('/Traces', { TraceIds: [trace] }); // 32 hex digits are fine, too
  const segments = Object.fromEntries(merged.Traces[0].Segments.map((s) => [s.Id, JSON.parse(s.Document)]));
  const into = segments[seg].subsegments.find((s) => s.id === sub).subsegments;
  assert.equal(into.length, 1);
  assert.equal(into[0].id, late);
  assert.equal(into[0].subsegments[0].id, deep);
  for (const gone of ['trace_id', 'type', 'parent_id']) assert.ok(!(gone in into[0]), gone);
  assert.ok(merged.Traces[0].Segments[0].Document.includes(`${T0}.1234567`), 'digits stay');
  const inferred = Object.values(segments).find((s) => s.inferred);
  assert.deepEqual([inferred.name, inferred.parent_id, inferred.origin, inferred.fault, inferred.http.response.status], ['late', late, 'remote', true, 503]);

  const [s] = (await summaries({ FilterExpression: 'annotation.who = "andrew"' })).all;
  assert.equal(s.Id, xid(trace));
  assert.deepEqual(s.Annotations.n, [{ AnnotationValue: { NumberValue: 3 }, ServiceIds: [{ Name: 'raw-api', Names: ['raw-api'], Type: '' }] }]);
  assert.deepEqual(s.Annotations.ok[0].AnnotationValue, { BooleanValue: true });
  assert.deepEqual(s.Users, [{ UserName: 'bob', ServiceIds: [{ Name: 'raw-api', Names: ['raw-api'], Type: '' }] }]);
  assert.deepEqual(s.Http, { HttpURL: 'http://raw/x', HttpStatus: 200, HttpMethod: 'GET' });
  assert.deepEqual(s.ServiceIds.map((x) => `${x.Name}:${x.Type}`).sort(), ['late:remote', 'raw-api:', 'raw-api:client']);
  assert.equal(s.EntryPoint.Name, 'raw-api');
  assert.equal(s.IsPartial, false);
});

test('ids that are none of X-Ray\'s are kept, found and not doubled', async () => {
  const text = `{"id":"my-id","name":"odd","trace_id":"my-trace","start_time":${T0},"end_time":${T0 + 1},"subsegments":[{"id":"other-id","name":"in","start_time":${T0},"end_time":${T0 + 1}}]}`;
  await put(text);
  const { Traces: [t], UnprocessedTraceIds } = await call('/Traces', { TraceIds: ['my-trace', 'not-mine'] });
  assert.deepEqual(UnprocessedTraceIds, ['not-mine']);
  assert.equal(t.Id, 'my-trace');
  assert.deepEqual(t.Segments.map((s) => s.Document), [text]);
});

test('an open segment is partial, its completion is not', async () => {
  const trace = newId();
  const doc = { id: hex(16), name: 'opener', trace_id: xid(trace), start_time: T0 + 1 };
  await put({ ...doc, in_progress: true });
  assert.deepEqual(await find('partial service("opener")'), [xid(trace)]);
  await put({ ...doc, end_time: T0 + 2 });
  assert.deepEqual(await find('partial service("opener")'), []);
  assert.deepEqual(await find('!partial name = opener responsetime = 1'), [xid(trace)]);
});

test('OTLP spans and X-Ray segments are one trace', async () => {
  const trace = newId();
  const [a, b, c] = [hex(16), hex(16), hex(16)];
  const ns = (s) => BigInt(Math.round((T0 + s) * 1000)) * 1000000n;
  await put({ id: a, name: 'edge-x', trace_id: xid(trace), start_time: T0 + 2, end_time: T0 + 3, subsegments: [{ id: b, name: 'otlp-svc', namespace: 'remote', start_time: T0 + 2.1, end_time: T0 + 2.9 }] });
  await skep.json('POST', '/v1/traces', otlpTraces('otlp-svc', [
    { traceId: trace, spanId: c, parentId: b, name: 'GET /', kind: 2, startNs: ns(2.2), endNs: ns(2.8), attributes: { 'http.response.status_code': 503, 'shop.cart': 'c1' } },
    { traceId: trace, spanId: hex(16), parentId: c, name: 'SELECT', kind: 3, startNs: ns(2.3), endNs: ns(2.7), attributes: { 'db.system': 'postgresql', 'db.name': 'users', 'server.address': 'pg', 'db.statement': 'SELECT 1' } },
  ]));
  const id = xid(trace);
  for (const f of ['service("otlp-svc") { fault AND http.status = 503 }', 'edge("edge-x", "otlp-svc")', 'edge("otlp-svc", "users@pg")', 'annotation[shop.cart] = "c1" AND service(id(type: "Database::SQL"))'])
    assert.ok((await find(f)).includes(id), f);
  assert.ok(!(await find('fault')).includes(id), 'a fault downstream is not the entry\'s');
  const { Traces: [t] } = await call('/Traces', { TraceIds: [id] });
  const docs = t.Segments.map((s) => JSON.parse(s.Document));
  const otlp = docs.find((d) => d.id === c);
  assert.deepEqual([otlp.name, otlp.parent_id, otlp.trace_id, otlp.fault, otlp.annotations], ['otlp-svc', b, id, true, { 'shop.cart': 'c1' }]);
  assert.deepEqual(otlp.subsegments.map((s) => [s.name, s.namespace, s.sql.sanitized_query]), [['users', 'remote', 'SELECT 1']]);
});

test('pages: newest first, each trace once, for each kind of time range', async () => {
  const ids = [];
  for (let k = 0; k < 5; k++) {
    const documents = [];
    for (let i = 0; i < 50; i++) {
      const trace = newId();
      const start = T0 - 500 + (k * 50 + i) * 0.5;
      ids.push(xid(trace));
      documents.push({ id: hex(16), name: 'paged', trace_id: xid(trace), start_time: start, end_time: start + 0.1, subsegments: [{ id: hex(16), name: 'a', start_time: start, end_time: start + 0.05 }, { id: hex(16), name: 'b', start_time: start + 0.01, end_time: start + 0.05 }] });
    }
    await put(...documents);
  }
  for (const TimeRangeType of ['TraceId', 'Event', 'Service']) {
    const { all, pages } = await summaries({ FilterExpression: 'service("paged")', TimeRangeType });
    assert.ok(pages >= 3, `${pages} pages`);
    assert.deepEqual(all.map((s) => s.Id), [...ids].reverse(), TimeRangeType);
    assert.equal(typeof (all[0].MatchedEventTime ?? 0), 'number');
  }
  // [start, end)
  const at = T0 - 500 + 10 * 0.5;
  assert.deepEqual((await summaries({ StartTime: at, EndTime: at + 1, FilterExpression: 'name = paged' })).all.map((s) => s.Id), [ids[11], ids[10]]);
  const share = await summaries({ FilterExpression: 'name = paged', Sampling: true, SamplingStrategy: { Name: 'FixedRate', Value: 0.3 } });
  assert.ok(share.all.length > 30 && share.all.length < 130, `${share.all.length} of 250`);
  const again = await summaries({ FilterExpression: 'name = paged', Sampling: true, SamplingStrategy: { Name: 'FixedRate', Value: 0.3 } });
  assert.deepEqual(again.all.map((s) => s.Id), share.all.map((s) => s.Id));
});

test('a token is good for its own request alone', async () => {
  const body = { StartTime: T0 - 1000, EndTime: T0 + 1000, FilterExpression: 'name = paged' };
  const { NextToken } = await call('/TraceSummaries', body);
  for (const [wrong, message] of [
    [{ ...body, EndTime: T0 + 999, NextToken }, /belongs to another request/],
    [{ ...body, NextToken: `${NextToken.slice(0, -3)}AAA` }, /not one of this server's/],
    [{ ...body, NextToken: 'x' }, /not one of this server's/]]) {
    const r = await skep.call('POST', '/TraceSummaries', wrong);
    const e = await r.json();
    assert.deepEqual([r.status, e.__type], [400, 'InvalidRequestException']);
    assert.match(e.Message, message);
  }
  await call('/TraceSummaries', { NextToken, FilterExpression: body.FilterExpression, EndTime: body.EndTime, StartTime: body.StartTime, Sampling: null });
});

test('what is wrong with a request is said all at once', async () => {
  for (const [path, body, type, message] of [
    ['/TraceSummaries', {}, 'InvalidRequestException', "2 validation errors detected: Value null at 'startTime' failed to satisfy constraint: Member must not be null; Value null at 'endTime' failed to satisfy constraint: Member must not be null"],
    ['/TraceSummaries', { StartTime: 2, EndTime: 1 }, 'InvalidRequestException', "1 validation error detected: Value '2' at 'startTime' failed to satisfy constraint: Member must be earlier than 'endTime'"],
    ['/TraceSummaries', { StartTime: '2026-01-01', EndTime: 1 }, 'SerializationException', "'startTime' must be a number of seconds since 1970"],
    ['/TraceSummaries', { StartTime: 1, EndTime: 2, TimeRangeType: 'Never', SamplingStrategy: { Value: 3 } }, 'InvalidRequestException', "2 validation errors detected: Value 'Never' at 'timeRangeType' failed to satisfy constraint: Member must satisfy enum value set: [TraceId, Event, Service]; Value '3' at 'samplingStrategy.value' failed to satisfy constraint: Member must have value less than or equal to 1"],
    ['/TraceSummaries', { StartTime: 1, EndTime: 2, FilterExpression: 'ok AND foo' }, 'InvalidRequestException', 'Invalid filter expression at position 7: "foo" is no keyword'],
    ['/Traces', { TraceIds: ['x'.repeat(36)] }, 'InvalidRequestException', /36|length less than or equal to 35/],
    ['/Traces', { TraceIds: 'x' }, 'SerializationException', "'traceIds' must be a list"]]) {
    const r = await skep.call('POST', path, body);
    const e = await r.json();
    assert.deepEqual([r.status, e.__type], [400, type]);
    if (message instanceof RegExp) assert.match(e.Message, message);
    else assert.equal(e.Message, message);
  }
  const unknown = [xid(newId()), 'nonsense'];
  assert.deepEqual(await call('/Traces', { TraceIds: unknown }), { Traces: [], UnprocessedTraceIds: unknown });
});

test('one request, two tracers: a hundred requests are a hundred traces', async () => {
  const documents = [], spans = [];
  for (let i = 0; i < 100; i++) {
    const start = T0 + 100 + i;
    documents.push({ id: hex(16), name: 'both', trace_id: xid(newId()), start_time: start, end_time: start + 0.1 });
    spans.push({ traceId: hex(32), spanId: hex(16), name: 'GET /', kind: 2, startNs: BigInt(start) * 1000000000n, endNs: BigInt(start) * 1000000000n + 100000000n });
  }
  await skep.json('POST', '/v1/traces', otlpTraces('both', spans));
  for (const FilterExpression of ['service("both")', 'name = both'])
    assert.equal((await find(FilterExpression)).length, 100);
  await put(...documents.slice(0, 50));
  await put(...documents.slice(50));
  for (const TimeRangeType of ['TraceId', 'Event', 'Service']) {
    const got = await find('service("both")', { TimeRangeType });
    assert.deepEqual(got, documents.map((d) => d.trace_id).sort(), TimeRangeType);
  }
});

// --- real clients ---

const python = ['/usr/bin/python3', 'python3'].find((p) => {
  try {
    execFileSync(p, ['-c', 'import boto3'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
});
const aws = ['/usr/bin/aws', 'aws'].find((p) => {
  try {
    execFileSync(p, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
});

test('boto3: paginators over summaries and traces, errors', { skip: !python && 'no boto3' }, async () => {
  const program = `
import boto3, json, sys
from botocore.exceptions import ClientError
url, start, end = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
x = boto3.client("xray", endpoint_url=url)
ids = [s["Id"] for p in x.get_paginator("get_trace_summaries").paginate(StartTime=start, EndTime=end, FilterExpression='service("paged")') for s in p["TraceSummaries"]]
traces = [t for p in x.get_paginator("batch_get_traces").paginate(TraceIds=ids) for t in p["Traces"]]
one = x.get_trace_summaries(StartTime=start, EndTime=end, FilterExpression='annotation.who = "andrew"')["TraceSummaries"][0]
try:
    x.get_trace_summaries(StartTime=start, EndTime=end, FilterExpression="ok AND foo")
except x.exceptions.InvalidRequestException as e:
    error = [e.response["Error"]["Code"], e.response["Error"]["Message"], e.response["ResponseMetadata"]["HTTPStatusCode"], len(e.response["ResponseMetadata"]["RequestId"])]
print(json.dumps({"ids": ids, "traces": [t["Id"] for t in traces], "names": sorted({json.loads(s["Document"])["name"] for t in traces for s in t["Segments"]}), "start": one["ResponseTime"], "error": error}))
`;
  const { stdout } = await run(python, ['-c', program, skep.url, String(T0 - 1000), String(T0 + 1000)], { env });
  const got = JSON.parse(stdout);
  assert.equal(new Set(got.ids).size, 250);
  assert.deepEqual(got.traces, got.ids);
  assert.deepEqual(got.names, ['paged']);
  assert.ok(Math.abs(got.start - 0.877) < 0.0011, `${got.start}`);
  assert.deepEqual(got.error, ['InvalidRequestException', 'Invalid filter expression at position 7: "foo" is no keyword', 400, 36]);
});

test('awscli: get-trace-summaries, batch-get-traces', { skip: !aws && 'no awscli' }, async () => {
  const cli = async (...args) => JSON.parse((await run(aws, ['xray', '--endpoint-url', skep.url, '--output', 'json', ...args], { env, maxBuffer: 1 << 26 })).stdout);
  const range = ['--start-time', String(T0 - 1000), '--end-time', String(T0 + 1000)];
  const ids = await cli('get-trace-summaries', ...range, '--filter-expression', 'service("paged")', '--query', 'TraceSummaries[*].Id');
  assert.equal(new Set(ids).size, 250);
  const got = await cli('batch-get-traces', '--trace-ids', ...ids.slice(0, 5), '--query', 'Traces[*]');
  assert.deepEqual(got.map((t) => t.Id), ids.slice(0, 5));
  assert.equal(JSON.parse(got[0].Segments[0].Document).name, 'paged');
  await assert.rejects(cli('get-trace-summaries', ...range, '--filter-expression', 'foo'), /InvalidRequestException.*position 0/s);
});

test('the SDK for JavaScript: paginators, numeric timestamps', async (t) => {
  const require = createRequire(join(root, 'tests/clients/node/package.json'));
  let sdk;
  try {
    sdk = require('@aws-sdk/client-xray');
  } catch {
    t.skip('no @aws-sdk/client-xray: tools/node-packages.sh tests/clients/node');
    return;
  }
  const client = new sdk.XRayClient({ endpoint: skep.url, region: 'eu-central-1', credentials: { accessKeyId: 'a', secretAccessKey: 'b' } });
  const seen = [];
  const input = { StartTime: new Date((T0 - 1000) * 1000), EndTime: new Date((T0 + 1000) * 1000), FilterExpression: 'service("paged")' };
  for await (const page of sdk.paginateGetTraceSummaries({ client }, input)) {
    assert.ok(page.ApproximateTime instanceof Date);
    for (const s of page.TraceSummaries) assert.ok(s.StartTime instanceof Date);
    seen.push(...page.TraceSummaries.map((s) => s.Id));
  }
  assert.equal(new Set(seen).size, 250);
  const traces = await client.send(new sdk.BatchGetTracesCommand({ TraceIds: seen.slice(0, 3) }));
  assert.deepEqual(traces.Traces.map((x) => x.Id), seen.slice(0, 3));
  await assert.rejects(client.send(new sdk.GetTraceSummariesCommand({ ...input, NextToken: undefined, FilterExpression: 'foo' })),
    (e) => e.name === 'InvalidRequestException' && /position 0/.test(e.message) && e.$metadata.httpStatusCode === 400);
  client.destroy();
});

test('boto3 with keys: a key sees its own environment; wrong and missing ones are refused in AWS\'s words', { skip: !python && 'no boto3' }, async () => {
  const s = await Skep.start({ args: ['--auth', 'keys'] });
  try {
    for (const name of ['camp', 'other']) assert.equal((await skepCommand(['env', 'create', name, '--data', s.dir])).code, 0);
    const keys = [];
    for (const name of ['camp', 'other']) keys.push(await makeKey(s.dir, name, '--env', name, '--rights', 'ingest,query'));
    const program = `
import boto3, json, sys, time
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
url, now, keys = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
def client(id, secret, **more):
    return boto3.client("xray", endpoint_url=url, region_name="eu-west-3", aws_access_key_id=id, aws_secret_access_key=secret, config=Config(retries={"max_attempts": 0}, **more))
def code(c):
    try:
        c.get_trace_summaries(StartTime=now - 100, EndTime=now + 100)
        return "none"
    except ClientError as e:
        return e.response["Error"]["Code"]
good = [client(k["access_key"], k["aws_secret"]) for k in keys]
end = time.time() + 30  # a key that the terminal made is known a little later
while code(good[0]) != "none" or code(good[1]) != "none":
    if time.time() > end:
        break
    time.sleep(0.1)
for i, c in enumerate(good):
    r = c.put_trace_segments(TraceSegmentDocuments=[json.dumps({"id": "%016x" % (i + 1), "name": "svc%d" % i, "trace_id": "1-%08x-%024x" % (now, i + 1), "start_time": now, "end_time": now + 1})])
    assert r["UnprocessedTraceSegments"] == [], r
seen = [[s["Id"] for s in c.get_trace_summaries(StartTime=now - 100, EndTime=now + 100)["TraceSummaries"]] for c in good]
other = good[0].batch_get_traces(TraceIds=seen[1])
print(json.dumps({"seen": seen, "other": [other["Traces"], other["UnprocessedTraceIds"]], "codes": [
    code(client(keys[0]["access_key"], "wrong")), code(client("AKIASKEPAAAAAAAAAAAA", "x")), code(client("a", "b", signature_version=UNSIGNED))]}))
`;
    const { stdout } = await run(python, ['-c', program, s.url, String(T0), JSON.stringify(keys)], { env });
    const got = JSON.parse(stdout);
    const id = (n) => `1-${T0.toString(16).padStart(8, '0')}-${n.toString(16).padStart(24, '0')}`;
    assert.deepEqual(got.seen, [[id(1)], [id(2)]]);
    assert.deepEqual(got.other, [[], [id(2)]]);
    assert.deepEqual(got.codes, ['InvalidSignatureException', 'UnrecognizedClientException', 'MissingAuthenticationTokenException']);
  } finally {
    await s.done();
  }
});
