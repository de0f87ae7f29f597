// SPDX-License-Identifier: Apache-2.0
// Settings: who may log in, one's own password, and the audit log.

import { useState } from 'preact/hooks';
import { api } from '../lib/api';
import { dateTime, nsToMs } from '../lib/format';
import type { Me, Role } from '../lib/session';
import type { AuditEntry, User } from '../lib/types';
import { useLoad } from '../lib/use';
import { Copyable, Empty, ErrorBox, Progress } from '../parts/States';

const WAYS = { password: 'with a password', oidc: 'through the provider', waiting: 'through the provider, not yet' };
const when = (ns: string | null) => (ns ? dateTime(nsToMs(ns)) : '–');

export function Users({ me }: { me: Me }) {
  const users = useLoad('users', api.users);
  const oidc = useLoad('ways', api.ways).data?.oidc;
  const [error, setError] = useState<Error | null>(null);
  const change = (name: string, what: { role?: Role; disabled?: boolean }) => {
    setError(null);
    api.changeUser(name, what).catch(setError).finally(users.reload);
  };
  return (
    <>
      {users.loading && !users.data && <Progress loading progress={null} />}
      {users.error && <ErrorBox error={users.error} retry={users.reload} />}
      {me.mode === 'open' && <div class="note">Open mode: nobody is asked who they are. Users log in once the server runs with <code>--auth keys</code>.</div>}
      <Invite />
      {oidc && <Expect name={oidc.name} done={users.reload} />}
      {users.data && (
        <section class="panel" aria-labelledby="users"><h2 id="users">Users</h2>
          {error && <ErrorBox error={error} />}
          {users.data.length === 0 ? <Empty title="There is no user yet"><p>A link makes the first one.</p></Empty> : (
            <div class="table-wrap" role="region" aria-label="All users" tabIndex={0}>
              <table class="table">
                <thead><tr><th>Name</th><th>Logs in</th><th>Role</th><th>Last login</th><th>Made</th><th /></tr></thead>
                <tbody>{users.data.map((u) => <Line key={u.name} u={u} change={change} self={me.user?.name === u.name} />)}</tbody>
              </table>
            </div>
          )}
        </section>
      )}
      {me.user?.login === 'password' && <OwnPassword />}
    </>
  );
}

function Line({ u, change, self }: { u: User; self: boolean; change: (name: string, what: { role?: Role; disabled?: boolean }) => void }) {
  return (
    <tr class={u.disabled_ns ? 'dim' : ''}>
      <td class="grow"><b>{u.name}</b>{self && <span class="muted"> you</span>}</td>
      <td class="nowrap muted">{WAYS[u.login]}</td>
      <td>
        <select value={u.role} aria-label={`Role of ${u.name}`} onChange={(e) => change(u.name, { role: e.currentTarget.value as Role })}>
          <option value="viewer">viewer</option><option value="admin">admin</option>
        </select>
      </td>
      <td class="num nowrap">{when(u.last_login_ns)}</td>
      <td class="num nowrap">{when(u.created_ns)}</td>
      <td class="right nowrap">
        {u.disabled_ns && <span class="muted">disabled </span>}
        <button type="button" class="button small" aria-label={`${u.disabled_ns ? 'Enable' : 'Disable'} ${u.name}`} onClick={() => change(u.name, { disabled: !u.disabled_ns })}>{u.disabled_ns ? 'Enable' : 'Disable'}</button>
      </td>
    </tr>
  );
}

function Invite() {
  const [role, setRole] = useState<Role>('viewer');
  const [link, setLink] = useState<string | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const create = (e: Event) => {
    e.preventDefault();
    setError(null);
    api.createLink(role).then(({ token }) => setLink(`${location.origin}/ui/welcome#${token}`), setError);
  };
  return (
    <section class="panel" aria-labelledby="invite"><h2 id="invite">New user</h2>
      <p class="muted">Whoever opens the link chooses name and password. It works once, within an hour.</p>
      <form class="bar" onSubmit={create}>
        <label class="small-field">Role
          <select value={role} aria-label="Role" onChange={(e) => setRole(e.currentTarget.value as Role)}>
            <option value="viewer">viewer: asks questions in every environment</option><option value="admin">admin: keys, users, deletes, too</option>
          </select>
        </label>
        <button type="submit" class="button primary low">Make a link</button>
      </form>
      {link && <Copyable text={link} label="the link" key={link} />}
      {error && <ErrorBox error={error} />}
    </section>
  );
}

function Expect({ name, done }: { name: string; done: () => void }) {
  const [who, setWho] = useState('');
  const [role, setRole] = useState<Role>('viewer');
  const [error, setError] = useState<Error | null>(null);
  const create = (e: Event) => {
    e.preventDefault();
    setError(null);
    api.expectUser(who.trim(), role).then(() => { setWho(''); done(); }, setError);
  };
  return (
    <section class="panel" aria-labelledby="expect"><h2 id="expect">New user through {name}</h2>
      <p class="muted">Without a password here: whoever the provider vouches for by this e-mail address, or by this subject, is the user from the first login on.</p>
      <form class="bar" onSubmit={create}>
        <label class="small-field wide">E-mail address or subject<input value={who} onInput={(e) => setWho(e.currentTarget.value)} autocapitalize="none" spellcheck={false} required /></label>
        <label class="small-field">Role
          <select value={role} aria-label="Role of the new user" onChange={(e) => setRole(e.currentTarget.value as Role)}>
            <option value="viewer">viewer</option><option value="admin">admin</option>
          </select>
        </label>
        <button type="submit" class="button low">Make the user</button>
      </form>
      {error && <ErrorBox error={error} />}
    </section>
  );
}

export function OwnPassword() {
  const [old, setOld] = useState('');
  const [fresh, setFresh] = useState('');
  const [said, say] = useState<Error | true | null>(null);
  const submit = (e: Event) => {
    e.preventDefault();
    say(null);
    api.password(old, fresh).then(() => { setOld(''); setFresh(''); say(true); }, say);
  };
  return (
    <section class="panel" aria-labelledby="own-password"><h2 id="own-password">Your password</h2>
      <form class="bar" onSubmit={submit}>
        <label class="small-field wide">Old password<input type="password" autocomplete="current-password" value={old} onInput={(e) => setOld(e.currentTarget.value)} required /></label>
        <label class="small-field wide">New password<input type="password" autocomplete="new-password" minLength={10} value={fresh} onInput={(e) => setFresh(e.currentTarget.value)} required /></label>
        <button type="submit" class="button low">Change</button>
      </form>
      {said instanceof Error && <ErrorBox error={said} />}
      {said === true && <div class="note" role="status">Changed. Your other sessions have ended.</div>}
    </section>
  );
}

export function Audit() {
  const first = useLoad('audit', (signal) => api.audit(null, signal));
  const [more, setMore] = useState<{ entries: AuditEntry[]; next: number | null } | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const entries = [...(first.data?.entries ?? []), ...(more?.entries ?? [])];
  const next = more ? more.next : first.data?.next ?? null;
  const load = () => {
    setError(null);
    api.audit(next).then((a) => setMore((m) => ({ entries: [...(m?.entries ?? []), ...a.entries], next: a.next })), setError);
  };
  return (
    <section class="panel" aria-labelledby="audit">
      <div class="bar"><h2 id="audit">Audit log</h2><span class="muted">keys, environments, users, deletes and logins, newest first</span></div>
      {first.loading && !first.data && <Progress loading progress={null} />}
      {first.error && <ErrorBox error={first.error} retry={first.reload} />}
      {first.data && entries.length === 0 && <Empty title="Nothing was changed yet" />}
      {entries.length > 0 && (
        <div class="table-wrap" role="region" aria-label="Entries" tabIndex={0}>
          <table class="table">
            <thead><tr><th>When</th><th>Who</th><th>What</th><th>On</th><th>From</th></tr></thead>
            <tbody>
              {entries.map((e) => (
                <tr key={e.number}>
                  <td class="num nowrap">{when(e.at_ns)}</td><td class="nowrap">{e.who}</td>
                  <td class={`nowrap${e.what === 'login.failed' ? ' error' : ''}`}>{e.what}</td>
                  <td class="grow">{e.on}</td><td class="num nowrap muted">{e.from || '–'}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {error && <ErrorBox error={error} />}
      {next !== null && <div><button type="button" class="button" onClick={load}>Earlier ones</button></div>}
    </section>
  );
}
