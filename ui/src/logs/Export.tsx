// SPDX-License-Identifier: Apache-2.0
// The lines as a file: CSV or JSON lines, in the order of the list, as many as match up to a limit.

import { useRef, useState } from 'preact/hooks';
import { api } from '../lib/api';
import { csvCell, csvText, saveFile } from '../lib/files';
import { count, isoNs, value } from '../lib/format';
import { streamOf, type LogSelection } from '../lib/logs';
import { isOwn } from '../lib/schema';
import type { Row } from '../lib/types';
import { Icon } from '../parts/Icon';
import { openMenu } from '../parts/Menu';

const PAGE = 2000;
const MOST = 200_000;

const HEAD = ['time', 'severity', 'dataset', 'stream', 'service', 'trace_id', 'message'];

function csvOf(r: Row, own: string[]): string {
  const f = r.fields;
  const stream = streamOf(r);
  const cells = [isoNs(r.time_ns), f.severity, r.dataset, stream?.value, f['service.name'], f['trace.trace_id'], f.body, ...own.map((n) => f[n])];
  return cells.map((v) => (v === undefined || v === null ? '' : csvCell(value(v)))).join(',');
}

export function Export({ spec, asc, total }: { spec: LogSelection; asc: boolean; total: number }) {
  const [done, setDone] = useState<number | null>(null);
  const [error, setError] = useState('');
  const abort = useRef<AbortController | null>(null);
  const save = async (kind: 'csv' | 'jsonl') => {
    abort.current = new AbortController();
    const parts: string[] = [];
    let own: string[] | null = null;
    let after: string | null = null;
    let n = 0;
    setDone(0);
    setError('');
    try {
      do {
        const a: { rows: Row[]; next: string | null } = await api.rows({ ...spec, order: asc ? 'asc' : 'desc', limit: PAGE, after }, abort.current.signal);
        if (own === null) {
          own = [...new Set(a.rows.flatMap((r) => Object.keys(r.fields)))].filter((k) => isOwn(k) && k !== 'log.stream').sort();
          if (kind === 'csv') parts.push(csvText([[...HEAD, ...own]]));
        }
        parts.push(a.rows.map((r) => (kind === 'csv' ? `${csvOf(r, own!)}\r\n` : `${JSON.stringify({ time: isoNs(r.time_ns), id: r.id, dataset: r.dataset, ...r.fields })}\n`)).join(''));
        n += a.rows.length;
        after = a.next;
        setDone(n);
      } while (after && n < MOST);
      saveFile(`logs.${kind}`, parts, kind === 'csv' ? 'text/csv' : 'application/x-ndjson');
    } catch (e) {
      if (!abort.current.signal.aborted) setError((e as Error).message);
    }
    setDone(null);
  };
  const some = total > MOST ? `the first ${count(MOST)}` : count(total);
  const menu = (e: MouseEvent) => openMenu(e, `${some} lines`, [
    { label: 'CSV', hint: 'the fields of the first page beside', run: () => void save('csv') },
    { label: 'JSON lines', hint: 'every field', run: () => void save('jsonl') },
  ]);
  if (done !== null) return <button type="button" class="button" onClick={() => { abort.current?.abort(); setDone(null); }}>Saving {count(done)} … Cancel</button>;
  return (
    <>
      {error && <span class="problem" role="alert">{error}</span>}
      <button type="button" class="button" aria-haspopup="menu" disabled={total === 0} onClick={menu}><Icon name="down" /> Export</button>
    </>
  );
}
