// SPDX-License-Identifier: Apache-2.0
//
// Stored script: rows whose every field is an attack, shown by the page of a real server. Nothing of it may run, and
// nothing of it may even become an element that the Content-Security-Policy then has to stop.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { attributes, hex, nowNs, Skep, until } from '../e2e/support.mjs';
import { launch, missing, options, PATIENCE, SETUP } from './browser.mjs';

const ATTACKS = ['<img src=x onerror="window.ran=1">', '"><script>window.ran=2</script>', '</script><script>window.ran=3</script>', 'javascript:window.ran=4//',
  `' onmouseover='window.ran=5' x='`, '<svg/onload=window.ran=6>', '<iframe srcdoc="<script>parent.ran=7</script>">', '<a href="javascript:window.ran=8">x</a>',
  '<style>*{background:url(/style-ran)}</style>', '</textarea></title></style><img src=x onerror=window.ran=9>', 'data:text/html,<script>parent.ran=10</script>', '\u202e\u0000<b>\u2028'];
const every = (i) => ATTACKS[i % ATTACKS.length];
const traceId = hex(32);
let skep, browser, page;
const bad = [];

function hostile() {
  const start = nowNs() - 10_000_000_000n;
  const fields = Object.fromEntries([...ATTACKS.map((a, i) => [`${a} ${i}`, every(i + 1)]), ...ATTACKS.map((a, i) => [`plain.${i}`, a]),
    ['http.url', 'javascript:window.ran=11'], ['url.full', 'javascript:window.ran=12'], ['http.route', ATTACKS[0]], ['list', ATTACKS]]);
  const spans = ATTACKS.map((a, i) => ({
    traceId, spanId: hex(16), name: a, kind: 2, startTimeUnixNano: String(start + BigInt(i) * 1000000n), endTimeUnixNano: String(start + 900000000n),
    attributes: attributes(fields), status: { code: 2, message: every(i + 3) },
    events: [{ timeUnixNano: String(start), name: every(i + 4), attributes: attributes({ 'exception.type': every(i), 'exception.message': every(i + 1), 'exception.stacktrace': every(i + 2) }) }],
    links: [{ traceId: hex(32), spanId: hex(16), attributes: attributes({ why: every(i + 5) }) }],
  }));
  const id = spans[0].spanId;
  for (const s of spans.slice(1)) s.parentSpanId = id;
  const resource = (i) => ({ attributes: attributes({ 'service.name': every(i), 'host.name': every(i + 1), [every(i + 2)]: every(i + 3) }) });
  return {
    traces: { resourceSpans: spans.map((s, i) => ({ resource: resource(i), scopeSpans: [{ scope: { name: every(i), version: every(i + 1) }, spans: [s] }] })) },
    logs: { resourceLogs: ATTACKS.map((a, i) => ({ resource: resource(i), scopeLogs: [{ scope: { name: every(i) }, logRecords: [
      { timeUnixNano: String(start), severityText: every(i + 1), severityNumber: 17, body: { stringValue: a }, attributes: attributes(fields), traceId, spanId: id }] }] })) },
  };
}

before(async () => {
  skep = await Skep.start();
  const { traces, logs } = hostile();
  await skep.json('POST', '/v1/traces', traces);
  await skep.json('POST', '/v1/logs', logs);
  if (missing) return;
  browser = await launch();
  page = await browser.newPage({ viewport: { width: 1360, height: 860 }, colorScheme: 'dark', reducedMotion: 'reduce' });
  page.setDefaultTimeout(PATIENCE);
  page.on('console', (m) => /Refused to|violates the following/.test(m.text()) && bad.push(`console: ${m.text()}`));
  page.on('dialog', (d) => { bad.push(`dialog: ${d.message()}`); d.dismiss(); });
  page.on('pageerror', (e) => bad.push(`exception: ${e.message}`));
  page.on('request', (r) => (!r.url().startsWith(`${skep.url}/`) && !r.url().startsWith('data:') || /\/x$|style-ran/.test(r.url())) && bad.push(`request: ${r.url()}`));
  await page.addInitScript(() => {
    window.violations = [];
    document.addEventListener('securitypolicyviolation', (e) => window.violations.push(`${e.violatedDirective} ${e.blockedURI}`));
  });
}, SETUP);

after(async () => {
  await browser?.close();
  await skep?.done();
}, SETUP);

async function nothingRan(where) {
  const found = await page.evaluate(() => ({
    ran: window.ran, violations: window.violations,
    elements: [...document.querySelectorAll('img[src="x"], iframe, [onerror], [onload], [onmouseover], [srcdoc]')].map((e) => e.outerHTML.slice(0, 100)),
    scripts: [...document.querySelectorAll('script')].filter((s) => !s.src.startsWith(`${location.origin}/ui/`)).map((s) => s.outerHTML.slice(0, 100)),
    links: [...document.querySelectorAll('a[href], form[action], [formaction]')].map((e) => e.getAttribute('href') ?? e.getAttribute('action') ?? e.getAttribute('formaction')).filter((h) => /^\s*(javascript|data|vbscript):/i.test(h)),
  }));
  assert.deepEqual(found, { ran: undefined, violations: [], elements: [], scripts: [], links: [] }, where);
  assert.deepEqual(bad, [], where);
}

const seen = (text) => page.locator('main').getByText(text).locator('visible=true').first();

// Open a view, wait for a text of the attacks to be shown as text, run the pointer over it.
async function visit(path, shown, act) {
  await page.goto(`${skep.url}${path}`);
  if (shown) await seen(shown).waitFor();
  for (const e of (await page.locator('main button, main a, main tr').all()).slice(0, 12)) await e.hover({ timeout: 200, force: true }).catch(() => {}); // some are out of sight
  await act?.();
  await nothingRan(path);
}

test('home and traces show names as text', options, async () => {
  await visit('/ui/home', ATTACKS[0]);
  await visit('/ui/traces', 'window.ran=');
});

test('a trace, its side panel, events, links and logs', options, async () => {
  await visit(`/ui/trace/${traceId}`, ATTACKS[0], async () => {
    const rows = page.getByText(/window\.ran=|<b>/);
    for (let i = 0; i < Math.min(12, await rows.count()); i++) {
      await rows.nth(i).click({ timeout: 1000 }).catch(() => {}); // some are covered by others
      await nothingRan(`row ${i}`);
    }
  });
});

test('logs and their panel', options, async () => {
  await visit('/ui/logs', ATTACKS[0], async () => {
    await seen(ATTACKS[0]).click();
    await page.getByText('plain.0').locator('visible=true').first().waitFor();
  });
});

test('questions: group by hostile columns, hostile values; addresses made by somebody else', options, async () => {
  await visit(`/ui/query?by=service.name&by=${encodeURIComponent(`${ATTACKS[0]} 0`)}`, 'window.ran=');
  await visit(`/ui/query?by=${encodeURIComponent('plain.0')}&w=${encodeURIComponent(`name = ${JSON.stringify(ATTACKS[1])}`)}`);
  await visit(`/ui/trace/${encodeURIComponent(ATTACKS[0])}`);
  await visit(`/ui/${encodeURIComponent(ATTACKS[4])}?ds=${encodeURIComponent(ATTACKS[0])}&w=${encodeURIComponent(ATTACKS[2])}&t=${encodeURIComponent(ATTACKS[3])}`);
  await visit('/ui/settings');
  await visit('/ui/logs?w=' + encodeURIComponent(ATTACKS[5]));
});

test('the headers that hold a browser back stand on every answer', SETUP, async () => {
  const page_ = await skep.call('GET', '/');
  const policy = page_.headers.get('content-security-policy');
  const directive = (name) => policy.split(';').map((s) => s.trim()).find((s) => s.startsWith(`${name} `));
  assert.equal(directive('script-src'), `script-src 'self'`);
  assert.equal(directive('default-src'), `default-src 'none'`);
  assert.equal(directive('frame-ancestors'), `frame-ancestors 'none'`);
  assert.equal(directive('base-uri'), `base-uri 'none'`);
  assert.equal(directive('form-action'), `form-action 'self'`);
  const html = await page_.text();
  assert.doesNotMatch(html, /<script(?![^>]*\ssrc=)[^>]*>|\son\w+=/i); // no script inline
  const asset = /src="(\/ui\/assets\/[^"]+)"/.exec(html)[1];
  for (const path of ['/', '/ui/home', asset]) {
    const { headers } = await skep.call('GET', path);
    assert.equal(headers.get('x-content-type-options'), 'nosniff', path);
    assert.equal(headers.get('referrer-policy'), 'no-referrer', path);
    assert.equal(headers.get('cross-origin-opener-policy'), 'same-origin', path);
    assert.equal(headers.get('cross-origin-resource-policy'), 'same-origin', path);
    assert.equal(headers.get('x-frame-options'), 'DENY', path);
  }
  for (const path of ['/skep/v1/status', `/skep/v1/trace/${traceId}`, '/metrics', '/nothing', '/1/auth'])
    assert.equal((await skep.call('GET', path)).headers.get('x-content-type-options'), 'nosniff', path);
  await until('the rows', async () => (await skep.json('GET', `/skep/v1/trace/${traceId}`)).rows.id.length > 10);
});
