// SPDX-License-Identifier: Apache-2.0
// A service with Honeycomb's beeline: two requests to an Express server that asks itself once more. API_HOST says where
// events go.
const beeline = require('honeycomb-beeline')({ writeKey: process.env.WRITE_KEY ?? 'k', serviceName: 'shop', apiHost: process.env.API_HOST });
const http = require('node:http');
const express = require('express');

const app = express();
const get = (port, path) => new Promise((resolve, reject) => http.get({ port, path, host: '127.0.0.1' }, (r) => r.resume().on('end', resolve)).on('error', reject));
app.get('/cart/:id', async (req, res) => {
  beeline.addTraceContext({ user: `u${req.params.id}` });
  const span = beeline.startSpan({ name: 'price', items: 3 });
  await get(server.address().port, '/stock');
  beeline.finishSpan(span);
  res.send('ok');
});
app.get('/stock', (_req, res) => res.status(503).send('none'));
const server = app.listen(0, '127.0.0.1', async () => {
  await get(server.address().port, '/cart/1');
  await get(server.address().port, '/cart/2');
  await beeline.flush();
  server.close();
  process.exit(0);
});
