// SPDX-License-Identifier: Apache-2.0
// How many log lines when, by severity: the same filters as the list below it. Drag zooms.

import { useMemo, useState } from 'preact/hooks';
import { api } from '../lib/api';
import { CursorBus } from '../lib/cursor';
import { si, value } from '../lib/format';
import { groupId, numbers, type Series } from '../lib/series';
import { token, useTheme } from '../lib/theme';
import { useLive, useLoad } from '../lib/use';
import type { QueryResult, QuerySpec, Selection } from '../lib/types';
import { LineChart } from './LineChart';

// Red is for errors; the others are told apart by weight of the text colour.
function colorFor(severity: string): string {
  if (/^(error|fatal|critical)/i.test(severity)) return token('error');
  if (/^warn/i.test(severity)) return token('accent-line');
  return /^info/i.test(severity) ? token('link') : token('muted');
}

export function LogVolume({ selection, live }: { selection: Selection; live: boolean }) {
  const theme = useTheme();
  const [bus] = useState(() => new CursorBus());
  const spec: QuerySpec = { ...selection, calculations: [{ op: 'COUNT' }], breakdowns: ['severity'], limit: 10 };
  const answer = useLoad(JSON.stringify(spec), (signal) => api.query(spec, signal));
  useLive(live, answer.reload, answer.data?.elapsed_ms);
  const r: QueryResult | null = answer.data;
  const series = useMemo((): Series[] => (r?.groups ?? []).map((g) => {
    const name = value(g.key[0]);
    return { id: groupId(g.key), name, key: g.key, color: colorFor(name), data: numbers(g.series?.[0], 'COUNT') };
  }), [r, theme]);
  if (!r || series.length === 0) return null;
  return (
    <figure class="panel chart-panel">
      <LineChart title="Log lines by severity" times={r.times_ms} step={r.granularity_ms} range={[r.start_ms, r.end_ms]} series={series} isolated={null} bus={bus} height={96} text={si} />
    </figure>
  );
}
