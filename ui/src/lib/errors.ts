// SPDX-License-Identifier: Apache-2.0
//
// Items of the errors inbox: what the server says of them, and what of it stands in the URL.
//   st=active|resolved|muted|all   level=warning   stage=production   q=... (lib/search.ts)   order=first   p=2 (page)
//   dep=7 | dep=7,back   what was new with a deploy, or came back

export type Status = 'active' | 'resolved' | 'muted';

export interface ItemRange { count: number; twins: number; users: number; hosts: number; series: number[] }

export interface Item {
  id: number; counter: number; title: string; fingerprint: string; status: Status; level: string; total: number; since_activated: number;
  type?: string; culprit?: string; dataset?: string; framework?: string; stage?: string; owner?: string; merged_into?: number;
  first_ns?: string; last_ns?: string; activated_ns?: string; resolved_ns?: string; resolved_in?: string;
  first_version?: string; last_version?: string; mute_until_ns?: string; mute_until_total?: number;
  first_row: string; last_row: string; range?: ItemRange; suspect?: ItemDeploy; back_in?: ItemDeploy;
}

export interface Deploy { id: number; stage?: string; revision?: string; status?: string; user?: string; comment?: string; start_ns: string; finish_ns?: string }
export interface ItemDeploy extends Deploy { by: 'version' | 'time' } // what says that it was this one
export interface CountedDeploy extends Deploy { new: number; back: number }

export interface ItemsAnswer {
  items: Item[]; total: number; counts: Record<Status, number>; start_ms: number; end_ms: number; bound: { items: number; max: number }; cut: boolean;
}

export interface HistoryLine { at_ns: string; actor?: string; what: string; before?: string; after?: string }

export interface ItemDetail extends Item { range: ItemRange; members: Item[]; history: HistoryLine[] }

export interface Frame {
  file?: string; function?: string; module?: string; line?: number; column?: number; own: boolean;
  build_id?: string; offset?: string; inlined?: boolean; // of compiled code
  sent?: Frame; code?: { before: string[]; line: string; after: string[] }; // read with a source map or a debug file
}
export interface Exception { type?: string; message?: string; frames: Frame[] }
export interface StackAnswer { id: string; language?: string; exceptions: Exception[]; fingerprint?: string; computed: string; by_sender: boolean; mapped_later?: boolean; why: string; rule?: { id: number; name: string }; also?: { row: string; source: string; kind: string }[] }

export interface ItemChange {
  status?: Status; resolved_in?: string; level?: string; title?: string; owner?: string; mute_for_s?: number; mute_for_count?: number;
}

export interface ItemRule { id: number; place: string; trigger: 'new' | 'reactivated' | 'repeat' | 'rate'; level?: string; stage?: string; count?: number; window_s?: number; payload?: string }

export interface RuleCondition { field: string; op: string; value: string }
export interface GroupingRule { id: number; name: string; conditions: RuleCondition[]; fingerprint?: string; title?: string; ignore_frames?: boolean }
export interface PreviewGroup { fingerprint: string; title: string; count: number }
export interface GroupingPreview { looked: number; held: number; groups: (PreviewGroup & { from: PreviewGroup[] })[] }
export const RULE_OPS = ['is', 'is-not', 'contains', 'does-not-contain', 'begins-with', 'ends-with', 'matches'];
// A source map or a debug file.
export interface SymbolFile { id: number; kind: 'source_map' | 'native'; version?: string; url?: string; build_id?: string; title: string; bytes: number; kept_bytes: number; created_ns: string; by: string }
export interface SymbolsAnswer { symbols: SymbolFile[]; most: number; most_bytes: number }

export const PAGE = 50;
export const STATUSES: [string, string][] = [['active', 'Active'], ['resolved', 'Resolved'], ['muted', 'Muted']];
export const ORDERS: [string, string][] = [['last', 'Last seen'], ['first', 'Newest'], ['total', 'Most'], ['level', 'Level']];
export const LEVELS = ['critical', 'error', 'warning', 'info', 'debug'];

// Whether the search itself says which status.
export const saysStatus = (q: string) => /(^|\s)[-!]?status:/i.test(q);

// What is searched; links of old say it as words.
export const searchOf = (params: URLSearchParams) => params.get('q') ?? params.get('words') ?? '';

// The parameters of /items that the address asks for.
export function queryOf(params: URLSearchParams, span: { start_time?: number; end_time?: number; time_range?: number }): Record<string, string | number | undefined> {
  const q = searchOf(params);
  const st = saysStatus(q) ? 'all' : params.get('st') ?? 'active';
  return {
    status: st === 'all' ? undefined : st,
    level: params.get('level') ?? undefined,
    stage: params.get('stage') ?? undefined,
    owner: params.get('owner') ?? undefined,
    q: q || undefined,
    order: params.get('order') ?? undefined,
    deploy: params.get('dep')?.split(',')[0],
    since: params.get('dep')?.split(',')[1],
    limit: PAGE,
    offset: PAGE * Math.max(0, Number(params.get('p') ?? 1) - 1),
    ...whole(span),
  };
}

// A range in whole seconds, as /items takes it.
export const whole = (span: { start_time?: number; end_time?: number; time_range?: number }) => (span.time_range !== undefined
  ? { time_range: Math.ceil(span.time_range) }
  : { start_time: Math.floor(span.start_time ?? 0), end_time: Math.ceil(span.end_time ?? 0) });

// What a Rollbar item says beside its frames: lines of code around, and variables.
export interface FrameMore { code?: string; pre: string[]; post: string[]; locals: [string, string][] }

const text = (v: unknown) => (typeof v === 'string' ? v : JSON.stringify(v) ?? '');
const texts = (v: unknown) => (Array.isArray(v) ? v.map(text) : []);

interface SentFrame { code?: unknown; context?: { pre?: unknown; post?: unknown }; locals?: unknown }

function codeOf(a: Frame, f: SentFrame | undefined): FrameMore {
  const locals = f?.locals && typeof f.locals === 'object' && !a.inlined ? Object.entries(f.locals).map(([k, v]): [string, string] => [k, text(v)]) : [];
  if (a.code) return { code: a.code.line, pre: a.code.before, post: a.code.after, locals };
  if (a.sent) return { pre: [], post: [], locals };
  return { ...(typeof f?.code === 'string' && { code: f.code }), pre: texts(f?.context?.pre), post: texts(f?.context?.post), locals };
}

// The frame of the document that a frame of the answer was made of: those inlined into one are made of the same.
const sourcesOf = (frames: Frame[]) => { let n = -1; return frames.map((f) => (f.inlined ? n : ++n)); };

// By exception and frame, as /stack lists them; empty where the document is no such item or was cut. What a map
// says of the code goes before what the sender said.
export function moreOf(document: string, stack: StackAnswer): FrameMore[][] {
  let data: { body?: { trace?: { frames?: unknown }; trace_chain?: unknown }; notifier?: { name?: unknown } };
  try {
    data = JSON.parse(document) as typeof data;
  } catch {
    return [];
  }
  const chain = data.body?.trace_chain;
  const traces = Array.isArray(chain) ? chain : [data.body?.trace];
  return traces.map((t: { frames?: unknown } | undefined, i) => {
    const frames = Array.isArray(t?.frames) ? [...t.frames] : [];
    if (data.notifier?.name === 'rollbar-go') frames.reverse();
    const answered = stack.exceptions[i]?.frames ?? [];
    const sources = sourcesOf(answered);
    const known = sources.length > 0 && sources.at(-1) === frames.length - 1;
    return answered.map((a, k) => codeOf(a, known ? (frames[sources[k]!] as SentFrame) : undefined));
  });
}
