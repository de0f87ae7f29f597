// SPDX-License-Identifier: Apache-2.0
// What every end-to-end test needs: a skep of its own on free loopback ports with a data folder of its
// own, and calls to it. The binary comes from SKEP_BIN (set by CTest).
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
export const binary = process.env.SKEP_BIN || join(root, 'build', 'release', 'skep');
export const sleep = (ms) => new Promise((r) => setTimeout(r, ms));

// A test that fails leaves open what its last lines would have closed - receivers, servers -, for which node would wait
// until CTest ends it, minutes later. Behind the file's own last hook (this one is set after them) nothing is waited for.
const children = new Set();
if (process.env.NODE_TEST_CONTEXT) setImmediate(() => after(() => { setTimeout(() => process.exit(), 2000).unref(); }));
process.on('exit', () => { for (const c of children) c.kill('SIGKILL'); });

export function freePort() {
  return new Promise((resolve, reject) => {
    const s = createServer();
    s.once('error', reject);
    s.listen(0, '127.0.0.1', () => {
      const { port } = s.address();
      s.close(() => resolve(port));
    });
  });
}

// Ask until `probe` gives something true; the last answer or error is in the message when time is up. The time
// measures nothing: it ends what hangs, on a machine that others use, too.
export async function until(what, probe, ms = 90000) {
  const end = Date.now() + ms;
  let last;
  for (;;) {
    try {
      last = await probe();
      if (last) return last;
    } catch (e) {
      last = e;
    }
    if (Date.now() > end) throw new Error(`waited ${ms} ms for ${what}; last: ${last?.stack ?? JSON.stringify(last)}`);
    await sleep(25);
  }
}

export class Skep {
  // wrap: a command that starts the one given behind it (a shell that enters a control group first).
  // ready: asked until it gives true, where the status cannot be fetched by http.
  static async start({ dir, args = [], env = {}, wrap = [], ready } = {}) {
    const s = new Skep();
    s.ownDir = !dir;
    s.dir = dir || mkdtempSync(join(tmpdir(), 'skep-e2e-'));
    s.port = await freePort();
    s.grpcPort = await freePort();
    s.url = `http://127.0.0.1:${s.port}`;
    s.log = '';
    const [command, ...before] = [...wrap, binary];
    s.child = spawn(command, [...before, 'serve', '--data', s.dir, '--listen', `127.0.0.1:${s.port}`,
      '--grpc', `127.0.0.1:${s.grpcPort}`, ...(args.includes('--xray') ? [] : ['--xray', 'none']), ...(args.includes('--self-probe') ? [] : ['--self-probe', '0']), ...args], { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [s.child.stdout, s.child.stderr]) stream.on('data', (d) => { s.log += d; });
    children.add(s.child);
    s.exited = new Promise((resolve) => s.child.once('exit', (code, signal) => {
      children.delete(s.child);
      resolve({ code, signal });
    }));
    const closed = new Promise((resolve) => s.child.once('close', resolve)); // it has ended, and all it said is read
    s.child.once('error', (e) => { s.log += e; }); // there is no such program
    const answered = await until('skep to answer', async () => {
      if (s.child.pid === undefined || s.child.exitCode !== null || s.child.signalCode !== null) return 'no';
      if (ready) return ready(s);
      const r = await fetch(`${s.url}/skep/v1/status`);
      if (r.status === 401 && args.includes('keys')) return true; // it asks for keys: it is there
      return r.ok && !(await r.json()).recovering;
    });
    if (answered === 'no') {
      await closed;
      throw new Error(`skep ended with ${s.child.exitCode ?? s.child.signalCode}:\n${s.log}`);
    }
    return s;
  }

  async call(method, path, body, headers = {}) {
    const json = body !== undefined && !(body instanceof Uint8Array) && typeof body !== 'string';
    return fetch(this.url + path, {
      method,
      body: json ? JSON.stringify(body) : body,
      headers: { ...(json ? { 'content-type': 'application/json' } : {}), ...headers },
    });
  }

  // The JSON of an answer that must be a success.
  async json(method, path, body, headers) {
    const r = await this.call(method, path, body, headers);
    const text = await r.text();
    if (!r.ok) throw new Error(`${method} ${path}: ${r.status} ${text}`);
    return JSON.parse(text);
  }

  query(spec) {
    return this.json('POST', '/skep/v1/query', spec, { accept: 'application/json' });
  }

  // Clean end; gives the exit code.
  async stop() {
    this.child.kill('SIGTERM');
    return (await this.exited).code;
  }

  async kill() {
    this.child.kill('SIGKILL');
    await this.exited;
  }

  async done() {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      this.child.kill('SIGTERM');
      let timer;
      const late = new Promise((r) => { timer = setTimeout(r, 60000); });
      const ended = await Promise.race([this.exited, late]);
      clearTimeout(timer); // or the test would end a minute late
      if (!ended) await this.kill();
    }
    if (this.ownDir) rmSync(this.dir, { recursive: true, force: true });
  }
}

// A small OTLP/JSON body: one resource, spans given as {traceId, spanId, name, startNs, endNs, ...}.
export function otlpTraces(service, spans, resource = {}) {
  return {
    resourceSpans: [{
      resource: { attributes: attributes({ 'service.name': service, ...resource }) },
      scopeSpans: [{
        scope: { name: 'e2e', version: '1' },
        spans: spans.map((s) => ({
          traceId: s.traceId, spanId: s.spanId, ...(s.parentId ? { parentSpanId: s.parentId } : {}),
          name: s.name ?? 'span', kind: s.kind ?? 2,
          startTimeUnixNano: String(s.startNs), endTimeUnixNano: String(s.endNs ?? s.startNs),
          attributes: attributes(s.attributes ?? {}), status: s.status ?? {}, events: s.events ?? [], links: s.links ?? [],
        })),
      }],
    }],
  };
}

// OTLP/JSON attributes of plain values; bigint is a 64-bit integer.
export function attributes(o) {
  return Object.entries(o).map(([key, v]) => ({ key, value: anyValue(v) }));
}

function anyValue(v) {
  if (typeof v === 'string') return { stringValue: v };
  if (typeof v === 'boolean') return { boolValue: v };
  if (typeof v === 'bigint') return { intValue: String(v) };
  if (typeof v === 'number') return Number.isInteger(v) ? { intValue: String(v) } : { doubleValue: v };
  if (Array.isArray(v)) return { arrayValue: { values: v.map(anyValue) } };
  if (v === null) return {};
  return { kvlistValue: { values: attributes(v) } };
}

export const hex = (n) => Array.from({ length: n }, () => '0123456789abcdef'[Math.floor(Math.random() * 16)]).join('');
export const nowNs = () => BigInt(Date.now()) * 1000000n;

// 10,000 rows, 30 MB as an export: more than all buffers between the two.
export async function fillLarge(s) {
  const pad = 'x'.repeat(3000);
  for (let k = 0; k < 20; k++) {
    const spans = Array.from({ length: 500 }, () => ({ traceId: hex(32), spanId: hex(16), startNs: nowNs(), attributes: { pad: `${Math.random()} ${pad}` } }));
    await s.json('POST', '/v1/traces', otlpTraces('shop', spans));
  }
}
