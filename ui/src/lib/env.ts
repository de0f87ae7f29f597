// SPDX-License-Identifier: Apache-2.0
//
// The environment that all views see: what the address names, else the first that has rows
// ("default" before the others). Every question carries it; links keep it.

import { named } from './route';
import type { Environment } from './types';

const DEFAULT = 'default';
let chosen: string | null = null;

export const environment = (): string => named().get('env') ?? chosen ?? DEFAULT;

// Settles what addresses without an environment mean. What was chosen because it had rows stays: a
// page that is looked at does not change its subject by itself.
export function choose(list: readonly Environment[]): void {
  if (list.some((e) => e.slug === chosen && e.rows > 0)) return;
  chosen = (list.find((e) => e.slug === DEFAULT && e.rows > 0) ?? list.find((e) => e.rows > 0))?.slug ?? null;
}
