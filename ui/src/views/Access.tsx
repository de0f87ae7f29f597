// SPDX-License-Identifier: Apache-2.0
// Settings: environments, and keys with what to copy for each client.

import { useEffect, useRef, useState } from 'preact/hooks';
import { api } from '../lib/api';
import { count, dateTime, nsToMs } from '../lib/format';
import { base } from '../lib/howto';
import { keyLines } from '../lib/keylines';
import type { ApiKey, Environment, IssuedKey } from '../lib/types';
import { useInterval, useLoad } from '../lib/use';
import { Copyable, Empty, ErrorBox, Progress } from '../parts/States';
import { Sure } from '../parts/Sure';

const REFRESH_MS = 5000;
const DAY_S = 86400;
const LASTS: [string, number][] = [['for ever', 0], ['a day', DAY_S], ['30 days', 30 * DAY_S], ['90 days', 90 * DAY_S], ['a year', 365 * DAY_S]];
const RIGHTS: [string, string][] = [['ingest', 'send data'], ['query', 'ask questions'], ['admin', 'keys, environments, deletes']];

export function Access() {
  const environments = useLoad('environments', api.environments);
  const keys = useLoad('keys', api.keys);
  const [made, setMade] = useState<IssuedKey | null>(null);
  const [env, setEnv] = useState('');
  useInterval(REFRESH_MS, keys.reload); // when they were last used
  const list = environments.data;
  const reload = () => { environments.reload(); keys.reload(); };
  return (
    <>
      {(environments.loading || keys.loading) && (!list || !keys.data) && <Progress loading progress={null} />}
      {environments.error && <ErrorBox error={environments.error} retry={environments.reload} />}
      {list && <Environments list={list} reload={reload} chosen={setEnv} />}
      {list && <NewKey list={list} env={env} made={(k) => { setMade(k); keys.reload(); }} />}
      {made && <Issued made={made} close={() => setMade(null)} />}
      {keys.error && <ErrorBox error={keys.error} retry={keys.reload} />}
      {keys.data && <Keys list={keys.data} reload={keys.reload} />}
    </>
  );
}

function Environments({ list, reload, chosen }: { list: Environment[]; reload: () => void; chosen: (slug: string) => void }) {
  const [name, setName] = useState('');
  const [description, setDescription] = useState('');
  const [error, setError] = useState<Error | null>(null);
  const create = (e: Event) => {
    e.preventDefault();
    setError(null);
    api.createEnvironment(name.trim(), description.trim()).then(({ slug }) => { setName(''); setDescription(''); chosen(slug); reload(); }, setError);
  };
  return (
    <section class="panel" aria-labelledby="environments"><h2 id="environments">Environments</h2>
      <p class="muted">Rows go to the environment of the key they are sent with, and questions see one at a time.</p>
      <div class="table-wrap" role="region" aria-label="All environments" tabIndex={0}>
        <table class="table">
          <thead><tr><th>Environment</th><th>Description</th><th class="right">Rows</th><th /></tr></thead>
          <tbody>
            {list.map((e) => (
              <tr key={e.slug}>
                <td class="nowrap"><b>{e.name}</b>{e.slug !== e.name && <span class="muted"> {e.slug}</span>}</td>
                <td class="grow muted">{e.description}</td>
                <td class="num right">{count(e.rows)}</td>
                <td class="right nowrap">
                  {!e.delete_protected && e.slug !== 'default' && (
                    <Sure label="Delete" name={`Delete environment ${e.slug}`} question="Its keys end, its rows age away." run={() => api.deleteEnvironment(e.slug)} done={reload} failed={setError} />
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <form class="bar" onSubmit={create}>
        <label class="small-field wide">New environment<input value={name} onInput={(e) => setName(e.currentTarget.value)} placeholder="bootcamp" maxLength={100} required /></label>
        <label class="small-field wide">Description<input value={description} onInput={(e) => setDescription(e.currentTarget.value)} maxLength={1000} /></label>
        <button type="submit" class="button low">Create environment</button>
      </form>
      {error && <ErrorBox error={error} />}
    </section>
  );
}

function NewKey({ list, env, made }: { list: Environment[]; env: string; made: (k: IssuedKey) => void }) {
  const [name, setName] = useState('');
  const [environment, setEnvironment] = useState('default');
  const [rights, setRights] = useState<string[]>(['ingest']);
  const [lasts, setLasts] = useState(0);
  const [error, setError] = useState<Error | null>(null);
  useEffect(() => { if (env) setEnvironment(env); }, [env]);
  const all = environment === '';
  const create = (e: Event) => {
    e.preventDefault();
    setError(null);
    const expires_ns = lasts ? `${Math.floor(Date.now() / 1e3) + lasts}000000000` : null;
    api.createKey({ name: name.trim(), environment, rights, expires_ns }).then((k) => { setName(''); made(k); }, setError);
  };
  const toggle = (right: string) => setRights((r) => RIGHTS.map(([x]) => x).filter((x) => (x === right ? !r.includes(x) : r.includes(x))));
  return (
    <section class="panel" aria-labelledby="new-key"><h2 id="new-key">New key</h2>
      <p class="muted">One key works for OpenTelemetry, Honeycomb, AWS and Rollbar clients.</p>
      <form class="bar" onSubmit={create}>
        <label class="small-field wide">Name<input value={name} onInput={(e) => setName(e.currentTarget.value)} placeholder="shop" maxLength={100} required /></label>
        <label class="small-field">Environment
          <select value={environment} aria-label="Environment" onChange={(e) => setEnvironment(e.currentTarget.value)}>
            {list.map((e) => <option value={e.slug}>{e.name}</option>)}
            <option value="">all (queries or administers)</option>
          </select>
        </label>
        <fieldset class="rights"><legend>Rights</legend>
          {RIGHTS.map(([right, what]) => (
            <label title={what}><input type="checkbox" checked={rights.includes(right)} onChange={() => toggle(right)} /> {right}</label>
          ))}
        </fieldset>
        <label class="small-field">Valid
          <select value={String(lasts)} aria-label="Valid" onChange={(e) => setLasts(Number(e.currentTarget.value))}>{LASTS.map(([text, s]) => <option value={String(s)}>{text}</option>)}</select>
        </label>
        <button type="submit" class="button primary low" disabled={rights.length === 0 || (all && rights.join() === 'ingest')}>Create key</button>
      </form>
      {all && rights.join() === 'ingest' && <p class="muted">A key of all environments is one that queries or administers: give it one of these rights, or choose an environment.</p>}
      {error && <ErrorBox error={error} />}
    </section>
  );
}

function Issued({ made, close }: { made: IssuedKey; close: () => void }) {
  const lines = keyLines(made, base());
  const [id, set] = useState(lines[0]!.id);
  const one = lines.find((l) => l.id === id) ?? lines[0]!;
  const ref = useRef<HTMLElement>(null);
  useEffect(() => { ref.current?.focus(); ref.current?.scrollIntoView({ block: 'nearest' }); }, [made.id]);
  return (
    <section class="panel issued" aria-labelledby="issued" ref={ref} tabIndex={-1}>
      <h2 id="issued">Key {made.name}</h2>
      <div class="note">Copy it now: its secrets are shown this once.</div>
      <Copyable text={made.token} label="the key" />
      <div class="segmented" role="group" aria-label="Client">
        {lines.map((l) => <button type="button" aria-pressed={l.id === one.id} onClick={() => set(l.id)}>{l.name}</button>)}
      </div>
      {one.about && <p class="muted">{one.about}</p>}
      <Copyable text={one.text} label={`lines for ${one.name}`} key={one.id} />
      <div><button type="button" class="button" onClick={close}>I have it</button></div>
    </section>
  );
}

const when = (ns: string | null) => (ns ? dateTime(nsToMs(ns)) : '–');

function stateOf(k: ApiKey): string {
  if (k.revoked_ns) return 'revoked';
  if (k.expires_ns && nsToMs(k.expires_ns) < Date.now()) return 'expired';
  return k.disabled ? 'disabled' : '';
}

function Keys({ list, reload }: { list: ApiKey[]; reload: () => void }) {
  const [all, showAll] = useState(false);
  const [error, setError] = useState<Error | null>(null);
  const ended = list.filter((k) => stateOf(k) !== '').length;
  const shown = [...list].reverse().filter((k) => all || stateOf(k) === '');
  return (
    <section class="panel" aria-labelledby="keys">
      <div class="bar"><h2 id="keys">Keys</h2>
        {ended > 0 && <label class="end small"><input type="checkbox" checked={all} onChange={(e) => showAll(e.currentTarget.checked)} /> {count(ended)} that ended</label>}
      </div>
      {error && <ErrorBox error={error} />}
      {shown.length === 0 ? <Empty title="No key is in use"><p>Make one above: programs send with it.</p></Empty> : (
        <div class="table-wrap" role="region" aria-label="All keys" tabIndex={0}>
          <table class="table">
            <thead><tr><th>Name</th><th>Environment</th><th>Rights</th><th>Last used</th><th>Expires</th><th>Made</th><th /></tr></thead>
            <tbody>
              {shown.map((k) => (
                <tr key={k.id} class={stateOf(k) ? 'dim' : ''}>
                  <td><b>{k.name}</b> <code class="muted small nowrap">{k.id.slice(0, 12)}…</code></td>
                  <td>{k.environment || 'all'}</td>
                  <td class="nowrap">{k.rights.join(', ')}</td>
                  <td class="num nowrap">{when(k.last_used_ns)}</td>
                  <td class="num nowrap">{k.expires_ns ? when(k.expires_ns) : 'never'}</td>
                  <td class="num nowrap">{when(k.created_ns)}</td>
                  <td class="right nowrap">{stateOf(k) || <Sure label="Revoke" name={`Revoke key ${k.name}`} question="For good?" run={() => api.revokeKey(k.id)} done={reload} failed={setError} />}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
