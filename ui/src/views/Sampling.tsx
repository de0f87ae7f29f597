// SPDX-License-Identifier: Apache-2.0
// X-Ray's sampling rules: what each let through in the last hour, and making, changing, deleting them.

import { useState } from 'preact/hooks';
import { api } from '../lib/api';
import { formErrors, type FormErrors } from '../lib/awsform';
import { count, percent, short } from '../lib/format';
import { href } from '../lib/route';
import { useInterval, useLoad } from '../lib/use';
import { below, taken } from '../parts/SamplingNote';
import { ErrorBox, Progress } from '../parts/States';
import type { Sampling as Answer, SamplingRule } from '../lib/types';

const AGAIN_MS = 5e3;
const AWS_RATE = 0.05;

// The members of a rule that a form has: key of the API, label, what the page's API calls it.
const TEXTS: [string, string, (r: SamplingRule) => string][] = [
  ['ServiceName', 'Service', (r) => r.service], ['ServiceType', 'Service type', (r) => r.service_type], ['Host', 'Host', (r) => r.host],
  ['HTTPMethod', 'Method', (r) => r.method], ['URLPath', 'Path', (r) => r.path],
];
const NUMBERS: [string, string, (r: SamplingRule) => string][] = [
  ['Priority', 'Priority (1 is tried first)', (r) => String(r.priority)], ['ReservoirSize', 'Reservoir, requests/s', (r) => String(r.reservoir)],
  ['FixedRate', 'Then, % of the rest', (r) => String(Math.round(r.fixed_rate * 1e6) / 1e4)],
];

export function Sampling() {
  const sampling = useLoad('sampling', api.sampling);
  useInterval(AGAIN_MS, sampling.reload);
  const [editing, edit] = useState<string | null>(null); // a rule's name, "" = a new one
  const [failed, fail] = useState<Error | null>(null);
  const s = sampling.data;
  const change = (operation: string, body: unknown) => api.xray(operation, body).then(() => fail(null), fail).then(sampling.reload);
  const rule = s?.rules.find((r) => r.name === editing) ?? null;
  const error = sampling.error ?? failed;
  return (
    <div class="view settings">
      <div class="bar">
        <h1>Sampling rules</h1>
        <a href={href('groups')}>Groups</a>
        <span class="end" />
        {s && <Preset rules={s.rules} set={(rate) => void change('UpdateSamplingRule', { SamplingRuleUpdate: { RuleName: 'Default', FixedRate: rate, ReservoirSize: 1 } })} />}
        <button type="button" class="button primary" onClick={() => edit('')}>New rule</button>
      </div>
      {!s && sampling.loading && <Progress loading progress={null} />}
      {error && <ErrorBox error={error} retry={sampling.reload} />}
      {s && s.below.length > 0 && <div class="note" role="status">Not every request is stored: in the last hour {below(s)}.</div>}
      {editing !== null && (editing === '' || rule) && (
        <Form key={editing} rule={rule} close={() => edit(null)} saved={() => { edit(null); sampling.reload(); }} />
      )}
      {s && <Table s={s} edit={edit} drop={(name) => void change('DeleteSamplingRule', { RuleName: name })} />}
      <p class="muted">A request belongs to the first rule that it matches. Of these the X-Ray SDKs of all processes together send the reservoir, each second, and then the share of the rest. Changes reach them within ten seconds; Node's SDK within five minutes.</p>
    </div>
  );
}

// Default at AWS's rate, or at everything.
function Preset({ rules, set }: { rules: SamplingRule[]; set: (rate: number) => void }) {
  const all = rules.find((r) => r.name === 'Default')?.fixed_rate === 1;
  return all
    ? <button type="button" class="button" onClick={() => set(AWS_RATE)} title="Default: one request a second, then 5 %">5 % like AWS</button>
    : <button type="button" class="button" onClick={() => set(1)} title="Default: 100 %">Take every request</button>;
}

const matches = (r: SamplingRule) => TEXTS.map(([, label, get]) => [label.toLowerCase(), get(r)] as const).filter(([, v]) => v !== '*').map(([l, v]) => `${l} ${v}`).join(', ') || 'everything';

function Table({ s, edit, drop }: { s: Answer; edit: (name: string) => void; drop: (name: string) => void }) {
  return (
    <section class="panel" aria-label="Rules">
      <div class="table-wrap" role="region" aria-label="Sampling rules, in the order they are tried" tabIndex={0}>
        <table class="table rules">
          <thead><tr><th class="right">Priority</th><th>Rule</th><th>Matches</th><th class="right">Reservoir</th><th class="right">Rate</th><th class="right">Clients</th><th class="right">Seen</th><th class="right">Taken</th><th>Last hour</th><th><span class="visually-hidden">Change</span></th></tr></thead>
          <tbody>{s.rules.map((r) => <Line key={r.name} r={r} kept_s={s.kept_s} edit={edit} drop={drop} />)}</tbody>
        </table>
      </div>
    </section>
  );
}

function Line({ r, kept_s, edit, drop }: { r: SamplingRule; kept_s: number; edit: (name: string) => void; drop: (name: string) => void }) {
  const [sure, ask] = useState(false);
  return (
    <tr>
      <td class="num right">{r.priority}</td>
      <td><strong>{r.name}</strong>{r.fixed_rate < 1 && <span class="muted nowrap"> under 100%</span>}</td>
      <td class="cell" title={matches(r)}>{matches(r)}</td>
      <td class="num right nowrap">{count(r.reservoir)}/s</td>
      <td class="num right">{percent(r.fixed_rate)}</td>
      <td class="num right" title={r.clients ? `${count(r.quota)} of the reservoir are theirs` : ''}>{count(r.clients)}</td>
      <td class="num right">{count(r.requests)}</td>
      <td class="num right nowrap">{r.requests > 0 ? `${count(taken(r))} (${percent(taken(r) / r.requests)})` : '–'}</td>
      <td><Trend r={r} kept_s={kept_s} /></td>
      <td class="right nowrap">
        <button type="button" class="button small" onClick={() => edit(r.name)} aria-label={`Edit ${r.name}`}>Edit</button>{' '}
        {r.name !== 'Default' && (sure
          ? <button type="button" class="button small error" onClick={() => drop(r.name)} onBlur={() => ask(false)} aria-label={`Really delete ${r.name}`}>Really?</button>
          : <button type="button" class="button small" onClick={() => ask(true)} aria-label={`Delete ${r.name}`}>Delete</button>)}
      </td>
    </tr>
  );
}

const BARS = 60;

// Requests seen, minute by minute, and how many of them were taken.
function Trend({ r, kept_s }: { r: SamplingRule; kept_s: number }) {
  const step = (kept_s * 1e3) / BARS, start = Date.now() - kept_s * 1e3;
  const seen = new Array<number>(BARS).fill(0), got = new Array<number>(BARS).fill(0);
  for (const [ms, requests, sampled] of r.windows) {
    const i = Math.min(BARS - 1, Math.max(0, Math.floor((ms - start) / step)));
    seen[i]! += requests;
    got[i]! += Math.min(requests, sampled);
  }
  const top = Math.max(...seen);
  if (top === 0) return <span class="muted">no client</span>;
  const bar = (list: number[], cls: string) => list.map((v, i) => v > 0 && <rect class={cls} x={i * 2} y={20 - (18 * v) / top - 1} width="1.6" height={(18 * v) / top + 1} />);
  return (
    <svg class="trend" width="120" height="20" viewBox="0 0 120 20" role="img" aria-label={`${r.name}: at most ${short((top / step) * 1e3)} requests a second`}>
      {bar(seen, 'seen')}{bar(got, 'got')}
    </svg>
  );
}

function Form({ rule, close, saved }: { rule: SamplingRule | null; close: () => void; saved: () => void }) {
  const isDefault = rule?.name === 'Default';
  const [values, set] = useState<Record<string, string>>(() => ({
    RuleName: rule?.name ?? '',
    ...Object.fromEntries(TEXTS.map(([key, , get]) => [key, rule ? get(rule) : '*'])),
    ...Object.fromEntries(NUMBERS.map(([key, , get]) => [key, rule ? get(rule) : { Priority: '9000', ReservoirSize: '1', FixedRate: '5' }[key]!])),
  }));
  const [errors, fail] = useState<FormErrors>({ fields: {}, rest: null });
  const [busy, work] = useState(false);
  const number = (key: string) => (values[key]!.trim() === '' ? null : Number(values[key]));
  const submit = (e: Event) => {
    e.preventDefault();
    const rate = number('FixedRate');
    const numbers = { FixedRate: rate === null ? null : rate / 100, ReservoirSize: number('ReservoirSize') };
    const texts = Object.fromEntries(TEXTS.map(([key]) => [key, values[key]]));
    const members = isDefault ? numbers : { ...numbers, ...texts, Priority: number('Priority') };
    work(true);
    const done = rule
      ? api.xray('UpdateSamplingRule', { SamplingRuleUpdate: { RuleName: rule.name, ...members } })
      : api.xray('CreateSamplingRule', { SamplingRule: { RuleName: values.RuleName, ResourceARN: '*', Version: 1, ...members } });
    done.then(saved, (error: Error) => { work(false); fail(formErrors(error.message)); });
  };
  const field = (key: string, label: string, numeric: boolean, fixed: boolean) => {
    const said = errors.fields[key[0]!.toLowerCase() + key.slice(1)];
    const error = said && key === 'FixedRate' ? 'must be from 0 to 100' : said; // the API has it from 0 to 1
    return (
      <label class="field-of-form">
        <span>{label}</span>
        <input value={values[key]} disabled={fixed} inputMode={numeric ? 'decimal' : undefined} aria-invalid={error ? true : undefined} spellcheck={false}
          onInput={(e) => set({ ...values, [key]: e.currentTarget.value })} />
        {error && <span class="error" role="alert">{error}</span>}
      </label>
    );
  };
  return (
    <form class="panel rule-form" aria-label={rule ? `Edit ${rule.name}` : 'New rule'} onSubmit={submit}>
      <h2>{rule ? rule.name : 'New rule'}</h2>
      {errors.rest && <div class="error" role="alert">{errors.rest}</div>}
      <div class="form-grid">
        {!rule && field('RuleName', 'Name', false, false)}
        {NUMBERS.map(([key, label]) => field(key, label, true, isDefault && key === 'Priority'))}
        {TEXTS.map(([key, label]) => field(key, label, false, isDefault))}
      </div>
      {isDefault && <p class="muted">Default matches what no other rule does; only how much it takes can be changed.</p>}
      <div class="bar">
        <button type="submit" class="button primary" disabled={busy}>Save</button>
        <button type="button" class="button" onClick={close}>Cancel</button>
        <span class="muted">* stands for any text, ? for one character.</span>
      </div>
    </form>
  );
}
