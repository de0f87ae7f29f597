// SPDX-License-Identifier: Apache-2.0
//
// Help with the two languages of CloudWatch Logs while one types: what could stand at the caret, and
// what the server says of the text so far. Words and functions come from the server, fields from the
// rows.

import { api } from './api';
import { value as valueText } from './format';
import { fields, values } from './schema';
import { placeOf } from './xray';
import type { Field, LogLanguages, Value } from './types';

// `from`..`to` of the text is replaced by `text`.
export interface Proposal { from: number; to: number; text: string; label: string; detail: string }

const MOST = 50;
let known: Promise<LogLanguages> | null = null;

// Null: a server that does not know them.
export function languages(): Promise<LogLanguages | null> {
  known ??= api.logLanguages();
  return known.catch(() => {
    known = null;
    return null;
  });
}

const own = (f: Field) => f.scopes.includes('attribute') || f.scopes.includes('resource');
const plain = /^[A-Za-z_@][A-Za-z0-9_.@]*$/;

function starts(list: Proposal[], typed: string): Proposal[] {
  const t = typed.toLowerCase();
  const rank = (p: Proposal) => (p.label.toLowerCase().startsWith(t) ? 0 : p.label.toLowerCase().split(/[._\s]/).some((w) => w.startsWith(t)) ? 1 : 2);
  return list.filter((p) => p.label.toLowerCase().includes(t)).sort((a, b) => rank(a) - rank(b)).slice(0, MOST);
}

// --- filter patterns ---

export async function completePattern(text: string, caret: number): Promise<Proposal[]> {
  const before = text.slice(0, caret);
  const selector = /\$\.([A-Za-z0-9_.[\]*]*)$/.exec(before);
  if (selector) {
    const from = caret - selector[1]!.length;
    const list = (await fields()).filter((f) => f.scopes.includes('attribute')).map((f) => ({ from, to: caret, text: `${plain.test(f.name) ? f.name : `['${f.name}']`} `, label: f.name, detail: f.types.join(' | ') }));
    return starts(list, selector[1]!);
  }
  const compared = /\$\.([A-Za-z0-9_.]+)\s*(=|!=)\s*("?)([^"\s&|}]*)$/.exec(before);
  if (compared) {
    const from = caret - compared[4]!.length - compared[3]!.length;
    const found = await values(compared[1]!, compared[4]!);
    return found.slice(0, MOST).map((v) => ({ from, to: caret, text: literal(v.value), label: valueText(v.value), detail: `${v.rows} rows` }));
  }
  if (/^\s*\{.*[^\s]\s+$/s.test(before) && !/(&&|\|\||[=<>])\s*$/.test(before)) {
    return ['&& ', '|| ', '= ', '!= ', '> ', '< ', '}'].map((op) => ({ from: caret, to: caret, text: op, label: op.trim(), detail: '' }));
  }
  if (before.trim() !== '') return [];
  const l = await languages();
  return (l?.patterns ?? []).map((p) => ({ from: 0, to: text.length, text: p.syntax, label: p.syntax, detail: p.text }));
}

const literal = (v: Value) => (typeof v === 'string' ? JSON.stringify(v) : valueText(v));

// --- Logs Insights ---

const EXAMPLES: [string, string][] = [
  ['fields @timestamp, @message\n| sort @timestamp desc\n| limit 100', 'the newest lines'],
  ['filter @message like /(?i)error|exception/\n| stats count(*) as errors by bin(5m)', 'errors over time'],
  ['stats count(*) as lines by @logStream\n| sort lines desc\n| limit 20', 'the streams that say most'],
  ['filter @message like /(?i)error/\n| pattern @message', 'what errors look like'],
];

export async function completeInsights(text: string, caret: number): Promise<Proposal[]> {
  const l = await languages();
  if (!l) return [];
  const before = text.slice(0, caret);
  if (/(^|\n)\s*#[^\n]*$/.test(before) || inside(before)) return [];
  const word = /[@A-Za-z_][A-Za-z0-9_.@]*$/.exec(before)?.[0] ?? '';
  const from = caret - word.length;
  const lead = before.slice(0, from);
  const at = (t: string, label: string, detail: string): Proposal => ({ from, to: caret, text: t, label, detail });
  if (text.trim() === '') return EXAMPLES.map(([t, what]) => ({ from: 0, to: text.length, text: t, label: t.replace(/\n\|/g, ' |'), detail: what }));
  if (/(^|\|)\s*$/.test(lead)) {
    return starts(l.commands.map((c) => at(`${c.name} `, c.name, c.text || c.syntax)), word);
  }
  if (word === '' && !/[,(=<>+\-*/\s]$/.test(lead)) return [];
  const list = [
    ...l.fields.map((f) => at(f.name, f.name, f.text)),
    ...(await fields()).filter(own).sort((a, b) => b.rows - a.rows).map((f) => at(plain.test(f.name) ? f.name : `\`${f.name}\``, f.name, f.types.join(' | '))),
    ...l.functions.map((f) => at(`${f.name}(`, f.name, f.signature)),
    ...['by ', 'as ', 'like ', 'in ', 'and ', 'or ', 'not ', 'desc', 'asc'].map((w) => at(w, w.trim(), '')),
  ];
  return word === '' ? list.slice(0, MOST) : starts(list, word);
}

// Whether a text or regular expression is open at the end.
function inside(before: string): boolean {
  let open = '';
  for (let i = 0; i < before.length; i++) {
    const c = before[i]!;
    if (open) {
      if (c === '\\') i++;
      else if (c === open) open = '';
    } else if (c === '"' || c === "'" || c === '`') open = c;
    else if (c === '/' && /(like|=~|parse(\s+\S+)?)\s*$/i.test(before.slice(0, i))) open = c;
  }
  return open !== '' && open !== '`';
}

// --- places ---

export interface Mistake { message: string; from: number; to: number } // from = to: at the end

export function mistakeOf(text: string, message: string, at: number | null, end: number | null): Mistake {
  if (at === null) return { message, from: text.length, to: text.length };
  const from = placeOf(text, at);
  const to = end !== null && end > at ? placeOf(text, end) : Math.min(text.length, from + (/^\S+/.exec(text.slice(from))?.[0].length ?? 1));
  return { message, from, to };
}
