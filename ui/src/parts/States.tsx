// SPDX-License-Identifier: Apache-2.0
// The states every view has: working, failed, nothing there; and what an answer covers.

import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { ApiError } from '../lib/api';
import { count, si } from '../lib/format';
import type { Progress as Scan } from '../lib/types';
import { Icon } from './Icon';

export function Progress({ loading, progress }: { loading: boolean; progress: Scan | null }) {
  const share = progress && progress.rows_total > 0 ? Math.min(1, progress.rows_scanned / progress.rows_total) : null;
  return (
    <div class={`progress${loading ? ' on' : ''}`} role="progressbar" aria-label="Query progress" aria-hidden={!loading}
      aria-valuemin={0} aria-valuemax={100} aria-valuenow={share === null ? undefined : Math.round(share * 100)}>
      <div class={share === null ? 'wait' : ''} style={{ width: `${(share ?? 0.3) * 100}%` }} />
    </div>
  );
}

export function ErrorBox({ error, retry }: { error: Error; retry?: () => void }) {
  const field = error instanceof ApiError ? error.field : null;
  return (
    <div class="error-box" role="alert">
      <Icon name="warn" />
      <div>
        <strong>{error.message}</strong>
        {field && <div class="muted">in <code>{field}</code></div>}
      </div>
      {retry && <button type="button" class="button" onClick={retry}>Try again</button>}
    </div>
  );
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <h2>{title}</h2>
      {children}
    </div>
  );
}

// What to do about an empty answer.
export function Hint({ examined }: { examined: number }) {
  if (examined > 0) return <p>Widen the time range or remove a filter.</p>;
  return <p>Nothing is stored in this time range. <a href="/ui/settings">How to send data</a></p>;
}

interface Coverage { rows_examined: number; elapsed_ms: number; complete: boolean; estimated?: boolean }

// "10,240,113 rows, 84 ms, complete"
export function Covers({ answer, loading, progress, extra }: { answer: Coverage | null; loading: boolean; progress?: Scan | null; extra?: string }) {
  const scanning = loading && progress ? `${si(progress.rows_scanned)} of ${si(progress.rows_total)} rows` : loading && !answer ? 'asking …' : null;
  return (
    <span class="covers num" aria-live="off">
      {scanning ?? (answer && (
        <>
          {extra && `${extra} · `}
          {count(answer.rows_examined)} rows, {answer.elapsed_ms < 10 ? answer.elapsed_ms.toFixed(1) : Math.round(answer.elapsed_ms)} ms,{' '}
          {answer.complete ? 'complete' : <strong class="warn">incomplete</strong>}{answer.estimated && <>, <strong class="warn">estimated from a sample</strong></>}
        </>
      ))}
    </span>
  );
}

export function Copyable({ text, label }: { text: string; label: string }) {
  const [done, set] = useState(false);
  const run = () => {
    void navigator.clipboard?.writeText(text).then(() => {
      set(true);
      setTimeout(() => set(false), 1500);
    });
  };
  return (
    <div class="copyable">
      <pre tabIndex={0} aria-label={label}>{text}</pre>
      <button type="button" class="button small" onClick={run} aria-label={`Copy: ${label}`}>
        <Icon name={done ? 'check' : 'copy'} /> {done ? 'Copied' : 'Copy'}
      </button>
    </div>
  );
}
