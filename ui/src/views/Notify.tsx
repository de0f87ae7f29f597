// SPDX-License-Identifier: Apache-2.0
// Settings: places that messages go to, how they fare, and the messages themselves.

import { useEffect, useRef, useState } from 'preact/hooks';
import { api } from '../lib/api';
import { environment } from '../lib/env';
import { count, dateTime, nsToMs, short } from '../lib/format';
import { patch, useRoute } from '../lib/route';
import type { NotifyMessage, NotifyPlace, PlaceKind } from '../lib/types';
import { useInterval, useLoad } from '../lib/use';
import { Copyable, Empty, ErrorBox, Progress } from '../parts/States';
import { Sure } from '../parts/Sure';

const REFRESH_MS = 2000;
const KINDS: [PlaceKind, string, string, string][] = [
  ['webhook', 'Webhook', 'Address', 'https://example.com/hook'],
  ['slack', 'Slack-compatible', 'Address', 'https://hooks.slack.com/services/…'],
  ['mail', 'Mail', 'Addresses, with commas between', 'ann@example.com'],
];
const STATES: [string, string][] = [['', 'All'], ['waiting', 'Waiting'], ['dead', 'Dead'], ['delivered', 'Delivered']];

const when = (ns: string | null) => (ns ? dateTime(nsToMs(ns)) : '–');

export function Notify() {
  const places = useLoad(`places ${environment()}`, api.places);
  const [secret, show] = useState<{ name: string; secret: string } | null>(null);
  const [turn, again] = useState(0);
  useInterval(REFRESH_MS, places.reload);
  const changed = () => { places.reload(); again((n) => n + 1); };
  return (
    <>
      {places.loading && !places.data && <Progress loading progress={null} />}
      {places.error && <ErrorBox error={places.error} retry={places.reload} />}
      {places.data && <Places list={places.data.places} changed={changed} show={show} />}
      {secret && <Secret {...secret} close={() => show(null)} />}
      {places.data && <NewPlace mail={places.data.mail} made={(p) => { changed(); show(p.secret ? { name: p.name, secret: p.secret } : null); }} />}
      {places.data && places.data.places.length > 0 && <Messages places={places.data.places} turn={turn} changed={changed} />}
    </>
  );
}

function Places({ list, changed, show }: { list: NotifyPlace[]; changed: () => void; show: (s: { name: string; secret: string } | null) => void }) {
  const [error, setError] = useState<Error | null>(null);
  const run = (what: Promise<unknown>) => { setError(null); void what.then(changed, setError); };
  return (
    <section class="panel" aria-labelledby="places"><h2 id="places">Places</h2>
      <p class="muted">Where messages of the environment {environment()} go. They wait in a queue on disk, and come at least once, in order.</p>
      {error && <ErrorBox error={error} />}
      {list.length === 0 ? <Empty title="Nobody is told of anything yet"><p>Make a place below, then send it a test.</p></Empty> : (
        <div class="table-wrap" role="region" aria-label="All places" tabIndex={0}>
          <table class="table rules">
            <thead><tr><th>Place</th><th>Goes to</th><th>State</th><th class="right">Delivered</th><th class="right">Dead</th><th /></tr></thead>
            <tbody>
              {list.map((p) => (
                <tr key={p.id} class={p.disabled ? 'dim' : ''}>
                  <td class="nowrap"><b>{p.name}</b> <span class="muted">{p.kind}</span></td>
                  <td class="cell" title={p.target}><code>{p.target}</code></td>
                  <td><State p={p} /></td>
                  <td class="num right">{count(p.delivered)}</td>
                  <td class={`num right${p.dead ? ' error' : ''}`} title={p.refused ? `and ${count(p.refused)} that the full queue refused` : ''}>{count(p.dead + p.refused)}</td>
                  <td class="right nowrap">
                    <button type="button" class="button small" onClick={() => run(api.testPlace(p.id))} aria-label={`Send a test to ${p.name}`}>Test</button>{' '}
                    <button type="button" class="button small" onClick={() => run(api.pausePlace(p.id, !p.disabled))} aria-label={`${p.disabled ? 'Resume' : 'Pause'} ${p.name}`}>{p.disabled ? 'Resume' : 'Pause'}</button>{' '}
                    {p.kind === 'webhook' && <><button type="button" class="button small" onClick={() => run(api.placeSecret(p.id).then((s) => show({ name: p.name, secret: s.secret! })))} aria-label={`Secret of ${p.name}`}>Secret</button>{' '}</>}
                    <Sure label="Delete" name={`Delete ${p.name}`} question="With its messages?" run={() => api.deletePlace(p.id)} done={changed} failed={setError} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function State({ p }: { p: NotifyPlace }) {
  if (p.disabled) return <span>paused: messages wait</span>;
  if (p.failures > 0) {
    return (
      <span class="error">failed {count(p.failures)} {p.failures === 1 ? 'time' : 'times'}: {p.last_error}
        {p.retry_ns && <span class="muted"> again at {when(p.retry_ns)}</span>}</span>
    );
  }
  if (p.last_ns === null) return <span class="muted">nothing sent yet</span>;
  return p.last_error ? <span class="error">{p.last_error}</span> : <span>takes them; last {when(p.last_ns)}</span>;
}

function Secret({ name, secret, close }: { name: string; secret: string; close: () => void }) {
  const ref = useRef<HTMLElement>(null);
  useEffect(() => { ref.current?.focus(); ref.current?.scrollIntoView({ block: 'nearest' }); }, [secret]);
  return (
    <section class="panel issued" aria-labelledby="secret" ref={ref} tabIndex={-1}>
      <h2 id="secret">Secret of {name}</h2>
      <p class="muted">Its messages are signed with it, as standardwebhooks.com says: a library of that name checks them.</p>
      <Copyable text={secret} label="the secret" />
      <div><button type="button" class="button" onClick={close}>Close</button></div>
    </section>
  );
}

function NewPlace({ mail, made }: { mail: boolean; made: (p: NotifyPlace) => void }) {
  const [name, setName] = useState('');
  const [kind, setKind] = useState<PlaceKind>('webhook');
  const [target, setTarget] = useState('');
  const [rate, setRate] = useState('60');
  const [error, setError] = useState<Error | null>(null);
  const [, , label, example] = KINDS.find(([k]) => k === kind)!;
  const create = (e: Event) => {
    e.preventDefault();
    setError(null);
    api.createPlace({ name: name.trim(), kind, target: target.trim(), per_minute: Number(rate) }).then((p) => { setName(''); setTarget(''); made(p); }, setError);
  };
  return (
    <section class="panel" aria-labelledby="new-place"><h2 id="new-place">New place</h2>
      <form class="bar" onSubmit={create}>
        <label class="small-field wide">Name<input value={name} onInput={(e) => setName(e.currentTarget.value)} placeholder="on call" maxLength={100} required /></label>
        <label class="small-field">Kind
          <select value={kind} aria-label="Kind" onChange={(e) => setKind(e.currentTarget.value as PlaceKind)}>{KINDS.map(([k, text]) => <option value={k}>{text}</option>)}</select>
        </label>
        <label class="small-field wide">{label}<input value={target} onInput={(e) => setTarget(e.currentTarget.value)} placeholder={example} maxLength={2000} autocapitalize="none" spellcheck={false} required /></label>
        <label class="small-field">A minute, at most<input type="number" min={1} max={60000} value={rate} onInput={(e) => setRate(e.currentTarget.value)} required /></label>
        <button type="submit" class="button primary low">Make the place</button>
      </form>
      {kind === 'mail' && !mail && <p class="muted">No mail server is set, so its messages will wait: start skep with <code>--smtp smtp://HOST:587 --smtp-from ADDRESS</code>.</p>}
      {error && <ErrorBox error={error} />}
    </section>
  );
}

function Messages({ places, turn, changed }: { places: NotifyPlace[]; turn: number; changed: () => void }) {
  const state = useRoute().params.get('state') ?? '';
  const first = useLoad(`messages ${environment()} ${state} ${turn}`, (signal) => api.messages(state, null, signal), true);
  const [more, setMore] = useState<{ list: NotifyMessage[]; next: number | null } | null>(null);
  const [error, setError] = useState<Error | null>(null);
  useInterval(more ? null : REFRESH_MS, first.reload);
  useEffect(() => setMore(null), [state, turn]);
  const list = [...(first.data?.messages ?? []), ...(more?.list ?? [])];
  const next = more ? more.next : first.data?.next ?? null;
  const load = () => void api.messages(state, next).then((a) => setMore((m) => ({ list: [...(m?.list ?? []), ...a.messages], next: a.next })), setError);
  const named = new Map(places.map((p) => [p.id, p.name]));
  return (
    <section class="panel" aria-labelledby="messages">
      <div class="bar"><h2 id="messages">Messages</h2>
        <div class="segmented" role="group" aria-label="Which messages">
          {STATES.map(([id, text]) => <button type="button" aria-pressed={state === id} onClick={() => patch({ state: id || null }, { replace: true })}>{text}</button>)}
        </div>
      </div>
      {(error ?? first.error) && <ErrorBox error={(error ?? first.error)!} />}
      {first.data && list.length === 0 && <Empty title={state ? `None is ${state}` : 'No message yet'}><p>A place's Test button makes one.</p></Empty>}
      {list.length > 0 && (
        <div class="table-wrap" role="region" aria-label="Messages, the newest first" tabIndex={0}>
          <table class="table">
            <thead><tr><th>Made</th><th>Place</th><th>Message</th><th>State</th><th class="right">Attempts</th><th /></tr></thead>
            <tbody>
              {list.map((m) => (
                <tr key={m.id}>
                  <td class="num nowrap">{when(m.created_ns)}</td>
                  <td class="nowrap">{named.get(m.place) ?? '–'}</td>
                  <td title={m.id}>{m.title} <span class="muted">{m.kind}</span></td>
                  <td>{m.state === 'delivered' ? `delivered ${when(m.ended_ns)}` : <span class={m.error ? 'error' : ''}>{m.state}{m.error && `: ${m.error}`}</span>}</td>
                  <td class="num right">{short(m.attempts)}</td>
                  <td class="right nowrap">
                    {m.state === 'dead' && <><button type="button" class="button small" onClick={() => void api.retryMessage(m.id).then(changed, setError)} aria-label={`Try ${m.title} again`}>Try again</button>{' '}</>}
                    {m.state !== 'delivered' && <Sure label="Delete" name={`Delete the message ${m.title}`} question="Never told?" run={() => api.deleteMessage(m.id)} done={changed} failed={setError} />}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {next !== null && <button type="button" class="button" onClick={load}>Older messages</button>}
    </section>
  );
}
