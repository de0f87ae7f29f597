// SPDX-License-Identifier: Apache-2.0
// Service level objectives: all of them with their budgets, one with its burn-down and burn alerts.

import { useState } from 'preact/hooks';
import { burnLine, burnText, toldText, type Alert, type BurnAlert, type Found, type Slo, type SloReport, type Told } from '../lib/alerts';
import { api, hny } from '../lib/api';
import { environment } from '../lib/env';
import { count, short } from '../lib/format';
import { go, href, useRoute } from '../lib/route';
import { useInterval, useLoad } from '../lib/use';
import { Field, Unplaced } from '../parts/Field';
import { Plot } from '../parts/Plot';
import { Empty, ErrorBox, Progress } from '../parts/States';
import { Sure } from '../parts/Sure';
import { Tells } from '../parts/Tells';
import { SloForm } from './SloForm';
import { Finding } from './TriggerForm';
import { AlertState, AlertTabs, Evaluations } from './Triggers';

const REFRESH_MS = 15000;
const pct = (n: number | undefined, digits = 2) => (n === undefined ? '–' : `${n.toFixed(digits)} %`);

export function Slos() {
  const { arg, params } = useRoute();
  const [turn, again] = useState(0);
  const list = useLoad(`slos ${environment()} ${turn}`, api.slos);
  const alerts = useLoad(`alerts ${environment()} ${turn}`, api.alerts);
  useInterval(REFRESH_MS, () => { list.reload(); alerts.reload(); });
  const one = arg ? list.data?.find((s) => s.object.id === arg) : null;
  const changed = () => again((n) => n + 1);
  const show = (id: string) => go(href(id ? `slos/${id}` : 'slos'));
  const form = arg === 'new' || (one && params.get('edit') === '1');
  return (
    <div class="view alerts">
      <h1 class="visually-hidden">SLOs</h1>
      <AlertTabs at="slos" />
      {list.loading && !list.data && <Progress loading progress={null} />}
      {list.error && <ErrorBox error={list.error} retry={list.reload} />}
      {form && <SloForm key={arg} old={one ?? null} close={() => show(one ? arg : '')} saved={(s) => { changed(); show(s.id); }} />}
      {list.data && !list.loading && arg && !one && !form && <Empty title="There is no such SLO"><a href={href('slos')}>All SLOs</a></Empty>}
      {one && !form && <OneSlo s={one} alerts={(alerts.data?.burn_alerts ?? []).filter((b) => b.object.slo.id === arg)} changed={changed} />}
      {list.data && !arg && <Cards list={list.data} />}
    </div>
  );
}

function Budget({ left }: { left: number | undefined }) {
  const share = Math.max(0, Math.min(100, left ?? 0));
  return (
    <div class={`budget${(left ?? 0) <= 0 ? ' gone' : (left ?? 0) < 10 ? ' low' : ''}`} role="img" aria-label={`Budget remaining: ${pct(left, 1)}`}>
      <span style={{ width: `${share}%` }} />
    </div>
  );
}

function Cards({ list }: { list: SloReport[] }) {
  if (list.length === 0) return <Empty title="No objective yet"><p>An SLO counts which events were good, and how much may still go wrong.</p><a class="button primary" href={href('slos/new')}>Make an SLO</a></Empty>;
  return (
    <>
      <div class="bar"><span class="grow" /><a class="button" href={href('slos/new')}>New SLO</a></div>
      <div class="cards">
        {list.map(({ object: s, ...r }) => (
          <a key={s.id} class="panel card" href={href(`slos/${s.id}`)}>
            <h2>{s.name}</h2>
            <p class="muted">{s.dataset_slugs.join(', ')} · {pct(s.target_per_million / 1e4, 2)} over {s.time_period_days} days</p>
            {r.error ? <p class="error">{r.error}</p> : (
              <>
                <p class={`big${(r.budget_remaining ?? 0) <= 0 ? ' error' : ''}`}>{pct(r.budget_remaining, 1)} <span class="muted">of the budget left</span></p>
                <Budget left={r.budget_remaining} />
                <p class="muted">{pct(r.compliance, 3)} good of {count(r.total ?? 0)}</p>
              </>
            )}
          </a>
        ))}
      </div>
    </>
  );
}

function OneSlo({ s, alerts, changed }: { s: SloReport; alerts: Alert<BurnAlert>[]; changed: () => void }) {
  const o = s.object;
  const burn = useLoad(`burn ${o.id}`, (signal) => api.burn(o.id, signal));
  useInterval(REFRESH_MS, burn.reload);
  const [error, setError] = useState<Error | null>(null);
  const [open, setOpen] = useState<string | null>(null);
  const [turn, again] = useState(0);
  const run = (what: Promise<unknown>) => { setError(null); void what.then(() => { changed(); again((n) => n + 1); }, setError); };
  const shown = alerts.find((a) => a.object.id === open);
  const [editing, edit] = useState<string | null>(null);
  const edited = alerts.find((a) => a.object.id === editing);
  return (
    <>
      <section class="panel alert-head" aria-labelledby="slo-name">
        <h2 id="slo-name">{o.name}</h2>
        {o.description && <p>{o.description}</p>}
        {s.error && <p class="error">{s.error}</p>}
        <dl class="facts">
          <div><dt>Budget left</dt><dd class={(s.budget_remaining ?? 0) <= 0 ? 'error' : ''}><b>{pct(s.budget_remaining, 2)}</b></dd></div>
          <div><dt>Compliance</dt><dd>{pct(s.compliance, 4)}</dd></div>
          <div><dt>Target</dt><dd>{pct(o.target_per_million / 1e4, 4)} over {o.time_period_days} days</dd></div>
          <div><dt>Good</dt><dd>{count(s.good ?? 0)} of {count(s.total ?? 0)}</dd></div>
          <div><dt>SLI</dt><dd><code>{o.sli.alias}</code> of {o.dataset_slugs.join(', ')}</dd></div>
        </dl>
        <div class="bar">
          <a class="button" href={href('query', { c: ['COUNT'], by: o.sli.alias, ds: o.dataset_slugs.length === 1 ? o.dataset_slugs[0]! : null, t: '24h' })}>Look at the events</a>
          <a class="button" href={href(`slos/${o.id}`, { edit: '1' })}>Change</a>
          <Sure label="Delete" name={`Delete ${o.name}`} question={alerts.length ? `With its burn alerts (${alerts.map((a) => burnText(a.object)).join('; ')})?` : 'It has no burn alert.'} run={() => hny('DELETE', `slos/${encodeURIComponent(s.dataset)}/${o.id}`)} done={() => { changed(); go(href('slos')); }} failed={setError} />
        </div>
        {error && <ErrorBox error={error} />}
      </section>
      <section class="panel" aria-labelledby="burn"><h2 id="burn">Budget over the period</h2>
        {burn.loading && !burn.data && <Progress loading progress={null} />}
        {burn.error && <ErrorBox error={burn.error} retry={burn.reload} />}
        {burn.data && (burn.data.total === 0 ? <Empty title="No event counted yet"><p>The SLI is null for every event there is.</p></Empty>
          : <Plot label={`Budget remaining of ${o.name}`} lines={[burnLine(burn.data)]} text={(n) => `${short(n)} %`} threshold={0} height={220} />)}
      </section>
      <section class="panel" aria-labelledby="burn-alerts"><h2 id="burn-alerts">Burn alerts</h2>
        {alerts.length === 0 ? <p class="muted">Nobody is told when the budget burns.</p> : (
          <div class="table-wrap" role="region" aria-label="All burn alerts" tabIndex={0}>
            <table class="table">
              <thead><tr><th>When</th><th>State</th><th>Tells</th><th /></tr></thead>
              <tbody>
                {alerts.map(({ object: b, ...a }) => (
                  <tr key={b.id}>
                    <td>{burnText(b)}</td>
                    <td><AlertState triggered={a.triggered} since={a.triggered_ns} last={a.last} /></td>
                    <td class="cell">{toldText(b.recipients)}</td>
                    <td class="right nowrap">
                      <button type="button" class="button small" aria-expanded={open === b.id} onClick={() => setOpen(open === b.id ? null : b.id)} aria-label={`Evaluations of: ${burnText(b)}`}>Evaluations</button>{' '}
                      <button type="button" class="button small" onClick={() => run(api.evaluate(b.id))} aria-label={`Evaluate now: ${burnText(b)}`}>Now</button>{' '}
                      <button type="button" class="button small" aria-expanded={editing === b.id} onClick={() => edit(editing === b.id ? null : b.id)} aria-label={`Change: ${burnText(b)}`}>Change</button>{' '}
                      <Sure label="Delete" name={`Delete: ${burnText(b)}`} question="With its evaluations?" run={() => hny('DELETE', `burn_alerts/${encodeURIComponent(s.dataset)}/${b.id}`)} done={changed} failed={setError} />
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
        {edited
          ? <BurnForm key={edited.object.id} slo={o} dataset={s.dataset} old={edited.object} close={() => edit(null)} saved={() => { edit(null); changed(); }} />
          : <BurnForm key={alerts.length} slo={o} dataset={s.dataset} old={null} close={() => undefined} saved={changed} />}
      </section>
      {shown && <Evaluations id={shown.object.id} threshold={null} label="What decides the burn alert" text={short} turn={turn} />}
    </>
  );
}

const BURN_FIELDS = ['alert_type', 'exhaustion_minutes', 'budget_rate_window_minutes', 'budget_rate_decrease_threshold_per_million', 'description'];

// `old` null: a new one.
function BurnForm({ slo, dataset, old, close, saved }: { slo: Slo; dataset: string; old: BurnAlert | null; close: () => void; saved: () => void }) {
  const [kind, setKind] = useState(old?.alert_type ?? 'exhaustion_time');
  const [within, setWithin] = useState(String(old?.exhaustion_minutes ?? 240));
  const [share, setShare] = useState(String((old?.budget_rate_decrease_threshold_per_million ?? 50000) / 1e4));
  const [window_, setWindow] = useState(String(old?.budget_rate_window_minutes ?? 60));
  const [description, setDescription] = useState(old?.description ?? '');
  const [told, setTold] = useState<Told[]>(old?.recipients ?? []);
  const [error, setError] = useState<Error | null>(null);
  const [found, setFound] = useState<Found | null>(null);
  const rate = kind === 'budget_rate';
  const body = () => ({ ...(old ?? {}), alert_type: kind, slo: { id: slo.id }, description, recipients: told,
    ...(rate ? { budget_rate_window_minutes: Number(window_), budget_rate_decrease_threshold_per_million: Math.round(Number(share) * 1e4) } : { exhaustion_minutes: Number(within) }) });
  const save = (e: Event) => {
    e.preventDefault();
    setError(null);
    hny(old ? 'PUT' : 'POST', `burn_alerts/${encodeURIComponent(dataset)}${old ? `/${old.id}` : ''}`, body()).then(saved, setError);
  };
  const attempt = () => {
    setError(null);
    setFound(null);
    api.tryAlert('burn_alerts', dataset, body()).then(setFound, setError);
  };
  return (
    <form class="rule-form" aria-label={old ? `Change: ${burnText(old)}` : 'New burn alert'} onSubmit={save} noValidate>
      <div class="form-grid">
        {!old && <Field label="Watch" at="alert_type" error={error}><select value={kind} onChange={(e) => setKind(e.currentTarget.value as typeof kind)}><option value="exhaustion_time">when it runs out</option><option value="budget_rate">how fast it falls</option></select></Field>}
        {!rate && <Field label="Within minutes" at="exhaustion_minutes" error={error}><input type="number" value={within} onInput={(e) => setWithin(e.currentTarget.value)} /></Field>}
        {rate && <Field label="Falls by % of the budget" at="budget_rate_decrease_threshold_per_million" error={error}><input type="number" step="any" value={share} onInput={(e) => setShare(e.currentTarget.value)} /></Field>}
        {rate && <Field label="Within minutes" at="budget_rate_window_minutes" error={error}><input type="number" value={window_} onInput={(e) => setWindow(e.currentTarget.value)} /></Field>}
        <Field label="Description, told with it" at="description" error={error}><input value={description} maxLength={1023} onInput={(e) => setDescription(e.currentTarget.value)} /></Field>
      </div>
      <Tells value={told} set={setTold} />
      <Unplaced error={error} at={BURN_FIELDS} />
      {found && <Finding found={found} text={rate ? (n) => `${short(n / 1e4)} % of the budget` : (n) => `${short(n)} minutes left`} />}
      <div class="bar">
        <button type="submit" class="button primary">{old ? 'Save' : 'Add the burn alert'}</button>
        <button type="button" class="button" onClick={attempt}>Try it now</button>
        {old && <button type="button" class="button" onClick={close}>Cancel</button>}
      </div>
    </form>
  );
}
