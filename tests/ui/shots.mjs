// SPDX-License-Identifier: Apache-2.0
//
// The pictures of docs/img, from the server SKEP_URL names (let the demo shop run against it for a
// quarter of an hour) or, without one, from the mock:
//
//   SKEP_URL=http://127.0.0.1:4318 node shots.mjs [folder]

import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { launch } from './browser.mjs';
import { startMock } from './mock-server.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2] ?? join(here, '../../docs/img');

const t = process.env.SKEP_URL ? '15m' : '2h';

// A failed request; the span shown beside it is an ordinary one.
const failing = async (page) => {
  await page.locator('tr:has-text("POST") .trace-name').first().click();
  await page.locator('.w-row').nth(4).click();
  await page.locator('.sidebar .field').first().waitFor();
};

// A line in its place, with what stands around it.
const opened = async (page) => {
  await page.locator('.line:has(.line-trace) .line-head').nth(3).click();
  await page.locator('.line-detail .field').first().waitFor();
};

const SHOTS = [
  { name: 'home-dark', path: `/ui/home?t=${t}`, ready: '.trace-table tbody tr' },
  { name: 'home-light', theme: 'light', path: `/ui/home?t=${t}`, ready: '.trace-table tbody tr' },
  { name: 'query-heatmap-dark', path: `/ui/query?t=${t}&c=HEATMAP(duration_ms)&c=P95(duration_ms)&by=http.route&w=span.kind+=+"server"`, ready: '.table tbody tr' },
  { name: 'trace-dark', path: `/ui/traces?t=${t}&sort=errors&live=0`, ready: '.trace-table tbody tr', run: failing },
  { name: 'logs-dark', path: `/ui/logs?t=${t}&hl=order`, ready: '.line', run: opened },
  { name: 'logs-patterns-light', theme: 'light', path: `/ui/logs?t=${t}&tab=patterns`, ready: '.pattern' },
];

const browser = await launch();
// SKEP_SHOTS=logs takes those whose names begin so.
for (const s of SHOTS.filter((x) => x.name.startsWith(process.env.SKEP_SHOTS ?? ''))) {
  const mock = process.env.SKEP_URL ? null : await startMock({ mode: 'data' });
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, colorScheme: s.theme ?? 'dark', reducedMotion: 'reduce' });
  await page.goto((process.env.SKEP_URL ?? mock.url) + s.path);
  try {
    await page.locator(s.ready).first().waitFor();
    await s.run?.(page);
    await page.mouse.move(2, 400);
    await page.waitForTimeout(700);
    await page.screenshot({ path: join(out, `${s.name}.png`) });
    console.log(s.name);
  } catch (e) {
    console.log(`${s.name}: ${e.message.split('\n')[0]}`);
    process.exitCode = 1;
  }
  await page.close();
  await mock?.close();
}
await browser.close();
