// SPDX-License-Identifier: Apache-2.0
// The shapes of attacks on an HTTP server, over bare sockets, plain and TLS: request smuggling, encoding tricks, floods,
// bombs. Each ends with the right error, and the server answers others meanwhile. What needs its timeouts (slow senders,
// slow readers) is in slow.test.mjs and slow_readers.test.mjs, and in tests/unit/net, where they are short.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { E, frame, H2, header, integer, open, request, T, talk, u32 } from './raw.mjs';
import { otlpTraces, hex, nowNs, Skep, sleep } from './support.mjs';
import { Authority, https } from './tls.mjs';

let authority, plain, secure;
const targets = [];
before(async () => {
  authority = new Authority();
  const { cert, key } = authority.make('server', '/CN=localhost');
  const tls = { ca: authority.ca };
  [plain, secure] = await Promise.all([
    Skep.start(),
    Skep.start({ args: ['--tls-cert', cert, '--tls-key', key], ready: async (s) => (await https(s.port, '/skep/v1/status', tls)).status === 200 })]);
  targets.push({ name: 'plain', port: plain.port, skep: plain }, { name: 'TLS', port: secure.port, tls, skep: secure });
});
after(async () => {
  await Promise.all([plain?.done(), secure?.done()]);
  authority?.done();
});

async function both(run) {
  await Promise.all(targets.map(async (t) => {
    try { await run(t); } catch (e) { e.message = `${t.name}: ${e.message}`; throw e; }
  }));
}

const HOST = 'Host: 127.0.0.1\r\n';
const SECRET = 'uptime_s'; // only the answer to the smuggled request holds it
const SMUGGLED = `GET /skep/v1/status HTTP/1.1\r\n${HOST}\r\n`;
const status = (got) => Number(/^HTTP\/1\.[01] (\d+)/.exec(got)?.[1] ?? 0);
const alive = async (t) => assert.match(await talk(t, `GET /skep/v1/status HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`), /200 OK[^]*uptime_s/);

test('two readings of a length: one answer, an error, the end', async () => {
  const lengths = [
    'Content-Length: 4\r\nTransfer-Encoding: chunked', 'Transfer-Encoding: chunked\r\nContent-Length: 4',
    'Content-Length: 4\r\nContent-Length: 5', 'Content-Length: 4\r\nContent-Length: 4', 'Content-Length: 4, 5', 'Content-Length: +4', 'Content-Length: 0x4',
    'Content-Length: -1', 'Content-Length: 4 4', 'Content-Length: 18446744073709551620', 'Content-Length : 4', 'Content-Length\t: 4',
    'Transfer-Encoding: chunked, identity', 'Transfer-Encoding: identity, chunked', 'Transfer-Encoding: xchunked', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity',
    'Transfer-Encoding : chunked', 'Transfer-Encoding: \x0bchunked', 'Transfer-Encoding: "chunked"', 'X: y\r\n Transfer-Encoding: chunked\r\nContent-Length: 4',
    'Content-Length: 4\r\n Content-Length: 40', 'X\0: y\r\nContent-Length: 4', 'X: a\0b\r\nContent-Length: 4',
  ];
  await both(async (t) => {
    for (const l of lengths) {
      const got = await talk(t, `POST /v1/traces HTTP/1.1\r\n${HOST}Content-Type: application/json\r\n${l}\r\nConnection: close\r\n\r\n0\r\n\r\n${SMUGGLED}`);
      assert.doesNotMatch(got, new RegExp(SECRET), JSON.stringify(l));
      const code = status(got);
      assert.ok(code === 0 || (code >= 400 && code < 500), `${JSON.stringify(l)}: ${got.slice(0, 80)}`);
    }
    await alive(t);
  });
});

test('chunk tricks end in an error or are one body', async () => {
  const bad = ['zz\r\nhello\r\n0\r\n\r\n', '-5\r\nhello\r\n0\r\n\r\n', '0x5\r\nhello\r\n0\r\n\r\n', ' 5\r\nhello\r\n0\r\n\r\n', '5\r\nhelloXX0\r\n\r\n', '5\r\nhello0\r\n\r\n',
    'fffffffffffffffff\r\nhello\r\n0\r\n\r\n', '10000000000000005\r\nhello\r\n0\r\n\r\n', 'ffffffffffffffff\r\nhello\r\n0\r\n\r\n', `5;${'a'.repeat(100000)}\r\nhello\r\n0\r\n\r\n`,
    `${'0'.repeat(100000)}5\r\nhello\r\n0\r\n\r\n`, ';\r\nhello\r\n0\r\n\r\n', '\r\nhello\r\n0\r\n\r\n'];
  await both(async (t) => {
    for (const chunks of bad) {
      const s = await open(t); // what is left open waits for more of the body: it is one body, no second request
      let got = '';
      s.on('data', (d) => { got += d; });
      s.write(`POST /v1/traces HTTP/1.1\r\n${HOST}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}${SMUGGLED}`);
      await Promise.race([new Promise((r) => s.on('close', r)), sleep(200)]);
      s.destroy();
      assert.doesNotMatch(got, new RegExp(SECRET), JSON.stringify(chunks.slice(0, 40)));
      assert.doesNotMatch(got, /^HTTP\/1\.1 2/, JSON.stringify(chunks.slice(0, 40)));
    }
    await alive(t);
  });
});

// A request that some parsers take and others do not is harmless as long as nothing hides in it.
test('lines that are read either way hold one request', async () => {
  const lines = ['GET  /nothing HTTP/1.1', 'GET\t/nothing\tHTTP/1.1', 'GET /nothing HTTP/1.1 x', '\r\nGET /nothing HTTP/1.1', 'GET /nothing HTTP/1.1\nX: y', 'GET /nothing HTTP/1.1\r\nX: a\rY: b'];
  await both(async (t) => {
    for (const line of lines) {
      const got = await talk(t, `${line}\r\n${HOST}Connection: close\r\n\r\n${SMUGGLED}`);
      assert.ok((got.match(/HTTP\/1\.1 /g) ?? []).length <= 1 && !got.includes(SECRET), `${JSON.stringify(line)}: ${got}`);
      assert.ok([0, 400, 404, 505].includes(status(got)), JSON.stringify(line));
    }
  });
});

test('line ends, versions, folding, no Host', async () => {
  const end = 'Connection: close\r\n\r\n';
  const refused = [`GET /skep/v1/status HTTP/1.1\r\nX: a\r\n b\r\n${end}`, `GET /skep/v1/status HTTP/1.1\r\n Host: 127.0.0.1\r\n${end}`, `GET /skep/v1/status HTTP/1.1\r\n${end}`,
    `GET /skep/v1/status HTTP/1.1\r\n${HOST}Host: evil.example\r\n${end}`, `GET /skep/v1/status HTTP/2.0\r\n${HOST}${end}`, `GET /skep/v1/status HTTP/9.9\r\n${HOST}${end}`,
    `GET /skep/v1/status http/1.1\r\n${HOST}${end}`, 
    'GET /skep/v1/status\r\n\r\n', `POST /v1/traces HTTP/1.0\r\nTransfer-Encoding: chunked\r\n${HOST}\r\n0\r\n\r\n${SMUGGLED}`,
    `CONNECT 127.0.0.1:1 HTTP/1.1\r\n${HOST}${end}`, `TRACE / HTTP/1.1\r\n${HOST}Cookie: secret\r\n${end}`, `\0\0\0\0GET / HTTP/1.1\r\n${HOST}${end}`, '\x80\x2e\x01\x03\x01\r\n\r\n'];
  await both(async (t) => {
    for (const text of refused) {
      const got = await talk(t, text);
      assert.doesNotMatch(got, new RegExp(`${SECRET}|Cookie`), JSON.stringify(text));
      assert.ok(status(got) === 0 || status(got) >= 400, `${JSON.stringify(text)}: ${got.slice(0, 60)}`);
    }
    await alive(t);
  });
});

test('too long lines, too many headers', async () => {
  await both(async (t) => {
    for (const text of [`GET /${'a'.repeat(200000)} HTTP/1.1\r\n${HOST}\r\n`, `GET / HTTP/1.1\r\n${HOST}X: ${'a'.repeat(200000)}\r\n\r\n`,
      `GET / HTTP/1.1\r\n${HOST}${'X: y\r\n'.repeat(30000)}\r\n`, `GET / HTTP/1.1\r\n${HOST}${'X: y\r\n'.repeat(200)}Connection: close\r\n\r\n`,
      `${'a'.repeat(200000)} / HTTP/1.1\r\n${HOST}\r\n`]) {
      const got = await talk(t, text);
      assert.ok([0, 400, 413, 414, 431].includes(status(got)), `${text.slice(0, 20)}: ${got.slice(0, 80)}`);
    }
    await alive(t);
  });
});

test('path tricks lead nowhere', async () => {
  const nowhere = { 404: ['/SKEP/V1/STATUS', '/skep/v1/status/', '//skep/v1/status', '/skep//v1/status', '/skep/v1/./status', '/skep/v1/x/../status', '/skep/v1/%2e%2e/v1/status', '/skep%2fv1%2fstatus',
    '/skep/v1%2fstatus', '/skep/v1/status%2f', '/skep/v1/%2573tatus', '/ui/../../etc/passwd', '/ui/%2e%2e/%2e%2e/etc/passwd', '/ui/%252e%252e/etc/passwd', '/ui/..%5c..%5cetc/passwd', '/ui/%c0%ae%c0%ae/etc/passwd',
    '/skep/v1/status;a=b', '/skep/v1/status%20', '/skep/v1/status%0d%0aX:y', '/skep/v1/status\\', 'http://evil.example/skep/v1/status/..'],
  400: ['/skep/v1/status%00', '/skep/v1/status%', '/skep/v1/status%zz', 'skep/v1/status', '/skep/v1/%u0073tatus', '/skep/v1/status\x7f', '*status'] };
  await both(async (t) => {
    for (const [want, list] of Object.entries(nowhere)) {
      for (const path of list) {
        const got = await talk(t, `GET ${path} HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`);
        assert.doesNotMatch(got, /uptime_s|root:/, path);
        // The page's own router answers below /ui/: its document is no file of the disk.
        assert.ok(status(got) === Number(want) || (path.startsWith('/ui/') && /200 OK[^]*<!doctype html/i.test(got)), `${path}: ${got.slice(0, 60)}`);
        assert.doesNotMatch(got.split('\r\n\r\n')[0], /\nX: ?y/i); // no header of the client's making
      }
    }
    const form = await talk(t, `GET http://127.0.0.1/skep/v1/status HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n`);
    assert.equal(status(form), 403);
    await alive(t);
  });
});

test('other sites: rebinding, foreign and null origin, forms, method override', async () => {
  const send = (t, method, path, headers, body = '') => talk(t, `${method} ${path} HTTP/1.1\r\n${headers.join('\r\n')}\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  await both(async (t) => {
    for (const host of ['evil.example', '127.0.0.1.evil.example', 'localhost.evil.example', '127.0.0.1@evil.example', 'evil.example:80', '[::1', '0x7f.1', '']) {
      for (const [method, path] of [['GET', '/'], ['GET', '/skep/v1/status'], ['POST', '/v1/traces'], ['POST', '/1/events/x'], ['OPTIONS', '/v1/traces']]) {
        const got = await send(t, method, path, [`Host: ${host}`]);
        assert.ok([400, 403].includes(status(got)), `${host} ${path}: ${got.slice(0, 60)}`);
      }
    }
    const form = 'time_range=1';
    for (const h of ['Origin: https://evil.example', 'Origin: null', 'Origin: http://127.0.0.1:1', 'Origin: https://127.0.0.1.evil.example', 'Sec-Fetch-Site: cross-site', 'Origin: file://']) {
      for (const [method, path, type] of [['POST', '/skep/v1/query', 'text/plain'], ['POST', '/skep/v1/delete', 'application/x-www-form-urlencoded'], ['GET', '/skep/v1/status', ''], ['DELETE', '/skep/v1/query', ''], ['GET', '/nothing', '']]) {
        const got = await send(t, method, path, [HOST.trim(), h, ...(type ? [`Content-Type: ${type}`] : [])], form);
        assert.equal(status(got), 403, `${h} ${method} ${path}: ${got.slice(0, 60)}`);
        assert.doesNotMatch(got, /access-control-allow-origin/i);
      }
    }
    for (const h of ['X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override'])
      assert.equal(status(await send(t, 'GET', '/skep/v1/query', [HOST.trim(), `${h}: POST`])), 405);
  });
});

test('bombs stop at the limit, in HTTP and in gRPC; nested ones are not unpacked', async () => {
  const bomb = gzipSync(Buffer.alloc(100 << 20, 0x20));
  const post = (headers, body) => talk({ port: plain.port }, Buffer.concat([
    Buffer.from(`POST /v1/traces HTTP/1.1\r\n${HOST}Content-Type: application/json\r\n${headers}Connection: close\r\nContent-Length: ${body.length}\r\n\r\n`), body]), 60000);
  assert.equal(status(await post('Content-Encoding: gzip\r\n', bomb)), 413);
  assert.equal(status(await post('Content-Encoding: gzip\r\n', gzipSync(bomb))), 400); // one layer is undone; what is inside is no JSON
  assert.equal(status(await post('Content-Encoding: gzip, gzip\r\n', gzipSync(bomb))), 415);
  assert.equal(status(await post('Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n', gzipSync(bomb))) >= 400, true);
  const h = await H2.open({ port: plain.port });
  const length = Buffer.alloc(5);
  length[0] = 1;
  length.writeUInt32BE(bomb.length, 1);
  const message = Buffer.concat([length, bomb]);
  h.send(frame(T.HEADERS, 4, 1, request('/opentelemetry.proto.collector.trace.v1.TraceService/Export', 'POST',
    header('content-type', 'application/grpc'), header('te', 'trailers'), header('grpc-encoding', 'gzip'))));
  for (let at = 0; at < message.length; at += 16000)
    h.send(frame(T.DATA, at + 16000 >= message.length ? 1 : 0, 1, message.subarray(at, at + 16000)));
  const answer = await h.find('the refusal', (f) => f.type === T.HEADERS && f.stream === 1, 60000);
  assert.ok(answer);
  h.close();
  assert.ok(resident(plain) < 282, `${resident(plain)} MB`); // --memory and ten per cent
  await alive({ port: plain.port });
});

const statsOf = async (t) => JSON.parse((await talk(t, `GET /skep/v1/status HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`)).replace(/^[^]*?\r\n\r\n/, '')).net;
function resident(s) { return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${s.child.pid}/status`, 'utf8'))[1]) / 1024; }

// A flood of `parts(i)` until the server has enough; the GOAWAY's code, or null when it cut the connection.
async function flood(t, n, parts) {
  const h = await H2.open(t);
  for (let i = 0; i < n && !h.ended; i += 50) {
    h.send(...Array.from({ length: Math.min(50, n - i) }, (_, k) => parts(i + k)));
    if (i % 1000 === 0) await new Promise(setImmediate);
  }
  const code = await h.goaway();
  assert.ok(await h.closed(), 'the connection ends');
  h.close();
  return code;
}

test('HTTP/2 floods: ENHANCE_YOUR_CALM', async () => {
  const get = request();
  const settings = frame(T.SETTINGS, 0, 0);
  const floods = {
    'rapid reset': (i) => Buffer.concat([frame(T.HEADERS, 5, 2 * i + 1, get), frame(T.RST, 0, 2 * i + 1, u32(E.CANCEL))]),
    'made you reset': (i) => Buffer.concat([frame(T.HEADERS, 4, 2 * i + 1, get), frame(T.WINDOW, 0, 2 * i + 1, u32(0x7fffffff))]),
    'settings': () => settings,
    'ping': () => frame(T.PING, 0, 0, Buffer.alloc(8)),
    'priority': (i) => frame(T.PRIORITY, 0, 2 * (i % 100) + 1, Buffer.from([0, 0, 0, 0, i & 255])),
    'empty data': (i) => (i ? frame(T.DATA, 0, 1) : frame(T.HEADERS, 4, 1, request('/v1/traces', 'POST'))),
    'windows': () => frame(T.WINDOW, 0, 0, u32(1)),
  };
  await both(async (t) => {
    for (const [name, parts] of Object.entries(floods)) {
      const code = await flood(t, name === 'windows' ? 60000 : 6000, parts);
      assert.ok(code === E.CALM || (code === null && name !== 'rapid reset'), `${name}: ${code}`);
    }
    await alive(t);
  });
});

test('HTTP/2 header bombs and CONTINUATION floods', async () => {
  await both(async (t) => {
    const bomb = Buffer.concat([request(), header('x', 'a'.repeat(3900), 0x40), Buffer.alloc(12000, 0xbe)]); // one entry, named 12,000 times
    assert.equal(await flood(t, 1, () => frame(T.HEADERS, 5, 1, bomb)), E.CALM);
    const piece = frame(T.CONTINUATION, 0, 1, header('x', 'y'));
    const code = await flood(t, 20000, (i) => (i ? piece : frame(T.HEADERS, 1, 1, request())));
    assert.ok(code !== E.NO_ERROR, `${code}`);
    const h = await H2.open(t); // a list that is only too long is refused alone
    h.send(frame(T.HEADERS, 5, 1, Buffer.concat([request(), header('x', 'a'.repeat(12000)), header('y', 'b'.repeat(3000))])),
      frame(T.HEADERS, 5, 3, Buffer.concat([request(), ...Array.from({ length: 200 }, () => header('x', 'y'))])), frame(T.HEADERS, 5, 5, request()));
    assert.ok(await h.answered(3) && await h.answered(5));
    h.send(frame(T.SETTINGS, 0, 0, Buffer.concat([Buffer.from([0, 1]), u32(0xffffffff)]))); // a huge table: ours stays small
    h.send(frame(T.HEADERS, 5, 7, request()));
    assert.ok(await h.answered(7));
    h.close();
    const d = await H2.open(t); // a table entry that is not there; a table larger than allowed
    d.send(frame(T.HEADERS, 5, 1, Buffer.concat([request(), integer(5000, 7, 0x80)])));
    assert.equal(await d.goaway(), E.COMPRESSION);
    d.close();
  });
});

test('HTTP/2 frames against the rules', async () => {
  const setting = (id, v) => frame(T.SETTINGS, 0, 0, Buffer.concat([Buffer.from([0, id]), u32(v)]));
  const open_ = frame(T.HEADERS, 4, 1, request('/v1/traces', 'POST'));
  const ends = [ // [what, bytes, codes of GOAWAY]
    ['window over 2^31', [frame(T.WINDOW, 0, 0, u32(0x7fffffff))], [E.FLOW]],
    ['window of nothing', [frame(T.WINDOW, 0, 0, u32(0))], [E.PROTOCOL]],
    ['initial window over 2^31', [setting(4, 0xffffffff)], [E.FLOW]],
    ['frame size too small', [setting(5, 1)], [E.PROTOCOL]],
    ['push from a client', [frame(T.PUSH, 4, 1, Buffer.alloc(8))], [E.PROTOCOL]],
    ['a frame of 16 MB', [frame(T.DATA, 0, 1, Buffer.alloc(100), 0xffffff)], [E.FRAME_SIZE, E.PROTOCOL]],
    ['data on stream 0', [frame(T.DATA, 0, 0, Buffer.alloc(10))], [E.PROTOCOL]],
    ['an even stream', [frame(T.HEADERS, 5, 2, request())], [E.PROTOCOL]],
    ['settings of an odd length', [frame(T.SETTINGS, 0, 0, Buffer.alloc(5))], [E.FRAME_SIZE]],
    ['a ping of 4', [frame(T.PING, 0, 0, Buffer.alloc(4))], [E.FRAME_SIZE]],
    ['headers between continuations', [frame(T.HEADERS, 1, 1, request()), frame(T.PING, 0, 0, Buffer.alloc(8))], [E.PROTOCOL]],
    ['padding longer than the frame', [open_, frame(T.DATA, 8, 1, Buffer.from([200, 1, 2]))], [E.PROTOCOL]],
  ];
  const resets = [ // a request that means two things
    ['no path', [header(':method', 'GET'), header(':scheme', 'http'), header(':authority', '127.0.0.1')]],
    ['two paths', [request(), header(':path', '/')]],
    ['a pseudo header behind others', [header(':method', 'GET'), header('x', 'y'), header(':path', '/'), header(':scheme', 'http'), header(':authority', '127.0.0.1')]],
    ['capitals', [request(), header('X-Upper', 'y')]],
    ['transfer-encoding', [request(), header('transfer-encoding', 'chunked')]],
    ['connection', [request(), header('connection', 'close')]],
    ['line ends in a value', [request(), header('x', 'a\r\nevil: 1')]],
    ['line ends in a name', [request(), header('x\r\nevil', '1')]],
    ['a NUL', [request(), header('x', 'a\0b')]],
    ['a line end in the path', [request('/\r\nX: y')]],
  ];
  await both(async (t) => {
    for (const [what, bytes, codes] of ends) {
      const h = await H2.open(t);
      h.send(...bytes);
      const code = await h.goaway();
      assert.ok(codes.includes(code), `${what}: ${code}`);
      h.close();
    }
    const h = await H2.open(t);
    for (const [i, [what, parts]] of resets.entries()) {
      h.send(frame(T.HEADERS, 5, 2 * i + 1, Buffer.concat(parts)));
      assert.equal(await h.reset(2 * i + 1), E.PROTOCOL, what);
    }
    h.send(frame(T.HEADERS, 4, 101, request('/v1/traces', 'POST', header('content-length', '3'))), frame(T.DATA, 1, 101, Buffer.alloc(10)));
    assert.equal(await h.reset(101), E.PROTOCOL, 'content-length');
    h.send(frame(T.HEADERS, 5, 103, request()));
    assert.ok(await h.answered(103)); // the others were refused alone
    h.close();
  });
});

test('HTTP/2: 128 streams at a time, half-closed ones too; other connections are served', async () => {
  await both(async (t) => {
    const h = await H2.open(t);
    await h.find('SETTINGS', (f) => f.type === T.SETTINGS && !(f.flags & 1));
    for (let i = 0; i < 200; i++) h.send(frame(T.HEADERS, 4, 2 * i + 1, request('/v1/traces', 'POST')));
    assert.equal(await h.reset(2 * 128 + 1), E.REFUSED);
    const before_ = Date.now();
    await alive(t);
    assert.ok(Date.now() - before_ < 60000);
    h.close();
  });
});

test('one address cannot take all connections, nor all requests; another one is served', async () => {
  const s = await Skep.start({ args: ['--address-connections', '8', '--address-requests', '50'] });
  const other = { port: s.port, localAddress: '127.0.0.2' };
  const slow = await Promise.all(Array.from({ length: 30 }, async (_, i) => { // slow senders
    const socket = await open({ port: s.port });
    socket.got = '';
    socket.on('data', (d) => { socket.got += d; });
    socket.on('close', () => { socket.over = true; });
    socket.write(i % 2 ? 'GET / HTTP/1.1\r\nHost: 127' : `POST /v1/traces HTTP/1.1\r\n${HOST}Content-Length: 1000\r\n\r\nab`);
    return socket;
  }));
  const end = Date.now() + 90000;
  while (slow.filter((x) => x.over).length < 22 && Date.now() < end) await sleep(20);
  const left = slow.filter((x) => !x.over);
  assert.ok(left.length <= 8, `${left.length} are held`);
  for (const x of slow.filter((y) => y.over)) assert.ok(x.got === '' || /^HTTP\/1\.1 429 [^]*Retry-After: 1\r\n/.test(x.got), x.got);
  assert.ok(slow.some((x) => x.got.startsWith('HTTP/1.1 429 ')));
  await alive(other);
  for (const x of slow) x.destroy();
  const seen = {};
  const body = JSON.stringify(otlpTraces('limits', [{ traceId: hex(32), spanId: hex(16), startNs: nowNs() }]));
  const one = `POST /v1/traces HTTP/1.1\r\n${HOST}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  await sleep(1500); // tokens for the connections' end
  const socket = await open({ port: s.port });
  let got = '';
  socket.on('data', (d) => { got += d; });
  socket.write(one.repeat(400));
  for (const stop = Date.now() + 90000; (got.match(/HTTP\/1\.1 /g) ?? []).length < 400 && Date.now() < stop;) await sleep(20);
  for (const [, code] of got.matchAll(/HTTP\/1\.1 (\d+)/g)) seen[code] = (seen[code] ?? 0) + 1;
  assert.ok(seen[200] >= 50 && seen[429] > 100, JSON.stringify(seen));
  assert.match(got, /HTTP\/1\.1 429 [^]*?retry-after: \d+\r\n[^]*?\{"code":8,/i); // in the form of its API
  await alive(other);
  const { refused_address } = await statsOf(other);
  assert.ok(refused_address >= 100);
  socket.destroy();
  await s.done();
});

test('after all of it: memory inside the limit, nothing left open, counted', async () => {
  for (const t of targets) {
    assert.ok(resident(t.skep) < 282, `${t.name}: ${resident(t.skep)} MB`);
    const stats = await statsOf(t);
    assert.ok(stats.h2_resets > 500);
    assert.ok(stats.connections_open < 100, `${stats.connections_open} open`);
    assert.equal(t.skep.child.exitCode, null);
    assert.doesNotMatch(t.skep.log, /assert|panic/i);
  }
});
