// SPDX-License-Identifier: Apache-2.0
// Searches by name: the one at hand is kept, others are gone to, whoever saved them.

import { useEffect, useRef, useState } from 'preact/hooks';
import { href, go, useRoute } from '../lib/route';
import { forget, save, savedList, type Saved } from '../lib/saved';
import { useLoad } from '../lib/use';
import { Icon } from '../parts/Icon';

export function SavedBox() {
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (!open) return;
    const outside = (e: Event) => !root.current?.contains(e.target as Node) && setOpen(false);
    addEventListener('pointerdown', outside, true);
    return () => removeEventListener('pointerdown', outside, true);
  }, [open]);
  const leave = () => {
    setOpen(false);
    button.current?.focus();
  };
  return (
    <div class="time saved" ref={root} onKeyDown={(e) => { if (e.key === 'Escape' && open) { e.stopPropagation(); leave(); } }}>
      <button type="button" class="button" ref={button} aria-expanded={open} aria-haspopup="dialog" onClick={() => setOpen(!open)}>Saved <Icon name="down" /></button>
      {open && <Box leave={leave} />}
    </div>
  );
}

function Box({ leave }: { leave: () => void }) {
  const { params } = useRoute();
  const list = useLoad('saved', (signal) => savedList(signal));
  const [name, setName] = useState('');
  const [error, setError] = useState('');
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.focus(), []);
  const there = list.data?.find((s) => s.name === name.trim());
  const done = () => {
    setName('');
    setError('');
    list.reload();
  };
  const failed = (e: Error) => setError(e.message);
  const keep = (e: Event) => {
    e.preventDefault();
    if (name.trim()) save(name.trim(), params, there?.id).then(done, failed);
  };
  const show = (s: Saved) => {
    const changes: Record<string, string[]> = { ds: [] };
    for (const [k, v] of s.params) (changes[k] ??= []).push(v);
    go(href('logs', changes));
    leave();
  };
  return (
    <div class="picker saved-box" role="dialog" aria-label="Saved searches">
      <form onSubmit={keep}>
        <input ref={input} aria-label="Name" placeholder="name of this search" maxLength={255} value={name} onInput={(e) => setName(e.currentTarget.value)} />
        <button type="submit" class="button" disabled={!name.trim()}>{there ? 'Replace' : 'Save'}</button>
      </form>
      {(error || list.error) && <p class="problem" role="alert">{error || list.error!.message}</p>}
      {list.data?.length === 0 && <p class="muted">Nothing is saved yet. Times are not part of a search.</p>}
      <ul>
        {list.data?.map((s) => (
          <li key={s.id}>
            <button type="button" class="ghost" onClick={() => show(s)}><b class="clip">{s.name}</b><span class="muted mono clip">{s.what}</span></button>
            <button type="button" class="icon-button" aria-label={`Forget ${s.name}`} onClick={() => void forget(s.id).then(done, failed)}><Icon name="close" /></button>
          </li>
        ))}
      </ul>
    </div>
  );
}
