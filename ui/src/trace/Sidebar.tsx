// SPDX-License-Identifier: Apache-2.0
// What is known of the selected row: its fields, its events and links, its place in the trace.

import { api } from '../lib/api';
import { duration, percent } from '../lib/format';
import { href, patch, useRoute } from '../lib/route';
import { useLoad } from '../lib/use';
import { isXray } from '../lib/xrayrow';
import type { RowDetail } from '../lib/types';
import { Fields } from '../parts/Fields';
import { Icon } from '../parts/Icon';
import { ErrorBox } from '../parts/States';
import type { Trace } from './model';
import { Document, XraySaid } from './XrayPanel';

const SETTLE_MS = 60;
const LIST = 50;

export function Sidebar({ trace, i, onSelect, close }: { trace: Trace; i: number; onSelect: (i: number) => void; close: () => void }) {
  const id = trace.id(i);
  // Walking through rows by key should not ask for each of them.
  const row = useLoad(id, async (signal) => {
    await new Promise((done) => setTimeout(done, SETTLE_MS));
    signal.throwIfAborted();
    return api.row(id, signal);
  });
  const marks = trace.marks.get(i) ?? [];
  const span = trace.kind(i) === 'span';
  return (
    <aside class="sidebar" aria-label="Selected row">
      <header>
        <h2>{trace.name(i) || trace.kind(i).replace('_', ' ')}</h2>
        <button type="button" class="icon-button" onClick={close} aria-label="Close the sidebar"><Icon name="close" /></button>
      </header>
      <div class="muted">{trace.service(i)}{span && trace.spanKind(i) && ` · ${trace.spanKind(i)}`}{!span && ` · ${trace.kind(i).replace('_', ' ')}`}</div>
      {span && <Facts trace={trace} i={i} />}
      {trace.kind(i) === 'link' && /^[0-9a-f]{32}$/.test(trace.summary(i)) && (
        <a class="button" href={href(`trace/${trace.summary(i)}`)}><Icon name="link" /> Open the linked trace</a>
      )}
      {marks.length > 0 && (
        <details open>
          <summary>Events, links and logs <span class="muted num">{marks.length}</span></summary>
          <ul class="marks">
            {marks.slice(0, LIST).map((m) => (
              <li>
                <button type="button" class="value" onClick={() => onSelect(m)}>
                  <span class="num muted">+{duration((trace.start[m]! - trace.start[i]!) / 1e6)}</span>
                  <span class={trace.error[m] ? 'error' : ''}>{trace.name(m) || trace.kind(m)}</span> <span class="muted clip">{trace.summary(m)}</span>
                </button>
                {trace.kind(m) === 'link' && /^[0-9a-f]{32}$/.test(trace.summary(m)) && <a href={href(`trace/${trace.summary(m)}`)}>open</a>}
              </li>
            ))}
            {marks.length > LIST && <li class="muted">and {marks.length - LIST} more, in the rows below the span</li>}
          </ul>
        </details>
      )}
      {row.error && <ErrorBox error={row.error} retry={row.reload} />}
      {row.data && <Said row={row.data} id={id} />}
    </aside>
  );
}

// An X-Ray row has its document, too; every other row its fields.
function Said({ row, id }: { row: RowDetail; id: string }) {
  const { params } = useRoute();
  const raw = params.get('tab') === 'raw';
  if (!isXray(row)) return <Fields row={row} />;
  const tab = (name: string, on: boolean, to: string | null) => (
    <button type="button" role="tab" aria-selected={on} tabIndex={on ? 0 : -1} onClick={() => patch({ tab: to }, { replace: true })}
      onKeyDown={(e) => { if (e.key === 'ArrowLeft' || e.key === 'ArrowRight') { e.preventDefault(); patch({ tab: raw ? null : 'raw' }, { replace: true }); ((e.currentTarget.nextElementSibling ?? e.currentTarget.previousElementSibling) as HTMLElement).focus(); } }}>{name}</button>
  );
  return (
    <>
      <div class="tabs" role="tablist" aria-label="About this row">{tab('Fields', !raw, null)}{tab('Raw document', raw, 'raw')}</div>
      {raw ? <Document id={id} /> : <><XraySaid row={row} key={row.id} /><Fields row={row} /></>}
    </>
  );
}

function Facts({ trace: t, i }: { trace: Trace; i: number }) {
  const whole = t.to - t.from;
  return (
    <dl class="facts">
      <div><dt>Starts at</dt><dd class="num">{duration((t.start[i]! - t.from) / 1e6)}</dd></div>
      <div><dt>Takes</dt><dd class="num">{duration(t.duration(i) / 1e6)}</dd></div>
      <div><dt>Of the trace</dt><dd class="num">{percent(t.duration(i) / whole)}</dd></div>
      <div title="time in which no child span ran"><dt>Own time</dt><dd class="num">{duration(t.own[i]! / 1e6)}</dd></div>
    </dl>
  );
}
