// SPDX-License-Identifier: Apache-2.0
//
// Where lines come from, by their position in the list: 0 is the first shown.
//
// Any number of lines lies on the server, a run of them here. Counts over time (the chart's) say which
// position belongs to which moment: a jump asks for the lines behind the beginning of the step that
// holds the position, and counts a crowded step again in finer steps first. From a run on, cursors lead
// to its neighbours, so that no line is left out or shown twice.
//
//   counts   |  120  |  9,400  |  33  |        ends of steps: known positions
//                     |--run--|                rows with their positions; grows at both ends

import { api } from '../lib/api';
import { cursorOf, type LogSelection } from '../lib/logs';
import { nsToMs } from '../lib/format';
import type { Row } from '../lib/types';

const PAGE = 200;
const NEAR = 2 * PAGE; // lines a run grows over rather than to be left
const WALK = 2000; // lines asked for at once to come to a position
const KEEP = 4000;
const FINEST_MS = 1;

export interface Step { from: number; to: number; n: number } // ms

export interface LineSource {
  readonly total: number;
  readonly exact: boolean; // whether positions and total are those of the moment of the question
  at(i: number): Row | undefined;
  want(from: number, to: number): void;
  indexOf(id: string): number; // -1: not here
  timeAt(i: number): number | null; // ms, about
  on(listener: (shift: number) => void): () => void; // shift: what was at i is at i + shift
}

export abstract class Told {
  private listeners = new Set<(shift: number) => void>();
  on(l: (shift: number) => void): () => void {
    this.listeners.add(l);
    return () => void this.listeners.delete(l);
  }
  protected tell(shift = 0) {
    for (const l of this.listeners) l(shift);
  }
}

export class PagedLines extends Told implements LineSource {
  total: number;
  exact = true;
  error: Error | null = null;
  examined = 0;
  private start = 0;
  private rows: Row[] = [];
  private above = false; // whether there is nothing before the run
  private below = false;
  private steps: Step[]; // in the order of the list
  private abort: AbortController | null = null;
  private asked: [number, number] | null = null;
  private gone = false;

  // `spec` has its times: the steps cover them.
  constructor(private spec: LogSelection, private asc: boolean, steps: Step[]) {
    super();
    this.steps = steps.filter((s) => s.n > 0);
    if (!asc) this.steps.reverse();
    this.total = steps.reduce((sum, s) => sum + s.n, 0);
  }

  at(i: number) {
    return this.rows[i - this.start];
  }
  indexOf(id: string) {
    const i = this.rows.findIndex((r) => r.id === id);
    return i < 0 ? -1 : this.start + i;
  }
  timeAt(i: number) {
    const row = this.at(i);
    if (row) return nsToMs(row.time_ns);
    let before = 0;
    for (const s of this.steps) {
      if (i < before + s.n) {
        const share = (i - before) / s.n;
        return this.asc ? s.from + share * (s.to - s.from) : s.to - share * (s.to - s.from);
      }
      before += s.n;
    }
    return null;
  }
  done() {
    this.gone = true;
    this.abort?.abort();
  }

  want(from: number, to: number) {
    from = Math.max(0, from);
    to = Math.min(this.total, to);
    this.asked = [from, to];
    if (!this.abort && !this.error) void this.work();
  }
  retry() {
    this.error = null;
    if (this.asked) void this.work();
  }

  // One request at a time, always for what was wanted last.
  private async work() {
    const mine = new AbortController();
    this.abort = mine;
    try {
      for (;;) {
        const next = this.next();
        if (!next) break;
        await next(mine.signal);
        if (this.gone) return;
        this.tell();
      }
    } catch (e) {
      if (!mine.signal.aborted) this.error = e as Error;
    } finally {
      this.abort = null;
      if (!this.gone) this.tell();
    }
  }

  private next(): ((signal: AbortSignal) => Promise<void>) | null {
    if (!this.asked || this.total === 0) return null;
    const [from, to] = [Math.min(this.asked[0], this.total - 1), Math.min(this.asked[1], this.total)];
    const end = this.start + this.rows.length;
    if (this.rows.length === 0 || to < this.start - NEAR || from > end + NEAR) {
      return (signal) => this.jump(from, signal);
    }
    if (to > end && !this.below) return (signal) => this.grow(false, signal);
    if (from < this.start && !this.above) return (signal) => this.grow(true, signal);
    return null;
  }

  private ask(more: object, signal: AbortSignal) {
    return api.rows({ ...this.spec, order: this.asc ? 'asc' : 'desc', limit: PAGE, ...more }, signal).then((a) => {
      this.examined = Math.max(this.examined, a.rows_examined);
      return a;
    });
  }

  private async grow(up: boolean, signal: AbortSignal) {
    const edge = up ? this.rows[0]! : this.rows[this.rows.length - 1]!;
    const a = await this.ask({ after: cursorOf(edge), order: up !== this.asc ? 'asc' : 'desc' }, signal);
    let shift = 0;
    if (up) {
      this.rows = [...a.rows.reverse(), ...this.rows].slice(0, KEEP);
      this.start -= a.rows.length;
      if (this.start + this.rows.length < this.total) this.below = false;
      this.above = a.next === null;
      if ((this.above && this.start !== 0) || this.start < 0) shift = -this.start; // lines came or went since they were counted
      this.start += shift;
    } else {
      const all = [...this.rows, ...a.rows];
      const cut = Math.max(0, all.length - KEEP);
      this.rows = all.slice(cut);
      this.start += cut;
      if (cut > 0) this.above = false;
      this.below = a.next === null;
    }
    this.settle();
    if (shift) this.tell(shift);
  }

  // What is known at an end corrects what was counted.
  private settle() {
    const end = this.start + this.rows.length;
    if (this.below && end !== this.total) {
      this.total = end;
      this.exact = false;
    } else if (!this.below && end >= this.total) this.total = end + 1;
  }

  private stepOf(i: number): [number, number] {
    let before = 0;
    for (let k = 0; k < this.steps.length; k++) {
      if (i < before + this.steps[k]!.n) return [k, before];
      before += this.steps[k]!.n;
    }
    return [this.steps.length - 1, before - (this.steps[this.steps.length - 1]?.n ?? 0)];
  }

  private bounds(s: Step): object {
    // From the step's beginning in the order of the list to the end of all.
    return this.asc ? { ...this.spec, start_time: s.from / 1e3 } : { ...this.spec, end_time: s.to / 1e3 };
  }

  // Counts a crowded step again in finer ones.
  private async refine(k: number, signal: AbortSignal): Promise<boolean> {
    const s = this.steps[k]!;
    const step = Math.max(FINEST_MS, nice((s.to - s.from) / 100));
    if (s.to - s.from <= FINEST_MS || step >= s.to - s.from) return false;
    const r = await api.query({ ...this.spec, start_time: s.from / 1e3, end_time: s.to / 1e3, calculations: [{ op: 'COUNT' }], granularity: step / 1e3 }, signal);
    const finer = stepsOf(r.times_ms, r.granularity_ms, (r.totals.series?.[0] ?? []).map(Number), s.from, s.to).filter((x) => x.n > 0);
    if (finer.length === 0) return false;
    if (!this.asc) finer.reverse();
    this.steps.splice(k, 1, ...finer);
    return finer.length > 1 || finer[0]!.to - finer[0]!.from < s.to - s.from;
  }

  private async jump(i: number, signal: AbortSignal) {
    let [k, before] = this.stepOf(i);
    while (i - before > WALK && this.steps[k]!.n > WALK && (await this.refine(k, signal))) [k, before] = this.stepOf(i);
    let rows: Row[] = [];
    let start = before;
    let next: string | null = null;
    let first = true;
    for (;;) {
      const left = i - start;
      const a: { rows: Row[]; next: string | null } = await this.ask({ ...this.bounds(this.steps[k]!), limit: Math.min(WALK, left + PAGE), ...(next && { after: next }) }, signal);
      next = a.next;
      if (start + a.rows.length > i || next === null) {
        rows = a.rows;
        break;
      }
      start += a.rows.length;
      first = false;
    }
    if (rows.length === 0) { // they have gone since they were counted
      this.total = Math.max(0, Math.min(start, this.total - 1));
      this.exact = false;
      return;
    }
    this.rows = rows;
    this.start = start;
    this.above = first && start === 0;
    this.below = next === null;
    this.settle();
  }

  // The position of a row: its step is counted finely enough to ask for all of it before it.
  async locate(row: { id: string; time_ns: string }): Promise<number> {
    const signal = new AbortController().signal;
    const ms = nsToMs(row.time_ns);
    const find = () => this.steps.findIndex((s) => ms >= s.from && ms < s.to);
    let k = find();
    if (k < 0) return -1;
    while (this.steps[k]!.n > WALK && (await this.refine(k, signal))) k = find();
    let before = this.steps.slice(0, k).reduce((sum, s) => sum + s.n, 0);
    let next: string | null = null;
    do {
      const a: { rows: Row[]; next: string | null } = await this.ask({ ...this.bounds(this.steps[k]!), limit: WALK, ...(next && { after: next }) }, signal);
      const at = a.rows.findIndex((r) => r.id === row.id);
      if (at >= 0) return before + at;
      before += a.rows.length;
      next = a.next;
      if (a.rows.length && (this.asc ? nsToMs(a.rows[a.rows.length - 1]!.time_ns) > ms : nsToMs(a.rows[a.rows.length - 1]!.time_ns) < ms)) break;
    } while (next);
    return -1;
  }
}

// The page's ladder of steps is the server's: the next one at or above ms.
const LADDER = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 10e3, 15e3, 30e3, 60e3, 300e3, 900e3, 3600e3, 6 * 3600e3, 86400e3];
const nice = (ms: number) => LADDER.find((s) => s >= ms) ?? LADDER[LADDER.length - 1]!;

// Buckets as steps inside [from, to).
export function stepsOf(times: number[], step: number, counts: number[], from: number, to: number): Step[] {
  return times.map((t, i) => ({ from: Math.max(t, from), to: Math.min(t + step, to), n: counts[i] || 0 }));
}
