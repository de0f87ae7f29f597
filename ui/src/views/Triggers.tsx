// SPDX-License-Identifier: Apache-2.0
// Triggers: all of them, one with its evaluations, and a new one of the question in the address.

import { useState } from 'preact/hooks';
import { conditionText, minutes, toldText, type Alert, type Evaluation, type Trigger } from '../lib/alerts';
import { api, hny } from '../lib/api';
import { environment } from '../lib/env';
import { dateTime, nsToMs, short, value } from '../lib/format';
import { filterText } from '../lib/query';
import { go, href, useRoute } from '../lib/route';
import { useInterval, useLoad } from '../lib/use';
import { Plot } from '../parts/Plot';
import { Empty, ErrorBox, Progress } from '../parts/States';
import { Sure } from '../parts/Sure';
import { TriggerForm, newTriggerDone } from './TriggerForm';

const REFRESH_MS = 5000;

export function AlertTabs({ at }: { at: 'triggers' | 'slos' | 'recipients' }) {
  return (
    <nav class="tabs" aria-label="Alerts">
      <a href={href('triggers')} aria-current={at === 'triggers' ? 'page' : undefined}>Triggers</a>
      <a href={href('slos')} aria-current={at === 'slos' ? 'page' : undefined}>SLOs</a>
      <a href={href('recipients')} aria-current={at === 'recipients' ? 'page' : undefined}>Recipients</a>
    </nav>
  );
}

export function AlertState({ triggered, since, off, last }: { triggered: boolean; since: string | null; off?: boolean; last: Evaluation | null }) {
  if (off) return <span class="muted">off</span>;
  if (triggered) return <span class="error"><b>triggered</b>{since && <> since {dateTime(nsToMs(since))}</>}</span>;
  if (last?.error) return <span class="error">cannot be asked</span>;
  return last ? <span>fine</span> : <span class="muted">not asked yet</span>;
}

export function Triggers() {
  const { arg, params } = useRoute();
  const editing = params.get('edit') === '1';
  const answer = useLoad(`alerts ${environment()}`, api.alerts);
  useInterval(REFRESH_MS, answer.reload);
  if (arg === 'new') return <NewTrigger />;
  const list = answer.data?.triggers ?? [];
  const one = arg ? list.find((t) => t.object.id === arg) : null;
  return (
    <div class="view alerts">
      <h1 class="visually-hidden">Triggers</h1>
      <AlertTabs at="triggers" />
      {answer.loading && !answer.data && <Progress loading progress={null} />}
      {answer.error && <ErrorBox error={answer.error} retry={answer.reload} />}
      {answer.data && arg && !one && <Empty title="There is no such trigger"><a href={href('triggers')}>All triggers</a></Empty>}
      {one && (editing
        ? <TriggerForm key={one.object.id} old={one} close={() => go(href(`triggers/${one.object.id}`))} saved={(t) => { answer.reload(); newTriggerDone(t); }} />
        : <OneTrigger t={one} changed={answer.reload} />)}
      {answer.data && !arg && <List list={list} />}
    </div>
  );
}

function List({ list }: { list: Alert<Trigger>[] }) {
  if (list.length === 0) {
    return (
      <Empty title="Nothing is watched yet">
        <p>A trigger asks a question again and again and tells you when its answer crosses a threshold.</p>
        <a class="button primary" href={href('triggers/new', { c: ['COUNT'], w: ['error = true'] })}>Watch the number of errors</a>{' '}
        <a class="button" href={href('query', { c: ['COUNT'] })}>Begin with a question</a>
      </Empty>
    );
  }
  const order = [...list].sort((a, b) => Number(b.triggered) - Number(a.triggered) || (a.object.name < b.object.name ? -1 : 1));
  return (
    <section class="panel" aria-labelledby="triggers-title"><h2 id="triggers-title">Triggers</h2>
      <div class="table-wrap" role="region" aria-label="All triggers" tabIndex={0}>
        <table class="table">
          <thead><tr><th>Trigger</th><th>State</th><th>When</th><th>Every</th><th class="right">Last value</th><th>Tells</th></tr></thead>
          <tbody>
            {order.map(({ object: t, ...a }) => (
              <tr key={t.id} class={t.disabled ? 'dim' : ''}>
                <td><a href={href(`triggers/${t.id}`)}><b>{t.name}</b></a> <span class="muted">{a.dataset === '__all__' ? 'all datasets' : a.dataset}</span></td>
                <td><AlertState triggered={a.triggered} since={a.triggered_ns} off={t.disabled} last={a.last} /></td>
                <td class="cell" title={conditionText(t)}>{conditionText(t)}</td>
                <td class="nowrap">{minutes(t.frequency)}</td>
                <td class="num right">{a.last?.value === null || !a.last ? '–' : short(a.last.value)}</td>
                <td class="cell">{toldText(t.recipients)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

export function Evaluations({ id, threshold, label, text, turn }: { id: string; threshold: number | null; label: string; text: (n: number) => string; turn: number }) {
  const answer = useLoad(`evaluations ${id} ${turn}`, (signal) => api.evaluations(id, null, signal));
  useInterval(REFRESH_MS, answer.reload);
  const [older, setOlder] = useState<{ list: Evaluation[]; next: number | null } | null>(null);
  const [failed, setFailed] = useState<Error | null>(null);
  const newest = answer.data?.evaluations ?? [];
  const first = older?.list[0]?.number ?? -1;
  const list = [...newest.filter((e) => e.number > first), ...(older?.list ?? [])];
  const next = older ? older.next : answer.data?.next ?? null;
  // From the newest that is shown on: what comes meanwhile does not tear a hole.
  const more = () => api.evaluations(id, next).then((a) => { setFailed(null); setOlder({ list: [...list, ...a.evaluations], next: a.next }); }, setFailed);
  const points = [...list].reverse().map((e): [number, number | null] => [nsToMs(e.at_ns), e.value]);
  return (
    <section class="panel" aria-labelledby="evaluations"><h2 id="evaluations">Evaluations</h2>
      {answer.loading && !answer.data && <Progress loading progress={null} />}
      {(failed ?? answer.error) && <ErrorBox error={(failed ?? answer.error)!} retry={answer.reload} />}
      {answer.data && list.length === 0 && <Empty title="Not asked yet"><p>It is asked at the next multiple of its interval.</p></Empty>}
      {points.some((p) => p[1] !== null) && <Plot label={label} lines={[{ name: label, color: 'var(--accent-line)', points }]} threshold={threshold} text={text} />}
      {list.length > 0 && (
        <div class="table-wrap tall" role="region" aria-label="All evaluations" tabIndex={0}>
          <table class="table">
            <thead><tr><th>At</th><th class="right">Value</th><th>Met</th><th>What came of it</th><th>Groups</th></tr></thead>
            <tbody>
              {list.map((e) => (
                <tr key={e.number}>
                  <td class="nowrap">{dateTime(nsToMs(e.at_ns))}</td>
                  <td class="num right">{e.value === null ? '–' : text(e.value)}</td>
                  <td>{e.met ? <b>yes</b> : <span class="muted">no</span>}</td>
                  <td>{e.error ? <span class="error">{e.error}</span> : <Came e={e} />}</td>
                  <td class="cell">{(e.detail?.groups_triggered ?? []).filter((g) => g.group.length).slice(0, 5)
                    .map((g) => `${g.group.map((k) => value(k.value)).join(' · ')}: ${g.result === null ? '–' : text(g.result)}`).join(', ')}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {next !== null && <p><button type="button" class="button" onClick={() => void more()}>Older evaluations</button></p>}
    </section>
  );
}

function Came({ e }: { e: Evaluation }) {
  if (e.event === 'fired') return <span class="error"><b>fired</b></span>;
  if (e.event === 'resolved') return <b>resolved</b>;
  if (e.event === 'again') return <span class="error">told again</span>;
  return <span class="muted">{e.triggered ? 'still triggered' : 'nothing'}</span>;
}

function OneTrigger({ t, changed }: { t: Alert<Trigger>; changed: () => void }) {
  const o = t.object;
  const [error, setError] = useState<Error | null>(null);
  const [turn, again] = useState(0);
  const path = `triggers/${encodeURIComponent(t.dataset)}/${encodeURIComponent(o.id)}`;
  const run = (what: Promise<unknown>) => { setError(null); void what.then(() => { changed(); again((n) => n + 1); }, setError); };
  return (
    <>
      <section class="panel alert-head" aria-labelledby="trigger-name">
        <h2 id="trigger-name">{o.name}</h2>
        <p><AlertState triggered={t.triggered} since={t.triggered_ns} off={o.disabled} last={t.last} /></p>
        {o.description && <p>{o.description}</p>}
        <dl class="facts">
          <div><dt>When</dt><dd>{conditionText(o)}</dd></div>
          <div><dt>Of</dt><dd>{t.dataset === '__all__' ? 'all datasets' : t.dataset}{o.query?.filters?.length ? `, ${o.query.filters.map(filterText).join(o.query.filter_combination === 'OR' ? ' or ' : ' and ')}` : ''}</dd></div>
          <div><dt>Asked</dt><dd>every {minutes(o.frequency)}{o.query?.time_range ? ` over ${minutes(o.query.time_range)}` : ''}{o.evaluation_schedule_type === 'window' ? ', inside its window' : ''}</dd></div>
          <div><dt>Tells</dt><dd>{toldText(o.recipients)}, {o.alert_type === 'on_true' ? 'each time' : 'when it fires and when it resolves'}</dd></div>
        </dl>
        <div class="bar">
          <button type="button" class="button" disabled={o.disabled} onClick={() => run(api.evaluate(o.id))}>Evaluate now</button>
          <a class="button" href={href(`triggers/${o.id}`, { edit: '1' })}>Change</a>
          <button type="button" class="button" onClick={() => run(hny('PUT', path, { ...o, disabled: !o.disabled }))}>{o.disabled ? 'Switch on' : 'Switch off'}</button>
          <Sure label="Delete" name={`Delete ${o.name}`} question="With its evaluations?" run={() => hny('DELETE', path)} done={() => { changed(); go(href('triggers')); }} failed={setError} />
        </div>
        {error && <ErrorBox error={error} />}
      </section>
      <Evaluations id={o.id} threshold={o.threshold.value} label={`Values of ${o.name}`} text={short} turn={turn} />
    </>
  );
}

function NewTrigger() {
  return (
    <div class="view alerts">
      <h1 class="visually-hidden">New trigger</h1>
      <AlertTabs at="triggers" />
      <TriggerForm old={null} close={() => go(href('triggers', { c: null, w: null, by: null }))} saved={newTriggerDone} />
    </div>
  );
}
