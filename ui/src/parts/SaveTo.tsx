// SPDX-License-Identifier: Apache-2.0
// From a question: onto a board (the button, then the board: two clicks), or watched by a trigger.

import { useState } from 'preact/hooks';
import { stored } from '../lib/alerts';
import { addQuestion, boards, type Board } from '../lib/boards';
import { questionName, specOf } from '../lib/query';
import { href, useRoute } from '../lib/route';
import { rangeOf } from '../lib/time';
import { openMenu } from './Menu';
import { ErrorBox } from './States';

const LISTED = 15;

export function SaveTo() {
  const { params } = useRoute();
  const [saved, setSaved] = useState<{ board: Board; name: string } | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const trigger = params.get('trigger'); // whose question is being changed
  const keep = ['c', 'w', 'by', 'fx', 'cf', 'or', 'h'].reduce<Record<string, string[]>>((o, k) => ({ ...o, [k]: params.getAll(k) }), {});
  const add = (to: Board | null) => {
    const range = rangeOf(params);
    const spec = stored(specOf(params), Math.max(60, Math.round(range.to - range.from)));
    void addQuestion(to, params.get('ds') ?? '', spec).then((board) => setSaved({ board, name: questionName(spec) }), setError);
  };
  const open = (e: MouseEvent) => {
    const at = e.currentTarget as HTMLElement;
    setError(null);
    setSaved(null);
    const newest = (a: Board, b: Board) => ((b.updated_at ?? '') < (a.updated_at ?? '') ? -1 : 1);
    boards().then((list) => openMenu(at, 'Add this question to', [
      ...list.sort(newest).slice(0, LISTED).map((b) => ({ label: b.name, hint: b.panels.length === 1 ? '1 panel' : `${b.panels.length} panels`, run: () => add(b) })),
      { label: 'A new board', run: () => add(null) },
    ]), setError);
  };
  return (
    <div class="save-to">
      {saved && <span role="status">Added to <a href={href(`boards/${saved.board.id}`, { t: null, from: null, to: null, ds: null })}>{saved.board.name}</a></span>}
      {error && <ErrorBox error={error} />}
      <button type="button" class="button small" aria-haspopup="menu" onClick={open}>Add to board</button>
      {trigger
        ? <a class="button small primary" href={href(`triggers/${trigger}`, { ...keep, edit: '1' })}>Use it for the trigger</a>
        : <a class="button small" href={href('triggers/new', keep)}>Make a trigger</a>}
    </div>
  );
}
