// SPDX-License-Identifier: Apache-2.0
// A real browser with the stock web SDK, on a page of another origin: preflight, export, answer.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { root, Skep, until } from './support.mjs';

const folder = join(root, 'tests', 'clients', 'browser');
const require = createRequire(join(folder, 'package.json'));
const { chromium } = require('playwright-core');
const esbuild = require('esbuild');

let skep, site, browser, page, requests;
before(async () => {
  const bundle = (await esbuild.build({
    entryPoints: [join(folder, 'app.js')], bundle: true, write: false, format: 'iife', logLevel: 'error',
  })).outputFiles[0].text;
  site = createServer((req, res) => {
    res.setHeader('content-type', req.url === '/app.js' ? 'text/javascript' : 'text/html');
    res.end(req.url === '/app.js' ? bundle : '<!doctype html><title>shop</title><script src="/app.js"></script>');
  });
  await new Promise((r) => site.listen(0, '127.0.0.1', r));
  skep = await Skep.start();
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync'],
  });
  page = await browser.newPage();
  requests = [];
  page.on('response', (r) => requests.push({ method: r.request().method(), url: r.url(), status: r.status() }));
  await page.goto(`http://127.0.0.1:${site.address().port}/`);
});
after(async () => {
  await browser?.close();
  site?.close();
  await skep?.done();
});

for (const protocol of ['json', 'proto']) {
  test(`web SDK, ${protocol}, cross-origin`, async () => {
    const traceId = await page.evaluate(([p, url]) => window.send(p, url), [protocol, skep.url]);
    const trace = await until('the trace', async () => {
      const r = await skep.call('GET', `/skep/v1/trace/${traceId}`);
      return r.status === 200 ? r.json() : null;
    });
    assert.deepEqual(trace.rows.name, ['click on buy', 'fetch /cart']);
    assert.deepEqual(trace.rows.error, [false, true]);
    assert.deepEqual(trace.services, [`browser-${protocol}`]);
    assert.ok(requests.some((r) => r.url === `${skep.url}/v1/traces` && r.method === 'POST' && r.status === 200));
  });
}

test('a page of another origin reads nothing', async () => {
  const blocked = await page.evaluate(async (url) => {
    try {
      const r = await fetch(`${url}/skep/v1/status`);
      return `read ${r.status}`;
    } catch (e) {
      return e.name;
    }
  }, skep.url);
  assert.equal(blocked, 'TypeError');
  const direct = await skep.call('GET', '/skep/v1/status', undefined, { origin: 'http://evil.example' });
  assert.equal(direct.status, 403);
});
