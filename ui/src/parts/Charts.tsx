// SPDX-License-Identifier: Apache-2.0
// One chart for each calculation of a result, on a shared time axis.

import { useMemo, useRef } from 'preact/hooks';
import type { CursorBus } from '../lib/cursor';
import { isAny, rangeFilters, showTraces } from '../lib/example';
import { addFilters } from '../lib/actions';
import { showDifferent, showTime } from '../lib/different';
import { patch, useRoute } from '../lib/route';
import { setAbsolute } from '../lib/time';
import { calcValue, clock, unitOf, withUnit } from '../lib/format';
import { askMarker, type Marker } from '../lib/markers';
import { filterFor } from '../lib/query';
import { groupColors, type Theme } from '../lib/color';
import { MAX_SERIES, earlierOf, groupId, groupName, seriesOf, settled, type Series } from '../lib/series';
import { token, useTheme } from '../lib/theme';
import { seriesJson, seriesRows } from '../lib/table';
import type { Column, Filter, QueryResult, QuerySpec } from '../lib/types';
import { openMenuAt, type MenuItem } from './Menu';
import { useExample } from './Example';
import { HeatLegend, Heatmap, type Region } from './Heatmap';
import { LineChart, type ChartKind, type Look } from './LineChart';
import { SaveAs } from './SaveAs';
import { heatOf } from './heatdraw';

// `of`: the question, where it is not the address's: a panel of a board. Its answer stands elsewhere, so what
// changes the question at hand is not offered.
interface Shown { result: QueryResult; calc: number; column: Column; bus: CursorBus; isolated: string | null; height?: number | undefined; of?: QuerySpec | undefined; markers?: Marker[]; kind?: ChartKind; look?: Look | undefined; also?: number[] }
interface Props { result: QueryResult; bus: CursorBus; isolated: string | null; markers?: Marker[] }

export const calcsOf = (result: QueryResult) => result.columns.filter((c) => c.kind !== 'group');

export function Charts({ result, bus, isolated, markers }: Props) {
  const rest = { result, bus, isolated, ...(markers && { markers }) };
  return (
    <div class="charts">
      {calcsOf(result).map((c, i) => (c.op === 'HEATMAP' ? <HeatPanel key={c.key} {...rest} calc={i} column={c} /> : <LinePanel key={c.key} {...rest} calc={i} column={c} />))}
    </div>
  );
}

const saved = (result: QueryResult, calc: number, column: Column, figure: { current: Element | null }) =>
  ({ name: column.key, rows: () => seriesRows(result, calc), json: () => seriesJson(result, calc), picture: () => figure.current });

// `also`: calculations that are drawn in the same graph.
export function LinePanel({ result, calc, column, bus, isolated, height, of, markers = [], kind, look, also }: Shown) {
  const theme = useTheme();
  const figure = useRef<HTMLElement>(null);
  const lines = (i: number, op: string | undefined) => seriesOf(result, i, theme, token('accent-line'), look?.join).map((s) => ({ ...s, data: settled(result, s.data, op) }));
  const series = useMemo(() => (also ? overlaid(result, [calc, ...also], lines, theme) : lines(calc, column.op)), [result, calc, theme, look?.join, also?.join()]);
  const drawn = useMemo(() => (kind === 'stacked' || also ? series : [...earlierOf(result, calc, series), ...series]), [result, series, kind]);
  const columns = [column, ...(also ?? []).map((i) => calcsOf(result)[i]!)];
  const title = columns.map((c) => c.key).join(', ');
  const unit = columns.every((c) => unitOf(c.field) === unitOf(column.field)) ? unitOf(column.field) : '';
  const counts = column.op === 'COUNT' || column.op === 'COUNT_DISTINCT' || column.op === 'CONCURRENCY';
  const more = result.groups.length - Math.min(MAX_SERIES, result.groups.length);
  const { params, view } = useRoute();
  const any = of ? of.filter_combination === 'OR' : isAny(params);
  const onQuery = view === 'query';
  const example = useExample(column.field ? [{ column: column.field, op: 'exists' }] : [], of);
  const by = result.columns.filter((c) => c.kind === 'group').map((c) => c.key);
  const pick = (ms: number, id: string | null, x: number, y: number, back: HTMLElement) => {
    const one = series.find((s) => s.id === id);
    const filters = one ? by.map((b, i) => filterFor(b, one.key[i], true)) : [];
    const where = { from: ms, to: ms + result.granularity_ms, filters };
    const items: MenuItem[] = [{ label: 'An example trace', run: () => example.look(where) }];
    if (!any) items.push({ label: 'All traces of this step', run: () => showTraces(where, [], of) });
    items.push({ label: 'Zoom to around this step', run: () => setAbsolute((ms - 5 * result.granularity_ms) / 1e3, (ms + 6 * result.granularity_ms) / 1e3, true) });
    if (onQuery) items.push({ label: 'What is different at this time', run: () => showTime(ms / 1e3, (ms + result.granularity_ms) / 1e3) });
    if (one && by.length && !of) {
      items.push({ label: isolated === one.id ? 'Show all series' : 'Show only this series', run: () => patch({ iso: isolated === one.id ? null : one.id }, { replace: true }) });
      items.push({ label: `What is different about ${one.name}`, run: () => showDifferent(filters) });
    }
    if (one && by.length) items.push({ label: `Only ${one.name}`, run: () => addFilters(filters) });
    items.push({ label: 'Put a marker here', run: () => askMarker(ms) });
    openMenuAt(x, y, `${one && by.length ? `${one.name}, ` : ''}${clock(ms)}`, items, back);
  };
  return (
    <figure class={of ? 'board-chart' : 'panel chart-panel'} ref={figure}>
      <figcaption>
        <span class="mono">{title}</span>
        {isolated && <span class="muted clip">{series.find((s) => s.id === isolated)?.name}</span>}
        {result.compare && <span class="muted">dashed: {clock(result.start_ms - result.compare.offset_ms)} – {clock(result.end_ms - result.compare.offset_ms)}</span>}
        {example.note}
        {more > 0 && <span class="muted">first {MAX_SERIES} of {result.groups.length} groups drawn</span>}
        {look?.utc && <span class="muted">UTC</span>}
        {!also && <span class="muted num end">{calcValue(result.totals.values[calc], column.op, column.field)} over all</span>}
        {!of && <SaveAs {...saved(result, calc, column, figure)} />}
      </figcaption>
      <LineChart title={title} look={look} times={result.times_ms} step={result.granularity_ms} range={[result.start_ms, result.end_ms]} series={drawn} kind={kind}
        isolated={isolated} bus={bus} text={(n) => withUnit(n, counts ? '' : unit)} onPick={pick} onSpan={onQuery ? (from, to) => showTime(from / 1e3, to / 1e3) : undefined} height={height} markers={markers} />
      {example.panel}
    </figure>
  );
}

// A line for each group and calculation; a group's lines are known by it.
function overlaid(result: QueryResult, calcs: number[], lines: (i: number, op: string | undefined) => Series[], theme: Theme): Series[] {
  const columns = calcsOf(result);
  const all = calcs.flatMap((i) => lines(i, columns[i]!.op).map((s) => ({ ...s, of: s.id, id: `${s.id} ${i}`, name: s.key.length ? `${columns[i]!.key} ${s.name}` : columns[i]!.key })));
  const colors = groupColors(all.map((s) => s.id), theme);
  return all.map((s, i) => ({ ...s, color: colors[i]! }));
}

export function HeatPanel({ result, calc, column, bus, isolated, extra = [], height, title, of, markers = [], look }: Shown & { extra?: Filter[]; title?: string }) {
  const { params, view } = useRoute();
  const figure = useRef<HTMLElement>(null);
  const any = of ? of.filter_combination === 'OR' : isAny(params);
  const onQuery = view === 'query'; // where the answer has its place
  const example = useExample(extra, of);
  const group = isolated ? result.groups.find((g) => groupId(g.key) === isolated) : undefined;
  const buckets = (group ?? result.totals).series?.[calc] ?? [];
  const edges = result.heatmaps[column.key]?.edges ?? [];
  const max = useMemo(() => heatOf(buckets, edges).max, [buckets, edges]);
  const by = result.columns.filter((c) => c.kind === 'group').map((c) => c.key);
  const field = column.field ?? 'duration_ms';
  const filters = (r: Region) => [...rangeFilters(field, r.low, r.high), ...(group ? by.map((b, i) => filterFor(b, group.key[i], true)) : [])];
  return (
    <figure class={of ? 'board-chart' : 'panel chart-panel'} ref={figure}>
      <figcaption>
        <span class={title ? '' : 'mono'}>{title ?? column.key}</span>
        {group && <span class="muted clip">{groupName(group.key)}</span>}
        {example.note}
        <span class="end">{max > 0 && <HeatLegend max={max} />}</span>
        {!of && <SaveAs {...saved(result, calc, column, figure)} />}
      </figcaption>
      {max > 0
        ? <Heatmap title={column.key} look={look} field={field} times={result.times_ms} step={result.granularity_ms} range={[result.start_ms, result.end_ms]} buckets={buckets} markers={markers}
            edges={edges} bus={bus} height={height} onDifferent={onQuery ? (r) => showDifferent([...filters(r), ...extra], r) : undefined} onExample={(r) => example.look({ from: r.from, to: r.to, filters: filters(r) })} onTraces={any ? undefined : (r) => showTraces({ from: r.from, to: r.to, filters: filters(r) }, extra, of)} />
        : <p class="muted pad">No numbers of {field} here.</p>}
      {example.panel}
    </figure>
  );
}
