// SPDX-License-Identifier: Apache-2.0
// The log explorer: what to look for, how many when, and the lines, as many as there are.

import { useEffect, useMemo, useState } from 'preact/hooks';
import { copy } from '../lib/actions';
import { differentOf } from '../lib/different';
import { count } from '../lib/format';
import { hasFilters, languageOf, questionKey, searchedTerms } from '../lib/logs';
import { loadTypes } from '../lib/schema';
import { patch, useRoute } from '../lib/route';
import { rangeOf } from '../lib/time';
import { Browser } from '../logs/Browser';
import { Export } from '../logs/Export';
import { Groups } from '../logs/Groups';
import { Facets } from '../logs/Facets';
import { Highlight } from '../logs/Highlight';
import { Insights, useInsights } from '../logs/Insights';
import { Patterns } from '../logs/Patterns';
import { SavedBox } from '../logs/SavedBox';
import { Search } from '../logs/Search';
import { TailBar } from '../logs/TailBar';
import { useLines, useTail } from '../logs/use';
import { Volume } from '../logs/Volume';
import { DifferentPanel } from '../parts/Different';
import { Icon } from '../parts/Icon';
import { Covers, Empty, ErrorBox, Progress } from '../parts/States';
import { complaint } from '../parts/Where';

const TABS: [string, string][] = [['', 'Lines'], ['patterns', 'Patterns'], ['groups', 'Groups']];

export function Logs() {
  const { params } = useRoute();
  const tailing = params.get('tail') === '1';
  const asc = params.get('asc') === '1';
  const tab = params.get('tab') ?? '';
  const key = questionKey(params);
  const lines = useLines(params, tailing ? null : key, asc);
  const tail = useTail(tailing, params, key, asc);
  const [seen, setSeen] = useState<[number, number] | null>(null);
  const [, again] = useState(0);
  useEffect(() => tail?.on(() => again((n) => n + 1)), [tail]);
  useEffect(() => lines.lined?.source.on(() => again((n) => n + 1)), [lines.lined]);
  useEffect(() => void loadTypes().then(() => again((n) => n + 1)), [params.get('ds'), params.get('t'), lines.lined !== null]);
  const lined = tailing ? null : lines.lined;
  const source = tailing ? tail : lined?.source ?? null;
  const error = tailing ? tail?.error ?? null : lines.error;
  const total = source?.total ?? 0;
  const different = differentOf(params);
  const spec = lined?.spec ?? null;
  const about = useMemo(() => JSON.stringify(spec), [spec]);
  const asking = languageOf(params) === 'insights' && tab === '' && !tailing;
  const query = params.get('iq') ?? '';
  const insights = useInsights(asking ? query : '', spec);
  const follow = () => patch({ tail: tailing ? null : '1', tab: null, row: null }, { replace: true });
  return (
    <div class="view logs">
      <div class="bar">
        <h1>Logs</h1>
        <div class="tabs" role="tablist" aria-label="Show">
          {TABS.map(([id, name]) => <button type="button" role="tab" aria-selected={tab === id} onClick={() => patch({ tab: id || null, tail: null })}>{name}</button>)}
        </div>
        <button type="button" class={`button${tailing ? ' primary' : ''}`} aria-pressed={tailing} data-key="f" title="Lines as they come (f)" onClick={follow}><Icon name={tailing ? 'pause' : 'play'} /> {tailing ? 'Following' : 'Follow'}</button>
        {tail && <TailBar tail={tail} />}
        {!tailing && <button type="button" class="button" data-key="r" title="Ask again (r)" onClick={lines.reload}>Refresh</button>}
        {tab !== 'groups' && <SavedBox />}
        <span class="end bar">
          {lined && <span class="num muted" role="status"><b>{count(total)}</b> {total === 1 ? 'line' : 'lines'}</span>}
          {lined && <Covers answer={lined.result} loading={lines.loading} />}
        </span>
      </div>
      {tab !== 'groups' && <Search error={asking ? insights.error : error} />}
      <Progress loading={lines.loading && !tailing} progress={null} />
      {error && <ErrorBox error={error} {...(complaint(error, 'filters') === null && !tailing && { retry: lines.reload })} />}
      {lined && lined.stacks.length > 0 && tab !== 'groups' && (
        <figure class="panel chart-panel volume-panel"><Volume title="Log lines by severity" times={lined.result.times_ms} step={lined.result.granularity_ms} range={[lined.result.start_ms, lined.result.end_ms]} stacks={lined.stacks} seen={tab === '' ? seen : null} /></figure>
      )}
      {different && spec && tab !== 'groups' && <DifferentPanel of={different} about={about} base={spec} />}
      {tab === 'groups' && spec && <Groups spec={spec} about={about} />}
      {tab === 'patterns' && spec && <Patterns spec={spec} about={about} />}
      {asking && spec && <Insights answer={insights} asked={query.trim() !== ''} />}
      {tab === '' && !asking && (
        <>
          <div class="bar line-tools">
            <div class="segmented" role="group" aria-label="Order">
              <button type="button" aria-pressed={!asc} onClick={() => patch({ asc: null }, { replace: true })}>Newest first</button>
              <button type="button" aria-pressed={asc} onClick={() => patch({ asc: '1' }, { replace: true })}>Oldest first</button>
            </div>
            <button type="button" class="button" aria-pressed={params.get('wrap') === '1'} title="w" onClick={() => patch({ wrap: params.get('wrap') === '1' ? null : '1' }, { replace: true })}>Wrap</button>
            <Highlight first={searchedTerms(params).length} />
            <span class="end bar">
              <Share />
              {spec && <Export spec={spec} asc={asc} total={total} />}
            </span>
          </div>
          <div class="logs-body">
            {spec && <Facets spec={spec} total={total} />}
            {source && (total > 0 || tailing) && <Browser key={tailing ? 'tail' : 'lines'} source={source} marks={lined?.marks ?? []} pinned={tailing} asc={asc} onSeen={(a, b) => setSeen(a !== null && b !== null ? [a, b] : null)} />}
            {!source && !error && <p class="muted pad" role="status">Counting the lines …</p>}
            {lined && total === 0 && !lines.loading && <Nothing filtered={hasFilters(params)} />}
          </div>
        </>
      )}
    </div>
  );
}

function Nothing({ filtered }: { filtered: boolean }) {
  return (
    <Empty title="No log lines">
      {filtered ? <p>No line of this range matches.</p> : <p>Nothing in this range. Programs send logs over OTLP to <code>/v1/logs</code>, or as to CloudWatch Logs.</p>}
      {filtered && <button type="button" class="button" onClick={() => patch({ w: null, q: null, fp: null })}>Without the filters</button>}
      <a href="/ui/settings">How to send data</a>
    </Empty>
  );
}

// A link to what is seen now: a relative range would be another one tomorrow.
function Share() {
  const { params } = useRoute();
  const [done, set] = useState(false);
  const run = () => {
    const url = new URL(location.href);
    const r = rangeOf(params);
    url.searchParams.delete('t');
    url.searchParams.set('from', r.from.toFixed(3));
    url.searchParams.set('to', r.to.toFixed(3));
    copy(url.href);
    set(true);
    setTimeout(() => set(false), 1500);
  };
  return <button type="button" class="button" onClick={run} title="A link to exactly these lines, its times fixed"><Icon name={done ? 'check' : 'link'} /> {done ? 'Copied' : 'Copy link'}</button>;
}
