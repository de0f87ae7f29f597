// SPDX-License-Identifier: Apache-2.0
// The whole server measured from outside: durable ingest, bytes on disk, latency of a fixed list of
// queries, memory, start. Reports; asserts nothing about time. Data: gen, seed 42 (docs/performance.md).
//
//   node tests/bench/run.mjs [SPANS=1000000] [--memory 512M] [--kept-answers off] [--rate N] [--keep]
//
// --kept-answers off: each question does all of its work. --rate N: the questions once more while N other
// spans a second come in.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, sleep, until } from '../e2e/support.mjs';
import { median, questions, table } from './questions.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const build = process.env.SKEP_BUILD || join(root, 'build', 'release');
const args = process.argv.slice(2);
const flag = (name, fallback) => (args.includes(name) ? args[args.indexOf(name) + 1] : fallback);
const spans = Number(args.find((a) => /^\d+$/.test(a)) || 1000000);
const memory = flag('--memory', '512M');
const work = join(build, 'bench');
const file = join(work, `spans-${spans}.bin`);
const data = join(work, 'data');
const BASE = 1795132800;

mkdirSync(work, { recursive: true });
if (!existsSync(file)) console.log(execFileSync(join(build, 'bin', 'gen'), [String(spans), file, String(BASE), '42']).toString().trim());
rmSync(data, { recursive: true, force: true });

async function start() {
  const port = await freePort();
  const grpc = await freePort();
  const t0 = process.hrtime.bigint();
  const child = spawn(join(build, 'skep'), ['serve', '--data', data, '--listen', `127.0.0.1:${port}`, '--grpc', `127.0.0.1:${grpc}`, '--xray', 'none',
    '--memory', memory, '--retain', '0', '--kept-answers', flag('--kept-answers', 'on')], { stdio: ['ignore', 'ignore', 'inherit'] });
  const url = `http://127.0.0.1:${port}`;
  await until('start', async () => (await fetch(`${url}/skep/v1/status`)).ok, 60000);
  const startMs = Number(process.hrtime.bigint() - t0) / 1e6;
  await until('recovery', async () => !(await (await fetch(`${url}/skep/v1/status`)).json()).recovering, 60000);
  return { child, port, url, startMs, recoveredMs: Number(process.hrtime.bigint() - t0) / 1e6 };
}
async function stop(s) {
  const gone = new Promise((r) => s.child.once('exit', r));
  s.child.kill('SIGTERM');
  await gone;
}
const proc = (s) => {
  const stat = readFileSync(`/proc/${s.child.pid}/stat`, 'utf8').split(') ')[1].split(' ');
  const status = readFileSync(`/proc/${s.child.pid}/status`, 'utf8');
  const kb = (k) => Number(new RegExp(`${k}:\\s+(\\d+)`).exec(status)[1]) / 1024;
  return { cpu: (Number(stat[11]) + Number(stat[12])) / 100, rss: kb('VmRSS'), peak: kb('VmHWM') };
};
function diskBytes(dir) {
  let n = 0;
  for (const e of readdirSync(dir, { withFileTypes: true })) n += e.isDirectory() ? diskBytes(join(dir, e.name)) : statSync(join(dir, e.name)).size;
  return n;
}
const status = async (s) => (await fetch(`${s.url}/skep/v1/status`)).json();

let s = await start();
process.on('exit', () => s.child.kill('SIGKILL')); // whatever goes wrong, no server is left behind
await sleep(1500);
console.log(`start ${s.startMs.toFixed(0)} ms (empty store), idle resident ${proc(s).rss.toFixed(1)} MB`);

const before = proc(s);
// blast ends with 1 when bodies were refused: that is a figure here, not a failure.
const blast = JSON.parse(spawnSync(join(build, 'bin', 'blast'), ['127.0.0.1', String(s.port), file, '--connections', '8'],
  { encoding: 'utf8' }).stdout);
const after = proc(s);
console.log(`ingest ${spans} spans, 8 connections: ${blast.spans_per_s} spans/s durable, ${blast.mb_per_s} MB/s, p50 ${blast.p50_ms} ms, p99 ${blast.p99_ms} ms, ` +
  `refused ${blast.refused}; server ${((after.cpu - before.cpu) / spans * 1e6).toFixed(2)} CPU-s per million, client ${(blast.client_cpu_s / spans * 1e6).toFixed(2)}; peak resident ${after.peak.toFixed(0)} MB of ${memory}`);

// Let flushes and merges end: what came is flushed when it was quiet for half a minute; then the CPU stands
// still for two seconds.
for (let i = 0; i < 90 && (await status(s)).store.parts > 0; i++) await sleep(1000);
for (let still = 0, cpu = -1; still < 4;) {
  await sleep(500);
  const now = proc(s).cpu;
  still = now - cpu < 0.02 ? still + 1 : 0;
  cpu = now;
}
const settled = proc(s), held = (await status(s)).store;
console.log(`settled after ${(settled.cpu - after.cpu).toFixed(1)} CPU-s more; segments ${(held.segment_bytes / held.segment_rows).toFixed(1)} bytes a row, disk ${(diskBytes(data) / spans).toFixed(1)} a span with the log's preallocated files, ${held.merges} merges of ${held.merge_rows} rows, peak resident ${settled.peak.toFixed(0)} MB`);

await stop(s);
s = await start();
await until('quiet', async () => {
  const a = proc(s).cpu;
  await sleep(700);
  return proc(s).cpu - a < 0.02;
}, 120000);
console.log(`restart: answers after ${s.startMs.toFixed(0)} ms, recovered after ${s.recoveredMs.toFixed(0)} ms; disk ${(diskBytes(data) / spans).toFixed(1)} bytes a span`);

const st = await status(s);
const range = { start_time: BASE - 60, end_time: Math.ceil(Number(st.newest_ns) / 1e9) + 60 };
const any = await (await fetch(`${s.url}/skep/v1/rows`, { method: 'POST', body: JSON.stringify({ ...range, limit: 1, filters: [{ column: 'duration_ms', op: '>', value: 400 }] }) })).json();
const traceId = any.rows[0].fields['trace.trace_id'];
async function ask() {
  const asked = [];
  for (const { name, skep } of questions) {
    const { path, body } = typeof skep === 'function' ? skep({ traceId }) : skep;
    const n = 15, times = [];
    let rows = '';
    const cpu = proc(s).cpu;
    for (let i = 0; i <= n; i++) {
      const t0 = process.hrtime.bigint();
      const r = await fetch(s.url + path, body ? { method: 'POST', body: JSON.stringify({ ...range, ...body }), headers: { accept: 'application/json' } } : {});
      const text = await r.text();
      times.push(Number(process.hrtime.bigint() - t0) / 1e6);
      if (r.ok) {
        const a = JSON.parse(text);
        rows = a.groups?.length ?? a.traces?.length ?? a.rows?.id?.length ?? a.rows?.length;
      } else {
        rows = r.status;
      }
    }
    asked.push({ name, first: times[0], warm: median(times.slice(1)), cpu: (proc(s).cpu - cpu) / (n + 1) * 1000, rows, n });
  }
  return asked;
}
const asked = await ask();
table(`question over ${spans} spans`, asked);
const rate = Number(flag('--rate', 0));
if (rate > 0) {
  const more = join(work, `spans-more-${rate}.bin`);
  const n = rate * 180;
  if (!existsSync(more)) execFileSync(join(build, 'bin', 'gen'), [String(n), more, String(Math.ceil(Number(st.newest_ns) / 1e9) + 1), '43']);
  range.end_time += 86400; // the new ones too
  const sender = spawn(join(build, 'bin', 'blast'), ['127.0.0.1', String(s.port), more, '--connections', '4', '--rate', String(rate)], { stdio: 'ignore' });
  const over = new Promise((r) => sender.once('exit', r));
  await sleep(10000);
  const beside = await ask();
  const ended = sender.exitCode !== null;
  sender.kill('SIGKILL');
  await over;
  table(`the same while ${rate} spans/s come in${ended ? ' (which ended before)' : ''}`, beside);
  for (const [i, b] of beside.entries()) console.log(`${(b.warm / asked[i].warm).toFixed(2)} times  ${b.name}`);
}
const end = proc(s);
writeFileSync(join(work, 'skep.json'), JSON.stringify({ name: 'skep', spans, traceId, asked, load: {
  cpuPerM: (settled.cpu - before.cpu) / spans * 1e6, perS: blast.spans_per_s, bytes: held.segment_bytes / spans, peakMb: settled.peak } }));
console.log(`\nresident after the queries ${end.rss.toFixed(0)} MB, peak ${end.peak.toFixed(0)} MB of ${memory}`);
await stop(s);
if (!args.includes('--keep')) rmSync(data, { recursive: true, force: true });
