// SPDX-License-Identifier: Apache-2.0
// The ledger: what was received by source and signal, what became of it, and whether that adds up.

import { api } from '../lib/api';
import { count, dateTime } from '../lib/format';
import { barsOf, differenceOf, differenceText, rejectedOf } from '../lib/ledger';
import { patch, useRoute } from '../lib/route';
import { useInterval, useLoad } from '../lib/use';
import { ErrorBox, Progress } from './States';
import type { LedgerAnswer, LedgerSource } from '../lib/types';

const SPANS: Record<string, [number, string]> = { '1h': [3600, 'Hour'], '24h': [86400, 'Day'], '30d': [30 * 86400, '30 days'] };

export function LedgerPanel() {
  const { params } = useRoute();
  const span = params.get('span') ?? '';
  const [seconds, name] = SPANS[span] ?? SPANS['24h']!;
  const ledger = useLoad(`ledger ${seconds}`, (signal) => {
    const now = Date.now() / 1e3;
    return api.ledger({ start: Math.floor(now - seconds), end: Math.ceil(now) + 1 }, signal);
  });
  useInterval(5000, ledger.reload);
  const a = ledger.data;
  return (
    <section class="panel" aria-label="Ledger">
      <div class="bar">
        <h2>Ledger</h2>
        <Verdict a={a} />
        <div class="segmented end" role="group" aria-label="Stretch of time">
          {Object.entries(SPANS).map(([id, [s, text]]) => (
            <button type="button" key={id} aria-pressed={s === seconds} onClick={() => patch({ span: id === '24h' ? null : id }, { replace: true })}>{text}</button>
          ))}
        </div>
      </div>
      {ledger.loading && !a && <Progress loading progress={null} />}
      {ledger.error && <ErrorBox error={ledger.error} retry={ledger.reload} />}
      {a && !a.complete && <div class="error-box" role="alert"><strong>{count(a.unread_rows ?? 0)} stored rows could not be read: {a.missing}</strong></div>}
      {a && (a.sources.length === 0 ? <p class="muted">Nothing was received in the last {name.toLowerCase()}.</p> : <Table a={a} />)}
    </section>
  );
}

function Verdict({ a }: { a: LedgerAnswer | null }) {
  if (!a) return null;
  if (a.differences > 0) return <strong class="error" role="alert">{count(a.differences)} {a.differences === 1 ? 'stretch does' : 'stretches do'} not add up</strong>;
  return a.sources.length > 0 ? <span class="muted">everything received is accounted for</span> : null;
}

function Table({ a }: { a: LedgerAnswer }) {
  return (
    <div class="table-wrap" role="region" aria-label="Ledger by source" tabIndex={0}>
      <table class="table ledger">
        <caption class="visually-hidden">Received equals stored plus pending, duplicate, superseded, sampled and rejected, per source and signal</caption>
        <thead>
          <tr>
            <th>Source</th><th>{dateTime(a.start_s * 1e3).replace(/:\d\d$/, '')} – now</th><th>Balance</th><th class="right">Received</th><th class="right">Stored</th><th class="right">Pending</th>
            <th class="right">Duplicate</th><th class="right">Rejected</th><th>Why</th><th class="right">Still there</th><th class="right">Expired</th>
          </tr>
        </thead>
        <tbody>{a.sources.map((s) => <Line key={`${s.source} ${s.signal}`} a={a} s={s} />)}</tbody>
      </table>
    </div>
  );
}

function Line({ a, s }: { a: LedgerAnswer; s: LedgerSource }) {
  const t = s.totals;
  const rejected = rejectedOf(t);
  const wrong = differenceOf(t);
  return (
    <tr class={wrong ? 'wrong' : ''}>
      <td class="nowrap">{s.source} <span class="muted">{s.signal}</span></td>
      <td><LedgerBars a={a} s={s} /></td>
      <td class="nowrap">{wrong ? <strong class="error">{count(wrong)} unaccounted for</strong> : <span class="muted">adds up</span>}
        {wrong > 0 && <div class="error small">{differenceText(t)}</div>}</td>
      <td class="num right">{count(t.received)}</td>
      <td class="num right">{count(t.stored)}</td>
      <td class={`num right${t.pending ? '' : ' muted'}`}>{count(t.pending)}</td>
      <td class={`num right${t.duplicate ? '' : ' muted'}`}>{count(t.duplicate)}</td>
      <td class={`num right ${rejected ? 'error' : 'muted'}`}>{count(rejected)}</td>
      <td class="muted why">{Object.entries(t.rejected).map(([why, n]) => `${why.replace(/_/g, ' ')} ${count(n)}`).join(', ')}</td>
      <td class="num right">{count(t.live)}</td>
      <td class={`num right${t.expired + t.deleted ? '' : ' muted'}`}>{count(t.expired + t.deleted)}</td>
    </tr>
  );
}

const BARS = 60;
const W = 3;
const H = 26;

// Stored below, the rest above it, rejected in red; a red frame around what does not add up.
function LedgerBars({ a, s }: { a: LedgerAnswer; s: LedgerSource }) {
  const bars = barsOf(a, s.series, BARS);
  const most = Math.max(1, ...bars.map((b) => b.stored + b.rejected + b.other));
  const high = (n: number) => (n > 0 ? Math.max(1, (n / most) * (H - 4)) : 0);
  const wrong = bars.filter((b) => b.wrong).length;
  const label = `${s.source} ${s.signal} over time, at most ${count(most)} in one stretch${wrong ? `, ${wrong} that do not add up` : ''}`;
  return (
    <svg class="ledger-bars" width={BARS * W} height={H} viewBox={`0 0 ${BARS * W} ${H}`} role="img" aria-label={label}>
      <path class="axis" d={`M0 ${H - 2.5}H${BARS * W}`} />
      {bars.map((b, i) => {
        const stored = high(b.stored);
        const other = high(b.other);
        const rejected = high(b.rejected);
        return (
          <g key={i}>
            {stored > 0 && <rect class="stored" x={i * W} y={H - 3 - stored} width={W - 1} height={stored} />}
            {other > 0 && <rect class="other" x={i * W} y={H - 3 - stored - other} width={W - 1} height={other} />}
            {rejected > 0 && <rect class="rejected" x={i * W} y={Math.max(0, H - 3 - stored - other - rejected)} width={W - 1} height={rejected} />}
            {b.wrong && <rect class="gap" x={i * W - 1} y={0} width={W + 1} height={H} />}
          </g>
        );
      })}
    </svg>
  );
}
