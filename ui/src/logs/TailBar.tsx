// SPDX-License-Identifier: Apache-2.0
// Beside the lines while one follows: pause, how many wait, how fast they come, what was left out.

import { useState } from 'preact/hooks';
import { count, short } from '../lib/format';
import { useInterval } from '../lib/use';
import { Icon } from '../parts/Icon';
import type { TailLines } from './tail';

export function TailBar({ tail }: { tail: TailLines }) {
  const [, again] = useState(0);
  useInterval(500, () => again((n) => n + 1));
  const rate = tail.rate();
  return (
    <span class="tail-bar">
      <button type="button" class="button" data-key="p" aria-pressed={tail.paused} onClick={() => { tail.pause(!tail.paused); again((n) => n + 1); }} title="p">
        <Icon name={tail.paused ? 'play' : 'pause'} /> {tail.paused ? `Resume${tail.waiting ? ` (${count(tail.waiting)} new)` : ''}` : 'Pause'}
      </button>
      <button type="button" class="button" onClick={() => tail.clear()}>Clear</button>
      <span class="muted num" role="status">
        <b class="rate">{rate < 10 ? short(Math.round(rate * 10) / 10) : count(rate)} lines/s</b> · {count(tail.total)} kept
        {tail.skipped > 0 && <>, {count(tail.skipped)} skipped: too fast to show</>}{tail.dropped > 0 && <>, {count(tail.dropped)} older ones let go</>}
      </span>
    </span>
  );
}
