// SPDX-License-Identifier: Apache-2.0
// DuckDB and ClickHouse (chdb) on the log lines that tests/bench/lines.mjs gave skep: load from the CSV (no HTTP,
// no protobuf, no sync per batch, the schema known: a bound in their favour), bytes on disk, the same searches.
// ClickHouse has the n-gram filter over the text that its documents advise for logs.
//
//   node tests/bench/peers/lines.mjs              both engines, each in a process of its own
//   node tests/bench/peers/lines.mjs ENGINE       one; its result goes to build/release/bench/lines-ENGINE.json
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { lineQuestions } from '../line-questions.mjs';
import * as peers from './engines.mjs';

const here = fileURLToPath(import.meta.url);
const build = process.env.SKEP_BUILD || join(dirname(here), '..', '..', '..', 'build', 'release');
const work = join(build, 'bench');
const threads = Number(process.env.BENCH_THREADS || 2);
const skep = JSON.parse(readFileSync(join(work, 'lines.json'), 'utf8'));
const csv = join(work, `logs-${skep.lines}.csv`);

const engines = {
  duckdb: async () => {
    const db = await peers.duckdb(join(work, 'lines.duckdb'), threads);
    return { ...db, load: async () => {
      await db.run('CREATE TABLE t (ns BIGINT, service VARCHAR, pod VARCHAR, line VARCHAR)');
      await db.run(`INSERT INTO t SELECT * FROM read_csv('${csv}', header=false, quote='"', escape='"', max_line_size=10000000, columns={'ns': 'BIGINT', 'service': 'VARCHAR', 'pod': 'VARCHAR', 'line': 'VARCHAR'})`);
      await db.run('CHECKPOINT');
    } };
  },
  clickhouse: async () => {
    const db = await peers.clickhouse(join(work, 'lines.clickhouse'), threads);
    return { ...db, load: async () => {
      db.run('CREATE TABLE bench.t (ns Int64 CODEC(Delta(8), ZSTD(1)), service LowCardinality(String), pod LowCardinality(String), line String CODEC(ZSTD(1)), ' +
        'INDEX words line TYPE ngrambf_v1(4, 65536, 3, 0) GRANULARITY 1) ENGINE = MergeTree ORDER BY (service, pod, ns)');
      db.run(`INSERT INTO bench.t SELECT * FROM file('${csv}', 'CSV', 'ns Int64, service String, pod String, line String')`);
      db.run('OPTIMIZE TABLE bench.t FINAL');
    } };
  },
};

if (process.argv[2]) {
  const name = process.argv[2];
  const engine = await engines[name]();
  const asked = lineQuestions.filter((q) => q[name]).map((q) => ({ name: q.name, sql: typeof q[name] === 'function' ? q[name](skep) : q[name] }));
  writeFileSync(join(work, `lines-${name}.json`), JSON.stringify({ name, ...await peers.measure(engine, skep.lines, engine.load, asked, 3) }));
  engine.done();
  process.exit(0);
}
const all = [];
for (const name of Object.keys(engines)) {
  const r = spawnSync(process.execPath, [here, name], { stdio: 'inherit' });
  if (r.status !== 0) console.log(`${name}: did not run (code ${r.status})`);
  else all.push(JSON.parse(readFileSync(join(work, `lines-${name}.json`), 'utf8')));
}
const ratio = (theirs, ours) => `${(theirs / ours).toFixed(theirs / ours < 10 ? 1 : 0)}x`;
console.log(`\nbeside the peers, ${skep.lines} lines, ${threads} threads, first and repeated ms (a ratio over 1: skep needs less)\n`);
console.log(`| | skep | ${all.map((o) => `${o.name} ${o.version} | ratio`).join(' | ')} |\n|---|--:|${all.map(() => '--:|--:|').join('')}`);
const line = (what, get, digits) => console.log(`| ${what} | ${get(skep).toFixed(digits)} | ${all.map((o) => `${get(o).toFixed(digits)} | ${ratio(get(o), get(skep))}`).join(' | ')} |`);
line('load, CPU-s per million lines (skep: OTLP over HTTP, durable)', (o) => o.load.cpuPerM, 2);
line('bytes a line on disk', (o) => o.load.bytes, 1);
for (const q of lineQuestions) {
  const of = (o) => o.asked.find((a) => a.name === q.name), ours = of(skep);
  for (const o of all) if (q.one && of(o).one !== ours.one) console.log(`${q.name}: skep ${ours.one}, ${o.name} ${of(o).one}`);
  const both = (a) => `${a.first.toFixed(1)} / ${a.warm.toFixed(1)}`;
  console.log(`| ${q.name} | ${both(ours)} | ${all.map((o) => `${both(of(o))} | ${ratio(of(o).first, ours.first)} / ${ratio(of(o).warm, ours.warm)}`).join(' | ')} |`);
}
