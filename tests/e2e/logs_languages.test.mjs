// SPDX-License-Identifier: Apache-2.0
// Filter patterns on the page's endpoints: what they select is compared with predicates written
// down in JavaScript, over random messages of many shapes.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Skep, nowNs } from './support.mjs';

let skep;
const messages = [];
let seed = 12345;
const rnd = (n) => ((seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) >>> 8) % n;
const pick = (list) => list[rnd(list.length)];

function message(i) {
  const status = pick([200, 204, 404, 410, 500]);
  const path = pick(['/api/cart', '/api/user/7', '/health', '/x.html']);
  switch (rnd(5)) {
    case 0: return `${pick(['ERROR', 'WARN', 'INFO'])} ${pick(['db timeout', 'health check', 'UNAUTHORIZED user-42'])} n=${i}`;
    case 1: return JSON.stringify({ level: pick(['error', 'info']), status, path, ms: rnd(2000) / 4, user: pick([{ id: rnd(3) }, null, undefined]), tags: [pick(['a', 'b']), 'c'], ok: rnd(2) === 0, body: 'inner' });
    case 2: return `10.0.0.${rnd(4)} - frank [10/Oct/2000:13:55:36 -0700] "GET ${path} HTTP/1.0" ${status} ${rnd(3000)}`;
    case 3: return JSON.stringify({ level: 'error', text: `say "${pick(['hi', 'ho'])}" \n \\ é`, status: String(status) }, null, 2);
    default: return pick(['', ' ', '{"level":', 'plain line with no meaning', '[1,2]']) + (rnd(2) ? ` n=${i}` : '');
  }
}

const logs = (items) => ({ resourceLogs: [{ resource: { attributes: [{ key: 'service.name', value: { stringValue: 'lines' } }] },
  scopeLogs: [{ scope: {}, logRecords: items.map(({ at, text, i }) => ({ timeUnixNano: String(at), body: { stringValue: text },
    attributes: [{ key: 'n', value: { intValue: String(i) } }, ...(i % 3 === 0 ? [{ key: 'body', value: { stringValue: 'an attribute called like the message ERROR' } }] : [])] })) }] }] });

before(async () => {
  skep = await Skep.start();
  const at = nowNs() - 600_000_000_000n;
  for (let i = 0; i < 3000; i++) messages.push(message(i));
  for (let i = 0; i < messages.length; i += 1000)
    await skep.json('POST', '/v1/logs', logs(messages.slice(i, i + 1000).map((text, k) => ({ at: at + BigInt(i + k) * 1000000n, text, i: i + k }))));
});
after(() => skep.done());

const object = (m) => { try { const v = JSON.parse(m); return v && typeof v === 'object' && !Array.isArray(v) ? v : null; } catch { return null; } };
const json = (f) => (m) => { const v = object(m); return v !== null && f(v); };
const num = (v, f) => typeof v === 'number' && f(v);
function pieces(m) {
  const out = [];
  const re = /"([^"]*)"|\[([^\]]*)\]|(\S+)/y;
  for (let at = 0; at < m.length;) {
    if (/\s/.test(m[at])) { at++; continue; }
    re.lastIndex = at;
    const x = re.exec(m);
    out.push(x[1] ?? x[2] ?? x[3]);
    at = re.lastIndex;
  }
  return out;
}
const fields = (n, f) => (m) => { const p = pieces(m); return p.length >= n && f(p); };
const scalar = (v) => v !== null && v !== undefined && typeof v !== 'object';

const patterns = {
  'ERROR': (m) => m.includes('ERROR'),
  'ERROR timeout': (m) => m.includes('ERROR') && m.includes('timeout'),
  '"health check" -ERROR': (m) => m.includes('health check') && !m.includes('ERROR'),
  '-n= -level': (m) => !m.includes('n=') && !m.includes('level'),
  '?timeout ?UNAUTH': (m) => m.includes('timeout') || m.includes('UNAUTH'),
  '%user-[0-9]+%': (m) => /user-[0-9]+/.test(m),
  '%^ERROR|check$%': (m) => /^ERROR|check$/.test(m),
  'WARN %n=\\d*7$%': (m) => m.includes('WARN') && /n=\d*7$/.test(m),
  '{ $.level = "error" }': json((v) => v.level === 'error'),
  '{ $.level = err* && $.status >= 404 }': json((v) => v.level === 'error' && num(v.status, (s) => s >= 404)),
  '{ $.status = 4* }': json((v) => scalar(v.status) && String(v.status).startsWith('4')),
  '{ $.status = "404" || $.ok IS TRUE }': json((v) => v.status === '404' || v.ok === true),
  '{ $.status != 200 }': json((v) => scalar(v.status) && v.status !== 200),
  '{ $.user.id = 1 || $.user IS NULL }': json((v) => v.user?.id === 1 || v.user === null),
  '{ $.user NOT EXISTS }': json((v) => !('user' in v)),
  '{ $.tags[0] = b && $.tags[*] = c }': json((v) => v.tags?.[0] === 'b' && v.tags.includes('c')),
  '{ $.text = "*say \\"hi\\"*" }': json((v) => typeof v.text === 'string' && v.text.includes('say "hi"')),
  '{ $.path = %^/api/[a-z]+$% && ($.ms < 100 || $.ms > 400) }': json((v) => /^\/api\/[a-z]+$/.test(v.path ?? '') && num(v.ms, (x) => x < 100 || x > 400)),
  '{ $.body = inner }': json((v) => v.body === 'inner'),
  '[ip, id, user, at, request, status = 4*, bytes]': fields(7, (p) => p[5].startsWith('4')),
  '[..., request = "*health*", status, bytes > 1500]': fields(3, (p) => p.at(-3).includes('health') && Number(p.at(-1)) > 1500),
  '[w1 = ERROR || w1 = WARN, ..., last]': fields(2, (p) => p[0] === 'ERROR' || p[0] === 'WARN'),
  '[ip = 10.0.0.1 && ip != "x", ...]': fields(1, (p) => p[0] === '10.0.0.1'),
};

test('patterns select what the predicates do', { timeout: 300000 }, async () => {
  for (const [pattern, want] of Object.entries(patterns)) {
    const got = await skep.json('POST', '/skep/v1/rows', { dataset: 'lines', pattern, time_range: 3600, columns: ['n'], limit: 10000, order: 'asc' });
    const expected = messages.map((m, i) => (want(m) ? i : -1)).filter((i) => i >= 0);
    assert.deepEqual(got.rows.map((r) => r.fields.n).sort((a, b) => a - b), expected, pattern);
    assert.ok(expected.length > 0 && expected.length < messages.length, `${pattern} selects something`);
    const counted = await skep.json('POST', '/skep/v1/query', { dataset: 'lines', pattern, time_range: 3600, calculations: [{ op: 'COUNT' }] });
    assert.equal(counted.groups[0].values[0], expected.length, pattern);
  }
});

test('a pattern beside filters; facets; a wrong one', { timeout: 300000 }, async () => {
  const ask = { dataset: 'lines', pattern: 'ERROR', time_range: 3600, filters: [{ column: 'n', op: '<', value: 100 }] };
  const want = messages.filter((m, i) => i < 100 && m.includes('ERROR')).length;
  assert.equal((await skep.json('POST', '/skep/v1/rows', { ...ask, limit: 1000 })).rows.length, want);
  const facets = await skep.json('POST', '/skep/v1/facets', { ...ask, columns: ['n'], selection: { filters: [{ column: 'n', op: '>', value: 50 }] } });
  assert.equal(facets.selected + facets.rest, want);
  const wrong = await skep.call('POST', '/skep/v1/rows', { dataset: 'lines', pattern: '{ $.a > }', time_range: 60 });
  assert.equal(wrong.status, 422);
  assert.deepEqual(await wrong.json(), { error: 'a value is expected here', field: 'pattern', at: 8, end: 9 });
  assert.equal((await skep.call('GET', '/skep/v1/tail?pattern=%22x')).status, 422);
  assert.equal((await skep.call('POST', '/1/queries/lines', { pattern: 'x' })).status, 422, "Honeycomb's API has no such member");
});

test('matches and does-not-match', { timeout: 300000 }, async () => {
  const count = async (op, value, column = 'meta.message') => (await skep.json('POST', '/skep/v1/query', { dataset: 'lines', time_range: 3600, filters: [{ column, op, value }], calculations: [{ op: 'COUNT' }], disable_series: true })).totals.values[0];
  const want = messages.filter((m) => /ERROR|WARN .*(check|user)/.test(m)).length;
  assert.equal(await count('matches', 'ERROR|WARN .*(check|user)'), want);
  assert.equal(await count('does-not-match', 'ERROR|WARN .*(check|user)'), messages.length - want);
  assert.equal(await count('matches', '(?i)error db'), messages.filter((m) => /error db/i.test(m)).length);
  const wrong = await skep.call('POST', '/skep/v1/rows', { time_range: 60, filters: [{ column: 'a', op: 'matches', value: 'a(?=b)' }] });
  assert.deepEqual([wrong.status, await wrong.json()], [422, { error: 'at byte 1: looking ahead or behind is not supported', field: 'filters[0].value' }]);
  assert.equal((await skep.call('POST', '/1/queries/lines', { filters: [{ column: 'a', op: 'matches', value: 'x' }] })).status, 422, "not in Honeycomb's API");
});

test('a tail with a pattern', { timeout: 300000 }, async () => {
  const res = await skep.call('GET', `/skep/v1/tail?dataset=later&pattern=${encodeURIComponent('{ $.k = 2 }')}`, undefined);
  const send = logs([1, 2, 3].map((k) => ({ at: nowNs(), text: JSON.stringify({ k }), i: k })));
  send.resourceLogs[0].resource.attributes[0].value.stringValue = 'later';
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of res.body) {
    if (text === '') await skep.json('POST', '/v1/logs', send); // the first line says that it listens
    text += decoder.decode(chunk, { stream: true });
    if (text.includes('"n":')) break;
  }
  assert.deepEqual(text.split('\n').filter((l) => l.includes('"n":')).map((l) => JSON.parse(l).fields.n), [2]);
});

test('a delete by pattern', { timeout: 300000 }, async () => {
  const want = messages.filter((m) => m.includes('health check')).length;
  const gone = await skep.json('POST', '/skep/v1/delete', { dataset: 'lines', pattern: '"health check"', time_range: 3600, confirm: want });
  assert.deepEqual([gone.deleted, gone.rows], [true, want]);
  assert.equal((await skep.json('POST', '/skep/v1/rows', { dataset: 'lines', pattern: '"health check"', time_range: 3600 })).rows.length, 0);
});
