// SPDX-License-Identifier: Apache-2.0
// A trace by its id, in either form.

import { useState } from 'preact/hooks';
import { openTrace, traceId } from '../lib/xray';

export function OpenTrace() {
  const [problem, setProblem] = useState('');
  const open = (text: string) => {
    if (!openTrace(text)) setProblem(text.trim() === '' ? '' : 'That is no trace id: 32 hex digits, or 1-8-24 as X-Ray writes them.');
  };
  return (
    <form class="open-trace end" onSubmit={(e) => { e.preventDefault(); open(new FormData(e.currentTarget).get('id') as string); }}>
      {problem && <span class="problem" role="alert">{problem}</span>}
      <input class="search mono" name="id" placeholder="trace id, Enter opens it" aria-label="Open a trace by its id" autocomplete="off" spellcheck={false} aria-invalid={problem !== ''}
        onInput={(e) => { setProblem(''); if (traceId(e.currentTarget.value)) open(e.currentTarget.value); }} />
    </form>
  );
}
