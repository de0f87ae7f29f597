// SPDX-License-Identifier: Apache-2.0
// What is shown, as a file of the reader's: CSV, JSON, a picture.

// A cell that a spreadsheet would take for a formula is made a text.
export function csvCell(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) && !/^-?[\d.]+(e[-+]?\d+)?$/i.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export const csvText = (rows: string[][]) => rows.map((r) => `${r.map(csvCell).join(',')}\r\n`).join('');

export function saveFile(name: string, parts: BlobPart[], type: string) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob(parts, { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60e3);
}

// "P95(duration_ms) by UserId" -> "P95-duration_ms-by-UserId"
export const fileName = (text: string) => text.replace(/[^\w.]+/g, '-').replace(/^-+|-+$/g, '').slice(0, 80) || 'skep';
