// SPDX-License-Identifier: Apache-2.0
// What to look for, in one of three languages: the page's own filters and any text, CloudWatch's filter
// patterns, or Logs Insights. The chips of the fields hold in all of them but Insights.

import { languageOf, type Language } from '../lib/logs';
import { patch, useRoute } from '../lib/route';
import { Where } from '../parts/Where';

const LANGUAGES: [Language, string, string][] = [
  ['own', 'Filters', 'fields and any text'], ['pattern', 'Pattern', 'filter patterns of CloudWatch Logs'], ['insights', 'Insights', 'the query language of CloudWatch Logs Insights'],
];

export function Search({ error }: { error: Error | null }) {
  const { params } = useRoute();
  const lang = languageOf(params);
  const text = params.get('q') ?? '';
  return (
    <div class="panel builder log-search">
      <div class="segmented" role="group" aria-label="Language">
        {LANGUAGES.map(([id, name, title]) => <button type="button" aria-pressed={lang === id} title={title} onClick={() => patch({ lang: id === 'own' ? null : id })}>{name}</button>)}
      </div>
      <div class={`log-fields${lang === 'own' ? ' two' : ''}`}>
      <Where error={error} label="Lines where" and />
      {lang === 'own' && (
        <div class="clause"><label class="clause-label" for="log-text">Text</label>
          <input id="log-text" class="search wide" type="search" placeholder="any text in any field" value={text} onChange={(e) => patch({ q: e.currentTarget.value || null })} />
        </div>
      )}
      </div>
    </div>
  );
}
