// SPDX-License-Identifier: Apache-2.0
// The demo shop: three services instrumented with the stock OpenTelemetry SDK for Node, and shoppers
// that give them traffic. Where the telemetry goes is OTEL_EXPORTER_OTLP_ENDPOINT's business.
//
//   shoppers -> storefront -> catalog
//                         `-> payments
//
// SHOP_RPS (default 8) is the shoppers' rate; SHOP_SECONDS ends the run (default: never).
import { fork } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import http from 'node:http';

const here = dirname(fileURLToPath(import.meta.url));
const rps = Number(process.env.SHOP_RPS || 8);
const seconds = Number(process.env.SHOP_SECONDS || 0);
const children = [];

function start(role, peers) {
  return new Promise((resolve, reject) => {
    const child = fork(join(here, 'service.cjs'), [role], {
      execArgv: ['--require', join(here, 'telemetry.cjs')],
      env: {
        OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318',
        OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
        OTEL_METRICS_EXPORTER: 'none',
        OTEL_LOGS_EXPORTER: 'otlp',
        // Spans every half second, so that the page shows a request while it is still news.
        OTEL_BSP_SCHEDULE_DELAY: '500',
        OTEL_BLRP_SCHEDULE_DELAY: '500',
        OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment=demo,service.version=1.0.0',
        ...process.env,
        OTEL_SERVICE_NAME: role,
        SHOP_PEERS: JSON.stringify(peers),
      },
    });
    children.push(child);
    child.once('message', ({ port }) => resolve(`http://127.0.0.1:${port}`));
    child.once('exit', (code) => {
      reject(new Error(`${role} ended with ${code}`));
      if (!ending) stop(1);
    });
  });
}

let ending = false;
async function stop(code = 0) {
  if (ending) return;
  ending = true;
  const gone = children.map((c) => new Promise((r) => (c.exitCode !== null ? r() : c.once('exit', r))));
  for (const c of children) c.kill('SIGTERM');
  await Promise.race([Promise.all(gone), new Promise((r) => setTimeout(r, 5000))]);
  process.exit(code);
}
process.on('SIGINT', () => stop());
process.on('SIGTERM', () => stop());

const agent = new http.Agent({ keepAlive: true });
function visit(base, method, path) {
  return new Promise((resolve) => {
    const user = `u-${String(Math.floor(400 * Math.random() ** 3)).padStart(4, '0')}`;
    const req = http.request(new URL(path, base), { method, agent, headers: { 'x-user': user } }, (res) => {
      res.resume();
      res.on('end', () => resolve(res.statusCode));
    });
    req.on('error', () => resolve(0));
    req.end();
  });
}

const catalog = await start('catalog', {});
const payments = await start('payments', {});
const storefront = await start('storefront', { catalog, payments });
console.log(`shop: storefront at ${storefront}, about ${rps} requests/s`);

const began = Date.now();
while (!ending && (!seconds || Date.now() - began < seconds * 1000)) {
  const p = Math.random();
  if (p < 0.45) void visit(storefront, 'GET', '/');
  else if (p < 0.85) void visit(storefront, 'GET', `/product/${Math.floor(Math.random() * 60)}`);
  else if (p < 0.98) void visit(storefront, 'POST', '/checkout');
  else void visit(storefront, 'GET', '/wp-login.php');
  await new Promise((r) => setTimeout(r, (-Math.log(1 - Math.random()) * 1000) / rps));
}
await new Promise((r) => setTimeout(r, 700));
await stop();
