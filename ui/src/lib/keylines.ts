// SPDX-License-Identifier: Apache-2.0
//
// What to copy of a new key, client by client: the variables that a client really reads, and for
// Rollbar's notifiers, which have none, the line of code in the form that each expects. The terminal
// (`skep key create`) says the same.

import type { IssuedKey } from './types';

export interface KeyLines { id: string; name: string; about?: string; text: string }

const REGION = 'us-east-1';

export function keyLines(k: IssuedKey, url: string): KeyLines[] {
  const can = (right: string) => k.rights.includes(right);
  const host = new URL(url).hostname;
  const env = k.environment || 'default';
  const item = `${url}/api/1/item/`;
  const list: (KeyLines | false)[] = [
    can('ingest') && {
      id: 'otel', name: 'OpenTelemetry', about: 'Every SDK and collector reads these, whichever protocol it speaks.',
      text: `export OTEL_EXPORTER_OTLP_ENDPOINT=${url}\nexport OTEL_EXPORTER_OTLP_HEADERS=x-honeycomb-team=${k.token}`,
    },
    can('ingest') && {
      id: 'honeycomb', name: 'Honeycomb', about: "Honeycomb's SDKs and tools.",
      text: `export HONEYCOMB_API_ENDPOINT=${url}\nexport HONEYCOMB_API_KEY=${k.token}`,
    },
    (can('ingest') || can('query')) && {
      id: 'aws', name: 'AWS', about: 'AWS SDKs and command line: the credentials are this key’s, the region may be any.',
      text: `export AWS_ENDPOINT_URL=${url}\nexport AWS_ACCESS_KEY_ID=${k.access_key}\nexport AWS_SECRET_ACCESS_KEY=${k.aws_secret}\n`
        + `export AWS_REGION=${REGION} AWS_DEFAULT_REGION=${REGION}\n`
        + `# botocore before 1.31 (Debian 12's boto3) does not read AWS_ENDPOINT_URL: say it in code\n#   boto3.client("logs", endpoint_url="${url}")`
        + `\n# and the command line of Debian 12 with a flag\n#   aws --endpoint-url ${url} ...`,
    },
    can('ingest') && {
      id: 'xray', name: 'X-Ray', about: "The daemon's port takes no key: in keys mode the server takes it from addresses that --xray-allow names.",
      text: `export AWS_XRAY_DAEMON_ADDRESS=${host}:2000`,
    },
    can('ingest') && {
      id: 'rollbar', name: 'Rollbar', about: "Rollbar's notifiers read no variable for the endpoint: it takes a line of code each.",
      text: `# Python: the slash at the end matters\nrollbar.init("${k.rollbar_token}", "${env}", endpoint="${url}/api/1/")\n\n`
        + `// Node.js and browsers\nnew Rollbar({ accessToken: "${k.rollbar_token}", endpoint: "${item}" })\n\n`
        + `# Ruby\nconfig.access_token = "${k.rollbar_token}"\nconfig.endpoint = "${item}"\n\n`
        + `// Go\nrollbar.SetToken("${k.rollbar_token}")\nrollbar.SetEndpoint("${item}")`,
    },
    {
      id: 'skep', name: 'Terminal', about: "skep's own commands, and scripts (Authorization: Bearer KEY).",
      text: `export SKEP_URL=${url}\nexport SKEP_KEY=${k.token}\n`
        + (can('query') ? 'skep query' : `curl -H "authorization: Bearer $SKEP_KEY" $SKEP_URL/skep/v1/auth`),
    },
  ];
  return list.filter((l): l is KeyLines => l !== false);
}
