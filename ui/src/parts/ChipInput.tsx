// SPDX-License-Identifier: Apache-2.0
//
// One clause of a question: chips and an input that completes while one types. Enter or Tab takes the
// suggestion, Enter on a whole text makes a chip, Backspace in the empty input edits the last chip,
// Delete on a chip removes it. An ARIA combobox with a listbox.

import { useEffect, useId, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Suggestion } from '../lib/complete';
import { Unreadable } from '../lib/query';
import { Icon } from './Icon';

const PATIENCE_MS = 500; // then a text is taken as it stands

interface Props {
  label: string;
  items: string[];
  placeholder: string;
  read: (text: string) => string;
  suggest: (text: string) => Promise<Suggestion[]>;
  onChange: (items: string[]) => void;
  onRun?: () => void;
  open?: (text: string) => boolean; // a whole text that leads elsewhere
  errorAt?: number | null;
  slash?: boolean;
}

export function ChipInput(p: Props) {
  const id = useId();
  const input = useRef<HTMLInputElement>(null);
  const root = useRef<HTMLDivElement>(null);
  const [text, setText] = useState('');
  const [list, setList] = useState<Suggestion[]>([]);
  const [at, setAt] = useState(-1);
  const [open, setOpen] = useState(false);
  const [problem, setProblem] = useState('');
  // The chip whose text is in the input; it stays part of the question until the edit is done.
  const [editing, setEditing] = useState<number | null>(null);
  const asked = useRef(0);
  // Enter that came before the suggestions for the text at hand; those of a part of it must not be taken.
  const hurry = useRef(false);
  const pending = useRef(false);
  const latest = useRef<(value: string, found: Suggestion[], chosen: number) => void>(() => {});

  const suggest = async (value: string) => {
    const turn = ++asked.current;
    let found: Suggestion[] = [];
    pending.current = true;
    hurry.current = false;
    try {
      found = (await p.suggest(value)).slice(0, 100);
    } catch {
      // Without completion one can still type.
    }
    if (turn !== asked.current) return;
    const chosen = value.trim() !== '' && found.length > 0 && !found[0]!.weak ? 0 : -1;
    pending.current = false;
    setList(found);
    setAt(chosen);
    if (hurry.current) latest.current(value, found, chosen);
  };
  const type = (value: string) => {
    setText(value);
    setProblem('');
    setOpen(true);
    void suggest(value);
  };
  const close = () => {
    asked.current++;
    pending.current = hurry.current = false;
    setOpen(false);
    setList([]);
  };
  const settle = (items: string[]) => {
    if (items.length !== p.items.length || items.some((x, i) => x !== p.items[i])) p.onChange(items);
    setEditing(null);
    setText('');
    setProblem('');
    close();
  };
  const commit = (value: string): boolean => {
    if (value.trim() === '') {
      if (editing === null) return false;
      settle(p.items.filter((_, i) => i !== editing));
      return true;
    }
    try {
      const item = p.read(value);
      const items = editing === null ? [...p.items, item] : p.items.map((x, i) => (i === editing ? item : x));
      settle([...new Set(items)]);
      return true;
    } catch (e) {
      if (!(e instanceof Unreadable)) throw e;
      setProblem(e.message);
      return false;
    }
  };
  const take = (s: Suggestion) => {
    if (s.done) {
      if (commit(s.text)) return;
    }
    type(s.text);
    input.current?.focus();
  };
  const enter = (value: string, found: Suggestion[], chosen: number) => {
    hurry.current = false;
    const exact = chosen >= 0 ? found[chosen]! : null;
    if (exact && (!exact.done || exact.text.trim() !== value.trim())) take(exact);
    else if (value.trim() === '' && editing === null) {
      close();
      p.onRun?.();
    } else commit(value);
  };
  latest.current = enter;
  const edit = (i: number) => {
    setEditing(i);
    setText(p.items[i]!);
    setProblem('');
  };
  const remove = (i: number) => {
    p.onChange(p.items.filter((_, j) => j !== i));
    input.current?.focus();
  };

  const onKey = (e: KeyboardEvent) => {
    const shown = open && list.length > 0;
    if (e.key === 'Enter' && p.open?.(text)) {
      e.preventDefault();
      return;
    }
    if (e.key === 'Enter' && (e.ctrlKey || e.metaKey)) {
      e.preventDefault();
      if (text.trim() === '' || commit(text)) p.onRun?.();
    } else if (e.key === 'ArrowDown' || e.key === 'ArrowUp') {
      e.preventDefault();
      if (!shown) type(text);
      else setAt((at + (e.key === 'ArrowDown' ? 1 : -1) + list.length + (at < 0 && e.key === 'ArrowUp' ? 1 : 0)) % list.length);
    } else if (e.key === 'Enter') {
      e.preventDefault();
      if (open && pending.current && text.trim() !== '') {
        hurry.current = true;
        const turn = asked.current;
        setTimeout(() => hurry.current && turn === asked.current && latest.current(text, [], -1), PATIENCE_MS);
      } else enter(text, shown ? list : [], shown ? at : -1);
    } else if (e.key === 'Tab' && shown && at >= 0 && text.trim() !== '' && !e.shiftKey) {
      e.preventDefault();
      take(list[at]!);
    } else if (e.key === 'Escape' && (open || text)) {
      e.preventDefault();
      e.stopPropagation();
      if (shown) close();
      else {
        setText('');
        setEditing(null);
      }
      setProblem('');
    } else if (e.key === 'Backspace' && text === '' && editing === null && p.items.length) {
      e.preventDefault();
      edit(p.items.length - 1);
    } else if (e.key === 'ArrowLeft' && text === '') {
      root.current?.querySelectorAll<HTMLElement>('.chip-text')[p.items.length - 1]?.focus();
    }
  };
  const onChipKey = (e: KeyboardEvent, i: number) => {
    const chips = root.current!.querySelectorAll<HTMLElement>('.chip-text');
    if (e.key === 'ArrowLeft') chips[i - 1]?.focus();
    else if (e.key === 'ArrowRight') (chips[i + 1] ?? input.current)?.focus();
    else if (e.key === 'Delete' || e.key === 'Backspace') {
      e.preventDefault();
      remove(i);
    }
  };
  const onBlur = () => {
    if (text.trim() !== '' || editing !== null) {
      try {
        if (text.trim() !== '') p.read(text);
        commit(text);
      } catch {
        setProblem(`“${text.trim()}” is not complete`);
      }
    }
    close();
  };

  useEffect(() => {
    root.current?.querySelector('[aria-selected=true]')?.scrollIntoView({ block: 'nearest' });
  }, [at]);

  useLayoutEffect(() => {
    if (editing === null) return;
    input.current!.focus();
    input.current!.setSelectionRange(text.length, text.length);
    close();
  }, [editing]);

  const shown = open && list.length > 0;
  // A link may carry what cannot be read: it takes no part in the question, and that is said.
  const broken = p.items.map((item) => {
    try {
      p.read(item);
      return '';
    } catch (e) {
      return (e as Error).message;
    }
  });
  const left = broken.find((b) => b !== '');
  return (
    <div class={`clause${problem ? ' bad' : ''}`} ref={root}>
      <label for={`${id}i`} class="clause-label">{p.label}</label>
      <div class="clause-box" onPointerDown={(e) => { if (e.target === e.currentTarget) { e.preventDefault(); input.current?.focus(); } }}>
        {p.items.map((item, i) => i !== editing && (
          <span class={`chip${p.errorAt === i || broken[i] ? ' bad' : ''}`} key={item}>
            <button type="button" class="chip-text mono" onClick={() => edit(i)} onKeyDown={(e) => onChipKey(e, i)} aria-label={`${p.label} ${item}: edit`}>{item}</button>
            <button type="button" class="chip-x" tabIndex={-1} onClick={() => remove(i)} aria-label={`Remove ${item}`}><Icon name="close" /></button>
          </span>
        ))}
        <span class="combo">
          <input ref={input} id={`${id}i`} class="mono" value={text} placeholder={p.items.length ? '' : p.placeholder} autocomplete="off" spellcheck={false} data-slash={p.slash}
            role="combobox" aria-expanded={shown} aria-controls={`${id}l`} aria-autocomplete="list" aria-invalid={problem !== ''}
            aria-describedby={problem ? `${id}e` : undefined} aria-activedescendant={shown && at >= 0 ? `${id}o${at}` : undefined}
            onInput={(e) => type(e.currentTarget.value)} onKeyDown={onKey} onBlur={onBlur} onFocus={() => type(text)} onPointerDown={() => !open && type(text)} />
          {shown && (
            <div class="options" role="listbox" id={`${id}l`} aria-label={`${p.label} suggestions`}>
              {list.map((s, i) => (
                <div key={s.text} id={`${id}o${i}`} role="option" aria-selected={i === at} class="option"
                  onPointerDown={(e) => { e.preventDefault(); take(s); }}>
                  <span class="mono">{s.label}</span>
                  {s.detail && <span class="muted">{s.detail}</span>}
                </div>
              ))}
            </div>
          )}
        </span>
        {left && <span class="clause-problem" role="alert">left out: {left}</span>}
        {problem && <span class="clause-problem" id={`${id}e`} role="alert">{problem}</span>}
      </div>
    </div>
  );
}
