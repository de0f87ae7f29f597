// SPDX-License-Identifier: Apache-2.0
// The backend's API. Who asks goes with each request as W3C baggage.

import { me } from './people';

export interface Reply { uuid: string; handle: string; message: string; created_at: string }
export interface Post extends Reply { expires_at?: string; likes_count?: number; replies_count?: number; reposts_count?: number; replies?: Reply[] }
export interface Message { uuid: string; display_name: string; handle: string; message?: string; created_at: string }

// What the API refused, in its words; or a failure.
export class Refused extends Error {
  constructor(readonly status: number, readonly words: string[]) {
    super(words.length ? words.join(', ') : `the backend answered ${status}`);
  }
}

let base = '';
let asks = true; // with baggage; the course's backend has one user, and lets no header in
export const setBackend = (url: string, bootcamp: boolean): void => { base = url; asks = !bootcamp; };

async function call<T>(method: string, path: string, body?: object): Promise<T> {
  const headers: Record<string, string> = asks ? { baggage: `user.handle=${me().handle},app.client=web,app.version=0.1.0` } : {};
  if (body) headers['content-type'] = 'application/json';
  const answer = await fetch(base + path, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) });
  if (!answer.ok) throw new Refused(answer.status, answer.status === 422 ? await answer.json() : []);
  return answer.json();
}

const part = encodeURIComponent;

export const api = {
  home: () => call<Post[]>('GET', '/api/activities/home'),
  notifications: () => call<Post[]>('GET', '/api/activities/notifications'),
  profile: (handle: string) => call<Post[]>('GET', `/api/activities/@${part(handle)}`),
  search: (term: string) => call<Post[]>('GET', `/api/activities/search?term=${part(term)}`),
  groups: () => call<Message[]>('GET', '/api/message_groups'),
  messages: (handle: string) => call<Message[]>('GET', `/api/messages/@${part(handle)}?user_reciever_handle=${part(handle)}`),
  post: (message: string, ttl: string) => call<Post>('POST', '/api/activities', { message, ttl }),
  reply: (uuid: string, message: string) => call<Reply>('POST', `/api/activities/${part(uuid)}/reply`, { message }),
  send: (handle: string, message: string) => call<Message>('POST', '/api/messages', { message, user_receiver_handle: handle }),
};
