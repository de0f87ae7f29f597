// SPDX-License-Identifier: Apache-2.0
// The questions at work, whoever asked: how far they are, what they take, and a way to end them.

import { useState } from 'preact/hooks';
import { api } from '../lib/api';
import { bytes, duration, percent, si } from '../lib/format';
import { useInterval, useLoad } from '../lib/use';
import { ErrorBox } from './States';
import type { RunningQuestion } from '../lib/types';

export function RunningPanel() {
  const running = useLoad('running', api.running);
  useInterval(1000, running.reload);
  const [failed, fail] = useState<Error | null>(null);
  const cancel = (id: number) => api.cancel(id).then(() => fail(null), fail).then(running.reload);
  const list = running.data;
  const error = running.error ?? failed;
  return (
    <section class="panel" aria-label="Running questions">
      <h2>Running questions</h2>
      {error && <ErrorBox error={error} retry={running.reload} />}
      {list === null && !error && <p class="muted">Asking …</p>}
      {list?.length === 0 && <p class="muted">None is at work.</p>}
      {list && list.length > 0 && (
        <div class="table-wrap" role="region" aria-label="Questions at work" tabIndex={0}>
          <table class="table running">
            <thead><tr><th>Question</th><th>Asked</th><th class="right">For</th><th>Scanned</th><th class="right">Memory</th><th><span class="visually-hidden">End it</span></th></tr></thead>
            <tbody>{list.map((q) => <Line key={q.id} q={q} cancel={() => void cancel(q.id)} />)}</tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function Line({ q, cancel }: { q: RunningQuestion; cancel: () => void }) {
  const share = q.rows_total > 0 ? Math.min(1, q.rows_scanned / q.rows_total) : 0;
  return (
    <tr>
      <td class="nowrap">{q.kind}{q.state !== 'running' && <span class="muted"> {q.state}</span>}</td>
      <td class="mono cell" title={q.text}>{q.text || q.path}</td>
      <td class="num right nowrap">{duration(q.elapsed_ms)}</td>
      <td class="scanned">
        <div class="meter" role="meter" aria-label="Rows scanned" aria-valuemin={0} aria-valuemax={q.rows_total} aria-valuenow={q.rows_scanned}><i style={{ width: `${share * 100}%` }} /></div>
        <span class="muted num">{q.rows_total > 0 ? `${percent(share)} of ${si(q.rows_total)} rows` : 'not begun'}</span>
      </td>
      <td class="num right nowrap">{bytes(q.memory_bytes)}</td>
      <td class="right"><button type="button" class="button small" disabled={q.state === 'canceling'} onClick={cancel} aria-label={`Cancel question ${q.id}`}>Cancel</button></td>
    </tr>
  );
}
