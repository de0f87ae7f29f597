// SPDX-License-Identifier: Apache-2.0
// A component that draws again only when a property is another one.

import { h, type ComponentType, type VNode } from 'preact';
import { useRef } from 'preact/hooks';

export function memo<P extends object>(Inner: (p: P) => VNode): (p: P) => VNode {
  return function Memo(p: P) {
    const last = useRef<{ p: P; v: VNode } | null>(null);
    const same = last.current && (Object.keys(p) as (keyof P)[]).every((k) => last.current!.p[k] === p[k]);
    if (!same) last.current = { p, v: h(Inner as ComponentType<object>, p) };
    return last.current!.v;
  };
}
