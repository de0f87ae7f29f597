// SPDX-License-Identifier: Apache-2.0
// Raw rows, page by page by cursor; a click opens the side panel.

import { useEffect, useRef, useState } from 'preact/hooks';
import { api } from '../lib/api';
import { count, dateTime, duration, isoNs, nsToMs, value as text } from '../lib/format';
import { ownColumn, relationOf } from '../lib/relation';
import { useRoute } from '../lib/route';
import type { Row, RowsAnswer, Selection } from '../lib/types';
import { RowPanel } from './RowPanel';
import { SaveAs } from './SaveAs';
import { Covers, Empty, ErrorBox, Hint, Progress } from './States';
import { ValueCell } from './ValueCell';

const PAGE = 100;
const BASE = ['name', 'duration_ms'];

// The columns worth seeing: what the question speaks of, then name and duration, then the log's text.
function columnsOf(params: URLSearchParams, selection: Selection, rows: Row[]): string[] {
  const asked = [...params.getAll('by'), ...(selection.filters ?? []).map((f) => f.column)]
    .map(relationOf).filter((c) => c.prefix === '').map((c) => c.field).filter((c) => c !== '*' && c !== 'service.name');
  const present = new Set(rows.flatMap((r) => Object.keys(r.fields)));
  return [...new Set([...BASE, 'severity', 'body', 'error', ...asked])].filter((c) => present.has(c) || asked.includes(c));
}

// Every field that some row has; the page shows those that the question speaks of.
function rowsOf(rows: Row[]): string[][] {
  const names = [...new Set(rows.flatMap((r) => Object.keys(r.fields)))].filter((n) => n !== 'dataset').sort();
  return [['time', 'kind', 'dataset', ...names], ...rows.map((r) => [isoNs(r.time_ns), r.kind, r.dataset, ...names.map((n) => (r.fields[n] === undefined || r.fields[n] === null ? '' : text(r.fields[n])))])];
}

export function RowTable({ selection }: { selection: Selection }) {
  const { params } = useRoute();
  const { dataset, filters, filter_combination, start_time, end_time, time_range } = selection;
  const spec = { dataset, filters, filter_combination, start_time, end_time, time_range, limit: PAGE };
  const key = JSON.stringify(spec);
  const [state, set] = useState<{ rows: Row[]; last: RowsAnswer | null; error: Error | null; loading: boolean }>({ rows: [], last: null, error: null, loading: true });
  const [open, setOpen] = useState<string | null>(null);
  const abort = useRef<AbortController | null>(null);
  const load = (rows: Row[], after: string | null) => {
    abort.current?.abort();
    const mine = new AbortController();
    abort.current = mine;
    set((s) => ({ ...s, rows, loading: true, error: null }));
    api.rows(after ? { ...spec, after } : spec, mine.signal).then(
      (a) => !mine.signal.aborted && set({ rows: [...rows, ...a.rows], last: a, error: null, loading: false }),
      (error: Error) => !mine.signal.aborted && set((s) => ({ ...s, error, loading: false })),
    );
  };
  useEffect(() => {
    load([], null);
    return () => abort.current?.abort();
  }, [key]);
  const columns = columnsOf(params, selection, state.rows);
  return (
    <div class="raw">
      <div class="bar"><span class="muted num">{count(state.rows.length)} rows shown, newest first</span><Covers answer={state.last} loading={state.loading} />{state.rows.length > 0 && <SaveAs name="raw rows" rows={() => rowsOf(state.rows)} json={() => state.rows.map(({ time_ns, fields, ...r }) => ({ time: isoNs(time_ns), ...r, ...fields }))} />}</div>
      <Progress loading={state.loading} progress={null} />
      {state.error && <ErrorBox error={state.error} retry={() => load([], null)} />}
      {!state.loading && !state.error && state.rows.length === 0 && <Empty title="No rows match"><Hint examined={state.last?.rows_examined ?? 0} /></Empty>}
      {state.rows.length > 0 && (
        <div class="table-wrap" role="region" aria-label="Raw rows" tabIndex={0}>
          <table class="table">
            <thead><tr><th>Time</th><th>Kind</th><th>Service</th>{columns.map((c) => <th class={c === 'duration_ms' ? 'right' : ''}>{c}</th>)}</tr></thead>
            <tbody>
              {state.rows.map((r) => (
                <tr key={r.id} class={`link-row${open === r.id ? ' on' : ''}`} onClick={() => setOpen(r.id)}>
                  <td class="num nowrap"><button type="button" class="value num" onClick={() => setOpen(r.id)} aria-label={`Fields of the row at ${dateTime(nsToMs(r.time_ns), 3)}`}>{dateTime(nsToMs(r.time_ns), 3)}</button></td>
                  <td class="muted nowrap">{r.kind.replace('_', ' ')}</td>
                  <td class="nowrap"><ValueCell field="service.name" value={r.fields['service.name'] ?? r.dataset} /></td>
                  {columns.map((c) => (
                    <td class={c === 'duration_ms' ? 'num right' : 'cell'}>
                      {c in r.fields && <ValueCell field={ownColumn(c)} value={r.fields[c]} text={c === 'duration_ms' ? duration(Number(r.fields[c])) : text(r.fields[c])} />}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {state.last?.next && !state.loading && <button type="button" class="button more" onClick={() => load(state.rows, state.last!.next)}>Show {PAGE} more</button>}
      {open && <RowPanel id={open} close={() => setOpen(null)} />}
    </div>
  );
}
