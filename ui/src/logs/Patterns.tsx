// SPDX-License-Identifier: Apache-2.0
//
// Similar lines folded, most frequent first: what a million lines say, on one screen. Counts are those of
// every line that matches. A pattern leads to its lines, or takes them out of sight. Beside an earlier time of
// the same length they say what is new, gone, more and less; the greatest change stands first.

import { useMemo, useState } from 'preact/hooks';
import { api } from '../lib/api';
import { addFilters, copy } from '../lib/actions';
import { ago, count, nsToMs, percent } from '../lib/format';
import { SEVERITIES, SEVERITY_TOKEN, severityOf, type LogSelection } from '../lib/logs';
import { go, href, patch, useRoute } from '../lib/route';
import { useLoad } from '../lib/use';
import type { Filter, Pattern, PatternPart } from '../lib/types';
import { openMenu } from '../parts/Menu';
import { SaveAs } from '../parts/SaveAs';
import { Covers, Empty, ErrorBox, Progress } from '../parts/States';

const LIMIT = 200;
const FIRST = 40;
const DAY = 86400;
const EARLIER: [string, string, number][] = [['before', 'the time before', 0], ['1d', 'the day before', DAY], ['7d', 'the week before', 7 * DAY], ['28d', 'four weeks before', 28 * DAY]];

// Filters that the lines of a pattern pass: its longest literals. Not exact, and says so.
export function filtersOfPattern(p: Pattern): Filter[] {
  return p.parts.filter((x): x is string => typeof x === 'string').map((x) => x.trim()).filter((x) => x.length >= 3)
    .sort((a, b) => b.length - a.length).slice(0, 4).map((text) => ({ column: 'body', op: 'contains', value: text }));
}

export function Patterns({ spec, about }: { spec: LogSelection; about: string }) {
  const asked = useRoute().params.get('cmp');
  const earlier = EARLIER.find(([id]) => id === asked);
  const offset = earlier ? earlier[2] || Math.max(1, Math.ceil((spec.end_time ?? 0) - (spec.start_time ?? 0))) : 0;
  const answer = useLoad(`${about} ${offset}`, (signal) => api.patterns({ ...spec, limit: LIMIT, ...(offset > 0 && { compare_time_offset_seconds: offset }) }, signal));
  const [all, showAll] = useState(false);
  const [text, setText] = useState('');
  const a = answer.data;
  const t = text.trim().toLowerCase();
  const found = useMemo(() => (a?.patterns ?? []).filter((p) => t === '' || p.text.toLowerCase().includes(t)), [a, t]);
  const shown = all ? found : found.slice(0, FIRST);
  const now = a?.end_ms ?? 0;
  const compared = a?.earlier_lines !== undefined;
  return (
    <section class="patterns" aria-label="Patterns">
      <div class="bar">
        <input class="search" type="search" placeholder="Find a pattern" aria-label="Find a pattern" value={text} onInput={(e) => setText(e.currentTarget.value)} />
        <label class="muted compare-with">Compare with <select value={earlier?.[0] ?? ''} onChange={(e) => patch({ cmp: e.currentTarget.value || null }, { replace: true })}>
          <option value="">nothing</option>
          {EARLIER.map(([id, name]) => <option key={id} value={id}>{name}</option>)}
        </select></label>
        {a && <span class="muted num">{count(a.lines)} {a.lines === 1 ? 'line' : 'lines'}{a.earlier_lines !== undefined && ` (${count(a.earlier_lines)} ${earlier?.[1] ?? 'earlier'})`}, {count(a.patterns_total)} {a.patterns_total === 1 ? 'pattern' : 'patterns'}{a.without > 0 && `, ${count(a.without)} rows without a text`}</span>}
        <Covers answer={a} loading={answer.loading} />
        {found.length > 0 && <SaveAs name="patterns" rows={() => [['lines', 'earlier', 'pattern'], ...found.map((p) => [String(p.count), String(p.earlier ?? ''), p.text])]} json={() => found} />}
      </div>
      <Progress loading={answer.loading} progress={null} />
      {answer.error && <ErrorBox error={answer.error} retry={answer.reload} />}
      {!a && answer.loading && <p class="muted pad" role="status">Folding every line that matches …</p>}
      {a && a.patterns.length === 0 && <Empty title="No lines"><p>Nothing matches in this range.</p></Empty>}
      {a && a.patterns.length > 0 && (
        <div class="table-wrap panel">
          <table class="table pattern-table">
            <thead><tr><th class="right">Lines</th>{compared && <><th class="right">Earlier</th><th>Change</th></>}<th class="right">Share</th><th>When</th><th>Severity</th><th>Pattern</th><th>Last</th></tr></thead>
            <tbody>{shown.map((p) => <PatternRow key={p.text + p.other} pattern={p} lines={a.lines} now={now} compared={compared} />)}</tbody>
          </table>
        </div>
      )}
      {found.length > shown.length && <button type="button" class="button more" onClick={() => showAll(true)}>Show {found.length - shown.length} more</button>}
    </section>
  );
}

// What became of a pattern since the earlier time: a word, and its sign for the eye.
function changeOf(p: Pattern): ['new' | 'gone' | 'more' | 'fewer' | 'same', string] {
  const was = p.earlier ?? 0;
  if (was === 0) return ['new', 'new'];
  if (p.count === 0) return ['gone', 'gone'];
  if (p.count === was) return ['same', 'same'];
  const share = Math.abs(p.count - was) / was;
  return p.count > was ? ['more', `+${percent(share)}`] : ['fewer', `\u2212${percent(share)}`];
}

function PatternRow({ pattern: p, lines, now, compared }: { pattern: Pattern; lines: number; now: number; compared: boolean }) {
  const [change, said] = changeOf(p);
  const severities = SEVERITIES.map((s) => [s, Object.entries(p.severities).filter(([k]) => severityOf(k) === s).reduce((n, [, v]) => n + v, 0)] as const).filter(([, n]) => n > 0);
  const menu = (e: MouseEvent) => openMenu(e, p.text.slice(0, 60), [
    { label: 'Lines like this', hint: 'its longest texts', run: () => go(href('logs', { w: filtersOfPattern(p).map(filterLine) })) },
    { label: 'Leave them out', run: () => addFilters(filtersOfPattern(p).slice(0, 1).map((f) => ({ ...f, op: 'does-not-contain' }))) },
    { label: 'Open one of them', run: () => go(href('logs', { row: p.samples[0] ?? null })) },
    { label: 'Copy the pattern', run: () => copy(p.text), quiet: true },
    { label: 'Copy as a regular expression', run: () => copy(p.regex), quiet: true },
  ]);
  return (
    <tr>
      <td class="right num">{count(p.count)}</td>
      {compared && <><td class="right num muted">{count(p.earlier ?? 0)}</td><td><span class={`change change-${change}`} title={`${count(p.count)}, and ${count(p.earlier ?? 0)} earlier`}>{said}</span></td></>}
      <td class="right num muted">{percent(lines ? p.count / lines : 0)}</td>
      <td><Spark series={p.series} color={SEVERITY_TOKEN[severities[0]?.[0] ?? 'info']} /></td>
      <td class="nowrap">{severities.slice(0, 2).map(([s, n]) => <span class={`severity sev-${s}`} title={`${count(n)} lines`}>{s === 'unspecified' ? '' : s} </span>)}</td>
      <td class="pattern-cell">
        {p.other ? <span class="muted">Other lines, too rare to keep apart</span>
          : <button type="button" class="pattern mono" aria-haspopup="menu" onClick={menu} onContextMenu={menu}>{p.parts.map((x) => <Part part={x} />)}</button>}
      </td>
      <td class="muted nowrap">{p.last_ns && ago(nsToMs(p.last_ns), now)}</td>
    </tr>
  );
}

const filterLine = (f: Filter) => `${f.column} ${f.op} ${JSON.stringify(f.value)}`;

function Part({ part }: { part: PatternPart }) {
  if (typeof part === 'string') return <>{part}</>;
  return <span class="hole" title={part.values.length ? `for instance ${part.values.join(', ')}` : 'what follows in long lines'}>{part.kind}</span>;
}

function Spark({ series, color }: { series: number[]; color: string }) {
  const max = Math.max(1, ...series);
  const d = series.map((n, i) => (n > 0 ? `M${i * 2 + 1} 18V${(18 - Math.max(1.5, (17 * n) / max)).toFixed(1)}` : '')).join('');
  return <svg class="spark" width={series.length * 2} height="18" aria-hidden="true"><path d={d} style={{ stroke: `var(--${color})` }} stroke-width="1.6" fill="none" /></svg>;
}
