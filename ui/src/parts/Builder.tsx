// SPDX-License-Identifier: Apache-2.0
// The question builder: six clauses, each a ChipInput over one URL parameter. A change asks at once.

import { completeCalc, completeField, completeHaving, completeOrder } from '../lib/complete';
import { calcText, havingText, orderText, parseCalc, parseHaving, parseOrder } from '../lib/query';
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
  return (
    <form class="panel builder" onSubmit={(e) => { e.preventDefault(); run(); }} aria-label="Query builder">
      <ChipInput label="Select" items={calcs} placeholder="COUNT" read={(t) => calcText(parseCalc(t))} suggest={completeCalc} onChange={set('c')} onRun={run} errorAt={complaint(error, 'calculations')} />
      <Where error={error} onRun={run} />
      <ChipInput label="Group by" items={by} placeholder="no grouping" read={(t) => t.trim().replace(/^`|`$/g, '')} suggest={completeField} onChange={set('by')} onRun={run} errorAt={complaint(error, 'breakdowns')} />
      <div class="clause-row">
        <ChipInput label="Order by" items={params.getAll('o')} placeholder="first calculation, descending" read={(t) => orderText(parseOrder(t))} suggest={completeOrder(calcs, by)} onChange={set('o')} onRun={run} errorAt={complaint(error, 'orders')} />
        <ChipInput label="Having" items={params.getAll('h')} placeholder="all groups" read={(t) => havingText(parseHaving(t))} suggest={completeHaving(calcs)} onChange={set('h')} onRun={run} errorAt={complaint(error, 'havings')} />
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
        <button class="button primary run" title="Ask again (Ctrl+Enter)"><Icon name="play" /> {loading ? 'Asking …' : 'Run'}</button>
      </div>
    </form>
  );
}
