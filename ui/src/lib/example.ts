// SPDX-License-Identifier: Apache-2.0
// From a region of a chart to an example trace, or to the list of all such traces.

import { api } from './api';
import { filterText, filtersOf, selectionOf } from './query';
import { matches } from './match';
import { go, href, route } from './route';
import type { Filter, Row } from './types';

// Rows looked through for one that an OR of filters lets pass.
const LOOK = 1000;

export const isAny = (params: URLSearchParams) => params.get('or') === '1' && params.getAll('w').length > 1;

export interface Where { from: number; to: number; filters: Filter[] }

const seconds = (ms: number) => String(Number((ms / 1e3).toFixed(3)));

export function rangeFilters(field: string, low: number, high: number): Filter[] {
  return [{ column: field, op: '>=', value: low }, { column: field, op: '<', value: high }];
}

const TRACED: Filter = { column: 'trace.trace_id', op: 'exists' };

async function find(where: Where, extra: Filter[], signal?: AbortSignal): Promise<Row | null> {
  const params = new URLSearchParams(route().params);
  const own = filtersOf(params);
  const any = isAny(params);
  if (any) params.delete('w');
  const spec = { ...selectionOf(params, [...extra, ...where.filters]), limit: any ? LOOK : 1, order: 'desc' as const };
  delete spec.time_range;
  spec.start_time = where.from / 1e3;
  spec.end_time = where.to / 1e3;
  const columns = ['trace.trace_id', 'trace.span_id', ...(any ? own.map((f) => f.column) : [])];
  const { rows } = await api.rows({ ...spec, columns }, signal);
  return (any ? rows.find((r) => matches(r, own, true, '')) : rows[0]) ?? null;
}

// Opens the trace of the newest row of the region, preferring rows that have one. Gives back the row
// when none has, and null when there is no row at all.
export async function openExample(where: Where, extra: Filter[], signal?: AbortSignal): Promise<Row | 'opened' | null> {
  const row = (await find(where, [...extra, TRACED], signal)) ?? (await find(where, extra, signal));
  if (!row) return null;
  const trace = row.fields['trace.trace_id'];
  if (typeof trace !== 'string' || trace === '') return row;
  const span = row.fields['trace.span_id'];
  go(href(`trace/${encodeURIComponent(trace)}`, typeof span === 'string' && span ? { span } : { row: row.id }));
  return 'opened';
}

export function showTraces(where: Where, extra: Filter[]) {
  const own = route().params.getAll('w');
  const w = [...own, ...[...extra, ...where.filters].map(filterText)];
  go(href('traces', { w: [...new Set(w)], t: null, from: seconds(where.from), to: seconds(where.to) }));
}
