// SPDX-License-Identifier: Apache-2.0
// Above views of rows: services that report the same requests by two tracers, and the switch to see both.

import { patch, useRoute } from '../lib/route';
import { useLeftOut } from '../lib/tracers';

const NAMED = 3;

// "backend, cart, shop and 4 more"
function list(names: readonly string[]): string {
  const shown = names.slice(0, NAMED).join(', ');
  return names.length > NAMED ? `${shown} and ${names.length - NAMED} more` : shown;
}

export function TracersNote() {
  const names = useLeftOut();
  const both = useRoute().params.get('tracers') === 'all';
  if (!both && !names.length) return null;
  return (
    <div class="note top-note" role="status">
      {both
        ? <span>X-Ray's reports are shown too: a request that two tracers reported is here twice{names.length > 0 && ` (${list(names)})`}.</span>
        : <span>Also reported by X-Ray: <b>{list(names)}</b>. Each request is here once, as its other tracer tells it.</span>}
      <button type="button" class="button switch" role="switch" aria-checked={both} onClick={() => patch({ tracers: both ? null : 'all' })}>X-Ray's reports too</button>
    </div>
  );
}
