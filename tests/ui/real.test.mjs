// SPDX-License-Identifier: Apache-2.0
//
// The page as the server gives it out, with the demo shop sending: what a newcomer sees in the first
// minute. Nothing is mocked; the bundle tested is the one inside the binary.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { root, Skep, sleep, until } from '../e2e/support.mjs';
import { launch, missing, openPage, options, SETUP } from './browser.mjs';

const SERVICES = ['catalog', 'payments', 'storefront'];
let skep, shop, browser, page;
const bad = [];

before(async () => {
  if (missing) return;
  skep = await Skep.start();
  browser = await launch();
  page = await openPage(browser, bad, { url: skep.url });
}, SETUP);

after(async () => {
  await browser?.close();
  if (shop && shop.exitCode === null) {
    const ended = new Promise((done) => shop.once('exit', done));
    shop.kill('SIGTERM');
    await ended;
  }
  await skep?.done();
}, SETUP);

const params = () => new URL(page.url()).searchParams;

function startShop() {
  shop = spawn(process.execPath, [join(root, 'tests', 'clients', 'node', 'shop.mjs')], {
    env: { ...process.env, OTEL_EXPORTER_OTLP_ENDPOINT: skep.url, SHOP_RPS: '20' }, stdio: ['ignore', 'ignore', 'inherit'],
  });
}

test('the waiting page becomes data by itself', options, async (t) => {
  await page.goto(skep.url);
  await page.getByRole('heading', { name: 'Waiting for the first row' }).waitFor();
  await page.getByText(`OTEL_EXPORTER_OTLP_ENDPOINT=${skep.url}`).first().waitFor();
  const sent = Date.now();
  startShop();
  await page.getByRole('heading', { name: 'All services' }).waitFor();
  t.diagnostic(`from starting the shop to the first picture: ${Date.now() - sent} ms`);
  await page.locator('.heat canvas').first().waitFor();
  await until('the three services', async () => {
    const names = await page.locator('.service-table tbody button').allInnerTexts();
    return SERVICES.every((s) => names.includes(s));
  });
  await page.getByRole('button', { name: 'Last 1 minute' }).waitFor();
  await page.locator('.trace-table tbody tr').first().waitFor();
  const tile = page.locator('.tile-value').first();
  const n = Number((await tile.innerText()).replaceAll(',', ''));
  await until('the count to grow without a hand', async () => Number((await tile.innerText()).replaceAll(',', '')) > n);
});

test('a heatmap is asked for by key, and a cell leads to its trace', options, async () => {
  await page.locator('main').focus();
  await page.keyboard.press('g');
  await page.keyboard.press('q');
  await page.locator('.builder').waitFor();
  await page.keyboard.press('/');
  await page.keyboard.type('serv');
  await page.locator('.option', { hasText: 'service.name' }).first().waitFor();
  await page.keyboard.type('ice.name');
  await until('one field', async () => (await page.locator('.option[aria-selected=true]').innerText()).startsWith('service.name'));
  await page.keyboard.press('Enter');
  await page.locator('.option', { hasText: '!=' }).first().waitFor();
  await page.keyboard.type('= ');
  await page.locator('.option', { hasText: 'storefront' }).waitFor();
  await page.keyboard.type('store');
  await until('the value narrowed', async () => (await page.locator('.option').count()) === 1);
  await page.keyboard.press('Enter');
  await until('the filter', () => params().get('w') === 'service.name = "storefront"');
  assert.deepEqual(params().getAll('c'), ['COUNT', 'HEATMAP(duration_ms)']);
  await until('an answer about one service', async () => (await page.locator('.table tbody tr').count()) === 1);
  await page.locator('.heat canvas').waitFor();

  // A range that is over and whose rows have come: the page and this test ask the same.
  const end = Math.floor(Date.now() / 1e3);
  const range = { start_time: end - 30, end_time: end };
  await sleep(2000);
  const url = new URL(page.url());
  url.search = new URLSearchParams([...params().entries(), ['from', String(range.start_time)], ['to', String(range.end_time)], ['g', '1']]);
  await page.goto(url.href);
  await page.locator('.heat canvas').waitFor();
  const r = await skep.query({
    ...range, granularity: 1, calculations: [{ op: 'HEATMAP', column: 'duration_ms' }], heatmap: { scale: 'log', bins: 48 },
    filters: [{ column: 'service.name', op: '=', value: 'storefront' }],
  });
  // The fullest cell that its count tells from the others of its column.
  const cells = r.totals.series[0].flatMap((bucket, b) => (bucket ?? []).map(([bin, count]) => ({ b, bin, count })));
  const known = cells.filter((c) => !cells.some((d) => d !== c && d.b === c.b && d.count === c.count));
  const most = known.reduce((x, y) => (y.count > x.count ? y : x));
  const heat = page.locator('.heat').first();
  const box = await until('the heatmap stands', () => heat.boundingBox());
  const at = await find(heat, box, r, most);
  await page.mouse.click(at[0], at[1]);
  await page.waitForURL(/\/ui\/trace\/[0-9a-f]{32}/);
  await page.locator('.w-row.on').waitFor();
  const span = params().get('span');
  assert.match(span, /^[0-9a-f]{16}$/);
  const edges = r.heatmaps['HEATMAP(duration_ms)'].edges;
  const id = new URL(page.url()).pathname.split('/').at(-1);
  const trace = await skep.json('GET', `/skep/v1/trace/${id}`);
  const i = trace.rows.span_id.findIndex((s, k) => s === span && trace.rows.kind[k] === 'span');
  const ms = Number(trace.rows.duration_ns[i]) / 1e6;
  assert.ok(ms >= edges[most.bin] && ms < edges[most.bin + 1], `the example lasts ${ms} ms, the cell is ${edges[most.bin]} to ${edges[most.bin + 1]}`);
  assert.equal(trace.services[trace.rows.service[i]], 'storefront');
});

// Walks the pointer over the column of the bucket until the read-out names the count of the cell.
async function find(heat, box, r, cell) {
  const share = (r.times_ms[cell.b] + r.granularity_ms / 2 - r.start_ms) / (r.end_ms - r.start_ms);
  const x = box.x + 62 + Math.min(0.999, share) * (box.width - 70);
  for (let y = box.y + 12; y < box.y + box.height - 26; y += 2) {
    await page.mouse.move(x, y);
    const text = await heat.evaluate((el) => el.querySelector('.readout .near b')?.textContent);
    if (text === String(cell.count)) return [x, y];
  }
  throw new Error(`no cell of ${cell.count} rows at ${r.times_ms[cell.b]}`);
}

test('the waterfall has its panel, folds, and finds a text in a field', options, async () => {
  // Its services send for themselves: one that began three seconds ago is whole.
  const whole = await until('a checkout whose spans have all come', async () => {
    const { traces } = await skep.json('POST', '/skep/v1/traces', { time_range: 600, sort: 'recent', limit: 50, filters: [{ column: 'name', op: '=', value: 'POST /checkout' }] });
    return traces.find((x) => Number(BigInt(x.start_ns) / 1000000n) < Date.now() - 3000 && x.services.some((v) => v.name === 'payments') && x.root?.name === 'POST /checkout');
  });
  await page.goto(`${skep.url}/ui/trace/${whole.trace_id}`);
  await page.locator('.w-row').first().waitFor();
  await page.locator('.sidebar .field').first().waitFor();
  assert.equal(await page.locator('.w-row.on').getAttribute('id'), 'w0');
  assert.match(await page.locator('.facts').innerText(), /Takes\s+[\d.]+ m?s/);
  await page.getByLabel('Filter fields').fill('http.route');
  await until('one field', async () => (await page.locator('.sidebar .field .value').allInnerTexts()).join() === '/checkout');
  const all = await page.locator('.w-row').count();
  await page.locator('.waterfall-rows').focus();
  await page.keyboard.press('ArrowLeft');
  await until('folded', async () => (await page.locator('.w-row').count()) === 1);
  await page.keyboard.press('ArrowRight');
  await until('unfolded', async () => (await page.locator('.w-row').count()) === all);
  await page.keyboard.press('/');
  await page.keyboard.type('v7');
  await until('found', async () => (await page.locator('.w-row.match').count()) > 0);
  await page.keyboard.press('Enter');
  await until('selected', async () => /fraud check/.test((await page.locator('.w-row.on.match').allInnerTexts()).join()));
});

test('a log line opens with its fields and leads into its trace', options, async () => {
  await page.goto(`${skep.url}/ui/logs`);
  const line = page.locator('.line', { hasText: 'order placed' }).first();
  await line.waitFor();
  await until('what the program said beside it', async () => /order\.total_cents=\d+/.test(await line.innerText()));
  await line.locator('.line-head').click();
  await page.locator('.line-detail .field').first().waitFor();
  assert.match(await page.locator('.line-detail').innerText(), /severity\s+info/);
  await page.getByRole('link', { name: 'Open its trace' }).click();
  await page.waitForURL(/\/ui\/trace\/[0-9a-f]{32}/);
  await until('the line among its spans', async () => /order placed/.test((await page.locator('.w-row.on').allInnerTexts()).join()));
});

test('no error was logged and nothing was asked of another host', options, () => {
  assert.deepEqual(bad, []);
});
