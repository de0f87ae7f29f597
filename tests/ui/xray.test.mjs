// SPDX-License-Identifier: Apache-2.0
// X-Ray's traces in the page: the filter expression, response times, the panel of a segment, ids.

import assert from 'node:assert/strict';
import { params, ui, until } from './support.mjs';
import { XRAY } from './mock-server.mjs';
import { XRAY_DOCUMENT } from './mock-data.mjs';

const XID = '1-5759e988-bd862e3fe1be46a994272793';
const box = (page) => page.getByRole('combobox', { name: 'X-Ray filter' });
const lines = (page) => page.locator('.trace-table tbody tr');

async function openFilter(page, url, query = '') {
  await page.goto(`${url}/ui/traces?live=0${query}`);
  await lines(page).first().waitFor();
  if (!(await box(page).count())) await page.getByRole('group', { name: 'Narrow by' }).getByRole('button', { name: 'X-Ray filter' }).click();
  await box(page).waitFor();
}

ui('a filter expression is completed by keyboard: functions, services, operators', {}, async ({ page, url, mock }) => {
  await openFilter(page, url);
  await box(page).focus();
  await page.locator('.option', { hasText: 'service("name")' }).waitFor();
  await page.keyboard.type('serv');
  await until('the function first', async () => /^service/.test(await page.locator('.option[aria-selected=true]').innerText()));
  await page.keyboard.press('Tab');
  await page.locator('.option', { hasText: 'timeline' }).waitFor();
  await page.keyboard.type('cru');
  await until('the service', async () => /^cruddur-api/.test(await page.locator('.option[aria-selected=true]').innerText().catch(() => '')));
  await page.keyboard.press('Enter');
  assert.equal(await box(page).inputValue(), 'service("cruddur-api")');
  await page.keyboard.type(' { fault }');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Enter');
  await until('the address', () => params(page).get('xf') === 'service("cruddur-api") { fault }');
  await until('the question', () => mock.lastTraces.filter_expression === 'service("cruddur-api") { fault }');
  await until('failed ones alone', async () => (await page.locator('.trace-table tbody tr td:nth-child(6)').allInnerTexts()).every((t) => Number(t) > 0));
  await page.reload();
  await box(page).waitFor();
  assert.equal(await box(page).inputValue(), 'service("cruddur-api") { fault }');
});

ui('annotations and groups are completed; an example is one click', {}, async ({ page, url }) => {
  await openFilter(page, url);
  await page.getByRole('group', { name: 'Examples' }).getByRole('button', { name: 'fault', exact: true }).click();
  await until('the address', () => params(page).get('xf') === 'fault');
  await box(page).fill('annotation.app');
  await page.locator('.option', { hasText: 'annotation.app.items' }).click();
  assert.equal(await box(page).inputValue(), 'annotation.app.items ');
  await page.locator('.option', { hasText: 'BEGINSWITH' }).waitFor();
  await box(page).fill('group.name = ');
  await page.locator('.option', { hasText: 'checkout' }).click();
  assert.equal(await box(page).inputValue(), 'group.name = "checkout" ');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Enter');
  await until('the address', () => params(page).get('xf') === 'group.name = "checkout"');
});

ui('what cannot be read is shown at its place, and the list is not an old answer', { quiet: false }, async ({ page, url }) => {
  await openFilter(page, url);
  await box(page).fill('service("ü") { nonsense }');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Enter');
  const mistake = page.locator('.xray-mistake');
  await mistake.waitFor();
  assert.equal(await mistake.locator('mark').innerText(), 'nonsense');
  assert.match(await mistake.innerText(), /At character 16: expected a keyword or a function/);
  assert.equal(await box(page).getAttribute('aria-invalid'), 'true');
  assert.equal(await lines(page).count(), 0);
  await box(page).fill('fault AND');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Enter');
  await until('the other place', async () => /At the end: expected/.test(await mistake.innerText()));
  await box(page).fill('');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Enter');
  await lines(page).first().waitFor();
  assert.equal(params(page).get('xf'), null);
});

ui('a range of response times narrows the list: by mouse, by keyboard, and back', {}, async ({ page, url, mock }) => {
  await page.goto(`${url}/ui/traces?live=0`);
  const bars = page.getByRole('slider', { name: 'Range of response times' });
  await bars.locator('rect.in').first().waitFor();
  const all = await bars.locator('rect.in').count();
  const b = await bars.boundingBox();
  await page.mouse.move(b.x + b.width * 0.5, b.y + 30);
  await page.mouse.down();
  await page.mouse.move(b.x + b.width * 0.75, b.y + 40, { steps: 4 });
  await page.mouse.up();
  const range = await until('the range', () => /^([\d.]+)\.\.([\d.]+)$/.exec(params(page).get('rt') ?? ''));
  await until('the question', () => mock.lastTraces.duration_ms?.min === Number(range[1]) && mock.lastTraces.duration_ms.max === Number(range[2]));
  await until('some bars are out', async () => (await bars.locator('rect.out').count()) > 0 && (await bars.locator('rect.in').count()) < all);
  await page.getByRole('button', { name: 'All durations' }).click();
  await until('no range', () => params(page).get('rt') === null);
  await bars.focus();
  await page.keyboard.press('End');
  for (let i = 0; i < 3; i++) await page.keyboard.press('Shift+ArrowLeft');
  assert.match(await bars.getAttribute('aria-valuetext'), /: [\d,]+ traces, [\d.<]+%$/);
  await page.keyboard.press('Enter');
  await until('the slowest', () => mock.lastTraces.duration_ms?.min > 10);
  await page.keyboard.press('Escape');
  await until('no range', () => params(page).get('rt') === null);
});

ui('an id in X-Ray\'s form opens its trace wherever it is typed', {}, async ({ page, url }) => {
  await page.goto(`${url}/ui/traces?live=0`);
  await lines(page).first().waitFor();
  await page.getByRole('textbox', { name: 'Open a trace by its id' }).fill('1-2-3');
  await page.keyboard.press('Enter');
  await page.getByRole('alert').filter({ hasText: 'no trace id' }).waitFor();
  await page.getByRole('textbox', { name: 'Open a trace by its id' }).fill(XID);
  await page.waitForURL(new RegExp(`/ui/trace/${XRAY}`));
  await page.locator('.w-row').first().waitFor();
  assert.match(await page.locator('.trace-head').innerText(), new RegExp(`${XRAY}[^]*${XID}`));
  await page.goBack();
  await page.getByRole('combobox', { name: 'Spans where' }).fill(XID);
  await page.keyboard.press('Enter');
  await page.waitForURL(new RegExp(`/ui/trace/${XRAY}`));
  await page.goto(`${url}/ui/trace/${XID}`);
  await page.locator('.w-row').first().waitFor();
});

ui('a segment\'s panel has annotations, metadata, flags, groups, and its document', {}, async ({ page, url }) => {
  await page.goto(`${url}/ui/trace/${XRAY}`);
  const said = page.locator('.xray-said');
  await said.waitFor();
  assert.equal(await said.locator('.flag').innerText(), 'fault');
  const notes = said.locator('details', { hasText: 'Annotations' }).first();
  assert.match(await notes.innerText(), /user\s+andrew\s+cart\.total\s+12\.5/);
  const json = page.getByRole('group', { name: 'Metadata default' });
  assert.match(await json.innerText(), /now: "2026-11-29"[^]*items: \[250\]/);
  await json.locator('summary', { hasText: 'items' }).click();
  await json.getByRole('button', { name: '150 more' }).waitFor();
  await page.getByRole('tab', { name: 'Raw document' }).click();
  const raw = page.locator('.xray-document pre');
  await raw.waitFor();
  const text = await raw.innerText();
  assert.ok(text.includes('1.478293361271E9'), 'digits stay');
  assert.deepEqual(JSON.parse(text), JSON.parse(XRAY_DOCUMENT));
  assert.match(text, /^\{\n {2}"name": "backend-flask",\n/);
  assert.equal(params(page).get('tab'), 'raw');
  await page.keyboard.press('ArrowLeft');
  await said.waitFor();
  await page.locator('.w-row', { hasText: 'users@db' }).click();
  await page.locator('.xray-exception').waitFor();
  assert.match(await page.locator('.xray-exception').innerText(), /OperationalError\s+server closed the connection\s+File "db\.py", line 12/);
  assert.match(await said.innerText(), /SQL[^]*db\.statement\s+SELECT \* FROM users/);
  await page.locator('.w-row', { hasText: 'send mail' }).click();
  await until('the mark of an open one', async () => (await said.locator('.flag').allInnerTexts()).join() === 'in progress');
});

ui('other rows have no document and say nothing of it', { theme: 'light' }, async ({ page, url, mock }) => {
  await page.goto(`${url}/ui/trace/${mock.data.rows[0].fields['trace.trace_id']}`);
  await page.locator('.sidebar .field').first().waitFor();
  assert.equal(await page.getByRole('tab').count(), 0);
});

ui('how to send has the X-Ray SDKs, and the port says what came and what was dropped', {}, async ({ page, url, mock }) => {
  mock.drops = 7;
  await page.goto(`${url}/ui/settings`);
  await page.getByRole('button', { name: 'X-Ray, Python' }).click();
  const howto = page.locator('.howto');
  assert.match(await howto.innerText(), /AWS_XRAY_DAEMON_ADDRESS=127\.0\.0\.1:2000/);
  assert.match(await howto.innerText(), /XRayMiddleware/);
  await page.getByRole('button', { name: 'X-Ray, Node.js' }).click();
  assert.match(await howto.innerText(), /aws-xray-sdk express/);
  await page.getByRole('button', { name: 'aws xray' }).click();
  assert.match(await howto.innerText(), /--endpoint-url http:\/\/127\.0\.0\.1:\d+/);
  const port = page.locator('.listeners li', { hasText: '127.0.0.1:2000/udp' });
  assert.match(await port.innerText(), /1,234 datagrams, the last from 127\.0\.0\.1:40112/);
  assert.match(await port.innerText(), /7 dropped by the kernel/);
});
