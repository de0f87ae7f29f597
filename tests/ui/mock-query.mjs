// SPDX-License-Identifier: Apache-2.0
//
// The mock's answers to questions: filters, groups, series and heatmaps over an array of rows,
// in the shapes of docs/api/page.md. Plain loops: right before fast.

const num = (v) => typeof v === 'number';
const OPS = {
  '=': (a, b) => a === b, '!=': (a, b) => a !== b,
  '>': (a, b) => num(a) && a > b, '>=': (a, b) => num(a) && a >= b,
  '<': (a, b) => num(a) && a < b, '<=': (a, b) => num(a) && a <= b,
  'starts-with': (a, b) => String(a ?? '').startsWith(b), 'does-not-start-with': (a, b) => !String(a ?? '').startsWith(b),
  'ends-with': (a, b) => String(a ?? '').endsWith(b), 'does-not-end-with': (a, b) => !String(a ?? '').endsWith(b),
  contains: (a, b) => String(a ?? '').includes(b), 'does-not-contain': (a, b) => !String(a ?? '').includes(b),
  exists: (a) => a !== undefined, 'does-not-exist': (a) => a === undefined,
  in: (a, b) => b.includes(a), 'not-in': (a, b) => !b.includes(a),
};

export class Refused extends Error {
  constructor(message, field) { super(message); this.field = field; }
}

export function range(q, now) {
  const span = (q.time_range ?? 7200) * 1e3;
  if (q.start_time != null && q.end_time != null) return [q.start_time * 1e3, q.end_time * 1e3];
  if (q.start_time != null) return [q.start_time * 1e3, q.start_time * 1e3 + span];
  if (q.end_time != null) return [q.end_time * 1e3 - span, q.end_time * 1e3];
  return [now - span, now];
}

export function select(rows, q, now) {
  const [from, to] = range(q, now);
  const tests = (list) => (q[list] ?? []).map((f, i) => {
    if (!OPS[f.op]) throw new Refused(`unknown operator "${f.op}"`, `${list}[${i}].op`);
    if (['>', '>=', '<', '<='].includes(f.op) && !num(f.value)) throw new Refused(`"${f.op}" needs a number`, `${list}[${i}].value`);
    return f.column === '*'
      ? (r) => Object.values(r.fields).some((v) => typeof v === 'string' && OPS[f.op](v.toLowerCase(), String(f.value).toLowerCase()))
      : (r) => OPS[f.op](r.fields[f.column], f.value);
  });
  const [filters, and] = [tests('filters'), tests('and_filters')];
  const any = q.filter_combination === 'OR' && filters.length > 0;
  return rows.filter((r) => r.t >= from && r.t < to && (!q.dataset || q.dataset === '__all__' || q.dataset === r.dataset) &&
    and.every((f) => f(r)) && (any ? filters.some((f) => f(r)) : filters.every((f) => f(r))));
}

const quantile = (p) => (vs) => { vs.sort((a, b) => a - b); return vs[Math.min(vs.length - 1, Math.floor(p * vs.length))]; };
const sum = (vs) => vs.reduce((a, b) => a + b, 0);
const AGG = { SUM: sum, AVG: (vs) => sum(vs) / vs.length, MIN: (vs) => Math.min(...vs), MAX: (vs) => Math.max(...vs) };
for (const p of ['001', '01', '05', '10', '20', '25', '50', '75', '80', '90', '95', '99', '999']) {
  AGG[`P${p}`] = quantile(p === '001' ? 0.001 : p === '999' ? 0.999 : Number(p) / 100);
}

function value(calc, rows) {
  if (calc.op === 'COUNT' || calc.op === 'CONCURRENCY') return rows.length || null;
  const vs = rows.map((r) => r.fields[calc.column]).filter((v) => v !== undefined);
  if (calc.op === 'COUNT_DISTINCT') return vs.length ? new Set(vs).size : null;
  const nums = vs.filter(num);
  if (!AGG[calc.op]) throw new Refused(`unknown calculation "${calc.op}"`, 'calculations');
  return nums.length ? AGG[calc.op](nums) : null;
}

function edgesFor(column, rows, bins) {
  let lo = Infinity;
  let hi = 0;
  for (const r of rows) {
    const v = r.fields[column];
    if (num(v) && v > 0) { lo = Math.min(lo, v); hi = Math.max(hi, v); }
  }
  if (hi === 0) return [];
  const a = Math.log(lo);
  const step = (Math.log(hi * 1.0001) - a) / bins || 0.01;
  return Array.from({ length: bins + 1 }, (_, i) => Math.exp(a + step * i));
}

function histogram(column, edges, rows) {
  const counts = new Map();
  for (const r of rows) {
    const v = r.fields[column];
    if (!num(v) || v < edges[0]) continue;
    let i = edges.findIndex((e) => v < e) - 1;
    if (i < 0) i = edges.length - 2;
    counts.set(i, (counts.get(i) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => a[0] - b[0]);
}

const keyOf = (c) => c.name ?? (c.column ? `${c.op}(${c.column})` : c.op);

function aggregate(calcs, edges, rows, buckets) {
  const values = calcs.map((c) => (c.op === 'HEATMAP' ? null : value(c, rows)));
  const parts = buckets.split(rows);
  const series = calcs.map((c) => parts.map((p) => (c.op === 'HEATMAP' ? histogram(c.column, edges[keyOf(c)], p) : value(c, p))));
  return { values, series };
}

const STEPS = [1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400].map((s) => s * 1e3);

export function query(all, q, now) {
  const started = performance.now();
  const [from, to] = range(q, now);
  const step = q.granularity ? q.granularity * 1e3 : STEPS.find((s) => (to - from) / s <= 130) ?? 86400e3;
  const start = Math.floor(from / step) * step;
  const times = [];
  for (let t = start; t < to; t += step) times.push(t);
  const buckets = { split: (rows) => { const out = times.map(() => []); for (const r of rows) out[Math.floor((r.t - start) / step)]?.push(r); return out; } };
  const calcs = q.calculations?.length ? q.calculations : [{ op: 'COUNT' }];
  const by = q.breakdowns ?? [];
  const rows = select(all, q, now);
  const edges = Object.fromEntries(calcs.filter((c) => c.op === 'HEATMAP').map((c) => [keyOf(c), edgesFor(c.column, rows, q.heatmap?.bins ?? 40)]));
  const groups = new Map();
  for (const r of rows) {
    const key = by.map((b) => r.fields[b] ?? null);
    const id = JSON.stringify(key);
    if (!groups.has(id)) groups.set(id, { key, rows: [] });
    groups.get(id).rows.push(r);
  }
  let out = [...groups.values()].map((g) => ({ key: g.key, ...aggregate(calcs, edges, g.rows, buckets) }));
  const at = (o) => calcs.findIndex((c) => c.op === o.op && (c.column ?? null) === (o.column ?? null));
  const order = q.orders?.length ? q.orders : [{ op: calcs[0].op, column: calcs[0].column, order: 'descending' }];
  out.sort((a, b) => {
    for (const o of order) {
      const i = at(o);
      const [x, y] = i >= 0 ? [a.values[i], b.values[i]] : [a.key[by.indexOf(o.column)], b.key[by.indexOf(o.column)]];
      if (x !== y) return (x == null ? 1 : y == null ? -1 : x < y ? -1 : 1) * (o.order === 'descending' ? -1 : 1);
    }
    return JSON.stringify(a.key) < JSON.stringify(b.key) ? -1 : 1;
  });
  for (const h of q.havings ?? []) {
    const i = calcs.findIndex((c) => c.op === h.calculate_op && (c.column ?? null) === (h.column ?? null));
    out = out.filter((g) => OPS[h.op](g.values[i], h.value));
  }
  const found = out.length;
  return {
    type: 'result', complete: true, rows_examined: all.length, elapsed_ms: performance.now() - started, warnings: [],
    start_ms: from, end_ms: to, granularity_ms: step, times_ms: times,
    columns: [...by.map((key) => ({ key, kind: 'group' })), ...calcs.map((c) => ({ key: keyOf(c), kind: 'calc', op: c.op, field: c.column ?? null }))],
    groups: out.slice(0, q.limit ?? 100), totals: aggregate(calcs, edges, rows, buckets), groups_total: found,
    heatmaps: Object.fromEntries(Object.entries(edges).map(([k, e]) => [k, { edges: e }])),
  };
}

// Selected rows against the rest, column by column; absent counts as a value.
export function facets(rows, q, now, histograms = false) {
  const base = select(rows, q, now);
  const chosen = new Set(select(base, { ...q, dataset: undefined, ...q.selection }, now));
  const [selected, rest] = [chosen.size, base.length - chosen.size];
  const list = (q.columns ?? []).map((column) => {
    const counts = new Map();
    for (const r of base) {
      const v = JSON.stringify(r.fields[column] ?? null);
      const c = counts.get(v) ?? [0, 0];
      c[chosen.has(r) ? 0 : 1]++;
      counts.set(v, c);
    }
    const numbers = base.map((r) => r.fields[column]).filter((v) => typeof v === 'number');
    if (histograms && numbers.length > 0.4 * base.length && counts.size > 20) {
      const [lo, hi] = [Math.min(...numbers), Math.max(...numbers)];
      const bins = (of) => Array.from({ length: 10 }, (_, i) => base.filter((r) => chosen.has(r) === of && typeof r.fields[column] === 'number' && Math.min(9, Math.floor(((r.fields[column] - lo) / (hi - lo)) * 10)) === i).length);
      return { column, too_many_values: true, kind: 'numbers', significant: true, difference: 0.9, effect: 0.8, p: 0, q: 0, n_values: 0, values: [],
        histogram: { edges: Array.from({ length: 11 }, (_, i) => lo + ((hi - lo) * i) / 10), selected: bins(true), rest: bins(false) } };
    }
    if (counts.size > 2000) return { column, too_many_values: true, kind: 'presence', significant: false, difference: 0, effect: 0, p: 1, q: 1, n_values: 0, values: [] };
    const apart = (c) => Math.abs(c[0] / (selected || 1) - c[1] / (rest || 1));
    const by = [...counts].sort((a, b) => apart(b[1]) - apart(a[1]));
    const difference = selected && rest ? by.reduce((n, [, c]) => n + apart(c), 0) / 2 : 0;
    return { column, too_many_values: false, kind: 'values', significant: difference >= 0.02, effect: difference, p: 0, q: 0, difference, n_values: by.length,
      values: by.slice(0, q.limit ?? 20).map(([v, c]) => ({ value: JSON.parse(v), selected: c[0], rest: c[1] })) };
  });
  list.sort((a, b) => b.difference - a.difference || (a.column < b.column ? -1 : 1));
  return { selected, rest, estimated: false, facets: list, rows_examined: base.length, elapsed_ms: 1.5, complete: true };
}
