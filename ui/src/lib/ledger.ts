// SPDX-License-Identifier: Apache-2.0
// The ledger's numbers as pictures and words.

import type { LedgerAnswer, LedgerSeries, LedgerTotals } from './types';

export const rejectedOf = (t: LedgerTotals) => Object.values(t.rejected).reduce((a, b) => a + b, 0);

// What does not add up, on either side; 0 when everything is accounted for.
export const differenceOf = (t: LedgerTotals) => Math.abs(t.difference) + Math.abs(t.store_difference);

export interface Bar { stored: number; rejected: number; other: number; wrong: boolean }

// One bar a stretch of `bars` equal ones; steps of the answer are finer than bars or as wide.
export function barsOf(a: LedgerAnswer, s: LedgerSeries, bars: number): Bar[] {
  const out = Array.from({ length: bars }, (): Bar => ({ stored: 0, rejected: 0, other: 0, wrong: false }));
  const from = Math.floor(a.start_s / a.step_s) * a.step_s;
  const wide = Math.max(a.end_s - from, a.step_s) / bars;
  s.start_s.forEach((start, i) => {
    const bar = out[Math.min(bars - 1, Math.max(0, Math.floor((start - from) / wide)))]!;
    bar.stored += s.stored[i]!;
    bar.rejected += s.rejected[i]!;
    bar.other += s.received[i]! - s.stored[i]! - s.rejected[i]!;
    bar.wrong ||= s.difference[i] !== 0 || s.store_difference[i] !== 0;
  });
  return out;
}

// "2 more stored than received" and the like.
export function differenceText(t: LedgerTotals): string {
  const parts: string[] = [];
  if (t.difference !== 0) parts.push(`${Math.abs(t.difference)} of what was received`);
  if (t.store_difference !== 0) parts.push(`${Math.abs(t.store_difference)} of what was stored`);
  return parts.join(', ');
}
