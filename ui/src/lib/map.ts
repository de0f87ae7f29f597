// SPDX-License-Identifier: Apache-2.0
//
// The service map as plain data: what the server draws, where it stands, what a click asks for.
//
// Layout, left to right: back edges of a depth-first walk are put aside, a node stands one column
// behind its furthest caller, columns are ordered by the mean place of their neighbours in a few
// sweeps, and a column that is too tall goes on in the next. The same graph always looks the same.

import type { Filter } from './types';

export type Bin = [lo: number, hi: number, count: number];
export interface MapStats { count: number; faults: number; throttles: number; errors: number; total_ms: number; histogram: Bin[] }
export interface MapNode extends MapStats {
  name: string; type: string; account: string; kind: 'service' | 'client' | 'inferred'; root: boolean;
  filters: { column: string; value: string }[];
}
export interface MapEdge extends MapStats { from: number; to: number }
export interface MapAnswer {
  nodes: MapNode[]; edges: MapEdge[]; start_ms: number; end_ms: number;
  rows_examined: number; elapsed_ms: number; complete: boolean; estimated: boolean; cut: boolean;
}

export interface Place { x: number; y: number }
export interface Layout { places: Place[]; width: number; height: number; columns: number }

export const COLUMN = 190;
export const ROW = 96;

// Edges that close a cycle, found in the nodes' order.
function backEdges(n: number, out: number[][]): Set<string> {
  const state = new Uint8Array(n);
  const back = new Set<string>();
  for (let root = 0; root < n; root++) {
    if (state[root]) continue;
    const path: [number, number][] = [[root, 0]];
    state[root] = 1;
    while (path.length) {
      const top = path[path.length - 1]!;
      const next = out[top[0]]![top[1]++];
      if (next === undefined) {
        state[top[0]] = 2;
        path.pop();
      } else if (state[next] === 1) back.add(`${top[0]} ${next}`);
      else if (!state[next]) {
        state[next] = 1;
        path.push([next, 0]);
      }
    }
  }
  return back;
}

function layersOf(n: number, out: number[][], order: number[]): number[] {
  const back = backEdges(n, order.map((_, i) => out[i]!));
  const layer = new Array<number>(n).fill(0);
  const waiting = new Array<number>(n).fill(0);
  for (let i = 0; i < n; i++) for (const j of out[i]!) if (!back.has(`${i} ${j}`)) waiting[j]!++;
  const ready = order.filter((i) => waiting[i] === 0);
  while (ready.length) {
    const i = ready.shift()!;
    for (const j of out[i]!) {
      if (back.has(`${i} ${j}`)) continue;
      layer[j] = Math.max(layer[j]!, layer[i]! + 1);
      if (--waiting[j]! === 0) ready.push(j);
    }
  }
  return layer;
}

// Few sweeps of the mean of the neighbours' places.
function orderColumns(columns: number[][], out: number[][], into: number[][]) {
  const at: number[] = [];
  const settle = () => columns.forEach((c) => c.forEach((i, k) => (at[i] = (k + 0.5) / c.length)));
  settle();
  for (let sweep = 0; sweep < 6; sweep++) {
    const near = sweep % 2 ? out : into;
    for (const c of columns) {
      const mean = new Map(c.map((i) => [i, near[i]!.length ? near[i]!.reduce((s, j) => s + at[j]!, 0) / near[i]!.length : at[i]!]));
      c.sort((a, b) => mean.get(a)! - mean.get(b)! || a - b);
    }
    settle();
  }
}

export function layout(nodes: MapNode[], edges: { from: number; to: number }[]): Layout {
  const n = nodes.length;
  const out: number[][] = nodes.map(() => []);
  const into: number[][] = nodes.map(() => []);
  for (const e of edges) {
    if (e.from === e.to) continue;
    out[e.from]!.push(e.to);
    into[e.to]!.push(e.from);
  }
  const rank = (i: number) => (nodes[i]!.kind === 'client' ? 0 : nodes[i]!.root ? 1 : 2);
  const order = nodes.map((_, i) => i).sort((a, b) => rank(a) - rank(b) || a - b);
  const layer = layersOf(n, out, order);
  const tallest = Math.max(6, Math.ceil(Math.sqrt(n) * 1.05));
  const byLayer: number[][] = [];
  for (const i of order) (byLayer[layer[i]!] ??= []).push(i);
  const whole = byLayer.filter(Boolean);
  orderColumns(whole, out, into);
  const columns: number[][] = [];
  for (const c of whole) {
    const parts = Math.ceil(c.length / tallest);
    const size = Math.ceil(c.length / parts);
    for (let k = 0; k < parts; k++) columns.push(c.slice(k * size, (k + 1) * size));
  }
  const rows = Math.max(1, ...columns.map((c) => c.length));
  const places: Place[] = [];
  columns.forEach((c, x) => c.forEach((i, y) => {
    // Every second column half a row lower: fewer edges behind nodes.
    places[i] = { x: (x + 0.5) * COLUMN, y: (y + 0.5 + (rows - c.length) / 2 + (x % 2 && c.length === rows && rows > 2 ? 0.5 : 0)) * ROW };
  }));
  return { places, width: columns.length * COLUMN, height: (rows + (rows > 2 ? 0.5 : 0)) * ROW, columns: columns.length };
}

export const nodeKey = (n: MapNode) => `n:${n.kind}:${n.name}:${n.type}`;
export const edgeKey = (nodes: MapNode[], e: MapEdge) => `e:${nodeKey(nodes[e.from]!)}>${nodeKey(nodes[e.to]!)}`;

// Nodes whose name has the text, in any case; clients are found by whom they call.
export function found(nodes: MapNode[], text: string): number[] {
  const what = text.trim().toLowerCase();
  return nodes.flatMap((n, i) => (what && (n.name.toLowerCase().includes(what) || n.type.toLowerCase().includes(what)) ? [i] : []));
}

export const average = (s: MapStats) => (s.count ? s.total_ms / s.count : 0);
export const share = (s: MapStats, of: number) => (s.count ? of / s.count : 0);

// Of a histogram; within a bin durations are taken for even.
export function quantile(bins: Bin[], q: number): number | null {
  const total = bins.reduce((s, b) => s + b[2], 0);
  let left = q * total;
  for (const [lo, hi, n] of bins) {
    if (left <= n) return lo + (hi - lo) * (n ? left / n : 0);
    left -= n;
  }
  return bins.length ? bins[bins.length - 1]![1] : null;
}

export type Health = 'fault' | 'error' | 'throttle' | 'ok';
// What colours a node: the worst that at least one in a hundred requests ends with, else its most.
export function health(s: MapStats): Health {
  if (share(s, s.faults) >= 0.01) return 'fault';
  if (share(s, s.errors) >= 0.01) return 'error';
  if (share(s, s.throttles) >= 0.01) return 'throttle';
  return 'ok';
}

export function ringOf(s: MapStats): { health: Health; from: number; to: number }[] {
  if (!s.count) return [];
  let at = 0;
  const parts: [Health, number][] = [['fault', s.faults], ['error', s.errors], ['throttle', s.throttles], ['ok', s.count - s.faults - s.errors - s.throttles]];
  return parts.filter(([, n]) => n > 0).map(([h, n]) => {
    // A sliver must be seen: at least one part in sixty of the ring.
    const from = at;
    at += n / s.count;
    return { health: h, from, to: Math.max(at, Math.min(1, from + 1 / 60)) };
  });
}

const is = (column: string, value: string): Filter => ({ column, op: '=', value });

// The filters that find the traces of a node, or of an edge; durations in ms.
export function tracesOf(nodes: MapNode[], what: MapNode | MapEdge, range?: [number, number]): Filter[] {
  const edge = 'from' in what ? what : null;
  const node = edge ? nodes[edge.to]! : (what as MapNode);
  const from = edge ? nodes[edge.from]! : null;
  const list: Filter[] = [];
  let duration = 'duration_ms';
  if (node.kind === 'inferred') {
    if (from) list.push(is('service.name', from.name));
    list.push(...node.filters.map((f) => is(f.column, f.value)));
  } else {
    list.push(is('service.name', node.name));
    if (from?.kind === 'client') list.push({ column: 'is_root', op: '=', value: true });
    else if (from) {
      list.push(is('parent.service.name', from.name));
      duration = 'parent.duration_ms';
    } else if (range && node.kind === 'service') list.push({ column: 'span.kind', op: 'in', value: ['server', 'consumer'] });
  }
  if (range) list.push({ column: duration, op: '>=', value: range[0] }, { column: duration, op: '<=', value: range[1] });
  return list;
}
