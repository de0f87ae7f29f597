// SPDX-License-Identifier: Apache-2.0
// Honeycomb's objects as Terraform makes, reads, changes, imports and drops them; what they refuse; triggers and burn
// alerts that fire, resolve and reach their recipients; SLOs counted against numbers worked out here; the table of
// docs/api/honeycomb.md walked.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { sendShop } from './fixture.mjs';
import { Skep, attributes, root, until } from './support.mjs';

const dir = mkdtempSync(join(tmpdir(), 'skep-e2e-'));
const hooks = [];
let skep, listener, hookUrl;
before(async () => {
  listener = createServer((req, res) => {
    let body = '';
    req.on('data', (d) => { body += d; });
    req.on('end', () => { hooks.push({ path: req.url, headers: req.headers, body }); res.end(); });
  }).listen(0, '127.0.0.1');
  await new Promise((r) => { listener.once('listening', r); });
  hookUrl = `http://127.0.0.1:${listener.address().port}`;
  skep = await Skep.start({ dir });
  await sendShop(skep, 20);
});
after(async () => {
  listener.close();
  await skep.done();
  rmSync(dir, { recursive: true, force: true });
});

const status = async (method, path, body) => (await skep.call(method, path, body)).status;
async function refused(method, path, body, want, field) {
  const r = await skep.call(method, path, body);
  const p = await r.json();
  assert.equal(r.status, want, JSON.stringify(p));
  assert.match(r.headers.get('content-type'), /^application\/problem\+json/);
  assert.equal(p.status, want);
  assert.ok(p.error && p.title && p.type);
  if (field !== undefined) assert.equal(p.type_detail[0].field, field, JSON.stringify(p));
  return p;
}
const hook = (path) => until(`a message at ${path}`, () => hooks.find((h) => h.path === path && !h.seen && (h.seen = true) && h));

// What Terraform does with a resource: create, read, plan again (read), update with what it read, import (read by id, and
// find it in the list), destroy, find it gone.
async function terraform(path, body, change, { list = path, deleted = 204, get = true } = {}) {
  const made = await skep.call('POST', path, body);
  const created = await made.json();
  assert.equal(made.status, 201, JSON.stringify(created));
  assert.match(created.created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  const one = `${path}/${created.id}`;
  const read = async () => (get ? skep.json('GET', one) : (await skep.json('GET', list)).find((x) => x.id === created.id));
  assert.deepEqual(await read(), created);
  const updated = await skep.json('PUT', one, { ...created, ...change });
  assert.equal(updated.id, created.id);
  for (const [k, v] of Object.entries(change)) assert.deepEqual(updated[k], v);
  assert.deepEqual(await read(), updated);
  assert.ok((await skep.json('GET', list)).some((x) => x.id === created.id));
  assert.equal(await status('DELETE', one), deleted);
  if (get) await refused('GET', one, undefined, 404);
  await refused('PUT', one, body, 404);
  await refused('DELETE', one, undefined, 404);
  assert.ok(!(await skep.json('GET', list)).some((x) => x.id === created.id));
  return created;
}

const query = (spec, ds = 'shop') => skep.json('POST', `/1/queries/${ds}`, spec);

test('terraform: markers, as honeymarker sends them, and their colours', async () => {
  const created = await terraform('/1/markers/shop', { start_time: 1700000000, end_time: 1700000060, message: 'deploy 17', type: 'deploy', url: 'https://ci/17' },
    { message: 'deploy 18' }, { get: false, deleted: 200 });
  assert.equal(created.start_time, 1700000000);
  await terraform('/1/marker_settings/__all__', { type: 'deploy', color: '#F96E11' }, { color: '#000000' }, { get: false });
  await skep.json('POST', '/1/marker_settings/__all__', { type: 'deploy', color: '#F96E11' });
  const before = Math.floor(Date.now() / 1000);
  const now = await skep.json('POST', '/1/markers/shop', { message: 'now', type: 'deploy' }, { 'x-honeycomb-team': 'anything' });
  assert.ok(now.start_time >= before && now.start_time <= before + 5);
  assert.equal(now.color, '#F96E11');
  await skep.json('POST', '/1/marker_settings/shop', { type: 'deploy', color: '#112233' });
  assert.equal((await skep.json('GET', '/1/markers/shop')).at(-1).color, '#112233'); // the dataset's own counts first
  await refused('POST', '/1/marker_settings/shop', { type: 'x', color: 'red' }, 422, 'color');
  await refused('POST', '/1/marker_settings/shop', { type: 'deploy', color: '#000000' }, 409);
  await refused('POST', '/1/markers/shop', { start_time: 5, end_time: 4 }, 422, 'end_time');
  await refused('POST', '/1/markers/nope', {}, 404);
});

test('terraform: queries, their names, boards and views', async () => {
  const q = await query({ calculations: [{ op: 'COUNT' }], breakdowns: ['name'], time_range: 7200 });
  const all = await query({ calculations: [{ op: 'COUNT' }] }, '__all__');
  await terraform('/1/query_annotations/shop', { name: 'By name', query_id: q.id }, { description: 'd' });
  const a = await skep.json('POST', '/1/query_annotations/shop', { name: 'By name', query_id: q.id });
  const b = await skep.json('POST', '/1/query_annotations/__all__', { name: 'All', query_id: all.id });
  await refused('PUT', `/1/query_annotations/shop/${a.id}`, { name: 'x', query_id: all.id }, 422, 'query_id');
  await refused('POST', '/1/query_annotations/shop', { name: 'x', query_id: 'nope' }, 422, 'query_id');
  const panel = (n) => ({ type: 'query', query_panel: { query_id: n.query_id, query_annotation_id: n.id, query_style: 'combo', visualization_settings: { charts: [{ chart_type: 'stacked' }] } } });
  const text = { type: 'text', text_panel: { content: '# hello' } };
  const made = await terraform('/1/boards', { name: 'Board', type: 'flexible', panels: [panel(a), panel(b), text], tags: [{ key: 'team', value: 'blue' }] }, { name: 'Other' });
  assert.deepEqual(made.panels.map((p) => [p.position.x_coordinate, p.position.y_coordinate, p.position.width]), [[0, 0, 6], [6, 0, 6], [0, 4, 12]]);
  assert.equal(made.panels[0].query_panel.dataset, 'shop');
  assert.equal(made.panels[1].query_panel.dataset, '');
  assert.match(made.links.board_url, new RegExp(`/ui/boards/${made.id}$`));
  const board = await skep.json('POST', '/1/boards', { name: 'B', type: 'flexible', preset_filters: [{ column: 'name', alias: 'Name' }],
    panels: [{ ...text, position: { x_coordinate: 3, y_coordinate: 1, width: 4, height: 2 } }] });
  assert.deepEqual(board.panels[0].position, { x_coordinate: 3, y_coordinate: 1, height: 2, width: 4 });
  assert.deepEqual((await skep.json('PUT', `/1/boards/${board.id}`, { name: 'B', type: 'flexible' })).preset_filters, board.preset_filters);
  assert.deepEqual((await skep.json('PUT', `/1/boards/${board.id}`, { name: 'B', type: 'flexible', preset_filters: [] })).preset_filters, []);
  const classic = await skep.json('POST', '/1/boards', { name: 'Old', column_layout: 'multi', queries: [{ query_id: q.id, dataset: 'shop' }] });
  assert.equal(classic.type, 'classic');
  await terraform(`/1/boards/${board.id}/views`, { name: 'Errors', filters: [{ column: 'error', operation: '=', value: true }] }, { name: 'E' });
  await skep.json('POST', `/1/boards/${board.id}/views`, { name: 'V', filters: [{ column: 'a', operation: 'in', value: ['x', 1] }] });
  await refused('POST', `/1/boards/${board.id}/views`, { name: 'V', filters: [{ column: 'a', operation: 'exists' }] }, 409);
  await refused('POST', `/1/boards/${board.id}/views`, { name: 'W', filters: [] }, 422, 'filters');
  await refused('POST', `/1/boards/${board.id}/views`, { name: 'W', filters: [{ column: 'a', operation: 'like' }] }, 422, 'filters[0].operation');
  await refused('GET', '/1/boards/nope/views', undefined, 404);
  for (const [body, field] of [
    [{ type: 'flexible' }, 'name'],
    [{ name: 'x', type: 'square' }, 'type'],
    [{ name: 'x'.repeat(256) }, 'name'],
    [{ name: 7 }, 'name'],
    [{ name: 'x', panels: [panel(a), panel(a)] }, 'panels[1].query_panel.query_id'],
    [{ name: 'x', panels: [panel({ query_id: all.id, id: a.id })] }, 'panels[0].query_panel.query_annotation_id'],
    [{ name: 'x', panels: [{ type: 'slo', slo_panel: { slo_id: 'nope' } }] }, 'panels[0].slo_panel.slo_id'],
    [{ name: 'x', panels: [{ type: 'text' }] }, 'panels[0].text_panel'],
    [{ name: 'x', panels: [{ ...text, position: { x_coordinate: 10, width: 4 } }] }, 'panels[0].position'],
    [{ name: 'x', panels: [{ ...text, position: { x_coordinate: 1 } }, text] }, 'panels[1].position'],
    [{ name: 'x', tags: [{ key: 'Team', value: 'b' }] }, 'tags[0]'],
    [{ name: 'x', preset_filters: Array(6).fill({ column: 'a', alias: 'b' }) }, 'preset_filters'],
  ]) await refused('POST', '/1/boards', body, 422, field);
  assert.match((await refused('POST', '/1/boards', '{"name":', 400)).type, /unparseable$/);
  await refused('POST', '/1/boards', [], 400);
});

test('terraform: datasets, definitions, columns, derived columns', async () => {
  const made = await skep.call('POST', '/1/datasets', { name: 'Tf One', description: 'd', expand_json_depth: 2 });
  assert.equal(made.status, 201);
  const d = await made.json();
  assert.equal(d.slug, 'tf-one');
  assert.equal((await skep.json('GET', '/1/datasets/tf-one')).expand_json_depth, 2);
  const set = await skep.json('PUT', '/1/datasets/tf-one', { ...d, description: 'e', expand_json_depth: 0, settings: { delete_protected: true } });
  assert.deepEqual([set.description, set.expand_json_depth, set.settings], ['e', 0, { delete_protected: true }]);
  await refused('DELETE', '/1/datasets/tf-one', undefined, 409);
  await refused('PUT', '/1/datasets/tf-one', { expand_json_depth: 11 }, 422, 'expand_json_depth');
  await skep.json('PUT', '/1/datasets/tf-one', { description: 'e', settings: { delete_protected: false } });
  assert.equal(await status('DELETE', '/1/datasets/tf-one'), 202);
  await refused('GET', '/1/datasets/tf-one', undefined, 404);
  await skep.json('POST', '/v1/traces', { resourceSpans: [{ resource: { attributes: attributes({ 'service.name': 'gone' }) }, scopeSpans: [{ spans: [
    { traceId: 'ab'.repeat(16), spanId: 'cd'.repeat(8), name: 'x', startTimeUnixNano: String(BigInt(Date.now()) * 1000000n), endTimeUnixNano: String(BigInt(Date.now()) * 1000000n) }] }] }] });
  assert.equal(await status('DELETE', '/1/datasets/gone'), 202); // with its rows
  await refused('GET', '/1/datasets/gone', undefined, 404);

  const defs = await skep.json('GET', '/1/dataset_definitions/shop');
  assert.deepEqual(defs.trace_id, { name: 'trace.trace_id', column_type: 'column' });
  assert.deepEqual(defs.route, { name: 'http.route', column_type: 'column' });
  assert.equal(defs.user, null);
  const patched = await skep.json('PATCH', '/1/dataset_definitions/shop', { user: { name: 'n' }, route: { name: '' } });
  assert.deepEqual([patched.user, patched.route], [{ name: 'n', column_type: 'column' }, null]);
  assert.deepEqual(await skep.json('GET', '/1/dataset_definitions/shop'), patched);
  assert.deepEqual((await skep.json('PATCH', '/1/dataset_definitions/shop', { user: null, route: null })).route, defs.route);
  await refused('PATCH', '/1/dataset_definitions/shop', { color: { name: 'n' } }, 422, 'color');

  const path = '/1/columns/shop';
  const col = await skep.call('POST', path, { key_name: 'tf.new', type: 'float', description: 'made' });
  assert.equal(col.status, 201);
  const c = await col.json();
  assert.deepEqual([c.type, c.hidden], ['float', false]);
  assert.deepEqual(await skep.json('GET', `${path}/${c.id}`), c);
  assert.deepEqual(await skep.json('GET', `${path}?key_name=tf.new`), c);
  const hidden = await skep.json('PUT', `${path}/${c.id}`, { key_name: 'tf.new', hidden: true, description: '' });
  assert.deepEqual([hidden.hidden, hidden.type], [true, 'float']);
  await refused('PUT', `${path}/${c.id}`, { key_name: 'other' }, 422, 'key_name');
  await refused('POST', path, { key_name: 'tf.new' }, 409);
  await refused('POST', path, { key_name: 'n' }, 409); // rows have it
  await refused('POST', path, { key_name: 'x', type: 'blob' }, 422, 'type');
  assert.equal(await status('DELETE', `${path}/${c.id}`), 204);
  await refused('GET', `${path}/${c.id}`, undefined, 404);
  const n = await skep.json('GET', `${path}?key_name=n`);
  assert.equal((await skep.json('PUT', `${path}/${n.id}`, { key_name: 'n', description: 'a number', type: 'string' })).type, 'string');
  assert.equal((await skep.json('GET', `${path}?key_name=n`)).description, 'a number');
  assert.equal(await status('DELETE', `${path}/${n.id}`), 204);
  assert.equal((await skep.json('GET', `${path}?key_name=n`)).type, 'integer');

  await terraform('/1/derived_columns/shop', { alias: 'half', expression: 'DIV($duration_ms, 2)' }, { description: 'halves' });
  await terraform('/1/derived_columns/__all__', { alias: 'dc.all', expression: 'LENGTH($name)' }, { alias: 'dc.every' });
  await skep.json('POST', '/1/derived_columns/shop', { alias: 'slow', expression: 'GT($duration_ms, 20)' });
  assert.equal((await skep.json('GET', '/1/derived_columns/shop?alias=slow')).expression, 'GT($duration_ms, 20)');
  await refused('GET', '/1/derived_columns/shop?alias=nope', undefined, 404);
  await refused('POST', '/1/derived_columns/shop', { alias: 'slow', expression: '1' }, 409);
  assert.match((await refused('POST', '/1/derived_columns/shop', { alias: 'x', expression: 'GT($a, ' }, 422, 'expression')).error, /at byte \d+/);
  const r = await skep.query({ dataset: 'shop', calculations: [{ op: 'COUNT' }], breakdowns: ['slow'], filters: [{ column: 'is_root', op: '=', value: true }, { column: 'name', op: '=', value: 'GET /cart' }] });
  assert.deepEqual(r.results?.map((g) => [g.data?.slow ?? g.key?.[0], g.data?.COUNT ?? g.values?.[0]]) ?? r.groups.map((g) => [g.key[0], g.values[0]]), [[false, 11], [true, 9]]);
});

async function webhook(name, more = {}) {
  return skep.json('POST', '/1/recipients', { type: 'webhook', details: { webhook_name: name, webhook_url: `${hookUrl}/${name}`, ...more } });
}

test('terraform: recipients of every kind', async () => {
  await terraform('/1/recipients', { type: 'email', details: { email_address: 'a@example.org' } }, { details: { email_address: 'b@example.org' } });
  await terraform('/1/recipients', { type: 'pagerduty', details: { pagerduty_integration_name: 'pd', pagerduty_integration_key: 'k'.repeat(32) } }, {});
  await terraform('/1/recipients', { type: 'slack', details: { slack_channel: '#alerts' } }, { details: { slack_channel: '#other' } });
  await terraform('/1/recipients', { type: 'slack', details: { slack_channel: '#alerts', webhook_url: `${hookUrl}/slack` } }, {});
  for (const type of ['webhook', 'msteams', 'msteams_workflow']) await terraform('/1/recipients', { type, details: { webhook_name: type, webhook_url: `${hookUrl}/t` } }, {});
  const r = await webhook('twice');
  await refused('POST', '/1/recipients', { type: 'webhook', details: r.details }, 409);
  await refused('PUT', `/1/recipients/${r.id}`, { type: 'email', details: { email_address: 'a@example.org' } }, 422, 'type');
  for (const [body, field] of [
    [{ type: 'carrier-pigeon', details: {} }, 'type'],
    [{ type: 'email', details: {} }, 'details.email_address'],
    [{ type: 'email', details: { email_address: 'nobody' } }, 'details.email_address'],
    [{ type: 'pagerduty', details: { pagerduty_integration_name: 'x', pagerduty_integration_key: 'short' } }, 'details.pagerduty_integration_key'],
    [{ type: 'webhook', details: { webhook_name: 'x' } }, 'details.webhook_url'],
    [{ type: 'webhook', details: { webhook_name: 'x', webhook_url: 'ftp://x' } }, 'details.webhook_url'],
    [{ type: 'webhook', details: { webhook_name: 'x', webhook_url: hookUrl, webhook_headers: [{ header: 'A\r\nB', value: '1' }] } }, 'details.webhook_headers'],
    ...['', 'x'.repeat(201)].map((value) => [{ type: 'webhook', details: { webhook_name: 'x', webhook_url: hookUrl, webhook_headers: [{ header: 'content-TYPE', value }] } }, 'details.webhook_headers']),
    [{ type: 'webhook', details: { webhook_name: 'x', webhook_url: hookUrl, webhook_secret: 'a\nb' } }, 'details.webhook_secret'],
    [{ type: 'webhook', details: { webhook_name: 'x', webhook_url: hookUrl, webhook_payloads: { payload_templates: { trigger: { body: '{{ if .Name }}' } } } } }, 'details.webhook_payloads.payload_templates.trigger.body'],
  ]) await refused('POST', '/1/recipients', body, 422, field);
});

test('a recipient whose place cannot be kept is refused, and is not there', { timeout: 60000 }, async () => {
  const list = () => skep.json('GET', '/1/recipients');
  const silent = await skep.json('POST', '/1/recipients', { type: 'slack', details: { slack_channel: '#full' } }); // it has none
  const before = await list();
  const made = [];
  for (;;) {
    const r = await skep.call('POST', '/skep/v1/notify/places', { name: `full ${made.length}`, kind: 'webhook', target: `${hookUrl}/full` });
    if (!r.ok) break;
    assert.ok(made.length < 500);
    made.push((await r.json()).id);
  }
  await refused('POST', '/1/recipients', { type: 'webhook', details: { webhook_name: 'one more', webhook_url: `${hookUrl}/more` } }, 422);
  await refused('PUT', `/1/recipients/${silent.id}`, { type: 'slack', details: { slack_channel: '#full', webhook_url: `${hookUrl}/slack` } }, 422);
  assert.deepEqual((await list()).map(({ updated_at, ...r }) => r), before.map(({ updated_at, ...r }) => r));
  for (const id of made) assert.ok((await skep.call('DELETE', `/skep/v1/notify/places/${id}`)).ok);
  const one = await skep.json('POST', '/1/recipients', { type: 'webhook', details: { webhook_name: 'one more', webhook_url: `${hookUrl}/more` } });
  for (const r of [one, silent]) assert.equal(await status('DELETE', `/1/recipients/${r.id}`), 204);
});

test('a Slack address is a secret: no trigger, place or entry of the audit log has it; recipients are audited', async () => {
  const secret = 'T000/B000/verysecret';
  const slack_channel = `${hookUrl}/${secret}`;
  const r = await skep.json('POST', '/1/recipients', { type: 'slack', details: { slack_channel } });
  const t = await skep.json('POST', '/1/triggers/shop', trigger({ disabled: true, recipients: [{ type: 'slack', target: slack_channel }] }));
  assert.deepEqual(t.recipients, [{ id: r.id, type: 'slack', target: `${hookUrl}/...` }]);
  assert.deepEqual((await skep.json('PUT', `/1/triggers/shop/${t.id}`, t)).recipients, t.recipients);
  for (const path of ['/1/triggers/shop', '/skep/v1/alerts', '/skep/v1/notify/places']) {
    const text = JSON.stringify(await skep.json('GET', path));
    assert.ok(text.includes(hookUrl) && !text.includes('T000'), `${path}: ${text}`);
  }
  await skep.json('PUT', `/1/recipients/${r.id}`, r);
  assert.equal(await status('DELETE', `/1/triggers/shop/${t.id}`), 204);
  assert.equal(await status('DELETE', `/1/recipients/${r.id}`), 204);
  const mine = (await skep.json('GET', '/skep/v1/audit')).entries.filter((e) => e.on.includes(r.id));
  assert.deepEqual(mine.map((e) => [e.what, e.on]), ['recipient.delete', 'recipient.change', 'recipient.create'].map((what) => [what, `slack ${hookUrl}/... (${r.id})`]));
});

const evaluate = (id) => skep.json('POST', `/skep/v1/alerts/${id}/evaluate`);
const trigger = (more) => ({ name: 'many', query: { calculations: [{ op: 'COUNT' }], filters: [{ column: 'name', op: '=', value: 'GET /cart' }], time_range: 3600 },
  frequency: 900, threshold: { op: '>', value: 5 }, ...more });

test('terraform: triggers, and what they refuse', async () => {
  const r = await webhook('tf');
  const q = await query({ calculations: [{ op: 'P99', column: 'duration_ms' }], time_range: 900 });
  const made = await skep.call('POST', '/1/triggers/shop', trigger({ recipients: [{ id: r.id }] }));
  const t = await made.json();
  assert.equal(made.headers.get('location'), `/1/triggers/shop/${t.id}`);
  assert.deepEqual(t.recipients, [{ id: r.id, type: 'webhook', target: 'tf' }]);
  assert.deepEqual([t.dataset_slug, t.triggered, t.disabled, t.alert_type, t.evaluation_schedule_type, t.threshold.exceeded_limit],
    ['shop', false, false, 'on_change', 'frequency', 1]);
  assert.deepEqual((await skep.json('GET', `/1/recipients/${r.id}/triggers`)).map((x) => x.id), [t.id]);
  await refused('DELETE', `/1/recipients/${r.id}`, undefined, 409);
  assert.equal(await status('DELETE', `/1/triggers/shop/${t.id}`), 204);
  assert.equal(await status('DELETE', `/1/recipients/${r.id}`), 204);
  await terraform('/1/triggers/shop', { ...trigger({ query: undefined, query_id: q.id }), tags: [{ key: 'team', value: 'blue' }] }, { disabled: true });
  await terraform('/1/triggers/__all__', trigger({ evaluation_schedule_type: 'window',
    evaluation_schedule: { window: { days_of_week: ['monday', 'friday'], start_time: '22:00', end_time: '6:30' } } }), { name: 'nightly' });
  const week = { offset_minutes: 10080, type: 'percentage' };
  const withBaseline = await skep.json('POST', '/1/triggers/shop', trigger({ baseline_details: week }));
  assert.deepEqual(withBaseline.baseline_details, week);
  assert.equal((await skep.json('PUT', `/1/triggers/shop/${withBaseline.id}`, { ...withBaseline, baseline_details: {} })).baseline_details, undefined);
  const spec = (s) => trigger({ query: { calculations: [{ op: 'COUNT' }], time_range: 3600, ...s } });
  for (const [body, field] of [
    [trigger({ name: '' }), 'name'],
    [trigger({ threshold: undefined }), 'threshold'],
    [trigger({ threshold: { op: '=', value: 1 } }), 'threshold.op'],
    [trigger({ threshold: { op: '>', value: 1, exceeded_limit: 6 } }), 'threshold.exceeded_limit'],
    [trigger({ frequency: 59 }), 'frequency'],
    [trigger({ frequency: 90 }), 'frequency'],
    [trigger({ query_id: q.id }), 'query'],
    [trigger({ query: undefined }), 'query'],
    [trigger({ query: undefined, query_id: 'nope' }), 'query_id'],
    [spec({ time_range: 3601 }), 'query.time_range'],
    [spec({ time_range: 600 }), 'query.time_range'],
    [spec({ orders: [{ op: 'COUNT', order: 'descending' }] }), 'query.orders'],
    [spec({ limit: 10 }), 'query.limit'],
    [spec({ calculations: [{ op: 'COUNT' }, { op: 'MAX', column: 'n' }] }), 'query.calculations'],
    [spec({ calculations: [{ op: 'HEATMAP', column: 'n' }] }), 'query.calculations'],
    [spec({ calculations: [{ op: 'NOPE' }] }), 'query.calculations[0].op'],
    [trigger({ evaluation_schedule_type: 'window' }), 'evaluation_schedule'],
    [trigger({ evaluation_schedule_type: 'window', evaluation_schedule: { window: { days_of_week: ['someday'], start_time: '10:00', end_time: '11:00' } } }), 'evaluation_schedule.window.days_of_week'],
    [trigger({ evaluation_schedule_type: 'window', evaluation_schedule: { window: { days_of_week: ['monday'], start_time: '25:00', end_time: '11:00' } } }), 'evaluation_schedule.window.start_time'],
    [trigger({ baseline_details: { type: 'value', offset_minutes: 61 } }), 'baseline_details.offset_minutes'],
    [trigger({ recipients: [{ id: 'nope' }] }), 'recipients[0]'],
    [trigger({ recipients: [{ type: 'email', target: 'nobody@example.org' }] }), 'recipients[0]'],
  ]) await refused('POST', '/1/triggers/shop', body, 422, field);
});

test('a trigger fires and resolves, and its recipients hear of it once', async () => {
  const usual = await webhook('usual', { webhook_secret: 's3cret', webhook_headers: [{ header: 'X-Own', value: 'mine' }] });
  const templated = await webhook('templated', { webhook_payloads: { template_variables: [{ name: 'severity', default_value: 'low' }, { name: 'team', default_value: 'blue' }],
    payload_templates: { trigger: { body: '{"n": {{ .Name | quote }}, "s": "{{ .Alert.Status }}", "sev": {{ .Vars.severity | toJson }}, "team": "{{ .Vars.team }}", "g": {{ toJson .Result.GroupsTriggered }} }' } } } });
  const slack = await skep.json('POST', '/1/recipients', { type: 'slack', details: { slack_channel: '#x', webhook_url: `${hookUrl}/slack` } });
  const t = await skep.json('POST', '/1/triggers/shop', trigger({ query: { calculations: [{ op: 'COUNT' }], breakdowns: ['http.response.status_code'],
    filters: [{ column: 'http.response.status_code', op: 'exists' }], time_range: 3600 },
  recipients: [{ id: usual.id }, { id: templated.id, details: { variables: [{ name: 'severity', value: 'high' }] } }, { type: 'slack', target: '#x' }, { type: 'marker', target: 'alert' }] }));
  assert.equal(t.recipients[2].id, slack.id);
  const fired = await evaluate(t.id);
  assert.deepEqual([fired.event, fired.value, fired.met, fired.triggered], ['fired', 16, true, true]);
  assert.deepEqual(fired.detail.groups_triggered, [{ group: [{ key: 'http.response.status_code', value: 200 }], result: 16 }]);
  const u = await hook('/usual');
  assert.equal(u.headers['x-honeycomb-webhook-token'], 's3cret');
  assert.equal(u.headers['x-honeycomb-webhook-delivery-id'], u.headers['webhook-id']);
  assert.equal(u.headers['x-own'], 'mine');
  assert.match(u.headers['webhook-signature'], /^v1,/);
  const body = JSON.parse(u.body);
  assert.deepEqual([body.version, body.name, body.status, body.summary, body.operator, body.threshold, body.id], ['v0.1.0', 'many', 'TRIGGERED', 'Triggered: many', 'greater than', 5, t.id]);
  assert.deepEqual(body.result_groups, [{ Group: { 'http.response.status_code': 200 }, Result: 16 }, { Group: { 'http.response.status_code': 500 }, Result: 4 }]);
  assert.deepEqual(body.result_groups_triggered, [{ Group: { 'http.response.status_code': 200 }, Result: 16 }]);
  assert.deepEqual(JSON.parse((await hook('/templated')).body), { n: 'many', s: 'TRIGGERED', sev: 'high', team: 'blue', g: [{ group: [{ key: 'http.response.status_code', value: 200 }], result: 16 }] });
  assert.match(JSON.parse((await hook('/slack')).body).text, /^\*Triggered: many\*/);
  assert.ok((await skep.json('GET', '/1/markers/shop')).some((m) => m.type === 'alert' && m.message === 'Triggered: many'));
  assert.equal((await skep.json('GET', `/1/triggers/shop/${t.id}`)).triggered, true);
  assert.equal((await evaluate(t.id)).event, ''); // still met: nobody hears of it again
  await skep.json('PUT', `/1/triggers/shop/${t.id}`, { ...t, threshold: { op: '>', value: 100 } });
  const resolved = await evaluate(t.id);
  assert.deepEqual([resolved.event, resolved.triggered], ['resolved', false]);
  assert.equal(JSON.parse((await hook('/usual')).body).status, 'OK');
  const list = await skep.json('GET', `/skep/v1/alerts/${t.id}/evaluations`);
  assert.deepEqual(list.evaluations.map((e) => e.event), ['resolved', '', 'fired']);
  const alerts = await skep.json('GET', '/skep/v1/alerts');
  const mine = alerts.triggers.find((x) => x.object.id === t.id);
  assert.deepEqual([mine.dataset, mine.triggered, mine.last.number], ['shop', false, resolved.number]);
  await skep.json('PUT', `/1/triggers/shop/${t.id}`, { ...t, disabled: true });
  assert.equal(await status('POST', `/skep/v1/alerts/${t.id}/evaluate`), 404); // it is off
  assert.equal(await status('DELETE', `/1/triggers/shop/${t.id}`), 204);
  assert.equal(await status('GET', `/skep/v1/alerts/${t.id}/evaluations`), 404);
});

test('what decides: operators, values that are missing, limits in a row, every time, baselines', async () => {
  const nothing = { calculations: [{ op: 'COUNT' }], filters: [{ column: 'name', op: '=', value: 'never' }], time_range: 3600 };
  const decide = async (more, n = 1) => {
    const t = await skep.json('POST', '/1/triggers/shop', trigger(more));
    const got = [];
    for (let i = 0; i < n; i++) got.push(await evaluate(t.id));
    return got;
  };
  for (const [op, value, met] of [['>', 20, false], ['>=', 20, true], ['<', 20, false], ['<=', 20, true], ['>', 19.5, true], ['<', 20.5, true]]) {
    const [e] = await decide({ threshold: { op, value } });
    assert.deepEqual([e.value, e.met], [20, met], `${op} ${value}`);
  }
  assert.deepEqual((await decide({ query: nothing, threshold: { op: '<', value: 1 } })).map((e) => [e.value, e.met]), [[0, true]]);
  assert.deepEqual((await decide({ query: { ...nothing, calculations: [{ op: 'AVG', column: 'duration_ms' }] }, threshold: { op: '<', value: 1 } })).map((e) => [e.value, e.met]), [[null, false]]);
  assert.deepEqual((await decide({ query: { ...nothing, breakdowns: ['name'] }, threshold: { op: '<', value: 1 } })).map((e) => [e.value, e.met]), [[null, false]]);
  assert.deepEqual((await decide({ threshold: { op: '>', value: 5, exceeded_limit: 3 } }, 4)).map((e) => e.event), ['', '', 'fired', '']);
  assert.deepEqual((await decide({ alert_type: 'on_true' }, 3)).map((e) => e.event), ['fired', 'again', 'again']);
  assert.deepEqual((await decide({ baseline_details: { type: 'value', offset_minutes: 1440 } })).map((e) => [e.value, e.met]), [[20, true]]); // none a day ago
  assert.deepEqual((await decide({ baseline_details: { type: 'percentage', offset_minutes: 1440 } })).map((e) => [e.value, e.met]), [[null, false]]);
  const formula = { calculations: [{ op: 'COUNT', name: 'all' }, { op: 'COUNT', name: 'bad', filters: [{ column: 'http.response.status_code', op: '=', value: 500 }] }],
    formulas: [{ name: 'rate', expression: 'DIV($bad, $all)' }], time_range: 3600 };
  const [f] = await decide({ query: formula, threshold: { op: '>', value: 0.05 } });
  assert.ok(f.met && Math.abs(f.value - 4 / 44) < 1e-9, JSON.stringify(f));
});

test('the group that decides is found among more than an answer holds', async () => {
  const events = Array.from({ length: 10050 }, (_, i) => ({ data: { who: `w${i}`, n: i + 1 } }));
  assert.equal((await skep.call('POST', '/1/batch/crowd', events)).status, 200);
  const query = { calculations: [{ op: 'MIN', column: 'n' }], breakdowns: ['who'], time_range: 3600 };
  const ask = async (more) => evaluate((await skep.json('POST', '/1/triggers/crowd', trigger({ query, ...more }))).id);
  const least = await ask({ threshold: { op: '<', value: 2 } });
  assert.deepEqual([least.met, least.value, least.detail.n_triggered], [true, 1, 1]);
  const most = await ask({ threshold: { op: '>', value: 10049 } });
  assert.deepEqual([most.met, most.value, most.detail.n_triggered], [true, 10050, 1]);
  const change = await ask({ threshold: { op: '>', value: 1 }, baseline_details: { type: 'value', offset_minutes: 1440 } });
  assert.deepEqual([change.met, change.event], [false, '']);
  assert.match(change.error, /10050 groups/);
});

test('an SLI of many values is counted whole, or said to be none', async () => {
  const slo = async (ds) => {
    await skep.json('POST', `/1/derived_columns/${ds}`, { alias: 'sli_n', expression: '$n' });
    const made = await skep.json('POST', `/1/slos/${ds}`, { name: ds, sli: { alias: 'sli_n' }, time_period_days: 1, target_per_million: 990000 });
    return (await skep.json('GET', '/skep/v1/slos')).slos.find((s) => s.object.id === made.id);
  };
  assert.equal((await skep.call('POST', '/1/batch/few', Array.from({ length: 150 }, (_, i) => ({ data: { n: i } })))).status, 200);
  const few = await slo('few');
  assert.deepEqual([few.total, few.good], [150, 149]);
  assert.match((await slo('crowd')).error, /10050 values/);
});

test('SLOs: counts, budgets, burn alerts', async () => {
  const nowS = Math.floor(Date.now() / 1000);
  // Weighted events of a dataset of its own: 10 each minute over three hours, one in ten bad, one in ten not counted; each
  // stands for two. In the last half hour half of them are bad.
  const spans = [];
  const want = { total: 0, good: 0 };
  for (let m = 1; m <= 180; m++) {
    for (let k = 0; k < 10; k++) {
      const counted = k !== 9;
      const bad = m <= 30 ? k < 5 : k === 0;
      const ns = BigInt(nowS - m * 60 + k) * 1000000000n;
      spans.push({ traceId: (m * 16 + k).toString(16).padStart(32, 'c'), spanId: (m * 16 + k).toString(16).padStart(16, 'd'), name: 'r', startTimeUnixNano: String(ns), endTimeUnixNano: String(ns + 1000n),
        attributes: attributes({ code: bad ? 500 : 200, probe: !counted, sampleRate: 2 }) });
      if (counted) want.total += 2;
      if (counted && !bad) want.good += 2;
    }
  }
  await skep.json('POST', '/v1/traces', { resourceSpans: [{ resource: { attributes: attributes({ 'service.name': 'api' }) }, scopeSpans: [{ spans }] }] });
  await skep.json('POST', '/1/derived_columns/api', { alias: 'sli.ok', expression: 'IF(EQUALS($probe, false), LT($code, 500))' });
  const body = { name: 'up', sli: { alias: 'sli.ok' }, time_period_days: 7, target_per_million: 700000, tags: [{ key: 'team', value: 'blue' }] };
  await terraform('/1/slos/api', body, { name: 'down', target_per_million: 990000 });
  const slo = await skep.json('POST', '/1/slos/api', body);
  assert.deepEqual(slo.dataset_slugs, ['api']);
  const d = await skep.json('GET', `/1/slos/api/${slo.id}?detailed`);
  const near = (a, b) => assert.ok(Math.abs(a - b) < 1e-6, `${a} is not ${b}`);
  near(d.compliance, 100 * want.good / want.total);
  near(d.budget_remaining, 100 * (1 - (want.total - want.good) / (want.total * 0.3)));
  assert.equal((await skep.json('GET', `/1/slos/api/${slo.id}`)).compliance, undefined);
  // Minute by minute, hour by hour, and the burn-down: the same events.
  const hours = await skep.json('GET', `/1/slos/api/${slo.id}/counts/history?start_time=${nowS - 4 * 3600}&end_time=${nowS}`);
  assert.equal(hours.buckets.reduce((a, b) => a + b.total_count, 0), want.total);
  assert.equal(hours.buckets.reduce((a, b) => a + b.error_count, 0), want.total - want.good);
  const start = nowS - 7200 - (nowS % 60);
  const minutes = await skep.json('GET', `/1/slos/api/${slo.id}/counts?start_time=${start}&end_time=${start + 600}`);
  assert.equal(minutes.windows.length, 10);
  for (const w of minutes.windows) assert.deepEqual([w.total_count, w.error_count, w.is_partial], [18, 2, false]);
  const burn = await skep.json('GET', `/skep/v1/slos/${slo.id}/burn?steps=100`);
  assert.deepEqual([burn.total, burn.good], [want.total, want.good]);
  near(burn.steps.at(-1).budget_remaining, d.budget_remaining);
  near(burn.steps[0].budget_remaining, 100);
  const history = await skep.json('POST', '/1/reporting/slos/historical', { ids: [slo.id, 'unknown'], start_time: nowS - 86400, end_time: nowS });
  near(history[slo.id][0].compliance, d.compliance);
  assert.deepEqual(history.unknown, []);
  // A reset forgets what was before it.
  const reset = new Date((nowS - 1800) * 1000).toISOString();
  await skep.json('PUT', `/1/slos/api/${slo.id}`, { ...body, reset_at: reset });
  near((await skep.json('GET', `/1/slos/api/${slo.id}?detailed`)).compliance, 100 * 4 / 9);
  await skep.json('PUT', `/1/slos/api/${slo.id}`, { ...body, reset_at: '1970-01-01T00:00:00Z' });
  // Both kinds of burn alerts, at their thresholds.
  const r = await webhook('burn', { webhook_payloads: { payload_templates: { budget_rate: { body: '{"slo": "{{ .SLO.Name }}", "left": {{ .BudgetRemaining }}, "s": "{{ .Alert.Status }}"}' } } } });
  const alert = (more) => ({ slo: { id: slo.id }, recipients: [{ id: r.id }], ...more });
  await terraform('/1/burn_alerts/api', alert({ alert_type: 'exhaustion_time', exhaustion_minutes: 120 }), { exhaustion_minutes: 60 }, { list: `/1/burn_alerts/api?slo_id=${slo.id}` });
  const fellBy = await skep.json('POST', '/1/burn_alerts/api', alert({ alert_type: 'budget_rate', budget_rate_window_minutes: 60, budget_rate_decrease_threshold_per_million: 1 }));
  const fast = await evaluate(fellBy.id);
  assert.equal(fast.event, 'fired');
  const before = { total: 18 * 120, good: 16 * 120 }; // what was an hour ago
  const left = (c) => 100 * (1 - (c.total - c.good) / (c.total * 0.3));
  assert.ok(Math.abs(fast.value - (left(before) - d.budget_remaining) * 1e4) < 2e4, `${fast.value}`);
  const message = JSON.parse((await hook('/burn')).body);
  assert.deepEqual([message.slo, message.s], ['up', 'TRIGGERED']);
  near(message.left, fast.detail.budget_remaining);
  const never = await skep.json('POST', '/1/burn_alerts/api', alert({ alert_type: 'budget_rate', budget_rate_window_minutes: 60, budget_rate_decrease_threshold_per_million: 1000000 }));
  assert.equal((await evaluate(never.id)).met, false);
  const soon = await skep.json('POST', '/1/burn_alerts/api', alert({ exhaustion_minutes: 240 }));
  const e = await evaluate(soon.id);
  assert.equal(e.met, true, JSON.stringify(e));
  assert.ok(e.value > 0 && e.value < 240);
  const exhausted = await skep.json('POST', '/1/burn_alerts/api', alert({ exhaustion_minutes: 0 }));
  assert.equal((await evaluate(exhausted.id)).met, false);
  await skep.json('PUT', `/1/slos/api/${slo.id}`, { ...body, target_per_million: 999999 });
  assert.equal((await evaluate(exhausted.id)).met, true);
  assert.equal((await skep.json('GET', `/1/slos/api/${slo.id}?detailed`)).status, 'exhausted');
  await refused('DELETE', `/1/derived_columns/api/${(await skep.json('GET', '/1/derived_columns/api?alias=sli.ok')).id}`, undefined, 409);
  for (const [b, field] of [
    [alert({ alert_type: 'budget_rate', budget_rate_window_minutes: 60 }), 'budget_rate_decrease_threshold_per_million'],
    [alert({ alert_type: 'exhaustion_time', exhaustion_minutes: 1, budget_rate_window_minutes: 60 }), 'budget_rate_window_minutes'],
    [alert({ alert_type: 'budget_rate', budget_rate_window_minutes: 59, budget_rate_decrease_threshold_per_million: 1 }), 'budget_rate_window_minutes'],
    [{ slo: { id: 'nope' }, recipients: [], exhaustion_minutes: 1 }, 'slo.id'],
  ]) await refused('POST', '/1/burn_alerts/api', b, 422, field);
  await refused('GET', '/1/burn_alerts/api', undefined, 422, 'slo_id');
  for (const [b, field] of [
    [{ ...body, sli: { alias: 'nope' } }, 'sli.alias'],
    [{ ...body, target_per_million: 1000000 }, 'target_per_million'],
    [{ ...body, time_period_days: 0 }, 'time_period_days'],
    [{ ...body, dataset_slugs: ['shop'] }, 'dataset_slugs[0]'],
    [{ ...body, reset_at: 'yesterday' }, 'reset_at'],
  ]) await refused('POST', '/1/slos/api', b, 422, field);
  // An SLO over two datasets adds them up.
  await skep.json('POST', '/1/derived_columns/__all__', { alias: 'sli.all', expression: 'NOT(EQUALS($http.response.status_code, 500))' });
  const both = await skep.json('POST', '/1/slos/__all__', { ...body, sli: { alias: 'sli.all' }, dataset_slugs: ['shop', 'db'] });
  const reports = await skep.json('GET', '/skep/v1/slos');
  const sum = reports.slos.find((x) => x.object.id === both.id);
  assert.equal(sum.total - sum.good, 4);
  assert.equal(await status('DELETE', `/1/slos/api/${slo.id}`), 204); // with its burn alerts
  await refused('GET', `/1/burn_alerts/api/${soon.id}`, undefined, 404);
});

test('service map', async () => {
  const made = await skep.json('POST', '/1/maps/dependencies/requests?limit=10', { time_range: 3600, filters: [{ name: 'db', type: 'service' }] });
  assert.equal(made.status, 'ready');
  const page = await skep.json('GET', `/1/maps/dependencies/requests/${made.request_id}?page[size]=1`);
  assert.deepEqual(page.dependencies, [{ parent_node: { name: 'shop', type: 'service' }, child_node: { name: 'db', type: 'service' }, call_count: 20 }]);
  assert.equal(page.links.next, null);
  await refused('POST', '/1/maps/dependencies/requests', { start_time: 1, end_time: 2, time_range: 3 }, 422, 'time_range');
  await refused('POST', '/1/maps/dependencies/requests?limit=0', {}, 422, 'limit');
  await refused('GET', '/1/maps/dependencies/requests/nope', undefined, 404);
});

test('all of it is there after a restart', async () => {
  const boards = await skep.json('GET', '/1/boards');
  const alerts = await skep.json('GET', '/skep/v1/alerts');
  assert.equal(await skep.stop(), 0);
  skep = await Skep.start({ dir });
  const again = await skep.json('GET', '/1/boards');
  const port = (list) => list.map((b) => ({ ...b, links: undefined }));
  assert.deepEqual(port(again), port(boards));
  const now = await skep.json('GET', '/skep/v1/alerts');
  assert.deepEqual(now.triggers.map((t) => [t.object.id, t.triggered]), alerts.triggers.map((t) => [t.object.id, t.triggered]));
});

test('the table of docs/api/honeycomb.md says what is so', async () => {
  const doc = readFileSync(join(root, 'docs/api/honeycomb.md'), 'utf8');
  const said = new Map();
  for (const line of doc.split('\n')) {
    const m = line.match(/^\| `([A-Z]+) (\/[12]\/\S+)`((?: `[A-Z]+`)*) \| (works|refuses) \|/);
    if (!m) continue;
    for (const method of [m[1], ...(m[3].match(/[A-Z]+/g) ?? [])]) said.set(`${method} ${m[2]}`, m[4]);
  }
  assert.ok(said.size > 70, `${said.size}`);
  const { routes } = await skep.json('GET', '/skep/v1/routes');
  const there = new Set(routes.filter((r) => /^\/[12]\//.test(r.path)).map((r) => `${r.method} ${r.path}`));
  for (const [call, what] of said) {
    const [method, path] = call.split(' ');
    const r = await skep.call(method, path.replaceAll(':dataset', 'shop').replaceAll(':slug', 'nope').replaceAll(':team', 'nobody').replace(/:\w+/g, 'nope'),
      ['GET', 'DELETE'].includes(method) ? undefined : {});
    if (what === 'works') {
      assert.ok(there.has(call), `${call} is no route`);
      assert.ok(r.status < 500 && r.status !== 405, `${call}: ${r.status}`);
      if (r.status === 404) assert.ok((await r.json()).error ?? true, call); // of an id, not of a route
    } else {
      assert.ok(!there.has(call), `${call} is a route`);
      assert.equal(r.status, 404, call);
    }
  }
  for (const call of there) assert.ok(said.has(call), `${call} is not in the table`);
});
