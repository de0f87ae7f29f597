// SPDX-License-Identifier: Apache-2.0
// What to look for, in one of three languages: the page's own filters and any text, CloudWatch's filter
// patterns, or Logs Insights. The chips of the fields hold in all of them but Insights.

import { api, ApiError } from '../lib/api';
import { languageOf, type Language } from '../lib/logs';
import { completeInsights, completePattern, mistakeOf, type Mistake } from '../lib/logtext';
import { patch, useRoute } from '../lib/route';
import { Where } from '../parts/Where';
import { CodeInput } from './CodeInput';

const LANGUAGES: [Language, string, string][] = [
  ['own', 'Filters', 'fields and any text'], ['pattern', 'Pattern', 'filter patterns of CloudWatch Logs'], ['insights', 'Insights', 'the query language of CloudWatch Logs Insights'],
];

async function check(language: 'pattern' | 'insights', text: string, signal: AbortSignal): Promise<Mistake | null> {
  const a = await api.logCheck(language, text, signal);
  return a.ok ? null : mistakeOf(text, a.error ?? 'this cannot be read', a.at ?? null, a.end ?? null);
}

// A refusal that is about the text of the box.
export function mistakeIn(error: Error | null, field: string, text: string): Mistake | null {
  return error instanceof ApiError && error.field === field ? mistakeOf(text, error.message, error.at, error.end) : null;
}

export function Search({ error }: { error: Error | null }) {
  const { params } = useRoute();
  const lang = languageOf(params);
  const text = params.get('q') ?? '';
  const pattern = params.get('fp') ?? '';
  const query = params.get('iq') ?? '';
  return (
    <div class="panel builder log-search">
      <div class="segmented" role="group" aria-label="Language">
        {LANGUAGES.map(([id, name, title]) => <button type="button" aria-pressed={lang === id} title={title} onClick={() => patch({ lang: id === 'own' ? null : id, tab: null, tail: null })}>{name}</button>)}
      </div>
      <div class={`log-fields${lang === 'insights' ? '' : ' two'}`}>
        {lang === 'pattern' && <CodeInput key="pattern" label="Filter pattern" text={pattern} lines={false} placeholder={'ERROR -"health check"   or   { $.status >= 500 }   or   [ip, user, status = 5*]'} complete={completePattern}
          check={(t, s) => check('pattern', t, s)} mistake={mistakeIn(error, 'pattern', pattern)} onAsk={(t) => patch({ fp: t || null })} />}
        {lang === 'insights' && <CodeInput key="insights" label="Logs Insights query" text={query} lines placeholder="fields @timestamp, @message | filter @message like /error/ | limit 100" complete={completeInsights}
          check={(t, s) => check('insights', t, s)} mistake={mistakeIn(error, 'query', query)} onAsk={(t) => patch({ iq: t || null })} />}
        {lang !== 'insights' && <Where error={error} label={lang === 'own' ? 'Lines where' : 'and where'} and />}
        {lang === 'own' && (
          <div class="clause"><label class="clause-label" for="log-text">Text</label>
            <input id="log-text" class="search wide" type="search" placeholder="any text in any field" value={text} onChange={(e) => patch({ q: e.currentTarget.value || null })} />
          </div>
        )}
      </div>
    </div>
  );
}
