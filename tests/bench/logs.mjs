// SPDX-License-Identifier: Apache-2.0
// CloudWatch Logs end to end: events a second through PutLogEvents until they are on disk, what they cost, the bytes
// a line takes, and ten searches beside grep (and DuckDB, if python3 has it) on the same lines.
//
//   node tests/bench/logs.mjs [--events 1000000] [--batch 1000] [--senders 4] [--memory 96M]
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Skep, until } from '../e2e/support.mjs';

const flag = (name, absent) => { const i = process.argv.indexOf(`--${name}`); return i < 0 ? absent : process.argv[i + 1]; };
const events = Number(flag('events', 1000000)), batch = Number(flag('batch', 1000)), senders = Number(flag('senders', 4));

// The same lines each time.
let seed = 42;
const rnd = (n) => { seed = (Math.imul(seed, 1103515245) + 12345) >>> 0; return Math.floor(((seed >>> 8) / 0x1000000) * n); };
const hex = (n) => Array.from({ length: n }, () => '0123456789abcdef'[rnd(16)]).join('');
const paths = ['/api/activities/home', '/api/messages', '/api/users/show', '/cart', '/checkout', '/health'];
const statuses = [200, 200, 200, 200, 200, 201, 304, 404, 500];
function line(i) {
  const path = paths[rnd(paths.length)], status = statuses[rnd(statuses.length)], ms = rnd(900);
  if (i === Math.floor(events / 2)) return 'ERROR payment gateway said needle-7f3a9c to order 4711';
  switch (rnd(4)) {
    case 0: return `[2026-Nov-20 17:15] 10.0.${rnd(256)}.${rnd(256)} GET http ${path}?id=${rnd(100000)} ${status} OK`;
    case 1: return JSON.stringify({ level: status === 500 ? 'error' : 'info', msg: 'request', path, status, latency: ms + rnd(1000) / 1000, user: { id: rnd(50000) }, trace_id: hex(32) });
    case 2: return `level=${status === 500 ? 'error' : 'info'} msg="order placed" order=${rnd(1000000)} user=${rnd(50000)} amount=${rnd(10000) / 100} took_ms=${ms}`;
    default: return `${status === 500 ? 'ERROR' : 'INFO'} worker-${rnd(8)} job ${hex(8)} finished in ${ms} ms after ${rnd(4)} retries`;
  }
}

const dir = mkdtempSync(join(tmpdir(), 'skep-bench-logs-'));
let skep;
process.on('exit', () => skep?.child.kill('SIGKILL')); // no server is left behind
skep = await Skep.start({ args: ['--memory', flag('memory', '96M')] });
const agent = new Agent({ keepAlive: true, maxSockets: senders });
function call(op, body) {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const r = request(skep.url, { method: 'POST', agent, headers: { 'x-amz-target': `Logs_20140328.${op}`, 'content-type': 'application/x-amz-json-1.1', 'content-length': Buffer.byteLength(text) } }, (res) => {
      let out = '';
      res.on('data', (d) => { out += d; });
      res.on('end', () => (res.statusCode === 200 ? resolve(out && JSON.parse(out)) : reject(new Error(out))));
    });
    r.once('error', reject);
    r.end(text);
  });
}
const cpu = () => { const s = readFileSync(`/proc/${skep.child.pid}/stat`, 'utf8').split(') ')[1].split(' '); return (Number(s[11]) + Number(s[12])) / 100; };
const say = (what, v) => console.log(`${what.padEnd(44)} ${v}`);

await call('CreateLogGroup', { logGroupName: 'bench' });
for (let s = 0; s < senders; s++) await call('CreateLogStream', { logGroupName: 'bench', logStreamName: `vm/app.py/root/${100 + s}` });
const plain = join(dir, 'lines.log'), fd = openSync(plain, 'w');
const bodies = [];
let text = 0, t = Date.now() - 3600000;
for (let i = 0; i < events; i += batch) {
  const logEvents = Array.from({ length: Math.min(batch, events - i) }, (_, k) => ({ timestamp: (t += rnd(2)), message: line(i + k) }));
  const lines = logEvents.map((e) => e.message).join('\n') + '\n';
  text += Buffer.byteLength(lines);
  writeSync(fd, lines);
  bodies.push(JSON.stringify({ logGroupName: 'bench', logStreamName: `vm/app.py/root/${100 + (i / batch) % senders}`, logEvents }));
}
closeSync(fd);

const began = process.hrtime.bigint(), cpu0 = cpu();
let next = 0;
await Promise.all(Array.from({ length: senders }, async () => {
  while (next < bodies.length) { const b = bodies[next]; bodies[next++] = null; await call('PutLogEvents', b); }
}));
const wall = Number(process.hrtime.bigint() - began) / 1e9, spent = cpu() - cpu0;
say('events, octets a line', `${events}, ${(text / events).toFixed(1)}`);
say(`acknowledged on disk, ${senders} senders, ${batch} an event batch`, `${Math.round(events / wall)} events/s, ${(text / wall / 1e6).toFixed(1)} MB/s`);
say('CPU of the server a million events', `${(spent / events * 1e6).toFixed(2)} s`);
say('resident', `${Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${skep.child.pid}/status`, 'utf8'))[1]) / 1024)} MB`);

// Searched as they lie on disk: parts are flushed when they have been quiet.
const { dir: data } = skep;
const store = async () => (await skep.json('GET', '/skep/v1/status')).store;
await until('most of it to be in segments', async () => (await store()).segment_rows > events * 0.7, 60000);
const { segment_rows: rows, segment_bytes: bytes } = await store();
say(`a line in segments (${rows} of them)`, `${(bytes / rows).toFixed(1)} octets (1/${(text / events / (bytes / rows)).toFixed(1)})`);
const searches = [['needle', 'needle-7f3a9c'], ['two words', '"payment gateway"'], ['common word', 'ERROR'], ['absent', 'zebra-nowhere'], ['excluded', 'ERROR -worker'],
  ['JSON', '{ $.status = 500 && $.latency > 890 }'], ['JSON path', '{ $.path = "/cart" && $.status = 404 }'], ['fields', '[w1=ERROR, worker=worker-3, ...]'], ['regex', '%order=99999[0-9]%'], ['prefix of an order', 'order=4711']];
async function ask(pattern) {
  const c0 = cpu(), b = process.hrtime.bigint();
  const r = await call('FilterLogEvents', { logGroupName: 'bench', filterPattern: pattern, limit: 100 });
  return { ms: Number(process.hrtime.bigint() - b) / 1e6, cpu: (cpu() - c0) * 1000, n: r.events.length };
}
for (const [name, pattern] of searches) {
  await ask(pattern);
  const r = await ask(pattern);
  say(`search (first 100): ${name}`, `${r.ms.toFixed(1)} ms, ${r.n} events   ${pattern}`);
}
for (const [op, body] of [['DescribeLogGroups', {}], ['DescribeLogStreams', { logGroupName: 'bench' }], ['GetLogEvents', { logGroupName: 'bench', logStreamName: 'vm/app.py/root/100', limit: 100 }]]) {
  await call(op, body);
  const b = process.hrtime.bigint();
  await call(op, body);
  say(op, `${(Number(process.hrtime.bigint() - b) / 1e6).toFixed(1)} ms`);
}
const count = async (pattern) => {
  const b = process.hrtime.bigint();
  const r = await skep.query({ dataset: 'bench', time_range: 7200, calculations: [{ op: 'COUNT' }], pattern, disable_series: true });
  return { ms: Number(process.hrtime.bigint() - b) / 1e6, n: r.totals.values[0] };
};
for (const p of ['needle-7f3a9c', 'ERROR', 'retries']) {
  await count(p);
  const s = await count(p);
  const b = process.hrtime.bigint();
  const g = spawnSync('grep', ['-c', p, plain], { env: { LC_ALL: 'C' }, encoding: 'utf8' });
  say(`count of all lines with ${p}`, `skep ${s.ms.toFixed(1)} ms (${s.n}), grep ${(Number(process.hrtime.bigint() - b) / 1e6).toFixed(1)} ms (${g.stdout.trim()})`);
}
const duck = `
import duckdb, sys, time
c = duckdb.connect()
c.execute("SET threads=2")
c.execute("CREATE TABLE l AS SELECT column0 AS m FROM read_csv(?, header=false, columns={'column0':'VARCHAR'}, delim='\\x01', quote='', escape='')", [sys.argv[1]])
for p in ['needle-7f3a9c', 'ERROR', 'retries']:
    t = time.time(); n = c.execute("SELECT count(*) FROM l WHERE contains(m, ?)", [p]).fetchone()[0]
    print('%-44s DuckDB %.1f ms (%d), in memory' % ('count of all lines with ' + p, (time.time() - t) * 1000, n))
`;
const d = spawnSync('python3', ['-c', duck, plain], { encoding: 'utf8' });
process.stdout.write(d.status === 0 ? d.stdout : 'DuckDB: python3 has none\n');

const zst = spawnSync('sh', ['-c', `zstd -3 -c ${plain} | wc -c`], { encoding: 'utf8' });
if (zst.status === 0) say('the text through zstd -3, a line', `${(Number(zst.stdout) / events).toFixed(1)} octets`);
skep.ownDir = false;
await skep.stop();
rmSync(data, { recursive: true, force: true });
rmSync(dir, { recursive: true, force: true });
