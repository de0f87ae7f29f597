// SPDX-License-Identifier: Apache-2.0
// The service map: who calls whom, how much, how slow, how it ends; what is selected is beside it.

import { useEffect, useMemo, useState } from 'preact/hooks';
import { api } from '../lib/api';
import { edgeKey, found, layout, nodeKey, type MapAnswer, type MapNode } from '../lib/map';
import { count } from '../lib/format';
import { selectionOf } from '../lib/query';
import { patch, useRoute } from '../lib/route';
import { loadTypes } from '../lib/schema';
import { useLive, useLoad } from '../lib/use';
import { MapCanvas, type Sizing } from '../map/Canvas';
import { MapPanel } from '../map/Panel';
import { HowToSend } from '../parts/HowToSend';
import { SaveAs } from '../parts/SaveAs';
import { Covers, Empty, ErrorBox, Hint, Progress } from '../parts/States';
import { Where } from '../parts/Where';

const SIZES: [Sizing, string][] = [['traffic', 'Traffic'], ['health', 'Health'], ['none', 'None']];
const HUGE = 600;
const MANY = 12;

export function MapView() {
  const { params } = useRoute();
  const { dataset, filters, filter_combination, start_time, end_time, time_range } = useMemo(() => selectionOf(params), [params.toString()]);
  const spec = { dataset, filters, filter_combination, start_time, end_time, time_range };
  const answer = useLoad(JSON.stringify(spec), (signal) => api.graph(spec, signal));
  const live = params.get('live') !== '0' && params.get('from') === null;
  useLive(live, answer.reload, answer.data?.elapsed_ms);
  useEffect(() => void loadTypes(), [params.get('ds'), params.get('t')]);
  const a = answer.data;
  const size = (SIZES.find(([id]) => id === params.get('size'))?.[0] ?? 'traffic') as Sizing;
  return (
    <div class="view map-view">
      <div class="bar">
        <h1>Map</h1>
        <div class="segmented" role="group" aria-label="Size by">
          {SIZES.map(([id, name]) => <button type="button" aria-pressed={size === id} onClick={() => patch({ size: id === 'traffic' ? null : id }, { replace: true })}>{name}</button>)}
        </div>
        <Legend />
        {a && a.nodes.length > MANY && <Find nodes={a.nodes} />}
        <Covers answer={a} loading={answer.loading && !a} extra={a ? `${count(a.nodes.length)} nodes, ${count(a.edges.length)} edges` : ''} />
        {a && a.nodes.length > 0 && <SaveAs name="the map" json={() => a} picture={() => document.querySelector('.map-body')} />}
      </div>
      <div class="panel builder"><Where error={answer.error} label="Spans where" /></div>
      <Progress loading={answer.loading && !a} progress={null} />
      {answer.error && <ErrorBox error={answer.error} retry={answer.reload} />}
      {a?.cut && <p class="muted" role="note">There are more kinds of calls than an answer holds: the rarest are left out. Narrow it by a filter or a dataset.</p>}
      {!a && !answer.error && <div class="map-wait" aria-hidden="true" />}
      {a && (a.nodes.length ? <Shown key={a.nodes.length > HUGE ? 'huge' : 'all'} a={a} size={size} selected={params.get('sel')} find={params.get('find') ?? ''} /> : <Nothing examined={a.rows_examined} filtered={(filters?.length ?? 0) > 0} />)}
    </div>
  );
}

// Where is the service whose name says ...? Those found stand out; Enter goes from one to the next.
function Find({ nodes }: { nodes: MapNode[] }) {
  const { params } = useRoute();
  const text = params.get('find') ?? '';
  const hits = found(nodes, text);
  const go = (e: KeyboardEvent) => {
    if (e.key === 'Escape' && text) patch({ find: null, sel: null }, { replace: true });
    else if (e.key === 'Enter' && hits.length) {
      const at = hits.findIndex((i) => nodeKey(nodes[i]!) === params.get('sel'));
      patch({ sel: nodeKey(nodes[hits[(at + (e.shiftKey ? hits.length - 1 : 1)) % hits.length]!]!) }, { replace: true });
    } else return;
    e.preventDefault();
    e.stopPropagation();
  };
  return (
    <span class="map-find">
      <input class="search" type="search" aria-label="Find a node by its name" placeholder="Find a node" value={text} spellcheck={false} onKeyDown={go}
        onInput={(e) => patch({ find: e.currentTarget.value || null, sel: null }, { replace: true })} />
      <span class="muted" role="status">{text && (hits.length ? `${count(hits.length)} of ${count(nodes.length)}` : 'none')}</span>
    </span>
  );
}

function Shown({ a, size, selected, find }: { a: MapAnswer; size: Sizing; selected: string | null; find: string }) {
  const [all, setAll] = useState(false);
  const cut = useMemo(() => (all || a.nodes.length <= HUGE ? a : busiest(a, HUGE)), [a, all]);
  // A graph with the same nodes and edges stands as it stood.
  const shape = cut.nodes.map(nodeKey).join('\n') + cut.edges.map((e) => `${e.from}>${e.to}`).join(' ');
  const places = useMemo(() => layout(cut.nodes, cut.edges), [shape]);
  const node = selected?.startsWith('n:') ? cut.nodes.findIndex((n) => nodeKey(n) === selected) : -1;
  const edge = selected?.startsWith('e:') ? cut.edges.findIndex((e) => edgeKey(cut.nodes, e) === selected) : -1;
  const select = (key: string | null) => patch({ sel: key }, { replace: true });
  return (
    <>
      {cut !== a && (
        <p class="muted" role="note">
          The {count(cut.nodes.length)} busiest of {count(a.nodes.length)} nodes. <button type="button" class="button small" onClick={() => setAll(true)}>Show all</button>
        </p>
      )}
      <div class="map-body">
        <MapCanvas graph={cut} places={places} size={size} node={node} edge={edge} found={find ? found(cut.nodes, find) : null} select={select} />
        {(node >= 0 || edge >= 0) && <MapPanel graph={cut} node={node} edge={edge} select={select} />}
      </div>
    </>
  );
}

function busiest(a: MapAnswer, most: number): MapAnswer {
  const load = a.nodes.map((n) => n.count);
  for (const e of a.edges) if (a.nodes[e.from]!.kind === 'client') load[e.from]! += e.count;
  const keep = load.map((n, i) => [n, i] as const).sort((x, y) => y[0] - x[0] || x[1] - y[1]).slice(0, most).map(([, i]) => i).sort((x, y) => x - y);
  const to = new Map(keep.map((i, k) => [i, k]));
  return {
    ...a, nodes: keep.map((i) => a.nodes[i]!),
    edges: a.edges.filter((e) => to.has(e.from) && to.has(e.to)).map((e) => ({ ...e, from: to.get(e.from)!, to: to.get(e.to)! })),
  };
}

function Legend() {
  return (
    <ul class="map-legend" aria-label="Colours of the rings: how requests end">
      <li><i class="ok" />ok</li><li><i class="fault" />faults (5xx)</li><li><i class="error" />errors (4xx)</li><li><i class="throttle" />throttles (429)</li>
    </ul>
  );
}

function Nothing({ examined, filtered }: { examined: number; filtered: boolean }) {
  const status = useLoad('status', api.status);
  const first = status.data !== null && status.data.rows === 0;
  if (first) {
    return (
      <Empty title="No spans yet: a map is drawn from traces">
        <div class="panel map-howto"><HowToSend status={status.data!} /></div>
      </Empty>
    );
  }
  return <Empty title={filtered ? 'No trace passes the filter' : 'No spans in this time range'}><Hint examined={examined} /></Empty>;
}
