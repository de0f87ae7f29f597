// SPDX-License-Identifier: Apache-2.0
//
// The answer to "what is different here?": a card a column, the most different first; in it a pair of bars
// a value, its share of the selected rows over its share of the rest. A value opens its menu.

import { useState } from 'preact/hooks';
import { groupBy } from '../lib/actions';
import { askDifferent, hideDifferent, type Different } from '../lib/different';
import { clock, count, percent, value as valueText } from '../lib/format';
import { useLoad } from '../lib/use';
import type { Facet, FacetsAnswer, Filter, Selection } from '../lib/types';
import { Icon } from './Icon';
import { openMenu } from './Menu';
import { Covers, Empty, ErrorBox, Progress } from './States';
import { ValueCell } from './ValueCell';

const FIRST = 12;
const SAME = 0.005; // a half percent of the rows

export function DifferentPanel({ of, about, base }: { of: Different; about: string; base?: Selection }) {
  const answer = useLoad(`${about} ${JSON.stringify(of)}`, (signal) => askDifferent(of, signal, base), true);
  const a = answer.data;
  return (
    <section class="panel different" aria-label="What is different">
      <header class="panel-head">
        <h2>What is different where {of.filters.map(words).join(' and ')}</h2>
        {of.from !== null && of.to !== null && <span class="muted num">{clock(of.from * 1e3)} – {clock(of.to * 1e3)}</span>}
        <span class="end"><Covers answer={a} loading={answer.loading} /></span>
        <button type="button" class="icon-button" onClick={hideDifferent} aria-label="Close the comparison"><Icon name="close" /></button>
      </header>
      <Progress loading={answer.loading} progress={null} />
      {answer.error && <ErrorBox error={answer.error} retry={answer.reload} />}
      {!a && answer.loading && <p class="muted pad" role="status">Comparing every row …</p>}
      {a && !answer.error && <Answer answer={a} />}
    </section>
  );
}

const words = (f: Filter) => (f.value === undefined ? `${f.column} ${f.op}` : `${f.column} ${f.op} ${valueText(f.value)}`);

function Answer({ answer }: { answer: FacetsAnswer }) {
  const [all, showAll] = useState(false);
  if (answer.selected === 0) return <Empty title="No rows are selected"><p>Nothing matches the selection here any more.</p></Empty>;
  if (answer.rest === 0) return <Empty title="There is no rest to compare with"><p>Every row of the question is selected.</p></Empty>;
  const differ = answer.facets.filter((f) => !f.too_many_values && f.difference >= SAME);
  const many = answer.facets.filter((f) => f.too_many_values);
  const same = answer.facets.length - differ.length - many.length;
  const shown = all ? differ : differ.slice(0, FIRST);
  return (
    <>
      <p class="different-key num">
        <span><i class="selected" />{count(answer.selected)} selected rows</span>
        <span><i class="rest" />{count(answer.rest)} other rows</span>
      </p>
      {shown.length === 0
        ? <p class="muted pad">No column tells the selected rows from the rest.</p>
        : <ul class="different-cards">{shown.map((f) => <Card key={f.column} facet={f} selected={answer.selected} rest={answer.rest} />)}</ul>}
      <footer class="muted">
        {differ.length > shown.length && <button type="button" class="button" onClick={() => showAll(true)}>Show {differ.length - shown.length} more columns</button>}
        {same > 0 && <span>{same} {same === 1 ? 'column does' : 'columns do'} not differ.</span>}
        {many.length > 0 && <span>Too many values to compare: {many.map((f) => f.column).join(', ')}.</span>}
      </footer>
    </>
  );
}

function Card({ facet, selected, rest }: { facet: Facet; selected: number; rest: number }) {
  const shares = facet.values.map((v) => ({ value: v.value, of: v.selected / selected, against: v.rest / rest }));
  const top = Math.max(...shares.map((s) => Math.max(s.of, s.against)), 1e-9);
  const more = facet.n_values - facet.values.length;
  const menu = (e: MouseEvent) => openMenu(e, facet.column, [{ label: `Group by ${facet.column}`, run: () => groupBy(facet.column) }]);
  return (
    <li class="different-card" aria-label={`${facet.column}, ${percent(facet.difference)} different`}>
      <h3>
        <button type="button" class="value mono" aria-haspopup="menu" onClick={menu} onContextMenu={menu}>{facet.column}</button>
        <span class="muted num">{percent(facet.difference)} different</span>
      </h3>
      <ul>
        {shares.map((s) => (
          <li key={JSON.stringify(s.value)}>
            <ValueCell field={facet.column} value={s.value} />
            <span class="pair-bars" role="img" aria-label={`${percent(s.of)} of the selected rows, ${percent(s.against)} of the rest`}>
              <i class="selected" style={{ width: `${(100 * s.of) / top}%` }} />
              <i class="rest" style={{ width: `${(100 * s.against) / top}%` }} />
            </span>
            <span class="pair-shares num" aria-hidden="true"><b>{percent(s.of)}</b><span class="muted">{percent(s.against)}</span></span>
          </li>
        ))}
      </ul>
      {more > 0 && <p class="muted">and {count(more)} more {more === 1 ? 'value' : 'values'}</p>}
    </li>
  );
}
