// SPDX-License-Identifier: Apache-2.0
//
// The search of the errors inbox, in the URL as `q`: words, and fields with values.
//   level:error -status:muted class:TypeError file:app.py host:web1 version:1.2 person:42 "card refused" -timeout

import type { Suggestion } from './complete';
import { LEVELS, STATUSES } from './errors';
import { count } from './format';
import { fields, values } from './schema';

// Name, what it is, the field its values are asked of (none: they are known).
const FIELDS: [string, string, string?][] = [
  ['level', 'critical, error … or >=warning'], ['status', 'active, resolved, muted'], ['class', 'class of the exception', 'exception.type'],
  ['file', 'file or function it happened in', 'code.file.path'], ['env', 'where the program runs', 'deployment.environment.name'], ['host', 'host of an occurrence', 'host.name'],
  ['version', 'version of the program', 'service.version'], ['person', 'id of who met it', 'user.id'], ['email', 'of who met it', 'user.email'], ['url', 'of the request', 'url.full'],
  ['browser', 'in short: Firefox 128', 'user_agent.name'], ['service', 'name of the program', 'service.name'], ['message', 'of the exception', 'exception.message'], ['owner', 'a name, or none'], ['dataset', 'where its rows are', 'dataset'],
  ['context', 'route or controller', 'error.context'], ['ip', 'address of the client', 'client.address'], ['trace', 'id of the trace', 'trace.trace_id'], ['source', 'rollbar, otlp, xray, logs', 'meta.source'],
];

const KNOWN: Record<string, string[]> = { level: [...LEVELS, '>=error', '>=warning'], status: STATUSES.map(([s]) => s), owner: ['none'] };

const quoted = (v: string) => (/[\s,"]/.test(v) || v === '' ? `"${v.replace(/"/g, '')}"` : v);

// The term that is being typed, and what stands before it.
function split(text: string): { head: string; minus: string; field: string | null; value: string } {
  let from = 0;
  let inside = false;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '"') inside = !inside;
    else if (/\s/.test(text[i]!) && !inside) from = i + 1;
  }
  const m = /^([-!]?)(?:([\w.-]+):)?(.*)$/s.exec(text.slice(from))!;
  return { head: text.slice(0, from), minus: m[1]!, field: m[2] ?? null, value: m[3]! };
}

export async function completeSearch(before: string): Promise<Suggestion[]> {
  const { head, minus, field, value } = split(before);
  if (field === null) {
    if (value.startsWith('"')) return [];
    const typed = value.toLowerCase();
    const own = FIELDS.filter(([name]) => name.startsWith(typed)).map(([name, what]): Suggestion => ({ text: `${head}${minus}${name}:`, label: `${name}:`, detail: what, done: false, weak: true }));
    const others = typed.length < 2 ? [] : (await fields()).filter((f) => f.name.toLowerCase().startsWith(typed)).slice(0, 20)
      .map((f): Suggestion => ({ text: `${head}${minus}${f.name}:`, label: `${f.name}:`, detail: 'a field of occurrences', done: false, weak: true }));
    return [...own, ...others];
  }
  const parts = value.split(',');
  const typed = parts.pop()!.replace(/^"|"$/g, '');
  const start = `${head}${minus}${field}:${parts.map((p) => `${p},`).join('')}`;
  const known = KNOWN[field];
  if (known) return known.filter((v) => v.startsWith(typed.toLowerCase()) && v !== typed).map((v) => ({ text: `${start}${v} `, label: v, done: true }));
  const found = await values(FIELDS.find(([name]) => name === field)?.[2] ?? field, typed);
  return found.filter((v) => String(v.value) !== typed).map((v) => ({ text: `${start}${quoted(String(v.value))} `, label: String(v.value), detail: count(v.rows), done: true }));
}
