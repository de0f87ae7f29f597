// SPDX-License-Identifier: Apache-2.0
// What `make run` starts (tools/run-demo.sh): skep, Cruddur, its page and visitors; all four wires arrive in the
// environment demo; a taken port is said; one signal ends everything.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pageFolder, quiet } from './cruddur.mjs';
import { freePort, root, until } from './support.mjs';

const skip = !existsSync(join(pageFolder, 'index.html')) && 'the page of Cruddur is not built';

function demo(env) {
  const child = spawn('bash', [join(root, 'tools', 'run-demo.sh')], { env: { ...quiet(), ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const d = { child, out: '', log: '' };
  child.stdout.on('data', (x) => { d.out += x; });
  child.stderr.on('data', (x) => { d.log += x; });
  d.ended = once(child, 'close');
  return d;
}
const answers = (url) => fetch(url).then((r) => r.ok, () => false);

test('make run: three addresses that answer, all four services of Cruddur in one environment, one end', { skip }, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'skep-demo-'));
  const [grpc, port, xray, api, page] = await neighbours();
  const env = { SKEP_DATA: join(dir, 'data'), SKEP_PORT: String(port), SKEP_XRAY_PORT: String(xray), CRUDDUR_PORT: String(api), CRUDDUR_PAGE_PORT: String(page) };
  assert.equal(grpc, port - 1);
  const d = demo(env);
  try {
    await until('the addresses', () => {
      if (d.child.exitCode !== null) throw new Error(`it ended with ${d.child.exitCode}:\n${d.log}`);
      return d.out.includes('Ctrl-C ends all');
    }, 30000);
    for (const url of [`http://127.0.0.1:${port}/ui/home?env=demo`, `http://localhost:${page}/`, `http://127.0.0.1:${api}/api/activities/home`]) {
      assert.ok(d.out.includes(url), url);
      assert.ok(await answers(url), url);
    }
    const skep = (path, body, headers = {}) => fetch(`http://127.0.0.1:${port}${path}`, { method: body === undefined ? 'GET' : 'POST', ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      headers: { accept: 'application/json', 'content-type': 'application/json', 'x-skep-environment': 'demo', ...headers } }).then((r) => r.json());
    await fetch(`http://127.0.0.1:${api}/rollbar/test`);
    await until('the visitors\' spans', async () => (await skep('/skep/v1/query', { time_range: 600, calculations: [{ op: 'COUNT' }], filters: [{ column: 'app.client', op: 'exists' }] })).groups?.[0]?.values[0] > 0);
    await until('lines', async () => (await skep('/', { logGroupName: 'cruddur' }, { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'Logs_20140328.FilterLogEvents' })).events?.length > 0);
    await until('a Rollbar item', async () => (await skep('/api/1/items')).result?.items.some((i) => i.title === 'Hello World!'));
    const now = Math.floor(Date.now() / 1000);
    await until('segments', async () => (await skep('/TraceSummaries', { StartTime: now - 600, EndTime: now + 600, FilterExpression: 'service("backend-flask")' })).TraceSummaries?.length > 0);
    assert.equal(statSync(join(dir, 'data', 'cruddur.env')).mode & 0o777, 0o600);
    const second = demo(env);
    const [code] = await second.ended;
    assert.equal(code, 1);
    assert.match(second.log, new RegExp(`port ${port} is taken.*\\n.*SKEP_PORT=\\d{4,5} make run`));
    d.child.kill('SIGTERM');
    assert.equal((await d.ended)[0], 0);
    for (const p of [port, xray, api, page]) assert.equal(await answers(`http://127.0.0.1:${p}/`), false, `port ${p} is free again`);
    assert.doesNotMatch(d.log, /ended with code|not delivered/);
  } finally {
    d.child.kill('SIGTERM');
    await d.ended;
    rmSync(dir, { recursive: true, force: true });
  }
});

// Free ports, the first two beside each other, as the script takes gRPC's.
async function neighbours() {
  for (;;) {
    const port = await freePort();
    const free = await new Promise((r) => {
      const s = createServer().once('error', () => r(false)).listen(port - 1, '127.0.0.1', () => s.close(() => r(true)));
    });
    if (free) return [port - 1, port, await freePort(), await freePort(), await freePort()];
  }
}
