// SPDX-License-Identifier: Apache-2.0
// The embedded page: document, assets, caching, security headers.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Skep } from './support.mjs';

let skep;
before(async () => { skep = await Skep.start(); });
after(() => skep.done());

test('the document, at every address the page makes up', async () => {
  const root = await skep.call('GET', '/');
  assert.equal(root.status, 200);
  assert.match(root.headers.get('content-type'), /^text\/html/);
  const html = await root.text();
  assert.match(html, /<!doctype html>/i);
  for (const path of ['/ui', '/ui/', '/ui/query', '/ui/trace/abc?x=1']) {
    const r = await skep.call('GET', path);
    assert.equal(r.status, 200, path);
    assert.equal(await r.text(), html, path);
  }
  assert.equal((await skep.call('GET', '/ui/assets/gone.js')).status, 404);
  assert.equal((await skep.call('GET', '/favicon.ico')).status, 200);
});

test('security headers', async () => {
  const h = (await skep.call('GET', '/')).headers;
  const csp = h.get('content-security-policy');
  for (const rule of ["default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"]) assert.ok(csp.includes(rule), rule);
  assert.ok(!/script-src[^;]*unsafe/.test(csp));
  assert.equal(h.get('x-content-type-options'), 'nosniff');
  assert.equal(h.get('referrer-policy'), 'no-referrer');
  assert.equal(h.get('x-frame-options'), 'DENY');
});

test('assets are kept for ever, the document is asked for again', async () => {
  const root = await skep.call('GET', '/');
  assert.equal(root.headers.get('cache-control'), 'no-cache');
  const html = await root.text();
  const assets = [...html.matchAll(/(?:src|href)="(\/ui\/assets\/[^"]+)"/g)].map((m) => m[1]);
  assert.ok(assets.length >= 2);
  for (const path of assets) {
    const plain = await skep.call('GET', path, undefined, { 'accept-encoding': 'identity' });
    assert.equal(plain.status, 200);
    assert.equal(plain.headers.get('content-encoding'), null);
    const etag = plain.headers.get('etag');
    assert.match(etag, /^"[^"]+"$/);
    const zipped = await skep.call('GET', path, undefined, { 'accept-encoding': 'gzip' });
    assert.equal(zipped.headers.get('content-encoding'), 'gzip');
    assert.deepEqual(Buffer.from(await zipped.arrayBuffer()), Buffer.from(await plain.arrayBuffer()));
    const same = await skep.call('GET', path, undefined, { 'if-none-match': `"x", W/${etag}` });
    assert.equal(same.status, 304);
    assert.equal((await same.text()).length, 0);
    const wanted = path.endsWith('favicon.svg') ? 'no-cache' : 'public, max-age=31536000, immutable';
    assert.equal(plain.headers.get('cache-control'), wanted, path);
  }
});
