// SPDX-License-Identifier: Apache-2.0
// Filters evaluated in the page, where a question could not be told them (example.ts).

import { value as text } from './format';
import type { Filter, Row, Value } from './types';

const s = (v: Value | undefined) => (v === undefined || v === null ? '' : text(v));
const same = (a: Value | undefined, b: Value | undefined) => (typeof a === typeof b ? s(a) === s(b) : false);
const less = (a: Value | undefined, b: Value | undefined) => (typeof a === 'number' && typeof b === 'number' ? a - b : NaN);

const OPS: Record<string, (a: Value | undefined, b: Value | undefined) => boolean> = {
  '=': same, '!=': (a, b) => !same(a, b),
  '>': (a, b) => less(a, b) > 0, '>=': (a, b) => less(a, b) >= 0, '<': (a, b) => less(a, b) < 0, '<=': (a, b) => less(a, b) <= 0,
  contains: (a, b) => s(a).includes(s(b)), 'does-not-contain': (a, b) => !s(a).includes(s(b)),
  'starts-with': (a, b) => s(a).startsWith(s(b)), 'does-not-start-with': (a, b) => !s(a).startsWith(s(b)),
  'ends-with': (a, b) => s(a).endsWith(s(b)), 'does-not-end-with': (a, b) => !s(a).endsWith(s(b)),
  exists: (a) => a !== undefined && a !== null, 'does-not-exist': (a) => a === undefined || a === null,
  in: (a, b) => Array.isArray(b) && b.some((x) => same(a, x)), 'not-in': (a, b) => Array.isArray(b) && !b.some((x) => same(a, x)),
};

export function matches(row: Row, filters: Filter[], any: boolean, search: string): boolean {
  const one = (f: Filter) => OPS[f.op]?.(row.fields[f.column], f.value) ?? false;
  if (filters.length && !(any ? filters.some(one) : filters.every(one))) return false;
  if (!search) return true;
  const t = search.toLowerCase();
  return Object.values(row.fields).some((v) => s(v).toLowerCase().includes(t));
}
