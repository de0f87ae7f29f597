// SPDX-License-Identifier: Apache-2.0
// The question builder: six clauses, each a ChipInput over one URL parameter. A change asks at once.

import { useState } from 'preact/hooks';
import { completeCalc, completeCalculated, completeField, completeFormula, completeHaving, completeOrder } from '../lib/complete';
import { OFFSETS, calcText, havingText, namedText, orderText, parseCalc, parseHaving, parseNamed, parseOrder } from '../lib/query';
import { patch, useRoute } from '../lib/route';
import { rangeOf } from '../lib/time';
import { ChipInput } from './ChipInput';
import { Icon } from './Icon';
import { Where, complaint } from './Where';

const STEPS: [string, string][] = [['', 'auto'], ['1', '1 s'], ['5', '5 s'], ['10', '10 s'], ['30', '30 s'], ['60', '1 min'], ['300', '5 min'], ['600', '10 min'],
  ['1800', '30 min'], ['3600', '1 h'], ['21600', '6 h'], ['86400', '1 d']];

// Steps the server draws at most.
const MOST = 1000;

export function Builder({ error, run, loading }: { error: Error | null; run: () => void; loading: boolean }) {
  const { params } = useRoute();
  const calcs = params.getAll('c');
  const by = params.getAll('by');
  const set = (name: string) => (items: string[]) => patch({ [name]: items, iso: null });
  const g = params.get('g') ?? '';
  const range = rangeOf(params);
  const span = range.to - range.from;
  const heat = calcs.some((c) => c.startsWith('HEATMAP'));
  const computed = params.getAll('cf');
  const formulas = params.getAll('fx');
  const formulaNames = formulas.flatMap((f) => {
    try {
      return [parseNamed(f).name];
    } catch {
      return [];
    }
  });
  // Clauses that few questions need come when they are asked for, and stay while they say something.
  const [opened, setOpened] = useState<{ cf?: boolean; fx?: boolean }>({});
  const show = (what: 'cf' | 'fx') => {
    setOpened({ ...opened, [what]: true });
    requestAnimationFrame(() => document.querySelector<HTMLElement>(`.builder [data-clause=${what}] input`)?.focus());
  };
  const withFields = computed.length > 0 || opened.cf === true;
  const withFormulas = formulas.length > 0 || opened.fx === true;
  const named = (t: string) => namedText(parseNamed(t));
  return (
    <form class="panel builder" onSubmit={(e) => { e.preventDefault(); run(); }} aria-label="Query builder">
      <ChipInput label="Select" items={calcs} placeholder="COUNT" read={(t) => calcText(parseCalc(t))} suggest={completeCalc} onChange={set('c')} onRun={run} errorAt={complaint(error, 'calculations')} />
      <Where error={error} onRun={run} />
      <ChipInput label="Group by" items={by} placeholder="no grouping" read={(t) => t.trim().replace(/^`|`$/g, '')} suggest={completeField} onChange={set('by')} onRun={run} errorAt={complaint(error, 'breakdowns')} />
      {withFields && (
        <div data-clause="cf"><ChipInput label="Calculate" items={computed} placeholder="a field from others: slow = $duration_ms > 500" read={named} suggest={completeCalculated} onChange={set('cf')} onRun={run} errorAt={complaint(error, 'calculated_fields')} /></div>
      )}
      {withFormulas && (
        <div data-clause="fx"><ChipInput label="Formula" items={formulas} placeholder="from calculations: rate = $errors / $COUNT" read={named} suggest={completeFormula(calcs)} onChange={set('fx')} onRun={run} errorAt={complaint(error, 'formulas')} /></div>
      )}
      <div class="clause-row">
        <ChipInput label="Order by" items={params.getAll('o')} placeholder="first calculation, descending" read={(t) => orderText(parseOrder(t))} suggest={completeOrder(calcs, by, formulaNames)} onChange={set('o')} onRun={run} errorAt={complaint(error, 'orders')} />
        <ChipInput label="Having" items={params.getAll('h')} placeholder="all groups" read={(t) => havingText(parseHaving(t))} suggest={completeHaving(calcs, formulaNames)} onChange={set('h')} onRun={run} errorAt={complaint(error, 'havings')} />
        <label class="small-field">Limit
          <input class="num" type="number" min={1} max={1000} placeholder="100" value={params.get('n') ?? ''} onChange={(e) => patch({ n: e.currentTarget.value || null })} />
        </label>
        <label class="small-field">Step
          <select value={g} onChange={(e) => patch({ g: e.currentTarget.value || null })}>
            {g !== '' && !STEPS.some(([v]) => v === g) && <option value={g}>{g} s</option>}
            {STEPS.map(([v, t]) => <option value={v} disabled={v !== '' && (Number(v) * MOST < span || Number(v) > span)}>{t}</option>)}
          </select>
        </label>
        {heat && (
          <label class="small-field">Heatmap
            <select value={params.get('hs') ?? 'log'} onChange={(e) => patch({ hs: e.currentTarget.value === 'linear' ? 'linear' : null })}>
              <option value="log">log</option><option value="linear">linear</option>
            </select>
          </label>
        )}
        <label class="small-field">Compare
          <select value={params.get('cmp') ?? ''} onChange={(e) => patch({ cmp: e.currentTarget.value || null })}>
            <option value="">with nothing</option><option value="prev">the time before</option>
            {OFFSETS.map(([s, t]) => <option value={String(s)} disabled={s < Math.round(span)}>{t}</option>)}
          </select>
        </label>
        {(!withFields || !withFormulas) && <span class="more-clauses">
        {!withFields && <button type="button" class="button" onClick={() => show('cf')} title="A field computed from others">+ Calculated field</button>}
        {!withFormulas && <button type="button" class="button" onClick={() => show('fx')} title="A number computed from calculations">+ Formula</button>}
        </span>}
        <button class="button primary run" title="Ask again (Ctrl+Enter)"><Icon name="play" /> {loading ? 'Asking …' : 'Run'}</button>
      </div>
    </form>
  );
}
