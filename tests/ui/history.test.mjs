// SPDX-License-Identifier: Apache-2.0
//
// The history in the page, against the built server: an answer's permalink shows it as it was, changing the question
// leaves it, it is starred, named, found and asked anew; a comparison has totals and changes in its table.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { sendShop } from '../e2e/fixture.mjs';
import { otlpTraces, Skep } from '../e2e/support.mjs';
import { launch, missing, openPage, options, SETUP, shooter } from './browser.mjs';

let skep, browser, page;
const bad = [];
const shot = shooter(() => page, { fullPage: true });

before(async () => {
  if (missing) return;
  skep = await Skep.start();
  await sendShop(skep, 20);
  browser = await launch();
  page = await openPage(browser, bad, { url: skep.url });
}, SETUP);

after(async () => {
  await browser?.close();
  await skep?.done();
}, SETUP);

const total = () => page.locator('[aria-label="Result table"] tfoot td.num').first().textContent();
const says = (text) => page.waitForFunction((t) => document.querySelector('[aria-label="Result table"] tfoot td.num')?.textContent === t, text);

test('an answer keeps its address; another question leaves it; it is asked anew', options, async () => {
  await page.goto(`${skep.url}/ui/history`);
  await page.getByText('Nothing was asked yet').waitFor();
  await page.goto(`${skep.url}/ui/query?c=COUNT&by=name&t=1h&ds=shop`);
  await page.getByRole('link', { name: 'Permalink' }).waitFor();
  const was = await total();
  await page.getByRole('link', { name: 'Permalink' }).click();
  await page.getByText('Its address shows it as it was').waitFor();
  const address = page.url();
  assert.match(address, /run=[A-Za-z0-9]{11}/);
  await sendShop(skep, 10);
  await page.goto(`${skep.url}/ui/query?run=${new URL(address).searchParams.get('run')}`); // the short form
  await page.getByText('Its address shows it as it was').waitFor();
  await says(was);
  await page.reload();
  await page.getByText('Its address shows it as it was').waitFor();
  await says(was);
  await page.getByRole('textbox', { name: 'Name of this question' }).fill('Before the storm');
  await page.keyboard.press('Enter');
  await page.waitForFunction(async () => (await (await fetch('/skep/v1/runs?kept=true')).json()).runs.length === 1);
  await shot('history-kept');
  // Another limit is another question: asked now, and the address says so.
  const asked = page.waitForResponse((r) => r.url().includes('/skep/v1/query?keep=true'));
  await page.getByLabel('Limit').fill('50');
  await page.keyboard.press('Enter');
  await asked;
  await page.waitForURL((u) => !u.searchParams.has('run') && u.searchParams.get('n') === '50');
  await page.goBack();
  await page.goto(address);
  await page.getByRole('link', { name: 'Ask anew' }).click();
  await page.waitForURL((u) => !u.searchParams.has('run') && u.searchParams.get('t') === '1h' && u.searchParams.get('c') === 'COUNT');
  await page.waitForFunction((t) => { const now = document.querySelector('[aria-label="Result table"] tfoot td.num')?.textContent; return now && now !== t; }, was);
});

test('the list: searched, starred, forgotten; by keys', options, async () => {
  await page.goto(`${skep.url}/ui/query?c=P95(duration_ms)&w=${encodeURIComponent('name = "GET /cart"')}&t=1h`);
  await page.getByRole('link', { name: 'Permalink' }).waitFor();
  await page.getByRole('link', { name: 'History', exact: true }).click();
  const rows = page.locator('[aria-label="All questions"] tbody tr');
  await rows.filter({ hasText: 'P95(duration_ms) where name = GET /cart' }).waitFor();
  await rows.filter({ hasText: 'Before the storm' }).waitFor();
  await shot('history');
  await page.keyboard.press('/');
  await page.keyboard.type('storm');
  await page.waitForFunction(() => document.querySelectorAll('[aria-label="All questions"] tbody tr').length === 1);
  await page.getByRole('searchbox').fill('p95 CART');
  await page.waitForFunction(() => document.querySelector('[aria-label="All questions"] tbody')?.textContent.includes('P95'));
  await page.getByRole('button', { name: 'Star: this question' }).click();
  await page.locator('[aria-pressed=true].star').waitFor();
  await page.getByRole('searchbox').fill('nothing like it');
  await page.getByText('No question like this').waitFor();
  await page.getByRole('button', { name: 'Show all' }).click();
  await page.getByRole('button', { name: 'Starred or named' }).click();
  await page.waitForFunction(() => document.querySelectorAll('[aria-label="All questions"] tbody tr').length === 2);
  await page.getByRole('button', { name: /^Forget: P95/ }).click();
  await page.getByRole('button', { name: /^Yes: Forget: P95/ }).click();
  await page.waitForFunction(() => document.querySelectorAll('[aria-label="All questions"] tbody tr').length === 1);
  await page.keyboard.press('d');
  await shot('history-light');
  await page.keyboard.press('d');
  await rows.first().getByRole('link').first().click();
  await page.getByText('Its address shows it as it was').waitFor();
  // An answer that was forgotten says so.
  await page.goto(`${skep.url}/ui/query?run=AAAAAAAAAAA`);
  await page.getByText('not kept any more').waitFor();
});

test('compared with earlier: what it was and the change, by group and in all', options, async () => {
  await page.goto(`${skep.url}/ui/query?c=COUNT&c=${encodeURIComponent('MAX(duration_ms)')}&by=name&t=30m&ds=shop&cmp=1800`);
  const table = page.getByRole('region', { name: 'Result table' });
  await table.getByText('30 minutes before').first().waitFor();
  assert.equal(await table.locator('thead th', { hasText: 'Change' }).count(), 2);
  const foot = await table.locator('tfoot td.num').allTextContents();
  assert.deepEqual([foot[1], foot[2]], ['0', `+${foot[0]} new`]); // nothing was there then
  // What was there then alone has a row of its own.
  const at = BigInt(Date.now() - 45 * 60000) * 1000000n;
  await skep.json('POST', '/v1/traces', otlpTraces('shop', [{ traceId: '7e'.repeat(16), spanId: '7e'.repeat(8), name: 'retired', startNs: at, endNs: at + 250000000n }]));
  await page.reload();
  const retired = table.locator('tbody tr', { hasText: 'retired' });
  await retired.getByText('only then').waitFor();
  assert.deepEqual(await retired.locator('td.num').allTextContents(), ['–', '1', '-1 -100%', '–', '250 ms', '–']);
  await shot('compare-table');
  assert.deepEqual(bad.filter((b) => !/status of 404/.test(b)), []);
});
