// SPDX-License-Identifier: Apache-2.0
// The searches of the benchmark of log lines, a row each: what skep is asked, the same in SQL over the table
// t(ns, service, pod, line) of gen_logs' CSV (DuckDB and ClickHouse differ where their functions do), and what
// grep counts in it. `one`: the answer is a number that all must give alike.

const count = (pattern, more = {}) => ({ path: '/skep/v1/query', body: { disable_series: true, calculations: [{ op: 'COUNT' }], filters: [{ column: 'meta.kind', op: '=', value: 'log' }], pattern, ...more } });
const insights = (query, groups) => ({ path: '/skep/v1/logs/insights', body: { query, ...(groups && { groups: [groups].flat() }) } });
const counted = (test) => `SELECT count(*) n FROM t WHERE ${test}`;
const json = ['orders', 'payments', 'catalog', 'auth'];
const among = `service IN (${json.map((s) => `'${s}'`).join(', ')})`;

export const lineQuestions = [
  { name: 'needle, in one line', one: true, skep: count('OutOfDiskSpaceError'), grep: 'OutOfDiskSpaceError',
    duckdb: counted("contains(line, 'OutOfDiskSpaceError')"), clickhouse: counted("position(line, 'OutOfDiskSpaceError') > 0") },
  { name: 'common word', one: true, skep: count('iPhone'), grep: 'iPhone',
    duckdb: counted("contains(line, 'iPhone')"), clickhouse: counted("position(line, 'iPhone') > 0") },
  { name: 'a trace id, in few lines', one: true, skep: (x) => count(x.traceId), grep: (x) => x.traceId,
    duckdb: (x) => counted(`contains(line, '${x.traceId}')`), clickhouse: (x) => counted(`position(line, '${x.traceId}') > 0`) },
  { name: 'newest 100 of a stream', skep: { path: '/skep/v1/rows', body: { limit: 100, columns: ['timestamp', 'body'], filters: [{ column: 'k8s.pod.name', op: '=', value: 'orders-2' }] } },
    duckdb: "SELECT ns, line FROM t WHERE pod = 'orders-2' ORDER BY ns DESC LIMIT 100", clickhouse: "SELECT ns, line FROM t WHERE pod = 'orders-2' ORDER BY ns DESC LIMIT 100" },
  { name: 'filter pattern over JSON members', one: true, skep: count('{ $.level = "warn" && $.duration_ms > 1000 }'),
    duckdb: counted(`${among} AND line[1] = '{' AND json_extract_string(line, '$.level') = 'warn' AND CAST(json_extract(line, '$.duration_ms') AS DOUBLE) > 1000`),
    clickhouse: counted(`${among} AND JSONExtractString(line, 'level') = 'warn' AND JSONExtractFloat(line, 'duration_ms') > 1000`) },
  { name: 'regular expression, in one line', one: true, skep: count('%volume-[0-9a-f]{8}%'), grep: 'volume-[0-9a-f]{8}',
    duckdb: counted("regexp_matches(line, 'volume-[0-9a-f]{8}')"), clickhouse: counted("match(line, 'volume-[0-9a-f]{8}')") },
  { name: 'histogram by minute', skep: insights('stats count(*) by bin(1m)'),
    duckdb: 'SELECT ns // 60000000000 b, count(*) n FROM t GROUP BY b', clickhouse: 'SELECT intDiv(ns, 60000000000) b, count(*) n FROM t GROUP BY b' },
  { name: 'count by service', skep: insights('stats count(*) as n by @log | sort n desc'),
    duckdb: 'SELECT service, count(*) n FROM t GROUP BY service ORDER BY n DESC', clickhouse: 'SELECT service, count(*) n FROM t GROUP BY service ORDER BY n DESC' },
  { name: 'measured by a JSON member, 1.5 M lines', skep: insights('fields jsonParse(@message) as j | stats count(*), avg(j.duration_ms) by j.level', 'orders'),
    duckdb: "SELECT json_extract_string(line, '$.level') l, count(*), avg(CAST(json_extract(line, '$.duration_ms') AS DOUBLE)) FROM t WHERE service = 'orders' GROUP BY l",
    clickhouse: "SELECT JSONExtractString(line, 'level') l, count(*), avg(JSONExtractFloat(line, 'duration_ms')) FROM t WHERE service = 'orders' GROUP BY l" },
  { name: 'measured by a parsed text, 1 M lines', skep: insights(String.raw`parse @message /" (?<status>\d{3}) (?<bytes>\d+) / | stats count(*), avg(bytes) by status`, 'edge-us'),
    duckdb: String.raw`SELECT regexp_extract(line, '" (\d{3}) (\d+) ', 1) s, count(*), avg(CAST(regexp_extract(line, '" (\d{3}) (\d+) ', 2) AS BIGINT)) FROM t WHERE service = 'edge-us' GROUP BY s`,
    clickhouse: String.raw`SELECT g[1] s, count(*), avg(toUInt64OrZero(g[2])) FROM (SELECT extractGroups(line, '" (\\d{3}) (\\d+) ') g FROM t WHERE service = 'edge-us') GROUP BY s` },
  { name: 'dedup: the newest of each service', skep: insights('fields @timestamp, @log, @message | dedup @log'),
    duckdb: 'SELECT service, max(ns), arg_max(line, ns) FROM t GROUP BY service', clickhouse: 'SELECT service, max(ns), argMax(line, ns) FROM t GROUP BY service' },
  { name: 'patterns, 0.5 M lines (peers: digits replaced, counted)', skep: insights('pattern @message', 'sessions'),
    duckdb: "SELECT regexp_replace(line, '[0-9]+', '#', 'g') p, count(*) n FROM t WHERE service = 'sessions' GROUP BY p ORDER BY n DESC LIMIT 10000",
    clickhouse: "SELECT replaceRegexpAll(line, '[0-9]+', '#') p, count(*) n FROM t WHERE service = 'sessions' GROUP BY p ORDER BY n DESC LIMIT 10000" },
];
