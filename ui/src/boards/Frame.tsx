// SPDX-License-Identifier: Apache-2.0
// What every panel has: a head with its name, the grip, the menu of what can be done with it.

import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { focusOnce } from '../lib/use';
import { Icon } from '../parts/Icon';
import { openMenu, type MenuItem } from '../parts/Menu';
import type { Grip } from './Grid';

export interface Framed { grip: Grip; off: () => void; children?: ComponentChildren }
interface Props extends Framed { name: string; href?: string; about?: ComponentChildren; items?: () => MenuItem[]; rename?: ((name: string) => void) | undefined }

export function Frame({ name, href, about, grip, items, off, rename, children }: Props) {
  const [editing, edit] = useState(false);
  const menu = (e: MouseEvent) => openMenu(e, name, [
    ...(items?.() ?? []),
    ...(rename ? [{ label: 'Rename', run: () => edit(true) }] : []),
    { label: 'Take off the board', run: off },
  ]);
  return (
    <>
      <header class="board-head" {...grip.head}>
        <button type="button" class="grip" {...grip.grip} aria-label={`Move or resize ${name}`} title="Drag, or: arrows move, Shift and arrows resize, Enter keeps, Escape puts back"><Icon name="grip" /></button>
        {editing ? <Name name={name} done={(n) => { edit(false); if (n && n !== name) rename!(n); }} />
          : <h2 class="clip" title={name}>{href ? <a href={href}>{name}</a> : name}</h2>}
        {about}
        <button type="button" class="icon-button" aria-haspopup="menu" aria-label={`What to do with ${name}`} onClick={menu}><Icon name="more" /></button>
      </header>
      {children}
    </>
  );
}

function Name({ name, done }: { name: string; done: (name: string | null) => void }) {
  const [text, set] = useState(name);
  return (
    <form class="grow" onSubmit={(e) => { e.preventDefault(); done(text.trim()); }}>
      <input aria-label="Name of the panel" value={text} maxLength={320} ref={focusOnce} onInput={(e) => set(e.currentTarget.value)}
        onBlur={() => done(text.trim())} onKeyDown={(e) => { if (e.key === 'Escape') { e.stopPropagation(); done(null); } }} />
    </form>
  );
}
