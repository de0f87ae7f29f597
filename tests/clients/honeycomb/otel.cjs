// SPDX-License-Identifier: Apache-2.0
// A program with Honeycomb's OpenTelemetry distribution, set up as its documentation says: the environment alone.
// Prints what was recorded: {"roots", "kept", "traceId"}.
const { HoneycombSDK } = require('@honeycombio/opentelemetry-node');
const { trace, context, propagation, metrics } = require('@opentelemetry/api');

const sdk = new HoneycombSDK({});
sdk.start();
const tracer = trace.getTracer('checkout', '2.1');
const roots = Number(process.env.ROOTS ?? 40);
let kept = 0;
let traceId = '';
for (let i = 0; i < roots; i++) {
  // A field for every span of the trace: baggage, which the distribution copies to attributes.
  const baggage = propagation.createBaggage({ 'app.user_handle': { value: `user-${i % 3}` } });
  context.with(propagation.setBaggage(context.active(), baggage), () => {
    tracer.startActiveSpan('GET /cart', (root) => {
      if (root.isRecording()) {
        kept++;
        traceId = root.spanContext().traceId;
      }
      tracer.startActiveSpan('query', (span) => {
        span.setAttribute('db.statement', 'SELECT 1');
        if (i % 2) span.recordException(new TypeError('no such cart'));
        span.end();
      });
      root.end();
    });
  });
}
metrics.getMeter('checkout').createCounter('carts').add(roots);
sdk.shutdown().then(() => process.stdout.write(JSON.stringify({ roots, kept, traceId })));
