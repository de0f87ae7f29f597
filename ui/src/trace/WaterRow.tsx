// SPDX-License-Identifier: Apache-2.0
// One row: name with its place in the tree, bar with its place in time, ticks for what happened.

import { serviceColor } from '../lib/color';
import { count, duration, percent } from '../lib/format';
import { useTheme } from '../lib/theme';
import type { Trace } from './model';

export const ROW_PX = 24;
const INDENT = 12;
const NAME_ROOM = 220;
const TICKS = 40;
// A span whose own time is this share of the trace is where the time went.
const HOT = 0.2;
// Percent of the width a duration may take.
const CROWDED = 14;

interface Props {
  trace: Trace; i: number; y: number; nameWidth: number; base: number; window: [number, number];
  selected: boolean; match: boolean; collapsed: boolean;
  onSelect: (i: number) => void; onToggle: (i: number) => void;
}

const KIND: Record<string, string> = { span_event: 'event', link: 'link', log: 'log', error: 'error' };

export function WaterRow(p: Props) {
  const { trace: t, i } = p;
  const theme = useTheme();
  const kind = t.kind(i);
  const span = kind === 'span';
  const service = t.service(i);
  const color = serviceColor(service, theme);
  const level = t.depth[i]! - p.base;
  const failed = t.error[i] === 1;
  const inside = t.end[i]! - i - 1;
  const classes = `w-row${p.selected ? ' on' : ''}${p.match ? ' match' : ''}${failed ? ' failed' : ''}${span ? '' : ' sub'}`;
  const orphan = t.parent[i]! < 0 && i > 0;
  return (
    <div class={classes} id={`w${i}`} role="treeitem" aria-level={t.depth[i]! + 1} aria-selected={p.selected} aria-expanded={t.children[i]! > 0 ? !p.collapsed : undefined}
      aria-label={label(t, i)} style={{ transform: `translateY(${p.y}px)`, height: `${ROW_PX}px` }} onClick={() => p.onSelect(i)}>
      <div class="w-name" style={{ width: `${p.nameWidth}px`, paddingLeft: `${8 + Math.min(Math.max(0, p.nameWidth - NAME_ROOM), Math.max(0, level) * INDENT)}px` }}>
        {t.children[i]! > 0
          ? <span class={`w-toggle${p.collapsed ? ' shut' : ''}`} aria-hidden="true" onClick={(e) => { e.stopPropagation(); p.onToggle(i); }}>{p.collapsed ? count(inside) : '▾'}</span>
          : <span class="w-leaf" aria-hidden="true" />}
        {span ? <i class="w-service" style={{ background: color }} /> : <span class={`w-kind k-${kind}`}>{KIND[kind] ?? kind}</span>}
        {span && <span class="w-service-name">{service}</span>}
        <span class="w-title">{t.name(i)}</span>
        {!span && t.summary(i) && <span class="w-summary">{t.summary(i)}</span>}
        {failed && span && <span class="w-error" aria-hidden="true">error</span>}
        {p.collapsed && t.failedBelow[i]! > 0 && <span class="w-error" title={`${t.failedBelow[i]} failed inside`}>{count(t.failedBelow[i]!)} inside</span>}
        {orphan && <span class="w-orphan" title="its parent span has not arrived">no parent</span>}
      </div>
      <div class="w-time"><Bar {...p} color={color} span={span} failed={failed} /></div>
    </div>
  );
}

function label(t: Trace, i: number): string {
  const base = t.kind(i) === 'span' ? `${t.service(i)} ${t.name(i)}, ${duration(t.duration(i) / 1e6)}` : `${KIND[t.kind(i)] ?? t.kind(i)} ${t.name(i)} ${t.summary(i)}`;
  return t.error[i] ? `${base}, failed` : base;
}

function Bar({ trace: t, i, window: [from, to], collapsed, color, span, failed }: Props & { color: string; span: boolean; failed: boolean }) {
  const scale = 100 / (to - from);
  const pos = (ns: number) => (ns - from) * scale;
  const a = pos(t.start[i]!);
  const b = pos(t.stop[i]!);
  const clampA = Math.max(0, Math.min(100, a));
  const clampB = Math.max(0, Math.min(100, b));
  if (!span) return a >= 0 && a <= 100 ? <i class={`w-dot${failed ? ' bad' : ''}`} style={{ left: `${a}%` }} /> : null;
  const whole = t.to - t.from;
  const hot = t.own[i]! >= HOT * whole;
  const outlives = collapsed && t.high[i]! > t.stop[i]!;
  const precedes = collapsed && t.low[i]! < t.start[i]!;
  const ticks = (t.marks.get(i) ?? []).slice(0, TICKS);
  // The duration stands behind all that is drawn at the end of the bar.
  let free = outlives ? Math.max(clampB, Math.min(100, pos(t.high[i]!))) : clampB;
  for (const m of ticks) {
    const x = pos(t.start[m]!);
    if (x > free && x < free + CROWDED) free = x;
  }
  return (
    <>
      {b >= 0 && a <= 100 && <i class={`w-bar${failed ? ' bad' : ''}`} style={{ left: `${clampA}%`, width: `${clampB - clampA}%`, background: color }} />}
      {outlives && <i class="w-thin" style={thin(clampB, pos(t.high[i]!), color)} title={`children end ${duration((t.high[i]! - t.stop[i]!) / 1e6)} later`} />}
      {precedes && <i class="w-thin" style={thin(pos(t.low[i]!), clampA, color)} title={`children start ${duration((t.start[i]! - t.low[i]!) / 1e6)} earlier`} />}
      {ticks.map((m) => {
        const x = pos(t.start[m]!);
        return x >= 0 && x <= 100 && <i class={`w-tick${t.error[m] ? ' bad' : ''}`} style={{ left: `${x}%` }} title={t.name(m)} />;
      })}
      <span class={`w-duration num${hot ? ' hot' : ''}`} title={hot ? `own time ${duration(t.own[i]! / 1e6)}, ${percent(t.own[i]! / whole)} of the trace` : undefined} style={{ left: `calc(${free}% + 6px)` }}>{duration(t.duration(i) / 1e6)}</span>
    </>
  );
}

function thin(a: number, b: number, color: string) {
  const left = Math.max(0, Math.min(100, a));
  const right = Math.max(0, Math.min(100, b));
  return { left: `${left}%`, width: `${Math.max(0, right - left)}%`, background: color };
}
