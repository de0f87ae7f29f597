// SPDX-License-Identifier: Apache-2.0
//
// Lines as they come, kept here: the newest KEEP of them. While it is paused they gather behind the
// list, counted. The rate is that of the last seconds, what was skipped included.

import { api } from '../lib/api';
import { LOGS, type LogSelection } from '../lib/logs';
import { nsToMs } from '../lib/format';
import type { Row } from '../lib/types';
import { Told, type LineSource } from './source';

const KEEP = 20000;
const SHOW_MS = 100;
const RATE_S = 5;

export class TailLines extends Told implements LineSource {
  readonly exact = true;
  error: Error | null = null;
  skipped = 0;
  dropped = 0; // older ones, for the newest
  paused = false;
  private rows: Row[] = []; // oldest first
  private held: Row[] = [];
  private seconds: number[] = []; // [second, lines] by turns, the last RATE_S of them
  private abort = new AbortController();
  private timer: ReturnType<typeof setInterval>;
  private fresh: Row[] = [];

  constructor(private spec: LogSelection, private asc: boolean) {
    super();
    const which = { ...spec };
    delete which.start_time;
    delete which.end_time;
    delete which.time_range;
    api.follow(which, this.abort.signal, (r) => this.came(r), (n) => this.lost(n)).then(
      () => this.fail(new Error('the server ended the tail')),
      (e: Error) => this.fail(e),
    );
    this.timer = setInterval(() => this.show(), SHOW_MS);
  }

  // The last lines of before, so that the list does not begin empty.
  async begin() {
    const a = await api.rows({ ...this.spec, filters: this.spec.filters ?? [LOGS], order: 'desc', limit: 200 }, this.abort.signal);
    const have = new Set(this.rows.map((r) => r.id));
    this.rows = [...a.rows.reverse().filter((r) => !have.has(r.id)), ...this.rows];
    this.tell();
  }

  get total() {
    return this.rows.length;
  }
  get waiting() {
    return this.held.length;
  }
  at(i: number) {
    return this.rows[this.asc ? i : this.rows.length - 1 - i];
  }
  want() {
    // All there is is here.
  }
  indexOf(id: string) {
    const i = this.rows.findIndex((r) => r.id === id);
    return i < 0 || this.asc ? i : this.rows.length - 1 - i;
  }
  timeAt(i: number) {
    const row = this.at(i);
    return row ? nsToMs(row.time_ns) : null;
  }
  rate(): number {
    const now = Date.now() / 1e3;
    return this.seconds.filter((_, i) => i % 2 === 1 && now - this.seconds[i - 1]! <= RATE_S + 1 && Math.floor(now) !== this.seconds[i - 1]).reduce((a, b) => a + b, 0) / RATE_S;
  }
  pause(on: boolean) {
    this.paused = on;
    if (!on) {
      this.fresh.unshift(...this.held);
      this.held = [];
    }
    this.show(true);
  }
  clear() {
    this.rows = [];
    this.dropped = 0;
    this.tell();
  }
  done() {
    this.abort.abort();
    clearInterval(this.timer);
  }

  private count(n: number) {
    const s = Math.floor(Date.now() / 1e3);
    if (this.seconds[this.seconds.length - 2] === s) this.seconds[this.seconds.length - 1]! += n;
    else this.seconds.push(s, n);
    if (this.seconds.length > 2 * (RATE_S + 2)) this.seconds.splice(0, 2);
  }
  private came(r: Row) {
    this.count(1);
    if (!this.paused) this.fresh.push(r);
    else {
      this.held.push(r);
      if (this.held.length > KEEP) {
        this.held.shift();
        this.dropped++;
      }
    }
  }
  private lost(n: number) {
    this.count(n);
    this.skipped += n;
  }
  private fail(e: Error) {
    if (this.abort.signal.aborted) return;
    this.error = e;
    this.tell();
  }
  private show(always = false) {
    const n = this.fresh.length;
    if (n === 0) {
      if (always) this.tell();
      return;
    }
    // They come in the order of their arrival; a batch is put in that of its times.
    this.fresh.sort((a, b) => (a.time_ns.length - b.time_ns.length) || (a.time_ns < b.time_ns ? -1 : a.time_ns > b.time_ns ? 1 : 0));
    this.rows.push(...this.fresh);
    this.fresh = [];
    const over = Math.max(0, this.rows.length - KEEP);
    if (over) {
      this.rows.splice(0, over);
      this.dropped += over;
    }
    this.tell(this.asc ? -over : n);
  }
}
