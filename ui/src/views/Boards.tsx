// SPDX-License-Identifier: Apache-2.0
// All boards, and a new one; one of them is boards/OneBoard.tsx.

import { useState } from 'preact/hooks';
import { boards, makeBoard } from '../lib/boards';
import { environment } from '../lib/env';
import { go, href, useRoute } from '../lib/route';
import { useLoad } from '../lib/use';
import { OneBoard } from '../boards/OneBoard';
import { Empty, ErrorBox, Progress } from '../parts/States';

const FILTER_FROM = 8;

export function Boards() {
  const { arg } = useRoute();
  return arg ? <OneBoard key={arg} id={arg} /> : <List />;
}

function List() {
  const list = useLoad(`boards ${environment()}`, boards);
  const [name, setName] = useState('');
  const [words, search] = useState('');
  const [error, setError] = useState<Error | null>(null);
  const create = (e: Event) => {
    e.preventDefault();
    setError(null);
    makeBoard(name.trim()).then((b) => go(href(`boards/${b.id}`)), setError);
  };
  const found = (list.data ?? []).filter((b) => `${b.name} ${b.description}`.toLowerCase().includes(words.toLowerCase())).sort((a, b) => (a.name.toLowerCase() < b.name.toLowerCase() ? -1 : 1));
  return (
    <div class="view boards">
      <div class="bar"><h1>Boards</h1><span class="grow" />{(list.data?.length ?? 0) >= FILTER_FROM && <input class="search" type="search" aria-label="Find a board" placeholder="Find a board" data-slash value={words} onInput={(e) => search(e.currentTarget.value)} />}</div>
      {list.loading && !list.data && <Progress loading progress={null} />}
      {list.error && <ErrorBox error={list.error} retry={list.reload} />}
      {list.data?.length === 0 && <Empty title="No board yet"><p>A board keeps questions that are asked often. Ask one in Query and choose Add to board, or make one here.</p></Empty>}
      {found.length > 0 && (
        <div class="cards">
          {found.map((b) => {
            const n = b.panels.length || (b.queries?.length ?? 0) + (b.slos?.length ?? 0);
            return (
              <a key={b.id} class="panel card" href={href(`boards/${b.id}`)}>
                <h2>{b.name}</h2><p>{b.description}</p><p class="muted">{n === 1 ? '1 panel' : `${n} panels`}</p>
              </a>
            );
          })}
        </div>
      )}
      {list.data && list.data.length > 0 && found.length === 0 && <p class="muted">No board is called that.</p>}
      <section class="panel" aria-labelledby="new-board"><h2 id="new-board">New board</h2>
        <form class="bar" onSubmit={create}>
          <label class="small-field wide">Name<input value={name} onInput={(e) => setName(e.currentTarget.value)} maxLength={255} placeholder="Checkout" required /></label>
          <button type="submit" class="button primary low">Make the board</button>
        </form>
        {error && <ErrorBox error={error} />}
      </section>
    </div>
  );
}
