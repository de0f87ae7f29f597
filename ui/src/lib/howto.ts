// SPDX-License-Identifier: Apache-2.0
// The commands that send a first span, for the address this page came from.

export interface HowTo { id: string; name: string; text: string }

export function base(): string {
  return location.protocol === 'https:' ? location.origin : `http://${location.host}`;
}

export function howTo(endpoint: string): HowTo[] {
  const env = `export OTEL_EXPORTER_OTLP_ENDPOINT=${endpoint}`;
  return [
    { id: 'any', name: 'Any OpenTelemetry SDK', text: `${env}\nexport OTEL_SERVICE_NAME=my-service\n# then start your program as always` },
    {
      id: 'node', name: 'Node.js',
      text: `npm install @opentelemetry/api @opentelemetry/auto-instrumentations-node\n${env}\nOTEL_SERVICE_NAME=my-service \\\n  node --require @opentelemetry/auto-instrumentations-node/register app.js`,
    },
    {
      id: 'python', name: 'Python',
      text: `pip install opentelemetry-distro opentelemetry-exporter-otlp\nopentelemetry-bootstrap -a install\n${env}\nOTEL_SERVICE_NAME=my-service opentelemetry-instrument python app.py`,
    },
    {
      id: 'curl', name: 'curl',
      text: `now=$(date +%s)\ncurl -sS ${endpoint}/v1/traces -H 'content-type: application/json' -d '{"resourceSpans":[{\n  "resource":{"attributes":[{"key":"service.name","value":{"stringValue":"hello"}}]},\n  "scopeSpans":[{"spans":[{"traceId":"'$(od -An -tx1 -N16 /dev/urandom | tr -d ' \\n')'",\n    "spanId":"'$(od -An -tx1 -N8 /dev/urandom | tr -d ' \\n')'","name":"first span","kind":2,\n    "startTimeUnixNano":"'$now'000000000","endTimeUnixNano":"'$now'120000000"}]}]}]}'`,
    },
  ];
}

// The address to tell programs: an OTLP listener, by the name the browser reached us with.
export function endpointOf(listeners: { address: string; takes: string[] }[]): string {
  const http = listeners.filter((l) => l.takes.some((t) => t.startsWith('otlp/http')));
  const here = http.find((l) => l.address.endsWith(`:${location.port || '80'}`));
  if (here || http.length === 0) return base();
  return `http://${http[0]!.address}`;
}
