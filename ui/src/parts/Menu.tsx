// SPDX-License-Identifier: Apache-2.0
//
// The context menu: one at a time, opened from any value by click, Enter, right click or the menu key.

import { useLayoutEffect, useRef, useState } from 'preact/hooks';

export interface MenuItem { label: string; hint?: string; run: () => void; quiet?: boolean }
interface Open { x: number; y: number; title: string; items: MenuItem[]; back: HTMLElement | null }

let show: (o: Open) => void = () => {};

export function openMenu(at: MouseEvent | KeyboardEvent | HTMLElement, title: string, items: MenuItem[]) {
  const target = at instanceof HTMLElement ? at : (at.currentTarget as HTMLElement | null) ?? (at.target as HTMLElement);
  let x = 0;
  let y = 0;
  if (at instanceof MouseEvent && (at.clientX || at.clientY) && at.detail !== 0) {
    x = at.clientX;
    y = at.clientY;
  } else if (target) {
    const r = target.getBoundingClientRect();
    x = r.left;
    y = r.bottom + 2;
  }
  if (!(at instanceof HTMLElement)) at.preventDefault();
  show({ x, y, title, items, back: target });
}

export function openMenuAt(x: number, y: number, title: string, items: MenuItem[], back: HTMLElement | null) {
  show({ x, y, title, items, back });
}

export function MenuHost() {
  const [open, set] = useState<Open | null>(null);
  show = set;
  return open && <Menu key={`${open.x} ${open.y} ${open.title}`} open={open} close={() => set(null)} />;
}

function Menu({ open, close }: { open: Open; close: () => void }) {
  const ref = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const el = ref.current!;
    const { width, height } = el.getBoundingClientRect();
    el.style.left = `${Math.max(8, Math.min(open.x, innerWidth - width - 8))}px`;
    el.style.top = `${Math.max(8, Math.min(open.y, innerHeight - height - 8))}px`;
    el.querySelector<HTMLElement>('[role=menuitem]')?.focus();
    const outside = (e: Event) => !el.contains(e.target as Node) && close();
    addEventListener('pointerdown', outside, true);
    addEventListener('blur', close);
    addEventListener('popstate', close);
    return () => {
      removeEventListener('pointerdown', outside, true);
      removeEventListener('blur', close);
      removeEventListener('popstate', close);
    };
  }, []);

  const leave = () => {
    close();
    open.back?.focus({ preventScroll: true });
  };
  const onKey = (e: KeyboardEvent) => {
    e.stopPropagation();
    const items = [...ref.current!.querySelectorAll<HTMLElement>('[role=menuitem]')];
    const i = items.indexOf(document.activeElement as HTMLElement);
    const to = { ArrowDown: i + 1, ArrowUp: i - 1, Home: 0, End: -1 }[e.key];
    if (to !== undefined) {
      e.preventDefault();
      items.at(to % items.length)?.focus();
    } else if (e.key === 'Escape' || e.key === 'Tab') {
      e.preventDefault();
      leave();
    }
  };
  return (
    <div class="menu" role="menu" aria-label={open.title} ref={ref} onKeyDown={onKey} onContextMenu={(e) => e.preventDefault()}>
      <div class="menu-title" aria-hidden="true">{open.title}</div>
      {open.items.map((item) => (
        <button type="button" role="menuitem" tabIndex={-1} onClick={() => { leave(); item.run(); }}>
          <span>{item.label}</span>
          {item.hint && <span class="muted">{item.hint}</span>}
        </button>
      ))}
    </div>
  );
}
