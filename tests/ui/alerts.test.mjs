// SPDX-License-Identifier: Apache-2.0
//
// Boards, triggers and SLOs in the page, against the built server: a question is saved to a board, panels are moved, a
// trigger is made of a question, evaluated, switched off; an SLO is made, its budget and a burn alert are looked at.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { sendShop } from '../e2e/fixture.mjs';
import { Skep } from '../e2e/support.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const modules = process.env.SKEP_UI_TEST_MODULES ?? join(here, 'node_modules');
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const missing = !existsSync(CHROMIUM);
if (missing && process.env.CI) throw new Error(`${CHROMIUM} is missing; in CI the page must be tested`);
const options = { skip: missing && `no Chromium at ${CHROMIUM}`, timeout: 60e3 };

let skep, browser, page;
const bad = [];
const shot = (name) => process.env.SHOTS && page.screenshot({ path: join(process.env.SHOTS, `${name}.png`), fullPage: true });

before(async () => {
  if (missing) return;
  skep = await Skep.start();
  await sendShop(skep, 20);
  const { chromium } = createRequire(join(modules, 'x.js'))('playwright-core');
  browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  page = await browser.newPage({ viewport: { width: 1360, height: 860 }, colorScheme: 'dark', reducedMotion: 'reduce' });
  page.setDefaultTimeout(15e3);
  page.on('console', (m) => ['error', 'warning'].includes(m.type()) && bad.push(`console: ${m.text()}`));
  page.on('pageerror', (e) => bad.push(`exception: ${e.message}`));
}, { timeout: 30e3 });

after(async () => {
  await browser?.close();
  await skep?.done();
}, { timeout: 30e3 });

test('a board: made, questions saved to it, a text, panels moved', options, async () => {
  await page.goto(`${skep.url}/ui/home`);
  await page.getByRole('link', { name: 'Boards' }).click();
  await page.getByText('No board yet').waitFor();
  await shot('boards-empty');
  await page.getByLabel('Name').fill('Checkout');
  await page.keyboard.press('Enter');
  await page.getByText('Nothing on this board yet').waitFor();
  const board = new URL(page.url()).pathname;
  await skep.json('POST', '/1/markers/shop', { message: 'deploy 17', type: 'deploy', start_time: Math.floor(Date.now() / 1000) - 20 });
  for (const [name, query] of [['Requests by status', 'c=COUNT&by=http.response.status_code'], ['Slowest', 'c=MAX(duration_ms)&by=name']]) {
    await page.goto(`${skep.url}/ui/query?${query}&t=5m&ds=shop`);
    await page.getByRole('button', { name: 'Save to board' }).click();
    await page.getByLabel('Name of the question').fill(name);
    await page.keyboard.press('Enter');
    await page.getByText('open the board').waitFor();
  }
  await page.getByText('open the board').click();
  await page.waitForURL((u) => u.pathname === board);
  await page.getByRole('img', { name: 'Requests by status' }).locator('path').first().waitFor({ state: 'attached' });
  await page.getByRole('img', { name: 'Requests by status' }).locator('.mark title').first().waitFor({ state: 'attached' });
  await page.getByLabel('Text', { exact: true }).fill('# How to read this\n\nAsk Ann.');
  await page.getByRole('button', { name: 'Add the text' }).click();
  await page.getByText('Ask Ann.').waitFor();
  const names = () => page.locator('.board-panel h2').allTextContents();
  await page.getByRole('button', { name: 'Panel 1 later' }).click();
  await page.getByRole('status').getByText('Panel moved to place 2 of 3').waitFor();
  await page.waitForFunction(() => document.querySelector('.board-panel h2')?.textContent === 'Slowest');
  await shot('board');
  const kept = page.waitForResponse((r) => r.request().method() === 'PUT' && r.ok());
  await page.getByRole('region', { name: 'Panel 2' }).dragTo(page.getByRole('region', { name: 'Panel 1' }), { targetPosition: { x: 30, y: 60 } });
  await page.waitForFunction(() => document.querySelector('.board-panel h2')?.textContent === 'Requests by status');
  await kept;
  await page.reload();
  await page.getByText('Ask Ann.').waitFor();
  await page.waitForFunction(() => document.querySelectorAll('.board-panel h2').length === 3);
  assert.deepEqual((await names()).slice(0, 2), ['Requests by status', 'Slowest']);
});

test('a trigger: made of a question, evaluated, looked at, switched off', options, async () => {
  await page.keyboard.press('g');
  await page.keyboard.press('a');
  await page.getByText('Nothing is watched yet').waitFor();
  await shot('triggers-empty');
  await page.goto(`${skep.url}/ui/query?c=COUNT&by=http.response.status_code&w=${encodeURIComponent('http.response.status_code exists')}&t=5m&ds=shop`);
  await page.getByRole('link', { name: 'Make a trigger' }).click();
  await page.getByText('COUNT by http.response.status_code').waitFor();
  await page.getByLabel('Name').fill('Many answers');
  await page.getByLabel('Threshold').fill('5');
  await page.getByRole('button', { name: 'Make the trigger' }).click();
  await page.getByText('not asked yet').first().waitFor();
  await page.getByRole('button', { name: 'Evaluate now' }).click();
  await page.getByRole('region', { name: 'All evaluations' }).getByText('fired').waitFor();
  await page.locator('.alert-head').getByText('triggered').waitFor();
  await page.getByRole('region', { name: 'All evaluations' }).getByText('200: 16').waitFor();
  await shot('trigger');
  await page.getByRole('link', { name: 'Triggers' }).click();
  const row = page.locator('[aria-label="All triggers"] tbody tr');
  await row.getByText('COUNT by http.response.status_code > 5').waitFor();
  await row.getByText('triggered').waitFor();
  await shot('triggers');
  await row.getByRole('link').click();
  await page.getByRole('button', { name: 'Switch off' }).click();
  await page.locator('.alert-head').getByText('off', { exact: true }).waitFor();
});

test('an SLO: made, its budget, a burn alert and what it found; mistakes are said', options, async () => {
  await page.getByRole('link', { name: 'SLOs' }).click();
  await page.getByText('No objective yet').waitFor();
  const form = page.locator('section[aria-labelledby=new-slo]');
  await form.getByLabel('Name').fill('Carts are shown');
  await form.getByLabel('Dataset').selectOption('shop');
  await form.getByLabel(/^SLI/).fill('IF(EXISTS($http.route), NOT(EQUALS($http.response.status_code, 500)');
  await form.getByLabel('Target %').fill('90');
  await form.getByRole('button', { name: 'Make the SLO' }).click();
  await form.getByText(/at byte \d+/).waitFor();
  await form.getByLabel(/^SLI/).fill('IF(EXISTS($http.route), NOT(EQUALS($http.response.status_code, 500)))');
  await form.getByRole('button', { name: 'Make the SLO' }).click();
  await page.getByText('-100.00 %').waitFor(); // 4 of 20 are bad, 2 may be
  await page.getByRole('img', { name: 'Budget remaining of Carts are shown' }).locator('path').first().waitFor({ state: 'attached' });
  await page.getByRole('button', { name: 'Add the burn alert' }).click();
  await page.getByText('budget exhausted within 4 h').waitFor();
  await page.getByRole('button', { name: 'Evaluate now: budget exhausted within 4 h' }).click();
  await page.locator('[aria-label="All burn alerts"]').getByText('triggered').waitFor();
  await page.getByRole('button', { name: 'Evaluations of: budget exhausted within 4 h' }).click();
  await page.getByRole('region', { name: 'All evaluations' }).getByText('fired').waitFor();
  await shot('slo');
  await page.getByRole('link', { name: 'SLOs' }).click();
  await page.getByRole('link', { name: /Carts are shown/ }).getByText('-100.0 %').waitFor();
  await page.keyboard.press('d');
  await shot('slos-light');
  assert.deepEqual(bad.filter((b) => !/status of 422/.test(b)), []);
});
