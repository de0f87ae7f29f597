// SPDX-License-Identifier: Apache-2.0
// One line: when, how bad, whose, what; open it shows all that is known of it, in its place.

import { memo } from '../lib/memo';
import { serviceColor } from '../lib/color';
import { clock, dateTime, nsToMs, value } from '../lib/format';
import { bodyOf, pieces, saidIn, rowSeverity, streamOf, traceOf } from '../lib/logs';
import { href } from '../lib/route';
import { isOwn } from '../lib/schema';
import { useTheme } from '../lib/theme';
import type { Row } from '../lib/types';
import { Icon } from '../parts/Icon';
import { Detail } from './Detail';

const BESIDE = 6;
const BODY = /^(body|message)(\.|$)/;
const CLIP = 2000; // characters of a line that is not open

export function Marked({ text, terms }: { text: string; terms: readonly string[] }) {
  if (terms.length === 0) return <>{text}</>;
  return <>{pieces(text, terms).map((x) => (x.term < 0 ? x.text : <mark class={`term t${x.term}`}>{x.text}</mark>))}</>;
}

const some = (all: [string, unknown][]) => all.slice(0, BESIDE).map(([k, v]) => `${k}=${typeof v === 'string' ? v : JSON.stringify(v)}`).join('  ');

// What the program said beside the text; what a text of JSON holds already is not said again.
function beside(row: Row, body: string): string {
  if (/^\s*[{[]/.test(body)) return '';
  return some(Object.entries(row.fields).filter(([k, v]) => isOwn(k) && !BODY.test(k) && k !== 'log.stream' && v !== null && value(v).length < 60).map(([k, v]) => [k, value(v!)]));
}

// What is marked must be seen: a line that has a term elsewhere than in its message is shown whole.
const has = (text: string, terms: readonly string[]) => pieces(text, terms).some((x) => x.term >= 0);
const visible = (said: ReturnType<typeof saidIn>, whole: string, terms: readonly string[]) => (said && terms.length && !has(said.text, terms) && has(whole, terms) ? null : said);

export interface LineProps { row: Row; on: boolean; open: boolean; wrap: boolean; streams: boolean; today: string; known: number; terms: readonly string[]; toggle: (row: Row) => void }

export const Line = memo(function Line({ row, on, open, wrap, streams, today, terms, toggle }: LineProps) {
  const theme = useTheme();
  const ms = nsToMs(row.time_ns);
  const severity = rowSeverity(row);
  const service = value(row.fields['service.name'] ?? row.dataset);
  const stream = streams ? streamOf(row) : null;
  const whole = bodyOf(row);
  const said = open ? null : visible(saidIn(whole), whole, terms);
  const body = said?.text ?? whole;
  const shown = body.length > CLIP ? `${body.slice(0, CLIP)} …` : body;
  const trace = traceOf(row);
  return (
    <div class={`line sev-${severity}${on ? ' on' : ''}${open ? ' open' : ''}${wrap ? ' wrap' : ''}`} role="gridcell">
      <button type="button" class="line-head" tabIndex={-1} aria-expanded={open} onClick={() => toggle(row)}>
        <span class="num muted nowrap">{new Date(ms).toDateString() === today ? clock(ms, 3) : dateTime(ms, 3)}</span>
        <span class={`severity sev-${severity}`}>{severity === 'unspecified' ? '' : severity}</span>
        <span class="line-service"><i class="dot" style={{ background: serviceColor(service, theme) }} /><span class="clip" title={stream ? value(stream.value) : service}>{stream ? value(stream.value) : service}</span></span>
        <span class="mono line-body"><Marked text={wrap ? shown : shown.replace(/\s*\n\s*/g, ' ↵ ')} terms={terms} />{!open && <span class="line-extra">{said ? some(said.rest) : beside(row, whole)}</span>}</span>
      </button>
      {trace && <a class="line-trace" tabIndex={-1} href={href(`trace/${encodeURIComponent(trace)}`, { row: row.id, ds: null })} title="Where in its trace this was written"><Icon name="traces" /><span class="visually-hidden">Trace of the line</span></a>}
      {open && <Detail row={row} terms={terms} close={() => toggle(row)} />}
    </div>
  );
});
