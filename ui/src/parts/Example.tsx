// SPDX-License-Identifier: Apache-2.0
// "An example trace" for any chart: looks for it, says what it finds, shows a row that has no trace.

import { useState } from 'preact/hooks';
import { openExample, type Where } from '../lib/example';
import type { Filter, Selection } from '../lib/types';
import { RowPanel } from './RowPanel';

export function useExample(extra: Filter[], of?: Selection) {
  const [row, setRow] = useState<string | null>(null);
  const [note, setNote] = useState('');
  const look = async (where: Where) => {
    setNote('looking for an example …');
    try {
      const found = await openExample(where, extra, of);
      if (found === null) setNote('no row is there any more');
      else if (found === 'opened') setNote('');
      else {
        setNote('this row belongs to no trace');
        setRow(found.id);
      }
    } catch (e) {
      setNote((e as Error).message);
    }
  };
  const panel = row && <RowPanel id={row} close={() => setRow(null)} />;
  return { note: <span class="muted" role="status">{note}</span>, panel, look: (where: Where) => void look(where) };
}
