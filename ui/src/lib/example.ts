// SPDX-License-Identifier: Apache-2.0
// From a region of a chart to an example trace, or to the list of all such traces.

import { api } from './api';
import { filterText, selectionOf, withFilters } from './query';
import { go, href, route } from './route';
import type { Filter, Row, Selection } from './types';

export const isAny = (params: URLSearchParams) => params.get('or') === '1' && params.getAll('w').length > 1;

export interface Where { from: number; to: number; filters: Filter[] }

const seconds = (ms: number) => String(Number((ms / 1e3).toFixed(3)));

export function rangeFilters(field: string, low: number, high: number): Filter[] {
  return [{ column: field, op: '>=', value: low }, { column: field, op: '<', value: high }];
}

const TRACED: Filter = { column: 'trace.trace_id', op: 'exists' };

// `of`: the question whose chart it is; the address's where none is given.
async function find(where: Where, extra: Filter[], of: Selection | undefined, signal?: AbortSignal): Promise<Row | null> {
  const { dataset, calculated_fields, filters, filter_combination, and_filters } = of ?? selectionOf(route().params);
  const base: Selection = JSON.parse(JSON.stringify({ dataset, calculated_fields, filters, filter_combination, and_filters }));
  const spec = { ...withFilters(base, [...extra, ...where.filters]), start_time: where.from / 1e3, end_time: where.to / 1e3, limit: 1, order: 'desc' as const };
  const { rows } = await api.rows({ ...spec, columns: ['trace.trace_id', 'trace.span_id'] }, signal);
  return rows[0] ?? null;
}

// Opens the trace of the newest row of the region, preferring rows that have one. Gives back the row
// when none has, and null when there is no row at all.
export async function openExample(where: Where, extra: Filter[], of?: Selection, signal?: AbortSignal): Promise<Row | 'opened' | null> {
  const row = (await find(where, [...extra, TRACED], of, signal)) ?? (await find(where, extra, of, signal));
  if (!row) return null;
  const trace = row.fields['trace.trace_id'];
  if (typeof trace !== 'string' || trace === '') return row;
  const span = row.fields['trace.span_id'];
  go(href(`trace/${encodeURIComponent(trace)}`, typeof span === 'string' && span ? { span } : { row: row.id }));
  return 'opened';
}

export function showTraces(where: Where, extra: Filter[], of: Selection = selectionOf(route().params)) {
  const w = [...of.filters ?? [], ...of.and_filters ?? [], ...extra, ...where.filters].map(filterText);
  go(href('traces', { w: [...new Set(w)], ds: of.dataset ?? null, t: null, from: seconds(where.from), to: seconds(where.to) }));
}
