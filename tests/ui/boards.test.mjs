// SPDX-License-Identifier: Apache-2.0
//
// Boards in the page, against the built server: from a question to a board in two clicks, panels moved and resized
// by keys and mouse and kept where Honeycomb's API reads them, forty panels, filters and views, texts, an SLO,
// panels that fail, markers, and what is saved as files.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { inflateSync } from 'node:zlib';
import { sendShop } from '../e2e/fixture.mjs';
import { Skep, until } from '../e2e/support.mjs';
import { nameless, paleText, structure } from './a11y.mjs';
import { launch, missing, openPage, options, SETUP, shooter } from './browser.mjs';

const q = encodeURIComponent;

let skep, browser, page, sent;
const bad = [];
const shot = shooter(() => page);

before(async () => {
  if (missing) return;
  skep = await Skep.start();
  sent = await sendShop(skep, 20);
  browser = await launch();
  page = await openPage(browser, bad, { url: skep.url, timezoneId: 'UTC' });
}, SETUP);

after(async () => {
  await browser?.close();
  await skep?.done();
}, SETUP);

// --- what tests make by the API ---

let made = 0;
async function question(spec, dataset = 'shop', name = `question ${++made}`) {
  const stored = await skep.json('POST', `/1/queries/${dataset}`, { time_range: 7200, ...spec });
  const annotation = await skep.json('POST', `/1/query_annotations/${dataset}`, { name, query_id: stored.id });
  return { type: 'query', query_panel: { query_id: stored.id, query_annotation_id: annotation.id } };
}
const at = (x, y, width, height) => ({ position: { x_coordinate: x, y_coordinate: y, width, height } });
const makeBoard = (name, panels, more = {}) => skep.json('POST', '/1/boards', { name, type: 'flexible', panels, ...more });
const kept = (id) => skep.json('GET', `/1/boards/${id}`);
const spots = (b) => b.panels.map((p) => [p.position.x_coordinate, p.position.y_coordinate, p.position.width, p.position.height]);
const keptAs = (id, want) => until(`places ${JSON.stringify(want)}`, async () => JSON.stringify(spots(await kept(id))) === JSON.stringify(want) || null);
const open = async (b, query = '') => {
  await page.goto(`${skep.url}/ui/boards/${b.id}${query}`);
  await page.getByRole('heading', { level: 1, name: b.name }).waitFor();
};
const panel = (name) => page.locator('.board-panel', { hasText: name });
const grip = (name) => page.getByRole('button', { name: `Move or resize ${name}` });
const menu = async (name, item) => {
  await page.getByRole('button', { name: `What to do with ${name}` }).click();
  await page.getByRole('menuitem', { name: item, exact: true }).click();
};

async function download(press) {
  const [got] = await Promise.all([page.waitForEvent('download'), press()]);
  return { name: got.suggestedFilename(), bytes: readFileSync(await got.path()) };
}

// Different colours of a PNG (8 bits, not interlaced), and its size.
function pngColours(bytes) {
  assert.equal(bytes.subarray(1, 4).toString(), 'PNG');
  const width = bytes.readUInt32BE(16);
  const height = bytes.readUInt32BE(20);
  const per = bytes[25] === 6 ? 4 : 3;
  const data = [];
  for (let i = 8; i < bytes.length;) {
    const n = bytes.readUInt32BE(i);
    if (bytes.subarray(i + 4, i + 8).toString() === 'IDAT') data.push(bytes.subarray(i + 8, i + 8 + n));
    i += n + 12;
  }
  const raw = inflateSync(Buffer.concat(data));
  const lines = new Set();
  for (let y = 0; y < height; y++) lines.add(raw.subarray(y * (width * per + 1) + 1, (y + 1) * (width * per + 1)).toString('base64'));
  return { width, height, lines: lines.size };
}

// --- the tests ---

test('nothing yet: what a board is; a question is on a new board after two clicks', options, async () => {
  await page.goto(`${skep.url}/ui/boards`);
  await page.getByText('No board yet').waitFor();
  await shot('boards-none');
  await page.goto(`${skep.url}/ui/query?c=${q('HEATMAP(duration_ms)')}&c=COUNT&by=http.response.status_code&w=${q('http.route exists')}&t=5m&ds=shop`);
  await page.locator('.table tbody tr').first().waitFor();
  await page.getByRole('button', { name: 'Add to board' }).click();
  await page.getByRole('menuitem', { name: 'A new board' }).click();
  const done = page.getByRole('status').getByText('Added to');
  await done.waitFor();
  await done.getByRole('link').click();
  await panel('by http.response.status_code').locator('.heat').waitFor();
  await panel('by http.response.status_code').locator('.uplot').waitFor();
  assert.equal(new URL(page.url()).searchParams.get('t'), null, 'the question keeps its own time');
  const [b] = await skep.json('GET', '/1/boards');
  assert.deepEqual(spots(b), [[0, 0, 6, 7]]);
  const stored = await skep.json('GET', `/1/queries/shop/${b.panels[0].query_panel.query_id}`);
  assert.deepEqual([stored.calculations, stored.breakdowns, stored.time_range], [[{ op: 'HEATMAP', column: 'duration_ms' }, { op: 'COUNT' }], ['http.response.status_code'], 300]);
  await menu('HEATMAP(duration_ms), COUNT by http.response.status_code where http.route exists', 'Rename');
  await page.getByLabel('Name of the panel').fill('How slow');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'How slow' }).waitFor();
  const [named] = await skep.json('GET', '/1/query_annotations/shop');
  assert.equal(named.name, 'How slow');
  await page.getByRole('link', { name: 'How slow' }).click();
  await page.locator('.builder').waitFor();
  assert.deepEqual(new URL(page.url()).searchParams.getAll('c'), ['HEATMAP(duration_ms)', 'COUNT']);
  await shot('board-of-two-clicks');
});

test('from a value of a trace to a panel: its groups, without the rows that lack the field', options, async () => {
  await page.goto(`${skep.url}/ui/traces?t=5m&live=0`);
  await page.locator('.trace-name').first().click();
  await page.locator('.w-row').first().click();
  await page.locator('.sidebar .field', { hasText: 'http.response.status_code' }).getByRole('button').click();
  await page.getByRole('menuitem', { name: 'Group by http.response.status_code' }).click();
  await page.locator('.table tbody tr').nth(1).waitFor();
  assert.equal(await page.locator('.table tbody tr').count(), 2, 'no group without a code');
  const params = new URL(page.url()).searchParams;
  assert.deepEqual([params.getAll('c'), params.getAll('by'), params.getAll('w')], [['COUNT', 'HEATMAP(duration_ms)'], ['http.response.status_code'], ['http.response.status_code exists']]);
  await page.getByRole('button', { name: 'Add to board' }).click();
  await page.getByRole('menuitem', { name: /^Board of/ }).click();
  await page.getByRole('status').getByText('Added to').waitFor();
  const [b] = await skep.json('GET', '/1/boards');
  assert.deepEqual(spots(b), [[0, 0, 6, 7], [6, 0, 6, 7]], 'beside the first');
});

test('panels are resized and moved by keys; the server has it in the members of the API; Escape puts back', options, async () => {
  const a = await question({ calculations: [{ op: 'COUNT' }], breakdowns: ['http.response.status_code'] }, 'shop', 'Counts');
  a.query_panel.query_style = 'combo';
  a.query_panel.visualization_settings = { utc_xaxis: true, charts: [{ chart_index: 0, chart_type: 'line', log_scale: true }] };
  const b = await makeBoard('By keys', [{ ...a, ...at(0, 0, 6, 4) }, { ...(await question({ calculations: [{ op: 'MAX', column: 'duration_ms' }] }, 'shop', 'Slowest')), ...at(6, 0, 6, 4) }]);
  await open(b);
  const was = (await kept(b.id)).panels[0].query_panel;
  await grip('Counts').focus();
  await page.keyboard.press('Shift+ArrowRight');
  await page.keyboard.press('Shift+ArrowDown');
  await page.getByRole('status').getByText('Column 1, row 1, 7 wide, 5 high').waitFor();
  assert.deepEqual(spots(await kept(b.id)), [[0, 0, 6, 4], [6, 0, 6, 4]], 'nothing is sent while it is held');
  await page.keyboard.press('Enter');
  await keptAs(b.id, [[0, 0, 7, 5], [6, 5, 6, 4]]);
  await until('the focus stays', () => page.evaluate(() => document.activeElement.getAttribute('aria-label') === 'Move or resize Counts'));
  assert.deepEqual((await kept(b.id)).panels[0].query_panel, was, 'what the page does not know of a panel stays');
  await page.keyboard.press('ArrowDown');
  await page.getByRole('status').getByText('row 5').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('status').getByText('Put back').waitFor();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await keptAs(b.id, [[6, 0, 6, 4], [0, 4, 7, 5]]); // and in the order in which they are read
  await until('still on it', () => page.evaluate(() => document.activeElement.getAttribute('aria-label') === 'Move or resize Counts'));
  await page.reload();
  await page.waitForFunction(() => document.querySelector('.board-panel h2')?.textContent === 'Slowest');
  assert.deepEqual(await page.evaluate(() => [...document.querySelectorAll('.board-panel')].map((e) => e.style.gridArea.replace(/ /g, ''))), ['1/7/span4/span6', '5/1/span5/span7']);
});

test('panels are moved by their heads and resized by their corners with the mouse', options, async () => {
  const b = await makeBoard('By mouse', [{ ...(await question({ calculations: [{ op: 'COUNT' }] }, 'shop', 'Left')), ...at(0, 0, 6, 4) }, { ...(await question({ calculations: [{ op: 'AVG', column: 'duration_ms' }] }, 'shop', 'Right')), ...at(6, 0, 6, 4) }]);
  await open(b);
  await panel('Left').locator('.uplot').waitFor();
  const head = async (name) => { const r = await panel(name).locator('.board-head').boundingBox(); return [r.x + r.width * 0.7, r.y + r.height / 2]; };
  const [from, to] = [await head('Right'), await head('Left')];
  await page.mouse.move(...from);
  await page.mouse.down();
  await page.mouse.move(from[0] - 200, from[1], { steps: 4 });
  await page.mouse.move(...to, { steps: 4 });
  await shot('board-dragged');
  await page.mouse.up();
  await keptAs(b.id, [[0, 0, 6, 4], [6, 0, 6, 4]]);
  assert.deepEqual(await page.locator('.board-panel h2').allTextContents(), ['Right', 'Left']);
  await panel('Right').hover();
  const corner = await panel('Right').locator('.corner').boundingBox();
  await page.mouse.move(corner.x + 8, corner.y + 8);
  await page.mouse.down();
  await page.mouse.move(corner.x - 190, corner.y + 85, { steps: 5 });
  await page.mouse.up();
  await keptAs(b.id, [[0, 0, 4, 5], [6, 0, 6, 4]]);
  await page.mouse.move(...(await head('Right')));
  await page.mouse.down();
  await page.mouse.move(800, 500, { steps: 4 });
  await page.keyboard.press('Escape');
  await page.mouse.up();
  await page.getByRole('button', { name: 'What to do with Left' }).click();
  await page.getByRole('menuitem', { name: 'Take off the board' }).click();
  await keptAs(b.id, [[0, 0, 4, 5]]);
});

test('forty panels: those in sight are asked, at most four at a time; the others when one comes to them', options, async () => {
  const panels = [];
  for (let i = 0; i < 40; i++) panels.push({ ...(await question({ calculations: [{ op: 'COUNT' }], filters: [{ column: 'n', op: '<', value: i }] }, 'shop', `Panel no. ${i}`)), ...at((i % 2) * 6, Math.floor(i / 2) * 4, 6, 4) });
  const b = await makeBoard('Huge', panels);
  let [now, most, asked] = [0, 0, 0];
  await page.route('**/skep/v1/query*', async (route) => {
    asked++;
    most = Math.max(most, ++now);
    const answer = await route.fetch();
    now--;
    await route.fulfill({ response: answer });
  });
  await open(b);
  await panel('Panel no. 3').locator('.uplot').waitFor();
  await until('those in sight have been asked', () => now === 0 && asked >= 6);
  assert.ok(asked < 20, `${asked} of 40 asked`);
  await shot('board-huge');
  await panel('Panel no. 39').scrollIntoViewIfNeeded();
  await panel('Panel no. 39').locator('.uplot').waitFor();
  assert.ok(most <= 4, `${most} at a time`);
  for (let i = 0; i < 40; i += 4) await panel(`Panel no. ${i}`).first().scrollIntoViewIfNeeded();
  await until('all have an answer', () => page.evaluate(() => document.querySelectorAll('.board-panel .uplot, .board-panel .board-none').length === 40));
  assert.ok(most <= 4 && asked >= 40, `${most} at a time, ${asked} asked`);
  await page.unroute('**/skep/v1/query*');
});

test('a panel that fails says so and is tried again; the others stand', options, async () => {
  const b = await makeBoard('Half', [await question({ calculations: [{ op: 'COUNT' }] }, 'shop', 'Good'), await question({ calculations: [{ op: 'P95', column: 'duration_ms' }] }, 'shop', 'Ill'), await question({ calculations: [{ op: 'COUNT' }], filters: [{ column: 'n', op: '>', value: 1000 }] }, 'shop', 'Nothing')]);
  let ill = true;
  await page.route('**/skep/v1/query*', (route) => (ill && route.request().postData().includes('P95') ? route.fulfill({ status: 503, contentType: 'application/json', body: '{"error":"the memory is in use"}' }) : route.continue()));
  await open(b);
  await panel('Ill').getByRole('alert').getByText('the memory is in use').waitFor();
  await panel('Good').locator('.uplot').waitFor();
  await panel('Nothing').getByText('No rows match.').waitFor();
  await shot('board-error');
  ill = false;
  await panel('Ill').getByRole('button', { name: 'Try again' }).click();
  await panel('Ill').locator('.uplot').waitFor();
  await page.unroute('**/skep/v1/query*');
  await page.goto(`${skep.url}/ui/boards/no-such`);
  await page.getByRole('alert').waitFor();
  bad.splice(0, bad.length, ...bad.filter((x) => !/status of (503|404)/.test(x)));
});

test('filters of the board, presets and views narrow every panel; also one that asks with OR', options, async () => {
  const any = await question({ calculations: [{ op: 'COUNT' }], filter_combination: 'OR', filters: [{ column: 'name', op: '=', value: 'GET /cart' }, { column: 'name', op: '=', value: 'SELECT' }] }, '__all__', 'Either');
  any.query_panel.query_style = 'table';
  const b = await makeBoard('Narrowed', [any], { preset_filters: [{ column: 'service.name', alias: 'Service' }] });
  await open(b);
  const number = (n) => panel('Either').locator('tbody td').getByText(String(n), { exact: true }).waitFor();
  await number(40);
  await page.getByRole('combobox', { name: 'Service' }).fill('db');
  await page.keyboard.press('Enter');
  await number(20);
  assert.deepEqual(new URL(page.url()).searchParams.getAll('w'), ['service.name = "db"']);
  await page.getByRole('button', { name: 'Save as a view' }).click();
  await page.getByLabel('Name of the view').fill('The database');
  await page.keyboard.press('Enter');
  await page.getByRole('combobox', { name: 'View' }).waitFor();
  const [view] = await until('a view', async () => { const l = await skep.json('GET', `/1/boards/${b.id}/views`); return l.length ? l : null; });
  assert.deepEqual([view.name, view.filters], ['The database', [{ column: 'service.name', operation: '=', value: 'db' }]]);
  await page.getByRole('combobox', { name: 'View' }).selectOption({ label: 'everything' });
  await number(40);
  await page.goto(`${skep.url}/ui/boards/${b.id}?w=${q('n < 5')}`);
  await number(5); // the shop's own spans alone have an n
  await page.getByRole('combobox', { name: 'View' }).selectOption({ label: 'The database' });
  await number(20);
  assert.equal(await page.getByRole('combobox', { name: 'Service' }).inputValue(), 'db');
  await shot('board-view');
  await page.getByRole('button', { name: 'Delete the view The database', exact: true }).click();
  await page.getByRole('button', { name: 'Yes: Delete the view The database' }).click();
  await until('no view', async () => (await skep.json('GET', `/1/boards/${b.id}/views`)).length === 0);
  await page.getByRole('button', { name: 'Settings', exact: true }).click();
  await page.getByLabel('Description').fill('What both ask for');
  await page.getByRole('button', { name: '+ Preset filter' }).click();
  await page.getByLabel('Field').nth(1).fill('name');
  await page.getByLabel('Called').nth(1).fill('Operation');
  await page.getByRole('button', { name: 'Keep', exact: true }).click();
  await page.getByLabel('Operation').waitFor();
  const now = await until('what was kept', async () => { const k = await kept(b.id); return k.description ? k : null; }); // shown before it is saved
  assert.deepEqual([now.description, now.preset_filters], ['What both ask for', [{ column: 'service.name', alias: 'Service' }, { column: 'name', alias: 'Operation' }]]);
});

test('a range of the page takes the place of the questions\' own times, and goes again', options, async () => {
  const b = await makeBoard('Times', [await question({ calculations: [{ op: 'COUNT' }], granularity: 60 }, 'shop', 'Per minute')]);
  const ask = () => page.waitForRequest((r) => r.url().includes('/skep/v1/query')).then((r) => JSON.parse(r.postData()));
  const [first] = await Promise.all([ask(), open(b)]);
  assert.deepEqual([first.time_range, first.granularity], [7200, 60]);
  await page.getByRole('button', { name: 'As the questions say' }).click();
  const [day] = await Promise.all([ask(), page.getByRole('button', { name: 'Last 24 hours' }).click()]);
  assert.deepEqual([day.time_range, day.granularity], [86400, undefined]);
  await page.getByRole('button', { name: 'Last 24 hours' }).click();
  const [again] = await Promise.all([ask(), page.getByRole('button', { name: 'As the questions say' }).click()]);
  assert.deepEqual([again.time_range, again.granularity], [7200, 60]);
});

test('a text in Markdown: written, kept, safe; an SLO with its budget', options, async () => {
  await skep.json('POST', '/1/derived_columns/shop', { alias: 'fine', expression: 'IF(EXISTS($http.route), NOT(EQUALS($http.response.status_code, 500)))' });
  const slo = await skep.json('POST', '/1/slos/shop', { name: 'Carts', sli: { alias: 'fine' }, time_period_days: 7, target_per_million: 900000 });
  const b = await makeBoard('Texts', []);
  await open(b);
  await page.getByText('Nothing on this board yet').waitFor();
  await shot('board-empty');
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await page.getByRole('menuitem', { name: 'A text' }).click();
  await page.getByRole('heading', { name: 'A text', level: 2 }).last().waitFor();
  await menu('A text', 'Edit the text');
  await page.getByLabel('Text in Markdown').fill('# Runbook\n\n**Call** Ann <img src=x onerror=alert(1)>\n\n- [home](/ui/home)\n- [bad](javascript:alert(1))');
  await page.keyboard.press('Control+Enter');
  await page.locator('.markdown strong', { hasText: 'Call' }).waitFor();
  assert.deepEqual(await page.evaluate(() => [document.querySelectorAll('.markdown img').length, [...document.querySelectorAll('.markdown a')].map((a) => a.getAttribute('href'))]), [0, ['/ui/home']]);
  await until('kept', async () => (await kept(b.id)).panels[0]?.text_panel.content.startsWith('# Runbook'));
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await page.getByRole('menuitem', { name: 'The SLO Carts' }).click();
  await panel('Carts').getByText('-100.0 %').waitFor(); // 4 of 20 are bad, 2 may be
  await panel('Carts').getByRole('img', { name: 'Budget remaining of Carts' }).waitFor();
  await until('two panels', async () => (await kept(b.id)).panels.length === 2 || null);
  assert.deepEqual((await kept(b.id)).panels.map((p) => [p.type, p.slo_panel?.slo_id]), [['text', undefined], ['slo', slo.id]]);
  await shot('board-texts');
});

test('a board of the older form is shown; the first change makes its queries panels', options, async () => {
  const { query_panel: p } = await question({ calculations: [{ op: 'COUNT' }] }, 'shop', 'Another name of it');
  const b = await skep.json('POST', '/1/boards', { name: 'Old', queries: [{ caption: 'From a script', query_id: p.query_id, dataset: 'shop' }] });
  await page.goto(`${skep.url}/ui/boards`);
  await page.getByRole('link', { name: /Old/ }).getByText('1 panel').waitFor();
  await open(b);
  await panel('From a script').locator('.uplot').waitFor();
  await grip('From a script').focus();
  await page.keyboard.press('Shift+ArrowLeft');
  await page.keyboard.press('Enter');
  await keptAs(b.id, [[0, 0, 5, 4]]);
});

test('of two who change a board at once the second is told, and sees what the first did', options, async () => {
  const b = await makeBoard('Shared', [await question({ calculations: [{ op: 'COUNT' }] }, 'shop', 'Of two')]);
  await open(b);
  await panel('Of two').locator('.uplot').waitFor();
  await grip('Of two').focus();
  await page.keyboard.press('Shift+ArrowRight');
  await skep.json('PUT', `/1/boards/${b.id}`, { ...b, description: 'by somebody else' });
  await page.keyboard.press('Enter');
  await page.getByRole('alert').getByText('somebody else has changed this board').waitFor();
  await page.getByText('by somebody else').waitFor();
  assert.deepEqual(spots(await kept(b.id)), [[0, 0, 6, 4]]);
  await grip('Of two').focus();
  await page.keyboard.press('Shift+ArrowRight');
  await page.keyboard.press('Enter');
  await keptAs(b.id, [[0, 0, 7, 4]]);
});

test('an open board shows what others change; while something is in the hand here it says so and waits', options, async () => {
  const text = (content) => ({ type: 'text', text_panel: { content }, ...at(0, 0, 12, 2) });
  const b = await makeBoard('Open', [text('# First')]);
  await open(b);
  await page.getByRole('heading', { name: 'First' }).first().waitFor();
  // Two changes of one second are two revisions.
  const [one, two] = [await skep.json('PUT', `/1/boards/${b.id}`, { ...b, description: 'once' }), await skep.json('PUT', `/1/boards/${b.id}`, { ...b, description: 'twice' })];
  assert.notEqual(one.revision, two.revision);
  await page.getByText('twice', { exact: true }).waitFor();
  await menu('First', 'Edit the text');
  const edit = page.getByLabel('Text in Markdown');
  await edit.fill('# Mine');
  await skep.json('PUT', `/1/boards/${b.id}`, { ...two, description: 'thrice' });
  const note = page.getByRole('status').filter({ hasText: 'Changed by somebody else' });
  await note.waitFor();
  await shot('board-changed');
  assert.equal(await edit.inputValue(), '# Mine');
  assert.equal(await page.getByText('thrice', { exact: true }).count(), 0);
  await note.getByRole('button', { name: 'Show it as it is now' }).click();
  await page.getByText('thrice', { exact: true }).waitFor();
  await note.waitFor({ state: 'detached' });
  // What was in the hand goes on, of the board as it is now.
  assert.equal(await edit.inputValue(), '# Mine');
  await page.getByRole('button', { name: /^Keep/ }).click();
  await until('both changes', async () => { const now = await kept(b.id); return (now.description === 'thrice' && now.panels[0].text_panel.content === '# Mine') || null; });
});

test('the look of a panel is changed; a bar, a number, a table; the API has it', options, async () => {
  const b = await makeBoard('Looks', [await question({ calculations: [{ op: 'COUNT' }], breakdowns: ['http.response.status_code'], filters: [{ column: 'http.route', op: 'exists' }] }, 'shop', 'Codes')]);
  await open(b);
  await panel('Codes').locator('.uplot').waitFor();
  const look = async () => { const p = (await kept(b.id)).panels[0].query_panel; return [p.query_style, p.visualization_settings?.charts?.[0]?.chart_type]; };
  for (const [item, want, seen] of [['Show as stacked areas', ['graph', 'stacked'], '.uplot'], ['Show as bars over time', ['graph', 'tsbar'], '.uplot'], ['Show as bars of groups', ['graph', 'cbar'], '.value-bars'], ['Show as a pie of groups', ['graph', 'cpie'], '.pie circle'], ['Show as a number', ['graph', 'stat'], '.stat'],
    ['Show as graph and table', ['combo', 'default'], '.table'], ['Show as a table', ['table', 'default'], '.table'], ['Show as lines', ['graph', 'default'], '.uplot']]) {
    await menu('Codes', item);
    await panel('Codes').locator(seen).first().waitFor();
    await until(item, async () => JSON.stringify(await look()) === JSON.stringify(want));
    await shot(`look-${want.join('-')}`);
  }
});

// Every text that is drawn on a canvas from now on: labels of axes.
const drawnTexts = (on) => on.evaluate(() => {
  window.drawn = [];
  const draw = CanvasRenderingContext2D.prototype.fillText;
  CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) { window.drawn.push(text); return draw.call(this, text, ...rest); };
});

test('graph settings of the API are drawn, and switched in the menu: logarithmic, joined, in one, UTC, without read-outs; a pie', options, async () => {
  const spec = { calculations: [{ op: 'COUNT' }, { op: 'MAX', column: 'duration_ms' }] };
  const at2 = Math.floor(Date.now() / 1e3);
  await skep.json('POST', '/1/batch/gaps', [[1500, 1], [900, 10], [300, 200]].flatMap(([ago, n]) => Array.from({ length: n }, (_, i) => ({ time: new Date((at2 - ago) * 1e3).toISOString(), data: { duration_ms: ago + i } }))));
  await until('the events', async () => (await skep.json('GET', '/1/datasets')).some((d) => d.slug === 'gaps') || null);
  const set = { charts: [{ chart_index: 0, chart_type: 'default', log_scale: false }, { chart_index: 1, chart_type: 'line' }] };
  const q1 = await question(spec, 'gaps', 'Settings');
  q1.query_panel.visualization_settings = set;
  const codes = await question({ calculations: [{ op: 'COUNT' }], breakdowns: ['http.response.status_code'], filters: [{ column: 'http.route', op: 'exists' }] }, 'shop', 'Pie');
  codes.query_panel.visualization_settings = { charts: [{ chart_index: 0, chart_type: 'cpie' }] };
  const b = await makeBoard('Graph settings', [{ ...q1, ...at(0, 0, 8, 6) }, { ...codes, ...at(8, 0, 4, 6) }]);
  const there = async () => (await kept(b.id)).panels[0].query_panel.visualization_settings;
  const tokyo = await browser.newPage({ viewport: { width: 1360, height: 860 }, timezoneId: 'Asia/Tokyo', reducedMotion: 'reduce' });
  await tokyo.goto(`${skep.url}/ui/boards/${b.id}?from=${at2 - 1800}&to=${at2}`);
  const settings = tokyo.locator('.board-panel', { hasText: 'Settings' });
  const press = async (item) => {
    await tokyo.getByRole('button', { name: 'What to do with Settings' }).click();
    await tokyo.getByRole('menuitem', { name: item, exact: true }).click();
  };
  await settings.locator('.uplot').nth(1).waitFor();
  // Sixteen answers well, four badly: shares of the whole.
  const pie = tokyo.locator('.board-panel', { hasText: 'Pie' });
  assert.deepEqual(await pie.locator('.value-bars b').allInnerTexts(), ['80% · 16', '20% · 4']);
  assert.deepEqual(await pie.locator('.pie circle').evaluateAll((l) => l.map((c) => [c.getAttribute('stroke-dasharray'), c.getAttribute('stroke-dashoffset')])), [['80 20', '25'], ['20 80', '-55']]);
  await drawnTexts(tokyo);
  const picture = (i) => settings.locator('canvas').nth(i).evaluate((c) => c.toDataURL());
  const linear = await picture(0);
  await press('Logarithmic scale');
  await until('labels of powers of ten alone', () => tokyo.evaluate(() => ['1', '10', '100'].every((t) => window.drawn.includes(t)) || null));
  await until('logarithms in the API', async () => (await there()).charts.every((c) => c.log_scale === true) || null); // drawn before it is saved
  assert.notEqual(await picture(0), linear);
  const broken = await picture(1);
  await press('Join lines over missing values');
  await until('joined lines', async () => (await picture(1)) !== broken || null);
  // The read-out, walked to by key, in the time the axis has.
  const chart = settings.getByRole('application').first();
  const walk = async () => { await chart.focus(); for (let i = 0; i < 30 && !await settings.locator('.readout').count(); i++) await tokyo.keyboard.press('ArrowLeft'); };
  await walk();
  const local = await settings.locator('.readout .num.muted').innerText();
  await press('Times in UTC');
  await settings.getByText('UTC', { exact: true }).first().waitFor();
  await walk();
  await settings.locator('.readout').getByText('UTC').waitFor();
  const utc = await settings.locator('.readout .num.muted').innerText();
  assert.equal((Number(local.match(/(\d+):/)[1]) + 24 - Number(utc.match(/(\d+):/)[1])) % 24, 9);
  // Both calculations in one graph.
  await press('All in one graph');
  await settings.getByText('COUNT, MAX(duration_ms)').waitFor();
  assert.equal(await settings.locator('.uplot').count(), 1);
  await walk();
  assert.deepEqual((await settings.locator('.readout-row .clip').allInnerTexts()).sort(), ['COUNT', 'MAX(duration_ms)']);
  assert.match(await settings.getByRole('application').getAttribute('aria-label'), /: 2 series/);
  if (process.env.SHOTS) await tokyo.screenshot({ path: join(process.env.SHOTS, 'graph-settings.png') });
  await until('the settings in the API', async () => { const s = await there(); return (s.utc_xaxis && s.overlaid_charts && s.charts.every((c) => c.omit_missing_values && c.log_scale)) || null; });
  // What the API sets and the menu does not: no read-outs.
  const now = await kept(b.id);
  now.panels[0].query_panel.visualization_settings.hide_hovers = true;
  await skep.json('PUT', `/1/boards/${b.id}`, now);
  await settings.locator('.readout').waitFor({ state: 'detached' });
  await walk();
  await tokyo.waitForFunction(() => document.activeElement.getAttribute('role') === 'application');
  assert.equal(await settings.locator('.readout').count(), 0);
  await tokyo.close();
});

test('markers: put from a chart by key, drawn, listed, on boards too, taken away', options, async () => {
  await page.goto(`${skep.url}/ui/query?c=COUNT&from=${sent.start_time - 30}&to=${sent.end_time + 10}&ds=shop`);
  await page.locator('.chart .uplot').waitFor();
  await page.locator('.chart').focus();
  for (let i = 0; i < 4; i++) await page.keyboard.press('ArrowLeft');
  await page.keyboard.press('Enter');
  await page.getByRole('menuitem', { name: 'Put a marker here' }).press('Enter');
  await page.getByRole('textbox', { name: 'Marker' }).fill('deploy 17');
  await page.keyboard.press('Enter');
  const list = page.getByRole('region', { name: 'Markers' });
  await list.getByText('deploy 17').waitFor();
  const [m] = await skep.json('GET', '/1/markers/shop');
  assert.deepEqual([m.message, m.type], ['deploy 17', 'deploy']);
  assert.ok(m.start_time >= sent.start_time - 31 && m.start_time <= sent.end_time + 10);
  await skep.json('POST', '/1/marker_settings/shop', { type: 'deploy', color: '#ff00ff' });
  const pink = (where) => page.evaluate((w) => {
    const c = document.querySelector(`${w} canvas`);
    const copy = Object.assign(document.createElement('canvas'), { width: c.width, height: c.height }).getContext('2d', { willReadFrequently: true });
    copy.drawImage(c, 0, 0);
    const d = copy.getImageData(0, 0, c.width, c.height).data;
    for (let i = 0; i < d.length; i += 4) if (d[i] > 200 && d[i + 1] < 60 && d[i + 2] > 200) return true;
    return false;
  }, where);
  await page.reload();
  await page.locator('.chart .uplot').waitFor();
  await until('drawn in its colour', () => pink('.chart'));
  await shot('query-marker');
  const b = await makeBoard('Marked', [await question({ calculations: [{ op: 'COUNT' }] }, 'shop', 'With a marker'), await question({ calculations: [{ op: 'HEATMAP', column: 'duration_ms' }] }, 'shop', 'Heat')]);
  await open(b, `?from=${sent.start_time - 30}&to=${sent.end_time + 10}`);
  await panel('With a marker').locator('.uplot').waitFor();
  await until('drawn on the board', () => pink('.board-panel .chart'));
  await panel('Heat').locator('.heat-mark').waitFor();
  await shot('board-marker');
  await list.getByRole('button', { name: 'Remove the marker deploy 17' }).click();
  await list.getByRole('button', { name: 'Yes: Remove the marker deploy 17' }).click();
  await until('gone', async () => (await skep.json('GET', '/1/markers/shop')).length === 0);
  await until('not drawn any more', async () => !(await pink('.board-panel .chart')));
});

test('graphs and tables as CSV, JSON and PNG, from Query and from a board', options, async () => {
  await page.goto(`${skep.url}/ui/query?c=COUNT&c=${q('HEATMAP(duration_ms)')}&by=http.response.status_code&w=${q('http.route exists')}&t=5m&ds=shop&g=60`);
  await page.locator('.table tbody tr').first().waitFor();
  const save = (what, kind) => async () => {
    await page.getByRole('button', { name: `Save ${what}`, exact: true }).click();
    await page.getByRole('menuitem', { name: `Save as ${kind}` }).click();
  };
  const csv = await download(save('the result table', 'CSV'));
  assert.equal(csv.bytes.toString(), 'http.response.status_code,COUNT\r\n200,16\r\n500,4\r\n');
  const json = await download(save('the result table', 'JSON'));
  assert.deepEqual(JSON.parse(json.bytes), [{ 'http.response.status_code': 200, COUNT: 16 }, { 'http.response.status_code': 500, COUNT: 4 }]);
  const series = (await download(save('COUNT', 'CSV'))).bytes.toString().trim().split('\r\n').map((l) => l.split(','));
  assert.deepEqual(series[0], ['time', '200', '500']);
  assert.deepEqual([1, 2].map((k) => series.slice(1).reduce((sum, l) => sum + Number(l[k]), 0)), [16, 4]);
  const cells = JSON.parse((await download(save('HEATMAP(duration_ms)', 'JSON'))).bytes).cells;
  assert.equal(cells.reduce((sum, c) => sum + c.rows, 0), 20);
  assert.ok(cells.every((c) => c.from < c.to && c.from <= 29 && c.to >= 10));
  for (const what of ['COUNT', 'HEATMAP(duration_ms)']) {
    const png = await download(save(what, 'PNG'));
    assert.equal(png.name, what === 'COUNT' ? 'COUNT.png' : 'HEATMAP-duration_ms.png');
    const seen = pngColours(png.bytes);
    assert.ok(seen.width > 2000 && seen.height > 380 && seen.lines > 40, JSON.stringify(seen));
    if (process.env.SKEP_UI_SHOTS) (await import('node:fs')).writeFileSync(join(process.env.SKEP_UI_SHOTS, png.name), png.bytes);
  }
  const b = await makeBoard('Files', [await question({ calculations: [{ op: 'COUNT' }], breakdowns: ['http.response.status_code'], filters: [{ column: 'http.route', op: 'exists' }] }, 'shop', 'To be saved')]);
  await open(b);
  await panel('To be saved').locator('.uplot').waitFor();
  const all = JSON.parse((await download(() => menu('To be saved', 'Save as JSON'))).bytes);
  assert.deepEqual(all.groups, [{ 'http.response.status_code': 200, COUNT: 16 }, { 'http.response.status_code': 500, COUNT: 4 }]);
  const picture = await download(() => menu('To be saved', 'Save as PNG'));
  assert.ok(pngColours(picture.bytes).lines > 30);
  if (process.env.SKEP_UI_SHOTS) (await import('node:fs')).writeFileSync(join(process.env.SKEP_UI_SHOTS, 'panel.png'), picture.bytes);
});

test('a board makes itself of the questions that the fields there are allow to ask', options, async () => {
  await page.goto(`${skep.url}/ui/boards`);
  await page.getByRole('button', { name: 'Make one of ready questions' }).click();
  await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
  await panel('How long does it take?').locator('.heat').waitFor();
  await panel('What fails, and where?').locator('.uplot').waitFor();
  assert.equal(await page.getByRole('alert').count(), 0);
  const { panels } = await kept(new URL(page.url()).pathname.split('/').at(-1));
  assert.ok(panels.length >= 4 && panels.length <= 6, `${panels.length} panels`);
  await shot('board-ready');
});

test('the other tables and graphs are saved, too: traces, raw rows, services, response times, what is different, the map', options, async () => {
  const save = (what, kind) => download(async () => {
    await page.getByRole('button', { name: `Save ${what}`, exact: true }).click();
    await page.getByRole('menuitem', { name: `Save as ${kind}` }).click();
  });
  const lines = (file) => file.bytes.toString().trim().split('\r\n');
  const range = `from=${sent.start_time - 5}&to=${sent.end_time + 5}`;
  await page.goto(`${skep.url}/ui/traces?${range}&w=${q('http.route exists')}`);
  const traces = lines(await save('traces', 'CSV'));
  assert.equal(traces.length, 21);
  assert.match(traces[1], /^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{9}Z,[0-9a-f]{32},shop,GET \/cart,\d{3},[\d.]+,2,[01]$/);
  assert.ok(pngColours((await save('response times', 'PNG')).bytes).lines > 20);
  await page.goto(`${skep.url}/ui/query?${range}&c=COUNT&w=${q('http.route exists')}&tab=rows`);
  const rows = lines(await save('raw rows', 'CSV'));
  assert.equal(rows.length, 21);
  const head = rows[0].split(',');
  assert.deepEqual(head.filter((h) => ['time', 'kind', 'dataset', 'n', 'big'].includes(h)), ['time', 'kind', 'dataset', 'big', 'n']);
  assert.equal(rows[1].split(',')[head.indexOf('big')], '9007199254740993', 'no digit of an integer is lost');
  await page.goto(`${skep.url}/ui/home?${range}`);
  const services = lines(await save('Services', 'CSV'));
  assert.equal(services[0], 'service.name,COUNT,P50(duration_ms),P95(duration_ms),P99(duration_ms),failed');
  assert.match(services[1], /^shop,20,.*,4$/);
  await page.goto(`${skep.url}/ui/query?${range}&c=COUNT&d=${q('http.response.status_code = 500')}&tab=different`);
  assert.ok(pngColours((await save('what is different', 'PNG')).bytes).lines > 40);
  assert.ok(JSON.parse((await save('what is different', 'JSON')).bytes).facets.length > 0);
  await page.goto(`${skep.url}/ui/map?${range}&live=0`);
  assert.ok(pngColours((await save('the map', 'PNG')).bytes).lines > 60);
  const names = JSON.parse((await save('the map', 'JSON')).bytes).nodes.map((n) => n.name);
  assert.ok(names.includes('db') && names.includes('shop'), names.join());
});

test('a group of a panel stands alone when its name is pressed, in the heatmap too', options, async () => {
  const b = await makeBoard('Alone', [await question({ calculations: [{ op: 'HEATMAP', column: 'duration_ms' }], breakdowns: ['http.response.status_code'], filters: [{ column: 'http.route', op: 'exists' }] }, 'shop', 'By code')]);
  await open(b, `?from=${sent.start_time - 5}&to=${sent.end_time + 5}`);
  const cells = async () => Number(/(\d+) cells/.exec(await panel('By code').locator('.heat').getAttribute('aria-label'))[1]);
  await panel('By code').locator('.heat').waitFor();
  assert.equal(await cells(), 20);
  await panel('By code').getByRole('button', { name: '500', exact: true }).press('Enter');
  await until('four cells', async () => (await cells()) === 4);
  await panel('By code').getByRole('button', { name: '500', exact: true }).click();
  await until('all of them', async () => (await cells()) === 20);
});

test('everybody can use a board: names, structure, contrast in both themes, a narrow screen', options, async () => {
  const b = await makeBoard('For all', [{ type: 'text', text_panel: { content: '# Read\n\n> this `first`' } }, await question({ calculations: [{ op: 'COUNT' }, { op: 'HEATMAP', column: 'duration_ms' }], breakdowns: ['http.response.status_code'] }, 'shop', 'Two charts'),
    await question({ calculations: [{ op: 'COUNT' }], filters: [{ column: 'n', op: '>', value: 1000 }] }, 'shop', 'None')], { preset_filters: [{ column: 'service.name', alias: 'Service' }] });
  for (const size of [{ width: 1360, height: 860 }, { width: 480, height: 800 }]) {
    await page.setViewportSize(size);
    for (const theme of ['dark', 'light']) {
      await page.emulateMedia({ colorScheme: theme });
      for (const view of [`boards/${b.id}`, 'boards']) {
        await page.goto(`${skep.url}/ui/${view}`);
        await page.locator(view === 'boards' ? '.card' : '.board-panel .uplot').first().waitFor();
        for (const [what, look] of [['names', nameless], ['structure', structure], ['contrast', paleText]]) assert.deepEqual(await page.evaluate(look), [], `${what} of ${view}, ${theme}, ${size.width}`);
        await shot(`all-${view === 'boards' ? 'list' : 'board'}-${theme}-${size.width}`);
      }
    }
  }
  assert.deepEqual(bad, []);
});
