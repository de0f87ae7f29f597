// SPDX-License-Identifier: Apache-2.0
// The whole server measured from outside: durable ingest, bytes on disk, latency of a fixed list of
// queries, memory, start. Reports; asserts nothing about time. Data: gen, seed 42 (docs/performance.md).
//
//   node tests/bench/run.mjs [SPANS=1000000] [--memory 512M] [--kept-answers off] [--rate N] [--keep]
//   node tests/bench/run.mjs --sustain MINUTES [--rate 100000] [--memory 256M] [--asking] [--work DIR]
//
// --kept-answers off: each question does all of its work. --rate N: the questions once more while N other
// spans a second come in. --sustain: only ingest, at a fixed rate (sustain.mjs), --asking beside all questions;
// DIR needs 0.5 GB a million spans.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sleep, until } from '../e2e/support.mjs';
import { table } from './questions.mjs';
import { sustain } from './sustain.mjs';
import { askAll, BASE, blast, build, diskBytes, proc, settle, start, status, stop, tool } from './server.mjs';

const args = process.argv.slice(2);
const flag = (name, fallback) => (args.includes(name) ? args[args.indexOf(name) + 1] : fallback);
const spans = Number(args.find((a) => /^\d+$/.test(a)) || 1000000);
const memory = flag('--memory', '512M');
const work = flag('--work', join(build, 'bench'));
const file = join(work, `spans-${spans}.bin`);
const data = join(work, 'data');

mkdirSync(work, { recursive: true });
if (args.includes('--sustain')) {
  rmSync(data, { recursive: true, force: true });
  await sustain({ work, data, memory: flag('--memory', '256M'), minutes: Number(flag('--sustain')), rate: Number(flag('--rate', 100000)), asking: args.includes('--asking') });
  rmSync(data, { recursive: true, force: true });
  process.exit(0);
}
if (!existsSync(file)) console.log((await tool('gen', String(spans), file, String(BASE), '42')).trim());
rmSync(data, { recursive: true, force: true });

const kept = ['--kept-answers', flag('--kept-answers', 'on')];
let s = await start(data, memory, ...kept);
await sleep(1500);
console.log(`start ${s.startMs.toFixed(0)} ms (empty store), idle resident ${proc(s).rss.toFixed(1)} MB`);

const before = proc(s);
const sent = await blast(s, file);
const after = proc(s);
console.log(`ingest ${spans} spans, 8 connections: ${sent.spans_per_s} spans/s durable, ${sent.mb_per_s} MB/s, p50 ${sent.p50_ms} ms, p99 ${sent.p99_ms} ms, ` +
  `refused ${sent.refused}; server ${((after.cpu - before.cpu) / spans * 1e6).toFixed(2)} CPU-s per million, client ${(sent.client_cpu_s / spans * 1e6).toFixed(2)}; peak resident ${after.peak.toFixed(0)} MB of ${memory}`);

const settled = await settle(s), held = settled.store;
console.log(`settled after ${(settled.cpu - after.cpu).toFixed(1)} CPU-s more; segments ${(held.segment_bytes / held.segment_rows).toFixed(1)} bytes a row, disk ${(diskBytes(data) / spans).toFixed(1)} a span with the log's preallocated files, ${held.merges} merges of ${held.merge_rows} rows, peak resident ${settled.peak.toFixed(0)} MB`);

await stop(s);
s = await start(data, memory, ...kept);
await until('quiet', async () => {
  const a = proc(s).cpu;
  await sleep(700);
  return proc(s).cpu - a < 0.02;
}, 120000);
console.log(`restart: answers after ${s.startMs.toFixed(0)} ms, recovered after ${s.recoveredMs.toFixed(0)} ms; disk ${(diskBytes(data) / spans).toFixed(1)} bytes a span`);

const { traceId, asked } = await askAll(s);
table(`question over ${spans} spans`, asked);
const rate = Number(flag('--rate', 0));
if (rate > 0) {
  const more = join(work, `spans-more-${rate}.bin`);
  const n = rate * 180;
  const newest = Number((await status(s)).newest_ns) / 1e9;
  if (!existsSync(more)) await tool('gen', String(n), more, String(Math.ceil(newest) + 1), '43');
  const sender = spawn(join(build, 'bin', 'blast'), ['127.0.0.1', String(s.port), more, '--connections', '4', '--rate', String(rate)], { stdio: 'ignore' });
  const over = new Promise((r) => sender.once('exit', r));
  await sleep(10000);
  const { asked: beside } = await askAll(s);
  const ended = sender.exitCode !== null;
  sender.kill('SIGKILL');
  await over;
  table(`the same while ${rate} spans/s come in${ended ? ' (which ended before)' : ''}`, beside);
  for (const [i, b] of beside.entries()) console.log(`${(b.warm / asked[i].warm).toFixed(2)} times  ${b.name}`);
}
const end = proc(s);
writeFileSync(join(work, 'skep.json'), JSON.stringify({ name: 'skep', spans, traceId, asked, load: {
  cpuPerM: (settled.cpu - before.cpu) / spans * 1e6, perS: sent.spans_per_s, bytes: held.segment_bytes / spans, peakMb: settled.peak } }));
console.log(`\nresident after the queries ${end.rss.toFixed(0)} MB, peak ${end.peak.toFixed(0)} MB of ${memory}`);
await stop(s);
if (!args.includes('--keep')) rmSync(data, { recursive: true, force: true });
