// SPDX-License-Identifier: Apache-2.0
// Recipients of triggers and burn alerts: made, changed, tested, deleted; how their messages fare.

import { useState } from 'preact/hooks';
import type { Recipient } from '../lib/alerts';
import { api, hny } from '../lib/api';
import { environment } from '../lib/env';
import { count, dateTime, nsToMs } from '../lib/format';
import { KINDS, kindOf, nameOf, recipients, targetOf } from '../lib/recipients';
import type { NotifyPlace } from '../lib/types';
import { useInterval, useLoad } from '../lib/use';
import { Field, Said, Unplaced } from '../parts/Field';
import { Empty, ErrorBox, Progress } from '../parts/States';
import { Sure } from '../parts/Sure';
import { AlertTabs } from './Triggers';

const REFRESH_MS = 5000;
const TESTED_MS = 500;

export function Recipients() {
  const list = useLoad(`recipients ${environment()}`, recipients);
  const places = useLoad(`places ${environment()}`, api.places);
  useInterval(REFRESH_MS, places.reload);
  const [editing, edit] = useState<string | null>(null); // an id, "" = a new one
  const [error, setError] = useState<Error | null>(null);
  const one = list.data?.find((r) => r.id === editing) ?? null;
  const changed = () => { setError(null); edit(null); list.reload(); places.reload(); };
  return (
    <div class="view alerts">
      <h1 class="visually-hidden">Recipients</h1>
      <AlertTabs at="recipients" />
      {list.loading && !list.data && <Progress loading progress={null} />}
      {(error ?? list.error) && <ErrorBox error={(error ?? list.error)!} retry={() => { setError(null); list.reload(); }} />}
      {list.data?.length === 0 && editing === null && (
        <Empty title="Nobody can be told yet"><p>A recipient is a mailbox, a channel, a PagerDuty service, a Teams channel or a program. Triggers and burn alerts say which of them they tell.</p>
          <button type="button" class="button primary" onClick={() => edit('')}>Make a recipient</button></Empty>
      )}
      {list.data && list.data.length > 0 && (
        <section class="panel" aria-labelledby="recipients"><h2 id="recipients">Recipients</h2>
          <div class="table-wrap" role="region" aria-label="All recipients" tabIndex={0}>
            <table class="table">
              <thead><tr><th>Recipient</th><th>Messages</th><th>Test</th><th><span class="visually-hidden">Change</span></th></tr></thead>
              <tbody>
                {list.data.map((r) => (
                  <tr key={r.id}>
                    <td><b>{targetOf(r)}</b> <span class="muted">{kindOf(r.type).name}</span></td>
                    <td><Fares place={places.data?.places.find((p) => p.id === `rcp_${r.id}`) ?? null} known={places.data !== null} mail={places.data?.mail ?? true} /></td>
                    <td><Test recipient={r} failed={setError} /></td>
                    <td class="right nowrap">
                      <button type="button" class="button small" onClick={() => edit(r.id)} aria-label={`Edit ${nameOf(r)}`}>Edit</button>{' '}
                      <Sure label="Delete" name={`Delete ${nameOf(r)}`} question="With its messages?" run={() => hny('DELETE', `recipients/${r.id}`)} done={changed} failed={setError} />
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
          {editing === null && <p><button type="button" class="button primary" onClick={() => edit('')}>New recipient</button></p>}
        </section>
      )}
      {editing !== null && (editing === '' || one) && <Form key={editing} recipient={one} close={() => edit(null)} saved={changed} />}
    </div>
  );
}

function Fares({ place, known, mail }: { place: NotifyPlace | null; known: boolean; mail: boolean }) {
  if (!known) return null;
  if (!place) return <span class="error">nowhere to deliver to: give it an address</span>;
  if (place.kind === 'mail' && !mail) return <span class="error">messages wait: the server has no mail server (--smtp)</span>;
  return (
    <>
      {count(place.delivered)} delivered{place.dead > 0 && <>, <span class="error">{count(place.dead)} dead</span></>}
      {place.failures > 0 && <span class="error">, failing: {place.last_error}</span>}
      {place.last_ns && <span class="muted"> · last {dateTime(nsToMs(place.last_ns))}</span>}
    </>
  );
}

const TESTS: [string, string][] = [['trigger', 'a trigger'], ['exhaustion_time', 'a budget that runs out'], ['budget_rate', 'a budget that falls fast']];

// Sends one, and looks until it is known what became of it.
function Test({ recipient, failed }: { recipient: Recipient; failed: (e: Error) => void }) {
  const [kind, setKind] = useState('trigger');
  const [sent, setSent] = useState<string | null>(null);
  const messages = useLoad(sent, (signal) => api.messages('', null, signal));
  const m = messages.data?.messages.find((x) => x.id === sent);
  useInterval(sent && m?.state !== 'delivered' && m?.state !== 'dead' ? TESTED_MS : null, messages.reload);
  return (
    <span class="nowrap">
      <select aria-label={`What the test of ${nameOf(recipient)} is about`} value={kind} onChange={(e) => setKind(e.currentTarget.value)}>{TESTS.map(([id, text]) => <option value={id}>{text}</option>)}</select>{' '}
      <button type="button" class="button small" aria-label={`Send a test to ${nameOf(recipient)}`} onClick={() => void api.testRecipient(recipient.id, kind).then((a) => setSent(a.id), failed)}>Send a test</button>{' '}
      {sent && (
        <span role="status" class={m?.error ? 'error' : ''}>
          {m?.state === 'delivered' ? 'arrived' : m?.state === 'dead' ? `refused: ${m.error || m.status}` : m?.error ? `tries again: ${m.error}` : 'on its way …'}
        </span>
      )}
    </span>
  );
}

interface Header { header: string; value: string }
interface Variable { name: string; default_value: string }

function Form({ recipient, close, saved }: { recipient: Recipient | null; close: () => void; saved: () => void }) {
  const old = recipient?.details ?? {};
  const [type, setType] = useState(recipient?.type ?? KINDS[0]!.type);
  const [texts, setTexts] = useState<Record<string, string>>(() => Object.fromEntries(Object.entries(old).filter(([, v]) => typeof v === 'string')) as Record<string, string>);
  const payloads = (old['webhook_payloads'] ?? {}) as { template_variables?: Variable[]; payload_templates?: Record<string, { body: string }> };
  const [headers, setHeaders] = useState<Header[]>((old['webhook_headers'] as Header[] | undefined) ?? []);
  const [variables, setVariables] = useState<Variable[]>(payloads.template_variables ?? []);
  const [templates, setTemplates] = useState<Record<string, string>>(Object.fromEntries(TESTS.map(([id]) => [id, payloads.payload_templates?.[id]?.body ?? ''])));
  const [error, setError] = useState<Error | null>(null);
  const kind = kindOf(type);
  const webhook = type === 'webhook';
  const save = (e: Event) => {
    e.preventDefault();
    setError(null);
    const details: Record<string, unknown> = Object.fromEntries(kind.parts.map(([m]) => [m, (texts[m] ?? '').trim()]).filter(([, v]) => v !== ''));
    if (webhook) {
      details['webhook_headers'] = headers.filter((h) => h.header.trim() !== '');
      details['webhook_payloads'] = { template_variables: variables.filter((v) => v.name.trim() !== ''), payload_templates: Object.fromEntries(Object.entries(templates).filter(([, body]) => body.trim() !== '').map(([id, body]) => [id, { body }])) };
    }
    hny(recipient ? 'PUT' : 'POST', recipient ? `recipients/${recipient.id}` : 'recipients', { type, details }).then(saved, setError);
  };
  const at = [...kind.parts.map(([m]) => `details.${m}`), ...(webhook ? ['details.webhook_headers', 'details.webhook_payloads.template_variables', ...TESTS.map(([id]) => `details.webhook_payloads.payload_templates.${id}`)] : [])];
  return (
    <form class="panel rule-form" aria-label={recipient ? `Edit ${nameOf(recipient)}` : 'New recipient'} onSubmit={save} noValidate>
      <h2>{recipient ? nameOf(recipient) : 'New recipient'}</h2>
      {!recipient && (
        <Field label="Kind" at="type" error={error} hint={kind.about}>
          <select value={type} onChange={(e) => { setError(null); setType(e.currentTarget.value); }}>{KINDS.map((k) => <option value={k.type}>{k.name}</option>)}</select>
        </Field>
      )}
      {kind.parts.map(([member, label, example, needed]) => (
        <Field key={member} label={label} at={`details.${member}`} error={error}>
          <input value={texts[member] ?? ''} placeholder={example} spellcheck={false} autocapitalize="none" required={needed} onInput={(e) => setTexts({ ...texts, [member]: e.currentTarget.value })} />
        </Field>
      ))}
      {webhook && (
        <details open={headers.length > 0 || variables.length > 0 || Object.values(templates).some(Boolean)}>
          <summary>Headers and bodies of your own</summary>
          <Pairs label="Headers" at="details.webhook_headers" error={error} list={headers.map((h) => [h.header, h.value])} most={5} names={['Header', 'Value']} set={(l) => setHeaders(l.map(([header, value]) => ({ header, value })))} />
          <Pairs label="Variables of templates" at="details.webhook_payloads.template_variables" error={error} list={variables.map((v) => [v.name, v.default_value])} most={10} names={['Variable', 'Value']} set={(l) => setVariables(l.map(([name, default_value]) => ({ name, default_value })))} />
          {TESTS.map(([id, text]) => (
            <Field key={id} label={`Body for ${text}`} at={`details.webhook_payloads.payload_templates.${id}`} error={error} hint="A Go template, for instance {{ .Name }}: {{ .Alert.Summary }}; empty: the usual JSON">
              <textarea class="mono" rows={4} spellcheck={false} value={templates[id] ?? ''} onInput={(e) => setTemplates({ ...templates, [id]: e.currentTarget.value })} />
            </Field>
          ))}
        </details>
      )}
      <Unplaced error={error} at={['type', ...at]} />
      <div class="bar">
        <button type="submit" class="button primary">Save</button>
        <button type="button" class="button" onClick={close}>Cancel</button>
      </div>
    </form>
  );
}

function Pairs({ label, at, error, list, most, names, set }: { label: string; at: string; error: Error | null; list: [string, string][]; most: number; names: [string, string]; set: (list: [string, string][]) => void }) {
  const change = (i: number, k: 0 | 1, text: string) => set(list.map((p, n) => (n === i ? (k === 0 ? [text, p[1]] : [p[0], text]) : p)));
  return (
    <fieldset class="tells">
      <legend>{label}</legend>
      <Said error={error} at={at} />
      {list.map((p, i) => (
        <span class="form-grid" key={i}>
          <Field label={`${names[0]} ${i + 1}`} at={`${at}[${i}]`} error={error}><input value={p[0]} spellcheck={false} autocapitalize="none" onInput={(e) => change(i, 0, e.currentTarget.value)} /></Field>
          <label class="field-of-form"><span>{names[1]} {i + 1}</span><input value={p[1]} spellcheck={false} onInput={(e) => change(i, 1, e.currentTarget.value)} /></label>
        </span>
      ))}
      {list.length < most && <button type="button" class="button small" onClick={() => set([...list, ['', '']])}>Add one</button>}
    </fieldset>
  );
}
