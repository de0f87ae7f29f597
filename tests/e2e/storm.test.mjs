// SPDX-License-Identifier: Apache-2.0
// A storm: far more different errors than the inbox tells apart, by Rollbar's call and by OpenTelemetry, and beside
// it items made to hurt: too large, nested without end, stacks of tens of thousands of frames. Nothing is lost from
// the counts, memory stays in its bounds, and the inbox answers.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Skep, sleep, until } from './support.mjs';

const BOUND = 500, OTLP = 20000, ROLLBAR = 2000, BATCH = 2000;
let skep;
before(async () => { skep = await Skep.start({ args: ['--items', String(BOUND), '--memory', '256M'] }); });
after(() => skep.done());

// Numbers do not count in a message: each is told apart by letters.
const letters = (n) => { let s = ''; do { s = String.fromCharCode(97 + (n % 26)) + s; n = Math.floor(n / 26); } while (n > 0); return s; };
const text = (key, stringValue) => ({ key, value: { stringValue } });
// 503 is said when memory is short at the moment: senders come again.
async function send(path, body) {
  for (;;) {
    const r = await fetch(`${skep.url}${path}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    await r.arrayBuffer();
    if (r.status !== 503) return r.status;
    await sleep(20);
  }
}
const lines = (logRecords) => ({ resourceLogs: [{ resource: { attributes: [text('deployment.environment.name', 'storm'), text('service.name', 'shop')] }, scopeLogs: [{ logRecords }] }] });
const list = (q = '') => skep.json('GET', `/skep/v1/items?status=&${q}`);
async function all(n, one, at_once = 32) {
  let next = 0;
  await Promise.all([...Array(at_once)].map(async () => { while (next < n) await one(next++); }));
}

const frames = (n, more) => [...Array(n)].map((_, i) => ({ filename: `/srv/${letters(i)}.py`, lineno: i, method: `f_${letters(i)}`, ...more }));
const HOSTILE = {
  'ten megabytes': () => JSON.stringify({ data: { environment: 'storm', body: { message: { body: 'x'.repeat(10 << 20) } } } }),
  'nested a hundred thousand times': () => `{"data":{"environment":"storm","body":{"message":{"body":"x"}},"custom":${'{"a":'.repeat(100000)}1${'}'.repeat(100000)}}}`,
  'lists in lists': () => `{"data":{"environment":"storm","body":{"message":{"body":${'['.repeat(200000)}${']'.repeat(200000)}}}}}`,
  'forty thousand frames': () => JSON.stringify({ data: { environment: 'storm', body: { trace: { frames: frames(40000), exception: { class: 'Deep', message: 'm' } } } } }),
  'five thousand causes': () => JSON.stringify({ data: { environment: 'storm', body: { trace_chain: [...Array(5000)].map((_, i) => ({ frames: frames(3), exception: { class: `Cause${letters(i)}`, message: 'm' } })) } } }),
  'a method of three megabytes': () => JSON.stringify({ data: { environment: 'storm', body: { trace: { frames: [{ filename: 'a.py', method: '<'.repeat(3 << 20), lineno: 1 }], exception: { class: 'Wide', message: 'm' } } } } }),
  'frames that are none': () => JSON.stringify({ data: { environment: 'storm', body: { trace: { frames: [null, 7, [], {}, { filename: {}, lineno: 'x', method: [1] }], exception: { class: null } } } } }),
  'fifty thousand members': () => JSON.stringify({ data: { environment: 'storm', body: { message: { body: 'members' } }, custom: Object.fromEntries([...Array(50000)].map((_, i) => [`k${i}`, i])) } }),
};

test('a storm: what is counted, what is told apart, what it costs', async () => {
  let taken = 0;
  const hurt = Object.entries(HOSTILE).map(async ([name, make]) => {
    const status = await send('/api/1/item/', make()).catch(() => 413); // cut off while it sends
    assert.ok([200, 400, 413, 422].includes(status), `${name}: ${status}`);
    taken += status === 200;
    if (name === 'ten megabytes') assert.equal(status, 413);
  });
  const otlp = all(OTLP / BATCH, async (b) => {
    const logRecords = [...Array(BATCH)].map((_, k) => ({ timeUnixNano: `${Date.now()}000000`, severityNumber: 17, body: { stringValue: 'failed' },
      attributes: [text('exception.type', `Storm_${letters(b * BATCH + k)}`), text('exception.message', 'no row')] }));
    assert.equal(await send('/v1/logs', JSON.stringify(lines(logRecords))), 200);
    taken += BATCH;
  }, 2);
  const rollbar = all(ROLLBAR, async (i) => {
    assert.equal(await send('/api/1/item/', JSON.stringify({ data: { environment: 'storm', level: 'error', body: { message: { body: `cannot reach ${letters(i)} any more` } } } })), 200);
    taken += 1;
  });
  await Promise.all([...hurt, otlp, rollbar]);
  const everything = async () => (await skep.json('GET', '/api/1/items/?limit=5000')).result.items;
  const total = async () => (await everything()).reduce((n, i) => n + i.total_occurrences, 0);
  await until('all to be counted', async () => (await total()) >= taken, 120000);
  assert.equal(await total(), taken, 'nothing is lost, nothing twice');
  const { bound } = await list(), items = await everything();
  assert.equal(bound.max, BOUND);
  assert.ok(bound.items <= BOUND + 1, `${bound.items} items`); // and the one that counts the others
  const over = items.filter((i) => i.hash === 'skep.overflow');
  assert.equal(over.length, 1);
  assert.ok(over[0].total_occurrences > taken / 2, `${over[0].total_occurrences} of ${taken}`);
  const peak = Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${skep.child.pid}/status`, 'utf8'))[1]) / 1024;
  assert.ok(peak < 256, `${peak} MB at most`);
  // A search by a field of more errors than can be listed says so; what is not listed cannot be left out.
  assert.equal((await list(`q=${encodeURIComponent('service:shop')}`)).cut, true);
  assert.equal((await list(`q=${encodeURIComponent('service:none')}`)).cut, false);
  const many = await skep.call('GET', `/skep/v1/items?q=${encodeURIComponent('-service:shop')}`);
  assert.deepEqual([many.status, (await many.json()).field], [400, 'q']);
  // What existed goes on; what is new is counted with the others; the inbox answers in every order.
  const known = items.find((i) => i.hash !== 'skep.overflow' && i.title.startsWith('Storm_'));
  const again = { timeUnixNano: `${Date.now()}000000`, severityNumber: 17, attributes: [text('exception.type', known.title.split(':')[0]), text('exception.message', 'no row')] };
  assert.equal(await send('/v1/logs', JSON.stringify(lines([again]))), 200);
  await until('once more', async () => (await skep.json('GET', `/skep/v1/items/${known.id}`)).total === known.total_occurrences + 1);
  for (const order of ['last', 'first', 'total', 'level']) assert.equal((await list(`order=${order}&limit=50`)).items.length, 50);
  assert.equal((await list(`words=${known.title.split(':')[0]}`)).items[0].id, known.id);
});

// The inbox counts in transactions of its own, which nobody waits for: killed in the midst of it, again and again, it
// goes on where it was. Errors that are known and errors that are new, each counted once.
test('killed while it counts: each occurrence is counted once', async () => {
  const KNOWN = 300, ROUNDS = 6;
  const dir = mkdtempSync(join(tmpdir(), 'skep-e2e-'));
  let server = await Skep.start({ dir });
  const want = new Map();
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const logRecords = [...Array(BATCH)].map((_, k) => {
        const name = `Killed_${letters(k % 4 ? (k * 7) % KNOWN : KNOWN + round * BATCH + k)}`;
        want.set(name, (want.get(name) ?? 0) + 1);
        return { timeUnixNano: `${Date.now()}000000`, severityNumber: 17, attributes: [text('exception.type', name), text('exception.message', 'no row')] };
      });
      const sent = await server.call('POST', '/v1/logs', JSON.stringify(lines(logRecords)), { 'content-type': 'application/json' });
      assert.equal(sent.status, 200);
      await server.kill();
      server = await Skep.start({ dir });
    }
    const total = (items) => items.reduce((n, i) => n + i.total_occurrences, 0);
    let items;
    await until('all to be counted', async () => {
      items = (await server.json('GET', '/api/1/items/?limit=5000')).result.items;
      return total(items) >= ROUNDS * BATCH;
    }, 120000);
    assert.equal(items.length, want.size);
    for (const i of items) assert.equal(i.total_occurrences, want.get(i.title.split(':')[0]), i.title);
  } finally {
    await server.done();
    rmSync(dir, { recursive: true, force: true });
  }
});
