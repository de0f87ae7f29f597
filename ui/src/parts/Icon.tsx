// SPDX-License-Identifier: Apache-2.0
// Line icons of 16 x 16, drawn in the text's colour; always decoration, never the only name.

const PATHS: Record<string, string> = {
  home: 'M2.5 7.5 8 3l5.5 4.5M4 6.5V13h8V6.5',
  query: 'M2.5 13V9M6 13V5M9.5 13V7.5M13 13V3',
  traces: 'M2.5 3.5h6M5 8h6M8 12.5h5.5',
  map: 'M4 3.2a1.6 1.6 0 1 0 0 3.2a1.6 1.6 0 0 0 0-3.2M12 3.2a1.6 1.6 0 1 0 0 3.2a1.6 1.6 0 0 0 0-3.2M12 9.8a1.6 1.6 0 1 0 0 3.2a1.6 1.6 0 0 0 0-3.2M5.6 4.8h4.8M5.3 5.9l5.4 4.6',
  logs: 'M3 3.5h10M3 6.5h10M3 9.5h7M3 12.5h9',
  settings: 'M3 5h6M12 5h1M3 11h1M7 11h6M10.5 3.2v3.6M5.5 9.2v3.6',
  sun: 'M8 5.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6M8 1.5v1.3M8 13.2v1.3M1.5 8h1.3M13.2 8h1.3M3.4 3.4l.9.9M11.7 11.7l.9.9M12.6 3.4l-.9.9M4.3 11.7l-.9.9',
  moon: 'M13 9.5A5.5 5.5 0 0 1 6.5 3a5.5 5.5 0 1 0 6.5 6.5',
  close: 'M4 4l8 8M12 4l-8 8',
  down: 'M4 6l4 4 4-4',
  right: 'M6 4l4 4-4 4',
  copy: 'M5.5 5.5h7v8h-7zM3.5 10.5v-8h7',
  search: 'M7 2.8a4.2 4.2 0 1 0 0 8.4 4.2 4.2 0 0 0 0-8.4M10.2 10.2 13.5 13.5',
  clock: 'M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11M8 5v3l2 1.5',
  warn: 'M8 2.5 14 13H2zM8 6.5v3M8 11.2v.3',
  keys: 'M2 4.5h12v7H2zM4.5 7h.1M7 7h.1M9.5 7h.1M12 7h.1M5 9.3h6',
  out: 'M6.5 3H3.5v10h3M7 8h6.5M11 5.5 13.5 8 11 10.5',
  boards: 'M2.5 3h5v6h-5zM9.5 3h4v3.5h-4zM9.5 8.5h4V13h-4zM2.5 11h5v2h-5z',
  bell: 'M4 11V7.5a4 4 0 0 1 8 0V11l1.2 1.5H2.8zM6.8 14h2.4',
  save: 'M8 2.5v7M5 6.8 8 9.8l3-3M3 12.8h10',
  grip: 'M6 4h.1M10 4h.1M6 8h.1M10 8h.1M6 12h.1M10 12h.1',
  more: 'M3.5 8h.1M8 8h.1M12.5 8h.1',
  flag: 'M4 14V2.5h7.5L9.5 5.5l2 3H4',
  check: 'M3.5 8.5 6.5 11.5 12.5 5',
  plus: 'M8 3.5v9M3.5 8h9',
  link: 'M6.5 9.5l3-3M7 5l1.5-1.5a2.5 2.5 0 0 1 3.5 3.5L10.5 8.5M9 11l-1.5 1.5A2.5 2.5 0 0 1 4 9l1.5-1.5',
  play: 'M5 3.5v9l7-4.5z',
  pause: 'M5.5 3.5v9M10.5 3.5v9',
};

export function Icon({ name }: { name: keyof typeof PATHS & string }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
