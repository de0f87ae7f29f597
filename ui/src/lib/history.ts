// SPDX-License-Identifier: Apache-2.0
//
// Questions that were asked, with their answers as they were: ?run=ID beside the question's own parameters shows one.
// As soon as a parameter says something else the answer is another question's, and `run` goes.

import { href } from './route';
import type { QueryResult, QuerySpec } from './types';

export interface Run {
  id: string; at_ns: string; who: string; mine: boolean; name: string; starred: boolean; question: QuerySpec; path: string;
  rows_examined: number; elapsed_ms: number; answered: boolean; times: number;
}
export interface KeptRun extends Run { result: QueryResult | null }
export interface RunList { runs: Run[]; next: number | null }

// What an address says of a question.
const ASKED = ['ds', 'from', 'to', 't', 'c', 'w', 'or', 'by', 'cf', 'fx', 'o', 'h', 'n', 'g', 'hs', 'cmp'];

const asked = (params: URLSearchParams) => ASKED.map((k) => params.getAll(k));
const paramsOf = (run: Run) => new URLSearchParams(run.path.split('?')[1] ?? '');

export const sameQuestion = (params: URLSearchParams, run: Run) => JSON.stringify(asked(params)) === JSON.stringify(asked(paramsOf(run)));
// Does an address name a question beside a run?
export const namesQuestion = (params: URLSearchParams) => params.has('c') || params.has('from');

export function changesOf(run: Run): Record<string, string[]> {
  const p = paramsOf(run);
  return Object.fromEntries(ASKED.map((k) => [k, p.getAll(k)]));
}

const UNITS: [string, number][] = [['w', 604800], ['d', 86400], ['h', 3600], ['m', 60], ['s', 1]];
function spanText(s: number): string {
  const [unit, size] = UNITS.find(([, n]) => s % n === 0) ?? ['s', 1];
  return `${s / size}${unit}`;
}

export const permalink = (id: string) => href('query', { ...Object.fromEntries(ASKED.map((k) => [k, null])), run: id });

// The question once more: of as much time up to now, if it was about the last hours.
export function anewHref(run: Run): string {
  const { start_time, end_time, time_range } = run.question as QuerySpec & { start_time?: number; end_time?: number; time_range?: number };
  const relative = start_time === undefined && end_time === undefined;
  return href('query', { ...changesOf(run), ...(relative && { from: null, to: null, t: spanText(time_range ?? 7200) }), run: null });
}
