// SPDX-License-Identifier: Apache-2.0
//
// The pictures of docs/img, from the mock or from the server SKEP_URL names (seed it with seed.mjs):
//
//   node shots.mjs [folder]

import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HUGE, startMock } from './mock-server.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2] ?? join(here, '../../docs/img');
const { chromium } = createRequire(join(process.env.SKEP_UI_TEST_MODULES ?? join(here, 'node_modules'), 'x.js'))('playwright-core');

const failing = async (page) => {
  await page.locator('tr:has-text("POST") .trace-name').first().click();
  await page.locator('.w-row').first().waitFor();
  await page.locator('.waterfall-rows').focus();
  await page.keyboard.press('e');
  await page.locator('.sidebar .field').first().waitFor();
};

const SHOTS = [
  { name: 'home-dark', path: '/ui/home', ready: '.trace-table tbody tr' },
  { name: 'home-light', theme: 'light', path: '/ui/home', ready: '.trace-table tbody tr' },
  { name: 'query-dark', path: '/ui/query?t=2h&c=COUNT&c=HEATMAP(duration_ms)&by=service.name', ready: '.table tbody tr' },
  { name: 'query-light', theme: 'light', path: '/ui/query?t=2h&c=P95(duration_ms)&c=HEATMAP(duration_ms)&by=http.route&w=service.name+=+"cruddur-api"', ready: '.table tbody tr' },
  { name: 'trace-dark', path: '/ui/traces?sort=errors&live=0', ready: '.trace-table tbody tr', run: failing },
  { name: 'trace-100k-light', theme: 'light', path: `/ui/trace/${HUGE}`, ready: '.w-row' },
  { name: 'logs-dark', path: '/ui/logs?t=2h', ready: '.line' },
  { name: 'waiting-light', theme: 'light', mode: 'empty', path: '/', ready: '.waiting' },
];

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'] });
for (const s of SHOTS) {
  if (process.env.SKEP_URL && s.mode) continue;
  const mock = process.env.SKEP_URL ? null : await startMock({ mode: s.mode ?? 'data' });
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
