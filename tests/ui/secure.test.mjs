// SPDX-License-Identifier: Apache-2.0
//
// The login over TLS: the browser takes the cookie in its strict form (Secure, __Host-), sends it, and
// loses it at logout.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { run } from '../e2e/keyring.mjs';
import { Skep, until } from '../e2e/support.mjs';
import { Authority, https } from '../e2e/tls.mjs';
import { launch, missing, options, PATIENCE, SETUP } from './browser.mjs';

let skep, browser, authority;

before(async () => {
  if (missing) return;
  authority = new Authority();
  const { cert, key } = authority.make('server', '/CN=localhost');
  skep = await Skep.start({ args: ['--auth', 'keys', '--tls-cert', cert, '--tls-key', key], ready: async (s) => (await https(s.port, '/skep/v1/login', { ca: authority.ca })).status === 200 });
  const r = await run(['user', 'create', 'ann', '--role', 'admin', '--data', skep.dir], {}, 'correct horse battery\n');
  assert.equal(r.code, 0, r.err);
  browser = await launch();
}, SETUP);

after(async () => {
  await browser?.close();
  await skep?.done();
  authority?.done();
}, SETUP);

test('the session over TLS', options, async () => {
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const url = `https://localhost:${skep.port}`;
  await page.goto(`${url}/ui/settings/users`);
  await page.getByLabel('Name').fill('ann');
  await page.getByLabel('Password').fill('correct horse battery');
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('region', { name: 'All users' }).waitFor();
  const cookies = await context.cookies();
  assert.deepEqual(cookies.map((c) => [c.name, c.secure, c.httpOnly, c.sameSite, c.path, c.domain]), [['__Host-skep_session', true, true, 'Strict', '/', 'localhost']]);
  await page.reload();
  await page.getByRole('region', { name: 'All users' }).waitFor();
  assert.equal(await page.evaluate(() => document.cookie), '', 'no script sees it');
  // The name without the prefix, which another port of the host could set, is nobody.
  const other = await browser.newContext({ ignoreHTTPSErrors: true });
  await other.addCookies([{ name: 'skep_session', value: cookies[0].value, url }]);
  assert.equal((await other.request.get(`${url}/skep/v1/me`)).status(), 401);
  await page.getByRole('button', { name: /Log out/ }).click();
  await page.getByRole('heading', { name: 'Log in' }).waitFor();
  await until('the cookie to be gone', async () => (await context.cookies()).length === 0);
});
