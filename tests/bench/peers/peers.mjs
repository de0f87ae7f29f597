// SPDX-License-Identifier: Apache-2.0
// DuckDB and ClickHouse (chdb) on the data that tests/bench/run.mjs gave skep, in the same run: load from
// the wide CSV (no HTTP, no protobuf, no sync per batch: a bound in their favour; they also know the
// schema beforehand, skep does not), bytes on disk, the questions, and skep's ratio to each.
//
//   node tests/bench/peers/peers.mjs              all engines, each in a process of its own
//   node tests/bench/peers/peers.mjs ENGINE       one; its result goes to build/release/bench/ENGINE.json
//
// Wants build/release/bench/skep.json and spans-N.bin of run.mjs. BENCH_THREADS (default 2) threads each.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { questions, table } from '../questions.mjs';
import * as peers from './engines.mjs';

const here = fileURLToPath(import.meta.url);
const root = join(dirname(here), '..', '..', '..');
const build = process.env.SKEP_BUILD || join(root, 'build', 'release');
const work = join(build, 'bench');
const threads = Number(process.env.BENCH_THREADS || 2);
const skep = JSON.parse(readFileSync(join(work, 'skep.json'), 'utf8'));
const spans = skep.spans;
const csv = join(work, `spans-${spans}.csv`);
const bodies = join(work, `spans-${spans}.bin`);

const columns = () => execFileSync(join(build, 'bin', 'wide'), ['--schema', bodies], { encoding: 'utf8' }).trim().split('\n')
  .map((l) => ({ name: l.slice(0, -2), type: l.slice(-1) }));

// Texts that are new in nearly every row, trace or user: no dictionary for them in ClickHouse.
const many = new Set(['user.id', 'session.id', 'client.address', 'http.url', 'http.target', 'db.statement', 'exception_message', 'exception_stack']);

const duckTypes = { s: 'VARCHAR', i: 'BIGINT', d: 'DOUBLE', b: 'BOOLEAN' };
async function duckdb() {
  const db = await peers.duckdb(join(work, 'peers.duckdb'), threads);
  return { ...db, load: async () => {
    const cols = columns();
    await db.run(`CREATE TABLE t (${cols.map((c) => `"${c.name}" ${duckTypes[c.type]}`).join(', ')})`);
    const types = cols.map((c) => `'${c.name}': '${duckTypes[c.type]}'`).join(', ');
    await db.run(`INSERT INTO t SELECT * FROM read_csv('${csv}', header=true, quote='"', escape='"', max_line_size=10000000, columns={${types}})`);
    await db.run('CHECKPOINT');
  } };
}

// order: what the table is sorted by.
const clickhouse = (order) => async () => {
  const db = await peers.clickhouse(join(work, `peers.${order}`), threads);
  const column = (c) => {
    if (c.name === 'trace_id') return '"trace_id" FixedString(16) CODEC(ZSTD(1))';
    if (c.name === 'span_id' || c.name === 'parent_id') return `"${c.name}" FixedString(8) CODEC(ZSTD(1))`;
    if (c.name === 'start_ns') return '"start_ns" Int64 CODEC(Delta(8), ZSTD(1))';
    const type = { i: 'Nullable(Int64)', d: 'Nullable(Float64)', b: 'Nullable(UInt8)' }[c.type];
    if (type) return `"${c.name}" ${['kind', 'duration_ns', 'status_code'].includes(c.name) ? 'Int64' : type} CODEC(ZSTD(1))`;
    return `"${c.name}" ${many.has(c.name) ? 'Nullable(String)' : 'LowCardinality(Nullable(String))'} CODEC(ZSTD(1))`;
  };
  const raw = (c) => `"${c.name}" ${{ s: 'Nullable(String)', i: 'Nullable(Int64)', d: 'Nullable(Float64)', b: 'Nullable(UInt8)' }[c.type]}`;
  const value = (c) => (c.name.endsWith('_id') ? `unhex(ifNull("${c.name}", ''))` : `"${c.name}"`);
  return { ...db, load: async () => {
    const cols = columns();
    const key = order === 'time' ? 'start_ns' : 'trace_id, start_ns';
    const index = order === 'time' ? ', INDEX trace trace_id TYPE bloom_filter(0.001) GRANULARITY 1' : '';
    db.run(`CREATE TABLE bench.t (${cols.map(column).join(', ')}${index}) ENGINE = MergeTree ORDER BY (${key}) SETTINGS allow_nullable_key = 1`);
    db.run(`INSERT INTO bench.t SELECT ${cols.map(value).join(', ')} FROM file('${csv}', 'CSVWithNames', '${cols.map(raw).join(', ')}')`);
    db.run('OPTIMIZE TABLE bench.t FINAL');
  } };
};

const engines = { duckdb: { start: duckdb, sql: 'duckdb' }, 'clickhouse-time': { start: clickhouse('time'), sql: 'clickhouse' },
  'clickhouse-trace': { start: clickhouse('trace'), sql: 'clickhouse' } };

async function measure(name) {
  const { start, sql } = engines[name];
  const engine = await start();
  const asked = questions.filter((x) => x[sql]).map((q) => ({ name: q.name, sql: typeof q[sql] === 'function' ? q[sql](skep) : q[sql] }));
  writeFileSync(join(work, `${name}.json`), JSON.stringify({ name, spans, ...await peers.measure(engine, spans, engine.load, asked) }));
  engine.done();
}

if (process.argv[2]) {
  await measure(process.argv[2]);
  process.exit(0);
}
if (!existsSync(csv)) {
  const r = spawnSync(join(build, 'bin', 'wide'), [bodies], { stdio: ['ignore', openSync(`${csv}.tmp`, 'w'), 'inherit'] });
  if (r.status !== 0) throw new Error('wide failed');
  renameSync(`${csv}.tmp`, csv);
}
const all = [skep];
for (const name of Object.keys(engines)) {
  const r = spawnSync(process.execPath, [here, name], { stdio: 'inherit' });
  if (r.status !== 0) { console.log(`${name}: did not run (code ${r.status})`); continue; }
  const one = JSON.parse(readFileSync(join(work, `${name}.json`), 'utf8'));
  all.push(one);
  table(`${name} ${one.version}`, one.asked);
}
const ratio = (theirs, ours) => (theirs === undefined || !ours ? '' : `${(theirs / ours).toFixed(theirs / ours < 10 ? 1 : 0)}x`);
const others = all.slice(1);
console.log(`\nbeside the peers, ${spans} spans, ${threads} threads (a ratio over 1: skep needs less)\n`);
console.log(`| | skep | ${others.map((o) => `${o.name} | ratio`).join(' | ')} |\n|---|--:|${others.map(() => '--:|--:|').join('')}`);
const line = (what, get, digits) => console.log(`| ${what} | ${get(skep).toFixed(digits)} | ${others.map((o) => {
  const v = get(o);
  return v === undefined ? ' | ' : `${v.toFixed(digits)} | ${ratio(v, get(skep))}`;
}).join(' | ')} |`);
line('load, CPU-s per million spans (skep: OTLP over HTTP, durable)', (o) => o.load.cpuPerM, 2);
line('bytes a span on disk', (o) => o.load.bytes, 1);
line('peak resident MB', (o) => o.load.peakMb, 0);
for (const q of questions.filter((x) => x.duckdb)) {
  line(`${q.name}, ms`, (o) => o.asked.find((a) => a.name === q.name)?.warm, 2);
}
