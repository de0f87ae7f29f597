// SPDX-License-Identifier: Apache-2.0
// The crosshair all charts of a view share: a moment in ms, or null.

type Listener = (ms: number | null, source: object) => void;

export class CursorBus {
  private listeners = new Set<Listener>();
  on(l: Listener): () => void {
    this.listeners.add(l);
    return () => void this.listeners.delete(l);
  }
  set(ms: number | null, source: object) {
    for (const l of this.listeners) l(ms, source);
  }
}
