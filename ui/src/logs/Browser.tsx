// SPDX-License-Identifier: Apache-2.0
// Fields and lines side by side: which line is current, which stand open, and the keys.

import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { api } from '../lib/api';
import { addFilters } from '../lib/actions';
import { searchedTerms, termsOf, traceOf } from '../lib/logs';
import { filterFor } from '../lib/query';
import { go, href, patch, useRoute } from '../lib/route';
import { knownTurn } from '../lib/schema';
import type { Row } from '../lib/types';
import { ErrorBox } from '../parts/States';
import { Line } from './Line';
import { Lines } from './Lines';
import { PagedLines, type LineSource } from './source';

interface Props { source: LineSource; marks: number[]; pinned: boolean; asc: boolean; onSeen: (from: number | null, to: number | null) => void }

export function Browser({ source, marks, pinned, asc, onSeen }: Props) {
  const { params } = useRoute();
  const [current, setCurrent] = useState(-1);
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const [goTo, setGoTo] = useState<{ i: number; turn: number } | null>(null);
  const [, again] = useState(0);
  const [lost, setLost] = useState(false);
  const turn = useRef(0);
  const terms = useMemo(() => [...searchedTerms(params), ...termsOf(params)], [params.toString()]);
  const wrap = params.get('wrap') === '1';
  const today = new Date().toDateString();
  const row = params.get('row');

  // A link to a line leads there and opens it; so does the way back.
  const shown = useRef<string | null>(null);
  useEffect(() => source.on(() => again((n) => n + 1)), [source]);
  useEffect(() => {
    setLost(false);
    if (!row || shown.current === row || !(source instanceof PagedLines)) return;
    shown.current = row;
    let on = true;
    const place = async () => {
      const here = source.indexOf(row);
      const detail = here >= 0 ? null : await api.row(row);
      const i = here >= 0 ? here : await source.locate({ id: row, time_ns: detail!.time_ns });
      if (!on) return;
      if (i < 0) {
        setLost(true);
        return;
      }
      setOpen(new Set([row]));
      setCurrent(i);
      setGoTo({ i, turn: ++turn.current });
    };
    place().catch(() => on && setLost(true));
    return () => { on = false; };
  }, [source, row]);

  const toggle = useCallback((r: Row) => {
    setOpen((o) => {
      const next = new Set(o);
      if (!next.delete(r.id)) next.add(r.id);
      shown.current = next.has(r.id) ? r.id : null;
      patch({ row: shown.current }, { replace: true });
      return next;
    });
    const i = source.indexOf(r.id);
    if (i >= 0) setCurrent(i);
    document.getElementById('lines')?.focus({ preventScroll: true });
  }, [source]);

  const onKey = (e: KeyboardEvent, i: number) => {
    const r = i >= 0 ? source.at(i) : undefined;
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    const run: Record<string, () => void> = {
      Enter: () => r && toggle(r), ' ': () => r && toggle(r),
      ArrowRight: () => r && !open.has(r.id) && toggle(r), ArrowLeft: () => r && open.has(r.id) && toggle(r), Escape: () => r && open.has(r.id) && toggle(r),
      x: () => { const t = r && traceOf(r); if (t) go(href(`trace/${encodeURIComponent(t)}`, { row: r.id, ds: null })); },
      c: () => {
        if (!r) return;
        if (!open.has(r.id)) toggle(r);
        requestAnimationFrame(() => document.querySelector<HTMLElement>(`[data-id="${CSS.escape(r.id)}"] .line-detail button[aria-pressed]`)?.click());
      },
      w: () => patch({ wrap: wrap ? null : '1' }, { replace: true }),
      s: () => { const v = r?.fields.severity; if (v !== undefined) addFilters([filterFor('severity', v, true)]); },
    };
    if (!run[e.key]) return;
    e.preventDefault();
    e.stopPropagation();
    run[e.key]!();
  };
  const error = source instanceof PagedLines ? source.error : null;
  return (
    <div class="lines-panel panel">
      {lost && <div class="note" role="status">The line of this link is not among these: other filters or times, or it has expired.</div>}
      {error && <ErrorBox error={error} retry={() => (source as PagedLines).retry()} />}
      <Lines source={source} marks={marks} pinned={pinned} asc={asc} goTo={goTo} current={current} onCurrent={setCurrent} onKey={onKey} label="Log lines"
        onSeen={(a, b) => onSeen(source.timeAt(a), source.timeAt(Math.max(a, b - 1)))}
        line={(r, _i, on) => <Line row={r} on={on} open={open.has(r.id)} wrap={wrap} streams={params.get('ds') !== null} today={today} known={knownTurn()} terms={terms} toggle={toggle} />} />
    </div>
  );
}
