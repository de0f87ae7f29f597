// SPDX-License-Identifier: Apache-2.0
// A small line chart that stands still: evaluations with their threshold, a budget, a panel of a board.

import { dateTime } from '../lib/format';
import { useSize } from '../lib/use';
import { SaveAs } from './SaveAs';

export interface PlotLine { name: string; color: string; points: [number, number | null][] }
export interface PlotMark { ms: number; text: string; color: string }
const iso = (ms: number) => new Date(ms).toISOString();

interface Props { label: string; lines: PlotLine[]; text: (n: number) => string; height?: number; threshold?: number | null; marks?: PlotMark[]; range?: [number, number]; zero?: boolean }

const PAD = { left: 54, right: 8, top: 8, bottom: 20 };

export function Plot({ label, lines, text, height = 160, threshold = null, marks = [], range, zero = true }: Props) {
  const [box, width] = useSize<HTMLDivElement>();
  const all = lines.flatMap((l) => l.points);
  const values = all.map((p) => p[1]).filter((v): v is number => v !== null).concat(threshold ?? [], zero ? [0] : []);
  const [from, to] = range ?? [Math.min(...all.map((p) => p[0])), Math.max(...all.map((p) => p[0]))];
  const low = Math.min(...values, zero ? 0 : Infinity);
  const top = Math.max(...values);
  const high = top > low ? top : low + 1;
  const w = Math.max(width - PAD.left - PAD.right, 10), h = height - PAD.top - PAD.bottom;
  const x = (ms: number) => PAD.left + (to > from ? ((ms - from) / (to - from)) * w : w / 2);
  const y = (v: number) => PAD.top + h - ((v - low) / (high - low || 1)) * h;
  const rows = () => [['time', ...lines.map((l) => l.name)], ...(lines[0]?.points ?? []).map(([ms], i) => [iso(ms), ...lines.map((l) => String(l.points[i]?.[1] ?? ''))])];
  const json = () => lines.map((l) => ({ name: l.name, points: l.points.map(([ms, n]) => ({ time: iso(ms), value: n })) }));
  return (
    <div class="plot" ref={box}>
      {all.length > 0 && <SaveAs name={label} rows={rows} json={json} picture={() => box.current} />}
      {width > 0 && all.length > 0 && (
        <svg width={width} height={height} role="img" aria-label={label}>
          {[low, (low + high) / 2, high].map((v) => (
            <g key={v}><line class="grid" x1={PAD.left} x2={PAD.left + w} y1={y(v)} y2={y(v)} /><text x={PAD.left - 6} y={y(v) + 4} text-anchor="end">{text(v)}</text></g>
          ))}
          <text x={PAD.left} y={height - 5}>{dateTime(from)}</text>
          <text x={PAD.left + w} y={height - 5} text-anchor="end">{dateTime(to)}</text>
          {threshold !== null && <line class="threshold" x1={PAD.left} x2={PAD.left + w} y1={y(threshold)} y2={y(threshold)} />}
          {marks.filter((m) => m.ms >= from && m.ms <= to).map((m) => (
            <line key={`${m.ms} ${m.text}`} class="mark" x1={x(m.ms)} x2={x(m.ms)} y1={PAD.top} y2={PAD.top + h} style={{ stroke: m.color }}><title>{m.text} {dateTime(m.ms)}</title></line>
          ))}
          {lines.map((l) => <path key={l.name} d={path(l.points, x, y)} style={{ stroke: l.color }}><title>{l.name}</title></path>)}
          {lines.flatMap((l) => l.points.filter((p, i) => p[1] !== null && (l.points.length <= 40 || (l.points[i - 1]?.[1] ?? null) === null && (l.points[i + 1]?.[1] ?? null) === null))
            .map(([ms, v]) => <circle key={`${l.name} ${ms}`} cx={x(ms)} cy={y(v!)} r="2.5" style={{ fill: l.color }}><title>{l.name} {text(v!)} {dateTime(ms)}</title></circle>))}
        </svg>
      )}
    </div>
  );
}

function path(points: [number, number | null][], x: (ms: number) => number, y: (v: number) => number): string {
  let pen = false;
  return points.map(([ms, v]) => {
    if (v === null) { pen = false; return ''; }
    const step = `${pen ? 'L' : 'M'}${x(ms).toFixed(1)} ${y(v).toFixed(1)}`;
    pen = true;
    return step;
  }).join('');
}
