// SPDX-License-Identifier: Apache-2.0
//
// What the tests of the page alone share: a page of browser.mjs a test, and the server under test: the mock, or a
// running skep named by SKEP_URL.

import { join } from 'node:path';
import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { launch, openPage, options, PATIENCE } from './browser.mjs';
import { startMock } from './mock-server.mjs';

export const REAL = process.env.SKEP_URL ?? null;

let browser = null;
const mocks = new Set();

after(async () => {
  await browser?.close();
  for (const m of mocks) await m.close();
});

// A test in the browser. `run` gets {page, url, mock}; options: mode of the mock, theme, and `real`
// for what also holds against a real server with data in it.
export function ui(name, { mode = 'data', theme = 'dark', real = false, quiet = true, traces, size = { width: 1360, height: 860 } }, run) {
  const skip = options.skip || (REAL && !real ? 'needs the mock' : false);
  test(name, { ...options, skip }, async (t) => {
    const mock = REAL ? null : await startMock({ mode, traces });
    if (mock) mocks.add(mock);
    const url = REAL ?? mock.url;
    browser ??= await launch();
    const bad = [];
    const page = await openPage(browser, bad, { url, viewport: size, colorScheme: theme });
    try {
      await run({ page, url, mock, t });
      if (quiet) assert.deepEqual(bad, []);
    } catch (e) {
      if (process.env.SKEP_UI_SHOTS) await page.screenshot({ path: join(process.env.SKEP_UI_SHOTS, `${name.replace(/\W+/g, '-')}.png`) });
      if (bad.length) e.message += `\nalso seen: ${bad.join('; ')}`;
      throw e;
    } finally {
      await page.context().close();
      if (mock) {
        mocks.delete(mock);
        await mock.close();
      }
    }
  });
}

export const params = (page) => new URL(page.url()).searchParams;

// Waits until `probe` gives a value that is true; says what it waited for when it never comes.
export async function until(what, probe, ms = PATIENCE) {
  const end = Date.now() + ms;
  for (;;) {
    const v = await probe();
    if (v) return v;
    if (Date.now() > end) throw new Error(`waited ${ms} ms for: ${what}`);
    await new Promise((done) => setTimeout(done, 30));
  }
}
