// SPDX-License-Identifier: Apache-2.0
// Status: the ledger with and without a difference, running questions and ending one, the states.

import assert from 'node:assert/strict';
import { params, ui, until } from './support.mjs';

const QUESTION = { id: 7, kind: 'query', path: '/skep/v1/query', text: '{"calculations":[{"op":"COUNT"}]}', state: 'running', since_ms: 0,
  elapsed_ms: 840, rows_scanned: 2.5e6, rows_total: 10e6, memory_bytes: 3 << 20 };

ui('the ledger adds up, source by source, over an hour, a day, a month', { real: true }, async ({ page, url, mock }) => {
  await page.goto(`${url}/ui/settings`);
  const ledger = page.getByRole('region', { name: 'Ledger', exact: true });
  const row = ledger.locator('tbody tr').first();
  await row.waitFor();
  assert.match(await row.innerText(), /otlp/);
  assert.match(await row.innerText(), /adds up/);
  await ledger.getByText('everything received is accounted for').waitFor();
  assert.equal(await ledger.locator('tr.wrong').count(), 0);
  assert.match(await row.getByRole('img').getAttribute('aria-label'), /otlp \w+ over time, at most [\d,]+ in one stretch$/);
  assert.ok(await row.locator('rect.stored').count() > 0);
  if (mock) await ledger.getByText(/bad trace id [\d,]+/).waitFor();
  await ledger.getByRole('button', { name: 'Hour' }).click();
  assert.equal(params(page).get('span'), '1h');
  await page.reload(); // the address keeps it
  await until('the hour to be pressed', () => ledger.getByRole('button', { name: 'Hour', pressed: true }).isVisible());
  await ledger.getByRole('button', { name: '30 days' }).click();
  await row.waitFor();
});

ui('a difference is shown, in red and in words', {}, async ({ page, url, mock }) => {
  mock.wrong = 5;
  await page.goto(`${url}/ui/settings`);
  const ledger = page.getByRole('region', { name: 'Ledger', exact: true });
  await ledger.getByRole('alert').filter({ hasText: '2 stretches do not add up' }).waitFor();
  assert.equal(await ledger.locator('tr.wrong').count(), 2);
  await ledger.getByText('5 unaccounted for').first().waitFor();
  await ledger.getByText('5 of what was received').first().waitFor();
  const red = await page.evaluate(() => getComputedStyle(document.documentElement).getPropertyValue('--error').trim());
  const shown = await ledger.locator('tr.wrong strong.error').first().evaluate((e) => getComputedStyle(e).color);
  const [r, g, b] = red.match(/\w\w/g).map((h) => parseInt(h, 16));
  assert.equal(shown, `rgb(${r}, ${g}, ${b})`);
  assert.match(await ledger.getByRole('img').first().getAttribute('aria-label'), /1 that do not add up/);
  mock.wrong = 0;
  await ledger.getByText('everything received is accounted for').waitFor();
});

ui('running questions show how far they are, and can be ended by keyboard', {}, async ({ page, url, mock }) => {
  await page.goto(`${url}/ui/settings`);
  const running = page.getByRole('region', { name: 'Running questions' });
  await running.getByText('None is at work.').waitFor();
  mock.running.push({ ...QUESTION }, { ...QUESTION, id: 8, state: 'waiting', rows_total: 0, rows_scanned: 0 });
  const row = running.locator('tbody tr').first();
  await row.waitFor();
  assert.match(await row.innerText(), /query[\s\S]*840 ms[\s\S]*25% of 10M rows[\s\S]*3 MiB/);
  assert.equal(await row.getByRole('meter').getAttribute('aria-valuenow'), '2500000');
  await running.getByText('waiting').waitFor();
  const cancel = running.getByRole('button', { name: 'Cancel question 7' });
  await cancel.focus();
  await page.keyboard.press('Enter');
  await until('the question to be gone', () => mock.running.length === 1 && mock.running[0].id === 8);
  await cancel.waitFor({ state: 'detached' });
});

ui('nothing received, and what the server finds of itself', { mode: 'empty' }, async ({ page, url }) => {
  await page.goto(`${url}/ui/settings`);
  await page.getByText('Nothing was received in the last day.').waitFor();
  await page.getByText('stored in 3.4 ms, seen by the first question').waitFor();
});

ui('errors of one part leave the others', { mode: 'error', quiet: false }, async ({ page, url }) => {
  await page.goto(`${url}/ui/settings`);
  const ledger = page.getByRole('region', { name: 'Ledger', exact: true });
  await ledger.getByRole('alert').filter({ hasText: 'no space left on device' }).waitFor();
  await ledger.getByRole('button', { name: 'Try again' }).waitFor();
  await page.getByText('Rows stored').waitFor();
});

ui('the status fits a phone and both themes', { theme: 'light', size: { width: 420, height: 900 } }, async ({ page, url }) => {
  await page.goto(`${url}/ui/settings`);
  await page.locator('.ledger tbody tr').first().waitFor();
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(wide, 0, 'only the table scrolls');
});
