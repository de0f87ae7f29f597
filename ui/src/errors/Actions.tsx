// SPDX-License-Identifier: Apache-2.0
// What can be done with items, one or many: resolve (in a version), mute (until), open again, owner.

import { useState } from 'preact/hooks';
import type { ItemChange } from '../lib/errors';
import { openMenu } from '../parts/Menu';

const HOUR = 3600;
const MUTES: [string, ItemChange][] = [
  ['For good', { status: 'muted' }],
  ['For an hour', { status: 'muted', mute_for_s: HOUR }],
  ['For a day', { status: 'muted', mute_for_s: 24 * HOUR }],
  ['For a week', { status: 'muted', mute_for_s: 7 * 24 * HOUR }],
  ['Until it happened 10 times more', { status: 'muted', mute_for_count: 10 }],
  ['Until it happened 100 times more', { status: 'muted', mute_for_count: 100 }],
];

interface Props { run: (what: ItemChange) => void; version?: string | undefined; me: string | null; off?: boolean; status?: string }

export function Actions({ run, version, me, off = false, status }: Props) {
  const [asking, ask] = useState(false);
  return (
    <span class="item-actions" role="group" aria-label="Actions">
      {status !== 'resolved' && <button type="button" class="button small" disabled={off} data-item="resolve" onClick={() => run({ status: 'resolved' })} title="Resolve (e)">Resolve</button>}
      {status !== 'resolved' && (
        asking
          ? (
            <form class="inline" onSubmit={(e) => { e.preventDefault(); ask(false); run({ status: 'resolved', resolved_in: (new FormData(e.currentTarget).get('version') as string).trim() }); }}>
              <input name="version" aria-label="Resolved in version" defaultValue={version ?? ''} placeholder="version" size={10} autofocus />
              <button type="submit" class="button small">Resolved in it</button>
            </form>
          )
          : <button type="button" class="button small" disabled={off} onClick={() => ask(true)}>… in a version</button>
      )}
      {status !== 'muted' && (
        <button type="button" class="button small" disabled={off} aria-haspopup="menu" data-item="mute" title="Mute (m)"
          onClick={(e) => openMenu(e, 'Mute', MUTES.map(([label, what]) => ({ label, run: () => run(what) })))}>Mute</button>
      )}
      {status !== 'active' && <button type="button" class="button small" disabled={off} data-item="open" onClick={() => run({ status: 'active' })} title="Open again (u)">Open again</button>}
      {me !== null && <button type="button" class="button small" disabled={off} onClick={() => run({ owner: me })}>Assign to me</button>}
    </span>
  );
}
