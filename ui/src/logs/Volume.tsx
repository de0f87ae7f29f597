// SPDX-License-Identifier: Apache-2.0
//
// How many lines when, stacked by severity, as a canvas: drag zooms, double click goes back, arrows
// walk the steps, Shift with arrows selects and Enter zooms. A band shows where the list is.

import { useEffect, useRef, useState } from 'preact/hooks';
import { timeLabel, timeTicks } from '../lib/axis';
import { count, dateTime, si } from '../lib/format';
import { token, useTheme } from '../lib/theme';
import { setAbsolute, zoomOut } from '../lib/time';
import { useSize } from '../lib/use';

export interface Stack { name: string; color: string; data: (number | null)[] } // colour: a token, or a colour
interface Props {
  title: string; times: number[]; step: number; range: [number, number]; stacks: Stack[]; height?: number;
  seen?: [number, number] | null; text?: (n: number) => string; onPick?: (from: number, to: number) => void;
}

const LEFT = 52;
const BOTTOM = 20;
const TOP = 6;

export function Volume({ title, times, step, range, stacks, height = 92, seen, text = si, onPick = (a, b) => setAbsolute(a / 1e3, b / 1e3, true) }: Props) {
  const theme = useTheme();
  const [box, width] = useSize<HTMLDivElement>();
  const canvas = useRef<HTMLCanvasElement>(null);
  const [at, setAt] = useState<number | null>(null); // step
  const [drag, setDrag] = useState<[number, number] | null>(null); // px
  const [keys, setKeys] = useState<number | null>(null); // where a selection by key began
  const plot = Math.max(1, width - LEFT - 4);
  const x = (ms: number) => LEFT + ((ms - range[0]) / (range[1] - range[0])) * plot;
  const ms = (px: number) => range[0] + (Math.max(0, Math.min(plot, px - LEFT)) / plot) * (range[1] - range[0]);
  const sums = times.map((_, i) => stacks.reduce((s, k) => s + (k.data[i] ?? 0), 0));
  const max = Math.max(1, ...sums);

  useEffect(() => {
    const c = canvas.current;
    if (!c || width === 0) return;
    const ratio = devicePixelRatio || 1;
    c.width = width * ratio;
    c.height = height * ratio;
    const g = c.getContext('2d')!;
    g.scale(ratio, ratio);
    const base = height - BOTTOM;
    const y = (n: number) => base - (n / max) * (base - TOP);
    if (seen) {
      g.fillStyle = token('select');
      const [a, b] = [x(Math.min(...seen)), x(Math.max(...seen))];
      g.fillRect(a - 1, TOP, Math.max(2, b - a + 2), base - TOP);
    }
    g.font = `11px ${token('font')}`;
    g.strokeStyle = token('grid');
    g.fillStyle = token('muted');
    g.textAlign = 'right';
    g.textBaseline = 'middle';
    for (const n of [max / 2, max]) {
      g.beginPath();
      g.moveTo(LEFT, Math.round(y(n)) + 0.5);
      g.lineTo(width, Math.round(y(n)) + 0.5);
      g.stroke();
      if (n >= 1) g.fillText(text(n), LEFT - 6, y(n) + 2);
    }
    times.forEach((t, i) => {
      const [a, b] = [Math.max(LEFT, x(t)), Math.min(LEFT + plot, x(t + step))];
      let sum = 0;
      for (const k of stacks) {
        const n = k.data[i] ?? 0;
        if (n <= 0) continue;
        g.fillStyle = /^[a-z-]+$/.test(k.color) ? token(k.color) : k.color;
        const [lo, hi] = [y(sum), y(sum + n)];
        g.fillRect(a, hi, Math.max(1, b - a - (b - a > 3 ? 1 : 0)), Math.max(sum === 0 ? 1 : 0, lo - hi));
        sum += n;
      }
    });
    g.fillStyle = token('muted');
    g.textAlign = 'center';
    for (const t of timeTicks(range[0], range[1], plot)) {
      const label = timeLabel(t, range[0], range[1], plot);
      if (x(t) > LEFT + 16 && x(t) < width - 24) g.fillText(label, x(t), height - 8);
    }
  }, [theme, width, height, times, stacks, range[0], range[1], seen?.[0], seen?.[1]]);

  const stepAt = (px: number) => {
    const t = ms(px);
    const i = times.findIndex((s) => t >= s && t < s + step);
    return i < 0 ? null : i;
  };
  const px = (e: PointerEvent) => e.clientX - box.current!.getBoundingClientRect().left;
  const onDown = (e: PointerEvent) => {
    if (e.button !== 0) return;
    (e.currentTarget as HTMLElement).setPointerCapture(e.pointerId);
    setDrag([px(e), px(e)]);
  };
  const onMove = (e: PointerEvent) => {
    setAt(stepAt(px(e)));
    if (drag) setDrag([drag[0], px(e)]);
  };
  const onUp = () => {
    if (!drag) return;
    const [a, b] = [Math.min(...drag), Math.max(...drag)];
    setDrag(null);
    if (b - a >= 4) onPick(ms(a), ms(b));
  };
  const onKey = (e: KeyboardEvent) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[e.key];
    if (by) {
      e.preventDefault();
      const next = Math.max(0, Math.min(times.length - 1, (at ?? (by < 0 ? times.length : -1)) + by));
      setKeys(e.shiftKey ? keys ?? at ?? next : null);
      setAt(next);
    } else if (e.key === 'Enter' && at !== null) {
      e.preventDefault();
      const [a, b] = [Math.min(keys ?? at, at), Math.max(keys ?? at, at)];
      setKeys(null);
      onPick(times[a]!, times[b]! + step);
    } else if (e.key === 'Escape' && at !== null) {
      setAt(null);
      setKeys(null);
    }
  };
  const rows = at === null ? [] : [...stacks].reverse().filter((k) => (k.data[at] ?? 0) > 0);
  const band = drag ?? (keys !== null && at !== null ? [x(times[Math.min(keys, at)]!), x(times[Math.max(keys, at)]! + step)] : null);
  return (
    <div class="chart volume" ref={box} role="application" aria-roledescription="chart" tabIndex={0} style={{ height: `${height}px` }}
      aria-label={`${title}: ${count(sums.reduce((a, b) => a + b, 0))} in ${times.length} steps. Left and right walk them, with Shift they select, Enter zooms.`}
      onPointerDown={onDown} onPointerMove={onMove} onPointerUp={onUp} onPointerLeave={() => !drag && setAt(null)} onDblClick={zoomOut} onKeyDown={onKey} onBlur={() => setAt(null)}>
      <canvas ref={canvas} style={{ width: `${width}px`, height: `${height}px` }} />
      {at !== null && <i class="volume-at" style={{ left: `${Math.max(LEFT, x(times[at]!))}px`, width: `${Math.max(2, Math.min(LEFT + plot, x(times[at]! + step)) - Math.max(LEFT, x(times[at]!)))}px`, bottom: `${BOTTOM}px` }} />}
      {band && Math.abs(band[1]! - band[0]!) > 3 && <i class="heat-drag" style={{ left: `${Math.min(...band)}px`, width: `${Math.abs(band[1]! - band[0]!)}px`, top: `${TOP}px`, bottom: `${BOTTOM}px` }} />}
      {at !== null && (
        <div class="readout" aria-live="polite" style={x(times[at]!) < width / 2 ? { left: `${x(times[at]!) + 24}px` } : { right: `${width - x(times[at]!) + 16}px` }}>
          <div class="num muted">{dateTime(times[at]!, step < 1000 ? 3 : 0)}</div>
          {rows.length === 0 && <div class="muted">nothing</div>}
          {rows.map((k) => <div class="readout-row"><i style={{ background: /^[a-z-]+$/.test(k.color) ? `var(--${k.color})` : k.color }} /><span class="clip">{k.name}</span><b class="num">{text === si ? count(k.data[at]!) : text(k.data[at]!)}</b></div>)}
        </div>
      )}
    </div>
  );
}
