// SPDX-License-Identifier: Apache-2.0
// Where a time axis has its marks: at round times of the reader's clock or of UTC, the same in every chart.

import { clock, dateTime } from './format';

const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500].concat([1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800].map((s) => s * 1e3));
const ROOM = 90;

const stepOf = (span: number, width: number) => STEPS.find((s) => span / s <= Math.max(2, width / ROOM)) ?? STEPS[STEPS.length - 1]!;

// What turns an instant into one whose local time reads as its UTC time.
export const toUtc = (ms: number, utc: boolean | undefined) => (utc ? ms + new Date(ms).getTimezoneOffset() * 60e3 : ms);

export function timeTicks(from: number, to: number, width: number, utc?: boolean): number[] {
  const step = stepOf(to - from, width);
  const offset = utc ? 0 : new Date(from).getTimezoneOffset() * 60e3;
  const out: number[] = [];
  for (let t = Math.ceil((from - offset) / step) * step + offset; t < to; t += step) out.push(t);
  return out;
}

export function timeLabel(at: number, from: number, to: number, width: number, utc?: boolean): string {
  const t = toUtc(at, utc);
  const step = stepOf(to - from, width);
  if (to - from > 36 * 3600e3) return dateTime(t).slice(0, -3);
  return step >= 60e3 ? clock(t).slice(0, 5) : clock(t, step < 1000 ? 3 : 0);
}
