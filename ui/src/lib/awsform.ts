// SPDX-License-Identifier: Apache-2.0
//
// What an X-Ray operation says of a form: each constraint to its field, the rest to the whole.
//   2 validation errors detected: Value '0' at 'samplingRule.priority' failed to satisfy constraint: Member
//   must have value greater than or equal to 1; Value null at ...

export interface FormErrors { fields: Record<string, string>; rest: string | null }

const ONE = /Value (?:null|'.*?') at '([\w.]+)' failed to satisfy constraint: Member ((?:[^;]|;(?! Value))+)/gs;

export function formErrors(message: string): FormErrors {
  const fields: Record<string, string> = {};
  for (const [, path, text] of message.matchAll(ONE)) fields[path!.split('.').at(-1)!] = text!.trim();
  return { fields, rest: Object.keys(fields).length ? null : message };
}

// "Invalid filter expression at position 8: ..." -> 8
export function position(message: string): number | null {
  const found = /at position (\d+)/.exec(message);
  return found ? Number(found[1]) : null;
}
