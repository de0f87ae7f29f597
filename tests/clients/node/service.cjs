// SPDX-License-Identifier: Apache-2.0
// One service of the demo shop. Its role comes from argv: storefront, catalog or payments.
'use strict';
const http = require('http');
const { trace, SpanStatusCode } = require('@opentelemetry/api');
const { logs, SeverityNumber } = require('@opentelemetry/api-logs');

const role = process.argv[2];
const peers = JSON.parse(process.env.SHOP_PEERS || '{}');
const tracer = trace.getTracer('shop', '1.0.0');
const logger = logs.getLogger('shop', '1.0.0');
const agent = new http.Agent({ keepAlive: true });

const sleep = (ms) => new Promise((r) => setTimeout(r, ms));
// Log-normal, like latencies of real services.
function spread(median, sigma) {
  const u = 1 - Math.random();
  const v = Math.random();
  return median * Math.exp(sigma * Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * v));
}

function log(severityNumber, severityText, body, attributes) {
  logger.emit({ severityNumber, severityText, body, attributes });
}

// A span around `work`; a thrown error is recorded and passed on.
function within(name, attributes, work) {
  return tracer.startActiveSpan(name, { attributes }, async (span) => {
    try {
      return await work(span);
    } catch (e) {
      span.recordException(e);
      span.setStatus({ code: SpanStatusCode.ERROR, message: e.message });
      throw e;
    } finally {
      span.end();
    }
  });
}

function call(base, path, method = 'GET') {
  return new Promise((resolve, reject) => {
    const req = http.request(new URL(path, base), { method, agent }, (res) => {
      const parts = [];
      res.on('data', (d) => parts.push(d));
      res.on('end', () => {
        const text = Buffer.concat(parts).toString();
        if (res.statusCode >= 500) reject(new Error(`${path} answered ${res.statusCode}`));
        else resolve(text ? JSON.parse(text) : null);
      });
    });
    req.on('error', reject);
    req.end();
  });
}

const names = ['heather honey', 'acacia honey', 'beeswax candle', 'smoker', 'straw skep', 'veil'];
const customers = Array.from({ length: 400 }, (_, i) => `u-${String(i).padStart(4, '0')}`);

function query(table, statement, median) {
  return within(`SELECT ${table}`, {
    'db.system': 'postgresql', 'db.name': 'shop', 'db.sql.table': table, 'db.statement': statement,
  }, async (span) => {
    await sleep(spread(median, 0.6));
    span.setAttribute('db.rows_affected', 1 + Math.floor(Math.random() * 20));
  });
}

const roles = {
  storefront: {
    'GET /': async () => ({ items: await call(peers.catalog, '/products') }),
    'GET /product/:id': async (id) => {
      const [item, reviews] = await Promise.all([
        call(peers.catalog, `/products/${id}`),
        call(peers.catalog, `/products/${id}/reviews`),
      ]);
      return { item, reviews };
    },
    'POST /checkout': async () => {
      await within('validate cart', { 'cart.items': 1 + Math.floor(Math.random() * 6) },
        () => sleep(spread(2, 0.5)));
      const paid = await call(peers.payments, '/charge', 'POST');
      log(SeverityNumber.INFO, 'INFO', 'order placed', { 'order.total_cents': paid.cents });
      return paid;
    },
  },
  catalog: {
    'GET /products': async () => {
      await query('products', 'SELECT id, name, price_cents FROM products WHERE active', 4);
      return names.map((name, id) => ({ id, name }));
    },
    'GET /products/:id': async (id) => {
      await query('products', `SELECT * FROM products WHERE id = ${id}`, 2);
      return { id, name: names[id % names.length] };
    },
    'GET /products/:id/reviews': async (id) => {
      // One product's reviews miss their index: the slow requests a newcomer can find.
      await query('reviews', `SELECT * FROM reviews WHERE product_id = ${id}`, id % 6 === 4 ? 180 : 3);
      return [];
    },
  },
  payments: {
    'POST /charge': async () => {
      await within('fraud check', { 'fraud.model': 'v7' }, () => sleep(spread(12, 0.7)));
      if (Math.random() < 0.06) {
        log(SeverityNumber.ERROR, 'ERROR', 'charge refused', { 'card.network': 'visa' });
        throw new Error('card processor timed out');
      }
      await within('POST card processor', { 'peer.service': 'card-processor' },
        () => sleep(spread(40, 0.5)));
      return { cents: 500 + Math.floor(Math.random() * 9000) };
    },
  },
};

function match(method, path) {
  for (const key of Object.keys(roles[role])) {
    const [m, pattern] = key.split(' ');
    const re = new RegExp(`^${pattern.replace(/:id/g, '(\\d+)')}$`);
    const hit = m === method && re.exec(path);
    if (hit) return { key, pattern, run: roles[role][key], id: Number(hit[1] || 0) };
  }
  return null;
}

const server = http.createServer(async (req, res) => {
  const hit = match(req.method, new URL(req.url, 'http://x').pathname);
  const span = trace.getActiveSpan();
  const answer = (status, body) => {
    res.writeHead(status, { 'content-type': 'application/json' });
    res.end(JSON.stringify(body));
  };
  if (!hit) return answer(404, { error: 'no such page' });
  span?.setAttributes({
    'http.route': hit.pattern,
    'user.id': req.headers['x-user'] || customers[Math.floor(Math.random() * customers.length)],
    'app.cache_hit': Math.random() < 0.4,
  });
  span?.updateName(`${req.method} ${hit.pattern}`);
  try {
    answer(200, await hit.run(hit.id));
  } catch (e) {
    span?.recordException(e);
    span?.setStatus({ code: SpanStatusCode.ERROR, message: e.message });
    log(SeverityNumber.ERROR, 'ERROR', e.message, { 'http.route': hit.pattern });
    answer(500, { error: e.message });
  }
});
server.listen(Number(process.env.SHOP_PORT || 0), '127.0.0.1', () => {
  process.send?.({ port: server.address().port });
});
