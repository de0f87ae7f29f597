// SPDX-License-Identifier: Apache-2.0
// Sends one trace and a few logs through the stock SDK over the protocol named in
// OTEL_EXPORTER_OTLP_PROTOCOL, then prints, as JSON, what it told the SDK to send. The end-to-end
// tests compare that with what skep answers, field by field.
'use strict';
const { context, trace, SpanKind, SpanStatusCode } = require('@opentelemetry/api');
const { logs, SeverityNumber } = require('@opentelemetry/api-logs');
const { NodeSDK } = require('@opentelemetry/sdk-node');
const { resourceFromAttributes } = require('@opentelemetry/resources');

const resource = { 'service.name': 'sdk-test', 'service.version': '1.2.3', 'host.cores': 8, 'debug': false };
const sdk = new NodeSDK({ resource: resourceFromAttributes(resource), autoDetectResources: false });
sdk.start();

const attributes = {
  'text': 'plain',
  'text.number': '200',
  'text.unicode': 'Grüße, 蜂 🐝',
  'text.empty': '',
  'int': 42,
  'int.negative': -7,
  'int.big': 9007199254740991,
  'double': 0.1,
  'double.tiny': 5e-324,
  'double.large': 4503599627370495.5,
  'bool.true': true,
  'bool.false': false,
  'array.text': ['a', 'b', ''],
  'array.int': [1, 2, 3],
  'array.double': [0.5, 1.5],
  'array.bool': [true, false],
};

async function main() {
  const tracer = trace.getTracer('skep-test-tracer', '9.9.9');
  const logger = logs.getLogger('skep-test-logger', '8.8.8');
  const told = { resource, scope: { name: 'skep-test-tracer', version: '9.9.9' }, spans: [], logs: [] };
  const note = (span, extra) => told.spans.push({
    traceId: span.spanContext().traceId,
    spanId: span.spanContext().spanId,
    parentId: span.parentSpanContext?.spanId ?? null,
    name: span.name,
    kind: SpanKind[span.kind].toLowerCase(),
    startNs: String(BigInt(span.startTime[0]) * 1000000000n + BigInt(span.startTime[1])),
    durationNs: String(BigInt(span.duration[0]) * 1000000000n + BigInt(span.duration[1])),
    attributes: span.attributes,
    status: span.status,
    events: span.events.map((e) => ({
      name: e.name,
      attributes: e.attributes,
      timeNs: String(BigInt(e.time[0]) * 1000000000n + BigInt(e.time[1])),
    })),
    links: span.links.map((l) => ({ traceId: l.context.traceId, spanId: l.context.spanId, attributes: l.attributes ?? {} })),
    ...extra,
  });

  const other = tracer.startSpan('linked elsewhere', { root: true });
  other.end();
  note(other);
  const root = tracer.startSpan('root of all types', { kind: SpanKind.SERVER, attributes, root: true });
  const inside = trace.setSpan(context.active(), root);
  const kinds = [SpanKind.CLIENT, SpanKind.PRODUCER, SpanKind.CONSUMER, SpanKind.INTERNAL];
  for (const kind of kinds) {
    const links = kind === SpanKind.CONSUMER
      ? [{ context: other.spanContext(), attributes: { 'link.reason': 'batch' } }] : [];
    const span = tracer.startSpan(`child ${SpanKind[kind]}`, { kind, links }, inside);
    await new Promise((r) => setTimeout(r, 3));
    if (kind === SpanKind.CLIENT) {
      span.recordException(new TypeError('planted failure'));
      span.setStatus({ code: SpanStatusCode.ERROR, message: 'it broke' });
    }
    if (kind === SpanKind.PRODUCER) {
      span.addEvent('queued', { 'queue.depth': 12, 'queue.name': 'orders' });
      span.setStatus({ code: SpanStatusCode.OK });
    }
    span.end();
    note(span);
  }
  const record = (severityNumber, severityText, body, attrs, ctx) => {
    const timestamp = Date.now();
    logger.emit({ severityNumber, severityText, body, attributes: attrs, timestamp, context: ctx });
    told.logs.push({ severityNumber, severityText, body, attributes: attrs, timeMs: timestamp, inTrace: !!ctx });
  };
  record(SeverityNumber.INFO, 'INFO', 'a log line inside the trace', { 'log.n': 1 }, inside);
  record(SeverityNumber.ERROR2, 'ERROR', 'a log line outside', { 'log.n': 2 }, undefined);
  record(SeverityNumber.DEBUG, 'DEBUG', { structured: 'body', n: 3, deep: { er: true } }, {}, undefined);
  root.end();
  note(root);
  told.traceId = root.spanContext().traceId;
  await sdk.shutdown();
  process.stdout.write(JSON.stringify(told));
}
main().catch((e) => {
  console.error(e);
  process.exit(1);
});
