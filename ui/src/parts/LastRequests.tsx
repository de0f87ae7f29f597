// SPDX-License-Identifier: Apache-2.0
// The newest ingest requests with what became of them.

import { ago, bytes, clock, nsToMs } from '../lib/format';
import type { Status } from '../lib/types';

export function LastRequests({ status }: { status: Status }) {
  const now = nsToMs(status.now_ns);
  if (status.last.length === 0) return <p class="muted pad">No request has come to any listener yet.</p>;
  return (
    <div class="table-wrap">
      <table class="table">
        <thead><tr><th>Time</th><th>Listener</th><th>Request</th><th class="right">Size</th><th class="right">Answer</th><th>Why refused</th></tr></thead>
        <tbody>
          {status.last.map((r) => (
            <tr key={`${r.at_ms} ${r.what}`}>
              <td class="num nowrap" title={ago(r.at_ms, now)}>{clock(r.at_ms, 3)}</td>
              <td class="mono nowrap">{r.listener}</td>
              <td class="mono">{r.what}</td>
              <td class="num right nowrap">{bytes(r.bytes)}</td>
              <td class={`num right${(r.status ?? 0) >= 400 ? ' error' : ''}`}>{r.status ?? '–'}</td>
              <td class={r.error ? 'error' : 'muted'}>{r.error ?? ''}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
