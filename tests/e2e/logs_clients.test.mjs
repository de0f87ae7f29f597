// SPDX-License-Identifier: Apache-2.0
// CloudWatch Logs with real clients: AWS's SDK for JavaScript (live tail too), winston-cloudwatch, boto3, the AWS
// CLI's tail --follow, watchtower's requests as they were recorded; keys; connections that are torn.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { makeKey, run as skepRun } from './keyring.mjs';
import { Skep, root, until } from './support.mjs';

const exec = promisify(execFile);
const require = createRequire(join(root, 'tests/clients/node/package.json'));
const L = require('@aws-sdk/client-cloudwatch-logs');

let skep, client;
const newClient = (url, credentials = { accessKeyId: 'a', secretAccessKey: 'b' }) => new L.CloudWatchLogsClient({ endpoint: url, region: 'eu-west-1', credentials, disableHostPrefix: true, maxAttempts: 1 });
before(async () => { skep = await Skep.start(); client = newClient(skep.url); });
after(async () => { client.destroy(); await skep.done(); });

const send = (name, input = {}, by = client) => by.send(new L[`${name}Command`](input));
const failsWith = (promise, name) => assert.rejects(promise, (e) => { assert.equal(e.name, name, String(e)); return true; });
const totals = async (s) => {
  const ledger = await s.json('GET', '/skep/v1/ledger');
  return ledger.sources.find((x) => x.source === 'logs')?.totals;
};

test('the SDK for JavaScript: every operation that works', async () => {
  const group = { logGroupName: 'js' }, stream = { ...group, logStreamName: 's' };
  await send('CreateLogGroup', { ...group, tags: { a: '1' } });
  await failsWith(send('CreateLogGroup', group), 'ResourceAlreadyExistsException');
  await send('CreateLogStream', stream);
  const t = Date.now();
  const put = await send('PutLogEvents', { ...stream, logEvents: [{ timestamp: t, message: 'ERROR one' }, { timestamp: t + 1, message: '{"latency": 12, "ok": true}' }] });
  assert.match(put.nextSequenceToken, /^\d{56}$/);
  await send('PutRetentionPolicy', { ...group, retentionInDays: 30 });
  const { logGroups: [g] } = await send('DescribeLogGroups', { logGroupNamePrefix: 'js' });
  assert.equal(g.retentionInDays, 30);
  assert.equal(g.storedBytes, 'ERROR one'.length + '{"latency": 12, "ok": true}'.length);
  assert.deepEqual((await send('ListLogGroups', { logGroupNamePattern: 'js$|^js' })).logGroups.map((x) => x.logGroupName), ['js']);
  assert.equal((await send('DescribeLogStreams', group)).logStreams[0].lastEventTimestamp, t + 1);
  assert.deepEqual((await send('GetLogEvents', stream)).events.map((e) => e.message), ['ERROR one', '{"latency": 12, "ok": true}']);
  const { events: [found] } = await send('FilterLogEvents', { ...group, filterPattern: '{ $.latency > 10 && $.ok IS TRUE }' });
  const { logRecord } = await send('GetLogRecord', { logRecordPointer: found.eventId });
  assert.equal(logRecord.latency, '12');
  await failsWith(send('FilterLogEvents', { ...group, filterPattern: '{ $.a = ' }), 'InvalidParameterException');

  await send('TagResource', { resourceArn: g.logGroupArn, tags: { b: '2' } });
  await send('TagLogGroup', { ...group, tags: { c: '3' } });
  await send('UntagLogGroup', { ...group, tags: ['c'] });
  await send('UntagResource', { resourceArn: g.logGroupArn, tagKeys: ['a'] });
  assert.deepEqual((await send('ListTagsForResource', { resourceArn: g.logGroupArn })).tags, { b: '2' });
  assert.deepEqual((await send('ListTagsLogGroup', group)).tags, { b: '2' });

  const metric = { ...group, filterName: 'm', filterPattern: 'ERROR', metricTransformations: [{ metricName: 'e', metricNamespace: 'n', metricValue: '1' }] };
  await send('PutMetricFilter', metric);
  assert.equal((await send('DescribeMetricFilters', group)).metricFilters.length, 1);
  assert.deepEqual((await send('TestMetricFilter', { filterPattern: '{ $.a = * }', logEventMessages: ['{"a":5}', 'x'] })).matches.map((m) => m.extractedValues), [{ '$.a': '5' }]);
  await send('DeleteMetricFilter', { ...group, filterName: 'm' });

  const hook = createServer((req, res) => { req.resume(); req.on('end', () => res.writeHead(200).end()); });
  await new Promise((r) => { hook.listen(0, '127.0.0.1', r); });
  await send('PutSubscriptionFilter', { ...group, filterName: 'f', filterPattern: '', destinationArn: `http://127.0.0.1:${hook.address().port}/` });
  assert.equal((await send('DescribeSubscriptionFilters', group)).subscriptionFilters.length, 1);
  await send('DeleteSubscriptionFilter', { ...group, filterName: 'f' });
  await new Promise((r) => { hook.close(r); hook.closeAllConnections(); });

  await send('PutResourcePolicy', { policyName: 'p', policyDocument: '{"Statement":[{"Effect":"Allow"}]}' });
  assert.equal((await send('DescribeResourcePolicies')).resourcePolicies[0].policyName, 'p');
  await failsWith(send('PutResourcePolicy', { policyName: 'q', policyDocument: '{"Statement":[{"Effect":"Deny"}]}' }), 'InvalidParameterException');
  await send('DeleteResourcePolicy', { policyName: 'p' });
  const { taskId } = await send('CreateExportTask', { ...group, from: t, to: t + 10, destination: 'js' });
  await until('the export', async () => (await send('DescribeExportTasks', { taskId })).exportTasks[0].status.code === 'COMPLETED');
  await failsWith(send('CancelExportTask', { taskId }), 'InvalidOperationException');
  await send('PutLogGroupDeletionProtection', { logGroupIdentifier: 'js', deletionProtectionEnabled: false });
  await send('DeleteRetentionPolicy', group);
  assert.deepEqual((await send('DescribeDestinations')).destinations, []);
  await failsWith(send('AssociateKmsKey', { ...group, kmsKeyId: 'k' }), 'InvalidParameterException');
  await send('DeleteLogStream', stream);
  await failsWith(send('DeleteLogStream', stream), 'ResourceNotFoundException');
  await send('DeleteLogGroup', group);
  await failsWith(send('DescribeLogStreams', group), 'ResourceNotFoundException');
});

test('live tail: the session, lines that pass, and many lines at once are sampled', async () => {
  for (const g of ['live-1', 'live-2']) {
    await send('CreateLogGroup', { logGroupName: g });
    await send('CreateLogStream', { logGroupName: g, logStreamName: 's' });
  }
  const logGroupIdentifiers = ['live-1', 'live-2'].map((g) => `arn:aws:logs:eu-west-1:000000000000:log-group:${g}`);
  await failsWith(send('StartLiveTail', { logGroupIdentifiers: ['arn:aws:logs:eu-west-1:000000000000:log-group:none'] }), 'ResourceNotFoundException');
  await failsWith(send('StartLiveTail', { logGroupIdentifiers, logStreamNames: ['s'] }), 'InvalidParameterException');
  await failsWith(send('StartLiveTail', { logGroupIdentifiers, logEventFilterPattern: '%(%' }), 'InvalidParameterException');
  const { responseStream } = await send('StartLiveTail', { logGroupIdentifiers, logEventFilterPattern: 'ERROR' });
  const seen = [];
  let sampled = false, step = 0;
  const put = (g, messages) => send('PutLogEvents', { logGroupName: g, logStreamName: 's', logEvents: messages.map((message) => ({ timestamp: Date.now(), message })) });
  for await (const event of responseStream) {
    if (event.sessionStart) {
      assert.deepEqual(event.sessionStart.logGroupIdentifiers, logGroupIdentifiers);
      assert.equal(event.sessionStart.logEventFilterPattern, 'ERROR');
      continue;
    }
    assert.ok(event.sessionUpdate.sessionMetadata);
    seen.push(...event.sessionUpdate.sessionResults);
    sampled ||= event.sessionUpdate.sessionMetadata.sampled;
    if (step === 0) {
      step = 1;
      await put('live-1', ['ERROR a', 'fine']);
      await put('live-2', ['ERROR b']);
    } else if (step === 1 && seen.length === 2) {
      step = 2;
      await put('live-1', Array.from({ length: 900 }, (_, i) => `ERROR ${i}`));
    } else if (sampled) {
      break;
    }
  }
  assert.deepEqual(seen.slice(0, 2).map((e) => [e.logGroupIdentifier, e.message]), [['000000000000:live-1', 'ERROR a'], ['000000000000:live-2', 'ERROR b']]);
  assert.equal(seen.length, 502);
});

test('winston-cloudwatch: lines and pretty-printed JSON arrive, once each', async () => {
  const winston = require('winston');
  const WinstonCloudWatch = require('winston-cloudwatch');
  const logger = (name, more) => {
    const transport = new WinstonCloudWatch({
      name, logGroupName: 'winston', logStreamName: name, uploadRate: 100, retentionInDays: 7,
      awsOptions: { endpoint: skep.url, region: 'eu-west-1', credentials: { accessKeyId: 'a', secretAccessKey: 'b' } }, ...more,
    });
    return { transport, log: winston.createLogger({ levels: winston.config.npm.levels, level: 'silly', transports: [transport] }) };
  };
  const text = logger('text', {}), json = logger('json', { jsonMessage: true });
  text.log.error('something broke');
  text.log.info('something went well');
  json.log.warn('with fields', { user: { id: 7 } });
  await until('winston\'s lines', async () => {
    const r = await send('FilterLogEvents', { logGroupName: 'winston' });
    return r.events.length >= 3;
  }, 20000);
  text.log.info('one more');
  await until('one more', async () => (await send('FilterLogEvents', { logGroupName: 'winston', filterPattern: '"one more"' })).events.length === 1);
  for (const { transport } of [text, json]) await new Promise((r) => { transport.kthxbye(r); });
  const lines = (await send('FilterLogEvents', { logGroupName: 'winston', logStreamNames: ['text'] })).events.map((e) => e.message);
  assert.deepEqual(lines.sort(), ['error - something broke', 'info - one more', 'info - something went well']); // it sends lines of one millisecond in any order
  const q = await skep.query({ dataset: 'winston', time_range: 600, calculations: [{ op: 'COUNT' }, { op: 'MAX', column: 'user.id' }], breakdowns: ['severity'] });
  assert.deepEqual(Object.fromEntries(q.groups.map((x) => [x.key[0], x.values])), { error: [1, null], info: [2, null], warn: [1, 7] });
  assert.equal((await send('DescribeLogGroups', { logGroupNamePrefix: 'winston' })).logGroups[0].retentionInDays, 7);
});

test('watchtower: its requests as they were recorded', async () => {
  const recorded = JSON.parse(readFileSync(join(root, 'tests/golden/logs/watchtower.json'), 'utf8'));
  const t = Date.now() - 1000;
  const answers = [];
  for (const { headers, body } of recorded) {
    for (const e of body.logEvents ?? []) e.timestamp += t;
    const r = await skep.call('POST', '/', JSON.stringify(body), headers);
    const answer = await r.text();
    answers.push([headers['x-amz-target'].split('.')[1], r.status, answer && JSON.parse(answer)]);
  }
  assert.deepEqual(answers.map(([name, status]) => [name, status]), [
    ['DescribeLogGroups', 200], ['CreateLogGroup', 200], ['PutLogEvents', 400], ['CreateLogStream', 200], ['PutLogEvents', 200]]);
  assert.equal(answers[2][2].message, 'The specified log stream does not exist.');
  assert.ok(!answers[4][2].rejectedLogEventsInfo);
  const { events } = await send('FilterLogEvents', { logGroupName: 'cruddur' });
  assert.deepEqual(events.map((e) => e.message), recorded[4].body.logEvents.map((e) => e.message));
  const q = await skep.query({ dataset: 'cruddur', time_range: 600, calculations: [{ op: 'COUNT' }], breakdowns: ['host.name', 'process.pid'] });
  assert.deepEqual(q.groups.map((x) => x.key), [['vm', 25372]]);
});

const has = (command, args) => { try { return require('node:child_process').spawnSync(command, args).status === 0; } catch { return false; } };
const python = ['/usr/bin/python3', 'python3'].find((p) => has(p, ['-c', 'import boto3']));
// A request as it stands on the wire, and the raw answer: what fluent-bit's and Docker's own readers see.
const wire = (op, body, headers) => new Promise((resolve, reject) => {
  const { port, hostname } = new URL(skep.url);
  const socket = connect(Number(port), hostname, () => socket.write(
    `POST / HTTP/1.1\r\nHost: ${hostname}:${port}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${Object.entries({ 'Content-Type': 'application/x-amz-json-1.1', 'X-Amz-Target': `Logs_20140328.${op}`, Connection: 'close', ...headers }).map(([k, v]) => `${k}: ${v}\r\n`).join('')}\r\n${body}`));
  let raw = '';
  socket.on('data', (d) => { raw += d; });
  socket.on('error', reject);
  socket.on('close', () => resolve({ status: Number(raw.slice(9, 12)), raw, body: raw.slice(raw.indexOf('\r\n\r\n') + 4) }));
});
const auth = (agent, signed) => ({ 'User-Agent': agent, 'X-Amz-Date': '20261129T200000Z', Authorization: `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261129/eu-west-1/logs/aws4_request, SignedHeaders=${signed}, Signature=${'0'.repeat(64)}` });

// From its source (out_cloudwatch_logs), not run: bodies made by hand, errors found by the first token of the body, an
// answer without a request id taken for a failure, a chunk dropped when its stream is not there any more.
test('fluent-bit: its requests, and what it looks for in the answers', async () => {
  const ask = (op, body) => wire(op, body, { ...auth('aws-fluent-bit-plugin', 'content-type;host;x-amz-date;x-amz-target'), 'x-amzn-logs-format': 'json/emf' });
  const ok = (r) => r.status === 200 && /\r\nx-amzn-requestid: [0-9a-f-]{36}\r\n/i.test(r.raw);
  const failed = (r, type) => r.status === 400 && r.body.startsWith(`{"__type":"${type}"`);
  const group = '"logGroupName":"fluent"', stream = `{${group},"logStreamName":"from-cpu.0"}`;
  assert.ok(failed(await ask('CreateLogStream', stream), 'ResourceNotFoundException'));
  assert.ok(ok(await ask('CreateLogGroup', `{${group}}`)));
  assert.ok(ok(await ask('PutRetentionPolicy', `{${group},"retentionInDays":14}`)));
  assert.ok(ok(await ask('CreateLogStream', stream)));
  assert.ok(failed(await ask('CreateLogStream', stream), 'ResourceAlreadyExistsException'));
  assert.ok(failed(await ask('CreateLogGroup', `{${group}}`), 'ResourceAlreadyExistsException'));
  const now = Date.now();
  const lines = Array.from({ length: 1000 }, (_, i) => JSON.stringify({ cpu_p: i / 8, log: `zeile ${i} \u00e9\ud83d\ude00 "q" \\ \t` }));
  const events = lines.map((l, i) => `{"timestamp":${now + i},"message":${JSON.stringify(l)}}`).join(',');
  const put = await ask('PutLogEvents', `{${group},"logStreamName":"from-cpu.0","entity":{"keyAttributes":{"Type":"Service","Name":"cpu"},"attributes":{"PlatformType":"AWS::EC2"}},"logEvents":[${events}]}`);
  assert.ok(ok(put), put.raw);
  assert.match(put.body, /^\{"nextSequenceToken":"\d{56}"\}$/);
  const { events: got } = await send('GetLogEvents', { logGroupName: 'fluent', logStreamName: 'from-cpu.0', startFromHead: true, limit: 10000 });
  assert.deepEqual(got.map((e) => e.message), lines);
  assert.ok(failed(await ask('PutLogEvents', `{${group},"logStreamName":"gone","logEvents":[{"timestamp":${now},"message":"x"}]}`), 'ResourceNotFoundException'));
});

// From its source (daemon/logger/awslogs), not run: the group is made when the stream cannot be; a batch is packed to the
// octet, a line is cut at 262,144 less 26; several flushes of one container follow each other on one stream.
test('Docker awslogs: its requests; batches packed to the last octet', async () => {
  let attempt = 0;
  const ask = (op, input) => wire(op, JSON.stringify(input), { ...auth('Docker 28.0 (linux) aws-sdk-go-v2/1.30.0', 'amz-sdk-invocation-id;amz-sdk-request;content-length;content-type;host;x-amz-date;x-amz-target'),
    'Amz-Sdk-Invocation-Id': `5a1c0000-0000-4000-8000-00000000000${attempt++}`, 'Amz-Sdk-Request': 'attempt=1; max=3' });
  const names = { logGroupName: 'docker', logStreamName: 'f'.repeat(64) };
  const missing = await ask('CreateLogStream', names);
  assert.deepEqual([missing.status, JSON.parse(missing.body).__type], [400, 'ResourceNotFoundException']);
  assert.equal((await ask('CreateLogGroup', { logGroupName: 'docker' })).status, 200);
  assert.equal((await ask('CreateLogStream', names)).status, 200);
  const t = Date.now(), line = 262144 - 26;
  const batch = (text) => ({ logEvents: Array.from({ length: 4 }, (_, i) => ({ message: text.repeat(line), timestamp: t + i })), ...names });
  const full = await ask('PutLogEvents', batch('a'));
  assert.equal(full.status, 200, full.body);
  const over = batch('b');
  over.logEvents[0].message += 'b';
  const refused = await ask('PutLogEvents', over);
  assert.deepEqual([refused.status, JSON.parse(refused.body).__type], [400, 'InvalidParameterException']);
  const escaped = await ask('PutLogEvents', batch('\u0001')); // six octets on the wire for one that counts
  assert.equal(escaped.status, 200, escaped.body);
  const { events } = await send('FilterLogEvents', { logGroupName: 'docker', filterPattern: '%a{20}%' });
  assert.deepEqual(events.map((e) => e.message.length), [line, line, line, line].slice(0, events.length));
  assert.equal((await skep.query({ dataset: 'docker', start_time: Math.floor(t / 1000) - 60, end_time: Math.ceil(t / 1000) + 60, calculations: [{ op: 'COUNT' }, { op: 'SUM', column: 'log.bytes' }], disable_series: true })).totals.values.join(), [8, 8 * line].join());
});

test('boto3', { skip: python ? false : 'no python3 has boto3' }, async () => {
  const own = await Skep.start();
  try {
    const { stdout } = await exec(python, [join(root, 'tests/clients/python/logs.py'), own.url]);
    assert.equal(stdout.trim(), 'ok');
  } finally {
    await own.done();
  }
});

const aws = existsSync('/usr/bin/aws') ? '/usr/bin/aws' : null;
test('aws logs tail --follow shows each line once, those that come late too', { skip: aws ? false : 'awscli is not installed' }, async () => {
  await send('CreateLogGroup', { logGroupName: 'tailed' });
  await send('CreateLogStream', { logGroupName: 'tailed', logStreamName: 's' });
  const put = (messages) => send('PutLogEvents', { logGroupName: 'tailed', logStreamName: 's', logEvents: messages.map((message) => ({ timestamp: Date.now(), message })) });
  await put(['ERROR first', 'fine']);
  const child = spawn(aws, ['--endpoint-url', skep.url, 'logs', 'tail', 'tailed', '--follow', '--format', 'short', '--filter-pattern', 'ERROR'], {
    env: { PATH: process.env.PATH, HOME: skep.dir, AWS_REGION: 'us-east-1', AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b', AWS_PAGER: '', PYTHONUNBUFFERED: '1' },
    stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '', err = '';
  child.stdout.on('data', (d) => { out += d; });
  child.stderr.on('data', (d) => { err += d; });
  const ended = new Promise((r) => { child.once('close', r); });
  try {
    await until('the first line', () => out.includes('ERROR first') || (err && Promise.reject(new Error(err))));
    await put(['fine again', 'ERROR second']);
    await until('the second line', () => out.includes('ERROR second'));
    await put(['ERROR third']);
    await until('the third line', () => out.includes('ERROR third'));
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
  assert.deepEqual(out.trim().split('\n').map((l) => l.replace(/^\S+ /, '')), ['ERROR first', 'ERROR second', 'ERROR third']);
});

test('keys: what each right may do, AWS\'s own errors', async () => {
  const own = await Skep.start({ args: ['--auth', 'keys'] });
  const clients = [];
  try {
    const make = async (name, rights) => {
      const k = await makeKey(own.dir, name, '--env', 'default', '--rights', rights);
      const c = newClient(own.url, { accessKeyId: k.access_key, secretAccessKey: k.aws_secret });
      clients.push(c);
      return c;
    };
    const writer = await make('writer', 'ingest'), reader = await make('reader', 'query'), admin = await make('admin', 'ingest,query,admin');
    await until('the keys to be known', () => send('DescribeLogGroups', {}, admin).then(() => true, () => false));
    const stranger = newClient(own.url);
    clients.push(stranger);
    await failsWith(send('DescribeLogGroups', {}, stranger), 'UnrecognizedClientException');
    const unsigned = await own.call('POST', '/', '{}', { 'x-amz-target': 'Logs_20140328.DescribeLogGroups' });
    assert.equal((await unsigned.json()).__type, 'MissingAuthenticationTokenException');
    await send('CreateLogGroup', { logGroupName: 'k' }, writer);
    await send('CreateLogStream', { logGroupName: 'k', logStreamName: 's' }, writer);
    await send('PutRetentionPolicy', { logGroupName: 'k', retentionInDays: 30 }, writer);
    await send('PutLogEvents', { logGroupName: 'k', logStreamName: 's', logEvents: [{ timestamp: Date.now(), message: 'x' }] }, writer);
    assert.equal((await send('DescribeLogStreams', { logGroupName: 'k' }, writer)).logStreams.length, 1, 'winston asks it');
    await failsWith(send('GetLogEvents', { logGroupName: 'k', logStreamName: 's' }, writer), 'AccessDeniedException');
    await failsWith(send('DeleteLogGroup', { logGroupName: 'k' }, writer), 'AccessDeniedException');
    assert.equal((await send('GetLogEvents', { logGroupName: 'k', logStreamName: 's' }, reader)).events.length, 1);
    await failsWith(send('PutLogEvents', { logGroupName: 'k', logStreamName: 's', logEvents: [{ timestamp: Date.now(), message: 'x' }] }, reader), 'AccessDeniedException');
    await failsWith(send('CreateLogGroup', { logGroupName: 'other' }, reader), 'AccessDeniedException');
    // Another environment sees nothing of it.
    assert.equal((await skepRun(['env', 'create', 'other', '--data', own.dir])).code, 0);
    const k = await makeKey(own.dir, 'elsewhere', '--env', 'other', '--rights', 'ingest,query,admin');
    const elsewhere = newClient(own.url, { accessKeyId: k.access_key, secretAccessKey: k.aws_secret });
    clients.push(elsewhere);
    await until('its key to be known', () => send('DescribeLogGroups', {}, elsewhere).then(() => true, () => false));
    assert.deepEqual((await send('DescribeLogGroups', {}, elsewhere)).logGroups, []);
    await send('CreateLogGroup', { logGroupName: 'k' }, elsewhere);
    await failsWith(send('GetLogEvents', { logGroupName: 'k', logStreamName: 's' }, elsewhere), 'ResourceNotFoundException');
    await send('DeleteLogGroup', { logGroupName: 'k' }, elsewhere);
    assert.equal((await send('FilterLogEvents', { logGroupName: 'k' }, reader)).events.length, 1);
    // A live tail ends with its key.
    const short = await makeKey(own.dir, 'short', '--env', 'default', '--rights', 'query');
    const watcher = newClient(own.url, { accessKeyId: short.access_key, secretAccessKey: short.aws_secret });
    clients.push(watcher);
    await until('its key to be known', () => send('DescribeLogGroups', {}, watcher).then(() => true, () => false));
    const { responseStream } = await send('StartLiveTail', { logGroupIdentifiers: ['k'] }, watcher);
    assert.equal((await skepRun(['key', 'revoke', short.id, '--data', own.dir])).code, 0);
    await assert.rejects((async () => { for await (const e of responseStream) assert.ok(e); })(), (e) => e.name === 'SessionStreamingException');
  } finally {
    for (const c of clients) c.destroy();
    await own.done();
  }
});

test('connections that are torn: nothing of them is stored, the next request is served, the account balances', async () => {
  await send('CreateLogGroup', { logGroupName: 'torn' });
  await send('CreateLogStream', { logGroupName: 'torn', logStreamName: 's' });
  const body = JSON.stringify({ logGroupName: 'torn', logStreamName: 's', logEvents: Array.from({ length: 2000 }, (_, i) => ({ timestamp: Date.now(), message: `torn ${i}` })) });
  const head = `POST / HTTP/1.1\r\nHost: 127.0.0.1:${skep.port}\r\nX-Amz-Target: Logs_20140328.PutLogEvents\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: ${body.length}\r\n\r\n`;
  for (const share of [0, 0.3, 0.9, 0.9999]) {
    await new Promise((resolve) => {
      const s = connect(skep.port, '127.0.0.1', () => s.write(head + body.slice(0, Math.floor(body.length * share)), () => s.destroy()));
      s.once('close', resolve);
      s.once('error', resolve);
    });
  }
  await send('PutLogEvents', { logGroupName: 'torn', logStreamName: 's', logEvents: [{ timestamp: Date.now(), message: 'whole' }] });
  assert.deepEqual((await send('FilterLogEvents', { logGroupName: 'torn' })).events.map((e) => e.message), ['whole']);
  const t = await totals(skep);
  assert.equal(t.difference, 0);
  assert.equal(t.store_difference, 0);
});

test('kill -9 in the middle: every acknowledged line is there, none twice', async () => {
  const own = await Skep.start();
  let c = newClient(own.url);
  try {
    await send('CreateLogGroup', { logGroupName: 'crash' }, c);
    await send('CreateLogStream', { logGroupName: 'crash', logStreamName: 's' }, c);
    const acknowledged = [];
    let stop = false, killing;
    const writers = Array.from({ length: 4 }, async (_, w) => {
      for (let i = 0; !stop; i++) {
        const logEvents = Array.from({ length: 10 }, (_, k) => ({ timestamp: Date.now(), message: `${w}-${i}-${k}` }));
        try {
          await send('PutLogEvents', { logGroupName: 'crash', logStreamName: 's', logEvents }, c);
          acknowledged.push(...logEvents.map((e) => e.message));
        } catch {
          return;
        }
        if (acknowledged.length > 2000 && !killing) killing = own.kill();
      }
    });
    await Promise.all(writers);
    stop = true;
    await killing;
    c.destroy();
    own.ownDir = false;
    const again = await Skep.start({ dir: own.dir });
    own.ownDir = true;
    c = newClient(again.url);
    try {
      const found = [];
      for (let nextToken; ;) {
        const r = await send('FilterLogEvents', { logGroupName: 'crash', nextToken }, c);
        found.push(...r.events.map((e) => e.message));
        if (!(nextToken = r.nextToken)) break;
      }
      const set = new Set(found);
      assert.equal(set.size, found.length, 'none twice');
      for (const m of acknowledged) assert.ok(set.has(m), `${m} is missing`);
      const t = await totals(again);
      assert.equal(t.difference, 0);
    } finally {
      await again.stop();
    }
  } finally {
    c.destroy();
    await own.done();
  }
});
