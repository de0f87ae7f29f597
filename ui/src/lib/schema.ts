// SPDX-License-Identifier: Apache-2.0
// What fields and values there are, remembered for half a minute: completion asks at each keystroke.

import { api, computedField } from './api';
import { environment } from './env';
import { parseNamed } from './query';
import { relationOf } from './relation';
import { rangeOf } from './time';
import { route } from './route';
import type { Field, Value } from './types';

const KEEP_MS = 30e3;
const cache = new Map<string, { at: number; answer: Promise<unknown> }>();

function remembered<T>(what: string, ask: () => Promise<T>): Promise<T> {
  const key = `${environment()} ${what}`;
  const hit = cache.get(key);
  if (hit && Date.now() - hit.at < KEEP_MS) return hit.answer as Promise<T>;
  const answer = ask();
  cache.set(key, { at: Date.now(), answer });
  answer.catch(() => cache.delete(key));
  if (cache.size > 200) cache.delete(cache.keys().next().value!);
  return answer;
}

function range() {
  const r = rangeOf(route().params);
  const round = (s: number) => Math.floor(s / 30) * 30;
  return { dataset: route().params.get('ds') ?? undefined, start: round(r.from), end: round(r.to) + 30 };
}

export async function fields(): Promise<Field[]> {
  const r = range();
  const stored = await remembered(`f ${JSON.stringify(r)}`, () => api.fields(r));
  return [...calculated(), ...stored];
}

// Fields that the question computes.
function calculated(): Field[] {
  return route().params.getAll('cf').flatMap((text) => {
    try {
      return [computedField(parseNamed(text).name)];
    } catch {
      return [];
    }
  });
}

export const functions = () => remembered('functions', () => api.functions().then((a) => a.functions));

export function values(field: string, prefix: string): Promise<{ value: Value; rows: number }[]> {
  const r = range();
  return remembered(`v ${field} ${prefix} ${JSON.stringify(r)}`, () => api.values(field, prefix, r).then((a) => a.values));
}

let known = new Map<string, Field>();
let turn = 0;

// Which list of fields is known: another number after each.
export const knownTurn = () => turn;

// Types of a column's field as far as they have been seen; filled by fields().
export const typesOf = (column: string) => known.get(relationOf(column).field)?.types;

// Whether a field is the program's own, said about this row alone.
export function isOwn(name: string): boolean {
  const scopes = known.get(name)?.scopes ?? [];
  return scopes.includes('attribute') && !scopes.includes('resource');
}

export async function loadTypes() {
  try {
    known = new Map((await fields()).map((f) => [f.name, f]));
    turn++;
  } catch {
    // Completion is a help; the query itself reports what is wrong.
  }
}
