// SPDX-License-Identifier: Apache-2.0
// Column names that ask about another span of the trace: root.name, any.error (docs/api/honeycomb.md).

export const RELATIONS: [prefix: string, what: string][] = [
  ['root.', 'of the trace\'s root span'],
  ['parent.', 'of the parent span'],
  ['child.', 'of some child span'],
  ['any.', 'of some span of the trace; all any. filters hold on one span'],
  ['any2.', 'of another span of the trace'],
  ['any3.', 'of a third span of the trace'],
  ['none.', 'of no span of the trace'],
];

// The prefix of a column name ('' for the row's own) and the field behind it.
export function relationOf(column: string): { prefix: string; field: string } {
  const prefix = RELATIONS.map(([p]) => p).find((p) => column.startsWith(p)) ?? '';
  const escaped = prefix === '' && /^\.+/.test(column) && relationOf(column.replace(/^\.+/, '')).prefix !== '';
  return { prefix, field: escaped ? column.slice(1) : column.slice(prefix.length) };
}

// How a field of the row itself is written: one whose name begins like a relation takes a dot before it.
export function ownColumn(field: string): string {
  return relationOf(field.replace(/^\.+/, '')).prefix === '' ? field : `.${field}`;
}
