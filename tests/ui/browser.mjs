// SPDX-License-Identifier: Apache-2.0
//
// What every test in a browser begins with: the system's Chromium, how long a test may take on a machine that others
// use, too, and a page that remembers what must not happen - console errors, exceptions, requests to anywhere else.

import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
export const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
export const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'];

export const missing = !existsSync(CHROMIUM);
if (missing && process.env.CI) throw new Error(`${CHROMIUM} is missing; in CI the page must be tested`);

// Nothing is measured by these: they only end what hangs.
export const PATIENCE = 45e3; // for one thing on the page
export const SETUP = { timeout: 240e3 };
export const options = { skip: missing && `no Chromium at ${CHROMIUM}`, timeout: 240e3 };

export const playwright = () => createRequire(join(process.env.SKEP_UI_TEST_MODULES ?? join(here, 'node_modules'), 'x.js'))('playwright-core');
export const launch = () => playwright().chromium.launch({ executablePath: CHROMIUM, args: FLAGS });

// A page of its own cookies. What must not happen is appended to `bad`: requests to anywhere but `url` (if given), and
// what the console says, but `expected` - Chromium reports each answer of 4xx there by itself. The rest is Playwright's.
export async function openPage(browser, bad, { url, expected, levels = ['error', 'warning'], ...more } = {}) {
  const context = await browser.newContext({ viewport: { width: 1360, height: 860 }, colorScheme: 'dark', reducedMotion: 'reduce', ...more });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  page.on('console', (m) => levels.includes(m.type()) && !expected?.test(m.text()) && bad.push(`console: ${m.text()}`));
  page.on('pageerror', (e) => bad.push(`exception: ${e.message}`));
  if (url) page.on('request', (r) => !r.url().startsWith(`${url}/`) && !/^(data|blob):/.test(r.url()) && bad.push(`foreign request: ${r.url()}`));
  return page;
}

// SKEP_UI_SHOTS=DIR keeps pictures of what a test passes by.
export const shooter = (page, more = {}) => async (name) => {
  if (process.env.SKEP_UI_SHOTS) await page().screenshot({ path: join(process.env.SKEP_UI_SHOTS, `${name}.png`), ...more });
};
