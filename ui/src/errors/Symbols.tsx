// SPDX-License-Identifier: Apache-2.0
// Source maps and debug files that stacks are read with: what there is, and how more comes.

import { useState } from 'preact/hooks';
import { api } from '../lib/api';
import type { SymbolFile } from '../lib/errors';
import { ago, bytes, count, nsToMs } from '../lib/format';
import { href } from '../lib/route';
import { useLoad } from '../lib/use';
import { Copyable, Empty, ErrorBox, Progress } from '../parts/States';
import { Sure } from '../parts/Sure';

const here = typeof location === 'undefined' ? '' : location.origin;
const MAP = `skep symbols upload app.js.map --server ${here} --release 1.2 --url https://shop.example/app.js`;
const DEBUG = `skep symbols upload build/app --server ${here}   # an ELF file with DWARF`;

export function Symbols() {
  const all = useLoad('symbols', api.symbols);
  const [failed, fail] = useState<Error | null>(null);
  const list = all.data?.symbols ?? [];
  const kept = list.reduce((n, s) => n + s.kept_bytes, 0);
  return (
    <div class="view errors settings">
      <div class="bar"><a href={href('errors')} class="muted">Errors</a><h1>Source maps and debug files</h1></div>
      <Progress loading={all.loading && !all.data} progress={null} />
      {(all.error ?? failed) && <ErrorBox error={(all.error ?? failed)!} retry={() => { fail(null); all.reload(); }} />}
      {all.data && list.length === 0 && <Empty title="There are none yet"><p>Stacks of minified bundles and stripped programs are shown, and grouped, as they come.</p></Empty>}
      {list.length > 0 && (
        <section class="panel" aria-label="Files">
          <header class="panel-head"><span class="muted num">{count(list.length)} of {count(all.data!.most)}, {bytes(kept)} of {bytes(all.data!.most_bytes)}; beyond that the oldest go</span></header>
          <div class="table-wrap" role="region" aria-label="Source maps and debug files" tabIndex={0}>
            <table class="table">
              <thead><tr><th>What</th><th>Of</th><th>File</th><th class="right">Size</th><th>Since</th><th><span class="visually-hidden">Change</span></th></tr></thead>
              <tbody>{list.map((s) => (
                <tr key={s.id}>
                  <td class="nowrap">{s.kind === 'native' ? 'debug file' : 'source map'}</td>
                  <td class="grow mono">{what(s)}</td>
                  <td>{s.title || <span class="muted">–</span>}</td>
                  <td class="num right">{bytes(s.bytes)}</td>
                  <td class="nowrap muted">{ago(nsToMs(s.created_ns), Date.now())}{s.by && ` by ${s.by}`}</td>
                  <td class="right"><Sure label="Delete" name={`Delete ${what(s)}`} question="Delete it?" run={() => api.dropSymbols(s.id)} done={all.reload} failed={fail} /></td>
                </tr>
              ))}</tbody>
            </table>
          </div>
        </section>
      )}
      <p>Upload what a build makes beside itself before you release it: errors are then grouped by files and functions that people wrote. What comes later is used to show stacks alone.</p>
      <Copyable text={MAP} label="a source map" />
      <Copyable text={DEBUG} label="a debug file" />
    </div>
  );
}

const what = (s: SymbolFile) => (s.kind === 'native' ? `build ${s.build_id}` : `${s.url} in ${s.version}`);
