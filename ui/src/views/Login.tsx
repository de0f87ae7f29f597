// SPDX-License-Identifier: Apache-2.0
// The way in: name and password, and the one-time link that makes a user.

import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { api } from '../lib/api';
import { go } from '../lib/route';
import { entered } from '../lib/session';
import { useLoad } from '../lib/use';
import { ErrorBox } from '../parts/States';

const PASSWORD_MIN = 10;

function Door({ title, children }: { title: string; children: ComponentChildren }) {
  useEffect(() => { document.title = `${title} · skep`; }, [title]);
  useEffect(() => document.querySelector<HTMLElement>('.door input')?.focus(), []);
  return (
    <main class="door">
      <div class="panel">
        <div class="door-brand"><img src="/ui/assets/favicon.svg" alt="" width="28" height="28" /><b>skep</b></div>
        <h1>{title}</h1>
        {children}
      </div>
    </main>
  );
}

// One request at a time; what went wrong stays until the next one.
function useSubmit(run: () => Promise<unknown>) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<Error | null>(null);
  const submit = (e: Event) => {
    e.preventDefault();
    if (busy) return;
    setBusy(true);
    setError(null);
    run().catch(setError).finally(() => setBusy(false));
  };
  return { busy, error, submit };
}

function Field({ label, hint, ...rest }: { label: string; hint?: string } & Record<string, unknown>) {
  const id = `door-${label.toLowerCase().replaceAll(' ', '-')}`;
  return (
    <div class="door-field">
      <label for={id}>{label}</label>
      <input id={id} {...rest} aria-describedby={hint ? `${id}-hint` : undefined} />
      {hint && <div class="muted small" id={`${id}-hint`}>{hint}</div>}
    </div>
  );
}

// The button is a link: the browser leaves the page, and comes back to where it was.
function Provider({ name, error }: { name: string; error: string | null }) {
  return (
    <div class="door-provider">
      {error && <ErrorBox error={new Error(error)} />}
      <a class="button" href={`/skep/v1/oidc/begin?to=${encodeURIComponent(location.pathname + location.search)}`}>Log in with {name}</a>
      <div class="door-or muted small" role="separator"><span>or with a password</span></div>
    </div>
  );
}

export function Login() {
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const { busy, error, submit } = useSubmit(() => api.login(name.trim(), password).then(entered));
  const oidc = useLoad('ways', api.ways).data?.oidc;
  return (
    <Door title="Log in">
      {oidc && <Provider name={oidc.name} error={oidc.error} />}
      <form onSubmit={submit}>
        <Field label="Name" value={name} onInput={(e: InputEvent) => setName((e.target as HTMLInputElement).value)} autocomplete="username" autocapitalize="none" spellcheck={false} required />
        <Field label="Password" type="password" value={password} onInput={(e: InputEvent) => setPassword((e.target as HTMLInputElement).value)} autocomplete="current-password" required />
        {error && <ErrorBox error={error} />}
        <button type="submit" class="button primary" disabled={busy}>{busy ? 'Logging in …' : 'Log in'}</button>
      </form>
      <details>
        <summary class="muted small">No user yet, or the password forgotten?</summary>
        <p class="muted small">Where the server runs: <code>skep user link --data DIR</code> prints a link for a new user, <code>skep user password NAME --data DIR</code> gives a new password.</p>
      </details>
    </Door>
  );
}

export function Welcome() {
  const token = location.hash.slice(1);
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const [again, setAgain] = useState('');
  const { busy, error, submit } = useSubmit(async () => {
    if (password !== again) throw new Error('the two passwords differ');
    await api.welcome(token, name.trim(), password);
    entered();
    go('/ui/home', { replace: true }); // the link is of no use any more
  });
  if (!token) return <Door title="Welcome"><p>This link is cut short: the part behind # is missing. Copy it whole.</p></Door>;
  return (
    <Door title="Welcome">
      <p class="muted">Choose how you log in from now on. The link works once.</p>
      <form onSubmit={submit}>
        <Field label="Name" value={name} onInput={(e: InputEvent) => setName((e.target as HTMLInputElement).value)} autocomplete="username" autocapitalize="none" spellcheck={false} required hint="letters, digits and . _ - @ +" />
        <Field label="Password" type="password" value={password} onInput={(e: InputEvent) => setPassword((e.target as HTMLInputElement).value)} autocomplete="new-password" minLength={PASSWORD_MIN} required hint={`at least ${PASSWORD_MIN} characters`} />
        <Field label="Password again" type="password" value={again} onInput={(e: InputEvent) => setAgain((e.target as HTMLInputElement).value)} autocomplete="new-password" required />
        {error && <ErrorBox error={error} />}
        <button type="submit" class="button primary" disabled={busy}>{busy ? 'Making you a user …' : 'Come in'}</button>
      </form>
    </Door>
  );
}
