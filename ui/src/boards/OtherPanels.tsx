// SPDX-License-Identifier: Apache-2.0
// Panels that ask no question: a text in Markdown, and an SLO with its budget.

import { useState } from 'preact/hooks';
import { burnLine } from '../lib/alerts';
import { api } from '../lib/api';
import { environment } from '../lib/env';
import { count, short } from '../lib/format';
import { href } from '../lib/route';
import { focusOnce, useInterval, useLoad } from '../lib/use';
import { Markdown } from '../parts/Markdown';
import { Plot } from '../parts/Plot';
import { ErrorBox, Progress } from '../parts/States';
import { Frame, type Framed } from './Frame';
import type { Shared } from './OneBoard';
import { useSeen } from './QueryPanel';

const REFRESH_MS = 30e3;
const PLOT_FROM_ROWS = 4;

// Its first heading is its name, too.
const titleOf = (content: string) => (/^#{1,6}\s+(.+)$/m.exec(content)?.[1] ?? content.trim().split('\n')[0] ?? '').slice(0, 60) || 'Text';

export function TextPanel({ content, keep, ...frame }: { content: string; keep: (content: string) => void } & Framed) {
  const [text, edit] = useState<string | null>(null);
  const save = (e: Event) => {
    e.preventDefault();
    if (text !== null && text !== content) keep(text);
    edit(null);
  };
  return (
    <Frame {...frame} name={titleOf(content)} items={() => [{ label: 'Edit the text', run: () => edit(content) }]}>
      <div class="board-body">
        {text === null ? <div class="board-answer" tabIndex={0} role="region" aria-label={`Text: ${titleOf(content)}`}><Markdown text={content} /></div> : (
          <form class="board-edit" onSubmit={save} aria-label="Edit the text" onKeyDown={(e) => { if (e.key === 'Escape') { e.stopPropagation(); edit(null); } else if (e.key === 'Enter' && (e.ctrlKey || e.metaKey)) save(e); }}>
            <textarea aria-label="Text in Markdown" value={text} maxLength={10000} onInput={(e) => edit(e.currentTarget.value)} ref={focusOnce} />
            <div class="bar"><button type="submit" class="button primary">Keep (Ctrl+Enter)</button><button type="button" class="button" onClick={() => edit(null)}>Cancel</button></div>
          </form>
        )}
      </div>
    </Frame>
  );
}

export function SloPanel({ id, rows, shared, ...frame }: { id: string; rows: number; shared: Shared } & Framed) {
  const [ref, ever, now] = useSeen();
  const answer = useLoad(ever ? `slo ${environment()} ${id} ${shared.turn}` : null, (signal) => shared.limited(signal, async () => {
    const [list, burn] = await Promise.all([api.slos(signal), rows >= PLOT_FROM_ROWS ? api.burn(id, signal).catch(() => null) : null]);
    return { report: list.find((s) => s.object.id === id), burn };
  }));
  useInterval(now ? REFRESH_MS : null, answer.reload);
  const r = answer.data?.report;
  const left = r?.budget_remaining ?? 0;
  return (
    <Frame {...frame} name={r?.object.name ?? 'SLO'} {...(r && { href: href(`slos/${id}`) })}>
      <div class="board-body" ref={ref}>
        <Progress loading={answer.loading && !answer.data} progress={null} />
        {answer.error && <ErrorBox error={answer.error} retry={answer.reload} />}
        {answer.data && !r && <p class="muted board-none">This SLO is gone.</p>}
        {r?.error && <p class="error">{r.error}</p>}
        {r && !r.error && (
          <div class="board-fill">
            <p class={`big${left <= 0 ? ' error' : ''}`}>{left.toFixed(1)} % <span class="muted">of the budget left</span></p>
            <div class={`budget${left <= 0 ? ' gone' : left < 10 ? ' low' : ''}`} role="img" aria-label={`Budget remaining: ${left.toFixed(1)} %`}><span style={{ width: `${Math.max(0, Math.min(100, left))}%` }} /></div>
            <p class="muted small">{(r.compliance ?? 100).toFixed(3)} % good of {count(r.total ?? 0)}; {short(r.object.target_per_million / 1e4)} % wanted over {r.object.time_period_days} days</p>
            {answer.data?.burn && answer.data.burn.total > 0 && (
              <Plot label={`Budget remaining of ${r.object.name}`} lines={[burnLine(answer.data.burn)]} text={(n) => `${short(n)} %`} threshold={0} height={Math.max(80, rows * 76 - 150)} />
            )}
          </div>
        )}
      </div>
    </Frame>
  );
}
