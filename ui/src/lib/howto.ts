// SPDX-License-Identifier: Apache-2.0
// The commands that send a first span, for the address this page came from.

import type { Status } from './types';

export interface HowTo { id: string; name: string; text: string; first?: string }

export function base(): string {
  return location.protocol === 'https:' ? location.origin : `http://${location.host}`;
}

// xray: the daemon's address, null where there is none.
export function howTo(endpoint: string, xray: string | null = null): HowTo[] {
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
    ...(xray === null ? [] : xrayHowTo(endpoint, xray)),
  ];
}

// The X-Ray SDKs: the daemon's place is all that changes. skep stands where the daemon stood.
function xrayHowTo(endpoint: string, xray: string): HowTo[] {
  const first = `AWS_XRAY_DAEMON_ADDRESS=${xray}`;
  const env = `export ${first}`;
  return [
    {
      id: 'xray-python', name: 'X-Ray, Python', first,
      text: `pip install aws-xray-sdk flask\n${env}\ncat > app.py <<'EOF'\nfrom flask import Flask\nfrom aws_xray_sdk.core import xray_recorder\nfrom aws_xray_sdk.ext.flask.middleware import XRayMiddleware\n\napp = Flask(__name__)\nxray_recorder.configure(service="my-service")\nXRayMiddleware(app, xray_recorder)\n\n@app.route("/")\ndef hello():\n    xray_recorder.current_segment().put_annotation("user", "bob")\n    return "hello"\nEOF\nflask run`,
    },
    {
      id: 'xray-node', name: 'X-Ray, Node.js', first,
      text: `npm install aws-xray-sdk express\n${env}\ncat > app.js <<'EOF'\nconst AWSXRay = require('aws-xray-sdk');\nconst express = require('express');\n\nconst app = express();\napp.use(AWSXRay.express.openSegment('my-service'));\napp.get('/', (req, res) => { AWSXRay.getSegment().addAnnotation('user', 'bob'); res.send('hello'); });\napp.use(AWSXRay.express.closeSegment());\napp.listen(3000);\nEOF\nnode app.js`,
    },
    {
      id: 'xray-aws', name: 'aws xray', first,
      text: `aws xray get-trace-summaries --endpoint-url ${endpoint} --no-sign-request --region us-east-1 \\\n  --start-time $(($(date +%s) - 600)) --end-time $(date +%s) --filter-expression 'ok OR fault'`,
    },
  ];
}

// The UDP port by the name the browser reached us with, where it listens everywhere.
export function xrayAddress(s: Status): string | null {
  const at = s.xray?.udp?.address;
  if (!at) return null;
  return at.replace(/^(0\.0\.0\.0|\[::\])(?=:)/, location.hostname);
}

// The address to tell programs: an OTLP listener, by the name the browser reached us with.
export function endpointOf(listeners: { address: string; takes: string[] }[]): string {
  const http = listeners.filter((l) => l.takes.some((t) => t.startsWith('otlp/http')));
  const here = http.find((l) => l.address.endsWith(`:${location.port || '80'}`));
  if (here || http.length === 0) return base();
  return `http://${http[0]!.address}`;
}
