// SPDX-License-Identifier: Apache-2.0
// A small shop whose numbers are known: `n` traces, each a server span, a client span under it in another
// service, an exception event in every fifth, and a log line.
import { attributes, otlpTraces } from './support.mjs';

export const traceId = (i) => (0x1000 + i).toString(16).padStart(32, 'a');
export const spanId = (i, k) => (0x100000 + i * 16 + k).toString(16).padStart(16, 'b');

// Trace i begins `i` seconds before `endS` and lasts 10 + i ms.
export async function sendShop(skep, n = 20, endS = Math.floor(Date.now() / 1000) - 10) {
  for (let i = 0; i < n; i++) {
    const startNs = BigInt(endS - i) * 1000000000n;
    const durationNs = BigInt(10 + i) * 1000000n;
    const failed = i % 5 === 0;
    const server = otlpTraces('shop', [{
      traceId: traceId(i), spanId: spanId(i, 1), name: 'GET /cart', startNs, endNs: startNs + durationNs,
      attributes: { 'http.request.method': 'GET', 'http.route': '/cart', 'http.response.status_code': failed ? 500 : 200, n: i, big: 9007199254740993n, tags: ['a', 'b'] },
      status: failed ? { code: 2, message: 'failed' } : {},
      events: failed ? [{ timeUnixNano: String(startNs + 1000n), name: 'exception', attributes: attributes({ 'exception.message': 'boom \u001b[31m' }) }] : [],
    }]);
    const client = otlpTraces('db', [{
      traceId: traceId(i), spanId: spanId(i, 2), parentId: spanId(i, 1), kind: 3, name: 'SELECT', startNs: startNs + 2000000n, endNs: startNs + 5000000n,
      attributes: { ratio: 0.5, text: '200' },
    }]);
    await skep.json('POST', '/v1/traces', { resourceSpans: [...server.resourceSpans, ...client.resourceSpans] });
    await skep.json('POST', '/v1/logs', {
      resourceLogs: [{
        resource: { attributes: attributes({ 'service.name': 'shop' }) },
        scopeLogs: [{ logRecords: [{ timeUnixNano: String(startNs + 3000000n), severityNumber: 9, severityText: 'INFO', body: { stringValue: `cart ${i} shown` }, traceId: traceId(i), spanId: spanId(i, 1) }] }],
      }],
    });
  }
  return { start_time: endS - n - 1, end_time: endS + 2 };
}
