// SPDX-License-Identifier: Apache-2.0
// kill -9 under load, again and again: after each restart every acknowledged body is there, whole and
// once. blast writes the index of each body it got an answer for; the bodies' span counts are known.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { Skep, sleep } from './support.mjs';

const bin = process.env.SKEP_BENCH_BIN || join(dirname(process.env.SKEP_BIN || 'build/release/skep'), 'bin');
const ROUNDS = 8;
const BODIES = 120;

// Span counts of the bodies of a generated file.
function bodySpans(path) {
  const fd = openSync(path, 'r');
  const head = Buffer.alloc(8);
  const out = [];
  for (let at = 0; readSync(fd, head, 0, 8, at) === 8; at += 8 + head.readUInt32LE(0)) out.push(head.readUInt32LE(4));
  closeSync(fd);
  return out;
}

async function countSpans(skep, start, end) {
  const r = await skep.query({ start_time: start, end_time: end, disable_series: true, calculations: [{ op: 'COUNT' }],
    filters: [{ column: 'meta.annotation_type', op: 'does-not-exist' }] });
  assert.equal(r.complete, true);
  return r.groups[0]?.values[0] ?? 0;
}

test('nothing acknowledged is lost or doubled by kill -9', { timeout: 300000 }, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'skep-crash-'));
  try {
    const stored = [];
    for (let round = 0; round < ROUNDS; round++) {
      // Each round sends data of a time of its own, so that the rounds can be counted apart.
      const base = 1790000000 + round * 86400;
      const file = join(dir, `bodies-${round}.bin`);
      const acks = join(dir, `acks-${round}`);
      execFileSync(join(bin, 'gen'), [String(BODIES * 512), file, String(base), String(round + 1)]);
      const spans = bodySpans(file);
      const skep = await Skep.start({ dir: join(dir, 'data'), args: ['--retain', '0'] });
      for (const old of stored) await check(skep, old);
      const blast = spawn(join(bin, 'blast'), ['127.0.0.1', String(skep.port), file, '--connections', '4', '--acks', acks],
        { stdio: 'ignore' });
      const ended = new Promise((r) => blast.once('exit', r));
      await sleep(20 + Math.random() * 250);
      await skep.kill();
      await ended;
      const acked = existsSync(acks) ? readFileSync(acks) : Buffer.alloc(0);
      let sure = 0;
      for (let i = 0; i + 4 <= acked.length; i += 4) sure += spans[acked.readUInt32LE(i)];
      // A body on the wire of each of the 4 connections may be stored though nobody was told.
      const most = sure + 4 * 512;
      stored.push({ base, sure, most });
    }
    const skep = await Skep.start({ dir: join(dir, 'data'), args: ['--retain', '0'] });
    for (const old of stored) await check(skep, old);
    assert.equal(await skep.stop(), 0);
    assert.ok(stored.some((s) => s.sure > 0), 'some round got an acknowledgement');
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

// First look: at least what was acknowledged, at most what was sent. Every later look: the same.
async function check(skep, round) {
  const n = await countSpans(skep, round.base - 60, round.base + 86000);
  assert.ok(n >= round.sure && n <= round.most, `${n} spans, acknowledged ${round.sure}, sent at most ${round.most}`);
  assert.ok(round.seen === undefined || round.seen === n, `${n} spans, ${round.seen} at an earlier restart`);
  round.seen = n;
}

test('a body sent again after the restart is one body', { timeout: 300000 }, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'skep-crash-'));
  try {
    const file = join(dir, 'bodies.bin');
    execFileSync(join(bin, 'gen'), ['5120', file, '1790000000', '7']);
    const send = (port) => execFileSync(join(bin, 'blast'), ['127.0.0.1', String(port), file, '--connections', '2'], { stdio: 'ignore' });
    let skep = await Skep.start({ dir: join(dir, 'data'), args: ['--retain', '0'] });
    send(skep.port);
    assert.equal(await countSpans(skep, 1789999000, 1790080000), 5120);
    await skep.kill();
    skep = await Skep.start({ dir: join(dir, 'data'), args: ['--retain', '0'] });
    send(skep.port);
    assert.equal(await countSpans(skep, 1789999000, 1790080000), 5120);
    await skep.done();
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
