// SPDX-License-Identifier: Apache-2.0
//
// The login through an identity provider as a person meets it: the page, a real provider's own pages, and
// back to where one was; a login that was refused; a user who waits for the first one. SKEP_UI_SHOTS=DIR
// keeps pictures.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { haveProvider, realProvider } from '../e2e/oidc.mjs';
import { run } from '../e2e/keyring.mjs';
import { Skep, freePort } from '../e2e/support.mjs';
import { launch, options as everywhere, PATIENCE, SETUP, shooter } from './browser.mjs';

const options = { ...everywhere, skip: everywhere.skip || (!haveProvider && 'no oidc-provider: tools/node-packages.sh tests/clients/node') };

let skep, real, browser, page, url;
const bad = [];

const shot = shooter(() => page, { fullPage: true });

async function open() {
  const context = await browser.newContext({ viewport: { width: 1360, height: 900 }, colorScheme: 'dark', reducedMotion: 'reduce' });
  const p = await context.newPage();
  p.setDefaultTimeout(PATIENCE);
  p.on('pageerror', (e) => bad.push(`exception: ${e.message}`));
  p.on('console', (m) => m.type() === 'error' && m.location().url.startsWith(url) && !/status of 4\d\d/.test(m.text()) && bad.push(`console: ${m.text()}`));
  return p;
}

before(async () => {
  if (options.skip) return;
  const port = await freePort(), at = await freePort();
  url = `http://127.0.0.1:${port}`;
  real = await realProvider({
    port: at,
    clients: [{ client_id: 'skep', redirect_uris: [`${url}/skep/v1/oidc/callback`], token_endpoint_auth_method: 'none' }],
    accounts: { ann: { email: 'ann@hive.example', email_verified: true }, eve: { email: 'eve@evil.example', email_verified: true } },
  });
  skep = await Skep.start({ args: ['--listen', `127.0.0.1:${port}`, '--auth', 'keys', '--oidc-issuer', real.issuer, '--oidc-client-id', 'skep', '--oidc-name', 'the Hive', '--oidc-domain', 'hive.example'] });
  const r = await run(['user', 'create', 'ann@hive.example', '--oidc', '--role', 'admin', '--data', skep.dir]);
  assert.equal(r.code, 0, r.err);
  browser = await launch();
  page = await open();
}, SETUP);

after(async () => {
  await browser?.close();
  await skep?.done();
  await real?.close();
}, SETUP);

// The provider's two pages.
async function through(login) {
  await page.getByRole('link', { name: 'Log in with the Hive' }).click();
  await page.locator('input[name=login]').fill(login);
  await page.locator('input[name=password]').fill('any');
  await page.locator('button[type=submit]').click();
  await page.locator('button[type=submit]', { hasText: 'Continue' }).click();
}

test('in through the provider, to where one was', options, async () => {
  await page.goto(`${url}/ui/settings/users?env=default`);
  await page.getByRole('heading', { name: 'Log in' }).waitFor();
  await page.getByRole('link', { name: 'Log in with the Hive' }).waitFor();
  await shot('oidc-login');
  await through('ann');
  const row = page.getByRole('region', { name: 'All users' }).locator('tbody tr');
  await row.waitFor();
  assert.equal(new URL(page.url()).pathname, '/ui/settings/users');
  assert.match(await row.innerText(), /ann@hive\.example you\s+through the provider/);
  await page.getByLabel('E-mail address or subject').fill('bob@hive.example');
  await page.getByRole('button', { name: 'Make the user' }).click();
  await row.filter({ hasText: 'bob@hive.example' }).getByText('through the provider, not yet').waitFor();
  await shot('oidc-users');
  const { cookies } = await page.context().storageState();
  const session = cookies.find((c) => c.name === 'skep_session');
  assert.deepEqual([session.httpOnly, session.sameSite, session.path], [true, 'Strict', '/']);
  assert.ok(!cookies.some((c) => c.name === 'skep_oidc' && c.value));
  await page.reload();
  await row.first().waitFor();
});

test('who may not come in is told why, once; logging out ends the session', options, async () => {
  await page.getByRole('button', { name: /Log out/ }).click();
  await page.getByRole('heading', { name: 'Log in' }).waitFor();
  await page.context().close();
  page = await open();
  await page.goto(`${url}/ui/home`);
  await through('eve');
  await page.getByRole('alert').getByText('your e-mail address is of no domain that is let in').waitFor();
  await shot('oidc-refused');
  await page.reload();
  await page.getByRole('link', { name: 'Log in with the Hive' }).waitFor();
  assert.equal(await page.getByRole('alert').count(), 0);
  assert.deepEqual(bad, []);
});
