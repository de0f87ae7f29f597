// SPDX-License-Identifier: Apache-2.0
// A link to a view of this page.

import type { ComponentChildren } from 'preact';
import type { Shell } from '../view';

export function Link(p: { to: string; shell: Shell; class?: string; current?: boolean; children: ComponentChildren }) {
  const follow = (e: MouseEvent): void => {
    if (e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey) return; // the browser's own ways
    e.preventDefault();
    p.shell.go(p.to);
  };
  return <a href={p.to} class={p.class} aria-current={p.current ? 'page' : undefined} onClick={follow}>{p.children}</a>;
}
