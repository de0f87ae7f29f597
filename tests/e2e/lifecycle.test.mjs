// SPDX-License-Identifier: Apache-2.0
// Starting, stopping, starting again.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { sendShop } from './fixture.mjs';
import { Skep, until } from './support.mjs';

const dir = mkdtempSync(join(tmpdir(), 'skep-e2e-'));
let skep;
after(async () => {
  await skep?.done();
  rmSync(dir, { recursive: true, force: true });
});

test('rows and their ids survive restarts', async () => {
  skep = await Skep.start({ dir });
  const range = await sendShop(skep, 20);
  const ask = () => skep.json('POST', '/skep/v1/rows', { ...range, limit: 1000 });
  const answer = (r) => JSON.stringify(r.rows);
  const before = answer(await ask());
  assert.equal(await skep.stop(), 0);
  skep = await Skep.start({ dir });
  assert.equal(answer(await ask()), before);
  await skep.kill();
  skep = await Skep.start({ dir });
  assert.equal(answer(await ask()), before);
});

test('SIGHUP without TLS changes nothing', async () => {
  skep.child.kill('SIGHUP');
  await until('the log line', () => /no certificate to read again/.test(skep.log));
  assert.equal((await skep.call('GET', '/skep/v1/status')).status, 200);
});

test('SIGTERM ends a live tail and the process, cleanly', async () => {
  const res = await fetch(`${skep.url}/skep/v1/tail`);
  assert.equal(res.status, 200);
  const ended = res.text().catch(() => 'closed');
  const begin = Date.now();
  assert.equal(await skep.stop(), 0);
  assert.ok(Date.now() - begin < 8000);
  await ended;
});

test('idle it is small', async () => {
  skep = await Skep.start({ dir });
  const rss = Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${skep.child.pid}/status`, 'utf8'))[1]);
  assert.ok(rss < 30 * 1024, `${rss} kB resident`);
});
