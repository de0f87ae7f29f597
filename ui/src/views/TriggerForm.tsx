// SPDX-License-Identifier: Apache-2.0
// A trigger made or changed: its question is that of the address, or the one it has; it is tried before it counts.

import { useMemo, useState } from 'preact/hooks';
import { lasting, minutes, slugOf, type Alert, type Found, type Told, type Trigger } from '../lib/alerts';
import { api, hny } from '../lib/api';
import { short, value as valueText } from '../lib/format';
import { calcText, filterText, havingText, namedText, questionName, specOf } from '../lib/query';
import { go, href, named, useRoute } from '../lib/route';
import type { QuerySpec } from '../lib/types';
import { Field, Unplaced } from '../parts/Field';
import { Tells } from '../parts/Tells';

const EVERY = [60, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400];
const DAYS = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'];
const BEFORE: [number, string][] = [[60, 'an hour before'], [1440, 'a day before'], [10080, 'a week before'], [40320, 'four weeks before']];
const FIELDS = ['name', 'description', 'query.time_range', 'threshold', 'frequency', 'alert_type', 'baseline_details.type', 'baseline_details.offset_minutes', 'evaluation_schedule.window.start_time', 'evaluation_schedule.window.end_time'];

// The question as parameters of Query, to be changed there.
const queryHref = (t: Alert<Trigger>) => {
  const q = t.object.query ?? {};
  return href('query', { c: (q.calculations ?? []).map(calcText), w: (q.filters ?? []).map(filterText), or: q.filter_combination === 'OR' ? '1' : null, by: q.breakdowns ?? [], h: (q.havings ?? []).map(havingText),
    cf: (q.calculated_fields ?? []).map(namedText), fx: (q.formulas ?? []).map(namedText), ds: t.dataset === '__all__' ? null : t.dataset, t: '24h', trigger: t.object.id, edit: null });
};

export function TriggerForm({ old, close, saved }: { old: Alert<Trigger> | null; close: () => void; saved: (t: Trigger) => void }) {
  const { params } = useRoute();
  const o = old?.object;
  const fresh = old === null || named().has('c');
  const spec = useMemo((): QuerySpec => (fresh ? lasting(specOf(params)) : o?.query ?? {}), [params.toString(), o]);
  const dataset = old ? old.dataset : slugOf(params.get('ds') ?? '');
  const [name, setName] = useState(o?.name ?? '');
  const [description, setDescription] = useState(o?.description ?? '');
  const [op, setOp] = useState(o?.threshold.op ?? '>');
  const [limit, setLimit] = useState(String(o?.threshold.value ?? 0));
  const [times, setTimes] = useState(o?.threshold.exceeded_limit ?? 1);
  const [every, setEvery] = useState(o?.frequency ?? 900);
  const [span, setSpan] = useState(o?.query?.time_range ?? 900);
  const [kind, setKind] = useState(o?.alert_type ?? 'on_change');
  const [than, setThan] = useState(o?.baseline_details?.type ?? '');
  const [before, setBefore] = useState(o?.baseline_details?.offset_minutes ?? 1440);
  const window_ = o?.evaluation_schedule_type === 'window' ? o.evaluation_schedule?.window : undefined;
  const [days, setDays] = useState<string[] | null>(window_?.days_of_week ?? null); // null = always
  const [from, setFrom] = useState(window_?.start_time ?? '08:00');
  const [to, setTo] = useState(window_?.end_time ?? '18:00');
  const [told, setTold] = useState<Told[]>(o?.recipients ?? []);
  const [error, setError] = useState<Error | null>(null);
  const [found, setFound] = useState<Found | null>(null);
  const body = () => {
    const { query, query_id, evaluation_schedule, baseline_details, ...rest } = o ?? ({} as Partial<Trigger>);
    const asks = fresh || !query_id ? { query: { ...spec, time_range: span } } : { query_id };
    return { ...rest, ...asks, name: name.trim(), description, frequency: every, threshold: { op, value: Number(limit), exceeded_limit: times }, alert_type: kind, recipients: told,
      baseline_details: than ? { type: than, offset_minutes: before } : {}, evaluation_schedule_type: days ? 'window' : 'frequency', ...(days && { evaluation_schedule: { window: { days_of_week: days, start_time: from, end_time: to } } }) };
  };
  const save = (e: Event) => {
    e.preventDefault();
    setError(null);
    hny<Trigger>(old ? 'PUT' : 'POST', `triggers/${encodeURIComponent(dataset)}${old ? `/${encodeURIComponent(o!.id)}` : ''}`, body()).then(saved, setError);
  };
  const attempt = () => {
    setError(null);
    setFound(null);
    api.tryAlert('triggers', dataset, body()).then(setFound, setError);
  };
  const spans = [...new Set([every, 2 * every, 3 * every, 4 * every, span])].filter((s) => s <= 86400 || s === span).sort((a, b) => a - b);
  return (
    <form class="panel rule-form" aria-label={old ? `Change ${o!.name}` : 'New trigger'} onSubmit={save} noValidate>
      <h2>{old ? o!.name : 'New trigger'}</h2>
      <dl class="facts">
        <div><dt>Asks for</dt><dd>{o?.query_id && !fresh ? 'a saved query' : questionName(spec)}</dd></div>
        <div><dt>Of</dt><dd>{dataset === '__all__' ? 'all datasets' : dataset}</dd></div>
        {old && o?.query && <div><dt>Another question</dt><dd><a href={queryHref(old)}>Change it in Query</a></dd></div>}
      </dl>
      <div class="form-grid">
        <Field label="Name" at="name" error={error}><input value={name} maxLength={120} placeholder="Too many errors" required autofocus onInput={(e) => setName(e.currentTarget.value)} /></Field>
        <Field label="Description, told with it" at="description" error={error}><input value={description} maxLength={1023} placeholder="What to do about it" onInput={(e) => setDescription(e.currentTarget.value)} /></Field>
      </div>
      <div class="form-grid">
        <Field label="Fires when" at="threshold.op" error={error}><select value={op} onChange={(e) => setOp(e.currentTarget.value)}>{['>', '>=', '<', '<='].map((x) => <option>{x}</option>)}</select></Field>
        <Field label={than === 'percentage' ? 'Threshold, %' : 'Threshold'} at="threshold" error={error}><input type="number" step="any" value={limit} required onInput={(e) => setLimit(e.currentTarget.value)} /></Field>
        <Field label="Compared" at="baseline_details.type" error={error}>
          <select value={than} onChange={(e) => setThan(e.currentTarget.value)}><option value="">as it is</option><option value="value">as the difference to</option><option value="percentage">as the change in % from</option></select>
        </Field>
        {than !== '' && <Field label="To" at="baseline_details.offset_minutes" error={error}><select value={String(before)} onChange={(e) => setBefore(Number(e.currentTarget.value))}>{BEFORE.map(([m, t]) => <option value={String(m)}>{t}</option>)}</select></Field>}
        <Field label="Times in a row" at="threshold.exceeded_limit" error={error}><select value={String(times)} onChange={(e) => setTimes(Number(e.currentTarget.value))}>{[1, 2, 3, 4, 5].map((n) => <option value={String(n)}>{n}</option>)}</select></Field>
      </div>
      <div class="form-grid">
        <Field label="Asked every" at="frequency" error={error}>
          <select value={String(every)} onChange={(e) => { const s = Number(e.currentTarget.value); setSpan(Math.max(s, Math.min(span, 4 * s, 86400))); setEvery(s); }}>{[...new Set([...EVERY, every])].sort((a, b) => a - b).map((s) => <option value={String(s)}>{minutes(s)}</option>)}</select>
        </Field>
        {(fresh || !o?.query_id) && <Field label="Over the last" at="query.time_range" error={error}><select value={String(span)} onChange={(e) => setSpan(Number(e.currentTarget.value))}>{spans.map((s) => <option value={String(s)}>{minutes(s)}</option>)}</select></Field>}
        <Field label="Is told" at="alert_type" error={error}><select value={kind} onChange={(e) => setKind(e.currentTarget.value)}><option value="on_change">when it fires and resolves</option><option value="on_true">each time it is met</option></select></Field>
        <Field label="Is asked" at="evaluation_schedule_type" error={error}><select value={days ? 'window' : ''} onChange={(e) => setDays(e.currentTarget.value ? DAYS.slice(0, 5) : null)}><option value="">always</option><option value="window">on some days, at some hours</option></select></Field>
      </div>
      {days && (
        <fieldset class="tells">
          <legend>Days and hours (UTC)</legend>
          {DAYS.map((d) => <label class="tell"><input type="checkbox" checked={days.includes(d)} onChange={(e) => setDays(DAYS.filter((x) => (x === d ? e.currentTarget.checked : days.includes(x))))} /> {d}</label>)}
          <span class="form-grid">
            <Field label="From" at="evaluation_schedule.window.start_time" error={error}><input type="time" value={from} onInput={(e) => setFrom(e.currentTarget.value)} /></Field>
            <Field label="To" at="evaluation_schedule.window.end_time" error={error}><input type="time" value={to} onInput={(e) => setTo(e.currentTarget.value)} /></Field>
          </span>
        </fieldset>
      )}
      <Tells value={told} set={setTold} markers />
      <Unplaced error={error} at={FIELDS} />
      {found && <Finding found={found} text={short} />}
      <div class="bar">
        <button type="submit" class="button primary">{old ? 'Save' : 'Make the trigger'}</button>
        <button type="button" class="button" onClick={attempt}>Try it now</button>
        <button type="button" class="button" onClick={close}>Cancel</button>
      </div>
    </form>
  );
}

// What an alert that was tried would have found; nobody is told.
export function Finding({ found, text }: { found: Found; text: (n: number) => string }) {
  const groups = (found.detail.groups_triggered ?? []).filter((g) => g.group.length).slice(0, 5);
  return (
    <p class="note" role="status"><span>
      {found.met ? <b>It would be met now</b> : <>It would not be met now</>}: {found.value === null ? 'there is no value' : text(found.value)}
      {found.detail.n_groups !== undefined && found.detail.n_groups > 1 && `, ${found.detail.n_triggered} of ${found.detail.n_groups} groups`}
      {groups.length > 0 && <> ({groups.map((g) => `${g.group.map((k) => valueText(k.value)).join(' · ')}: ${g.result === null ? '–' : text(g.result)}`).join(', ')})</>}. Nobody was told.
    </span></p>
  );
}

export const newTriggerDone = (t: Trigger) => go(href(`triggers/${t.id}`, { c: null, w: null, by: null, fx: null, cf: null, h: null, or: null }));
