// SPDX-License-Identifier: Apache-2.0
// The questions of the benchmark, one row each: what skep is asked and the same in SQL over the wide
// table of tests/bench/wide.c (t; DuckDB and ClickHouse differ where their functions do). Data: gen, seed 42.
// Thirty of them have both.

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

// One calculated field and how often it has which value.
const computed = (expression) => sum({ calculations: [C('COUNT')], calculated_fields: [{ name: 'x', expression }], breakdowns: ['x'] });
const failed = { op: 'COUNT', name: 'failed', filters: [{ column: 'error', op: '=', value: true }] };

// Roots: no parent; ClickHouse keeps ids as bytes.
const byEngine = (sql) => ({ duckdb: sql("coalesce(parent_id, '') = ''"), clickhouse: sql("parent_id = toFixedString('', 8)") });

// The counts of every value of every column on both sides: what a comparison begins with (skep tests them, too).
const wide = { 'span.kind': 'kind' };
const different = (type) => columns.filter((c) => c !== 'span.num_events').map((c) => `SELECT '${c}' c, CAST("${wide[c] ?? c}" AS ${type}) v, sum(CASE WHEN duration_ns > 1000000000 THEN 1 ELSE 0 END) s, count(*) n FROM t GROUP BY v`).join(' UNION ALL ');

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
  // Honeycomb's language: calculated fields, formulas, relations, what is different.
  { name: 'COUNT by status class (calculated)', skep: computed('IF($http.status_code >= 500, "5xx", $http.status_code >= 400, "4xx", EXISTS($http.status_code), "ok")'),
    ...both(`SELECT CASE WHEN "http.status_code" >= 500 THEN '5xx' WHEN "http.status_code" >= 400 THEN '4xx' WHEN "http.status_code" IS NOT NULL THEN 'ok' END x, count(*) n FROM t GROUP BY x`) },
  { name: 'COUNT by bucket of duration (calculated)', skep: computed('BUCKET($duration_ms, 50, 0, 1000)'),
    ...both('SELECT least(CAST(ceil(duration_ns / 5e7) AS INT), 21) x, count(*) n FROM t GROUP BY x') },
  { name: 'COUNT by a part of http.route (calculated, regex)', skep: computed('REG_VALUE($http.route, `^/([a-z]+)`)'),
    duckdb: `SELECT regexp_extract("http.route", '^/([a-z]+)', 1) x, count(*) n FROM t GROUP BY x`,
    clickhouse: `SELECT extract(ifNull("http.route", ''), '^/([a-z]+)') x, count(*) n FROM t GROUP BY x` },
  { name: 'COUNT of user_agent.original without case (calculated)', skep: sum({ calculations: [C('COUNT')], calculated_fields: [{ name: 'x', expression: 'CONTAINS(TO_LOWER($user_agent.original), "safari")' }], filters: [{ column: 'x', op: '=', value: true }] }),
    ...both(`SELECT count(*) n FROM t WHERE lower("user_agent.original") LIKE '%safari%'`) },
  { name: 'AVG of duration an item by service.name (calculated)', skep: sum({ calculations: [C('AVG', 'x')], calculated_fields: [{ name: 'x', expression: 'IF(EXISTS($app.items), DIV($duration_ms, $app.items))' }], breakdowns: ['service.name'] }),
    ...both('SELECT "service.name" s, avg(duration_ns / 1e6 / nullif("app.items", 0)) a FROM t GROUP BY s') },
  { name: 'error rate by service.name (formula)', skep: sum({ calculations: [C('COUNT'), failed], formulas: [{ name: 'rate', expression: '$failed / $COUNT' }], breakdowns: ['service.name'] }),
    ...both('SELECT "service.name" s, sum(CASE WHEN status_code = 2 THEN 1 ELSE 0 END) / count(*) r FROM t GROUP BY s') },
  { name: 'error rate by service.name and 5 minutes (formula)', skep: { path: '/skep/v1/query', body: { calculations: [C('COUNT'), failed], formulas: [{ name: 'rate', expression: '$failed / $COUNT' }], breakdowns: ['service.name'], granularity: 300 } },
    ...both('SELECT "service.name" s, start_ns - start_ns % 300000000000 b, sum(CASE WHEN status_code = 2 THEN 1 ELSE 0 END) / count(*) r FROM t GROUP BY s, b') },
  { name: 'P99 / P50 by http.route (formula)', skep: sum({ calculations: [C('P99', 'duration_ms'), C('P50', 'duration_ms')], formulas: [{ name: 'tail', expression: '$"P99(duration_ms)" / $"P50(duration_ms)"' }], breakdowns: ['http.route'] }),
    duckdb: 'SELECT "http.route" r, quantile_disc(duration_ns, 0.99) / quantile_disc(duration_ns, 0.5) q FROM t GROUP BY r',
    clickhouse: 'SELECT "http.route" r, quantileExactLow(0.99)(duration_ns) / quantileExactLow(0.5)(duration_ns) q FROM t GROUP BY r' },
  { name: 'COUNT by service.name under a root of /checkout (root.)', skep: sum({ calculations: [C('COUNT')], breakdowns: ['service.name'], filters: [{ column: 'root.http.route', op: '=', value: '/checkout' }] }),
    ...byEngine((top) => `SELECT "service.name" s, count(*) n FROM t WHERE trace_id IN (SELECT trace_id FROM t WHERE ${top} AND "http.route" = '/checkout') GROUP BY s`) },
  { name: 'COUNT by root.http.route (root.)', skep: sum({ calculations: [C('COUNT')], breakdowns: ['root.http.route'] }),
    ...byEngine((top) => `SELECT r."http.route" x, count(*) n FROM t JOIN (SELECT trace_id, "http.route" FROM t WHERE ${top}) r ON t.trace_id = r.trace_id GROUP BY x`) },
  { name: 'COUNT of roots of traces with a failed span (any.)', skep: count([{ column: 'is_root', op: '=', value: true }, { column: 'any.error', op: '=', value: true }]),
    ...byEngine((top) => `SELECT count(*) n FROM t WHERE ${top} AND trace_id IN (SELECT trace_id FROM t WHERE status_code = 2)`) },
  { name: 'COUNT of traces without a db span (none.)', skep: count([{ column: 'is_root', op: '=', value: true }, { column: 'none.db.system', op: 'exists' }]),
    ...byEngine((top) => `SELECT count(*) n FROM t WHERE ${top} AND trace_id NOT IN (SELECT trace_id FROM t WHERE "db.system" IS NOT NULL)`) },
  { name: 'COUNT by name of spans whose parent failed (parent.)', skep: sum({ calculations: [C('COUNT')], breakdowns: ['name'], filters: [{ column: 'parent.error', op: '=', value: true }] }),
    ...both('SELECT t.name x, count(*) n FROM t JOIN (SELECT trace_id, span_id FROM t WHERE status_code = 2) p ON t.trace_id = p.trace_id AND t.parent_id = p.span_id GROUP BY x') },
  { name: 'P95 by service.name and 5 minutes', skep: { path: '/skep/v1/query', body: { calculations: [C('P95', 'duration_ms')], breakdowns: ['service.name'], granularity: 300 } },
    duckdb: 'SELECT "service.name" s, start_ns - start_ns % 300000000000 b, quantile_disc(duration_ns, 0.95) q FROM t GROUP BY s, b',
    clickhouse: 'SELECT "service.name" s, start_ns - start_ns % 300000000000 b, quantileExactLow(0.95)(duration_ns) q FROM t GROUP BY s, b' },
  { name: 'distinct user.id by service.name', skep: sum({ calculations: [C('COUNT_DISTINCT', 'user.id')], breakdowns: ['service.name'] }),
    ...both('SELECT "service.name" s, count(DISTINCT "user.id") n FROM t GROUP BY s') },
  { name: 'COUNT by service.name, http.route, http.status_code', skep: sum({ calculations: [C('COUNT')], breakdowns: ['service.name', 'http.route', 'http.status_code'], limit: 100 }),
    ...both('SELECT "service.name" s, "http.route" r, "http.status_code" c, count(*) n FROM t GROUP BY s, r, c ORDER BY n DESC LIMIT 100') },
  { name: 'tables with over 1,000 rows affected (having)', skep: sum({ calculations: [C('SUM', 'db.rows_affected'), C('MAX', 'duration_ms')], breakdowns: ['db.sql.table'], havings: [{ calculate_op: 'SUM', column: 'db.rows_affected', op: '>', value: 1000 }] }),
    ...both('SELECT "db.sql.table" x, sum("db.rows_affected") n, max(duration_ns) m FROM t GROUP BY x HAVING n > 1000 ORDER BY n DESC') },
  { name: 'what is different over 1 s, 39 columns',
    skep: { path: '/skep/v1/facets', body: { columns, selection: { filters: [{ column: 'duration_ms', op: '>', value: 1000 }] } } },
    duckdb: different('VARCHAR'), clickhouse: different('Nullable(String)') },
  // Further ones of skep alone.
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
