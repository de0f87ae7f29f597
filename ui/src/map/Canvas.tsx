// SPDX-License-Identifier: Apache-2.0
//
// The map's drawing: pan by drag, zoom by wheel, everything by keys. Texts keep their size on the
// screen when the map is small, so names can be read at two hundred nodes.

import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { COLUMN, average, edgeKey, health, nodeKey, ringOf, type Layout, type MapAnswer, type MapEdge, type MapNode } from '../lib/map';
import { count, duration, percent, short } from '../lib/format';
import { useSize } from '../lib/use';

export type Sizing = 'traffic' | 'health' | 'none';
interface Props { graph: MapAnswer; places: Layout; size: Sizing; node: number; edge: number; found: number[] | null; select: (key: string | null) => void }
interface Eye { x: number; y: number; k: number }

const R = 22;
const FEW_EDGES = 30;
const PAD = 24;
const PANEL = 470;

export const rate = (n: number, a: MapAnswer) => `${short((n / Math.max(1, a.end_ms - a.start_ms)) * 6e4)}/min`;

export function MapCanvas({ graph, places, size, node, edge, found, select }: Props) {
  const [ref, width, height] = useSize<HTMLDivElement>();
  const fit = useMemo<Eye>(() => {
    const k = Math.min(1.3, (width - PAD) / places.width, (height - PAD) / places.height);
    return { k: Math.max(0.05, k), x: (width - places.width * k) / 2, y: (height - places.height * k) / 2 };
  }, [places, width, height]);
  const [moved, setMoved] = useState<Eye | null>(null);
  useEffect(() => setMoved(null), [places]);
  const eye = moved ?? fit;
  // What is selected comes out from under the panel, and into sight.
  useEffect(() => {
    const at = node >= 0 ? places.places[node] : edge >= 0 ? places.places[graph.edges[edge]!.to] : undefined;
    if (!at) return;
    const [x, y] = [at.x * eye.k + eye.x, at.y * eye.k + eye.y];
    const over = x - (width - PANEL);
    const dx = x < R ? PANEL / 2 - x : width > 2 * PANEL && over > 0 ? -over : 0;
    const dy = y < R || y > height - R ? height / 2 - y : 0;
    if (dx || dy) pan(dx, dy);
  }, [node, edge, places]);
  const zoom = (by: number, cx = width / 2, cy = height / 2) => setMoved((m) => {
    const e = m ?? fit;
    const k = Math.min(4, Math.max(Math.min(0.1, fit.k), e.k * by));
    return { k, x: cx - ((cx - e.x) * k) / e.k, y: cy - ((cy - e.y) * k) / e.k };
  });
  const pan = (dx: number, dy: number) => setMoved((m) => ({ ...(m ?? fit), x: (m ?? fit).x + dx, y: (m ?? fit).y + dy }));
  useWheel(ref, zoom);
  const drag = useDrag(pan);
  const onKey = (e: KeyboardEvent) => {
    const keys: Record<string, () => void> = {
      '+': () => zoom(1.25), '=': () => zoom(1.25), '-': () => zoom(0.8), 0: () => setMoved(null), Escape: () => select(null),
      ArrowLeft: () => walk(-1, 0), ArrowRight: () => walk(1, 0), ArrowUp: () => walk(0, -1), ArrowDown: () => walk(0, 1),
    };
    if (e.ctrlKey || e.metaKey || e.altKey || !keys[e.key]) return;
    e.preventDefault();
    e.stopPropagation();
    keys[e.key]!();
  };
  // To the nearest node in a direction; from nowhere to the first.
  const walk = (dx: number, dy: number) => {
    const all = [...ref.current!.querySelectorAll<SVGGElement>('.map-node')];
    const here = all.indexOf(document.activeElement as unknown as SVGGElement);
    if (here < 0) return all[0]?.focus();
    const p = places.places[here]!;
    let best = -1, least = Infinity;
    places.places.forEach((q, i) => {
      const ahead = (q.x - p.x) * dx + (q.y - p.y) * dy;
      const aside = Math.abs((q.x - p.x) * dy) + Math.abs((q.y - p.y) * dx);
      if (i !== here && ahead > 1 && ahead + 2 * aside < least) [best, least] = [i, ahead + 2 * aside];
    });
    all[best]?.focus();
  };
  const busiest = Math.max(1, ...graph.nodes.map((n) => n.count));
  const near = nearOf(graph, node, edge) ?? (found && { nodes: new Set(found), edges: new Set<number>() });
  const font = Math.min(26, Math.max(12, 10.5 / eye.k));
  const labels = graph.edges.length <= FEW_EDGES && eye.k > 0.6;
  return (
    <div class={`panel map-canvas${graph.edges.length > FEW_EDGES ? ' many' : ''}`} ref={ref} onKeyDown={onKey}>
      <svg width="100%" height="100%" role="group" aria-label={`Service map: ${graph.nodes.length} nodes, ${graph.edges.length} edges`} {...drag}
        onClick={(e) => e.target === e.currentTarget && select(null)}>
        <defs>
          {['ok', 'fault', 'error', 'throttle'].map((h) => (
            <marker id={`arrow-${h}`} viewBox="0 0 8 8" refX="7" refY="4" markerWidth="5" markerHeight="5" orient="auto" class={`map-arrow ${h}`}><path d="M0 0 8 4 0 8z" /></marker>
          ))}
        </defs>
        <g transform={`translate(${eye.x} ${eye.y}) scale(${eye.k})`}>
          {graph.edges.map((e, i) => (
            <Edge key={edgeKey(graph.nodes, e)} graph={graph} places={places} edge={e} on={i === edge} far={near !== null && !near.edges.has(i)} label={labels || i === edge || (near?.edges.has(i) ?? false)}
              font={labels ? Math.min(font, 18) : font} select={select} />
          ))}
          {graph.nodes.map((n, i) => (
            <Node key={nodeKey(n)} graph={graph} node={n} at={places.places[i]!} r={radius(n, size, busiest)} on={i === node} far={near !== null && !near.nodes.has(i)} lit={near !== null && near.nodes.has(i)} font={font} small={eye.k < 0.6}
              first={i === 0} select={select} />
          ))}
        </g>
      </svg>
      <div class="map-zoom" role="group" aria-label="Zoom">
        <button type="button" class="icon-button" onClick={() => zoom(1.25)} aria-label="Zoom in" title="Zoom in (+)">+</button>
        <button type="button" class="icon-button" onClick={() => zoom(0.8)} aria-label="Zoom out" title="Zoom out (−)">−</button>
        <button type="button" class="button small" onClick={() => setMoved(null)} title="The whole map (0)">Fit</button>
      </div>
    </div>
  );
}

function radius(n: MapNode, size: Sizing, busiest: number): number {
  if (n.kind === 'client' || size === 'none') return R;
  if (size === 'traffic') return 15 + 15 * Math.sqrt(n.count / busiest);
  return 15 + 15 * Math.sqrt(n.count ? (n.faults + n.errors + n.throttles) / n.count : 0);
}

// What is selected and its neighbours; null: nothing is, all is drawn fully.
function nearOf(g: MapAnswer, node: number, edge: number) {
  if (node < 0 && edge < 0) return null;
  const nodes = new Set<number>(node >= 0 ? [node] : []);
  const edges = new Set<number>();
  g.edges.forEach((e, i) => {
    if (i !== edge && e.from !== node && e.to !== node) return;
    edges.add(i);
    nodes.add(e.from).add(e.to);
  });
  return { nodes, edges };
}

const pressed = (run: () => void) => (e: KeyboardEvent) => {
  if (e.key !== 'Enter' && e.key !== ' ') return;
  e.preventDefault();
  e.stopPropagation();
  run();
};

interface EdgeProps { graph: MapAnswer; places: Layout; edge: MapEdge; on: boolean; far: boolean; label: boolean; font: number; select: (key: string) => void }

function Edge({ graph, places, edge, on, far, label, font, select }: EdgeProps) {
  const a = places.places[edge.from]!, b = places.places[edge.to]!;
  const from = graph.nodes[edge.from]!, to = graph.nodes[edge.to]!;
  const { d, mid } = pathOf(a, b);
  const h = health(edge);
  const run = () => select(edgeKey(graph.nodes, edge));
  const text = `${from.kind === 'client' ? 'Clients' : from.name} to ${to.name}: ${count(edge.count)} requests, ${duration(average(edge))} on average`;
  return (
    <g class={`map-edge ${h}${on ? ' on' : ''}${far ? ' far' : ''}`} role="button" tabindex={-1} aria-label={text} onClick={run} onKeyDown={pressed(run)}>
      <title>{text}</title>
      <path class="hit" d={d} />
      <path class="line" d={d} marker-end={`url(#arrow-${h})`} />
      {label && <text x={mid.x} y={mid.y - 5} style={{ fontSize: `${font * 0.9}px` }}>{`${duration(average(edge))} · ${rate(edge.count, graph)}`}</text>}
    </g>
  );
}

// A bow from rim to rim; backwards below, to itself a loop above.
function pathOf(a: { x: number; y: number }, b: { x: number; y: number }) {
  const gap = R + 9;
  if (a.x === b.x && a.y === b.y) return { d: `M${a.x - 12} ${a.y - R}C${a.x - 46} ${a.y - 80} ${a.x + 46} ${a.y - 80} ${a.x + 14} ${a.y - gap}`, mid: { x: a.x, y: a.y - 66 } };
  if (b.x > a.x) {
    const bend = Math.max(30, (b.x - a.x) / 2);
    const [x1, x2] = [a.x + R, b.x - gap];
    return { d: `M${x1} ${a.y}C${x1 + bend} ${a.y} ${x2 - bend} ${b.y} ${x2} ${b.y}`, mid: { x: (x1 + x2) / 2, y: (a.y + b.y) / 2 } };
  }
  const low = Math.max(a.y, b.y) + 70;
  return { d: `M${a.x} ${a.y + R}C${a.x} ${low} ${b.x} ${low} ${b.x} ${b.y + gap}`, mid: { x: (a.x + b.x) / 2, y: low - 20 } };
}

const ICONS: Record<string, string> = {
  client: 'M0-7a3 3 0 1 1 0 6a3 3 0 0 1 0-6M-6 7c0-4 2-6 6-6s6 2 6 6',
  database: 'M-6-5c0-3 12-3 12 0v10c0 3-12 3-12 0zM-6-5c0 3 12 3 12 0M-6 0c0 3 12 3 12 0',
  queue: 'M-7-4h14v8h-14zM-3-4v8M1-4v8M5-4v8',
  remote: 'M0-7a7 7 0 1 0 0 14a7 7 0 0 0 0-14M-7 0h14M0-7c-4 4-4 10 0 14M0-7c4 4 4 10 0 14',
  aws: 'M-6 2a4 4 0 0 1 1-7a5 5 0 0 1 9 1a4 4 0 0 1 1 7zM-6 5h12',
  service: 'M0-7 6-3.5v7L0 7-6 3.5v-7z',
};

export function iconOf(n: MapNode): string {
  if (n.kind === 'client') return 'client';
  if (/Database|DynamoDB|RDS|Redshift|ElastiCache/i.test(n.type)) return 'database';
  if (/SQS|SNS|Kinesis|Queue|Events/i.test(n.type)) return 'queue';
  if (n.type === 'remote') return 'remote';
  return n.type.startsWith('AWS::') && n.kind === 'inferred' ? 'aws' : 'service';
}

interface NodeProps { graph: MapAnswer; node: MapNode; at: { x: number; y: number }; r: number; on: boolean; far: boolean; lit: boolean; font: number; small: boolean; first: boolean; select: (key: string) => void }

function Node({ graph, node, at, r, on, far, lit, font, small, first, select }: NodeProps) {
  const run = () => select(nodeKey(node));
  const name = node.kind === 'client' ? 'Clients' : node.name;
  const most = Math.floor((COLUMN - 14) / (font * 0.62));
  const shown = name.length > most && !lit ? `${name.slice(0, Math.ceil(most * 0.6) - 1)}…${name.slice(-Math.floor(most * 0.4))}` : name;
  const bad = node.faults + node.errors + node.throttles;
  const text = node.kind === 'client' ? `Clients of ${node.name}`
    : `${node.name}${node.type ? `, ${node.type}` : ''}: ${count(node.count)} requests, ${duration(average(node))} on average, ${percent(node.count ? bad / node.count : 0)} not ok`;
  return (
    <g class={`map-node ${node.kind} ${health(node)}${on ? ' on' : ''}${far ? ' far' : ''}`} role="button" tabindex={first || on ? 0 : -1} aria-pressed={on} aria-label={text}
      transform={`translate(${at.x} ${at.y})`} onClick={run} onKeyDown={pressed(run)}>
      <title>{text}</title>
      <circle class="disc" r={r} />
      <circle class="rim" r={r} />
      {ringOf(node).map((p) => <Arc part={p} r={r} />)}
      <path class="sign" d={ICONS[iconOf(node)]} />
      <text class="name" y={r + font + 2} style={{ fontSize: `${font}px` }}>{shown}</text>
      {!small && node.count > 0 && <text class="numbers" y={r + font * 2 + 4} style={{ fontSize: `${font * 0.9}px` }}>{`${duration(average(node))} · ${rate(node.count, graph)}`}</text>}
    </g>
  );
}

function Arc({ part, r }: { part: { health: string; from: number; to: number }; r: number }) {
  const whole = 2 * Math.PI * r;
  const n = (part.to - part.from) * whole;
  return <circle class={`ring ${part.health}`} r={r} stroke-dasharray={`${n} ${whole - n}`} stroke-dashoffset={-part.from * whole} transform="rotate(-90)" />;
}

function useWheel(ref: { current: HTMLDivElement | null }, zoom: (by: number, x: number, y: number) => void) {
  const latest = useRef(zoom);
  latest.current = zoom;
  useEffect(() => {
    const el = ref.current!;
    const on = (e: WheelEvent) => {
      e.preventDefault();
      const box = el.getBoundingClientRect();
      latest.current(Math.exp(-e.deltaY * 0.0015), e.clientX - box.left, e.clientY - box.top);
    };
    el.addEventListener('wheel', on, { passive: false });
    return () => el.removeEventListener('wheel', on);
  }, []);
}

// A drag of the ground moves it; a short one is a click.
function useDrag(pan: (dx: number, dy: number) => void) {
  const at = useRef<[number, number] | null>(null);
  return {
    onPointerDown: (e: PointerEvent) => { if (e.button === 0 && e.target === e.currentTarget) at.current = [e.clientX, e.clientY]; },
    onPointerMove: (e: PointerEvent) => {
      if (!at.current || !(e.buttons & 1)) return;
      const [x, y] = at.current;
      if (x !== e.clientX || y !== e.clientY) pan(e.clientX - x, e.clientY - y);
      at.current = [e.clientX, e.clientY];
    },
    onPointerUp: () => { at.current = null; },
  };
}
