// SPDX-License-Identifier: Apache-2.0
// --memory is a limit of the whole process, libraries and allocator included: the server runs in a control
// group of the limit and a tenth more, where the kernel kills what goes over. Ingest, questions that want
// more than they may have, and a restart over a full log. Skipped where no control group may be made.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { Skep, sleep } from './support.mjs';

const bin = process.env.SKEP_BENCH_BIN || join(dirname(process.env.SKEP_BIN || 'build/release/skep'), 'bin');
const MEMORY = 64 << 20;
const BASE = 1790000000;
const SPANS = 512 * 512;

// A group whose processes may hold `bytes`: version 1 or 2, or null.
function makeGroup(bytes) {
  for (const [parent, file, value] of [['/sys/fs/cgroup/memory', 'memory.limit_in_bytes', bytes], ['/sys/fs/cgroup', 'memory.max', bytes]]) {
    if (!existsSync(join(parent, 'cgroup.procs'))) continue;
    const group = join(parent, `skep-test-${process.pid}`);
    try {
      mkdirSync(group);
      writeFileSync(join(group, file), String(value));
      return { group, kills: () => Number(/oom_kill (\d+)/.exec(readFileSync(join(group, file === 'memory.max' ? 'memory.events' : 'memory.oom_control'), 'utf8'))?.[1] ?? 0) };
    } catch {
      if (existsSync(group)) rmdirSync(group);
    }
  }
  return null;
}

let dir, file, cg;
before(() => {
  cg = makeGroup(Math.floor(MEMORY * 1.1));
  if (!cg) return;
  dir = mkdtempSync(join(tmpdir(), 'skep-cgroup-'));
  file = join(dir, 'bodies.bin');
  execFileSync(join(bin, 'gen'), [String(SPANS), file, String(BASE), '9']);
});
after(async () => {
  if (!cg) return;
  rmSync(dir, { recursive: true, force: true });
  for (let i = 0; i < 50 && existsSync(cg.group); i++) {
    try { rmdirSync(cg.group); } catch { await sleep(50); } // until the kernel has let the last process go
  }
});

const blast = (skep) => new Promise((resolve) => {
  const child = spawn(join(bin, 'blast'), ['127.0.0.1', String(skep.port), file, '--connections', '8'], { stdio: ['ignore', 'pipe', 'inherit'] });
  let out = '';
  child.stdout.on('data', (d) => { out += d; });
  child.once('exit', () => resolve(JSON.parse(out)));
});

test('inside a control group of the limit and a tenth', { timeout: 300000 }, async (t) => {
  if (!cg) return t.skip('no control group can be made here');
  const options = { args: ['--memory', String(MEMORY), '--retain', '0'],
    wrap: ['sh', '-c', 'echo $$ > "$0/cgroup.procs" && exec "$@"', cg.group] };
  const range = { start_time: BASE - 60, end_time: BASE + 86400 };
  const hungry = [
    { calculations: [{ op: 'COUNT' }], breakdowns: ['trace.trace_id'] },
    { calculations: [{ op: 'HEATMAP', column: 'duration_ms' }], breakdowns: ['user.id', 'http.url'] },
    { calculations: [{ op: 'COUNT_DISTINCT', column: 'session.id' }, { op: 'P99', column: 'duration_ms' }], breakdowns: ['session.id'] },
  ];
  let skep = await Skep.start(options);
  try {
    let over = false, asked = 0;
    const sending = blast(skep).then((r) => { over = true; return r; });
    while (!over || asked < hungry.length) {
      const r = await skep.call('POST', '/skep/v1/query', { ...range, ...hungry[asked++ % hungry.length] }, { accept: 'application/json' });
      assert.ok([200, 422, 503].includes(r.status), `status ${r.status}`);
      await r.arrayBuffer();
    }
    const sent = await sending;
    assert.equal(sent.broken, 0);
    assert.ok(sent.spans > 0);
    const count = async () => (await skep.query({ ...range, disable_series: true, calculations: [{ op: 'COUNT' }],
      filters: [{ column: 'meta.annotation_type', op: 'does-not-exist' }] })).totals.values[0];
    assert.equal(await count(), sent.spans);
    await skep.kill(); // what the log holds is replayed under the same limit
    skep = await Skep.start({ ...options, dir: skep.dir });
    assert.equal(await count(), sent.spans);
    assert.equal(cg.kills(), 0, 'the kernel killed nobody');
    assert.equal(await skep.stop(), 0);
  } finally {
    await skep.done();
    rmSync(skep.dir, { recursive: true, force: true });
  }
});
