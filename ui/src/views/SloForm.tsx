// SPDX-License-Identifier: Apache-2.0
//
// An SLO made or changed. Its SLI is a derived column there is, or an expression that becomes one; what it would have
// counted over the window is shown before anything is kept. What was made for an SLO that is then refused goes again.

import { useState } from 'preact/hooks';
import { burnLine, slugOf, type BurnDown, type Slo, type SloReport } from '../lib/alerts';
import { api, hny } from '../lib/api';
import { environment } from '../lib/env';
import { count, short } from '../lib/format';
import { useRoute } from '../lib/route';
import { focusOnce, useLoad } from '../lib/use';
import { Field, Said, Unplaced } from '../parts/Field';
import { Plot } from '../parts/Plot';
import { Empty, ErrorBox } from '../parts/States';

interface Derived { id: string; alias: string; expression: string; description: string; scope: string }

const FIELDS = ['name', 'description', 'sli', 'alias', 'expression', 'target_per_million', 'time_period_days', 'dataset_slugs'];
const ALL = '__all__';
const FIRST = 'IF(EQUALS($is_root, true), NOT(EXISTS($error)))';
const path = (kind: string, scope: string, id?: string) => `${kind}/${encodeURIComponent(scope)}${id ? `/${encodeURIComponent(id)}` : ''}`;

// Of the dataset and of the environment: what an SLO of the scope may count by.
const derivedOf = async (scope: string, signal: AbortSignal) => (await Promise.all([...new Set([scope, ALL])]
  .map(async (s) => (await hny<Omit<Derived, 'scope'>[]>('GET', path('derived_columns', s), undefined, signal)).map((d) => ({ ...d, scope: s }))))).flat();

export function SloForm({ old, close, saved }: { old: SloReport | null; close: () => void; saved: (s: Slo) => void }) {
  const { params } = useRoute();
  const o = old?.object;
  const [v, set] = useState({ name: o?.name ?? '', description: o?.description ?? '', target: String((o?.target_per_million ?? 999000) / 1e4), days: String(o?.time_period_days ?? 30), column: o?.sli.alias ?? '', alias: '' });
  const on = (key: keyof typeof v) => ({ value: v[key], onInput: (e: Event) => set({ ...v, [key]: (e.currentTarget as HTMLInputElement).value }) });
  const [text, setText] = useState<string | null>(null); // null: as the column has it
  const [chosen, choose] = useState(o?.dataset_slugs ?? null);
  const [error, setError] = useState<Error | null>(null);
  const [found, setFound] = useState<BurnDown | null>(null);
  const sets = useLoad(`datasets ${environment()}`, (signal) => api.datasets({}, signal));
  const known = [...new Set([...(sets.data ?? []).map((d) => slugOf(d.name)), ...(chosen ?? [])])];
  const most = [...(sets.data ?? [])].sort((a, b) => b.rows - a.rows)[0];
  const slugs = chosen ?? (most ? [slugOf(params.get('ds') ?? most.name)] : []);
  const scope = old?.dataset ?? (slugs.length > 1 ? ALL : slugs[0] ?? '');
  const derived = useLoad(scope ? `derived ${environment()} ${scope}` : null, (signal) => derivedOf(scope, signal));
  const column = derived.data?.find((d) => d.alias === v.column);
  const expression = text ?? column?.expression ?? (v.column ? '' : FIRST);
  const free = (alias: string, n = 1): string => (derived.data?.some((d) => d.alias === alias + (n > 1 ? `_${n}` : '')) ? free(alias, n + 1) : alias + (n > 1 ? `_${n}` : ''));
  const alias = v.column || v.alias || free(`sli.${v.name.trim().toLowerCase().replace(/[^a-z0-9]+/g, '_')}`);
  const fresh = !v.column || (column !== undefined && expression !== column.expression);
  const body = (sli: object) => ({ ...o, name: v.name.trim(), description: v.description, sli: { alias, ...sli }, time_period_days: Number(v.days), target_per_million: Math.round(Number(v.target) * 1e4), dataset_slugs: slugs });
  const attempt = () => {
    setError(null);
    setFound(null);
    api.trySlo(scope, body(fresh ? { expression } : {})).then(setFound, setError);
  };
  // The column first: the SLO names it. Its way back is kept until the SLO is.
  const keep = async () => {
    let undo: (() => Promise<unknown>) | null = null;
    if (!v.column) {
      const made = await hny<Derived>('POST', path('derived_columns', scope), { alias, expression, description: `SLI of ${v.name.trim()}`.slice(0, 255) });
      undo = () => hny('DELETE', path('derived_columns', scope, made.id));
    } else if (fresh) {
      const at = path('derived_columns', column!.scope, column!.id);
      const { scope: _, ...was } = column!;
      await hny('PUT', at, { ...was, expression });
      undo = () => hny('PUT', at, was);
    }
    return hny<Slo>(o ? 'PUT' : 'POST', path('slos', scope, o?.id), body({})).catch(async (e) => {
      await undo?.().catch(() => undefined);
      throw e;
    });
  };
  const save = (e: Event) => {
    e.preventDefault();
    setError(null);
    keep().then(saved, setError);
  };
  const per = Math.round(Number(v.target) * 1e4);
  return (
    <form class="panel rule-form" aria-label={o ? `Change ${o.name}` : 'New SLO'} onSubmit={save} noValidate>
      <h2>{o ? o.name : 'New SLO'}</h2>
      <div class="form-grid">
        <Field label="Name" at="name" error={error}><input {...on('name')} maxLength={120} placeholder="Requests succeed" required ref={focusOnce} /></Field>
        <Field label="Description" at="description" error={error}><input {...on('description')} maxLength={1023} placeholder="Who misses it when it is missed" /></Field>
      </div>
      {old && old.dataset !== ALL
        ? <dl class="facts"><div><dt>Counts events of</dt><dd>{old.dataset}</dd></div></dl>
        : (
          <fieldset class="tells slo-sets">
            <legend>Counts events of</legend>
            {known.map((s) => <label class="tell" key={s}><input type="checkbox" checked={slugs.includes(s)} onChange={(e) => choose(known.filter((x) => (x === s ? e.currentTarget.checked : slugs.includes(x))))} /> {s}</label>)}
            {sets.data?.length === 0 && <span class="muted">no dataset yet</span>}
            <Said error={error} at="dataset_slugs" />
          </fieldset>
        )}
      {(sets.error ?? derived.error) && <ErrorBox error={(sets.error ?? derived.error)!} retry={() => { sets.reload(); derived.reload(); }} />}
      <div class="form-grid">
        <Field label="SLI" at="sli.alias" error={error}>
          <select value={v.column} onChange={(e) => { setText(null); set({ ...v, column: e.currentTarget.value }); }}>
            <option value="">a new expression</option>
            {v.column && !column && <option>{v.column}</option>}
            {(derived.data ?? []).map((d) => <option key={d.id}>{d.alias}</option>)}
          </select>
        </Field>
        {!v.column && <Field label="Kept as the derived column" at="alias" error={error}><input class="mono" value={alias} maxLength={255} spellcheck={false} onInput={(e) => set({ ...v, alias: e.currentTarget.value })} /></Field>}
      </div>
      <Field label="True is good, false is bad, null does not count" at="expression" error={error} {...(v.column && fresh && { hint: `changes ${v.column} wherever it is used` })}>
        <textarea class="mono" rows={3} value={expression} maxLength={4095} spellcheck={false} autocapitalize="none" onInput={(e) => setText(e.currentTarget.value)} />
      </Field>
      <div class="form-grid">
        <Field label="Target, %" at="target_per_million" error={error} {...(per >= 0 && per < 1e6 && { hint: `${count(1e6 - per)} of a million may fail` })}><input type="number" step="any" {...on('target')} required /></Field>
        <Field label="Over days" at="time_period_days" error={error}><input type="number" {...on('days')} required /></Field>
      </div>
      <Unplaced error={error} at={FIELDS} />
      {found && <Preview found={found} days={v.days} />}
      <div class="bar">
        <button type="submit" class="button primary" disabled={!scope}>{o ? 'Save' : 'Make the SLO'}</button>
        <button type="button" class="button" disabled={!scope} onClick={attempt}>Try it now</button>
        <button type="button" class="button" onClick={close}>Cancel</button>
      </div>
    </form>
  );
}

function Preview({ found: f, days }: { found: BurnDown; days: string }) {
  if (f.total === 0) return <Empty title="No event would count"><p>The SLI is null for every event of the last {days} days.</p></Empty>;
  return (
    <div role="group" aria-label="What it would have counted">
      <p class="note" role="status"><span><b>{short(f.compliance)} % good</b>: {count(f.good)} of the {count(f.total)} events that count, {count(f.total - f.good)} bad; {f.budget_remaining.toFixed(1)} % of the budget would be left. Nothing is kept yet.</span></p>
      <p class="muted">The budget as it would have gone</p>
      <Plot label="Budget as it would have gone" lines={[burnLine(f)]} text={(n) => `${short(n)} %`} threshold={0} height={160} />
    </div>
  );
}
