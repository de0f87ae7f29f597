// SPDX-License-Identifier: Apache-2.0
// The history: questions asked in this environment, newest first; each opens with its answer as it was, or is asked anew.

import { useState } from 'preact/hooks';
import { api } from '../lib/api';
import { environment } from '../lib/env';
import { ago, count, dateTime, duration, nsToMs, short } from '../lib/format';
import { anewHref, permalink, type Run } from '../lib/history';
import { questionName } from '../lib/query';
import { patch, useRoute } from '../lib/route';
import { useLoad } from '../lib/use';
import { Star } from '../parts/KeptRun';
import { Empty, ErrorBox, Progress } from '../parts/States';
import { Sure } from '../parts/Sure';

export function History() {
  const { params } = useRoute();
  const mine = params.get('who') === 'me';
  const kept = params.get('kept') === '1';
  const q = params.get('q') ?? '';
  const [pages, more] = useState(1);
  const key = JSON.stringify([environment(), mine, kept, q]);
  const answer = useLoad(`${key} ${pages}`, (signal) => api.runs({ mine, kept, q, pages }, signal));
  const [error, setError] = useState<Error | null>(null);
  const changed = () => { setError(null); answer.reload(); };
  const list = answer.data?.runs ?? [];
  const narrowed = mine || kept || q !== '';
  return (
    <div class="view history">
      <h1>History</h1>
      <div class="bar" role="search">
        <input class="search" type="search" data-slash aria-label="Search questions" placeholder="Words of a question, a name or a person" value={q} onInput={(e) => { more(1); patch({ q: e.currentTarget.value || null }, { replace: true }); }} />
        <button type="button" class="button" aria-pressed={mine} onClick={() => { more(1); patch({ who: mine ? null : 'me' }, { replace: true }); }}>Mine</button>
        <button type="button" class="button" aria-pressed={kept} onClick={() => { more(1); patch({ kept: kept ? null : '1' }, { replace: true }); }}>Starred or named</button>
        <span class="muted">Equal questions stand once, but for what is starred or named. Answers are kept for 90 days, starred and named ones for good.</span>
      </div>
      {answer.loading && !answer.data && <Progress loading progress={null} />}
      {(error ?? answer.error) && <ErrorBox error={(error ?? answer.error)!} retry={changed} />}
      {answer.data && list.length === 0 && (narrowed
        ? <Empty title="No question like this"><button type="button" class="button" onClick={() => patch({ q: null, who: null, kept: null })}>Show all</button></Empty>
        : <Empty title="Nothing was asked yet"><p>Each question that is asked in Query stands here with its answer as it was, for everyone who may ask in this environment.</p></Empty>)}
      {list.length > 0 && (
        <section class="panel" aria-label="Questions">
          <div class="table-wrap" role="region" aria-label="All questions" tabIndex={0}>
            <table class="table">
              <thead><tr><th><span class="visually-hidden">Starred</span></th><th>Question</th><th>Of</th><th>Asked by</th><th>When</th><th class="right">Rows</th><th class="right">Took</th><th class="right">Times</th><th><span class="visually-hidden">Change</span></th></tr></thead>
              <tbody>{list.map((r) => <Line key={r.id} run={r} changed={changed} failed={setError} />)}</tbody>
            </table>
          </div>
        </section>
      )}
      {answer.data?.next && <p><button type="button" class="button" disabled={answer.loading} onClick={() => more(pages + 1)}>Older</button></p>}
    </div>
  );
}

function Line({ run, changed, failed }: { run: Run; changed: () => void; failed: (e: Error) => void }) {
  const text = questionName(run.question);
  const at = nsToMs(run.at_ns);
  return (
    <tr>
      <td><Star run={run} changed={changed} failed={failed} /></td>
      <td class="cell" title={text}><a href={permalink(run.id)}>{run.name && <b>{run.name} </b>}<span class={run.name ? 'muted' : ''}>{text}</span></a>{!run.answered && <span class="muted"> (its answer was too large to keep)</span>}</td>
      <td class="nowrap">{run.question.dataset && run.question.dataset !== '__all__' ? run.question.dataset : <span class="muted">all datasets</span>}</td>
      <td class="nowrap">{run.who || <span class="muted">anybody</span>}</td>
      <td class="nowrap" title={dateTime(at)}>{ago(at, Date.now())}</td>
      <td class="num right">{count(run.rows_examined)}</td>
      <td class="num right nowrap">{duration(run.elapsed_ms)}</td>
      <td class="num right">{short(run.times)}</td>
      <td class="right nowrap">
        <a class="button small" href={anewHref(run)} aria-label={`Ask anew: ${text}`}>Ask anew</a>{' '}
        <Sure label="Forget" name={`Forget: ${run.name || text}`} question="With its answer?" run={() => api.dropRun(run.id)} done={changed} failed={failed} />
      </td>
    </tr>
  );
}
