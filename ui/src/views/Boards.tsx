// SPDX-License-Identifier: Apache-2.0
// All boards, and a new one; one of them is boards/OneBoard.tsx.

import { useState } from 'preact/hooks';
import { stored } from '../lib/alerts';
import { addQuestion, boards, makeBoard, type Board } from '../lib/boards';
import { environment } from '../lib/env';
import { specOf } from '../lib/query';
import { readyQuestions } from '../lib/ready';
import { go, href, paramsOf, useRoute } from '../lib/route';
import { fields } from '../lib/schema';
import { useLoad } from '../lib/use';
import { OneBoard } from '../boards/OneBoard';
import { Empty, ErrorBox, Progress } from '../parts/States';

const FILTER_FROM = 8;
const READY = 6; // panels of a board that makes itself
const HOUR = 3600;

// A board of the questions that the fields there are allow to ask.
async function readyBoard(): Promise<Board> {
  const list = readyQuestions(await fields(), READY);
  if (list.length === 0) throw new Error('Nothing has come here yet that a board could show.');
  let b = await makeBoard('Overview');
  for (const q of list) b = await addQuestion(b, '', stored(specOf(paramsOf(q.changes)), HOUR), q.name);
  return b;
}

export function Boards() {
  const { arg } = useRoute();
  return arg ? <OneBoard key={arg} id={arg} /> : <List />;
}

function List() {
  const list = useLoad(`boards ${environment()}`, boards);
  const [name, setName] = useState('');
  const [words, search] = useState('');
  const [error, setError] = useState<Error | null>(null);
  const [making, setMaking] = useState(false);
  const make = (one: Promise<Board>) => {
    setError(null);
    setMaking(true);
    one.then((b) => go(href(`boards/${b.id}`)), setError).finally(() => setMaking(false));
  };
  const create = (e: Event) => {
    e.preventDefault();
    make(makeBoard(name.trim()));
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
          <button type="submit" class="button primary low" disabled={making}>Make the board</button>
          <button type="button" class="button low" disabled={making} onClick={() => make(readyBoard())}>{making ? 'Making it …' : 'Make one of ready questions'}</button>
        </form>
        {error && <ErrorBox error={error} />}
      </section>
    </div>
  );
}
