// SPDX-License-Identifier: Apache-2.0
//
// What of an Insights result can be drawn: over time where a column is a time and another a number, a
// series for each value of the other columns; else a bar for each row.

import type { InsightsResult } from './types';

const MAX_SERIES = 24;

export interface Charted {
  times: number[] | null; step: number;
  labels: string[]; // without times: of each row
  series: { name: string; data: (number | null)[] }[];
  more: number; // series left out
}

// "2026-11-20 17:15:00.000", UTC
export const timeOf = (text: string | null) => (text === null ? NaN : Date.parse(`${text.replace(' ', 'T')}Z`));

const number = (text: string | null) => (text === null || text === '' || Number.isNaN(Number(text)) ? null : Number(text));

export type ColumnKind = 'time' | 'number' | 'text';

const TIME = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?$/;

// What a column holds: as the answer says, else what all its values are.
export function kindsOf(a: InsightsResult): ColumnKind[] {
  return a.columns.map((c, i) => {
    if (c.time) return 'time';
    if (c.number) return 'number';
    const some = a.rows.map((r) => r[i]).filter((v): v is string => v !== null && v !== undefined);
    if (some.length === 0) return 'text';
    return some.every((v) => TIME.test(v)) ? 'time' : some.every((v) => number(v) !== null) ? 'number' : 'text';
  });
}

export function chartOf(a: InsightsResult): Charted | null {
  if (a.kind !== 'table' || a.rows.length === 0) return null;
  const kinds = kindsOf(a);
  const time = kinds.indexOf('time');
  const numbers = kinds.map((k, i) => (k === 'number' ? i : -1)).filter((i) => i >= 0);
  const texts = kinds.map((k, i) => (k === 'text' || (k === 'time' && i !== time) ? i : -1)).filter((i) => i >= 0);
  if (numbers.length === 0) return null;
  const label = (r: (string | null)[]) => texts.map((i) => r[i] ?? '–').join(' · ');
  if (time < 0) {
    if (a.rows.length < 2) return null;
    return { times: null, step: 0, labels: a.rows.map(label), series: numbers.map((i) => ({ name: a.columns[i]!.name, data: a.rows.map((r) => number(r[i]!)) })), more: 0 };
  }
  const times = [...new Set(a.rows.map((r) => timeOf(r[time]!)))].filter((t) => !Number.isNaN(t)).sort((x, y) => x - y);
  if (times.length === 0) return null;
  const step = Math.min(...times.slice(1).map((t, i) => t - times[i]!), times.length === 1 ? 60e3 : Infinity);
  // Steps without a row are gaps, not jumps: a place for each, as far as that is sensible.
  const n = Math.round((times[times.length - 1]! - times[0]!) / step) + 1;
  const even = n <= 2000 && times.every((t) => (t - times[0]!) % step === 0);
  const axis = even ? Array.from({ length: n }, (_, i) => times[0]! + i * step) : times;
  const at = new Map(axis.map((t, i) => [t, i]));
  const by = new Map<string, (number | null)[]>();
  for (const r of a.rows) {
    const i = at.get(timeOf(r[time]!));
    if (i === undefined) continue;
    for (const c of numbers) {
      const name = [label(r), numbers.length > 1 || texts.length === 0 ? a.columns[c]!.name : ''].filter(Boolean).join(' · ');
      const data = by.get(name) ?? axis.map(() => null);
      data[i] = number(r[c]!);
      by.set(name, data);
    }
  }
  const total = (d: (number | null)[]) => d.reduce<number>((x, y) => x + Math.abs(y ?? 0), 0);
  const all = [...by].map(([name, data]) => ({ name, data })).sort((x, y) => total(y.data) - total(x.data) || (x.name < y.name ? -1 : 1));
  return { times: axis, step, labels: [], series: all.slice(0, MAX_SERIES), more: Math.max(0, all.length - MAX_SERIES) };
}
