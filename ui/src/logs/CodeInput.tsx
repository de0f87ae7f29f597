// SPDX-License-Identifier: Apache-2.0
//
// A text in one of the languages: completed while one types, the mistake marked where it stands. The
// marks lie in a copy of the text behind it, letter by letter in the same place. Enter asks (in a text
// of several lines Ctrl Enter), Tab or Enter takes a proposal that was chosen.

import { useEffect, useId, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Mistake, Proposal } from '../lib/logtext';

interface Props {
  label: string;
  text: string; // what the address asks
  placeholder: string;
  lines: boolean;
  complete: (text: string, caret: number) => Promise<Proposal[]>;
  check: (text: string, signal: AbortSignal) => Promise<Mistake | null>;
  mistake: Mistake | null; // of the text asked
  onAsk: (text: string) => void;
}

const CHECK_MS = 300;

export function CodeInput(p: Props) {
  const id = useId();
  const area = useRef<HTMLTextAreaElement>(null);
  const behind = useRef<HTMLPreElement>(null);
  const options = useRef<HTMLDivElement>(null);
  const [text, setText] = useState(p.text);
  const [found, setFound] = useState<Proposal[]>([]);
  const [at, setAt] = useState(-1);
  const [live, setLive] = useState<{ text: string; mistake: Mistake | null } | null>(null);
  const caret = useRef<number | null>(null);
  const turn = useRef(0);
  useEffect(() => setText(p.text), [p.text]);
  useEffect(() => options.current?.querySelector('[aria-selected=true]')?.scrollIntoView({ block: 'nearest' }), [at]);
  useEffect(() => {
    if (text === p.text || text.trim() === '') return;
    const abort = new AbortController();
    const timer = setTimeout(() => p.check(text, abort.signal).then((mistake) => setLive({ text, mistake }), () => undefined), CHECK_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [text, p.text]);
  useLayoutEffect(() => {
    const el = area.current!;
    el.style.height = 'auto';
    el.style.height = `${Math.max(28, Math.min(220, el.scrollHeight))}px`;
    if (caret.current !== null) {
      el.setSelectionRange(caret.current, caret.current);
      caret.current = null;
    }
  });

  const close = () => {
    turn.current++;
    setFound([]);
    setAt(-1);
  };
  const look = async (of: string, where: number) => {
    const mine = ++turn.current;
    const list = await p.complete(of, where).catch(() => []);
    if (mine !== turn.current) return;
    setFound(list);
    setAt(of.trim() !== '' && list.length > 0 && list[0]!.to > list[0]!.from ? 0 : -1);
  };
  const lookHere = () => void look(area.current!.value, area.current!.selectionStart);
  const take = (s: Proposal) => {
    const next = text.slice(0, s.from) + s.text + text.slice(s.to);
    caret.current = s.from + s.text.length;
    setText(next);
    void look(next, caret.current);
    area.current!.focus();
  };
  const ask = () => {
    close();
    p.onAsk(text.trim());
  };
  const shown = found.length > 0;
  const onKey = (e: KeyboardEvent) => {
    const chosen = shown && at >= 0 ? found[at]! : null;
    const changes = chosen !== null && text.slice(chosen.from, chosen.to) !== chosen.text.trimEnd();
    if ((e.key === 'ArrowDown' || e.key === 'ArrowUp') && shown) {
      e.preventDefault();
      setAt((at + (e.key === 'ArrowDown' ? 1 : -1) + found.length + (at < 0 && e.key === 'ArrowUp' ? 1 : 0)) % found.length);
    } else if (e.key === 'Enter' && (e.ctrlKey || e.metaKey)) {
      e.preventDefault();
      ask();
    } else if (e.key === 'Tab' && !e.shiftKey && chosen) {
      e.preventDefault();
      take(chosen);
    } else if (e.key === 'Enter' && !e.shiftKey) {
      if (chosen && changes) {
        e.preventDefault();
        take(chosen);
      } else if (!p.lines) {
        e.preventDefault();
        ask();
      }
    } else if (e.key === 'Escape' && shown) {
      e.preventDefault();
      e.stopPropagation();
      close();
    } else if (e.key === ' ' && e.ctrlKey) {
      e.preventDefault();
      lookHere();
    }
  };
  const told = text.trim() === '' ? null : live?.text === text ? live.mistake : text.trim() === p.text.trim() ? p.mistake : null;
  // What is being completed is not wrong yet.
  const mistake = told && shown && at >= 0 && told.to >= text.trimEnd().length ? null : told;
  return (
    <div class={`clause code-input${mistake ? ' bad' : ''}`}>
      <label for={`${id}i`} class="visually-hidden">{p.label}</label>
      <div class="clause-box">
        <span class="combo code">
          <pre class="behind mono" ref={behind} aria-hidden="true">{mistake ? <>{text.slice(0, mistake.from)}<mark>{text.slice(mistake.from, mistake.to) || ' '}</mark>{text.slice(mistake.to)}</> : text}{'\n'}</pre>
          <textarea ref={area} id={`${id}i`} class="mono" rows={1} value={text} placeholder={p.placeholder} autocomplete="off" spellcheck={false} data-slash
            {...({ role: 'combobox' } as object)} aria-expanded={shown} aria-controls={`${id}l`} aria-autocomplete="list" aria-invalid={mistake !== null} aria-describedby={mistake ? `${id}e` : undefined}
            aria-activedescendant={shown && at >= 0 ? `${id}o${at}` : undefined}
            onInput={(e) => { setText(e.currentTarget.value); lookHere(); }} onKeyDown={onKey} onBlur={close} onFocus={() => text === '' && lookHere()}
            onScroll={(e) => { behind.current!.scrollTop = e.currentTarget.scrollTop; }} />
          {shown && (
            <div class="options" role="listbox" id={`${id}l`} aria-label={`${p.label}: proposals`} ref={options}>
              {found.map((s, i) => (
                <div key={`${s.label} ${s.text}`} id={`${id}o${i}`} role="option" aria-selected={i === at} class="option" onPointerDown={(e) => { e.preventDefault(); take(s); }}>
                  <span class="mono">{s.label}</span>{s.detail && <span class="muted clip">{s.detail}</span>}
                </div>
              ))}
            </div>
          )}
        </span>
        <button type="button" class="button small" onClick={ask} title={p.lines ? 'Ctrl Enter' : 'Enter'}>Ask</button>
        {mistake && <span class="clause-problem" id={`${id}e`} role="alert"><b>{mistake.from >= text.trimEnd().length ? 'At the end' : `At character ${mistake.from + 1}`}: </b>{mistake.message}</span>}
      </div>
    </div>
  );
}
