// SPDX-License-Identifier: Apache-2.0
// The lines that `skep key create` prints, each with the client that it is for, and nothing beside them. The stock
// OpenTelemetry SDK and boto3 stand in keys.test.mjs. Not here, because it is not on this machine: Rollbar's notifiers
// for Python, Ruby and Go, and Honeycomb's own SDKs.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { makeKey, run } from './keyring.mjs';
import { Skep, freePort, root, until } from './support.mjs';

const exec = promisify(execFile);
const node = join(root, 'tests', 'clients', 'node');
const has = (name) => existsSync(join(node, 'node_modules', name));
const without = (...names) => names.every(has) ? false : `no ${names.join(', ')}: tools/node-packages.sh tests/clients/node`;
const installed = async (...command) => exec(command[0], command.slice(1)).then(() => true, () => false);
const boto = await installed('python3', '-c', 'import boto3'), aws = await installed('aws', '--version');

let skep, text, env, reader;
before(async () => {
  const xray = `127.0.0.1:${await freePort()}`;
  skep = await Skep.start({ args: ['--auth', 'keys', '--xray', xray, '--xray-environment', 'camp'] });
  assert.equal((await run(['env', 'create', 'camp', '--data', skep.dir])).code, 0);
  const r = await run(['key', 'create', '--data', skep.dir, '--env', 'camp', '--name', 'shop', '--rights', 'ingest,query,admin', '--url', skep.url, '--xray', xray]);
  assert.equal(r.code, 0, r.err);
  text = r.out;
  env = Object.fromEntries([...text.matchAll(/^ {2}export (.*)$/gm)].flatMap((m) => m[1].split(' ').map((kv) => [kv.slice(0, kv.indexOf('=')), kv.slice(kv.indexOf('=') + 1)])));
  reader = await makeKey(skep.dir, 'reader', '--env', 'camp', '--rights', 'query');
  await until('the keys', async () => (await skep.call('GET', '/skep/v1/auth', undefined, { authorization: `Bearer ${reader.token}` })).ok);
});
after(() => skep?.done());

// A program with the printed variables and no others of its service; what it printed.
async function client(command, args) {
  const clean = Object.fromEntries(Object.entries(process.env).filter(([k]) => !/^(AWS|OTEL|SKEP|HONEYCOMB)_/.test(k)));
  const { stdout } = await exec(command, args, { env: { ...clean, ...env, AWS_PAGER: '', AWS_EC2_METADATA_DISABLED: 'true', AWS_CONFIG_FILE: '/dev/null', AWS_SHARED_CREDENTIALS_FILE: '/dev/null' }, timeout: 180000 });
  return stdout.trim();
}

async function rows(filters) {
  const r = await skep.json('POST', '/skep/v1/rows', { start_time: 0, end_time: Math.ceil(Date.now() / 1000) + 3600, filters, limit: 10 }, { authorization: `Bearer ${reader.token}` });
  return r.rows;
}

const line = (re) => { const m = re.exec(text); assert.ok(m, `${re} in\n${text}`); return m[1]; };

test('skep\'s own terminal, and a script with curl', async () => {
  const r = await run(['query', '--json'], { SKEP_URL: env.SKEP_URL, SKEP_KEY: env.SKEP_KEY });
  assert.equal(r.code, 0, r.err);
  const me = JSON.parse(await client('curl', ['-sS', '-H', `Authorization: Bearer ${env.SKEP_KEY}`, `${env.SKEP_URL}/skep/v1/auth`]));
  assert.deepEqual([me.environment, me.key.name], ['camp', 'shop']);
});

test('Honeycomb\'s variables: the endpoint knows the key, the management API its two halves', async () => {
  const one = await fetch(`${env.HONEYCOMB_API_ENDPOINT}/1/auth`, { headers: { 'x-honeycomb-team': env.HONEYCOMB_API_KEY } });
  assert.equal(one.status, 200);
  assert.equal((await one.json()).environment.slug, 'camp');
  const two = await fetch(`${env.HONEYCOMB_API_ENDPOINT}/2/auth`, { headers: { authorization: `Bearer ${env.HONEYCOMB_KEY_ID}:${env.HONEYCOMB_KEY_SECRET}` } });
  assert.equal(two.status, 200, await two.text());
});

test('AWS\'s command line: by the variables, and by the flag', { skip: !aws && 'no awscli' }, async () => {
  const flag = line(/^ {2}# {3}aws (--endpoint-url \S+) logs describe-log-groups$/m).split(' ');
  await client('aws', ['logs', 'create-log-group', '--log-group-name', '/camp/cli']);
  for (const more of [[], flag]) {
    const groups = JSON.parse(await client('aws', [...more, 'logs', 'describe-log-groups', '--output', 'json'])).logGroups;
    assert.deepEqual(groups.map((g) => g.logGroupName), ['/camp/cli']);
    const summaries = JSON.parse(await client('aws', [...more, 'xray', 'get-trace-summaries', '--start-time', '0', '--end-time', '60', '--output', 'json']));
    assert.deepEqual(summaries.TraceSummaries, []);
  }
});

test('boto3: by the variables, and by the line for the old one', { skip: !boto && 'python3 has no boto3' }, async () => {
  const old = line(/^ {2}# {3}(boto3\.client\("logs", endpoint_url="[^"]+"\))$/m);
  for (const made of ['boto3.client("logs")', old]) {
    const name = `/camp/boto-${made === old}`;
    const said = await client('python3', ['-c', `import boto3\nc = ${made}\nc.create_log_group(logGroupName="${name}")\nprint([g["logGroupName"] for g in c.describe_log_groups(logGroupNamePrefix="${name}")["logGroups"]])`]);
    assert.equal(said, `['${name}']`);
  }
});

test('AWS\'s SDK for JavaScript', { skip: without('@aws-sdk/client-xray', '@aws-sdk/client-cloudwatch-logs') }, async () => {
  const program = `
    const load = require('node:module').createRequire(${JSON.stringify(join(node, 'x.js'))});
    const { XRayClient, GetTraceSummariesCommand } = load('@aws-sdk/client-xray');
    const { CloudWatchLogsClient, CreateLogGroupCommand, DescribeLogGroupsCommand } = load('@aws-sdk/client-cloudwatch-logs');
    (async () => {
      const logs = new CloudWatchLogsClient({});
      await logs.send(new CreateLogGroupCommand({ logGroupName: '/camp/js' }));
      const { logGroups } = await logs.send(new DescribeLogGroupsCommand({ logGroupNamePrefix: '/camp/js' }));
      const { TraceSummaries } = await new XRayClient({}).send(new GetTraceSummariesCommand({ StartTime: new Date(0), EndTime: new Date(6e4) }));
      console.log(JSON.stringify([logGroups.map((g) => g.logGroupName), TraceSummaries.length]));
    })();`;
  assert.deepEqual(JSON.parse(await client(process.execPath, ['--input-type=commonjs', '-e', program])), [['/camp/js'], 0]);
});

test('the X-Ray SDK finds the daemon\'s port, without a key', { skip: without('aws-xray-sdk', 'express') }, async () => {
  const said = JSON.parse(await client(process.execPath, [join(node, 'xray-app.cjs')]));
  assert.deepEqual(said.answers, [200, 500]);
  await until('its rows', async () => (await rows([{ column: 'service.name', op: '=', value: 'node-app' }])).length > 0);
});

test('Rollbar\'s notifier for Node, as the line says', { skip: without('rollbar') }, async () => {
  const made = line(/^ {2}Node {4}(new Rollbar\(.*\))$/m);
  const Rollbar = createRequire(join(node, 'x.js'))('rollbar');
  const rollbar = new Function('Rollbar', `return ${made}`)(Rollbar);
  rollbar.error(new Error('sent by the line'));
  await new Promise((resolve) => rollbar.wait(resolve));
  await until('the error', async () => (await rows([{ column: 'exception.message', op: '=', value: 'sent by the line' }])).length === 1);
});
