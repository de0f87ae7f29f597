// SPDX-License-Identifier: Apache-2.0
//
// Questions to begin with, made of the fields that there are: nobody faces a blank page. Each is a row: its words,
// the fields it needs (one of each list) and what it changes in the address.

import { filterText } from './query';
import type { Changes } from './route';
import type { Field } from './types';

export interface Ready { name: string; about: string; changes: Changes }

interface Row { name: string; about: (...used: string[]) => string; needs: string[][]; ask: (...used: string[]) => Changes }

const DURATION = ['duration_ms'];
const ROUTE = ['http.route', 'http.target', 'url.path', 'name'];
const USER = ['app.user_handle', 'UserId', 'enduser.id', 'user.id', 'user_id', 'app.user_id'];
const STATEMENT = ['db.statement', 'db.query.text'];
const STATUS = ['http.status_code', 'http.response.status_code', 'status_code'];
const VERSION = ['service.version', 'deployment.version', 'version'];
const LEVEL = ['severity', 'level'];
const server = filterText({ column: 'span.kind', op: 'in', value: ['server', 'consumer'] });
const has = (column: string) => filterText({ column, op: 'exists' });
const failed = filterText({ column: 'error', op: '=', value: true });

const ROWS: Row[] = [
  { name: 'How long does it take?', about: () => 'every request, as a heatmap', needs: [DURATION, ['span.kind']], ask: (d) => ({ c: [`HEATMAP(${d})`, `P95(${d})`], w: [server] }) },
  { name: 'Which routes are slow?', about: (_d, r) => `P95 and count by ${r}`, needs: [DURATION, ROUTE], ask: (d, r) => ({ c: [`P95(${d})`, 'COUNT'], w: [has(r!)], by: [r!], o: [`P95(${d}) desc`] }) },
  { name: 'What fails, and where?', about: () => 'failures by service and name', needs: [['error'], ['service.name']], ask: (_e, s) => ({ c: ['COUNT'], w: [failed], by: [s!, 'name'] }) },
  { name: 'Which share fails?', about: (_e, s) => `failures over all, by ${s}`, needs: [['error'], ['service.name']], ask: (_e, s) => ({ c: [`COUNT as failed where ${failed}`, 'COUNT'], fx: ['share = $failed / $COUNT'], by: [s!] }) },
  { name: 'Who asks most?', about: (u) => `count and P95 by ${u}`, needs: [USER, DURATION], ask: (u, d) => ({ c: ['COUNT', `P95(${d})`], w: [has(u!)], by: [u!], o: ['COUNT desc'] }) },
  { name: 'Who waits longest?', about: (u) => `a heatmap by ${u}`, needs: [USER, DURATION], ask: (u, d) => ({ c: [`HEATMAP(${d})`, `MAX(${d})`], w: [has(u!)], by: [u!], o: [`MAX(${d}) desc`] }) },
  { name: 'Which statements take the time?', about: (s) => `sum of durations by ${s}`, needs: [STATEMENT, DURATION], ask: (s, d) => ({ c: [`SUM(${d})`, 'COUNT', `P95(${d})`], w: [has(s!)], by: [s!], o: [`SUM(${d}) desc`] }) },
  { name: 'What do they answer?', about: (s) => `count by ${s}`, needs: [STATUS], ask: (s) => ({ c: ['COUNT'], by: [s!], w: [has(s!)] }) },
  { name: 'Is the new version slower?', about: (v) => `P95 and failures by ${v}`, needs: [VERSION, DURATION], ask: (v, d) => ({ c: [`P95(${d})`, `COUNT as failed where ${failed}`, 'COUNT'], w: [has(v!)], by: [v!] }) },
  { name: 'How many at a time?', about: () => 'requests running at once', needs: [DURATION, ['span.kind']], ask: () => ({ c: ['CONCURRENCY'], w: [server] }) },
  { name: 'How loud are the logs?', about: (l) => `lines by ${l}`, needs: [LEVEL], ask: (l) => ({ c: ['COUNT'], by: [l!], w: [has(l!)] }) },
];

// What these fields allow to ask, at most `most` of it.
export function readyQuestions(fields: readonly Field[], most = 8): Ready[] {
  const there = new Set(fields.filter((f) => f.rows > 0).map((f) => f.name));
  const out: Ready[] = [];
  for (const row of ROWS) {
    const used = row.needs.map((names) => names.find((n) => there.has(n)));
    if (used.some((u) => u === undefined)) continue;
    out.push({ name: row.name, about: row.about(...used as string[]), changes: row.ask(...used as string[]) });
    if (out.length === most) break;
  }
  return out;
}
