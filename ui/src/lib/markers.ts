// SPDX-License-Identifier: Apache-2.0
// Markers: moments and spans of time that charts show ("deploy 17"), of one dataset or of all.

import { hny } from './api';

export interface Marker { id: string; start_time: number; end_time?: number; message?: string; type?: string; url?: string; color?: string; scope?: string }

const ALL = '__all__';

export const markerColor = (m: Marker) => m.color || 'var(--link)';
export const markerText = (m: Marker) => m.message || m.type || 'marker';

// A marker's own link; only where it leads to a page.
export const markerLink = (m: Marker) => (m.url && /^https?:\/\//i.test(m.url) ? m.url : null);

// Those of datasets (slugs) and of all, in order of time; each knows where it is kept.
export async function markersOf(slugs: string[], signal?: AbortSignal): Promise<Marker[]> {
  const scopes = [...new Set([ALL, ...slugs.filter((s) => s !== '')])];
  const lists = await Promise.all(scopes.map((scope) => hny<Marker[]>('GET', `markers/${encodeURIComponent(scope)}`, undefined, signal).then((l) => l.map((m) => ({ ...m, scope })))));
  return lists.flat().sort((a, b) => a.start_time - b.start_time);
}

export const within = (m: Marker, fromMs: number, toMs: number) => m.start_time * 1e3 <= toMs && (m.end_time ?? m.start_time) * 1e3 >= fromMs;

export const putMarker = (slug: string, m: Omit<Marker, 'id'>) => hny<Marker>('POST', `markers/${encodeURIComponent(slug || ALL)}`, m);
export const dropMarker = (m: Marker) => hny<Marker>('DELETE', `markers/${encodeURIComponent(m.scope ?? ALL)}/${encodeURIComponent(m.id)}`);

// A chart asks for a marker at a moment; the view's form (parts/Markers.tsx) hears it.
export interface Wanted { from: number; to?: number | undefined }
let listener: ((w: Wanted) => void) | null = null;
export const askMarker = (from: number, to?: number) => listener?.({ from, to });
export function onAskMarker(l: (w: Wanted) => void): () => void {
  listener = l;
  return () => { if (listener === l) listener = null; };
}
