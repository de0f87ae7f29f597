// SPDX-License-Identifier: Apache-2.0
// The X-Ray daemon's ports and PutTraceSegments: recorded packets, bad ones, a flood, retries, restarts; each
// datagram and document is in the ledger once.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Skep, binary, freePort, hex, root, until } from './support.mjs';

const HEADER = '{"format":"json","version":1}\n';
const traceId = () => `1-${Math.floor(Date.now() / 1000).toString(16)}-${hex(24)}`;
const segment = (more = {}) => {
  const now = Date.now() / 1000;
  return { id: hex(16), trace_id: traceId(), name: 'svc', start_time: now - 0.1, end_time: now, ...more };
};
const packets = (name) => {
  const all = [];
  let rest = readFileSync(join(root, 'tests/golden/xray', `${name}.packets`));
  while (rest.length) {
    const end = rest.indexOf(10);
    const n = Number(rest.subarray(0, end).toString());
    all.push(rest.subarray(end + 1, end + 1 + n));
    rest = rest.subarray(end + 1 + n + 1);
  }
  return all;
};

async function start(options = {}) {
  const port = await freePort();
  const skep = await Skep.start({ ...options, args: ['--xray', `127.0.0.1:${port}`, ...(options.args ?? [])] });
  skep.xrayPort = port;
  return skep;
}

const send = (socket, port, data) => new Promise((resolve, reject) => {
  socket.send(data, port, '127.0.0.1', (e) => (e ? reject(e) : resolve()));
});
const sendAll = async (port, list) => {
  const socket = createSocket('udp4');
  for (const p of list) await send(socket, port, p);
  socket.close();
};
const status = (skep) => skep.json('GET', '/skep/v1/status');
const xray = (s) => s.ledger.find((l) => l.source === 'xray') ?? { received: 0, stored: 0, pending: 0, rejected: {} };
const settled = (skep, n) => until(`${n} received`, async () => {
  const s = await status(skep);
  const l = xray(s);
  return l.received >= n && l.pending === 0 && s;
}, 30000);
const put = (skep, docs, headers = {}) => skep.call('POST', '/TraceSegments',
  { TraceSegmentDocuments: docs.map((d) => (typeof d === 'string' ? d : JSON.stringify(d))) }, headers);
const rows = (skep, filters, columns) => skep.json('POST', '/skep/v1/rows', {
  start_time: 1, end_time: 4102444800, filters, ...(columns ? { columns } : {}), limit: 1000,
}).then((r) => r.rows);
const balanced = async (skep) => {
  const l = await skep.json('GET', '/skep/v1/ledger?source=xray');
  const t = l.sources[0].totals;
  const rejected = Object.values(t.rejected).reduce((a, b) => a + b, 0);
  assert.equal(l.differences, 0, JSON.stringify(t));
  assert.equal(t.received, t.stored + t.pending + t.duplicate + t.superseded + t.sampled + rejected);
  assert.equal(t.stored, t.live + t.expired + t.deleted);
  return t;
};

test('recorded packets of two SDKs arrive as rows; late subsegments belong to their segment', { timeout: 300000 }, async () => {
  const skep = await start({ args: ['--retain', '0'] });
  try {
    // One at a time, so that the 31 streamed subsegments come before their segment in other commits.
    const flask = packets('flask');
    const socket = createSocket('udp4');
    let n = 0;
    for (const p of flask) {
      await send(socket, skep.xrayPort, p);
      n++;
      await until('the packet', async () => (await status(skep)).xray.udp.datagrams >= n);
    }
    socket.close();
    await sendAll(skep.xrayPort, packets('express'));
    await until('all rows', async () => (await rows(skep, [{ column: 'service.name', op: '=', value: 'big' }])).length === 36);
    const s = await status(skep);
    assert.equal(s.xray.udp.datagrams, 43);
    assert.equal(s.xray.udp.kernel_drops, 0);
    assert.match(s.xray.udp.last_peer, /^127\.0\.0\.1:\d+$/);
    assert.ok(s.last.some((e) => e.listener === `127.0.0.1:${skep.xrayPort}/udp` && e.status === null));
    const big = await rows(skep, [{ column: 'service.name', op: '=', value: 'big' }]);
    assert.deepEqual(big.filter((r) => r.fields.name !== 'big').map((r) => r.fields.name).sort(),
      Array.from({ length: 35 }, (_, i) => `s${i}`).sort());
    assert.ok((await rows(skep, [])).every((r) => r.dataset !== 'unknown'));
    for (const r of big) assert.equal(r.fields['meta.raw'], undefined, 'the document is not listed');
    const fields = (await skep.json('GET', '/skep/v1/fields')).fields.map((f) => f.name);
    assert.ok(!fields.includes('meta.raw') && fields.includes('user_handle'));
    const [raw] = await rows(skep, [{ column: 'name', op: '=', value: 'big' }], ['meta.raw']);
    assert.equal(raw.fields['meta.raw'], flask.find((p) => p.includes('"name": "big"')).toString().slice(HEADER.length));
    const boom = await rows(skep, [{ column: 'exception.type', op: '=', value: 'ValueError' }, { column: 'meta.kind', op: '=', value: 'span_event' }]);
    assert.equal(boom.length, 1);
    assert.match(boom[0].fields['exception.stacktrace'], /^ValueError: bad thing\n\tat do_teardown_request\(app\.py:1356\)/);
    await balanced(skep);
  } finally {
    await skep.done();
  }
});

test('bad datagrams are counted by reason and disturb nobody', { timeout: 300000 }, async () => {
  const skep = await start({ args: ['--xray-document-size', '4K'] });
  try {
    const good = HEADER + JSON.stringify(segment());
    const list = ['', 'hello', '{}\n{}', HEADER, `{"format":"json","version":2}\n${JSON.stringify(segment())}`, // 5 headers
      `${HEADER}{"id":`, `${HEADER}[]`, `${HEADER}{"id":"53995c3f42cd8ad8"}`,
      HEADER + JSON.stringify({ ...segment(), start_time: undefined }), HEADER + JSON.stringify(segment({ x: 'x'.repeat(5000) })),
      `${HEADER}[${JSON.stringify(segment())},${JSON.stringify(segment())}]`, good];
    await sendAll(skep.xrayPort, list);
    const s = await settled(skep, 13);
    assert.deepEqual(xray(s).rejected, { bad_header: 5, malformed: 1, bad_span_id: 1, bad_trace_id: 1, missing_time: 1, too_large: 1 });
    assert.equal(xray(s).received, 13);
    assert.equal(xray(s).stored, 3);
    assert.ok(s.last.some((e) => e.error), 'the first reason of a burst is among the last requests');
    await balanced(skep);
  } finally {
    await skep.done();
  }
});

test('who is not allowed is counted, and what is allowed goes to its environment', { timeout: 300000 }, async () => {
  const skep = await start({ args: ['--xray-allow', '10.9.8.7', '--xray-environment', 'prod'] });
  try {
    await sendAll(skep.xrayPort, [HEADER + JSON.stringify(segment())]);
    const s = await settled(skep, 1);
    assert.deepEqual(xray(s).rejected, { not_allowed: 1 });
    assert.match(s.last[0].error, /--xray-allow/);
  } finally {
    await skep.done();
  }
  const other = await start({ args: ['--xray-environment', 'prod'] });
  try {
    await sendAll(other.xrayPort, [HEADER + JSON.stringify(segment())]);
    await settled(other, 1);
    assert.equal((await rows(other, [])).length, 0, 'the page looks at "default"');
    assert.equal((await status(other)).rows, 1);
  } finally {
    await other.done();
  }
});

test('a flood: what was sent was received or dropped by the kernel, and the ledger balances', { timeout: 300000 }, async () => {
  const skep = await start();
  try {
    const SENT = 20000;
    const socket = createSocket('udp4');
    let sent = 0;
    for (let i = 0; i < SENT / 200; i++) {
      await Promise.all(Array.from({ length: 200 }, () => send(socket, skep.xrayPort, HEADER + JSON.stringify(segment())).then(() => sent++)));
    }
    socket.close();
    const s = await until('all to be counted', async () => {
      const now = await status(skep);
      const l = xray(now);
      return now.xray.udp.datagrams + now.xray.udp.kernel_drops >= sent && l.received === now.xray.udp.datagrams && l.pending === 0 && now;
    }, 60000);
    assert.equal(s.xray.udp.datagrams + s.xray.udp.kernel_drops, sent);
    const l = xray(s);
    assert.equal(l.received, l.stored + Object.values(l.rejected).reduce((a, b) => a + b, 0));
    assert.equal((await status(skep)).rows, l.stored);
    await balanced(skep);
  } finally {
    await skep.done();
  }
});

test('PutTraceSegments: acknowledged is on disk, a retry gets the first answer, open ones are completed', { timeout: 300000 }, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'skep-xray-'));
  let skep = await start({ dir });
  try {
    const one = segment({ subsegments: [{ id: hex(16), name: 'sub', start_time: 1, end_time: 2 }] });
    const open = segment({ end_time: undefined, in_progress: true });
    const docs = [one, open, '{"id":"a"}', 'x', [segment(), segment()]];
    const headers = { 'amz-sdk-invocation-id': hex(32) };
    const first = await (await put(skep, docs, headers)).text();
    assert.deepEqual(JSON.parse(first).UnprocessedTraceSegments, [
      { Id: 'a', ErrorCode: 'MissingTraceId', Message: 'Invalid segment. ErrorCode: MissingTraceId' },
      { ErrorCode: 'InvalidSegment', Message: 'Invalid segment. ErrorCode: InvalidSegment' },
    ]);
    await skep.kill();
    skep = await start({ dir });
    assert.equal((await status(skep)).rows, 5);
    assert.equal(await (await put(skep, docs, headers)).text(), first, 'a retry, behind a kill -9');
    assert.equal((await status(skep)).rows, 5);
    assert.equal((await status(skep)).ledger.find((l) => l.source === 'xray').duplicate, 5);
    assert.equal((await put(skep, [{ ...open, end_time: open.start_time + 1, in_progress: false }])).status, 200);
    assert.equal((await put(skep, [open])).status, 200); // late: it must not open again
    const [r] = await rows(skep, [{ column: 'trace.span_id', op: '=', value: open.id }]);
    assert.equal(r.fields['meta.in_progress'], undefined);
    assert.equal(Math.round(r.fields.duration_ms), 1000);
    assert.equal((await status(skep)).rows, 5);
    const t = await balanced(skep);
    assert.ok(t.superseded >= 1);
    const bad = await skep.call('POST', '/TraceSegments', '{"TraceSegmentDocuments":');
    assert.equal(bad.status, 400);
    assert.equal(bad.headers.get('x-amzn-errortype'), 'SerializationException');
  } finally {
    await skep.done();
    rmSync(dir, { recursive: true, force: true });
  }
});

test('daemons report themselves; the TCP port takes calls, too', { timeout: 300000 }, async () => {
  const skep = await start();
  try {
    const r = await fetch(`http://127.0.0.1:${skep.xrayPort}/TelemetryRecords`, {
      method: 'POST',
      body: JSON.stringify({ TelemetryRecords: [{ Timestamp: 1, SegmentsReceivedCount: 7, SegmentsSentCount: 6, SegmentsSpilloverCount: 1, SegmentsRejectedCount: 0,
        BackendConnectionErrors: { TimeoutCount: 1, OtherCount: 2 } }], Hostname: 'box' }),
    });
    assert.deepEqual([r.status, await r.json()], [200, {}]);
    const { daemons } = (await status(skep)).xray;
    assert.deepEqual({ ...daemons, last_ms: 0 },
      { records: 1, segments_received: 7, segments_sent: 6, segments_spilled: 1, segments_rejected: 0, backend_errors: 3, last_ms: 0, last_host: 'box' });
    const metrics = await (await skep.call('GET', '/metrics')).text();
    assert.match(metrics, /^skep_xray_daemon_segments_total\{outcome="received"\} 7$/m);
    assert.match(metrics, /^skep_xray_kernel_drops_total 0$/m);
    // A taken port names its holder and the flag.
    const port = await freePort();
    const { err } = await new Promise((resolve) => {
      execFile(binary, ['serve', '--data', join(skep.dir, 'other'), '--listen', `127.0.0.1:${port}`, '--grpc', 'none', '--xray', `127.0.0.1:${skep.xrayPort}`],
        { timeout: 120000 }, (e, out, text) => resolve({ err: text }));
    });
    assert.match(err, new RegExp(`127\\.0\\.0\\.1:${skep.xrayPort}/udp is taken by skep \\(pid ${skep.child.pid}\\).*--xray`));
  } finally {
    await skep.done();
  }
});

test('with keys the daemon\'s ports take segments and sampling calls unsigned, and nothing else', { timeout: 300000 }, async () => {
  const skep = await start({ args: ['--auth', 'keys', '--xray-environment', 'prod'] });
  try {
    const tcp = (path, body, headers = {}) => fetch(`http://127.0.0.1:${skep.xrayPort}${path}`, { method: 'POST', body: JSON.stringify(body), headers });
    assert.equal((await tcp('/TraceSegments', { TraceSegmentDocuments: [JSON.stringify(segment())] })).status, 200);
    assert.notEqual((await tcp('/GetSamplingRules', {})).status, 403);
    assert.equal((await tcp('/TraceSummaries', { StartTime: 1, EndTime: 2 })).status, 403);
    assert.equal((await tcp('/v1/traces', {}, { 'content-type': 'application/json' })).status, 401);
    const refused = await put(skep, [segment()]); // on the other port
    assert.deepEqual([refused.status, refused.headers.get('x-amzn-errortype')], [403, 'MissingAuthenticationTokenException']);
    await sendAll(skep.xrayPort, [HEADER + JSON.stringify(segment())]);
  } finally {
    await skep.done();
  }
});

test('the stock SDK for Node.js with Express', { timeout: 300000 }, async (t) => {
  if (!existsSync(join(root, 'tests/clients/node/node_modules/aws-xray-sdk'))) return t.skip('tests/clients/node is not installed');
  const skep = await start();
  try {
    const out = await new Promise((resolve, reject) => {
      execFile(process.execPath, [join(root, 'tests/clients/node/xray-app.cjs')], {
        timeout: 120000, env: { ...process.env, AWS_XRAY_DAEMON_ADDRESS: `127.0.0.1:${skep.xrayPort}`, AWS_XRAY_CONTEXT_MISSING: 'IGNORE_ERROR' },
      }, (e, stdout, stderr) => (e ? reject(new Error(`${e.message}\n${stderr}`)) : resolve(stdout)));
    });
    assert.deepEqual(JSON.parse(out).answers, [200, 500]);
    const all = await until('six rows', async () => {
      const found = await rows(skep, [{ column: 'service.name', op: '=', value: 'node-app' }]);
      return found.length === 6 && found;
    });
    const by = (name, more = () => true) => all.find((r) => r.fields.name === name && more(r.fields)).fields;
    const ok = by('node-app', (f) => f['url.full']?.endsWith('/ok'));
    assert.deepEqual([ok.game, ok.level, ok['enduser.id'], ok['http.response.status_code'], ok['span.kind']], ['x', 7, 'bob', 200, 'server']);
    assert.equal(ok['aws.xray.metadata.default'], '{"m":{"a":1}}');
    assert.equal(ok['telemetry.sdk.language'], 'nodejs');
    assert.equal(by('work').n, 2);
    const call = by('127.0.0.1');
    assert.equal(call['span.kind'], 'client');
    assert.equal(call['trace.parent_id'], ok['trace.span_id']);
    const down = by('node-app', (f) => f['url.full']?.includes('/down'));
    assert.deepEqual([down['trace.parent_id'], down['trace.trace_id']], [call['trace.span_id'], ok['trace.trace_id']], 'one trace over two segments');
    const boom = by('node-app', (f) => f['url.full']?.endsWith('/boom'));
    assert.deepEqual([boom['exception.message'], boom['xray.fault'], boom.error], ['kaput', true, true]);
    assert.deepEqual(xray(await status(skep)).rejected, {});
  } finally {
    await skep.done();
  }
});
