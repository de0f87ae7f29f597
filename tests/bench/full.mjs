// SPDX-License-Identifier: Apache-2.0
// A disk that is full: one server with --disk takes spans, in files that follow each other in time (gen), until its
// oldest segments have gone for some time; then traces by id, with nothing in any cache, from a start on. Reports;
// asserts nothing about time (docs/performance.md).
//
//   node tests/bench/full.mjs [--disk 20G] [--memory 512M] [--millions 750] [--traces 500] [--work DIR] [--keep]
//   node tests/bench/full.mjs --ask [--traces 500] [--work DIR]       asks what a run with --keep has left
//
// DIR needs the disk's size and 4 GB. A trace is picked from the newest rows of a second; before each question the
// files' pages are evicted (evict.c; what the server has mapped stays), so that each waits for the disk.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { BASE, blast, build, diskBytes, proc, settle, start, status, stop, tool } from './server.mjs';
import { Wire } from './wire.mjs';

const args = process.argv.slice(2);
const flag = (name, fallback) => (args.includes(name) ? args[args.indexOf(name) + 1] : fallback);
const disk = flag('--disk', '20G'), memory = flag('--memory', '512M');
const millions = Number(flag('--millions', 750)), wanted = Number(flag('--traces', 500));
const work = flag('--work', join(build, 'bench'));
const data = join(work, 'full'), file = join(work, 'full.bin');
const A_FILE = 5; // million spans, 2.5 GB
const serve = () => start(data, memory, '--self-probe', '0', '--disk', disk);

async function fill() {
  rmSync(data, { recursive: true, force: true });
  const s = await serve();
  let base = BASE, refused = 0;
  for (let sent = 0; sent < millions; sent += A_FILE) {
    const made = await tool('gen', String(A_FILE * 1e6), file, String(base), String(42 + sent));
    base += Math.ceil(Number(/seconds ([\d.]+)/.exec(made)[1])) + 1;
    refused += (await blast(s, file)).refused;
    rmSync(file);
    if ((sent + A_FILE) % 25) continue;
    const { store } = await status(s), p = proc(s);
    console.log(JSON.stringify({ millions: sent + A_FILE, rows: store.segment_rows, segments: store.segments, behind: store.merge_backlog_rows, refused,
      cpuPerM: +(p.cpu / (sent + A_FILE)).toFixed(2), gb: +(diskBytes(data) / 1e9).toFixed(2), peak: +p.peak.toFixed(0) }));
  }
  await settle(s);
  await stop(s);
}

// Ids of traces spread over all the time that is held.
async function pick(s) {
  const { newest_ns, oldest_ns } = await status(s);
  const from = Math.floor(Number(oldest_ns ?? BASE * 1e9) / 1e9), to = Math.floor(Number(newest_ns) / 1e9), ids = [];
  for (let i = 0; i < wanted; i++) {
    const at = from + Math.floor((to - from) * (i + 0.5) / wanted);
    const body = JSON.stringify({ start_time: at, end_time: at + 1, limit: 1 });
    const a = await (await fetch(`${s.url}/skep/v1/rows`, { method: 'POST', body })).json();
    if (a.rows?.length) ids.push(a.rows[0].fields['trace.trace_id']);
  }
  return ids;
}

async function askEach(s, ids, before) {
  const wire = new Wire(s.port), ms = [];
  for (const id of ids) {
    await before();
    const a = await wire.ask(`/skep/v1/trace/${id}`);
    if (a.status !== 200) throw new Error(`trace ${id}: ${a.status}`);
    ms.push(a.ms);
  }
  wire.close();
  ms.sort((x, y) => x - y);
  const at = (q) => ms[Math.min(ms.length - 1, Math.floor(q * ms.length))].toFixed(2);
  return `p50 ${at(0.5)}, p99 ${at(0.99)}, maximum ${ms.at(-1).toFixed(2)} ms`;
}

mkdirSync(work, { recursive: true });
if (!args.includes('--ask')) await fill();
let s = await serve();
const ids = await pick(s), { store } = await status(s);
await stop(s);
await tool('evict', data);
s = await serve();
console.log(`restart, files evicted: answers after ${s.startMs.toFixed(0)} ms; ${store.segment_rows} rows in ${store.segments} segments, ${(diskBytes(data) / 1e9).toFixed(2)} GB`);
await settle(s); // what a merge reads and writes meanwhile is another question
console.log(`${ids.length} traces by id, the files evicted before each: ${await askEach(s, ids, () => tool('evict', data))}`);
console.log(`the same again, nothing evicted: ${await askEach(s, ids, () => {})}`);
console.log(`peak resident ${proc(s).peak.toFixed(0)} MB`);
await stop(s);
if (!args.includes('--keep') && !args.includes('--ask')) rmSync(data, { recursive: true, force: true });
