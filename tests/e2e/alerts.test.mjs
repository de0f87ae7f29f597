// SPDX-License-Identifier: Apache-2.0
// Who is told by triggers: PagerDuty (a receiver that refuses what its Events API v2 would), Teams (one that refuses
// what is no adaptive card), a mailbox, a channel, a webhook. Each message arrives with what its reader needs, after
// failed attempts and a kill -9, and not twice. Recipients are tested and triggers tried before they count.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Skep, hex, nowNs, otlpTraces, root, until } from './support.mjs';

const { SMTPServer } = createRequire(join(root, 'tests/clients/node/package.json'))('smtp-server');
const dir = mkdtempSync(join(tmpdir(), 'skep-e2e-'));
const KEY = '0123456789abcdef0123456789abcdef';
const PUBLIC = 'https://skep.hive.example';
let skep, server, port, mailServer;
// By path: what was taken, all attempts, and how many are to fail first.
const places = {};
const mails = [];
let mailFails = 0;

// What PagerDuty says of an event: its documented required members and limits.
function pagerduty(e) {
  if (e.routing_key?.length !== 32) return [400, 'routing_key'];
  if (!['trigger', 'acknowledge', 'resolve'].includes(e.event_action)) return [400, 'event_action'];
  if (typeof e.dedup_key !== 'string' || e.dedup_key.length > 255) return [400, 'dedup_key'];
  if (e.event_action !== 'trigger') return [202];
  const p = e.payload ?? {};
  if (typeof p.summary !== 'string' || p.summary.length > 1024 || typeof p.source !== 'string') return [400, 'payload'];
  if (!['critical', 'error', 'warning', 'info'].includes(p.severity)) return [400, 'severity'];
  if (Number.isNaN(Date.parse(p.timestamp))) return [400, 'timestamp'];
  if (!(e.links ?? []).every((l) => /^https?:/.test(l.href)) || (e.client_url && !/^https?:/.test(e.client_url))) return [400, 'links'];
  return [202];
}

// What a workflow of Teams posts: a message of adaptive cards, whose elements it knows.
function teams(m) {
  const card = m.attachments?.[0]?.content;
  if (m.type !== 'message' || m.attachments[0].contentType !== 'application/vnd.microsoft.card.adaptive' || card?.type !== 'AdaptiveCard') return [400, 'no card'];
  if (!card.body.every((b) => (b.type === 'TextBlock' && typeof b.text === 'string') || (b.type === 'FactSet' && b.facts.every((f) => typeof f.title === 'string' && typeof f.value === 'string')))) return [400, 'body'];
  if (!(card.actions ?? []).every((a) => a.type === 'Action.OpenUrl' && /^https?:/.test(a.url))) return [400, 'actions'];
  return [202];
}

const judges = { pagerduty, teams, slack: (m) => (typeof m.text === 'string' ? [200] : [400]), hook: () => [200] };

before(async () => {
  server = createServer((req, res) => {
    let body = '';
    req.on('data', (d) => { body += d; }).on('end', () => {
      const name = req.url.slice(1).split('/')[0];
      const place = (places[name] ??= { tried: 0, taken: [], fails: 0 });
      place.tried++;
      if (place.fails > 0) {
        place.fails--;
        res.writeHead(place.fails % 2 ? 503 : 429, { 'retry-after': '0' }).end('later');
        return;
      }
      const json = JSON.parse(body);
      const [status, why] = judges[name](json);
      if (status < 300) place.taken.push({ body: json, headers: req.headers });
      res.writeHead(status).end(why ?? '');
    });
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  port = server.address().port;
  mailServer = new SMTPServer({
    authOptional: true, disabledCommands: ['STARTTLS'],
    onData: (stream, session, done) => {
      let text = '';
      stream.on('data', (d) => { text += d; }).on('end', () => {
        if (mailFails-- > 0) return done(Object.assign(new Error('greylisted'), { responseCode: 451 }));
        const [head, body] = text.split('\r\n\r\n');
        const subject = [...head.matchAll(/=\?UTF-8\?B\?(.*?)\?=/g)].map((m) => Buffer.from(m[1], 'base64').toString()).join('');
        mails.push({ id: /^Message-ID: <(.*)@skep>/m.exec(head)[1], to: session.envelope.rcptTo.map((r) => r.address), subject, text: Buffer.from(body, 'base64').toString() });
        return done();
      });
    },
  });
  await new Promise((done) => mailServer.listen(0, '127.0.0.1', done));
  skep = await start();
  const at = nowNs() - 30000000000n;
  await skep.json('POST', '/v1/traces', otlpTraces('shop', Array.from({ length: 12 }, (_, i) => ({
    traceId: hex(32), spanId: hex(16), name: 'GET', startNs: at, endNs: at + 5000000n, attributes: { route: ['/cart', '/pay <b>', '/cart', '/cart'][i % 4] },
  }))));
});
after(async () => {
  await skep?.done();
  server?.closeAllConnections();
  server?.close();
  await new Promise((done) => mailServer.close(done));
  rmSync(dir, { recursive: true, force: true });
});

const start = () => Skep.start({ dir, args: ['--smtp', `smtp://127.0.0.1:${mailServer.server.address().port}`, '--smtp-from', 'skep@hive.example', '--public-url', PUBLIC, '--pagerduty', `http://127.0.0.1:${port}/pagerduty/v2/enqueue`] });
const taken = (name) => places[name]?.taken ?? [];
const evaluate = (id) => skep.json('POST', `/skep/v1/alerts/${id}/evaluate`);
const recipient = (type, details) => skep.json('POST', '/1/recipients', { type, details });
const trigger = (more) => ({ name: 'Many carts', description: 'Ask Ann & Bob', query: { calculations: [{ op: 'COUNT' }], breakdowns: ['route'], time_range: 3600 }, frequency: 3600, threshold: { op: '>', value: 2 }, ...more });

let all;
const make = async () => {
  all ??= {
    pagerduty: await recipient('pagerduty', { pagerduty_integration_name: 'on call', pagerduty_integration_key: KEY }),
    teams: await recipient('msteams_workflow', { webhook_name: 'channel', webhook_url: `http://127.0.0.1:${port}/teams` }),
    slack: await recipient('slack', { slack_channel: '#alerts', webhook_url: `http://127.0.0.1:${port}/slack` }),
    hook: await recipient('webhook', { webhook_name: 'program', webhook_url: `http://127.0.0.1:${port}/hook`, webhook_secret: 's' }),
    email: await recipient('email', { email_address: 'ann@hive.example, bob@hive.example' }),
  };
  return all;
};

test('a trigger that is tried finds what it would find, tells nobody, keeps nothing; mistakes are said with their member', async () => {
  const { pagerduty: p } = await make();
  const found = await skep.json('POST', '/skep/v1/triggers/shop/try', trigger({ recipients: [{ id: p.id }] }));
  assert.deepEqual([found.met, found.value, found.detail.n_groups, found.detail.n_triggered], [true, 9, 2, 2]);
  assert.deepEqual(found.detail.groups_triggered.map((g) => [g.group[0].value, g.result]).sort(), [['/cart', 9], ['/pay <b>', 3]]);
  assert.equal((await skep.json('POST', '/skep/v1/triggers/shop/try', trigger({ threshold: { op: '>', value: 9 } }))).met, false);
  for (const [body, field] of [[trigger({ name: '' }), 'name'], [trigger({ frequency: 90 }), 'frequency'], [trigger({ threshold: { op: '~', value: 1 } }), 'threshold.op'], [trigger({ frequency: 60 }), 'query.time_range'], [trigger({ recipients: [{ id: 'nobody' }] }), 'recipients[0]']]) {
    const res = await skep.call('POST', '/skep/v1/triggers/shop/try', body);
    assert.deepEqual([res.status, (await res.json()).type_detail[0].field], [422, field]);
  }
  const slo = await (async () => {
    await skep.json('POST', '/1/derived_columns/shop', { alias: 'sli.cart', expression: '$route = "/cart"' });
    return skep.json('POST', '/1/slos/shop', { name: 'Carts', sli: { alias: 'sli.cart' }, time_period_days: 7, target_per_million: 990000 });
  })();
  const burnt = await skep.json('POST', '/skep/v1/burn_alerts/shop/try', { alert_type: 'budget_rate', slo: { id: slo.id }, budget_rate_window_minutes: 60, budget_rate_decrease_threshold_per_million: 10000, recipients: [] });
  assert.equal(burnt.met, true);
  assert.equal((await skep.call('POST', '/skep/v1/burn_alerts/shop/try', { alert_type: 'budget_rate', slo: { id: 'none' }, budget_rate_window_minutes: 60, budget_rate_decrease_threshold_per_million: 1, recipients: [] })).status, 422);
  // An SLO of an expression that is no derived column yet, and one of a column.
  const draft = (sli, more) => ({ name: 'Carts', sli: { alias: 'sli.draft', ...sli }, time_period_days: 7, target_per_million: 500000, ...more });
  const burn = await skep.json('POST', '/skep/v1/slos/shop/try', draft({ expression: '$route = "/cart"' }));
  assert.deepEqual([burn.total, burn.good, burn.compliance, burn.budget_remaining, burn.steps.reduce((n, x) => n + x.good, 0)], [12, 9, 75, 50, 9]);
  assert.deepEqual(await skep.json('POST', '/skep/v1/slos/shop/try', draft({ alias: 'sli.cart' })).then((b) => [b.total, b.good]), [12, 9]);
  assert.deepEqual(await skep.json('POST', '/skep/v1/slos/__all__/try', draft({ expression: 'NOT($"sli.cart")' }, { dataset_slugs: ['shop'] })).then((b) => [b.total, b.good]), [12, 3]);
  for (const [body, field] of [[draft({}), 'sli.alias'], [draft({ expression: 'EQUALS($a' }), 'expression'], [draft({ expression: 'true' }, { target_per_million: 1e6 }), 'target_per_million'], [draft({ expression: 'true' }, { dataset_slugs: ['none'] }), 'dataset_slugs[0]']]) {
    const res = await skep.call('POST', '/skep/v1/slos/shop/try', body);
    assert.deepEqual([res.status, (await res.json()).type_detail[0].field], [422, field]);
  }
  assert.deepEqual([(await skep.json('GET', '/1/slos/shop')).length, (await skep.json('GET', '/1/derived_columns/shop')).map((d) => d.alias)], [1, ['sli.cart']]);
  const { triggers, burn_alerts } = await skep.json('GET', '/skep/v1/alerts');
  assert.deepEqual([triggers, burn_alerts, (await skep.json('GET', '/skep/v1/notify/messages')).messages], [[], [], []]);
});

const messages = async () => (await skep.json('GET', '/skep/v1/notify/messages')).messages;
const settled = (what, n) => until(what, async () => {
  const list = await messages();
  return list.length === n && list.every((m) => m.state === 'delivered') && list;
}, 60000);

test('a test of a recipient arrives in the form that its alerts have, and says that nothing has happened', { timeout: 300000 }, async () => {
  const r = await make();
  for (const one of Object.values(r)) assert.ok((await skep.json('POST', `/skep/v1/recipients/${one.id}/test`, {})).id);
  await settled('all tests to arrive', 6);
  const [opened, closed] = taken('pagerduty').map((t) => t.body);
  assert.deepEqual([opened.event_action, closed.event_action, opened.payload.severity], ['trigger', 'resolve', 'info']);
  assert.equal(opened.dedup_key, closed.dedup_key);
  assert.match(JSON.stringify(taken('teams')[0].body), /A test from skep.*Nothing has happened/);
  assert.match(taken('slack')[0].body.text, /^\*Triggered: A test from skep\*\n.*greater than/);
  assert.deepEqual([taken('hook')[0].body.name, taken('hook')[0].body.status], ['A test from skep', 'TRIGGERED']);
  assert.equal(mails[0].subject, 'Triggered: A test from skep');
  for (const kind of ['exhaustion_time', 'budget_rate']) await skep.json('POST', `/skep/v1/recipients/${r.hook.id}/test`, { kind });
  await settled('two more', 8);
  assert.ok(taken('hook').slice(1).every((t) => t.body.slo.Name === 'A test from skep'));
  const bad = await skep.call('POST', `/skep/v1/recipients/${r.hook.id}/test`, { kind: 'earthquake' });
  assert.deepEqual([bad.status, (await bad.json()).field], [400, 'kind']);
  assert.equal((await skep.call('POST', '/skep/v1/recipients/none/test', {})).status, 404);
  assert.deepEqual((await skep.json('GET', '/skep/v1/alerts')).triggers, []);
});

test('firing and resolving reach everyone with what they need, after failures and a kill, once', { timeout: 300000 }, async () => {
  const r = await make();
  const before = Object.fromEntries(Object.keys(judges).map((n) => [n, taken(n).length]));
  const mailsBefore = mails.length;
  const told = Object.values(r).map((x) => ({ id: x.id, ...(x.type === 'pagerduty' && { details: { pagerduty_severity: 'warning' } }) }));
  const t = await skep.json('POST', '/1/triggers/shop', trigger({ recipients: told }));
  for (const name of Object.keys(judges)) places[name].fails = 2;
  mailFails = 1;
  const tried = Object.fromEntries(Object.keys(judges).map((n) => [n, places[n].tried]));
  assert.equal((await evaluate(t.id)).event, 'fired');
  await until('first attempts to fail', () => Object.keys(judges).every((n) => places[n].tried > tried[n]) && mailFails <= 0);
  await skep.kill();
  skep = await start();
  const news = (name) => taken(name).slice(before[name]);
  await until('all to be told', () => Object.keys(judges).every((n) => news(n).length > 0) && mails.length > mailsBefore);
  assert.equal((await evaluate(t.id)).event, ''); // still met
  await skep.json('PUT', `/1/triggers/shop/${t.id}`, { ...t, threshold: { op: '>', value: 100 } });
  assert.equal((await evaluate(t.id)).event, 'resolved');
  await until('all to hear that it is over', () => Object.keys(judges).every((n) => news(n).length > 1) && mails.length > mailsBefore + 1);
  await settled('nothing to wait', 8 + 10);
  for (const n of Object.keys(judges)) {
    assert.equal(news(n).length, 2, `${n} was told once of each`);
    assert.ok(places[n].tried >= tried[n] + 4, `${n} was tried again`);
  }

  const url = `${PUBLIC}/ui/triggers/${t.id}?env=default`;
  const [fired, over] = news('pagerduty').map((x) => x.body);
  assert.deepEqual([fired.event_action, over.event_action, fired.dedup_key, over.dedup_key], ['trigger', 'resolve', t.id, t.id]);
  assert.deepEqual([fired.routing_key, fired.payload.summary, fired.payload.severity, fired.payload.component, fired.payload.group], [KEY, 'Triggered: Many carts', 'warning', 'shop', 'default']);
  assert.deepEqual([fired.links, fired.client, fired.client_url], [[{ href: url, text: 'Open in skep' }], 'skep', url]);
  const details = fired.payload.custom_details;
  assert.match(details.description, /greater than threshold value \(2\) for 2 groups/);
  assert.deepEqual([details.About, details['route = /cart'], details['route = /pay <b>']], ['Ask Ann & Bob', '9', '3']);

  const [card, end] = news('teams').map((x) => x.body.attachments[0].content);
  assert.deepEqual([card.body[0].text, card.body[0].color, end.body[0].text, end.body[0].color], ['Triggered: Many carts', 'Attention', 'Resolved: Many carts', 'Good']);
  const facts = Object.fromEntries(card.body.find((b) => b.type === 'FactSet').facts.map((f) => [f.title, f.value]));
  assert.deepEqual([facts.Environment, facts.Dataset, facts.About, facts['route = /cart']], ['default', 'shop', 'Ask Ann & Bob', '9']);
  assert.ok(!Number.isNaN(Date.parse(facts.At)));
  assert.equal(card.actions[0].url, url);

  assert.equal(news('slack')[0].body.text.split('\n')[0], '*Triggered: Many carts*');
  assert.ok(news('slack')[0].body.text.includes('route = /pay &lt;b&gt;: 3') && news('slack')[0].body.text.endsWith(`<${url.replace('&', '&amp;')}|Open in skep>`), news('slack')[0].body.text);

  assert.deepEqual(news('hook').map((x) => [x.body.status, x.headers['x-honeycomb-webhook-token']]), [['TRIGGERED', 's'], ['OK', 's']]);
  assert.deepEqual(news('hook')[0].body.result_groups_triggered.map((g) => g.Group.route).sort(), ['/cart', '/pay <b>']);

  const [mail, done] = mails.slice(mailsBefore);
  assert.equal(mails.length, mailsBefore + 2);
  assert.deepEqual([mail.to, mail.subject, done.subject], [['ann@hive.example', 'bob@hive.example'], 'Triggered: Many carts', 'Resolved: Many carts']);
  for (const part of ['Ask Ann & Bob', 'route = /cart: 9', 'route = /pay <b>: 3', 'Dataset: shop', url]) assert.ok(mail.text.includes(part), `${part} in ${mail.text}`);
  assert.ok(!done.text.includes('route ='), 'nothing is wrong any more');
});

test('without --public-url nobody is sent a link that leads nowhere', { timeout: 300000 }, async () => {
  const other = await Skep.start({ args: ['--pagerduty', `http://127.0.0.1:${port}/pagerduty/x`] });
  try {
    const n = taken('teams').length;
    const r = await other.json('POST', '/1/recipients', { type: 'msteams_workflow', details: { webhook_name: 'channel', webhook_url: `http://127.0.0.1:${port}/teams` } });
    await other.json('POST', `/skep/v1/recipients/${r.id}/test`, {});
    await until('the card', () => taken('teams').length > n);
    const { actions } = taken('teams').at(-1).body.attachments[0].content;
    assert.ok(actions === undefined || actions[0].url.startsWith('http'));
  } finally {
    await other.done();
  }
  const wrong = await Skep.start({ args: ['--pagerduty', 'nowhere'] }).then((s) => s.done().then(() => 'started'), (e) => e.message);
  assert.match(wrong, /flag pagerduty: 'nowhere' is not https:/);
});
