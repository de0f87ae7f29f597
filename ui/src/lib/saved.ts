// SPDX-License-Identifier: Apache-2.0
//
// Saved searches are query definitions of CloudWatch Logs, so that its clients list them, too. What the
// page has beyond a query (filters, a pattern, a tab) stands in a comment in front of one that is good
// without it:
//
//   # skep: lang=pattern&fp=ERROR&ds=shop
//   fields @timestamp, @message | sort @timestamp desc

import { api } from './api';
import { languageOf } from './logs';
import type { QueryDefinition } from './types';

// What of the address makes a search; times are the reader's.
const KEPT = ['lang', 'q', 'fp', 'iq', 'w', 'ds', 'tab', 'asc', 'wrap', 'hl', 'f', 'ch'];
const MARK = '# skep: ';
const PLAIN = 'fields @timestamp, @message | sort @timestamp desc';

export interface Saved { id: string; name: string; what: string; params: [string, string][] }

export function queryStringOf(params: URLSearchParams): string {
  const kept = new URLSearchParams([...params].filter(([k]) => KEPT.includes(k)));
  const query = languageOf(params) === 'insights' ? kept.get('iq')?.trim() : '';
  if (query) kept.delete('iq');
  return `${MARK}${kept}\n${query || PLAIN}`;
}

export function savedOf(d: QueryDefinition): Saved {
  const [first = '', ...rest] = d.queryString.split('\n');
  const params: [string, string][] = first.startsWith(MARK) ? [...new URLSearchParams(first.slice(MARK.length))].filter(([k]) => KEPT.includes(k)) : [['lang', 'insights']];
  const query = first.startsWith(MARK) ? rest.join('\n').trim() : d.queryString;
  if (params.some(([k, v]) => k === 'lang' && v === 'insights')) {
    params.push(['iq', query]);
    if (!params.some(([k]) => k === 'ds') && d.logGroupNames?.length === 1) params.push(['ds', d.logGroupNames[0]!]);
  }
  const get = (k: string) => params.filter(([key]) => key === k).map(([, v]) => v).join(', ');
  const what = [get('iq'), get('fp'), get('q'), get('w'), get('tab')].filter(Boolean).join(' · ') || 'all lines';
  return { id: d.queryDefinitionId, name: d.name, what: get('ds') ? `${get('ds')}: ${what}` : what, params };
}

export const savedList = (signal?: AbortSignal) => api.queryDefinitions(signal).then((l) => l.map(savedOf).sort((a, b) => (a.name < b.name ? -1 : 1)));

export const save = (name: string, params: URLSearchParams, id?: string) => {
  const ds = params.get('ds');
  return api.logs<{ queryDefinitionId: string }>('PutQueryDefinition', { name, queryString: queryStringOf(params), ...(ds && { logGroupNames: [ds] }), ...(id && { queryDefinitionId: id }) }, { queryDefinitionId: 'string' });
};

export const forget = (id: string) => api.logs<object>('DeleteQueryDefinition', { queryDefinitionId: id });
