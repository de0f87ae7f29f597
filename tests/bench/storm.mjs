// SPDX-License-Identifier: Apache-2.0
// A storm of different errors: a million exceptions no two of which are alike, sent for real, into an inbox that tells
// 200,000 apart; what it costs, and how long the inbox answers afterwards.
//
//   node tests/bench/storm.mjs [--errors 1000000] [--memory 512M]
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { diskBytes, proc, start, stop } from './server.mjs';
import { sleep } from '../e2e/support.mjs';

const flag = (name, absent) => { const i = process.argv.indexOf(`--${name}`); return i < 0 ? absent : process.argv[i + 1]; };
const errors = Number(flag('errors', 1000000)), BATCH = 2000;
const dir = mkdtempSync(join(tmpdir(), 'skep-bench-storm-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
const skep = await start(dir, flag('memory', '512M'));
const say = (what, v) => console.log(`${what.padEnd(64)} ${v}`);
const count = (n) => Math.round(n).toLocaleString('en');
const letters = (n) => { let s = ''; do { s = String.fromCharCode(97 + (n % 26)) + s; n = Math.floor(n / 26); } while (n > 0); return s; };
const seconds = async (work) => { const t = process.hrtime.bigint(); await work(); return Number(process.hrtime.bigint() - t) / 1e9; };
const kv = (key, stringValue) => ({ key, value: { stringValue } });
const resource = { attributes: [kv('service.name', 'shop'), kv('deployment.environment.name', 'production')] };
async function send(b) {
  const logRecords = [...Array(BATCH)].map((_, k) => ({ timeUnixNano: `${Date.now()}000000`, severityNumber: 17, body: { stringValue: 'request failed' },
    attributes: [kv('exception.type', `Storm_${letters(b * BATCH + k)}`), kv('exception.message', 'cannot reach it any more')] }));
  const body = JSON.stringify({ resourceLogs: [{ resource, scopeLogs: [{ logRecords }] }] });
  while ((await fetch(`${skep.url}/v1/logs`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })).status === 503) await sleep(20);
}
const looked = async () => Number(/^skep_inbox_rows_total (\S+)/m.exec(await (await fetch(`${skep.url}/metrics`)).text())[1]);

const cpu = proc(skep).cpu;
let next = 0;
let t = await seconds(() => Promise.all([...Array(4)].map(async () => { while (next < errors / BATCH) await send(next++); })));
say(`${count(errors)} different errors, ${count(BATCH)} a request: on disk`, `${count(errors / t)}/s`);
t += await seconds(async () => { while ((await looked()) < errors) await sleep(100); });
say('  counted in their items', `${count(errors / t)}/s, ${((proc(skep).cpu - cpu) / errors * 1e6).toFixed(0)} µs CPU each`);
say('  peak memory, disk, state.db', `${proc(skep).peak.toFixed(0)} MB, ${(diskBytes(dir) / 1e6).toFixed(0)} MB, ${(readFileSync(join(dir, 'state.db')).length / 1e6).toFixed(0)} MB`);
const list = async (q) => (await fetch(`${skep.url}/skep/v1/items?${q}`)).json();
const { bound, items } = await list('order=total&limit=1');
say('  items; the one that counts the others', `${count(bound.items)} of ${count(bound.max)}; ${count(items[0].total)} (${items[0].fingerprint})`);
async function asked(what, path) {
  const times = [];
  for (let i = 0; i < 5; i++) times.push(1000 * await seconds(async () => (await fetch(`${skep.url}${path}`)).arrayBuffer()));
  say(`  ${what}`, `first ${times[0].toFixed(0)} ms, then ${times.slice(1).sort((a, b) => a - b)[2].toFixed(0)} ms`);
}
for (const order of ['last', 'first', 'total', 'level']) await asked(`50 items by ${order}, range 24 h`, `/skep/v1/items?status=active&order=${order}&time_range=86400`);
for (const [what, words] of [['a word that one item has', letters(100000)], ['a word that all have', 'reach'], ['a word that none has', 'nowhere'], ['two letters', letters(100000).slice(0, 2)]]) await asked(`words: ${what}`, `/skep/v1/items?words=${words}&time_range=86400`);
await asked("Rollbar's list of 100", '/api/1/items/');
await stop(skep);
