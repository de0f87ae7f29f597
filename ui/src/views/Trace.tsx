// SPDX-License-Identifier: Apache-2.0
// One trace: head, overview, waterfall, sidebar. Selection, search, window and hidden kinds are in the
// URL, so a link shows a colleague exactly this span.

import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { api, ApiError } from '../lib/api';
import { copy, lookAround } from '../lib/actions';
import { serviceColor } from '../lib/color';
import { count, dateTime, duration, nsToMs } from '../lib/format';
import { href, patch, useRoute } from '../lib/route';
import { useTheme } from '../lib/theme';
import { useLoad } from '../lib/use';
import { xrayId } from '../lib/xray';
import { Empty, ErrorBox, Progress } from '../parts/States';
import { Icon } from '../parts/Icon';
import { Trace } from '../trace/model';
import { Minimap } from '../trace/Minimap';
import { Sidebar } from '../trace/Sidebar';
import { Waterfall } from '../trace/Waterfall';
import { SearchField, useSearch, useSelection, useWindow } from '../trace/state';
import { onTreeKey } from '../trace/keys';

export function TraceView() {
  const { arg } = useRoute();
  const answer = useLoad(arg, (signal) => api.trace(arg, signal), true);
  const trace = useMemo(() => answer.data && new Trace(answer.data), [answer.data]);
  if (answer.error instanceof ApiError && answer.error.status === 404) {
    return (
      <div class="view"><Empty title="No such trace">
        <p>Nothing is stored under <code>{arg}</code>: it has expired, was never sent, or has not arrived yet.</p>
        <button type="button" class="button primary" onClick={answer.reload}>Look again</button>
      </Empty></div>
    );
  }
  if (answer.error) return <div class="view"><ErrorBox error={answer.error} retry={answer.reload} /></div>;
  if (!trace) return <div class="view"><Progress loading progress={null} /><p class="muted pad" role="status">Reading the trace …</p></div>;
  if (trace.n === 0) return <div class="view"><Empty title="This trace is empty" /></div>;
  return <Page key={arg} trace={trace} reload={answer.reload} />;
}

function Page({ trace, reload }: { trace: Trace; reload: () => void }) {
  const { params } = useRoute();
  const hidden = useMemo(() => new Set(params.get('hide')?.split(',').filter(Boolean) ?? []), [params.get('hide')]);
  const [collapsed, setCollapsed] = useState<ReadonlySet<number>>(new Set());
  const visible = useMemo(() => trace.visible(collapsed, hidden), [trace, collapsed, hidden]);
  const [win, setWin] = useWindow(trace);
  const [view, setView] = useState<[number, number]>([0, 0]);
  const [target, setTarget] = useState<{ row: number; turn: number } | null>(null);
  const turn = useRef(0);
  const show = (row: number) => setTarget({ row, turn: ++turn.current });

  // Opens what hides a row.
  const reveal = (i: number) => {
    const shut: number[] = [];
    for (let p = trace.parent[i]!; p >= 0; p = trace.parent[p]!) if (collapsed.has(p)) shut.push(p);
    if (shut.length) setCollapsed(new Set([...collapsed].filter((c) => !shut.includes(c))));
    if (hidden.has(trace.kind(i))) patch({ hide: [...hidden].filter((k) => k !== trace.kind(i)).join(',') || null }, { replace: true });
  };
  const [selected, select] = useSelection(trace);
  const jump = (i: number) => {
    if (i < 0) return;
    reveal(i);
    select(i);
    show(i);
  };
  useEffect(() => {
    if (selected >= 0) show(selected);
    const start = nsToMs(trace.answer.start_ns);
    lookAround(start - 1800e3, nsToMs(trace.answer.end_ns) + 1800e3);
  }, [trace]);
  const toggle = (i: number) => {
    const next = new Set(collapsed);
    if (!next.delete(i)) next.add(i);
    setCollapsed(next);
  };
  const collapseTo = (level: number) => {
    const next = new Set<number>();
    if (level >= 0) for (let i = 0; i < trace.n; i++) if (trace.children[i]! > 0 && trace.depth[i]! >= level) next.add(i);
    setCollapsed(next);
  };
  const search = useSearch(trace);
  const step = (list: number[], by: number) => {
    if (list.length === 0) return;
    const next = by > 0 ? list.find((i) => i > selected) ?? list[0]! : [...list].reverse().find((i) => i < selected) ?? list[list.length - 1]!;
    jump(next);
  };
  const zoom = (factor: number) => {
    const mid = selected >= 0 ? (trace.start[selected]! + trace.stop[selected]!) / 2 : (win[0] + win[1]) / 2;
    const half = ((win[1] - win[0]) / 2) * factor;
    const a = Math.max(trace.from, mid - half);
    const b = Math.min(trace.to, mid + half);
    setWin(b - a >= (trace.to - trace.from) * 0.999 ? null : [a, b]);
  };
  const onKey = (e: KeyboardEvent) => onTreeKey(e, {
    trace, visible, selected, collapsed, select: (i) => { select(i); show(i); }, toggle, collapseTo, setCollapsed, zoom,
    next: (by) => step(search.matches, by), error: (by) => step(trace.errors, by), fit: () => setWin(null),
    focus: () => selected >= 0 && trace.duration(selected) > 0 && setWin([trace.low[selected]!, Math.max(trace.high[selected]!, trace.low[selected]! + 1)]),
  });
  return (
    <div class="view trace">
      <Head trace={trace} reload={reload} />
      <Minimap trace={trace} window={win} rows={view} total={visible.length} onWindow={setWin} onScroll={(share) => show(visible[Math.min(visible.length - 1, Math.floor(share * visible.length))]!)} />
      <div class="bar trace-tools">
        <SearchField text={search.text} n={search.matches.length} at={search.matches.indexOf(selected)} step={(by) => step(search.matches, by)} />
        {trace.errors.length > 0 && <button type="button" class="button small error" onClick={() => step(trace.errors, 1)} title="Next failed span (e)">{count(trace.errors.length)} failed</button>}
        <Kinds trace={trace} hidden={hidden} />
        <button type="button" class="button small" onClick={() => collapseTo(1)} title="Shift+C">Collapse all</button>
        <button type="button" class="button small" onClick={() => collapseTo(-1)} title="Shift+X">Expand all</button>
        {(win[0] > trace.from || win[1] < trace.to) && <button type="button" class="button small" onClick={() => setWin(null)} title="0">Whole trace</button>}
        <span class="muted num end">{count(visible.length)} rows shown</span>
      </div>
      <div class="trace-body">
        <Waterfall trace={trace} visible={visible} collapsed={collapsed} window={win} selected={selected} matches={search.set} scrollTo={target}
          onSelect={select} onToggle={toggle} onView={(a, b) => setView([a, b])} onKey={onKey} />
        {selected >= 0 && <Sidebar trace={trace} i={selected} onSelect={jump} close={() => select(-1)} />}
      </div>
    </div>
  );
}

function Head({ trace, reload }: { trace: Trace; reload: () => void }) {
  const theme = useTheme();
  const a = trace.answer;
  const [copied, setCopied] = useState(false);
  const root = trace.kind(0) === 'span' ? 0 : -1;
  return (
    <header class="trace-head">
      <div class="bar">
        <h1>{root >= 0 ? <><i class="dot" style={{ background: serviceColor(trace.service(0), theme) }} />{trace.name(0)}</> : 'Trace'}</h1>
        <code class="muted">{a.trace_id}</code>
        <code class="muted" title="the same id as X-Ray writes it">{xrayId(a.trace_id)}</code>
        <button type="button" class="button small" onClick={() => { copy(location.href); setCopied(true); setTimeout(() => setCopied(false), 1500); }}><Icon name={copied ? 'check' : 'link'} /> {copied ? 'Copied' : 'Copy link'}</button>
        <a class="button small" href={href('logs', { w: `trace.trace_id = ${JSON.stringify(a.trace_id)}`, ds: null, t: null, from: String(Math.floor(nsToMs(a.start_ns) / 1e3) - 60), to: String(Math.ceil(nsToMs(a.end_ns) / 1e3) + 60) })}><Icon name="logs" /> Log lines</a>
        <button type="button" class="button small" onClick={reload}>Reload</button>
        <span class="muted num end">{dateTime(nsToMs(a.start_ns), 3)} · {duration((trace.to - trace.from) / 1e6)} · {count(a.spans)} spans{a.complete ? '' : ' · '}{!a.complete && <strong class="warn">incomplete</strong>}</span>
      </div>
      <div class="bar legend">
        {a.services.map((s) => <span class="legend-item"><i class="dot" style={{ background: serviceColor(s, theme) }} />{s}</span>)}
      </div>
      {a.missing_parents > 0 && (
        <div class="note" role="status"><Icon name="warn" /> {a.missing_parents === 1 ? 'One span names' : `${count(a.missing_parents)} spans name`} a parent that is not here. It may still be on its way, or its sender failed; the spans stand as further roots.</div>
      )}
    </header>
  );
}

const NAMES: Record<string, string> = { span_event: 'Events', link: 'Links', log: 'Logs', error: 'Errors' };

function Kinds({ trace, hidden }: { trace: Trace; hidden: Set<string> }) {
  const list = Object.keys(trace.kinds).filter((k) => k !== 'span').sort();
  const flip = (k: string) => {
    const next = new Set(hidden);
    if (!next.delete(k)) next.add(k);
    patch({ hide: [...next].join(',') || null }, { replace: true });
  };
  return list.length === 0 ? null : (
    <div class="segmented" role="group" aria-label="Rows to show">
      {list.map((k) => <button type="button" aria-pressed={!hidden.has(k)} onClick={() => flip(k)}>{NAMES[k] ?? k} <span class="num muted">{count(trace.kinds[k]!)}</span></button>)}
    </div>
  );
}
