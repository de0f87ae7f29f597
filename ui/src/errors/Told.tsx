// SPDX-License-Identifier: Apache-2.0
// What a Rollbar item tells beside its stack: what happened before it (telemetry), the request, the person.

import { clock } from '../lib/format';
import { toldOf, type Crumb } from '../lib/told';

const MARKS: Record<string, string> = { log: 'log', network: 'net', dom: 'dom', navigation: 'nav', error: 'error', manual: 'note', connectivity: 'conn' };

export function Before({ document }: { document: string }) {
  const { crumbs } = toldOf(document);
  const last = crumbs.at(-1)?.ms ?? 0;
  return (
    <ol class="crumbs" aria-label="What happened before, the last at the end">
      {crumbs.map((c, i) => <Line key={i} c={c} last={last} />)}
    </ol>
  );
}

function Line({ c, last }: { c: Crumb; last: number }) {
  return (
    <li class={`crumb ${c.level}`}>
      <time class="num muted" title={c.ms ? new Date(c.ms).toISOString() : undefined}>{c.ms ? clock(c.ms, 3) : ''}</time>
      <span class="num muted right">{c.ms && last > c.ms ? `−${((last - c.ms) / 1e3).toFixed(1)} s` : ''}</span>
      <span class="chip small">{MARKS[c.type] ?? c.type}</span>
      <span class="mono text">{c.text}</span>
    </li>
  );
}

export function Told({ document }: { document: string }) {
  const { parts } = toldOf(document);
  return (
    <div class="pad told">
      {parts.map(([title, lines]) => (
        <section key={title} aria-label={title}>
          <h3>{title}</h3>
          <dl>{lines.map(([k, v]) => <div key={k}><dt class="mono">{k}</dt><dd class="mono">{v}</dd></div>)}</dl>
        </section>
      ))}
    </div>
  );
}
