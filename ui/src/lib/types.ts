// SPDX-License-Identifier: Apache-2.0
// The shapes of docs/api/page.md.

export type Scalar = string | number | boolean | null | { int: string } | { double: string } | { bytes: string };
export type Value = Scalar | Value[];

export interface Filter { column: string; op: string; value?: Value }
export interface Calc { op: string; column?: string; name?: string; filters?: Filter[] }
export interface Named { name: string; expression: string } // a calculated field, or a formula
export interface Order { op?: string; column?: string; order: 'ascending' | 'descending' }
export interface Having { calculate_op?: string; column?: string; op: string; value: number }

export interface Span { start_time?: number; end_time?: number; time_range?: number }

export interface Selection extends Span {
  dataset?: string;
  filters?: Filter[];
  filter_combination?: 'AND' | 'OR';
  and_filters?: Filter[]; // hold, too, whatever that is
  calculated_fields?: Named[];
  pattern?: string; // a filter pattern of CloudWatch Logs that the message must match
}

export interface QuerySpec extends Selection {
  calculations?: Calc[];
  formulas?: Named[];
  compare_time_offset_seconds?: number;
  breakdowns?: string[];
  orders?: Order[];
  havings?: Having[];
  limit?: number;
  granularity?: number;
  disable_series?: boolean;
  heatmap?: { scale: 'log' | 'linear'; bins?: number };
}

export interface Column { key: string; kind: 'group' | 'calc' | 'formula'; op?: string; field?: string | null }
export type Bucket = number | null | [number, number][];
export interface Group { key: Value[]; values: (number | null)[]; series?: Bucket[][] }

export interface QueryResult {
  complete: boolean; rows_examined: number; elapsed_ms: number; warnings: string[]; estimated?: boolean;
  start_ms: number; end_ms: number; granularity_ms: number; times_ms: number[];
  columns: Column[]; groups: Group[]; totals: Omit<Group, 'key'>; groups_total: number;
  heatmaps: Record<string, { edges: number[] }>;
  compare?: Compared;
  run?: string; // its place in the history
}
// The same of so much earlier, group by group; gone: groups that were only then (answers of the history may lack it).
export interface Compared { offset_ms: number; granularity_ms: number; times_ms: number[]; groups: Omit<Group, 'key'>[]; totals: Omit<Group, 'key'>; gone?: Group[] }

export interface Progress { rows_scanned: number; rows_total: number }

export interface Row { id: string; time_ns: string; kind: string; dataset: string; fields: Record<string, Value> }
export interface RowsAnswer { rows: Row[]; next: string | null; rows_examined: number; elapsed_ms: number; complete: boolean }

// CloudWatch Logs' languages: what there is to complete, what is wrong with a text, and an answer.
export interface LogLanguages {
  commands: { name: string; syntax: string; text: string }[];
  functions: { name: string; signature: string; family: string; text: string; aggregate: boolean }[];
  fields: { name: string; text: string }[];
  patterns: { syntax: string; text: string }[];
}
export interface LogCheck { ok: boolean; error?: string; at?: number; end?: number; kind?: string; fields?: string[]; steps?: string[] }
// As CloudWatch Logs describes them; times in ms.
export interface LogGroup { logGroupName: string; storedBytes: number; creationTime?: number; retentionInDays?: number }
export interface LogStream { logStreamName: string; firstEventTimestamp?: number; lastEventTimestamp?: number; lastIngestionTime?: number; creationTime?: number }
export interface QueryDefinition { queryDefinitionId: string; name: string; queryString: string; logGroupNames?: string[]; lastModified?: number }

export interface InsightsColumn { name: string; time?: boolean; number?: boolean }
export interface InsightsResult {
  complete: boolean; kind: 'events' | 'table'; columns: InsightsColumn[]; rows: (string | null)[][]; ids?: string[];
  rows_scanned: number; rows_matched: number; bytes_scanned: number; elapsed_ms: number; truncated: boolean;
}

// A piece of a pattern: text that all its lines have, or a value of a kind with some examples.
export type PatternPart = string | { kind: string; values: string[] };
export interface Pattern {
  other: boolean; count: number; earlier?: number; text: string; regex: string; parts: PatternPart[]; severities: Record<string, number>;
  first_ns?: string; last_ns?: string; series: number[]; samples: string[]; // no times when it is gone
}
export interface PatternsAnswer {
  patterns: Pattern[]; patterns_total: number; lines: number; earlier_lines?: number; without: number; start_ms: number; end_ms: number;
  rows_examined: number; elapsed_ms: number; complete: boolean;
}

export interface Facet {
  column: string; too_many_values: boolean; difference: number; n_values: number;
  kind: 'values' | 'numbers' | 'presence'; significant: boolean; effect: number; p: number; q: number;
  histogram?: { edges: number[]; selected: number[]; rest: number[] };
  values: { value: Value; selected: number; rest: number }[];
}
export interface FacetsSide { filters?: Filter[]; start_time?: number; end_time?: number }
export interface FacetsAnswer {
  selected: number; rest: number; estimated: boolean; facets: Facet[];
  rows_examined: number; elapsed_ms: number; complete: boolean; missing?: string;
}

export interface TraceSummary {
  trace_id: string; start_ns: string; duration_ms: number; spans: number; errors: number;
  root: { service: string; name: string; status: number | string | null } | null; root_missing: boolean;
  services: { name: string; spans: number; errors: number }[];
}
export interface TracesSpec extends Selection {
  sort: string; limit: number;
  filter_expression?: string; duration_ms?: { min: number; max: number }; distribution?: boolean;
}
export interface TracesAnswer {
  traces: TraceSummary[]; rows_examined: number; elapsed_ms: number; complete: boolean;
  looked?: number; looked_all?: boolean; durations_ms?: number[];
}
// The X-Ray document that a row was made of; id and name are of the row it stands with.
export interface RawDocument { id: string; span_id: string; name: string; document: string }

export interface TraceColumns {
  id: string[]; kind: string[]; parent: number[]; depth: number[]; span_id: string[]; name: string[];
  service: number[]; offset_ns: string[]; duration_ns: string[]; span_kind: string[]; error: boolean[]; summary: string[];
}
export interface TraceAnswer {
  trace_id: string; start_ns: string; end_ns: string; services: string[]; spans: number;
  complete: boolean; missing_parents: number; rows: TraceColumns;
}

export interface FieldValue { name: string; type: string; scope: string; value: Value }
export interface RowDetail {
  id: string; time_ns: string; kind: string; dataset: string;
  trace_id: string | null; span_id: string | null; fields: FieldValue[];
}

export interface Ledger { source: string; signal: string; received: number; stored: number; duplicate: number; pending?: number; rejected: Record<string, number> }
export interface LedgerTotals {
  received: number; stored: number; pending: number; duplicate: number; superseded: number; sampled: number;
  live: number; expired: number; deleted: number; stored_rows: number; live_rows: number;
  rejected: Record<string, number>; difference: number; store_difference: number;
}
export interface LedgerSeries {
  start_s: number[]; received: number[]; stored: number[]; pending: number[]; duplicate: number[];
  superseded: number[]; sampled: number[]; live: number[]; rejected: number[]; difference: number[]; store_difference: number[];
}
export interface LedgerSource { source: string; signal: string; totals: LedgerTotals; series: LedgerSeries }
export interface LedgerAnswer {
  start_s: number; end_s: number; step_s: number; complete: boolean; missing?: string; unread_rows?: number;
  differences: number; sources: LedgerSource[];
}

export interface RunningQuestion {
  id: number; kind: string; path: string; text: string; state: 'waiting' | 'running' | 'canceling';
  since_ms: number; elapsed_ms: number; rows_scanned: number; rows_total: number; memory_bytes: number;
}

// What the server finds when it writes to itself and reads it back; null where it never did.
export interface SelfProbe {
  interval_s: number; attempts: number; failures: number; last_ms: number | null; last_error: string | null;
  ack_ms: number | null; visible_ms: number | null; queries: number | null;
}

export interface LastRequest { at_ms: number; listener: string; what: string; status: number | null; bytes: number; error: string | null }
export interface Status {
  version: string; uptime_s: number; now_ns: string; recovering: boolean; rows: number;
  oldest_ns: string | null; newest_ns: string | null;
  memory: { used_bytes: number; limit_bytes: number }; disk: { used_bytes: number; limit_bytes: number };
  xray?: { udp: { address: string; datagrams: number; kernel_drops: number; last_ms: number | null; last_peer: string } | null };
  listeners: { address: string; takes: string[] }[]; ledger: Ledger[]; last: LastRequest[];
  self?: SelfProbe;
}

export interface Dataset { name: string; rows: number; first_ns: string; last_ns: string }
export interface Field { name: string; types: string[]; scopes: string[]; rows: number }

// Rows are those kept now.
export interface Environment { description?: string; delete_protected?: boolean; slug: string; name: string; rows: number }

export interface ApiKey {
  id: string; name: string; environment: string; rights: string[]; access_key: string; disabled: boolean;
  created_ns: string | null; expires_ns: string | null; revoked_ns: string | null; last_used_ns: string | null;
}
// Shown once.
export interface IssuedKey {
  id: string; name: string; environment: string; rights: string[]; expires_ns: string | null;
  token: string; access_key: string; aws_secret: string; rollbar_token: string;
}
export interface User { name: string; role: 'viewer' | 'admin'; login: 'password' | 'oidc' | 'waiting'; created_ns: string | null; last_login_ns: string | null; disabled_ns: string | null }
export interface AuditEntry { number: number; at_ns: string; who: string; what: string; on: string; from: string }

export type PlaceKind = 'webhook' | 'slack' | 'mail';
export interface NotifyPlace {
  id: string; name: string; kind: PlaceKind; target: string; per_minute: number; disabled: boolean; failures: number; delivered: number; dead: number; refused: number;
  created_ns: string | null; last_ns: string | null; retry_ns: string | null; last_error: string; secret?: string;
}
export interface NotifyMessage {
  id: string; place: string; kind: string; title: string; state: 'waiting' | 'delivered' | 'dead'; attempts: number; status: number; error: string;
  created_ns: string | null; ended_ns: string | null;
}

// What X-Ray's clients saw and took of a sampling rule in the last hour; windows: [begin ms, seen, taken].
export interface SamplingRule {
  name: string; priority: number; fixed_rate: number; reservoir: number;
  service: string; service_type: string; host: string; method: string; path: string; resource_arn: string;
  clients: number; quota: number; requests: number; sampled: number; borrowed: number; windows: [number, number, number][];
}
export interface Sampling { window_s: number; kept_s: number; rules: SamplingRule[]; below: string[] }

export interface XrayGroup { GroupName: string; GroupARN: string; FilterExpression?: string }
