// SPDX-License-Identifier: Apache-2.0
// Derived columns wherever a field can be named beside queries: the live tail, the terminal's --where, Logs Insights in
// the page and in CloudWatch's API, exports (of a server and of a folder) and deletions. Each must find the rows that
// the same condition in JavaScript finds.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { Skep, binary, until } from './support.mjs';

const run = promisify(execFile);
const dir = mkdtempSync(join(tmpdir(), 'skep-e2e-'));
const group = 'shop';
const N = 60;
const lines = Array.from({ length: N }, (_, n) => ({ n, status: [200, 404, 500][n % 3], ...(n % 4 && { route: `/r${n % 2}` }) }));
const grade = (l) => (l.status >= 500 ? 'bad' : l.status >= 400 ? 'odd' : 'good');
const of = (name) => lines.filter((l) => grade(l) === name);
let skep;

const aws = async (op, body) => {
  const res = await skep.call('POST', '/', body, { 'x-amz-target': `Logs_20140328.${op}`, 'content-type': 'application/x-amz-json-1.1' });
  assert.equal(res.status, 200, `${op}: ${res.status}`);
  return JSON.parse((await res.text()) || '{}');
};
const put = (list) => aws('PutLogEvents', { logGroupName: group, logStreamName: 'a', logEvents: list.map((l) => ({ timestamp: Date.now(), message: JSON.stringify(l) })) });

before(async () => {
  skep = await Skep.start({ dir });
  await aws('CreateLogGroup', { logGroupName: group });
  await aws('CreateLogStream', { logGroupName: group, logStreamName: 'a' });
  await put(lines);
  await skep.json('POST', '/1/derived_columns/__all__', { alias: 'grade', expression: 'IF($status >= 500, "bad", $status >= 400, "odd", "good")' });
  await skep.json('POST', `/1/derived_columns/${group}`, { alias: 'worst', expression: '$grade = "bad" AND !EXISTS($route)' });
});
after(async () => {
  await skep.done();
  rmSync(dir, { recursive: true, force: true });
});

const sorted = (list) => [...list].sort((a, b) => a - b);

// Rows of a tail, in whatever form they come, by the number in their line.
async function tailed(open, want) {
  const seen = new Set();
  const stop = await open((text) => { for (const m of text.matchAll(/\\?"n\\?":(\d+)/g)) seen.add(Number(m[1])); });
  await until('the tail to show the rows', async () => {
    await put(lines); // what came before the tail began is not shown
    return want.every((n) => seen.has(n));
  });
  stop();
  assert.deepEqual(sorted(seen), sorted(want));
}

function http(method, path, body) {
  return async (text) => {
    const abort = new AbortController();
    const res = await fetch(skep.url + path, { method, body: body && JSON.stringify(body), headers: body ? { 'content-type': 'application/json' } : {}, signal: abort.signal });
    assert.equal(res.status, 200);
    const decoder = new TextDecoder();
    void (async () => { for await (const chunk of res.body) text(decoder.decode(chunk, { stream: true })); })().catch(() => undefined);
    return () => abort.abort();
  };
}

test('the live tail, by body and by parameters', { timeout: 300000 }, async () => {
  const want = of('bad').map((l) => l.n);
  await tailed(http('POST', '/skep/v1/tail', { filters: [{ column: 'grade', op: '=', value: 'bad' }] }), want);
  await tailed(http('GET', `/skep/v1/tail?column=grade&op=in&value=bad,odd`), [...want, ...of('odd').map((l) => l.n)]);
  await tailed(http('POST', '/skep/v1/tail', { calculated_fields: [{ name: 'own', expression: '$grade = "odd"' }], filters: [{ column: 'own', op: '=', value: true }] }), of('odd').map((l) => l.n));
  // Of another dataset it is no derived column, and no field either.
  const other = await skep.json('POST', '/skep/v1/rows', { time_range: 3600, filters: [{ column: 'worst', op: 'exists' }] });
  assert.equal(other.rows.length, 0);
});

test('the terminal: tail and query', { timeout: 300000 }, async () => {
  await tailed(async (text) => {
    const child = spawn(binary, ['tail', '--json', '--where', 'grade = odd', '--server', skep.url]);
    child.stdout.on('data', (d) => text(String(d)));
    return () => child.kill();
  }, of('odd').map((l) => l.n));
  const { stdout } = await run(binary, ['query', '--where', 'worst = true', '--dataset', group, '--calc', 'COUNT_DISTINCT(n)', '--last', '1h', '--json', '--server', skep.url]);
  assert.equal(JSON.parse(stdout.trim().split('\n').at(-1)).totals.values[0], of('bad').filter((l) => !l.route).length);
});

const insights = (query, more) => skep.json('POST', '/skep/v1/logs/insights', { query, time_range: 3600, ...more }, { accept: 'application/json' });

test('Logs Insights: in filters, stats, fields and sorts, in the page and in CloudWatch', { timeout: 300000 }, async () => {
  const stats = await insights('stats count_distinct(n) as many by grade | sort grade asc');
  assert.deepEqual(stats.rows, ['bad', 'good', 'odd'].map((g) => [g, String(of(g).length)]));
  assert.deepEqual(stats.columns.map((c) => c.name), ['grade', 'many']);
  const listed = await insights('filter grade = "bad" and n < 30 | fields n, grade, concat(grade, "!") as loud | sort n asc');
  assert.deepEqual(sorted(new Set(listed.rows.map((r) => Number(r[0])))), of('bad').filter((l) => l.n < 30).map((l) => l.n));
  assert.ok(listed.rows.every((r) => r[1] === 'bad' && r[2] === 'bad!'));
  // Of one group: its own; of all groups it is only a field that no line has.
  const worst = of('bad').filter((l) => !l.route).length;
  assert.deepEqual((await insights('filter worst = true | stats count_distinct(n) as many', { groups: [group] })).rows, [[String(worst)]]);
  assert.deepEqual((await insights('filter worst = true | stats count(*) as many')).rows, [['0']]);
  // A field that a stage makes comes before the derived column of that name.
  assert.deepEqual((await insights('fields "mine" as grade | stats count_distinct(n) as many by grade')).rows, [['mine', String(N)]]);
  const checked = await skep.json('POST', '/skep/v1/logs/check', { language: 'insights', text: 'filter grade = "bad"', time_range: 3600 });
  assert.equal(checked.ok, true);

  const now = Math.floor(Date.now() / 1000);
  const { queryId } = await aws('StartQuery', { logGroupName: group, startTime: now - 3600, endTime: now + 60, queryString: 'filter worst = 1 | stats count_distinct(n) as many by grade' });
  let answer;
  await until('the query', async () => (answer = await aws('GetQueryResults', { queryId })).status === 'Complete');
  assert.deepEqual(answer.results, [[{ field: 'grade', value: 'bad' }, { field: 'many', value: String(worst) }]]);
});

test('exports: by the API, by the terminal, straight from the folder', { timeout: 300000 }, async () => {
  const want = sorted(of('bad').map((l) => l.n));
  const distinct = (out) => sorted(new Set(out));
  const res = await skep.call('POST', '/skep/v1/export', { filters: [{ column: 'grade', op: '=', value: 'bad' }] });
  assert.deepEqual(distinct([...(await res.text()).matchAll(/\\"n\\":(\d+)/g)].map((m) => Number(m[1]))), want);
  for (const from of [['--server', skep.url], ['--data', dir]]) {
    const { stdout } = await run(binary, ['export', '--where', 'grade = bad', '--quiet', ...from], { maxBuffer: 64 << 20 });
    assert.deepEqual(distinct([...stdout.matchAll(/\\"n\\":(\d+)/g)].map((m) => Number(m[1]))), want, from[0]);
  }
});

test('deletions: what the derived column says goes, the rest stays', { timeout: 300000 }, async () => {
  const count = async () => Object.fromEntries((await insights('stats count_distinct(n) as many by grade')).rows);
  const before = await count();
  const { stdout } = await run(binary, ['delete', '--where', 'grade = odd', '--last', '1h', '--yes', '--server', skep.url]);
  assert.match(stdout, /rows/);
  const { odd, ...rest } = before;
  assert.equal(Number(odd), of('odd').length);
  assert.deepEqual(await count(), rest);
  const dry = await skep.json('POST', '/skep/v1/delete', { time_range: 3600, filters: [{ column: 'grade', op: 'does-not-exist' }] });
  assert.deepEqual(dry, { deleted: false, rows: 0, elapsed_ms: dry.elapsed_ms });
});
