// SPDX-License-Identifier: Apache-2.0
// Dark or light: the system's choice until the reader makes another, which is kept on this machine.

import { useEffect, useState } from 'preact/hooks';
import type { Theme } from './color';

const KEY = 'skep.theme';
const media = matchMedia('(prefers-color-scheme: light)');
const listeners = new Set<() => void>();

function stored(): Theme | null {
  try {
    const t = localStorage.getItem(KEY);
    return t === 'dark' || t === 'light' ? t : null;
  } catch {
    return null;
  }
}

let theme: Theme = stored() ?? (media.matches ? 'light' : 'dark');
apply();

function apply() {
  document.documentElement.dataset.theme = theme;
  for (const l of listeners) l();
}

media.addEventListener('change', () => {
  if (stored()) return;
  theme = media.matches ? 'light' : 'dark';
  apply();
});

export function toggleTheme() {
  theme = theme === 'dark' ? 'light' : 'dark';
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // A browser that stores nothing still gets the theme for this visit.
  }
  apply();
}

export function useTheme(): Theme {
  const [t, set] = useState(theme);
  useEffect(() => {
    const l = () => set(theme);
    listeners.add(l);
    l();
    return () => void listeners.delete(l);
  }, []);
  return t;
}

// A colour token as the theme has it now, for canvases.
export const token = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
