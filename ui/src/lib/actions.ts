// SPDX-License-Identifier: Apache-2.0
// What can be done with a value anywhere: filter, exclude, group by, copy, follow.

import type { MenuItem } from '../parts/Menu';
import { showDifferent } from './different';
import { filterFor, filterText } from './query';
import { go, href, named, patch, route, type Changes } from './route';
import { value as valueText } from './format';
import type { Filter, Value } from './types';

// Where the view at hand looks in time when its URL does not say (a trace opened by permalink).
let around: { from: string; to: string } | null = null;

export function lookAround(fromMs: number, toMs: number) {
  const s = (ms: number) => String(Math.round(ms / 1e3));
  around = { from: s(fromMs), to: s(toMs) };
}

export function elsewhere(view: string, changes: Changes): string {
  const p = named();
  const timed = p.has('t') || p.has('from');
  return href(view, !timed && route().view === 'trace' && around ? { ...around, ...changes } : changes);
}

// Where "what is different" has its place.
const COMPARES = new Set(['query', 'logs']);

const FILTERED = new Set(['query', 'traces', 'logs', 'boards']);

// Adds filters to the view at hand, or to a new query where the view has none.
export function addFilters(filters: Filter[]) {
  const texts = filters.map(filterText);
  if (!FILTERED.has(route().view)) {
    go(elsewhere('query', { w: texts }));
    return;
  }
  const have = route().params.getAll('w');
  patch({ w: [...have, ...texts.filter((t) => !have.includes(t))], iso: null });
}

export function groupBy(field: string) {
  if (route().view !== 'query') {
    // A question begins as Query's does; rows without the field would outnumber those with it.
    const w = FILTERED.has(route().view) ? route().params.getAll('w') : [];
    go(elsewhere('query', { c: route().view === 'logs' ? ['COUNT'] : ['COUNT', 'HEATMAP(duration_ms)'], by: field, w: [...w, filterText({ column: field, op: 'exists' })] }));
    return;
  }
  const have = route().params.getAll('by');
  if (!have.includes(field)) patch({ by: [...have, field], iso: null });
}

export const copy = (text: string) => void navigator.clipboard?.writeText(text);

const clip = (s: string) => (s.length > 40 ? `${s.slice(0, 39)}…` : s);

export function valueMenu(field: string, v: Value | undefined): MenuItem[] {
  const items: MenuItem[] = [];
  const text = valueText(v);
  if (/(^|[._])trace[._]?id$/i.test(field) && typeof v === 'string' && v !== '') {
    items.push({ label: 'Open this trace', run: () => go(href(`trace/${encodeURIComponent(v)}`)) });
  }
  if (!Array.isArray(v)) {
    const missing = v === null || v === undefined;
    items.push({ label: missing ? `Only rows without ${clip(field)}` : `Only ${clip(field)} = ${clip(text)}`, run: () => addFilters([filterFor(field, v, true)]) });
    items.push({ label: missing ? `Only rows with ${clip(field)}` : `Exclude ${clip(text)}`, run: () => addFilters([filterFor(field, v, false)]) });
    if (typeof v === 'number' && v !== 0) {
      items.push({ label: `Only ${clip(field)} >= ${clip(text)}`, run: () => addFilters([{ column: field, op: '>=', value: v }]) });
    }
  }
  if (COMPARES.has(route().view)) items.push({ label: `What is different about ${clip(text)}`, run: () => showDifferent([filterFor(field, v, true)]) });
  items.push({ label: `Group by ${clip(field)}`, run: () => groupBy(field) });
  items.push({ label: 'Copy value', run: () => copy(text), quiet: true });
  items.push({ label: 'Copy field name', run: () => copy(field), quiet: true });
  return items;
}
