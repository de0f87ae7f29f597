// SPDX-License-Identifier: Apache-2.0
// "What is different here?": from a region of the heatmap, a step, a group's row; its bars, menus and states.

import assert from 'node:assert/strict';
import { params, ui, until } from './support.mjs';

const HEAT = '/ui/query?c=HEATMAP(duration_ms)&t=2h';
const panel = (page) => page.getByRole('region', { name: 'What is different' });
const cards = (page) => panel(page).locator('.different-card');

async function dragRegion(page) {
  const box = await page.locator('.heat').boundingBox();
  await page.mouse.move(box.x + box.width * 0.3, box.y + 14);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.8, box.y + 110, { steps: 4 });
  await page.mouse.up();
}

ui('a region of the heatmap is compared with the rest of its time', {}, async ({ page, url, mock }) => {
  await page.goto(url + HEAT);
  await page.locator('.heat canvas').waitFor();
  await dragRegion(page);
  await page.getByRole('menuitem', { name: 'What is different here' }).click();
  await cards(page).first().waitFor();
  const q = mock.lastFacets;
  assert.deepEqual(q.selection.filters.map((f) => [f.column, f.op]), [['duration_ms', '>='], ['duration_ms', '<']]);
  assert.ok(q.end_time > q.start_time && q.end_time - q.start_time < 7200 && q.time_range === undefined);
  assert.ok(!q.columns.includes('duration_ms') && !q.columns.includes('trace.span_id') && q.columns.includes('http.route'));
  const differ = await cards(page).evaluateAll((all) => all.map((c) => Number(/([\d.]+)% different/.exec(c.textContent)[1])));
  assert.deepEqual(differ, [...differ].sort((a, b) => b - a), 'the most different first');
  // The address is the state: the same again after a reload; closing takes it away.
  assert.equal(params(page).getAll('d').length, 2);
  await page.reload();
  await cards(page).first().waitFor();
  await page.getByRole('button', { name: 'Close the comparison' }).click();
  await until('closed', async () => (await panel(page).count()) === 0);
  assert.equal(params(page).has('d') || params(page).has('d_from'), false);
});

ui('a group is compared from its row, and its values filter, exclude and group', {}, async ({ page, url, mock }) => {
  await page.goto(`${url}/ui/query?c=COUNT&by=service.name&t=2h`);
  const compare = page.getByRole('button', { name: /^What is different about / }).first();
  const name = (await compare.getAttribute('aria-label')).replace('What is different about ', '');
  await compare.focus();
  await page.keyboard.press('Enter');
  await cards(page).first().waitFor();
  assert.deepEqual(mock.lastFacets.selection.filters, [{ column: 'service.name', op: '=', value: name }]);
  // Bars show the shares that stand beside them.
  const bar = cards(page).first().locator('li').first();
  const [of, against] = await bar.locator('.pair-shares > *').allInnerTexts();
  assert.equal(await bar.locator('.pair-bars').getAttribute('aria-label'), `${of} of the selected rows, ${against} of the rest`);
  // By keyboard: the menu of a value that both sides have, and what excludes it.
  const shares = await panel(page).locator('.different-card li').evaluateAll((all) => all.map((li) => li.textContent));
  const both = shares.findIndex((text) => !text.startsWith('absent') && (text.match(/[\d.]+%/g) ?? []).every((p) => parseFloat(p) > 0 && parseFloat(p) < 90));
  assert.ok(both >= 0);
  await panel(page).locator('.different-card li').nth(both).locator('button.value').focus();
  await page.keyboard.press('Enter');
  await page.getByRole('menuitem', { name: /^Only / }).first().waitFor();
  await page.getByRole('menuitem', { name: /^Exclude / }).click();
  await until('filtered', () => params(page).getAll('w').length === 1);
  await until('asked again with the filter', () => mock.lastFacets.filters?.length === 1);
  await cards(page).first().waitFor();
  const head = cards(page).first().locator('h3 button');
  const column = await head.innerText();
  await head.click();
  await page.getByRole('menuitem', { name: `Group by ${column}` }).click();
  await until('grouped', () => params(page).getAll('by').includes(column));
});

ui('the heatmap offers it by keyboard', {}, async ({ page, url }) => {
  await page.goto(url + HEAT);
  await page.locator('.heat canvas').waitFor();
  await page.locator('.heat').focus();
  await page.keyboard.press('ArrowRight');
  await page.locator('.heat .readout').waitFor();
  await page.keyboard.press('Shift+Enter');
  await page.getByRole('menuitem', { name: 'What is different here' }).press('Enter');
  await panel(page).waitFor();
});

ui('numbers are two distributions over each other', {}, async ({ page, url, mock }) => {
  mock.histograms = true;
  await page.goto(`${url}/ui/query?c=COUNT&t=2h&d=http.route+=+"/api/search"`);
  const card = cards(page).filter({ has: page.locator('.pair-histogram') }).first();
  await card.getByRole('img', { name: /^Selected rows around .+, the rest around .+/ }).waitFor();
  const paths = await card.locator('svg path').evaluateAll((all) => all.map((p) => [p.getAttribute('class'), p.getAttribute('d')]));
  assert.deepEqual(paths.map(([c]) => c), ['rest', 'selected']);
  assert.ok(paths.every(([, d]) => (d.match(/H/g) ?? []).length === 10));
  assert.equal(await card.locator('.pair-bars').count(), 0);
});

ui('a time is compared with an earlier one', {}, async ({ page, url, mock }) => {
  await page.goto(`${url}/ui/query?c=COUNT&t=1h&d_was=3600`);
  await panel(page).getByRole('heading', { name: 'What is different from 1 hour before' }).waitFor();
  await until('asked', () => mock.lastFacets?.baseline);
  const q = mock.lastFacets;
  const near = (a, b) => assert.ok(Math.abs(a - b) < 5, `${a} is not ${b}`);
  near(q.selection.end_time - q.selection.start_time, 3600);
  near(q.selection.start_time - q.baseline.start_time, 3600);
  near(q.start_time, q.baseline.start_time);
  near(q.end_time, q.selection.end_time);
  assert.equal(q.time_range, undefined);
  await page.getByRole('button', { name: 'Close the comparison' }).click();
  await until('closed', () => !params(page).has('d_was'));
});

ui('a tab chooses what to compare: a filter that is typed, or what is worth comparing', {}, async ({ page, url, mock }) => {
  await page.goto(`${url}/ui/query?t=2h`);
  await page.getByRole('region', { name: 'Questions to begin with' }).getByRole('link').first().waitFor();
  await page.getByRole('tab', { name: 'What is different' }).click();
  await page.getByText('Choose rows above').waitFor();
  await page.getByRole('button', { name: 'Failed' }).click();
  await cards(page).first().waitFor();
  assert.deepEqual(mock.lastFacets.selection.filters, [{ column: 'error', op: '=', value: true }]);
  assert.equal(await page.getByRole('button', { name: 'Failed' }).getAttribute('aria-pressed'), 'true');
  await page.getByRole('button', { name: 'The slowest 5%' }).click();
  await until('asked for the slowest', () => mock.lastFacets.selection.filters?.[0]?.column === 'duration_ms');
  const [slow] = mock.lastFacets.selection.filters;
  assert.ok(slow.op === '>=' && slow.value > 0);
  // The chip is the selection: taken away, a typed one takes its place.
  const clause = page.getByRole('combobox', { name: 'Rows where', exact: true });
  await clause.focus();
  await page.keyboard.press('Backspace');
  await clause.fill('http.route = "/api/search"');
  await page.keyboard.press('Enter');
  await until('typed', () => params(page).getAll('d').join() === 'http.route = "/api/search"');
  await until('asked', () => mock.lastFacets.selection.filters?.[0]?.column === 'http.route');
  assert.equal(mock.lastFacets.selection.filters.length, 1);
  // The address alone says it.
  await page.reload();
  await cards(page).first().waitFor();
  assert.equal(await page.getByRole('tab', { name: 'What is different' }).getAttribute('aria-selected'), 'true');
});

ui('a time of a graph is compared with the rest of the range', {}, async ({ page, url, mock }) => {
  await page.goto(`${url}/ui/query?c=COUNT&t=2h`);
  const over = page.locator('.chart .u-over').first();
  await over.waitFor();
  const box = await over.boundingBox();
  await page.keyboard.down('Shift');
  await page.mouse.move(box.x + box.width * 0.5, box.y + 60);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.75, box.y + 60, { steps: 4 });
  await page.mouse.up();
  await page.keyboard.up('Shift');
  await panel(page).getByRole('heading', { name: /^What is different from .+ to / }).waitFor();
  await until('asked', () => mock.lastFacets?.selection.start_time);
  const { selection, baseline, time_range } = mock.lastFacets;
  const length = selection.end_time - selection.start_time;
  assert.ok(Math.abs(length - 1800) < 60, `${length} s`);
  assert.equal(baseline, undefined);
  assert.equal(time_range, 7200, 'the rest is the rest of the question');
  assert.equal(params(page).get('t'), '2h', 'not zoomed');
});

ui('nothing selected, no rest, and a refusal are told apart', { quiet: false }, async ({ page, url, mock }) => {
  await page.goto(`${url}/ui/query?c=COUNT&t=2h&d=service.name+=+"nobody"`);
  await panel(page).getByRole('heading', { name: 'No rows are selected' }).waitFor();
  await page.goto(`${url}/ui/query?c=COUNT&t=2h&d=name+exists&w=name+exists`);
  await panel(page).getByRole('heading', { name: 'There is no rest to compare with' }).waitFor();
  mock.refuseFacets = 'the comparison needs more memory than a question may take';
  await page.goto(`${url}/ui/query?c=COUNT&t=2h&d=http.route+exists`);
  const box = panel(page).getByRole('alert');
  await box.getByText('needs more memory').waitFor();
  mock.refuseFacets = null;
  await box.getByRole('button', { name: 'Try again' }).click();
  await cards(page).first().waitFor();
});

ui('the comparison reads well in the light', { theme: 'light', size: { width: 760, height: 900 } }, async ({ page, url }) => {
  await page.goto(`${url}/ui/query?c=COUNT&by=service.name&t=2h&d=error+=+true`);
  await cards(page).first().waitFor();
  const wide = await page.evaluate(() => document.scrollingElement.scrollWidth - innerWidth);
  assert.ok(wide <= 0, `the page is ${wide} px too wide`);
  if (process.env.SKEP_UI_SHOTS) await page.screenshot({ path: `${process.env.SKEP_UI_SHOTS}/different-light.png`, fullPage: true });
});
