// SPDX-License-Identifier: Apache-2.0
//
// Lines over time by uPlot. Drag zooms, with Shift it chooses a time (onSpan), double click goes back, the crosshair is shared through the
// bus; the read-out names the series nearest to the pointer first.

import uPlot from 'uplot';
import { useEffect, useRef, useState } from 'preact/hooks';
import { timeLabel, timeTicks, toUtc } from '../lib/axis';
import { dateTime } from '../lib/format';
import { useTheme, token } from '../lib/theme';
import { setAbsolute, zoomOut } from '../lib/time';
import { useSize } from '../lib/use';
import { markerColor, markerText, type Marker } from '../lib/markers';
import type { CursorBus } from '../lib/cursor';
import type { Series } from '../lib/series';

export type ChartKind = 'line' | 'stacked' | 'bars';
// As Honeycomb's graph settings: a logarithmic scale, lines joined over missing values, times in UTC, no read-out.
export interface Look { log?: boolean | undefined; join?: boolean | undefined; utc?: boolean | undefined; quiet?: boolean | undefined }

interface Props {
  title: string;
  times: number[];
  step: number;
  range: [number, number];
  series: Series[];
  isolated: string | null;
  bus: CursorBus;
  height?: number | undefined;
  kind?: ChartKind | undefined;
  look?: Look | undefined;
  markers?: Marker[];
  text: (n: number) => string;
  onSpan?: ((from: number, to: number) => void) | undefined;
  onPick?: (ms: number, id: string | null, x: number, y: number, back: HTMLElement) => void;
}

interface Hover { x: number; ms: number; id: string | null; rows: { name: string; color: string; text: string; near: boolean }[]; more: number; marks: Marker[] }

const READ_OUT = 8;

// A point stands alone when neither neighbour has a number; lines cannot show it.
function lonely(data: (number | null)[]): number[] {
  const out: number[] = [];
  data.forEach((v, i) => v !== null && (data[i - 1] ?? null) === null && (data[i + 1] ?? null) === null && out.push(i));
  return out;
}

export function LineChart(p: Props) {
  const theme = useTheme();
  const [box, width] = useSize<HTMLDivElement>();
  const plot = useRef<uPlot | null>(null);
  const self = useRef({});
  const latest = useRef(p);
  const shifted = useRef(false);
  latest.current = p;
  const [hover, setHover] = useState<Hover | null>(null);
  const height = p.height ?? 180;
  const names = p.series.map((s) => s.id + s.color).join('\n');

  useEffect(() => {
    if (!width || !box.current) return;
    const u = new uPlot(options(width, height, latest, self.current, setHover, shifted), dataOf(p), box.current);
    plot.current = u;
    const off = p.bus.on((ms, source) => {
      if (source === self.current) return;
      const left = ms === null ? -10 : u.valToPos(ms, 'x');
      u.setCursor({ left, top: -10 }, false);
    });
    return () => {
      off();
      u.destroy();
      plot.current = null;
    };
  }, [theme, names, height, width > 0, p.isolated, p.kind, JSON.stringify(p.look)]);
  useEffect(() => {
    if (width && plot.current) plot.current.setSize({ width, height });
  }, [width, height]);
  useEffect(() => {
    const u = plot.current;
    if (!u) return;
    u.batch(() => {
      u.setData(dataOf(p), false);
      u.setScale('x', { min: p.range[0], max: p.range[1] });
    });
  }, [p.times, p.series, p.range[0], p.range[1], p.markers]);

  const down = useRef<[number, number] | null>(null);
  const pick = (e: MouseEvent) => {
    const moved = !down.current || Math.hypot(e.clientX - down.current[0], e.clientY - down.current[1]) > 4;
    if (p.onPick && hover && !moved && e.detail === 1 && e.button === 0) p.onPick(hover.ms, hover.id, e.clientX, e.clientY, e.currentTarget as HTMLElement);
  };
  // By key: walk the steps, open the menu of the step.
  const onKey = (e: KeyboardEvent) => {
    const u = plot.current;
    if (!u || !p.times.length) return;
    const by = { ArrowLeft: -1, ArrowRight: 1 }[e.key];
    if (by) {
      e.preventDefault();
      const now = hover ? p.times.indexOf(hover.ms) : p.times.length;
      const i = Math.max(0, Math.min(p.times.length - 1, now + by));
      const first = p.series.find((s) => (!p.isolated || s.id === p.isolated) && s.data[i] !== null);
      u.setCursor({ left: u.valToPos(p.times[i]!, 'x'), top: first ? u.valToPos(first.data[i]!, 'y') : 0 });
    } else if (e.key === 'Enter' && hover && p.onPick) {
      e.preventDefault();
      const r = box.current!.getBoundingClientRect();
      p.onPick(hover.ms, hover.id, r.left + hover.x, r.top + 40, e.currentTarget as HTMLElement);
    } else if (e.key === 'Escape' && hover) u.setCursor({ left: -10, top: -10 });
  };
  const summary = `${p.title}: ${p.series.length} series. Left and right walk the steps${p.onPick ? ', Enter opens what can be done' : ''}.`;
  return (
    <div class="chart" role="application" aria-roledescription="chart" aria-label={summary} tabIndex={0} onDblClick={zoomOut} onMouseLeave={() => setHover(null)}
      onPointerDown={(e) => { down.current = [e.clientX, e.clientY]; shifted.current = e.shiftKey; }} onClick={pick} onKeyDown={onKey} onBlur={() => setHover(null)}>
      <div class="chart-box" ref={box} style={{ height: `${height}px` }} />
      {!p.look?.quiet && hover && hover.rows.length + hover.marks.length > 0 && (
        <div class="readout" aria-live="polite" style={hover.x < width / 2 ? { left: `${hover.x + 16}px` } : { right: `${width - hover.x + 16}px` }}>
          <div class="num muted">{dateTime(toUtc(hover.ms, p.look?.utc))}{p.look?.utc && ' UTC'}</div>
          {hover.rows.map((r) => (
            <div class={`readout-row${r.near ? ' near' : ''}`}><i style={{ background: r.color }} /><span class="clip">{r.name}</span><b class="num">{r.text}</b></div>
          ))}
          {hover.more > 0 && <div class="muted">and {hover.more} more</div>}
          {hover.marks.map((m) => <div class="readout-row"><i style={{ background: markerColor(m) }} /><span>{markerText(m)}</span></div>)}
        </div>
      )}
    </div>
  );
}

// Stacked, a line is the sum of those up to it; the first stands on top, as in the table.
function dataOf(p: Props): uPlot.AlignedData {
  if (p.kind !== 'stacked') return [p.times, ...p.series.map((s) => s.data)] as uPlot.AlignedData;
  const sums = p.times.map(() => 0);
  const lines = [...p.series].reverse().map((s) => s.data.map((v, i) => (v === null && sums[i] === 0 ? null : (sums[i] = sums[i]! + (v ?? 0)))));
  return [p.times, ...lines.reverse()] as uPlot.AlignedData;
}

function nearest(u: uPlot, p: Props): Hover | null {
  const idx = u.cursor.idx;
  const left = u.cursor.left ?? -1;
  if (idx === null || idx === undefined || left < 0) return null;
  const y = u.posToVal(u.cursor.top ?? 0, 'y');
  const shown = p.series.filter((s) => !p.isolated || (s.of ?? s.id) === p.isolated);
  const rows = shown.map((s) => ({ s, v: s.data[idx] ?? null })).filter((r) => r.v !== null) as { s: Series; v: number }[];
  let best: Series | null = null;
  let gap = Infinity;
  for (const r of rows) {
    const stands = p.kind === 'stacked' ? (u.data[p.series.indexOf(r.s) + 1]?.[idx] ?? r.v) : r.v;
    if (Math.abs(stands - y) < gap) {
      gap = Math.abs(stands - y);
      best = r.s;
    }
  }
  rows.sort((a, b) => Number(b.s === best) - Number(a.s === best) || b.v - a.v);
  return {
    x: left + u.bbox.left / devicePixelRatio, ms: p.times[idx]!, id: best?.id ?? null, more: Math.max(0, rows.length - READ_OUT), marks: nearMarkers(u, p, left),
    rows: rows.slice(0, READ_OUT).map((r) => ({ name: r.s.name, color: r.s.color, text: p.text(r.v), near: r.s === best && rows.length > 1 })),
  };
}

const NEAR = 5;

// Markers under the pointer, or in the step that the keys have reached.
function nearMarkers(u: uPlot, p: Props, left: number): Marker[] {
  const at = (ms: number) => u.valToPos(ms, 'x');
  return (p.markers ?? []).filter((m) => at(m.start_time * 1e3) <= left + NEAR && at((m.end_time ?? m.start_time) * 1e3) >= left - NEAR).slice(0, READ_OUT);
}

function drawMarkers(u: uPlot, p: Props) {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const m of p.markers ?? []) {
    const [x, end] = [u.valToPos(m.start_time * 1e3, 'x', true), u.valToPos((m.end_time ?? m.start_time) * 1e3, 'x', true)];
    if (end < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.fillStyle = ctx.strokeStyle = m.color || token('link');
    ctx.globalAlpha = 0.14;
    if (end > x) ctx.fillRect(x, bbox.top, end - x, bbox.height);
    ctx.globalAlpha = 1;
    ctx.lineWidth = 1.5 * devicePixelRatio;
    ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.setLineDash([]);
    ctx.fillRect(x - 3 * devicePixelRatio, bbox.top, 6 * devicePixelRatio, 5 * devicePixelRatio);
  }
  ctx.restore();
}

// A label at the very edge would be cut off.
function edgeLabel(u: uPlot, t: number, utc: boolean | undefined): string {
  const { min, max } = u.scales.x!;
  const width = plotWidth(u);
  return u.valToPos(t, 'x') > width - 16 ? '' : timeLabel(t, min ?? 0, max ?? 0, width, utc);
}

const plotWidth = (u: uPlot) => u.bbox.width / devicePixelRatio;

// The first and last step may be cut by the range: their numbers are true but cover less time.
function shadePartial(u: uPlot, p: Props) {
  const last = p.times[p.times.length - 1];
  if (last === undefined) return;
  u.ctx.fillStyle = token('raised');
  const band = (a: number, b: number) => {
    const x0 = Math.max(u.bbox.left, u.valToPos(a, 'x', true));
    const x1 = Math.min(u.bbox.left + u.bbox.width, u.valToPos(b, 'x', true));
    if (x1 > x0) u.ctx.fillRect(x0, u.bbox.top, x1 - x0, u.bbox.height);
  };
  if (p.times[0]! < p.range[0]) band(p.range[0], Math.min(p.times[0]! + p.step, p.range[1]));
  if (last + p.step > p.range[1]) band(Math.max(last, p.range[0]), p.range[1]);
}

function options(width: number, height: number, latest: { current: Props }, self: object, hover: (h: Hover | null) => void, shifted: { current: boolean }): uPlot.Options {
  const p = latest.current;
  const font = `11px ${token('font')}`;
  const axis = { stroke: token('muted'), font, grid: { stroke: token('grid'), width: 1 }, ticks: { show: false } };
  const [from, to] = p.range;
  const { log, join, utc } = p.look ?? {};
  return {
    width, height, ms: 1, legend: { show: false }, padding: [10, 8, 0, 0],
    scales: {
      x: { time: true, range: (_u, a, b) => [a ?? from, b ?? to] },
      y: log ? { distr: 3, range: (_u, a, b) => (b > 0 ? uPlot.rangeLog(a > 0 ? a : b, b, 10, true) : [1, 10]) } : { range: (_u, a, b) => [Math.min(0, a ?? 0), b === null || b === undefined || b <= 0 ? 1 : b * 1.08] },
    },
    axes: [
      { ...axis, size: 24, gap: 4, splits: (u, _i, min, max) => timeTicks(min, max, plotWidth(u), utc), values: (u, ticks) => ticks.map((t) => edgeLabel(u, t, utc)) },
      { ...axis, size: 62, gap: 6, values: (_u, ticks) => (ticks as (number | null)[]).map((t) => (t === null ? '' : latest.current.text(t))) },
    ],
    cursor: { drag: { x: true, y: false, setScale: false }, points: { size: 6 }, y: false },
    series: [{}, ...p.series.map((s): uPlot.Series => {
      const dim = p.isolated !== null && p.isolated !== (s.of ?? s.id);
      if (p.kind === 'bars') return { stroke: s.color, fill: s.color, width: 0, alpha: dim ? 0.18 : 0.85, paths: uPlot.paths.bars!({ size: [0.9, 60], align: 1 }), points: { show: false } };
      return {
        ...(p.kind === 'stacked' ? { fill: `color-mix(in srgb, ${s.color} 45%, ${token('panel')})` } : {}),
        stroke: s.color, width: dim ? 0.75 : p.isolated === s.id ? 2 : 1.5, alpha: dim ? 0.18 : s.dash ? 0.75 : 1, spanGaps: join === true, ...(s.dash ? { dash: [5, 4] } : {}),
        points: { show: (_u, i) => lonely(latest.current.series[i - 1]?.data ?? []).length > 0, size: 4, fill: s.color, filter: (_u, i) => lonely(latest.current.series[i - 1]?.data ?? []) },
      };
    })],
    hooks: {
      drawClear: [(u) => shadePartial(u, latest.current)],
      draw: [(u) => drawMarkers(u, latest.current)],
      setCursor: [(u) => {
        const left = u.cursor.left ?? -1;
        latest.current.bus.set(left < 0 ? null : u.posToVal(left, 'x'), self);
        hover(left < 0 ? null : nearest(u, latest.current));
      }],
      setSelect: [(u) => {
        if (u.select.width < 4) return;
        const a = u.posToVal(u.select.left, 'x');
        const b = u.posToVal(u.select.left + u.select.width, 'x');
        u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        if (shifted.current && latest.current.onSpan) latest.current.onSpan(a, b);
        else setAbsolute(a / 1e3, b / 1e3, true);
      }],
    },
  };
}
