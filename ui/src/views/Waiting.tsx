// SPDX-License-Identifier: Apache-2.0
// Home while nothing is stored: where skep listens, what to type, what has arrived and was refused.

import type { Status } from '../lib/types';
import { HowToSend } from '../parts/HowToSend';
import { LastRequests } from '../parts/LastRequests';
import { ErrorBox } from '../parts/States';
import { XrayPort } from '../parts/XrayPort';

export function Waiting({ status, error }: { status: Status; error: Error | null }) {
  return (
    <div class="view waiting">
      <div class="waiting-head">
        <span class="pulse" aria-hidden="true" />
        <div>
          <h1>Waiting for the first row</h1>
          <p class="muted" role="status">{status.recovering ? 'Recovering what was stored before …' : 'This page looks every second and shows your data as soon as it arrives.'}</p>
        </div>
      </div>
      {error && <ErrorBox error={error} />}
      <section class="panel"><h2>Point a program here</h2><HowToSend status={status} /></section>
      <section class="panel">
        <h2>Listening on</h2>
        <ul class="listeners">
          {status.listeners.map((l) => <li><code>{l.address}</code><span class="muted">{l.takes.join(', ')}</span></li>)}
          {status.xray?.udp && <XrayPort udp={status.xray.udp} />}
        </ul>
      </section>
      <section class="panel"><h2>Last requests</h2><LastRequests status={status} /></section>
    </div>
  );
}
