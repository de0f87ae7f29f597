// SPDX-License-Identifier: Apache-2.0
// One line of a language, completed while one types; what cannot be read is shown where it stands.
// Enter or Tab takes a suggestion, Enter on a whole text asks.

import type { ComponentChildren } from 'preact';
import { useEffect, useId, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { ApiError } from '../lib/api';
import type { Suggestion } from '../lib/complete';
import { placeOf } from '../lib/xray';

interface Props {
  label: string;
  class: string;
  placeholder: string;
  asked: string; // the text that was asked
  complete: (before: string) => Promise<Suggestion[]>;
  ask: (text: string) => void;
  issue: ApiError | null; // of the text that was asked
  button?: string;
  children?: (take: (text: string) => void) => ComponentChildren; // while nothing stands there
}

export function Completed({ label, class: more, placeholder, asked, complete, ask: asks, issue: fault, button = 'Ask', children }: Props) {
  const id = useId();
  const input = useRef<HTMLInputElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const [text, setText] = useState(asked);
  const [found, setFound] = useState<Suggestion[]>([]);
  const [at, setAt] = useState(-1);
  const [open, setOpen] = useState(false);
  const turn = useRef(0);
  const caret = useRef<number | null>(null);
  useEffect(() => setText(asked), [asked]);
  useLayoutEffect(() => {
    if (caret.current === null) return;
    input.current!.setSelectionRange(caret.current, caret.current);
    caret.current = null;
  });
  useEffect(() => list.current?.querySelector('[aria-selected=true]')?.scrollIntoView({ block: 'nearest' }), [at]);

  const suggest = async (before: string) => {
    const mine = ++turn.current;
    let next: Suggestion[] = [];
    try {
      next = await complete(before);
    } catch {
      // Without completion one can still type.
    }
    if (mine !== turn.current) return;
    setFound(next.slice(0, 100));
    setAt(next.length > 0 && !next[0]!.weak ? 0 : -1);
  };
  const close = () => {
    turn.current++;
    setOpen(false);
    setFound([]);
  };
  const look = () => {
    setOpen(true);
    void suggest(input.current!.value.slice(0, input.current!.selectionStart ?? undefined));
  };
  const take = (s: Suggestion) => {
    const rest = text.slice(input.current!.selectionStart ?? text.length);
    setText(s.text + rest);
    caret.current = s.text.length;
    setOpen(true);
    void suggest(s.text);
    input.current!.focus();
  };
  const ask = (value: string) => {
    close();
    asks(value.trim());
  };
  const shown = open && found.length > 0;
  const onKey = (e: KeyboardEvent) => {
    if (e.key === 'ArrowDown' || e.key === 'ArrowUp') {
      e.preventDefault();
      if (!shown) look();
      else setAt((at + (e.key === 'ArrowDown' ? 1 : -1) + found.length + (at < 0 && e.key === 'ArrowUp' ? 1 : 0)) % found.length);
    } else if (e.key === 'Enter' || (e.key === 'Tab' && shown && at >= 0 && !e.shiftKey)) {
      const s = shown && at >= 0 && !e.ctrlKey && !e.metaKey ? found[at]! : null;
      e.preventDefault();
      if (s && s.text.trim() !== text.trim()) take(s);
      else ask(text);
    } else if (e.key === 'Escape' && shown) {
      e.preventDefault();
      e.stopPropagation();
      close();
    }
  };
  const issue = fault !== null && text.trim() === asked ? fault : null;
  return (
    <div class={`clause ${more}${issue ? ' bad' : ''}`}>
      <label for={`${id}i`} class="clause-label">{label}</label>
      <div class="clause-box">
        <span class="combo">
          <input ref={input} id={`${id}i`} class="mono" value={text} placeholder={placeholder} autocomplete="off" spellcheck={false} data-slash
            role="combobox" aria-expanded={shown} aria-controls={`${id}l`} aria-autocomplete="list" aria-invalid={issue !== null} aria-describedby={issue ? `${id}e` : undefined}
            aria-activedescendant={shown && at >= 0 ? `${id}o${at}` : undefined}
            onInput={(e) => { setText(e.currentTarget.value); look(); }} onKeyDown={onKey} onBlur={close} onFocus={look} onClick={look} />
          {shown && (
            <div class="options" role="listbox" id={`${id}l`} aria-label={`${label} suggestions`} ref={list}>
              {found.map((s, i) => (
                <div key={s.text} id={`${id}o${i}`} role="option" aria-selected={i === at} class="option" onPointerDown={(e) => { e.preventDefault(); take(s); }}>
                  <span class="mono">{s.label}</span>{s.detail && <span class="muted">{s.detail}</span>}
                </div>
              ))}
            </div>
          )}
        </span>
        <button type="button" class="button small" onClick={() => ask(text)}>{button}</button>
        {issue && <Mistake id={`${id}e`} text={asked} issue={issue} />}
        {asked === '' && text === '' && children?.((t) => { setText(t); ask(t); })}
      </div>
    </div>
  );
}

// The text again, with a mark under the place where something else was expected.
function Mistake({ id, text, issue }: { id: string; text: string; issue: ApiError }) {
  const i = issue.at === null ? null : placeOf(text, issue.at);
  const word = i === null ? '' : /^\S+/.exec(text.slice(i))?.[0] ?? ' ';
  return (
    <div class="xray-mistake" id={id} role="alert">
      {i !== null && <code aria-hidden="true">{text.slice(0, i)}<mark>{word}</mark>{text.slice(i + word.length)}</code>}
      <span>{i !== null && <b>{i >= text.trimEnd().length ? 'At the end' : `At character ${i + 1}`}: </b>}{issue.message}</span>
    </div>
  );
}
