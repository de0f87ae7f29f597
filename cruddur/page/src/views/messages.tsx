// SPDX-License-Identifier: Apache-2.0
// Whom one has written with, and a conversation.

import { api, type Message } from '../api';
import { me, people } from '../people';
import { Link } from '../parts/link';
import { Write } from '../parts/write';
import { ago } from '../time';
import { after, exactly, type View } from '../view';

export const groups: View<Message[]> = {
  name: 'messages',
  matches: exactly('/messages'),
  title: () => 'Messages',
  load: () => api.groups(),
  show: (list, _argument, shell) => {
    const known = new Set(list.map((g) => g.handle));
    const others = people.filter((p) => !known.has(p.handle) && p.handle !== me().handle);
    return (
      <>
        {list.map((g) => <Link key={g.uuid} class="group" to={`/messages/@${g.handle}`} shell={shell}><strong>{g.display_name}</strong> <span class="sub">@{g.handle}</span><time dateTime={g.created_at}>{ago(g.created_at)}</time></Link>)}
        {others.map((p) => <Link key={p.handle} class="group" to={`/messages/@${p.handle}`} shell={shell}><strong>{p.name}</strong> <span class="sub">write the first message</span></Link>)}
      </>
    );
  },
};

export const messages: View<Message[]> = {
  name: 'conversation',
  matches: after('/messages/@'),
  title: (handle) => people.find((p) => p.handle === handle)?.name ?? handle,
  load: (handle) => api.messages(handle),
  show: (list, handle, shell) => (
    <>
      {list.map((m) => <p key={m.uuid} class={m.handle === me().handle ? 'message mine' : 'message'}><span class="sub">{m.display_name}, {ago(m.created_at)}</span>{m.message}</p>)}
      <Write label={`Write to ${handle}`} button="Send" rows={2} send={(text) => api.send(handle, text)} done={() => shell.go(`/messages/@${handle}`)} />
    </>
  ),
};
