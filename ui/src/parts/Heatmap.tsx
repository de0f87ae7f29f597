// SPDX-License-Identifier: Apache-2.0
//
// A distribution over time. Click a cell: an example trace. Drag: zoom, or the traces of that region.
// Arrow keys walk the cells, Enter does what a click does, Shift+Enter opens the menu: traces, what is
// different there, zoom.

import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { timeLabel, timeTicks, toUtc } from '../lib/axis';
import { clock, count, dateTime, unitOf, withUnit } from '../lib/format';
import { ramp } from '../lib/color';
import { useTheme } from '../lib/theme';
import { askMarker, markerColor, markerText, type Marker } from '../lib/markers';
import { setAbsolute, zoomOut } from '../lib/time';
import { useSize } from '../lib/use';
import { openMenuAt, type MenuItem } from './Menu';
import { Geometry, drawCells, heatOf, ticks } from './heatdraw';
import type { Bucket } from '../lib/types';
import type { CursorBus } from '../lib/cursor';
import type { Look } from './LineChart';

export interface Region { from: number; to: number; low: number; high: number }

interface Props {
  title: string;
  field: string;
  times: number[];
  step: number;
  range: [number, number];
  buckets: Bucket[];
  edges: number[];
  bus: CursorBus;
  height?: number | undefined;
  look?: Look | undefined;
  markers?: Marker[];
  onExample: (r: Region) => void;
  onTraces?: ((r: Region) => void) | undefined;
  onDifferent?: ((r: Region) => void) | undefined;
}

interface Point { bucket: number; bin: number }
interface Box { x0: number; y0: number; x1: number; y1: number }

const DRAG = 5;

export function Heatmap(p: Props) {
  const theme = useTheme();
  const [box, width] = useSize<HTMLDivElement>();
  const canvas = useRef<HTMLCanvasElement>(null);
  const self = useRef({});
  const height = p.height ?? 220;
  const [hover, setHover] = useState<Point | null>(null);
  const [drag, setDrag] = useState<Box | null>(null);
  const [line, setLine] = useState<number | null>(null);

  const heat = useMemo(() => heatOf(p.buckets, p.edges), [p.buckets, p.edges]);
  const g = useMemo(
    () => new Geometry({ width, height, left: 62, right: 8, top: 10, bottom: 24 }, heat, p.edges, p.times, p.step, p.range),
    [width, height, heat, p.edges, p.times, p.step, p.range[0], p.range[1]],
  );
  useEffect(() => {
    if (canvas.current && width) drawCells(canvas.current, g, theme);
  }, [g, theme, width]);
  useEffect(() => p.bus.on((ms, source) => source !== self.current && setLine(ms)), [p.bus]);

  const unit = unitOf(p.field);
  const text = (v: number) => withUnit(v, unit);
  const at = (e: MouseEvent): [number, number] => {
    const r = box.current!.getBoundingClientRect();
    return [e.clientX - r.left, e.clientY - r.top];
  };
  const regionOf = (a: Point, b: Point): Region => ({
    from: p.times[Math.min(a.bucket, b.bucket)]!, to: p.times[Math.max(a.bucket, b.bucket)]! + p.step,
    low: p.edges[Math.min(a.bin, b.bin)]!, high: p.edges[Math.max(a.bin, b.bin) + 1]!,
  });
  const clampPoint = (x: number, y: number): Point => ({
    bucket: Math.max(0, Math.min(p.times.length - 1, g.bucket(x))),
    bin: Math.max(heat.low, Math.min(heat.high, g.bin(y))),
  });
  const menu = (region: Region, x: number, y: number) => {
    const title = `${text(region.low)} – ${text(region.high)}, ${clock(region.from)} – ${clock(region.to)}`;
    const items: MenuItem[] = [
      { label: 'An example trace', run: () => p.onExample(region) },
      ...(p.onTraces ? [{ label: 'All traces like this', run: () => p.onTraces!(region) }] : []),
      ...(p.onDifferent ? [{ label: 'What is different here', run: () => p.onDifferent!(region) }] : []),
      { label: 'Zoom to this time', run: () => setAbsolute(region.from / 1e3, region.to / 1e3, true) },
      { label: 'Put a marker here', run: () => askMarker(region.from, region.to - region.from > p.step ? region.to : undefined) },
    ];
    openMenuAt(x, y, title, items, box.current);
  };

  const onDown = (e: PointerEvent) => {
    const [x, y] = at(e);
    if (e.button !== 0 || !g.inside(x, y)) return;
    box.current!.setPointerCapture(e.pointerId);
    setDrag({ x0: x, y0: y, x1: x, y1: y });
  };
  const onMove = (e: PointerEvent) => {
    const [x, y] = at(e);
    if (drag) setDrag({ ...drag, x1: x, y1: y });
    const inside = g.inside(x, y);
    p.bus.set(inside ? g.ms(x) : null, self.current);
    setLine(null);
    setHover(inside ? { bucket: g.bucket(x), bin: g.bin(y) } : null);
  };
  const onUp = (e: PointerEvent) => {
    if (!drag) return;
    const moved = Math.abs(drag.x1 - drag.x0) > DRAG || Math.abs(drag.y1 - drag.y0) > DRAG;
    setDrag(null);
    const a = clampPoint(drag.x0, drag.y0);
    if (moved) menu(regionOf(a, clampPoint(drag.x1, drag.y1)), e.clientX, e.clientY);
    else if (heat.at.get(a.bucket * heat.bins + a.bin)) p.onExample(regionOf(a, a));
  };
  const leave = () => {
    setHover(null);
    p.bus.set(null, self.current);
  };

  const onKey = (e: KeyboardEvent) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[e.key];
    if (step && heat.cells.length) {
      e.preventDefault();
      const from = hover ?? heat.cells[heat.cells.length - 1]!;
      const moved = hover ? clampTo(from.bucket + step[0]!, from.bin + step[1]!) : { bucket: from.bucket, bin: from.bin };
      setHover(moved);
      p.bus.set(p.times[moved.bucket]! + p.step / 2, self.current);
    } else if (e.key === 'Enter' && hover) {
      e.preventDefault();
      const region = regionOf(hover, hover);
      const r = box.current!.getBoundingClientRect();
      if (e.shiftKey) menu(region, r.left + g.x(region.from), r.top + g.yOfBin(hover.bin));
      else if (heat.at.get(hover.bucket * heat.bins + hover.bin)) p.onExample(region);
    } else if (e.key === 'Escape' && (drag || hover)) {
      setDrag(null);
      leave();
    }
  };
  const clampTo = (bucket: number, bin: number): Point => ({
    bucket: Math.max(0, Math.min(p.times.length - 1, bucket)), bin: Math.max(heat.low, Math.min(heat.high, bin)),
  });

  const n = hover ? heat.at.get(hover.bucket * heat.bins + hover.bin) ?? 0 : 0;
  const x = hover ? g.x((p.times[hover.bucket] ?? 0) + p.step / 2) : 0;
  const yTicks = ticks(g, Math.max(2, Math.floor(g.h / 26)));
  return (
    <div class="heat" ref={box} style={{ height: `${height}px` }} tabIndex={0} role="application" aria-roledescription="heatmap"
      aria-label={`${p.title}: ${count(heat.cells.length)} cells. Arrow keys walk the cells, Enter opens an example trace.`}
      onPointerDown={onDown} onPointerMove={onMove} onPointerUp={onUp} onPointerLeave={leave} onKeyDown={onKey} onBlur={leave} onDblClick={zoomOut}>
      <canvas ref={canvas} style={{ width: `${width}px`, height: `${height}px` }} aria-hidden="true" />
      <div class="heat-axis" aria-hidden="true">
        {yTicks.map((v) => {
          const y = g.y(v);
          return y !== null && <span class="num" style={{ top: `${y}px` }}>{text(v)}</span>;
        })}
        <TimeTicks g={g} utc={p.look?.utc} />
      </div>
      {(p.markers ?? []).filter((m) => m.start_time * 1e3 < p.range[1] && (m.end_time ?? m.start_time) * 1e3 >= p.range[0]).map((m) => {
        const x0 = Math.max(g.f.left, g.x(m.start_time * 1e3));
        const wide = m.end_time ? Math.min(g.f.left + g.w, g.x(m.end_time * 1e3)) - x0 : 0;
        return <div key={m.id} class="heat-mark" style={{ left: `${x0}px`, width: `${wide}px`, top: `${g.f.top}px`, height: `${g.h}px`, '--mark': markerColor(m) }} />;
      })}
      {(line !== null || hover) && <div class="heat-line" style={{ left: `${hover ? x : g.x(line!)}px`, top: `${g.f.top}px`, height: `${g.h}px` }} />}
      {hover && <div class="heat-cell" style={cellStyle(g, hover)} />}
      {drag && <div class="heat-drag" style={{ left: `${Math.min(drag.x0, drag.x1)}px`, top: `${Math.min(drag.y0, drag.y1)}px`, width: `${Math.abs(drag.x1 - drag.x0)}px`, height: `${Math.abs(drag.y1 - drag.y0)}px` }} />}
      {hover && !drag && !p.look?.quiet && (
        <div class="readout" aria-live="polite" style={x < width / 2 ? { left: `${x + 16}px` } : { right: `${width - x + 16}px` }}>
          <div class="num muted">{dateTime(toUtc(p.times[hover.bucket] ?? 0, p.look?.utc))}{p.look?.utc && ' UTC'}</div>
          <div class="num">{text(p.edges[hover.bin] ?? 0)} – {text(p.edges[hover.bin + 1] ?? 0)}</div>
          <div class="readout-row near"><span>{n ? 'rows' : 'nothing here'}</span>{n > 0 && <b class="num">{count(n)}</b>}</div>
          {(p.markers ?? []).filter((m) => Math.abs(g.x(m.start_time * 1e3) - x) < Math.max(5, (g.x(p.range[0] + p.step) - g.f.left) / 2)).slice(0, 8).map((m) => <div class="readout-row"><i style={{ background: markerColor(m) }} /><span>{markerText(m)}</span></div>)}
          {n > 0 && <div class="muted">click: example trace · drag: region</div>}
        </div>
      )}
    </div>
  );
}

function cellStyle(g: Geometry, c: Point) {
  const t = g.times[c.bucket] ?? 0;
  const x0 = Math.max(g.f.left, g.x(t));
  const x1 = Math.min(g.f.left + g.w, g.x(t + g.step));
  return { left: `${x0}px`, width: `${Math.max(1, x1 - x0)}px`, top: `${g.yOfBin(c.bin + 1)}px`, height: `${g.yOfBin(c.bin) - g.yOfBin(c.bin + 1)}px` };
}

function TimeTicks({ g, utc }: { g: Geometry; utc: boolean | undefined }) {
  const [from, to] = g.range;
  return <>{timeTicks(from, to, g.w, utc).filter((t) => g.x(t) < g.f.left + g.w - 18).map((t) => <span class="num x" style={{ left: `${g.x(t)}px` }}>{timeLabel(t, from, to, g.w, utc)}</span>)}</>;
}

export function HeatLegend({ max }: { max: number }) {
  const theme = useTheme();
  return (
    <span class="heat-legend muted num" aria-label={`Colours from 1 to ${max} rows`}>
      1<span class="ramp">{ramp(theme).filter((_, i) => i % 4 === 0).map((c) => <i style={{ background: c }} />)}</span>{count(max)} rows
    </span>
  );
}
