// SPDX-License-Identifier: Apache-2.0
//
// The answer to "what is different here?": a card a column, the most telling first; in it a pair of bars
// a value, its share of the selected rows over its share of the rest, or, where values are numbers, both
// distributions over each other. What chance may explain comes only when asked for. A value opens its menu.

import { useRef, useState } from 'preact/hooks';
import { groupBy } from '../lib/actions';
import { askDifferent, hideDifferent, type Different } from '../lib/different';
import { clock, count, percent, unitOf, value as valueText, withUnit } from '../lib/format';
import { agoText } from '../lib/series';
import { useLoad } from '../lib/use';
import type { Facet, FacetsAnswer, Filter, Selection } from '../lib/types';
import { Icon } from './Icon';
import { openMenu } from './Menu';
import { SaveAs } from './SaveAs';
import { Covers, Empty, ErrorBox, Progress } from './States';
import { ValueCell } from './ValueCell';

const FIRST = 12;

export function DifferentPanel({ of, about, base }: { of: Different; about: string; base?: Selection }) {
  const answer = useLoad(`${about} ${JSON.stringify(of)}`, (signal) => askDifferent(of, signal, base), true);
  const a = answer.data;
  const panel = useRef<HTMLElement>(null);
  return (
    <section class="panel different" aria-label="What is different" ref={panel}>
      <header class="panel-head">
        <h2>{title(of)}</h2>
        {of.from !== null && of.to !== null && <span class="muted num">{clock(of.from * 1e3)} – {clock(of.to * 1e3)}</span>}
        <span class="end"><Covers answer={a} loading={answer.loading} /></span>
        {a && a.facets.length > 0 && <SaveAs name="what is different" rows={() => rowsOf(a)} json={() => a} picture={() => panel.current} />}
        <button type="button" class="icon-button" onClick={hideDifferent} aria-label="Close the comparison"><Icon name="close" /></button>
      </header>
      <Progress loading={answer.loading} progress={null} />
      {answer.error && <ErrorBox error={answer.error} retry={answer.reload} />}
      {!a && answer.loading && <p class="muted pad" role="status">Comparing every row …</p>}
      {a && !answer.error && <Answer answer={a} />}
    </section>
  );
}

const rowsOf = (a: FacetsAnswer) => [['column', 'difference', 'effect', 'p', 'q', 'value', 'selected', 'rest'],
  ...a.facets.flatMap((f) => f.values.map((v) => [f.column, f.difference, f.effect, f.p, f.q, valueText(v.value), v.selected, v.rest].map(String)))];

function title(of: Different): string {
  if (of.was !== undefined) return `What is different from ${agoText(of.was * 1e3)} before`;
  if (of.time) return `What is different from ${clock(of.time[0] * 1e3)} to ${clock(of.time[1] * 1e3)}`;
  return `What is different where ${of.filters.map(words).join(' and ')}`;
}

const words = (f: Filter) => (f.value === undefined ? `${f.column} ${f.op}` : `${f.column} ${f.op} ${valueText(f.value)}`);

function Answer({ answer }: { answer: FacetsAnswer }) {
  const [all, showAll] = useState(false);
  if (answer.selected === 0) return <Empty title="No rows are selected"><p>Nothing matches the selection here any more.</p></Empty>;
  if (answer.rest === 0) return <Empty title="There is no rest to compare with"><p>Every row of the question is selected.</p></Empty>;
  const differ = answer.facets.filter((f) => f.significant);
  const chance = answer.facets.filter((f) => !f.significant && f.kind !== 'presence');
  const many = answer.facets.filter((f) => !f.significant && f.kind === 'presence');
  const shown = all ? [...differ, ...chance] : differ.slice(0, FIRST);
  return (
    <>
      <p class="different-key num">
        <span><i class="selected" />{count(answer.selected)} selected rows</span>
        <span><i class="rest" />{count(answer.rest)} other rows</span>
      </p>
      {shown.length === 0
        ? <p class="muted pad">No column tells the selected rows from the rest: what differs is no more than chance makes.</p>
        : <ul class="different-cards">{shown.map((f) => <Card key={f.column} facet={f} selected={answer.selected} rest={answer.rest} />)}</ul>}
      <footer class="muted">
        {differ.length + chance.length > shown.length && <button type="button" class="button" onClick={() => showAll(true)}>Show {differ.length + chance.length - shown.length} more columns</button>}
        {chance.length > 0 && <span>{chance.length} {chance.length === 1 ? 'column does' : 'columns do'} not differ by more than chance explains.</span>}
        {many.length > 0 && <span>Too many texts to compare: {many.map((f) => f.column).join(', ')}.</span>}
      </footer>
    </>
  );
}

export function Card({ facet, selected, rest }: { facet: Facet; selected: number; rest: number }) {
  const shares = facet.values.map((v) => ({ value: v.value, of: v.selected / selected, against: v.rest / rest }));
  const top = Math.max(...shares.map((s) => Math.max(s.of, s.against)), 1e-9);
  const more = facet.n_values - facet.values.length;
  const menu = (e: MouseEvent) => openMenu(e, facet.column, [{ label: `Group by ${facet.column}`, run: () => groupBy(facet.column) }]);
  return (
    <li class="different-card" aria-label={`${facet.column}, ${percent(facet.difference)} different`}>
      <h3>
        <button type="button" class="value mono" aria-haspopup="menu" onClick={menu} onContextMenu={menu}>{facet.column}</button>
        <span class="muted num" title={facet.significant ? `${percent(facet.effect)} of it is beyond chance; ${facet.q < 1e-6 ? 'under one in a million' : percent(facet.q)} of what is called so is false` : 'no more than chance may make'}>{percent(facet.difference)} different{facet.significant ? '' : ', by chance'}</span>
      </h3>
      {facet.histogram ? <Histogram of={facet.histogram} column={facet.column} selected={selected} rest={rest} /> : <ul>
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
      </ul>}
      {!facet.histogram && facet.n_values > 0 && more > 0 && <p class="muted">and {count(more)} more {more === 1 ? 'value' : 'values'}</p>}
    </li>
  );
}

// Both distributions over each other, each as shares of its own rows that have a number.
function Histogram({ of, column, selected, rest }: { of: NonNullable<Facet['histogram']>; column: string; selected: number; rest: number }) {
  const sum = (list: number[]) => list.reduce((a, b) => a + b, 0);
  const [ns, nr] = [sum(of.selected), sum(of.rest)];
  const share = (list: number[], n: number) => list.map((v) => (n ? v / n : 0));
  const [s, r] = [share(of.selected, ns), share(of.rest, nr)];
  const top = Math.max(...s, ...r, 1e-9);
  const n = s.length;
  const [w, h] = [300, 72];
  const steps = (list: number[]) => `M0 ${h}${list.map((v, i) => `V${(h - (v / top) * h).toFixed(1)}H${(((i + 1) * w) / n).toFixed(1)}`).join('')}V${h}Z`;
  const text = (v: number) => withUnit(v, unitOf(column));
  const middle = (list: number[]) => {
    let left = sum(list) / 2;
    const i = list.findIndex((v) => (left -= v) <= 0);
    return of.edges[Math.max(0, i)] ?? 0;
  };
  const absent = (all: number, has: number) => percent(all ? 1 - has / all : 0);
  return (
    <figure class="pair-histogram">
      <svg viewBox={`0 0 ${w} ${h}`} preserveAspectRatio="none" role="img"
        aria-label={`Selected rows around ${text(middle(of.selected))}, the rest around ${text(middle(of.rest))}`}>
        <path class="rest" d={steps(r)} />
        <path class="selected" d={steps(s)} />
      </svg>
      <figcaption class="num muted"><span>{text(of.edges[0]!)}</span><span>{text(of.edges[n]!)}</span></figcaption>
      {(ns < selected || nr < rest) && <p class="muted num">absent: {absent(selected, ns)} of the selected rows, {absent(rest, nr)} of the rest</p>}
    </figure>
  );
}
