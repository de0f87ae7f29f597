// SPDX-License-Identifier: Apache-2.0
// Rate and failures, side by side. Counts become rates by the time each bucket really covers.

import { useMemo, useRef } from 'preact/hooks';
import type { CursorBus } from '../lib/cursor';
import { short } from '../lib/format';
import type { HomeAnswer } from '../lib/home';
import { rates, seriesOf, type Series } from '../lib/series';
import { token, useTheme } from '../lib/theme';
import type { QueryResult } from '../lib/types';
import { seriesJson, seriesRows } from '../lib/table';
import { LineChart } from './LineChart';
import { SaveAs } from './SaveAs';

const perSecond = (n: number) => `${short(n)}/s`;

export function HomeCharts({ answer, bus, service }: { answer: HomeAnswer; bus: CursorBus; service: string | null }) {
  const theme = useTheme();
  const make = (r: QueryResult): Series[] => seriesOf(r, 0, theme, token('accent-line')).map((s) => ({ ...s, data: rates(r, s.data) }));
  const main = useMemo(() => make(answer.main), [answer.main, theme]);
  const errors = useMemo(() => make(answer.errors), [answer.errors, theme]);
  const what = service ? 'by name' : 'by service';
  return (
    <div class="pair">
      <Panel title={`Requests a second ${what}`} r={answer.main} series={main} bus={bus} />
      <Panel title={`Failures a second ${what}`} r={answer.errors} series={errors} bus={bus} none="No failures" />
    </div>
  );
}

function Panel({ title, r, series, bus, none }: { title: string; r: QueryResult; series: Series[]; bus: CursorBus; none?: string }) {
  const figure = useRef<HTMLElement>(null);
  return (
    <figure class="panel chart-panel" ref={figure}>
      <figcaption><span>{title}</span><span class="end"><SaveAs name={title} rows={() => seriesRows(r, 0)} json={() => seriesJson(r, 0)} picture={() => figure.current} /></span></figcaption>
      {series.length === 0 && none
        ? <div class="calm" style={{ height: '160px' }}>{none} in this range</div>
        : <LineChart title={title} times={r.times_ms} step={r.granularity_ms} range={[r.start_ms, r.end_ms]} series={series} isolated={null} bus={bus} height={160} text={perSecond} />}
    </figure>
  );
}
