// SPDX-License-Identifier: Apache-2.0
//
// What the log explorer knows about lines, without an element: what to show of a row, severities,
// highlighted terms, and the question its address asks. In the URL beside what every view shares:
//   lang=pattern|insights   the language of the search box; absent = the page's own
//   q, fp, iq               its text: any text, filter pattern, Logs Insights
//   asc=1  wrap=1           oldest first; long lines in full
//   hl                      terms to highlight, up to five
//   row                     the line that stands open

import { api } from './api';
import { value } from './format';
import { filtersOf, selectionOf } from './query';
import { rangeOf, type TimeRange } from './time';
import type { Filter, Row, Selection, Value } from './types';

export const LOGS: Filter = { column: 'meta.signal_type', op: '=', value: 'log' };

export type Language = 'own' | 'pattern' | 'insights';
export const languageOf = (params: URLSearchParams): Language => {
  const l = params.get('lang');
  return l === 'pattern' || l === 'insights' ? l : 'own';
};

// --- rows ---

// Where a stream's name stands, by wire.
export const STREAM_FIELDS = ['log.stream', 'service.instance.id'];

export const bodyOf = (r: Row) => value(r.fields.body ?? r.fields.name ?? '');
export const traceOf = (r: Row) => {
  const t = r.fields['trace.trace_id'];
  return typeof t === 'string' && t !== '' ? t : null;
};

export function streamOf(r: Row): { field: string; value: Value } | null {
  for (const field of STREAM_FIELDS) {
    const v = r.fields[field];
    if (v !== undefined && v !== null && v !== '') return { field, value: v };
  }
  return null;
}

// The filter for a stream that CloudWatch's API names; null where its lines name none.
export async function streamFilter(dataset: string, stream: string): Promise<Filter | null> {
  for (const column of STREAM_FIELDS) {
    const f: Filter = { column, op: '=', value: stream };
    const a = await api.rows({ dataset, filters: [LOGS, f], start_time: 0, end_time: 9e9, limit: 1 });
    if (a.rows.length) return f;
  }
  return null;
}

export const cursorOf = (r: Row) => `${r.time_ns}.${r.id}`;

// --- severities ---

export const SEVERITIES = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'unspecified'] as const;
export type Severity = (typeof SEVERITIES)[number];

export function severityOf(text: string): Severity {
  const t = text.toLowerCase();
  if (/^(fatal|critical|alert|emerg|panic)/.test(t)) return 'fatal';
  if (/^err/.test(t)) return 'error';
  if (/^warn/.test(t)) return 'warn';
  if (/^(info|notice)/.test(t)) return 'info';
  if (/^debug/.test(t)) return 'debug';
  return /^trace/.test(t) ? 'trace' : 'unspecified';
}

export const rowSeverity = (r: Row): Severity => severityOf(value(r.fields.severity ?? r.fields.severity_text ?? ''));

// Tokens of the theme: red is for errors alone; the others differ in lightness.
export const SEVERITY_TOKEN: Record<Severity, string> = {
  fatal: 'error', error: 'error', warn: 'accent-line', info: 'link', debug: 'ok', trace: 'line', unspecified: 'muted',
};

// --- highlighting ---

export const MAX_TERMS = 5;
export const termsOf = (params: URLSearchParams) => [...new Set(params.getAll('hl').map((t) => t.trim()).filter(Boolean))].slice(0, MAX_TERMS);

export interface Piece { text: string; term: number } // term -1: none

// The text cut where a term stands, any case; where two overlap the one that begins first has it.
export function pieces(text: string, terms: readonly string[]): Piece[] {
  const low = text.toLowerCase();
  const same = low.length === text.length; // a few characters change their length
  const out: Piece[] = [];
  let at = 0;
  while (same && at < text.length) {
    let best = -1;
    let term = -1;
    terms.forEach((t, i) => {
      const found = low.indexOf(t.toLowerCase(), at);
      if (found >= 0 && (best < 0 || found < best || (found === best && t.length > terms[term]!.length))) {
        best = found;
        term = i;
      }
    });
    if (term < 0) break;
    if (best > at) out.push({ text: text.slice(at, best), term: -1 });
    at = best + terms[term]!.length;
    out.push({ text: text.slice(best, at), term });
  }
  if (at < text.length) out.push({ text: text.slice(at), term: -1 });
  return out;
}

// --- the question ---

export type LogSelection = Selection;

// Which lines the address asks for; of its times, too.
export function selectionFor(params: URLSearchParams): LogSelection {
  const lang = languageOf(params);
  const text = lang === 'own' ? params.get('q') ?? '' : '';
  const asked = new URLSearchParams(params);
  if (lang === 'insights') asked.delete('w'); // its query says all
  asked.delete('or');
  const s: LogSelection = selectionOf(asked, [LOGS, ...(text ? [{ column: '*', op: 'contains', value: text }] : [])]);
  const pattern = lang === 'pattern' ? params.get('fp')?.trim() : '';
  if (pattern) s.pattern = pattern;
  return s;
}

// The same without times, as a key: what a question depends on beside the clock.
export function questionKey(params: URLSearchParams): string {
  const s = { ...selectionFor(params) };
  delete s.start_time;
  delete s.end_time;
  delete s.time_range;
  const r: TimeRange = rangeOf(params);
  return JSON.stringify([s, r.relative !== null ? r.relative : [r.from, r.to]]);
}

export const hasFilters = (params: URLSearchParams) =>
  filtersOf(params).length > 0 || Boolean(params.get(languageOf(params) === 'pattern' ? 'fp' : 'q')?.trim());

// What the reader looks for stands out by itself.
export function searchedTerms(params: URLSearchParams): string[] {
  const lang = languageOf(params);
  if (lang === 'own') return [params.get('q')?.trim() ?? ''].filter(Boolean);
  const text = lang === 'pattern' ? params.get('fp')?.trim() ?? '' : '';
  if (/^[{[%]/.test(text)) return [];
  return [...text.matchAll(/([-?]?)(?:"((?:[^"\\]|\\.)+)"|([^\s"]+))/g)].filter((m) => m[1] !== '-').map((m) => m[2]?.replace(/\\(.)/g, '$1') ?? m[3]!).filter((t) => t && !t.startsWith('%'));
}

// Members that hold what a line of JSON says to people, the most telling first.
const SAYS = ['message', 'msg', 'body', 'log', 'event', 'error'];
const LONG = 65536;

// Of a line that is a JSON object: its message and, behind it, its short other members. Null: show it as it is.
export function saidIn(body: string): { text: string; rest: [string, unknown][] } | null {
  if (!/^\s*\{/.test(body) || body.length > LONG) return null;
  let of: Record<string, unknown>;
  try {
    of = JSON.parse(body) as Record<string, unknown>;
  } catch {
    return null;
  }
  const key = SAYS.find((k) => typeof of[k] === 'string' && of[k] !== '');
  if (key === undefined) return null;
  return { text: of[key] as string, rest: Object.entries(of).filter(([k, v]) => k !== key && v !== null && typeof v !== 'object' && String(v).length < 60) };
}
