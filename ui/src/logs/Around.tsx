// SPDX-License-Identifier: Apache-2.0
// The lines of the same stream before and after one, in the order they were written, whatever the
// filters of the view are.

import { useEffect, useRef, useState } from 'preact/hooks';
import { api } from '../lib/api';
import { bodyOf, cursorOf, LOGS, rowSeverity, streamOf, type LogSelection } from '../lib/logs';
import { clock, nsToMs, value } from '../lib/format';
import type { Filter, Row } from '../lib/types';
import { ErrorBox } from '../parts/States';
import { Marked } from './Line';

const FIRST = 5;
const MORE = 10;
const MOST = 45; // on each side: what is in the document stays small
const DAY = 86400;

export function Around({ row, terms }: { row: Row; terms: readonly string[] }) {
  const [before, setBefore] = useState<Row[]>([]);
  const [after, setAfter] = useState<Row[]>([]);
  const [ends, setEnds] = useState<[boolean, boolean]>([false, false]);
  const [error, setError] = useState<Error | null>(null);
  const [ready, setReady] = useState(false);
  const abort = useRef<AbortController | null>(null);
  const stream = streamOf(row);

  const ask = (from: Row, later: boolean, n: number, signal: AbortSignal) => {
    const filters: Filter[] = [LOGS];
    if (stream) filters.push({ column: stream.field, op: '=', value: stream.value });
    else if (row.fields['service.name'] !== undefined) filters.push({ column: 'service.name', op: '=', value: row.fields['service.name'] });
    const s = nsToMs(row.time_ns) / 1e3;
    const spec: LogSelection = { dataset: row.dataset, filters, start_time: Math.max(0, s - DAY), end_time: s + DAY };
    return api.rows({ ...spec, order: later ? 'asc' : 'desc', limit: n, after: cursorOf(from) }, signal);
  };
  const load = async (later: boolean, n: number) => {
    const list = later ? after : before;
    try {
      const a = await ask(list.length ? list[list.length - 1]! : row, later, n, abort.current!.signal);
      (later ? setAfter : setBefore)((l) => [...l, ...a.rows]);
      setEnds((e) => (later ? [e[0], a.next === null] : [a.next === null, e[1]]));
    } catch (e) {
      if (!abort.current!.signal.aborted) setError(e as Error);
    }
  };
  useEffect(() => {
    abort.current = new AbortController();
    void Promise.all([load(false, FIRST), load(true, FIRST)]).then(() => setReady(true));
    return () => abort.current!.abort();
  }, [row.id]);

  const more = (later: boolean) => {
    const n = later ? after.length : before.length;
    if (ends[later ? 1 : 0]) return <span class="muted small">{later ? 'the last line of the stream so far' : 'the first line of the stream'}</span>;
    if (n >= MOST) return <span class="muted small">{n} lines {later ? 'after' : 'before'} it; open one of them to go on</span>;
    return <button type="button" class="button small" disabled={!ready} onClick={() => void load(later, MORE)}>{MORE} more {later ? 'after' : 'before'}</button>;
  };
  const one = (r: Row, here = false) => (
    <li class={`around-line sev-${rowSeverity(r)}${here ? ' here' : ''}`} key={r.id} aria-current={here ? 'true' : undefined}>
      <span class="num muted nowrap">{clock(nsToMs(r.time_ns), 3)}</span><span class="mono clip"><Marked text={bodyOf(r).slice(0, 1000)} terms={terms} /></span>
    </li>
  );
  return (
    <section class="around" aria-label="Lines around it">
      <div class="around-head">{more(false)}<span class="muted small end">{stream ? <>stream <b>{value(stream.value)}</b></> : value(row.fields['service.name'] ?? row.dataset)}</span></div>
      {error && <ErrorBox error={error} />}
      <ul data-scrolls>{[...before].reverse().map((r) => one(r))}{one(row, true)}{after.map((r) => one(r))}</ul>
      {more(true)}
    </section>
  );
}
