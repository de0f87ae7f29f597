// SPDX-License-Identifier: Apache-2.0
// What a view is: a row of the table in app.tsx, a file in views/.

import type { ComponentChildren } from 'preact';

export interface Shell {
  go: (path: string) => void; // show another view, or the same one anew
}

export interface View<T> {
  name: string; // of its span
  matches: (path: string) => string | null; // the argument in the path; null = another view's
  title: (argument: string) => string;
  load: (argument: string) => Promise<T>;
  show: (data: T, argument: string, shell: Shell) => ComponentChildren;
}

export const exactly = (path: string) => (p: string): string | null => (p === path ? '' : null);
export const after = (prefix: string) => (p: string): string | null =>
  p.startsWith(prefix) && p.length > prefix.length ? decodeURIComponent(p.slice(prefix.length)) : null;
