// SPDX-License-Identifier: Apache-2.0
//
// What Home asks: two queries over the same rows, grouped by service (or, inside a service, by name).
// "Requests" are entry spans; where a program sends none, every span counts.

import { api } from './api';
import type { Filter, Progress, QueryResult, QuerySpec, Span } from './types';

export type Of = 'entry' | 'all';
export interface HomeAnswer { of: Of; main: QueryResult; errors: QueryResult }

export function homeFilters(of: Of, service: string | null): Filter[] {
  const list: Filter[] = of === 'entry'
    ? [{ column: 'span.kind', op: 'in', value: ['server', 'consumer'] }]
    : [{ column: 'duration_ms', op: 'exists' }];
  if (service) list.push({ column: 'service.name', op: '=', value: service });
  return list;
}

const D = 'duration_ms';

// Rates of less than a second are noise.
const finest = (base: Span) => ((base.time_range ?? 61) <= 60 ? { granularity: 1 } : {});

async function ask(of: Of, base: Span & { dataset?: string }, service: string | null, signal: AbortSignal, progress: (p: Progress) => void): Promise<HomeAnswer> {
  const filters = homeFilters(of, service);
  const breakdowns = [service ? 'name' : 'service.name'];
  const main: QuerySpec = {
    ...base, ...finest(base), filters, breakdowns, limit: 100, heatmap: { scale: 'log', bins: 40 },
    calculations: [{ op: 'COUNT' }, { op: 'P50', column: D }, { op: 'P95', column: D }, { op: 'P99', column: D }, { op: 'HEATMAP', column: D }],
    orders: [{ op: 'COUNT', order: 'descending' }],
  };
  const errors: QuerySpec = {
    ...base, ...finest(base), breakdowns, limit: 100, calculations: [{ op: 'COUNT' }], orders: [{ op: 'COUNT', order: 'descending' }],
    filters: [...filters, { column: 'error', op: '=', value: true }],
  };
  const [a, b] = await Promise.all([api.query(main, signal, progress), api.query(errors, signal)]);
  return { of, main: a, errors: b };
}

export async function loadHome(base: Span & { dataset?: string }, service: string | null, of: string | null, signal: AbortSignal, progress: (p: Progress) => void): Promise<HomeAnswer> {
  if (of === 'all') return ask('all', base, service, signal, progress);
  const entry = await ask('entry', base, service, signal, progress);
  if (of === 'entry' || (entry.main.totals.values[0] ?? 0) > 0) return entry;
  return ask('all', base, service, signal, progress);
}
