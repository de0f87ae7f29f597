// SPDX-License-Identifier: Apache-2.0
// Status: what came in and what became of it, limits, listeners, and how to send.

import { api } from '../lib/api';
import { bytes, count, dateTime, duration, nsToMs, percent } from '../lib/format';
import { useInterval, useLoad } from '../lib/use';
import { HowToSend } from '../parts/HowToSend';
import { LastRequests } from '../parts/LastRequests';
import { ErrorBox, Progress } from '../parts/States';
import type { Ledger, Status } from '../lib/types';

export function Settings() {
  const status = useLoad('status', api.status);
  useInterval(2000, status.reload);
  const s = status.data;
  return (
    <div class="view settings">
      <div class="bar"><h1>Status</h1>{s && <span class="muted num end">skep {s.version}, up {duration(s.uptime_s * 1e3)}</span>}</div>
      {!s && status.loading && <Progress loading progress={null} />}
      {status.error && <ErrorBox error={status.error} retry={status.reload} />}
      {s && <Body s={s} />}
    </div>
  );
}

function Body({ s }: { s: Status }) {
  return (
    <>
      {s.recovering && <div class="note" role="status">Recovering: answers are incomplete until every stored row is read back.</div>}
      <div class="tiles">
        <div class="panel tile"><div class="muted">Rows stored</div><div class="tile-value num">{count(s.rows)}</div>
          <div class="muted num">{s.oldest_ns && s.newest_ns ? `${dateTime(nsToMs(s.oldest_ns))} – ${dateTime(nsToMs(s.newest_ns))}` : 'nothing yet'}</div></div>
        <Limit name="Memory" used={s.memory.used_bytes} limit={s.memory.limit_bytes} />
        <Limit name="Disk" used={s.disk.used_bytes} limit={s.disk.limit_bytes} />
      </div>
      <section class="panel"><h2>Ledger</h2><LedgerTable ledger={s.ledger} /></section>
      <section class="panel"><h2>Last requests</h2><LastRequests status={s} /></section>
      <section class="panel"><h2>Listeners</h2>
        <ul class="listeners">{s.listeners.map((l) => <li><code>{l.address}</code><span class="muted">{l.takes.join(', ')}</span></li>)}</ul>
      </section>
      <section class="panel"><h2>How to send</h2><HowToSend status={s} /></section>
    </>
  );
}

function Limit({ name, used, limit }: { name: string; used: number; limit: number }) {
  const share = limit > 0 ? used / limit : 0;
  return (
    <div class="panel tile">
      <div class="muted">{name}</div>
      <div class="tile-value num">{bytes(used)}</div>
      <div class="meter" role="meter" aria-label={name} aria-valuemin={0} aria-valuemax={limit} aria-valuenow={used}><i style={{ width: `${Math.min(100, share * 100)}%` }} /></div>
      <div class="muted num">{limit > 0 ? `${percent(share)} of ${bytes(limit)}` : 'no limit set'}</div>
    </div>
  );
}

const lost = (l: Ledger) => Object.values(l.rejected).reduce((a, b) => a + b, 0);

// Without a `pending` of its own the ledger's open rows are those on their way.
function balance(open: number, pending = open) {
  if (open === 0) return 'accounted for';
  return open === pending ? <span class="num">{count(open)} pending</span> : <span class="num error">{count(open - pending)} unaccounted for</span>;
}

function LedgerTable({ ledger }: { ledger: Ledger[] }) {
  if (ledger.length === 0) return <p class="muted pad">Nothing has been received yet.</p>;
  return (
    <div class="table-wrap">
      <table class="table">
        <caption class="visually-hidden">Received equals stored plus duplicate plus rejected, per source</caption>
        <thead><tr><th>Source</th><th>Signal</th><th class="right">Received</th><th class="right">Stored</th><th class="right">Duplicate</th><th class="right">Rejected</th><th>Why</th><th>Balance</th></tr></thead>
        <tbody>
          {ledger.map((l) => {
            const open = l.received - l.stored - l.duplicate - lost(l);
            return (
              <tr key={`${l.source} ${l.signal}`}>
                <td>{l.source}</td><td>{l.signal}</td>
                <td class="num right">{count(l.received)}</td><td class="num right">{count(l.stored)}</td><td class="num right">{count(l.duplicate)}</td>
                <td class={`num right${lost(l) ? ' error' : ''}`}>{count(lost(l))}</td>
                <td class="muted">{Object.entries(l.rejected).map(([why, n]) => `${why.replace(/_/g, ' ')}: ${count(n)}`).join(', ')}</td>
                <td>{balance(open, l.pending)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
