// SPDX-License-Identifier: Apache-2.0
// X-Ray's groups, sampling rules, tags, policies, retrievals and fixed answers: by hand, by boto3, by the AWS CLI word for
// word, and by the samplers of the X-Ray SDKs for Python and Node over TCP.
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Skep, freePort, hex, nowNs, otlpTraces, root } from './support.mjs';

const run = promisify(execFile);
let skep;
before(async () => { skep = await Skep.start(); });
after(async () => { await skep?.done(); });

const ok = (path, body, headers) => skep.json('POST', path, body, headers);

async function refused(type, path, body, headers) {
  const r = await skep.call('POST', path, body, headers);
  const e = await r.json();
  assert.equal(e.__type, type, `${path}: ${JSON.stringify(e)}`);
  assert.equal(r.headers.get('x-amzn-errortype'), type);
  assert.equal(r.status, { ResourceNotFoundException: 404 }[type] ?? 400);
  return e;
}

// A command that has the module: Debian's python3 first.
function pythonWith(module) {
  for (const python of ['/usr/bin/python3', 'python3']) {
    try {
      execFileSync(python, ['-c', `import ${module}`], { stdio: 'ignore' });
      return python;
    } catch { /* the next one */ }
  }
  return null;
}

const rule = (name, more = {}) => ({
  RuleName: name, ResourceARN: '*', Priority: 9000, FixedRate: 0.1, ReservoirSize: 5, ServiceName: 'backend-flask', ServiceType: '*', Host: '*',
  HTTPMethod: '*', URLPath: '*', Version: 1, ...more,
});
const client = (n) => String(n).padStart(24, '0');
const now = () => Math.floor(Date.now() / 1000);
const stats = (RuleName, n, RequestCount, more = {}) => ({ RuleName, ClientID: client(n), Timestamp: now(), RequestCount, SampledCount: 1, BorrowCount: 0, ...more });

test('groups: made, read, changed, deleted; Default is there', async () => {
  const { Group } = await ok('/CreateGroup', { GroupName: 'Cruddur', FilterExpression: 'service("backend-flask")' });
  assert.match(Group.GroupARN, /^arn:aws:xray:us-east-1:000000000000:group\/Cruddur\/[0-9a-f]{16}$/);
  assert.deepEqual(Group.InsightsConfiguration, { InsightsEnabled: false, NotificationsEnabled: false });
  assert.deepEqual((await ok('/GetGroup', { GroupName: 'Cruddur' })).Group, Group);
  assert.deepEqual((await ok('/GetGroup', { GroupARN: Group.GroupARN })).Group, Group);
  const changed = await ok('/UpdateGroup', { GroupARN: Group.GroupARN, FilterExpression: 'fault' });
  assert.deepEqual(changed.Group, { ...Group, FilterExpression: 'fault' });
  assert.deepEqual((await ok('/UpdateGroup', { GroupName: 'Cruddur', InsightsConfiguration: { InsightsEnabled: false } })).Group, changed.Group);
  assert.deepEqual((await ok('/Groups', {})).Groups.map((g) => g.GroupName), ['Default', 'Cruddur']);
  assert.equal((await ok('/GetGroup', { GroupName: 'Default' })).Group.FilterExpression, undefined);
  await ok('/DeleteGroup', { GroupName: 'Cruddur' });
  const again = (await ok('/CreateGroup', { GroupName: 'Cruddur' })).Group;
  assert.notEqual(again.GroupARN, Group.GroupARN);
  await refused('InvalidRequestException', '/GetGroup', { GroupARN: Group.GroupARN });
  await ok('/DeleteGroup', { GroupARN: again.GroupARN });
});

test('groups: what is wrong is said', async () => {
  const wrong = async (path, body, message) => assert.match((await refused('InvalidRequestException', path, body)).Message, message);
  await wrong('/CreateGroup', {}, /^1 validation error detected: Value null at 'groupName' failed/);
  await wrong('/CreateGroup', { GroupName: 'a/b' }, /pattern/);
  await wrong('/CreateGroup', { GroupName: 'x'.repeat(33) }, /less than or equal to 32/);
  await wrong('/CreateGroup', { GroupName: 'Default' }, /exists already/);
  await wrong('/CreateGroup', { GroupName: 'a', FilterExpression: 'service("a"' }, /position 11/);
  await wrong('/CreateGroup', { GroupName: 'a', InsightsConfiguration: { InsightsEnabled: true } }, /does not look for insights/);
  await wrong('/GetGroup', {}, /^Either GroupName or GroupARN must be specified$/);
  await wrong('/GetGroup', { GroupName: 'a', GroupARN: 'arn:aws:xray:r:0:group/a' }, /not both/);
  await wrong('/GetGroup', { GroupARN: 'arn:aws:xray:r:0:sampling-rule/a' }, /must be an ARN/);
  await wrong('/DeleteGroup', { GroupName: 'Default' }, /cannot be deleted/);
  await wrong('/UpdateGroup', { GroupName: 'Default', FilterExpression: 'fault' }, /cannot be changed/);
  await wrong('/UpdateGroup', { GroupName: 'nobody' }, /does not exist/);
});

test('a group stands in filter expressions, and not as part of itself', async () => {
  const at = nowNs(), good = hex(32), bad = hex(32);
  const span = (traceId, status) => ({ traceId, spanId: hex(16), name: 'GET /', startNs: at, endNs: at + 1000000n, status: { code: status } });
  await ok('/v1/traces', otlpTraces('grouped', [span(good, 1), span(bad, 2)]));
  await ok('/CreateGroup', { GroupName: 'faults', FilterExpression: 'service("grouped") { fault }' });
  const range = { StartTime: Number(at / 1000000000n) - 60, EndTime: Number(at / 1000000000n) + 60 };
  const found = await ok('/TraceSummaries', { ...range, FilterExpression: 'group.name = "faults"' });
  assert.deepEqual(found.TraceSummaries.map((t) => t.Id.replaceAll('-', '').slice(1)), [bad]);
  await ok('/CreateGroup', { GroupName: 'around', FilterExpression: 'group.name = "faults" OR user = "a"' });
  for (const other of ['faults', 'around']) {
    await refused('InvalidRequestException', '/UpdateGroup', { GroupName: 'faults', FilterExpression: `group.name = "${other}"` });
  }
  await ok('/DeleteGroup', { GroupName: 'around' });
  const e = await refused('InvalidRequestException', '/TraceSummaries', { ...range, FilterExpression: 'group.name = "nobody"' });
  assert.match(e.Message, /position/);
  await ok('/DeleteGroup', { GroupName: 'faults' });
});

test('sampling rules: made, read, changed, deleted; Default takes everything', async () => {
  const before = await ok('/SamplingTargets', { SamplingStatisticsDocuments: [] });
  const [{ SamplingRule: first }] = (await ok('/GetSamplingRules', {})).SamplingRuleRecords;
  assert.deepEqual([first.RuleName, first.Priority, first.ReservoirSize, first.FixedRate, first.Version, first.Attributes], ['Default', 10000, 1, 1, 1, {}]);
  const made = (await ok('/CreateSamplingRule', { SamplingRule: rule('Cruddur') })).SamplingRuleRecord;
  assert.deepEqual(made.SamplingRule, { ...rule('Cruddur'), RuleARN: 'arn:aws:xray:us-east-1:000000000000:sampling-rule/Cruddur', Attributes: {} });
  assert.equal(typeof made.CreatedAt, 'number');
  await ok('/CreateSamplingRule', { SamplingRule: rule('early', { Priority: 1, FixedRate: 1, SamplingRateBoost: { MaxRate: 0.5, CooldownWindowMinutes: 10 } }) });
  const listed = (await ok('/GetSamplingRules', {})).SamplingRuleRecords;
  assert.deepEqual(listed.map((r) => r.SamplingRule.RuleName), ['early', 'Cruddur', 'Default']);
  assert.deepEqual(listed[0].SamplingRule.SamplingRateBoost, { MaxRate: 0.5, CooldownWindowMinutes: 10 });
  assert.deepEqual(listed[1], made);
  const changed = (await ok('/UpdateSamplingRule', { SamplingRuleUpdate: { RuleName: 'Cruddur', URLPath: '/api/*' } })).SamplingRuleRecord;
  assert.deepEqual(changed.SamplingRule, { ...made.SamplingRule, URLPath: '/api/*' });
  const tuned = (await ok('/UpdateSamplingRule', { SamplingRuleUpdate: { RuleName: 'Default', FixedRate: 0.05 } })).SamplingRuleRecord;
  assert.deepEqual([tuned.SamplingRule.FixedRate, tuned.SamplingRule.ReservoirSize], [0.05, 1]);
  await ok('/UpdateSamplingRule', { SamplingRuleUpdate: { RuleName: 'Default', FixedRate: 1 } });
  const then = await ok('/SamplingTargets', { SamplingStatisticsDocuments: [] });
  assert.ok(then.LastRuleModification > before.LastRuleModification);
  const gone = (await ok('/DeleteSamplingRule', { RuleARN: made.SamplingRule.RuleARN })).SamplingRuleRecord;
  assert.equal(gone.SamplingRule.RuleName, 'Cruddur');
  await ok('/DeleteSamplingRule', { RuleName: 'early' });
  const last = await ok('/SamplingTargets', { SamplingStatisticsDocuments: [] });
  assert.ok(last.LastRuleModification > then.LastRuleModification, 'deleting is a modification');
});

test('sampling rules: what is wrong is said, limits hold', async () => {
  const wrong = async (path, body, message) => assert.match((await refused('InvalidRequestException', path, body)).Message, message);
  await wrong('/CreateSamplingRule', {}, /'samplingRule' failed to satisfy constraint: Member must not be null/);
  await wrong('/CreateSamplingRule', { SamplingRule: { RuleName: 'a' } }, /^10 validation errors detected: .*'samplingRule\.resourceARN'/);
  await wrong('/CreateSamplingRule', { SamplingRule: rule('a', { Priority: 0, FixedRate: 1.5, ReservoirSize: -1, Version: 2 }) }, /^4 validation errors/);
  await wrong('/CreateSamplingRule', { SamplingRule: rule('a', { Attributes: { '': 'x' } }) }, /length between 1 and 32/);
  await wrong('/CreateSamplingRule', { SamplingRule: rule('a', { Attributes: Object.fromEntries([1, 2, 3, 4, 5, 6].map((i) => [`k${i}`, 'v'])) }) }, /less than or equal to 5/);
  await wrong('/UpdateSamplingRule', { SamplingRuleUpdate: { RuleName: 'Default', Host: 'a' } }, /only FixedRate, ReservoirSize/);
  await wrong('/UpdateSamplingRule', { SamplingRuleUpdate: { RuleName: 'nobody', FixedRate: 0.1 } }, /does not exist/);
  await wrong('/UpdateSamplingRule', { SamplingRuleUpdate: { FixedRate: 0.1 } }, /Either RuleName or RuleARN/);
  await wrong('/DeleteSamplingRule', { RuleName: 'Default' }, /cannot be deleted/);
  await refused('SerializationException', '/CreateSamplingRule', { SamplingRule: rule('a', { Priority: 'x' }) });
  await ok('/skep/v1/environments', { name: 'many', slug: 'many' });
  const many = { 'x-skep-environment': 'many' };
  for (let i = 0; i < 25; i++) await ok('/CreateSamplingRule', { SamplingRule: rule(`r${i}`) }, many);
  await refused('RuleLimitExceededException', '/CreateSamplingRule', { SamplingRule: rule('one-more') }, many);
  await ok('/UpdateSamplingRule', { SamplingRuleUpdate: { RuleName: 'Default', ReservoirSize: 1 } }, many); // has room of its own
});

test('targets: a fleet\'s quotas are the reservoir; unknown rules are unprocessed; statistics add up', async () => {
  await ok('/CreateSamplingRule', { SamplingRule: rule('fleet', { FixedRate: 0.1 }) });
  const ask = async (n, requests, more) => (await ok('/SamplingTargets', { SamplingStatisticsDocuments: [stats('fleet', n, requests, more)] })).SamplingTargetDocuments[0];
  const first = await ask(1, 100);
  assert.deepEqual([first.FixedRate, first.ReservoirQuota, first.Interval], [0.1, 5, 10]);
  assert.ok(Math.abs(first.ReservoirQuotaTTL - now() - 30) <= 5);
  assert.equal((await ask(2, 100)).ReservoirQuota, 0, 'nothing is left before the first reports again');
  const quotas = {};
  for (let round = 0; round < 3; round++) for (const n of [1, 2, 3]) quotas[n] = (await ask(n, 100)).ReservoirQuota;
  assert.equal(quotas[1] + quotas[2] + quotas[3], 5);
  const skewed = await ask(1, 1, { Timestamp: now() - 120 });
  assert.ok(Math.abs(skewed.ReservoirQuotaTTL - (now() - 90)) <= 5, 'the end of a quota is by the client\'s clock');
  const mixed = await ok('/SamplingTargets', { SamplingStatisticsDocuments: [stats('nobody', 1, 5), stats('fleet', 1, 5)] });
  assert.equal(mixed.SamplingTargetDocuments.length, 1);
  assert.deepEqual(mixed.UnprocessedStatistics.map((u) => [u.RuleName, u.ErrorCode]), [['nobody', '404']]);
  const sum = (await ok('/SamplingStatisticSummaries', {})).SamplingStatisticSummaries.filter((s) => s.RuleName === 'fleet').reduce((n, s) => n + s.RequestCount, 0);
  assert.equal(sum, 100 * 11 + 1 + 5);
  const page = await skep.json('GET', '/skep/v1/xray/sampling');
  const seen = page.rules.find((r) => r.name === 'fleet');
  assert.deepEqual([seen.clients, seen.requests, seen.windows.reduce((n, w) => n + w[1], 0)], [3, sum, sum]);
  assert.deepEqual(page.below, ['fleet']);
  await refused('InvalidRequestException', '/SamplingTargets', { SamplingStatisticsDocuments: [stats('fleet', 1, 5, { ClientID: 'short' })] });
  await refused('InvalidRequestException', '/SamplingTargets', { SamplingStatisticsDocuments: Array(26).fill(stats('fleet', 1, 5)) });
  await refused('InvalidRequestException', '/SamplingTargets', {});
});

test('targets: anomalies raise a rule\'s rate for a minute', async () => {
  await ok('/CreateSamplingRule', { SamplingRule: rule('boosted', { SamplingRateBoost: { MaxRate: 0.8, CooldownWindowMinutes: 5 } }) });
  const boost = (AnomalyCount) => ok('/SamplingTargets', {
    SamplingStatisticsDocuments: [stats('boosted', 1, 5)],
    SamplingBoostStatisticsDocuments: [{ RuleName: 'boosted', ServiceName: 's', Timestamp: now(), AnomalyCount, TotalCount: 9, SampledAnomalyCount: 0 }],
  });
  assert.equal((await boost(0)).SamplingTargetDocuments[0].SamplingBoost, undefined);
  const raised = (await boost(2)).SamplingTargetDocuments[0].SamplingBoost;
  assert.equal(raised.BoostRate, 0.8);
  assert.ok(raised.BoostRateTTL > now() && raised.BoostRateTTL <= now() + 61);
});

test('tags, policies, retrievals and fixed answers', async () => {
  const arn = 'arn:aws:xray:us-east-1:000000000000:sampling-rule/Default';
  await ok('/TagResource', { ResourceARN: arn, Tags: [{ Key: 'team', Value: 'a' }] });
  assert.deepEqual((await ok('/ListTagsForResource', { ResourceARN: arn })).Tags, [{ Key: 'team', Value: 'a' }]);
  await refused('InvalidRequestException', '/TagResource', { ResourceARN: arn, Tags: [{ Key: 'aws:x', Value: '' }] });
  const many = await refused('TooManyTagsException', '/TagResource', { ResourceARN: arn, Tags: Array.from({ length: 50 }, (_, i) => ({ Key: `k${i}`, Value: '' })) });
  assert.equal(many.ResourceName, arn);
  await ok('/UntagResource', { ResourceARN: arn, TagKeys: ['team'] });
  assert.deepEqual((await ok('/ListTagsForResource', { ResourceARN: arn })).Tags, []);
  await refused('ResourceNotFoundException', '/ListTagsForResource', { ResourceARN: `${arn}s` });

  const document = (Effect) => JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect, Principal: { Service: 'sns.amazonaws.com' }, Action: 'xray:PutTraceSegments', Resource: '*' }] });
  const p = (await ok('/PutResourcePolicy', { PolicyName: 'sns', PolicyDocument: document('Allow') })).ResourcePolicy;
  assert.equal(p.PolicyDocument, document('Allow'));
  await refused('MalformedPolicyDocumentException', '/PutResourcePolicy', { PolicyName: 'sns', PolicyDocument: document('Deny') });
  await refused('MalformedPolicyDocumentException', '/PutResourcePolicy', { PolicyName: 'sns', PolicyDocument: '{' });
  await refused('InvalidPolicyRevisionIdException', '/PutResourcePolicy', { PolicyName: 'sns', PolicyDocument: document('Allow'), PolicyRevisionId: 'x' });
  await refused('PolicySizeLimitExceededException', '/PutResourcePolicy', { PolicyName: 'sns', PolicyDocument: document('Allow').padEnd(6000) });
  const q = (await ok('/PutResourcePolicy', { PolicyName: 'sns', PolicyDocument: document('Allow'), PolicyRevisionId: p.PolicyRevisionId })).ResourcePolicy;
  assert.notEqual(q.PolicyRevisionId, p.PolicyRevisionId);
  assert.deepEqual((await ok('/ListResourcePolicies', {})).ResourcePolicies, [q]);
  for (let i = 0; i < 4; i++) await ok('/PutResourcePolicy', { PolicyName: `p${i}`, PolicyDocument: document('Allow') });
  await refused('PolicyCountLimitExceededException', '/PutResourcePolicy', { PolicyName: 'p5', PolicyDocument: document('Allow') });
  await refused('InvalidPolicyRevisionIdException', '/DeleteResourcePolicy', { PolicyName: 'sns', PolicyRevisionId: p.PolicyRevisionId });
  await ok('/DeleteResourcePolicy', { PolicyName: 'sns' });

  assert.equal((await ok('/GetIndexingRules', {})).IndexingRules[0].Rule.Probabilistic.ActualSamplingPercentage, 100);
  await ok('/UpdateIndexingRule', { Name: 'Default', Rule: { Probabilistic: { DesiredSamplingPercentage: 100 } } });
  await refused('InvalidRequestException', '/UpdateIndexingRule', { Name: 'Default', Rule: { Probabilistic: { DesiredSamplingPercentage: 5 } } });
  await refused('ResourceNotFoundException', '/UpdateIndexingRule', { Name: 'other', Rule: { Probabilistic: { DesiredSamplingPercentage: 5 } } });
  assert.deepEqual(await ok('/UpdateTraceSegmentDestination', { Destination: 'XRay' }), { Destination: 'XRay', Status: 'ACTIVE' });
  await refused('InvalidRequestException', '/UpdateTraceSegmentDestination', { Destination: 'CloudWatchLogs' });
  await refused('InvalidRequestException', '/PutEncryptionConfig', { Type: 'KMS' });
  assert.deepEqual(await ok('/InsightSummaries', { StartTime: 1, EndTime: 2 }), { InsightSummaries: [] });
  await refused('InvalidRequestException', '/Insight', { InsightId: '12345678-1234-4234-8234-123456789012' });
});

test('retrievals: pages of 100 documents and 5 traces, a range, cancelled', async () => {
  const at = nowNs(), s = Number(at / 1000000000n);
  const traces = Array.from({ length: 7 }, () => hex(32));
  const id = (t) => `1-${t.slice(0, 8)}-${t.slice(8)}`;
  const spans = traces.map((traceId) => ({ traceId, spanId: hex(16), startNs: at }));
  for (let i = 0; i < 249; i++) spans.push({ traceId: traces[1], spanId: hex(16), startNs: at }); // servers: a document each
  await ok('/v1/traces', otlpTraces('retrieved', spans));
  const start = (more) => ok('/StartTraceRetrieval', { TraceIds: [...traces, hex(32)].map((t) => (t.includes('-') ? t : id(t))), StartTime: s - 60, EndTime: s + 60, ...more });
  const { RetrievalToken } = await start();
  const found = new Map();
  let NextToken, pages = 0;
  do {
    const page = await ok('/ListRetrievedTraces', { RetrievalToken, ...(NextToken ? { NextToken } : {}) });
    assert.deepEqual([page.RetrievalStatus, page.TraceFormat], ['COMPLETE', 'XRAY']);
    assert.ok(page.Traces.length <= 5);
    for (const t of page.Traces) {
      assert.ok(t.Spans.length <= 100);
      found.set(t.Id, [...(found.get(t.Id) ?? []), ...t.Spans.map((x) => x.Id)]);
      assert.equal(JSON.parse(t.Spans[0].Document).trace_id, t.Id);
    }
    ({ NextToken } = page);
    pages++;
  } while (NextToken && pages < 20);
  assert.deepEqual([...found.keys()].sort(), traces.map(id).sort());
  assert.equal(new Set(found.get(id(traces[1]))).size, 250);
  const old = await start({ StartTime: 1, EndTime: 2 });
  assert.deepEqual((await ok('/ListRetrievedTraces', old)).Traces, []);
  await refused('InvalidRequestException', '/ListRetrievedTraces', { ...old, TraceFormat: 'OTEL' });
  await ok('/CancelTraceRetrieval', { RetrievalToken });
  const cancelled = await ok('/ListRetrievedTraces', { RetrievalToken });
  assert.deepEqual([cancelled.RetrievalStatus, cancelled.Traces], ['CANCELLED', []]);
  await refused('ResourceNotFoundException', '/ListRetrievedTraces', { RetrievalToken: 'x' });
  await refused('InvalidRequestException', '/StartTraceRetrieval', { TraceIds: ['nonsense'], StartTime: 1, EndTime: 2 });
});

test('each environment has its own; the page asks the same operations with its own keys', async () => {
  await ok('/skep/v1/environments', { name: 'camp', slug: 'camp' });
  const camp = { 'x-skep-environment': 'camp' };
  await ok('/skep/v1/xray/CreateGroup', { GroupName: 'ours', FilterExpression: 'fault' }, camp);
  const names = async (headers) => (await ok('/skep/v1/xray/Groups', {}, headers)).Groups.map((g) => g.GroupName);
  assert.deepEqual(await names(camp), ['Default', 'ours']);
  assert.ok(!(await names({})).includes('ours'));
  assert.deepEqual((await ok('/GetSamplingRules', {}, camp)).SamplingRuleRecords.map((r) => r.SamplingRule.RuleName), ['Default']);
  await refused('InvalidRequestException', '/skep/v1/xray/CreateGroup', { GroupName: 'x', FilterExpression: 'nonsense(' });
});

test('rules, groups and statistics are there after a restart', async () => {
  const own = await Skep.start();
  try {
    await own.json('POST', '/CreateGroup', { GroupName: 'kept', FilterExpression: 'fault' });
    await own.json('POST', '/CreateSamplingRule', { SamplingRule: rule('kept', { Attributes: { a: 'b' } }) });
    await own.json('POST', '/SamplingTargets', { SamplingStatisticsDocuments: [stats('kept', 1, 77)] });
    const before = await own.json('POST', '/GetSamplingRules', {});
    assert.equal(await own.stop(), 0);
    const again = await Skep.start({ dir: own.dir });
    try {
      assert.deepEqual(await again.json('POST', '/GetSamplingRules', {}), before);
      assert.equal((await again.json('POST', '/GetGroup', { GroupName: 'kept' })).Group.FilterExpression, 'fault');
      assert.equal((await again.json('POST', '/SamplingStatisticSummaries', {})).SamplingStatisticSummaries[0].RequestCount, 77);
    } finally {
      await again.done();
    }
  } finally {
    await own.done();
  }
});

const boto = pythonWith('boto3');
test('boto3: the workflow', { skip: boto ? false : 'python3-boto3 is not installed' }, async () => {
  const { stdout } = await run(boto, [join(root, 'tests/clients/python/workflow.py'), skep.url]);
  assert.equal(stdout.trim(), 'ok');
});

const aws = existsSync('/usr/bin/aws') ? '/usr/bin/aws' : null;
test('the AWS CLI: the bootcamp\'s commands word for word', { skip: aws ? false : 'awscli is not installed' }, async () => {
  const own = await Skep.start();
  try {
    const shell = async (command) => JSON.parse((await run('sh', ['-c', `aws() { ${aws} --endpoint-url ${own.url} "$@"; }; ${command}`], {
      cwd: own.dir,
      env: { PATH: process.env.PATH, HOME: own.dir, AWS_REGION: 'us-east-1', AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b', AWS_PAGER: '' },
    })).stdout || '{}');
    const made = await shell('aws xray create-group --group-name "Cruddur" --filter-expression "service(\\"backend-flask\\")"');
    assert.equal(made.Group.FilterExpression, 'service("backend-flask")');
    writeFileSync(join(own.dir, 'xray.json'), JSON.stringify({ SamplingRule: rule('Cruddur') }));
    const made2 = await shell('aws xray create-sampling-rule --cli-input-json file://xray.json');
    assert.equal(made2.SamplingRuleRecord.SamplingRule.RuleARN, 'arn:aws:xray:us-east-1:000000000000:sampling-rule/Cruddur');
    assert.equal((await shell('aws xray get-sampling-rules')).SamplingRuleRecords.length, 2);
    assert.equal((await shell('aws xray get-groups')).Groups.length, 2);
  } finally {
    await own.done();
  }
});

const sdk = pythonWith('aws_xray_sdk');
async function withFleetRule(work) {
  const daemon = `127.0.0.1:${await freePort()}`;
  const own = await Skep.start({ args: ['--xray', daemon] });
  try {
    await own.json('POST', '/CreateSamplingRule', { SamplingRule: rule('Cruddur', { FixedRate: 0 }) });
    await work({ AWS_XRAY_DAEMON_ADDRESS: daemon }, own);
  } finally {
    await own.done();
  }
}

test('the X-Ray SDK for Python follows rules and targets', { skip: sdk ? false : 'no python3 has aws_xray_sdk' }, () => withFleetRule(async (env) => {
  const { stdout } = await run(sdk, [join(root, 'tests/clients/python/sampling.py')], { env: { ...process.env, ...env } });
  const { taken, rules } = JSON.parse(stdout);
  assert.deepEqual(rules.map((r) => r.name), ['Cruddur', 'Default']);
  assert.ok(taken >= 1 && taken <= 5, `${taken} of 200: it borrows one a second`);
  assert.deepEqual([rules[0].rate, rules[0].quota], [0, 5]);
  assert.ok(Math.abs(rules[0].ttl - now() - 30) <= 15);
}));

test('the X-Ray SDK for Node follows rules and targets', () => withFleetRule(async (env, own) => {
  const { stdout } = await run(process.execPath, [join(root, 'tests/clients/node/sampling.cjs')], { env: { ...process.env, ...env } });
  const says = JSON.parse(stdout);
  assert.deepEqual([says.rules, says.matched], [['Cruddur', 'Default'], 'Cruddur']);
  assert.deepEqual([says.target.rate, says.target.quota, says.target.interval], [0, 5, 10]);
  assert.equal(typeof says.freshness, 'number');
  const page = await own.json('GET', '/skep/v1/xray/sampling');
  assert.equal(page.rules[0].requests, 200);
}));
