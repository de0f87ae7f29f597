// SPDX-License-Identifier: Apache-2.0
//
// The home of logs: groups with how much they say when, what they keep and for how long; a group opens
// to its streams, the one that spoke last on top. A click leads to the lines.

import { useMemo, useState } from 'preact/hooks';
import { api } from '../lib/api';
import { ago, bytes, count, dateTime, value } from '../lib/format';
import { LOGS, severityOf, streamFilter, type LogSelection } from '../lib/logs';
import { filterText } from '../lib/query';
import { go, href } from '../lib/route';
import { useSession } from '../lib/session';
import { useLoad } from '../lib/use';
import type { LogGroup } from '../lib/types';
import { Icon } from '../parts/Icon';
import { Empty, ErrorBox, Progress } from '../parts/States';

const SHOWN = 60;
const AT_ONCE = 6;
const DAYS = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

interface Said { lines: number; errors: number; series: number[] }

// What the groups said in the range: one question for all of them.
async function saidIn(spec: LogSelection, signal: AbortSignal): Promise<Map<string, Said>> {
  const r = await api.query({ start_time: spec.start_time!, end_time: spec.end_time!, filters: [LOGS], calculations: [{ op: 'COUNT' }], breakdowns: ['dataset', 'severity'], limit: 1000 }, signal);
  const out = new Map<string, Said>();
  for (const g of r.groups) {
    const name = value(g.key[0]);
    const s = out.get(name) ?? { lines: 0, errors: 0, series: r.times_ms.map(() => 0) };
    const n = g.values[0] ?? 0;
    s.lines += n;
    if (['error', 'fatal'].includes(severityOf(value(g.key[1])))) s.errors += n;
    ((g.series?.[0] ?? []) as (number | null)[]).forEach((x, i) => { s.series[i]! += x ?? 0; });
    out.set(name, s);
  }
  return out;
}

// When each of them spoke last: its newest stream knows.
async function lastOf(groups: LogGroup[], signal: AbortSignal): Promise<Map<string, number>> {
  const out = new Map<string, number>();
  const todo = [...groups];
  const work = async () => {
    for (let g = todo.shift(); g; g = todo.shift()) {
      const [s] = await api.logStreams(g.logGroupName, 1, signal);
      if (s?.lastEventTimestamp) out.set(g.logGroupName, s.lastEventTimestamp);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return out;
}

export function Groups({ spec, about }: { spec: LogSelection; about: string }) {
  const [text, setText] = useState('');
  const [open, setOpen] = useState<string | null>(null);
  const [all, showAll] = useState(false);
  const groups = useLoad('log groups', (signal) => api.logGroups(signal));
  const said = useLoad(about, (signal) => saidIn(spec, signal));
  const t = text.trim().toLowerCase();
  const found = useMemo(() => (groups.data ?? []).filter((g) => t === '' || g.logGroupName.toLowerCase().includes(t))
    .sort((a, b) => (said.data?.get(b.logGroupName)?.lines ?? 0) - (said.data?.get(a.logGroupName)?.lines ?? 0) || (a.logGroupName < b.logGroupName ? -1 : 1)), [groups.data, said.data, t]);
  const shown = all ? found : found.slice(0, SHOWN);
  const last = useLoad(shown.length ? shown.map((g) => g.logGroupName).sort().join('\n') : null, (signal) => lastOf(shown, signal));
  const now = (spec.end_time ?? 0) * 1e3;
  const kept = (groups.data ?? []).reduce((sum, g) => sum + g.storedBytes, 0);
  return (
    <section class="patterns" aria-label="Log groups">
      <div class="bar">
        <input class="search" type="search" placeholder="Find a group" aria-label="Find a group" value={text} onInput={(e) => setText(e.currentTarget.value)} />
        {groups.data && <span class="muted num">{count(groups.data.length)} {groups.data.length === 1 ? 'group' : 'groups'}, {bytes(kept)} of messages</span>}
      </div>
      <Progress loading={groups.loading} progress={null} />
      {groups.error && <ErrorBox error={groups.error} retry={groups.reload} />}
      {said.error && <ErrorBox error={said.error} retry={said.reload} />}
      {groups.data?.length === 0 && <Empty title="No log groups"><p>A group is made by the first line: over OTLP (its service), or by a client of CloudWatch Logs.</p><a href="/ui/settings">How to send data</a></Empty>}
      {groups.data && groups.data.length > 0 && found.length === 0 && <p class="muted pad">No group is called so.</p>}
      {found.length > 0 && (
        <div class="table-wrap panel">
          <table class="table group-table" aria-label="All log groups">
            <thead><tr><th class="swatch-col" /><th>Group</th><th class="right">Lines in range</th><th>When</th><th class="right">Errors</th><th class="right">Stored</th><th>Kept for</th><th>Last line</th></tr></thead>
            <tbody>
              {shown.map((g) => (
                <GroupRows key={g.logGroupName} group={g} said={said.data?.get(g.logGroupName) ?? null} last={last.data?.get(g.logGroupName) ?? null} now={now}
                  open={open === g.logGroupName} flip={() => setOpen(open === g.logGroupName ? null : g.logGroupName)} changed={groups.reload} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {found.length > shown.length && <button type="button" class="button more" onClick={() => showAll(true)}>Show {found.length - shown.length} more</button>}
    </section>
  );
}

interface GroupProps { group: LogGroup; said: Said | null; last: number | null; now: number; open: boolean; flip: () => void; changed: () => void }

function GroupRows({ group: g, said, last, now, open, flip, changed }: GroupProps) {
  const name = g.logGroupName;
  return (
    <>
      <tr class={open ? 'on' : ''}>
        <td class="swatch-col"><button type="button" class="icon-button" aria-expanded={open} aria-label={`Streams of ${name}`} onClick={flip}><Icon name={open ? 'down' : 'right'} /></button></td>
        <td><a class="mono" href={href('logs', { ds: name })}>{name}</a></td>
        <td class="right num">{said ? count(said.lines) : '–'}</td>
        <td>{said && <Bars series={said.series} />}</td>
        <td class="right num">{said && said.errors > 0 ? <a class="error" href={href('logs', { ds: name, w: 'severity in ["error","fatal"]' })}>{count(said.errors)}</a> : <span class="muted">{said ? '0' : '–'}</span>}</td>
        <td class="right num">{g.storedBytes > 0 ? bytes(g.storedBytes) : <span class="muted" title="counted for lines of CloudWatch's API">–</span>}</td>
        <td><Retention group={g} changed={changed} /></td>
        <td class="muted nowrap" title={last ? dateTime(last, 3) : ''}>{last ? ago(last, Math.max(now, last)) : '–'}</td>
      </tr>
      {open && <tr><td /><td colSpan={7} class="stream-cell"><Streams group={name} now={now} /></td></tr>}
    </>
  );
}

function Bars({ series }: { series: number[] }) {
  const max = Math.max(1, ...series);
  const step = Math.max(1, Math.ceil(series.length / 60));
  const sums = Array.from({ length: Math.ceil(series.length / step) }, (_, i) => Math.max(...series.slice(i * step, (i + 1) * step)));
  const d = sums.map((n, i) => (n > 0 ? `M${i * 2 + 1} 18V${(18 - Math.max(1.5, (17 * n) / max)).toFixed(1)}` : '')).join('');
  return <svg class="spark" width={sums.length * 2} height="18" aria-hidden="true"><path d={d} style={{ stroke: 'var(--link)' }} stroke-width="1.6" fill="none" /></svg>;
}

// Shorter than before deletes lines: that is asked twice.
function Retention({ group: g, changed }: { group: LogGroup; changed: () => void }) {
  const { me } = useSession();
  const [wanted, setWanted] = useState<number | null>(null); // 0: for ever
  const [error, setError] = useState('');
  const now = g.retentionInDays ?? 0;
  const words = (d: number) => (d === 0 ? 'ever' : d === 1 ? '1 day' : `${count(d)} days`);
  if (!me?.rights.includes('admin')) return <span class="nowrap">{words(now)}</span>;
  const save = (d: number) => api.setRetention(g.logGroupName, d).then(() => { setWanted(null); setError(''); changed(); }, (e: Error) => { setWanted(null); setError(e.message); });
  const choose = (d: number) => (d !== 0 && (now === 0 || d < now) ? setWanted(d) : void save(d));
  if (wanted !== null) {
    return (
      <span class="sure" role="group" aria-label={`Lines of ${g.logGroupName} older than ${words(wanted)}`} onKeyDown={(e) => e.key === 'Escape' && setWanted(null)}>
        <span>Delete lines older than {words(wanted)}?</span>
        <button type="button" class="button small error" ref={(el) => el?.focus()} onClick={() => void save(wanted)}>Delete</button>
        <button type="button" class="button small" onClick={() => setWanted(null)}>Keep</button>
      </span>
    );
  }
  return (
    <>
      <select value={now} aria-label={`How long ${g.logGroupName} is kept`} onChange={(e) => choose(Number(e.currentTarget.value))}>
        <option value={0}>ever</option>
        {[...new Set([...DAYS, now])].filter((d) => d > 0).sort((a, b) => a - b).map((d) => <option value={d}>{words(d)}</option>)}
      </select>
      {error && <div class="problem" role="alert">{error}</div>}
    </>
  );
}

const STREAMS = 50;

function Streams({ group, now }: { group: string; now: number }) {
  const answer = useLoad(group, (signal) => api.logStreams(group, STREAMS, signal));
  const [error, setError] = useState<Error | null>(null);
  const show = (stream: string) => streamFilter(group, stream).then((f) => go(href('logs', { ds: group, w: f ? filterText(f) : null })), setError);
  if (answer.error ?? error) return <ErrorBox error={(answer.error ?? error)!} retry={answer.reload} />;
  if (!answer.data) return <p class="muted pad" role="status">Reading the streams …</p>;
  if (answer.data.length === 0) return <p class="muted pad">No streams.</p>;
  return (
    <table class="table stream-table" aria-label={`Streams of ${group}`}>
      <thead><tr><th>Stream, the last to speak first</th><th>Last line</th><th>First line</th></tr></thead>
      <tbody>
        {answer.data.map((s) => (
          <tr key={s.logStreamName}>
            <td><button type="button" class="value mono link" onClick={() => void show(s.logStreamName)}>{s.logStreamName}</button></td>
            <td class="nowrap muted" title={s.lastEventTimestamp ? dateTime(s.lastEventTimestamp, 3) : ''}>{s.lastEventTimestamp ? ago(s.lastEventTimestamp, Math.max(now, s.lastEventTimestamp)) : 'never'}</td>
            <td class="nowrap muted">{s.firstEventTimestamp ? dateTime(s.firstEventTimestamp) : '–'}</td>
          </tr>
        ))}
        {answer.data.length === STREAMS && <tr><td colSpan={3} class="muted">the {STREAMS} that spoke last; others are found by their lines</td></tr>}
      </tbody>
    </table>
  );
}
