// SPDX-License-Identifier: Apache-2.0
// Suggestions for each clause of the builder.

import { CALC_OPS, FILTER_OPS, calcKey, parseCalc, quoteField, splitFilter } from './query';
import { fields, functions, values } from './schema';
import { count, si } from './format';
import { ownColumn, relationOf, RELATIONS } from './relation';
import type { Field } from './types';

// `text` replaces the input; `done` makes it a chip at once, else typing goes on. A weak one is offered
// but never preferred to what was typed.
export interface Suggestion { text: string; label: string; detail?: string; done: boolean; weak?: boolean }

// Rank: the name, its beginning as it is written where one typed capitals (User: UserId before user_agent), prefix of the name, prefix of a dotted part, anywhere, letters in order.
export function score(name: string, typed: string): number {
  const n = name.toLowerCase();
  const t = typed.toLowerCase();
  if (t === '') return 1;
  if (n === t) return 7;
  if (typed !== t && name.startsWith(typed)) return 6;
  if (n.startsWith(t)) return 5;
  if (n.split(/[._-]/).some((p) => p.startsWith(t))) return 4;
  if (n.includes(t)) return 3;
  let i = 0;
  for (const c of n) if (c === t[i]) i++;
  return i === t.length ? 1 : 0;
}

function ranked(list: Field[], typed: string): Field[] {
  return list
    .map((f) => ({ f, s: score(f.name, typed) }))
    .filter((x) => x.s > 0)
    .sort((a, b) => b.s - a.s || b.f.rows - a.f.rows || (a.f.name < b.f.name ? -1 : 1))
    .map((x) => x.f);
}

const detail = (f: Field) => (f.scopes.includes('calculated') ? 'calculated' : `${f.types.join(' | ')} · ${si(f.rows)} rows`);

interface Wanted {
  done: boolean;
  only?: (f: Field) => boolean;
  prefixes: string[]; // relations that may stand before a field
  open: (text: string) => string; // the input while a prefix is all there is
}

const ALL = RELATIONS.map(([p]) => p);
const VALUED = ALL.filter((p) => p !== 'none.'); // where a field has to have one value

async function fieldList(typed: string, make: (name: string) => string, want: Wanted): Promise<Suggestion[]> {
  const { prefix, field } = relationOf(typed);
  const related = want.prefixes.includes(prefix);
  let list = await fields();
  if (want.only) list = list.filter(want.only);
  const found = ranked(list, related ? field : typed).slice(0, 200).map((f) => {
    const name = related ? prefix + f.name : ownColumn(f.name);
    return { text: make(name), label: name, detail: detail(f), done: want.done };
  });
  const begun = typed === '' || related ? [] : RELATIONS.filter(([p]) => want.prefixes.includes(p) && p.startsWith(typed.toLowerCase()));
  const open = begun.map(([p, what]) => ({ text: want.open(p), label: `${p}…`, detail: what, done: false }));
  return typed.length > 1 && !list.some((f) => f.name === typed) ? [...open, ...found] : [...found, ...open];
}

const numeric = (f: Field) => f.types.some((t) => t === 'int' || t === 'double');

export async function completeField(text: string): Promise<Suggestion[]> {
  return fieldList(text.replace(/`/g, ''), (n) => n, { done: true, prefixes: VALUED, open: (p) => p });
}

const OP_HELP: Record<string, string> = {
  COUNT: 'rows', HEATMAP: 'distribution over time', COUNT_DISTINCT: 'different values', CONCURRENCY: 'spans in flight',
  AVG: 'mean', SUM: 'total', MIN: 'smallest', MAX: 'largest', P50: 'median', P999: '99.9th percentile', P001: '0.1th percentile',
  RATE_AVG: 'change between neighbouring steps', RATE_SUM: 'change between neighbouring steps', RATE_MAX: 'change between neighbouring steps',
};

export async function completeCalc(text: string): Promise<Suggestion[]> {
  const filtered = /^(.*\swhere\s+(?:.*\sand\s+)?)(.*)$/i.exec(text);
  if (filtered) {
    const head = filtered[1]!;
    return (await completeFilter(filtered[2]!)).map((s) => ({ ...s, text: head + s.text }));
  }
  if (/\sas\s/i.test(text)) return [];
  const m = /^\s*([A-Za-z_0-9]+)\s*\(\s*(.*?)\)?$/.exec(text);
  if (m) {
    const op = m[1]!.toUpperCase();
    const any = op === 'COUNT' || op === 'COUNT_DISTINCT';
    return fieldList(m[2]!, (n) => `${op}(${n})`, { done: true, only: any ? undefined : numeric, prefixes: VALUED, open: (p) => `${op}(${p}` });
  }
  const typed = text.trim().toUpperCase();
  const help = (op: string) => OP_HELP[op] ?? (/^P\d/.test(op) ? `${Number(op.slice(1))}th percentile` : '');
  const ops = CALC_OPS.filter((op) => op.includes(typed)).sort((a, b) => Number(b.startsWith(typed)) - Number(a.startsWith(typed)));
  return ops.map((op) => {
    const alone = op === 'COUNT' || op === 'CONCURRENCY';
    return { text: alone ? op : `${op}(`, label: alone ? op : `${op}(field)`, detail: help(op), done: alone };
  });
}

// What is written last: a column behind $, or a function. `names`: what may stand behind $.
async function completeExpression(text: string, names: () => Promise<{ name: string; detail: string }[]>): Promise<Suggestion[]> {
  const m = /(\$"[^"]*|\$[\w./:?-]*|(?<![\w$"`.])[A-Za-z_]+)$/.exec(text);
  if (!text.includes('=') || !m || m.index <= text.indexOf('=')) return [];
  const head = text.slice(0, m.index);
  if (m[0].startsWith('$')) {
    const typed = m[0].slice(1).replace(/^"/, '');
    const list = (await names()).map((n) => ({ n, s: score(n.name, typed) })).filter((x) => x.s > 0).sort((a, b) => b.s - a.s).slice(0, 60);
    const weak = list.some((x) => x.n.name === typed);
    return list.map(({ n }) => ({ text: `${head}${/^[\w./:?-]+$/.test(n.name) ? `$${n.name}` : `$"${n.name}"`}`, label: n.name, detail: n.detail, done: false, weak }));
  }
  const typed = m[0].toUpperCase();
  return (await functions()).filter((f) => f.name.startsWith(typed)).map((f) => ({ text: `${head}${f.name}(`, label: f.signature, detail: f.text, done: false }));
}

export const completeCalculated = (text: string) => completeExpression(text, async () => (await fields()).map((f) => ({ name: f.name, detail: detail(f) })));

export const completeFormula = (calcs: string[]) => (text: string) =>
  completeExpression(text, async () => (calcs.length ? calcs : ['COUNT']).filter((c) => !c.startsWith('HEATMAP')).map((c) => ({ name: calcKey(c), detail: calcKey(c) === c ? 'calculation' : c })));

const TEXT_ONLY = new Set(FILTER_OPS.slice(6, 12));
const OP_ORDER = ['=', '!=', '>', '>=', '<', '<=', ...FILTER_OPS.slice(6)];

export async function completeFilter(text: string): Promise<Suggestion[]> {
  const { column, op, value, stage } = splitFilter(text);
  if (stage === 'field') return fieldList(column, (n) => `${quoteField(n)} `, { done: false, prefixes: ALL, open: (p) => p });
  const field = quoteField(column);
  if (stage === 'op') {
    const known = (await fields()).find((f) => f.name === relationOf(column).field);
    const texty = !known || known.types.includes('string');
    return OP_ORDER.filter((o) => o.startsWith(op.toLowerCase()) && (texty || !TEXT_ONLY.has(o))).map((o) => {
      const done = o === 'exists' || o === 'does-not-exist';
      return { text: `${field} ${o}${done ? '' : ' '}`, label: o, done };
    });
  }
  if (op === 'exists' || op === 'does-not-exist') return [];
  const list = op === 'in' || op === 'not-in';
  const parts = list ? value.split(',') : [value];
  const typed = parts.pop()!.trim().replace(/^"|"$/g, '');
  const head = list && parts.length ? `${parts.join(',')}, ` : '';
  const found = await values(relationOf(column).field, typed);
  // 10 means ten, not the first number that begins with 10; a closed quote ends a text.
  const weak = /^(-?[\d.]+|true|false)$/.test(typed) || /^".*"$/.test(value);
  return found.map((v) => ({
    text: `${field} ${op} ${head}${JSON.stringify(v.value)}`, label: typeof v.value === 'string' ? v.value || '"" (empty text)' : JSON.stringify(v.value),
    detail: count(v.rows), done: !list, weak,
  }));
}

// As orders and havings name a calculation.
const nameOf = (calc: string) => (calcKey(calc) === calc ? calc : quoteField(calcKey(calc)));

export function completeOrder(calcs: string[], by: string[], formulas: string[] = []) {
  return async (text: string): Promise<Suggestion[]> => {
    const typed = text.trim().toLowerCase();
    const keys = [...formulas.map(quoteField), ...(calcs.length ? calcs : ['COUNT']).filter((c) => !c.startsWith('HEATMAP')).map(nameOf), ...by.map(quoteField)];
    return keys.flatMap((k) => ['desc', 'asc'].map((d) => `${k} ${d}`))
      .filter((t) => t.toLowerCase().includes(typed))
      .map((t) => ({ text: t, label: t, done: true }));
  };
}

export function completeHaving(calcs: string[], formulas: string[] = []) {
  return async (text: string): Promise<Suggestion[]> => {
    const keys = [...formulas.map(quoteField), ...(calcs.length ? calcs : ['COUNT']).filter((c) => !c.startsWith('HEATMAP')).map(nameOf)];
    const whole = keys.find((k) => text.trimStart().startsWith(k));
    if (whole) {
      const rest = text.trim().slice(whole.length).trim();
      return ['>', '>=', '<', '<=', '=', '!='].filter((o) => rest === '' || (o.startsWith(rest) && o !== rest))
        .map((o) => ({ text: `${whole} ${o} `, label: `${whole} ${o}`, done: false }));
    }
    return keys.filter((k) => k.toLowerCase().includes(text.trim().toLowerCase())).map((k) => ({ text: `${k} `, label: k, done: false }));
  };
}

// A text that can stand as it is needs no suggestion to be accepted.
export function isCalc(text: string): boolean {
  try {
    parseCalc(text);
    return true;
  } catch {
    return false;
  }
}
