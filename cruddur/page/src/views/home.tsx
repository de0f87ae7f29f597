// SPDX-License-Identifier: Apache-2.0
// The latest posts, and a box to write one.

import { useState } from 'preact/hooks';
import { api, type Post } from '../api';
import { Posts } from '../parts/post';
import { Write } from '../parts/write';
import { exactly, type Shell, type View } from '../view';

const TTLS: [string, string][] = [['30-days', '30 days'], ['7-days', '7 days'], ['3-days', '3 days'], ['1-day', '1 day'], ['12-hours', '12 hours'], ['3-hours', '3 hours'], ['1-hour', '1 hour']];

function Compose({ shell }: { shell: Shell }) {
  const [ttl, setTtl] = useState('7-days');
  return (
    <Write label="What would you like to say?" button="Crud" rows={3} send={(text) => api.post(text, ttl)} done={() => shell.go('/')}>
      <label>stays <select value={ttl} onChange={(e) => setTtl(e.currentTarget.value)}>{TTLS.map(([v, t]) => <option key={v} value={v}>{t}</option>)}</select></label>
    </Write>
  );
}

export const home: View<Post[]> = {
  name: 'home',
  matches: exactly('/'),
  title: () => 'Home',
  load: () => api.home(),
  show: (posts, _argument, shell) => <><Compose shell={shell} /><Posts posts={posts} none="Nobody has said anything yet." shell={shell} /></>,
};
