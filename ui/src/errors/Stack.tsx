// SPDX-License-Identifier: Apache-2.0
// Exceptions frame by frame, the innermost first: own frames stand open with their code, runs of others
// are one line until they are asked for.

import { useState } from 'preact/hooks';
import type { Exception, Frame, FrameMore, StackAnswer } from '../lib/errors';

export function Stack({ stack, more }: { stack: StackAnswer; more: FrameMore[][] }) {
  const [all, showAll] = useState(false);
  const foreign = stack.exceptions.reduce((n, e) => n + e.frames.filter((f) => !f.own).length, 0);
  return (
    <div class="stack">
      {foreign > 0 && (
        <div class="bar">
          <span class="muted">{stack.language}</span>
          <span class="end" />
          <button type="button" class="button small" aria-pressed={all} onClick={() => showAll(!all)}>{all ? 'Own code only' : `All frames (${foreign} of libraries)`}</button>
        </div>
      )}
      {stack.exceptions.map((e, i) => <One key={i} e={e} more={more[i] ?? []} cause={i > 0} all={all} />)}
    </div>
  );
}

interface Run { frames: [Frame, FrameMore | undefined][]; own: boolean }

// Innermost first; neighbours of libraries together.
function runsOf(e: Exception, more: FrameMore[]): Run[] {
  const runs: Run[] = [];
  for (let i = e.frames.length - 1; i >= 0; i--) {
    const f = e.frames[i]!;
    const last = runs[runs.length - 1];
    if (last && !last.own && !f.own) last.frames.push([f, more[i]]);
    else runs.push({ frames: [[f, more[i]]], own: f.own });
  }
  return runs;
}

function One({ e, more, cause, all }: { e: Exception; more: FrameMore[]; cause: boolean; all: boolean }) {
  return (
    <section class="exception" aria-label={`${cause ? 'Cause: ' : ''}${e.type ?? 'Exception'}`}>
      <h3>{cause && <span class="muted">caused by </span>}<span class="error">{e.type ?? 'Exception'}</span>{e.message && <span class="message">: {e.message}</span>}</h3>
      {e.frames.length === 0 && <p class="muted">Its sender gave no frames.</p>}
      <ol class="frames">{runsOf(e, more).map((r, i) => (r.own || all ? r.frames.map(([f, m], k) => <FrameLine key={`${i} ${k}`} f={f} more={m} open={r.own && i < 3} />) : <Folded key={i} run={r} />))}</ol>
    </section>
  );
}

function Folded({ run }: { run: Run }) {
  const [open, set] = useState(false);
  if (open) return <>{run.frames.map(([f, m], k) => <FrameLine key={k} f={f} more={m} open={false} />)}</>;
  return <li class="folded"><button type="button" onClick={() => set(true)}>{run.frames.length} {run.frames.length === 1 ? 'frame' : 'frames'} of libraries</button></li>;
}

const place = (f: Frame) => `${f.file ?? f.module ?? '?'}${f.line ? `:${f.line}` : ''}${f.column ? `:${f.column}` : ''}`;
const binary = (f: Frame) => `${f.module ?? '?'}+${f.offset}${f.build_id ? ` (build ${f.build_id})` : ''}`;
// What the sender said where something else is shown.
const asSent = (f: Frame) => (f.offset ? binary(f) : `${f.function ?? '<anonymous>'} ${place(f)}`);

function FrameLine({ f, more, open: first }: { f: Frame; more: FrameMore | undefined; open: boolean }) {
  const [open, set] = useState(first);
  const has = more && (more.code !== undefined || more.locals.length > 0);
  const what = <><b class="mono">{f.function ?? '<anonymous>'}</b> <span class="mono muted spot">{place(f)}</span>
      {f.inlined && <span class="chip small">inlined</span>}
      {f.sent && <span class="mapped muted" title={`As it came: ${asSent(f.sent)}`}>{f.offset ? 'by its debug file' : 'by its source map'}</span>}
      {!f.sent && f.offset && f.build_id && !f.line && <span class="mapped muted" title={binary(f)}>no debug file of this build</span>}
    </>;
  return (
    <li class={f.own ? 'own' : 'foreign'}>
      {has ? <button type="button" aria-expanded={open} onClick={() => set(!open)}>{what}</button> : <div class="plain">{what}</div>}
      {has && open && <Code f={f} more={more} />}
    </li>
  );
}

function Code({ f, more }: { f: Frame; more: FrameMore }) {
  const start = (f.line ?? 1) - more.pre.length;
  const lines: [string, boolean][] = [...more.pre.map((l): [string, boolean] => [l, false]), ...(more.code === undefined ? [] : [[more.code, true] as [string, boolean]]), ...more.post.map((l): [string, boolean] => [l, false])];
  return (
    <div class="frame-more">
      {lines.length > 0 && (
        <pre class="code" tabIndex={0} aria-label="Code">{lines.map(([l, here], i) => <span key={i} class={here ? 'here' : ''}><i class="num">{start + i}</i>{l}{'\n'}</span>)}</pre>
      )}
      {more.locals.length > 0 && (
        <dl class="locals" aria-label="Variables">{more.locals.map(([k, v]) => <div key={k}><dt class="mono">{k}</dt><dd class="mono">{v}</dd></div>)}</dl>
      )}
    </div>
  );
}
