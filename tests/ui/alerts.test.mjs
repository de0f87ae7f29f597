// SPDX-License-Identifier: Apache-2.0
//
// Triggers and SLOs in the page, against the built server: a trigger is made of a question, tried, evaluated, changed,
// switched off; recipients are made and tested; an SLO is made, its budget and a burn alert are looked at. Boards: boards.test.mjs.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { sendShop } from '../e2e/fixture.mjs';
import { Skep, until } from '../e2e/support.mjs';
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
  // What the server refuses stands at its field.
  await page.getByLabel('Threshold').fill('5');
  await page.getByRole('button', { name: 'Make the trigger' }).click();
  await page.locator('.field-of-form', { hasText: 'Name' }).getByRole('alert').getByText('must be 1 to 120 characters').waitFor();
  assert.equal(await page.locator('input[aria-invalid=true]').evaluate((el) => el === document.activeElement), true);
  await page.getByLabel('Name').fill('Many answers');
  await page.getByRole('button', { name: 'Try it now' }).click();
  await page.getByText('It would be met now').waitFor();
  await page.getByText('Nobody was told').waitFor();
  await shot('trigger-new');
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

test('recipients: made, refused with reasons, tested, told by a trigger that is changed', options, async () => {
  const got = [];
  const server = createServer((req, res) => { let body = ''; req.on('data', (d) => { body += d; }).on('end', () => { got.push(JSON.parse(body)); res.writeHead(req.url === '/gone' ? 404 : 200).end('x'); }); });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const to = `http://127.0.0.1:${server.address().port}`;
  await page.getByRole('link', { name: 'Recipients' }).click();
  await page.getByText('Nobody can be told yet').waitFor();
  await shot('recipients-empty');
  await page.getByRole('button', { name: 'Make a recipient' }).click();
  const form = page.getByRole('form', { name: 'New recipient' });
  await form.getByLabel('Kind').selectOption('pagerduty');
  await form.getByLabel(/^Name/).fill('on call');
  await form.getByLabel(/^Integration key/).fill('short');
  await form.getByRole('button', { name: 'Save' }).click();
  await form.locator('.field-of-form', { hasText: 'Integration key' }).getByRole('alert').getByText('must be 32 to 32 characters').waitFor();
  await form.getByLabel(/^Integration key/).fill('0123456789abcdef0123456789abcdef');
  await form.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('region', { name: 'All recipients' }).getByText('on call').waitFor();
  for (const [kind, name, path] of [['msteams_workflow', 'channel', '/teams'], ['webhook', 'program', '/gone']]) {
    await page.getByRole('button', { name: 'New recipient' }).click();
    await form.getByLabel('Kind').selectOption(kind);
    await form.getByLabel(/^Name/).fill(name);
    await form.getByLabel(/^Address/).fill(to + path);
    if (kind === 'webhook') {
      await form.getByText('Headers and bodies of your own').click();
      await form.getByLabel('Body for a trigger').fill('{{ if .Name }}');
      await form.getByRole('button', { name: 'Save' }).click();
      await form.locator('.field-of-form', { hasText: 'Body for a trigger' }).getByRole('alert').waitFor();
      await shot('recipient-form');
      await form.getByLabel('Body for a trigger').fill('{"said": {{ .Alert.Summary | toJson }}}');
    }
    await form.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('region', { name: 'All recipients' }).getByText(name, { exact: true }).waitFor();
  }
  await page.getByRole('button', { name: 'Send a test to Microsoft Teams: channel' }).click();
  await page.getByRole('status').getByText('arrived').waitFor();
  await page.getByRole('button', { name: 'Send a test to Webhook: program' }).click();
  await page.getByRole('status').getByText(/refused: .*404/).waitFor();
  await shot('recipients');
  assert.equal(got[0].attachments[0].content.type, 'AdaptiveCard');
  assert.deepEqual(got[1], { said: 'Triggered: A test from skep' });
  await page.getByRole('button', { name: 'Edit Webhook: program' }).click();
  const edit = page.getByRole('form', { name: 'Edit Webhook: program' });
  assert.equal(await edit.getByLabel('Body for a trigger').inputValue(), '{"said": {{ .Alert.Summary | toJson }}}');
  await edit.getByLabel(/^Address/).fill(`${to}/here`);
  await edit.getByRole('button', { name: 'Save' }).click();
  await edit.waitFor({ state: 'detached' });

  // A trigger is changed: another threshold, hours, who is told; its question in Query.
  await page.getByRole('link', { name: 'Triggers' }).click();
  await page.getByRole('link', { name: 'Many answers' }).click();
  await page.getByRole('link', { name: 'Change', exact: true }).click();
  const change = page.getByRole('form', { name: 'Change Many answers' });
  await change.getByLabel('Threshold').fill('1000');
  await change.getByLabel('Is asked').selectOption('window');
  await change.getByLabel('Webhook: program').check();
  await change.getByLabel('PagerDuty: on call').check();
  await change.getByLabel('Severity for PagerDuty: on call').selectOption('info');
  await shot('trigger-change');
  await change.getByRole('button', { name: 'Save' }).click();
  await page.locator('.alert-head').getByText('> 1000').waitFor();
  await page.locator('.alert-head').getByText('webhook program').waitFor();
  await page.getByRole('link', { name: 'Change', exact: true }).click();
  assert.equal(await change.getByLabel('Severity for PagerDuty: on call').inputValue(), 'info');
  assert.equal(await change.getByLabel('saturday').isChecked(), false);
  await change.getByRole('link', { name: 'Change it in Query' }).click();
  await page.waitForURL((u) => u.pathname === '/ui/query');
  await page.getByRole('combobox', { name: 'Group by' }).fill('name');
  await page.keyboard.press('Enter');
  await page.waitForURL((u) => u.searchParams.getAll('by').includes('name'));
  await page.getByRole('link', { name: 'Use it for the trigger' }).click();
  await change.getByText('COUNT by http.response.status_code, name').waitFor();
  await change.getByRole('button', { name: 'Save' }).click();
  await page.locator('.alert-head').getByText('COUNT by http.response.status_code, name > 1000').waitFor();
  const [t] = (await skep.json('GET', '/skep/v1/alerts')).triggers;
  assert.deepEqual([t.object.evaluation_schedule_type, t.object.recipients.map((r) => r.type).sort(), t.object.disabled], ['window', ['pagerduty', 'webhook'], true]);
  await page.getByRole('link', { name: 'Recipients' }).click();
  await page.getByRole('button', { name: 'Delete Webhook: program' }).click();
  await page.getByRole('button', { name: 'Yes: Delete Webhook: program' }).click();
  await page.getByText('in use by a trigger').waitFor();
  await page.getByRole('button', { name: 'Delete Microsoft Teams: channel' }).click();
  await page.getByRole('button', { name: 'Yes: Delete Microsoft Teams: channel' }).click();
  await page.getByRole('region', { name: 'All recipients' }).getByText('channel', { exact: true }).waitFor({ state: 'detached' });
  server.closeAllConnections();
  server.close();
});

test('an SLO: made, its budget, a burn alert and what it found; mistakes are said', options, async () => {
  await page.getByRole('link', { name: 'SLOs' }).click();
  await page.getByText('No objective yet').waitFor();
  await shot('slos-empty');
  await page.getByRole('link', { name: 'Make an SLO' }).click();
  const form = page.getByRole('form', { name: 'New SLO' });
  const said = (label, words) => page.locator('.field-of-form', { hasText: label }).getByRole('alert').getByText(words).waitFor();
  await form.getByLabel('shop', { exact: true }).and(page.locator(':checked')).waitFor(); // what has the most rows
  await form.getByLabel(/^True is good/).fill('IF(EXISTS($http.route), NOT(EQUALS($http.response.status_code, 500)');
  // What the server refuses stands at its field, tried or made; a column made for an SLO that is refused is gone again.
  await form.getByRole('button', { name: 'Try it now' }).click();
  await said('Name', 'must be 1 to 120 characters');
  await form.getByLabel('Name').fill('Carts are shown');
  await form.getByRole('button', { name: 'Try it now' }).click();
  await said('True is good', /at byte \d+/);
  await form.getByRole('button', { name: 'Make the SLO' }).click();
  await said('True is good', /at byte \d+/);
  await form.getByLabel(/^True is good/).fill('IF(EXISTS($http.route), NOT(EQUALS($http.response.status_code, 500)))');
  await form.getByLabel('Target, %').fill('100');
  await form.getByRole('button', { name: 'Make the SLO' }).click();
  await said('Target, %', 'must be 0 to 999999');
  assert.deepEqual(await skep.json('GET', '/1/derived_columns/shop'), []);
  await form.getByLabel('Target, %').fill('90');
  await form.getByRole('button', { name: 'Try it now' }).click();
  await form.getByText('100,000 of a million may fail').waitFor();
  await form.getByText('80 % good: 16 of the 20 events that count, 4 bad; -100.0 % of the budget would be left').waitFor();
  await form.getByRole('img', { name: 'Budget as it would have gone' }).locator('path').first().waitFor({ state: 'attached' });
  await shot('slo-new');
  assert.deepEqual(await skep.json('GET', '/1/derived_columns/shop'), []);
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
  await page.getByRole('button', { name: 'Change: budget exhausted within 4 h' }).click();
  const burn = page.getByRole('form', { name: 'Change: budget exhausted within 4 h' });
  await burn.getByLabel('Within minutes').fill('999999');
  await burn.getByRole('button', { name: 'Save' }).click();
  await burn.locator('.field-of-form', { hasText: 'Within minutes' }).getByRole('alert').waitFor();
  await burn.getByLabel('Within minutes').fill('120');
  await burn.getByLabel('PagerDuty: on call').check();
  await burn.getByRole('button', { name: 'Try it now' }).click();
  await burn.getByText('It would be met now').waitFor();
  await burn.getByRole('button', { name: 'Save' }).click();
  await page.locator('[aria-label="All burn alerts"]').getByText('budget exhausted within 2 h').waitFor();
  await page.locator('[aria-label="All burn alerts"]').getByText('pagerduty on call').waitFor();

  // Changed: another expression of its column, tried first; name, target and days; by keyboard alone.
  await page.getByRole('link', { name: 'Change', exact: true }).focus();
  await page.keyboard.press('Enter');
  const change = page.getByRole('form', { name: 'Change Carts are shown' });
  await change.getByText('shop', { exact: true }).waitFor();
  assert.equal(await change.getByLabel('Name').evaluate((el) => el === document.activeElement), true);
  await page.keyboard.type('Carts are there');
  assert.equal(await change.getByRole('combobox', { name: /^SLI/ }).inputValue(), 'sli.carts_are_shown');
  await until('the expression of its column', async () => /^IF\(EXISTS/.test(await change.getByLabel(/^True is good/).inputValue()));
  await change.getByLabel(/^True is good/).fill('IF(EXISTS($http.route), EXISTS($http.route))');
  await change.getByText('changes sli.carts_are_shown wherever it is used').waitFor();
  await change.getByLabel('Over days').fill('7');
  await change.getByRole('button', { name: 'Try it now' }).click();
  await change.getByText('100 % good: 20 of the 20 events that count, 0 bad').waitFor();
  await change.getByRole('button', { name: 'Try it now' }).focus();
  await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('Enter');
  await page.locator('.alert-head').getByText('90.0000 % over 7 days').waitFor();
  await page.locator('.alert-head').getByText('20 of 20').waitFor();
  await page.getByRole('link', { name: 'SLOs' }).click();
  await page.getByRole('link', { name: /Carts are there/ }).getByText('100.0 %').waitFor();
  await page.keyboard.press('d');
  await shot('slos-light');
  // A second one counts by a column there is already; the first goes with its burn alerts, which are named.
  await page.getByRole('link', { name: 'New SLO' }).click();
  await form.getByLabel('Name').fill('Again');
  await form.getByRole('combobox', { name: /^SLI/ }).selectOption('sli.carts_are_shown');
  await form.getByLabel('db', { exact: true }).check(); // a column of one dataset is none of two
  await form.getByRole('button', { name: 'Make the SLO' }).click();
  await said('SLI', 'no such derived column of this dataset');
  await shot('slo-new-light');
  await form.getByRole('combobox', { name: /^SLI/ }).selectOption('a new expression');
  await form.getByLabel(/^True is good/).fill('EXISTS($name)');
  await form.getByRole('button', { name: 'Make the SLO' }).click();
  await page.locator('.alert-head').getByText('99.9000 % over 30 days').waitFor();
  await page.locator('.alert-head').getByText('sli.again of db, shop').waitFor();
  await page.getByRole('button', { name: 'Delete Again' }).click();
  await page.getByText('It has no burn alert.').waitFor();
  await page.getByRole('button', { name: 'Keep' }).click();
  await page.getByRole('link', { name: 'SLOs' }).click();
  await page.getByRole('link', { name: /Carts are there/ }).click();
  await page.getByRole('button', { name: 'Delete Carts are there' }).click();
  await page.getByText('With its burn alerts (budget exhausted within 2 h)?').waitFor();
  await shot('slo-delete-light');
  await page.getByRole('button', { name: 'Yes: Delete Carts are there' }).click();
  await page.getByRole('link', { name: /Again/ }).waitFor();
  await page.getByRole('link', { name: /Carts are there/ }).waitFor({ state: 'detached' }); // the list is read anew
  assert.deepEqual(bad.filter((b) => !/status of (422|409)/.test(b)), []);
});
