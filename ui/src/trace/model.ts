// SPDX-License-Identifier: Apache-2.0
//
// A trace as arrays in tree order (a row's descendants follow it directly). Everything here is a
// loop over indexes: 100,000 rows and 10,000 levels are ordinary.

import type { TraceAnswer } from '../lib/types';

export class Trace {
  readonly n: number;
  readonly parent: Int32Array;
  readonly depth: Int32Array;
  // Subtree of i = rows [i, end[i]).
  readonly end: Int32Array;
  readonly start: Float64Array; // ns since the trace's start
  readonly stop: Float64Array;
  // What the subtree of i covers in time.
  readonly low: Float64Array;
  readonly high: Float64Array;
  // Time of a span in which none of its child spans ran.
  readonly own: Float64Array;
  readonly error: Uint8Array;
  // Failed rows in the subtree, the row itself excluded.
  readonly failedBelow: Int32Array;
  readonly children: Int32Array;
  // Position of a row of the answer, for indexes the server gives.
  readonly position: Int32Array;
  readonly from: number;
  readonly to: number;
  readonly kinds: Record<string, number> = {};
  readonly errors: number[] = [];
  readonly marks = new Map<number, number[]>();
  readonly maxDepth: number;
  private readonly order: Int32Array;

  constructor(readonly answer: TraceAnswer) {
    const r = answer.rows;
    const n = (this.n = r.id.length);
    this.order = treeOrder(r.parent, n);
    this.position = new Int32Array(n);
    for (let i = 0; i < n; i++) this.position[this.order[i]!] = i;
    this.parent = new Int32Array(n);
    this.depth = new Int32Array(n);
    this.start = new Float64Array(n);
    this.stop = new Float64Array(n);
    this.error = new Uint8Array(n);
    this.children = new Int32Array(n);
    let from = Infinity;
    let to = -Infinity;
    let deepest = 0;
    for (let i = 0; i < n; i++) {
      const o = this.order[i]!;
      const up = r.parent[o]!;
      const p = (this.parent[i] = up >= 0 && up < n && this.position[up]! < i ? this.position[up]! : -1);
      this.depth[i] = p < 0 ? 0 : this.depth[p]! + 1;
      if (this.depth[i]! > deepest) deepest = this.depth[i]!;
      if (p >= 0) this.children[p]!++;
      this.start[i] = Number(r.offset_ns[o]);
      this.stop[i] = this.start[i]! + Math.max(0, Number(r.duration_ns[o]));
      from = Math.min(from, this.start[i]!);
      to = Math.max(to, this.stop[i]!);
      const kind = r.kind[o]!;
      this.kinds[kind] = (this.kinds[kind] ?? 0) + 1;
      if (r.error[o]) {
        this.error[i] = 1;
        if (kind === 'span') this.errors.push(i);
      }
      if (kind !== 'span' && p >= 0) {
        const list = this.marks.get(p);
        if (list) list.push(i);
        else this.marks.set(p, [i]);
      }
    }
    this.maxDepth = deepest;
    this.from = n ? from : 0;
    this.to = n ? Math.max(to, from + 1) : 1;
    this.end = new Int32Array(n);
    this.low = this.start.slice();
    this.high = this.stop.slice();
    this.failedBelow = new Int32Array(n);
    this.gather();
    this.own = this.ownTimes();
  }

  // Children come in order of start: each covers of its parent what no earlier sibling covered.
  private ownTimes(): Float64Array {
    const own = new Float64Array(this.n);
    const reach = this.start.slice();
    for (let i = 0; i < this.n; i++) {
      if (this.kind(i) !== 'span') continue;
      own[i]! += this.duration(i);
      const p = this.parent[i]!;
      if (p < 0) continue;
      const b = Math.min(this.stop[p]!, this.stop[i]!);
      const a = Math.max(reach[p]!, this.start[i]!);
      if (b <= a) continue;
      own[p]! -= b - a;
      reach[p] = b;
    }
    return own;
  }

  // Children before parents: every index sums up into its parent once.
  private gather() {
    for (let i = this.n - 1; i >= 0; i--) {
      if (this.end[i]! === 0) this.end[i] = i + 1;
      const p = this.parent[i]!;
      if (p < 0) continue;
      if (this.end[p]! < this.end[i]!) this.end[p] = this.end[i]!;
      if (this.low[i]! < this.low[p]!) this.low[p] = this.low[i]!;
      if (this.high[i]! > this.high[p]!) this.high[p] = this.high[i]!;
      this.failedBelow[p]! += this.failedBelow[i]! + this.error[i]!;
    }
  }

  id = (i: number) => this.answer.rows.id[this.order[i]!]!;
  kind = (i: number) => this.answer.rows.kind[this.order[i]!]!;
  name = (i: number) => this.answer.rows.name[this.order[i]!]!;
  summary = (i: number) => this.answer.rows.summary[this.order[i]!]!;
  spanId = (i: number) => this.answer.rows.span_id[this.order[i]!]!;
  spanKind = (i: number) => this.answer.rows.span_kind[this.order[i]!]!;
  serviceIndex = (i: number) => this.answer.rows.service[this.order[i]!]!;
  service = (i: number) => this.answer.services[this.serviceIndex(i)] ?? '';
  duration = (i: number) => this.stop[i]! - this.start[i]!;

  bySpan(spanId: string): number {
    const o = this.answer.rows.span_id.findIndex((s, i) => s === spanId && this.answer.rows.kind[i] === 'span');
    return o < 0 ? -1 : this.position[o]!;
  }

  byRow(rowId: string): number {
    const o = this.answer.rows.id.indexOf(rowId);
    return o < 0 ? -1 : this.position[o]!;
  }

  // Rows to show, in order: without what is inside a collapsed row and without hidden kinds.
  visible(collapsed: ReadonlySet<number>, hidden: ReadonlySet<string>): Int32Array {
    const out = new Int32Array(this.n);
    let m = 0;
    for (let i = 0; i < this.n;) {
      const hide = hidden.size > 0 && hidden.has(this.kind(i));
      if (!hide) out[m++] = i;
      i = collapsed.has(i) ? this.end[i]! : i + 1;
    }
    return out.subarray(0, m);
  }

  // Rows whose name or summary has the text.
  find(text: string): number[] {
    const t = text.toLowerCase();
    const out: number[] = [];
    for (let i = 0; i < this.n; i++) {
      if (this.name(i).toLowerCase().includes(t) || this.summary(i).toLowerCase().includes(t) || this.spanId(i) === t) out.push(i);
    }
    return out;
  }
}

// The order of the answer if it is tree order already, else the one it should have. Rows that claim a
// parent after themselves or a cycle become roots.
export function treeOrder(parent: number[], n: number): Int32Array {
  const order = new Int32Array(n);
  for (let i = 0; i < n; i++) order[i] = i;
  if (inTreeOrder(parent, n)) return order;
  const first = new Int32Array(n).fill(-1);
  const next = new Int32Array(n).fill(-1);
  for (let i = n - 1; i >= 0; i--) {
    const p = parent[i]!;
    if (p < 0 || p >= i) continue;
    next[i] = first[p]!;
    first[p] = i;
  }
  const stack: number[] = [];
  let m = 0;
  for (let root = 0; root < n; root++) {
    const p = parent[root]!;
    if (p >= 0 && p < root) continue;
    stack.push(root);
    while (stack.length) {
      const i = stack.pop()!;
      order[m++] = i;
      const kids: number[] = [];
      for (let c = first[i]!; c >= 0; c = next[c]!) kids.push(c);
      for (let k = kids.length - 1; k >= 0; k--) stack.push(kids[k]!);
    }
  }
  return order;
}

function inTreeOrder(parent: number[], n: number): boolean {
  const path: number[] = [];
  for (let i = 0; i < n; i++) {
    const p = parent[i]!;
    if (p >= i) return false;
    while (path.length && path[path.length - 1] !== p) path.pop();
    if (p >= 0 && path.length === 0) return false;
    path.push(i);
  }
  return true;
}
