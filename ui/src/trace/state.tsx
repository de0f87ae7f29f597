// SPDX-License-Identifier: Apache-2.0
// The parts of a trace page's state that live in the URL: selection, time window, search.

import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { api } from '../lib/api';
import { count } from '../lib/format';
import { patch, useRoute } from '../lib/route';
import { openTrace } from '../lib/xray';
import type { Trace } from './model';

const WRITE_MS = 150;

// Below this the panel would stand in the way of what one came to see.
const WIDE = matchMedia('(min-width: 1101px)');

// What the address selects; where it selects nothing, the root on a wide screen. ?panel=0 says that
// the reader has closed the panel.
function fromParams(trace: Trace, params: URLSearchParams): number {
  const row = params.get('row');
  const span = params.get('span');
  if (row === null && span === null) return params.get('panel') !== '0' && WIDE.matches ? 0 : -1;
  return row !== null ? trace.byRow(row) : span !== null ? trace.bySpan(span) : -1;
}

// The selected row. Walking is instant; the URL follows when the walk pauses, because browsers limit
// how often an address may change.
export function useSelection(trace: Trace): [number, (i: number) => void] {
  const { params } = useRoute();
  const [i, set] = useState(() => fromParams(trace, params));
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const mine = useRef<string | null>(null);
  const key = `${params.get('row')} ${params.get('span')} ${params.get('panel')}`;
  useEffect(() => {
    if (key !== mine.current) set(fromParams(trace, params));
  }, [trace, key]);
  const select = (next: number) => {
    set(next);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => {
      const span = next >= 0 && trace.kind(next) === 'span' ? trace.spanId(next) : null;
      const row = next >= 0 && !span ? trace.id(next) : null;
      mine.current = `${row} ${span || null} ${next < 0 ? '0' : null}`;
      patch({ span: span || null, row, panel: next < 0 ? '0' : null }, { replace: true });
    }, WRITE_MS);
  };
  useEffect(() => () => clearTimeout(timer.current), []);
  return [i, select];
}

// The shown time window, in ns of the trace: ?z=from-to
export function useWindow(trace: Trace): [[number, number], (w: [number, number] | null) => void] {
  const { params } = useRoute();
  const z = params.get('z');
  const win = useMemo((): [number, number] => {
    const m = /^(-?\d+)\.\.(-?\d+)$/.exec(z ?? '');
    const a = Number(m?.[1]);
    const b = Number(m?.[2]);
    return m && b > a ? [a, b] : [trace.from, trace.to];
  }, [trace, z]);
  return [win, (w) => patch({ z: w ? `${Math.floor(w[0])}..${Math.ceil(Math.max(w[1], w[0] + 2))}` : null }, { replace: true })];
}

const SEARCH_MS = 200;

export function useSearch(trace: Trace) {
  const { params } = useRoute();
  const text = params.get('q') ?? '';
  const [server, setServer] = useState<{ text: string; list: number[] } | null>(null);
  const local = useMemo(() => (text ? trace.find(text) : []), [trace, text]);
  useEffect(() => {
    if (!text) return;
    const abort = new AbortController();
    const timer = setTimeout(() => {
      api.traceSearch(trace.answer.trace_id, text, abort.signal).then(
        (found) => setServer({ text, list: found.filter((o) => o < trace.n).map((o) => trace.position[o]!) }),
        () => setServer(null),
      );
    }, SEARCH_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [trace, text]);
  const set = useMemo(() => new Set(server && server.text === text ? [...local, ...server.list] : local), [local, server, text]);
  const matches = useMemo(() => [...set].sort((a, b) => a - b), [set]);
  return { text, matches, set };
}

export function SearchField({ text, n, at, step }: { text: string; n: number; at: number; step: (by: number) => void }) {
  const onKey = (e: KeyboardEvent) => {
    if (e.key === 'Enter' && n === 0 && openTrace(text)) e.preventDefault();
    else if (e.key === 'Enter') {
      e.preventDefault();
      step(e.shiftKey ? -1 : 1);
    } else if (e.key === 'Escape') {
      e.stopPropagation();
      patch({ q: null }, { replace: true });
      document.querySelector<HTMLElement>('[data-slash-back]')?.focus();
    }
  };
  return (
    <span class="search-box">
      <input class="search" type="search" data-slash placeholder="Search spans and fields" aria-label="Search this trace" value={text}
        onInput={(e) => patch({ q: e.currentTarget.value || null }, { replace: true })} onKeyDown={onKey} />
      {text && <span class="muted num" role="status">{n === 0 ? 'nothing found' : at >= 0 ? `${count(at + 1)} of ${count(n)}` : `${count(n)} found`}</span>}
    </span>
  );
}
