// SPDX-License-Identifier: Apache-2.0
// A page of somebody's shop, traced in the browser with the stock web SDK and sent cross-origin.
import { SpanStatusCode, trace, context } from '@opentelemetry/api';
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtoExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, WebTracerProvider } from '@opentelemetry/sdk-trace-web';

window.send = async (protocol, endpoint) => {
  const Exporter = protocol === 'json' ? JsonExporter : ProtoExporter;
  const provider = new WebTracerProvider({
    resource: resourceFromAttributes({ 'service.name': `browser-${protocol}` }),
    spanProcessors: [new BatchSpanProcessor(new Exporter({
      url: `${endpoint}/v1/traces`, headers: { 'x-honeycomb-team': 'any-key' },
    }))],
  });
  const tracer = provider.getTracer('page', '1.0.0');
  const root = tracer.startSpan('click on buy', { attributes: { 'browser.language': navigator.language, 'screen.width': screen.width } });
  const child = tracer.startSpan('fetch /cart', {}, trace.setSpan(context.active(), root));
  child.setStatus({ code: SpanStatusCode.ERROR, message: 'offline' });
  child.end();
  root.end();
  await provider.forceFlush();
  await provider.shutdown();
  return root.spanContext().traceId;
};
