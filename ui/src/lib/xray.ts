// SPDX-License-Identifier: Apache-2.0
//
// X-Ray's filter expressions as one types them: what may stand where the caret is, and the forms of a
// trace id. The server alone says what an expression means and whether it can be read.

import { api } from './api';
import type { Suggestion } from './complete';
import { go, href } from './route';
import { fields, values } from './schema';
import { count } from './format';

// "1-5759e988-bd862e3fe1be46a994272793" or 32 hex digits, anywhere in what was typed -> 32 hex digits.
export function traceId(text: string): string | null {
  const t = text.trim().toLowerCase();
  const x = /^1-([0-9a-f]{8})-([0-9a-f]{24})$/.exec(t);
  const id = x ? x[1]! + x[2]! : t;
  return /^[0-9a-f]{32}$/.test(id) && !/^0+$/.test(id) ? id : null;
}

export const xrayId = (id: string) => `1-${id.slice(0, 8)}-${id.slice(8)}`;

// Opens the trace if `text` is the id of one.
export function openTrace(text: string): boolean {
  const id = traceId(text);
  if (id) go(href(`trace/${id}`));
  return id !== null;
}

const BOOLS: [string, string][] = [
  ['ok', 'the entry neither failed nor was refused'], ['error', 'a 4xx of the entry'], ['fault', 'a 5xx of the entry'], ['throttle', 'a 429 anywhere'],
  ['partial', 'a segment is still open'], ['inferred', 'a node known by its callers alone'],
];
const NUMBERS: [string, string][] = [['responsetime', 'seconds, of the entry'], ['duration', 'seconds, of the whole trace'], ['http.status', 'of the entry']];
const TEXTS: [string, string][] = [
  ['http.url', 'of the entry'], ['http.method', 'of the entry'], ['http.useragent', 'of the entry'], ['http.clientip', 'of the entry'], ['user', 'of any segment'], ['name', 'of the entry'], ['type', 'AWS::EC2::Instance …'],
  ['availabilityzone', 'of any segment'], ['instance.id', 'of any segment'], ['resource.arn', 'of any segment'], ['account.id', 'of any segment'], ['group.name', 'a group of filter expressions'],
];
const FUNCTIONS: [string, string, string][] = [
  ['service("', 'service("name") { … }', 'some segment of a service'], ['edge("', 'edge("from", "to") { … }', 'a call between two services'],
  ['annotation.', 'annotation.key = …', 'what the program said'],
];
const CAUSES = ['fault', 'error', 'responsetime'].flatMap((k) => ['service', 'entity', 'exception'].map((l) => `rootcause.${k}.${l}`));

// The columns that a text keyword reads, for its values.
const COLUMN: Record<string, string> = {
  'http.url': 'url.full', 'http.method': 'http.request.method', 'http.useragent': 'user_agent.original', 'http.clientip': 'client.address', user: 'enduser.id', name: 'service.name',
  availabilityzone: 'cloud.availability_zone', 'instance.id': 'host.id', 'resource.arn': 'aws.xray.resource_arn', 'http.status': 'http.response.status_code',
};

const NUMBER_OPS = ['=', '!=', '<', '<=', '>', '>='];
const TEXT_OPS = ['=', '!=', 'CONTAINS', 'BEGINSWITH', 'ENDSWITH'];

const quoted = (s: string) => `"${s.replace(/["\\]/g, '\\$&')}"`;
const typeOf = (keyword: string) => (NUMBERS.some(([k]) => k === keyword) ? 'number' : TEXTS.some(([k]) => k === keyword) ? 'text' : keyword.startsWith('annotation') ? 'any' : 'bool');

export interface Spot { kind: 'start' | 'service' | 'annotation' | 'op' | 'value'; typed: string; from: number; keyword: string }

// What is being typed at the end of `text`: only what stands before the caret matters.
export function spotOf(text: string): Spot {
  const at = (kind: Spot['kind'], typed: string, keyword = ''): Spot => ({ kind, typed, keyword, from: text.length - typed.length });
  const ref = /(?:service|edge)\s*\(\s*(?:"(?:[^"\\]|\\.)*"\s*,\s*)?("?(?:[^"\\]|\\.)*)$/i.exec(text);
  if (ref && !/^"[^"]*"/.test(ref[1]!)) return at('service', ref[1]!);
  const value = /((?:annotation\[[^\]]*\])|[a-z][\w.-]*)\s*(!=|<=|>=|=|<|>|\b(?:contains|beginswith|endswith)\s)\s*("(?:[^"\\]|\\.)*|[^\s"(){}]*)$/i.exec(text);
  if (value) return at('value', value[3]!, value[1]!.toLowerCase().startsWith('annotation') ? value[1]! : value[1]!.toLowerCase());
  const note = /annotation(?:\.([\w.-]*)|\[([^\]]*))$/i.exec(text);
  if (note) return at('annotation', note[0]);
  const op = /((?:annotation\[[^\]]*\])|[a-z][\w.-]*)\s+([a-z!<>=]*)$/i.exec(text);
  const keyword = op?.[1]!.toLowerCase() ?? '';
  if (op && typeOf(keyword) !== 'bool' && !/^(and|or)$/.test(keyword)) return at('op', op[2]!, keyword.startsWith('annotation') ? op[1]! : keyword);
  return at('start', /[a-z][\w.]*$/i.exec(text)?.[0] ?? '');
}

const PLAIN_KEY = /^[A-Za-z_][\w.]*$/;
export const annotationText = (key: string) => (PLAIN_KEY.test(key) ? `annotation.${key}` : `annotation[${key}]`);
export const annotationKey = (text: string) => /^annotation(?:\.|\[)(.*?)\]?$/i.exec(text)?.[1] ?? '';

async function groups(): Promise<string[]> {
  try {
    return (await api.groups()).map((g) => g.GroupName);
  } catch {
    return []; // none can be asked for: the name can still be typed
  }
}

// Fields that programs set themselves: every annotation, and OTLP attributes, which are read as such.
async function annotations(typed: string): Promise<{ name: string; rows: number }[]> {
  const t = typed.toLowerCase();
  return (await fields()).filter((f) => f.scopes.includes('attribute') && !f.scopes.includes('intrinsic') && !/^(aws|http|url|db|xray|exception|rpc|messaging|net|network|server|client|user_agent|telemetry|meta)\./.test(f.name))
    .filter((f) => f.name.toLowerCase().includes(t)).sort((a, b) => b.rows - a.rows);
}

async function valuesOf(spot: Spot): Promise<Suggestion['text'][]> {
  if (spot.keyword === 'group.name') return (await groups()).map(quoted);
  const column = spot.keyword.toLowerCase().startsWith('annotation') ? annotationKey(spot.keyword) : COLUMN[spot.keyword];
  if (!column) return [];
  const found = await values(column, spot.typed.replace(/^"/, ''));
  return found.filter((v) => v.value !== null && typeof v.value !== 'object').map((v) => (typeof v.value === 'string' ? quoted(v.value) : String(v.value)));
}

// Suggestions for the end of `text`; `text` of each replaces what stands before the caret.
export async function completeXray(text: string): Promise<Suggestion[]> {
  const spot = spotOf(text);
  const head = text.slice(0, spot.from);
  const t = spot.typed.toLowerCase();
  const put = (what: string, label: string, detail = ''): Suggestion => ({ text: head + what, label, detail, done: false, weak: spot.typed === '' });
  switch (spot.kind) {
    case 'service': {
      const found = await values('service.name', spot.typed.replace(/^"/, ''));
      const first = /edge\s*\([^",]*$/i.test(head) && !/,\s*$/.test(head);
      return found.filter((v) => typeof v.value === 'string').map((v) => put(`${quoted(String(v.value))}${first ? ', "' : ')'}`, String(v.value), `${count(v.rows)} spans`));
    }
    case 'annotation':
      return (await annotations(annotationKey(spot.typed))).map((f) => put(`${annotationText(f.name)} `, annotationText(f.name), `${count(f.rows)} spans`));
    case 'op':
      return (typeOf(spot.keyword) === 'number' ? NUMBER_OPS : typeOf(spot.keyword) === 'text' ? TEXT_OPS : [...TEXT_OPS, ...NUMBER_OPS.slice(2)])
        .filter((o) => o.toLowerCase().startsWith(t)).map((o) => put(`${o} `, o));
    case 'value': {
      if (/^".*"$/.test(spot.typed)) return [];
      return (await valuesOf(spot)).filter((v) => v.toLowerCase().includes(t.replace(/^"/, ''))).map((v) => put(`${v} `, v));
    }
    default: {
      const inside = (k: string) => k.toLowerCase().includes(t);
      const ands = /[\w"})]\s+$/.test(head) ? ['AND', 'OR'].filter((w) => w.toLowerCase().startsWith(t)).map((w) => put(`${w} `, w)) : [];
      const list = [
        ...FUNCTIONS.filter(([, label]) => inside(label)).map(([what, label, detail]) => put(what, label, detail)),
        ...BOOLS.filter(([k]) => inside(k)).map(([k, d]) => put(`${k} `, k, d)),
        ...NUMBERS.filter(([k]) => inside(k)).map(([k, d]) => put(`${k} `, k, d)),
        ...TEXTS.filter(([k]) => inside(k)).map(([k, d]) => put(`${k} `, k, d)),
        ...(t ? CAUSES.filter(inside).map((k) => put(`${k} { `, `${k} { … }`)) : []),
      ];
      return [...ands, ...list.sort((a, b) => Number(b.label.toLowerCase().startsWith(t)) - Number(a.label.toLowerCase().startsWith(t)))];
    }
  }
}

export const EXAMPLES: [string, string][] = [
  ['fault', 'requests that failed on our side'], ['responsetime > 1', 'slower than a second'], ['http.status = 404', 'not found'],
  ['error OR fault OR throttle', 'anything that went wrong'], ['partial', 'still open'], ['service("api") { fault }', 'one service failed'], ['edge("web", "api") { responsetime > 0.5 }', 'a slow call'],
];

// The place in `text` of byte `at`, which counts as UTF-8.
export function placeOf(text: string, at: number): number {
  let bytes = 0;
  let i = 0;
  for (const c of text) {
    if (bytes >= at) break;
    const code = c.codePointAt(0)!;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    i += c.length;
  }
  return i;
}
