// SPDX-License-Identifier: Apache-2.0
// Keys of the waterfall: walk, fold, jump, zoom.

import type { Trace } from './model';
import { lowerBound } from './Waterfall';

interface Tree {
  trace: Trace; visible: Int32Array; selected: number; collapsed: ReadonlySet<number>;
  select: (i: number) => void; toggle: (i: number) => void; collapseTo: (level: number) => void;
  setCollapsed: (s: ReadonlySet<number>) => void;
  zoom: (factor: number) => void; next: (by: number) => void; error: (by: number) => void; fit: () => void; focus: () => void;
}

const PAGE = 20;

// Folds or unfolds a row with everything inside it.
function whole(t: Tree, shut: boolean) {
  const i = t.selected;
  if (i < 0) return;
  const next = new Set([...t.collapsed].filter((c) => c < i || c >= t.trace.end[i]!));
  if (shut) for (let k = i; k < t.trace.end[i]!; k++) if (t.trace.children[k]! > 0) next.add(k);
  t.setCollapsed(next);
}

function left(t: Tree) {
  const { trace, selected: i } = t;
  if (i < 0) return;
  if (trace.children[i]! > 0 && !t.collapsed.has(i)) t.toggle(i);
  else if (trace.parent[i]! >= 0) t.select(trace.parent[i]!);
}

function right(t: Tree) {
  const { trace, selected: i, visible } = t;
  if (i < 0 || trace.children[i] === 0) return;
  if (t.collapsed.has(i)) t.toggle(i);
  else {
    const next = visible[lowerBound(visible, i) + 1];
    if (next !== undefined) t.select(next);
  }
}

export function onTreeKey(e: KeyboardEvent, t: Tree) {
  if (e.ctrlKey || e.metaKey || e.altKey) return;
  const at = t.selected < 0 ? -1 : lowerBound(t.visible, t.selected);
  const to = (k: number) => {
    const i = t.visible[Math.max(0, Math.min(t.visible.length - 1, k))];
    if (i !== undefined) t.select(i);
  };
  const keys: Record<string, () => void> = {
    ArrowDown: () => to(at + 1), j: () => to(at + 1), ArrowUp: () => to(at - 1), k: () => to(at - 1),
    PageDown: () => to(at + PAGE), PageUp: () => to(at - PAGE), Home: () => to(0), End: () => to(t.visible.length - 1),
    ArrowLeft: () => (e.shiftKey ? whole(t, true) : left(t)), ArrowRight: () => (e.shiftKey ? whole(t, false) : right(t)),
    Enter: () => t.selected >= 0 && t.toggle(t.selected), ' ': () => t.selected >= 0 && t.toggle(t.selected),
    C: () => t.collapseTo(1), X: () => t.collapseTo(-1),
    n: () => t.next(1), N: () => t.next(-1), e: () => t.error(1), E: () => t.error(-1),
    '+': () => t.zoom(0.5), '=': () => t.zoom(0.5), '-': () => t.zoom(2), 0: t.fit, z: t.focus, Escape: () => t.select(-1),
  };
  const run = keys[e.key];
  if (!run) return;
  e.preventDefault();
  e.stopPropagation();
  run();
}
