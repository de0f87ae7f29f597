// SPDX-License-Identifier: Apache-2.0
//
// The page of a real server in keys mode, as its first user meets it: the link of the first start, an
// environment and a key, a program that sends with it, its rows in the page, the key revoked; then login
// and logout, a second user, the audit log. SKEP_UI_SHOTS=DIR keeps pictures.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Skep, hex, nowNs, otlpTraces, until } from '../e2e/support.mjs';
import { launch, missing, openPage, options, SETUP } from './browser.mjs';

const PASSWORD = 'correct horse battery';

let skep, browser, page;
const bad = [];

// A browser of somebody else: cookies of its own.
function open(theme = 'dark') {
  return openPage(browser, bad, { url: skep.url, expected: /status of 4\d\d/, levels: ['error'], viewport: { width: 1360, height: 900 }, colorScheme: theme, permissions: ['clipboard-read', 'clipboard-write'] });
}

async function shot(name, p = page) {
  if (!process.env.SKEP_UI_SHOTS) return;
  await p.screenshot({ path: join(process.env.SKEP_UI_SHOTS, `${name}-dark.png`), fullPage: true });
  await p.keyboard.press('Escape');
  await p.evaluate(() => { document.documentElement.dataset.theme = 'light'; });
  await p.screenshot({ path: join(process.env.SKEP_UI_SHOTS, `${name}-light.png`), fullPage: true });
  await p.evaluate(() => { document.documentElement.dataset.theme = 'dark'; });
}

before(async () => {
  if (missing) return;
  skep = await Skep.start({ args: ['--auth', 'keys'] });
  browser = await launch();
  page = await open();
}, SETUP);

after(async () => {
  await browser?.close();
  await skep?.done();
}, SETUP);

const heading = (name, p = page) => p.getByRole('heading', { name, exact: true }).waitFor();

test('without a session the page asks for one; the first link makes the first user', options, async () => {
  await page.goto(`${skep.url}/ui/query`);
  await heading('Log in');
  assert.equal(await page.locator('.rail').count(), 0);
  await shot('login');
  const link = await until('the link', () => /http:\S+\/ui\/welcome#[a-z0-9]{52}/.exec(skep.log)?.[0]);
  await page.goto(`${skep.url}/ui/welcome`);
  await page.getByText('This link is cut short').waitFor();
  await page.goto(link);
  await page.reload(); // from /ui/welcome the # alone loads nothing
  await heading('Welcome');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'door-name'); // by keyboard alone
  await page.keyboard.type('ann');
  await page.keyboard.press('Tab');
  await page.keyboard.type(PASSWORD);
  await page.keyboard.press('Tab');
  await page.keyboard.type('another one');
  await page.keyboard.press('Enter');
  await page.getByRole('alert').getByText('the two passwords differ').waitFor();
  await shot('welcome');
  await page.getByLabel('Password again').fill(PASSWORD);
  await page.keyboard.press('Enter');
  await heading('Waiting for the first row');
  assert.equal(new URL(page.url()).hash, '');
  const cookies = await page.context().cookies();
  const mine = cookies.find((c) => c.name === 'skep_session');
  assert.ok(mine.httpOnly && mine.sameSite === 'Strict' && mine.path === '/');
});

let key; // {endpoint, token} as the page shows them to copy

test('an environment and a key, shown once, with lines for each client', options, async () => {
  await page.getByRole('link', { name: 'Settings' }).click();
  await page.locator('.subnav').getByRole('link', { name: 'Environments and keys' }).click();
  await heading('Environments and keys');
  await page.getByText('No key is in use').waitFor();
  await shot('keys-empty');
  await page.getByLabel('New environment').fill('Boot Camp');
  await page.getByRole('button', { name: 'Create environment' }).click();
  await page.getByRole('region', { name: 'All environments' }).getByText('boot-camp').waitFor();
  await until('it to be chosen for the next key', async () => (await page.getByLabel('Environment', { exact: true }).inputValue()) === 'boot-camp');
  await page.getByLabel('New environment').fill('boot camp');
  await page.keyboard.press('Enter');
  await page.getByRole('alert').filter({ hasText: 'already' }).waitFor();
  await page.getByLabel('Name', { exact: true }).fill('shop');
  await page.getByLabel('Valid').selectOption({ label: '30 days' });
  await page.getByRole('button', { name: 'Create key' }).click();
  await heading('Key shop');
  const token = await page.getByLabel('the key', { exact: true }).innerText();
  assert.match(token, /^hcxik_[0-9a-z]{58}$/);
  const lines = {};
  for (const name of ['OpenTelemetry', 'Honeycomb', 'AWS', 'X-Ray', 'Rollbar', 'Terminal']) {
    await page.getByRole('group', { name: 'Client' }).getByRole('button', { name, exact: true }).click();
    lines[name] = await page.getByLabel(`lines for ${name}`, { exact: true }).innerText();
    if (name === 'AWS' || name === 'Rollbar') await shot(`key-${name.toLowerCase()}`);
  }
  const endpoint = /OTEL_EXPORTER_OTLP_ENDPOINT=(\S+)/.exec(lines.OpenTelemetry)[1];
  assert.equal(endpoint, skep.url);
  assert.match(lines.OpenTelemetry, new RegExp(`OTEL_EXPORTER_OTLP_HEADERS=x-honeycomb-team=${token}`));
  assert.match(lines.Honeycomb, new RegExp(`HONEYCOMB_API_ENDPOINT=${skep.url}\nexport HONEYCOMB_API_KEY=${token}`));
  assert.match(lines.AWS, /AWS_ACCESS_KEY_ID=AKIASKEP[A-Z2-7]{12}\nexport AWS_SECRET_ACCESS_KEY=[A-Za-z0-9]{40}\n[^]*Debian 12[^]*endpoint_url=/);
  assert.match(lines['X-Ray'], /AWS_XRAY_DAEMON_ADDRESS=127\.0\.0\.1:2000/);
  assert.match(lines.Rollbar, new RegExp(`rollbar.init\\("[0-9a-f]{32}", "boot-camp", endpoint="${skep.url}/api/1/"\\)`));
  for (const notifier of ['Node.js', 'Ruby', 'Go']) assert.match(lines.Rollbar, new RegExp(`(#|//) ${notifier}`));
  key = { endpoint, token };
  await page.getByRole('button', { name: 'Copy: the key' }).click();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), token);
  await page.getByRole('button', { name: 'I have it' }).click();
  await until('it to be gone', async () => !(await page.content()).includes(token.slice(32)));
  const row = page.getByRole('region', { name: 'All keys' }).locator('tbody tr');
  assert.match(await row.innerText(), /shop[^]*boot-camp[^]*ingest/);
  await page.reload();
  await row.waitFor();
  assert.ok(!(await page.content()).includes(token.slice(32)), 'shown once');
});

const send = () => fetch(`${key.endpoint}/v1/traces`, {
  method: 'POST', headers: { 'content-type': 'application/json', 'x-honeycomb-team': key.token },
  body: JSON.stringify(otlpTraces('bootcamp-shop', [{ traceId: hex(32), spanId: hex(16), name: 'GET /first', startNs: nowNs() - 1000000n, endNs: nowNs() }])),
});

test('what is sent with the key is seen under its environment; revoked it is refused', options, async () => {
  assert.equal((await send()).status, 200);
  await page.goto(`${skep.url}/ui/home`);
  await page.getByRole('region', { name: 'Services' }).getByRole('button', { name: 'Show bootcamp-shop alone' }).waitFor();
  assert.equal(await page.locator('#environment').inputValue(), 'boot-camp');
  await page.locator('#environment').selectOption('default');
  await until('the other environment to be empty', async () => new URL(page.url()).searchParams.get('env') === 'default' && (await page.getByText('bootcamp-shop').count()) === 0);
  await page.goto(`${skep.url}/ui/settings/keys`);
  const used = page.getByRole('region', { name: 'All keys' }).locator('tbody tr td').nth(3);
  await until('it to be noted as used', async () => /\d\d:\d\d:\d\d/.test(await used.innerText()));
  const revoke = page.getByRole('button', { name: 'Revoke key shop', exact: true });
  await revoke.click();
  await page.getByRole('button', { name: 'Yes: Revoke key shop' }).press('Escape'); // not yet
  await revoke.press('Enter');
  await page.getByRole('button', { name: 'Yes: Revoke key shop' }).press('Enter');
  await page.getByText('No key is in use').waitFor();
  const r = await send();
  assert.equal(r.status, 401);
  assert.match((await r.json()).message, /revoked/);
  await page.getByLabel('1 that ended').check();
  await page.getByRole('region', { name: 'All keys' }).getByText('revoked').waitFor();
  await shot('keys');
});

test('logged out, and in again where one was', options, async () => {
  await page.getByRole('button', { name: 'Log out' }).click();
  await heading('Log in');
  const at = page.url();
  await page.getByLabel('Name').fill('ann');
  await page.getByLabel('Password').fill('wrong horse battery');
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('alert').getByText('wrong name or password').waitFor();
  await shot('login-wrong');
  await page.getByLabel('Password').fill(PASSWORD);
  await page.keyboard.press('Enter');
  await heading('Environments and keys');
  assert.equal(page.url(), at);
});

test('a second user: a link, a viewer, disabled', options, async () => {
  await page.getByRole('link', { name: 'Users' }).click();
  await page.getByRole('button', { name: 'Make a link' }).click();
  const link = await page.getByLabel('the link', { exact: true }).innerText();
  const other = await open('light');
  await other.goto(link);
  await other.getByLabel('Name').fill('bob@hive.example');
  await other.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await other.getByLabel('Password again').fill(PASSWORD);
  await other.getByRole('button', { name: 'Come in' }).click();
  await other.getByRole('region', { name: 'Services' }).waitFor(); // in every environment
  await other.goto(`${skep.url}/ui/settings/keys`);
  await heading('This is for administrators', other);
  await other.getByRole('link', { name: 'Users' }).click();
  await other.getByLabel('Old password').fill(PASSWORD);
  await other.getByLabel('New password').fill(`${PASSWORD} anew`);
  await other.keyboard.press('Enter');
  await other.getByText('Your other sessions have ended').waitFor();
  await page.reload();
  const row = page.getByRole('region', { name: 'All users' }).locator('tbody tr', { hasText: 'bob@hive.example' });
  await row.waitFor();
  await shot('users');
  await page.getByRole('button', { name: 'Disable ann' }).click();
  await page.getByRole('alert').filter({ hasText: 'last administrator' }).waitFor();
  await page.getByRole('button', { name: 'Disable bob@hive.example' }).click();
  await row.getByText('disabled').waitFor();
  await other.goto(`${skep.url}/ui/traces`);
  await heading('Log in', other);
  await other.context().close();
});

test('the audit log has all of it; nothing on the page went wrong', options, async () => {
  await page.getByRole('link', { name: 'Audit log' }).click();
  const entries = page.getByRole('region', { name: 'Entries' });
  await entries.waitFor();
  const text = await entries.innerText();
  for (const what of [/user ann\s+user.disable\s+bob@hive.example/, /user ann\s+key.revoke\s+shop/, /user ann\s+environment.create\s+boot-camp/, /anybody\s+login.failed\s+ann/, /user ann\s+user.create\s+ann \(admin\), by a link\s+127.0.0.1/])
    assert.match(text, what);
  await shot('audit');
  assert.deepEqual(bad, []);
});
