// SPDX-License-Identifier: Apache-2.0
// The service map in Chromium, on a graph made here: reading it, keys, panel, ranges, every state.

import assert from 'node:assert/strict';
import { params, ui, until } from './support.mjs';

const HISTOGRAM = [[1, 2, 20], [2, 5, 60], [5, 10, 15], [10, 100, 5]];
const stats = (count, faults = 0, errors = 0, throttles = 0) => ({ count, faults, errors, throttles, total_ms: count * 12, histogram: count ? HISTOGRAM.map(([a, b, n]) => [a, b, Math.round((n * count) / 100)]) : [] });
const node = (name, kind, more, ...s) => ({ name, type: kind === 'client' ? 'client' : '', account: '', kind, root: false, filters: [], ...stats(...s), ...more });

const SHOP = {
  nodes: [
    node('storefront', 'service', { root: true }, 1000, 20), node('payments', 'service', { type: 'AWS::EKS::Container' }, 500, 0, 30),
    node('users@pg', 'inferred', { type: 'Database::SQL', filters: [{ column: 'db.name', value: 'users' }, { column: 'server.address', value: 'pg' }] }, 400, 0, 0, 8),
    node('storefront', 'client', {}, 0),
  ],
  edges: [{ from: 3, to: 0, ...stats(1000, 20) }, { from: 0, to: 1, ...stats(500) }, { from: 1, to: 2, ...stats(400) }, { from: 1, to: 0, ...stats(3) }],
};
const whole = (g) => ({ start_ms: 0, end_ms: 60e4, rows_examined: 5000, elapsed_ms: 3, estimated: false, cut: false, complete: true, ...g });

// 200 services in layers, each called by one or two of the layer before.
function many(n) {
  const nodes = [], edges = [];
  for (let i = 0; i < n; i++) {
    nodes.push(node(`service-number-${i}`, 'service', {}, 100 + i, i % 9 ? 0 : 5));
    if (i) edges.push({ from: Math.floor((i - 1) / 3), to: i, ...stats(50) });
    if (i > 10 && i % 4 === 0) edges.push({ from: Math.floor(i / 5), to: i, ...stats(7) });
  }
  return { nodes, edges };
}

async function open(page, url, graph, query = 't=1h') {
  const asked = [];
  await page.route('**/skep/v1/graph', (r) => {
    asked.push(r.request().postDataJSON());
    return r.fulfill({ json: whole(graph) });
  });
  await page.goto(`${url}/ui/map?${query}`);
  await page.locator('.map-node').first().waitFor();
  return asked;
}

for (const theme of ['dark', 'light']) {
  ui(`the map shows who calls whom and how it ends, ${theme}`, { theme }, async ({ page, url }) => {
    await open(page, url, SHOP);
    assert.equal(await page.locator('.map-node').count(), 4);
    assert.equal(await page.locator('.map-edge').count(), 4);
    await page.getByRole('button', { name: 'storefront: 1,000 requests, 12 ms on average, 2% not ok' }).waitFor();
    // Left to right: clients, storefront, payments, the database; the call back is no column.
    const x = await page.locator('.map-node').evaluateAll((l) => l.map((n) => n.getBoundingClientRect().x));
    assert.ok(x[3] < x[0] && x[0] < x[1] && x[1] < x[2], `columns at ${x}`);
    const colour = (c) => page.locator(c).first().evaluate((e) => getComputedStyle(e).stroke);
    const kinds = await Promise.all(['.ring.fault', '.ring.error', '.ring.throttle', '.ring.ok'].map(colour));
    assert.equal(new Set(kinds).size, 4, 'four ends, four colours');
  });
}

ui('a node among two hundred is found by its name; Enter goes from one to the next', {}, async ({ page, url }) => {
  await open(page, url, many(200));
  const find = page.getByRole('searchbox', { name: 'Find a node by its name' });
  await find.fill('NUMBER-19');
  await page.getByText('11 of 200').waitFor(); // 19, 190 ... 199
  assert.equal(await page.locator('.map-node:not(.far)').count(), 11);
  const names = await page.locator('.map-node:not(.far) text.name').allTextContents();
  assert.ok(names.includes('service-number-190'), `found names are whole: ${names}`);
  await find.press('Enter');
  await page.getByRole('heading', { name: 'service-number-19', exact: true }).waitFor();
  await find.press('Enter');
  await page.getByRole('heading', { name: 'service-number-190' }).waitFor();
  await find.press('Shift+Enter');
  await page.getByRole('heading', { name: 'service-number-19', exact: true }).waitFor();
  assert.equal(params(page).get('find'), 'NUMBER-19');
  await find.fill('nobody');
  await page.getByText('none', { exact: true }).waitFor();
  await find.press('Escape');
  assert.equal(await page.locator('.map-node.far').count(), 0);
  assert.equal(params(page).get('find'), null);
});

ui('a node opens its panel by click and by key; the address keeps it', {}, async ({ page, url }) => {
  await open(page, url, SHOP);
  await page.locator('.map-node').nth(1).click();
  await page.getByRole('heading', { name: 'payments' }).waitFor();
  assert.equal(params(page).get('sel'), 'n:service:payments:AWS::EKS::Container');
  await page.reload();
  await page.getByRole('heading', { name: 'payments' }).waitFor();
  const link = await page.getByRole('link', { name: 'View traces' }).getAttribute('href');
  assert.deepEqual(new URL(link, url).searchParams.getAll('w'), ['service.name = "payments"']);
  await page.getByRole('button', { name: 'Close' }).click();
  assert.equal(params(page).get('sel'), null);
  await page.locator('.map-node').nth(0).focus();
  await page.keyboard.press('ArrowRight');
  await until('focus moved', () => page.evaluate(() => (document.activeElement.getAttribute('aria-label') ?? '').startsWith('payments')));
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'payments' }).waitFor();
  await page.keyboard.press('Escape');
  await until('closed', async () => (await page.locator('.map-panel').count()) === 0);
});

ui('an edge and a range of latencies lead to their traces', {}, async ({ page, url }) => {
  await open(page, url, SHOP);
  await page.locator('.map-node').nth(1).click();
  await page.locator('.map-calls button', { hasText: 'users@pg' }).click();
  await page.getByText('as the caller measured it').waitFor();
  assert.match(params(page).get('sel'), /^e:/);
  const svg = page.locator('.map-latency svg');
  const box = await svg.boundingBox();
  await page.mouse.move(box.x + box.width * 0.25, box.y + 40);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.75, box.y + 40, { steps: 4 });
  await page.mouse.up();
  await page.waitForURL(/\/ui\/traces/);
  const w = params(page).getAll('w');
  assert.deepEqual(w.slice(0, 3), ['service.name = "payments"', 'db.name = "users"', 'server.address = "pg"']);
  const [lo, hi] = w.slice(3).map((f) => Number(f.split(' ')[2]));
  assert.ok(lo > 2 && lo < 5 && hi > 20 && hi < 50, `range ${w.slice(3)}`);
});

ui('two hundred nodes are all there, apart and named', {}, async ({ page, url }) => {
  await open(page, url, many(200));
  assert.equal(await page.locator('.map-node').count(), 200);
  const discs = await page.locator('.map-node .disc').evaluateAll((l) => l.map((e) => { const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2, b.width / 2]; }));
  const frame = await page.locator('.map-canvas').boundingBox();
  for (const [x, y] of discs) assert.ok(x > frame.x && x < frame.x + frame.width && y > frame.y && y < frame.y + frame.height, 'inside the frame');
  for (let i = 0; i < discs.length; i++)
    for (let k = 0; k < i; k++) assert.ok(Math.hypot(discs[i][0] - discs[k][0], discs[i][1] - discs[k][1]) > discs[i][2] + discs[k][2], `${i} and ${k} overlap`);
  const heights = await page.locator('.map-node .name').evaluateAll((l) => l.map((e) => e.getBoundingClientRect().height));
  assert.ok(Math.min(...heights) >= 8, `names are ${Math.min(...heights)} px high`);
  // Wheel and fit.
  const before = discs[0][2];
  await page.mouse.move(frame.x + 300, frame.y + 200);
  await page.mouse.wheel(0, -400);
  await until('larger', async () => (await page.locator('.map-node .disc').first().boundingBox()).width / 2 > before * 1.3);
  await page.getByRole('button', { name: 'Fit' }).click();
  await until('fits again', async () => Math.abs((await page.locator('.map-node .disc').first().boundingBox()).width / 2 - before) < 1);
});

ui('the filter of the address is asked; sizes, and a map that is huge', {}, async ({ page, url }) => {
  const asked = await open(page, url, many(700), `t=1h&w=${encodeURIComponent('service.name = "a"')}`);
  assert.deepEqual(asked[0].filters, [{ column: 'service.name', op: '=', value: 'a' }]);
  assert.equal(asked[0].time_range, 3600);
  await page.getByText('The 600 busiest of 700 nodes').waitFor();
  const size = () => page.locator('.map-node .disc').first().getAttribute('r');
  const traffic = await size();
  await page.getByRole('button', { name: 'None' }).click();
  await until('another size', async () => (await size()) !== traffic);
  assert.equal(params(page).get('size'), 'none');
});

ui('nothing there says what to do', {}, async ({ page, url }) => {
  await page.route('**/skep/v1/graph', (r) => r.fulfill({ json: whole({ nodes: [], edges: [], rows_examined: 10 }) }));
  await page.goto(`${url}/ui/map?t=1h`);
  await page.getByRole('heading', { name: 'No spans in this time range' }).waitFor();
});

ui('the first start says how to send', { mode: 'empty' }, async ({ page, url }) => {
  await page.route('**/skep/v1/graph', (r) => r.fulfill({ json: whole({ nodes: [], edges: [], rows_examined: 0 }) }));
  await page.goto(`${url}/ui/map?t=1h`);
  await page.getByText('OTEL_EXPORTER_OTLP_ENDPOINT').first().waitFor();
});

ui('an error is shown and can be tried again', { quiet: false }, async ({ page, url }) => {
  let fail = true;
  await page.route('**/skep/v1/graph', (r) => (fail ? r.fulfill({ status: 422, json: { error: 'the query needs more memory' } }) : r.fulfill({ json: whole(SHOP) })));
  await page.goto(`${url}/ui/map?from=1&to=100`);
  await page.getByText('the query needs more memory').waitFor();
  fail = false;
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.locator('.map-node').first().waitFor();
});
