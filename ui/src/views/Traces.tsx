// SPDX-License-Identifier: Apache-2.0
// All traces of the range: newest, slowest or failed, narrowed by the same filters as a query or by
// X-Ray's filter expression (`xf`), and by how long they took (`rt`).

import { useEffect, useMemo, useState } from 'preact/hooks';
import { selectionOf } from '../lib/query';
import { loadTypes } from '../lib/schema';
import { patch, useRoute } from '../lib/route';
import { readRange } from '../parts/Distribution';
import { OpenTrace } from '../parts/OpenTrace';
import { TraceTable } from '../parts/TraceTable';
import { Where } from '../parts/Where';
import { XrayFilter } from '../parts/XrayFilter';

const SORTS: [string, string][] = [['recent', 'Recent'], ['slow', 'Slowest'], ['errors', 'With errors']];

export function Traces() {
  const { params } = useRoute();
  const sort = params.get('sort') ?? 'recent';
  const selection = useMemo(() => selectionOf(params), [params.toString()]);
  useEffect(() => void loadTypes(), [params.get('ds'), params.get('t')]);
  // Both narrow together: the switch says which of them is at hand.
  const xf = params.get('xf');
  const [xray, setXray] = useState(xf !== null);
  useEffect(() => { if (xf !== null) setXray(true); }, [xf]);
  const [error, setError] = useState<Error | null>(null);
  const others = params.getAll('w').length;
  const live = params.get('live') !== '0' && params.get('from') === null && sort === 'recent';
  return (
    <div class="view">
      <div class="bar">
        <h1>Traces</h1>
        <div class="segmented" role="group" aria-label="Which traces">
          {SORTS.map(([id, name]) => <button type="button" aria-pressed={sort === id} onClick={() => patch({ sort: id === 'recent' ? null : id })}>{name}</button>)}
        </div>
        <OpenTrace />
      </div>
      <div class="panel builder">
        <div class="segmented narrow-by" role="group" aria-label="Narrow by">
          <button type="button" aria-pressed={!xray} onClick={() => setXray(false)}>Fields{others > 0 && <span class="num muted"> {others}</span>}</button>
          <button type="button" aria-pressed={xray} onClick={() => setXray(true)}>X-Ray filter{xf && <span class="num muted"> 1</span>}</button>
        </div>
        {(!xray || others > 0) && <Where error={error} label="Spans where" />}
        {(xray || xf) && <XrayFilter error={error} />}
      </div>
      <TraceTable key={sort} selection={selection} sort={sort} live={live} expression={xf} range={readRange(params.get('rt'))} distribution onError={setError} />
    </div>
  );
}
