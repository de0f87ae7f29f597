// SPDX-License-Identifier: Apache-2.0
// A board's name, description and preset filters, in place.

import { useId, useState } from 'preact/hooks';
import type { Board, Preset } from '../lib/boards';
import { fields } from '../lib/schema';
import { focusOnce, useLoad } from '../lib/use';

const MOST_PRESETS = 5;

export function Settings({ board, keep, close }: { board: Board; keep: (b: Board) => void; close: () => void }) {
  const id = useId();
  const [name, setName] = useState(board.name);
  const [about, setAbout] = useState(board.description);
  const [presets, setPresets] = useState<Preset[]>(board.preset_filters ?? []);
  const known = useLoad('fields of boards', () => fields());
  const set = (i: number, p: Partial<Preset>) => setPresets(presets.map((x, k) => (k === i ? { ...x, ...p } : x)));
  const save = (e: Event) => {
    e.preventDefault();
    keep({ ...board, name: name.trim(), description: about.trim(), preset_filters: presets.filter((p) => p.column.trim()).map((p) => ({ column: p.column.trim(), alias: (p.alias.trim() || p.column.trim()).slice(0, 50) })) });
    close();
  };
  return (
    <form class="panel board-settings" onSubmit={save} aria-label="Settings of the board" onKeyDown={(e) => { if (e.key === 'Escape') { e.stopPropagation(); close(); } }}>
      <div class="bar">
        <label class="small-field wide">Name<input value={name} onInput={(e) => setName(e.currentTarget.value)} maxLength={255} required ref={focusOnce} /></label>
        <label class="small-field grow">Description<input value={about} onInput={(e) => setAbout(e.currentTarget.value)} maxLength={1024} /></label>
      </div>
      <fieldset class="presets-of">
        <legend>Preset filters: inputs above the panels</legend>
        {presets.map((p, i) => (
          <div class="bar" key={i}>
            <label class="small-field wide">Field<input list={id} value={p.column} onInput={(e) => set(i, { column: e.currentTarget.value })} maxLength={255} placeholder="service.name" /></label>
            <label class="small-field wide">Called<input value={p.alias} onInput={(e) => set(i, { alias: e.currentTarget.value })} maxLength={50} placeholder={p.column || 'Service'} /></label>
            <button type="button" class="button low" onClick={() => setPresets(presets.filter((_, k) => k !== i))} aria-label={`Remove the preset filter ${p.alias || p.column || i + 1}`}>Remove</button>
          </div>
        ))}
        <datalist id={id}>{(known.data ?? []).map((f) => <option value={f.name} />)}</datalist>
        {presets.length < MOST_PRESETS && <button type="button" class="button" onClick={() => setPresets([...presets, { column: '', alias: '' }])}>+ Preset filter</button>}
      </fieldset>
      <div class="bar"><button type="submit" class="button primary">Keep</button><button type="button" class="button" onClick={close}>Cancel</button></div>
    </form>
  );
}
