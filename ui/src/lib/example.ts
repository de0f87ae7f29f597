// SPDX-License-Identifier: Apache-2.0
// From a region of a chart to an example trace, or to the list of all such traces.

import { api } from './api';
import { filterText, selectionOf } from './query';
import { go, href, route } from './route';
import type { Filter, Row } from './types';

export interface Where { from: number; to: number; filters: Filter[] }

const seconds = (ms: number) => String(Number((ms / 1e3).toFixed(3)));

export function rangeFilters(field: string, low: number, high: number): Filter[] {
  return [{ column: field, op: '>=', value: low }, { column: field, op: '<', value: high }];
}

// Opens the newest trace among the rows of the region; gives the row back if it has no trace.
export async function openExample(where: Where, extra: Filter[], signal?: AbortSignal): Promise<Row | null> {
  const spec = { ...selectionOf(route().params, [...extra, ...where.filters]), limit: 1, order: 'desc' as const };
  delete spec.time_range;
  spec.start_time = where.from / 1e3;
  spec.end_time = where.to / 1e3;
  const { rows } = await api.rows({ ...spec, columns: ['trace.trace_id', 'trace.span_id'] }, signal);
  const row = rows[0];
  if (!row) return null;
  const trace = row.fields['trace.trace_id'];
  if (typeof trace !== 'string' || trace === '') return row;
  const span = row.fields['trace.span_id'];
  go(href(`trace/${encodeURIComponent(trace)}`, typeof span === 'string' && span ? { span } : { row: row.id }));
  return null;
}

export function showTraces(where: Where, extra: Filter[]) {
  const own = route().params.getAll('w');
  const w = [...own, ...[...extra, ...where.filters].map(filterText)];
  go(href('traces', { w: [...new Set(w)], t: null, from: seconds(where.from), to: seconds(where.to) }));
}
