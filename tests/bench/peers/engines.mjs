// SPDX-License-Identifier: Apache-2.0
// DuckDB and ClickHouse (chdb) in this process: opened empty, loaded by who measures, asked in SQL. And what
// is measured of either: load, bytes, peak memory, each question once cold and n times more.
import { readdirSync, rmSync, statSync } from 'node:fs';
import { median } from '../questions.mjs';

export async function duckdb(file, threads) {
  const { DuckDBInstance } = await import('@duckdb/node-api');
  rmSync(file, { force: true });
  const db = await (await DuckDBInstance.create(file, { threads: String(threads) })).connect();
  const rows = async (sql) => (await db.runAndReadAll(sql)).getRows();
  return {
    run: (sql) => db.run(sql),
    rows,
    version: async () => (await rows('SELECT version()'))[0][0],
    bytes: () => statSync(file).size,
    done: () => rmSync(file, { force: true }),
  };
}

export async function clickhouse(dir, threads) {
  const { Session } = (await import('chdb')).default;
  rmSync(dir, { recursive: true, force: true });
  const s = new Session(dir);
  const run = (sql) => s.query(sql, 'CSV');
  run('CREATE DATABASE IF NOT EXISTS bench ENGINE = Atomic');
  run('USE bench');
  run(`SET max_threads = ${threads}`);
  run('SET use_query_condition_cache = 0');
  return {
    run,
    rows: async (sql) => { const a = run(sql); return a === '' ? [] : a.trimEnd().split('\n').map((l) => l.split(',')); },
    version: async () => run('SELECT version()').trim().replaceAll('"', ''),
    bytes: () => Number(run("SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND table = 't'")),
    done: () => { s.close(); rmSync(dir, { recursive: true, force: true }); },
  };
}

const cpuMs = () => { const c = process.cpuUsage(); return (c.user + c.system) / 1000; };

// items: spans or lines; asked: [{name, sql}]; load: what fills the engine.
export async function measure(engine, items, load, asked, n = Number(process.env.BENCH_REPEATS || 7)) {
  const cpu0 = cpuMs(), t0 = process.hrtime.bigint();
  await load();
  const loaded = { cpuPerM: (cpuMs() - cpu0) / 1000 / items * 1e6, perS: items / (Number(process.hrtime.bigint() - t0) / 1e9), bytes: engine.bytes() / items };
  const answers = [];
  for (const { name, sql } of asked) {
    const times = [], cpu = cpuMs();
    let rows;
    for (let i = 0; i <= n; i++) {
      const t = process.hrtime.bigint();
      rows = await engine.rows(sql);
      times.push(Number(process.hrtime.bigint() - t) / 1e6);
    }
    answers.push({ name, first: times[0], warm: median(times.slice(1)), cpu: (cpuMs() - cpu) / (n + 1), rows: rows.length, one: rows.length === 1 ? String(rows[0][0]) : '', n });
  }
  loaded.peakMb = process.resourceUsage().maxRSS / 1024;
  return { version: await engine.version(), load: loaded, asked: answers };
}
