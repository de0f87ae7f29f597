// SPDX-License-Identifier: Apache-2.0
// CloudWatch Logs' API: every operation of the model is said in docs/api/cloudwatch-logs.md and does what that
// says; envelopes, validation, limits, tokens.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { Skep, root, until } from './support.mjs';

const model = readFileSync(join(root, 'tests/golden/logs/operations.txt'), 'utf8').split('\n')
  .filter((l) => l && !l.startsWith('#')).map((l) => {
    const [name, errors] = l.split(' ');
    return { name, errors: errors.split(',') };
  });
const documented = new Map(readFileSync(join(root, 'docs/api/cloudwatch-logs.md'), 'utf8').split('\n')
  .filter((l) => /^\| [A-Z]\w+ \| (works|refuses) \|/.test(l)).map((l) => {
    const [, name, state, text] = l.split('|').map((c) => c.trim());
    return [name, { state, text }];
  }));

let skep;
before(async () => { skep = await Skep.start(); });
after(async () => { await skep.done(); });

const call = (name, body, headers) => skep.call('POST', '/', typeof body === 'string' ? body : JSON.stringify(body),
  { 'content-type': 'application/x-amz-json-1.1', ...(name ? { 'x-amz-target': `Logs_20140328.${name}` } : {}), ...headers });
// The answer of an operation that must succeed; undefined when it has no output.
async function ok(name, body, headers) {
  const r = await call(name, body, headers);
  const text = await r.text();
  assert.equal(r.status, 200, `${name}: ${text}`);
  assert.equal(r.headers.get('content-type'), 'application/x-amz-json-1.1');
  assert.match(r.headers.get('x-amzn-requestid'), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  return text ? JSON.parse(text) : undefined;
}
async function error(r) {
  const text = await r.text();
  const body = JSON.parse(text);
  assert.equal(r.status, 400, text);
  assert.ok(text.startsWith('{"__type":"'), 'fluent-bit reads the first token');
  assert.equal(r.headers.get('x-amzn-errortype'), body.__type);
  assert.ok(r.headers.get('x-amzn-requestid'));
  assert.equal(typeof body.message, 'string');
  return { type: body.__type, message: body.message };
}
const fails = async (name, body, type, message) => {
  const e = await error(await call(name, body));
  assert.equal(e.type, type, `${name} ${JSON.stringify(body)?.slice(0, 200)}: ${e.message}`);
  if (message instanceof RegExp) assert.match(e.message, message);
  else if (message) assert.equal(e.message, message);
  return e;
};
const now = () => Date.now();
const put = (logGroupName, logStreamName, events) => ok('PutLogEvents', { logGroupName, logStreamName, logEvents: events });
async function makeStream(group, stream) {
  await ok('CreateLogGroup', { logGroupName: group });
  await ok('CreateLogStream', { logGroupName: group, logStreamName: stream });
}

test('each operation of the model is documented, and each command of the SDK is in the model', () => {
  assert.equal(model.length, 118);
  for (const { name } of model) assert.ok(documented.has(name), `${name} is not in docs/api/cloudwatch-logs.md`);
  assert.equal(documented.size, model.length, 'the table names an operation that the model has not');
  const require = createRequire(join(root, 'tests/clients/node/package.json'));
  const sdk = Object.keys(require('@aws-sdk/client-cloudwatch-logs')).filter((k) => /^[A-Z].*Command$/.test(k)).map((k) => k.replace(/Command$/, ''));
  assert.ok(sdk.length > 90);
  for (const name of sdk) assert.ok(documented.has(name), `${name} of the SDK is not documented`);
});

test('each operation does what the table says: those that refuse do, with a modelled error', async () => {
  for (const { name, errors } of model) {
    const doc = documented.get(name);
    const r = await call(name, {});
    if (doc.state === 'refuses') {
      const e = await error(r);
      assert.ok(errors.includes(e.type), `${name}: ${e.type} is not in its model`);
      assert.equal(`${e.type}: ${e.message}`, doc.text, name);
    } else if (r.status !== 200) {
      const e = await error(r);
      assert.ok([...errors, 'InvalidParameterException'].includes(e.type), `${name}: ${e.type} is not in its model`);
      assert.match(e.message, /validation error|must|either/i, `${name}: ${e.message}`);
    }
  }
});

test('bad requests have the protocol\'s own errors', async () => {
  assert.equal((await error(await call(null, '{}'))).type, 'UnknownOperationException');
  assert.equal((await error(await call('Nonsense', '{}'))).type, 'UnknownOperationException');
  assert.equal((await error(await call('DescribeLogGroups', '{"broken'))).type, 'SerializationException');
  assert.equal((await error(await call('DescribeLogGroups', '[]'))).type, 'SerializationException');
  assert.equal((await error(await call('DescribeLogGroups', { limit: 'x' }))).type, 'SerializationException');
  assert.equal((await error(await call('PutLogEvents', '{"broken'))).type, 'SerializationException');
  await fails('DescribeLogGroups', { limit: 51 }, 'InvalidParameterException',
    "1 validation error detected: Value '51' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 50");
  await fails('CreateLogGroup', {}, 'InvalidParameterException', /Value null at 'logGroupName'/);
  await fails('CreateLogGroup', { logGroupName: 'x'.repeat(513) }, 'InvalidParameterException',
    'Invalid LogGroup or LogStream, both must have length less than or equal to 512.');
  await fails('CreateLogGroup', { logGroupName: 'a b' }, 'InvalidParameterException', /regular expression/);
  await fails('DescribeLogGroups', { logGroupNamePrefix: 'a', logGroupNamePattern: 'b' }, 'InvalidParameterException',
    'LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.');
});

test('groups and streams: made once, listed at once, in order, page by page', async () => {
  const names = Array.from({ length: 7 }, (_, i) => `list/${i}`);
  for (const n of names) await ok('CreateLogGroup', { logGroupName: n });
  await fails('CreateLogGroup', { logGroupName: 'list/0' }, 'ResourceAlreadyExistsException', 'The specified log group already exists');
  const seen = [];
  let nextToken;
  do {
    const r = await ok('DescribeLogGroups', { logGroupNamePrefix: 'list/', limit: 3, nextToken });
    assert.ok(r.logGroups.length <= 3);
    seen.push(...r.logGroups.map((g) => g.logGroupName));
    nextToken = r.nextToken;
  } while (nextToken);
  assert.deepEqual(seen, names);
  const page = await ok('DescribeLogGroups', { logGroupNamePrefix: 'list/', limit: 3 });
  await fails('DescribeLogGroups', { logGroupNamePrefix: 'other', limit: 3, nextToken: page.nextToken }, 'InvalidParameterException', 'The specified nextToken is invalid.');
  const [g] = page.logGroups;
  assert.equal(g.arn, 'arn:aws:logs:us-east-1:000000000000:log-group:list/0:*');
  assert.equal(g.logGroupArn, 'arn:aws:logs:us-east-1:000000000000:log-group:list/0');
  assert.equal(g.storedBytes, 0);
  assert.ok(!('retentionInDays' in g));
  assert.ok(Math.abs(g.creationTime - now()) < 60000);

  await fails('CreateLogStream', { logGroupName: 'list/none', logStreamName: 's' }, 'ResourceNotFoundException', 'The specified log group does not exist.');
  await fails('CreateLogStream', { logGroupName: 'list/0', logStreamName: 'a:b' }, 'InvalidParameterException');
  for (const s of ['b', 'a', 'c/x']) await ok('CreateLogStream', { logGroupName: 'list/0', logStreamName: s });
  await fails('CreateLogStream', { logGroupName: 'list/0', logStreamName: 'a' }, 'ResourceAlreadyExistsException', 'The specified log stream already exists');
  const streams = async (more) => (await ok('DescribeLogStreams', { logGroupName: 'list/0', ...more })).logStreams.map((s) => s.logStreamName);
  assert.deepEqual(await streams({}), ['a', 'b', 'c/x']);
  assert.deepEqual(await streams({ descending: true }), ['c/x', 'b', 'a']);
  assert.deepEqual(await streams({ logStreamNamePrefix: 'c/' }), ['c/x']);
  await put('list/0', 'b', [{ timestamp: now() - 5000, message: 'older' }]);
  await put('list/0', 'a', [{ timestamp: now() - 1000, message: 'newer' }]);
  assert.deepEqual(await streams({ orderBy: 'LastEventTime', descending: true }), ['a', 'b', 'c/x']);
  await fails('DescribeLogStreams', { logGroupName: 'list/0', orderBy: 'LastEventTime', logStreamNamePrefix: 'a' }, 'InvalidParameterException',
    'Cannot order by LastEventTime with a logStreamNamePrefix.');
  const byTime = [];
  let token;
  do {
    const r = await ok('DescribeLogStreams', { logGroupName: 'list/0', orderBy: 'LastEventTime', descending: true, limit: 1, nextToken: token });
    byTime.push(...r.logStreams.map((s) => s.logStreamName));
    token = r.nextToken;
  } while (token);
  assert.deepEqual(byTime, ['a', 'b', 'c/x']);
  const empty = (await ok('DescribeLogStreams', { logGroupName: 'list/0', logStreamNamePrefix: 'c' })).logStreams[0];
  assert.deepEqual(Object.keys(empty).sort(), ['arn', 'creationTime', 'logStreamName', 'storedBytes']);
  await fails('DescribeLogStreams', { logGroupName: 'list/none' }, 'ResourceNotFoundException', 'The specified log group does not exist.');
  await fails('DescribeLogStreams', { logGroupName: 'list/0', logGroupIdentifier: 'list/0' }, 'ValidationException', 'LogGroup name and LogGroup ARN are mutually exclusive parameters.');
});

test('PutLogEvents: rules, limits, and what is rejected is named and counted', async () => {
  await makeStream('put', 's');
  const target = { logGroupName: 'put', logStreamName: 's' };
  const t = now();
  const bad = (logEvents, message) => fails('PutLogEvents', { ...target, logEvents }, 'InvalidParameterException', message);
  await fails('PutLogEvents', { ...target, logGroupName: 'nope', logEvents: [{ timestamp: t, message: 'x' }] }, 'ResourceNotFoundException', 'The specified log group does not exist.');
  await fails('PutLogEvents', { ...target, logStreamName: 'nope', logEvents: [{ timestamp: t, message: 'x' }] }, 'ResourceNotFoundException', 'The specified log stream does not exist.');
  await bad([{ timestamp: t, message: 'b' }, { timestamp: t - 1, message: 'a' }], 'Log events in a single PutLogEvents request must be in chronological order.');
  await bad([], /logEvents/);
  await bad([{ timestamp: t, message: '' }], /message/);
  await bad([{ message: 'x' }], /timestamp/);
  await bad(Array.from({ length: 10001 }, () => ({ timestamp: t, message: 'x' })), /less than or equal to 10000/);
  await bad([{ timestamp: t, message: 'x'.repeat((1 << 20) - 25) }], 'Log event too large: 1048577 bytes exceeds limit of 1048576');
  await bad([{ timestamp: t, message: 'x'.repeat(1 << 19) }, { timestamp: t, message: 'x'.repeat(1 << 19) }], 'Upload too large: 1048628 bytes exceeds limit of 1048576');
  await bad([{ timestamp: t - 86400001, message: 'a' }, { timestamp: t, message: 'b' }], /24 hours/);
  for (const message of [1, {}, true]) assert.equal((await error(await call('PutLogEvents', { ...target, logEvents: [{ timestamp: t, message }] }))).type, 'SerializationException');
  // Right at the limit, and with every octet written as an escape.
  await put('put', 's', [{ timestamp: t, message: 'y'.repeat((1 << 20) - 26) }]);
  const escaped = JSON.stringify({ ...target, logEvents: [{ timestamp: t, message: '@' }] }).replace('@', '\\u0001'.repeat((1 << 20) - 26));
  assert.equal((await call('PutLogEvents', escaped)).status, 200);

  const r = await put('put', 's', [
    { timestamp: t - 15 * 86400000, message: 'too old' }, { timestamp: t - 14 * 86400000 - 60000, message: 'too old' },
    { timestamp: t, message: 'good' }, { timestamp: t, message: 'good too' }, { timestamp: t + 3 * 3600000, message: 'too new' }]);
  assert.deepEqual(r.rejectedLogEventsInfo, { tooOldLogEventEndIndex: 2, tooNewLogEventStartIndex: 4 });
  assert.match(r.nextSequenceToken, /^\d{56}$/);
  const all = await put('put', 's', [{ timestamp: t + 3 * 3600000, message: 'too new' }]);
  assert.deepEqual(all.rejectedLogEventsInfo, { tooNewLogEventStartIndex: 0 });
  assert.match(all.nextSequenceToken, /^\d{56}$/);
  assert.ok(!('rejectedLogEventsInfo' in await put('put', 's', [{ timestamp: t, message: 'fine' }])), 'watchtower takes its presence for a failure');
  await ok('PutRetentionPolicy', { logGroupName: 'put', retentionInDays: 7 });
  const expired = await put('put', 's', [{ timestamp: t - 8 * 86400000, message: 'expired' }, { timestamp: t, message: 'fine' }]);
  assert.deepEqual(expired.rejectedLogEventsInfo, { expiredLogEventEndIndex: 1 });
  const entity = await ok('PutLogEvents', { ...target, logEvents: [{ timestamp: t, message: 'e' }], entity: { keyAttributes: { Name: 'no type' } } });
  assert.equal(entity.rejectedEntityInfo.errorType, 'MissingRequiredFields');

  const ledger = await skep.json('GET', '/skep/v1/ledger');
  const { totals } = ledger.sources.find((s) => s.source === 'logs');
  assert.equal(totals.difference, 0);
  assert.deepEqual({ ...totals.rejected, malformed: 0 }, { too_old: 2, too_new: 2, past_retention: 1, no_stream: 2, malformed: 0 });
});

test('a retry stores nothing and gets the first answer', async () => {
  await makeStream('retry', 's');
  const body = { logGroupName: 'retry', logStreamName: 's', logEvents: [{ timestamp: now(), message: 'once' }] };
  const id = { 'amz-sdk-invocation-id': 'aaaaaaaa-0000-4000-8000-000000000001' };
  const first = await ok('PutLogEvents', body, id);
  assert.deepEqual(await ok('PutLogEvents', body, id), first);
  await ok('PutLogEvents', body, { 'amz-sdk-invocation-id': 'aaaaaaaa-0000-4000-8000-000000000002' });
  const events = (await ok('FilterLogEvents', { logGroupName: 'retry' })).events;
  assert.equal(events.length, 2, 'another call with the same body is another call');
});

test('GetLogEvents: both ways, tokens come back at the ends', async () => {
  await makeStream('pages', 's');
  const t = now() - 60000;
  await put('pages', 's', Array.from({ length: 10 }, (_, i) => ({ timestamp: t + Math.floor(i / 2), message: `m${i}` })));
  const get = (more) => ok('GetLogEvents', { logGroupName: 'pages', logStreamName: 's', ...more });
  const texts = (r) => r.events.map((e) => e.message);
  const newest = await get({ limit: 3 });
  assert.deepEqual(texts(newest), ['m7', 'm8', 'm9']);
  const before = await get({ limit: 3, nextToken: newest.nextBackwardToken });
  assert.deepEqual(texts(before), ['m4', 'm5', 'm6']);
  const end = await get({ limit: 3, nextToken: newest.nextForwardToken, startFromHead: true });
  assert.deepEqual(texts(end), []);
  assert.equal(end.nextForwardToken, newest.nextForwardToken);
  const seen = [];
  for (let token, i = 0; i < 20; i++) {
    const r = await get({ limit: 4, startFromHead: true, nextToken: token });
    if (r.nextForwardToken === token) break;
    seen.push(...texts(r));
    token = r.nextForwardToken;
  }
  assert.deepEqual(seen, Array.from({ length: 10 }, (_, i) => `m${i}`));
  assert.deepEqual(texts(await get({ startTime: t + 1, endTime: t + 2 })), ['m2', 'm3']);
  assert.match(newest.nextForwardToken, /^f\/\d{56}$/);
  assert.equal(Number(BigInt(newest.nextForwardToken.slice(2)) >> 144n), t + 4);
  for (const nextToken of ['x', 'f/', `f/${'1'.repeat(56)}`, newest.nextForwardToken.slice(0, -1), `q${newest.nextForwardToken.slice(1)}`])
    await fails('GetLogEvents', { logGroupName: 'pages', logStreamName: 's', nextToken }, 'InvalidParameterException', 'The specified nextToken is invalid.');
  await fails('GetLogEvents', { logGroupName: 'pages', logStreamName: 'none' }, 'ResourceNotFoundException', 'The specified log stream does not exist.');
  // An empty stream can be followed: what comes later is behind its token.
  await ok('CreateLogStream', { logGroupName: 'pages', logStreamName: 'empty' });
  const empty = await ok('GetLogEvents', { logGroupName: 'pages', logStreamName: 'empty' });
  await put('pages', 'empty', [{ timestamp: now(), message: 'late' }]);
  const late = await ok('GetLogEvents', { logGroupName: 'pages', logStreamName: 'empty', nextToken: empty.nextForwardToken });
  assert.deepEqual(texts(late), ['late']);
});

test('FilterLogEvents: all streams in order, pages, stable ids that lead to the record', async () => {
  await makeStream('filter', 'a');
  await ok('CreateLogStream', { logGroupName: 'filter', logStreamName: 'b' });
  const t = now() - 60000;
  for (const [s, k] of [['a', 0], ['b', 1]])
    await put('filter', s, Array.from({ length: 5 }, (_, i) => ({ timestamp: t + 2 * i + k, message: `${s}${i}` })));
  const all = (await ok('FilterLogEvents', { logGroupName: 'filter' })).events;
  assert.deepEqual(all.map((e) => e.message), ['a0', 'b0', 'a1', 'b1', 'a2', 'b2', 'a3', 'b3', 'a4', 'b4']);
  const paged = [];
  let nextToken;
  do {
    const r = await ok('FilterLogEvents', { logGroupName: 'filter', limit: 3, nextToken });
    assert.deepEqual(r.searchedLogStreams, []);
    paged.push(...r.events);
    nextToken = r.nextToken;
  } while (nextToken);
  assert.deepEqual(paged, all);
  assert.equal(new Set(all.map((e) => e.eventId)).size, 10);
  const only = async (more) => (await ok('FilterLogEvents', { logGroupName: 'filter', ...more })).events.map((e) => e.message);
  assert.deepEqual(await only({ logStreamNames: ['b'], limit: 2 }), ['b0', 'b1']);
  assert.deepEqual(await only({ logStreamNamePrefix: 'a', startTime: t + 4, endTime: t + 6 }), ['a2', 'a3']);
  assert.deepEqual(await only({ startFromHead: false, limit: 2 }), ['b4', 'a4']);
  await fails('FilterLogEvents', { logGroupName: 'filter', nextToken: '7' }, 'InvalidParameterException', 'The specified nextToken is invalid.');
  await fails('FilterLogEvents', { logGroupName: 'filter', limit: 10001 }, 'InvalidParameterException',
    "1 validation error detected: Value '10001' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 10000");
  const { logRecord } = await ok('GetLogRecord', { logRecordPointer: all[3].eventId });
  assert.equal(logRecord['@message'], 'b1');
  assert.equal(logRecord['@logStream'], 'b');
  assert.equal(logRecord['@timestamp'], String(t + 3));
  await fails('GetLogRecord', { logRecordPointer: 'x' }, 'InvalidParameterException');
});

test('fields of messages are columns, lines of a trace are in it', async () => {
  await makeStream('columns', 'vm/app.py/root/4711');
  const t = now();
  const trace = '0af7651916cd43dd8448eb211c80319c';
  await put('columns', 'vm/app.py/root/4711', [
    { timestamp: t, message: JSON.stringify({ level: 'error', user: { id: 7 }, latency: 1.5, timestamp: 'own', trace_id: trace }, null, 2) },
    { timestamp: t, message: `level=warn user.id=8 msg="a b" traceparent=00-${trace}-b7ad6b7169203331-01` },
    { timestamp: t, message: 'ERROR in 1-0af76519-16cd43dd8448eb211c80319c' }]);
  const q = await skep.query({ dataset: 'columns', time_range: 600, calculations: [{ op: 'COUNT' }, { op: 'SUM', column: 'user.id' }], breakdowns: ['severity'] });
  assert.deepEqual(Object.fromEntries(q.groups.map((g) => [g.key[0], g.values])), { error: [2, 7], warn: [1, 8] });
  const inTrace = await skep.json('GET', `/skep/v1/trace/${trace}`);
  assert.ok(JSON.stringify(inTrace).includes('ERROR in 1-0af76519'), 'the trace has its lines');
  const events = (await ok('FilterLogEvents', { logGroupName: 'columns' })).events;
  const { logRecord } = await ok('GetLogRecord', { logRecordPointer: events[0].eventId });
  assert.equal(logRecord.timestamp, 'own');
  assert.equal(logRecord['user.id'], '7');
  assert.equal(logRecord['process.pid'], '4711');
});

test('lines of OTLP are groups and streams, too', async () => {
  const body = { resourceLogs: [{ resource: { attributes: [{ key: 'service.name', value: { stringValue: 'otlp-app' } }, { key: 'service.instance.id', value: { stringValue: 'i-1' } }] },
    scopeLogs: [{ logRecords: [{ timeUnixNano: `${now()}000000`, body: { stringValue: 'from otlp' } }] }] },
  { resource: { attributes: [{ key: 'service.name', value: { stringValue: 'otlp-app' } }] }, scopeLogs: [{ logRecords: [{ timeUnixNano: `${now()}000000`, body: { stringValue: 'no instance' } }] }] }] };
  assert.equal((await skep.call('POST', '/v1/logs', body)).status, 200);
  const { logGroups } = await ok('DescribeLogGroups', { logGroupNamePrefix: 'otlp-app' });
  assert.equal(logGroups.length, 1);
  const { logStreams } = await ok('DescribeLogStreams', { logGroupName: 'otlp-app' });
  assert.deepEqual(logStreams.map((s) => s.logStreamName), ['default', 'i-1']);
  const text = async (s) => (await ok('GetLogEvents', { logGroupName: 'otlp-app', logStreamName: s })).events.map((e) => e.message);
  assert.deepEqual(await text('i-1'), ['from otlp']);
  assert.deepEqual(await text('default'), ['no instance']);
  await fails('PutLogEvents', { logGroupName: 'otlp-app', logStreamName: 'i-1', logEvents: [{ timestamp: now(), message: 'x' }] }, 'ResourceNotFoundException');
  await ok('DeleteLogStream', { logGroupName: 'otlp-app', logStreamName: 'i-1' });
  assert.deepEqual((await ok('DescribeLogStreams', { logGroupName: 'otlp-app' })).logStreams.map((s) => s.logStreamName), ['default']);
});

test('tags by both ways are one set; retention is shown and limited', async () => {
  await ok('CreateLogGroup', { logGroupName: 'tags', tags: { made: 'yes' } });
  const resourceArn = 'arn:aws:logs:eu-west-1:123456789012:log-group:tags';
  await ok('TagResource', { resourceArn, tags: { a: '1' } });
  await ok('TagLogGroup', { logGroupName: 'tags', tags: { b: '2' } });
  assert.deepEqual((await ok('ListTagsForResource', { resourceArn })).tags, { a: '1', b: '2', made: 'yes' });
  await ok('UntagResource', { resourceArn, tagKeys: ['a'] });
  await ok('UntagLogGroup', { logGroupName: 'tags', tags: ['made'] });
  assert.deepEqual((await ok('ListTagsLogGroup', { logGroupName: 'tags' })).tags, { b: '2' });
  await fails('TagResource', { resourceArn, tags: Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`k${i}`, 'v'])) }, 'TooManyTagsException');
  await fails('TagResource', { resourceArn: `${resourceArn}x`, tags: { a: '1' } }, 'ResourceNotFoundException');
  await ok('PutRetentionPolicy', { logGroupName: 'tags', retentionInDays: 30 });
  assert.equal((await ok('DescribeLogGroups', { logGroupNamePrefix: 'tags' })).logGroups[0].retentionInDays, 30);
  await fails('PutRetentionPolicy', { logGroupName: 'tags', retentionInDays: 31 }, 'InvalidParameterException', /retentionInDays/);
  await ok('DeleteRetentionPolicy', { logGroupName: 'tags' });
  assert.ok(!('retentionInDays' in (await ok('DescribeLogGroups', { logGroupNamePrefix: 'tags' })).logGroups[0]));
});

test('retention: older lines go, whatever wire they came by, and are counted', async () => {
  await makeStream('short', 's');
  const t = now();
  for (const days of [3, 2]) await put('short', 's', [{ timestamp: t - days * 86400000, message: `${days} days` }]);
  await put('short', 's', [{ timestamp: t, message: 'today' }]);
  const record = { timeUnixNano: `${t - 5 * 86400000}000000`, body: { stringValue: '5 days, of otlp' } };
  await skep.json('POST', '/v1/logs', { resourceLogs: [{ resource: { attributes: [{ key: 'service.name', value: { stringValue: 'short' } }] }, scopeLogs: [{ logRecords: [record] }] }] });
  const lines = async () => (await ok('FilterLogEvents', { logGroupName: 'short' })).events.map((e) => e.message);
  assert.deepEqual(await lines(), ['5 days, of otlp', '3 days', '2 days', 'today']);
  await ok('PutRetentionPolicy', { logGroupName: 'short', retentionInDays: 3 });
  await until('lines to expire', async () => (await lines()).length === 2);
  assert.deepEqual(await lines(), ['2 days', 'today']);
  await ok('PutRetentionPolicy', { logGroupName: 'short', retentionInDays: 1 });
  await until('lines to expire', async () => (await lines()).length === 1);
  assert.equal((await ok('DescribeLogGroups', { logGroupNamePrefix: 'short' })).logGroups[0].storedBytes, 5);
  const { sources } = await skep.json('GET', '/skep/v1/ledger');
  for (const s of sources) assert.equal(s.totals.difference + s.totals.store_difference, 0, s.source);
});

test('deleting: rows are gone from every count at once, and the group can be made anew, empty', async () => {
  await makeStream('gone', 'a');
  await ok('CreateLogStream', { logGroupName: 'gone', logStreamName: 'b' });
  for (const s of ['a', 'b']) await put('gone', s, [{ timestamp: now(), message: `line of ${s}` }]);
  const count = async () => (await skep.query({ dataset: 'gone', time_range: 600, calculations: [{ op: 'COUNT' }] })).totals.values[0];
  const lines = async () => (await ok('FilterLogEvents', { logGroupName: 'gone' })).events.map((e) => e.message);
  assert.equal(await count(), 2);
  await ok('DeleteLogStream', { logGroupName: 'gone', logStreamName: 'a' });
  assert.deepEqual(await lines(), ['line of b']);
  assert.equal(await count(), 1);
  await fails('DeleteLogStream', { logGroupName: 'gone', logStreamName: 'a' }, 'ResourceNotFoundException', 'The specified log stream does not exist.');
  await ok('PutLogGroupDeletionProtection', { logGroupIdentifier: 'gone', deletionProtectionEnabled: true });
  await fails('DeleteLogGroup', { logGroupName: 'gone' }, 'ValidationException', /protected/);
  await ok('PutLogGroupDeletionProtection', { logGroupIdentifier: 'gone', deletionProtectionEnabled: false });
  await ok('DeleteLogGroup', { logGroupName: 'gone' });
  await fails('DeleteLogGroup', { logGroupName: 'gone' }, 'ResourceNotFoundException', 'The specified log group does not exist.');
  await fails('FilterLogEvents', { logGroupName: 'gone' }, 'ResourceNotFoundException');
  assert.equal(await count(), 0);
  await makeStream('gone', 'a');
  assert.deepEqual(await lines(), []);
});

test('a group that is deleted while lines come: what was acknowledged before is gone, none comes back', async () => {
  let stop = false;
  const statuses = new Set();
  const writer = async (w) => {
    while (!stop) {
      const r = await call('PutLogEvents', { logGroupName: 'race', logStreamName: 's', logEvents: [{ timestamp: now(), message: `w${w}` }] });
      statuses.add(r.status === 200 ? 'ok' : (await r.json()).message);
    }
  };
  await makeStream('race', 's');
  const writers = [0, 1, 2].map(writer);
  for (let i = 0; i < 10; i++) {
    await until('lines', async () => (await ok('FilterLogEvents', { logGroupName: 'race', limit: 1 })).events.length === 1);
    await ok('DeleteLogGroup', { logGroupName: 'race' });
    assert.equal((await skep.query({ dataset: 'race', time_range: 600, calculations: [{ op: 'COUNT' }] })).totals.values[0], 0);
    assert.deepEqual((await ok('DescribeLogGroups', { logGroupNamePrefix: 'race' })).logGroups, []);
    await makeStream('race', 's');
  }
  stop = true;
  await Promise.all(writers);
  assert.ok(statuses.has('ok') && statuses.has('The specified log group does not exist.'));
  for (const text of statuses) assert.match(text, /^ok$|does not exist\.$/);
});

test('all of it is there after a restart', async () => {
  await makeStream('kept', 's');
  await put('kept', 's', [{ timestamp: now(), message: 'kept line' }]);
  const [event] = (await ok('FilterLogEvents', { logGroupName: 'kept' })).events;
  const { dir } = skep;
  skep.ownDir = false;
  await skep.kill();
  skep = await Skep.start({ dir });
  skep.ownDir = true;
  assert.deepEqual((await ok('FilterLogEvents', { logGroupName: 'kept' })).events, [event]);
  assert.equal((await ok('DescribeLogStreams', { logGroupName: 'kept' })).logStreams[0].logStreamName, 's');
  await put('kept', 's', [{ timestamp: now(), message: 'more' }]);
});

test('metric filters: kept, tried, counted from the lines', async () => {
  await makeStream('metrics', 's');
  await put('metrics', 's', [{ timestamp: now(), message: '{"latency": 1000}' }]); // before the filters: not theirs
  const filter = (filterName, filterPattern, metricValue, more = {}) => ({ logGroupName: 'metrics', filterName, filterPattern,
    metricTransformations: [{ metricName: filterName, metricNamespace: 'ns', metricValue, ...more }] });
  await ok('PutMetricFilter', filter('errors', 'ERROR', '1', { defaultValue: 0 }));
  await ok('PutMetricFilter', filter('latency', '{ $.latency = * }', '$.latency'));
  await ok('PutMetricFilter', filter('bytes', '[ip, status, bytes]', '$bytes'));
  await fails('PutMetricFilter', filter('bad', '{ $.x = ', '1'), 'InvalidParameterException', /Invalid filter pattern/);
  await fails('PutMetricFilter', filter('bad', 'ERROR', '$.x'), 'InvalidParameterException', /metricValue/);
  await fails('PutMetricFilter', filter('bad', '{ $.x = 1 }', '1', { defaultValue: 0, dimensions: { a: '$.x' } }), 'InvalidParameterException', /mutually exclusive/);
  await fails('PutMetricFilter', { ...filter('bad', 'x', '1'), metricTransformations: [] }, 'InvalidParameterException', /metricTransformations/);
  await fails('PutMetricFilter', { ...filter('bad', 'x', '1'), logGroupName: 'none' }, 'ResourceNotFoundException');
  const t = now();
  await put('metrics', 's', ['ERROR a', 'fine', 'ERROR b', '{"latency": 7.5}', '{"latency": 2}', '1.2.3.4 200 512', '1.2.3.4 404 8'].map((message) => ({ timestamp: t, message })));
  const metric = (name) => skep.json('GET', `/skep/v1/logs-metric?logGroupName=metrics&filterName=${name}&start=${Math.floor(t / 1000) - 600}&end=${Math.floor(t / 1000) + 60}&period=3600`);
  const sum = async (name) => { const m = await metric(name); return [m.matches.reduce((a, b) => a + b, 0), m.values.reduce((a, b) => a + b, 0)]; };
  assert.deepEqual(await sum('errors'), [2, 2]);
  assert.deepEqual(await sum('latency'), [2, 9.5]);
  const { matches, values } = await metric('errors');
  assert.equal(matches.length, values.length);
  const listed = await ok('DescribeMetricFilters', { logGroupName: 'metrics' });
  assert.deepEqual(listed.metricFilters.map((f) => f.filterName), ['bytes', 'errors', 'latency']);
  assert.deepEqual(listed.metricFilters[1].metricTransformations, [{ metricName: 'errors', metricNamespace: 'ns', metricValue: '1', defaultValue: 0 }]);
  assert.equal(listed.metricFilters[1].filterPattern, 'ERROR');
  assert.deepEqual((await ok('DescribeMetricFilters', { metricName: 'latency', metricNamespace: 'ns' })).metricFilters.map((f) => f.filterName), ['latency']);
  const first = await ok('DescribeMetricFilters', { logGroupName: 'metrics', limit: 2 });
  assert.deepEqual((await ok('DescribeMetricFilters', { logGroupName: 'metrics', limit: 2, nextToken: first.nextToken })).metricFilters.map((f) => f.filterName), ['latency']);
  assert.equal((await ok('DescribeLogGroups', { logGroupNamePrefix: 'metrics' })).logGroups[0].metricFilterCount, 3);
  await ok('DeleteMetricFilter', { logGroupName: 'metrics', filterName: 'bytes' });
  await fails('DeleteMetricFilter', { logGroupName: 'metrics', filterName: 'bytes' }, 'ResourceNotFoundException');
  const tried = await ok('TestMetricFilter', { filterPattern: '[ip, status = 4*, bytes]', logEventMessages: ['1.2.3.4 200 512', '1.2.3.4 404 8'] });
  assert.deepEqual(tried.matches, [{ eventNumber: 2, eventMessage: '1.2.3.4 404 8', extractedValues: { $ip: '1.2.3.4', $status: '404', $bytes: '8' } }]);
});

test('subscription filters deliver lines to an URL, once each, over failures and a restart', async () => {
  await makeStream('subscribed', 'a');
  await ok('CreateLogStream', { logGroupName: 'subscribed', logStreamName: 'b' });
  await put('subscribed', 'a', [{ timestamp: now(), message: 'ERROR before' }]);
  const got = [];
  let failing = 0;
  const hook = createServer((req, res) => {
    let body = '';
    req.on('data', (d) => { body += d; });
    req.on('end', () => {
      if (failing > 0) { failing--; res.writeHead(500).end(); return; }
      got.push(JSON.parse(body));
      res.writeHead(204).end();
    });
  });
  await new Promise((r) => { hook.listen(0, '127.0.0.1', r); });
  const destinationArn = `http://127.0.0.1:${hook.address().port}/hook`;
  const filter = { logGroupName: 'subscribed', filterName: 'f', filterPattern: 'ERROR' };
  await fails('PutSubscriptionFilter', { ...filter, destinationArn: 'arn:aws:lambda:x:1:function:f' }, 'InvalidParameterException', /URL/);
  await fails('PutSubscriptionFilter', { ...filter, destinationArn: 'http://127.0.0.1:1/' }, 'InvalidParameterException', /^Could not deliver test message to specified destination/);
  await ok('PutSubscriptionFilter', { ...filter, destinationArn });
  assert.equal(got[0].messageType, 'CONTROL_MESSAGE');
  assert.deepEqual((await ok('DescribeSubscriptionFilters', { logGroupName: 'subscribed' })).subscriptionFilters.map((f) => [f.filterName, f.destinationArn]), [['f', destinationArn]]);
  const lines = () => got.slice(1).flatMap((m) => m.logEvents.map((e) => [m.logStream, e.message]));
  failing = 1;
  await put('subscribed', 'a', [{ timestamp: now(), message: 'ERROR one' }, { timestamp: now(), message: 'fine' }]);
  await put('subscribed', 'b', [{ timestamp: now(), message: 'ERROR two' }]);
  await until('both lines', () => lines().length >= 2);
  assert.deepEqual(lines(), [['a', 'ERROR one'], ['b', 'ERROR two']]);
  assert.equal(got[1].messageType, 'DATA_MESSAGE');
  assert.deepEqual(got[1].subscriptionFilters, ['f']);
  const { events } = await ok('FilterLogEvents', { logGroupName: 'subscribed', filterPattern: 'ERROR one' });
  assert.equal(got[1].logEvents[0].id, events[0].eventId);
  await ok('PutSubscriptionFilter', { ...filter, filterName: 'g', destinationArn });
  await fails('PutSubscriptionFilter', { ...filter, filterName: 'h', destinationArn }, 'LimitExceededException', 'Resource limit exceeded.');
  await ok('DeleteSubscriptionFilter', { logGroupName: 'subscribed', filterName: 'g' });
  await fails('DeleteSubscriptionFilter', { logGroupName: 'subscribed', filterName: 'g' }, 'ResourceNotFoundException', 'The specified subscription filter does not exist.');
  failing = 1e9; // away while the line comes, and while the server restarts
  await put('subscribed', 'b', [{ timestamp: now(), message: 'ERROR three' }]);
  const { dir } = skep;
  skep.ownDir = false;
  assert.equal(await skep.stop(), 0);
  skep = await Skep.start({ dir });
  skep.ownDir = true;
  failing = 0;
  await until('the line that waited', () => lines().some(([, m]) => m === 'ERROR three'));
  assert.deepEqual(lines().filter(([, m]) => m !== 'ERROR three'), [['a', 'ERROR one'], ['b', 'ERROR two']]);
  await new Promise((r) => { hook.close(r); hook.closeAllConnections(); });
});

test('exports: lines of each stream in files, one task at a time, none leaves its folder', async () => {
  await makeStream('exported', 'web/1');
  await ok('CreateLogStream', { logGroupName: 'exported', logStreamName: '..' });
  const t = now() - 60000;
  await put('exported', 'web/1', Array.from({ length: 5000 }, (_, i) => ({ timestamp: t + i, message: `line ${i} \u00e9` })));
  await put('exported', '..', [{ timestamp: t, message: 'dots' }]);
  const ask = { logGroupName: 'exported', from: t, to: t + 4998, destination: 'bucket' };
  for (const destination of ['..', 'a/b', '.hidden', '/etc', '']) await fails('CreateExportTask', { ...ask, destination }, 'InvalidParameterException');
  for (const destinationPrefix of ['../x', 'a/../b', '/abs', 'a//b', 'a/']) await fails('CreateExportTask', { ...ask, destinationPrefix }, 'InvalidParameterException');
  await fails('CreateExportTask', { ...ask, from: t + 5000, to: t }, 'InvalidParameterException');
  await fails('CreateExportTask', { ...ask, logGroupName: 'none' }, 'ResourceNotFoundException');
  const { taskId } = await ok('CreateExportTask', { ...ask, taskName: 'mine' });
  const task = async () => (await ok('DescribeExportTasks', { taskId })).exportTasks[0];
  await until('it to be written', async () => (await task()).status.code !== 'RUNNING');
  const done = await task();
  assert.equal(done.status.code, 'COMPLETED', JSON.stringify(done));
  assert.equal(done.taskName, 'mine');
  assert.ok(done.executionInfo.completionTime >= done.executionInfo.creationTime);
  const folder = join(skep.dir, 'export/bucket/exportedlogs', taskId);
  assert.deepEqual(readdirSync(folder).sort(), ['-..', 'web-1']);
  const lines = gunzipSync(readFileSync(join(folder, 'web-1/000000.gz'))).toString().trim().split('\n');
  assert.equal(lines.length, 4999);
  assert.equal(lines[4998], `${new Date(t + 4998).toISOString()} line 4998 \u00e9`);
  await fails('CancelExportTask', { taskId }, 'InvalidOperationException');
  await fails('CancelExportTask', { taskId: 'none' }, 'ResourceNotFoundException');
  assert.deepEqual((await ok('DescribeExportTasks', { statusCode: 'FAILED' })).exportTasks, []);
});
