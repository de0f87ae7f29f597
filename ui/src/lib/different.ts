// SPDX-License-Identifier: Apache-2.0
//
// "What is different here?": the rows of a selection against the rest of the question's rows. In the URL:
//   d=duration_ms >= 400&d=duration_ms < 900   the selection, as filters
//   d_from, d_to                               seconds; both sides are rows of this time alone
//   d_time=from-to                             instead: a time against the rest of the question's
//   d_was=86400                                instead: the question's time against so many seconds before

import { api } from './api';
import { Unreadable, filterText, filtersOf, parseFilter, selectionOf } from './query';
import { rangeOf } from './time';
import { patch, route } from './route';
import { fields } from './schema';
import type { FacetsAnswer, Filter, Selection } from './types';

const COLUMNS = 100; // of one question, at most
const VALUES = 8;

// Of each row another one: they differ in everything and say nothing.
const IDS = new Set(['error.uuid', 'trace.trace_id', 'trace.span_id', 'trace.parent_id', 'timestamp', 'duration_ns', 'trace.link.trace_id', 'trace.link.span_id']);

export interface Different { filters: Filter[]; from: number | null; to: number | null; was?: number; time?: [number, number] }

export function differentOf(params: URLSearchParams): Different | null {
  const filters: Filter[] = [];
  for (const text of params.getAll('d')) {
    try {
      filters.push(parseFilter(text));
    } catch (e) {
      if (!(e instanceof Unreadable)) throw e;
    }
  }
  const was = Number(params.get('d_was'));
  const time = /^(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)$/.exec(params.get('d_time') ?? '');
  if (filters.length === 0 && time && Number(time[2]) > Number(time[1])) return { filters, from: null, to: null, time: [Number(time[1]), Number(time[2])] };
  if (filters.length === 0) return was > 0 ? { filters, from: null, to: null, was } : null;
  const [from, to] = [Number(params.get('d_from')), Number(params.get('d_to'))];
  return from > 0 && to > from ? { filters, from, to } : { filters, from: null, to: null };
}

const NONE = { d: null, d_from: null, d_to: null, d_was: null, d_time: null };
const s3 = (seconds: number) => String(Number(seconds.toFixed(3)));

export function showDifferent(filters: Filter[], ms?: { from: number; to: number }) {
  patch({ ...NONE, d: filters.map(filterText), ...(ms ? { d_from: s3(ms.from / 1e3), d_to: s3(ms.to / 1e3) } : {}) });
}

export const showChanged = (offset: number) => patch({ ...NONE, d_was: String(offset) });

export const showTime = (from: number, to: number) => patch({ ...NONE, d_time: `${s3(from)}-${s3(to)}` });

export const hideDifferent = () => patch(NONE);

// What an error's fingerprint is made of says nothing about it that the fingerprint does not.
const OF_ERROR = ['body', 'name', 'error.fingerprint', 'error.fingerprint.loose', 'error.fingerprint.computed', 'error.culprit', 'code.file.path', 'code.function.name', 'code.line.number', 'exception.type', 'exception.message', 'exception.stacktrace'];

// The columns to compare: those most rows have, but for what the selection is made of.
async function columnsFor(d: Different): Promise<string[]> {
  const chosen = new Set(d.filters.map((f) => f.column));
  if (chosen.has('error.fingerprint')) for (const name of OF_ERROR) chosen.add(name);
  const known = (await fields()).filter((f) => f.rows > 0 && !f.scopes.includes('calculated') && !IDS.has(f.name) && !chosen.has(f.name));
  return known.sort((a, b) => b.rows - a.rows || (a.name < b.name ? -1 : 1)).slice(0, COLUMNS).map((f) => f.name);
}

// `base`: the rows to compare within, where the view adds to what its address says.
export async function askDifferent(d: Different, signal: AbortSignal, base?: Selection): Promise<FacetsAnswer> {
  const params = route().params;
  const spec = base ? { ...base } : selectionOf(params);
  if (!base && filtersOf(params).length === 0) delete spec.filters;
  if (d.from !== null && d.to !== null) {
    delete spec.time_range;
    spec.start_time = d.from;
    spec.end_time = d.to;
  }
  const range = rangeOf(params);
  if (d.was !== undefined) {
    delete spec.time_range;
    spec.start_time = range.from - d.was;
    spec.end_time = range.to;
  }
  const columns = await columnsFor(d);
  if (columns.length === 0) return { selected: 0, rest: 0, estimated: false, facets: [], rows_examined: 0, elapsed_ms: 0, complete: true };
  if (d.time) return api.facets({ ...spec, selection: { start_time: d.time[0], end_time: d.time[1] }, columns, limit: VALUES }, signal);
  if (d.was === undefined) return api.facets({ ...spec, selection: { filters: d.filters }, columns, limit: VALUES }, signal);
  const selection = { start_time: range.from, end_time: range.to };
  const baseline = { start_time: range.from - d.was, end_time: range.to - d.was };
  return api.facets({ ...spec, selection, baseline, columns, limit: VALUES }, signal);
}
