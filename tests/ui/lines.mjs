// SPDX-License-Identifier: Apache-2.0
//
// Log lines by the number: each is a function of its number alone, so that a test knows what stands
// where. Sent as OTLP/JSON, oldest first.
//
//   SKEP_URL=http://127.0.0.1:4318 node lines.mjs [--lines 1000000] [--minutes 60]

import { fileURLToPath } from 'node:url';

const NAMES = ['alice', 'bob', 'carol', 'dave', 'erin', 'frank', 'grace', 'heidi'];
const PATHS = ['/cart', '/checkout', '/login', '/users/:id', '/search'];
const STREAMS = ['vm-1/api/4711', 'vm-2/api/812', 'vm-3/worker/99'];
const BATCH = 5000;

const hex = (n, digits) => n.toString(16).padStart(digits, '0');

// Line i of n; numbers are stable for ever.
export function lineOf(i) {
  const error = i % 50 === 7;
  const warn = i % 20 === 3;
  const name = NAMES[i % NAMES.length];
  const path = PATHS[i % PATHS.length];
  const text = error ? `payment of ${name} failed: upstream 10.0.0.${i % 200} timed out after ${3000 + (i % 977)}ms`
    : warn ? `cache miss for key k-${hex((i * 2654435761) % 2 ** 32, 8)}`
      : i % 3 === 0 ? `user ${name} logged in from 192.168.${i % 250}.${i % 7}` : `GET ${path} 200 ${i % 500} ms`;
  return {
    text: `${text} #${i}`, severity: error ? 17 : warn ? 13 : i % 5 === 0 ? 5 : 9, stream: STREAMS[i % STREAMS.length],
    attributes: { 'user.name': name, 'http.route': path, 'http.status_code': error ? 504 : 200, n: i },
    trace: i % 10 === 0 ? `5eed5eed5eed5eed${hex(i + 1, 16)}` : '',
  };
}

const value = (v) => (typeof v === 'number' ? { intValue: String(v) } : { stringValue: v });

function record(i, ns) {
  const l = lineOf(i);
  return {
    timeUnixNano: String(ns), severityNumber: l.severity, body: { stringValue: l.text },
    attributes: [{ key: 'log.stream', value: value(l.stream) }, ...Object.entries(l.attributes).map(([key, v]) => ({ key, value: value(v) }))],
    ...(l.trace && { traceId: l.trace, spanId: l.trace.slice(-16) }),
  };
}

// n lines evenly over [fromMs, toMs); service is the dataset.
export async function sendLines(url, n, { fromMs, toMs, service = 'shop', first = 0 }) {
  const step = (BigInt(toMs) - BigInt(fromMs)) * 1000000n / BigInt(n);
  for (let at = 0; at < n; at += BATCH) {
    const logRecords = [];
    for (let i = at; i < Math.min(n, at + BATCH); i++) logRecords.push(record(first + i, BigInt(fromMs) * 1000000n + BigInt(i) * step));
    const res = await fetch(`${url}/v1/logs`, {
      method: 'POST', headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ resourceLogs: [{ resource: { attributes: [{ key: 'service.name', value: value(service) }] }, scopeLogs: [{ scope: { name: 'lines' }, logRecords }] }] }),
    });
    if (!res.ok) throw new Error(`${res.status} ${await res.text()}`);
    await res.arrayBuffer();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const arg = (name, other) => { const i = process.argv.indexOf(`--${name}`); return i > 0 ? Number(process.argv[i + 1]) : other; };
  const url = process.env.SKEP_URL;
  if (!url) throw new Error('say where to in SKEP_URL');
  const toMs = Date.now();
  const n = arg('lines', 1e6);
  await sendLines(url, n, { fromMs: toMs - arg('minutes', 60) * 60e3, toMs });
  console.log(`${n} lines sent to ${url} in ${Date.now() - toMs} ms`);
}
