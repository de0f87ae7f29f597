// SPDX-License-Identifier: Apache-2.0
// Cruddur's page in Chromium: what a person does there works, and one trace runs from the click over the network
// to the SQL statement, recorded by the stock web SDK and by waggle.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Cruddur, pageFolder } from '../e2e/cruddur.mjs';
import { Skep, until } from '../e2e/support.mjs';
import { nameless, paleText, structure } from './a11y.mjs';
import { launch, missing, options, PATIENCE } from './browser.mjs';


let skep, cruddur, browser;
before(async () => {
  if (missing) return;
  skep = await Skep.start();
  cruddur = await Cruddur.start({ args: ['--page', pageFolder, '--page-otlp', skep.url, '--page-headers', 'x-honeycomb-team=any-key'],
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: skep.url, OTEL_BSP_SCHEDULE_DELAY: '50' } });
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await cruddur?.done();
  await skep?.done();
});

// A page that must make no noise on the console.
async function open(url) {
  const page = await browser.newPage();
  page.setDefaultTimeout(PATIENCE);
  page.noise = [];
  page.on('console', (m) => { if (m.type() === 'error' || m.type() === 'warning') page.noise.push(m.text()); });
  page.on('pageerror', (e) => page.noise.push(String(e)));
  await page.goto(url);
  return page;
}
const traceOf = async (name, where) => {
  const { groups } = await skep.query({ time_range: 600, calculations: [{ op: 'COUNT' }], breakdowns: ['trace.trace_id'], filters: [{ column: 'name', op: '=', value: name }, ...where] });
  return groups.map((g) => g.key[0]);
};

test('one trace from the click to the SQL statement', options, async () => {
  const page = await open(cruddur.page);
  await page.getByLabel('What would you like to say?').fill('traced from end to end');
  await page.getByRole('button', { name: 'Crud' }).click();
  await page.locator('.post', { hasText: 'traced from end to end' }).waitFor();
  const rows = await until('the whole trace', async () => {
    const [id] = await traceOf('INSERT activities', []);
    const r = id && await skep.call('GET', `/skep/v1/trace/${id}`);
    if (!r || r.status !== 200) return false;
    const { rows: t, services } = await r.json();
    // The browser sends what has ended, twice a second: its request ends last.
    if (!['submit', 'POST', 'POST /api/activities', 'create-activity', 'view home'].every((name) => t.name.includes(name))) return false;
    assert.deepEqual([...services].sort(), ['backend-flask', 'cruddur-page']);
    return t;
  });
  const chain = [];
  for (let i = rows.name.indexOf('INSERT activities'); i >= 0; i = rows.parent[i]) chain.unshift(i);
  assert.deepEqual(chain.map((i) => rows.name[i]), ['submit', 'POST', 'POST /api/activities', 'create-activity', 'INSERT activities']);
  const [, request, server] = chain;
  // Both have lasted over the backend's pause of 50 ms or more. (Which of them ends last is for the scheduler to say:
  // the server's span ends when it knows that the answer has gone.)
  assert.ok(Number(rows.duration_ns[request]) >= 50e6);
  assert.ok(Number(rows.duration_ns[server]) >= 50e6);
  assert.deepEqual(page.noise, []);
  await page.close();
});

test('page loads are traced', options, async () => {
  const page = await open(`${cruddur.page}/notifications`);
  await page.locator('h1', { hasText: 'Notifications' }).waitFor();
  await until('a span of the load', async () => (await traceOf('documentLoad', [])).length > 0 && (await traceOf('view notifications', [])).length > 0);
  await page.close();
});

test('the views: profile, search, notifications, messages, replies, as somebody else', options, async () => {
  const page = await open(`${cruddur.page}/@worf`);
  await page.locator('h1', { hasText: 'Worf' }).waitFor();
  await page.locator('.post', { hasText: 'prune juice' }).waitFor();
  await page.getByLabel('You are').selectOption('garek');
  await page.getByRole('link', { name: 'Home' }).click();
  const post = page.locator('.post', { hasText: 'prune juice' });
  await post.getByRole('button', { name: 'Reply' }).click();
  await page.getByLabel('Reply to Worf').fill('I can offer tea');
  await page.getByRole('button', { name: 'Send reply' }).click();
  await page.locator('.reply', { hasText: 'I can offer tea' }).waitFor();
  assert.match(await page.locator('.reply', { hasText: 'I can offer tea' }).textContent(), /Garek/);
  await page.getByLabel('You are').selectOption('worf');
  await page.getByRole('link', { name: 'Notifications' }).click();
  await page.locator('.reply', { hasText: 'I can offer tea' }).waitFor();
  await page.getByRole('link', { name: 'Search' }).click();
  await page.getByLabel('Search posts').fill('simple tailor');
  await page.keyboard.press('Enter');
  await page.locator('.post', { hasText: 'simple tailor' }).waitFor();
  assert.match(page.url(), /\/search\?term=simple%20tailor$/);
  await page.reload();
  await page.locator('.post', { hasText: 'simple tailor' }).waitFor();
  await page.getByLabel('Search posts').fill('<b>nothing</b>');
  await page.getByRole('button', { name: 'Search' }).click();
  await page.locator('.none', { hasText: '<b>nothing</b>' }).waitFor();
  await page.goBack();
  await page.locator('.post', { hasText: 'simple tailor' }).waitFor();
  await page.getByRole('link', { name: 'Messages' }).click();
  await page.getByRole('link', { name: /Garek/ }).click();
  await page.getByLabel('Write to garek').fill('about that suit');
  await page.getByRole('button', { name: 'Send' }).click();
  await page.locator('.message.mine', { hasText: 'about that suit' }).waitFor();
  assert.deepEqual(page.noise, []);
  await page.close();
});

test('every view, light and dark, wide and narrow: names, structure, contrast', options, async () => {
  for (const colorScheme of ['light', 'dark']) {
    const page = await browser.newPage({ colorScheme, viewport: { width: 1000, height: 700 } });
    for (const path of ['/', '/@worf', '/notifications', '/search?term=cloud', '/messages', '/messages/@worf', '/nowhere']) {
      await page.goto(cruddur.page + path);
      await page.locator('h1').waitFor();
      const wrong = [...await page.evaluate(nameless), ...await page.evaluate(structure), ...await page.evaluate(paleText)];
      assert.deepEqual(wrong, [], `${path}, ${colorScheme}`);
    }
    await page.setViewportSize({ width: 360, height: 700 });
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'nothing is wider than a phone');
    await page.close();
  }
});

test('what the API refuses is said in words', options, async () => {
  const page = await open(cruddur.page);
  await page.getByRole('button', { name: 'Crud' }).click();
  await page.getByText('Write something first.').waitFor();
  await page.getByLabel('What would you like to say?').fill('x'.repeat(281));
  await page.getByRole('button', { name: 'Crud' }).click();
  await page.getByText('That is too long.').waitFor();
  assert.equal(await page.getByLabel('What would you like to say?').inputValue(), 'x'.repeat(281));
  await page.close();
});

test('without a receiver the page works and sends no trace; with the course\'s CORS a traced page cannot read', options, async () => {
  const course = await Cruddur.start({ args: ['--bootcamp', '--page', pageFolder] });
  const traced = await Cruddur.start({ args: ['--bootcamp', '--page', pageFolder, '--page-otlp', skep.url] });
  try {
    const plain = await open(course.page);
    await plain.locator('.post', { hasText: 'Cloud is very fun!' }).waitFor();
    assert.deepEqual(plain.noise, []);
    await plain.close();
    const page = await open(traced.page);
    await page.getByText('That did not work: Failed to fetch.').waitFor();
    await page.close();
  } finally {
    await course.done();
    await traced.done();
  }
});

test('the page\'s server: types, policy, nothing but its files', options, async () => {
  const get = (path, options) => fetch(cruddur.page + path, options);
  const index = await get('/');
  assert.equal(index.headers.get('content-type'), 'text/html; charset=utf-8');
  assert.match(index.headers.get('content-security-policy'), /default-src 'none'; script-src 'self'/);
  assert.equal((await get('/assets/app.js')).headers.get('content-type'), 'text/javascript; charset=utf-8');
  for (const path of ['/assets/nothing.js', '/..%2f..%2fetc%2fpasswd', '/assets/../../main.c', '/.%2e/%2e./etc/passwd.txt']) assert.equal((await get(path)).status, 404, path);
  assert.equal((await get('/', { method: 'POST', body: 'x' })).status, 405);
  const config = await (await get('/config.json')).json();
  assert.deepEqual([config.otlp, config.headers, config.bootcamp], [skep.url, { 'x-honeycomb-team': 'any-key' }, false]);
});
