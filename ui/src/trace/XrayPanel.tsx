// SPDX-License-Identifier: Apache-2.0
// What an X-Ray row says beside its fields: flags, annotations, exception, metadata, the groups of its
// document; and the document itself.

import { api, ApiError } from '../lib/api';
import { copy, valueMenu } from '../lib/actions';
import { value as valueText } from '../lib/format';
import { useLoad } from '../lib/use';
import { xrayRow } from '../lib/xrayrow';
import type { FieldValue, RowDetail } from '../lib/types';
import { JsonTree } from '../parts/JsonTree';
import { openMenu } from '../parts/Menu';
import { ErrorBox, Progress } from '../parts/States';

export function XraySaid({ row }: { row: RowDetail }) {
  const x = xrayRow(row);
  return (
    <div class="xray-said">
      {x.flags.length > 0 && <div class="xray-flags">{x.flags.map((f) => <span class={`flag${f.name === 'in progress' ? '' : ' error'}`} title={f.what}>{f.name}</span>)}</div>}
      {x.exception && (
        <details open class="xray-exception">
          <summary class="error">{x.exception.type || 'Exception'}</summary>
          {x.exception.message && <p>{x.exception.message}</p>}
          {x.exception.stack && <pre tabIndex={0} aria-label="Stack">{x.exception.stack}</pre>}
        </details>
      )}
      {x.annotations.length > 0 && <Part title="Annotations" fields={x.annotations} />}
      {x.metadata.length > 0 && (
        <details open>
          <summary>Metadata <span class="muted num">{x.metadata.length}</span></summary>
          {x.metadata.map((m) => <div class="xray-meta"><span class="muted">{m.name}</span><JsonTree text={m.text} label={`Metadata ${m.name}`} key={m.name} /></div>)}
        </details>
      )}
      {x.groups.map((g) => <Part title={g.title} fields={g.fields} key={g.title} />)}
    </div>
  );
}

function Part({ title, fields }: { title: string; fields: FieldValue[] }) {
  return (
    <details open>
      <summary>{title} <span class="muted num">{fields.length}</span></summary>
      <dl>
        {fields.map((f) => {
          const text = valueText(f.value);
          const open = (e: MouseEvent) => openMenu(e, `${f.name} = ${text}`, valueMenu(f.name, f.value));
          return (
            <div class={`field${text.length > 60 ? ' long' : ''}`}>
              <dt title={f.type}>{f.name}</dt>
              <dd><button type="button" class="value mono" aria-haspopup="menu" onClick={open} onContextMenu={open}>{text}</button></dd>
            </div>
          );
        })}
      </dl>
    </details>
  );
}

// Numbers keep their digits: only white space outside of texts is changed.
export function pretty(json: string): string {
  let out = '';
  let depth = 0;
  let quoted = false;
  const line = () => `\n${'  '.repeat(Math.min(depth, 40))}`;
  for (let i = 0; i < json.length; i++) {
    const c = json[i]!;
    if (quoted) {
      out += c;
      if (c === '\\') out += json[++i] ?? '';
      else if (c === '"') quoted = false;
    } else if (c === '"') {
      quoted = true;
      out += c;
    } else if (c === '{' || c === '[') {
      const end = /^\s*[\]}]/.exec(json.slice(i + 1, i + 100));
      if (end) {
        out += c + end[0].trim();
        i += end[0].length;
      } else {
        depth++;
        out += c + line();
      }
    } else if (c === '}' || c === ']') {
      depth--;
      out += line() + c;
    } else if (c === ',') out += c + line();
    else if (c === ':') out += ': ';
    else if (!/\s/.test(c)) out += c;
  }
  return out;
}

export function Document({ id }: { id: string }) {
  const answer = useLoad(id, (signal) => api.document(id, signal), true);
  if (answer.error instanceof ApiError && answer.error.status === 404) return <p class="muted">{answer.error.message}</p>;
  if (answer.error) return <ErrorBox error={answer.error} retry={answer.reload} />;
  if (!answer.data) return <Progress loading progress={null} />;
  const { document, name } = answer.data;
  return (
    <div class="xray-document">
      <div class="bar"><span class="muted">as {name} was sent, {document.length.toLocaleString('en')} characters</span>
        <button type="button" class="button small end" onClick={() => copy(document)}>Copy as sent</button></div>
      <pre tabIndex={0} aria-label="Raw document">{pretty(document)}</pre>
    </div>
  );
}
