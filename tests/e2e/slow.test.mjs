// SPDX-License-Identifier: Apache-2.0
// Who sends slowly on purpose, against the real server with its real limits (src/net/README.md): cut, counted, and
// meanwhile others are served. Slow readers: slow_readers.test.mjs.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { H2, T, frame, open, request as head } from './raw.mjs';
import { Skep, fillLarge, hex, nowNs, otlpTraces, sleep, until } from './support.mjs';

let skep, target;
before(async () => {
  skep = await Skep.start({ args: ['--memory', '256M'] });
  target = { port: skep.port };
  await fillLarge(skep);
});
after(() => skep?.done());

const HOST = 'Host: 127.0.0.1\r\n';
const net = async () => (await skep.json('GET', '/skep/v1/status')).net;

// A connection that is fed `next()` every second; how long it lived once the server has cut it.
async function fed(first, next, { drain = true } = {}) {
  const s = await open(target);
  const began = Date.now();
  let over = false;
  if (drain) s.resume();
  s.on('close', () => { over = true; }).on('error', () => { over = true; });
  s.write(first);
  while (!over && Date.now() - began < 160000) {
    await sleep(1000); // the sender's pace, not a wait for the server
    const b = next?.();
    if (b && !over) s.write(b);
  }
  s.destroy();
  assert.ok(over, `left open: ${first}`);
  return (Date.now() - began) / 1000;
}

test('slow senders are cut and counted; others are served meanwhile', { timeout: 300000 }, async () => {
  const base = await net();
  let served = 0, done = false, worst = 0;
  const others = (async () => {
    while (!done) {
      const t = Date.now();
      await skep.query({ time_range: 3600, calculations: [{ op: 'COUNT' }] });
      await skep.json('POST', '/v1/traces', otlpTraces('other', [{ traceId: hex(32), spanId: hex(16), startNs: nowNs() }]));
      worst = Math.max(worst, Date.now() - t);
      served++;
      await sleep(500); // not a wait: their pace
    }
  })();
  const h2 = async () => { // an upload over HTTP/2 that stops in its body
    const h = await H2.open(target);
    h.socket.write(frame(T.HEADERS, 4, 1, head('/v1/traces', 'POST')));
    h.socket.write(frame(T.DATA, 0, 1, Buffer.from('a')));
    await until('its reset', () => h.ended || h.frames.some((f) => f.type === T.RST && f.stream === 1), 90000);
    h.socket.destroy();
  };
  const many = Array.from({ length: 200 }, () => fed(`GET /skep/v1/status HTTP/1.1\r\n${HOST}X-Slow: `, () => 'a'));
  const lives = Promise.all([
    fed('', null), // nothing at all
    fed('PRI * HT', null), // half a preface
    fed('GET /skep/v1/status HTT', () => 'P'), // in the request line
    fed(`POST /v1/traces HTTP/1.1\r\n${HOST}Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n`, () => ' '), // in the body
    fed(`POST /v1/traces HTTP/1.1\r\n${HOST}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`, () => '1\r\n \r\n'), // in chunks
    ...many, h2(),
  ]);
  const seconds = (await lives).filter((x) => typeof x === 'number');
  assert.ok(Math.max(...seconds) < 100, `the longest lived ${Math.max(...seconds)} s`);
  const cut = (await net()).cut_slow - base.cut_slow;
  assert.ok(cut >= 200, `${cut} counted`);
  done = true;
  await others;
  assert.ok(served > 10, `${served} served`);
  assert.ok(worst < 20000, `one of them waited ${worst} ms`);
});
