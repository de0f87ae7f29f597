// SPDX-License-Identifier: Apache-2.0
// There is no login: one is whom one chooses to be.

export interface Person { handle: string; name: string }

export const people: Person[] = [
  { handle: 'andrewbrown', name: 'Andrew Brown' },
  { handle: 'garek', name: 'Garek' },
  { handle: 'worf', name: 'Worf' },
  { handle: 'cocomelon', name: 'Cocomelon' },
];

const KEY = 'cruddur.handle';

export const me = (): Person => people.find((p) => p.handle === sessionStorage.getItem(KEY)) ?? people[0]!;
export const become = (handle: string): void => sessionStorage.setItem(KEY, handle);

// What is shown of others is their name; pages go by handles.
export const handleOf = (name: string): string => people.find((p) => p.name === name || p.handle === name)?.handle ?? name;
