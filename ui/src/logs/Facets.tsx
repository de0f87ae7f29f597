// SPDX-License-Identifier: Apache-2.0
// The fields of the lines that match, beside them: how often which value, with a click to keep it or
// to leave it out. A field is counted when it is opened.

import { useEffect, useState } from 'preact/hooks';
import { api } from '../lib/api';
import { addFilters, valueMenu } from '../lib/actions';
import { count, percent, si, value } from '../lib/format';
import { STREAM_FIELDS, type LogSelection } from '../lib/logs';
import { filterFor } from '../lib/query';
import { patch, useRoute } from '../lib/route';
import { fields } from '../lib/schema';
import { useLoad } from '../lib/use';
import type { Field, Group } from '../lib/types';
import { Icon } from '../parts/Icon';
import { openMenu } from '../parts/Menu';

const VALUES = 8;
const LISTED = 30;
const ALWAYS = ['severity', 'dataset', 'service.name', ...STREAM_FIELDS];
const NOT = /^(meta\.|timestamp$|flags$|SampleRate$|body$|trace\.|severity_code$|is_root$|duration_|span\.|type$|name$)/;

// What people look at first, then what most lines have.
function order(list: Field[]): Field[] {
  const rank = (f: Field) => (ALWAYS.includes(f.name) ? ALWAYS.indexOf(f.name) : f.scopes.includes('attribute') ? 100 : 200);
  return list.filter((f) => !NOT.test(f.name) && f.rows > 0).sort((a, b) => rank(a) - rank(b) || b.rows - a.rows || (a.name < b.name ? -1 : 1));
}

export function Facets({ spec, total }: { spec: LogSelection; total: number }) {
  const { params } = useRoute();
  const [list, setList] = useState<Field[]>([]);
  const [text, setText] = useState('');
  const open = params.has('f') ? params.getAll('f') : params.has('ds') ? ['severity', ...STREAM_FIELDS] : ['severity', 'dataset'];
  const key = JSON.stringify(spec);
  useEffect(() => {
    let on = true;
    fields().then((f) => on && setList(order(f)), () => undefined);
    return () => { on = false; };
  }, [params.get('ds'), key]);
  const t = text.trim().toLowerCase();
  const found = list.filter((f) => t === '' || f.name.toLowerCase().includes(t));
  const shown = [...found.filter((f) => open.includes(f.name)), ...found.filter((f) => !open.includes(f.name))].slice(0, LISTED);
  const flip = (name: string) => patch({ f: open.includes(name) ? (open.length > 1 ? open.filter((n) => n !== name) : ['']) : [...open.filter(Boolean), name] }, { replace: true });
  return (
    <aside class="panel facets" aria-label="Fields of the lines">
      <input class="search" type="search" placeholder="Find a field" aria-label="Find a field" value={text} onInput={(e) => setText(e.currentTarget.value)} />
      <div class="facet-list">
        {shown.map((f) => <Facet key={f.name} field={f} open={open.includes(f.name)} flip={() => flip(f.name)} spec={spec} total={total} />)}
        {found.length > shown.length && <p class="muted small">and {found.length - shown.length} more; find them above</p>}
        {list.length > 0 && found.length === 0 && <p class="muted small">No field is called so.</p>}
      </div>
    </aside>
  );
}

function Facet({ field, open, flip, spec, total }: { field: Field; open: boolean; flip: () => void; spec: LogSelection; total: number }) {
  const ask = { ...spec, calculations: [{ op: 'COUNT' }], breakdowns: [field.name], limit: VALUES, disable_series: true };
  const answer = useLoad(open ? JSON.stringify(ask) : null, (signal) => api.query(ask, signal));
  const groups: Group[] = answer.data?.groups ?? [];
  const all = answer.data?.totals.values[0] ?? total;
  return (
    <section class="facet">
      <button type="button" class="facet-head" aria-expanded={open} onClick={flip} title={`${field.types.join(' | ')}, ${count(field.rows)} rows`}><Icon name={open ? 'down' : 'right'} /><span class="clip mono">{field.name}</span></button>
      {open && (
        <ul aria-label={`Values of ${field.name}`} aria-busy={answer.loading}>
          {answer.error && <li class="problem">{answer.error.message}</li>}
          {groups.map((g) => {
            const v = g.key[0]!;
            const n = g.values[0] ?? 0;
            const name = v === null ? 'absent' : value(v);
            return (
              <li key={JSON.stringify(v)}>
                <button type="button" class={`facet-value${v === null ? ' absent' : ''}`} title={`Only ${name}: ${count(n)} lines, ${percent(all ? n / all : 0)}`} onClick={() => addFilters([filterFor(field.name, v, true)])}
                  onContextMenu={(e) => openMenu(e, `${field.name} = ${name}`, valueMenu(field.name, v))}>
                  <i style={{ width: `${all ? (100 * n) / all : 0}%` }} /><span class="clip">{name}</span><span class="num muted">{si(n)}</span>
                </button>
                <button type="button" class="facet-not" aria-label={`Exclude ${name}`} title={`Exclude ${name}`} onClick={() => addFilters([filterFor(field.name, v, false)])}><Icon name="close" /></button>
              </li>
            );
          })}
          {answer.data && answer.data.groups_total > groups.length && <li class="muted small">{count(answer.data.groups_total - groups.length)} more values</li>}
          {answer.data && groups.length === 0 && <li class="muted small">in none of the lines</li>}
        </ul>
      )}
    </section>
  );
}
