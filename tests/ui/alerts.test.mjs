// SPDX-License-Identifier: Apache-2.0
//
// Triggers and SLOs in the page, against the built server: a trigger is made of a question, evaluated, switched
// off; an SLO is made, its budget and a burn alert are looked at. Boards: boards.test.mjs.

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

test('a trigger: made of a question, evaluated, looked at, switched off', options, async () => {
  await page.goto(`${skep.url}/ui/home`);
  await page.getByRole('link', { name: 'Boards' }).waitFor();
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
