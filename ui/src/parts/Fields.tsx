// SPDX-License-Identifier: Apache-2.0
// All fields of one row: grouped by scope, narrowed by a filter box, each value with its menu.

import { useState } from 'preact/hooks';
import { dateTime, duration, nsToMs, value as valueText } from '../lib/format';
import { copy, valueMenu } from '../lib/actions';
import { ownColumn } from '../lib/relation';
import type { FieldValue, RowDetail } from '../lib/types';
import { openMenu } from './Menu';

const SCOPES: [string, string][] = [['intrinsic', 'Span and row'], ['attribute', 'Attributes'], ['instrumentation', 'Instrumentation'], ['resource', 'Resource'], ['row', 'As stored']];

// What people look for first. Others keep their order.
const FIRST = ['name', 'duration_ms', 'error', 'status_code', 'status_message', 'severity', 'body', 'span.kind', 'trace.trace_id', 'trace.span_id', 'trace.parent_id'];
const LAST = /^(meta\.|flags$|SampleRate$|is_root$|duration_ns$|timestamp$|dataset$|type$|span\.num_)/;

// The row's own bookkeeping stands apart, at the end.
const scopeOf = (f: FieldValue) => (f.scope === 'intrinsic' && LAST.test(f.name) ? 'row' : f.scope);

function rank(f: FieldValue): number {
  const i = FIRST.indexOf(f.name);
  return i >= 0 ? i : 100;
}

export function Fields({ row }: { row: RowDetail }) {
  const [text, set] = useState('');
  const t = text.toLowerCase();
  const match = (f: FieldValue) => t === '' || f.name.toLowerCase().includes(t) || valueText(f.value).toLowerCase().includes(t);
  const shown = row.fields.filter(match);
  const scopes = [...SCOPES, ...[...new Set(shown.map((f) => f.scope))].filter((s) => !SCOPES.some(([k]) => k === s)).map((s) => [s, s] as [string, string])];
  return (
    <div class="fields">
      <div class="fields-head">
        <input class="search" type="search" placeholder="Filter fields" aria-label="Filter fields" value={text} onInput={(e) => set(e.currentTarget.value)} />
        <button type="button" class="button" onClick={() => copy(asJson(row))}>Copy JSON</button>
      </div>
      <dl>
        <FieldRow field={{ name: 'time', type: 'string', scope: '', value: dateTime(nsToMs(row.time_ns), 3) }} still />
        {scopes.map(([scope, title]) => {
          const list = shown.filter((f) => scopeOf(f) === scope).sort((a, b) => rank(a) - rank(b));
          return list.length > 0 && (
            <>
              <dt class="scope">{title}</dt>
              {list.map((f) => <FieldRow field={f} key={f.scope + f.name + f.type} />)}
            </>
          );
        })}
      </dl>
      {shown.length === 0 && <p class="muted">No field matches “{text}”.</p>}
    </div>
  );
}

const asJson = (row: RowDetail) => JSON.stringify(Object.fromEntries([['time_ns', row.time_ns], ...row.fields.map((f) => [f.name, f.value])]), null, 2);

const shownText = (f: FieldValue) => (f.name === 'duration_ms' && typeof f.value === 'number' ? duration(f.value) : valueText(f.value));

function FieldRow({ field: f, still }: { field: FieldValue; still?: boolean }) {
  const text = shownText(f);
  const open = (e: MouseEvent) => openMenu(e, `${f.name} = ${valueText(f.value)}`, valueMenu(ownColumn(f.name), f.value));
  const long = text.length > 120 || text.includes('\n');
  return (
    <div class={`field${long ? ' long' : ''}`}>
      <dt title={`${f.name} (${f.type})`}>{f.name.split('.').map((part, i) => (i ? <><wbr />.{part}</> : part))}</dt>
      <dd>
        {still ? <span class="num">{text}</span> : (
          <button type="button" class={`value mono${f.name === 'error' && f.value === true ? ' error' : ''}`} aria-haspopup="menu" title={`${f.type}: actions`} onClick={open} onContextMenu={open}>{text}</button>
        )}
      </dd>
    </div>
  );
}
