// SPDX-License-Identifier: Apache-2.0
// The button of a graph or a table that saves it: CSV, JSON, and of graphs a picture.

import { useState } from 'preact/hooks';
import { csvText, fileName, saveFile } from '../lib/files';
import { pictureOf } from '../lib/picture';
import { Icon } from './Icon';
import { openMenu, type MenuItem } from './Menu';

interface Saved { name: string; rows?: () => string[][]; json?: () => unknown; picture?: () => Element | null }

// The menu's lines, also for menus that have others.
export function saveItems({ name, rows, json, picture }: Saved, failed: (e: Error) => void): MenuItem[] {
  const file = fileName(name);
  const items: MenuItem[] = [];
  if (rows) items.push({ label: 'Save as CSV', run: () => saveFile(`${file}.csv`, [csvText(rows())], 'text/csv') });
  if (json) items.push({ label: 'Save as JSON', run: () => saveFile(`${file}.json`, [JSON.stringify(json(), null, 1)], 'application/json') });
  if (picture) items.push({ label: 'Save as PNG', run: () => { const el = picture(); if (el) pictureOf(el).then((b) => saveFile(`${file}.png`, [b], 'image/png'), failed); } });
  return items;
}

export function SaveAs(what: Saved) {
  const [error, setError] = useState('');
  return (
    <>
      {error && <span class="problem" role="alert">{error}</span>}
      <button type="button" class="icon-button save-as" aria-haspopup="menu" aria-label={`Save ${what.name}`} title="Save as a file" onClick={(e) => openMenu(e, `Save ${what.name}`, saveItems(what, (err) => setError(err.message)))}><Icon name="save" /></button>
    </>
  );
}

