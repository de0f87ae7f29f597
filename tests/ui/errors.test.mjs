// SPDX-License-Identifier: Apache-2.0
//
// The errors inbox in the page, against the built server: empty, filled by Rollbar items, worked by
// keys and mouse; an item with its stack, code, reasons, what is different about it, trace and history.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Skep, until } from '../e2e/support.mjs';
import { launch, missing, openPage, options, SETUP, shooter } from './browser.mjs';

let skep, browser, page;
const bad = [];

before(async () => {
  if (missing) return;
  skep = await Skep.start();
  browser = await launch();
  // Rows of other wires have no document (404), a search is refused (400): the browser's console tells of both.
  page = await openPage(browser, bad, { url: skep.url, expected: /status of 40[04]/ });
}, SETUP);

after(async () => {
  await browser?.close();
  await skep?.done();
}, SETUP);

const shot = shooter(() => page);
let n = 0;
async function send(type, k, more = {}) {
  n += 1;
  const r = await skep.call('POST', '/api/1/item/', { data: {
    uuid: `ui-${n}`, timestamp: Date.now() / 1000 - n, environment: 'production', level: 'error', language: 'python', code_version: '1.2',
    notifier: { name: 'pyrollbar', version: '1.3' }, server: { root: '/srv/shop', host: `web-${n % 2}` }, person: { id: `u${n % 3}`, email: `u${n % 3}@example.org` },
    custom: { plan: type === 'KeyError' ? 'pro' : 'free', trace_id: '0102030405060708090a0b0c0d0e0f10' },
    body: { trace: { frames: [
      { filename: '/usr/lib/python3/dist-packages/flask/app.py', lineno: 2525, method: 'wsgi_app', code: 'response = self.full_dispatch_request()' },
      { filename: `/srv/shop/cart${k}.py`, lineno: 30, method: 'total', code: '    return self.rows[key]', context: { pre: ['    def total(self):'], post: ['    # behind'] }, locals: { key: `'k${n}'` } },
    ], exception: { class: type, message: `no row ${n}` } } }, ...more } });
  assert.equal(r.status, 200);
}
const line = (title) => page.locator('.items tbody tr', { has: page.getByRole('link', { name: title }) });

test('nothing yet: what to do', options, async () => {
  await page.goto(`${skep.url}/ui/home`);
  await page.getByRole('link', { name: 'Errors' }).click();
  await page.getByRole('heading', { name: 'No error has come in yet' }).waitFor();
  assert.match(await page.locator('.copyable').first().innerText(), new RegExp(`endpoint='${skep.url}/api/1/'`));
  await shot('errors-empty');
});

test('items with counts, people, a picture of the range; narrowed by words, level, status', options, async () => {
  for (let i = 0; i < 6; i++) await send('KeyError', 1);
  for (let i = 0; i < 3; i++) await send('TypeError', 2, { level: 'warning' });
  await send('OSError', 3, { level: 'critical', environment: 'staging' });
  await page.goto(`${skep.url}/ui/errors?t=1h`);
  await line(/KeyError/).waitFor();
  const cells = await line(/KeyError/).locator('td').allInnerTexts();
  assert.deepEqual(cells.slice(3, 6), ['6', '3', '6']);
  await line(/KeyError/).getByRole('img', { name: '6 occurrences' }).waitFor();
  const search = page.getByRole('combobox', { name: 'Search' });
  await search.fill('CART2');
  await search.press('Enter');
  await until('one line', async () => (await page.locator('.items tbody tr').count()) === 1);
  await search.fill('nothing of it');
  await search.press('Enter');
  await page.getByRole('heading', { name: 'No error is like that' }).waitFor();
  await page.getByRole('button', { name: 'Show all' }).click();
  await page.getByLabel('Level').selectOption('error');
  await until('two lines', async () => (await page.locator('.items tbody tr').count()) === 2);
  await page.getByLabel('Level').selectOption('');
  await page.getByLabel('Where it runs').selectOption('staging');
  await until('one line', async () => (await page.locator('.items tbody tr').count()) === 1);
  assert.match(page.url(), /stage=staging/);
  await shot('errors');
});

test('a search by fields: completed by keys, in the address, a mistake under its place', options, async () => {
  await page.goto(`${skep.url}/ui/errors?t=1h`);
  await line(/KeyError/).waitFor();
  const search = page.getByRole('combobox', { name: 'Search' });
  await search.fill('-cla');
  await page.getByRole('option', { name: /^class:/ }).waitFor();
  await search.press('ArrowDown');
  await search.press('Tab');
  await page.getByRole('option', { name: /^OSError/ }).waitFor();
  await search.pressSequentially('OSE');
  await until('one value', async () => (await page.locator('.errors-search .option').count()) === 1);
  await search.press('Tab');
  assert.equal(await search.inputValue(), '-class:OSError ');
  await search.pressSequentially('version:1.2 level:error');
  await search.press('Escape');
  await search.press('Enter');
  await until('one line', async () => (await page.locator('.items tbody tr').count()) === 1);
  await line(/KeyError/).waitFor();
  assert.equal(new URL(page.url()).searchParams.get('q'), '-class:OSError version:1.2 level:error');
  await page.reload();
  await line(/KeyError/).waitFor();
  assert.equal(await search.inputValue(), '-class:OSError version:1.2 level:error');
  await shot('errors-search');
  await search.fill('env:staging status:active,muted');
  await search.press('Escape');
  await search.press('Enter');
  await line(/OSError/).waitFor();
  assert.ok(await page.getByRole('button', { name: /^Muted/ }).isDisabled(), 'the search says which status');
  await search.fill('env:production level:loud');
  await search.press('Escape');
  await search.press('Enter');
  await page.getByRole('alert').getByText('a level is debug, info').waitFor();
});

test('by keys: walk, choose, resolve; a view\'s key resolves nothing; it comes back', options, async () => {
  await page.goto(`${skep.url}/ui/errors?t=1h&order=total`);
  await line(/KeyError/).waitFor();
  await page.locator('#main').focus();
  await page.keyboard.press('j');
  await page.keyboard.press('x');
  await page.getByText('1 chosen').waitFor();
  await page.keyboard.press('g');
  await page.keyboard.press('e');
  await page.getByRole('button', { name: /^Active/ }).waitFor();
  assert.equal((await skep.json('GET', '/skep/v1/items')).counts.resolved, 0);
  await page.goto(`${skep.url}/ui/errors?t=1h&order=total`);
  await line(/TypeError/).waitFor();
  await page.locator('#main').focus();
  await page.keyboard.press('j');
  await page.keyboard.press('e');
  await line(/TypeError/).waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Resolved 1' }).click();
  await line(/TypeError/).waitFor();
  await send('TypeError', 2);
  await page.getByRole('button', { name: /^Active/ }).click();
  await line(/TypeError/).getByText('came back').waitFor();
});

test('an item: stack with own code open, variables, others folded, why it is here, fields', options, async () => {
  await line(/KeyError/).getByRole('link', { name: /KeyError/ }).click();
  await page.getByRole('heading', { name: /^KeyError: no row/ }).first().waitFor();
  const stack = page.locator('.stack');
  await stack.getByText('return self.rows[key]').waitFor();
  assert.match(await stack.locator('.locals').innerText(), /key\s+'k\d+'/);
  assert.equal(await stack.getByText('wsgi_app').count(), 0);
  await stack.getByRole('button', { name: '1 frame of libraries' }).click();
  await stack.getByText('wsgi_app').waitFor();
  await shot('errors-item');
  await page.getByRole('tab', { name: 'Why it is here' }).click();
  assert.equal(await page.locator('.why pre').innerText(), 'shop/cart1.py|total\nKeyError\n');
  await page.getByRole('tab', { name: 'As it came' }).click();
  await page.locator('.occurrence').getByText('pyrollbar').waitFor();
  await page.getByRole('tab', { name: 'Fields' }).click();
  await page.locator('.occurrence').getByText('custom.plan').first().waitFor();
  await page.getByRole('tab', { name: 'Stack' }).click();
  const href = await page.locator('.occurrence').getByRole('link', { name: 'Trace' }).getAttribute('href');
  assert.match(href, /trace\/0102030405060708090a0b0c0d0e0f10/);
  await page.getByRole('button', { name: 'Older' }).click();
  await until('another occurrence', () => /[?&]o=/.test(page.url()));
});

test('what is different about it: the plan, and not what the fingerprint is made of', options, async () => {
  // So many that chance does not explain it.
  await Promise.all([...Array(40)].map((_, k) => send(k % 2 ? 'KeyError' : 'TypeError', k % 2 ? 1 : 2)));
  await page.reload();
  await page.getByRole('button', { name: 'What is different about it' }).click();
  const cards = page.getByRole('region', { name: 'What is different' }).locator('.different-card');
  await cards.first().waitFor();
  const names = await cards.locator('h3 button').allInnerTexts();
  assert.ok(names.includes('custom.plan'), names.join());
  for (const no of ['error.culprit', 'body', 'exception.type', 'code.file.path']) assert.ok(!names.includes(no), no);
  await shot('errors-different');
  await page.getByRole('button', { name: 'Close the comparison' }).click();
});

test('muted, opened again, level, title, comment, merged, and all of it in the history', options, async () => {
  await page.getByRole('button', { name: 'Mute' }).click();
  await page.getByRole('menuitem', { name: 'For a day' }).click();
  const history = page.locator('.history');
  await history.getByText('active → muted').waitFor();
  await page.getByRole('button', { name: 'Open again' }).click();
  await history.getByText('muted → active').waitFor();
  await page.getByLabel('Level').selectOption('critical');
  await history.getByText('40 → 50').waitFor();
  await page.getByRole('button', { name: 'Change the title' }).click();
  await page.getByLabel('Title').fill('The cart has no such row');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('heading', { name: /The cart has no such row/ }).waitFor();
  await page.getByLabel('Comment').fill('<b>since the deploy</b>');
  await page.getByRole('button', { name: 'Comment' }).click();
  await history.getByText('<b>since the deploy</b>').waitFor();
  const other = (await skep.json('GET', '/skep/v1/items')).items.find((i) => i.title.startsWith('TypeError'));
  await page.goto(`${skep.url}/ui/errors/${other.id}?t=1h`);
  await page.locator('.history summary').click();
  const into = (await skep.json('GET', '/skep/v1/items')).items.find((i) => i.title.startsWith('The cart'));
  await page.getByLabel('Number of the other item').fill(String(into.id));
  await page.getByRole('button', { name: 'Merge', exact: true }).click();
  await page.getByRole('link', { name: 'merged into another item' }).click();
  await page.getByText('with 1 merged item').waitFor();
  await shot('errors-merged');
});

test('where it happens, what happened before it, the person and the request', options, async () => {
  await send('BrowserError', 9, {
    platform: 'browser', environment: 'told', person: { id: 'p-9', username: 'ann', email: 'ann@example.org' },
    client: { javascript: { browser: 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0' } },
    request: { url: 'https://shop.example/cart', method: 'GET', headers: { Referer: 'https://shop.example/' } },
    body: { trace: { frames: [{ filename: 'https://shop.example/app.js', lineno: 1, colno: 2, method: 'pay' }], exception: { class: 'BrowserError', message: 'told' } },
      telemetry: [
        { level: 'info', type: 'navigation', source: 'client', timestamp_ms: Date.now() - 9000, body: { from: '/', to: '/cart' } },
        { level: 'error', type: 'network', source: 'client', timestamp_ms: Date.now() - 1000, body: { method: 'POST', url: '/pay', status_code: 500, start_time_ms: 1000, end_time_ms: 1400 } },
        'no telemetry', { type: 'log', body: { message: '<b>failed</b>' } }] } });
  const item = await until('the item', async () => (await skep.json('GET', '/skep/v1/items?q=env:told')).items[0]);
  await page.goto(`${skep.url}/ui/errors/${item.id}?t=1h`);
  const spread = page.getByRole('region', { name: 'Where it happens' });
  for (const [column, value] of [['user_agent.name', 'Firefox 128'], ['user.id', 'p-9'], ['host.name', 'web-']]) await spread.locator('.different-card', { hasText: column }).getByText(value).waitFor();
  await page.getByRole('tab', { name: 'Before it' }).click();
  const crumbs = page.locator('.crumb');
  await page.locator('.crumb.error').getByText('500').waitFor();
  assert.deepEqual((await crumbs.locator('.text').allInnerTexts()), ['/ → /cart', 'POST /pay → 500 in 400 ms', '', '<b>failed</b>']);
  await page.getByRole('tab', { name: 'Person and request' }).click();
  await page.getByRole('region', { name: 'Person' }).getByText('ann@example.org').waitFor();
  await page.getByRole('region', { name: 'Headers' }).getByText('https://shop.example/').waitFor();
  await shot('errors-told');
});

test('who is told: no place, a place, rules made, refused and dropped', options, async () => {
  await page.goto(`${skep.url}/ui/errors`);
  await page.getByRole('link', { name: 'Who is told' }).click();
  await page.getByRole('heading', { name: 'There is no place to tell it yet' }).waitFor();
  await skep.json('POST', '/skep/v1/notify/places', { name: 'ops', kind: 'webhook', target: 'http://127.0.0.1:9/hook', per_minute: 60 });
  await page.reload();
  const form = page.getByRole('form', { name: 'New rule' });
  await form.getByLabel('What it is sent').selectOption('Rollbar’s payload');
  await form.getByLabel('When').selectOption('rate');
  await form.getByRole('spinbutton', { name: 'Times' }).fill('20');
  await form.getByLabel('Level').selectOption('error');
  await form.getByRole('button', { name: 'Add the rule' }).click();
  await page.getByRole('cell', { name: '20 times within 5 min', exact: true }).waitFor();
  assert.deepEqual((await skep.json('GET', '/skep/v1/item-rules')).rules.map((r) => [r.trigger, r.count, r.window_s, r.level, r.payload]), [['rate', 20, 300, 'error', 'rollbar']]);
  await page.getByRole('cell', { name: 'Rollbar’s payload' }).waitFor();
  await shot('errors-rules');
  await page.getByRole('button', { name: 'Delete the rule: 20 times within 5 min' }).click();
  await page.getByRole('button', { name: 'Yes: Delete the rule: 20 times within 5 min' }).click();
  await page.getByRole('cell', { name: '20 times within 5 min', exact: true }).waitFor({ state: 'detached' });
});

test('how they are grouped: a rule with a look at what it would do, its reason, in another order, gone', options, async () => {
  await page.goto(`${skep.url}/ui/errors`);
  await page.getByRole('link', { name: 'How they are grouped' }).click();
  await page.getByRole('heading', { name: 'No rule' }).waitFor();
  await page.getByRole('button', { name: 'New rule' }).click();
  const form = page.getByRole('form', { name: 'New rule' });
  await form.getByLabel('Name').fill('by plan');
  await form.getByLabel('Value of condition 1').fill('TypeError');
  await form.getByLabel('Fingerprint').fill('{{ class }} of {{ custom.plan }}');
  await form.getByRole('button', { name: 'What would it do?' }).click();
  await page.getByRole('status', { name: 'What it would do' }).getByText(/It holds for \d+ of the last \d+ occurrences: 1 group/).waitFor();
  await page.getByText('TypeError of free').waitFor();
  await shot('errors-grouping');
  await form.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('cell', { name: 'by plan', exact: true }).waitFor();
  await send('TypeError', 2);
  const { items } = await skep.json('GET', '/skep/v1/items');
  const item = items.find((i) => i.fingerprint === 'TypeError of free');
  await page.goto(`${skep.url}/ui/errors/${item.id}?t=1h`);
  await page.getByRole('tab', { name: 'Why it is here' }).click();
  await page.getByText(/By the rule by plan its fingerprint is TypeError of free/).waitFor();
  await page.getByRole('link', { name: 'by plan' }).click();
  await page.getByRole('button', { name: 'Delete the rule: by plan' }).click();
  await page.getByRole('button', { name: 'Yes: Delete the rule: by plan' }).click();
  await page.getByRole('heading', { name: 'No rule' }).waitFor();
});

test('deploys: what came with one; what two wires told of', options, async () => {
  await skep.json('POST', '/api/1/deploy/', { environment: 'production', revision: '4f5ebda0123456789', local_username: 'ann', comment: 'the new cart' });
  const text = (key, stringValue) => ({ key, value: { stringValue } });
  const trace = 'Traceback (most recent call last):\n  File "/srv/shop/cart9.py", line 3, in total\n    x\nLookupError: gone\n';
  const now = `${BigInt(Date.now()) * 1000000n}`;
  await send('LookupError', 9, { timestamp: Date.now() / 1000 + 0.05, code_version: '4f5ebda' });
  assert.equal((await skep.call('POST', '/v1/traces', { resourceSpans: [{
    resource: { attributes: [text('service.name', 'shop'), text('deployment.environment.name', 'production')] },
    scopeSpans: [{ spans: [{ traceId: '0102030405060708090a0b0c0d0e0f10', spanId: '0102030405060709', name: 'GET /', kind: 2, startTimeUnixNano: now, endTimeUnixNano: now,
      events: [{ name: 'exception', timeUnixNano: now, attributes: [text('exception.type', 'LookupError'), text('exception.message', 'gone'), text('exception.stacktrace', trace)] }] }] }],
  }] })).status, 200);
  await page.goto(`${skep.url}/ui/errors?t=1h`);
  await line(/LookupError/).getByText('since 4f5ebda0').waitFor();
  await page.getByLabel('Deploy').selectOption({ label: 'new with 4f5ebda0: 1' });
  await until('one line', async () => (await page.locator('.items tbody tr').count()) === 1);
  await shot('errors-deploy');
  await line(/LookupError/).getByRole('link').click();
  await page.getByText('1 time (1 more report by other wires)').waitFor();
  await page.getByRole('link', { name: /4f5ebda0, by ann/ }).waitFor();
  await page.getByText('Also reported by').waitFor();
  await shot('errors-also');
});

test('by keys: all of them, up to here, merged into the one that happened most', options, async () => {
  for (const k of ['MergeA', 'MergeB', 'MergeC']) await send(k, k);
  await send('MergeB', 'MergeB');
  await page.goto(`${skep.url}/ui/errors?t=1h&q=class:merge&order=first`);
  await until('three lines', async () => (await page.locator('.items tbody tr').count()) === 3);
  await page.locator('#main').focus();
  await page.keyboard.press('a');
  await page.getByText('3 chosen').waitFor();
  await page.keyboard.press('a');
  await page.getByText('Choose all').waitFor();
  await page.keyboard.press('x');
  await page.keyboard.press('j');
  await page.keyboard.press('j');
  await page.keyboard.press('X');
  await page.getByText('3 chosen').waitFor();
  await page.keyboard.press('M');
  await until('one line', async () => (await page.locator('.items tbody tr').count()) === 1);
  await line(/MergeB/).waitFor();
  assert.equal((await skep.json('GET', '/skep/v1/items?q=class:merge')).items[0].total, 4);
});

test('source maps and debug files: none, one, taken away', options, async () => {
  await page.goto(`${skep.url}/ui/errors`);
  await page.getByRole('link', { name: 'Source maps' }).click();
  await page.getByRole('heading', { name: 'There are none yet' }).waitFor();
  const map = { version: 3, sources: ['a.ts'], names: [], mappings: 'AAAA' };
  assert.equal((await skep.call('POST', '/skep/v1/symbols?version=1.2&url=https://shop.example/app.js&title=app.js.map', map)).status, 201);
  await page.reload();
  await page.getByRole('cell', { name: 'shop.example/app.js in 1.2', exact: true }).waitFor();
  await shot('errors-symbols');
  await page.getByRole('button', { name: 'Delete shop.example/app.js in 1.2' }).click();
  await page.getByRole('button', { name: 'Yes: Delete shop.example/app.js in 1.2' }).click();
  await page.getByRole('heading', { name: 'There are none yet' }).waitFor();
});

test('no such item; nothing went wrong on the way', options, async () => {
  await page.goto(`${skep.url}/ui/errors/9999`);
  await page.getByRole('alert').getByText('no such item').waitFor();
  assert.deepEqual(bad, []);
});
