// SPDX-License-Identifier: Apache-2.0
//
// Sampling rules and groups in the page, against the built server: made, changed, deleted, refused; the
// note above views that a rule under 100 % feeds. Nothing is mocked.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { hex, nowNs, otlpTraces, Skep, until } from '../e2e/support.mjs';
import { launch, missing, openPage, options, SETUP, shooter } from './browser.mjs';

let skep, browser, page;
const bad = [];

before(async () => {
  if (missing) return;
  skep = await Skep.start();
  browser = await launch();
  // A refused form is a 400, which the browser's console also tells.
  page = await openPage(browser, bad, { url: skep.url, expected: /status of 400/ });
}, SETUP);

after(async () => {
  await browser?.close();
  await skep?.done();
}, SETUP);

const shot = shooter(() => page);
const row = (name) => page.locator('tbody tr', { has: page.getByText(name, { exact: true }) });
const rules = async () => (await skep.json('POST', '/GetSamplingRules', {})).SamplingRuleRecords.map((r) => r.SamplingRule);
const now = () => Math.floor(Date.now() / 1000);
const report = (RuleName, RequestCount, SampledCount) => skep.json('POST', '/SamplingTargets', {
  SamplingStatisticsDocuments: [{ RuleName, ClientID: hex(24), Timestamp: now(), RequestCount, SampledCount, BorrowCount: 0 }],
});

test('a rule is made, with its mistakes beside the fields; changed; deleted when one is sure', options, async () => {
  await page.goto(`${skep.url}/ui/settings`);
  await page.getByRole('link', { name: 'Sampling rules' }).click();
  await page.getByRole('heading', { name: 'Sampling rules' }).waitFor();
  await row('Default').getByText('100%').waitFor();
  await page.getByRole('button', { name: 'New rule' }).click();
  const form = page.getByRole('form', { name: 'New rule' });
  await form.getByLabel('Name').fill('Cruddur');
  await form.getByLabel('Priority').fill('0');
  await form.getByLabel('Then, % of the rest').fill('150');
  await form.getByRole('button', { name: 'Save' }).click();
  await form.getByText('must have value greater than or equal to 1').waitFor();
  await form.getByText('must be from 0 to 100').waitFor();
  assert.equal(await form.locator('[aria-invalid]').count(), 2);
  await shot('rule-wrong');
  await form.getByLabel('Priority').fill('9000');
  await form.getByLabel('Reservoir').fill('5');
  await form.getByLabel('Then, % of the rest').fill('12.5');
  await form.getByLabel('Service', { exact: true }).fill('backend-flask');
  await page.keyboard.press('Enter');
  await row('Cruddur').getByText('service backend-flask').waitFor();
  const made = (await rules())[0];
  assert.deepEqual([made.RuleName, made.FixedRate, made.ReservoirSize, made.ServiceName, made.Host, made.URLPath], ['Cruddur', 0.125, 5, 'backend-flask', '*', '*']);

  await page.getByRole('button', { name: 'Edit Cruddur' }).click();
  const edit = page.getByRole('form', { name: 'Edit Cruddur' });
  await edit.getByLabel('Path').fill('/api/*');
  await edit.getByRole('button', { name: 'Save' }).click();
  await row('Cruddur').getByText('path /api/*').waitFor();
  await edit.waitFor({ state: 'detached' });

  await page.getByRole('button', { name: 'Delete Cruddur' }).click();
  assert.equal((await rules()).length, 2);
  await page.getByRole('button', { name: 'Really delete Cruddur' }).click();
  await until('the rule to be gone', async () => (await rules()).length === 1 && (await row('Cruddur').count()) === 0);
});

test('Default: AWS\'s five per cent and back, each in one click; nothing else of it can be changed', options, async () => {
  await page.goto(`${skep.url}/ui/sampling`);
  await page.getByRole('button', { name: '5 % like AWS' }).click();
  await row('Default').getByText('under 100%').waitFor();
  assert.deepEqual((await rules()).map((r) => [r.FixedRate, r.ReservoirSize]), [[0.05, 1]]);
  await page.getByRole('button', { name: 'Edit Default' }).click();
  assert.equal(await page.getByRole('form').locator('input:disabled').count(), 6);
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('button', { name: 'Take every request' }).click();
  await page.getByRole('button', { name: '5 % like AWS' }).waitFor();
  assert.equal((await rules())[0].FixedRate, 1);
});

test('what clients saw and took is shown, and views of rows name the rule that kept some back', options, async () => {
  const at = nowNs();
  await skep.json('POST', '/v1/traces', otlpTraces('backend-flask', [{ traceId: hex(32), spanId: hex(16), name: 'GET /', startNs: at }]));
  await report('Default', 200, 200);
  await page.goto(`${skep.url}/ui/traces`);
  await page.getByText('GET /').first().waitFor();
  assert.equal(await page.locator('.top-note').count(), 0, 'everything is here');
  await report('Default', 200, 12);
  await page.goto(`${skep.url}/ui/traces`);
  const note = page.locator('.top-note');
  await note.getByText('the sampling rule Default took 212 of 400 requests (53%)').waitFor();
  await shot('note');
  await note.getByRole('link', { name: 'Sampling rules' }).click();
  await page.getByRole('status').getByText('Default took 212 of 400').waitFor();
  assert.match((await row('Default').innerText()).replace(/\s+/g, ' '), /400 212 \(53%\)/);
  assert.match(await row('Default').getByRole('img').getAttribute('aria-label'), /^Default: at most [\d.]+ requests a second$/);
  await shot('sampling');
});

test('groups: made, a mistake is shown where it is, changed, deleted', options, async () => {
  await page.goto(`${skep.url}/ui/groups`);
  await row('Default').getByText('every trace').waitFor();
  await page.getByRole('button', { name: 'New group' }).click();
  const form = page.getByRole('form', { name: 'New group' });
  await form.getByLabel('Name').fill('a b');
  await form.getByRole('button', { name: 'Save' }).click();
  await form.getByText(/must satisfy regular expression pattern/).waitFor();
  await form.getByLabel('Name').fill('Cruddur');
  const expression = form.getByLabel('Filter expression');
  await expression.fill('service(} {fault}');
  await page.keyboard.press('Enter');
  await form.getByText(/at position 8/).waitFor();
  await until('the cursor to stand at the mistake', () => expression.evaluate((e) => e === document.activeElement && e.selectionStart === 8));
  await shot('group-wrong');
  await expression.fill('service("backend-flask") {fault}');
  await page.keyboard.press('Enter');
  await row('Cruddur').getByText('service("backend-flask") {fault}').waitFor();
  await page.getByRole('button', { name: 'Edit Cruddur' }).click();
  await page.getByRole('form', { name: 'Edit Cruddur' }).getByLabel('Filter expression').fill('fault');
  await page.keyboard.press('Enter');
  await row('Cruddur').getByText('fault', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Delete Cruddur' }).click();
  await page.getByRole('button', { name: 'Really delete Cruddur' }).click();
  await until('the group to be gone', async () => (await row('Cruddur').count()) === 0);
  assert.equal((await skep.json('POST', '/Groups', {})).Groups.length, 1);
});

test('nothing went wrong unseen', options, () => { assert.deepEqual(bad, []); });
