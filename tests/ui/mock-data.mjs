// SPDX-License-Identifier: Apache-2.0
//
// Deterministic rows for the mock server: a micro-blog of six services, its logs, and traces of
// awkward shapes. The same seed gives the same rows; only the clock moves them.

export function random(seed) {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const hex = (r, n) => Array.from({ length: n }, () => Math.floor(r() * 16).toString(16)).join('');
const pick = (r, list) => list[Math.floor(r() * list.length)];
const logNormal = (r, median, spread) => {
  const u = Math.sqrt(-2 * Math.log(1 - r())) * Math.cos(2 * Math.PI * r());
  return median * Math.exp(spread * u);
};

const ROUTES = [
  ['GET', '/api/activities/home', 24], ['GET', '/api/activities/:id', 16], ['POST', '/api/activities', 38],
  ['GET', '/api/users/:handle', 12], ['POST', '/api/message_groups', 55], ['GET', '/api/search', 90],
];

const RESOURCE = {
  frontend: { 'telemetry.sdk.language': 'webjs', 'deployment.environment': 'production' },
  'cruddur-api': { 'telemetry.sdk.language': 'c', 'service.version': '1.4.2', 'host.name': 'web-1' },
  auth: { 'telemetry.sdk.language': 'go', 'service.version': '0.9.0', 'host.name': 'web-2' },
  timeline: { 'telemetry.sdk.language': 'python', 'service.version': '2.1.0', 'host.name': 'web-2' },
  notifier: { 'telemetry.sdk.language': 'nodejs', 'host.name': 'jobs-1' },
  postgres: { 'telemetry.sdk.language': 'c', 'host.name': 'db-1' },
};

export class Data {
  constructor(now, { traces = 1500, hours = 2, seed = 7 } = {}) {
    this.r = random(seed);
    this.rows = [];
    this.nextTime = now - hours * 3600e3;
    this.every = (hours * 3600e3) / traces;
    this.next = 1;
    this.fillTo(now);
    this.special(now - 60e3);
  }

  // Adds the traffic that happened since the last call.
  fillTo(now) {
    while (this.nextTime < now) {
      this.request(this.nextTime);
      this.nextTime += this.every * (0.2 + 1.6 * this.r());
    }
  }

  row(t, kind, service, fields) {
    const row = { id: `${Math.floor(this.next / 64)}-${this.next % 64}`, t, kind, dataset: service,
      fields: { ...fields, 'service.name': service, 'meta.signal_type': kind === 'log' ? 'log' : 'trace', ...RESOURCE[service] } };
    this.next++;
    this.rows.push(row);
    return row;
  }

  span(trace, parent, t, ms, service, name, kind, fields = {}) {
    const id = hex(this.r, 16);
    const f = { 'trace.trace_id': trace, 'trace.span_id': id, name, duration_ms: ms, 'span.kind': kind, status_code: fields.error ? 2 : 0, ...fields };
    if (parent) f['trace.parent_id'] = parent;
    this.row(t, 'span', service, f);
    return id;
  }

  event(trace, span, t, service, name, fields) {
    this.row(t, 'span_event', service, { 'trace.trace_id': trace, 'trace.parent_id': span, name, 'meta.annotation_type': 'span_event', ...fields });
  }

  log(trace, span, t, service, severity, body, fields = {}) {
    const f = { body, severity, ...fields };
    if (trace) Object.assign(f, { 'trace.trace_id': trace, 'trace.parent_id': span });
    this.row(t, 'log', service, f);
  }

  request(t) {
    const r = this.r;
    const trace = hex(r, 32);
    const [method, route, median] = pick(r, ROUTES);
    const slowHost = r() < 0.08;
    const base = logNormal(r, median * (slowHost ? 9 : 1), 0.35);
    const failed = r() < (route === '/api/message_groups' ? 0.12 : 0.015);
    const status = failed ? 500 : r() < 0.04 ? 404 : 200;
    const http = { 'http.request.method': method, 'http.route': route, 'user.id': `u-${Math.floor(r() * 400)}` };
    const root = this.span(trace, null, t, base * 1.25, 'frontend', `${method} ${route}`, 'client', { ...http, 'browser.name': pick(r, ['Firefox', 'Chrome', 'Safari']) });
    const api = this.span(trace, root, t + base * 0.1, base, 'cruddur-api', `${method} ${route}`, 'server',
      { ...http, 'http.response.status_code': status, 'build.id': slowHost ? 'b-218' : 'b-217', ...(failed ? { error: true } : {}) });
    const auth = this.span(trace, api, t + base * 0.14, base * 0.12, 'auth', 'verify token', 'server', { 'rpc.system': 'grpc', 'rpc.method': 'Verify' });
    this.event(trace, auth, t + base * 0.18, 'auth', 'cache hit', { 'cache.key_bytes': 36 });
    const tl = this.span(trace, api, t + base * 0.3, base * 0.55, 'timeline', 'build timeline', r() < 0.7 ? 'server' : 'internal', { 'app.items': Math.floor(r() * 40) });
    const queries = 1 + Math.floor(r() * 3);
    for (let i = 0; i < queries; i++) {
      this.span(trace, tl, t + base * (0.33 + 0.16 * i), base * 0.13, 'postgres', 'SELECT activities', 'client',
        { 'db.system': 'postgresql', 'db.statement': 'SELECT * FROM activities WHERE expires_at > now() ORDER BY created_at DESC LIMIT 50', 'db.rows': Math.floor(r() * 50) });
    }
    if (failed) {
      this.event(trace, api, t + base * 0.9, 'cruddur-api', 'exception', { 'exception.type': 'ConnectionError', 'exception.message': 'connection to server at "db-1" refused', error: true });
      this.log(trace, api, t + base * 0.92, 'cruddur-api', 'error', `${method} ${route} failed: connection to server at "db-1" refused`, { 'log.logger': 'http' });
    } else if (r() < 0.4) {
      this.log(trace, api, t + base * 0.95, 'cruddur-api', 'info', `${method} ${route} ${status} in ${base.toFixed(1)} ms`, { 'log.logger': 'access' });
    }
    if (method === 'POST') {
      this.span(trace, api, t + base * 0.9, base * 2.2, 'notifier', 'send push', 'consumer', { 'messaging.system': 'sqs', 'messaging.batch': 3 });
      if (r() < 0.2) this.log(null, null, t + base * 1.4, 'notifier', 'warn', 'queue depth above 100, slowing down', { 'queue.depth': 100 + Math.floor(r() * 80) });
    }
  }

  // One trace with a missing parent and a link, whose id tests know.
  special(t) {
    const trace = '5ca1ab1e'.repeat(4);
    this.span(trace, 'feedfacefeedface', t, 42, 'cruddur-api', 'GET /api/orphan', 'server', { 'http.route': '/api/orphan' });
    this.row(t, 'link', 'cruddur-api', { 'trace.trace_id': trace, 'trace.parent_id': this.rows.at(-1).fields['trace.span_id'],
      'trace.link.trace_id': this.rows[0].fields['trace.trace_id'], 'trace.link.span_id': this.rows[0].fields['trace.span_id'], 'meta.annotation_type': 'link' });
    this.span(trace, 'feedfacefeedface', t + 5, 12, 'auth', 'verify token', 'server', { error: true });
    this.segments(t);
  }

  // An X-Ray segment with a subsegment that failed and one still open.
  segments(t) {
    const trace = '5759e988bd862e3fe1be46a994272793';
    const x = { 'meta.source': 'xray' };
    const top = this.span(trace, null, t, 310, 'backend-flask', 'backend-flask', 'server', { ...x, 'http.request.method': 'GET', 'url.full': 'http://x/home', 'http.response.status_code': 500, error: true, 'xray.fault': true,
      user: 'andrew', 'cart.total': 12.5, 'aws.xray.annotations': ['user', 'cart.total'], 'aws.xray.metadata.default': JSON.stringify({ now: '2026-11-29', items: Array.from({ length: 250 }, (_, i) => ({ id: i, big: { deep: [i] } })), ok: true }),
      'aws.xray.sampling_rule': 'Default', 'cloud.platform': 'aws_ec2' });
    const sub = this.span(trace, top, t + 20, 180, 'backend-flask', 'users@db', 'client', { ...x, 'db.system': 'postgresql', 'db.statement': 'SELECT * FROM users WHERE handle = ?', 'server.address': 'db', error: true, 'xray.fault': true,
      'exception.type': 'OperationalError', 'exception.message': 'server closed the connection', 'exception.stacktrace': 'File "db.py", line 12, in query\nFile "home.py", line 7, in get' });
    this.event(trace, sub, t + 199, 'backend-flask', 'exception', { ...x, 'exception.type': 'OperationalError', 'exception.message': 'server closed the connection', error: true });
    this.span(trace, top, t + 210, 0, 'backend-flask', 'send mail', 'internal', { ...x, 'meta.in_progress': true });
  }
}

export const XRAY_DOCUMENT = '{"name": "backend-flask", "id": "70de5b6f19ff9a0a","start_time":1.478293361271E9 , "annotations":{"user":"andrew \\"{,}\\" x"},"empty":{ },"http":{"response":{"status":500}}}';

const empty = (id) => ({ trace_id: id, start_ns: '1795132800000000000', end_ns: '0', services: [], spans: 0, complete: true, missing_parents: 0,
  rows: { id: [], kind: [], parent: [], depth: [], span_id: [], name: [], service: [], offset_ns: [], duration_ns: [], span_kind: [], error: [], summary: [] } });

function push(tr, kind, parent, service, name, offset, duration, error, summary = '') {
  const r = tr.rows;
  const i = r.id.length;
  r.id.push(`99-${i}`); r.kind.push(kind); r.parent.push(parent);
  r.depth.push(parent < 0 ? 0 : r.depth[parent] + 1);
  r.span_id.push(kind === 'span' ? (i + 1).toString(16).padStart(16, '0') : '');
  r.name.push(name); r.service.push(service);
  r.offset_ns.push(String(Math.round(offset))); r.duration_ns.push(String(Math.round(duration)));
  r.span_kind.push(kind === 'span' ? 'internal' : ''); r.error.push(error); r.summary.push(summary);
  if (kind === 'span') tr.spans++;
  return i;
}

// A trace of n spans as a batch job makes it: pages of items, each with three steps.
export function hugeTrace(id, n) {
  const tr = empty(id);
  const r = random(99);
  tr.services = ['batch', 'store', 'mailer'];
  const root = push(tr, 'span', -1, 0, 'nightly export', 0, 600e9, false);
  let page = root;
  let item = root;
  for (let i = 1; i < n; i++) {
    const at = (i / n) * 590e9;
    if (i % 400 === 1) page = push(tr, 'span', root, 0, `page ${Math.floor(i / 400)}`, at, (400 / n) * 590e9, false);
    else if (i % 4 === 2) item = push(tr, 'span', page, 1, `item ${i}`, at, 2e6 + r() * 9e6, false);
    else push(tr, 'span', item, i % 97 === 0 ? 2 : 1, i % 4 === 3 ? 'read row' : 'write row', at, 5e5 + r() * 2e6, i % 4999 === 0);
  }
  return finish(tr);
}

export function deepTrace(id, n) {
  const tr = empty(id);
  tr.services = ['recursion'];
  let parent = -1;
  for (let i = 0; i < n; i++) parent = push(tr, 'span', parent, 0, `level ${i}`, i * 1e5, (n - i) * 2e5, i === n - 1);
  return finish(tr);
}

function finish(tr) {
  const end = tr.rows.offset_ns.reduce((m, o, i) => Math.max(m, Number(o) + Number(tr.rows.duration_ns[i])), 0);
  tr.end_ns = String(BigInt(tr.start_ns) + BigInt(Math.round(end)));
  return tr;
}

// The answer of GET /skep/v1/trace/:id, made from rows.
export function traceOf(id, rows) {
  const spans = new Map();
  for (const row of rows) if (row.kind === 'span') spans.set(row.fields['trace.span_id'], row);
  const children = new Map();
  const roots = [];
  let missing = 0;
  for (const row of [...rows].sort((a, b) => a.t - b.t)) {
    const up = row.fields['trace.parent_id'];
    if (up && spans.has(up)) children.set(up, [...(children.get(up) ?? []), row]);
    else { roots.push(row); if (up) missing++; }
  }
  const tr = empty(id);
  const t0 = Math.min(...rows.map((r) => r.t));
  tr.start_ns = ns(t0);
  const stack = roots.reverse().map((row) => [row, -1]);
  while (stack.length) {
    const [row, parent] = stack.pop();
    const f = row.fields;
    let s = tr.services.indexOf(row.dataset);
    if (s < 0) s = tr.services.push(row.dataset) - 1;
    const i = push(tr, row.kind, parent, s, f.name ?? (row.kind === 'log' ? 'log' : row.kind), (row.t - t0) * 1e6, (f.duration_ms ?? 0) * 1e6,
      f.error === true || f.severity === 'error', f.body ?? f['exception.message'] ?? f['trace.link.trace_id'] ?? '');
    tr.rows.id[i] = row.id;
    tr.rows.span_id[i] = f['trace.span_id'] ?? '';
    tr.rows.span_kind[i] = f['span.kind'] ?? '';
    for (const c of [...(children.get(f['trace.span_id']) ?? [])].reverse()) stack.push([c, i]);
  }
  tr.missing_parents = missing;
  return finish(tr);
}

export const ns = (ms) => (BigInt(Math.floor(ms)) * 1000000n + BigInt(Math.round((ms % 1) * 1e6))).toString();
