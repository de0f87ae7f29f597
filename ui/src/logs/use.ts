// SPDX-License-Identifier: Apache-2.0
// The lines of the view's question: counted over time first, then listed by position.

import { useEffect, useRef, useState } from 'preact/hooks';
import { api } from '../lib/api';
import { nsToMs, value } from '../lib/format';
import { SEVERITIES, SEVERITY_TOKEN, selectionFor, severityOf, type LogSelection } from '../lib/logs';
import { rangeOf } from '../lib/time';
import type { QueryResult } from '../lib/types';
import { PagedLines, stepsOf } from './source';
import { TailLines } from './tail';
import type { Stack } from './Volume';

export interface Lined {
  spec: LogSelection; // with its times in full: every part of the view asks about the same
  result: QueryResult;
  source: PagedLines;
  stacks: Stack[];
  marks: number[]; // where errors are, as shares of the list
}

interface State { lined: Lined | null; error: Error | null; loading: boolean }

// A relative range is settled once, by the server's clock and to the millisecond, so that counts and
// lines are of the same time.
async function settle(params: URLSearchParams, signal: AbortSignal): Promise<LogSelection> {
  const spec = { ...selectionFor(params) };
  const r = rangeOf(params);
  delete spec.time_range;
  if (r.relative === null) {
    spec.start_time = Math.floor(r.from * 1e3) / 1e3;
    spec.end_time = Math.ceil(r.to * 1e3) / 1e3;
  } else {
    const now = Math.ceil(nsToMs((await api.status(signal)).now_ns));
    spec.start_time = (now - Math.round(r.relative * 1e3)) / 1e3;
    spec.end_time = now / 1e3;
  }
  return spec;
}

const MARKS = 60;

function marksOf(stacks: Stack[], asc: boolean): number[] {
  const errors = stacks.filter((s) => s.color === 'error');
  const n = stacks[0]?.data.length ?? 0;
  const sums = Array.from({ length: n }, (_, i) => stacks.reduce((a, s) => a + (s.data[i] ?? 0), 0));
  const all = sums.reduce((a, b) => a + b, 0) || 1;
  const out = new Set<number>();
  let before = 0;
  for (let i = 0; i < n; i++) {
    if (errors.some((s) => (s.data[i] ?? 0) > 0)) out.add(Math.round((MARKS * (before + sums[i]! / 2)) / all) / MARKS);
    before += sums[i]!;
  }
  return [...out].map((m) => (asc ? m : 1 - m));
}

export function stacksOf(r: QueryResult): Stack[] {
  const by = new Map<string, (number | null)[]>();
  for (const g of r.groups) {
    const s = severityOf(value(g.key[0]));
    const data = (g.series?.[0] ?? []) as (number | null)[];
    const have = by.get(s);
    by.set(s, have ? have.map((n, i) => (n ?? 0) + (data[i] ?? 0)) : data);
  }
  // Errors at the bottom, where their height can be read.
  return SEVERITIES.filter((s) => by.has(s)).map((s) => ({ name: s, color: SEVERITY_TOKEN[s], data: by.get(s)! }));
}

export function useLines(params: URLSearchParams, key: string | null, asc: boolean): State & { reload: () => void } {
  const [state, set] = useState<State>({ lined: null, error: null, loading: true });
  const [turn, again] = useState(0);
  const last = useRef<PagedLines | null>(null);
  useEffect(() => {
    if (key === null) return;
    const abort = new AbortController();
    set((s) => ({ ...s, loading: true, error: null }));
    void (async () => {
      try {
        const spec = await settle(params, abort.signal);
        const result = await api.query({ ...spec, calculations: [{ op: 'COUNT' }], breakdowns: ['severity'], limit: 100 }, abort.signal);
        const [from, to] = [spec.start_time! * 1e3, spec.end_time! * 1e3];
        const source = new PagedLines(spec, asc, stepsOf(result.times_ms, result.granularity_ms, (result.totals.series?.[0] ?? []).map(Number), from, to));
        last.current?.done();
        last.current = source;
        const stacks = stacksOf(result);
        if (!abort.signal.aborted) set({ lined: { spec, result, source, stacks, marks: marksOf(stacks, asc) }, error: null, loading: false });
      } catch (error) {
        if (!abort.signal.aborted) set({ lined: null, error: error as Error, loading: false });
      }
    })();
    return () => abort.abort();
  }, [key, asc, turn]);
  useEffect(() => () => last.current?.done(), []);
  return { ...state, reload: () => again((n) => n + 1) };
}

export function useTail(on: boolean, params: URLSearchParams, key: string, asc: boolean): TailLines | null {
  const [tail, set] = useState<TailLines | null>(null);
  useEffect(() => {
    if (!on) return;
    const t = new TailLines(selectionFor(params), asc);
    t.begin().catch(() => undefined); // what comes is shown all the same
    set(t);
    return () => {
      t.done();
      set(null);
    };
  }, [on, key, asc]);
  return tail;
}
