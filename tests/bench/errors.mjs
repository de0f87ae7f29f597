// SPDX-License-Identifier: Apache-2.0
// The errors inbox under load: items a second through Rollbar's call until they are on disk, occurrences a second
// through OpenTelemetry's log records until they are counted in their items, and how long the inbox takes to answer
// with so many groups and occurrences, in every order. Nine of ten occurrences are of a thousand groups.
//
//   node tests/bench/errors.mjs [--items 20000] [--senders 64] [--occurrences 10000000] [--groups 100000] [--memory 512M]
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { diskBytes, proc, start, stop } from './server.mjs';
import { sleep } from '../e2e/support.mjs';

const flag = (name, absent) => { const i = process.argv.indexOf(`--${name}`); return i < 0 ? absent : process.argv[i + 1]; };
const items = Number(flag('items', 20000)), senders = Number(flag('senders', 64)), occurrences = Number(flag('occurrences', 10000000)), groups = Number(flag('groups', 100000));
const BATCH = 2000, HOURS = 24;

const dir = mkdtempSync(join(tmpdir(), 'skep-bench-errors-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
const skep = await start(dir, flag('memory', '512M'));
const agent = new Agent({ keepAlive: true, maxSockets: senders });
const call = (method, path, body) => new Promise((resolve, reject) => {
  const r = request(`${skep.url}${path}`, { method, agent, headers: body && { 'content-type': 'application/json', 'content-length': body.length } }, (res) => {
    let out = '';
    res.on('data', (d) => { out += d; });
    res.on('end', () => (res.statusCode < 300 ? resolve(out) : reject(new Error(`${res.statusCode} ${out.slice(0, 300)}`))));
  });
  r.once('error', reject);
  r.end(body);
});
const say = (what, v) => console.log(`${what.padEnd(64)} ${v}`);
const count = (n) => Math.round(n).toLocaleString('en');
// Numbers in names do not count: groups are told apart by letters.
const letters = (n) => { let s = ''; do { s = String.fromCharCode(97 + (n % 26)) + s; n = Math.floor(n / 26); } while (n > 0); return `f_${s}_`; };
async function all(n, one, at_once = senders) {
  let next = 0;
  await Promise.all([...Array(at_once)].map(async () => { while (next < n) await one(next++); }));
}
const seconds = async (work) => { const t = process.hrtime.bigint(); await work(); return Number(process.hrtime.bigint() - t) / 1e9; };
const number = (text, name) => Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)`, 'm').exec(text)?.[1]);
const looked = async () => number(await call('GET', '/metrics'), 'skep_inbox_rows_total');
async function counted(n) { while ((await looked()) < n) await sleep(100); }

// --- Rollbar's call: an item a request ---
const frame = (i) => ({ filename: '/srv/shop/cart.py', lineno: i % 900, method: letters(i % 1000) });
const rollbar = (i) => Buffer.from(JSON.stringify({ data: {
  uuid: `00000000-0000-4000-8000-${String(i).padStart(12, '0')}`, environment: 'production', level: 'error', language: 'python', code_version: '1.2',
  notifier: { name: 'pyrollbar', version: '1.3.0' }, server: { root: '/srv/shop', host: `web-${i % 8}`, pid: 100 + (i % 8) }, person: { id: `u${i % 5000}` },
  body: { trace: { frames: [{ filename: '/usr/lib/python3/dist-packages/flask/app.py', lineno: 2525, method: 'wsgi_app' }, frame(i)], exception: { class: 'ValueError', message: `no row ${i}` } } },
} }));
const cpu0 = proc(skep).cpu;
let t = await seconds(() => all(items, (i) => call('POST', '/api/1/item/', rollbar(i))));
say(`Rollbar: ${count(items)} items, one a request, ${senders} connections`, `${count(items / t)} items/s on disk, ${((proc(skep).cpu - cpu0) / items * 1e6).toFixed(0)} µs CPU each`);
t = await seconds(() => counted(items));
say('  until all were counted in their items', `${t.toFixed(2)} s more`);

// --- OpenTelemetry: log records with an exception, many a request ---
const kv = (key, stringValue) => ({ key, value: { stringValue } });
const STAMP = '1000000000000000000';
function body(first) {
  const logRecords = Array.from({ length: BATCH }, (_, k) => {
    const g = k % 10 ? (first * 7 + k * k) % Math.min(1000, groups) : (first + k / 10) % groups, name = letters(g);
    return { timeUnixNano: STAMP, severityNumber: 17, body: { stringValue: 'request failed' }, attributes: [kv('exception.type', 'ValueError'), kv('exception.message', `no row ${g}`),
      kv('exception.stacktrace', `Traceback (most recent call last):\n  File "/srv/shop/web.py", line 12, in serve\n    x\n  File "/srv/shop/store.py", line ${g % 900}, in ${name}\n    x\nValueError: no row ${g}\n`), kv('user.id', `u${(g * 7) % 5000}`)] };
  });
  return Buffer.from(JSON.stringify({ resourceLogs: [{ resource: { attributes: [kv('service.name', 'shop'), kv('host.name', 'web-1'), kv('deployment.environment.name', 'production')] }, scopeLogs: [{ logRecords }] }] }));
}
const bodies = Array.from({ length: Math.ceil(groups / (BATCH / 10)) }, (_, b) => body(b * (BATCH / 10)));
const stamps = bodies.map((b) => { const at = []; for (let i = b.indexOf(STAMP); i >= 0; i = b.indexOf(STAMP, i + 19)) at.push(i); return at; });
const begin = BigInt(Date.now() - HOURS * 3600e3 + 60e3) * 1000000n, span = BigInt(HOURS * 3600e3 - 120e3) * 1000000n;
const batches = Math.ceil(occurrences / BATCH);
const cpu1 = proc(skep).cpu;
t = await seconds(() => all(batches, async (i) => {
  const b = Buffer.from(bodies[i % bodies.length]);
  const at = begin + (span * BigInt(i)) / BigInt(batches);
  stamps[i % bodies.length].forEach((p, k) => b.write(String(at + BigInt(k) * 1000n), p, 'latin1'));
  await call('POST', '/v1/logs', b);
}, 4));
const sent = batches * BATCH;
say(`OpenTelemetry: ${count(sent)} occurrences, ${count(groups)} groups`, `${count(sent / t)} occurrences/s on disk`);
const more = await seconds(() => counted(items + sent));
say('  until all were counted in their items', `${more.toFixed(1)} s more: ${count(sent / (t + more))} occurrences/s grouped and counted`);
say('  CPU, memory, disk', `${((proc(skep).cpu - cpu1) / sent * 1e6).toFixed(1)} µs each, peak ${proc(skep).peak.toFixed(0)} MB, ${(diskBytes(dir) / sent).toFixed(0)} bytes each`);

// --- the inbox ---
async function asked(what, path, n = 5) {
  const times = [];
  for (let i = 0; i < n; i++) times.push(1000 * await seconds(() => call('GET', path)));
  say(`  ${what}`, `first ${times[0].toFixed(0)} ms, then ${times.slice(1).sort((a, b) => a - b)[Math.floor((n - 1) / 2)].toFixed(0)} ms`);
}
const one = JSON.parse(await call('GET', '/skep/v1/items?limit=1'));
say(`The inbox: ${count(one.bound.items)} items, ${count(items + sent)} occurrences`, '');
for (const range of ['3600', '86400']) for (const order of ['last', 'first', 'total', 'level']) await asked(`50 items by ${order}, range ${range / 3600} h`, `/skep/v1/items?status=active&order=${order}&time_range=${range}`);
await asked('page 1,000 of them', '/skep/v1/items?status=active&offset=49950&time_range=3600');
await asked('words that one item has', `/skep/v1/items?words=${letters(groups - 1)}&time_range=3600`);
await asked('one item, 24 h', `/skep/v1/items/${one.items[0].id}?time_range=86400`);
await asked("Rollbar's list of 100", '/api/1/items/');
say('  the state database', `${(readFileSync(join(dir, 'state.db')).length / 1e6).toFixed(0)} MB`);
await stop(skep);
