// SPDX-License-Identifier: Apache-2.0
//
// The tab "What is different": which rows are compared, as a clause that can be changed, and the answer; while none
// are chosen, what is worth comparing. A rectangle of a heatmap, a step or time of a graph, a row of the table and any
// value's menu choose rows as well.

import { useState } from 'preact/hooks';
import { api } from '../lib/api';
import { completeFilter } from '../lib/complete';
import { differentOf, showChanged, showDifferent, showTime } from '../lib/different';
import { filterText, parseFilter, specOf } from '../lib/query';
import { patch, useRoute } from '../lib/route';
import { rangeOf } from '../lib/time';
import type { Filter } from '../lib/types';
import { ChipInput } from './ChipInput';
import { DifferentPanel } from './Different';
import { ErrorBox } from './States';
import { readFilter } from './Where';

const FAILED: Filter = { column: 'error', op: '=', value: true };
const SLOW = 'duration_ms';

export function Compare({ about }: { about: string }) {
  const { params } = useRoute();
  const of = differentOf(params);
  const range = rangeOf(params);
  const rows = params.getAll('d');
  return (
    <div class="compare">
      <div class="panel compare-rows">
        <ChipInput label="Rows where" items={rows} placeholder="which rows are different? e.g. http.status_code >= 500" read={readFilter} suggest={completeFilter}
          onChange={(d) => (d.length ? showDifferent(d.map((t) => parseFilter(t))) : patch({ d: null, d_from: null, d_to: null }))} />
        <div class="starters">
          <button type="button" class="button" aria-pressed={rows.join() === filterText(FAILED)} onClick={() => showDifferent([FAILED])}>Failed</button>
          <Slowest />
          <button type="button" class="button" aria-pressed={of?.time !== undefined} onClick={() => showTime(range.to - (range.to - range.from) / 4, range.to)}>The last quarter of the time</button>
          <button type="button" class="button" aria-pressed={of?.was !== undefined} onClick={() => showChanged(Math.round(range.to - range.from))}>The time before</button>
        </div>
      </div>
      {of
        ? <DifferentPanel of={of} about={about} />
        : <p class="muted pad">Choose rows above, or draw a box in a heatmap, Shift-drag over a graph, or press Compare in the result's table: every column is looked through for what tells them from the rest.</p>}
    </div>
  );
}

// From the 95th percentile of the question's rows on.
function Slowest() {
  const { params } = useRoute();
  const [error, fail] = useState<Error | null>(null);
  const [asking, setAsking] = useState(false);
  const go = () => {
    setAsking(true);
    fail(null);
    const { dataset, start_time, end_time, time_range, filters, filter_combination, calculated_fields } = specOf(params);
    const of = { dataset, start_time, end_time, time_range, filters, filter_combination, calculated_fields };
    const spec = Object.fromEntries(Object.entries(of).filter(([, v]) => v !== undefined));
    api.query({ ...spec, calculations: [{ op: 'P95', column: SLOW }], limit: 1 }).then((a) => {
      const at = a.totals.values[0];
      if (typeof at === 'number') showDifferent([{ column: SLOW, op: '>=', value: Number(at.toPrecision(4)) }]);
      else fail(new Error('No row here has a duration.'));
    }, fail).finally(() => setAsking(false));
  };
  return (
    <>
      <button type="button" class="button" disabled={asking} onClick={go}>The slowest 5%</button>
      {error && <ErrorBox error={error} />}
    </>
  );
}
