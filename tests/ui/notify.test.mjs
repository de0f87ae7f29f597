// SPDX-License-Identifier: Apache-2.0
//
// Notifications in the page's Settings, against the built server and a webhook that answers as told: a
// place is made and tested, fails, has dead messages, is paused, deleted.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { Skep, until } from '../e2e/support.mjs';
import { launch, missing, openPage, options, SETUP, shooter } from './browser.mjs';

let skep, browser, page, hook, status = 200;
const got = [], bad = [];
const shot = shooter(() => page, { fullPage: true });
const row = (name) => page.locator('[aria-label="All places"] tbody tr', { has: page.getByText(name, { exact: true }) });

before(async () => {
  if (missing) return;
  hook = createServer((req, res) => { req.resume().on('end', () => { got.push(req.headers['webhook-id']); res.writeHead(status).end('no such hook'); }); });
  await new Promise((done) => hook.listen(0, '127.0.0.1', done));
  skep = await Skep.start();
  browser = await launch();
  page = await openPage(browser, bad, { url: skep.url, expected: /status of 40[09]/ });
}, SETUP);

after(async () => {
  await browser?.close();
  await skep?.done();
  hook?.closeAllConnections();
  hook?.close();
}, SETUP);

test('a place is made, its mistakes said; tested, with its secret to copy', options, async () => {
  await page.goto(`${skep.url}/ui/settings`);
  await page.getByRole('link', { name: 'Notifications' }).click();
  await page.getByText('Nobody is told of anything yet').waitFor();
  await shot('notify-empty');
  const form = page.getByRole('region', { name: 'New place' }).or(page.locator('section[aria-labelledby=new-place]'));
  await form.getByLabel('Name').fill('on call');
  await form.getByLabel('Address').fill('gopher://x');
  await form.getByRole('button', { name: 'Make the place' }).click();
  await form.getByText('a target is an address: https://host/path').waitFor();
  await form.getByLabel('Address').fill(`http://127.0.0.1:${hook.address().port}/hook`);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Secret of on call' }).waitFor();
  const { places: [p] } = await skep.json('GET', '/skep/v1/notify/places');
  const { secret } = await skep.json('GET', `/skep/v1/notify/places/${p.id}/secret`);
  await page.getByText(secret).waitFor();
  await shot('notify-secret');
  await page.getByRole('button', { name: 'Close' }).click();
  await row('on call').getByText('nothing sent yet').waitFor();
  await page.getByRole('button', { name: 'Send a test to on call' }).click();
  await row('on call').getByText(/^takes them; last/).waitFor();
  await page.getByRole('region', { name: 'Messages, the newest first' }).getByText(/^delivered /).waitFor();
  assert.equal(got.length, 1);
});

test('a message that is refused is dead, said where it failed, and tried again on request', options, async () => {
  status = 404;
  await page.getByRole('button', { name: 'Send a test to on call' }).click();
  await row('on call').getByText('HTTP 404: no such hook').waitFor();
  await page.getByRole('button', { name: 'Dead', exact: true }).click();
  const messages = page.getByRole('region', { name: 'Messages, the newest first' });
  await messages.getByText('dead: HTTP 404: no such hook').waitFor();
  await until('the dead one alone', async () => (await messages.locator('tbody tr').count()) === 1);
  await shot('notify-dead');
  status = 200;
  const asked = got.length;
  await page.getByRole('button', { name: 'Try A test from skep again' }).click();
  await page.getByText('None is dead').waitFor();
  await until('the message again', () => got.length > asked);
  await page.getByRole('button', { name: 'Waiting', exact: true }).click();
  await page.getByText('None is waiting').waitFor();
  assert.equal(got.at(-1), got.at(-2), 'the same message');
});

test('paused, its messages wait; deleted, when one is sure, they go', options, async () => {
  await page.getByRole('button', { name: 'Pause on call' }).click();
  await row('on call').getByText('paused: messages wait').waitFor();
  await page.getByRole('button', { name: 'Send a test to on call' }).click();
  await page.getByRole('button', { name: 'Waiting', exact: true }).click();
  await page.getByRole('region', { name: 'Messages, the newest first' }).getByText('waiting', { exact: true }).waitFor();
  const before = got.length;
  await page.getByRole('button', { name: 'Resume on call' }).click();
  await until('the message', () => got.length > before);
  await page.getByRole('button', { name: 'Delete on call', exact: true }).click();
  await page.getByRole('button', { name: 'Yes: Delete on call' }).click();
  await page.getByText('Nobody is told of anything yet').waitFor();
  assert.deepEqual((await skep.json('GET', '/skep/v1/notify/messages')).messages, []);
  await page.getByLabel('Kind').selectOption('mail');
  await page.getByText('No mail server is set').waitFor();
  assert.deepEqual(bad, []);
});
