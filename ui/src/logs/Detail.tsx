// SPDX-License-Identifier: Apache-2.0
// All that is known of a line, below it: its text in full or its JSON as a tree, every field with its
// menu, its trace, the lines around it in its stream.

import { useState } from 'preact/hooks';
import { api } from '../lib/api';
import { copy, valueMenu } from '../lib/actions';
import { bodyOf, streamOf, traceOf } from '../lib/logs';
import { value } from '../lib/format';
import { href } from '../lib/route';
import { useLoad } from '../lib/use';
import type { Row } from '../lib/types';
import { Fields } from '../parts/Fields';
import { Icon } from '../parts/Icon';
import { JsonTree } from '../parts/JsonTree';
import { openMenu } from '../parts/Menu';
import { ErrorBox } from '../parts/States';
import { Around } from './Around';
import { Marked } from './Line';

const isJson = (text: string) => {
  if (!/^\s*[{[]/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

export function Detail({ row, terms, close }: { row: Row; terms: readonly string[]; close: () => void }) {
  const detail = useLoad(row.id, (signal) => api.row(row.id, signal));
  const [around, setAround] = useState(false);
  const [raw, setRaw] = useState(false);
  const [copied, setCopied] = useState('');
  const body = bodyOf(row);
  const json = isJson(body);
  const trace = traceOf(row);
  const stream = streamOf(row);
  const put = (what: string, text: string) => {
    copy(text);
    setCopied(what);
    setTimeout(() => setCopied(''), 1500);
  };
  const link = () => {
    const url = new URL(location.href);
    url.searchParams.set('row', row.id);
    return url.href;
  };
  const button = (what: string, text: () => string, icon = 'copy') => (
    <button type="button" class="button small" onClick={() => put(what, text())}><Icon name={copied === what ? 'check' : icon} /> {copied === what ? 'Copied' : what}</button>
  );
  return (
    <div class="line-detail" onClick={(e) => e.stopPropagation()}>
      <div class="bar">
        <button type="button" class="button small" aria-pressed={around} onClick={() => setAround(!around)} title="c"><Icon name="logs" /> {around ? 'Hide the lines around it' : 'Lines around it'}</button>
        {trace && <a class="button small" href={href(`trace/${encodeURIComponent(trace)}`, { row: row.id, ds: null })}><Icon name="traces" /> Open its trace</a>}
        {trace && <a class="button small" href={href('logs', { w: `trace.trace_id = ${JSON.stringify(trace)}`, ds: null })}>All lines of its trace</a>}
        {button('Copy line', () => body)}
        {button('Copy link', link, 'link')}
        {json && <button type="button" class="button small" aria-pressed={raw} onClick={() => setRaw(!raw)}>As text</button>}
        <span class="muted small clip end">{row.dataset}{stream && ` · ${value(stream.value)}`}</span>
        <button type="button" class="icon-button" onClick={close} aria-label="Close the line"><Icon name="close" /></button>
      </div>
      {around && <Around row={row} terms={terms} />}
      <div class="line-columns">
        <div class="line-text" data-scrolls>{json && !raw ? <JsonTree text={body} label="The line's JSON" onValue={(e, path, v) => openMenu(e, `${path} = ${value(v)}`, valueMenu(row.fields[path] === undefined && row.fields[`message.${path}`] !== undefined ? `message.${path}` : path, v))} /> : <pre><Marked text={body} terms={terms} /></pre>}</div>
        <div class="line-fields" data-scrolls>
          {detail.error && <ErrorBox error={detail.error} retry={detail.reload} />}
          {detail.data && <Fields row={detail.data} key={row.id} />}
        </div>
      </div>
    </div>
  );
}
