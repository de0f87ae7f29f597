// SPDX-License-Identifier: Apache-2.0
// Query: built by keyboard with completion, kept in the URL, cancelled by the next, acted on by value.

import assert from 'node:assert/strict';
import { params, ui, until } from './support.mjs';

const clause = (page, name) => page.getByRole('combobox', { name, exact: true });

ui('a question is built with the keyboard alone', {}, async ({ page, url, mock }) => {
  await page.goto(`${url}/ui/home?live=0&t=2h`);
  await page.locator('.service-table tbody tr').first().waitFor();
  await page.keyboard.press('g');
  await page.keyboard.press('q');
  await page.locator('.builder').waitFor();
  await page.keyboard.press('/');
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute('role')), 'combobox');
  await page.keyboard.type('rout');
  await page.getByRole('option', { name: /http\.route/ }).waitFor();
  await page.keyboard.press('Enter');
  await page.getByRole('option', { name: '=', exact: true }).waitFor();
  await page.keyboard.type('=');
  await page.keyboard.type(' ');
  await page.getByRole('option', { name: /\/api\/search/ }).waitFor();
  await page.keyboard.type('/api/se');
  await until('values narrowed', async () => (await page.locator('.option').count()) === 1);
  await page.keyboard.press('Enter');
  await until('the filter in the URL', () => params(page).getAll('w')[0] === 'http.route = "/api/search"');
  await clause(page, 'Select').focus();
  await page.keyboard.type('p99');
  await page.getByRole('option', { name: /^P99\(field\)/ }).waitFor();
  await page.keyboard.press('Tab');
  await page.keyboard.type('dur');
  await page.getByRole('option', { name: /duration_ms/ }).waitFor();
  await page.keyboard.press('Enter');
  await until('the calculation in the URL', () => params(page).getAll('c').includes('P99(duration_ms)'));
  await until('the server asked', () => mock.lastQuery.calculations.some((c) => c.op === 'P99' && c.column === 'duration_ms'));
  assert.deepEqual(mock.lastQuery.filters, [{ column: 'http.route', op: '=', value: '/api/search' }]);
  assert.equal(mock.lastQuery.time_range, 7200, 'the time range of Home is kept');
});

ui('calculated fields, formulas and an earlier time come by keyboard, with completion', {}, async ({ page, url, mock }) => {
  await page.goto(`${url}/ui/query?c=COUNT&t=2h`);
  await page.getByRole('button', { name: '+ Calculated field' }).press('Enter');
  await clause(page, 'Calculate').waitFor();
  await until('the clause has the focus', () => page.evaluate(() => document.activeElement.closest('[data-clause]')?.dataset.clause === 'cf'));
  await page.keyboard.type('slow = i');
  await page.getByRole('option', { name: /^IF\(condition/ }).waitFor();
  await page.keyboard.press('Enter');
  await page.keyboard.type('$durat');
  await page.getByRole('option', { name: /^duration_ms/ }).waitFor();
  await page.keyboard.press('Tab');
  await page.keyboard.type(' > 100, "slow")');
  await page.keyboard.press('Enter');
  await until('the field in the URL', () => params(page).get('cf') === 'slow = IF($duration_ms > 100, "slow")');
  await until('asked', () => mock.lastQuery.calculated_fields?.[0]?.expression === 'IF($duration_ms > 100, "slow")');
  await clause(page, 'Group by').focus();
  await page.keyboard.type('slo');
  await page.getByRole('option', { name: /^slow calculated/ }).waitFor();
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  await clause(page, 'Select').focus();
  await page.keyboard.type('COUNT as errors where error = true');
  await page.keyboard.press('Enter');
  await until('the calculation in the URL', () => params(page).getAll('c').length === 2);
  await page.getByRole('button', { name: '+ Formula' }).press('Enter');
  await until('the clause has the focus', () => page.evaluate(() => document.activeElement.closest('[data-clause]')?.dataset.clause === 'fx'));
  await page.keyboard.type('rate = $err');
  await page.getByRole('option', { name: /^errors/ }).waitFor();
  await page.keyboard.press('Tab');
  await page.keyboard.type('/$COUNT');
  await page.keyboard.press('Enter');
  await page.locator('.builder label', { hasText: 'Compare' }).locator('select').selectOption('86400');
  await until('all of it asked', () => mock.lastQuery.compare_time_offset_seconds === 86400);
  assert.deepEqual(mock.lastQuery.formulas, [{ name: 'rate', expression: '$errors/$COUNT' }]);
  assert.deepEqual(mock.lastQuery.calculations[1], { op: 'COUNT', name: 'errors', filters: [{ column: 'error', op: '=', value: true }] });
});

ui('a field of another span of the trace is completed like any other', {}, async ({ page, url, mock }) => {
  await page.goto(`${url}/ui/query?t=2h&c=COUNT`);
  await clause(page, 'Where').focus();
  await page.keyboard.type('roo');
  await page.getByRole('option', { name: /^root\.…/ }).waitFor();
  await page.keyboard.press('Tab');
  await page.keyboard.type('rout');
  await page.getByRole('option', { name: /^root\.http\.route/ }).waitFor();
  await page.keyboard.press('Enter');
  await page.keyboard.type('= ');
  await page.getByRole('option', { name: /\/api\/search/ }).waitFor();
  await page.keyboard.type('/api/se');
  await until('values narrowed', async () => (await page.locator('.option').count()) === 1);
  await page.keyboard.press('Enter');
  await until('the filter in the URL', () => params(page).getAll('w')[0] === 'root.http.route = "/api/search"');
  await clause(page, 'Group by').focus();
  await page.keyboard.type('parent.servi');
  await page.getByRole('option', { name: /^parent\.service\.name/ }).waitFor();
  await page.keyboard.press('Enter');
  await until('asked', () => mock.lastQuery.breakdowns?.[0] === 'parent.service.name');
  assert.deepEqual(mock.lastQuery.filters, [{ column: 'root.http.route', op: '=', value: '/api/search' }]);
});

ui('the URL alone gives the same question back, and history walks through it', {}, async ({ page, url, mock }) => {
  const path = '/ui/query?t=2h&c=COUNT&c=P95(duration_ms)&w=http.response.status_code+>=+500&w=service.name+in+["cruddur-api","auth"]&by=http.route&o=COUNT+asc&h=COUNT+>+0&n=5&g=300';
  await page.goto(url + path);
  await page.locator('.table tbody tr').first().waitFor();
  const { calculations, filters, breakdowns, orders, havings, limit, granularity, time_range } = mock.lastQuery;
  assert.deepEqual(calculations, [{ op: 'COUNT' }, { op: 'P95', column: 'duration_ms' }]);
  assert.deepEqual(filters, [{ column: 'http.response.status_code', op: '>=', value: 500 }, { column: 'service.name', op: 'in', value: ['cruddur-api', 'auth'] }]);
  assert.deepEqual([breakdowns, orders, havings], [['http.route'], [{ op: 'COUNT', order: 'ascending' }], [{ calculate_op: 'COUNT', op: '>', value: 0 }]]);
  assert.deepEqual([limit, granularity, time_range], [5, 300, 7200]);
  await page.getByRole('button', { name: 'Remove http.response.status_code >= 500' }).click();
  await until('one filter', () => mock.lastQuery.filters.length === 1);
  await page.goBack();
  await until('two filters again', () => mock.lastQuery.filters.length === 2);
  assert.equal(await page.locator('.chip').filter({ hasText: '>= 500' }).count(), 1);
});

ui('a chip can be edited and an unreadable text says what is wrong', {}, async ({ page, url, mock }) => {
  await page.goto(`${url}/ui/query?c=COUNT&w=duration_ms+>+10`);
  await page.getByRole('button', { name: 'Where duration_ms > 10: edit' }).click();
  await page.keyboard.press('End');
  await page.keyboard.press('0');
  await page.keyboard.press('Enter');
  await until('100 in the URL', () => params(page).get('w') === 'duration_ms > 100');
  await until('asked', () => mock.lastQuery.filters[0].value === 100);
  await clause(page, 'Having').fill('COUNT >');
  await clause(page, 'Having').press('Escape');
  await clause(page, 'Having').press('Enter');
  await page.getByRole('alert').filter({ hasText: 'a having reads like' }).waitFor();
});

ui('what a link says and nobody can read is left out aloud', {}, async ({ page, url, mock }) => {
  await page.goto(`${url}/ui/query?c=COUNT&c=MEDIAN(x)&w=duration_ms+>+1&w=garbage`);
  await page.getByText('left out: what about garbage?').waitFor();
  await page.getByText('left out: “MEDIAN(x)” is not a calculation').waitFor();
  assert.equal(await page.locator('.chip.bad').count(), 2);
  assert.equal(mock.lastQuery.filters.length, 1);
});

ui('an empty store answers a query with where to begin', { mode: 'empty' }, async ({ page, url }) => {
  await page.goto(`${url}/ui/query?c=COUNT&by=service.name`);
  await page.getByRole('heading', { name: 'No rows match' }).waitFor();
  await page.getByRole('link', { name: 'How to send data' }).click();
  await page.getByRole('heading', { name: 'How to send' }).waitFor();
});

ui('an error of the server points at the filter', { quiet: false }, async ({ page, url }) => {
  await page.goto(`${url}/ui/query?c=COUNT&w=duration_ms+exists&w=name+>+"x"`);
  await page.getByRole('alert').filter({ hasText: 'needs a number' }).first().waitFor();
  assert.match(await page.locator('.chip.bad').innerText(), /name > "x"/);
});

ui('progress is shown and a new question cancels the old one', { mode: 'slow' }, async ({ page, url, mock }) => {
  await page.goto(`${url}/ui/query?c=COUNT`);
  const bar = page.getByRole('progressbar', { name: 'Query progress' });
  await until('progress', async () => Number(await bar.getAttribute('aria-valuenow')) > 5);
  assert.match(await page.locator('.covers').innerText(), /of 10M rows/);
  await page.getByRole('button', { name: 'Last 1 hour' }).click();
  await page.getByRole('button', { name: 'Last 15 minutes' }).click();
  await until('the first was cancelled', () => mock.cancelled >= 1);
  assert.equal(params(page).get('t'), '15m');
  mock.mode = 'data';
  await page.locator('.uplot canvas').waitFor();
  await until('complete', async () => /rows, .* ms, complete/.test(await page.locator('.covers').innerText()));
});

ui('from a value: filter, exclude, group by, with the keyboard', { real: true }, async ({ page, url }) => {
  await page.goto(`${url}/ui/query?c=COUNT&by=service.name&t=24h`);
  const value = page.locator('.table tbody .value').first();
  const name = await value.innerText();
  await value.focus();
  await page.keyboard.press('Enter');
  await page.getByRole('menuitem', { name: `Only service.name = ${name}` }).waitFor();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await until('excluded', () => params(page).get('w') === `service.name != ${JSON.stringify(name)}`);
  await until('gone from the table', async () => !(await page.locator('.table tbody').allInnerTexts()).join().includes(name));
  await page.getByRole('tab', { name: 'Raw rows' }).click();
  await page.locator('.raw tbody tr').first().waitFor();
  await page.locator('.raw tbody tr td').nth(1).click();
  await page.locator('.row-panel .field').first().waitFor();
  await page.getByLabel('Filter fields').fill('service.name');
  await page.locator('.row-panel .field .value').first().click();
  await page.getByRole('menuitem', { name: 'Group by service.name' }).waitFor();
});

ui('a row of the table isolates its series and the link keeps it', {}, async ({ page, url }) => {
  await page.goto(`${url}/ui/query?c=COUNT&by=service.name&t=2h`);
  await page.getByRole('button', { name: 'Show only auth' }).click();
  assert.equal(params(page).get('iso'), '["auth"]');
  await page.reload();
  await until('pressed', async () => (await page.getByRole('button', { name: 'Show only auth' }).getAttribute('aria-pressed')) === 'true');
  await page.getByRole('button', { name: 'Show only auth' }).click();
  assert.equal(params(page).get('iso'), null);
});

ui('dragging on a chart zooms; double click goes back', { real: true }, async ({ page, url }) => {
  await page.goto(`${url}/ui/query?c=COUNT&t=2h`);
  const plot = page.locator('.u-over').first();
  await plot.waitFor();
  const r = await plot.boundingBox();
  await page.mouse.move(r.x + r.width * 0.25, r.y + 60);
  await page.mouse.down();
  await page.mouse.move(r.x + r.width * 0.5, r.y + 60, { steps: 5 });
  await page.mouse.up();
  await until('an absolute range', () => params(page).has('from'));
  const span = Number(params(page).get('to')) - Number(params(page).get('from'));
  assert.ok(Math.abs(span - 1800) < 60, `a quarter of two hours, got ${span} s`);
  await page.locator('.u-over').first().dblclick();
  await until('the relative range is back', () => params(page).get('t') === '2h' && !params(page).has('from'));
});

ui('a line chart is walked by key and its menu leads to an example trace of the series', {}, async ({ page, url, mock }) => {
  await page.goto(`${url}/ui/query?c=P95(duration_ms)&by=service.name&t=2h`);
  await page.locator('.u-over').waitFor();
  await page.locator('.chart').focus();
  for (let i = 0; i < 5; i++) await page.keyboard.press('ArrowLeft');
  await page.locator('.chart .readout').waitFor();
  await page.keyboard.press('Enter');
  const only = page.getByRole('menuitem', { name: /^Only (?!rows)/ });
  const name = (await only.innerText()).slice(5);
  await page.getByRole('menuitem', { name: 'An example trace' }).click();
  await page.waitForURL(/\/ui\/trace\/[0-9a-f]{32}/);
  assert.deepEqual(mock.lastRows.filters, [{ column: 'duration_ms', op: 'exists' }, { column: 'trace.trace_id', op: 'exists' }, { column: 'service.name', op: '=', value: name }]);
  assert.equal(mock.lastRows.end_time - mock.lastRows.start_time, 60);
});

ui('with OR the example still satisfies the filters and the range', {}, async ({ page, url, mock }) => {
  await page.goto(`${url}/ui/query?c=COUNT&t=2h&or=1&w=name+=+"send+push"&w=name+=+"build+timeline"`);
  await until('asked with OR', () => mock.lastQuery?.filter_combination === 'OR');
  await page.locator('.u-over').click({ position: { x: 400, y: 60 } });
  assert.equal(await page.getByRole('menuitem', { name: 'All traces of this step' }).count(), 0, 'what a link cannot say is not offered');
  await page.getByRole('menuitem', { name: 'An example trace' }).click();
  await page.waitForURL(/\/ui\/trace\//);
  assert.deepEqual([mock.lastRows.filter_combination, mock.lastRows.filters.length, mock.lastRows.and_filters], ['OR', 2, [{ column: 'trace.trace_id', op: 'exists' }]]);
  assert.match(await page.locator('.w-row.on .w-title').innerText(), /send push|build timeline/);
});

ui('the time picker takes presets, own and absolute ranges by keyboard', {}, async ({ page, url, mock }) => {
  await page.goto(`${url}/ui/query?c=COUNT`);
  await page.locator('.uplot').waitFor();
  await page.keyboard.press('t');
  await page.getByRole('dialog', { name: 'Time range' }).waitFor();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  assert.equal(params(page).get('t'), '2h');
  await page.keyboard.press('t');
  await page.getByLabel('Last', { exact: true }).fill('45m');
  await page.keyboard.press('Enter');
  await until('45 minutes', () => mock.lastQuery.time_range === 2700);
  await page.keyboard.press('t');
  await page.getByLabel('From').fill('2026-01-02T03:04:05');
  await page.getByLabel('To', { exact: true }).fill('2026-01-02T04:04:05');
  await page.locator('.own form').nth(1).getByRole('button', { name: 'Set' }).click();
  await until('an hour of January', () => mock.lastQuery.end_time - mock.lastQuery.start_time === 3600);
});

ui('logs: filtered lines, a line in its place, live tail', {}, async ({ page, url, mock }) => {
  await page.goto(`${url}/ui/logs?t=2h`);
  await page.locator('.line').first().waitFor();
  assert.deepEqual(mock.lastRows.filters, [{ column: 'meta.signal_type', op: '=', value: 'log' }]);
  await page.locator('.line-head').first().click();
  await page.locator('.line-detail .field').first().waitFor();
  await page.keyboard.press('Escape');
  await until('closed', async () => (await page.locator('.line-detail').count()) === 0);
  await page.getByLabel('Text').fill('queue depth');
  await page.keyboard.press('Enter');
  await until('searched', () => mock.lastRows.filters.some((f) => f.column === '*' && f.value === 'queue depth'));
  await page.getByLabel('Text').fill('');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Logs' }).click();
  await page.keyboard.press('f');
  await page.locator('.line', { hasText: 'tailed line 5' }).waitFor();
  await page.getByText('7 skipped').waitFor();
  const first = await page.locator('.line').first().innerText();
  assert.match(first, /tailed line/, 'new lines come on top');
});

ui('traces: newest, slowest, failed', { real: true }, async ({ page, url }) => {
  await page.goto(`${url}/ui/traces?t=24h&live=0`);
  await page.locator('.trace-table tbody tr').first().waitFor();
  await page.getByRole('button', { name: 'Slowest' }).click();
  assert.equal(params(page).get('sort'), 'slow');
  await page.locator('.trace-table tbody tr').first().waitFor();
  await page.getByRole('link', { name: /./ }).and(page.locator('.trace-name')).first().click();
  await page.locator('.w-row').first().waitFor();
});
