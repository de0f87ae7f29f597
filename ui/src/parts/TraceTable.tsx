// SPDX-License-Identifier: Apache-2.0
// A list of traces: when, what, how long against the longest, which services, what failed.

import { api, ApiError } from '../lib/api';
import { serviceColor } from '../lib/color';
import { count, dateTime, duration, isoNs, nsToMs } from '../lib/format';
import { href, go } from '../lib/route';
import { useTheme } from '../lib/theme';
import { useLive, useLoad } from '../lib/use';
import type { Selection, TraceSummary } from '../lib/types';
import { useEffect, useState } from 'preact/hooks';
import { Distribution, type Range } from './Distribution';
import { SaveAs } from './SaveAs';
import { Covers, Empty, ErrorBox, Hint, Progress } from './States';

interface Props {
  selection: Selection; sort: string; limit?: number; live?: boolean; compact?: boolean;
  expression?: string | null; // X-Ray's
  range?: Range | null; distribution?: boolean;
  onError?: (e: Error | null) => void;
}

const MOST = 1000;

export function TraceTable({ selection, sort, limit = 50, live = false, compact, expression, range, distribution, onError }: Props) {
  const [more, setMore] = useState(limit);
  const { dataset, filters, filter_combination, start_time, end_time, time_range } = selection;
  const spec = { dataset, filters, filter_combination, start_time, end_time, time_range, sort, limit: more,
    ...(expression ? { filter_expression: expression } : {}), ...(range ? { duration_ms: range } : {}), ...(distribution ? { distribution } : {}) };
  const answer = useLoad(JSON.stringify(spec), (signal) => api.traces(spec, signal));
  useLive(live, answer.reload, answer.data?.elapsed_ms);
  useEffect(() => onError?.(answer.error), [answer.error]);
  const inPlace = answer.error instanceof ApiError && answer.error.field === 'filter_expression';
  const a = inPlace ? null : answer.data;
  const traces = a?.traces ?? [];
  const cut = a?.looked_all === false ? `of the ${sort === 'slow' ? 'slowest' : 'newest'} ${count(a.looked ?? 0)} looked at` : '';
  return (
    <div class="traces">
      {!compact && (
        <>
          <div class="bar"><span class="muted num">{a ? `${count(traces.length)} traces${cut && traces.length < more ? ` ${cut}; narrow the time range to see others` : ''}` : ''}</span><Covers answer={a} loading={answer.loading} />{traces.length > 0 && <SaveAs name="traces" rows={() => rowsOf(traces)} json={() => traces} />}</div>
          <Progress loading={answer.loading && !live} progress={null} />
        </>
      )}
      {answer.error && !inPlace && <ErrorBox error={answer.error} retry={answer.reload} />}
      {a && a.durations_ms && a.durations_ms.length > 0 && <Distribution values={a.durations_ms} range={range ?? null} note={cut} />}
      {a && traces.length === 0 && (
        <Empty title={sort === 'errors' ? 'No trace with errors' : 'No traces'}>{sort === 'errors' && a.rows_examined > 0 ? <p>Nothing failed in this range.</p> : <Hint examined={a.rows_examined} />}</Empty>
      )}
      {traces.length > 0 && <List traces={traces} />}
      {!compact && traces.length >= more && more < MOST && (
        <button type="button" class="button more" onClick={() => setMore(Math.min(MOST, more * 2))}>Show more</button>
      )}
    </div>
  );
}

const HEAD = ['start', 'trace_id', 'service', 'name', 'status', 'duration_ms', 'spans', 'errors'];
const rowsOf = (traces: TraceSummary[]) => [HEAD, ...traces.map((t) => [isoNs(t.start_ns), t.trace_id, t.root?.service, t.root?.name, t.root?.status, t.duration_ms, t.spans, t.errors].map((v) => String(v ?? '')))];

function List({ traces }: { traces: TraceSummary[] }) {
  const longest = Math.max(...traces.map((t) => t.duration_ms), 0.001);
  return (
    <div class="table-wrap" role="region" aria-label="Traces" tabIndex={0}>
      <table class="table trace-table">
        <thead><tr><th>Start</th><th>Trace</th><th class="right">Status</th><th>Duration</th><th class="right">Spans</th><th class="right">Errors</th><th>Services</th></tr></thead>
        <tbody>{traces.map((t) => <Line key={t.trace_id} t={t} longest={longest} />)}</tbody>
      </table>
    </div>
  );
}

function Line({ t, longest }: { t: TraceSummary; longest: number }) {
  const theme = useTheme();
  const link = href(`trace/${t.trace_id}`);
  const status = t.root?.status ?? null;
  return (
    <tr class="link-row" onClick={(e) => !(e.target as Element).closest('a,button') && !getSelection()?.toString() && go(link)}>
      <td class="num nowrap">{dateTime(nsToMs(t.start_ns), 3)}</td>
      <td class="grow">
        <a href={link} class="trace-name">
          {t.root ? <><i class="dot" style={{ background: serviceColor(t.root.service, theme) }} /><span class="muted">{t.root.service}</span> {t.root.name}</> : <span class="warn">root span missing</span>}
        </a>
      </td>
      <td class={`num right${Number(status) >= 500 ? ' error' : ''}`}>{status ?? ''}</td>
      <td class="dur"><span class="dur-bar" style={{ width: `${(100 * t.duration_ms) / longest}%` }} /><span class="num">{duration(t.duration_ms)}</span></td>
      <td class="num right">{count(t.spans)}</td>
      <td class={`num right${t.errors ? ' error' : ' muted'}`}>{t.errors ? count(t.errors) : ''}</td>
      <td class="nowrap">
        <span class="services" role="img" aria-label={t.services.map((s) => `${s.name} ${s.spans} spans${s.errors ? `, ${s.errors} errors` : ''}`).join('; ')}>
          {t.services.slice(0, 12).map((s) => (
            <i title={`${s.name}: ${s.spans} spans${s.errors ? `, ${s.errors} errors` : ''}`} class={s.errors ? 'bad' : ''} style={{ background: serviceColor(s.name, theme), flexGrow: s.spans }} />
          ))}
        </span>
      </td>
    </tr>
  );
}
