// SPDX-License-Identifier: Apache-2.0
// Where an error happens: versions, hosts, browsers, people and requests of its occurrences, each beside its
// share of all other errors.

import { api } from '../lib/api';
import { value as valueText } from '../lib/format';
import { useLoad } from '../lib/use';
import { Card } from '../parts/Different';
import { ErrorBox, Progress } from '../parts/States';
import type { Filter, Selection } from '../lib/types';

const COLUMNS = ['service.version', 'host.name', 'user_agent.name', 'user.id', 'url.full', 'service.name', 'error.context', 'os.name'];
const VALUES = 5;

export function Spread({ about, base, filters }: { about: string; base: Selection; filters: Filter[] }) {
  const answer = useLoad(about, (signal) => api.facets({ ...base, selection: { filters }, columns: COLUMNS, limit: VALUES }, signal), true);
  const a = answer.data;
  // A column that no occurrence has says nothing.
  const shown = (a?.facets ?? []).filter((f) => !f.too_many_values && f.values.some((v) => v.value !== null && v.selected > 0));
  const order = [...shown].sort((x, y) => COLUMNS.indexOf(x.column) - COLUMNS.indexOf(y.column));
  if (a && order.length === 0) return null;
  return (
    <section class="panel different spread" aria-label="Where it happens">
      <header class="panel-head">
        <h2>Where it happens</h2>
        {a && a.rest > 0 && <p class="different-key num"><span><i class="selected" />of this error</span><span><i class="rest" />of all others</span></p>}
      </header>
      <Progress loading={answer.loading} progress={null} />
      {answer.error && <ErrorBox error={answer.error} retry={answer.reload} />}
      {a && <ul class="different-cards">{order.map((f) => <Card key={f.column} facet={{ ...f, values: f.values.filter((v) => v.selected > 0) }} selected={a.selected} rest={a.rest || 1} />)}</ul>}
    </section>
  );
}

export const spreadKey = (filters: Filter[], range: string) => `spread ${range} ${filters.map((f) => valueText(f.value)).join(' ')}`;
