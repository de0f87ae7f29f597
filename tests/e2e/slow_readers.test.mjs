// SPDX-License-Identifier: Apache-2.0
// Who reads slowly, against the real server with a shorter --idle-timeout than the usual two minutes: cut, counted and
// reset where it is on purpose; left alone where it is honest, or where there is nothing to read.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { H2, T, frame, open, request as head, u32 } from './raw.mjs';
import { Skep, fillLarge, hex, nowNs, otlpTraces, sleep, until } from './support.mjs';

const HOST = 'Host: 127.0.0.1\r\n';
const EXPORT = `POST /skep/v1/export HTTP/1.1\r\n${HOST}Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`;

// An export (30 MB) of which `perSecond` bytes are taken, until `over()`; then the rest, as fast as it comes.
async function reads(t, perSecond, over) {
  const s = await open(t);
  const r = { text: '', ended: false };
  s.on('close', () => { r.ended = true; }).on('error', () => {});
  s.pause().write(EXPORT);
  const began = Date.now();
  while (!await over()) {
    assert.ok(Date.now() - began < 120000, 'neither cut nor counted');
    await sleep(100); // the reader's pace
    const due = Math.floor((Date.now() - began) / 1000 * perSecond) - r.text.length;
    const b = s.read(Math.max(0, Math.min(due, s.readableLength)));
    if (b) r.text += b.toString('latin1');
  }
  s.on('data', (b) => { r.text += b.toString('latin1'); }).resume();
  await until('its end, or its last line', () => r.ended || /"type":"end".*\n\r\n0\r\n\r\n$/.test(r.text.slice(-400)));
  s.destroy();
  return r.text;
}

async function readsH2(t, window, over) { // it gives the window byte by byte; or all of it at once, and reads nothing
  const h = await H2.open(t);
  const big = window === 'wide';
  if (big) h.send(frame(T.SETTINGS, 0, 0, Buffer.concat([Buffer.from([0, 4]), u32(0x7fffffff)])), frame(T.WINDOW, 0, 0, u32(0x7fff0000 - 65535)));
  h.send(frame(T.HEADERS, 4, 1, head('/skep/v1/export', 'POST')), frame(T.DATA, 1, 1, Buffer.from('{}')));
  await h.answered(1);
  if (big) h.socket.pause();
  const began = Date.now();
  while (!await over()) {
    assert.ok(Date.now() - began < 120000, 'neither cut nor counted');
    await sleep(1000); // the reader's pace
    if (!big) h.send(frame(T.WINDOW, 0, 1, u32(1)), frame(T.PING, 0, 0, Buffer.alloc(8)));
  }
  const code = big ? null : await h.reset(1);
  h.close();
  return code;
}

test('slow readers are cut, counted and reset; slow but honest ones live', { timeout: 300000 }, async () => {
  const s = await Skep.start({ args: ['--memory', '256M', '--idle-timeout', '5s'] });
  try {
    await fillLarge(s);
    const t = { port: s.port };
    const count = async () => (await s.json('GET', '/skep/v1/status')).net.cut_slow;
    const running = async () => (await s.json('GET', '/skep/v1/running')).running.length;
    const text = await reads(t, 64, async () => await count() > 0);
    assert.ok(text.startsWith('HTTP/1.1 200 '));
    assert.ok(text.length < 1 << 20, `reset, or the kernel would have sent what it held: ${text.length} bytes came`);
    assert.equal(await running(), 0);
    let n = await count();
    assert.equal(await readsH2(t, 'narrow', async () => await count() > n), 11 /* ENHANCE_YOUR_CALM */);
    n = await count();
    await readsH2(t, 'wide', async () => await count() > n);
    await until('nothing to run', async () => await running() === 0);
    n = await count();
    // At 100 KB/s a socket that holds megabytes lets the server send nothing for longer than --idle-timeout; and it is fast
    // enough for the steps of 64 to 128 KB in which kernels open their windows.
    const began = Date.now();
    const whole = await reads(t, 100000, async () => Date.now() - began > 16000);
    assert.ok(/"type":"end","rows":10000,/.test(whole), `${whole.length} bytes, then the end; ${await count() - n} cut`);
    assert.equal(await count(), n);
    const tail = await open(t); // nothing to send for longer: no slow reader
    let lines = '';
    tail.on('data', (b) => { lines += b; }).on('error', () => {});
    tail.write(`GET /skep/v1/tail HTTP/1.1\r\n${HOST}\r\n`);
    const tailed = Date.now();
    await until('longer than that', () => Date.now() - tailed > 8000);
    await s.json('POST', '/v1/traces', otlpTraces('late', [{ traceId: hex(32), spanId: hex(16), name: 'still-there', startNs: nowNs() }]));
    await until('its row', () => lines.includes('still-there'));
    tail.destroy();
    assert.equal(await count(), n);
  } finally {
    await s.done();
  }
});
