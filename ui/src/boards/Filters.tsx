// SPDX-License-Identifier: Apache-2.0
//
// What narrows a whole board: filters in the address (w), the board's preset filters (an input a field), and its
// views: filters kept under a name. A view's filters go into the address when it is chosen (v says which it was).

import { useId, useState } from 'preact/hooks';
import { dropView, filtersOfView, keepView, viewFilters, views, type Board, type Preset, type View } from '../lib/boards';
import { api } from '../lib/api';
import { value as text } from '../lib/format';
import { filterText, filtersOf, parseFilter, quoteField } from '../lib/query';
import { patch, useRoute } from '../lib/route';
import { typesOf } from '../lib/schema';
import type { Filter } from '../lib/types';
import { focusOnce, useLoad } from '../lib/use';
import { ErrorBox } from '../parts/States';
import { Sure } from '../parts/Sure';
import { Where } from '../parts/Where';

const is = (p: Preset) => (f: Filter) => f.column === p.column && f.op === '=';

export function Filters({ board }: { board: Board }) {
  const { params } = useRoute();
  const filters = filtersOf(params);
  const presets = board.preset_filters ?? [];
  const own = (p: Preset) => filters.find(is(p));
  const set = (p: Preset, typed: string) => {
    const rest = filters.filter((f) => !is(p)(f)).map(filterText);
    patch({ w: typed.trim() === '' ? rest : [...rest, filterText(parseFilter(`${quoteField(p.column)} = ${typed.trim()}`, typesOf))], or: null });
  };
  return (
    <section class="board-filters" aria-label="Filters of the board">
      <Views board={board} filters={filters} />
      {presets.map((p) => <PresetInput key={p.column} preset={p} now={own(p)} set={(v) => set(p, v)} />)}
      <Where error={null} label="Only" and />
    </section>
  );
}

function PresetInput({ preset, now, set }: { preset: Preset; now: Filter | undefined; set: (typed: string) => void }) {
  const id = useId();
  const shown = now ? text(now.value) : '';
  const [typed, type] = useState<string | null>(null);
  const [asked, ask] = useState(false);
  const known = useLoad(asked ? `preset ${preset.column}` : null, (signal) => api.values(preset.column, '', {}, signal));
  const done = () => {
    if (typed !== null && typed.trim() !== shown) set(typed);
    type(null);
  };
  return (
    <label class="small-field inline">{preset.alias}
      <input list={id} value={typed ?? shown} placeholder="any" onFocus={() => ask(true)} onInput={(e) => type(e.currentTarget.value)} onChange={done} onBlur={done} title={preset.column}
        onKeyDown={(e) => { if (e.key === 'Enter') { e.preventDefault(); done(); } else if (e.key === 'Escape') { e.stopPropagation(); type(null); } }} />
      <datalist id={id}>{(known.data?.values ?? []).filter((v) => v.value !== null).map((v) => <option value={text(v.value)} />)}</datalist>
    </label>
  );
}

function Views({ board, filters }: { board: Board; filters: Filter[] }) {
  const { params } = useRoute();
  const list = useLoad(`views ${board.id}`, (signal) => views(board.id, signal));
  const [name, setName] = useState<string | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const chosen = list.data?.find((v) => v.id === params.get('v')) ?? null;
  const other = chosen !== null && JSON.stringify(viewFilters(chosen).map(filterText)) !== JSON.stringify(filters.map(filterText));
  const show = (v: View | null) => patch({ v: v?.id ?? null, w: v ? viewFilters(v).map(filterText) : [], or: null });
  const run = (what: Promise<View>) => { setError(null); what.then((v) => { setName(null); list.reload(); patch({ v: v.id }, { replace: true }); }, setError); };
  const save = (e: Event) => { e.preventDefault(); run(keepView(board.id, { name: name!.trim(), filters: filtersOfView(filters) })); };
  return (
    <>
      {(list.data?.length ?? 0) > 0 && (
        <label class="small-field inline">View
          <select value={chosen?.id ?? ''} onChange={(e) => show(list.data!.find((v) => v.id === e.currentTarget.value) ?? null)}>
            <option value="">everything</option>
            {list.data!.map((v) => <option value={v.id}>{v.name}</option>)}
          </select>
        </label>
      )}
      {chosen && other && filters.length > 0 && <button type="button" class="button" onClick={() => run(keepView(board.id, { name: chosen.name, filters: filtersOfView(filters) }, chosen.id))}>Keep in {chosen.name}</button>}
      {chosen && <Sure label="Delete the view" name={`Delete the view ${chosen.name}`} question="For everybody?" run={() => dropView(board.id, chosen.id)} done={() => { show(null); list.reload(); }} failed={setError} />}
      {filters.length > 0 && name === null && (!chosen || other) && <button type="button" class="button" onClick={() => setName('')}>Save as a view</button>}
      {name !== null && (
        <form class="bar" onSubmit={save} aria-label="Save as a view" onKeyDown={(e) => { if (e.key === 'Escape') { e.stopPropagation(); setName(null); } }}>
          <input aria-label="Name of the view" value={name} maxLength={255} required placeholder="Checkout in production" ref={focusOnce} onInput={(e) => setName(e.currentTarget.value)} />
          <button type="submit" class="button primary">Save the view</button>
        </form>
      )}
      {(error ?? list.error) && <ErrorBox error={(error ?? list.error)!} />}
    </>
  );
}
