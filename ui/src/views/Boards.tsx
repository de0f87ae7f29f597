// SPDX-License-Identifier: Apache-2.0
// Boards: panels of saved questions, SLOs and texts on a grid of twelve columns, to be dragged together.

import { useRef, useState } from 'preact/hooks';
import { board, boards, flow, keepBoard, type Annotation, type Board, type Marker, type Panel, type SloReport } from '../lib/alerts';
import { api, hny } from '../lib/api';
import { environment } from '../lib/env';
import { calcValue, short } from '../lib/format';
import { calcText, filterText } from '../lib/query';
import { go, href, useRoute } from '../lib/route';
import { seriesOf } from '../lib/series';
import { useTheme } from '../lib/theme';
import type { QuerySpec } from '../lib/types';
import { useInterval, useLoad } from '../lib/use';
import { Plot } from '../parts/Plot';
import { Empty, ErrorBox, Progress } from '../parts/States';
import { Sure } from '../parts/Sure';

const REFRESH_MS = 30000;
const LINES = 12;

export function Boards() {
  const { arg } = useRoute();
  return arg ? <OneBoard key={arg} id={arg} /> : <List />;
}

function List() {
  const list = useLoad(`boards ${environment()}`, boards);
  const [name, setName] = useState('');
  const [error, setError] = useState<Error | null>(null);
  const create = (e: Event) => {
    e.preventDefault();
    setError(null);
    hny<Board>('POST', 'boards', { name: name.trim(), type: 'flexible' }).then((b) => go(href(`boards/${b.id}`)), setError);
  };
  return (
    <div class="view boards">
      <h1>Boards</h1>
      {list.loading && !list.data && <Progress loading progress={null} />}
      {list.error && <ErrorBox error={list.error} retry={list.reload} />}
      {list.data?.length === 0 && <Empty title="No board yet"><p>A board keeps questions that are asked often. Make one, then save questions to it from Query.</p></Empty>}
      {list.data && list.data.length > 0 && (
        <div class="cards">
          {list.data.map((b) => (
            <a key={b.id} class="panel card" href={href(`boards/${b.id}`)}>
              <h2>{b.name}</h2><p>{b.description}</p><p class="muted">{b.panels.length === 1 ? '1 panel' : `${b.panels.length} panels`}</p>
            </a>
          ))}
        </div>
      )}
      <section class="panel" aria-labelledby="new-board"><h2 id="new-board">New board</h2>
        <form class="bar" onSubmit={create}>
          <label class="small-field wide">Name<input value={name} onInput={(e) => setName(e.currentTarget.value)} maxLength={255} placeholder="Checkout" required /></label>
          <button type="submit" class="button primary low">Make the board</button>
        </form>
        {error && <ErrorBox error={error} />}
      </section>
    </div>
  );
}

function OneBoard({ id }: { id: string }) {
  const loaded = useLoad(`board ${id}`, (signal) => board(id, signal));
  const [mine, setMine] = useState<Board | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const [text, setText] = useState('');
  const [held, hold] = useState<number | null>(null);
  const [said, say] = useState('');
  const turn = useRef(0);
  const b = mine ?? loaded.data;
  const keep = (panels: Panel[]) => {
    setError(null);
    setMine({ ...b!, panels });
    const mine = ++turn.current; // the answer to an older change must not undo a newer one
    void keepBoard({ ...b!, panels: flow(panels) }).then((kept) => mine === turn.current && setMine(kept), (e: Error) => { setError(e); setMine(null); loaded.reload(); });
  };
  const move = (from: number, to: number) => {
    if (to < 0 || to >= b!.panels.length || from === to) return;
    const panels = [...b!.panels];
    panels.splice(to, 0, ...panels.splice(from, 1));
    keep(panels);
    say(`Panel moved to place ${to + 1} of ${panels.length}`);
  };
  if (!b) return <div class="view boards">{loaded.error ? <ErrorBox error={loaded.error} retry={loaded.reload} /> : <Progress loading progress={null} />}</div>;
  return (
    <div class="view boards">
      <div class="bar"><h1>{b.name}</h1><span class="grow" />
        <a class="button" href={href('query', { c: ['COUNT'] })}>Ask a question to save here</a>
        <Sure label="Delete" name={`Delete ${b.name}`} question="With its views?" run={() => hny('DELETE', `boards/${id}`)} done={() => go(href('boards'))} failed={setError} />
      </div>
      {b.description && <p>{b.description}</p>}
      {error && <ErrorBox error={error} />}
      <p class="visually-hidden" role="status">{said}</p>
      {b.panels.length === 0 && <Empty title="Nothing on this board yet"><p>In Query, choose Save to board; or write a text below.</p></Empty>}
      <div class="board-grid">
        {b.panels.map((p, i) => (
          <section key={panelKey(p, i)} class={`panel board-panel${held === i ? ' held' : ''}`} aria-label={`Panel ${i + 1}`} style={place(p)} draggable
            onDragStart={(e) => { hold(i); e.dataTransfer?.setData('text/plain', String(i)); }} onDragEnd={() => hold(null)}
            onDragOver={(e) => held !== null && e.preventDefault()} onDrop={(e) => { e.preventDefault(); if (held !== null) move(held, i); hold(null); }}>
            <PanelBody p={p} />
            <div class="board-tools">
              <button type="button" class="button small" disabled={i === 0} onClick={() => move(i, i - 1)} aria-label={`Panel ${i + 1} earlier`}>←</button>
              <button type="button" class="button small" disabled={i === b.panels.length - 1} onClick={() => move(i, i + 1)} aria-label={`Panel ${i + 1} later`}>→</button>
              <button type="button" class="button small" onClick={() => keep(b.panels.filter((_, k) => k !== i))} aria-label={`Take panel ${i + 1} off the board`}>×</button>
            </div>
          </section>
        ))}
      </div>
      <form class="bar" onSubmit={(e) => { e.preventDefault(); keep([...b.panels, { type: 'text', text_panel: { content: text } }]); setText(''); }} aria-label="New text">
        <label class="small-field grow">Text<textarea rows={2} value={text} onInput={(e) => setText(e.currentTarget.value)} maxLength={10000} placeholder="# What these show" required /></label>
        <button type="submit" class="button low">Add the text</button>
      </form>
    </div>
  );
}

const panelKey = (p: Panel, i: number) => (p.query_panel ? `${p.query_panel.query_id} ${p.query_panel.query_annotation_id}` : p.slo_panel ? p.slo_panel.slo_id : `text ${i}`);

function place(p: Panel) {
  const at = p.position;
  return at ? { gridColumn: `${at.x_coordinate + 1} / span ${at.width}`, gridRow: `${at.y_coordinate + 1} / span ${at.height}` } : { gridColumn: p.type === 'text' ? 'span 12' : 'span 6', gridRow: `span ${p.type === 'text' ? 2 : 4}` };
}

function PanelBody({ p }: { p: Panel }) {
  if (p.query_panel) return <QueryPanel queryId={p.query_panel.query_id} annotation={p.query_panel.query_annotation_id} dataset={p.query_panel.dataset ?? ''} />;
  if (p.slo_panel) return <SloPanel id={p.slo_panel.slo_id} />;
  return <TextPanel content={p.text_panel?.content ?? ''} />;
}

// Headings and paragraphs of Markdown; the rest stands as it was written.
function TextPanel({ content }: { content: string }) {
  return (
    <div class="board-text">
      {content.split(/\n{2,}|\n(?=#)/).map((block, i) => {
        const head = /^#+\s+(.*)/.exec(block);
        return head ? <h2 key={i}>{head[1]}</h2> : <p key={i}>{block}</p>;
      })}
    </div>
  );
}

function SloPanel({ id }: { id: string }) {
  const list = useLoad(`slos ${environment()}`, api.slos);
  useInterval(REFRESH_MS, list.reload);
  const s: SloReport | undefined = list.data?.find((x) => x.object.id === id);
  if (list.error) return <ErrorBox error={list.error} retry={list.reload} />;
  if (!list.data) return <Progress loading progress={null} />;
  if (!s) return <p class="muted">This SLO is gone.</p>;
  return <><h2><a href={href(`slos/${id}`)}>{s.object.name}</a></h2><p class={`big${(s.budget_remaining ?? 0) <= 0 ? ' error' : ''}`}>{(s.budget_remaining ?? 0).toFixed(1)} % <span class="muted">of the budget left</span></p></>;
}

type Stored = QuerySpec & { id?: string };

function QueryPanel({ queryId, annotation, dataset }: { queryId: string; annotation: string; dataset: string }) {
  const theme = useTheme();
  const slug = encodeURIComponent(dataset || '__all__');
  const answer = useLoad(`panel ${queryId}`, async (signal) => {
    const { id: _, ...spec } = await hny<Stored>('GET', `queries/${slug}/${queryId}`, undefined, signal);
    const name = await hny<Annotation>('GET', `query_annotations/${slug}/${annotation}`, undefined, signal).then((a) => a.name, () => 'Question');
    const result = await api.query({ ...spec, ...(dataset && { dataset }) } as QuerySpec, signal);
    const markers = await Promise.all([...new Set([slug, '__all__'])].map((d) => hny<Marker[]>('GET', `markers/${d}`, undefined, signal).catch(() => [])));
    return { spec, name, result, markers: markers.flat() };
  });
  useInterval(REFRESH_MS, answer.reload);
  if (answer.error) return <ErrorBox error={answer.error} retry={answer.reload} />;
  if (!answer.data) return <Progress loading progress={null} />;
  const { spec, name, result, markers } = answer.data;
  const column = result.columns.filter((c) => c.kind !== 'group')[0];
  const lines = seriesOf(result, 0, theme, 'var(--accent-line)').slice(0, LINES).map((s) => ({ name: s.name, color: s.color, points: result.times_ms.map((t, i): [number, number | null] => [t, s.data[i] ?? null]) }));
  const text = (n: number) => (column ? calcValue(n, column.op, column.field) : short(n));
  const none = result.groups.length === 0;
  return (
    <>
      <h2><a href={href('query', { c: (spec.calculations ?? [{ op: 'COUNT' }]).map(calcText), by: spec.breakdowns ?? [], w: (spec.filters ?? []).map(filterText), ds: dataset || null })}>{name}</a></h2>
      {none ? <p class="muted">No rows match.</p> : column?.op === 'HEATMAP' ? <p class="muted">A heatmap: open it in Query.</p>
        : <Plot label={name} lines={lines} text={text} range={[result.start_ms, result.end_ms]} height={170} marks={markers.map((m) => ({ ms: m.start_time * 1000, text: m.message || m.type || 'marker', color: m.color ?? 'var(--link)' }))} />}
      <p class="legend">{lines.map((l) => <span key={l.name}><i style={{ background: l.color }} />{l.name}</span>)}</p>
    </>
  );
}
