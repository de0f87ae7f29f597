// SPDX-License-Identifier: Apache-2.0
// A box to write in: posts, replies, messages. What the API refuses stands below, in plain words.

import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { Refused } from '../api';

const WORDS: Record<string, string> = {
  message_blank: 'Write something first.',
  message_exceed_max_chars: 'That is too long.',
  ttl_blank: 'Choose how long it stays.',
  user_reciever_handle_blank: 'Choose whom to write to.',
};
export const said = (e: unknown): string => (e instanceof Refused && e.words.length ? e.words.map((w) => WORDS[w] ?? w).join(' ') : `That did not work: ${(e as Error).message}.`);

export function Write(p: { label: string; button: string; rows: number; send: (text: string) => Promise<unknown>; done: () => void; children?: ComponentChildren }) {
  const [text, setText] = useState('');
  const [wrong, setWrong] = useState('');
  const [busy, setBusy] = useState(false);
  const submit = (e: Event): void => {
    e.preventDefault();
    setBusy(true);
    setWrong('');
    p.send(text).then(() => { setText(''); p.done(); }, (x) => setWrong(said(x))).finally(() => setBusy(false));
  };
  return (
    <form class="write" onSubmit={submit}>
      <textarea aria-label={p.label} placeholder={p.label} rows={p.rows} value={text} onInput={(e) => setText(e.currentTarget.value)} />
      <div class="write-foot">
        {p.children}
        <span class="wrong" role="status">{wrong}</span>
        <button type="submit" disabled={busy}>{p.button}</button>
      </div>
    </form>
  );
}
