// SPDX-License-Identifier: Apache-2.0
//
// Who looks at the page. A call that is answered 401 means that nobody does: the page then shows the
// login, under the address it was at, and goes on there.

import { useEffect, useState } from 'preact/hooks';

export interface Me { mode: 'open' | 'keys'; user: { name: string; role: Role; login: 'password' | 'oidc' | 'waiting' } | null; rights: string[] }
// The ways in; error: what became of the last try through the identity provider, told once.
export interface Ways { password: boolean; oidc: { name: string; error: string | null } | null }
export type Role = 'viewer' | 'admin';

// `turn` grows with each login, so that views begin anew.
interface Session { out: boolean; me: Me | null; turn: number }

let now: Session = { out: false, me: null, turn: 0 };
const listeners = new Set<() => void>();

function become(s: Session) {
  now = s;
  for (const l of listeners) l();
}

export const refused = () => void (now.out || become({ ...now, out: true, me: null }));
export const entered = () => become({ out: false, me: null, turn: now.turn + 1 });
export const known = (me: Me) => become({ ...now, me });

export function useSession(): Session {
  const [s, set] = useState(now);
  useEffect(() => {
    const l = () => set(now);
    listeners.add(l);
    l();
    return () => void listeners.delete(l);
  }, []);
  return s;
}
