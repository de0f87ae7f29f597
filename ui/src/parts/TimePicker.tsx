// SPDX-License-Identifier: Apache-2.0
// The time range of the page: presets, a relative range of one's own, or two moments.

import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { patch, useRoute } from '../lib/route';
import { PRESETS, label, namesRange, rangeOf, seconds, setAbsolute, setRelative, zoomOut } from '../lib/time';
import { Icon } from './Icon';

const local = (s: number) => {
  const d = new Date(s * 1e3 - new Date(s * 1e3).getTimezoneOffset() * 60e3);
  return d.toISOString().slice(0, 19);
};

// `unset`: what an address without a range means here, if it is no range.
export function TimePicker({ unset }: { unset?: string }) {
  const { params } = useRoute();
  const range = rangeOf(params);
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  // Before it is painted: who is quick at the keys must find the focus in it.
  useLayoutEffect(() => {
    if (!open) return;
    const find = (what: string) => root.current?.querySelector<HTMLElement>(`.picker ${what}`);
    (find('button[aria-pressed=true]') ?? find('button'))?.focus();
    const outside = (e: Event) => !root.current?.contains(e.target as Node) && setOpen(false);
    addEventListener('pointerdown', outside, true);
    return () => removeEventListener('pointerdown', outside, true);
  }, [open]);
  const close = () => {
    setOpen(false);
    button.current?.focus();
  };
  const onKey = (e: KeyboardEvent) => {
    if (e.key === 'Escape' && open) {
      e.stopPropagation();
      close();
    }
    const list = [...(root.current?.querySelectorAll<HTMLElement>('.presets button') ?? [])];
    const i = list.indexOf(document.activeElement as HTMLElement);
    if (i >= 0 && (e.key === 'ArrowDown' || e.key === 'ArrowUp')) {
      e.preventDefault();
      list.at((i + (e.key === 'ArrowDown' ? 1 : -1)) % list.length)?.focus();
    }
  };
  const now = params.get('t');
  return (
    <div class="time" ref={root} onKeyDown={onKey}>
      <button type="button" class="button" data-key="t" ref={button} aria-haspopup="dialog" aria-expanded={open} onClick={() => setOpen(!open)}>
        <Icon name="clock" /> <span class="num">{unset && !namesRange() ? unset : label(range)}</span> <Icon name="down" />
      </button>
      {range.relative === null && (
        <button type="button" class="button" onClick={zoomOut} title="Back out of this range (double click on a chart)">Zoom out</button>
      )}
      {open && (
        <div class="picker" role="dialog" aria-label="Time range">
          <div class="presets">
            {unset && <button type="button" class="ghost" aria-pressed={!namesRange()} onClick={() => { patch({ t: null, from: null, to: null }); close(); }}>{unset}</button>}
            {PRESETS.map(([t, text]) => (
              <button type="button" class="ghost" aria-pressed={range.relative !== null && now === t && !(unset && !namesRange())} onClick={() => { setRelative(t); close(); }}>Last {text}</button>
            ))}
          </div>
          <div class="own">
            <Relative done={close} />
            <Absolute from={range.from} to={range.to} done={close} />
            <div class="muted small">Times are in {Intl.DateTimeFormat().resolvedOptions().timeZone}.</div>
          </div>
        </div>
      )}
    </div>
  );
}

function Relative({ done }: { done: () => void }) {
  const [text, set] = useState('');
  const good = seconds(text) !== null;
  const submit = (e: Event) => {
    e.preventDefault();
    if (!good) return;
    setRelative(text.replace(/\s/g, ''));
    done();
  };
  return (
    <form onSubmit={submit}>
      <label>Last <input class="mono" size={8} value={text} placeholder="45m" onInput={(e) => set(e.currentTarget.value)} aria-describedby="own-help" /></label>
      <button class="button small" disabled={!good}>Set</button>
      <div class="muted small" id="own-help">s, m, h, d or w: 90s, 45m, 12h</div>
    </form>
  );
}

function Absolute({ from, to, done }: { from: number; to: number; done: () => void }) {
  const [a, setA] = useState(local(from));
  const [b, setB] = useState(local(to));
  const start = new Date(a).getTime() / 1e3;
  const end = new Date(b).getTime() / 1e3;
  const good = end > start;
  const submit = (e: Event) => {
    e.preventDefault();
    if (!good) return;
    setAbsolute(start, end);
    done();
  };
  return (
    <form onSubmit={submit}>
      <label>From <input type="datetime-local" step="1" value={a} onInput={(e) => setA(e.currentTarget.value)} /></label>
      <label>To <input type="datetime-local" step="1" value={b} onInput={(e) => setB(e.currentTarget.value)} /></label>
      {!good && <div class="problem" role="alert">the end is not after the start</div>}
      <button class="button small" disabled={!good}>Set</button>
    </form>
  );
}
