// SPDX-License-Identifier: Apache-2.0
// A value that can be acted upon: a button that opens the menu of the value.

import type { Value } from '../lib/types';
import { value as valueText } from '../lib/format';
import { valueMenu } from '../lib/actions';
import { openMenu } from './Menu';

export function ValueCell({ field, value, text, mono }: { field: string; value: Value | undefined; text?: string; mono?: boolean }) {
  const shown = text ?? (value === null ? 'absent' : valueText(value));
  const open = (e: MouseEvent) => {
    e.stopPropagation();
    openMenu(e, `${field} = ${shown}`, valueMenu(field, value));
  };
  return (
    <button type="button" class={`value${mono ? ' mono' : ''}${value === null || value === undefined ? ' absent' : ''}`} title={`${field} = ${shown}`}
      aria-haspopup="menu" onClick={open} onContextMenu={open}>
      {shown}
    </button>
  );
}
