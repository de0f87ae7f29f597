// SPDX-License-Identifier: Apache-2.0
//
// The answer to a Logs Insights query: a table, and where it has a number a chart of it, over time where
// there is a time. Lines lead back to the explorer.

import { useMemo, useRef, useState } from 'preact/hooks';
import { api } from '../lib/api';
import { groupColors } from '../lib/color';
import { CursorBus } from '../lib/cursor';
import { csvText, saveFile } from '../lib/files';
import { bytes, count, si } from '../lib/format';
import { chartOf, kindsOf, type Charted } from '../lib/insights';
import { href, patch, useRoute } from '../lib/route';
import { token, useTheme } from '../lib/theme';
import { useLoad, type Loaded } from '../lib/use';
import { SEVERITIES, SEVERITY_TOKEN, severityOf, type LogSelection } from '../lib/logs';
import type { InsightsResult } from '../lib/types';
import { Icon } from '../parts/Icon';
import { LineChart } from '../parts/LineChart';
import { openMenu } from '../parts/Menu';
import { SaveAs } from '../parts/SaveAs';
import { Empty, ErrorBox, Progress } from '../parts/States';
import { Volume } from './Volume';

const PAGE = 100;
const CHARTS: [string, string][] = [['stacked', 'Stacked'], ['line', 'Lines'], ['bar', 'Bars'], ['none', 'No chart']];
const BARS = 30;
const LONG = 14; // digits of a number that are shown in full
const CELL = { number: 'right num', time: 'mono nowrap', text: 'mono', message: 'mono insights-text' };

export function useInsights(query: string, spec: LogSelection | null): Loaded<InsightsResult> {
  const body = { query, start_time: spec?.start_time ?? 0, end_time: spec?.end_time ?? 0, ...(spec?.dataset && { groups: [spec.dataset] }) };
  return useLoad(spec && query.trim() ? JSON.stringify(body) : null, (signal, progress) => api.insights(body, signal, progress));
}

export function Insights({ answer, asked }: { answer: Loaded<InsightsResult>; asked: boolean }) {
  const a = answer.data;
  const error = answer.error && !(answer.error as { field?: string }).field ? answer.error : null;
  if (!asked) return <Empty title="Ask a question"><p>A query is a chain of commands: <code>filter</code>, <code>stats</code>, <code>sort</code>, <code>limit</code> and others, joined by <code>|</code>. Click into the box for examples; what can stand at the caret is offered.</p></Empty>;
  return (
    <section class="patterns insights" aria-label="Result of the query">
      <Progress loading={answer.loading} progress={answer.progress} />
      {error && <ErrorBox error={error} retry={answer.reload} />}
      {!a && answer.loading && <p class="muted pad" role="status">{answer.progress ? `${si(answer.progress.rows_scanned)} of ${si(answer.progress.rows_total)} rows …` : 'Asking …'}</p>}
      {a && !answer.error && <Answer key={answer.loading ? 'old' : 'new'} answer={a} />}
    </section>
  );
}

function Answer({ answer: a }: { answer: InsightsResult }) {
  const { params } = useRoute();
  const [shown, setShown] = useState(PAGE);
  const charted = useMemo(() => chartOf(a), [a]);
  const kinds = useMemo(() => kindsOf(a), [a]);
  const chart = params.get('ch') ?? (charted?.times ? 'stacked' : 'bar');
  const message = a.columns.findIndex((c) => c.name === '@message');
  return (
    <>
      <div class="bar">
        <span class="num"><b>{count(a.rows.length)}</b> <span class="muted">{a.rows.length === 1 ? 'row' : 'rows'}{a.truncated && ', the limit cut the rest'}</span></span>
        {charted && (
          <div class="segmented" role="group" aria-label="Chart">
            {CHARTS.filter(([id]) => charted.times || !['stacked', 'line'].includes(id)).map(([id, name]) => <button type="button" aria-pressed={chart === id} onClick={() => patch({ ch: id }, { replace: true })}>{name}</button>)}
          </div>
        )}
        <span class="covers num">{count(a.rows_matched)} of {count(a.rows_scanned)} rows, {bytes(a.bytes_scanned)}, {a.elapsed_ms < 10 ? a.elapsed_ms.toFixed(1) : Math.round(a.elapsed_ms)} ms, {a.complete ? 'complete' : <strong class="warn">incomplete</strong>}</span>
        <Save answer={a} />
      </div>
      {a.rows.length === 0 && <Empty title="No rows"><p>The query has no result in this range.</p></Empty>}
      {charted && chart !== 'none' && a.rows.length > 0 && <Chart charted={charted} kind={chart} />}
      {a.rows.length > 0 && (
        <div class="table-wrap panel">
          <table class="table insights-table" aria-label="Result">
            <thead><tr>{a.ids && <th class="swatch-col" />}{a.columns.map((c, i) => <th class={kinds[i] === 'number' ? 'right' : ''}>{c.name}</th>)}</tr></thead>
            <tbody>
              {a.rows.slice(0, shown).map((r, i) => (
                <tr key={i}>
                  {a.ids && <td class="swatch-col">{a.ids[i] && <a href={href('logs', { row: a.ids[i]! })} title="Among the lines" aria-label={`Row ${i + 1} among the lines`}><Icon name="logs" /></a>}</td>}
                  {r.map((v, c) => <td class={CELL[c === message ? 'message' : kinds[c]!]} title={v !== null && v.length > LONG && kinds[c] === 'number' ? v : undefined}>{v === null ? <span class="muted">–</span> : kinds[c] === 'number' && v.length > LONG ? String(Number(Number(v).toPrecision(9))) : v}</td>)}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {a.rows.length > shown && <button type="button" class="button more" onClick={() => setShown(shown + PAGE)}>Show {Math.min(PAGE, a.rows.length - shown)} more of {count(a.rows.length - shown)}</button>}
    </>
  );
}

function Chart({ charted: c, kind }: { charted: Charted; kind: string }) {
  const theme = useTheme();
  const figure = useRef<HTMLElement>(null);
  const [bus] = useState(() => new CursorBus());
  // Levels have the colours they have everywhere.
  const colors = useMemo(() => {
    const own = groupColors(c.series.map((s) => s.name), theme);
    return c.series.map((s, i) => ((SEVERITIES as readonly string[]).includes(s.name.toLowerCase()) ? token(SEVERITY_TOKEN[severityOf(s.name)]) : own[i]!));
  }, [c, theme]);
  const series = c.series.map((s, i) => ({ id: s.name, name: s.name, color: colors[i]!, key: [], data: s.data }));
  if (kind === 'bar' || !c.times) {
    // Over time the bars are the sums of the series.
    const bars = c.times ? c.series.map((s) => ({ name: s.name, n: s.data.reduce<number>((a, b) => a + (b ?? 0), 0) })) : c.labels.map((name, i) => ({ name, n: c.series[0]!.data[i] ?? 0 }));
    const top = Math.max(...bars.map((b) => Math.abs(b.n)), 1e-9);
    return (
      <figure class="panel chart-panel bars-panel"><figcaption><span class="mono">{c.times ? 'sums' : c.series[0]!.name}</span>{bars.length > BARS && <span class="muted">first {BARS} of {bars.length}</span>}</figcaption>
        <ul class="value-bars">{bars.slice(0, BARS).map((b) => <li><span class="clip mono" title={b.name}>{b.name}</span><span class="value-bar"><i style={{ width: `${(100 * Math.abs(b.n)) / top}%` }} /></span><b class="num">{si(b.n)}</b></li>)}</ul>
      </figure>
    );
  }
  const range: [number, number] = [c.times[0]!, c.times[c.times.length - 1]! + c.step];
  return (
    <figure class="panel chart-panel" ref={figure}>
      <figcaption class="legend">{series.slice(0, 12).map((s) => <span class="legend-item"><i class="dot" style={{ background: s.color }} />{s.name}</span>)}{c.more > 0 && <span class="muted">and {c.more} more, not drawn</span>}<span class="end"><SaveAs name="the chart" picture={() => figure.current} /></span></figcaption>
      {kind === 'line'
        ? <LineChart title="Result" times={c.times} step={c.step} range={range} series={series} isolated={null} bus={bus} text={si} />
        : <Volume title="Result" times={c.times} step={c.step} range={range} stacks={series} height={180} text={(n) => si(n)} />}
    </figure>
  );
}

function Save({ answer: a }: { answer: InsightsResult }) {
  const csv = () => csvText([a.columns.map((c) => c.name), ...a.rows.map((r) => r.map((v) => v ?? ''))]);
  const json = () => a.rows.map((r) => `${JSON.stringify(Object.fromEntries(r.map((v, i) => [a.columns[i]!.name, v]).filter(([, v]) => v !== null)))}\n`).join('');
  const menu = (e: MouseEvent) => openMenu(e, `${count(a.rows.length)} rows`, [
    { label: 'CSV', run: () => saveFile('insights.csv', [csv()], 'text/csv') },
    { label: 'JSON lines', run: () => saveFile('insights.jsonl', [json()], 'application/x-ndjson') },
  ]);
  return <button type="button" class="button" aria-haspopup="menu" disabled={a.rows.length === 0} onClick={menu}><Icon name="down" /> Export</button>;
}
