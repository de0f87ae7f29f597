// SPDX-License-Identifier: Apache-2.0
//
// The grid of a board: twelve columns, rows without end, panels that do not overlap and fall upward.
//
//   I1 no two places overlap, none leaves the twelve columns
//   I2 a change is computed from the places before it, whole: a drag that comes back changes nothing
//   I3 an untouched board keeps the places it has, gaps too; the first change closes the gaps
//
// A held panel goes where it is put; those it touches give way downward. A panel that fits into the place
// that the held one left, and is covered by half or more, takes that place: two panels change seats.

export interface Place { x: number; y: number; w: number; h: number }

export const COLUMNS = 12;
export const MOST_ROWS = 40; // of one panel

const across = (a: Place, b: Place) => a.x < b.x + b.w && b.x < a.x + a.w;
const meet = (a: Place, b: Place) => across(a, b) && a.y < b.y + b.h && b.y < a.y + a.h;
const common = (a: Place, b: Place) => Math.max(0, Math.min(a.x + a.w, b.x + b.w) - Math.max(a.x, b.x)) * Math.max(0, Math.min(a.y + a.h, b.y + b.h) - Math.max(a.y, b.y));

export function inside(p: Place): Place {
  const w = Math.min(COLUMNS, Math.max(1, p.w));
  return { w, h: Math.min(MOST_ROWS, Math.max(1, p.h)), x: Math.min(COLUMNS - w, Math.max(0, p.x)), y: Math.max(0, p.y) };
}

// The order in which people read: from top to bottom, then from left to right.
export const reading = (places: Place[]): number[] => places.map((_, i) => i).sort((a, b) => places[a]!.y - places[b]!.y || places[a]!.x - places[b]!.x || a - b);

// Each in this order as high as those before it let it stand.
function fall(places: Place[], order: number[]): Place[] {
  const out = [...places];
  order.forEach((i, k) => {
    const p = places[i]!;
    const y = order.slice(0, k).reduce((low, o) => (across(p, out[o]!) ? Math.max(low, out[o]!.y + out[o]!.h) : low), 0);
    out[i] = { ...p, y };
  });
  return out;
}

// Panel i at `to`, or as big as `to`.
export function changed(places: Place[], i: number, to: Place): Place[] {
  const was = places[i]!;
  const held = inside(to);
  const next = [...places];
  next[i] = held;
  const same = held.w === was.w && held.h === was.h;
  const seat = same ? next.findIndex((p, k) => k !== i && p.w <= was.w && p.h <= was.h && !meet(held, was) && common(held, p) * 2 >= p.w * p.h) : -1;
  if (seat >= 0) next[seat] = { ...next[seat]!, x: was.x, y: was.y };
  // Going down, one passes those whose middle its lower edge has reached; else those whose middle is above its upper edge.
  const lower = same && held.y > was.y ? held.y + held.h : held.y;
  const before = (p: Place) => (across(held, p) ? p.y + p.h / 2 <= lower : p.y < held.y || (p.y === held.y && p.x < held.x));
  const others = reading(next).filter((k) => k !== i);
  return fall(next, [...others.filter((k) => before(next[k]!)), i, ...others.filter((k) => !before(next[k]!))]);
}

// Panel i without whom the others close up.
export function without(places: Place[], i: number): Place[] {
  const rest = places.filter((_, k) => k !== i);
  return fall(rest, reading(rest));
}

// One step by key; up and down go on until something changes.
export function stepped(places: Place[], i: number, dx: number, dy: number, now: Place): Place {
  if (dx) return inside({ ...now, x: now.x + dx });
  const shown = changed(places, i, now)[i]!;
  const end = Math.max(...places.map((p) => p.y + p.h));
  for (let y = now.y + dy; y >= 0 && y <= end; y += dy) {
    if (changed(places, i, { ...now, y })[i]!.y !== shown.y) return { ...now, y };
  }
  return now;
}

// The first free place for a new one, reading; below all when none is.
export function free(places: Place[], w: number, h: number): Place {
  const end = Math.max(0, ...places.map((p) => p.y + p.h));
  for (let y = 0; y < end; y++) {
    for (let x = 0; x + w <= COLUMNS; x++) {
      const p = { x, y, w, h };
      // Not under an overhang: what is below must be empty, or it would not be the end of what is read.
      if (!places.some((q) => meet(p, q) || (across(p, q) && q.y > y))) return p;
    }
  }
  return { x: 0, y: end, w, h };
}

// As the server lays panels out that have no places.
export function flow(sizes: { w: number; h: number }[]): Place[] {
  let [x, y, row] = [0, 0, 0];
  return sizes.map(({ w, h }) => {
    if (x + w > COLUMNS) [x, y, row] = [0, y + row, 0];
    const p = { x, y, w, h };
    x += w;
    row = Math.max(row, h);
    return p;
  });
}
