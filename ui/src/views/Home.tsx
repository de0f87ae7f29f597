// SPDX-License-Identifier: Apache-2.0
// Home: request rate, errors and latency of every service, the newest traces; or, while nothing is
// stored, how to send the first row.

import { useMemo, useState } from 'preact/hooks';
import { api } from '../lib/api';
import { CursorBus } from '../lib/cursor';
import { environment } from '../lib/env';
import { count, dateTime, duration, nsToMs, percent, short } from '../lib/format';
import { homeFilters, loadHome, type HomeAnswer } from '../lib/home';
import { selectionOf } from '../lib/query';
import { href, patch, useRoute } from '../lib/route';
import { spanOf, rangeOf } from '../lib/time';
import type { Status } from '../lib/types';
import { useInterval, useLive, useLoad } from '../lib/use';
import { Covers, Empty, ErrorBox, Progress } from '../parts/States';
import { HeatPanel } from '../parts/Charts';
import { HomeCharts } from '../parts/HomeCharts';
import { HowToSend } from '../parts/HowToSend';
import { Ready } from '../parts/Ready';
import { ServiceTable } from '../parts/ServiceTable';
import { TraceTable } from '../parts/TraceTable';
import { Waiting } from './Waiting';

export function Home() {
  const status = useLoad('status', api.status);
  const empty = status.data !== null && status.data.rows === 0;
  useInterval(empty || (status.error && !status.data) ? 1000 : null, status.reload);
  if (status.error && !status.data) return <div class="view"><ErrorBox error={status.error} retry={status.reload} /></div>;
  if (!status.data) return <div class="view"><Progress loading progress={null} /></div>;
  if (empty) return <Waiting status={status.data} error={status.error} />;
  return <Dashboard status={status.data} />;
}

function Dashboard({ status }: { status: Status }) {
  const { params } = useRoute();
  const service = params.get('svc');
  const of = params.get('of');
  const range = rangeOf(params);
  const live = params.get('live') !== '0' && range.relative !== null;
  const base = { ...spanOf(range), ...(params.get('ds') ? { dataset: params.get('ds')! } : {}) };
  const absolute = range.relative === null ? [range.from, range.to] : range.relative;
  const answer = useLoad(JSON.stringify([absolute, params.get('ds'), service, of]), (signal, progress) => loadHome(base, service, of, signal, progress));
  useLive(live, answer.reload, answer.data ? answer.data.main.elapsed_ms + answer.data.errors.elapsed_ms : 0);
  const [bus] = useState(() => new CursorBus());
  const sort = params.get('sort') ?? 'recent';
  const a = answer.data;
  const nothing = a !== null && (a.main.totals.values[0] ?? 0) === 0;
  // The list's filters follow what the charts count.
  const selection = useMemo(() => selectionOf(params, service ? [{ column: 'service.name', op: '=', value: service }] : []), [params.toString()]);
  return (
    <div class="view home">
      <div class="bar">
        <h1>{service ?? 'All services'}</h1>
        {service && <button type="button" class="button small" onClick={() => patch({ svc: null })}>Show all services</button>}
        <label class="small-field inline">Counting
          <select value={of ?? a?.of ?? 'entry'} onChange={(e) => patch({ of: e.currentTarget.value })}>
            <option value="entry">entry spans: server and consumer</option>
            <option value="all">all spans</option>
          </select>
        </label>
        <Covers answer={a?.main ?? null} loading={answer.loading && !a} progress={answer.progress} />
      </div>
      <Progress loading={answer.loading && !a} progress={answer.progress} />
      {answer.error && <ErrorBox error={answer.error} retry={answer.reload} />}
      {nothing && <Nothing status={status} />}
      {a && !nothing && <Answer a={a} service={service} bus={bus} oldest={status.oldest_ns} />}
      {a && !nothing && <Ready title="Ask next" />}
      {a && !nothing && (
        <section class="panel" aria-label="Traces">
          <div class="bar panel-head">
            <h2>Traces</h2>
            <div class="segmented" role="group" aria-label="Which traces">
              {[['recent', 'Recent'], ['slow', 'Slowest'], ['errors', 'With errors']].map(([id, name]) => (
                <button type="button" aria-pressed={sort === id} onClick={() => patch({ sort: id === 'recent' ? null : id! }, { replace: true })}>{name}</button>
              ))}
            </div>
            <a class="end" href={href('traces', { sort: sort === 'recent' ? null : sort, w: service ? `service.name = ${JSON.stringify(service)}` : null })}>All of them</a>
          </div>
          <TraceTable selection={selection} sort={sort} limit={10} live={live} compact />
        </section>
      )}
    </div>
  );
}

// No span in the range: there are some at another time, or this environment waits for its first row.
function Nothing({ status }: { status: Status }) {
  const { params } = useRoute();
  const ds = params.get('ds');
  const newest = useLoad(`newest ${params.get('env')} ${ds}`, (signal) => api.rows({ start_time: 1, end_time: nsToMs(status.now_ns) / 1e3 + 86400, limit: 1, columns: ['name'], ...(ds ? { dataset: ds } : {}) }, signal));
  useInterval(newest.data && !newest.data.rows.length ? 5000 : null, newest.reload);
  if (newest.error) return <ErrorBox error={newest.error} retry={newest.reload} />;
  if (!newest.data) return null;
  const row = newest.data.rows[0];
  if (!row && !ds) {
    return (
      <section class="panel first-row">
        <h2>Nothing has come to the environment {environment()} yet</h2>
        <p class="muted">What a key sends goes to the key's environment, what comes without one to “default”. <a href={href('settings/keys')}>Environments and keys</a></p>
        <HowToSend status={status} />
      </section>
    );
  }
  const at = row ? nsToMs(row.time_ns) : 0;
  return (
    <Empty title="No spans in this time range">
      <p>Log lines, if there are any, are under <a href={href('logs')}>Logs</a>.</p>
      {row && <p>The newest row of all is from <b class="num">{dateTime(at)}</b>.</p>}
      {row && <button type="button" class="button primary" onClick={() => patch({ t: null, from: String(Math.floor(at / 1e3 - 3600)), to: String(Math.ceil(at / 1e3 + 1)) })}>Show the hour before it</button>}
    </Empty>
  );
}

function Answer({ a, service, bus, oldest }: { a: HomeAnswer; service: string | null; bus: CursorBus; oldest: string | null }) {
  const [n, p50, p95, p99] = a.main.totals.values;
  const failed = a.errors.totals.values[0] ?? 0;
  // A store younger than the range has been counted for as long as it is there.
  const since = Math.max(a.main.start_ms, oldest ? nsToMs(oldest) : 0);
  const secs = Math.max(1, (a.main.end_ms - since) / 1e3);
  const heat = a.main.columns.filter((c) => c.kind !== 'group').findIndex((c) => c.op === 'HEATMAP');
  return (
    <>
      <div class="tiles">
        <Tile name="Requests" value={count(n ?? 0)} detail={`${short((n ?? 0) / secs)} a second`} />
        <Tile name="Failed" value={count(failed)} detail={percent(n ? failed / n : 0)} bad={failed > 0} />
        <Tile name="P50" value={duration(p50 ?? 0)} detail="half are faster" />
        <Tile name="P95" value={duration(p95 ?? 0)} detail="1 in 20 is slower" />
        <Tile name="P99" value={duration(p99 ?? 0)} detail="1 in 100 is slower" />
      </div>
      <HomeCharts answer={a} bus={bus} service={service} />
      {heat >= 0 && (
        <HeatPanel result={a.main} calc={heat} column={a.main.columns.filter((c) => c.kind !== 'group')[heat]!} bus={bus} isolated={null}
          extra={homeFilters(a.of, service)} title="Latency of requests" height={200} />
      )}
      <ServiceTable answer={a} service={service} heat={heat} />
    </>
  );
}

function Tile({ name, value, detail, bad }: { name: string; value: string; detail: string; bad?: boolean }) {
  return (
    <div class="panel tile">
      <div class="muted">{name}</div>
      <div class={`tile-value num${bad ? ' error' : ''}`}>{value}</div>
      <div class="muted num">{detail}</div>
    </div>
  );
}
