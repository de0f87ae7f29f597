// SPDX-License-Identifier: Apache-2.0
// What an X-Ray row says, in X-Ray's own groups; the fields are those of docs/api/xray.md.

import type { FieldValue, RowDetail, Value } from './types';

export interface Group { title: string; fields: FieldValue[] }
export interface XrayRow {
  flags: { name: 'fault' | 'error' | 'throttle' | 'in progress'; what: string }[];
  annotations: FieldValue[];
  metadata: { name: string; text: string }[];
  exception: { type: string; message: string; stack: string } | null;
  groups: Group[];
}

export const isXray = (row: RowDetail) => row.fields.some((f) => f.name === 'meta.source' && f.value === 'xray');

const METADATA = 'aws.xray.metadata.';
const SQL = /^(db\.|server\.(address|port)$|aws\.xray\.sql\.)/;
const HTTP = /^(http\.|url\.full$|user_agent\.original$|client\.address$|aws\.xray\.(x_forwarded_for|traced)$)/;
const RESOURCE = /^(cloud|host|container|k8s|faas)\./;
const AWS = /^aws\./;
const HIDDEN = /^aws\.xray\.(annotations$|metadata\.)/;

export function xrayRow(row: RowDetail): XrayRow {
  const by = new Map<string, Value>(row.fields.map((f) => [f.name, f.value]));
  const text = (name: string) => (typeof by.get(name) === 'string' ? (by.get(name) as string) : '');
  const names = by.get('aws.xray.annotations');
  const listed = new Set(Array.isArray(names) ? names.map(String) : []);
  const own = row.fields.filter((f) => f.scope === 'attribute');
  const pick = (title: string, take: (f: FieldValue) => boolean): Group => ({ title, fields: row.fields.filter((f) => !listed.has(f.name) && !HIDDEN.test(f.name) && take(f)) });
  const flags: XrayRow['flags'] = [];
  if (by.get('xray.fault') === true) flags.push({ name: 'fault', what: 'the server failed (5xx)' });
  if (by.get('xray.error') === true) flags.push({ name: 'error', what: 'the request was wrong (4xx)' });
  if (by.get('xray.throttle') === true) flags.push({ name: 'throttle', what: 'there were too many requests (429)' });
  if (by.get('meta.in_progress') === true) flags.push({ name: 'in progress', what: 'the segment has been begun and not yet ended' });
  const type = text('exception.type');
  const message = text('exception.message');
  const stack = text('exception.stacktrace');
  return {
    flags,
    annotations: own.filter((f) => listed.has(f.name)),
    metadata: row.fields.filter((f) => f.name.startsWith(METADATA)).map((f) => ({ name: f.name.slice(METADATA.length), text: String(f.value) })),
    exception: type || message || stack ? { type, message, stack } : null,
    groups: [
      pick('SQL', (f) => SQL.test(f.name)), pick('HTTP', (f) => HTTP.test(f.name)),
      pick('AWS', (f) => AWS.test(f.name) && !SQL.test(f.name) && !HTTP.test(f.name)), pick('Resources', (f) => RESOURCE.test(f.name)),
    ].filter((g) => g.fields.length > 0),
  };
}
