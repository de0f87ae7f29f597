// SPDX-License-Identifier: Apache-2.0
//
// One request, two tracers, in the page against the built server: said above the view, counted once,
// both with the switch, which the address keeps.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { hex, nowNs, otlpTraces, Skep } from '../e2e/support.mjs';
import { launch, missing, openPage, options, SETUP, shooter } from './browser.mjs';

const N = 5;

let skep, browser, page;
const bad = [];
const shot = shooter(() => page);
const note = () => page.locator('.top-note');
const toggle = () => page.getByRole('switch', { name: "X-Ray's reports too" });

before(async () => {
  if (missing) return;
  skep = await Skep.start();
  const at = nowNs() - 60_000_000_000n;
  const spans = Array.from({ length: N }, (_, i) => ({ traceId: hex(32), spanId: hex(16), name: 'GET /x', kind: 2, startNs: at + BigInt(i) * 1000000n, endNs: at + BigInt(i) * 1000000n + 10000000n }));
  await skep.json('POST', '/v1/traces', otlpTraces('backend', spans));
  const segment = (s) => JSON.stringify({ name: 'backend', id: hex(16), trace_id: `1-${s.traceId.slice(0, 8)}-${hex(24)}`, start_time: Number(s.startNs) / 1e9, end_time: Number(s.endNs) / 1e9 });
  await skep.json('POST', '/TraceSegments', { TraceSegmentDocuments: spans.map(segment) });
  await skep.json('POST', '/v1/traces', otlpTraces('quiet', [{ ...spans[0], traceId: hex(32), spanId: hex(16) }]), { 'x-skep-environment': 'default' });
  browser = await launch();
  page = await openPage(browser, bad, { url: skep.url });
}, SETUP);

after(async () => {
  await browser?.close();
  await skep?.done();
}, SETUP);

test('counted once, with a note; twice with the switch, which links keep', options, async () => {
  await page.goto(`${skep.url}/ui/traces?live=0`);
  await note().getByText('Also reported by X-Ray: backend.').waitFor();
  const traces = () => page.locator('tbody tr').count();
  await page.locator('tbody tr').nth(N).waitFor();
  assert.equal(await traces(), N + 1);
  await shot('tracers-once');
  await toggle().click();
  await page.locator('tbody tr').nth(2 * N).waitFor();
  assert.equal(await traces(), 2 * N + 1);
  assert.equal(await toggle().getAttribute('aria-checked'), 'true');
  await note().getByText('is here twice').waitFor();
  await shot('tracers-both');

  await page.getByRole('link', { name: 'Query' }).click();
  await page.waitForURL(/\/ui\/query.*tracers=all/);
  const total = page.locator('tr', { hasText: 'backend' }).first();
  await total.getByText(String(2 * N), { exact: true }).first().waitFor();
  await toggle().click();
  await total.getByText(String(N), { exact: true }).first().waitFor();
  assert.doesNotMatch(page.url(), /tracers/);
  await note().getByText('Also reported by X-Ray: backend.').waitFor();

  await page.goto(`${skep.url}/ui/map?tracers=all`); // a link that somebody sent
  assert.equal(await toggle().getAttribute('aria-checked'), 'true');
  await page.goBack();
  await note().getByText('Also reported by X-Ray: backend.').waitFor();
});

test('nothing is said where one tracer reports', options, async () => {
  await page.goto(`${skep.url}/ui/traces?live=0&ds=quiet`);
  await page.locator('tbody tr').first().waitFor();
  await page.goto(`${skep.url}/ui/traces?live=0&from=1795000000&to=1795000600`);
  await page.getByText(/No traces/).first().waitFor();
  assert.equal(await note().count(), 0);
  assert.deepEqual(bad, []);
});
