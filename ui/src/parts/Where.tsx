// SPDX-License-Identifier: Apache-2.0
// The WHERE clause, shared by Query, Traces and Logs: filters in the URL under `w`, `or=1` for any.

import { ApiError } from '../lib/api';
import { completeFilter } from '../lib/complete';
import { filterText, parseFilter } from '../lib/query';
import { patch, useRoute } from '../lib/route';
import { openTrace } from '../lib/xray';
import { typesOf } from '../lib/schema';
import { ChipInput } from './ChipInput';

export const readFilter = (text: string) => filterText(parseFilter(text, typesOf));

// Which filter the server complains about: "filters[2].op" -> 2.
export function complaint(error: Error | null, clause: string): number | null {
  const m = error instanceof ApiError && error.field?.startsWith(`${clause}[`) ? /\[(\d+)\]/.exec(error.field) : null;
  return m ? Number(m[1]) : null;
}

// `and`: the view adds conditions of its own, which an OR of the reader's filters could not be told beside.
export function Where({ error, onRun, label = 'Where', and }: { error: Error | null; onRun?: () => void; label?: string; and?: boolean }) {
  const { params } = useRoute();
  const items = params.getAll('w');
  const any = params.get('or') === '1';
  return (
    <div class="where">
      <ChipInput label={label} items={items} placeholder="all rows; type a field, e.g. http.route" read={readFilter} suggest={completeFilter}
        onChange={(w) => patch({ w, iso: null })} onRun={onRun} open={openTrace} errorAt={complaint(error, 'filters')} slash />
      {items.length > 1 && !and && (
        <button type="button" class="button small andor" onClick={() => patch({ or: any ? null : '1' })} aria-label={`Rows match ${any ? 'any' : 'all'} of the filters; switch`}>
          {any ? 'any' : 'all'}
        </button>
      )}
    </div>
  );
}
