// SPDX-License-Identifier: Apache-2.0
// The key help: a modal dialog, opened by ?.

import { useEffect, useRef } from 'preact/hooks';
import { Icon } from './Icon';

const KEYS: [string, [string, string][]][] = [
  ['Everywhere', [['g h', 'Home'], ['g q', 'Query'], ['g t', 'Traces'], ['g m', 'Map'], ['g l', 'Logs'], ['g e', 'Errors'], ['g b', 'Boards'], ['g a', 'Alerts'], ['g s', 'Settings'], ['/', 'search or filter'], ['t', 'time range'], ['o', 'zoom out'], ['v', 'live on or off'], ['d', 'dark or light'], ['?', 'these keys']]],
  ['Query', [['Enter', 'take the suggestion, make the chip'], ['Tab', 'take the suggestion'], ['Backspace', 'edit the last chip'], ['← →', 'walk the chips'], ['Delete', 'remove a chip'], ['Ctrl Enter', 'ask']]],
  ['Response times', [['← →', 'walk the bars'], ['Shift ← →', 'a range of bars'], ['Enter', 'narrow to it'], ['Esc', 'all durations'], ['drag', 'narrow to the range']]],
  ['Charts', [['← →', 'walk the steps'], ['Enter', 'menu of the step'], ['click', 'menu of the step'], ['drag', 'zoom'], ['Shift drag', 'what is different at that time'], ['double click', 'zoom out']]],
  ['Heatmap', [['← → ↑ ↓', 'walk the cells'], ['Enter', 'example trace'], ['Shift Enter', 'menu of the cell'], ['click', 'example trace'], ['drag', 'region: zoom, traces, what is different']]],
  ['Trace', [['↑ ↓  j k', 'walk the rows'], ['← →', 'fold, unfold, to the parent, to the child'], ['Shift ← →', 'fold or unfold everything inside'], ['Shift C  Shift X', 'collapse all, expand all'], ['/', 'search'], ['n  N', 'next and previous match'], ['e  E', 'next and previous failed span'], ['+ − 0', 'zoom in, out, whole trace'], ['z', 'zoom to the span'], ['Esc', 'close the sidebar']]],
  ['Map', [['← → ↑ ↓', 'walk the nodes'], ['Enter', 'open the node'], ['+ − 0', 'zoom in, out, whole map'], ['Esc', 'close the panel']]],
  ['Errors', [['j k  ↑ ↓', 'walk the list'], ['Enter', 'open'], ['x', 'choose'], ['X', 'choose all from the last chosen to here'], ['a', 'choose all, or none'], ['e', 'resolve'], ['m', 'mute'], ['u', 'open again'], ['i', 'assign to me'], ['M', 'merge the chosen']]],
  ['Boards', [['drag', 'move a panel by its head, resize it by its corner'], ['← → ↑ ↓', 'on its grip: move'], ['Shift ← → ↑ ↓', 'on its grip: resize'], ['Enter', 'keep'], ['Esc', 'put back'], ['r', 'ask all again']]],
  ['Logs', [['f', 'follow'], ['p', 'pause, resume'], ['r', 'ask again'], ['↑ ↓  j k', 'walk the lines'], ['PgUp  PgDn', 'a screen'], ['Home  End', 'first, last line'], ['Enter  → ←', 'open, close the line'], ['c', 'lines around it'], ['x', 'its trace'], ['s', 'only its severity'], ['w', 'wrap']]],
];

export function Keys({ close }: { close: () => void }) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    ref.current!.showModal();
    return () => before?.focus?.();
  }, []);
  return (
    <dialog ref={ref} class="keys" aria-label="Keys" onClose={close} onClick={(e) => e.target === e.currentTarget && close()}
      onKeyDown={(e) => { if (e.key === '?') { e.preventDefault(); close(); } }}>
      <header><h2>Keys</h2><button type="button" class="icon-button" onClick={close} aria-label="Close"><Icon name="close" /></button></header>
      <div class="keys-grid">
        {KEYS.map(([title, list]) => (
          <section>
            <h3>{title}</h3>
            <dl>{list.map(([k, what]) => <div><dt>{k.split(/ {2}/).map((part) => <kbd>{part}</kbd>)}</dt><dd>{what}</dd></div>)}</dl>
          </section>
        ))}
      </div>
    </dialog>
  );
}
