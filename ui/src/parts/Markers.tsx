// SPDX-License-Identifier: Apache-2.0
// The markers of a view's time: listed, made at a moment that a chart names, taken away.

import { useEffect, useState } from 'preact/hooks';
import { environment } from '../lib/env';
import { dateTime } from '../lib/format';
import { dropMarker, markerColor, markerLink, markersOf, markerText, onAskMarker, putMarker, within, type Marker, type Wanted } from '../lib/markers';
import { focusOnce, useInterval, useLoad } from '../lib/use';
import { Icon } from './Icon';
import { ErrorBox } from './States';
import { Sure } from './Sure';

const REFRESH_MS = 15e3;
const LISTED = 12;

export function useMarkers(slugs: string[] | null) {
  const loaded = useLoad(slugs && `markers ${environment()} ${slugs.join(' ')}`, (signal) => markersOf(slugs!, signal));
  useInterval(slugs && REFRESH_MS, loaded.reload);
  return loaded;
}

// `slug`: the dataset that a new one may be of.
export function Markers({ list, range, slug, dataset, changed }: { list: Marker[]; range: [number, number]; slug: string; dataset: string; changed: () => void }) {
  const [wanted, want] = useState<Wanted | null>(null);
  const [error, setError] = useState<Error | null>(null);
  useEffect(() => onAskMarker(want), []);
  const here = list.filter((m) => within(m, ...range));
  if (!wanted && here.length === 0 && !error) return null;
  return (
    <section class="markers" aria-label="Markers">
      {here.length > 0 && (
        <ul>
          {here.slice(-LISTED).reverse().map((m) => (
            <li key={m.id}>
              <i style={{ background: markerColor(m) }} aria-hidden="true" /><span class="num muted">{dateTime(m.start_time * 1e3)}{m.end_time ? ` – ${dateTime(m.end_time * 1e3)}` : ''}</span>
              {markerLink(m) ? <a href={markerLink(m)!} target="_blank" rel="noreferrer">{markerText(m)}</a> : <span class="clip">{markerText(m)}</span>}
              {m.type && m.message && <span class="muted">{m.type}</span>}
              <Sure label="Remove" name={`Remove the marker ${markerText(m)}`} question="For everybody?" run={() => dropMarker(m)} done={changed} failed={setError} />
            </li>
          ))}
          {here.length > LISTED && <li class="muted">and {here.length - LISTED} more, drawn</li>}
        </ul>
      )}
      {wanted && <Form key={`${wanted.from}`} wanted={wanted} slug={slug} dataset={dataset} done={(made) => { want(null); if (made) changed(); }} />}
      {error && <ErrorBox error={error} />}
    </section>
  );
}

function Form({ wanted, slug, dataset, done }: { wanted: Wanted; slug: string; dataset: string; done: (made: boolean) => void }) {
  const [message, setMessage] = useState('');
  const [type, setType] = useState('deploy');
  const [all, setAll] = useState(slug === '');
  const [error, setError] = useState<Error | null>(null);
  const s = (ms: number) => Math.floor(ms / 1e3);
  const make = (e: Event) => {
    e.preventDefault();
    setError(null);
    putMarker(all ? '' : slug, { start_time: s(wanted.from), ...(wanted.to && { end_time: s(wanted.to) }), message: message.trim(), ...(type.trim() && { type: type.trim() }) }).then(() => done(true), setError);
  };
  return (
    <form class="bar" onSubmit={make} aria-label="New marker" onKeyDown={(e) => { if (e.key === 'Escape') { e.stopPropagation(); done(false); } }}>
      <span class="low"><Icon name="flag" /> <span class="num">{dateTime(wanted.from)}{wanted.to ? ` – ${dateTime(wanted.to)}` : ''}</span></span>
      <label class="small-field grow">Marker<input ref={focusOnce} value={message} onInput={(e) => setMessage(e.currentTarget.value)} maxLength={10000} placeholder="deploy 17" required /></label>
      <label class="small-field">Type<input value={type} onInput={(e) => setType(e.currentTarget.value)} maxLength={255} /></label>
      {slug !== '' && <label class="small-field">In<select value={all ? 'all' : 'one'} onChange={(e) => setAll(e.currentTarget.value === 'all')}><option value="one">{dataset}</option><option value="all">all datasets</option></select></label>}
      <button type="submit" class="button primary low">Put the marker</button>
      <button type="button" class="button low" onClick={() => done(false)}>Cancel</button>
      {error && <ErrorBox error={error} />}
    </form>
  );
}
