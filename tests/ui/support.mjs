// SPDX-License-Identifier: Apache-2.0
//
// What every browser test shares: the system's Chromium, a page that records what must not happen
// (console errors, uncaught exceptions, requests to anywhere else), and the server under test:
// the mock, or a running skep named by SKEP_URL.

import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import assert from 'node:assert/strict';
import { startMock } from './mock-server.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const modules = process.env.SKEP_UI_TEST_MODULES ?? join(here, 'node_modules');
export const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
export const REAL = process.env.SKEP_URL ?? null;

const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'];

const missing = !existsSync(CHROMIUM);
if (missing && process.env.CI) throw new Error(`${CHROMIUM} is missing; in CI the page must be tested`);

let browser = null;
const mocks = new Set();

async function chromium() {
  if (!browser) {
    const { chromium: driver } = createRequire(join(modules, 'x.js'))('playwright-core');
    browser = await driver.launch({ executablePath: CHROMIUM, args: FLAGS });
  }
  return browser;
}

after(async () => {
  await browser?.close();
  for (const m of mocks) await m.close();
});

// A test in the browser. `run` gets {page, url, mock}; options: mode of the mock, theme, and `real`
// for what also holds against a real server with data in it.
export function ui(name, { mode = 'data', theme = 'dark', real = false, quiet = true, traces, size = { width: 1360, height: 860 } }, run) {
  const skip = missing ? `no Chromium at ${CHROMIUM}` : REAL && !real ? 'needs the mock' : false;
  test(name, { skip, timeout: 90e3 }, async (t) => {
    const mock = REAL ? null : await startMock({ mode, traces });
    if (mock) mocks.add(mock);
    const url = REAL ?? mock.url;
    const context = await (await chromium()).newContext({ viewport: size, colorScheme: theme, reducedMotion: 'reduce' });
    const page = await context.newPage();
    page.setDefaultTimeout(10e3);
    const bad = [];
    page.on('console', (m) => ['error', 'warning'].includes(m.type()) && bad.push(`console: ${m.text()}`));
    page.on('pageerror', (e) => bad.push(`exception: ${e.message}`));
    page.on('request', (r) => !r.url().startsWith(url) && !r.url().startsWith('data:') && bad.push(`foreign request: ${r.url()}`));
    try {
      await run({ page, url, mock, t });
      if (quiet) assert.deepEqual(bad, []);
    } catch (e) {
      if (process.env.SKEP_UI_SHOTS) await page.screenshot({ path: join(process.env.SKEP_UI_SHOTS, `${name.replace(/\W+/g, '-')}.png`) });
      if (bad.length) e.message += `\nalso seen: ${bad.join('; ')}`;
      throw e;
    } finally {
      await context.close();
      if (mock) {
        mocks.delete(mock);
        await mock.close();
      }
    }
  });
}

export const params = (page) => new URL(page.url()).searchParams;

// Waits until `probe` gives a value that is true; says what it waited for when it never comes.
export async function until(what, probe, ms = 8000) {
  const end = Date.now() + ms;
  for (;;) {
    const v = await probe();
    if (v) return v;
    if (Date.now() > end) throw new Error(`waited ${ms} ms for: ${what}`);
    await new Promise((done) => setTimeout(done, 30));
  }
}
