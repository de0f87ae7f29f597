// SPDX-License-Identifier: Apache-2.0
//
// A stored question on a board: asked when it is first seen, again while it is seen, at most four of a board at
// a time. The board's time and filters come on top of its own.

import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { datasetName, questionOf, type ChartType, type QueryPart } from '../lib/boards';
import { calcValue, count, percent } from '../lib/format';
import { within } from '../lib/markers';
import { addressOf, withFilters } from '../lib/query';
import { href } from '../lib/route';
import { colorsOf, groupId, groupName } from '../lib/series';
import { groupJson, groupRows, seriesJson, seriesRows } from '../lib/table';
import { token, useTheme } from '../lib/theme';
import { spanText } from '../lib/time';
import type { QueryResult, QuerySpec, Span } from '../lib/types';
import { useInterval, useLoad, useSize } from '../lib/use';
import { calcsOf, HeatPanel, LinePanel } from '../parts/Charts';
import type { MenuItem } from '../parts/Menu';
import { saveItems } from '../parts/SaveAs';
import { ErrorBox, Progress } from '../parts/States';
import { ValueCell } from '../parts/ValueCell';
import { api } from '../lib/api';
import { Frame, type Framed } from './Frame';
import type { Shared } from './OneBoard';

const REFRESH_MS = 30e3;
const CAPTION = 26;
const LEAST = 96;
const LEGEND = 12;

// The board's time in the place of the question's; what does not go with another length is left out.
function over(spec: QuerySpec, span: Span | null): QuerySpec {
  if (!span) return spec;
  const { time_range: _r, start_time: _s, end_time: _e, granularity: _g, compare_time_offset_seconds: _c, ...rest } = spec;
  return { ...rest, ...span };
}

export function useSeen(): [{ current: HTMLDivElement | null }, boolean, boolean] {
  const ref = useRef<HTMLDivElement>(null);
  const [now, set] = useState(false);
  const [ever, was] = useState(false);
  useEffect(() => {
    const o = new IntersectionObserver((list) => {
      const seen = list.at(-1)!.isIntersecting;
      set(seen);
      if (seen) was(true);
    }, { root: document.getElementById('main'), rootMargin: '150px' });
    o.observe(ref.current!);
    return () => o.disconnect();
  }, []);
  return [ref, ever, now];
}

export function QueryPanel({ p, shared, keep, ...frame }: { p: QueryPart; shared: Shared; keep: (p: QueryPart) => void } & Framed) {
  const { span, filters, limited, turn, names, sets } = shared;
  const [seenRef, ever, now] = useSeen();
  const body = useRef<HTMLDivElement>(null);
  const [failed, fail] = useState<Error | null>(null);
  const dataset = datasetName(sets, p.dataset);
  const table = p.query_style === 'table';
  const key = JSON.stringify([p.query_id, p.dataset, span, filters, table, turn]);
  const answer = useLoad(ever ? key : null, (signal, progress) => limited(signal, async () => {
    const spec = await questionOf(p, signal);
    const heat = spec.calculations?.some((c) => c.op === 'HEATMAP');
    const asked: QuerySpec = { ...withFilters(over(spec, span), filters), ...(dataset && { dataset }), ...(heat && { heatmap: { scale: 'log', bins: 40 } }), ...(table && { disable_series: true }) };
    return { spec, asked, result: await api.query(asked, signal, progress) };
  }));
  // A range that stands still has its answer.
  useInterval(now && span?.start_time === undefined ? Math.max(REFRESH_MS, 20 * (answer.data?.result.elapsed_ms ?? 0)) : null, answer.reload);
  const name = p.caption ?? names.get(p.query_annotation_id) ?? 'Question';
  const a = answer.data;
  const address = a ? { ...addressOf(a.spec, dataset), ...(span ? { t: span.time_range ? spanText(span.time_range) : null, from: span.start_time ? String(span.start_time) : null, to: span.end_time ? String(span.end_time) : null } : {}) } : null;
  const items = () => [...(a ? looks(p, a.result, keep) : []), ...(a ? files(name, a.result, body, fail, table) : [])];
  return (
    <Frame {...frame} name={name} {...(address && { href: href('query', address) })} items={items} rename={(n) => shared.rename(p, n)}
      about={a && <span class="muted num small board-range">{span ? '' : spanText(a.spec.time_range ?? 7200)}{answer.error ? ' old' : ''}</span>}>
      <div class="board-body" ref={seenRef}>
        <Progress loading={answer.loading && !a} progress={answer.progress} />
        {failed && <ErrorBox error={failed} />}
        {answer.error && <ErrorBox error={answer.error} retry={answer.reload} />}
        {!a && !answer.error && <div class="board-wait" aria-hidden="true" />}
        {a && <div ref={body} class={`board-answer${answer.error ? ' stale' : ''}`}><Answer p={p} spec={a.asked} result={a.result} shared={shared} /></div>}
      </div>
    </Frame>
  );
}

const LOOKS: [string, Partial<QueryPart>, ChartType][] = [['lines', { query_style: 'graph' }, 'default'], ['stacked areas', { query_style: 'graph' }, 'stacked'], ['bars over time', { query_style: 'graph' }, 'tsbar'],
  ['bars of groups', { query_style: 'graph' }, 'cbar'], ['a pie of groups', { query_style: 'graph' }, 'cpie'], ['a number', { query_style: 'graph' }, 'stat'], ['graph and table', { query_style: 'combo' }, 'default'], ['a table', { query_style: 'table' }, 'default']];

const settingsOf = (p: QueryPart, i: number) => p.visualization_settings?.charts?.find((c) => c.chart_index === i);
const chartOf = (p: QueryPart, i: number): ChartType => settingsOf(p, i)?.chart_type ?? 'default';
const OVER_TIME = ['default', 'line', 'stacked', 'tsbar'];

// What switches a setting on, and off; of the panel, or of each of its charts.
const SWITCHES: [string, string, string, boolean][] = [['Logarithmic scale', 'Linear scale', 'log_scale', true], ['Join lines over missing values', 'Break lines at missing values', 'omit_missing_values', true],
  ['All in one graph', 'A graph each', 'overlaid_charts', false], ['Times in UTC', 'Times as they are here', 'utc_xaxis', false], ['Hide markers', 'Show markers', 'hide_markers', false]];

// The chart of each calculation that is none of a distribution takes the same look.
function looks(p: QueryPart, result: QueryResult, keep: (p: QueryPart) => void): MenuItem[] {
  const now = `${p.query_style ?? 'graph'} ${chartOf(p, 0)}`;
  const charts = calcsOf(result).length;
  const set = (more: Partial<QueryPart>, each: object) => keep({ ...p, ...more, visualization_settings: { ...p.visualization_settings,
    charts: Array.from({ length: charts }, (_, i) => ({ ...settingsOf(p, i), chart_index: i, ...each })) } });
  const drawn = p.query_style !== 'table' && OVER_TIME.includes(chartOf(p, 0));
  const switches = SWITCHES.filter(([, , key, chart]) => drawn && (key !== 'overlaid_charts' || charts > 1) && (!chart || calcsOf(result).some((c) => c.op !== 'HEATMAP')));
  return [...LOOKS.filter(([, part, type]) => `${part.query_style} ${type}` !== now).map(([label, part, type]) => ({
    label: `Show as ${label}`,
    run: () => set(part, { chart_type: type }),
  })), ...switches.map(([on, off, key, chart]) => {
    const is = (chart ? settingsOf(p, 0) : p.visualization_settings)?.[key] === true;
    return { label: is ? off : on, run: () => (chart ? set({}, { [key]: !is }) : keep({ ...p, visualization_settings: { ...p.visualization_settings, [key]: !is } })) };
  })];
}

function files(name: string, r: QueryResult, body: { current: Element | null }, fail: (e: Error) => void, table: boolean): MenuItem[] {
  const graph = !table && r.times_ms.length > 0;
  const calcs = calcsOf(r);
  const rows = () => (graph ? calcs.flatMap((c, i) => [...(calcs.length > 1 ? [[c.key]] : []), ...seriesRows(r, i)]) : groupRows(r));
  const json = () => ({ groups: groupJson(r), ...(graph && { series: calcs.map((_, i) => seriesJson(r, i)) }) });
  return saveItems({ name, rows, json, ...(!table && { picture: () => body.current }) }, fail);
}

function Answer({ p, spec, result: whole, shared }: { p: QueryPart; spec: QuerySpec; result: QueryResult; shared: Shared }) {
  const [box, , height] = useSize<HTMLDivElement>();
  const [iso, isolate] = useState<string | null>(null);
  const shows = p.visualization_settings ?? {};
  const result = useMemo(() => (shows.hide_compare ? (({ compare: _, ...rest }) => rest)(whole) : whole), [whole, shows.hide_compare]);
  const calcs = calcsOf(result);
  const style = p.query_style ?? 'graph';
  const markers = useMemo(() => (shows.hide_markers ? [] : shared.markers.filter((m) => (m.scope === '__all__' || m.scope === p.dataset || !p.dataset) && within(m, result.start_ms, result.end_ms))),
    [shared.markers, result, p]);
  if (result.groups.length === 0 || (calcs.every((c) => c.op === 'COUNT') && result.totals.values.every((v) => v === 0))) return <p class="muted board-none">No rows match.</p>;
  const by = result.columns.length > calcs.length;
  const lines = calcs.flatMap((c, i) => (c.op !== 'HEATMAP' && OVER_TIME.includes(chartOf(p, i)) ? [i] : []));
  const drawn = lines.length > 0 || calcs.some((c) => c.op === 'HEATMAP');
  const also = shows.overlaid_charts && lines.length > 1 ? lines.slice(1) : undefined;
  const room = (style === 'combo' ? height / 2 : height) - (by && drawn ? 22 : 0);
  const each = Math.max(LEAST, Math.floor(room / (calcs.length - (also?.length ?? 0))) - CAPTION);
  const common = { result, bus: shared.bus, isolated: result.groups.some((g) => groupId(g.key) === iso) ? iso : null, of: spec, markers };
  return (
    <div class="board-fill" ref={box}>
      {style !== 'table' && height > 0 && calcs.map((c, i) => {
        const type = chartOf(p, i);
        const look = { log: settingsOf(p, i)?.log_scale, join: settingsOf(p, i)?.omit_missing_values, utc: shows.utc_xaxis, quiet: shows.hide_hovers };
        if (also?.includes(i)) return null;
        if (c.op === 'HEATMAP') return <HeatPanel key={c.key} {...common} look={look} calc={i} column={c} height={each} />;
        if (type === 'stat') return <p key={c.key} class="stat"><b class="num">{calcValue(result.totals.values[i], c.op, c.field)}</b> <span class="muted mono">{c.key}</span></p>;
        if (type === 'cbar' || type === 'cpie') return <Bars key={c.key} result={result} calc={i} pie={type === 'cpie'} />;
        return <LinePanel key={c.key} {...common} look={look} {...(also && { also })} calc={i} column={c} height={each} kind={type === 'stacked' ? 'stacked' : type === 'tsbar' ? 'bars' : 'line'} />;
      })}
      {style !== 'table' && by && drawn && <Legend result={result} iso={common.isolated} isolate={isolate} />}
      {style !== 'graph' && <Groups result={result} name={shared.names.get(p.query_annotation_id) ?? 'Question'} />}
    </div>
  );
}

// The groups; one that is pressed stands alone, in a heatmap too.
function Legend({ result, iso, isolate }: { result: QueryResult; iso: string | null; isolate: (id: string | null) => void }) {
  const colors = colorsOf(result, useTheme(), token('accent-line'));
  const more = result.groups_total - Math.min(LEGEND, result.groups.length);
  return (
    <p class="legend">
      {result.groups.slice(0, LEGEND).map((g, i) => {
        const id = groupId(g.key);
        return <button type="button" key={id} aria-pressed={iso === id} title={`Only ${groupName(g.key)}`} onClick={() => isolate(iso === id ? null : id)}><i style={{ background: colors[i] }} />{groupName(g.key)}</button>;
      })}
      {more > 0 && <span>and {count(more)} more</span>}
    </p>
  );
}

// Groups by their numbers over the whole time; each beside the largest, or as its share of all that are shown.
function Bars({ result, calc, pie }: { result: QueryResult; calc: number; pie: boolean }) {
  const colors = colorsOf(result, useTheme(), token('accent-line'));
  const column = calcsOf(result)[calc]!;
  const shown = result.groups.slice(0, 50);
  const sizes = shown.map((g) => Math.abs(g.values[calc] ?? 0));
  const all = sizes.reduce((a, b) => a + b, 0);
  const most = pie ? all || 1 : Math.max(...sizes, 1e-300);
  let begun = 0;
  return (
    <figure class="board-chart"><figcaption><span class="mono">{column.key}</span></figcaption>
      {pie && (
        <svg class="pie" viewBox="0 0 40 40" role="img" aria-label={`Shares of ${column.key}`}>
          {shown.map((g, i) => {
            const share = (100 * sizes[i]!) / most;
            begun += share;
            return share > 0 && <circle key={groupId(g.key)} cx="20" cy="20" r="10" fill="none" stroke={colors[i]} stroke-width="20" pathLength={100} stroke-dasharray={`${share} ${100 - share}`} stroke-dashoffset={25 + share - begun}><title>{groupName(g.key)} {percent(share / 100)}</title></circle>;
          })}
        </svg>
      )}
      <ul class="value-bars">
        {shown.map((g, i) => (
          <li key={groupId(g.key)}><span class="clip" title={groupName(g.key)}>{groupName(g.key)}</span><span class="value-bar"><i style={{ width: `${(100 * sizes[i]!) / most}%`, background: colors[i] }} /></span><b class="num">{pie && `${percent(sizes[i]! / most)} · `}{calcValue(g.values[calc], column.op, column.field)}</b></li>
        ))}
      </ul>
    </figure>
  );
}

function Groups({ result, name }: { result: QueryResult; name: string }) {
  const by = result.columns.filter((c) => c.kind === 'group');
  const shown = calcsOf(result).map((c, i) => ({ c, i })).filter(({ c }) => c.op !== 'HEATMAP');
  return (
    <div class="table-wrap" role="region" aria-label={`Table of ${name}`} tabIndex={0}>
      <table class="table">
        <thead><tr>{by.map((c) => <th>{c.key}</th>)}{shown.map(({ c }) => <th class="right">{c.key}</th>)}</tr></thead>
        <tbody>
          {result.groups.map((g) => (
            <tr key={groupId(g.key)}>{g.key.map((v, k) => <td><ValueCell field={by[k]!.key} value={v} /></td>)}{shown.map(({ c, i }) => <td class="num right">{calcValue(g.values[i], c.op, c.field)}</td>)}</tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
