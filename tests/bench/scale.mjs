// SPDX-License-Identifier: Apache-2.0
// Does cost grow linearly? One server takes 50 million spans, in files that follow each other in time
// (gen, seeds 42 to 46); at 1, 10 and 50 million it is left to settle, measured, restarted and asked. A file
// is made, sent and deleted. Reports; asserts nothing about time (docs/performance.md).
//
//   node tests/bench/scale.mjs [--memory 512M] [--work DIR] [--points 1,10,20,30,40,50] [--keep]
//
// DIR needs half a gigabyte a million spans of the largest step, and 2 GB. Only the points 1, 10 and the last are
// asked; settling between files is part of the run. --keep leaves the store in DIR/scale.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { sleep } from '../e2e/support.mjs';
import { askAll, BASE, blast, build, diskBytes, proc, settle, start, stop, tool } from './server.mjs';

const args = process.argv.slice(2);
const flag = (name, fallback) => (args.includes(name) ? args[args.indexOf(name) + 1] : fallback);
const memory = flag('--memory', '512M');
const work = flag('--work', join(build, 'bench'));
const points = flag('--points', '1,10,20,30,40,50').split(',').map(Number);
const data = join(work, 'scale');
const file = join(work, 'scale.bin');

mkdirSync(work, { recursive: true });
rmSync(data, { recursive: true, force: true });
let s = await start(data, memory, '--self-probe', '0'); // so that parts come to rest
let millions = 0, base = BASE, cpu = 0;
const columns = [];
for (const [i, point] of points.entries()) {
  const n = (point - millions) * 1e6;
  const made = await tool('gen', String(n), file, String(base), String(42 + i));
  base += Math.ceil(Number(/seconds ([\d.]+)/.exec(made)[1])) + 1;
  const before = proc(s).cpu;
  const sent = await blast(s, file);
  rmSync(file);
  const settled = await settle(s), held = settled.store;
  millions = point;
  cpu += settled.cpu - before;
  const x = { millions, perS: sent.spans_per_s, refused: sent.refused, p99: sent.p99_ms, step: (settled.cpu - before) / n * 1e6, cpu: cpu / millions,
    bytes: held.segment_bytes / held.segment_rows, peak: settled.peak, merges: held.merges, segments: held.segments, rows: held.segment_rows };
  console.log(JSON.stringify(x));
  if (point !== 1 && point !== 10 && point !== points.at(-1)) continue;
  await stop(s);
  s = await start(data, memory, '--self-probe', '0');
  x.restart = s.startMs;
  x.disk = diskBytes(data) / millions / 1e6;
  await sleep(2000);
  x.asked = (await askAll(s, 9)).asked;
  x.peakAsked = proc(s).peak;
  columns.push(x);
}
await stop(s);
if (!args.includes('--keep')) rmSync(data, { recursive: true, force: true });

const row = (name, of) => console.log(`| ${name} | ${columns.map(of).join(' | ')} |`);
console.log(`\n| ${memory} | ${columns.map((c) => `${c.millions} M`).join(' | ')} |\n|---|${columns.map(() => '--:').join('|')}|`);
row('CPU-s per million spans, all of ingest, flush and merge', (c) => c.cpu.toFixed(2));
row('the same, of the last file alone', (c) => c.step.toFixed(2));
row('spans/s, acknowledged after fdatasync', (c) => c.perS);
row('bytes a row', (c) => c.bytes.toFixed(1));
row('disk, restarted, bytes a span', (c) => c.disk.toFixed(1));
row('segments', (c) => c.segments);
row('peak resident, ingest, MB', (c) => c.peak.toFixed(0));
row('peak resident, questions, MB', (c) => c.peakAsked.toFixed(0));
row('restart, answers after, ms', (c) => c.restart.toFixed(0));
for (const [i, q] of columns[0].asked.entries())
  row(`${q.name}, first / repeated, ms`, (c) => (c.asked[i].refused ? `refused ${c.asked[i].refused} of ${c.asked[i].n + 1}` : `${c.asked[i].first.toFixed(1)} / ${c.asked[i].warm.toFixed(1)}`));
