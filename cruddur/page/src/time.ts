// SPDX-License-Identifier: Apache-2.0
// "3 h", "2 d": how far a moment is from now. Times without an offset are UTC.

const UNITS: [number, string][] = [[86400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']];

export function ago(iso: string): string {
  const utc = /[+-]\d\d:\d\d$|Z$/.test(iso) ? iso : `${iso}Z`;
  const seconds = Math.max(0, (Date.now() - Date.parse(utc)) / 1000);
  const [size, unit] = UNITS.find(([s]) => seconds >= s) ?? [1, 's'];
  return `${Math.floor(seconds / size)} ${unit}`;
}
