// SPDX-License-Identifier: Apache-2.0
// The scroll bar of the lines: stands for all of them; a hint names the time at the pointer, and marks
// show where errors are.

import { useRef, useState } from 'preact/hooks';
import { count, dateTime } from '../lib/format';
import { useSize } from '../lib/use';

const THUMB = 24; // px at least

interface Props { total: number; top: number; fit: number; marks: number[]; timeAt: (i: number) => number | null; onMove: (i: number) => void }

export function LineBar({ total, top, fit, marks, timeAt, onMove }: Props) {
  const [box, , height] = useSize<HTMLDivElement>();
  const grip = useRef<number | null>(null);
  const [hover, setHover] = useState<number | null>(null);
  const most = Math.max(0, total - fit);
  const size = total > 0 ? Math.min(height, Math.max(THUMB, (height * fit) / Math.max(fit, total))) : height;
  const room = Math.max(1, height - size);
  const y = most > 0 ? Math.min(1, top / most) * room : 0;
  const at = (clientY: number) => clientY - box.current!.getBoundingClientRect().top;
  const share = (px: number) => Math.max(0, Math.min(1, px / room));
  const down = (e: PointerEvent) => {
    if (e.button !== 0 || most === 0) return;
    e.preventDefault();
    (e.currentTarget as HTMLElement).setPointerCapture(e.pointerId);
    const p = at(e.clientY);
    grip.current = p >= y && p <= y + size ? p - y : size / 2;
    onMove(Math.round(share(p - grip.current) * most));
  };
  const moved = (e: PointerEvent) => {
    setHover(at(e.clientY));
    if (grip.current !== null) onMove(Math.round(share(at(e.clientY) - grip.current) * most));
  };
  const i = hover === null ? 0 : grip.current !== null ? Math.round(top) : Math.round(share(hover - size / 2) * most);
  const ms = hover === null ? null : timeAt(Math.min(total - 1, i));
  return (
    <div class="line-bar" ref={box} role="scrollbar" aria-orientation="vertical" aria-label="Position in all lines" aria-controls="lines" aria-valuemin={0} aria-valuemax={most} aria-valuenow={Math.min(most, Math.round(top))}
      aria-valuetext={`line ${count(Math.min(total, Math.round(top) + 1))} of ${count(total)}`}
      onPointerDown={down} onPointerMove={moved} onPointerUp={() => { grip.current = null; }} onPointerLeave={() => grip.current === null && setHover(null)} onLostPointerCapture={() => { grip.current = null; setHover(null); }}>
      {marks.map((m) => <i class="mark" style={{ top: `${m * 100}%` }} />)}
      {most > 0 && <b class="thumb" style={{ top: `${y}px`, height: `${size}px` }} />}
      {hover !== null && ms !== null && total > 0 && (
        <span class="hint num" style={{ top: `${Math.max(0, Math.min(height - 22, hover - 11))}px` }}>{dateTime(ms)} · {count(Math.min(total, i + 1))} of {count(total)}</span>
      )}
    </div>
  );
}
