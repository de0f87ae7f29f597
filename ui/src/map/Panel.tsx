// SPDX-License-Identifier: Apache-2.0
// Beside the map: a node's or an edge's numbers, its latencies, who calls it, its traces.

import { useRef, useState } from 'preact/hooks';
import { average, edgeKey, nodeKey, quantile, share, tracesOf, type MapAnswer, type MapEdge, type MapNode, type MapStats } from '../lib/map';
import { count, duration, percent } from '../lib/format';
import { filterText } from '../lib/query';
import { go, href } from '../lib/route';
import { Icon } from '../parts/Icon';
import { rate } from './Canvas';

interface Props { graph: MapAnswer; node: number; edge: number; select: (key: string | null) => void }

const title = (n: MapNode) => (n.kind === 'client' ? `Clients of ${n.name}` : n.name);
const KINDS = { service: 'a service that reports', client: 'whoever calls it from outside', inferred: 'known from the calls to it alone' };

export function MapPanel({ graph, node, edge, select }: Props) {
  const e = edge >= 0 ? graph.edges[edge]! : null;
  const n = e ? graph.nodes[e.to]! : graph.nodes[node]!;
  const what = e ?? n;
  const link = (range?: [number, number]) => href('traces', { w: tracesOf(graph.nodes, what, range).map(filterText) });
  return (
    <aside class="sidebar panel map-panel" aria-label="Selected">
      <header>
        <div>
          {e ? <h2>{title(graph.nodes[e.from]!)} <span class="muted">to</span> {n.name}</h2> : <h2>{title(n)}</h2>}
          <div class="muted">{e ? 'as the caller measured it' : <>{n.type && n.kind !== 'client' && <code>{n.type}</code>} {KINDS[n.kind]}</>}</div>
        </div>
        <button type="button" class="icon-button" onClick={() => select(null)} aria-label="Close" title="Close (Esc)"><Icon name="close" /></button>
      </header>
      {what.count > 0 && (
        <>
          <Numbers graph={graph} s={what} />
          <Latency s={what} link={link} />
        </>
      )}
      {n.kind !== 'client' && <a class="button primary" href={link()}>View traces</a>}
      {!e && (
        <>
          <Calls title="Called by" graph={graph} edges={graph.edges.filter((x) => x.to === node)} other={(x) => graph.nodes[x.from]!} select={select} />
          <Calls title="Calls" graph={graph} edges={graph.edges.filter((x) => x.from === node)} other={(x) => graph.nodes[x.to]!} select={select} />
        </>
      )}
      {e && (
        <div class="map-ends">
          <button type="button" class="button small" onClick={() => select(nodeKey(graph.nodes[e.from]!))}>{title(graph.nodes[e.from]!)}</button>
          <button type="button" class="button small" onClick={() => select(nodeKey(n))}>{n.name}</button>
        </div>
      )}
    </aside>
  );
}

function Numbers({ graph, s }: { graph: MapAnswer; s: MapStats }) {
  const rows: [string, string, string][] = [
    ['Requests', count(s.count), rate(s.count, graph)],
    ['Mean', duration(average(s)), ''],
    ['P50', duration(quantile(s.histogram, 0.5) ?? 0), ''],
    ['P95', duration(quantile(s.histogram, 0.95) ?? 0), ''],
    ['P99', duration(quantile(s.histogram, 0.99) ?? 0), ''],
  ];
  const ends: [string, string, number][] = [
    ['ok', 'ok', s.count - s.faults - s.errors - s.throttles], ['fault', 'faults', s.faults], ['error', 'errors', s.errors], ['throttle', 'throttles', s.throttles],
  ];
  return (
    <>
      <dl class="map-numbers num">{rows.map(([k, v, more]) => <div><dt>{k}</dt><dd>{v} <span class="muted">{more}</span></dd></div>)}</dl>
      <div class="map-bar" role="img" aria-label={ends.map(([, name, n]) => `${percent(share(s, n))} ${name}`).join(', ')}>
        {ends.map(([h, , n]) => n > 0 && <i class={h} style={{ flexGrow: n }} />)}
      </div>
      <ul class="map-ends num">{ends.filter(([, , n]) => n > 0).map(([h, name, n]) => <li><i class={h} />{count(n)} {name} <span class="muted">{percent(share(s, n))}</span></li>)}</ul>
    </>
  );
}

const W = 352, H = 110, BASE = 90;

// Bars over a log axis; a drag, or a bar, leads to the traces that lasted so long.
function Latency({ s, link }: { s: MapStats; link: (range: [number, number]) => string }) {
  const ref = useRef<SVGSVGElement>(null);
  const [drag, setDrag] = useState<[number, number] | null>(null);
  const bins = s.histogram.filter((b) => b[2] > 0);
  const lo = Math.max(0.001, bins[0]?.[0] || bins[0]?.[1] || 0.001);
  const hi = Math.max(lo * 1.1, bins[bins.length - 1]?.[1] ?? 1);
  const x = (ms: number) => ((Math.log(Math.max(lo, ms)) - Math.log(lo)) / (Math.log(hi) - Math.log(lo))) * W;
  const ms = (px: number) => Math.exp(Math.log(lo) + (Math.min(W, Math.max(0, px)) / W) * (Math.log(hi) - Math.log(lo)));
  const top = Math.max(1, ...bins.map((b) => b[2]));
  const at = (e: PointerEvent) => ((e.clientX - ref.current!.getBoundingClientRect().left) / ref.current!.clientWidth) * W;
  const round = (v: number) => Number(v.toPrecision(4));
  const end = (e: PointerEvent) => {
    const d = drag;
    setDrag(null);
    if (!d || Math.abs(at(e) - d[0]) < 4) return;
    e.preventDefault();
    const [a, b] = [ms(d[0]), ms(at(e))].sort((p, q) => p - q) as [number, number];
    go(link([round(a), round(b)]));
  };
  return (
    <figure class="map-latency">
      <figcaption class="muted">Latency; drag over a range for its traces</figcaption>
      <svg ref={ref} viewBox={`0 0 ${W} ${H}`} role="group" aria-label="Latency histogram"
        onPointerDown={(e) => { if (e.button === 0) { e.currentTarget.setPointerCapture(e.pointerId); setDrag([at(e), at(e)]); } }}
        onPointerMove={(e) => drag && setDrag([drag[0], at(e)])} onPointerUp={end} onPointerCancel={() => setDrag(null)}>
        {bins.map((b) => {
          const h = Math.max(1.5, (b[2] / top) * (BASE - 8));
          return (
            <a href={link([round(b[0]), round(b[1])])} aria-label={`${count(b[2])} requests of ${duration(b[0])} to ${duration(b[1])}: their traces`} draggable={false}>
              <rect x={x(b[0])} y={BASE - h} width={Math.max(1.5, x(b[1]) - x(b[0]) - 0.5)} height={h} />
            </a>
          );
        })}
        {drag && <rect class="range" x={Math.min(...drag)} y={0} width={Math.abs(drag[1] - drag[0])} height={BASE} />}
        <line x1={0} x2={W} y1={BASE} y2={BASE} />
        {[0, W / 3, (2 * W) / 3, W].map((p, i) => <text x={p} y={H - 4} text-anchor={i === 0 ? 'start' : i === 3 ? 'end' : 'middle'}>{duration(ms(p))}</text>)}
      </svg>
      <div class="num muted" aria-live="polite">{drag && Math.abs(drag[1] - drag[0]) >= 4 ? `${duration(ms(Math.min(...drag)))} to ${duration(ms(Math.max(...drag)))}` : ' '}</div>
    </figure>
  );
}

function Calls({ title: head, graph, edges, other, select }: { title: string; graph: MapAnswer; edges: MapEdge[]; other: (e: MapEdge) => MapNode; select: (key: string) => void }) {
  if (!edges.length) return null;
  const sorted = [...edges].sort((a, b) => b.count - a.count);
  return (
    <section>
      <h3>{head}</h3>
      <ul class="map-calls">
        {sorted.map((e) => (
          <li>
            <button type="button" onClick={() => select(edgeKey(graph.nodes, e))}>
              <span>{title(other(e))}</span><span class="num">{duration(average(e))}</span><span class="num">{rate(e.count, graph)}</span>
              <span class={`num${e.faults ? ' error' : ' muted'}`}>{percent(share(e, e.faults + e.errors + e.throttles))}</span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
