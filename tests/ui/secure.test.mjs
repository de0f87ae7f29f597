// SPDX-License-Identifier: Apache-2.0
//
// The login over TLS: the browser takes the cookie in its strict form (Secure, __Host-), sends it, and
// loses it at logout.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { run } from '../e2e/keyring.mjs';
import { Skep, until } from '../e2e/support.mjs';
import { Authority, https } from '../e2e/tls.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const modules = process.env.SKEP_UI_TEST_MODULES ?? join(here, 'node_modules');
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const missing = !existsSync(CHROMIUM);
if (missing && process.env.CI) throw new Error(`${CHROMIUM} is missing; in CI the page must be tested`);
const options = { skip: missing && `no Chromium at ${CHROMIUM}`, timeout: 90e3 };

let skep, browser, authority;

before(async () => {
  if (missing) return;
  authority = new Authority();
  const { cert, key } = authority.make('server', '/CN=localhost');
  skep = await Skep.start({ args: ['--auth', 'keys', '--tls-cert', cert, '--tls-key', key], ready: async (s) => (await https(s.port, '/skep/v1/login', { ca: authority.ca })).status === 200 });
  const r = await run(['user', 'create', 'ann', '--role', 'admin', '--data', skep.dir], {}, 'correct horse battery\n');
  assert.equal(r.code, 0, r.err);
  const { chromium } = createRequire(join(modules, 'x.js'))('playwright-core');
  browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'] });
}, { timeout: 60e3 });

after(async () => {
  await browser?.close();
  await skep?.done();
  authority?.done();
}, { timeout: 30e3 });

test('the session over TLS', options, async () => {
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  const page = await context.newPage();
  page.setDefaultTimeout(20e3);
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
