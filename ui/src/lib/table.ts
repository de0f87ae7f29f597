// SPDX-License-Identifier: Apache-2.0
//
// A result as rows of text and as JSON: the groups with their numbers, and each calculation over time.
//   groups   service.name,COUNT,P95(duration_ms)
//   series   time,shop,db                           a column a group
//   heatmap  time,from,to,rows                      a row a cell

import { value } from './format';
import { groupName, numbers, seriesKeyed } from './series';
import type { Column, QueryResult, Value } from './types';

const calcsOf = (r: QueryResult) => r.columns.filter((c) => c.kind !== 'group');
const number = (n: number | null | undefined) => (n === null || n === undefined ? '' : String(n));
const iso = (ms: number) => new Date(ms).toISOString();
const cell = (v: Value) => (v === null ? '' : value(v));

// Calculations with one number a group: all but heatmaps.
const counted = (r: QueryResult) => calcsOf(r).map((c, i) => ({ c, i })).filter(({ c }) => c.op !== 'HEATMAP');

export function groupRows(r: QueryResult): string[][] {
  const head = [...r.columns.filter((c) => c.kind === 'group').map((c) => c.key), ...counted(r).map(({ c }) => c.key)];
  return [head, ...r.groups.map((g) => [...g.key.map(cell), ...counted(r).map(({ i }) => number(g.values[i]))])];
}

export function groupJson(r: QueryResult): Record<string, Value>[] {
  const by = r.columns.filter((c) => c.kind === 'group');
  return r.groups.map((g) => Object.fromEntries([...by.map((c, i) => [c.key, g.key[i] ?? null]), ...counted(r).map(({ c, i }) => [c.key, g.values[i] ?? null])]));
}

export function seriesRows(r: QueryResult, calc: number): string[][] {
  const column = calcsOf(r)[calc]!;
  if (column.op === 'HEATMAP') return [['time', 'from', 'to', 'rows'], ...cells(r, calc, column).map((c) => [iso(c[0]), ...c.slice(1).map(String)])];
  const lines = r.groups.map((g) => numbers(g.series?.[calc], column.op));
  return [['time', ...r.groups.map((g) => groupName(g.key))], ...r.times_ms.map((t, i) => [iso(t), ...lines.map((l) => number(l[i]))])];
}

export function seriesJson(r: QueryResult, calc: number): unknown {
  const column = calcsOf(r)[calc]!;
  const head = { calculation: column.key, start: iso(r.start_ms), end: iso(r.end_ms), granularity_ms: r.granularity_ms, complete: r.complete };
  if (column.op === 'HEATMAP') return { ...head, cells: cells(r, calc, column).map(([t, from, to, rows]) => ({ time: iso(t), from, to, rows })) };
  return { ...head, times: r.times_ms.map(iso), series: seriesKeyed(r, calc) };
}

function cells(r: QueryResult, calc: number, column: Column): [number, number, number, number][] {
  const edges = r.heatmaps[column.key]?.edges ?? [];
  return (r.totals.series?.[calc] ?? []).flatMap((b, i) => (Array.isArray(b) ? b.map(([bin, n]): [number, number, number, number] => [r.times_ms[i]!, edges[bin]!, edges[bin + 1]!, n]) : []));
}
