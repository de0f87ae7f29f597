// SPDX-License-Identifier: Apache-2.0
//
// Colours that carry meaning. A service has one of 18 slots (nine hues without red, two lightnesses),
// chosen by a hash of its name; a taken slot passes to the next free one. Names are claimed in
// alphabetical order from the list of all datasets first, so everyone sees the same colours.
// Heatmaps use one ramp per theme, even in perceived lightness (computed in OKLCH).

// Neighbours on the wheel differ in lightness too; the order is the order of probing.
const HUES: [hue: number, bright: boolean][] = [[262, true], [92, false], [160, false], [300, false], [125, true], [228, false], [340, true], [60, true], [195, true]];
const SLOTS = HUES.length * 2;
const claimed = new Map<string, number>();
const taken = new Set<number>();

function hash(s: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < s.length; i++) h = Math.imul(h ^ s.charCodeAt(i), 0x01000193);
  h ^= h >>> 15;
  return Math.imul(h, 0x2c1b3c6d) >>> 0;
}

export function claim(names: Iterable<string>) {
  for (const name of [...names].sort()) slotOf(name);
}

// The next slot nobody has; while there is a hue nobody has, one of those.
function free(slot: number, used: ReadonlySet<number>): number {
  const hue = (i: number) => i % HUES.length;
  const hues = new Set([...used].map(hue));
  for (let i = 0; i < SLOTS; i++) {
    const s = (slot + i) % SLOTS;
    if (hues.size < HUES.length ? !hues.has(hue(s)) : !used.has(s)) return s;
  }
  return slot;
}

function slotOf(name: string): number {
  const known = claimed.get(name);
  if (known !== undefined) return known;
  const slot = free(hash(name) % SLOTS, taken);
  taken.add(slot);
  claimed.set(name, slot);
  return slot;
}

export type Theme = 'dark' | 'light';

export function slotColor(slot: number, theme: Theme): string {
  const [hue, high] = HUES[slot % HUES.length]!;
  const bright = slot < HUES.length ? high : !high;
  const l = theme === 'dark' ? (bright ? 0.82 : 0.65) : bright ? 0.61 : 0.46;
  return oklch(l, 0.13, hue);
}

export const serviceColor = (name: string, theme: Theme) => slotColor(slotOf(name), theme);

// Colours for the groups of one chart: like services, but distinct within the chart only.
export function groupColors(keys: string[], theme: Theme): string[] {
  const used = new Set<number>();
  return keys.map((key) => {
    const slot = free(hash(key) % SLOTS, used);
    used.add(slot);
    return slotColor(slot, theme);
  });
}

const gamma = (x: number) => (x <= 0.0031308 ? 12.92 * x : 1.055 * x ** (1 / 2.4) - 0.055);

// Out of the screen's gamut, colour gives way and lightness stays.
export function oklchToRgb(l: number, c: number, h: number): [number, number, number] {
  let chroma = c;
  let lin = linear(l, chroma, h);
  while (chroma > 0.005 && lin.some((x) => x < -0.001 || x > 1.001)) {
    chroma *= 0.96;
    lin = linear(l, chroma, h);
  }
  return lin.map((x) => Math.round(255 * Math.min(1, Math.max(0, gamma(Math.max(0, x)))))) as [number, number, number];
}

function linear(l: number, c: number, h: number): number[] {
  const a = c * Math.cos((h * Math.PI) / 180);
  const b = c * Math.sin((h * Math.PI) / 180);
  const L = (l + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const M = (l - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const S = (l - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * L - 3.3077115913 * M + 0.2309699292 * S,
    -1.2684380046 * L + 2.6097574011 * M - 0.3413193965 * S,
    -0.0041960863 * L - 0.7034186147 * M + 1.707614701 * S,
  ];
}

function oklch(l: number, c: number, h: number): string {
  return `rgb(${oklchToRgb(l, c, h).join(' ')})`;
}

const ramps = new Map<Theme, string[]>();
export const RAMP_STEPS = 64;

// From few to many: dark theme goes dark violet -> honey, light theme pale honey -> deep violet.
export function ramp(theme: Theme): string[] {
  let r = ramps.get(theme);
  if (!r) {
    r = Array.from({ length: RAMP_STEPS }, (_, i) => {
      const x = i / (RAMP_STEPS - 1);
      return theme === 'dark' ? oklch(0.4 + 0.52 * x, 0.12 + 0.04 * x, 290 - 205 * x) : oklch(0.91 - 0.58 * x, 0.07 + 0.08 * x, 85 + 200 * x);
    });
    ramps.set(theme, r);
  }
  return r;
}
