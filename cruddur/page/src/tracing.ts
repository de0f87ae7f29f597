// SPDX-License-Identifier: Apache-2.0
// The stock OpenTelemetry web SDK: page loads, clicks and requests become spans; requests to the API carry
// the trace on, so that one trace runs from the click to the SQL statement.

import { trace, SpanStatusCode, type Span } from '@opentelemetry/api';
import { ZoneContextManager } from '@opentelemetry/context-zone';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { registerInstrumentations } from '@opentelemetry/instrumentation';
import { DocumentLoadInstrumentation } from '@opentelemetry/instrumentation-document-load';
import { FetchInstrumentation } from '@opentelemetry/instrumentation-fetch';
import { UserInteractionInstrumentation } from '@opentelemetry/instrumentation-user-interaction';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, WebTracerProvider } from '@opentelemetry/sdk-trace-web';
import type { Config } from './config';

const SEND_MS = 500;
const literal = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

export function startTracing(config: Config): void {
  if (!config.otlp) return;
  const provider = new WebTracerProvider({
    resource: resourceFromAttributes({ 'service.name': 'cruddur-page', 'service.version': '0.1.0' }),
    spanProcessors: [new BatchSpanProcessor(
      new OTLPTraceExporter({ url: `${config.otlp}/v1/traces`, headers: config.headers }),
      { scheduledDelayMillis: SEND_MS },
    )],
  });
  provider.register({ contextManager: new ZoneContextManager() });
  registerInstrumentations({
    instrumentations: [
      new DocumentLoadInstrumentation(),
      new UserInteractionInstrumentation({
        eventNames: ['click', 'submit'],
        shouldPreventSpanCreation: (_event, element, span) => {
          span.setAttribute('ui.text', (element.textContent ?? '').trim().slice(0, 40));
          return false;
        },
      }),
      new FetchInstrumentation({
        propagateTraceHeaderCorsUrls: [new RegExp(`^${literal(config.api)}/`)],
        ignoreUrls: [new RegExp(`^${literal(config.otlp)}/`)],
        clearTimingResources: true,
      }),
    ],
  });
}

// Runs `work` in a span of this name, which ends with it.
export function traced<T>(name: string, work: (span: Span) => Promise<T>): Promise<T> {
  return trace.getTracer('cruddur-page').startActiveSpan(name, (span) => work(span).then(
    (value) => { span.end(); return value; },
    (e: unknown) => {
      span.recordException(e as Error);
      span.setStatus({ code: SpanStatusCode.ERROR, message: String(e) });
      span.end();
      throw e;
    },
  ));
}
