// SPDX-License-Identifier: Apache-2.0
// At most so many at a time; the others wait in the order in which they came, or until nobody wants them.

export type Limited = <T>(signal: AbortSignal, run: () => Promise<T>) => Promise<T>;

export function limiter(most: number): Limited {
  let running = 0;
  const waiting: (() => void)[] = [];
  const next = () => {
    running--;
    waiting.shift()?.();
  };
  const turn = (signal: AbortSignal) => new Promise<void>((go, refuse) => {
    const begin = () => { running++; signal.removeEventListener('abort', leave); go(); };
    const leave = () => {
      const at = waiting.indexOf(begin);
      if (at >= 0) waiting.splice(at, 1);
      refuse(new DOMException('nobody wants it any more', 'AbortError'));
    };
    if (signal.aborted) leave();
    else if (running < most) begin();
    else {
      waiting.push(begin);
      signal.addEventListener('abort', leave);
    }
  });
  return async (signal, run) => {
    await turn(signal);
    try {
      return await run();
    } finally {
      next();
    }
  };
}
