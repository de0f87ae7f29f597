// SPDX-License-Identifier: Apache-2.0
// How long traces take: a histogram of those found, on a logarithmic axis. A range of it (`rt`, in ms)
// narrows the list: drag, click a bar, or arrows with Shift and Enter.

import { useMemo, useRef, useState } from 'preact/hooks';
import { count, duration, percent } from '../lib/format';
import { patch } from '../lib/route';
import { useSize } from '../lib/use';
import { SaveAs } from './SaveAs';

const HEIGHT = 96;
const FOOT = 18;
const BAR_PX = 14;
const MOST_BARS = 60;

export interface Range { min: number; max: number }

// "5..20" -> {min: 5, max: 20}
export function readRange(text: string | null): Range | null {
  const m = /^(\d+(?:\.\d+)?)\.\.(\d+(?:\.\d+)?)$/.exec(text ?? '');
  const r = m && { min: Number(m[1]), max: Number(m[2]) };
  return r && r.min < r.max ? r : null;
}

const fixed = (n: number) => String(Number(n.toPrecision(6)));
const setRange = (r: Range | null) => patch({ rt: r && `${fixed(r.min)}..${fixed(r.max)}` }, { replace: true });

// Edges of n bins of equal ratio that hold all values, the last one above the greatest.
export function binEdges(sorted: number[], n: number): number[] {
  const low = Math.max(sorted[0]!, 0.001);
  const high = Math.max(sorted[sorted.length - 1]! * 1.001, low * 1.5);
  const step = Math.log(high / low) / n;
  const edges = Array.from({ length: n + 1 }, (_, i) => Number((low * Math.exp(i * step)).toPrecision(6)));
  edges[0] = Math.min(sorted[0]!, edges[0]!);
  return edges;
}

export function fill(sorted: number[], edges: number[]): number[] {
  const bins = new Array<number>(edges.length - 1).fill(0);
  let b = 0;
  for (const v of sorted) {
    while (b < bins.length - 1 && v >= edges[b + 1]!) b++;
    bins[b]!++;
  }
  return bins;
}

const quantile = (sorted: number[], q: number) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]!;

export function Distribution({ values, range, note }: { values: number[]; range: Range | null; note: string }) {
  const [ref, width] = useSize<HTMLDivElement>();
  const sorted = useMemo(() => [...values].sort((a, b) => a - b), [values]);
  const n = Math.max(8, Math.min(MOST_BARS, Math.floor(width / BAR_PX)));
  const edges = useMemo(() => binEdges(sorted, n), [sorted, n]);
  const bins = useMemo(() => fill(sorted, edges), [sorted, edges]);
  // Bars from anchor to focus are being chosen.
  const [pick, setPick] = useState<{ anchor: number; focus: number } | null>(null);
  const drag = useRef(false);
  const figure = useRef<HTMLElement>(null);
  const most = Math.max(...bins, 1);
  const x = (i: number) => (i / n) * width;
  const barAt = (e: PointerEvent) => {
    const box = ref.current!.getBoundingClientRect();
    return Math.max(0, Math.min(n - 1, Math.floor(((e.clientX - box.left) / box.width) * n)));
  };
  const chosen = (p: { anchor: number; focus: number }): Range => ({ min: edges[Math.min(p.anchor, p.focus)]!, max: edges[Math.max(p.anchor, p.focus) + 1]! });
  const inside = (i: number) => (pick ? i >= Math.min(pick.anchor, pick.focus) && i <= Math.max(pick.anchor, pick.focus) : !range || (edges[i]! < range.max && edges[i + 1]! > range.min));
  const onKey = (e: KeyboardEvent) => {
    const by = e.key === 'ArrowRight' ? 1 : e.key === 'ArrowLeft' ? -1 : 0;
    if (by || e.key === 'Home' || e.key === 'End') {
      e.preventDefault();
      const from = pick?.focus ?? (by < 0 || e.key === 'End' ? n : -1);
      const focus = e.key === 'Home' ? 0 : e.key === 'End' ? n - 1 : Math.max(0, Math.min(n - 1, from + by));
      setPick({ anchor: e.shiftKey && pick ? pick.anchor : focus, focus });
    } else if (e.key === 'Enter' && pick) {
      e.preventDefault();
      setRange(chosen(pick));
      setPick(null);
    } else if (e.key === 'Escape' && (pick || range)) {
      e.preventDefault();
      if (pick) setPick(null);
      else setRange(null);
    }
  };
  const now = pick ? chosen(pick) : range;
  const held = now ? sorted.filter((v) => v >= now.min && v < now.max).length : sorted.length;
  const text = now ? `${duration(now.min)} to ${duration(now.max)}: ${count(held)} traces, ${percent(held / sorted.length)}` : `${count(sorted.length)} traces`;
  return (
    <figure class="panel chart-panel distribution" ref={figure}>
      <figcaption>Response times
        <span class="muted num">{text}{note && `, ${note}`}</span>
        <span class="muted num end">p50 {duration(quantile(sorted, 0.5))} · p90 {duration(quantile(sorted, 0.9))} · p99 {duration(quantile(sorted, 0.99))}</span>
        {range && <button type="button" class="button small" onClick={() => setRange(null)}>All durations</button>}
        <SaveAs name="response times" rows={() => [['from_ms', 'to_ms', 'traces'], ...bins.map((b, i) => [edges[i], edges[i + 1], b].map(String))]} json={() => ({ durations_ms: sorted })} picture={() => figure.current} />
      </figcaption>
      <div class="distribution-bars" ref={ref} tabIndex={0} role="slider" aria-label="Range of response times" aria-valuemin={0} aria-valuemax={n - 1} aria-valuenow={pick?.focus ?? 0} aria-valuetext={text}
        onKeyDown={onKey} onBlur={() => !drag.current && setPick(null)}
        onPointerDown={(e) => { if (e.button !== 0) return; const i = barAt(e); drag.current = true; e.currentTarget.setPointerCapture(e.pointerId); setPick({ anchor: i, focus: i }); }}
        onPointerMove={(e) => drag.current && pick && setPick({ anchor: pick.anchor, focus: barAt(e) })}
        onPointerUp={() => { if (drag.current && pick) setRange(chosen(pick)); drag.current = false; setPick(null); }}
        onPointerCancel={() => { drag.current = false; setPick(null); }}>
        {width > 0 && (
          <svg width={width} height={HEIGHT} aria-hidden="true">
            {bins.map((b, i) => {
              const h = b === 0 ? 0 : Math.max(2, (b / most) * (HEIGHT - FOOT - 4));
              return <rect class={inside(i) ? 'in' : 'out'} x={x(i) + 1} width={Math.max(1, x(i + 1) - x(i) - 2)} y={HEIGHT - FOOT - h} height={h}><title>{`${duration(edges[i]!)} to ${duration(edges[i + 1]!)}: ${count(b)}`}</title></rect>;
            })}
            {pick && <rect class="pick" x={x(Math.min(pick.anchor, pick.focus))} width={x(Math.abs(pick.anchor - pick.focus) + 1)} y="0" height={HEIGHT - FOOT} />}
            {edges.map((v, i) => i % Math.ceil(n / 8) === 0 && i < n && <text x={x(i) + 1} y={HEIGHT - 4}>{duration(v)}</text>)}
          </svg>
        )}
      </div>
    </figure>
  );
}
