// SPDX-License-Identifier: Apache-2.0
// Up to five terms that stand out in every line, each in a colour of its own.

import { useState } from 'preact/hooks';
import { MAX_TERMS, termsOf } from '../lib/logs';
import { patch, useRoute } from '../lib/route';
import { Icon } from '../parts/Icon';

export function Highlight({ first }: { first: number }) {
  const { params } = useRoute();
  const terms = termsOf(params);
  const [text, set] = useState('');
  const add = () => {
    const t = text.trim();
    if (t && !terms.includes(t)) patch({ hl: [...terms, t] }, { replace: true });
    set('');
  };
  return (
    <span class="highlight" role="group" aria-label="Highlighted terms">
      {terms.map((t, i) => (
        <span class={`chip term t${first + i}`} key={t}><span class="chip-text mono">{t}</span>
          <button type="button" class="chip-x" aria-label={`No longer highlight ${t}`} onClick={() => patch({ hl: terms.filter((x) => x !== t) }, { replace: true })}><Icon name="close" /></button></span>
      ))}
      {terms.length < MAX_TERMS && (
        <input class="mono" placeholder="highlight" aria-label="Highlight a term" value={text} onInput={(e) => set(e.currentTarget.value)}
          onKeyDown={(e) => { if (e.key === 'Enter') { e.preventDefault(); add(); } }} onBlur={add} />
      )}
    </span>
  );
}
