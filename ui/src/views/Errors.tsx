// SPDX-License-Identifier: Apache-2.0
// The errors inbox: items of all wires, the last seen first; narrowed, chosen and changed by mouse or keys.

import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { api, ApiError } from '../lib/api';
import { LEVELS, ORDERS, PAGE, queryOf, saysStatus, searchOf, STATUSES, type Item, type ItemChange, type Deploy, type ItemsAnswer, type Status } from '../lib/errors';
import { ago, count, nsToMs } from '../lib/format';
import { go, href, patch, useRoute } from '../lib/route';
import { useSession } from '../lib/session';
import { completeSearch } from '../lib/search';
import { label, rangeOf, spanOf } from '../lib/time';
import { useInterval, useLoad } from '../lib/use';
import { Actions } from '../errors/Actions';
import { Grouping } from '../errors/Grouping';
import { Rules } from '../errors/Rules';
import { Spark } from '../errors/Spark';
import { Symbols } from '../errors/Symbols';
import { Completed } from '../parts/Completed';
import { Copyable, Empty, ErrorBox, Progress } from '../parts/States';
import { ErrorItem } from './ErrorItem';

export function Errors() {
  const { arg } = useRoute();
  if (arg === 'rules') return <Rules />;
  if (arg === 'grouping') return <Grouping />;
  if (arg === 'symbols') return <Symbols />;
  return arg ? <ErrorItem id={arg} key={arg} /> : <Inbox />;
}

const REFRESH_MS = 5e3;

function Inbox() {
  const { params } = useRoute();
  const { me } = useSession();
  const range = rangeOf(params);
  const query = useMemo(() => queryOf(params, spanOf(range)), [params.toString()]);
  const answer = useLoad(params.toString(), (signal) => api.items(query, signal));
  useInterval(range.relative === null ? null : REFRESH_MS, answer.reload);
  const [chosen, choose] = useState<ReadonlySet<number>>(new Set());
  const [failed, fail] = useState<Error | null>(null);
  const [at, setAt] = useState(0);
  useEffect(() => choose(new Set()), [params.toString()]);
  const a = answer.data;
  const mistake = answer.error instanceof ApiError && answer.error.field === 'q' ? answer.error : null;
  const said = saysStatus(searchOf(params));
  const items = a?.items ?? [];
  const run = (what: ItemChange, ids = [...chosen]) => {
    if (ids.length === 0) return;
    api.changeItems(ids, what).then(() => { choose(new Set()); fail(null); }, fail).finally(answer.reload);
  };
  const toggle = (id: number) => choose((c) => { const n = new Set(c); if (!n.delete(id)) n.add(id); return n; });
  const many = (ids: number[]) => choose((c) => (ids.every((id) => c.has(id)) && c.size === ids.length ? new Set() : new Set([...c, ...ids])));
  // Into the one that happened most; the server refuses what does not run in the same place.
  const merge = () => {
    const [into, ...rest] = items.filter((i) => chosen.has(i.id)).sort((x, y) => y.total - x.total || x.id - y.id);
    if (!into || rest.length === 0) return;
    Promise.all(rest.map((i) => api.mergeItem(i.id, into.id))).then(() => { choose(new Set()); fail(null); }, fail).finally(answer.reload);
  };
  useInboxKeys({ items, at, setAt, toggle, many, run, merge, chosen, me: me?.user?.name ?? null });
  return (
    <div class="view errors">
      <div class="bar">
        <h1>Errors</h1>
        <div class="segmented" role="group" aria-label="Status">
          {STATUSES.map(([id, name]) => (
            <button type="button" key={id} disabled={said} aria-pressed={!said && (params.get('st') ?? 'active') === id} onClick={() => patch({ st: id === 'active' ? null : id, p: null })}>
              {name}{a && <span class="num muted"> {count(a.counts[id as Status])}</span>}
            </button>
          ))}
          <button type="button" disabled={said} aria-pressed={said || params.get('st') === 'all'} onClick={() => patch({ st: 'all', p: null })}>All</button>
        </div>
        <a href={href('errors/grouping')}>How they are grouped</a>
        <a href={href('errors/rules')}>Who is told</a>
        <a href={href('errors/symbols')}>Source maps</a>
        <Narrow items={items} />
      </div>
      <Completed label="Search" class="errors-search" button="Find" placeholder="words, or level:error class:TypeError host:web1 -status:muted" asked={searchOf(params)}
        complete={completeSearch} ask={(text) => patch({ q: text || null, words: null, p: null })} issue={mistake} />
      <Progress loading={answer.loading && !a} progress={null} />
      {((!mistake && answer.error) || failed) && <ErrorBox error={((!mistake && answer.error) || failed) as Error} retry={() => { fail(null); answer.reload(); }} />}
      {a && a.bound.items >= a.bound.max && <p class="muted" role="status">There are {count(a.bound.max)} different errors, as many as are told apart: new ones are counted together until older ones make room. A rule of grouping helps where messages differ each time.</p>}
      {a?.cut && <p class="muted" role="status">More than 10,000 errors fit: these are of those that happened most.</p>}
      {a && items.length === 0 && <Nothing params={params} answer={a} />}
      {a && items.length > 0 && (
        <section class="panel" aria-label="Items">
          <div class={`bar chosen${chosen.size ? '' : ' none'}`}>
            <label><input type="checkbox" checked={chosen.size === items.length} onChange={() => choose(chosen.size === items.length ? new Set() : new Set(items.map((i) => i.id)))} /> {chosen.size ? `${count(chosen.size)} chosen` : 'Choose all'}</label>
            {chosen.size > 0 && <Actions run={run} me={me?.user?.name ?? null} />}
            {chosen.size > 1 && <button type="button" class="button small" onClick={merge} title="Merge (M): they count as the one that happened most">Merge</button>}
          </div>
          <Table items={items} answer={a} at={at} chosen={chosen} toggle={toggle} range={label(range)} />
          <Pages total={a.total} at={Number(params.get('p') ?? 1)} />
        </section>
      )}
    </div>
  );
}

function Narrow({ items }: { items: Item[] }) {
  const { params } = useRoute();
  const stages = [...new Set([...items.map((i) => i.stage ?? ''), params.get('stage') ?? ''])].filter((s) => s !== '').sort();
  return (
    <>
      <span class="end" />
      <select aria-label="Level" value={params.get('level') ?? ''} onChange={(e) => patch({ level: e.currentTarget.value || null, p: null })}>
        <option value="">Every level</option>
        {LEVELS.slice(0, -1).map((l) => <option key={l} value={l}>{l} and above</option>)}
      </select>
      {stages.length > 0 && (
        <select aria-label="Where it runs" value={params.get('stage') ?? ''} onChange={(e) => patch({ stage: e.currentTarget.value || null, p: null })}>
          <option value="">Everywhere</option>
          {stages.map((s) => <option key={s} value={s}>{s}</option>)}
        </select>
      )}
      <Deploys />
      <select aria-label="Order" value={params.get('order') ?? 'last'} onChange={(e) => patch({ order: e.currentTarget.value === 'last' ? null : e.currentTarget.value, p: null })}>
        {ORDERS.map(([id, name]) => <option key={id} value={id}>{name}</option>)}
      </select>
    </>
  );
}

// Errors that were new with a deploy, or came back with it.
function Deploys() {
  const { params } = useRoute();
  const deploys = useLoad('deploys', api.deploys).data ?? [];
  const at = params.get('dep') ?? '';
  const shown = deploys.filter((d) => d.new > 0 || d.back > 0 || `${d.id}` === at.split(',')[0]);
  if (shown.length === 0) return null;
  return (
    <select aria-label="Deploy" value={at} onChange={(e) => patch({ dep: e.currentTarget.value || null, p: null })}>
      <option value="">Any deploy</option>
      {shown.map((d) => (
        <optgroup key={d.id} label={`${revision(d)}${d.stage ? ` in ${d.stage}` : ''}, ${ago(nsToMs(d.start_ns), Date.now())}`}>
          <option value={`${d.id}`}>new with {revision(d)}: {count(d.new)}</option>
          <option value={`${d.id},back`}>back in {revision(d)}: {count(d.back)}</option>
        </optgroup>
      ))}
    </select>
  );
}

export const revision = (d: Deploy) => (/^[0-9a-f]{12,}$/.test(d.revision ?? '') ? d.revision!.slice(0, 8) : d.revision || `deploy ${d.id}`);

const HOW = `import rollbar   # pyrollbar
rollbar.init('any-token', 'production', endpoint='${typeof location === 'undefined' ? '' : location.origin}/api/1/')`;
const HOW_JS = `new Rollbar({ accessToken: 'any-token', endpoint: '${typeof location === 'undefined' ? '' : location.origin}/api/1/item/' })`;

function Nothing({ params, answer }: { params: URLSearchParams; answer: ItemsAnswer }) {
  const narrowed = ['q', 'words', 'level', 'stage', 'owner', 'dep'].some((k) => params.has(k));
  const others = Object.values(answer.counts).reduce((a, b) => a + b, 0);
  if (narrowed) return <Empty title="No error is like that"><p><button type="button" class="button" onClick={() => patch({ q: null, words: null, level: null, stage: null, owner: null, dep: null })}>Show all</button></p></Empty>;
  if (others > 0) return <Empty title={(params.get('st') ?? 'active') === 'active' ? 'No active errors' : 'None here'}><p>Others are resolved or muted.</p></Empty>;
  return (
    <Empty title="No error has come in yet">
      <p>Exceptions of OpenTelemetry and X-Ray, and stack traces in log lines, appear here by themselves. Rollbar's notifiers need one line:</p>
      <Copyable text={HOW} label="pyrollbar" />
      <Copyable text={HOW_JS} label="rollbar.js" />
    </Empty>
  );
}

interface TableProps { items: Item[]; answer: ItemsAnswer; at: number; chosen: ReadonlySet<number>; toggle: (id: number) => void; range: string }

function Table({ items, at, chosen, toggle, range }: TableProps) {
  return (
    <div class="table-wrap" role="region" aria-label="Errors" tabIndex={0}>
      <table class="table items">
        <thead><tr><th><span class="visually-hidden">Chosen</span></th><th>Error</th><th>{range}</th><th class="right">Times</th><th class="right">People</th><th class="right">Ever</th><th>Last seen</th><th>First seen</th></tr></thead>
        <tbody>{items.map((i, n) => <Line key={i.id} i={i} here={n === at} chosen={chosen.has(i.id)} toggle={toggle} />)}</tbody>
      </table>
    </div>
  );
}

export const Level = ({ level }: { level: string }) => <span class={`level ${level}`}>{level}</span>;

function Line({ i, here, chosen, toggle }: { i: Item; here: boolean; chosen: boolean; toggle: (id: number) => void }) {
  const now = Date.now();
  const r = i.range!;
  return (
    <tr class={here ? 'here' : ''} aria-selected={chosen} data-id={i.id}>
      <td><input type="checkbox" checked={chosen} onChange={() => toggle(i.id)} aria-label={`Choose ${i.title}`} /></td>
      <td class="grow">
        <a class="item-title" href={href(`errors/${i.id}`)}>{i.title}</a>
        <span class="item-place">
          <Level level={i.level} />
          {i.culprit && <span class="mono muted">{i.culprit}</span>}
          {i.stage && <span class="chip small">{i.stage}</span>}
          {i.owner && <span class="muted">{i.owner}</span>}
          {i.status !== 'active' && <span class="chip small">{i.status}</span>}
          {i.suspect && !i.back_in && <span class="muted" title={`The deploy ${i.suspect.by === 'version' ? 'of its version' : 'before it'}${i.suspect.user ? `, by ${i.suspect.user}` : ''}`}>since {revision(i.suspect)}</span>}
          {i.back_in && <span class="muted" title="It was resolved and came back with this deploy">back in {revision(i.back_in)}</span>}
          {i.since_activated < i.total && i.status === 'active' && <span class="chip small error" title="It was resolved and happened again">came back</span>}
        </span>
      </td>
      <td><Spark series={r.series} label={`${count(r.count)} occurrences`} /></td>
      <td class="num right">{count(r.count)}</td>
      <td class="num right">{r.users > 0 ? count(r.users) : <span class="muted">–</span>}</td>
      <td class="num right muted">{count(i.total)}</td>
      <td class="nowrap">{i.last_ns && ago(nsToMs(i.last_ns), now)}</td>
      <td class="nowrap muted">{i.first_ns && ago(nsToMs(i.first_ns), now)}</td>
    </tr>
  );
}

function Pages({ total, at }: { total: number; at: number }) {
  const pages = Math.ceil(total / PAGE);
  if (pages < 2) return null;
  return (
    <nav class="bar pages" aria-label="Pages">
      <button type="button" class="button small" disabled={at <= 1} onClick={() => patch({ p: at <= 2 ? null : String(at - 1) })}>Previous</button>
      <span class="num muted">{count((at - 1) * PAGE + 1)} – {count(Math.min(at * PAGE, total))} of {count(total)}</span>
      <button type="button" class="button small" disabled={at >= pages} onClick={() => patch({ p: String(at + 1) })}>Next</button>
    </nav>
  );
}

interface Hands {
  items: Item[]; at: number; setAt: (n: number) => void; toggle: (id: number) => void; many: (ids: number[]) => void;
  run: (what: ItemChange, ids?: number[]) => void; merge: () => void; chosen: ReadonlySet<number>; me: string | null;
}

// j k walk, x chooses, X up to here, a all, Enter opens, e resolves, m mutes, u opens again, i assigns to me, M merges: what
// is chosen, else the one at hand.
function useInboxKeys(h: Hands) {
  const latest = useRef(h);
  latest.current = h;
  useEffect(() => {
    let prefix = 0; // "g e" goes to a view and resolves nothing
    const onKey = (e: KeyboardEvent) => {
      const { items, at, setAt, toggle, many, run, merge, chosen, me } = latest.current;
      const el = e.target as Element;
      if (e.ctrlKey || e.metaKey || e.altKey || e.defaultPrevented || document.querySelector('dialog[open]') || el.matches('input:not([type=checkbox]), textarea, select')) return;
      const after = Date.now() - prefix < 1500;
      prefix = e.key === 'g' ? Date.now() : 0;
      const item = items[Math.min(at, items.length - 1)];
      if (!item || after) return;
      const move = (by: number) => {
        const n = Math.max(0, Math.min(items.length - 1, at + by));
        setAt(n);
        document.querySelector(`tr[data-id="${items[n]!.id}"]`)?.scrollIntoView({ block: 'nearest' });
      };
      const ids = chosen.size ? [...chosen] : [item.id];
      const keys: Record<string, () => void> = {
        j: () => move(1), k: () => move(-1), ArrowDown: () => move(1), ArrowUp: () => move(-1), x: () => toggle(item.id),
        X: () => {
          let from = at;
          while (from > 0 && !chosen.has(items[from]!.id)) from--;
          many(items.slice(chosen.has(items[from]!.id) ? from : at, at + 1).map((i) => i.id));
        },
        a: () => many(items.map((i) => i.id)), M: merge, ...(me !== null && { i: () => run({ owner: me }, ids) }),
        e: () => run({ status: 'resolved' }, ids), m: () => run({ status: 'muted' }, ids), u: () => run({ status: 'active' }, ids),
      };
      if (e.key === 'Enter' && (el === document.body || el.closest('.items') || el.id === 'main')) {
        if (el instanceof HTMLAnchorElement) return;
        keys.Enter = () => go(href(`errors/${item.id}`));
      }
      if (!keys[e.key]) return;
      e.preventDefault();
      keys[e.key]!();
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, []);
}
