// SPDX-License-Identifier: Apache-2.0
//
// Panels on their grid. By mouse: the head of a panel moves it, its lower right corner resizes it. By keys, on its
// grip: arrows move, Shift and arrows resize, Enter keeps, Escape puts back. While a panel is held nothing is
// sent; one change of the board is sent when it is let go.

import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { placed, placesOf, type Panel } from '../lib/boards';
import { changed, inside, stepped, type Place } from './layout';

const ROW = 64;
const GAP = 12;

export interface Grip {
  head: { onPointerDown: (e: PointerEvent) => void };
  grip: { onKeyDown: (e: KeyboardEvent) => void; onBlur: () => void };
}
interface Held { i: number; now: Place; key: string }

interface Props { panels: Panel[]; keys: string[]; keep: (panels: Panel[]) => void; say: (text: string) => void; panel: (p: Panel, i: number, grip: Grip) => ComponentChildren }

const words = (p: Place) => `Column ${p.x + 1}, row ${p.y + 1}, ${p.w} wide, ${p.h} high`;

export function Grid({ panels, keys, keep, say, panel }: Props) {
  const [held, hold] = useState<Held | null>(null);
  const root = useRef<HTMLDivElement>(null);
  const back = useRef<string | null>(null);
  const places = placesOf(panels);
  const shown = held && held.i < places.length ? changed(places, held.i, held.now) : places;
  // Panels are put into reading order, and what the browser moves loses the focus.
  useLayoutEffect(() => {
    if (back.current === null || held) return;
    root.current?.querySelector<HTMLElement>(`[data-panel="${CSS.escape(back.current)}"] .grip`)?.focus();
    back.current = null;
  });
  const drop = (h: Held, focus: boolean) => {
    hold(null);
    const now = changed(places, h.i, h.now);
    if (JSON.stringify(now) === JSON.stringify(places)) return;
    if (focus) back.current = h.key;
    keep(placed(panels, now));
    say(`Put there. ${words(now[h.i]!)}`);
  };
  const drag = (i: number, resize: boolean) => (e: PointerEvent) => {
    const target = e.target as Element;
    if (e.button !== 0 || (!resize && target.closest('a,input,textarea,button:not(.grip)'))) return;
    const el = e.currentTarget as HTMLElement;
    const main = document.getElementById('main')!;
    const column = (root.current!.clientWidth + GAP) / 12;
    const from = { x: e.clientX, y: e.clientY + main.scrollTop };
    const was = places[i]!;
    let now: Held = { i, now: was, key: keys[i]! };
    const move = (m: PointerEvent) => {
      const edge = main.getBoundingClientRect();
      if (m.clientY > edge.bottom - 40) main.scrollTop += 24;
      else if (m.clientY < edge.top + 40) main.scrollTop -= 24;
      const dx = Math.round((m.clientX - from.x) / column);
      const dy = Math.round((m.clientY + main.scrollTop - from.y) / (ROW + GAP));
      now = { ...now, now: resize ? { ...was, w: Math.min(Math.max(1, was.w + dx), 12 - was.x), h: Math.max(1, was.h + dy) } : inside({ ...was, x: was.x + dx, y: was.y + dy }) };
      hold(now);
    };
    const key = (k: KeyboardEvent) => k.key === 'Escape' && end(false);
    const end = (done: boolean) => {
      el.removeEventListener('pointermove', move);
      removeEventListener('keydown', key, true);
      el.onpointerup = el.onpointercancel = null;
      if (done) drop(now, false);
      else hold(null);
    };
    el.setPointerCapture(e.pointerId);
    el.addEventListener('pointermove', move);
    addEventListener('keydown', key, true);
    el.onpointerup = () => end(true);
    el.onpointercancel = () => end(false);
  };
  const onKey = (i: number) => (e: KeyboardEvent) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[e.key];
    if (step && !e.ctrlKey && !e.metaKey && !e.altKey) {
      e.preventDefault();
      e.stopPropagation();
      const now = held?.i === i ? held.now : places[i]!;
      const [dx, dy] = step as [number, number];
      const to = e.shiftKey ? { ...now, w: Math.min(Math.max(1, now.w + dx), 12 - now.x), h: Math.max(1, now.h + dy) } : stepped(places, i, dx, dy, now);
      hold({ i, now: to, key: keys[i]! });
      say(words(changed(places, i, to)[i]!));
    } else if (held && e.key === 'Enter') {
      e.preventDefault();
      drop(held, true);
    } else if (held && e.key === 'Escape') {
      e.stopPropagation();
      hold(null);
      say(`Put back. ${words(places[i]!)}`);
    }
  };
  return (
    <div class={`board-grid${held ? ' held' : ''}`} ref={root}>
      {panels.map((p, i) => {
        const at = shown[i]!;
        const head = { onPointerDown: drag(i, false) };
        return (
          <section key={keys[i]} data-panel={keys[i]} class={`panel board-panel ${p.type}${held?.i === i ? ' held' : ''}`} aria-label={`Panel ${i + 1}`}
            style={{ gridColumn: `${at.x + 1} / span ${at.w}`, gridRow: `${at.y + 1} / span ${at.h}` }}>
            {panel(p, i, { head, grip: { onKeyDown: onKey(i), onBlur: () => held?.i === i && drop(held, false) } })}
            <span class="corner" aria-hidden="true" onPointerDown={drag(i, true)} />
          </section>
        );
      })}
    </div>
  );
}
