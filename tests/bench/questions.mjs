// SPDX-License-Identifier: Apache-2.0
// The questions of the benchmark, one row each: what skep is asked and the same in SQL over the wide
// table of tests/bench/wide.c (t; DuckDB and ClickHouse differ where their functions do). Data: gen, seed 42.

const C = (op, column) => (column ? { op, column } : { op });
const sum = (o) => ({ path: '/skep/v1/query', body: { disable_series: true, ...o } });
const count = (filters) => sum({ calculations: [C('COUNT')], filters });
const both = (sql) => ({ duckdb: sql, clickhouse: sql });

// A half octave a bin, as many bins as the range has.
const heat = (time) => `SELECT ${time} b, CAST(floor(2 * log2(duration_ns)) AS INT) v, count(*) n FROM t GROUP BY b, v`;

// ClickHouse keeps ids as bytes.
const ids = '* EXCEPT (trace_id, span_id, parent_id), hex(trace_id) AS trace, hex(span_id) AS span, hex(parent_id) AS parent';
const newest = 'FROM t WHERE status_code = 2 AND duration_ns > 1000000000 ORDER BY start_ns DESC LIMIT 20';

// What gen's spans carry, resources included.
const columns = ['service.name', 'service.version', 'k8s.pod.name', 'region', 'app.cache_hit', 'app.items', 'client.address', 'code.function',
  'code.namespace', 'db.name', 'db.operation', 'db.pool.wait_ms', 'db.rows_affected', 'db.sql.table', 'db.statement', 'db.system',
  'feature_flag.key', 'feature_flag.on', 'http.method', 'http.request_content_length', 'http.response_content_length', 'http.route',
  'http.status_code', 'http.target', 'http.url', 'name', 'net.host.name', 'net.peer.name', 'net.peer.port', 'peer.service', 'retry.count',
  'session.id', 'span.kind', 'span.num_events', 'status_code', 'tenant.id', 'thread.id', 'user.id', 'user_agent.original'];

export const questions = [
  { name: 'COUNT by service.name and 5 minutes',
    skep: { path: '/skep/v1/query', body: { calculations: [C('COUNT')], breakdowns: ['service.name'], granularity: 300 } },
    ...both('SELECT "service.name" s, start_ns - start_ns % 300000000000 b, count(*) n FROM t GROUP BY s, b') },
  { name: 'P50 P95 P99 of duration by http.route',
    skep: sum({ calculations: ['P50', 'P95', 'P99'].map((p) => C(p, 'duration_ms')), breakdowns: ['http.route'] }),
    duckdb: 'SELECT "http.route" r, quantile_disc(duration_ns, [0.5, 0.95, 0.99]) q FROM t GROUP BY r',
    clickhouse: 'SELECT "http.route" r, quantilesExactLow(0.5, 0.95, 0.99)(duration_ns) q FROM t GROUP BY r' },
  { name: 'HEATMAP of duration, 5 minutes',
    skep: { path: '/skep/v1/query', body: { calculations: [C('HEATMAP', 'duration_ms')], granularity: 300 } },
    ...both(heat('start_ns - start_ns % 300000000000')) },
  { name: 'COUNT of a common user.id', skep: count([{ column: 'user.id', op: '=', value: 'u-00042' }]),
    ...both(`SELECT count(*) n FROM t WHERE "user.id" = 'u-00042'`) },
  { name: 'COUNT of a rare user.id', skep: count([{ column: 'user.id', op: '=', value: 'u-98765' }]),
    ...both(`SELECT count(*) n FROM t WHERE "user.id" = 'u-98765'`) },
  { name: 'top 20 of user.id', skep: sum({ calculations: [C('COUNT')], breakdowns: ['user.id'], limit: 20 }),
    ...both('SELECT "user.id" u, count(*) n FROM t GROUP BY u ORDER BY n DESC, u LIMIT 20') },
  { name: 'distinct user.id', skep: sum({ calculations: [C('COUNT_DISTINCT', 'user.id')] }),
    ...both('SELECT count(DISTINCT "user.id") n FROM t') },
  { name: 'top 20 of session.id', skep: sum({ calculations: [C('COUNT')], breakdowns: ['session.id'], limit: 20 }),
    ...both('SELECT "session.id" s, count(*) n FROM t GROUP BY s ORDER BY n DESC, s LIMIT 20') },
  { name: 'trace by id', skep: (x) => ({ path: `/skep/v1/trace/${x.traceId}` }),
    duckdb: (x) => `SELECT * FROM t WHERE trace_id = '${x.traceId}'`,
    clickhouse: (x) => `SELECT ${ids} FROM t WHERE trace_id = unhex('${x.traceId}')` },
  { name: 'newest 20 failed over 1 s',
    skep: { path: '/skep/v1/rows', body: { limit: 20, filters: [{ column: 'error', op: '=', value: true }, { column: 'duration_ms', op: '>', value: 1000 }] } },
    duckdb: `SELECT * ${newest}`, clickhouse: `SELECT ${ids} ${newest}` },
  { name: 'db.statement contains, common', skep: count([{ column: 'db.statement', op: 'contains', value: 'warehouse_id = 7' }]),
    ...both(`SELECT count(*) n FROM t WHERE "db.statement" LIKE '%warehouse_id = 7%'`) },
  { name: 'db.statement contains, rare', skep: count([{ column: 'db.statement', op: 'contains', value: 'sku-004242' }]),
    ...both(`SELECT count(*) n FROM t WHERE "db.statement" LIKE '%sku-004242%'`) },
  // Further ones of skep alone.
  { name: 'facets of 39 columns, slower than 1 s against the rest',
    skep: { path: '/skep/v1/facets', body: { columns, selection: { filters: [{ column: 'duration_ms', op: '>', value: 1000 }] } } } },
  { name: 'COUNT', skep: sum({ calculations: [C('COUNT')] }) },
  { name: 'COUNT by service.name per minute',
    skep: { path: '/skep/v1/query', body: { calculations: [C('COUNT')], breakdowns: ['service.name'], granularity: 60 } } },
  { name: 'slowest 50 traces', skep: { path: '/skep/v1/traces', body: { sort: 'slow', limit: 50, filters: [] } } },
  { name: 'trace by id, not there', skep: { path: `/skep/v1/trace/${'ab'.repeat(16)}` } },
];

export const median = (a) => [...a].sort((x, y) => x - y)[a.length >> 1];

// rows [{name, first, warm, cpu, rows}] as a table.
export function table(title, rows) {
  console.log(`\n| ${title} | first ms | median ms of ${rows[0]?.n ?? ''} | CPU ms | rows |\n|---|--:|--:|--:|--:|`);
  for (const r of rows) console.log(`| ${r.name} | ${r.first.toFixed(1)} | ${r.warm.toFixed(2)} | ${r.cpu.toFixed(1)} | ${r.rows} |`);
}
