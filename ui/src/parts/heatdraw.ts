// SPDX-License-Identifier: Apache-2.0
//
// The heatmap's picture and geometry, apart from its component: cells are drawn once per answer into
// a canvas; hovering and selecting never redraw them.

import { ramp, RAMP_STEPS, type Theme } from '../lib/color';
import type { Bucket } from '../lib/types';

export interface Cell { bucket: number; bin: number; n: number }

export interface Heat {
  cells: Cell[];
  max: number;
  // Lookup by bucket * bins + bin.
  at: Map<number, number>;
  bins: number;
  low: number;
  high: number;
}

// Gathers the cells and the bins that are in use; empty margins at both ends are cut.
export function heatOf(buckets: Bucket[], edges: number[]): Heat {
  const bins = Math.max(0, edges.length - 1);
  const heat: Heat = { cells: [], max: 0, at: new Map(), bins, low: bins, high: -1 };
  buckets.forEach((b, bucket) => {
    if (!Array.isArray(b)) return;
    for (const [bin, n] of b) {
      if (bin < 0 || bin >= bins || n <= 0) continue;
      heat.cells.push({ bucket, bin, n });
      heat.at.set(bucket * bins + bin, n);
      heat.max = Math.max(heat.max, n);
      heat.low = Math.min(heat.low, bin);
      heat.high = Math.max(heat.high, bin);
    }
  });
  if (heat.high >= 0) {
    heat.low = Math.max(0, heat.low - 1);
    heat.high = Math.min(bins - 1, heat.high + 1);
  }
  return heat;
}

export interface Frame { width: number; height: number; left: number; right: number; top: number; bottom: number }

export class Geometry {
  readonly w: number;
  readonly h: number;
  private readonly rows: number;
  constructor(readonly f: Frame, readonly heat: Heat, readonly edges: number[], readonly times: number[], readonly step: number, readonly range: [number, number]) {
    this.w = Math.max(1, f.width - f.left - f.right);
    this.h = Math.max(1, f.height - f.top - f.bottom);
    this.rows = Math.max(1, heat.high - heat.low + 1);
  }
  x(ms: number): number {
    return this.f.left + ((ms - this.range[0]) / (this.range[1] - this.range[0])) * this.w;
  }
  ms(x: number): number {
    return this.range[0] + ((x - this.f.left) / this.w) * (this.range[1] - this.range[0]);
  }
  // Bins have equal heights: their edges are spaced evenly in the scale the server chose.
  yOfBin(bin: number): number {
    return this.f.top + this.h - ((bin - this.heat.low) / this.rows) * this.h;
  }
  bin(y: number): number {
    return Math.floor(this.heat.low + ((this.f.top + this.h - y) / this.h) * this.rows);
  }
  bucket(x: number): number {
    if (this.times.length === 0) return -1;
    return Math.floor((this.ms(x) - this.times[0]!) / this.step);
  }
  inside(x: number, y: number): boolean {
    return x >= this.f.left && x < this.f.left + this.w && y >= this.f.top && y < this.f.top + this.h;
  }
  // Where a value stands on the axis; null when outside of what is shown.
  y(v: number): number | null {
    let i = this.edges.findIndex((e) => e > v) - 1;
    if (i < 0) i = v === this.edges[this.edges.length - 1] ? this.heat.bins - 1 : -1;
    if (i < this.heat.low || i > this.heat.high) return null;
    const a = this.edges[i]!;
    const b = this.edges[i + 1]!;
    const share = a > 0 ? Math.log(v / a) / Math.log(b / a) : (v - a) / (b - a);
    return this.yOfBin(i) - (share / this.rows) * this.h;
  }
}

export const shade = (n: number, max: number) =>
  (max <= 1 ? RAMP_STEPS >> 1 : Math.min(RAMP_STEPS - 1, Math.floor((Math.log(n) / Math.log(max)) * (RAMP_STEPS - 0.001))));

export function drawCells(canvas: HTMLCanvasElement, g: Geometry, theme: Theme) {
  const dpr = devicePixelRatio || 1;
  canvas.width = Math.round(g.f.width * dpr);
  canvas.height = Math.round(g.f.height * dpr);
  const c = canvas.getContext('2d')!;
  const colors = ramp(theme);
  const snap = (v: number) => Math.round(v * dpr);
  const left = snap(g.f.left);
  const right = snap(g.f.left + g.w);
  // One fillStyle per shade, not per cell.
  const byShade: Cell[][] = colors.map(() => []);
  for (const cell of g.heat.cells) byShade[shade(cell.n, g.heat.max)]!.push(cell);
  byShade.forEach((cells, i) => {
    c.fillStyle = colors[i]!;
    for (const cell of cells) {
      const t = g.times[cell.bucket]!;
      const x0 = Math.max(left, snap(g.x(t)));
      const x1 = Math.min(right, Math.max(x0 + 1, snap(g.x(t + g.step))));
      const y0 = snap(g.yOfBin(cell.bin + 1));
      const y1 = Math.max(y0 + 1, snap(g.yOfBin(cell.bin)));
      const gap = x1 - x0 > 6 * dpr && y1 - y0 > 7 * dpr ? 1 : 0;
      c.fillRect(x0, y0, x1 - x0 - gap, y1 - y0 - gap);
    }
  });
}

// Round values inside the shown bins: 1-2-5 steps, or decades when there are many.
export function ticks(g: Geometry, most: number): number[] {
  const lo = g.edges[g.heat.low] ?? 0;
  const hi = g.edges[g.heat.high + 1] ?? 0;
  if (!(hi > lo)) return [];
  const log = lo > 0 && hi / lo > 4;
  const out: number[] = [];
  if (!log) {
    const rough = (hi - lo) / most;
    const base = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((m) => m * base).find((s) => s >= rough)!;
    for (let v = Math.ceil(lo / step) * step; v <= hi; v += step) out.push(v);
    return out;
  }
  for (const marks of [[1, 2, 5], [1, 3], [1]]) {
    out.length = 0;
    for (let d = Math.floor(Math.log10(lo)); d <= Math.ceil(Math.log10(hi)); d++) {
      for (const m of marks) if (m * 10 ** d >= lo && m * 10 ** d <= hi) out.push(m * 10 ** d);
    }
    if (out.length <= most) break;
  }
  return out;
}
