// SPDX-License-Identifier: Apache-2.0
// All traces of the range: newest, slowest or failed, narrowed by the same filters as a query.

import { useEffect, useMemo } from 'preact/hooks';
import { selectionOf } from '../lib/query';
import { loadTypes } from '../lib/schema';
import { patch, useRoute } from '../lib/route';
import { TraceTable } from '../parts/TraceTable';
import { Where } from '../parts/Where';

const SORTS: [string, string][] = [['recent', 'Recent'], ['slow', 'Slowest'], ['errors', 'With errors']];

export function Traces() {
  const { params } = useRoute();
  const sort = params.get('sort') ?? 'recent';
  const selection = useMemo(() => selectionOf(params), [params.toString()]);
  useEffect(() => void loadTypes(), [params.get('ds'), params.get('t')]);
  const live = params.get('live') !== '0' && params.get('from') === null && sort === 'recent';
  return (
    <div class="view">
      <div class="bar">
        <h1>Traces</h1>
        <div class="segmented" role="group" aria-label="Which traces">
          {SORTS.map(([id, name]) => <button type="button" aria-pressed={sort === id} onClick={() => patch({ sort: id === 'recent' ? null : id })}>{name}</button>)}
        </div>
      </div>
      <div class="panel builder"><Where error={null} label="Spans where" /></div>
      <TraceTable key={sort} selection={selection} sort={sort} live={live} />
    </div>
  );
}
