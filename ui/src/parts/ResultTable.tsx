// SPDX-License-Identifier: Apache-2.0
// The groups of a result with their totals. A row isolates its series in all charts.

import { showDifferent } from '../lib/different';
import { calcValue } from '../lib/format';
import { agoText, changeOf, colorsOf, groupId, groupName } from '../lib/series';
import { filterFor, orderText, parseOrder, quoteField, specOf } from '../lib/query';
import { patch, useRoute } from '../lib/route';
import { useTheme, token } from '../lib/theme';
import type { Column, QueryResult } from '../lib/types';
import { groupJson, groupRows } from '../lib/table';
import { SaveAs } from './SaveAs';
import { ValueCell } from './ValueCell';

export function ResultTable({ result, isolated }: { result: QueryResult; isolated: string | null }) {
  const theme = useTheme();
  const colors = colorsOf(result, theme, token('accent-line'));
  const groups = result.columns.filter((c) => c.kind === 'group');
  const calcs = result.columns.map((c) => c).filter((c) => c.kind !== 'group');
  const shown = calcs.map((c, i) => ({ c, i })).filter(({ c }) => c.op !== 'HEATMAP');
  if (groups.length + shown.length === 0) return null;
  const then = result.compare;
  const maxima = shown.map(({ i }) => Math.max(0, ...result.groups.map((g) => g.values[i] ?? 0)));
  const isolate = (id: string) => patch({ iso: isolated === id ? null : id }, { replace: true });
  return (
    <div class="table-box"><SaveAs name="the result table" rows={() => groupRows(result)} json={() => groupJson(result)} />
    <div class="table-wrap" tabIndex={0} role="region" aria-label="Result table">
      <table class="table">
        <thead>
          <tr>
            {groups.length > 0 && <th class="swatch-col"><span class="visually-hidden">Series</span></th>}
            {groups.map((c) => <Head column={c} text={c.key} />)}
            {shown.map(({ c }) => (
              <>
                <Head column={c} text={c.key} right />
                {then && <th class="right" title={`${c.key}, ${agoText(then.offset_ms)} before`}>{agoText(then.offset_ms)} before</th>}
                {then && <th class="right">Change</th>}
              </>
            ))}
            {groups.length > 0 && <th><span class="visually-hidden">Compare</span></th>}
          </tr>
        </thead>
        <tbody>
          {result.groups.map((g, i) => {
            const id = groupId(g.key);
            return (
              <tr key={id} class={isolated === id ? 'on' : isolated ? 'dim' : ''} onClick={() => groups.length && isolate(id)}>
                {groups.length > 0 && (
                  <td class="swatch-col">
                    <button type="button" class="swatch" aria-pressed={isolated === id} onClick={(e) => { e.stopPropagation(); isolate(id); }}
                      aria-label={`Show only ${g.key.join(' · ')}`}><i style={{ background: colors[i] }} /></button>
                  </td>
                )}
                {g.key.map((v, k) => <td><ValueCell field={groups[k]!.key} value={v} /></td>)}
                {shown.map(({ c, i: k }, m) => (
                  <>
                    <td class="num right">
                      {groups.length > 0 && maxima[m]! > 0 && <span class="bar" style={{ width: `${(100 * Math.max(0, g.values[k] ?? 0)) / maxima[m]!}%` }} />}
                      <span class="bar-text">{calcValue(g.values[k], c.op, c.field)}</span>
                    </td>
                    {then && <Before column={c} now={g.values[k]} then={then.groups[i]?.values[k]} />}
                  </>
                ))}
                {groups.length > 0 && (
                  <td class="right">
                    <button type="button" class="button small" aria-label={`What is different about ${groupName(g.key)}`}
                      onClick={(e) => { e.stopPropagation(); showDifferent(groups.map((c, k) => filterFor(c.key, g.key[k], true))); }}>Compare</button>
                  </td>
                )}
              </tr>
            );
          })}
          {then?.gone?.map((g) => (
            <tr key={`gone ${groupId(g.key)}`} class="muted gone">
              <td class="swatch-col" />
              {g.key.map((v, k) => <td><ValueCell field={groups[k]!.key} value={v} /></td>)}
              {shown.map(({ c, i }) => (
                <>
                  <td class="num right">{calcValue(null, c.op, c.field)}</td>
                  <Before column={c} now={null} then={g.values[i]} />
                </>
              ))}
              <td class="right">only then</td>
            </tr>
          ))}
        </tbody>
        {groups.length > 0 && (
          <tfoot>
            <tr>
              <td />
              <td colSpan={groups.length} class="muted">All rows{result.groups_total > result.groups.length ? ` (${result.groups.length} of ${result.groups_total} groups shown)` : ''}</td>
              {shown.map(({ c, i }) => (
                <>
                  <td class="num right">{calcValue(result.totals.values[i], c.op, c.field)}</td>
                  {then && <Before column={c} now={result.totals.values[i]} then={then.totals?.values[i]} />}
                </>
              ))}
              <td />
            </tr>
          </tfoot>
        )}
      </table>
    </div></div>
  );
}

// What it was then, and by how much it is more or less now.
function Before({ column, now, then }: { column: Column; now: number | null | undefined; then: number | null | undefined }) {
  const c = changeOf(now, then, column.op);
  return (
    <>
      <td class="num right muted">{calcValue(c.then, column.op, column.field)}</td>
      <td class="num right nowrap">{c.by === null ? '–' : <>{c.by > 0 ? '+' : ''}{calcValue(c.by, column.op, column.field)} <span class="muted">{c.text}</span></>}</td>
    </>
  );
}

function Head({ column, text, right }: { column: Column; text: string; right?: boolean }) {
  const { params } = useRoute();
  const key = column.kind === 'group' ? quoteField(column.key) : column.key;
  const first = specOf(params).orders?.[0];
  const now = first ? orderText(first) : '';
  const state = now === `${key} desc` ? 'descending' : now === `${key} asc` ? 'ascending' : 'none';
  const next = state === 'descending' ? 'asc' : 'desc';
  const sort = () => patch({ o: orderText(parseOrder(`${key} ${next}`)) });
  return (
    <th class={right ? 'right' : ''} aria-sort={state}>
      <button type="button" class="sort" onClick={sort}>{text}<span aria-hidden="true">{state === 'descending' ? ' ↓' : state === 'ascending' ? ' ↑' : ''}</span></button>
    </th>
  );
}
