// SPDX-License-Identifier: Apache-2.0
//
// The client of /skep/v1/*. Every call takes an AbortSignal; answers are checked for the members the
// page relies on, so that a mismatch of versions reads as what it is and not as a crash elsewhere.

import type { AlertsAnswer, BurnDown, Evaluation, Found, SloReport } from './alerts';
import { environment } from './env';
import type { ItemChange, ItemDetail, ItemRule, ItemsAnswer, StackAnswer, CountedDeploy, GroupingPreview, GroupingRule, SymbolsAnswer } from './errors';
import { refused, type Me, type Role, type Ways } from './session';
import { heard, withTracers } from './tracers';
import type { KeptRun, Run, RunList } from './history';
import type { MapAnswer } from './map';
import type {
  ApiKey, AuditEntry, Dataset, Environment, FacetsAnswer, FacetsSide, Field, InsightsResult, IssuedKey, LedgerAnswer, LogCheck, LogGroup, LogLanguages, LogStream, PatternsAnswer, QueryDefinition, NotifyMessage, NotifyPlace, PlaceKind, Progress, QueryResult, QuerySpec, RawDocument, Row, RowDetail, RowsAnswer, RunningQuestion, Sampling, Selection, Span, Status,
  TraceAnswer, TracesAnswer, TracesSpec, User, Value, XrayGroup,
} from './types';

export class ApiError extends Error {
  constructor(message: string, readonly status: number, readonly field: string | null = null, readonly at: number | null = null, readonly end: number | null = null) {
    super(message);
  }
}

type Kind = 'array' | 'object' | 'number' | 'string' | 'boolean';

function check<T>(what: string, body: unknown, shape: Record<string, Kind>): T {
  const o = body as Record<string, unknown>;
  for (const [key, kind] of Object.entries(shape)) {
    const v = o?.[key];
    const good = kind === 'array' ? Array.isArray(v) : kind === 'object' ? typeof v === 'object' && v !== null : typeof v === kind;
    if (!good) throw new ApiError(`the answer to "${what}" has no ${kind} "${key}": page and server differ in version`, 0);
  }
  heard(what, body);
  return body as T;
}

async function refusal(res: Response): Promise<ApiError> {
  const text = await res.text();
  try {
    const o = JSON.parse(text) as { error?: string; field?: string; at?: number; end?: number; Message?: string; message?: string; type_detail?: { field?: string }[] }; // as AWS's operations write it
    return new ApiError(o.error ?? o.Message ?? o.message ?? text, res.status, o.field ?? o.type_detail?.[0]?.field ?? null, o.at ?? null, o.end ?? null);
  } catch {
    return new ApiError(text.slice(0, 300) || `${res.status} ${res.statusText}`, res.status);
  }
}

const JSON_TYPE = 'application/json';
const LINES_TYPE = 'application/x-ndjson';

const DEFAULT_ENV = 'default';

// X-Skep-Page says that this page made the request, and not a form elsewhere (docs/api/auth.md).
async function request(path: string, signal: AbortSignal | undefined, body?: unknown, accept = JSON_TYPE, env = environment(), method?: string): Promise<Response> {
  const init: RequestInit = { signal: signal ?? null, headers: { accept, 'x-skep-environment': env, 'x-skep-page': '1' } };
  if (method) init.method = method;
  if (body !== undefined) {
    init.method = method ?? 'POST';
    init.body = JSON.stringify(body);
    init.headers = { ...init.headers, 'content-type': JSON_TYPE };
  }
  let res: Response;
  try {
    res = await fetch(`/skep/v1/${withTracers(path)}`, init);
  } catch (e) {
    if (signal?.aborted) throw e;
    throw new ApiError('the server does not answer; is skep still running?', 0);
  }
  if (res.status === 401 && path !== 'login') refused();
  if (!res.ok) throw await refusal(res);
  return res;
}

async function get<T>(path: string, shape: Record<string, Kind>, signal?: AbortSignal, env?: string): Promise<T> {
  return check<T>(path.split('?')[0]!, await (await request(path, signal, undefined, JSON_TYPE, env)).json(), shape);
}

async function post<T>(path: string, body: unknown, shape: Record<string, Kind>, signal?: AbortSignal): Promise<T> {
  return check<T>(path, await (await request(path, signal, body)).json(), shape);
}

// What changes something of all environments: asked in the one that is always there.
async function change<T>(method: string, path: string, body: unknown, shape: Record<string, Kind>): Promise<T> {
  return check<T>(path.split('/')[0]!, await (await request(path, undefined, body, JSON_TYPE, DEFAULT_ENV, method)).json(), shape);
}

// What changes something of the environment at hand.
async function changeHere<T>(method: string, path: string, body: unknown, shape: Record<string, Kind>): Promise<T> {
  return check<T>(path.split('/')[0]!, await (await request(path, undefined, body, JSON_TYPE, environment(), method)).json(), shape);
}

// Honeycomb's objects, below the page's keys; what is deleted answers with nothing.
export async function hny<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  const text = await (await request(`honeycomb/${path}`, signal, body, JSON_TYPE, environment(), method)).text();
  return (text ? JSON.parse(text) : null) as T;
}

// Calls `each` with every line of an NDJSON body, as it arrives.
async function lines(res: Response, each: (line: unknown) => void): Promise<void> {
  const reader = res.body!.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const parts = (rest + value).split('\n');
    rest = parts.pop()!;
    for (const part of parts) if (part) each(JSON.parse(part));
  }
  if (rest.trim()) each(JSON.parse(rest));
}

// Of any type, as far as is known.
export const computedField = (name: string): Field => ({ name, types: ['int', 'double', 'string', 'bool'], scopes: ['calculated'], rows: 1 });

function search(params: Record<string, string | number | undefined>): string {
  const p = new URLSearchParams();
  for (const [k, v] of Object.entries(params)) if (v !== undefined) p.set(k, String(v));
  const s = p.toString();
  return s && `?${s}`;
}

type Range = { dataset?: string | undefined; start?: number | undefined; end?: number | undefined };

export const api = {
  status: (signal?: AbortSignal) =>
    get<Status>('status', { rows: 'number', listeners: 'array', ledger: 'array', last: 'array', memory: 'object', disk: 'object' }, signal),

  ledger: (range: { start?: number; end?: number; source?: string } = {}, signal?: AbortSignal) =>
    get<LedgerAnswer>(`ledger${search(range)}`, { sources: 'array', step_s: 'number', differences: 'number', complete: 'boolean' }, signal),

  running: (signal?: AbortSignal) => get<{ running: RunningQuestion[] }>('running', { running: 'array' }, signal).then((a) => a.running),

  cancel: (id: number) => post<{ canceled: boolean }>(`running/${id}/cancel`, {}, { canceled: 'boolean' }),

  // Asked in the one that is always there: the address may name one that is not.
  environments: (signal?: AbortSignal) =>
    get<{ environments: Environment[] }>('environments', { environments: 'array' }, signal, DEFAULT_ENV).then((a) => a.environments),

  datasets: (range: Range = {}, signal?: AbortSignal) =>
    get<{ datasets: Dataset[] }>(`datasets${search(range)}`, { datasets: 'array' }, signal).then((a) => a.datasets),

  fields: (range: Range, signal?: AbortSignal) =>
    get<{ fields: Field[]; derived?: { name: string }[] }>(`fields${search(range)}`, { fields: 'array' }, signal)
      .then((a) => [...(a.derived ?? []).map((d) => computedField(d.name)), ...a.fields]),

  values: (field: string, prefix: string, range: Range, signal?: AbortSignal) =>
    get<{ values: { value: Value; rows: number }[]; complete: boolean }>(
      `values${search({ field, prefix: prefix || undefined, limit: 50, ...range })}`, { values: 'array' }, signal),

  // keep: it gets a place in the history.
  async query(spec: QuerySpec, signal?: AbortSignal, progress?: (p: Progress) => void, keep = false): Promise<QueryResult> {
    const res = await request(keep ? 'query?keep=true' : 'query', signal, spec, LINES_TYPE);
    let result: QueryResult | null = null;
    await lines(res, (line) => {
      const o = line as { type: string; error?: string; field?: string };
      if (o.type === 'progress') progress?.(line as Progress);
      else if (o.type === 'error') throw new ApiError(o.error ?? 'the query failed', res.status, o.field ?? null);
      else if (o.type === 'result') {
        result = check<QueryResult>('query', line, { columns: 'array', groups: 'array', times_ms: 'array', totals: 'object', heatmaps: 'object' });
      }
    });
    if (!result) throw new ApiError('the server ended the answer before the result', 0);
    return result;
  },

  // Equal questions once; `pages` of a hundred.
  async runs({ mine, kept, q, pages }: { mine: boolean; kept: boolean; q: string; pages: number }, signal?: AbortSignal): Promise<RunList> {
    const all: RunList = { runs: [], next: null };
    for (let i = 0; i < pages && (i === 0 || all.next !== null); i++) {
      const page = await get<RunList>(`runs${search({ once: 'true', mine: mine ? 'true' : undefined, kept: kept ? 'true' : undefined, q: q || undefined, limit: 100, before: all.next ?? undefined })}`, { runs: 'array' }, signal);
      all.runs.push(...page.runs);
      all.next = page.next;
    }
    return all;
  },
  run: (id: string, signal?: AbortSignal) => get<KeptRun>(`runs/${encodeURIComponent(id)}`, { id: 'string', path: 'string', question: 'object' }, signal),
  changeRun: (id: string, change: { name?: string; starred?: boolean }) => changeHere<Run>('PATCH', `runs/${encodeURIComponent(id)}`, change, { id: 'string' }),
  dropRun: (id: string) => changeHere<{ ok: boolean }>('DELETE', `runs/${encodeURIComponent(id)}`, undefined, { ok: 'boolean' }),

  rows: (spec: Selection & { columns?: string[]; order?: 'asc' | 'desc'; limit?: number; after?: string | null }, signal?: AbortSignal) =>
    post<RowsAnswer>('rows', spec, { rows: 'array' }, signal),

  traces: (spec: TracesSpec, signal?: AbortSignal) =>
    post<TracesAnswer>('traces', spec, { traces: 'array' }, signal),

  functions: (signal?: AbortSignal) => get<{ functions: { name: string; signature: string; text: string; family: string }[] }>('functions', { functions: 'array' }, signal),
  facets: (spec: Selection & { selection: FacetsSide; baseline?: FacetsSide; columns: string[]; limit?: number }, signal?: AbortSignal) =>
    post<FacetsAnswer>('facets', spec, { facets: 'array', selected: 'number', rest: 'number', complete: 'boolean' }, signal),

  patterns: (spec: Selection & { limit?: number; compare_time_offset_seconds?: number }, signal?: AbortSignal) =>
    post<PatternsAnswer>('patterns', spec, { patterns: 'array', lines: 'number', patterns_total: 'number' }, signal),

  logLanguages: (signal?: AbortSignal) =>
    get<LogLanguages>('logs/language', { commands: 'array', functions: 'array', fields: 'array', patterns: 'array' }, signal),

  logCheck: (language: 'pattern' | 'insights', text: string, signal?: AbortSignal) =>
    post<LogCheck>('logs/check', { language, text }, { ok: 'boolean' }, signal),

  // Operations of CloudWatch Logs under the page's keys; those that say nothing answer with nothing.
  async logs<T>(operation: string, body: unknown, shape: Record<string, Kind> = {}, signal?: AbortSignal): Promise<T> {
    const text = await (await request(`logs/${operation}`, signal, body)).text();
    return check<T>(`logs/${operation}`, text ? JSON.parse(text) : {}, shape);
  },

  async logGroups(signal?: AbortSignal): Promise<LogGroup[]> {
    const all: LogGroup[] = [];
    let nextToken: string | undefined;
    do {
      const a: { logGroups: LogGroup[]; nextToken?: string } = await api.logs('DescribeLogGroups', { limit: 50, ...(nextToken && { nextToken }) }, { logGroups: 'array' }, signal);
      all.push(...a.logGroups);
      nextToken = a.nextToken;
    } while (nextToken);
    return all;
  },

  async queryDefinitions(signal?: AbortSignal): Promise<QueryDefinition[]> {
    const all: QueryDefinition[] = [];
    let nextToken: string | undefined;
    do {
      const a: { queryDefinitions: QueryDefinition[]; nextToken?: string } = await api.logs('DescribeQueryDefinitions', { maxResults: 1000, ...(nextToken && { nextToken }) }, { queryDefinitions: 'array' }, signal);
      all.push(...a.queryDefinitions);
      nextToken = a.nextToken;
    } while (nextToken);
    return all;
  },

  logStreams: (logGroupName: string, limit: number, signal?: AbortSignal) =>
    api.logs<{ logStreams: LogStream[] }>('DescribeLogStreams', { logGroupName, orderBy: 'LastEventTime', descending: true, limit }, { logStreams: 'array' }, signal).then((a) => a.logStreams),

  // 0 days: for ever.
  setRetention: (logGroupName: string, retentionInDays: number) =>
    api.logs<object>(retentionInDays === 0 ? 'DeleteRetentionPolicy' : 'PutRetentionPolicy', retentionInDays === 0 ? { logGroupName } : { logGroupName, retentionInDays }),

  async insights(spec: { query: string; groups?: string[]; limit?: number } & Span, signal?: AbortSignal, progress?: (p: Progress) => void): Promise<InsightsResult> {
    const res = await request('logs/insights', signal, spec, LINES_TYPE);
    let result: InsightsResult | null = null;
    await lines(res, (line) => {
      const o = line as { type: string; error?: string; field?: string; at?: number; end?: number };
      if (o.type === 'progress') progress?.(line as Progress);
      else if (o.type === 'error') throw new ApiError(o.error ?? 'the query failed', res.status, o.field ?? null, o.at ?? null, o.end ?? null);
      else if (o.type === 'result') result = check<InsightsResult>('logs/insights', line, { columns: 'array', rows: 'array', kind: 'string' });
    });
    if (!result) throw new ApiError('the server ended the answer before the result', 0);
    return result;
  },

  graph: (spec: Selection, signal?: AbortSignal) =>
    post<MapAnswer>('graph', spec, { nodes: 'array', edges: 'array', start_ms: 'number', end_ms: 'number' }, signal),

  trace: (id: string, signal?: AbortSignal) =>
    get<TraceAnswer>(`trace/${encodeURIComponent(id)}`, { services: 'array', rows: 'object', start_ns: 'string' }, signal),

  traceSearch: (id: string, text: string, signal?: AbortSignal) =>
    get<{ matches: number[] }>(`trace/${encodeURIComponent(id)}${search({ search: text })}`, { matches: 'array' }, signal).then((a) => a.matches),

  row: (id: string, signal?: AbortSignal) =>
    get<RowDetail>(`row/${encodeURIComponent(id)}`, { fields: 'array', time_ns: 'string' }, signal),

  me: (signal?: AbortSignal) => get<Me>('me', { mode: 'string', rights: 'array' }, signal, DEFAULT_ENV),

  ways: (signal?: AbortSignal) => get<Ways>('login', { password: 'boolean' }, signal, DEFAULT_ENV),

  login: (name: string, password: string) => change<{ user: object }>('POST', 'login', { name, password }, { user: 'object' }),

  welcome: (token: string, name: string, password: string) => change<{ user: object }>('POST', 'welcome', { token, name, password }, { user: 'object' }),

  logout: () => change<{ ok: boolean }>('POST', 'logout', {}, { ok: 'boolean' }),

  password: (old: string, fresh: string) => change<{ user: object }>('POST', 'password', { old, new: fresh }, { user: 'object' }),

  keys: (signal?: AbortSignal) => get<{ keys: ApiKey[] }>('keys', { keys: 'array' }, signal, DEFAULT_ENV).then((a) => a.keys),

  createKey: (key: { name: string; environment: string; rights: string[]; expires_ns: string | null }) =>
    change<IssuedKey>('POST', 'keys', key, { token: 'string', access_key: 'string', aws_secret: 'string', rollbar_token: 'string' }),

  revokeKey: (id: string) => change<{ ok: boolean }>('DELETE', `keys/${encodeURIComponent(id)}`, undefined, { ok: 'boolean' }),

  createEnvironment: (name: string, description: string) =>
    change<{ slug: string }>('POST', 'environments', { name, description, color: '' }, { slug: 'string' }),

  deleteEnvironment: (slug: string) => change<{ ok: boolean }>('DELETE', `environments/${encodeURIComponent(slug)}`, undefined, { ok: 'boolean' }),

  users: (signal?: AbortSignal) => get<{ users: User[] }>('users', { users: 'array' }, signal, DEFAULT_ENV).then((a) => a.users),

  expectUser: (name: string, role: Role) => change<{ name: string }>('POST', 'users', { name, role, oidc: true }, { name: 'string' }),

  changeUser: (name: string, what: { role?: Role; disabled?: boolean }) =>
    change<{ ok: boolean }>('PATCH', `users/${encodeURIComponent(name)}`, what, { ok: 'boolean' }),

  createLink: (role: Role) => change<{ token: string }>('POST', 'links', { role }, { token: 'string' }),

  audit: (before: number | null, signal?: AbortSignal) =>
    get<{ entries: AuditEntry[]; next: number | null }>(`audit${search({ before: before ?? undefined })}`, { entries: 'array' }, signal, DEFAULT_ENV),

  places: (signal?: AbortSignal) => get<{ mail: boolean; places: NotifyPlace[] }>('notify/places', { mail: 'boolean', places: 'array' }, signal),

  createPlace: (place: { name: string; kind: PlaceKind; target: string; per_minute: number }) =>
    changeHere<NotifyPlace>('POST', 'notify/places', place, { id: 'string', name: 'string' }),

  pausePlace: (id: string, disabled: boolean) => changeHere<{ ok: boolean }>('PATCH', `notify/places/${encodeURIComponent(id)}`, { disabled }, { ok: 'boolean' }),

  deletePlace: (id: string) => changeHere<{ ok: boolean }>('DELETE', `notify/places/${encodeURIComponent(id)}`, undefined, { ok: 'boolean' }),

  placeSecret: (id: string) => get<NotifyPlace>(`notify/places/${encodeURIComponent(id)}/secret`, { secret: 'string' }),

  testPlace: (id: string) => changeHere<{ id: string }>('POST', `notify/places/${encodeURIComponent(id)}/test`, {}, { id: 'string' }),

  messages: (state: string, before: number | null, signal?: AbortSignal) =>
    get<{ messages: NotifyMessage[]; next: number | null }>(`notify/messages${search({ state: state || undefined, before: before ?? undefined })}`, { messages: 'array' }, signal),

  retryMessage: (id: string) => changeHere<{ ok: boolean }>('POST', `notify/messages/${encodeURIComponent(id)}/retry`, {}, { ok: 'boolean' }),

  deleteMessage: (id: string) => changeHere<{ ok: boolean }>('DELETE', `notify/messages/${encodeURIComponent(id)}`, undefined, { ok: 'boolean' }),

  sampling: (signal?: AbortSignal) =>
    get<Sampling>('xray/sampling', { rules: 'array', below: 'array', window_s: 'number' }, signal),

  groups: (signal?: AbortSignal) =>
    post<{ Groups: XrayGroup[] }>('xray/Groups', {}, { Groups: 'array' }, signal).then((a) => a.Groups),

  // An operation of X-Ray's API that changes something.
  xray: (operation: string, body: unknown) => post<object>(`xray/${operation}`, body, {}),

  document: (id: string, signal?: AbortSignal) =>
    get<RawDocument>(`document/${encodeURIComponent(id)}`, { document: 'string', id: 'string' }, signal),

  items: (query: Record<string, string | number | undefined>, signal?: AbortSignal) =>
    get<ItemsAnswer>(`items${search(query)}`, { items: 'array', total: 'number', counts: 'object' }, signal),

  item: (id: string, range: { start_time?: number; end_time?: number; time_range?: number }, signal?: AbortSignal) =>
    get<ItemDetail>(`items/${encodeURIComponent(id)}${search(range)}`, { id: 'number', title: 'string', range: 'object', members: 'array', history: 'array' }, signal),

  changeItems: async (ids: number[], what: ItemChange) =>
    check<{ changed: number }>('items', await (await request('items', undefined, { ids, ...what }, JSON_TYPE, environment(), 'PATCH')).json(), { changed: 'number' }),

  commentItem: (id: number, text: string) => post<{ changed: number }>(`items/${id}/comments`, { text }, { changed: 'number' }),

  mergeItem: (id: number, into: number) => post<{ changed: number }>(`items/${id}/merge`, { into }, { changed: 'number' }),

  symbols: (signal?: AbortSignal) => get<SymbolsAnswer>('symbols', { symbols: 'array' }, signal),
  dropSymbols: (id: number) => changeHere<{ ok: boolean }>('DELETE', `symbols/${id}`, undefined, { ok: 'boolean' }),
  itemRules: (signal?: AbortSignal) => get<{ rules: ItemRule[] }>('item-rules', { rules: 'array' }, signal).then((a) => a.rules),

  createItemRule: (rule: Omit<ItemRule, 'id'>) => changeHere<ItemRule>('POST', 'item-rules', rule, { id: 'number' }),

  dropItemRule: (id: number) => changeHere<{ ok: boolean }>('DELETE', `item-rules/${id}`, undefined, { ok: 'boolean' }),

  groupingRules: (signal?: AbortSignal) => get<{ rules: GroupingRule[] }>('grouping-rules', { rules: 'array' }, signal).then((a) => a.rules),

  putGroupingRule: (id: number, rule: Omit<GroupingRule, 'id'>) =>
    changeHere<GroupingRule>(id ? 'PUT' : 'POST', id ? `grouping-rules/${id}` : 'grouping-rules', rule, { id: 'number' }),

  dropGroupingRule: (id: number) => changeHere<{ ok: boolean }>('DELETE', `grouping-rules/${id}`, undefined, { ok: 'boolean' }),

  orderGroupingRules: (ids: number[]) => changeHere<{ ok: boolean }>('POST', 'grouping-rules/order', { ids }, { ok: 'boolean' }),

  previewGrouping: (rule: Omit<GroupingRule, 'id'>, id: number) =>
    changeHere<GroupingPreview>('POST', 'grouping-rules/preview', { rule, ...(id && { id }) }, { looked: 'number', held: 'number', groups: 'array' }),

  splitItem: (id: number, by: string[]) => changeHere<GroupingRule>('POST', `items/${id}/split`, { by }, { id: 'number' }),

  deploys: (signal?: AbortSignal) => get<{ deploys: CountedDeploy[] }>('deploys', { deploys: 'array' }, signal).then((a) => a.deploys),

  alerts: (signal?: AbortSignal) => get<AlertsAnswer>('alerts', { triggers: 'array', burn_alerts: 'array' }, signal),

  evaluations: (id: string, before: number | null, signal?: AbortSignal) =>
    get<{ evaluations: Evaluation[]; next: number | null }>(`alerts/${encodeURIComponent(id)}/evaluations${search({ before: before ?? undefined })}`, { evaluations: 'array' }, signal),

  evaluate: (id: string) => post<Evaluation>(`alerts/${encodeURIComponent(id)}/evaluate`, {}, { number: 'number' }),

  tryAlert: (kind: 'triggers' | 'burn_alerts', dataset: string, body: unknown) => post<Found>(`${kind}/${encodeURIComponent(dataset)}/try`, body, { met: 'boolean', detail: 'object' }),
  trySlo: (dataset: string, body: unknown) => post<BurnDown>(`slos/${encodeURIComponent(dataset)}/try`, body, { steps: 'array', step_ns: 'string', start_ns: 'string' }),
  testRecipient: (id: string, kind: string) => changeHere<{ id: string }>('POST', `recipients/${encodeURIComponent(id)}/test`, { kind }, { id: 'string' }),

  slos: (signal?: AbortSignal) => get<{ slos: SloReport[] }>('slos', { slos: 'array' }, signal).then((a) => a.slos),

  burn: (id: string, signal?: AbortSignal) => get<BurnDown>(`slos/${encodeURIComponent(id)}/burn`, { steps: 'array', step_ns: 'string', start_ns: 'string' }, signal),

  stack: (row: string, signal?: AbortSignal) =>
    get<StackAnswer>(`stack/${encodeURIComponent(row)}`, { exceptions: 'array', computed: 'string', why: 'string' }, signal),

  // Rows as they become readable, until the signal.
  async follow(spec: Selection, signal: AbortSignal, row: (r: Row) => void, skipped: (n: number) => void): Promise<void> {
    await lines(await request('tail', signal, spec, LINES_TYPE), (line) => {
      const o = line as { type?: string; rows?: number; id?: string; error?: string };
      if (o.type === 'skipped') skipped(o.rows ?? 0);
      else if (o.type === 'error') throw new ApiError(o.error ?? 'the tail failed', 200);
      else if (o.id !== undefined) row(line as Row);
    });
  },
};
