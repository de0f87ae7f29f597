// SPDX-License-Identifier: Apache-2.0
// What any Node program does to be traced: the stock SDK, told where to send by OTEL_* variables.
'use strict';
const { NodeSDK } = require('@opentelemetry/sdk-node');
const { HttpInstrumentation } = require('@opentelemetry/instrumentation-http');

const sdk = new NodeSDK({ instrumentations: [new HttpInstrumentation()] });
sdk.start();

let stopping = false;
async function stop() {
  if (stopping) return;
  stopping = true;
  await Promise.race([sdk.shutdown().catch(() => {}), new Promise((r) => setTimeout(r, 3000))]);
  process.exit(0);
}
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
process.on('disconnect', stop); // the parent has gone
