// SPDX-License-Identifier: Apache-2.0
// Triggers, SLOs, burn alerts and boards as the server has them, and their texts.

import { nsToMs, short } from './format';
import { calcText } from './query';
import type { Calc, QuerySpec, Value } from './types';
import type { PlotLine } from '../parts/Plot';

export interface Evaluation {
  number: number; at_ns: string; took_ms: number; value: number | null; met: boolean; triggered: boolean;
  event: '' | 'fired' | 'resolved' | 'again'; error: string;
  detail?: { groups_triggered?: { group: { key: string; value: Value }[]; result: number | null }[]; n_triggered?: number; budget_remaining?: number };
}
export interface Told { id?: string; type?: string; target?: string; details?: { pagerduty_severity?: string; variables?: { name: string; value: string }[] } }
// What an alert would find now.
export interface Found { met: boolean; value: number | null; detail: { n_groups?: number; n_triggered?: number; budget_remaining?: number; groups_triggered?: { group: { key: string; value: Value }[]; result: number | null }[] } }
export interface Trigger {
  id: string; name: string; description: string; query?: QuerySpec & { time_range?: number }; query_id?: string; threshold: { op: string; value: number; exceeded_limit: number };
  frequency: number; alert_type: string; disabled: boolean; recipients: Told[]; evaluation_schedule_type: string; baseline_details?: { type: string; offset_minutes: number };
  evaluation_schedule?: { window: { days_of_week: string[]; start_time: string; end_time: string } };
}
export interface BurnAlert {
  id: string; alert_type: 'exhaustion_time' | 'budget_rate'; description: string; exhaustion_minutes?: number; budget_rate_window_minutes?: number;
  budget_rate_decrease_threshold_per_million?: number; slo: { id: string }; recipients: Told[];
}
export interface Alert<T> { dataset: string; triggered: boolean; triggered_ns: string | null; last: Evaluation | null; object: T }
export interface AlertsAnswer { triggers: Alert<Trigger>[]; burn_alerts: Alert<BurnAlert>[] }
export interface Slo { id: string; name: string; description: string; sli: { alias: string }; time_period_days: number; target_per_million: number; dataset_slugs: string[] }
export interface SloReport { dataset: string; total?: number; good?: number; compliance?: number; budget_remaining?: number; status?: string; error?: string; object: Slo }
export interface BurnDown { total: number; good: number; compliance: number; budget_remaining: number; start_ns: string; step_ns: string; steps: { total: number; good: number; budget_remaining: number }[] }
export interface Recipient { id: string; type: string; details: Record<string, unknown> }
export const minutes = (s: number) => (s % 86400 === 0 ? `${s / 86400} d` : s % 3600 === 0 ? `${s / 3600} h` : `${s / 60} min`);

export function conditionText(t: Trigger): string {
  const calc = t.query?.formulas?.[0]?.name ?? (t.query ? calcText((t.query.calculations?.[0] ?? { op: 'COUNT' }) as Calc) : 'a saved query');
  const by = t.query?.breakdowns?.length ? ` by ${t.query.breakdowns.join(', ')}` : '';
  const than = t.baseline_details ? ` ${t.baseline_details.type === 'percentage' ? '% ' : ''}than ${minutes(t.baseline_details.offset_minutes * 60)} before` : '';
  const rows = t.threshold.exceeded_limit > 1 ? `, ${t.threshold.exceeded_limit} times in a row` : '';
  return `${calc}${by} ${t.threshold.op} ${short(t.threshold.value)}${than}${rows}`;
}

export const burnText = (b: BurnAlert) => (b.alert_type === 'budget_rate'
  ? `budget falls by ${short((b.budget_rate_decrease_threshold_per_million ?? 0) / 1e4)} % within ${minutes((b.budget_rate_window_minutes ?? 0) * 60)}`
  : `budget exhausted within ${minutes((b.exhaustion_minutes ?? 0) * 60)}`);

// The budget at the end of each step; the last is still running.
export function burnLine(b: BurnDown): PlotLine {
  const step = nsToMs(b.step_ns);
  const points = b.steps.map((p, i): [number, number | null] => [Math.min(nsToMs(b.start_ns) + (i + 1) * step, Date.now()), p.budget_remaining]);
  return { name: 'Budget remaining', color: 'var(--accent-line)', points };
}

export const toldText = (list: Told[]) => list.map((r) => `${r.type ?? ''} ${r.target ?? ''}`.trim()).join(', ') || 'nobody';

export const slugOf = (dataset: string) => (dataset === '' ? '__all__' : dataset.toLowerCase().replace(/[^a-z0-9_.-]/g, '-'));

// What a trigger keeps of a question: no times, no page's own members.
export function lasting(spec: QuerySpec): QuerySpec {
  const { calculations, formulas, calculated_fields, breakdowns, filters, filter_combination, havings } = spec;
  return JSON.parse(JSON.stringify({ calculations, formulas, calculated_fields, breakdowns, filters: filters?.length ? filters : undefined, filter_combination, havings })) as QuerySpec;
}

// What a board keeps: its order and limits, too, and the length of its time.
export function stored(spec: QuerySpec, seconds: number): QuerySpec {
  const { orders, havings, limit, granularity, compare_time_offset_seconds } = spec;
  return JSON.parse(JSON.stringify({ ...lasting(spec), orders, havings, limit, granularity, compare_time_offset_seconds, time_range: seconds })) as QuerySpec;
}
