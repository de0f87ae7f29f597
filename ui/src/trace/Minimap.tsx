// SPDX-License-Identifier: Apache-2.0
//
// The whole trace in a strip: a hair per span at its place in time and order, failed ones on top.
// Drag picks a time window; a click scrolls there. Drawn once per trace, theme and width.

import { useEffect, useRef, useState } from 'preact/hooks';
import { serviceColor } from '../lib/color';
import { duration } from '../lib/format';
import { token, useTheme } from '../lib/theme';
import { useSize } from '../lib/use';
import type { Trace } from './model';

const HEIGHT = 64;

interface Props {
  trace: Trace;
  window: [number, number];
  rows: [number, number];
  total: number;
  onWindow: (w: [number, number] | null) => void;
  onScroll: (share: number) => void;
}

export function Minimap({ trace, window: win, rows, total, onWindow, onScroll }: Props) {
  const theme = useTheme();
  const [box, width] = useSize<HTMLDivElement>();
  const canvas = useRef<HTMLCanvasElement>(null);
  const [drag, setDrag] = useState<[number, number] | null>(null);
  useEffect(() => {
    if (canvas.current && width) draw(canvas.current, trace, width, theme);
  }, [trace, width, theme]);

  const span = trace.to - trace.from;
  const toX = (ns: number) => ((ns - trace.from) / span) * width;
  const toNs = (x: number) => trace.from + (Math.max(0, Math.min(width, x)) / width) * span;
  const at = (e: PointerEvent): [number, number] => {
    const r = box.current!.getBoundingClientRect();
    return [e.clientX - r.left, e.clientY - r.top];
  };
  const onUp = (e: PointerEvent) => {
    if (!drag) return;
    setDrag(null);
    const [a, b] = drag;
    if (Math.abs(b - a) > 4) onWindow([toNs(Math.min(a, b)), toNs(Math.max(a, b))]);
    else onScroll(at(e)[1] / HEIGHT);
  };
  const zoomed = win[0] > trace.from || win[1] < trace.to;
  return (
    <div class="minimap" ref={box} style={{ height: `${HEIGHT}px` }} role="img" aria-label={`Overview of the trace, ${duration(span / 1e6)}${zoomed ? `, showing ${duration((win[1] - win[0]) / 1e6)}` : ''}`}
      onPointerDown={(e) => { if (e.button === 0) { box.current!.setPointerCapture(e.pointerId); const [x] = at(e); setDrag([x, x]); } }}
      onPointerMove={(e) => drag && setDrag([drag[0], at(e)[0]])} onPointerUp={onUp} onDblClick={() => onWindow(null)}>
      <canvas ref={canvas} style={{ width: `${width}px`, height: `${HEIGHT}px` }} />
      {zoomed && <div class="minimap-shade" style={{ left: 0, width: `${toX(win[0])}px` }} />}
      {zoomed && <div class="minimap-shade" style={{ left: `${toX(win[1])}px`, right: 0 }} />}
      {(zoomed || rows[1] - rows[0] < total) && <div class="minimap-view" style={{ left: `${toX(win[0])}px`, width: `${Math.max(2, toX(win[1]) - toX(win[0]))}px`,
        top: `${(rows[0] / Math.max(1, total)) * HEIGHT}px`, height: `${Math.max(3, ((rows[1] - rows[0]) / Math.max(1, total)) * HEIGHT)}px` }} />}
      {drag && <div class="heat-drag" style={{ left: `${Math.min(...drag)}px`, width: `${Math.abs(drag[1] - drag[0])}px`, top: 0, height: `${HEIGHT}px` }} />}
    </div>
  );
}

function draw(canvas: HTMLCanvasElement, t: Trace, width: number, theme: 'dark' | 'light') {
  const dpr = devicePixelRatio || 1;
  canvas.width = Math.round(width * dpr);
  canvas.height = Math.round(HEIGHT * dpr);
  const c = canvas.getContext('2d')!;
  const W = canvas.width;
  const H = canvas.height;
  const scale = W / (t.to - t.from);
  const thick = Math.max(1, Math.min(4 * dpr, (H / Math.max(1, t.n)) * 0.7));
  const bar = (i: number) => {
    const x = (t.start[i]! - t.from) * scale;
    c.fillRect(x, (i / t.n) * H, Math.max(dpr, (t.stop[i]! - t.start[i]!) * scale), thick);
  };
  const byService: number[][] = t.answer.services.map(() => []);
  for (let i = 0; i < t.n; i++) if (t.kind(i) === 'span') byService[t.serviceIndex(i)]?.push(i);
  c.globalAlpha = t.n > 5000 ? 0.7 : 1;
  byService.forEach((list, s) => {
    c.fillStyle = serviceColor(t.answer.services[s]!, theme);
    for (const i of list) bar(i);
  });
  c.globalAlpha = 1;
  c.fillStyle = token('error');
  for (const i of t.errors) {
    const x = (t.start[i]! - t.from) * scale;
    c.fillRect(x, (i / t.n) * H, Math.max(2 * dpr, (t.stop[i]! - t.start[i]!) * scale), Math.max(2 * dpr, thick));
  }
}
