// SPDX-License-Identifier: Apache-2.0
// A JSON text as a tree to open and close. A value is made into elements when it is opened, so that a
// large document costs nothing while it is shut; a list too long for a screen comes in pieces.

import { useMemo, useState } from 'preact/hooks';

const PIECE = 100;
const OPEN_BELOW = 12; // members

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

// What a click on a value does: its path with dots, and the value.
type OnValue = (e: MouseEvent, path: string, value: null | boolean | number | string) => void;

export function JsonTree({ text, label, onValue }: { text: string; label: string; onValue?: OnValue }) {
  const value = useMemo((): Json | undefined => {
    try {
      return JSON.parse(text) as Json;
    } catch {
      return undefined;
    }
  }, [text]);
  if (value === undefined) return <pre class="json-text">{text}</pre>;
  return <div class="json mono" role="group" aria-label={label}><Node name={null} path="" value={value} open onValue={onValue} /></div>;
}

const entries = (v: Json[] | { [key: string]: Json }): [string, Json][] => Object.entries(v);
const size = (v: Json[] | { [key: string]: Json }) => (Array.isArray(v) ? `[${v.length}]` : `{${Object.keys(v).length}}`);

// Depth is what a person has opened.
function Node({ name, path, value, open = false, onValue }: { name: string | null; path: string; value: Json; open?: boolean; onValue?: OnValue | undefined }) {
  const [shown, setShown] = useState(open);
  const [most, setMost] = useState(PIECE);
  const key = name !== null && <span class="json-key">{name}: </span>;
  if (value === null || typeof value !== 'object') {
    const of = `json-${value === null ? 'null' : typeof value}`;
    const act = onValue && ((e: MouseEvent) => onValue(e, path, value));
    return <div class="json-leaf">{key}{act ? <button type="button" class={`value ${of}`} aria-haspopup="menu" onClick={act} onContextMenu={act}>{JSON.stringify(value)}</button> : <span class={of}>{JSON.stringify(value)}</span>}</div>;
  }
  const list = shown ? entries(value) : [];
  return (
    <details open={shown} onToggle={(e) => { e.stopPropagation(); setShown(e.currentTarget.open); }}>
      <summary>{key}<span class="muted">{size(value)}</span></summary>
      {list.slice(0, most).map(([k, v]) => <Node key={k} name={k} path={path ? `${path}.${k}` : k} value={v} onValue={onValue} open={name === null && v !== null && typeof v === 'object' && Object.keys(v).length <= OPEN_BELOW} />)}
      {list.length > most && <button type="button" class="button small" onClick={() => setMost(most + 10 * PIECE)}>{list.length - most} more</button>}
    </details>
  );
}
