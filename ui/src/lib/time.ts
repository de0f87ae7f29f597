// SPDX-License-Identifier: Apache-2.0
//
// The time range every view shares: ?t=2h (relative to now) or ?from=..&to=.. (unix seconds).

import { named, patch, route, setDefaultRange } from './route';
import { dateTime, day, clock, duration, nsToMs } from './format';
import type { Span } from './types';

export interface TimeRange { relative: number | null; from: number; to: number }

const UNIT: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86400, w: 604800 };

export const PRESETS: [string, string][] = [
  ['1m', '1 minute'], ['5m', '5 minutes'], ['15m', '15 minutes'], ['1h', '1 hour'], ['2h', '2 hours'], ['6h', '6 hours'],
  ['24h', '24 hours'], ['3d', '3 days'], ['7d', '7 days'], ['30d', '30 days'],
];

export function seconds(text: string): number | null {
  const m = /^(\d+(?:\.\d+)?)\s*([smhdw])$/.exec(text.trim());
  return m ? Number(m[1]) * UNIT[m[2]!]! : null;
}

// 7200 -> "2h".
export function spanText(s: number): string {
  const [unit, size] = Object.entries(UNIT).reverse().find(([, n]) => s % n === 0 && s >= n) ?? ['s', 1];
  return `${s / size}${unit}`;
}

export function rangeOf(params: URLSearchParams): TimeRange {
  const from = Number(params.get('from'));
  const to = Number(params.get('to'));
  if (from > 0 && to > from) return { relative: null, from, to };
  const s = seconds(params.get('t') ?? '') ?? 3600;
  const now = Date.now() / 1e3;
  return { relative: s, from: now - s, to: now };
}

// What a request carries; a relative range is resolved by the server's clock.
export function spanOf(r: TimeRange): Span {
  return r.relative !== null ? { time_range: r.relative } : { start_time: r.from, end_time: r.to };
}

export function label(r: TimeRange): string {
  if (r.relative !== null) {
    const known = PRESETS.find(([t]) => seconds(t) === r.relative);
    return `Last ${known ? known[1] : duration(r.relative * 1e3)}`;
  }
  const same = day(r.from * 1e3) === day(r.to * 1e3);
  return `${dateTime(r.from * 1e3)} – ${same ? clock(r.to * 1e3) : dateTime(r.to * 1e3)}`;
}

// The smallest of these that holds all there is: charts of a young store are not an empty hour.
const YOUNG = ['1m', '5m', '15m'];

export function fitting(ageSeconds: number): string {
  return YOUNG.find((t) => ageSeconds <= seconds(t)!) ?? '1h';
}

// A store without a row has its first row still to come.
export function fitDefault(status: { oldest_ns: string | null; now_ns: string }) {
  setDefaultRange(fitting(status.oldest_ns === null ? 0 : (nsToMs(status.now_ns) - nsToMs(status.oldest_ns)) / 1e3));
}

export const namesRange = () => named().has('t') || named().has('from');

export const setRelative = (t: string) => patch({ t, from: null, to: null });

const fixed = (s: number) => String(Number(s.toFixed(3)));

export function setAbsolute(from: number, to: number, zoom = false) {
  const span = Math.max(to - from, 0.002);
  patch({ t: null, from: fixed(from), to: fixed(from + span) }, { zoom });
}

// Back out of a zoom: the previous history entry if a zoom made this one, else twice the range.
export function zoomOut() {
  if ((history.state as { zoom?: boolean } | null)?.zoom) {
    history.back();
    return;
  }
  const r = rangeOf(route().params);
  const half = (r.to - r.from) / 2;
  setAbsolute(r.from - half, Math.min(r.to + half, Math.max(Date.now() / 1e3, r.to)));
}
