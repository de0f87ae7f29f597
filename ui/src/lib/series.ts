// SPDX-License-Identifier: Apache-2.0
// From a result to what charts draw: names, colours, numbers per bucket.

import { groupColors, serviceColor, type Theme } from './color';
import { percent, value } from './format';
import type { Bucket, Group, QueryResult } from './types';

// `of`: the group, where several lines are of one.
export interface Series { id: string; of?: string; name: string; color: string; key: Group['key']; data: (number | null)[]; dash?: boolean }

export const groupId = (key: Group['key']) => JSON.stringify(key);
export const groupName = (key: Group['key']) => (key.length ? key.map((v) => (v === null ? 'absent' : value(v))).join(' · ') : 'all rows');

export const MAX_SERIES = 40;

// A colour for each group, in order. A lone service.name is known by its service's colour.
export function colorsOf(result: QueryResult, theme: Theme, alone: string): string[] {
  const by = result.columns.filter((c) => c.kind === 'group').map((c) => c.key);
  if (by.length === 0) return result.groups.map(() => alone);
  if (by.length === 1 && by[0] === 'service.name') return result.groups.map((g) => serviceColor(value(g.key[0]), theme));
  return groupColors(result.groups.map((g) => groupId(g.key)), theme);
}

const COUNTS = new Set(['COUNT', 'SUM', 'COUNT_DISTINCT', 'CONCURRENCY']);

// Where nothing was counted the count is 0; where nothing was measured there is no number.
export function numbers(buckets: Bucket[] | undefined, op: string | undefined): (number | null)[] {
  const zero = op !== undefined && COUNTS.has(op) ? 0 : null;
  return (buckets ?? []).map((b) => (typeof b === 'number' ? b : zero));
}

// Each group by its values, with its numbers over time.
export function seriesKeyed(result: QueryResult, calc: number): { group: Record<string, Group['key'][number]>; values: (number | null)[] }[] {
  const by = result.columns.filter((c) => c.kind === 'group');
  const op = result.columns.filter((c) => c.kind !== 'group')[calc]?.op;
  return result.groups.map((g) => ({ group: Object.fromEntries(by.map((c, i) => [c.key, g.key[i] ?? null])), values: numbers(g.series?.[calc], op) }));
}

// `omit`: where there was nothing there is no number, not 0.
export function seriesOf(result: QueryResult, calc: number, theme: Theme, alone: string, omit?: boolean): Series[] {
  const op = result.columns.filter((c) => c.kind !== 'group')[calc]?.op;
  const colors = colorsOf(result, theme, alone);
  return result.groups.slice(0, MAX_SERIES).map((g, i) => ({
    id: groupId(g.key), name: groupName(g.key), color: colors[i]!, key: g.key,
    data: omit ? numbers(g.series?.[calc], undefined).map((n) => (n === 0 && op === 'COUNT' ? null : n)) : numbers(g.series?.[calc], op),
  }));
}

// The same series of an earlier time, where now's buckets stand; dashed. Nothing without a comparison.
export function earlierOf(result: QueryResult, calc: number, series: Series[]): Series[] {
  const then = result.compare;
  if (!then || then.times_ms.length === 0) return [];
  const op = result.columns.filter((c) => c.kind !== 'group')[calc]?.op;
  return series.map((s, i) => {
    const data = numbers(then.groups[i]?.series?.[calc], op);
    const at = (t: number) => Math.floor((t - then.offset_ms - then.times_ms[0]!) / then.granularity_ms);
    return { ...s, of: s.id, id: `${s.id} before`, name: `${s.name}, ${agoText(then.offset_ms)} before`, dash: true, data: settled(result, result.times_ms.map((t) => data[at(t)] ?? null), op) };
  });
}

// The difference to an earlier value; where nothing was counted then it was 0, where nothing was measured there is none.
export function changeOf(now: number | null | undefined, then: number | null | undefined, op: string | undefined): { then: number | null; by: number | null; text: string } {
  const zero = op !== undefined && COUNTS.has(op) ? 0 : null;
  const was = then ?? zero, is = now ?? zero;
  if (was === null || is === null) return { then: was, by: null, text: '' };
  const share = was === 0 ? null : (is - was) / Math.abs(was);
  return { then: was, by: is - was, text: share === null ? (is === 0 ? '' : 'new') : `${share > 0 ? '+' : share < 0 ? '-' : ''}${percent(Math.abs(share))}` };
}

export function agoText(ms: number): string {
  const units: [number, string][] = [[604800e3, 'week'], [86400e3, 'day'], [3600e3, 'hour'], [60e3, 'minute'], [1e3, 'second']];
  const [u, name] = units.find(([n]) => ms % n === 0) ?? [1e3, 'second'];
  return `${ms / u} ${name}${ms === u ? '' : 's'}`;
}

// How much of a bucket the range covers, in ms.
function coveredBy(r: QueryResult, i: number): number {
  return Math.min(r.times_ms[i]! + r.granularity_ms, r.end_ms) - Math.max(r.times_ms[i]!, r.start_ms);
}

// A line that falls to nothing where the range ends reads as an outage: of what adds up, buckets with
// less than a third inside the range are not drawn.
export function settled(r: QueryResult, data: (number | null)[], op: string | undefined): (number | null)[] {
  if (op === undefined || !COUNTS.has(op)) return data;
  return data.map((n, i) => (coveredBy(r, i) < r.granularity_ms / 3 ? null : n));
}

// The first and last bucket may be cut by the range; what covers under a third of a step says nothing,
// nor does the running second: its rows are still on their way.
const LATE_MS = 800;

export function rates(r: QueryResult, data: (number | null)[]): (number | null)[] {
  return data.map((n, i) => {
    const covered = coveredBy(r, i);
    const running = r.end_ms < r.times_ms[i]! + r.granularity_ms && covered < LATE_MS;
    return n === null || running || covered < r.granularity_ms / 3 ? null : n / (covered / 1e3);
  });
}
