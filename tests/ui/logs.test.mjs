// SPDX-License-Identifier: Apache-2.0
//
// The log explorer against the built server: a million lines end to end, search, fields, the lines
// around one, patterns, follow, line to trace and back, links. Each line says its own number.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Skep, until } from '../e2e/support.mjs';
import { nameless, paleText, structure } from './a11y.mjs';
import { launch, missing, openPage, options, SETUP } from './browser.mjs';
import { lineOf, sendLines } from './lines.mjs';

const LONG = { timeout: 150e3 }; // what looks at every line, on a machine that others use, too

const N = 1e6;
const MOST_NODES = 2000;
const toMs = Math.floor(Date.now() / 1000) * 1000 - 60e3;
const fromMs = toMs - 3600e3;
const RANGE = `from=${fromMs / 1e3}&to=${toMs / 1e3}`;
let skep, browser, page;
const bad = [];

before(async () => {
  if (missing) return;
  skep = await Skep.start();
  await sendLines(skep.url, N, { fromMs, toMs });
  browser = await launch();
  page = await openPage(browser, bad, { url: skep.url, expected: /status of 422/, permissions: ['clipboard-read', 'clipboard-write'] });
}, SETUP);

after(async () => {
  await browser?.close();
  await skep?.done();
}, SETUP);

const params = () => new URL(page.url()).searchParams;
const count = new Intl.NumberFormat('en').format;
// All nodes of the document, texts included.
const nodes = () => page.evaluate(() => { let n = 0; const w = document.createTreeWalker(document, NodeFilter.SHOW_ALL); while (w.nextNode()) n++; return n; });
// The numbers of the lines in sight, from the top.
const numbers = () => page.evaluate(() => {
  const frame = document.getElementById('lines').getBoundingClientRect();
  return [...document.querySelectorAll('.line-row[data-id]')].filter((el) => { const r = el.getBoundingClientRect(); return r.bottom > frame.top + 1 && r.top < frame.bottom - 1; })
    .sort((a, b) => a.dataset.i - b.dataset.i).map((el) => Number(/#(\d+)/.exec(el.querySelector('.line-body').firstChild.textContent + el.querySelector('.line-body').textContent)[1]));
});
const settled = (what, probe) => until(what, async () => (await page.locator('.line-wait').count()) === 0 && probe(await numbers()));
const open = async (query) => {
  await page.goto(`${skep.url}/ui/logs?${RANGE}${query ? `&${query}` : ''}`);
  await page.locator('.line').first().waitFor();
};
const line = (n) => page.locator('.line', { hasText: new RegExp(`#${n}(?!\\d)`) }).first();

test('a million lines, end to end', options, async (t) => {
  await open('');
  await page.getByText(`${count(N)} lines`).waitFor();
  await settled('the newest line', (n) => n[0] === N - 1);
  let most = await nodes();
  const look = async () => { most = Math.max(most, await nodes()); };

  // By key to the other end and back.
  await page.locator('#lines').focus();
  await page.keyboard.press('End');
  await settled('the first line ever', (n) => n.at(-1) === 0);
  await look();
  assert.equal(await page.locator('.line-row').last().getAttribute('aria-rowindex'), String(N));
  const frame = await page.locator('#lines').boundingBox();
  const last = await page.locator('.line-row').last().boundingBox();
  assert.ok(Math.abs(last.y + last.height - frame.y - frame.height) < 2, 'it stands at the bottom edge');
  await page.keyboard.press('Home');
  await settled('the newest again', (n) => n[0] === N - 1);

  // By the bar, at a hundred places: what is shown belongs to the place, and without a hole.
  const bar = await page.locator('.line-bar').boundingBox();
  await page.mouse.move(bar.x + 6, bar.y + 5);
  await page.mouse.down();
  for (let k = 1; k <= 100; k++) {
    await page.mouse.move(bar.x + 6, bar.y + (bar.height * k) / 101);
    if (k % 10) continue;
    await settled(`place ${k}`, (n) => n.length > 10 && n.every((x, i) => x === n[0] - i));
    const now = Number(await page.locator('.line-bar').getAttribute('aria-valuenow'));
    assert.equal((await numbers())[0], N - 1 - now, 'the bar says which line is on top');
    await look();
  }
  await page.mouse.move(bar.x + 6, bar.y + bar.height + 50);
  await page.mouse.up();
  await settled('the end', (n) => n.at(-1) === 0);

  // By the wheel, up from the end: every line once.
  await page.mouse.move(bar.x - 300, bar.y + 100);
  const seen = new Set(await numbers());
  for (let k = 0; k < 120; k++) {
    await page.mouse.wheel(0, -400);
    const want = Math.max(...seen);
    await settled('the lines above', (n) => n[0] > want);
    for (const n of await numbers()) seen.add(n);
    if (k % 20 === 0) await look();
  }
  assert.deepEqual([...seen].sort((a, b) => a - b), Array.from({ length: seen.size }, (_, i) => i), 'no line is left out');
  assert.ok(seen.size > 2000, `${seen.size} lines seen`);
  await look();
  t.diagnostic(`at most ${most} nodes in the document`);
  assert.ok(most < MOST_NODES, `${most} nodes`);
});

test('oldest first, pages by key, a line opens and closes in its place', options, async () => {
  await open('asc=1');
  await settled('line 0 on top', (n) => n[0] === 0);
  await page.locator('#lines').focus();
  await page.keyboard.press('PageDown');
  await settled('a page on', (n) => n[0] > 10 && n[0] < 30);
  const [top] = await numbers();
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  await page.locator('.line-detail .field').first().waitFor();
  assert.match(await page.locator('.line-detail').innerText(), /user\.name/);
  assert.match(params().get('row'), /^\d+-\d+$/);
  await page.keyboard.press('Escape');
  await until('shut', async () => (await page.locator('.line-detail').count()) === 0);
  assert.equal(params().get('row'), null);
  await page.keyboard.press('End');
  await settled('the newest', (n) => n.at(-1) === N - 1);
  assert.ok(top > 0);
});

test('a text is found, what it matches stands out, the chart follows', options, async () => {
  await open('');
  await page.getByLabel('Text').fill('#777777');
  await page.keyboard.press('Enter');
  await page.getByText(/^1 line$/).waitFor();
  await until('marked', async () => (await page.locator('mark.term').allInnerTexts()).join() === '#777777');
  await page.getByLabel('Text').fill('upstream 10.0.0.7 timed');
  await page.keyboard.press('Enter');
  const want = Array.from({ length: N / 50 }, (_, i) => lineOf(i * 50 + 7)).filter((l) => l.text.includes('upstream 10.0.0.7 timed')).length;
  await page.getByText(`${count(want)} lines`).waitFor();
});

test('fields: counts, a click keeps, a click leaves out', options, async () => {
  await open('');
  const values = page.getByRole('list', { name: 'Values of severity' });
  await values.getByRole('button', { name: /^error/ }).click();
  await page.getByText(`${count(N / 50)} lines`).waitFor();
  assert.deepEqual(params().getAll('w'), ['severity = "error"']);
  await page.locator('.facet-head', { hasText: 'user.name' }).click();
  await page.getByRole('list', { name: 'Values of user.name' }).getByRole('button', { name: 'Exclude heidi' }).click();
  const want = Array.from({ length: N / 50 }, (_, i) => lineOf(i * 50 + 7)).filter((l) => l.attributes['user.name'] !== 'heidi').length;
  await page.getByText(`${count(want)} lines`).waitFor();
  await settled('none of heidi', (n) => n.length > 5 && n.every((i) => lineOf(i).severity === 17 && lineOf(i).attributes['user.name'] !== 'heidi'));
});

test('what is different about a value', options, async () => {
  await open('f=severity');
  await page.getByRole('list', { name: 'Values of severity' }).getByRole('button', { name: /^error/ }).click({ button: 'right' });
  await page.getByRole('menuitem', { name: /What is different/ }).click();
  const panel = page.getByRole('region', { name: 'What is different' });
  await panel.getByText(`${count(N / 50)} selected rows`).waitFor();
  await panel.getByText('http.status_code', { exact: true }).waitFor();
});

test('the lines around one: of its stream alone, in place', options, async () => {
  await open(`q=${encodeURIComponent('#500001')}`);
  await page.getByText(/^1 line$/).waitFor();
  await line(500001).locator('.line-head').click();
  await page.getByRole('button', { name: 'Lines around it' }).click();
  const near = page.locator('.around-line');
  await until('five on each side', async () => (await near.count()) === 11);
  const shown = async () => (await near.allInnerTexts()).map((x) => Number(/#(\d+)/.exec(x)[1]));
  const stream = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => 500001 + 3 * (from + i));
  assert.deepEqual(await shown(), stream(-5, 5));
  await page.getByRole('button', { name: '10 more before' }).click();
  await until('ten more', async () => (await near.count()) === 21);
  assert.deepEqual(await shown(), stream(-15, 5));
  assert.match(await page.locator('.around-line.here').innerText(), /#500001/);
});

test('a link to a line leads to it among all the others', options, async () => {
  const { rows } = await skep.json('POST', '/skep/v1/rows', { start_time: fromMs / 1e3, end_time: toMs / 1e3, limit: 1, filters: [{ column: 'n', op: '=', value: 333333 }] });
  await open(`row=${rows[0].id}`);
  await line(333333).locator('.line-detail').waitFor();
  assert.equal(await line(333333).locator('..').getAttribute('aria-rowindex'), String(N - 333333));
  await page.getByRole('button', { name: 'Copy link' }).last().click();
  assert.match(await page.evaluate(() => navigator.clipboard.readText()), new RegExp(`row=${rows[0].id}`));
});

test('patterns: a million lines on one screen, and from one to its lines', options, async () => {
  await open('');
  await page.getByRole('tab', { name: 'Patterns' }).click();
  const rows = page.locator('.pattern-table tbody tr');
  await rows.first().waitFor(LONG);
  const all = await rows.allInnerTexts();
  assert.ok(all.length < 40, `${all.length} patterns`);
  const counts = await page.locator('.pattern-table tbody tr td:first-child').allInnerTexts();
  assert.equal(counts.reduce((sum, c) => sum + Number(c.replaceAll(',', '')), 0), N);
  const users = Array.from({ length: 30 }, (_, i) => lineOf(i).text).filter((x) => x.startsWith('user ')).length;
  assert.ok(users > 0);
  await page.locator('.pattern', { hasText: /^user .* logged in from/ }).click();
  await page.getByRole('menuitem', { name: 'Lines like this' }).click();
  await settled('lines like it', (n) => n.length > 10 && n.every((i) => lineOf(i).text.startsWith('user ')));
  assert.equal(params().get('tab'), null);
});

test('patterns beside those of the time before: what is new, gone, more and less', options, async () => {
  const begin = fromMs - 2 * 86400e3, mid = begin + 1800e3, end = begin + 3600e3; // away from the million
  await sendLines(skep.url, 400, { fromMs: begin, toMs: mid, service: 'compared' });
  await sendLines(skep.url, 100, { fromMs: mid, toMs: end, service: 'compared', first: 1000 }); // a quarter of each
  await sendLines(skep.url, 3, { fromMs: mid - 1000, toMs: mid, service: 'compared gone', first: 0 });
  await sendLines(skep.url, 1, { fromMs: mid, toMs: end, service: 'compared gone', first: 7 });
  await page.goto(`${skep.url}/ui/logs?from=${mid / 1e3}&to=${end / 1e3}&tab=patterns&ds=compared`);
  await page.locator('.pattern-table tbody tr').first().waitFor(LONG);
  assert.equal(await page.getByRole('columnheader', { name: 'Change' }).count(), 0);
  await page.getByRole('combobox', { name: 'Compare with' }).selectOption({ label: 'the time before' });
  await page.getByRole('columnheader', { name: 'Change' }).waitFor();
  assert.equal(params().get('cmp'), 'before');
  const row = page.locator('.pattern-table tbody tr', { hasText: 'cache miss' });
  assert.match(await row.innerText(), /^5\s+20\s+\u221275%/);
  await page.getByText('100 lines (400 the time before)').waitFor();
  await page.goto(`${skep.url}/ui/logs?from=${mid / 1e3}&to=${end / 1e3}&tab=patterns&cmp=before&ds=${encodeURIComponent('compared gone')}`);
  await page.locator('.change-new').waitFor();
  assert.match(await page.locator('.pattern-table tbody tr', { hasText: 'payment of' }).innerText(), /^1\s+0\s+new/);
  assert.equal(await page.locator('.change-gone').count(), await page.locator('.pattern-table tbody tr').count() - 1);
});

test('follow: lines come, pause holds them, filters narrow, terms stand out', options, async () => {
  await page.goto(`${skep.url}/ui/logs?t=15m&ds=live&tail=1&w=${encodeURIComponent('severity = "error"')}&hl=payment`);
  await page.getByRole('button', { name: 'Pause' }).waitFor();
  const send = (first, n) => sendLines(skep.url, n, { fromMs: Date.now() - 500, toMs: Date.now(), service: 'live', first });
  await send(0, 200);
  await until('the errors of the first 200', async () => (await numbers()).join() === '157,107,57,7');
  assert.equal(await page.locator('mark.term').count(), 4);
  await page.getByRole('heading', { name: 'Logs' }).click();
  await page.keyboard.press('p');
  await page.getByRole('button', { name: /^Resume/ }).waitFor();
  await send(200, 200);
  await page.getByRole('button', { name: 'Resume (4 new)' }).waitFor();
  assert.equal((await numbers())[0], 157, 'while it is paused nothing moves');
  await page.keyboard.press('p');
  await until('the held ones', async () => (await numbers()).join() === '357,307,257,207,157,107,57,7');
  await until('a rate', async () => /[\d.]+ lines\/s/.test(await page.locator('.tail-bar').innerText()));
  await page.getByRole('button', { name: 'Clear' }).click();
  await until('cleared', async () => (await numbers()).length === 0);
});

test('a line leads to its trace, the trace to its lines', options, async () => {
  await open(`q=${encodeURIComponent('#123450')}`);
  await page.getByText(/^1 line$/).waitFor();
  await line(123450).locator('.line-trace').click();
  await page.waitForURL(new RegExp(`/ui/trace/${lineOf(123450).trace}`));
  await page.locator('.w-row').first().waitFor();
  await page.getByRole('link', { name: 'Log lines' }).click();
  await settled('its lines', (n) => n.join() === '123450');
  assert.equal(params().get('w'), `trace.trace_id = "${lineOf(123450).trace}"`);
});

test('a filter pattern: counted, marked, completed, and its mistake at the character', options, async () => {
  await open('');
  await page.getByRole('button', { name: 'Pattern', exact: true }).click();
  const box = page.getByRole('combobox', { name: 'Filter pattern' });
  await box.fill('payment "10.0.0.7 timed" -bob');
  await page.keyboard.press('Enter');
  const want = Array.from({ length: N / 50 }, (_, i) => lineOf(i * 50 + 7)).filter((l) => l.text.includes('payment') && l.text.includes('10.0.0.7 timed') && !l.text.includes('bob'));
  await page.getByText(`${count(want.length)} lines`).waitFor();
  assert.equal(params().get('fp'), 'payment "10.0.0.7 timed" -bob');
  await until('both terms marked', async () => { const m = await page.locator('mark.term').allInnerTexts(); return m.includes('payment') && m.includes('10.0.0.7 timed'); });
  // Fields beside it narrow further.
  await page.getByRole('list', { name: 'Values of severity' }).getByRole('button', { name: 'Exclude error' }).click();
  await page.getByRole('heading', { name: 'No log lines' }).waitFor();
  await page.getByRole('button', { name: 'Without the filters' }).click();
  await page.getByText(`${count(N)} lines`).waitFor();
  // What is wrong with a pattern is said where it is wrong.
  await box.fill('{ $.level = && }');
  await page.keyboard.press('Control+Enter');
  await page.locator('.code-input .clause-problem').waitFor();
  assert.match(await page.locator('.code-input .clause-problem').innerText(), /^At character 13: /);
  assert.equal(await box.getAttribute('aria-invalid'), 'true');
  // Names of fields are offered behind "$.".
  await box.fill('');
  await box.pressSequentially('{ $.user');
  await page.getByRole('option', { name: /^user\.name/ }).waitFor();
  await page.keyboard.press('Tab');
  assert.equal(await box.inputValue(), '{ $.user.name ');
});

test('Logs Insights: completed, asked, a table with a chart, mistakes at the character, a row among the lines', options, async () => {
  await open('ds=shop');
  await page.getByRole('button', { name: 'Insights', exact: true }).click();
  const box = page.getByRole('combobox', { name: 'Logs Insights query' });
  await box.click();
  await page.getByRole('option', { name: /errors over time/ }).waitFor();
  await box.pressSequentially('filter severity = "error" | sta');
  await page.getByRole('option', { name: /^stats/ }).waitFor();
  await page.keyboard.press('Tab');
  await box.pressSequentially('count(*) as n by bin(5m)');
  await box.press('Control+Enter');
  await until('asked', () => params().get('iq') === 'filter severity = "error" | stats count(*) as n by bin(5m)');
  await page.locator('.insights-table tbody tr').first().waitFor(LONG);
  const cells = await page.locator('.insights-table tbody td:nth-child(2)').allInnerTexts();
  assert.equal(cells.reduce((sum, c) => sum + Number(c), 0), N / 50, 'every error counted once');
  await page.getByRole('application', { name: new RegExp(`^Result: ${count(N / 50)} in `) }).waitFor();
  await page.getByRole('button', { name: 'Lines', exact: true }).click();
  await page.getByRole('application', { name: /^Result: 1 series/ }).waitFor();
  assert.equal(params().get('ch'), 'line');

  await box.fill('stats count(*) as n by user.name | sort n desc | limit 3');
  await box.press('Control+Enter');
  await page.locator('.value-bars li').nth(2).waitFor(LONG);
  assert.equal((await page.locator('.insights-table tbody tr').first().innerText()).split(/\s+/)[1], String(N / 8));

  await box.fill('fields @message | filtr x');
  await page.locator('.code-input .clause-problem').waitFor();
  assert.match(await page.locator('.code-input .clause-problem').innerText(), /^At character 19: .*filtr/);
  assert.equal(await page.locator('.behind mark').innerText(), 'filtr');

  await box.fill('fields @timestamp, @message | filter @message like /#654321$/');
  await box.press('Control+Enter');
  await page.getByRole('link', { name: 'Row 1 among the lines' }).click(LONG);
  await line(654321).locator('.line-detail').waitFor();
  assert.equal(await line(654321).locator('..').getAttribute('aria-rowindex'), String(N - 654321));
});

test('searches are saved by name, found again, replaced and forgotten; clients of CloudWatch see them', options, async () => {
  const saved = page.getByRole('dialog', { name: 'Saved searches' });
  const box = () => page.getByRole('button', { name: 'Saved', exact: true }).click();
  await open(`lang=pattern&fp=${encodeURIComponent('payment -bob')}&ds=shop&w=${encodeURIComponent('n < 5000')}`);
  const want = Array.from({ length: 100 }, (_, i) => lineOf(i * 50 + 7)).filter((l) => !l.text.includes('bob')).length;
  await page.getByText(`${count(want)} lines`).waitFor();
  await box();
  await saved.getByText('Nothing is saved yet.').waitFor();
  await page.keyboard.type('failed payments');
  await page.keyboard.press('Enter');
  await saved.getByRole('button', { name: /^failed payments/ }).waitFor();
  const { queryDefinitions } = await skep.json('POST', '/skep/v1/logs/DescribeQueryDefinitions', {});
  assert.equal(queryDefinitions[0].name, 'failed payments');
  assert.deepEqual(queryDefinitions[0].logGroupNames, ['shop']);
  assert.equal((await skep.json('POST', '/skep/v1/logs/check', { language: 'insights', text: queryDefinitions[0].queryString })).ok, true, 'it is a query of its own');
  // Another of the same name takes its place.
  await page.keyboard.type('failed payments');
  await saved.getByRole('button', { name: 'Replace' }).click();
  await until('one definition', async () => (await skep.json('POST', '/skep/v1/logs/DescribeQueryDefinitions', {})).queryDefinitions.length === 1);

  await skep.json('POST', '/skep/v1/logs/PutQueryDefinition', { name: 'by a client', queryString: 'stats count(*) as n by severity', logGroupNames: ['shop'] });
  await open('');
  await box();
  await saved.getByRole('button', { name: /^failed payments/ }).click();
  await page.getByText(`${count(want)} lines`).waitFor();
  assert.deepEqual([params().get('fp'), params().get('w'), params().get('ds'), params().get('from')], ['payment -bob', 'n < 5000', 'shop', String(fromMs / 1e3)]);
  await box();
  await saved.getByRole('button', { name: /^by a client/ }).click();
  await page.locator('.insights-table tbody tr').nth(3).waitFor(LONG);
  await box();
  await saved.getByRole('button', { name: 'Forget failed payments' }).click();
  await until('forgotten', async () => (await saved.getByRole('button', { name: /^failed payments/ }).count()) === 0);
  await page.keyboard.press('Escape');
});

test('groups: lines, errors, how long they are kept; streams lead to their lines', options, async () => {
  await open('');
  await page.getByRole('tab', { name: 'Groups' }).click();
  const row = page.locator('.group-table tbody tr', { hasText: 'shop' }).first();
  await until('its lines', async () => (await row.innerText()).includes(count(N)));
  assert.match(await row.innerText(), new RegExp(count(N / 50)));
  await page.getByLabel('How long shop is kept').selectOption('3653');
  await page.getByText('Delete lines older than 3,653 days?').waitFor();
  await page.getByRole('group', { name: /^Lines of shop older than/ }).getByRole('button', { name: 'Delete' }).click();
  await until('kept for ten years', async () => (await page.getByLabel('How long shop is kept').inputValue()) === '3653');
  const { logGroups } = await skep.json('POST', '/skep/v1/logs/DescribeLogGroups', { logGroupNamePrefix: 'shop' });
  assert.equal(logGroups[0].retentionInDays, 3653);
  await page.getByRole('button', { name: 'Streams of shop' }).click();
  await page.locator('.stream-table button').first().waitFor();
  const stream = await page.locator('.stream-table button').first().innerText();
  await page.locator('.stream-table button').first().click();
  await settled('lines of one stream', (n) => n.length > 10 && n.every((i) => stream === 'default' || lineOf(i).stream === stream));
  assert.equal(params().get('ds'), 'shop');
});

test('export: the lines as they are listed', options, async () => {
  await open(`q=${encodeURIComponent('payment of heidi')}&w=${encodeURIComponent('n < 20000')}`);
  await page.getByRole('button', { name: 'Export' }).click();
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('menuitem', { name: /^JSON lines/ }).click()]);
  const { readFile } = await import('node:fs/promises');
  const got = (await readFile(await download.path(), 'utf8')).trim().split('\n').map((l) => JSON.parse(l));
  const want = Array.from({ length: 400 }, (_, i) => i * 50 + 7).filter((i) => lineOf(i).text.includes('payment of heidi')).reverse();
  assert.deepEqual(got.map((r) => r.n), want);
  await page.getByRole('button', { name: 'Export' }).click();
  const [csv] = await Promise.all([page.waitForEvent('download'), page.getByRole('menuitem', { name: /^CSV/ }).click()]);
  const text = await readFile(await csv.path(), 'utf8');
  assert.match(text.split('\r\n')[0], /^time,severity,dataset,stream,service,trace_id,message,.*user\.name/);
  assert.equal(text.trim().split('\r\n').length, want.length + 1);
});

test('drag in the chart zooms; a filter that cannot be answered is said and marked', options, async () => {
  await open('');
  const box = await page.locator('.volume').boundingBox();
  await page.mouse.move(box.x + box.width * 0.5, box.y + 40);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.6, box.y + 40, { steps: 5 });
  await page.mouse.up();
  await until('zoomed', () => Number(params().get('to')) - Number(params().get('from')) < 600);
  await settled('lines of then', (n) => n.length > 10 && n[0] < N - 1);
  await page.goto(`${skep.url}/ui/logs?${RANGE}&w=${encodeURIComponent('n > 5')}&w=${encodeURIComponent('n > true')}`);
  await page.locator('.error-box').waitFor();
  assert.equal(await page.locator('.chip.bad').count(), 1);
});

test('every view of the explorer, dark and light: names, structure, contrast, few nodes', options, async () => {
  const views = [
    ['', '.line'], ['hl=GET&hl=user&hl=login&hl=from&hl=cart&wrap=1', 'mark.term'], ['tab=patterns&q=payment', '.pattern'], ['tab=groups', '.group-table td'],
    ['lang=pattern&fp=payment', '.line'], [`lang=insights&iq=${encodeURIComponent('stats count(*) by bin(5m), severity')}`, '.insights-table td'],
    [`lang=insights&iq=${encodeURIComponent('filter severity = "error" | limit 20')}`, '.insights-table td'], ['w=n+=+-1', '.empty'],
  ];
  try {
    for (const scheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
      for (const [query, ready] of views) {
        await page.goto(`${skep.url}/ui/logs?${RANGE}&${query}`);
        await page.locator(ready).first().waitFor(LONG);
        const wrong = [...await page.evaluate(nameless), ...await page.evaluate(structure), ...await page.evaluate(paleText)];
        assert.deepEqual(wrong, [], `${query}, ${scheme}`);
        assert.ok((await nodes()) < MOST_NODES, query);
      }
      await open('');
      await page.locator('.line-head').nth(4).click();
      await page.locator('.line-detail .field').first().waitFor();
      await page.getByRole('button', { name: 'Lines around it' }).click();
      await page.locator('.around-line').nth(5).waitFor();
      assert.deepEqual([...await page.evaluate(nameless), ...await page.evaluate(structure), ...await page.evaluate(paleText)], [], `an open line, ${scheme}`);
    }
  } finally {
    await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' });
  }
});

test('no error was logged and nothing was asked of another host', options, () => {
  assert.deepEqual(bad, []);
});
