// SPDX-License-Identifier: Apache-2.0
// The X-Ray daemon's UDP port in a list of listeners.

import { count, dateTime } from '../lib/format';
import type { Status } from '../lib/types';

// Datagrams have no answer: what came last and what the kernel threw away is all there is to see.
export function XrayPort({ udp }: { udp: NonNullable<NonNullable<Status['xray']>['udp']> }) {
  return (
    <li><code>{udp.address}/udp</code>
      <span class="muted num">X-Ray segments: {udp.last_ms === null ? 'nothing yet' : `${count(udp.datagrams)} datagrams, the last from ${udp.last_peer} at ${dateTime(udp.last_ms)}`}</span>
      {udp.kernel_drops > 0 && <span class="error num">{count(udp.kernel_drops)} dropped by the kernel: its receive buffer was full</span>}
    </li>
  );
}
