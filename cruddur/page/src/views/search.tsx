// SPDX-License-Identifier: Apache-2.0
// Posts with a text in them.

import { useState } from 'preact/hooks';
import { api, type Post } from '../api';
import { Posts } from '../parts/post';
import type { Shell, View } from '../view';

function Box({ term, shell }: { term: string; shell: Shell }) {
  const [text, setText] = useState(term);
  const submit = (e: Event): void => { e.preventDefault(); shell.go(`/search?term=${encodeURIComponent(text)}`); };
  return (
    <form class="search" role="search" onSubmit={submit}>
      <input type="search" aria-label="Search posts" placeholder="Search posts" value={text} onInput={(e) => setText(e.currentTarget.value)} />
      <button type="submit">Search</button>
    </form>
  );
}

export const search: View<Post[]> = {
  name: 'search',
  matches: (path) => (path === '/search' ? '' : path.startsWith('/search?') ? new URLSearchParams(path.slice(8)).get('term') ?? '' : null),
  title: () => 'Search',
  load: (term) => (term ? api.search(term) : Promise.resolve([])),
  show: (posts, term, shell) => <><Box key={term} term={term} shell={shell} />{term ? <Posts posts={posts} none={`No post has “${term}” in it.`} shell={shell} /> : null}</>,
};
