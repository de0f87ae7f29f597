// SPDX-License-Identifier: Apache-2.0
// One item: its occurrences over time, the stack of one of them with code and variables, who and what it
// met, what is different about it, its trace and log lines, its history.

import { useEffect, useMemo, useState } from 'preact/hooks';
import { api } from '../lib/api';
import { differentOf, showDifferent } from '../lib/different';
import { LEVELS, moreOf, whole, type HistoryLine, type ItemChange, type ItemDeploy, type ItemDetail, type StackAnswer } from '../lib/errors';
import { ago, count, dateTime, nsToMs, value as valueText } from '../lib/format';
import { href, patch, useRoute } from '../lib/route';
import { useSession } from '../lib/session';
import { label, rangeOf, spanOf } from '../lib/time';
import { useInterval, useLoad } from '../lib/use';
import { Actions } from '../errors/Actions';
import { Spark } from '../errors/Spark';
import { revision } from './Errors';
import { Spread, spreadKey } from '../errors/Spread';
import { Stack } from '../errors/Stack';
import { Before, Told } from '../errors/Told';
import { toldOf } from '../lib/told';
import { DifferentPanel } from '../parts/Different';
import { Fields } from '../parts/Fields';
import { Icon } from '../parts/Icon';
import { JsonTree } from '../parts/JsonTree';
import { ErrorBox, Progress } from '../parts/States';
import type { Filter, Row, RowDetail, Selection } from '../lib/types';

const REFRESH_MS = 10e3;

export function ErrorItem({ id }: { id: string }) {
  const { params } = useRoute();
  const { me } = useSession();
  const range = rangeOf(params);
  const span = spanOf(range);
  const item = useLoad(`${id} ${label(range)}`, (signal) => api.item(id, whole(span), signal));
  useInterval(range.relative === null ? null : REFRESH_MS, item.reload);
  const [failed, fail] = useState<Error | null>(null);
  const i = item.data;
  useEffect(() => { if (i) document.title = `${i.title} · skep`; }, [i?.title]);
  if (!i) {
    return (
      <div class="view errors">
        <Progress loading={item.loading} progress={null} />
        {item.error && <ErrorBox error={item.error} retry={item.reload} />}
      </div>
    );
  }
  const done = (p: Promise<unknown>) => void p.then(() => fail(null), fail).finally(item.reload);
  const run = (what: ItemChange) => done(api.changeItems([i.id], what));
  const filters = filtersOf(i);
  const base: Selection = { ...span, filters: [{ column: 'error.fingerprint', op: 'exists' }] };
  const different = differentOf(params);
  return (
    <div class="view errors item">
      <Head i={i} run={run} me={me?.user?.name ?? null} />
      {failed && <ErrorBox error={failed} />}
      <Numbers i={i} range={label(range)} />
      <div class="bar">
        <button type="button" class="button" aria-pressed={different !== null} onClick={() => (different ? patch({ d: null }) : showDifferent([filters[0]!]))}>What is different about it</button>
        {i.members.length > 0 && <span class="muted">with {count(i.members.length)} merged {i.members.length === 1 ? 'item' : 'items'}</span>}
      </div>
      {different && <DifferentPanel of={different} about={`item ${id} ${label(range)}`} base={base} />}
      <Occurrences i={i} span={span} filters={filters} between={<Spread about={spreadKey(filters, label(range))} base={base} filters={filters} />} />
      <History i={i} comment={(text) => done(api.commentItem(i.id, text))} merge={(item, into) => done(api.mergeItem(item, into))} split={(by) => done(api.splitItem(i.id, by))} />
    </div>
  );
}

const filtersOf = (i: ItemDetail): Filter[] => [
  i.members.length === 0
    ? { column: 'error.fingerprint', op: '=', value: i.fingerprint }
    : { column: 'error.fingerprint', op: 'in', value: [i, ...i.members].map((m) => m.fingerprint) },
  ...(i.stage ? [{ column: 'deployment.environment.name', op: '=', value: i.stage }] : []),
];

function Head({ i, run, me }: { i: ItemDetail; run: (what: ItemChange) => void; me: string | null }) {
  const [editing, edit] = useState(false);
  return (
    <>
      <div class="bar item-head">
        <a href={href('errors')} class="muted">Errors</a>
        <span class="muted num">#{i.counter}</span>
        <span class={`chip small ${i.status}`}>{i.status}{i.resolved_in && ` in ${i.resolved_in}`}</span>
        {i.stage && <span class="chip small">{i.stage}</span>}
        <span class="end" />
        <Actions run={run} version={i.last_version} me={me} status={i.status} />
      </div>
      {editing
        ? (
          <form class="bar" onSubmit={(e) => { e.preventDefault(); edit(false); run({ title: (new FormData(e.currentTarget).get('title') as string).trim() }); }}>
            <input class="grow" name="title" aria-label="Title" defaultValue={i.title} maxLength={255} autofocus />
            <button type="submit" class="button small primary">Save</button>
            <button type="button" class="button small" onClick={() => edit(false)}>Cancel</button>
          </form>
        )
        : <h1 class="item-name">{i.title} <button type="button" class="button small" onClick={() => edit(true)} aria-label="Change the title">Edit</button></h1>}
      <div class="item-place">
        <select aria-label="Level" class={`level ${i.level}`} value={i.level} onChange={(e) => run({ level: e.currentTarget.value })}>{LEVELS.map((l) => <option key={l} value={l}>{l}</option>)}</select>
        {i.culprit && <span class="mono">{i.culprit}</span>}
        {i.dataset && <span class="muted">{i.dataset}</span>}
        {i.owner && <span>owner: {i.owner} <button type="button" class="button small" onClick={() => run({ owner: '' })} aria-label="Nobody's">Clear</button></span>}
        {i.merged_into && <a href={href(`errors/${i.merged_into}`)}>merged into another item</a>}
      </div>
    </>
  );
}

function ofDeploy(d: ItemDeploy) {
  const what = [revision(d), d.user && `by ${d.user}`, ago(nsToMs(d.start_ns), Date.now())].filter(Boolean).join(', ');
  return <a href={href('errors', { dep: `${d.id}` })} title={[d.comment, d.by === 'version' ? 'the deploy of its version' : 'the last deploy before it'].filter(Boolean).join(': ')}>{what}</a>;
}

function Numbers({ i, range }: { i: ItemDetail; range: string }) {
  const now = Date.now();
  const when = (ns?: string) => (ns ? <time title={dateTime(nsToMs(ns))}>{ago(nsToMs(ns), now)}</time> : '–');
  const facts: [string, preact.ComponentChildren][] = [
    [range, `${count(i.range.count)} ${i.range.count === 1 ? 'time' : 'times'}${i.range.twins ? ` (${count(i.range.twins)} more ${i.range.twins === 1 ? 'report' : 'reports'} by other wires)` : ''}`], ['People', i.range.users ? count(i.range.users) : '–'], ['Hosts', i.range.hosts ? count(i.range.hosts) : '–'],
    ['Ever', count(i.total)], ['First seen', when(i.first_ns)], ['Last seen', when(i.last_ns)],
    ...(i.suspect ? [['Came with', ofDeploy(i.suspect)] as [string, preact.ComponentChildren]] : []),
    ...(i.back_in ? [['Came back with', ofDeploy(i.back_in)] as [string, preact.ComponentChildren]] : []),
    ['Versions', i.first_version ? (i.first_version === i.last_version ? i.first_version : `${i.first_version} to ${i.last_version}`) : '–'],
  ];
  return (
    <section class="panel item-numbers" aria-label="In numbers">
      <Spark series={i.range.series} width={600} height={48} label={`${count(i.range.count)} occurrences in the range`} />
      <dl>{facts.map(([k, v]) => <div key={k}><dt>{k}</dt><dd>{v}</dd></div>)}</dl>
    </section>
  );
}

const COLUMNS = ['exception.message', 'body', 'user.id', 'user.email', 'host.name', 'service.version', 'service.name', 'url.full', 'meta.source', 'trace.trace_id'];
const cell = (r: Row, ...names: string[]) => names.map((n) => r.fields[n]).find((v) => v !== undefined && v !== null && v !== '');

function Occurrences({ i, span, filters, between }: { i: ItemDetail; span: Selection; filters: Filter[]; between: preact.ComponentChildren }) {
  const { params } = useRoute();
  const key = JSON.stringify([filters, params.get('t'), params.get('from'), params.get('to'), i.total]);
  const rows = useLoad(key, (signal) => api.rows({ ...span, filters, columns: COLUMNS, limit: 50 }, signal));
  const list = rows.data?.rows ?? [];
  const chosen = params.get('o') ?? list[0]?.id ?? i.last_row;
  const at = list.findIndex((r) => r.id === chosen);
  const step = (by: number) => { const r = list[at + by]; if (r) patch({ o: r.id }, { replace: true }); };
  return (
    <>
      <Occurrence id={chosen} step={step} first={at <= 0} last={at < 0 || at >= list.length - 1} />
      {between}
      <section class="panel" aria-label="Occurrences">
        <header class="panel-head"><h2>Occurrences</h2></header>
        <Progress loading={rows.loading && !rows.data} progress={null} />
        {rows.error && <ErrorBox error={rows.error} retry={rows.reload} />}
        {rows.data && list.length === 0 && <p class="muted pad">None in this time range; above is the last one that was seen.</p>}
        {list.length > 0 && (
          <div class="table-wrap" role="region" aria-label="Occurrences, the newest first" tabIndex={0}>
            <table class="table">
              <thead><tr><th>Time</th><th>What</th><th>Who</th><th>Host</th><th>Version</th><th>From</th><th>Trace</th></tr></thead>
              <tbody>
                {list.map((r) => (
                  <tr key={r.id} class={r.id === chosen ? 'here' : ''}>
                    <td class="nowrap num"><button type="button" class="value" aria-current={r.id === chosen ? 'true' : undefined} onClick={() => patch({ o: r.id }, { replace: true })}>{dateTime(nsToMs(r.time_ns), 3)}</button></td>
                    <td class="cell">{valueText(cell(r, 'exception.message', 'body'))}</td>
                    <td class="cell">{valueText(cell(r, 'user.email', 'user.id'))}</td>
                    <td class="cell">{valueText(cell(r, 'host.name', 'service.name'))}</td>
                    <td class="cell">{valueText(cell(r, 'service.version'))}</td>
                    <td>{valueText(cell(r, 'meta.source'))}</td>
                    <td>{cell(r, 'trace.trace_id') ? <a href={href(`trace/${String(cell(r, 'trace.trace_id'))}`, { row: r.id })}>open</a> : <span class="muted">–</span>}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </section>
    </>
  );
}

interface Loaded { row: RowDetail; document: string | null }

async function load(id: string, signal: AbortSignal): Promise<Loaded> {
  const [row, document] = await Promise.all([api.row(id, signal), api.document(id, signal).then((d) => d.document, () => null)]);
  return { row, document };
}

// A wire by its source and what it told of it by.
const WIRES: Record<string, string> = {
  'otlp span_event': 'OpenTelemetry (an event of a span)', 'otlp log': 'OpenTelemetry (a log line)', 'xray span_event': 'X-Ray', 'rollbar error': 'Rollbar',
  'logs log': 'CloudWatch Logs', 'events log': 'an event',
};

const TABS: [string, string][] = [['stack', 'Stack'], ['before', 'Before it'], ['told', 'Person and request'], ['fields', 'Fields'], ['document', 'As it came'], ['why', 'Why it is here']];

function Occurrence({ id, step, first, last }: { id: string; step: (by: number) => void; first: boolean; last: boolean }) {
  const { params } = useRoute();
  const stack = useLoad(`stack ${id}`, (signal) => api.stack(id, signal), true);
  const row = useLoad(`row ${id}`, (signal) => load(id, signal), true);
  const tab = params.get('tab') ?? 'stack';
  const more = useMemo(() => (stack.data && row.data?.document ? moreOf(row.data.document, stack.data) : []), [stack.data, row.data]);
  const r = row.data?.row;
  const told = useMemo(() => toldOf(row.data?.document), [row.data]);
  const has: Record<string, boolean> = { document: Boolean(row.data?.document), before: told.crumbs.length > 0, told: told.parts.length > 0 };
  return (
    <section class="panel occurrence" aria-label="One occurrence">
      <header class="panel-head bar">
        <div class="tabs" role="tablist">
          {TABS.map(([name, text]) => (has[name] ?? true) && <button type="button" role="tab" key={name} aria-selected={tab === name} onClick={() => patch({ tab: name === 'stack' ? null : name }, { replace: true })}>{text}</button>)}
        </div>
        <span class="end" />
        {r && <Links r={r} />}
        <button type="button" class="button small" disabled={first} onClick={() => step(-1)}>Newer</button>
        <button type="button" class="button small" disabled={last} onClick={() => step(1)}>Older</button>
      </header>
      {stack.data?.also && <p class="pad also">Also reported by {stack.data.also.map((a, n) => <>{n > 0 && ', '}<button type="button" class="value" onClick={() => patch({ o: a.row }, { replace: true })}>{WIRES[`${a.source} ${a.kind}`] ?? a.source}</button></>)}: it counts once.</p>}
      <Progress loading={stack.loading || row.loading} progress={null} />
      {(stack.error ?? row.error) && <ErrorBox error={(stack.error ?? row.error)!} retry={() => { stack.reload(); row.reload(); }} />}
      {tab === 'stack' && stack.data && (stack.data.exceptions.length > 0 ? <Stack stack={stack.data} more={more} /> : <p class="pad message">{r ? valueText(r.fields.find((f) => f.name === 'body')?.value) : ''}</p>)}
      {tab === 'before' && has.before && <Before document={row.data!.document!} />}
      {tab === 'told' && has.told && <Told document={row.data!.document!} />}
      {tab === 'fields' && r && <div class="pad"><Fields row={r} /></div>}
      {tab === 'document' && row.data?.document && <div class="pad"><JsonTree text={row.data.document} label="The item as it came" /></div>}
      {tab === 'why' && stack.data && <Why s={stack.data} />}
    </section>
  );
}

function Links({ r }: { r: RowDetail }) {
  const field = (name: string) => r.fields.find((f) => f.name === name)?.value;
  const ms = nsToMs(r.time_ns);
  const around = { t: null, from: String(Math.floor(ms / 1e3) - 60), to: String(Math.ceil(ms / 1e3) + 60) };
  const host = field('host.name');
  const narrow = r.trace_id ? [`trace.trace_id = ${r.trace_id}`] : host !== undefined ? [`host.name = ${valueText(host)}`] : [];
  return (
    <>
      {r.trace_id && <a class="button small" href={href(`trace/${r.trace_id}`, { row: r.id })}><Icon name="traces" /> Trace</a>}
      <a class="button small" href={href('logs', { ...around, w: narrow })}><Icon name="logs" /> Log lines around</a>
    </>
  );
}

function Why({ s }: { s: StackAnswer }) {
  const type = s.exceptions[0]?.type;
  return (
    <div class="pad why">
      {s.rule && <p>By the rule <a href={href('errors/grouping')}>{s.rule.name}</a> its fingerprint is <code>{s.fingerprint}</code>. Without, it would be <code>{s.computed}</code>, of:</p>}
      {s.rule ? null : s.by_sender
        ? <p>The sender gave the fingerprint <code>{s.fingerprint}</code>; without it this would be <code>{s.computed}</code>, of:</p>
        : <p>The fingerprint <code>{s.computed}</code> is made of these lines: the program's own frames and the class, without line numbers and messages.{s.mapped_later && ' It was made before the source map or debug file came that the stack is shown with now; what comes from now on is grouped by the originals.'}</p>}
      <pre tabIndex={0} aria-label="What was hashed">{s.why}</pre>
      <p><a href={href('errors/grouping', type ? { class: type } : {})}>Group it otherwise</a> <span class="muted">by a rule about its class, message, frames or fields</span></p>
    </div>
  );
}

const SAYS: Record<string, (l: HistoryLine) => string> = {
  new: () => 'was seen for the first time', reactivated: (l) => `happened again${l.after ? ` in ${l.after}` : ''}`, unmuted: () => 'is not muted any more',
  status: (l) => `${l.before} → ${l.after}`, comment: (l) => l.after ?? '', merged: (l) => (l.after === '0' ? 'stands for itself again' : `merged into item ${l.after}`),
};

function History({ i, comment, merge, split }: { split: (by: string[]) => void; i: ItemDetail; comment: (text: string) => void; merge: (item: number, into: number) => void }) {
  const [text, set] = useState('');
  const [into, setInto] = useState('');
  const [by, setBy] = useState('');
  const now = Date.now();
  return (
    <section class="panel history" aria-label="History">
      <header class="panel-head"><h2>History</h2></header>
      <form class="pad bar" onSubmit={(e) => { e.preventDefault(); if (text.trim()) { comment(text.trim()); set(''); } }}>
        <input class="grow" value={text} placeholder="Say something to whoever looks next" aria-label="Comment" onInput={(e) => set(e.currentTarget.value)} />
        <button type="submit" class="button" disabled={!text.trim()}>Comment</button>
      </form>
      <ul class="pad">{i.history.map((l, n) => (
        <li key={n}><time class="muted num" title={dateTime(nsToMs(l.at_ns))}>{ago(nsToMs(l.at_ns), now)}</time> <b>{l.actor || 'skep'}</b> {l.what !== 'comment' && !SAYS[l.what] && <span class="muted">{l.what} </span>}<span class={l.what === 'comment' ? 'said' : ''}>{SAYS[l.what]?.(l) ?? `${l.before || '–'} → ${l.after || '–'}`}</span></li>
      ))}</ul>
      <details class="pad">
        <summary>Merge or split</summary>
        {i.members.length > 0 && <ul>{i.members.map((m) => <li key={m.id}>{m.title} <button type="button" class="button small" onClick={() => merge(m.id, 0)}>Split off</button></li>)}</ul>}
        <form class="bar" onSubmit={(e) => { e.preventDefault(); if (Number(into) > 0) merge(i.id, Number(into)); }}>
          <label>Count this item as item <input value={into} inputMode="numeric" size={6} aria-label="Number of the other item" onInput={(e) => setInto(e.currentTarget.value)} /></label>
          <button type="submit" class="button small" disabled={!(Number(into) > 0)}>Merge</button>
        </form>
        <form class="bar" onSubmit={(e) => { e.preventDefault(); if (by.trim()) { split([by.trim()]); setBy(''); } }}>
          <label>Split what comes from now on by <input list="split-by" value={by} aria-label="Field to split by" onInput={(e) => setBy(e.currentTarget.value)} /></label>
          <datalist id="split-by">{['message.clean', 'service.name', 'culprit', 'http.route'].map((f) => <option key={f} value={f} />)}</datalist>
          <button type="submit" class="button small" disabled={!by.trim()}>Split</button>
        </form>
      </details>
    </section>
  );
}
