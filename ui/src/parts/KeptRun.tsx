// SPDX-License-Identifier: Apache-2.0
// An answer as it was: what it is, its star and name, and how to ask anew.

import { useEffect, useState } from 'preact/hooks';
import { api } from '../lib/api';
import { dateTime, nsToMs } from '../lib/format';
import { anewHref, type Run } from '../lib/history';
import { href } from '../lib/route';
import { ErrorBox } from './States';

interface Change { run: Run; changed: () => void; failed: (e: Error) => void }

export function Star({ run, changed, failed }: Change) {
  return (
    <button type="button" class="icon-button star" aria-pressed={run.starred} aria-label={`Star: ${run.name || 'this question'}`} title={run.starred ? 'Starred: it is kept' : 'Star it: it is kept'}
      onClick={() => void api.changeRun(run.id, { starred: !run.starred }).then(changed, failed)}>{run.starred ? '★' : '☆'}</button>
  );
}

export function KeptBar({ run, changed }: { run: Run; changed: () => void }) {
  const [error, setError] = useState<Error | null>(null);
  const [name, setName] = useState(run.name);
  useEffect(() => setName(run.name), [run.id, run.name]);
  const done = () => { setError(null); changed(); };
  const keep = (e: Event) => {
    e.preventDefault();
    if (name.trim() !== run.name) void api.changeRun(run.id, { name: name.trim() }).then(done, setError);
  };
  return (
    <div class="note kept-run" role="status">
      <Star run={run} changed={done} failed={setError} />
      <span>The answer of <b>{dateTime(nsToMs(run.at_ns))}</b>{run.who && <>, asked by <b>{run.who}</b></>}. Its address shows it as it was, whatever has come since.</span>
      <form onSubmit={keep}><input aria-label="Name of this question" placeholder="Give it a name" maxLength={320} value={name} onInput={(e) => setName(e.currentTarget.value)} onBlur={keep} /></form>
      <a class="button primary" href={anewHref(run)}>Ask anew</a>
      <a class="button" href={href('history')}>History</a>
      {error && <ErrorBox error={error} />}
    </div>
  );
}
