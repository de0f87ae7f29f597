// SPDX-License-Identifier: Apache-2.0
// One person's posts.

import { api, type Post } from '../api';
import { people } from '../people';
import { Posts } from '../parts/post';
import { after, type View } from '../view';

export const profile: View<Post[]> = {
  name: 'profile',
  matches: after('/@'),
  title: (handle) => people.find((p) => p.handle === handle)?.name ?? handle,
  load: (handle) => api.profile(handle),
  show: (posts, handle, shell) => <><p class="sub">@{handle}</p><Posts posts={posts} none="Nothing said yet." shell={shell} /></>,
};
