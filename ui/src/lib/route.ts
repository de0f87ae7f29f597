// SPDX-License-Identifier: Apache-2.0
//
// The URL is the state. /ui/<view>[/<arg>]?params; every view shares env, t or from/to, ds and tracers. Where it
// names no range, `params` carries the default one; links and changes carry only what it names.

import { useEffect, useState } from 'preact/hooks';

export interface Route { view: string; arg: string; params: URLSearchParams }

export type Changes = Record<string, string | readonly string[] | null>;

const listeners = new Set<() => void>();
let range = '1h';
let current = read();

// What the address itself says.
export function named(): URLSearchParams {
  return new URLSearchParams(location.search);
}

function read(): Route {
  const [, , view = '', arg = ''] = location.pathname.split('/');
  const params = named();
  if (!params.has('t') && !params.has('from')) params.set('t', range);
  return { view: view || 'home', arg: decodeURIComponent(arg), params };
}

function changed() {
  current = read();
  for (const l of listeners) l();
}

addEventListener('popstate', changed);

export const route = () => current;

// The relative range of addresses that name none.
export function setDefaultRange(t: string) {
  if (t === range) return;
  range = t;
  changed();
}

export function useRoute(): Route {
  const [r, set] = useState(current);
  useEffect(() => {
    const l = () => set(current);
    listeners.add(l);
    l();
    return () => void listeners.delete(l);
  }, []);
  return r;
}

function apply(params: URLSearchParams, changes: Changes) {
  for (const [k, v] of Object.entries(changes)) {
    params.delete(k);
    if (v === null) continue;
    for (const one of typeof v === 'string' ? [v] : v) params.append(k, one);
  }
}

// Spaces as + and a few harmless characters unescaped: links are read by people.
function text(params: URLSearchParams): string {
  const s = params.toString().replace(/%(28|29|2F|3A|2C|40|60)/g, (c) => decodeURIComponent(c));
  return s && `?${s}`;
}

// What an address with these changes says, and nothing else.
export function paramsOf(changes: Changes): URLSearchParams {
  const params = new URLSearchParams();
  apply(params, changes);
  return params;
}

// The address of a view, with the shared time range and dataset of where we are.
export function href(view: string, changes: Changes = {}): string {
  const params = new URLSearchParams();
  const here = named();
  for (const k of ['env', 't', 'from', 'to', 'ds', 'tracers']) {
    const v = here.get(k);
    if (v !== null) params.set(k, v);
  }
  apply(params, changes);
  return `/ui/${view}${text(params)}`;
}

export function go(url: string, options: { replace?: boolean; zoom?: boolean } = {}) {
  const state = options.zoom ? { zoom: true } : null;
  if (options.replace) history.replaceState(history.state, '', url);
  else history.pushState(state, '', url);
  changed();
}

// Changes parameters of the current view.
export function patch(changes: Changes, options: { replace?: boolean; zoom?: boolean } = {}) {
  const params = named();
  apply(params, changes);
  go(location.pathname + text(params), options);
}

// One handler for all links of the page: plain clicks stay inside, the rest is the browser's.
export function onLinkClick(e: MouseEvent) {
  if (e.defaultPrevented || e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return;
  const a = (e.target as Element).closest?.('a');
  if (!a || a.target || a.origin !== location.origin || !a.pathname.startsWith('/ui')) return;
  e.preventDefault();
  go(a.pathname + a.search);
}
