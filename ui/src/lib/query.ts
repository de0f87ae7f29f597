// SPDX-License-Identifier: Apache-2.0
//
// A question as text and back. Each clause is a list of short texts, in the URL exactly as in the
// builder:  c=P99(duration_ms)  w=http.route = "/"  by=service.name  o=COUNT desc  h=COUNT > 10
//   c=COUNT as errors where error = true  cf=class = IF($status >= 500, "bad")  fx=rate = $errors / $COUNT  cmp=86400

import type { Calc, Filter, Having, Named, Order, QuerySpec, Scalar, Selection, Value } from './types';
import type { Changes } from './route';
import { rangeOf, spanOf, spanText } from './time';

export const CALC_OPS = [
  'COUNT', 'HEATMAP', 'P50', 'P90', 'P95', 'P99', 'P999', 'AVG', 'SUM', 'MIN', 'MAX', 'COUNT_DISTINCT', 'CONCURRENCY',
  'P001', 'P01', 'P05', 'P10', 'P20', 'P25', 'P75', 'P80', 'RATE_AVG', 'RATE_SUM', 'RATE_MAX',
];
export const FILTER_OPS = [
  '=', '!=', '>=', '<=', '>', '<', 'contains', 'does-not-contain', 'starts-with', 'does-not-start-with',
  'ends-with', 'does-not-end-with', 'exists', 'does-not-exist', 'in', 'not-in',
];
const NO_VALUE = new Set(['exists', 'does-not-exist']);
const LISTS = new Set(['in', 'not-in']);
const TEXT_OPS = new Set(FILTER_OPS.slice(6, 12));

export class Unreadable extends Error {}

const needsQuotes = (name: string) => !/^[^\s"`()<>=!,][^\s"`()<>=!,]*$/.test(name);
export const quoteField = (name: string) => (needsQuotes(name) ? `\`${name}\`` : name);

export const calcText = (c: Calc): string => [c.column ? `${c.op}(${c.column})` : c.op, c.name && `as ${quoteField(c.name)}`,
  c.filters?.length && `where ${c.filters.map(filterText).join(' and ')}`].filter(Boolean).join(' ');

// What results call it.
export const calcKey = (text: string): string => {
  try {
    const c = parseCalc(text);
    return c.name ?? calcText(c);
  } catch {
    return text;
  }
};

// At " and ", but not inside quotes.
function conditions(text: string): string[] {
  const out = [''];
  for (const part of text.split(/(\s+and\s+)/i)) {
    const open = (out.at(-1)!.replace(/\\./g, '').match(/"/g) ?? []).length % 2 === 1;
    if (/^\s+and\s+$/i.test(part) && !open) out.push('');
    else out[out.length - 1] += part;
  }
  return out;
}

// "name = expression", of a calculated field or a formula.
export function parseNamed(text: string): Named {
  const m = /^\s*(?:`([^`]+)`|([^=`]+?))\s*=(?!=)\s*([\s\S]*?)\s*$/.exec(text);
  const name = m?.[1] ?? m?.[2];
  if (!m || !name) throw new Unreadable('write name = expression');
  if (!m[3]) throw new Unreadable(`what is ${name}? write an expression behind =`);
  return { name, expression: m[3] };
}
export const namedText = (n: Named) => `${/[`=]|^\s|\s$/.test(n.name) ? `\`${n.name}\`` : n.name} = ${n.expression}`;

export function parseCalc(text: string): Calc {
  const m = /^\s*([A-Za-z_0-9]+)\s*(?:\(\s*(.*?)\s*\))?(?:\s+as\s+(?:`([^`]+)`|([^\s`]+)))?(?:\s+where\s+(.+))?\s*$/i.exec(text);
  const op = m?.[1]?.toUpperCase();
  if (!m || !op || !CALC_OPS.includes(op)) throw new Unreadable(`“${text}” is not a calculation; try COUNT or P99(duration_ms)`);
  const column = m[2]?.replace(/^`|`$/g, '');
  const name = m[3] ?? m[4];
  if (column && op === 'CONCURRENCY') throw new Unreadable('CONCURRENCY takes no field');
  if (!column && op !== 'COUNT' && op !== 'CONCURRENCY') throw new Unreadable(`${op} needs a field: ${op}(duration_ms)`);
  if (m[5] && !name) throw new Unreadable(`give it a name: ${column ? `${op}(${column})` : op} as errors where …`);
  const calc: Calc = { op };
  if (column) calc.column = column;
  if (name) calc.name = name;
  if (m[5]) calc.filters = conditions(m[5]).map((f) => parseFilter(f));
  return calc;
}

// Splits "field op value" as far as it goes; used for reading and for completion.
export function splitFilter(text: string): { column: string; op: string; value: string; stage: 'field' | 'op' | 'value' } {
  const quoted = /^\s*`([^`]*)`?/.exec(text);
  const plain = /^\s*([^\s<>=!`]*)/.exec(text)!;
  const column = (quoted ?? plain)[1]!;
  const rest = text.slice((quoted ?? plain)[0].length);
  const closed = quoted ? /^\s*`[^`]*`/.test(text) : true;
  if (!closed || (rest === '' && !quoted)) return { column, op: '', value: '', stage: 'field' };
  const trimmed = rest.trimStart();
  const op = [...FILTER_OPS].sort((a, b) => b.length - a.length)
    .find((o) => trimmed.toLowerCase().startsWith(o) && (/^[<>=!]/.test(o) || /^(\s|$)/.test(trimmed.slice(o.length))));
  const after = op ? trimmed.slice(op.length) : '';
  const complete = op && (/^\s/.test(after) || (/^[<>=!]/.test(op) && after !== '' && !after.startsWith('=')));
  if (!complete) return { column, op: op ?? trimmed, value: '', stage: op && NO_VALUE.has(op) ? 'value' : 'op' };
  return { column, op, value: after.trim(), stage: 'value' };
}

function scalar(text: string, asText: boolean): Scalar {
  if (text.startsWith('"') || text.startsWith('{"')) {
    try {
      return JSON.parse(text) as Scalar;
    } catch {
      throw new Unreadable(`the value ${text} is not well quoted`);
    }
  }
  if (asText) return text;
  if (text === 'true' || text === 'false') return text === 'true';
  if (/^-?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text)) {
    return /^-?\d+$/.test(text) && !Number.isSafeInteger(Number(text)) ? { int: text } : Number(text);
  }
  return text;
}

export type TypesOf = (field: string) => string[] | undefined;

// Reads a filter. `types` lets an unquoted 200 be the text "200" where the field holds text only.
export function parseFilter(text: string, types: TypesOf = () => undefined): Filter {
  const { column, op, value } = splitFilter(text.trim());
  if (!column) throw new Unreadable('a filter starts with a field');
  if (!FILTER_OPS.includes(op)) throw new Unreadable(op ? `“${op}” is not an operator` : `what about ${column}? add an operator, for instance “${column} exists”`);
  if (NO_VALUE.has(op)) return { column, op };
  if (value === '') throw new Unreadable(`“${column} ${op}” needs a value`);
  const known = types(column);
  const asText = TEXT_OPS.has(op) || (known?.length === 1 && known[0] === 'string');
  if (!LISTS.has(op)) return { column, op, value: scalar(value, asText) };
  if (value.startsWith('[')) {
    try {
      return { column, op, value: JSON.parse(value) as Value };
    } catch {
      throw new Unreadable('a list is written a, b, c or ["a", "b"]');
    }
  }
  return { column, op, value: value.split(',').map((v) => scalar(v.trim(), asText)).filter((v) => v !== '') };
}

export function filterText(f: Filter): string {
  const head = `${quoteField(f.column)} ${f.op}`;
  return NO_VALUE.has(f.op) ? head : `${head} ${JSON.stringify(f.value)}`;
}

// The filter that keeps (or drops) exactly the rows with this value.
export function filterFor(column: string, value: Value | undefined, keep: boolean): Filter {
  if (value === null || value === undefined) return { column, op: keep ? 'does-not-exist' : 'exists' };
  return { column, op: keep ? '=' : '!=', value };
}

export function parseOrder(text: string): Order {
  const m = /^\s*(.+?)(?:\s+(asc|desc|ascending|descending))?\s*$/i.exec(text);
  if (!m) throw new Unreadable('order by what?');
  const order = /^asc/i.test(m[2] ?? 'desc') ? 'ascending' : 'descending';
  try {
    const c = parseCalc(m[1]!);
    if (c.name) return { column: c.name, order };
    return c.column ? { op: c.op, column: c.column, order } : { op: c.op, order };
  } catch {
    return { column: m[1]!.replace(/^`|`$/g, ''), order };
  }
}

export function orderText(o: Order): string {
  const what = o.op ? calcText(o.column ? { op: o.op, column: o.column } : { op: o.op }) : quoteField(o.column ?? '');
  return `${what} ${o.order === 'ascending' ? 'asc' : 'desc'}`;
}

export function parseHaving(text: string): Having {
  const m = /^\s*(.+?)\s*(>=|<=|!=|=|>|<)\s*(-?[\d.]+(?:e[-+]?\d+)?)\s*$/i.exec(text);
  if (!m || Number.isNaN(Number(m[3]))) throw new Unreadable('a having reads like “COUNT > 10”');
  const rest = { op: m[2]!, value: Number(m[3]) };
  try {
    const c = parseCalc(m[1]!);
    return c.column ? { calculate_op: c.op, column: c.column, ...rest } : { calculate_op: c.op, ...rest };
  } catch { // a named calculation, or a formula
    return { column: m[1]!.replace(/^`|`$/g, ''), ...rest };
  }
}

export function havingText(h: Having): string {
  const what = h.calculate_op ? calcText(h.column ? { op: h.calculate_op, column: h.column } : { op: h.calculate_op }) : quoteField(h.column ?? '');
  return `${what} ${h.op} ${h.value}`;
}

// Texts of one parameter that can be read; what cannot is reported by the builder, not here.
function readable<T>(texts: string[], parse: (t: string) => T): T[] {
  const out: T[] = [];
  for (const t of texts) {
    try {
      out.push(parse(t));
    } catch (e) {
      if (!(e instanceof Unreadable)) throw e;
    }
  }
  return out;
}

export function filtersOf(params: URLSearchParams): Filter[] {
  return readable(params.getAll('w'), parseFilter);
}

export function selectionOf(params: URLSearchParams, extra: Filter[] = []): Selection {
  const s: Selection = { ...spanOf(rangeOf(params)) };
  const ds = params.get('ds');
  if (ds) s.dataset = ds;
  const calculated = readable(params.getAll('cf'), parseNamed);
  if (calculated.length) s.calculated_fields = calculated;
  const own = filtersOf(params);
  if (own.length) s.filters = own;
  if (params.get('or') === '1' && own.length > 1) s.filter_combination = 'OR';
  return withFilters(s, extra);
}

// The same with more conditions that must hold.
export function withFilters<S extends Selection>(s: S, extra: Filter[]): S {
  if (extra.length === 0) return s;
  const list = s.filter_combination === 'OR' ? 'and_filters' : 'filters';
  return { ...s, [list]: [...s[list] ?? [], ...extra] };
}

// How much earlier to compare with: cmp=prev (the time right before) or seconds; 0 = not.
export const OFFSETS: [number, string][] = [[1800, '30 min before'], [3600, '1 h before'], [7200, '2 h before'], [28800, '8 h before'], [86400, 'the day before'],
  [604800, 'the week before'], [2419200, '4 weeks before'], [15724800, '26 weeks before']];
export function offsetOf(params: URLSearchParams): number {
  const r = rangeOf(params);
  const length = Math.round(r.to - r.from);
  const cmp = params.get('cmp');
  const s = cmp === 'prev' ? length : Number(cmp);
  return s >= length && (s === length || OFFSETS.some(([o]) => o === s)) ? s : 0;
}

export function specOf(params: URLSearchParams): QuerySpec {
  const spec: QuerySpec = selectionOf(params);
  const calcs = readable(params.getAll('c'), parseCalc);
  spec.calculations = calcs.length ? calcs : [{ op: 'COUNT' }];
  const by = params.getAll('by');
  if (by.length) spec.breakdowns = by;
  const orders = readable(params.getAll('o'), parseOrder);
  if (orders.length) spec.orders = orders;
  const havings = readable(params.getAll('h'), parseHaving);
  if (havings.length) spec.havings = havings;
  const n = Number(params.get('n'));
  if (n > 0) spec.limit = n;
  const g = Number(params.get('g'));
  if (g > 0) spec.granularity = g;
  const formulas = readable(params.getAll('fx'), parseNamed);
  if (formulas.length) spec.formulas = formulas;
  const before = offsetOf(params);
  if (before) spec.compare_time_offset_seconds = before;
  if (spec.calculations.some((c) => c.op === 'HEATMAP')) spec.heatmap = { scale: params.get('hs') === 'linear' ? 'linear' : 'log', bins: 48 };
  return spec;
}

// The way back: what an address says of a stored question; its time as a relative range.
export function addressOf(spec: QuerySpec, dataset: string): Changes {
  const s = spec.time_range ?? 7200;
  return {
    c: (spec.calculations?.length ? spec.calculations : [{ op: 'COUNT' }]).map(calcText), w: (spec.filters ?? []).map(filterText), by: spec.breakdowns ?? [],
    or: spec.filter_combination === 'OR' ? '1' : null, o: (spec.orders ?? []).map(orderText), h: (spec.havings ?? []).map(havingText), n: spec.limit ? String(spec.limit) : null,
    g: spec.granularity ? String(spec.granularity) : null, cf: (spec.calculated_fields ?? []).map(namedText), fx: (spec.formulas ?? []).map(namedText),
    cmp: spec.compare_time_offset_seconds ? String(spec.compare_time_offset_seconds) : null, ds: dataset || null,
    ...(spec.start_time && spec.end_time ? { t: null, from: String(spec.start_time), to: String(spec.end_time) } : { t: spanText(s), from: null, to: null }),
  };
}

// What one would call it: "COUNT, P95(duration_ms) by UserId where name = home".
export function questionName(spec: QuerySpec): string {
  const what = [...(spec.formulas?.length ? spec.formulas.map((f) => f.name) : (spec.calculations ?? []).map((c) => c.name ?? calcText(c)))].join(', ') || 'COUNT';
  const by = spec.breakdowns?.length ? ` by ${spec.breakdowns.join(', ')}` : '';
  const where = spec.filters?.length ? ` where ${spec.filters.map((f) => filterText(f).replaceAll('"', '')).join(spec.filter_combination === 'OR' ? ' or ' : ' and ')}` : '';
  const name = what + by + where;
  return name.length > 160 ? `${name.slice(0, 159)}…` : name;
}
