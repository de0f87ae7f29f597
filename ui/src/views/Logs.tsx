// SPDX-License-Identifier: Apache-2.0
// Log rows, newest first, with live tail.

import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { api } from '../lib/api';
import { serviceColor } from '../lib/color';
import { clock, count, dateTime, nsToMs, value } from '../lib/format';
import { matches } from '../lib/match';
import { filtersOf, selectionOf } from '../lib/query';
import { isOwn, loadTypes } from '../lib/schema';
import { href, patch, useRoute } from '../lib/route';
import { useTheme } from '../lib/theme';
import type { Filter, Row, RowsAnswer } from '../lib/types';
import { Icon } from '../parts/Icon';
import { LogVolume } from '../parts/LogVolume';
import { RowPanel } from '../parts/RowPanel';
import { Covers, Empty, ErrorBox, Progress } from '../parts/States';
import { Where, complaint } from '../parts/Where';

export const LOGS: Filter = { column: 'meta.signal_type', op: '=', value: 'log' };
const PAGE = 200;
const KEEP = 2000;

interface State { rows: Row[]; last: RowsAnswer | null; error: Error | null; loading: boolean; skipped: number }

export function Logs() {
  const { params } = useRoute();
  const tail = params.get('tail') === '1';
  const text = params.get('q') ?? '';
  const open = params.get('row');
  const [state, set] = useState<State>({ rows: [], last: null, error: null, loading: true, skipped: 0 });
  const extra = useMemo(() => [LOGS, ...(text ? [{ column: '*', op: 'contains', value: text }] : [])], [text]);
  const spec = useMemo(() => selectionOf(params, extra), [params.get('t'), params.get('from'), params.get('to'), params.get('ds'), params.getAll('w').join('\n'), extra]);
  const abort = useRef<AbortController | null>(null);

  const load = (rows: Row[], after: string | null) => {
    abort.current?.abort();
    const mine = new AbortController();
    abort.current = mine;
    set((s) => ({ ...s, rows, loading: true, error: null }));
    api.rows({ ...spec, limit: PAGE, after }, mine.signal).then(
      (a) => !mine.signal.aborted && set((s) => ({ ...s, rows: [...rows, ...a.rows], last: a, loading: false })),
      (error: Error) => !mine.signal.aborted && set((s) => ({ ...s, error, loading: false })),
    );
  };
  useEffect(() => {
    load([], null);
    return () => abort.current?.abort();
  }, [spec]);
  const [, typesCame] = useState(0);
  useEffect(() => void loadTypes().then(() => typesCame((n) => n + 1)), [params.get('ds'), params.get('t'), state.rows.length > 0]);
  useTail(tail, params, text, set);

  return (
    <div class="view logs">
      <div class="bar">
        <h1>Logs</h1>
        <button type="button" class={`button${tail ? ' primary' : ''}`} aria-pressed={tail} data-key="f" onClick={() => patch({ tail: tail ? null : '1' }, { replace: true })}>
          <Icon name={tail ? 'pause' : 'play'} /> {tail ? 'Following' : 'Follow'}
        </button>
        <span class="muted num" role="status">{tail && `newest first, ${count(state.rows.length)} shown`}{state.skipped > 0 && `, ${count(state.skipped)} skipped: too fast to show`}</span>
        <Covers answer={state.last} loading={state.loading} />
      </div>
      <div class="panel builder">
        <Where error={state.error} label="Lines where" and />
        <div class="clause"><label class="clause-label" for="log-text">Text</label>
          <input id="log-text" class="search wide" type="search" placeholder="any text in any field" value={text} onChange={(e) => patch({ q: e.currentTarget.value || null })} />
        </div>
      </div>
      <Progress loading={state.loading} progress={null} />
      {state.error && complaint(state.error, 'filters') === null && <ErrorBox error={state.error} retry={() => load([], null)} />}
      {state.error && complaint(state.error, 'filters') !== null && <ErrorBox error={state.error} />}
      {!state.loading && !state.error && state.rows.length === 0 && (
        <Empty title="No log lines"><p>Nothing matches in this range. Programs send logs over OTLP to <code>/v1/logs</code>.</p></Empty>
      )}
      {!text && <LogVolume selection={spec} live={tail} />}
      {state.rows.length > 0 && <Lines rows={state.rows} open={open} />}
      {state.last?.next && !tail && !state.loading && <button type="button" class="button more" onClick={() => load(state.rows, state.last!.next)}>Show {PAGE} more</button>}
      {open && <RowPanel id={open} close={() => patch({ row: null }, { replace: true })} />}
    </div>
  );
}

// While following, rows that arrive are put on top; what the server cannot filter is filtered here.
function useTail(on: boolean, params: URLSearchParams, text: string, set: (f: (s: State) => State) => void) {
  const ds = params.get('ds');
  const key = on ? `${ds} ${params.getAll('w').join('\n')} ${text}` : '';
  useEffect(() => {
    if (!on) return;
    const abort = new AbortController();
    const filters = filtersOf(params);
    let fresh: Row[] = [];
    let skipped = 0;
    const timer = setInterval(() => {
      if (fresh.length === 0 && skipped === 0) return;
      const add = fresh.reverse();
      const lost = skipped;
      fresh = [];
      skipped = 0;
      set((s) => {
        const have = new Set(s.rows.map((r) => r.id));
        return { ...s, rows: [...add.filter((r) => !have.has(r.id)), ...s.rows].slice(0, KEEP), skipped: s.skipped + lost };
      });
    }, 250);
    const query: Record<string, string> = { column: LOGS.column, op: LOGS.op, value: String(LOGS.value) };
    if (ds) query.dataset = ds;
    api.tail(query, abort.signal, (r) => matches(r, filters, false, text) && fresh.push(r), (n) => (skipped += n)).catch((error: Error) => {
      if (!abort.signal.aborted) set((s) => ({ ...s, error }));
    });
    return () => {
      abort.abort();
      clearInterval(timer);
    };
  }, [key]);
}

function Lines({ rows, open }: { rows: Row[]; open: string | null }) {
  const theme = useTheme();
  const today = new Date().toDateString();
  const time = (ms: number) => (new Date(ms).toDateString() === today ? clock(ms, 3) : dateTime(ms, 3));
  return (
    <div class="lines" role="list" aria-label="Log lines">
      {rows.map((r) => {
        const service = value(r.fields['service.name'] ?? r.dataset);
        const severity = value(r.fields.severity ?? r.fields.severity_text ?? '');
        const bad = /^(error|fatal|critical)/i.test(severity);
        const trace = r.fields['trace.trace_id'];
        return (
          <div role="listitem" class="line-item" key={r.id}>
            <button type="button" class={`line${open === r.id ? ' on' : ''}`} onClick={() => patch({ row: open === r.id ? null : r.id }, { replace: true })}>
              <span class="num muted nowrap">{time(nsToMs(r.time_ns))}</span>
              <span class={`severity${bad ? ' error' : /^warn/i.test(severity) ? ' strong' : ' muted'}`}>{severity}</span>
              <span class="line-service"><i class="dot" style={{ background: serviceColor(service, theme) }} /><span class="clip">{service}</span></span>
              <span class="mono line-body">{value(r.fields.body ?? r.fields.name ?? '')}<Extra row={r} /></span>
            </button>
            {typeof trace === 'string' && trace !== '' && (
              <a class="line-trace" href={href(`trace/${encodeURIComponent(trace)}`, { row: r.id })} title="Where in its trace this was written"><Icon name="traces" /><span class="visually-hidden">Trace of the line</span></a>
            )}
          </div>
        );
      })}
    </div>
  );
}

const BESIDE = 6;
const BODY = /^body(\.|$)/;

// What the program said beside the text.
function Extra({ row }: { row: Row }) {
  const list = Object.entries(row.fields).filter(([k, v]) => isOwn(k) && !BODY.test(k) && v !== null && value(v).length < 60).slice(0, BESIDE);
  return <>{list.map(([k, v]) => <span class="line-extra"> {k}=<b>{value(v)}</b></span>)}</>;
}
