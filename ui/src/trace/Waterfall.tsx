// SPDX-License-Identifier: Apache-2.0
//
// The rows of a trace against time. Only rows in view exist as elements, and those are reused while
// scrolling. Past MAX_PX of height the scroll bar stands for more than it can measure.

import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { duration } from '../lib/format';
import { useSize } from '../lib/use';
import type { Trace } from './model';
import { WaterRow, ROW_PX } from './WaterRow';

const MAX_PX = 8e6;
const OVERSCAN = 6;
const NAME_MIN = 160;
// Room for the duration of a bar that ends last (margin of .w-time and .ruler-time).
const TIME_END = 90;

interface Props {
  trace: Trace;
  visible: Int32Array;
  collapsed: ReadonlySet<number>;
  window: [number, number];
  selected: number;
  matches: ReadonlySet<number>;
  scrollTo: { row: number; turn: number } | null;
  onSelect: (i: number) => void;
  onToggle: (i: number) => void;
  onView: (first: number, last: number) => void;
  onKey: (e: KeyboardEvent) => void;
}

export function Waterfall(p: Props) {
  const [box, width, height] = useSize<HTMLDivElement>();
  const [top, setTop] = useState(0);
  const [share, setShare] = useState(0.38);
  const n = p.visible.length;
  const real = n * ROW_PX;
  const shown = Math.min(real, MAX_PX);
  // Scroll positions map linearly onto row positions; 1:1 unless the list is beyond MAX_PX.
  const ratio = shown > height && real > shown ? (real - height) / (shown - height) : 1;
  const offset = top * ratio;
  const first = Math.max(0, Math.floor(offset / ROW_PX) - OVERSCAN);
  const last = Math.min(n, Math.ceil((offset + height) / ROW_PX) + OVERSCAN);
  const shift = top - offset;

  useEffect(() => p.onView(Math.floor(offset / ROW_PX), Math.min(n, Math.ceil((offset + height) / ROW_PX))), [offset, height, n]);
  useLayoutEffect(() => {
    if (!p.scrollTo || !box.current || !height) return;
    const at = lowerBound(p.visible, p.scrollTo.row) * ROW_PX;
    if (at >= offset + ROW_PX && at + 2 * ROW_PX <= offset + height) return;
    const far = at < offset - height || at > offset + 2 * height;
    const want = far ? at - height / 2 : at < offset + ROW_PX ? at - ROW_PX : at + 2 * ROW_PX - height;
    box.current.scrollTop = Math.max(0, want) / ratio;
    setTop(box.current.scrollTop);
  }, [p.scrollTo, height > 0]);

  // A page opened on a trace is ready for the arrow keys.
  useEffect(() => {
    if (document.activeElement === document.body) box.current?.focus({ preventScroll: true });
  }, []);

  const base = useMemo(() => {
    if (p.trace.maxDepth <= 24) return 0;
    let least = Infinity;
    for (let k = first; k < last; k++) least = Math.min(least, p.trace.depth[p.visible[k]!]!);
    return Math.max(0, least === Infinity ? 0 : least - 2);
  }, [p.trace, p.visible, first, last]);

  const nameWidth = Math.round(Math.max(NAME_MIN, Math.min(width - 200, width * share)));
  const rows = [];
  const pool = last - first + 1;
  for (let k = first; k < last; k++) {
    const i = p.visible[k]!;
    rows.push(
      <WaterRow key={k % pool} trace={p.trace} i={i} y={k * ROW_PX + shift} nameWidth={nameWidth} base={base} window={p.window}
        selected={i === p.selected} match={p.matches.has(i)} collapsed={p.collapsed.has(i)} onSelect={p.onSelect} onToggle={p.onToggle} />,
    );
  }
  return (
    <div class="waterfall">
      <Ruler window={p.window} from={p.trace.from} nameWidth={nameWidth} width={width} base={base} onShare={setShare} />
      <Grid window={p.window} from={p.trace.from} nameWidth={nameWidth} width={width} />
      <div class="waterfall-rows" ref={box} tabIndex={0} role="tree" aria-label="Spans of the trace" data-slash-back
        aria-activedescendant={p.selected >= 0 ? `w${p.selected}` : undefined}
        onScroll={(e) => setTop(e.currentTarget.scrollTop)} onKeyDown={p.onKey}>
        <div style={{ height: `${shown}px`, position: 'relative' }}>{rows}</div>
      </div>
    </div>
  );
}

// Where row i stands among the visible ones (or the first after it).
export function lowerBound(list: Int32Array, i: number): number {
  let a = 0;
  let b = list.length;
  while (a < b) {
    const m = (a + b) >> 1;
    if (list[m]! < i) a = m + 1;
    else b = m;
  }
  return a;
}

const LONG = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400].map((s) => s * 1e9);

// The next step people count in: 1-2-5 below a second, clock steps above. In ns.
export function niceStep(least: number): number {
  const long = least >= 5e8 ? LONG.find((s) => s >= least) : undefined;
  if (long) return long;
  const unit = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((m) => m * unit).find((s) => s >= least * 0.999) ?? least;
}

// Where the ruler has marks, in ns since the start of the trace.
function timeMarks(w: [number, number], from: number, room: number): number[] {
  const step = niceStep(((w[1] - w[0]) / Math.max(1, room)) * 90);
  const marks: number[] = [];
  for (let t = Math.ceil((w[0] - from) / step) * step; t <= w[1] - from; t += step) marks.push(t);
  return marks;
}

// The ruler's marks as faint lines behind the rows.
function Grid({ window: w, from, nameWidth, width }: { window: [number, number]; from: number; nameWidth: number; width: number }) {
  const room = Math.max(0, width - nameWidth - TIME_END);
  return (
    <div class="w-grid" aria-hidden="true" style={{ left: `${nameWidth}px`, width: `${room}px` }}>
      {timeMarks(w, from, room).map((t) => <i style={{ left: `${((t + from - w[0]) / (w[1] - w[0])) * 100}%` }} />)}
    </div>
  );
}

function Ruler({ window: w, from, nameWidth, width, base, onShare }: { window: [number, number]; from: number; nameWidth: number; width: number; base: number; onShare: (s: number) => void }) {
  const drag = useRef(false);
  const span = w[1] - w[0];
  const marks = timeMarks(w, from, width - nameWidth - TIME_END);
  const move = (e: PointerEvent) => {
    if (!drag.current) return;
    const r = (e.currentTarget as HTMLElement).parentElement!.getBoundingClientRect();
    onShare(Math.max(0.1, Math.min(0.8, (e.clientX - r.left) / r.width)));
  };
  const key = (e: KeyboardEvent) => {
    const step = { ArrowLeft: -0.02, ArrowRight: 0.02 }[e.key];
    if (!step) return;
    e.preventDefault();
    onShare(Math.max(0.1, Math.min(0.8, nameWidth / width + step)));
  };
  return (
    <div class="ruler" style={{ width: `${width}px` }}>
      <div class="ruler-name" style={{ width: `${nameWidth}px` }}>Span{base > 0 && <span class="muted num"> from level {base}</span>}</div>
      <div class="splitter" style={{ left: `${nameWidth - 4}px` }} role="separator" aria-orientation="vertical" aria-label="Width of the names" tabIndex={0}
        aria-valuenow={Math.round((100 * nameWidth) / Math.max(1, width))} onKeyDown={key}
        onPointerDown={(e) => { drag.current = true; e.currentTarget.setPointerCapture(e.pointerId); }} onPointerMove={move} onPointerUp={() => (drag.current = false)} />
      <div class="ruler-time" aria-hidden="true">
        {marks.map((t) => <span class="num" style={{ left: `${((t + from - w[0]) / span) * 100}%` }}>{duration(t / 1e6)}</span>)}
      </div>
    </div>
  );
}
