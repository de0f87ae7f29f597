// SPDX-License-Identifier: Apache-2.0
// Who is told what about errors: rules, each for one of the places of Settings.

import { useState } from 'preact/hooks';
import { api } from '../lib/api';
import { LEVELS, type ItemRule } from '../lib/errors';
import { count } from '../lib/format';
import { href } from '../lib/route';
import { useLoad } from '../lib/use';
import { Empty, ErrorBox, Progress } from '../parts/States';
import { Sure } from '../parts/Sure';

const TRIGGERS: [ItemRule['trigger'], string][] = [
  ['new', 'it is new'], ['reactivated', 'it is back'], ['repeat', 'it happened 10, 100, 1,000 … times'], ['rate', 'it happens often'],
];

export function Rules() {
  const rules = useLoad('item rules', api.itemRules);
  const places = useLoad('places', (signal) => api.places(signal).then((a) => a.places));
  const [failed, fail] = useState<Error | null>(null);
  const error = rules.error ?? places.error ?? failed;
  const named = new Map(places.data?.map((p) => [p.id, p.name]));
  return (
    <div class="view errors settings">
      <div class="bar"><a href={href('errors')} class="muted">Errors</a><h1>Who is told</h1></div>
      <Progress loading={rules.loading && !rules.data} progress={null} />
      {error && <ErrorBox error={error} retry={() => { fail(null); rules.reload(); places.reload(); }} />}
      {places.data?.length === 0 && (
        <Empty title="There is no place to tell it yet"><p>Make one in <a href={href('settings/notify')}>Settings</a>: a webhook, a Slack-compatible channel, or mailboxes.</p></Empty>
      )}
      {places.data && places.data.length > 0 && <Form places={places.data} saved={() => { fail(null); rules.reload(); }} />}
      {rules.data && rules.data.length > 0 && (
        <section class="panel" aria-label="Rules">
          <div class="table-wrap" role="region" aria-label="Rules" tabIndex={0}>
            <table class="table">
              <thead><tr><th>Place</th><th>What it is sent</th><th>When</th><th>Level</th><th>Where it runs</th><th><span class="visually-hidden">Change</span></th></tr></thead>
              <tbody>{rules.data.map((r) => (
                <tr key={r.id}>
                  <td>{named.get(r.place) ?? <span class="muted">a place that went</span>}</td>
                  <td>{r.payload === 'rollbar' ? 'Rollbar’s payload' : 'skep’s message'}</td>
                  <td class="grow">{words(r)}</td>
                  <td>{r.level ? `${r.level} and above` : 'every'}</td>
                  <td>{r.stage ?? 'everywhere'}</td>
                  <td class="right"><Sure label="Delete" name={`Delete the rule: ${words(r)}`} question="Delete it?" run={() => api.dropItemRule(r.id)} done={rules.reload} failed={fail} /></td>
                </tr>
              ))}</tbody>
            </table>
          </div>
        </section>
      )}
      <p class="muted">Nobody hears of what is muted. The same thing is told once.</p>
    </div>
  );
}

const words = (r: ItemRule) => (r.trigger === 'rate' ? `${count(r.count!)} times within ${count(r.window_s! / 60)} min` : TRIGGERS.find(([t]) => t === r.trigger)![1]);

function Form({ places, saved }: { places: { id: string; name: string; kind: string }[]; saved: () => void }) {
  const [trigger, choose] = useState<ItemRule['trigger']>('new');
  const [place, go] = useState(places[0]!.id);
  const [failed, fail] = useState<Error | null>(null);
  const hook = places.find((p) => p.id === place)?.kind === 'webhook';
  const submit = (e: Event) => {
    e.preventDefault();
    const f = new FormData(e.currentTarget as HTMLFormElement);
    const text = (name: string) => (f.get(name) as string | null)?.trim() || undefined;
    const level = text('level'), stage = text('stage'), payload = text('payload');
    api.createItemRule({
      place: text('place')!, trigger, ...(level && { level }), ...(stage && { stage }), ...(payload && { payload }),
      ...(trigger === 'rate' && { count: Number(text('count')), window_s: 60 * Number(text('minutes')) }),
    }).then(() => { fail(null); saved(); }, fail);
  };
  return (
    <form class="panel rule-form" aria-label="New rule" onSubmit={submit}>
      <div class="form-grid">
        <label class="field-of-form"><span>Tell</span><select name="place" value={place} onChange={(e) => go(e.currentTarget.value)}>{places.map((p) => <option key={p.id} value={p.id}>{p.name}</option>)}</select></label>
        {hook && <label class="field-of-form"><span>What it is sent</span><select name="payload"><option value="">skep’s message</option><option value="rollbar">Rollbar’s payload</option></select></label>}
        <label class="field-of-form"><span>When</span><select name="trigger" value={trigger} onChange={(e) => choose(e.currentTarget.value as ItemRule['trigger'])}>{TRIGGERS.map(([t, text]) => <option key={t} value={t}>{text}</option>)}</select></label>
        {trigger === 'rate' && <label class="field-of-form"><span>Times</span><input name="count" type="number" min={1} defaultValue="10" required /></label>}
        {trigger === 'rate' && <label class="field-of-form"><span>Within minutes</span><input name="minutes" type="number" min={1} max={1440} defaultValue="5" required /></label>}
        <label class="field-of-form"><span>Level</span><select name="level"><option value="">every level</option>{LEVELS.slice(0, -1).map((l) => <option key={l} value={l}>{l} and above</option>)}</select></label>
        <label class="field-of-form"><span>Where it runs</span><input name="stage" placeholder="everywhere" spellcheck={false} /></label>
      </div>
      {failed && <div class="error" role="alert">{failed.message}</div>}
      <div class="bar"><button type="submit" class="button primary">Add the rule</button></div>
    </form>
  );
}
