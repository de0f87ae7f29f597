// SPDX-License-Identifier: Apache-2.0
// The frame around the views, and the way from one to another. A view is loaded where the click is handled,
// so that its requests belong to the click's trace.

import { useEffect, useState } from 'preact/hooks';
import { become, me, people } from './people';
import { Link } from './parts/link';
import { said } from './parts/write';
import { traced } from './tracing';
import type { Shell, View } from './view';
import { home } from './views/home';
import { groups, messages } from './views/messages';
import { notifications } from './views/notifications';
import { profile } from './views/profile';
import { search } from './views/search';

// Each view knows what it loads; the table need not.
const views: View<any>[] = [home, notifications, search, groups, messages, profile];
const MENU: [string, string][] = [['/', 'Home'], ['/notifications', 'Notifications'], ['/search', 'Search'], ['/messages', 'Messages']];

export interface Shown { path: string; view: View<any>; argument: string; data?: unknown; wrong?: string }

// The view of a path, loaded: one that failed says why.
export function load(path: string): Promise<Shown> {
  const found = views.map((view) => ({ view, argument: view.matches(path) })).find((x) => x.argument !== null);
  const { view, argument } = found ? { view: found.view, argument: found.argument! } : { view: home, argument: '' };
  const shown: Shown = { path, view, argument };
  return traced(`view ${view.name}`, (span) => {
    span.setAttribute('user.handle', me().handle);
    return view.load(argument);
  }).then((data) => ({ ...shown, data }), (e) => ({ ...shown, wrong: said(e) }));
}

function Menu({ shown, shell }: { shown: Shown; shell: Shell }) {
  const choose = (e: { currentTarget: HTMLSelectElement }): void => { become(e.currentTarget.value); shell.go(shown.path); };
  return (
    <nav aria-label="Views">
      <Link to="/" shell={shell} class="brand">Cruddur</Link>
      {MENU.map(([to, text]) => <Link key={to} to={to} shell={shell} current={shown.path === to}>{text}</Link>)}
      <Link to={`/@${me().handle}`} shell={shell} current={shown.path === `/@${me().handle}`}>Profile</Link>
      <label class="me">You are
        <select value={me().handle} onChange={choose}>{people.map((p) => <option key={p.handle} value={p.handle}>{p.name}</option>)}</select>
      </label>
    </nav>
  );
}

export function App({ first }: { first: Shown }) {
  const [shown, setShown] = useState(first);
  const [busy, setBusy] = useState(false);
  const show = (path: string): void => {
    setBusy(true);
    load(path).then((s) => { setShown(s); setBusy(false); });
  };
  const shell: Shell = {
    go: (path) => {
      if (path !== location.pathname + location.search) history.pushState(null, '', path);
      show(path);
    },
  };
  useEffect(() => {
    const back = (): void => show(location.pathname + location.search);
    addEventListener('popstate', back);
    return () => removeEventListener('popstate', back);
  }, []);
  const title = shown.view.title(shown.argument);
  useEffect(() => { document.title = `${title} - Cruddur`; }, [title]);
  return (
    <div class="app">
      <Menu shown={shown} shell={shell} />
      <main aria-busy={busy}>
        <h1>{title}</h1>
        {shown.wrong ? <p class="wrong" role="alert">{shown.wrong}</p> : shown.view.show(shown.data, shown.argument, shell)}
      </main>
    </div>
  );
}
