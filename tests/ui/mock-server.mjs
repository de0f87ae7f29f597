// SPDX-License-Identifier: Apache-2.0
//
// A server of docs/api/page.md for tests of the page: generated rows, and modes for what is hard to
// bring about on purpose (nothing stored, refusals, slow answers, errors). Run by hand:
//
//   node mock-server.mjs [--port 0] [--mode data|empty|error|slow] [--dist ../../ui/dist]

import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname, extname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Data, deepTrace, hugeTrace, ns, traceOf, XRAY_DOCUMENT } from './mock-data.mjs';
import { Refused, query, select, facets } from './mock-query.mjs';

export const HUGE = 'b'.repeat(32);
export const DEEP = 'd'.repeat(32);
export const ORPHAN = '5ca1ab1e'.repeat(4);
export const XRAY = '5759e988bd862e3fe1be46a994272793';

const here = dirname(fileURLToPath(import.meta.url));
// Stricter than the page's promise in ui/README.md or equal to it, like the real server's.
const CSP = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

// Of X-Ray's filter expressions: enough for tests of the page. Refused in the server's form.
function expression(text) {
  if (!text) return () => true;
  const refuse = (error, at) => { throw Object.assign(new Refused(error, 'filter_expression'), { at }); };
  const word = /^(fault|ok)$/.exec(text);
  if (word) return (t) => (t.errors > 0) === (word[1] === 'fault');
  const time = /^(?:responsetime|duration)\s*(>|<)\s*([\d.]+)$/.exec(text);
  if (time) return (t) => (time[1] === '>' ? t.duration_ms > time[2] * 1e3 : t.duration_ms < time[2] * 1e3);
  const service = /^service\("([^"]*)"\)(?:\s*\{\s*fault\s*\})?$/.exec(text);
  if (service) return (t) => t.services.some((s) => s.name === service[1] && (!text.includes('fault') || s.errors));
  if (/^group\.name = "/.test(text)) return () => true;
  const open = /\b(AND|OR)\s*$/.exec(text);
  if (open) refuse('expected a keyword, a function, "!" or "("', Buffer.byteLength(text));
  return refuse('expected a keyword or a function', Buffer.byteLength(/^[^]*?(?=\bnonsense|$)/.exec(text)[0]));
}

class Mock {
  constructor({ mode = 'data', dist = process.env.SKEP_UI_DIST ?? join(here, '../../ui/dist'), traces = 1500 } = {}) {
    Object.assign(this, { mode, dist: resolve(dist), cancelled: 0, asked: [], traces, started: Date.now(), last: [], running: [], wrong: 0, traceCache: new Map() });
    this.data = mode === 'empty' ? null : new Data(Date.now(), { traces });
    this.server = createServer((req, res) => this.handle(req, res).catch((e) => this.fail(res, e)));
  }

  listen(port = 0) {
    return new Promise((done) => this.server.listen(port, '127.0.0.1', () => { this.url = `http://127.0.0.1:${this.server.address().port}`; done(this); }));
  }

  close() {
    this.server.closeAllConnections();
    return new Promise((done) => this.server.close(done));
  }

  fill() { this.data = new Data(Date.now(), { traces: this.traces }); }

  refuse(error) {
    this.last.unshift({ at_ms: Date.now(), listener: '127.0.0.1:4318', what: 'POST /v1/traces', status: 415, bytes: 210, error });
  }

  // Environments of the list `bare` hold nothing.
  rows() { return this.bare?.includes(this.environment) ? [] : this.all(); }

  all() {
    this.data?.fillTo(Date.now());
    return this.data?.rows ?? [];
  }

  json(res, body, status = 200) {
    res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  }

  fail(res, e) {
    if (!res.headersSent) this.json(res, { error: e.message, field: e.field, at: e.at }, e instanceof Refused ? 400 : 500);
    else res.end(JSON.stringify({ type: 'error', error: e.message, field: e.field }) + '\n');
  }

  async handle(req, res) {
    const url = new URL(req.url, 'http://x');
    if (!url.pathname.startsWith('/skep/v1/')) return this.file(url.pathname, res);
    let body = '';
    for await (const part of req) body += part;
    const call = url.pathname.slice('/skep/v1/'.length);
    this.asked.push(call);
    if (call !== 'environments') this.environment = req.headers['x-skep-environment'];
    if (this.out) return this.json(res, { error: 'log in' }, 401);
    if (this.mode === 'error' && call !== 'status') return this.json(res, { error: 'the store is read-only: no space left on device' }, 503);
    const input = body ? JSON.parse(body) : Object.fromEntries(url.searchParams);
    const [name, id] = call.split('/');
    const answer = this[`on_${name}`];
    if (!answer) return this.json(res, { error: 'no such call' }, 404);
    return answer.call(this, input, req, res, id && decodeURIComponent(id));
  }

  file(path, res) {
    let file = join(this.dist, path.replace(/^\/ui\/assets\//, '/assets/'));
    if (!path.startsWith('/ui/assets/')) file = join(this.dist, 'index.html');
    if (!existsSync(file) || !statSync(file).isFile()) return res.writeHead(404).end();
    res.writeHead(200, { 'content-type': TYPES[extname(file)], 'content-security-policy': CSP });
    return createReadStream(file).pipe(res);
  }

  // Nobody has put a marker or made a board.
  on_honeycomb(_, __, res) {
    this.json(res, []);
  }

  on_status(_, __, res) { // of the whole server
    const rows = this.all();
    const spans = rows.filter((r) => r.kind !== 'log').length;
    const ledger = rows.length === 0 && this.last.length === 0 ? [] : [
      { source: 'otlp', signal: 'traces', received: spans + 12, stored: spans, duplicate: 2, rejected: { bad_trace_id: 10 } },
      { source: 'otlp', signal: 'logs', received: rows.length - spans, stored: rows.length - spans, duplicate: 0, rejected: {} }];
    const last = rows.length ? [{ at_ms: Date.now() - 350, listener: '127.0.0.1:4318', what: 'POST /v1/traces', status: 200, bytes: 48213, error: null }, ...this.last] : this.last;
    this.json(res, { version: '0.1.0', uptime_s: (Date.now() - this.started) / 1e3, now_ns: ns(Date.now()), recovering: false, rows: rows.length,
      oldest_ns: rows.length ? ns(rows[0].t) : null, newest_ns: rows.length ? ns(rows.at(-1).t) : null,
      memory: { used_bytes: 41 << 20, limit_bytes: 512 << 20 }, disk: { used_bytes: 3.1e9, limit_bytes: 20e9 },
      xray: this.noXray ? undefined : { udp: { address: '127.0.0.1:2000', datagrams: 1234, bytes: 99000, kernel_drops: this.drops ?? 0, receive_buffer_bytes: 8 << 20, last_ms: Date.now() - 900, last_peer: '127.0.0.1:40112' } },
      listeners: [{ address: '127.0.0.1:4318', takes: ['otlp/http', 'otlp/grpc', 'page'] }, { address: '[::1]:4318', takes: ['otlp/http', 'otlp/grpc', 'page'] },
        { address: '127.0.0.1:4317', takes: ['otlp/grpc', 'otlp/http'] }], ledger, last: last.slice(0, 16),
      self: { interval_s: 60, attempts: 12, failures: 0, last_ms: Date.now() - 21e3, last_error: null, ack_ms: 3.4, visible_ms: 0.6, queries: 1 } });
  }

  // Rules of a place where nobody uses X-Ray.
  on_xray(_, __, res, operation) {
    if (operation === 'Groups') return this.json(res, { Groups: [{ GroupName: 'Default' }, { GroupName: 'checkout' }] });
    this.json(res, { window_s: 10, kept_s: 3600, rules: [], below: [] });
  }

  on_facets(q, _, res) {
    this.lastFacets = q;
    if (this.refuseFacets) return this.json(res, { error: this.refuseFacets, field: 'columns' }, 422);
    this.json(res, facets(this.rows(), q, Date.now(), this.histograms));
  }

  // `wrong` rows of the last step are missing from what is stored.
  on_ledger(q, _, res) {
    const end = Number(q.end ?? Date.now() / 1e3);
    const start = Number(q.start ?? end - 86400);
    const span = end - start;
    const step = span > 15 * 86400 ? 86400 : span > 7200 ? 300 : 60;
    const line = (signal, per, reasons, duplicate) => {
      const s = { start_s: [], received: [], stored: [], pending: [], duplicate: [], superseded: [], sampled: [], live: [], rejected: [], difference: [], store_difference: [] };
      const first = Math.max(Math.ceil(start / step), Math.floor(end / step) - 280);
      for (let b = first; b * step < end; b++) {
        const stored = Math.round(per * step * (1 + 0.6 * Math.sin(b / 9)));
        const rejected = reasons && b % 37 === 0 ? Math.round(stored / 3) : 0;
        const twice = duplicate && b % 11 === 0 ? 40 : 0;
        const lost = this.wrong && (b + 1) * step >= end ? this.wrong : 0;
        for (const [k, v] of Object.entries({ start_s: b * step, received: stored + rejected + twice, stored: stored - lost, pending: 0, duplicate: twice,
          superseded: 0, sampled: 0, live: stored - lost, rejected, difference: lost, store_difference: 0 })) s[k].push(v);
      }
      const sum = (k) => s[k].reduce((x, y) => x + y, 0);
      return { source: 'otlp', signal, series: s, totals: { received: sum('received'), stored: sum('stored'), pending: 0, duplicate: sum('duplicate'), superseded: 0,
        sampled: 0, live: sum('live'), expired: 0, deleted: 0, stored_rows: sum('stored'), live_rows: sum('live'),
        rejected: sum('rejected') ? { bad_trace_id: sum('rejected') } : {}, difference: sum('difference'), store_difference: 0 } };
    };
    const sources = this.rows().length === 0 ? [] : [line('traces', 41, true, true), line('logs', 12, false, false)];
    this.json(res, { start_s: start, end_s: end, step_s: step, complete: true, differences: this.wrong && sources.length ? 2 : 0, sources });
  }

  on_running(_, req, res, id) {
    if (req.method === 'POST') {
      const at = this.running.findIndex((r) => String(r.id) === id);
      if (at < 0) return this.json(res, { error: 'no such question runs' }, 404);
      this.running.splice(at, 1);
      return this.json(res, { canceled: true });
    }
    return this.json(res, { running: this.running });
  }

  // Logged in as an administrator; nobody is while `out` is set.
  on_me(_, __, res) {
    this.json(res, { mode: 'keys', user: { name: 'ann', role: 'admin', login: 'password' }, rights: ['ingest', 'query', 'admin'] });
  }

  on_keys(_, __, res) {
    const key = (i, more) => ({ id: `hcxik_${String(i).padStart(26, '0')}`, name: `key ${i}`, environment: 'default', rights: ['ingest'], access_key: `AKIASKEP${i}`,
      created_ns: ns(this.started - 9e8), expires_ns: null, revoked_ns: null, last_used_ns: ns(Date.now() - 6e4), disabled: false, ...more });
    this.json(res, { keys: [key(1), key(2, { environment: '', rights: ['ingest', 'query', 'admin'], last_used_ns: null, expires_ns: ns(Date.now() + 9e9) }), key(3, { revoked_ns: ns(this.started) })] });
  }

  on_login(_, __, res) {
    this.json(res, { password: true, oidc: null });
  }

  on_users(_, __, res) {
    const user = (name, role, more) => ({ name, role, login: 'password', created_ns: ns(this.started - 9e8), last_login_ns: ns(this.started), disabled_ns: null, ...more });
    this.json(res, { users: [user('ann', 'admin'), user('bob@hive.example', 'viewer', { last_login_ns: null }), user('carl', 'viewer', { disabled_ns: ns(this.started) })] });
  }

  on_notify(q, req, res, what) {
    const place = (i, more) => ({ id: `place_${i}`, name: `place ${i}`, kind: 'webhook', target: `https://example.com/hook/${i}`, per_minute: 60, disabled: false, failures: 0, delivered: 12, dead: 0, refused: 0,
      created_ns: ns(this.started), last_ns: ns(Date.now() - 4e3), retry_ns: null, last_error: '', ...more });
    const message = (i, more) => ({ id: `msg_${i}`, place: 'place_1', kind: 'test', title: `message ${i}`, state: 'delivered', attempts: 1, status: 200, error: '', created_ns: ns(this.started), ended_ns: ns(this.started + 900), ...more });
    if (what === 'messages') return this.json(res, { messages: [message(1), message(2, { state: 'dead', status: 404, error: 'HTTP 404: no such hook', attempts: 3 }), message(3, { state: 'waiting', ended_ns: null, attempts: 0 })], next: null });
    return this.json(res, { mail: false, places: [place(1), place(2, { kind: 'slack', failures: 4, retry_ns: ns(Date.now() + 6e4), last_error: 'HTTP 500: busy' }), place(3, { kind: 'mail', target: 'ann@hive.example', disabled: true })] });
  }

  on_audit(q, _, res) {
    const entry = (number, who, what, on, from = '192.0.2.7') => ({ number, at_ns: ns(this.started - (100 - number) * 6e4), who, what, on, from });
    const entries = [entry(9, 'user ann', 'key.create', 'shop (hcxik_0123) of bootcamp: ingest'), entry(8, 'anybody', 'login.failed', 'root'), entry(7, 'terminal, uid 0', 'user.create', 'ann', '')];
    this.json(res, { entries: q.before ? [entry(3, 'user ann', 'login', 'ann')] : entries, next: q.before ? null : 7 });
  }

  on_environments(_, __, res) {
    this.json(res, { environments: this.environments ?? [{ slug: 'default', name: 'default', rows: this.rows().length }] });
  }

  on_datasets(_, __, res) {
    const sets = new Map();
    for (const r of this.rows()) {
      const d = sets.get(r.dataset) ?? sets.set(r.dataset, { name: r.dataset, rows: 0, first_ns: ns(r.t), last_ns: '' }).get(r.dataset);
      d.rows++;
      d.last_ns = ns(r.t);
    }
    this.json(res, { datasets: [...sets.values()].sort((a, b) => (a.name < b.name ? -1 : 1)) });
  }

  on_fields(_, __, res) {
    const fields = new Map();
    for (const r of this.rows()) {
      for (const [name, v] of Object.entries(r.fields)) {
        const f = fields.get(name) ?? fields.set(name, { name, types: new Set(), scopes: ['attribute'], rows: 0 }).get(name);
        f.rows++;
        f.types.add(typeof v === 'number' ? (Number.isInteger(v) ? 'int' : 'double') : typeof v === 'boolean' ? 'bool' : 'string');
      }
    }
    this.json(res, { fields: [...fields.values()].map((f) => ({ ...f, types: [...f.types] })).sort((a, b) => (a.name < b.name ? -1 : 1)) });
  }

  on_functions(_, __, res) {
    this.json(res, { functions: [{ name: 'IF', signature: 'IF(condition, value, ...[, else])', text: 'The value of the first condition that holds.', family: 'conditional' }, { name: 'IN', signature: 'IN(a, b, ...)', text: 'Is a one of them?', family: 'compare' }] });
  }

  on_values(q, _, res) {
    const counts = new Map();
    for (const r of this.rows()) {
      const v = r.fields[q.field];
      if (v !== undefined && String(v).startsWith(q.prefix ?? '')) counts.set(v, (counts.get(v) ?? 0) + 1);
    }
    const values = [...counts].map(([value, rows]) => ({ value, rows })).sort((a, b) => b.rows - a.rows || (a.value < b.value ? -1 : 1));
    this.json(res, { values: values.slice(0, Number(q.limit ?? 50)), complete: true });
  }

  async on_query(q, req, res) {
    this.lastQuery = q;
    let gone = false;
    res.on('close', () => { if (!res.writableEnded) { gone = true; this.cancelled++; } });
    const now = Date.now();
    const rows = this.rows();
    if (!String(req.headers.accept).includes('ndjson')) return this.json(res, query(rows, q, now));
    const result = query(rows, q, now);
    res.writeHead(200, { 'content-type': 'application/x-ndjson' });
    const steps = this.mode === 'slow' ? 20 : 1;
    for (let i = 1; i <= steps && !gone; i++) {
      res.write(JSON.stringify({ type: 'progress', rows_scanned: Math.round((10e6 * i) / steps), rows_total: 10e6 }) + '\n');
      if (this.mode === 'slow') await sleep(150);
    }
    if (!gone) res.end(JSON.stringify(result) + '\n');
  }

  on_rows(q, _, res) {
    this.lastRows = q;
    const sign = q.order === 'asc' ? 1 : -1;
    const rows = select(this.rows(), q, Date.now()).sort((a, b) => sign * (a.t - b.t));
    const skip = Number(q.after ?? 0);
    const page = rows.slice(skip, skip + (q.limit ?? 100));
    const fields = (r) => (q.columns ? Object.fromEntries(q.columns.filter((c) => c in r.fields).map((c) => [c, r.fields[c]])) : r.fields);
    this.json(res, { rows: page.map((r) => ({ id: r.id, time_ns: ns(r.t), kind: r.kind, dataset: r.dataset, fields: fields(r) })),
      next: skip + page.length < rows.length ? String(skip + page.length) : null, rows_examined: this.rows().length, elapsed_ms: 3.2, complete: true });
  }

  on_traces(q, _, res) {
    const all = this.rows();
    const passes = expression(q.filter_expression);
    const ids = new Set(select(all, q, Date.now()).map((r) => r.fields['trace.trace_id']).filter(Boolean));
    const traces = new Map();
    for (const r of all) {
      const id = r.fields['trace.trace_id'];
      if (!ids.has(id)) continue;
      const t = traces.get(id) ?? traces.set(id, { trace_id: id, from: r.t, to: r.t, spans: 0, errors: 0, root: null, root_missing: true, services: new Map() }).get(id);
      if (r.kind !== 'span') continue;
      t.spans++;
      t.from = Math.min(t.from, r.t);
      t.to = Math.max(t.to, r.t + r.fields.duration_ms);
      const s = t.services.get(r.dataset) ?? t.services.set(r.dataset, { name: r.dataset, spans: 0, errors: 0 }).get(r.dataset);
      s.spans++;
      if (r.fields.error) { t.errors++; s.errors++; }
      if (r.fields['http.response.status_code']) t.status = r.fields['http.response.status_code'];
      if (!r.fields['trace.parent_id']) { t.root = { service: r.dataset, name: r.fields.name, status: null }; t.root_missing = false; }
    }
    let list = [...traces.values()].map(({ from, to, services, status, ...t }) => ({ ...t, root: t.root && { ...t.root, status: status ?? null },
      start_ns: ns(from), duration_ms: to - from, services: [...services.values()] }));
    if (q.sort === 'errors') list = list.filter((t) => t.errors);
    list = list.filter(passes);
    const durations = list.map((t) => t.duration_ms);
    if (q.duration_ms) list = list.filter((t) => t.duration_ms >= (q.duration_ms.min ?? 0) && t.duration_ms < (q.duration_ms.max ?? Infinity));
    this.lastTraces = q;
    list.sort((a, b) => (q.sort === 'slow' ? b.duration_ms - a.duration_ms : a.start_ns < b.start_ns ? 1 : -1));
    this.json(res, { traces: list.slice(0, q.limit ?? 50), rows_examined: all.length, elapsed_ms: 12.4, complete: true,
      ...(q.filter_expression || q.duration_ms || q.distribution ? { looked: durations.length, looked_all: true } : {}), ...(q.distribution ? { durations_ms: durations } : {}) });
  }

  on_document(_, __, res, id) {
    const row = this.rows().find((r) => r.id === id);
    if (row?.fields['meta.source'] !== 'xray') return this.json(res, { error: 'the row was not made of a document that is kept' }, 404);
    return this.json(res, { id, span_id: row.fields['trace.span_id'], name: row.fields.name, document: XRAY_DOCUMENT });
  }

  trace(id) {
    if (!this.traceCache.has(id)) {
      const rows = this.rows().filter((r) => r.fields['trace.trace_id'] === id);
      this.traceCache.set(id, id === HUGE ? hugeTrace(id, 100000) : id === DEEP ? deepTrace(id, 10000) : rows.length ? traceOf(id, rows) : null);
    }
    return this.traceCache.get(id);
  }

  on_trace(q, _, res, id) {
    const x = /^1-([0-9a-f]{8})-([0-9a-f]{24})$/.exec(id);
    const trace = this.trace(x ? x[1] + x[2] : id);
    if (!trace) return this.json(res, { error: `no trace ${id}` }, 404);
    if (q.search === undefined) return this.json(res, trace);
    const text = q.search.toLowerCase();
    const byId = new Map(this.rows().map((r) => [r.id, r]));
    const has = (i) => trace.rows.name[i].toLowerCase().includes(text) ||
      Object.values(byId.get(trace.rows.id[i])?.fields ?? {}).some((v) => String(v).toLowerCase().includes(text));
    return this.json(res, { matches: trace.rows.id.map((_, i) => i).filter(has) });
  }

  on_row(_, __, res, id) {
    const row = this.rows().find((r) => r.id === id);
    if (id.startsWith('99-')) {
      return this.json(res, { id, time_ns: ns(Date.now()), kind: 'span', dataset: 'batch', trace_id: HUGE, span_id: '', fields: [
        { name: 'app.row', type: 'int', scope: 'attribute', value: Number(id.slice(3)) }, { name: 'service.name', type: 'string', scope: 'resource', value: 'batch' }] });
    }
    if (!row) return this.json(res, { error: `no row ${id}` }, 404);
    const resource = ['service.name', 'telemetry.sdk.language', 'service.version', 'host.name', 'deployment.environment', 'cloud.platform'];
    const intrinsic = ['name', 'duration_ms', 'span.kind', 'status_code', 'error', 'trace.trace_id', 'trace.span_id', 'trace.parent_id', 'meta.signal_type', 'meta.source', 'meta.in_progress', 'body', 'severity'];
    const scope = (n) => (resource.includes(n) ? 'resource' : intrinsic.includes(n) ? 'intrinsic' : 'attribute');
    const type = (v) => (Array.isArray(v) ? 'array' : typeof v === 'number' ? (Number.isInteger(v) ? 'int' : 'double') : typeof v === 'boolean' ? 'bool' : 'string');
    return this.json(res, { id, time_ns: ns(row.t), kind: row.kind, dataset: row.dataset, trace_id: row.fields['trace.trace_id'] ?? null, span_id: row.fields['trace.span_id'] ?? null,
      fields: Object.entries(row.fields).map(([name, value]) => ({ name, type: type(value), scope: scope(name), value })) });
  }

  async on_tail(q, _, res) {
    res.writeHead(200, { 'content-type': 'application/x-ndjson' });
    let gone = false;
    res.on('close', () => { gone = true; });
    for (let i = 0; !gone; i++) {
      const fields = { body: `tailed line ${i}`, severity: i % 5 === 4 ? 'error' : 'info', 'service.name': 'notifier', 'meta.signal_type': 'log' };
      res.write(JSON.stringify({ id: `77-${i}`, time_ns: ns(Date.now()), kind: 'log', dataset: 'notifier', fields }) + '\n');
      if (i === 3) res.write('{"type":"ping"}\n{"type":"skipped","rows":7}\n');
      await sleep(200);
    }
  }
}

export const startMock = (options, port = 0) => new Mock(options).listen(port);

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const arg = (name, other) => { const i = process.argv.indexOf(`--${name}`); return i > 0 ? process.argv[i + 1] : other; };
  const mock = await startMock({ mode: arg('mode', 'data'), dist: arg('dist', undefined) }, Number(arg('port', 0)));
  console.log(mock.url);
}
