// SPDX-License-Identifier: Apache-2.0
// What others replied to.

import { api, type Post } from '../api';
import { Posts } from '../parts/post';
import { exactly, type View } from '../view';

export const notifications: View<Post[]> = {
  name: 'notifications',
  matches: exactly('/notifications'),
  title: () => 'Notifications',
  load: () => api.notifications(),
  show: (posts, _argument, shell) => <Posts posts={posts} none="No replies to your posts yet." shell={shell} />,
};
