// SPDX-License-Identifier: Apache-2.0
// Log lines, measured from outside: events taken durably over HTTP, bytes a line, and the searches of
// line-questions.mjs beside grep on the same lines. Data: gen_logs, seed 42. Reports; asserts about answers alone.
//
//   node tests/bench/lines.mjs [LINES=1000000] [--memory 1G] [--keep]
//
// Leaves lines.json for peers/lines.mjs.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lineQuestions } from './line-questions.mjs';
import { median } from './questions.mjs';
import { BASE, blast, build, proc, settle, start, stop, tool } from './server.mjs';
import { Wire } from './wire.mjs';

const args = process.argv.slice(2);
const flag = (name, fallback) => (args.includes(name) ? args[args.indexOf(name) + 1] : fallback);
const lines = Number(args.find((a) => /^\d+$/.test(a)) || 1000000);
const memory = flag('--memory', '1G');
const work = join(build, 'bench');
const file = join(work, `logs-${lines}.bin`), csv = join(work, `logs-${lines}.csv`), data = join(work, 'lines-data');

mkdirSync(work, { recursive: true });
if (!existsSync(file) || !existsSync(csv)) console.log((await tool('gen_logs', String(lines), file, '42', csv)).trim());
rmSync(data, { recursive: true, force: true });
const s = await start(data, memory);
const before = proc(s);
const sent = await blast(s, file, '--path', '/v1/logs');
const after = proc(s);
console.log(`ingest ${lines} lines, 8 connections: ${sent.spans_per_s} lines/s durable, ${sent.mb_per_s} MB/s, p50 ${sent.p50_ms} ms, p99 ${sent.p99_ms} ms, refused ${sent.refused}; ` +
  `server ${((after.cpu - before.cpu) / lines * 1e6).toFixed(2)} CPU-s per million; peak resident ${after.peak.toFixed(0)} MB of ${memory}`);
const settled = await settle(s), held = settled.store;
console.log(`settled after ${(settled.cpu - after.cpu).toFixed(1)} CPU-s more; segments ${(held.segment_bytes / held.segment_rows).toFixed(2)} bytes a line, ${(statSync(csv).size / lines).toFixed(1)} in the CSV`);

const range = { start_time: BASE - 60, end_time: BASE + Math.ceil(lines / 5000) + 60 };
const wire = new Wire(s.port);
const post = async ({ path, body }) => {
  const a = await wire.ask(path, { ...range, ...body });
  if (a.status !== 200) throw new Error(`${path}: ${a.status} ${a.text.slice(0, 300)}`);
  const got = JSON.parse(a.text);
  const rows = got.rows ?? got.groups ?? [];
  return { ms: a.ms, rows: rows.length, one: got.totals ? String(got.totals.values[0]) : '' };
};
const any = await wire.ask('/skep/v1/rows', { ...range, limit: 1, pattern: '{ $.trace_id = * }' });
const traceId = /"trace_id":"([0-9a-f]{32})"/.exec(JSON.parse(any.text).rows[0].fields.body)[1];
const asked = [], n = 5;
for (const q of lineQuestions) {
  const of = (x) => (typeof x === 'function' ? x({ traceId }) : x);
  const answers = [];
  const cpu = proc(s).cpu;
  answers.push(await post(of(q.skep)));
  const first = (proc(s).cpu - cpu) * 1000;
  for (let i = 0; i < n; i++) answers.push(await post(of(q.skep)));
  const row = { name: q.name, first: answers[0].ms, firstCpu: first, warm: median(answers.slice(1).map((a) => a.ms)), rows: answers[n].rows, one: answers[n].one, n };
  if (q.grep) {
    const t = process.hrtime.bigint();
    const g = spawnSync('grep', ['-cE', of(q.grep), csv], { env: { LC_ALL: 'C', PATH: process.env.PATH }, encoding: 'utf8' });
    row.grep = Number(process.hrtime.bigint() - t) / 1e6;
    if (g.stdout.trim() !== row.one) console.log(`${q.name}: skep counts ${row.one} lines, grep ${g.stdout.trim()}`);
  }
  asked.push(row);
}
wire.close();
console.log(`\n| over ${lines} lines | first ms | its CPU ms | median ms of ${n} | answer | grep ms |\n|---|--:|--:|--:|--:|--:|`);
for (const r of asked) console.log(`| ${r.name} | ${r.first.toFixed(1)} | ${r.firstCpu.toFixed(0)} | ${r.warm.toFixed(1)} | ${r.one || `${r.rows} rows`} | ${r.grep?.toFixed(0) ?? ''} |`);
console.log(`\npeak resident ${proc(s).peak.toFixed(0)} MB of ${memory}`);
writeFileSync(join(work, 'lines.json'), JSON.stringify({ name: 'skep', lines, traceId, asked, load: {
  cpuPerM: (settled.cpu - before.cpu) / lines * 1e6, perS: sent.spans_per_s, bytes: held.segment_bytes / held.segment_rows, peakMb: proc(s).peak } }));
await stop(s);
if (!args.includes('--keep')) rmSync(data, { recursive: true, force: true });
