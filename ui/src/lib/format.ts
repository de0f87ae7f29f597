// SPDX-License-Identifier: Apache-2.0
// Numbers, times and values as people read them.

import type { Value } from './types';

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

export const count = (n: number) => whole.format(n);

// Three significant digits, no exponent, no trailing zeros.
export function short(n: number): string {
  if (n === 0) return '0';
  const a = Math.abs(n);
  if (a >= 1e15 || a < 1e-6) return n.toExponential(1);
  const digits = Math.max(0, Math.min(8, 2 - Math.floor(Math.log10(a))));
  return String(Number(n.toFixed(digits)));
}

export function si(n: number): string {
  const a = Math.abs(n);
  for (const [size, unit] of [[1e12, 'T'], [1e9, 'G'], [1e6, 'M'], [1e3, 'k']] as const) {
    if (a >= size * 0.9995) return short(n / size) + unit;
  }
  return short(n);
}

const DURATION: [number, string][] = [[86400e3, 'd'], [3600e3, 'h'], [60e3, 'min'], [1e3, 's'], [1, 'ms'], [1e-3, 'µs'], [1e-6, 'ns']];

export function duration(ms: number): string {
  if (ms === 0) return '0 ms';
  const a = Math.abs(ms);
  const [size, unit] = DURATION.find(([s]) => a >= s * 0.9995) ?? DURATION[DURATION.length - 1]!;
  return `${short(ms / size)} ${unit}`;
}

export function bytes(n: number): string {
  for (const [size, unit] of [[2 ** 40, 'TiB'], [2 ** 30, 'GiB'], [2 ** 20, 'MiB'], [2 ** 10, 'KiB']] as const) {
    if (Math.abs(n) >= size) return `${short(n / size)} ${unit}`;
  }
  return `${n} B`;
}

export const percent = (share: number) => (share > 0 && share < 0.0005 ? '<0.1%' : `${short(Math.round(share * 1000) / 10)}%`);

export type Unit = 'ms' | 's' | 'ns' | 'us' | 'bytes' | '';

// The unit a field's name promises.
export function unitOf(field: string | null | undefined): Unit {
  const m = /(?:^|[._])(ms|ns|us|bytes|seconds)$/.exec(field ?? '');
  if (!m) return '';
  return m[1] === 'seconds' ? 's' : (m[1] as Unit);
}

const MS: Record<string, number> = { ms: 1, s: 1e3, ns: 1e-6, us: 1e-3 };

export function withUnit(n: number, unit: Unit): string {
  if (unit === 'bytes') return bytes(n);
  return unit === '' ? si(n) : duration(n * MS[unit]!);
}

// A result's cell: counts in full, anything with a unit in that unit.
export function calcValue(n: number | null | undefined, op: string | undefined, field: string | null | undefined): string {
  if (n === null || n === undefined) return '–';
  if (op === 'COUNT' || op === 'COUNT_DISTINCT') return count(n);
  const unit = op === 'CONCURRENCY' ? '' : unitOf(field);
  return unit ? withUnit(n, unit) : Number.isInteger(n) ? count(n) : short(n);
}

export function value(v: Value | undefined): string {
  if (v === null || v === undefined) return '–';
  if (Array.isArray(v)) return `[${v.map(value).join(', ')}]`;
  if (typeof v === 'object') return 'int' in v ? v.int : 'double' in v ? v.double : `0x${base64Hex(v.bytes)}`;
  return String(v);
}

function base64Hex(s: string): string {
  return Array.from(atob(s), (c) => c.charCodeAt(0).toString(16).padStart(2, '0')).join('');
}

export const nsToMs = (ns: string) => Number(BigInt(ns) / 1000n) / 1e3;

// Nanoseconds since 1970 as files have times, none of them lost.
export const isoNs = (ns: string) => `${new Date(nsToMs(ns)).toISOString().slice(0, 19)}.${ns.padStart(9, '0').slice(-9)}Z`;

const two = (n: number) => String(n).padStart(2, '0');

export function clock(ms: number, digits = 0): string {
  const d = new Date(ms);
  const base = `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
  return digits ? `${base}.${String(Math.floor(ms % 1000)).padStart(3, '0')}` : base;
}

const MONTH = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

export function day(ms: number): string {
  const d = new Date(ms);
  return `${MONTH[d.getMonth()]} ${d.getDate()}`;
}

export const dateTime = (ms: number, digits = 0) => `${day(ms)} ${clock(ms, digits)}`;

export function ago(ms: number, now: number): string {
  const s = Math.max(0, (now - ms) / 1e3);
  if (s < 1.5) return 'just now';
  if (s < 90) return `${Math.round(s)} s ago`;
  if (s < 5400) return `${Math.round(s / 60)} min ago`;
  return s < 129600 ? `${Math.round(s / 3600)} h ago` : `${Math.round(s / 86400)} d ago`;
}
