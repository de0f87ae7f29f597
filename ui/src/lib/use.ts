// SPDX-License-Identifier: Apache-2.0
// Hooks that talk to the server: one running request each, the newest wins, the older is cancelled.

import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import type { Progress } from './types';

export interface Loaded<T> {
  data: T | null;
  error: Error | null;
  loading: boolean;
  progress: Progress | null;
  reload: () => void;
}

type Run<T> = (signal: AbortSignal, progress: (p: Progress) => void) => Promise<T>;
type State<T> = { data: T | null; error: Error | null; loading: boolean; progress: Progress | null };

// Runs `run` whenever `key` changes. While it runs the last answer stays, so charts do not flash;
// `fresh` says when the old answer would mislead and must go. A null key means nothing to ask.
export function useLoad<T>(key: string | null, run: Run<T>, fresh = false): Loaded<T> {
  const [state, set] = useState<State<T>>({ data: null, error: null, loading: key !== null, progress: null });
  const [turn, again] = useState(0);
  const latest = useRef(run);
  latest.current = run;
  const asked = useRef<string | null>(null);
  useEffect(() => {
    const other = asked.current !== key;
    asked.current = key;
    if (key === null) {
      set({ data: null, error: null, loading: false, progress: null });
      return;
    }
    const abort = new AbortController();
    set((s) => ({ data: fresh && other ? null : s.data, error: other ? null : s.error, loading: true, progress: null }));
    latest.current(abort.signal, (progress) => !abort.signal.aborted && set((s) => ({ ...s, progress }))).then(
      (data) => !abort.signal.aborted && set({ data, error: null, loading: false, progress: null }),
      (error: Error) => !abort.signal.aborted && set((s) => ({ data: fresh ? null : s.data, error, loading: false, progress: null })),
    );
    return () => abort.abort();
  }, [key, turn]);
  const busy = useRef(false);
  busy.current = state.loading;
  const reload = useCallback(() => {
    if (!busy.current) again((n) => n + 1);
  }, []);
  return { ...state, reload };
}

// Calls `tick` every `ms` while the page is visible.
export function useInterval(ms: number | null, tick: () => void) {
  const latest = useRef(tick);
  latest.current = tick;
  useEffect(() => {
    if (ms === null) return;
    const timer = setInterval(() => document.visibilityState === 'visible' && latest.current(), ms);
    return () => clearInterval(timer);
  }, [ms]);
}

// Live refresh: each second for the first minute, then every five; what costs the server long is
// asked less often, so that a page left open takes at most a fifth of its time.
export function useLive(on: boolean, tick: () => void, costMs = 0) {
  const last = useRef(0);
  const [since] = useState(() => Date.now());
  const [slow, setSlow] = useState(false);
  useInterval(on ? (slow ? 5000 : 1000) : null, () => {
    const now = Date.now();
    if (!slow && now - since > 60e3) setSlow(true);
    if (now - last.current < 5 * costMs) return;
    last.current = now;
    tick();
  });
}

export function useSize<E extends HTMLElement>(): [{ current: E | null }, number, number] {
  const ref = useRef<E>(null);
  const [size, set] = useState<[number, number]>([0, 0]);
  useEffect(() => {
    const el = ref.current;
    if (!el) return;
    const o = new ResizeObserver(() => set([el.clientWidth, el.clientHeight]));
    o.observe(el);
    set([el.clientWidth, el.clientHeight]);
    return () => o.disconnect();
  }, []);
  return [ref, size[0], size[1]];
}

// A ref for what is opened to be typed into: it has the focus from its first moment on, its text chosen.
export function focusOnce(el: HTMLInputElement | HTMLTextAreaElement | null) {
  if (!el || el.dataset.focused) return;
  el.dataset.focused = '1';
  el.focus();
  if (el instanceof HTMLInputElement) el.select();
}
