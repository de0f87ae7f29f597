// SPDX-License-Identifier: Apache-2.0
// The frame: rail, top bar, the view of the URL, menu and key help; keys that work everywhere.

import { useEffect, useRef, useState } from 'preact/hooks';
import { api } from './lib/api';
import { claim } from './lib/color';
import { choose, environment } from './lib/env';
import { go, href, onLinkClick, patch, useRoute, type Route } from './lib/route';
import { known, refused, useSession } from './lib/session';
import { toggleTheme, useTheme } from './lib/theme';
import { fitDefault, namesRange, rangeOf, zoomOut } from './lib/time';
import { everyTracer } from './lib/tracers';
import type { Environment } from './lib/types';
import { useInterval, useLoad } from './lib/use';
import { Icon } from './parts/Icon';
import { Keys } from './parts/Keys';
import { MenuHost } from './parts/Menu';
import { SamplingNote } from './parts/SamplingNote';
import { Empty } from './parts/States';
import { TimePicker } from './parts/TimePicker';
import { TracersNote } from './parts/TracersNote';
import { Boards } from './views/Boards';
import { Errors } from './views/Errors';
import { Groups } from './views/Groups';
import { History } from './views/History';
import { Home } from './views/Home';
import { Login, Welcome } from './views/Login';
import { Logs } from './views/Logs';
import { MapView } from './views/Map';
import { Query } from './views/Query';
import { Recipients } from './views/Recipients';
import { Sampling } from './views/Sampling';
import { Settings } from './views/Settings';
import { Slos } from './views/Slos';
import { TraceView } from './views/Trace';
import { Traces } from './views/Traces';
import { Triggers } from './views/Triggers';

const VIEWS: { id: string; name: string; key: string; icon: string }[] = [
  { id: 'home', name: 'Home', key: 'h', icon: 'home' },
  { id: 'query', name: 'Query', key: 'q', icon: 'query' },
  { id: 'traces', name: 'Traces', key: 't', icon: 'traces' },
  { id: 'map', name: 'Map', key: 'm', icon: 'map' },
  { id: 'logs', name: 'Logs', key: 'l', icon: 'logs' },
  { id: 'errors', name: 'Errors', key: 'e', icon: 'warn' },
  { id: 'boards', name: 'Boards', key: 'b', icon: 'boards' },
  { id: 'triggers', name: 'Alerts', key: 'a', icon: 'bell' },
  { id: 'settings', name: 'Settings', key: 's', icon: 'settings' },
];
// Views without a place in the rail, and the one they are reached from.
const BESIDE: Record<string, { name: string; at: string }> = {
  trace: { name: 'Trace', at: 'traces' }, sampling: { name: 'Sampling', at: 'settings' }, groups: { name: 'Groups', at: 'settings' }, slos: { name: 'SLOs', at: 'triggers' },
  recipients: { name: 'Recipients', at: 'triggers' }, history: { name: 'History', at: 'query' },
};
// Views of rows that a sampling rule may have kept out.
const SAMPLED = new Set(['home', 'query', 'traces', 'map']);
const TIMED = new Set(['home', 'query', 'traces', 'map', 'logs', 'errors']);
const LIVE: Record<string, boolean> = { home: true, traces: true, map: true, query: false };

// A new query starts as a picture of everything: how many, how slow, by service.
// A board's questions have times of their own: of the range at hand it takes over what is fixed.
const viewHref = (id: string) => (id === 'boards' ? href(id, { t: null }) : id === 'query' ? href('query', { c: ['COUNT', 'HEATMAP(duration_ms)'], by: 'service.name' }) : href(id));

export function App() {
  const { view } = useRoute();
  const { out, turn } = useSession();
  if (view === 'welcome') return <Welcome />;
  return out ? <Login /> : <Inside key={turn} />;
}

function Inside() {
  const route = useRoute();
  useEffect(() => void api.me().then(known, () => undefined), []);
  const [keys, setKeys] = useState(false);
  useGlobalKeys(() => setKeys((k) => !k));
  const environments = useEnvironments();
  const ranged = useDefaultRange(route);
  const ready = ranged && environments !== null;
  const env = environment();
  useEffect(() => {
    const name = VIEWS.find((v) => v.id === route.view)?.name ?? (route.view === 'trace' ? `Trace ${route.arg.slice(0, 8)}` : BESIDE[route.view]?.name ?? 'Not found');
    document.title = `${name} · skep`;
  }, [route.view, route.arg]);
  return (
    <div class="app" onClick={onLinkClick}>
      <a class="skip" href="#main" onClick={(e) => { e.preventDefault(); document.getElementById('main')?.focus(); }}>Skip to the content</a>
      <Rail view={route.view} openKeys={() => setKeys(true)} />
      <div class="column">
        {(TIMED.has(route.view) || (route.view === 'boards' && route.arg !== '')) && ready && <Top key={env} view={route.view} environments={environments} />}
        {SAMPLED.has(route.view) && ready && <SamplingNote key={`${env} sampling`} />}
        {SAMPLED.has(route.view) && ready && <TracersNote />}
        <main id="main" tabIndex={-1}>{ready && <View key={`${env} ${everyTracer()}`} view={route.view} />}</main>
      </div>
      <MenuHost />
      {keys && <Keys close={() => setKeys(false)} />}
    </div>
  );
}

function View({ view }: { view: string }) {
  switch (view) {
    case 'home': return <Home />;
    case 'query': return <Query />;
    case 'traces': return <Traces />;
    case 'trace': return <TraceView />;
    case 'map': return <MapView />;
    case 'logs': return <Logs />;
    case 'errors': return <Errors />;
    case 'settings': return <Settings />;
    case 'sampling': return <Sampling />;
    case 'groups': return <Groups />;
    case 'boards': return <Boards />;
    case 'triggers': return <Triggers />;
    case 'slos': return <Slos />;
    case 'history': return <History />;
    case 'recipients': return <Recipients />;
    default: return <div class="view"><Empty title="There is no such page"><a href="/ui/home">Go home</a></Empty></div>;
  }
}

function Rail({ view, openKeys }: { view: string; openKeys: () => void }) {
  const theme = useTheme();
  const { me } = useSession();
  const at = BESIDE[view]?.at ?? view;
  return (
    <nav class="rail" aria-label="Views">
      <a class="brand" href={href('home')} aria-label="skep, home"><img src="/ui/assets/favicon.svg" alt="" width="24" height="24" /><b>skep</b></a>
      {VIEWS.map((v) => (
        <a key={v.id} href={viewHref(v.id)} aria-current={at === v.id ? 'page' : undefined} title={`${v.name} (g ${v.key})`}><Icon name={v.icon} /><span>{v.name}</span></a>
      ))}
      <span class="rail-gap" />
      <button type="button" onClick={openKeys} title="Keys (?)"><Icon name="keys" /><span>Keys</span></button>
      {me?.user && <button type="button" onClick={logout} title={`Log out ${me.user.name}`}><Icon name="out" /><span>Log out</span></button>}
      <button type="button" onClick={toggleTheme} title="Theme (d)"><Icon name={theme === 'dark' ? 'sun' : 'moon'} /><span>{theme === 'dark' ? 'Light' : 'Dark'}</span></button>
    </nav>
  );
}

// Whatever the answer: who asked to be logged out sees the login.
function logout() {
  void api.logout().then(refused, refused);
}

const isLive = (view: string, params: URLSearchParams) => view in LIVE && (params.get('live') === null ? LIVE[view]! : params.get('live') === '1');

const AGE_MS = 5e3;

// An address without a range shows as much as there is. The range is settled before a view asks for
// rows; it grows with the data where the view is live, and elsewhere when one comes to the view.
function useDefaultRange({ view, params }: Route): boolean {
  const [ready, setReady] = useState(namesRange());
  const fit = (signal?: AbortSignal) => api.status(signal).then(fitDefault, () => undefined);
  useEffect(() => {
    const abort = new AbortController();
    void fit(abort.signal).then(() => !abort.signal.aborted && setReady(true));
    return () => abort.abort();
  }, [view]);
  useInterval(isLive(view, params) && !namesRange() ? AGE_MS : null, () => void fit());
  return ready;
}

const ENVIRONMENTS_MS = 2e3;
const SETTLED_MS = 30e3;

// Null until it is settled which one addresses without a name mean. It is settled again while there
// is nothing to see: the first rows may be of another environment.
function useEnvironments(): Environment[] | null {
  const [list, set] = useState<Environment[] | null>(null);
  const load = () => api.environments().then((found) => { choose(found); set(found); }, () => set((known) => known ?? []));
  useEffect(() => void load(), []);
  useInterval(list?.some((e) => e.rows > 0) ? SETTLED_MS : ENVIRONMENTS_MS, () => void load());
  return list;
}

function EnvironmentPicker({ environments }: { environments: Environment[] }) {
  const here = environment();
  const known = environments.some((e) => e.slug === here);
  if (environments.length < 2 && (known || here === 'default')) return null;
  return (
    <>
      <label class="visually-hidden" for="environment">Environment</label>
      <select id="environment" value={here} onChange={(e) => patch({ env: e.currentTarget.value, ds: null })}>
        {!known && <option value={here}>{here}</option>}
        {environments.map((e) => <option value={e.slug}>{e.name}</option>)}
      </select>
    </>
  );
}

const SETS_MS = 15e3;

function Top({ view, environments }: { view: string; environments: Environment[] }) {
  const { params } = useRoute();
  const range = rangeOf(params);
  const sets = useLoad('datasets', (signal) => api.datasets({}, signal));
  useInterval(sets.data?.length ? SETS_MS : 2000, sets.reload);
  const known = useRef(false);
  if (sets.data && !known.current) {
    claim(sets.data.map((d) => d.name));
    known.current = sets.data.length > 0;
  }
  const ds = params.get('ds') ?? '';
  const names = sets.data?.map((d) => d.name) ?? [];
  const live = isLive(view, params);
  const can = view in LIVE && range.relative !== null;
  return (
    <header class="top">
      <EnvironmentPicker environments={environments} />
      {view !== 'boards' && <><label class="visually-hidden" for="dataset">Dataset</label>
      <select id="dataset" value={ds} onChange={(e) => patch({ ds: e.currentTarget.value || null })}>
        <option value="">All datasets</option>
        {ds && !names.includes(ds) && <option value={ds}>{ds}</option>}
        {names.map((n) => <option value={n}>{n}</option>)}
      </select></>}
      <TimePicker {...(view === 'boards' && { unset: 'As the questions say' })} />
      {can && (
        <button type="button" class="button live" aria-pressed={live} data-key="v" onClick={() => patch({ live: live === LIVE[view] ? (live ? '0' : '1') : null }, { replace: true })} title={live ? 'Refreshes by itself; click to hold (v)' : 'Refresh by itself (v)'}>
          <i class={live ? 'on' : ''} aria-hidden="true" /> Live
        </button>
      )}
    </header>
  );
}

const typing = (el: Element | null) => el instanceof HTMLInputElement || el instanceof HTMLTextAreaElement || el instanceof HTMLSelectElement;

const click = (key: string) => document.querySelector<HTMLElement>(`[data-key="${key}"]`)?.click();

// g then a letter goes to a view; / to the search of the view; the rest are single letters.
function useGlobalKeys(help: () => void) {
  useEffect(() => {
    let prefix = 0;
    const onKey = (e: KeyboardEvent) => {
      if (e.ctrlKey || e.metaKey || e.altKey || e.defaultPrevented || document.querySelector('dialog[open]')) return;
      if (typing(e.target as Element)) {
        if (e.key === 'Escape') (e.target as HTMLElement).blur();
        return;
      }
      const view = VIEWS.find((v) => v.key === e.key);
      if (prefix && Date.now() - prefix < 1500 && view) {
        prefix = 0;
        e.preventDefault();
        go(viewHref(view.id));
        return;
      }
      prefix = e.key === 'g' ? Date.now() : 0;
      const run: Record<string, () => void> = {
        '?': help, d: toggleTheme, t: () => click('t'), v: () => click('v'), f: () => click('f'), p: () => click('p'), r: () => click('r'), o: zoomOut,
        '/': () => document.querySelector<HTMLElement>('[data-slash]')?.focus(),
      };
      if (!run[e.key]) return;
      e.preventDefault();
      run[e.key]!();
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, []);
}
