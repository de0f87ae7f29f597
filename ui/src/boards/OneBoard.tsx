// SPDX-License-Identifier: Apache-2.0
//
// A board. Changes are shown at once and sent one after another: while one is on its way the newest waits, those
// between are left out. What the server refuses is said, and the board as it is there comes back. What others change
// is shown when it is noticed; while something is in the hand here, when one says so.

import { useMemo, useRef, useState } from 'preact/hooks';
import { added, around, board, changerOf, dropBoard, keepBoard, placed, placesOf, rename, type Board, type Panel, type QueryPart } from '../lib/boards';
import { api, ApiError } from '../lib/api';
import { CursorBus } from '../lib/cursor';
import { environment } from '../lib/env';
import { limiter, type Limited } from '../lib/limit';
import type { Marker } from '../lib/markers';
import { filtersOf } from '../lib/query';
import { go, href, named, useRoute } from '../lib/route';
import { rangeOf, spanOf } from '../lib/time';
import type { Dataset, Filter, Span } from '../lib/types';
import { useInterval, useLoad } from '../lib/use';
import { Markers, useMarkers } from '../parts/Markers';
import { openMenu } from '../parts/Menu';
import { Empty, ErrorBox, Progress } from '../parts/States';
import { Sure } from '../parts/Sure';
import { Filters } from './Filters';
import { Grid } from './Grid';
import { without } from './layout';
import { SloPanel, TextPanel } from './OtherPanels';
import { QueryPanel } from './QueryPanel';
import { Settings } from './Settings';

const AT_A_TIME = 4;
const PANELS_MAX = 200;
const LOOK_MS = 5e3;

const inHand = () => document.querySelector('.boards form, .board-grid.held') !== null;

// What the panels of a board have in common.
export interface Shared {
  span: Span | null; filters: Filter[]; limited: Limited; bus: CursorBus; markers: Marker[]; names: Map<string, string>; sets: Dataset[]; turn: number;
  rename: (p: QueryPart, name: string) => void;
}

// Panels have no ids: what is in them, and the how manyeth of it.
function keysOf(panels: Panel[]): string[] {
  const seen = new Map<string, number>();
  return panels.map((p) => {
    const of = p.query_panel ? `${p.query_panel.query_id} ${p.query_panel.query_annotation_id}` : p.slo_panel?.slo_id ?? `text ${p.text_panel?.content ?? ''}`;
    const n = (seen.get(of) ?? 0) + 1;
    seen.set(of, n);
    return `${of} ${n}`;
  });
}

function useKept(id: string) {
  const loaded = useLoad(`board ${environment()} ${id}`, (signal) => board(id, signal));
  const [mine, setMine] = useState<Board | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const [theirs, setTheirs] = useState<Board | null>(null);
  const shown = useRef<Board | null>(null);
  const next = useRef<Board | null>(null);
  const busy = useRef(false);
  const stamp = useRef<string | undefined>(undefined); // of the newest answer; what waits was made of one before
  const keep = async (b: Board) => {
    setError(null);
    setMine(b);
    next.current = b;
    if (busy.current) return;
    busy.current = true;
    try {
      while (next.current) {
        const sent: Board = { ...next.current, ...(stamp.current && { revision: stamp.current }) };
        next.current = null;
        const kept = await keepBoard(sent);
        stamp.current = kept.revision;
        if (!next.current) setMine(kept);
      }
    } catch (e) {
      next.current = null;
      stamp.current = undefined;
      setError(e as Error);
      setMine(null);
      setTheirs(null);
      loaded.reload();
    }
    busy.current = false;
  };
  const b = mine ?? loaded.data;
  const take = (there: Board) => {
    stamp.current = there.revision;
    setMine(there);
    setTheirs(null);
  };
  useInterval(b ? LOOK_MS : null, () => {
    if (busy.current) return;
    board(id).then((there) => {
      if (busy.current) return;
      if (there.revision === shown.current?.revision) setTheirs(null);
      else if (inHand()) setTheirs(there);
      else take(there);
    }, (e: Error) => e instanceof ApiError && e.status === 404 && setError(e));
  });
  shown.current = b;
  return { b, keep: (b: Board) => void keep(b), loaded, error, setError, theirs, take };
}

export function OneBoard({ id }: { id: string }) {
  const { b, keep, loaded, error, setError, theirs, take } = useKept(id);
  const { params } = useRoute();
  const [bus] = useState(() => new CursorBus());
  const [limited] = useState(() => limiter(AT_A_TIME));
  const [said, say] = useState('');
  const [settings, openSettings] = useState(false);
  const [turn, again] = useState(0);
  const ids = (b?.panels ?? []).map((p) => p.query_panel?.query_annotation_id ?? '').join(' ');
  const beside = useLoad(b ? `beside ${id} ${ids}` : null, (signal) => around(b!, signal));
  const slugs = useMemo(() => [...new Set((b?.panels ?? []).flatMap((p) => p.query_panel?.dataset || []))].sort(), [ids]);
  const markers = useMarkers(b ? slugs : null);
  const own = named();
  const span = useMemo(() => (own.has('t') || own.has('from') ? spanOf(rangeOf(params)) : null), [own.get('t'), own.get('from'), own.get('to')]);
  const filters = useMemo(() => filtersOf(params), [params.getAll('w').join('\n')]);
  if (!b) return <div class="view boards"><h1 class="visually-hidden">Board</h1>{loaded.error ? <ErrorBox error={loaded.error} retry={loaded.reload} /> : <Progress loading progress={null} />}</div>;
  const keepPanels = (panels: Panel[]) => keep({ ...b, panels });
  const change = (i: number, p: Partial<Panel>) => keepPanels(b.panels.map((x, k) => (k === i ? { ...x, ...p } : x)));
  const off = (i: number) => {
    const rest = b.panels.filter((_, k) => k !== i);
    keepPanels(placed(rest, without(placesOf(b.panels), i)));
    say('Taken off the board');
  };
  const shared: Shared | null = beside.data && {
    span, filters, limited, bus, markers: markers.data ?? [], names: beside.data.names, sets: beside.data.sets, turn,
    rename: (p, name) => void rename(p, name).then(() => beside.reload(), setError),
  };
  const [from, to] = span?.start_time ? [span.start_time * 1e3, span.end_time! * 1e3] : [Date.now() - (span?.time_range ?? 86400) * 1e3, Date.now()];
  return (
    <div class="view boards">
      <div class="bar"><h1>{b.name}</h1><span class="grow" />
        <AddMenu b={b} keep={keepPanels} failed={setError} />
        <button type="button" class="button" data-key="r" onClick={() => again(turn + 1)} title="Ask all again (r)">Refresh</button>
        <button type="button" class="button" aria-expanded={settings} onClick={() => openSettings(!settings)}>Settings</button>
        <Sure label="Delete" name={`Delete ${b.name}`} question="With its views?" run={() => dropBoard(id)} done={() => go(href('boards'))} failed={setError} />
      </div>
      {b.description && <p>{b.description}</p>}
      {error && <ErrorBox error={error} />}
      {theirs && <p class="note" role="status"><span>Changed by {changerOf(theirs)}; what you are at is of before.</span> <button type="button" class="button small" onClick={() => take(theirs)}>Show it as it is now</button></p>}
      {beside.error && <ErrorBox error={beside.error} retry={beside.reload} />}
      {settings && <Settings board={b} keep={keep} close={() => openSettings(false)} />}
      <p class="visually-hidden" role="status">{said}</p>
      {b.panels.length > 0 && <Filters board={b} />}
      {b.panels.length === 0 && (
        <Empty title="Nothing on this board yet">
          <p>Ask a question and choose Add to board; or begin with a text.</p>
          <a class="button primary" href={href('query', { c: ['COUNT', 'HEATMAP(duration_ms)'], by: 'service.name' })}>Ask a question</a>
        </Empty>
      )}
      {shared && (
        <Grid panels={b.panels} keys={keysOf(b.panels)} keep={keepPanels} say={say} panel={(p, i, grip) => {
          const frame = { grip, off: () => off(i) };
          if (p.query_panel) return <QueryPanel p={p.query_panel} shared={shared} keep={(query_panel) => change(i, { query_panel })} {...frame} />;
          if (p.slo_panel) return <SloPanel id={p.slo_panel.slo_id} rows={p.position?.height ?? 4} shared={shared} {...frame} />;
          return <TextPanel content={p.text_panel?.content ?? ''} keep={(content) => change(i, { text_panel: { content } })} {...frame} />;
        }} />
      )}
      <Markers list={markers.data ?? []} range={[from, to]} slug="" dataset="" changed={markers.reload} />
    </div>
  );
}

const FIRST_TEXT = '# A text\n\nHeadings, **strong**, *emphasis*, `code`, [links](/ui/home), lists, tables.';

function AddMenu({ b, keep, failed }: { b: Board; keep: (panels: Panel[]) => void; failed: (e: Error) => void }) {
  const add = async (e: MouseEvent) => {
    const at = e.currentTarget as HTMLElement;
    const slos = await api.slos().catch((err: Error) => { failed(err); return []; });
    const there = new Set(b.panels.map((p) => p.slo_panel?.slo_id));
    openMenu(at, 'Add to this board', [
      { label: 'A question …', hint: 'from Query', run: () => go(href('query', { c: ['COUNT', 'HEATMAP(duration_ms)'], by: 'service.name', w: null, v: null })) },
      { label: 'A text', run: () => keep(added(b.panels, { type: 'text', text_panel: { content: FIRST_TEXT } })) },
      ...slos.filter((s) => !there.has(s.object.id)).slice(0, 20).map((s) => ({ label: `The SLO ${s.object.name}`, run: () => keep(added(b.panels, { type: 'slo', slo_panel: { slo_id: s.object.id } })) })),
    ]);
  };
  return <button type="button" class="button primary" aria-haspopup="menu" disabled={b.panels.length >= PANELS_MAX} onClick={(e) => void add(e)}>Add</button>;
}
