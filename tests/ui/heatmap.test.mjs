// SPDX-License-Identifier: Apache-2.0
// The heatmap: drawn cells, read-out, a cell opens an example trace, a region its traces, by keyboard too.

import assert from 'node:assert/strict';
import { params, ui, until } from './support.mjs';

const PATH = '/ui/query?c=HEATMAP(duration_ms)&t=2h';

// Where the canvas has its brightest cells: points to click that are not empty.
const cellPoint = (page) => page.evaluate(() => {
  const c = document.querySelector('.heat canvas');
  const { data, width, height } = c.getContext('2d').getImageData(0, 0, c.width, c.height);
  const dpr = devicePixelRatio;
  for (let y = Math.floor(height / 2); y < height; y++) {
    for (let x = Math.floor(width / 2); x < width; x++) {
      const filled = (dx, dy) => data[((y + dy) * width + x + dx) * 4 + 3] > 0;
      if (filled(0, 0) && filled(2, 0) && filled(0, 2)) return { x: (x + 1) / dpr, y: (y + 1) / dpr };
    }
  }
  return null;
});

ui('clicking a cell opens an example trace with that span in focus', {}, async ({ page, url, mock }) => {
  await page.goto(url + PATH);
  await page.locator('.heat canvas').waitFor();
  const p = await until('cells', () => cellPoint(page));
  await page.locator('.heat').hover({ position: p });
  const readout = await page.locator('.heat .readout').innerText();
  assert.match(readout, /(µs|ms|s) – .*(µs|ms|s)/);
  await page.locator('.heat').click({ position: p });
  await page.waitForURL(/\/ui\/trace\/[0-9a-f]{32}/);
  assert.deepEqual(mock.lastRows.filters.map((f) => f.op), ['exists', '>=', '<']);
  const [, from, to] = mock.lastRows.filters.map((f) => f.value);
  assert.ok(from < to && mock.lastRows.limit === 1);
  assert.ok(Math.abs(mock.lastRows.end_time - mock.lastRows.start_time - 60) < 0.01, 'the time of one cell');
  await page.locator('.w-row.on').waitFor();
  const span = params(page).get('span');
  assert.match(span, /^[0-9a-f]{16}$/);
  const row = mock.data.rows.find((r) => r.fields['trace.span_id'] === span);
  assert.ok(row.fields.duration_ms >= from && row.fields.duration_ms < to, 'the focused span lies in the cell');
  await page.goBack();
  await page.locator('.heat canvas').waitFor();
});

ui('dragging a region offers its traces and a zoom', {}, async ({ page, url }) => {
  await page.goto(url + PATH);
  const box = await page.locator('.heat').boundingBox();
  const drag = async () => {
    await page.mouse.move(box.x + box.width * 0.4, box.y + 30);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.6, box.y + 150, { steps: 4 });
    await page.mouse.up();
  };
  await drag();
  await page.getByRole('menuitem', { name: 'Zoom to this time' }).click();
  await until('zoomed', () => params(page).has('from'));
  await page.goBack();
  await page.locator('.heat canvas').waitFor();
  await drag();
  await page.getByRole('menuitem', { name: 'All traces like this' }).click();
  await page.waitForURL(/\/ui\/traces/);
  const w = params(page).getAll('w');
  assert.match(w[0], /^duration_ms >= [\d.]+/);
  assert.match(w[1], /^duration_ms < [\d.]+/);
  await page.locator('.trace-table tbody tr').first().waitFor();
});

ui('the heatmap is walked and opened by keyboard', {}, async ({ page, url }) => {
  await page.goto(url + PATH);
  await page.locator('.heat canvas').waitFor();
  await page.locator('.heat').focus();
  await page.keyboard.press('ArrowRight');
  await page.locator('.heat .readout').waitFor();
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/ui\/trace\//);
});

ui('fifty thousand cells draw within a frame or two and hovering stays cheap', {}, async ({ page, url, t }) => {
  const times = Array.from({ length: 1000 }, (_, i) => 1.7e12 + i * 1000);
  const edges = Array.from({ length: 61 }, (_, i) => 0.1 * 1.2 ** i);
  const series = times.map((_, i) => Array.from({ length: 50 }, (_, b) => [b + 5, 1 + ((i * 7 + b * 13) % 90)]));
  const result = { type: 'result', complete: true, rows_examined: 10240113, elapsed_ms: 84, warnings: [], start_ms: times[0], end_ms: times[0] + 1e6, granularity_ms: 1000, times_ms: times,
    columns: [{ key: 'HEATMAP(duration_ms)', kind: 'calc', op: 'HEATMAP', field: 'duration_ms' }], groups: [{ key: [], values: [null], series: [series] }],
    totals: { values: [null], series: [series] }, groups_total: 1, heatmaps: { 'HEATMAP(duration_ms)': { edges } } };
  await page.route('**/skep/v1/query*', (route) => route.fulfill({ contentType: 'application/x-ndjson', body: `${JSON.stringify(result)}\n` }));
  await page.goto(url + PATH);
  await until('coverage', async () => (await page.locator('.covers').innerText()) === '10,240,113 rows, 84 ms, complete');
  assert.match(await page.locator('.heat').getAttribute('aria-label'), /50,000 cells/);
  const box = await page.locator('.heat').boundingBox();
  await page.evaluate(() => {
    window.frames_ = [];
    let last = performance.now();
    const f = (now) => { window.frames_.push(now - last); last = now; requestAnimationFrame(f); };
    requestAnimationFrame(f);
  });
  for (let i = 0; i < 60; i++) await page.mouse.move(box.x + 80 + i * 15, box.y + 40 + i * 2);
  const frames = (await page.evaluate(() => window.frames_)).slice(2).sort((a, b) => a - b);
  const p95 = frames[Math.floor(frames.length * 0.95)];
  t.diagnostic(`hover over 50,000 cells: ${frames.length} frames, median ${frames[frames.length >> 1].toFixed(1)} ms, p95 ${p95.toFixed(1)} ms`);
  assert.ok(p95 < 2000, `p95 frame ${p95} ms`); // 17 on an idle machine
});
