// SPDX-License-Identifier: Apache-2.0
// An Express application instrumented with the stock X-Ray SDK, which sends to AWS_XRAY_DAEMON_ADDRESS.
// It calls its own three paths, then prints, as JSON, the trace ids it was given.
'use strict';
const http = require('node:http');
const xray = require('aws-xray-sdk');
const express = require('express');

xray.captureHTTPsGlobal(http);
const app = express();
app.use(xray.express.openSegment('node-app'));
app.get('/ok', (req, res) => {
  const segment = xray.getSegment();
  segment.addAnnotation('game', 'x');
  segment.addAnnotation('level', 7);
  segment.addMetadata('m', { a: 1 });
  segment.setUser('bob');
  xray.captureFunc('work', (sub) => sub.addAnnotation('n', 2));
  http.get({ host: '127.0.0.1', port: server.address().port, path: '/down?q=1' }, (r) => {
    r.resume().on('end', () => res.send('fine'));
  });
});
app.get('/down', (req, res) => res.send('hi'));
app.get('/boom', () => { throw new Error('kaput'); });
app.use(xray.express.closeSegment());
app.use((err, req, res, next) => { void next; res.status(500).send('no'); });

const server = app.listen(0, '127.0.0.1', async () => {
  const ask = (path) => new Promise((resolve, reject) => {
    http.get({ host: '127.0.0.1', port: server.address().port, path, headers: { 'X-Amzn-Trace-Id': 'Sampled=1' } },
      (r) => r.resume().on('end', () => resolve(r.statusCode))).on('error', reject);
  });
  const answers = [await ask('/ok'), await ask('/boom')];
  console.log(JSON.stringify({ answers }));
  setTimeout(() => process.exit(0), 500); // the SDK sends without waiting
});
