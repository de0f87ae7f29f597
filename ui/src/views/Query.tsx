// SPDX-License-Identifier: Apache-2.0
// A question and its answer: the builder, one chart per calculation, the table, traces and raw rows.

import type { ComponentChildren } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { api } from '../lib/api';
import { CursorBus } from '../lib/cursor';
import { differentOf, showChanged } from '../lib/different';
import { anewHref, changesOf, namesQuestion, permalink, sameQuestion } from '../lib/history';
import { specOf } from '../lib/query';
import { loadTypes } from '../lib/schema';
import { go, href, named, patch, useRoute } from '../lib/route';
import { slugOf } from '../lib/alerts';
import { useLive, useLoad } from '../lib/use';
import { Builder } from '../parts/Builder';
import { Charts } from '../parts/Charts';
import { Compare } from '../parts/Compare';
import { DifferentPanel } from '../parts/Different';
import { KeptBar } from '../parts/KeptRun';
import { Markers, useMarkers } from '../parts/Markers';
import { Ready } from '../parts/Ready';
import { ResultTable } from '../parts/ResultTable';
import { Covers, Empty, ErrorBox, Hint, Progress } from '../parts/States';
import { TraceTable } from '../parts/TraceTable';
import { RowTable } from '../parts/RowTable';
import { SaveTo } from '../parts/SaveTo';

const TABS: [string, string][] = [['', 'Overview'], ['different', 'What is different'], ['traces', 'Traces'], ['rows', 'Raw rows']];

// What makes a question one's own.
const ASKS = ['c', 'w', 'by', 'o', 'h', 'fx', 'cf', 'd', 'd_time', 'd_was'];

export function Query() {
  const { params } = useRoute();
  const spec = useMemo(() => specOf(params), [params.toString()]);
  const key = JSON.stringify({ ...spec, start: params.get('t') });
  const tab = params.get('tab') ?? '';
  const live = params.get('live') === '1' && params.get('from') === null;
  const kept = useKept(params);
  const asked = useLoad(tab === '' && !kept.holds ? key : null, (signal, progress) => api.query(spec, signal, progress, !live));
  const answer = kept.holds ? kept.answer : asked;
  const [bus] = useState(() => new CursorBus());
  const different = differentOf(params);
  useLive(live, answer.reload, answer.data?.elapsed_ms);
  useEffect(() => void loadTypes(), [params.get('ds'), params.get('t')]);
  const result = answer.data;
  return (
    <div class="view query">
      <h1 class="visually-hidden">Query</h1>
      <Builder error={answer.error} run={answer.reload} loading={answer.loading} />
      <div class="bar">
        <div class="tabs" role="tablist" aria-label="Result">
          {TABS.map(([id, name]) => (
            <button type="button" role="tab" id={`tab-${id}`} aria-selected={tab === id} tabIndex={tab === id ? 0 : -1} onClick={() => patch({ tab: id || null })}
              onKeyDown={(e) => moveTab(e, tab)}>{name}</button>
          ))}
        </div>
        {tab === '' && <Covers answer={result} loading={answer.loading} progress={answer.progress} />}
        {tab === '' && !kept.run && asked.data?.run && <a class="button small" href={permalink(asked.data.run)} title="An address that keeps showing this answer">Permalink</a>}
        {tab === '' && <a class="button small" href={href('history')}>History</a>}
        {tab === '' && <SaveTo />}
      </div>
      {kept.run && <KeptBar run={kept.run} changed={kept.reload} />}
      {kept.lost && <div class="note" role="status">The answer of this address is not kept any more ({kept.lost}). {namesQuestion(named()) ? 'This is the answer of now.' : <a href={href('history')}>Look in the history</a>}</div>}
      <Progress loading={answer.loading} progress={answer.progress} />
      <div role="tabpanel" aria-labelledby={`tab-${tab}`} class={`results${answer.loading ? ' stale' : ''}`}>
        {answer.error && <ErrorBox error={answer.error} retry={answer.reload} />}
        {tab === 'different' && <Compare about={key} />}
        {tab === 'traces' && <TraceTable selection={spec} sort={params.get('sort') ?? 'recent'} />}
        {tab === 'rows' && <RowTable selection={spec} />}
        {tab === '' && kept.run && !kept.run.answered && <Empty title="Its answer was too large to keep"><p>The question is here: ask it anew.</p></Empty>}
        {tab === '' && result && !answer.error && (
          result.groups.length === 0 || result.totals.values.every((v) => v === null) && noCells(result)
            ? <Empty title="No rows match"><Hint examined={result.rows_examined} /></Empty>
            : <Overview result={result} bus={bus} isolated={params.get('iso')}>{different && <DifferentPanel of={different} about={key} />}</Overview>
        )}
        {tab === '' && !result && answer.loading && <Skeleton />}
        {tab === '' && result && !ASKS.some((name) => params.has(name)) && <Ready title="Questions to begin with" />}
      </div>
    </div>
  );
}

// The answer as it was that the address names, as long as nothing else in it is changed.
function useKept(params: URLSearchParams) {
  const id = params.get('run');
  const run = useLoad(id && `run ${id}`, (signal) => api.run(id!, signal), true);
  const same = id !== null && run.data?.id === id && sameQuestion(params, run.data);
  const lost = id !== null && run.error ? run.error.message : null;
  useEffect(() => {
    if (id === null || run.data?.id !== id || same) return;
    if (namesQuestion(named())) patch({ run: null }, { replace: true });
    else patch(changesOf(run.data), { replace: true });
  }, [id, run.data, same]);
  const holds = id !== null && (run.error ? !namesQuestion(named()) : same || run.data === null || !namesQuestion(named()));
  const shown = same ? run.data : null;
  const answer = { data: shown?.result ?? null, error: null, loading: run.loading && !run.data, progress: null, reload: () => shown && go(anewHref(shown)) };
  return { run: shown, holds, answer, lost, reload: run.reload };
}

type Result = NonNullable<Awaited<ReturnType<typeof api.query>>>;

function noCells(r: Result): boolean {
  return !(r.totals.series ?? []).some((s) => s.some((b) => Array.isArray(b) && b.length > 0));
}

function Overview({ result, bus, isolated, children }: { result: Result; bus: CursorBus; isolated: string | null; children: ComponentChildren }) {
  const ds = useRoute().params.get('ds') ?? '';
  const markers = useMarkers(ds ? [slugOf(ds)] : []);
  const known = isolated !== null && result.groups.some((g) => JSON.stringify(g.key) === isolated) ? isolated : null;
  return (
    <>
      {result.warnings.map((w) => <div class="note" role="status">{w}</div>)}
      <Charts result={result} bus={bus} isolated={known} markers={markers.data ?? []} />
      <Markers list={markers.data ?? []} range={[result.start_ms, result.end_ms]} slug={ds ? slugOf(ds) : ''} dataset={ds} changed={markers.reload} />
      {result.compare && !children && <p><button type="button" class="button" onClick={() => showChanged(result.compare!.offset_ms / 1e3)}>What is different from then?</button></p>}
      {children}
      <ResultTable result={result} isolated={known} />
    </>
  );
}

function moveTab(e: KeyboardEvent, now: string) {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[e.key];
  if (!step) return;
  e.preventDefault();
  const i = TABS.findIndex(([id]) => id === now);
  const next = TABS.at((i + step) % TABS.length)!;
  patch({ tab: next[0] || null });
  document.getElementById(`tab-${next[0]}`)?.focus();
}

function Skeleton() {
  return (
    <div class="skeleton" aria-hidden="true">
      <div /><div />
    </div>
  );
}
