// SPDX-License-Identifier: Apache-2.0
//
// POST /skep/v1/patterns and POST /skep/v1/tail: similar lines folded, counted exactly; rows as they
// come, chosen by any filters.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Skep, until } from './support.mjs';
import { lineOf, sendLines } from '../ui/lines.mjs';

const N = 12000;
const base = Math.floor(Date.now() / 1000) * 1000 - 600e3;
const range = { start_time: base / 1000, end_time: base / 1000 + 600 };
let skep;

before(async () => {
  skep = await Skep.start();
  await sendLines(skep.url, N, { fromMs: base, toMs: base + 600e3 });
}, { timeout: 300e3 });
after(() => skep?.done());

const ask = (body) => skep.json('POST', '/skep/v1/patterns', { ...range, ...body });

test('every line counts once, and the counts are those of the rows', async () => {
  const a = await ask({});
  assert.equal(a.lines, N);
  assert.equal(a.complete, true);
  assert.equal(a.patterns.reduce((sum, p) => sum + p.count, 0), N);
  assert.ok(a.patterns_total < 30, `${a.patterns_total} patterns`);
  const lines = Array.from({ length: N }, (_, i) => lineOf(i));
  const one = (text) => a.patterns.find((p) => p.text === text) ?? assert.fail(`no “${text}” in ${a.patterns.map((p) => p.text).join('\n')}`);
  assert.equal(one('GET /cart 200 <Number-1> ms #<Number-2>').count, lines.filter((l) => l.text.startsWith('GET /cart')).length);
  const users = one('user <Token-1> logged in from <IPAddress-2> #<Number-3>');
  assert.equal(users.count, lines.filter((l) => l.text.startsWith('user ')).length);
  assert.deepEqual(users.parts.filter((p) => typeof p !== 'string').map((p) => p.kind), ['Token', 'IPAddress', 'Number']);
  assert.ok(users.parts.find((p) => p.kind === 'Token').values.every((v) => /^[a-z]+$/.test(v)));
  // Severities, time and samples are those of its lines.
  for (const p of a.patterns) {
    assert.equal(Object.values(p.severities).reduce((x, y) => x + y, 0), p.count);
    assert.equal(p.series.reduce((x, y) => x + y, 0), p.count);
    assert.ok(BigInt(p.first_ns) <= BigInt(p.last_ns));
  }
  const failed = a.patterns.filter((p) => p.text.startsWith('payment of '));
  assert.equal(failed.reduce((sum, p) => sum + p.count, 0), lines.filter((l) => l.severity === 17).length);
  assert.ok(failed.every((p) => p.severities.error === p.count));
  const row = await skep.json('GET', `/skep/v1/row/${users.samples[0]}`);
  assert.match(row.fields.find((f) => f.name === 'body').value, /^user [a-z]+ logged in from /);
});

test('the regular expression of a pattern matches its lines and no others', async () => {
  const a = await ask({});
  const of = (text) => a.patterns.filter((p) => new RegExp(p.regex, 's').test(text));
  for (let i = 0; i < 600; i++) assert.equal(of(lineOf(i).text).length, 1, lineOf(i).text);
});

test('beside an earlier time: counts of both, the greatest change first', async () => {
  const half = { start_time: base / 1000 + 300, end_time: base / 1000 + 600 };
  const late = (await skep.json('POST', '/skep/v1/patterns', half)).patterns;
  const early = (await skep.json('POST', '/skep/v1/patterns', { ...range, end_time: half.start_time })).patterns;
  const a = await skep.json('POST', '/skep/v1/patterns', { ...half, compare_time_offset_seconds: 300 });
  assert.deepEqual([a.lines, a.earlier_lines, a.earlier_start_ms], [N / 2, N / 2, base]);
  const of = (list, text) => list.find((p) => p.text === text)?.count ?? 0;
  for (const p of a.patterns) assert.deepEqual([p.count, p.earlier], [of(late, p.text), of(early, p.text)], p.text);
  const changes = a.patterns.map((p) => Math.abs(p.count - p.earlier));
  assert.deepEqual(changes, changes.toSorted((x, y) => y - x));
  // Nothing a day before: all is new; nothing now: all is gone, and has no times.
  const fresh = await skep.json('POST', '/skep/v1/patterns', { ...half, compare_time_offset_seconds: 86400 });
  assert.ok(fresh.lines === N / 2 && fresh.patterns.every((p) => p.earlier === 0));
  const gone = await skep.json('POST', '/skep/v1/patterns', { start_time: base / 1000 + 600, end_time: base / 1000 + 1200, compare_time_offset_seconds: 600 });
  assert.deepEqual([gone.lines, gone.earlier_lines], [0, N]);
  assert.ok(gone.patterns.every((p) => p.count === 0 && p.earlier > 0 && p.last_ns === undefined && p.samples.length > 0));
  const wrong = await skep.call('POST', '/skep/v1/patterns', { ...half, compare_time_offset_seconds: -1 });
  assert.deepEqual([wrong.status, (await wrong.json()).field], [422, 'compare_time_offset_seconds']);
});

test('filters narrow it, another field is folded, the limit cuts the list alone', async () => {
  const errors = await ask({ filters: [{ column: 'severity', op: '=', value: 'error' }] });
  assert.equal(errors.lines, N / 50);
  const routes = await ask({ columns: ['http.route'], limit: 2 });
  assert.equal(routes.patterns.length, 2);
  assert.equal(routes.patterns_total, 5);
  assert.equal(routes.lines, N);
  const numbers = await ask({ columns: ['n'] });
  assert.equal(numbers.lines, 0);
  assert.equal(numbers.without, N);
  const nothing = await skep.json('POST', '/skep/v1/patterns', { start_time: 10, end_time: 20 });
  assert.deepEqual([nothing.patterns, nothing.lines], [[], 0]);
});

test('what is wrong is named', async () => {
  const r = await skep.call('POST', '/skep/v1/patterns', { ...range, filters: [{ column: 'x', op: 'resembles' }] });
  assert.equal(r.status, 422);
  assert.equal((await r.json()).field, 'filters[0].op');
});

test('tail by a body: any filters, with what is skipped told', async () => {
  const abort = new AbortController();
  const res = await fetch(`${skep.url}/skep/v1/tail`, {
    method: 'POST', signal: abort.signal, headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ dataset: 'tailed', filters: [{ column: 'severity', op: '=', value: 'error' }, { column: 'user.name', op: 'in', value: ['heidi', 'bob'] }] }),
  });
  const seen = [];
  let rest = '';
  const reading = (async () => {
    try {
      for await (const chunk of res.body.pipeThrough(new TextDecoderStream())) {
        const parts = (rest + chunk).split('\n');
        rest = parts.pop();
        seen.push(...parts.filter(Boolean).map((l) => JSON.parse(l)));
      }
    } catch (e) {
      if (!abort.signal.aborted) throw e;
    }
  })();
  await until('the first line', () => seen.length > 0);
  const now = Date.now();
  await sendLines(skep.url, 1000, { fromMs: now - 1000, toMs: now, service: 'tailed' });
  const want = Array.from({ length: 1000 }, (_, i) => lineOf(i)).filter((l) => l.severity === 17 && ['heidi', 'bob'].includes(l.attributes['user.name']));
  await until('its lines', () => seen.filter((s) => s.id).length >= want.length);
  abort.abort();
  await reading;
  assert.deepEqual(seen.filter((s) => s.id).map((s) => s.fields.body).sort(), want.map((l) => l.text).sort());
  const bad = await skep.call('POST', '/skep/v1/tail', { filters: [{ column: 'a', op: '=' }] });
  assert.equal(bad.status, 422);
  await bad.arrayBuffer();
});
