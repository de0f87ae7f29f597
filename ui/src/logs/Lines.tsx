// SPDX-License-Identifier: Apache-2.0
//
// The list of lines: any number of them, of any height, of which those in sight are elements.
//
// What is kept is the line at the top edge and how much of it is above the edge; the wheel, keys and
// the bar move that. Nothing needs the heights of lines out of sight, so a million lines, lines that
// stand open and lines in full are all the same. The bar on the right stands for all of them.

import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { ComponentChildren } from 'preact';
import type { Row } from '../lib/types';
import { useSize } from '../lib/use';
import type { LineSource } from './source';
import { LineBar } from './LineBar';

export const LINE = 22; // px of a line that is not open
const OVER = 6; // lines beyond each edge

interface Props {
  source: LineSource;
  line: (row: Row, i: number, on: boolean) => ComponentChildren;
  marks: number[]; // shares of the list with errors
  pinned: boolean; // stays at the newest end while lines come
  asc: boolean;
  goTo: { i: number; turn: number } | null;
  current: number;
  onCurrent: (i: number) => void;
  onKey: (e: KeyboardEvent, i: number) => void;
  onSeen: (first: number, last: number) => void;
  label: string;
}

interface Top { i: number; px: number } // px of line i above the edge

export function Lines(p: Props) {
  const [box, width, height] = useSize<HTMLDivElement>();
  const sheet = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState<Top>({ i: 0, px: 0 });
  const [, again] = useState(0);
  const heights = useRef(new Map<string, number>());
  const now = useRef(top);
  now.current = top;
  const props = useRef(p);
  props.current = p;
  const fit = Math.max(1, Math.ceil(height / LINE));
  const total = p.source.total;

  const heightOf = (i: number) => {
    const r = p.source.at(i);
    return (r && heights.current.get(r.id)) ?? LINE;
  };
  const clampTop = (t: Top): Top => {
    let { i, px } = t;
    while (px < 0 && i > 0) px += heightOf(--i);
    while (i < total - 1 && px >= heightOf(i)) px -= heightOf(i++);
    if (i <= 0) [i, px] = [0, Math.max(0, i < 0 ? 0 : px)];
    return i > total - 1 ? { i: Math.max(0, total - 1), px: 0 } : { i, px };
  };
  const move = (px: number) => setTop(clampTop({ i: now.current.i, px: now.current.px + px }));
  const jump = (i: number) => setTop(clampTop({ i: Math.max(0, Math.min(i, total - 1)), px: 0 }));
  // So that line i is in sight, with room around it.
  const reveal = (i: number) => {
    const el = sheet.current?.querySelector<HTMLElement>(`[data-i="${i}"]`);
    const frame = box.current?.getBoundingClientRect();
    if (el && frame) {
      const r = el.getBoundingClientRect();
      const line = Math.min(r.height, frame.height);
      if (r.top < frame.top) move(r.top - frame.top);
      else if (r.top + line > frame.bottom) move(r.top + line - frame.bottom);
      return;
    }
    setTop(clampTop({ i: Math.max(0, i - Math.floor(fit / 3)), px: 0 }));
  };

  useEffect(() => p.source.on((shift) => {
    const t = now.current;
    const q = props.current;
    const atNewest = q.asc ? t.i + fit >= q.source.total - Math.abs(shift) - fit : t.i === 0 && t.px < LINE;
    if (q.pinned && q.asc && atNewest) setTop({ i: Math.max(0, q.source.total - 1), px: 0 });
    else if (shift && !(q.pinned && atNewest)) setTop({ i: Math.max(0, t.i + shift), px: t.px });
    if (shift && q.current >= 0) q.onCurrent(q.current + shift);
    again((n) => n + 1);
  }), [p.source, fit]);
  useEffect(() => {
    if (p.goTo) setTop(clampTop({ i: Math.max(0, p.goTo.i - Math.floor(fit / 3)), px: 0 }));
  }, [p.goTo?.turn]);

  const from = Math.max(0, top.i - OVER);
  const to = Math.min(total, top.i + fit + OVER);
  useEffect(() => {
    p.source.want(from, to);
    p.onSeen(top.i, Math.min(total, top.i + fit));
  }, [p.source, from, to, total]);

  // Heights as they are; the line at the edge to its place; no room below the last line.
  useLayoutEffect(() => {
    const el = sheet.current;
    if (!el) return;
    let at: HTMLElement | null = null;
    let last: HTMLElement | null = null;
    for (const child of el.children) {
      const c = child as HTMLElement;
      if (c.dataset.id) heights.current.set(c.dataset.id, c.offsetHeight);
      if (c.dataset.i === String(top.i)) at = c;
      if (c.dataset.i === String(total - 1)) last = c;
    }
    if (heights.current.size > 20000) heights.current.clear();
    if (!at) return;
    let y = at.offsetTop + Math.min(top.px, Math.max(0, at.offsetHeight - 1));
    if (last) {
      const end = last.offsetTop + last.offsetHeight;
      const most = Math.max(0, end - height);
      if (y > most && height > 0) {
        if (from === 0 || most >= (el.firstElementChild as HTMLElement).offsetTop) {
          const over = y - most;
          y = most;
          if (over >= 1) move(-over);
        }
      }
    }
    el.style.transform = `translateY(${-y}px)`;
  });

  useEffect(() => {
    const el = box.current!;
    const onWheel = (e: WheelEvent) => {
      if (e.ctrlKey) return;
      // What scrolls by itself inside an open line has it first.
      const inner = (e.target as Element).closest<HTMLElement>('[data-scrolls]');
      if (inner && ((e.deltaY > 0 && inner.scrollTop + inner.clientHeight < inner.scrollHeight - 1) || (e.deltaY < 0 && inner.scrollTop > 0))) return;
      e.preventDefault();
      move(e.deltaMode === 1 ? e.deltaY * LINE : e.deltaMode === 2 ? e.deltaY * el.clientHeight : e.deltaY);
    };
    el.addEventListener('wheel', onWheel, { passive: false });
    return () => el.removeEventListener('wheel', onWheel);
  }, [p.source, total]);

  const touch = useRef(0);
  const onKey = (e: KeyboardEvent) => {
    if (e.target !== e.currentTarget) {
      if (e.key === 'Escape') (e.currentTarget as HTMLElement).focus();
      return;
    }
    const c = p.current < 0 ? top.i - 1 : p.current;
    const go: Record<string, number> = {
      ArrowDown: c + 1, j: c + 1, ArrowUp: Math.max(0, c - 1), k: Math.max(0, c - 1), PageDown: Math.max(c, top.i) + fit - 2, PageUp: Math.max(0, c - fit + 2), Home: 0, End: total - 1,
    };
    const to = go[e.key];
    if (to === undefined || total === 0) {
      p.onKey(e, p.current);
      return;
    }
    e.preventDefault();
    const i = Math.max(0, Math.min(total - 1, to));
    p.onCurrent(i);
    if (e.key.startsWith('Page')) move(e.key === 'PageDown' ? (fit - 2) * LINE : -(fit - 2) * LINE);
    reveal(i);
  };

  const list = [];
  for (let i = from; i < to; i++) {
    const row = p.source.at(i);
    list.push(row
      ? <div key={row.id} data-i={i} data-id={row.id} id={`l${i}`} role="row" aria-rowindex={i + 1} aria-selected={i === p.current} class="line-row">{p.line(row, i, i === p.current)}</div>
      : <div key={`empty ${i}`} data-i={i} id={`l${i}`} role="row" aria-rowindex={i + 1} class="line-row line-wait"><span role="gridcell" aria-label="still to come" /></div>);
  }
  const shownCurrent = p.current >= from && p.current < to;
  return (
    <div class="lines-frame">
      <div class="lines" id="lines" ref={box} role="grid" aria-label={p.label} aria-rowcount={total} aria-busy={list.length > 0 && !p.source.at(top.i)} aria-activedescendant={shownCurrent ? `l${p.current}` : undefined}
        tabIndex={0} onKeyDown={onKey} data-lines
        onTouchStart={(e) => { touch.current = e.touches[0]!.clientY; }}
        onTouchMove={(e) => { const y = e.touches[0]!.clientY; move(touch.current - y); touch.current = y; }}>
        <div class="lines-sheet" ref={sheet} role="rowgroup" style={{ width: width ? `${width}px` : undefined }}>{list}</div>
      </div>
      <LineBar total={total} top={top.i + top.px / LINE} fit={fit} marks={p.marks} timeAt={(i) => p.source.timeAt(i)} onMove={jump} />
    </div>
  );
}
