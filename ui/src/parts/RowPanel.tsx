// SPDX-License-Identifier: Apache-2.0
// The side panel of one row, wherever rows are listed.

import { useEffect, useRef } from 'preact/hooks';
import { api } from '../lib/api';
import { href } from '../lib/route';
import { useLoad } from '../lib/use';
import { Fields } from './Fields';
import { Icon } from './Icon';
import { ErrorBox } from './States';

export function RowPanel({ id, close }: { id: string; close: () => void }) {
  const row = useLoad(id, (signal) => api.row(id, signal));
  const root = useRef<HTMLElement>(null);
  useEffect(() => {
    const onKey = (e: KeyboardEvent) => e.key === 'Escape' && !e.defaultPrevented && close();
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, [close]);
  return (
    <aside class="panel row-panel" aria-label="Fields of the selected row" ref={root}>
      <header>
        <h2>{row.data?.kind ?? 'Row'} <span class="muted">{row.data?.dataset}</span></h2>
        <button type="button" class="icon-button" onClick={close} aria-label="Close the panel"><Icon name="close" /></button>
      </header>
      {row.error && <ErrorBox error={row.error} retry={row.reload} />}
      {row.data && (
        <>
          {row.data.trace_id && (
            <a class="button" href={href(`trace/${row.data.trace_id}`, row.data.span_id && row.data.kind === 'span' ? { span: row.data.span_id } : { row: id })}>
              <Icon name="traces" /> Open its trace
            </a>
          )}
          <Fields row={row.data} key={id} />
        </>
      )}
    </aside>
  );
}
