// SPDX-License-Identifier: Apache-2.0
// Home: waiting, data arriving, live refresh, errors, an empty range, themes.

import assert from 'node:assert/strict';
import { params, ui, until } from './support.mjs';

ui('waiting shows where to send and why something was refused, and flips to data by itself', { mode: 'empty' }, async ({ page, url, mock }) => {
  await page.goto(url);
  await page.getByRole('heading', { name: 'Waiting for the first row' }).waitFor();
  await page.getByText('OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318').first().waitFor();
  for (const name of ['Node.js', 'Python', 'curl']) {
    await page.getByRole('button', { name, exact: true }).click();
    await page.locator(`pre[aria-label="commands for ${name}"]`).waitFor();
  }
  mock.refuse('unsupported content-type "text/plain"');
  await page.getByText('unsupported content-type "text/plain"').waitFor();
  const before = Date.now();
  mock.fill();
  await page.getByRole('heading', { name: 'All services' }).waitFor();
  await page.locator('.heat canvas').waitFor();
  assert.ok(Date.now() - before < 40000, 'the page shows rows within the poll of a second and its answer');
});

ui('home shows rate, failures, latency and traces, and stays live', { real: true }, async ({ page, url }) => {
  await page.goto(url);
  await page.getByText('Requests', { exact: true }).first().waitFor();
  await page.locator('.uplot canvas').first().waitFor();
  await page.locator('.heat canvas').first().waitFor();
  await page.locator('.service-table tbody tr').first().waitFor();
  await page.locator('.trace-table tbody tr').first().waitFor();
  assert.match(await page.locator('.covers').first().innerText(), /^[\d,]+ rows, [\d.]+ ms, (in)?complete$/);
  let asked = 0;
  page.on('request', (r) => r.url().endsWith('/skep/v1/query') && asked++);
  await until('two refreshes', () => asked >= 4);
  await page.getByRole('button', { name: 'Live' }).click();
  assert.equal(params(page).get('live'), '0');
  await page.waitForTimeout(1200);
  const calm = asked;
  await page.waitForTimeout(1600);
  assert.equal(asked, calm, 'a page that is not live asks nothing');
});

ui('an address without a range shows as much as there is; links stay free of it', {}, async ({ page, url, mock }) => {
  const rows = mock.data.rows;
  mock.data.rows = rows.filter((r) => r.t > rows.at(-1).t - 200e3);
  await page.goto(url);
  await page.getByRole('button', { name: 'Last 5 minutes' }).waitFor();
  await page.locator('.service-table tbody tr').first().waitFor();
  assert.ok(mock.lastQuery.time_range === 300, `asked for ${mock.lastQuery.time_range} s`);
  assert.equal(params(page).get('t'), null);
  assert.doesNotMatch(await page.getByRole('link', { name: 'Traces' }).getAttribute('href'), /t=/);
  mock.data.rows = rows;
  await page.getByRole('button', { name: 'Last 1 hour' }).waitFor();
});

ui('an environment is chosen by the address, else by who has rows, and links keep it', {}, async ({ page, url, mock }) => {
  mock.environments = [['default', 0], ['demo', 10], ['prod', 5]].map(([slug, rows]) => ({ slug, name: slug, rows }));
  await page.goto(url);
  await page.locator('.service-table tbody tr').first().waitFor();
  assert.equal(mock.environment, 'demo');
  assert.equal(params(page).get('env'), null);
  await page.getByLabel('Environment').selectOption('prod');
  await until('questions of the other environment', () => mock.environment === 'prod');
  assert.equal(params(page).get('env'), 'prod');
  assert.match(await page.getByRole('link', { name: 'Traces' }).getAttribute('href'), /env=prod/);
  await page.goto(`${url}/ui/home?env=gone`);
  await until('questions of the one in the address', () => mock.environment === 'gone');
});

ui('one environment needs no choice', {}, async ({ page, url }) => {
  await page.goto(url);
  await page.locator('.service-table tbody tr').first().waitFor();
  assert.equal(await page.getByLabel('Environment').count(), 0);
});

ui('a service opens alone, grouped by name, and back returns', { real: true }, async ({ page, url }) => {
  await page.goto(`${url}/ui/home?live=0`);
  const row = page.locator('.service-table tbody tr').first();
  const name = await row.locator('button').innerText();
  await row.click();
  await page.getByRole('heading', { name, exact: true, level: 1 }).waitFor();
  assert.equal(params(page).get('svc'), name);
  await page.locator('.service-table th', { hasText: 'Name' }).waitFor();
  await page.goBack();
  await page.getByRole('heading', { name: 'All services' }).waitFor();
});

ui('a range without rows says so and leads to the newest row', {}, async ({ page, url }) => {
  await page.goto(`${url}/ui/home?from=1600000000&to=1600003600`);
  await page.getByRole('heading', { name: 'No spans in this time range' }).waitFor();
  await page.getByRole('button', { name: 'Show the hour before it' }).click();
  await page.locator('.service-table tbody tr').first().waitFor();
});

ui('an environment that waits for its first row says how to send to it, whatever others hold', {}, async ({ page, url, mock }) => {
  mock.environments = [{ slug: 'default', name: 'default', rows: 5 }, { slug: 'fresh', name: 'Fresh', rows: 0 }];
  mock.bare = ['fresh'];
  await page.goto(`${url}/ui/home?env=fresh`);
  await page.getByRole('heading', { name: 'Nothing has come to the environment fresh yet' }).waitFor();
  await page.getByText('OTEL_EXPORTER_OTLP_ENDPOINT=').first().waitFor();
  assert.equal(await page.getByRole('button', { name: 'Show the hour before it' }).count(), 0);
});

ui('questions to ask next are made of the fields that are there', {}, async ({ page, url, mock }) => {
  await page.goto(`${url}/ui/home?live=0&t=2h`);
  const ready = page.getByRole('region', { name: 'Ask next' });
  const links = ready.getByRole('link');
  await links.first().waitFor();
  const said = await links.allInnerTexts();
  assert.ok(said.length >= 5 && said.length <= 8, said.join('|'));
  // Each of them can be asked.
  for (let i = 0; i < said.length; i++) {
    const before = mock.lastQuery;
    await page.goto(new URL(await links.nth(i).getAttribute('href'), url).href);
    await page.locator('.covers').filter({ hasText: 'complete' }).waitFor();
    assert.notEqual(mock.lastQuery, before);
    assert.equal(await page.getByRole('alert').count(), 0, said[i]);
    assert.equal(mock.lastQuery.time_range, 7200);
    await page.goBack();
    await links.first().waitFor();
  }
});

ui('a store that refuses is an error with the reason, not an empty page', { mode: 'error', quiet: false }, async ({ page, url, mock }) => {
  await page.goto(`${url}/ui/query`);
  await page.getByRole('alert').filter({ hasText: 'read-only: no space left' }).first().waitFor();
  mock.mode = 'data';
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.locator('.uplot canvas').first().waitFor();
});

ui('dark and light: the system decides, the reader overrides, the choice stays', { theme: 'light', real: true }, async ({ page, url }) => {
  await page.goto(`${url}/ui/settings`);
  const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
  assert.equal(await theme(), 'light');
  await page.getByRole('heading', { name: 'Status' }).waitFor();
  await page.keyboard.press('d');
  assert.equal(await theme(), 'dark');
  await page.reload();
  assert.equal(await theme(), 'dark');
  const bg = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  assert.ok(Math.max(...bg.match(/\d+/g).map(Number)) < 60, `dark background, got ${bg}`);
});
