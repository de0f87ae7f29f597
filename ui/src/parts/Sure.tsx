// SPDX-License-Identifier: Apache-2.0
// A button for what cannot be undone: asks once more in its own place, and gives the focus back.

import { useLayoutEffect, useRef, useState } from 'preact/hooks';

interface Props { label: string; name: string; question: string; run: () => Promise<unknown>; done: () => void; failed: (e: Error) => void }

export function Sure({ label, name, question, run, done, failed }: Props) {
  const [asked, ask] = useState(false);
  const [busy, setBusy] = useState(false);
  const yes = useRef<HTMLButtonElement>(null);
  const first = useRef<HTMLButtonElement>(null);
  const was = useRef(false);
  useLayoutEffect(() => {
    if (asked) yes.current?.focus();
    else if (was.current) first.current?.focus();
    was.current = asked;
  }, [asked]);
  const go = () => {
    setBusy(true);
    run().then(done, failed).finally(() => { setBusy(false); ask(false); });
  };
  if (!asked) return <button type="button" class="button small" ref={first} onClick={() => ask(true)} aria-label={name}>{label}</button>;
  return (
    <span class="sure" role="group" aria-label={question} onKeyDown={(e) => e.key === 'Escape' && ask(false)}>
      <span>{question}</span>
      <button type="button" class="button small error" ref={yes} onClick={go} disabled={busy} aria-label={`Yes: ${name}`}>{label}</button>
      <button type="button" class="button small" onClick={() => ask(false)}>Keep</button>
    </span>
  );
}
