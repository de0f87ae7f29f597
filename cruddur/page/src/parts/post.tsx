// SPDX-License-Identifier: Apache-2.0
// A post with its replies.

import { useState } from 'preact/hooks';
import { api, type Post, type Reply } from '../api';
import { handleOf } from '../people';
import { ago } from '../time';
import type { Shell } from '../view';
import { Link } from './link';
import { Write } from './write';

function Head({ of, shell }: { of: Reply; shell: Shell }) {
  return (
    <header>
      <span class="face" aria-hidden="true">{of.handle.slice(0, 1).toUpperCase()}</span>
      <Link to={`/@${handleOf(of.handle)}`} shell={shell} class="who">{of.handle}</Link>
      <time dateTime={of.created_at}>{ago(of.created_at)}</time>
    </header>
  );
}

export function PostCard({ post, shell }: { post: Post; shell: Shell }) {
  const [replying, setReplying] = useState(false);
  const reload = (): void => { setReplying(false); shell.go(location.pathname + location.search); };
  return (
    <article class="post">
      <Head of={post} shell={shell} />
      <p>{post.message}</p>
      {post.replies?.map((r) => (
        <article key={r.uuid} class="reply">
          <Head of={r} shell={shell} />
          <p>{r.message}</p>
        </article>
      ))}
      {post.replies && (
        <footer>
          <button type="button" class="quiet" aria-expanded={replying} onClick={() => setReplying(!replying)}>Reply</button>
          <span>{post.likes_count ?? 0} likes</span>
        </footer>
      )}
      {replying && <Write label={`Reply to ${post.handle}`} button="Send reply" rows={2} send={(text) => api.reply(post.uuid, text)} done={reload} />}
    </article>
  );
}

export function Posts({ posts, none, shell }: { posts: Post[]; none: string; shell: Shell }) {
  return posts.length ? <>{posts.map((p) => <PostCard key={p.uuid} post={p} shell={shell} />)}</> : <p class="none">{none}</p>;
}
