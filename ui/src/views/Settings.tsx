// SPDX-License-Identifier: Apache-2.0
// Settings: environments and keys, users, the audit log; and the status: limits, what came in and what became of it, what runs, listeners, and how to send.

import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';
import { api } from '../lib/api';
import { bytes, count, dateTime, duration, nsToMs, percent } from '../lib/format';
import { href, useRoute } from '../lib/route';
import { useSession, type Me } from '../lib/session';
import { useInterval, useLoad } from '../lib/use';
import { HowToSend } from '../parts/HowToSend';
import { LastRequests } from '../parts/LastRequests';
import { LedgerPanel } from '../parts/LedgerPanel';
import { RunningPanel } from '../parts/RunningPanel';
import { Empty, ErrorBox, Progress } from '../parts/States';
import { XrayPort } from '../parts/XrayPort';
import type { SelfProbe, Status } from '../lib/types';
import { Access } from './Access';
import { Notify } from './Notify';
import { Audit, OwnPassword, Users } from './Users';

const TABS: [string, string][] = [['', 'Status'], ['keys', 'Environments and keys'], ['users', 'Users'], ['notify', 'Notifications'], ['audit', 'Audit log']];

export function Settings() {
  const { arg } = useRoute();
  const name = TABS.find(([id]) => id === arg)?.[1];
  useEffect(() => { document.title = `${name ?? 'Not found'} · skep`; }, [name]);
  return (
    <>
      <nav class="subnav" aria-label="Settings">
        {TABS.map(([id, text]) => <a href={href(id ? `settings/${id}` : 'settings')} aria-current={arg === id ? 'page' : undefined}>{text}</a>)}
      </nav>
      {arg === '' ? <StatusView /> : <Administration arg={arg} name={name} />}
    </>
  );
}

function Administration({ arg, name }: { arg: string; name: string | undefined }) {
  const { me } = useSession();
  const pages: Record<string, (me: Me) => ComponentChildren> = { keys: () => <Access />, users: (m) => <Users me={m} />, audit: () => <Audit />, notify: () => <Notify /> };
  const page = pages[arg];
  if (!page) return <div class="view"><h1>Not found</h1><Empty title="There is no such page"><a href="/ui/settings">Settings</a></Empty></div>;
  return (
    <div class="view settings">
      <div class="bar"><h1>{name}</h1></div>
      {!me ? <Progress loading progress={null} />
        : me.rights.includes('admin') ? page(me) : <Empty title="This is for administrators"><p>You may ask questions in every environment. Whoever administers the server can change your role.</p></Empty>}
      {me?.user?.login === 'password' && !me.rights.includes('admin') && arg === 'users' && <OwnPassword />}
    </div>
  );
}

function StatusView() {
  const status = useLoad('status', api.status);
  useInterval(2000, status.reload);
  const s = status.data;
  return (
    <div class="view settings">
      <div class="bar"><h1>Status</h1>{s && <span class="muted num end">skep {s.version}, up {duration(s.uptime_s * 1e3)}</span>}</div>
      {!s && status.loading && <Progress loading progress={null} />}
      {status.error && <ErrorBox error={status.error} retry={status.reload} />}
      {s && <Body s={s} />}
    </div>
  );
}

function Body({ s }: { s: Status }) {
  return (
    <>
      {s.recovering && <div class="note" role="status">Recovering: answers are incomplete until every stored row is read back.</div>}
      <div class="tiles">
        <div class="panel tile"><div class="muted">Rows stored</div><div class="tile-value num">{count(s.rows)}</div>
          <div class="muted num">{s.oldest_ns && s.newest_ns ? `${dateTime(nsToMs(s.oldest_ns))} – ${dateTime(nsToMs(s.newest_ns))}` : 'nothing yet'}</div></div>
        <Limit name="Memory" used={s.memory.used_bytes} limit={s.memory.limit_bytes} />
        <Limit name="Disk" used={s.disk.used_bytes} limit={s.disk.limit_bytes} />
        {s.self && <Self self={s.self} />}
      </div>
      <LedgerPanel />
      <RunningPanel />
      <section class="panel"><h2>Last requests</h2><LastRequests status={s} /></section>
      <section class="panel"><h2>Listeners</h2>
        <ul class="listeners">{s.listeners.map((l) => <li><code>{l.address}</code><span class="muted">{l.takes.join(', ')}</span></li>)}
          {s.xray?.udp && <XrayPort udp={s.xray.udp} />}</ul>
      </section>
      <section class="panel"><h2>X-Ray</h2>
        <p><a href={href('sampling')}>Sampling rules</a>: what of each service's requests its X-Ray SDK sends. <a href={href('groups')}>Groups</a>: names for filter expressions.</p>
      </section>
      <section class="panel"><h2>How to send</h2><HowToSend status={s} /></section>
    </>
  );
}

function Limit({ name, used, limit }: { name: string; used: number; limit: number }) {
  const share = limit > 0 ? used / limit : 0;
  return (
    <div class="panel tile">
      <div class="muted">{name}</div>
      <div class="tile-value num">{bytes(used)}</div>
      <div class="meter" role="meter" aria-label={name} aria-valuemin={0} aria-valuemax={limit} aria-valuenow={used}><i style={{ width: `${Math.min(100, share * 100)}%` }} /></div>
      <div class="muted num">{limit > 0 ? `${percent(share)} of ${bytes(limit)}` : 'no limit set'}</div>
    </div>
  );
}

// Each minute the server writes a trace to itself, the way everybody does, and reads it back.
function Self({ self }: { self: SelfProbe }) {
  const well = self.failures === 0 || (self.last_error === null && self.last_ms !== null);
  return (
    <div class="panel tile">
      <div class="muted">Write and read back</div>
      {self.last_ms === null
        ? <div class="tile-value">{self.interval_s === 0 ? 'off' : '…'}</div>
        : <div class={`tile-value num${well ? '' : ' error'}`}>{well ? duration((self.ack_ms ?? 0) + (self.visible_ms ?? 0)) : 'failed'}</div>}
      <div class={well ? 'muted num' : 'error'}>
        {self.last_error ?? (self.last_ms === null
          ? self.interval_s === 0 ? '--self-probe 0' : `the first within ${duration(self.interval_s * 1e3)}`
          : `stored in ${duration(self.ack_ms ?? 0)}, seen by ${self.queries === 1 ? 'the first question' : `question ${self.queries}`}`)}
      </div>
    </div>
  );
}
