// SPDX-License-Identifier: Apache-2.0
// Minutes of ingest at a fixed rate: does the server keep up with what it defers? Every minute: CPU, memory, parts,
// rows behind in merging, and how long acknowledgements took, counted from when each body was due.
// Data: gen, files that follow each other in time (seeds 43, 44, ..), made before the server starts.
import { execFileSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { sleep } from '../e2e/support.mjs';
import { askAll, BASE, blast, proc, settle, start, status, stop, tool } from './server.mjs';

const AT_ONCE = 5e6; // spans a file: 2.5 GB

async function makeFiles(work, spans) {
  const files = [];
  for (let base = BASE, i = 0, left = spans; left > 0; i++) {
    const n = Math.min(left, AT_ONCE), file = join(work, `sustain-${i}-${n}.bin`), note = /seconds ([\d.]+)/;
    if (existsSync(file)) rmSync(file);
    base += Math.ceil(Number(note.exec(await tool('gen', String(n), file, String(base), String(43 + i)))[1])) + 1;
    files.push(file);
    left -= n;
  }
  execFileSync('sync'); // else the server's syncs wait for the writing back of these files
  return files;
}

// The same question again and again, so that acknowledgements are measured beside it.
async function askOn(s, ended) {
  while (!(await status(s)).rows && !ended()) await sleep(100); // a question names a trace that is there
  let rounds = 0, slowest = 0;
  for (; !ended(); rounds++) for (const q of (await askAll(s, 0)).asked) slowest = Math.max(slowest, q.first);
  return { rounds, slowest };
}

export async function sustain({ work, data, memory, minutes, rate, asking }) {
  const spans = Math.ceil(minutes * 60 * rate);
  const files = await makeFiles(work, spans);
  const s = await start(data, memory);
  const before = proc(s), rows = [], acks = [];
  let ended = false, last = before.cpu, lastRows = 0;
  const sending = (async () => {
    for (const file of files) acks.push(await blast(s, file, '--rate', String(rate)));
    ended = true;
  })();
  const asked = asking ? askOn(s, () => ended) : undefined;
  for (let at = Date.now(); !ended;) {
    while (!ended && Date.now() - at < 60000) await sleep(200);
    const passed = (Date.now() - at) / 60000, p = proc(s), { store, memory: m } = await status(s);
    at = Date.now();
    rows.push([(rows.length + 1).toFixed(0), ((store.stored_rows - lastRows) / passed / 60000).toFixed(0), (p.cpu - last).toFixed(1), p.rss.toFixed(0),
      (m.used_bytes / 1e6).toFixed(0), (store.part_bytes / 1e6).toFixed(0), store.segments, store.merges, (store.merge_backlog_rows / 1e6).toFixed(1)]);
    last = p.cpu;
    lastRows = store.stored_rows;
  }
  await sending;
  const sent = proc(s), questions = await asked;
  const settled = await settle(s);
  console.log(`\n| minute | 1,000 rows/s | CPU s | resident MB | charged MB | parts MB | segments | merges | rows behind in merging, M |\n|--:|--:|--:|--:|--:|--:|--:|--:|--:|`);
  for (const r of rows) console.log(`| ${r.join(' | ')} |`);
  const most = (of) => Math.max(...acks.map(of)).toFixed(1), refused = acks.reduce((n, a) => n + a.refused, 0);
  console.log(`\n${spans} spans at ${rate}/s, ${memory}: ${((sent.cpu - before.cpu) / spans * 1e6).toFixed(2)} CPU-s per million while they came, ` +
    `${((settled.cpu - before.cpu) / spans * 1e6).toFixed(2)} with what was left to do; peak resident ${settled.peak.toFixed(0)} MB; refused ${refused}; ` +
    `the worst of ${acks.length} files: acknowledged p50 ${most((a) => a.p50_ms)} ms, p99 ${most((a) => a.p99_ms)}, p99.9 ${most((a) => a.p999_ms)}, maximum ${most((a) => a.max_ms)}; ` +
    `${settled.store.segments} segments, ${(settled.store.segment_bytes / settled.store.segment_rows).toFixed(1)} bytes a row`);
  if (questions) console.log(`beside them all questions ${questions.rounds} times, the slowest ${questions.slowest.toFixed(0)} ms`);
  await stop(s);
  for (const file of files) rmSync(file);
}
