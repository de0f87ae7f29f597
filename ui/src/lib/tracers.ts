// SPDX-License-Identifier: Apache-2.0
//
// A program that reports each request by OpenTelemetry and by X-Ray is counted once; an address with
// tracers=all shows both. Which services it concerns is in the answers (also_xray): the last one's are
// kept for the note above the view.

import { useEffect, useState } from 'preact/hooks';
import { named } from './route';

// The questions that leave rows out, by their path.
const ASKED = new Set(['query', 'rows', 'traces', 'facets', 'graph']);
const NONE: readonly string[] = [];
const listeners = new Set<() => void>();
let left: readonly string[] = NONE;

export const everyTracer = (): boolean => named().get('tracers') === 'all';

// `path` may have a query string of its own.
export function withTracers(path: string): string {
  const [call = '', more] = path.split('?');
  return everyTracer() && ASKED.has(call) ? `${call}?${more ? `${more}&` : ''}tracers=all` : path;
}

// Takes note of an answer.
export function heard(path: string, answer: unknown) {
  if (!ASKED.has(path) || everyTracer()) return;
  const now = (answer as { also_xray?: string[] }).also_xray ?? NONE;
  if (now.join('\n') === left.join('\n')) return;
  left = now;
  for (const l of listeners) l();
}

// The services whose X-Ray rows the last answer left out.
export function useLeftOut(): readonly string[] {
  const [names, set] = useState(left);
  useEffect(() => {
    const l = () => set(left);
    listeners.add(l);
    l();
    return () => void listeners.delete(l);
  }, []);
  return names;
}
