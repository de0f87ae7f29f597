// SPDX-License-Identifier: Apache-2.0
// For everyone: names on controls, contrast of the tokens, visible focus, landmarks, the key help,
// the menu's return of focus, and no view that scrolls sideways.

import assert from 'node:assert/strict';
import { DEEP, ORPHAN } from './mock-server.mjs';
import { nameless, paleText, structure } from './a11y.mjs';
import { ui, until } from './support.mjs';

const VIEWS = [
  ['home', '/ui/home?live=0', '.service-table tbody tr'],
  ['query', '/ui/query?c=COUNT&c=HEATMAP(duration_ms)&by=service.name&w=duration_ms+exists&live=0', '.table tbody tr'],
  ['traces', '/ui/traces?live=0', '.trace-table tbody tr'],
  ['trace', `/ui/trace/${ORPHAN}?span=x`, '.w-row'],
  ['logs', '/ui/logs?t=2h', '.line'],
  ['status', '/ui/settings', '.tile'],
  ['keys', '/ui/settings/keys', '[aria-label="All keys"] tbody tr'],
  ['users', '/ui/settings/users', '[aria-label="All users"] tbody tr'],
  ['notify', '/ui/settings/notify', '[aria-label="All places"] tbody tr'],
  ['audit', '/ui/settings/audit', '[aria-label=Entries] tbody tr'],
  ['login', '/ui/home', '.door form', 'out'],
  ['welcome', '/ui/welcome#abc', '.door form'],
];

for (const [name, path, ready, out] of VIEWS) {
  for (const theme of ['dark', 'light']) {
    ui(`${name}, ${theme}: every control has a name, the structure is sound, text has contrast`, { theme, quiet: !out }, async ({ page, url, mock }) => {
      mock.out = Boolean(out); // the browser itself reports each 401
      await page.goto(url + path);
      await page.locator(ready).first().waitFor();
      assert.deepEqual(await page.evaluate(nameless), []);
      assert.deepEqual(await page.evaluate(structure), []);
      assert.deepEqual(await page.evaluate(paleText), []);
    });
  }
}

for (const theme of ['dark', 'light']) {
  ui(`tokens, ${theme}: AA on every surface, 3:1 for graphics`, { theme }, async ({ page, url }) => {
    await page.goto(`${url}/ui/settings`);
    await page.locator('.tile').first().waitFor();
    const low = await page.evaluate(() => {
      const c = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
      const style = getComputedStyle(document.documentElement);
      const lum = (name) => {
        c.fillStyle = style.getPropertyValue(`--${name}`);
        c.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...c.getImageData(0, 0, 1, 1).data].slice(0, 3).map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
      };
      const ratio = (a, b) => Math.max(lum(a) / lum(b), lum(b) / lum(a));
      const bad = [];
      const need = (a, b, least) => ratio(a, b) < least && bad.push(`${a} on ${b}: ${ratio(a, b).toFixed(2)} < ${least}`);
      for (const on of ['bg', 'panel', 'raised', 'hover', 'select']) {
        for (const t of ['text', 'muted']) need(t, on, 4.5);
        need('error', on, on === 'hover' ? 4 : 4.5);
      }
      for (const on of ['bg', 'panel', 'raised']) for (const t of ['link', 'accent']) need(t, on, 4.5);
      for (const on of ['bg', 'panel']) for (const g of ['focus', 'accent-line', 'error']) need(g, on, 3);
      need('on-fill', 'fill', 4.5);
      need('text', 'accent-soft', 4.5);
      need('text', 'error-soft', 4.5);
      return bad;
    });
    assert.deepEqual(low, []);
  });
}

ui('service colours differ from the ground by 3:1, none is red, and they are the same in every view', {}, async ({ page, url }) => {
  const colorOf = async (path, pick) => {
    await page.goto(url + path);
    await page.locator(pick).first().waitFor();
    return page.locator(pick).first().evaluate((el) => getComputedStyle(el).backgroundColor);
  };
  const trace = await colorOf(`/ui/trace/${ORPHAN}`, '.legend-item .dot');
  const home = await colorOf('/ui/home?live=0', '.service-table tr:has-text("cruddur-api") .dot');
  const table = await colorOf('/ui/query?c=COUNT&by=service.name', 'tr:has-text("cruddur-api") .swatch i');
  assert.deepEqual([home, table], [trace, trace]);
  for (const c of await page.locator('.swatch i').evaluateAll((list) => list.map((el) => getComputedStyle(el).backgroundColor))) {
    const [r, g, b] = c.match(/\d+/g).map(Number);
    assert.ok(!(r > 1.6 * g && r > 1.6 * b), `${c} looks like an error`);
    const lin = [r, g, b].map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    assert.ok((0.2126 * lin[0] + 0.7152 * lin[1] + 0.0722 * lin[2] + 0.05) / 0.062 > 3, `${c} is too dark on the panel`);
  }
});

ui('keys: ? shows them, Escape closes, focus returns; every view has its key', {}, async ({ page, url }) => {
  await page.goto(`${url}/ui/home?live=0`);
  await page.locator('.service-table tbody tr').first().waitFor();
  await page.keyboard.press('?');
  await page.getByRole('dialog', { name: 'Keys' }).waitFor();
  await page.keyboard.press('Escape');
  await until('closed', async () => (await page.getByRole('dialog').count()) === 0);
  for (const [key, path] of [['q', 'query'], ['t', 'traces'], ['l', 'logs'], ['s', 'settings'], ['h', 'home']]) {
    await page.keyboard.press('g');
    await page.keyboard.press(key);
    await until(`g ${key}`, () => new URL(page.url()).pathname === `/ui/${path}`);
  }
});

ui('focus is visible on everything one can tab to, and the menu gives it back', {}, async ({ page, url }) => {
  await page.goto(`${url}/ui/query?c=COUNT&by=service.name&w=duration_ms+exists`);
  await page.locator('.table tbody tr').first().waitFor();
  const hidden = [];
  for (let i = 0; i < 40; i++) {
    await page.keyboard.press('Tab');
    const seen = await page.evaluate(() => {
      const el = document.activeElement;
      if (el === document.body) return 'end';
      const s = getComputedStyle(el);
      const ring = parseFloat(s.outlineWidth) > 0 && s.outlineStyle !== 'none';
      const boxed = el.closest('.clause-box') && getComputedStyle(el.closest('.clause-box')).borderColor !== getComputedStyle(document.querySelector('.panel')).borderColor;
      return ring || boxed ? '' : el.outerHTML.slice(0, 100);
    });
    if (seen === 'end') break;
    if (seen) hidden.push(seen);
  }
  assert.deepEqual(hidden, []);
  const value = page.locator('.table tbody .value').first();
  await value.focus();
  await page.keyboard.press('Enter');
  await page.getByRole('menu').waitFor();
  await page.keyboard.press('Escape');
  assert.ok(await value.evaluate((el) => el === document.activeElement));
});

ui('a narrow window works and the policy of the server is kept', { size: { width: 480, height: 800 } }, async ({ page, url }) => {
  for (const path of ['/ui/home?live=0', '/ui/query?c=COUNT&by=service.name', `/ui/trace/${DEEP}`, '/ui/logs?t=2h', '/ui/settings']) {
    const res = await page.goto(url + path);
    assert.match(res.headers()['content-security-policy'], /default-src 'none'/);
    await page.locator('.view').waitFor();
    assert.deepEqual(await page.evaluate(() => (document.documentElement.scrollWidth > innerWidth ? [`page ${document.documentElement.scrollWidth}`] : [])), []);
  }
});

ui('an address that is no view says so', {}, async ({ page, url }) => {
  await page.goto(`${url}/ui/nonsense`);
  await page.getByRole('heading', { name: 'There is no such page' }).waitFor();
});
