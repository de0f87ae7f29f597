// SPDX-License-Identifier: Apache-2.0
// Who is told by a trigger or a burn alert: the recipients there are, with how urgent it is for PagerDuty.

import type { Told } from '../lib/alerts';
import { environment } from '../lib/env';
import { nameOf, recipients, toldOf } from '../lib/recipients';
import { href } from '../lib/route';
import { useLoad } from '../lib/use';

const SEVERITIES = ['critical', 'error', 'warning', 'info'];

export function Tells({ value, set, markers }: { value: Told[]; set: (told: Told[]) => void; markers?: boolean }) {
  const all = useLoad(`recipients ${environment()}`, recipients);
  const known = all.data ?? [];
  const at = (id: string) => value.find((t) => t.id === id);
  const change = (id: string, severity: string) => set(value.map((t) => (t.id === id ? { ...t, details: { ...t.details, pagerduty_severity: severity } } : t)));
  const marker = value.find((t) => t.type === 'marker');
  const others = value.filter((t) => t.type !== 'marker' && !known.some((r) => r.id === t.id));
  return (
    <fieldset class="tells">
      <legend>Tells</legend>
      {known.map((r) => (
        <span class="tell" key={r.id}>
          <label><input type="checkbox" checked={at(r.id) !== undefined} onChange={(e) => set(e.currentTarget.checked ? [...value, toldOf(r)] : value.filter((t) => t.id !== r.id))} /> {nameOf(r)}</label>
          {r.type === 'pagerduty' && at(r.id) && (
            <select aria-label={`Severity for ${nameOf(r)}`} value={at(r.id)!.details?.pagerduty_severity ?? 'critical'} onChange={(e) => change(r.id, e.currentTarget.value)}>{SEVERITIES.map((s) => <option>{s}</option>)}</select>
          )}
        </span>
      ))}
      {others.map((t) => <span class="tell muted">{t.type} {t.target}</span>)}
      {markers && <label class="tell"><input type="checkbox" checked={marker !== undefined} onChange={(e) => set(e.currentTarget.checked ? [...value, { type: 'marker', target: 'alert' }] : value.filter((t) => t.type !== 'marker'))} /> A marker in the graphs</label>}
      {all.error && <span class="muted">Recipients are for administrators: {all.error.message}</span>}
      {all.data && <a href={href('recipients')}>{known.length ? 'Change recipients' : 'Make a recipient'}</a>}
    </fieldset>
  );
}
