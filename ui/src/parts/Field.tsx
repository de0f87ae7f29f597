// SPDX-License-Identifier: Apache-2.0
// A field of a form, with what the server says of it: refusals name a member by its path ("threshold.value",
// "recipients[0]"), and stand at the field that holds it; those of no field stand below the form.

import { cloneElement, type VNode } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { ApiError } from '../lib/api';
import { ErrorBox } from './States';

const about = (error: Error | null, at: string) => error instanceof ApiError && error.field !== null
  && (error.field === at || error.field.startsWith(`${at}.`) || error.field.startsWith(`${at}[`));

// "details.webhook_url: is required" without the path that the field is known by.
const said = (error: ApiError) => (error.message.startsWith(`${error.field}: `) ? error.message.slice(error.field!.length + 2) : error.message);

interface Props { label: string; at: string; error: Error | null; hint?: string; class?: string; children: VNode<Record<string, unknown>> }

export function Field({ label, at, error, hint, class: more, children }: Props) {
  const wrong = about(error, at);
  const label_ = useRef<HTMLLabelElement>(null);
  useEffect(() => {
    if (wrong) label_.current?.querySelector<HTMLElement>('input, select, textarea')?.focus();
  }, [wrong, error]);
  const id = `said-${at.replace(/\W/g, '-')}`;
  return (
    <label class={`field-of-form ${more ?? ''}`} ref={label_}>
      <span>{label}</span>
      {cloneElement(children, wrong ? { 'aria-invalid': true, 'aria-describedby': id } : {})}
      {wrong ? <span class="error" role="alert" id={id}>{said(error as ApiError)}</span> : hint && <span class="muted">{hint}</span>}
    </label>
  );
}

// What is said of a whole list of fields.
export function Said({ error, at }: { error: Error | null; at: string }) {
  return error instanceof ApiError && error.field === at ? <span class="error" role="alert">{said(error)}</span> : null;
}

// What no field of the form says already.
export function Unplaced({ error, at }: { error: Error | null; at: string[] }) {
  return error && !at.some((a) => about(error, a)) ? <ErrorBox error={error} /> : null;
}
