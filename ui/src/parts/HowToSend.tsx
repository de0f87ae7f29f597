// SPDX-License-Identifier: Apache-2.0
// The commands to copy, one language at a time.

import { useState } from 'preact/hooks';
import { endpointOf, howTo, xrayAddress } from '../lib/howto';
import { useSession } from '../lib/session';
import type { Status } from '../lib/types';
import { Copyable } from './States';

export function HowToSend({ status }: { status: Status }) {
  const [id, set] = useState('any');
  const { me } = useSession();
  const endpoint = endpointOf(status.listeners);
  const list = howTo(endpoint, xrayAddress(status));
  const one = list.find((h) => h.id === id) ?? list[0]!;
  return (
    <div class="howto">
      {me?.mode === 'keys' && <p class="muted">This server asks for a key: <a href="/ui/settings/keys">Environments and keys</a> makes one, with lines to copy for each client.</p>}
      <Copyable text={one.first ?? `OTEL_EXPORTER_OTLP_ENDPOINT=${endpoint}`} label="the environment variable" />
      <div class="segmented" role="group" aria-label="Language">
        {list.map((h) => <button type="button" aria-pressed={h.id === one.id} onClick={() => set(h.id)}>{h.name}</button>)}
      </div>
      <Copyable text={one.text} label={`commands for ${one.name}`} key={one.id} />
    </div>
  );
}
