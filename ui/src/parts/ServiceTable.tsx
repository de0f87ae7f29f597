// SPDX-License-Identifier: Apache-2.0
// One line a service: its rate, failures, percentiles and its own small latency heatmap.

import { useEffect, useMemo, useRef } from 'preact/hooks';
import { ramp, serviceColor } from '../lib/color';
import { count, duration, percent, value } from '../lib/format';
import type { HomeAnswer } from '../lib/home';
import { groupId, numbers } from '../lib/series';
import { patch } from '../lib/route';
import { useTheme } from '../lib/theme';
import type { Bucket, Group } from '../lib/types';
import { heatOf, shade } from './heatdraw';
import { openMenu } from './Menu';
import { valueMenu } from '../lib/actions';
import { groupJson, groupRows } from '../lib/table';
import { SaveAs } from './SaveAs';
import { ValueCell } from './ValueCell';

export function ServiceTable({ answer, service, heat }: { answer: HomeAnswer; service: string | null; heat: number }) {
  const edges = Object.values(answer.main.heatmaps)[0]?.edges ?? [];
  const failed = useMemo(() => new Map(answer.errors.groups.map((g) => [groupId(g.key), g.values[0] ?? 0])), [answer.errors]);
  const name = service ? 'Requests by name' : 'Services';
  // Failures stand in another answer.
  const rows = () => groupRows(answer.main).map((r, i) => [...r, i === 0 ? 'failed' : String(failed.get(groupId(answer.main.groups[i - 1]!.key)) ?? 0)]);
  const json = () => groupJson(answer.main).map((g, i) => ({ ...g, failed: failed.get(groupId(answer.main.groups[i]!.key)) ?? 0 }));
  return (
    <div class="table-box"><SaveAs name={name} rows={rows} json={json} />
    <div class="panel table-wrap" role="region" aria-label={name} tabIndex={0}>
      <table class="table service-table">
        <thead>
          <tr>
            <th>{service ? 'Name' : 'Service'}</th><th>Rate</th><th class="right">Requests</th><th class="right">Failed</th>
            <th class="right">P50</th><th class="right">P95</th><th class="right">P99</th><th>Latency</th>
          </tr>
        </thead>
        <tbody>
          {answer.main.groups.map((g) => (
            <Line key={groupId(g.key)} g={g} failed={failed.get(groupId(g.key)) ?? 0} service={service} heat={heat} edges={edges} />
          ))}
        </tbody>
      </table>
    </div></div>
  );
}

function Line({ g, failed, service, heat, edges }: { g: Group; failed: number; service: string | null; heat: number; edges: number[] }) {
  const theme = useTheme();
  const name = value(g.key[0]);
  const [n, p50, p95, p99] = g.values;
  const color = serviceColor(service ?? name, theme);
  const open = () => !service && patch({ svc: name });
  return (
    <tr class={service ? '' : 'link-row'} onClick={(e) => !(e.target as Element).closest('button') && open()}>
      <td class="grow nowrap">
        <i class="dot" style={{ background: color }} />
        {service ? <ValueCell field="name" value={g.key[0]} /> : <button type="button" class="value strong" onClick={open} onContextMenu={(e) => openMenu(e, name, valueMenu('service.name', g.key[0]))} aria-label={`Show ${name} alone`}>{name}</button>}
      </td>
      <td><Spark data={numbers(g.series?.[0], 'COUNT')} color={color} /></td>
      <td class="num right">{count(n ?? 0)}</td>
      <td class={`num right nowrap${failed ? ' error' : ' muted'}`}>{failed ? `${count(failed)} (${percent(failed / Math.max(1, n ?? 1))})` : '0'}</td>
      {[p50, p95, p99].map((p) => <td class="num right nowrap">{p === null || p === undefined ? '–' : duration(p)}</td>)}
      <td><MiniHeat buckets={g.series?.[heat] ?? []} edges={edges} /></td>
    </tr>
  );
}

const W = 132;
const H = 26;

function Spark({ data, color }: { data: (number | null)[]; color: string }) {
  const max = Math.max(1e-9, ...data.map((d) => d ?? 0));
  const step = W / Math.max(1, data.length - 1);
  const points = data.map((d, i) => `${(i * step).toFixed(1)},${(H - 2 - ((d ?? 0) / max) * (H - 4)).toFixed(1)}`).join(' ');
  return (
    <svg class="spark" width={W} height={H} viewBox={`0 0 ${W} ${H}`} aria-hidden="true">
      <polyline points={points} fill="none" stroke={color} stroke-width="1.4" stroke-linejoin="round" />
    </svg>
  );
}

function MiniHeat({ buckets, edges }: { buckets: Bucket[]; edges: number[] }) {
  const theme = useTheme();
  const ref = useRef<HTMLCanvasElement>(null);
  const heat = useMemo(() => heatOf(buckets, edges), [buckets, edges]);
  useEffect(() => {
    const c = ref.current?.getContext('2d');
    if (!c) return;
    const dpr = devicePixelRatio || 1;
    ref.current!.width = W * dpr;
    ref.current!.height = H * dpr;
    c.scale(dpr, dpr);
    const colors = ramp(theme);
    const x = W / Math.max(1, buckets.length);
    const y = H / Math.max(1, heat.bins);
    for (const cell of heat.cells) {
      c.fillStyle = colors[shade(cell.n, heat.max)]!;
      c.fillRect(cell.bucket * x, H - (cell.bin + 1) * y, Math.max(1, x), Math.max(1.6, y));
    }
  }, [heat, theme]);
  return <canvas class="mini-heat" ref={ref} style={{ width: `${W}px`, height: `${H}px` }} aria-hidden="true" />;
}
