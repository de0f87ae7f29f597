// SPDX-License-Identifier: Apache-2.0
// From a question: to a board, or watched by a trigger.

import { useState } from 'preact/hooks';
import { boards, saveToBoard } from '../lib/alerts';
import { environment } from '../lib/env';
import { specOf } from '../lib/query';
import { href, useRoute } from '../lib/route';
import { rangeOf } from '../lib/time';
import { useLoad } from '../lib/use';
import { ErrorBox } from './States';

export function SaveTo() {
  const { params } = useRoute();
  const [open, setOpen] = useState(false);
  const keep = ['c', 'w', 'by', 'fx'].reduce<Record<string, string[]>>((o, k) => ({ ...o, [k]: params.getAll(k) }), {});
  return (
    <div class="save-to">
      <button type="button" class="button small" aria-expanded={open} onClick={() => setOpen(!open)}>Save to board</button>{' '}
      <a class="button small" href={href('triggers/new', keep)}>Make a trigger</a>
      {open && <Form close={() => setOpen(false)} />}
    </div>
  );
}

function Form({ close }: { close: () => void }) {
  const { params } = useRoute();
  const list = useLoad(`boards ${environment()}`, boards);
  const [board, setBoard] = useState('');
  const [name, setName] = useState('');
  const [saved, setSaved] = useState<string | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const chosen = board || list.data?.[0]?.id || '';
  const save = (e: Event) => {
    e.preventDefault();
    setError(null);
    const range = rangeOf(params);
    const seconds = Math.max(60, Math.round(range.to - range.from));
    void saveToBoard(chosen, name.trim(), params.get('ds') ?? '', specOf(params), seconds).then(() => setSaved(chosen), setError);
  };
  if (saved) return <p role="status">Saved: <a href={href(`boards/${saved}`)}>open the board</a></p>;
  if (list.data?.length === 0) return <p>There is no board yet: <a href={href('boards')}>make one</a></p>;
  return (
    <form class="bar" onSubmit={save} aria-label="Save to board" onKeyDown={(e) => e.key === 'Escape' && close()}>
      <label class="small-field">Board<select value={chosen} onChange={(e) => setBoard(e.currentTarget.value)}>{(list.data ?? []).map((b) => <option value={b.id}>{b.name}</option>)}</select></label>
      <label class="small-field wide">Name of the question<input value={name} onInput={(e) => setName(e.currentTarget.value)} maxLength={320} required autofocus /></label>
      <button type="submit" class="button primary low" disabled={!chosen}>Save</button>
      {(error || list.error) && <ErrorBox error={(error ?? list.error)!} />}
    </form>
  );
}
