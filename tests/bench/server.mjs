// SPDX-License-Identifier: Apache-2.0
// A server under measurement: what it took (CPU, memory, disk) and how long its answers take. Shared by
// run.mjs and scale.mjs.
import { execFile, spawn } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, sleep, until } from '../e2e/support.mjs';
import { median, questions } from './questions.mjs';
import { Wire } from './wire.mjs';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
export const build = process.env.SKEP_BUILD || join(root, 'build', 'release');
export const BASE = 1795132800; // gen's own

const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL'))); // no server is left behind

// Over a connection of its own, asked again at once: fetch() takes tens of milliseconds the first time.
async function answers(port) {
  const wire = new Wire(port);
  try {
    return (await wire.ask('/skep/v1/status')).status === 200;
  } catch {
    return false;
  } finally {
    wire.close();
  }
}

export async function start(data, memory, ...more) {
  const port = await freePort();
  const grpc = await freePort();
  const t0 = process.hrtime.bigint();
  const child = spawn(join(build, 'skep'), ['serve', '--data', data, '--listen', `127.0.0.1:${port}`, '--grpc', `127.0.0.1:${grpc}`, '--xray', 'none',
    '--memory', memory, '--retain', '0', ...more], { stdio: ['ignore', 'ignore', 'inherit'] });
  running.add(child);
  child.once('exit', () => running.delete(child));
  const url = `http://127.0.0.1:${port}`;
  for (const end = Date.now() + 60000; !(await answers(port)); await sleep(1)) if (Date.now() > end) throw new Error('no answer after a minute');
  const startMs = Number(process.hrtime.bigint() - t0) / 1e6;
  await until('recovery', async () => !(await (await fetch(`${url}/skep/v1/status`)).json()).recovering, 60000);
  return { child, port, url, startMs, recoveredMs: Number(process.hrtime.bigint() - t0) / 1e6 };
}

export async function stop(s) {
  const gone = new Promise((r) => s.child.once('exit', r));
  s.child.kill('SIGTERM');
  await gone;
}

// CPU seconds and resident MB since the process started.
export function proc(s) {
  const stat = readFileSync(`/proc/${s.child.pid}/stat`, 'utf8').split(') ')[1].split(' ');
  const text = readFileSync(`/proc/${s.child.pid}/status`, 'utf8');
  const kb = (k) => Number(new RegExp(`${k}:\\s+(\\d+)`).exec(text)[1]) / 1024;
  return { cpu: (Number(stat[11]) + Number(stat[12])) / 100, rss: kb('VmRSS'), peak: kb('VmHWM') };
}

export function diskBytes(dir) {
  let n = 0;
  for (const e of readdirSync(dir, { withFileTypes: true })) n += e.isDirectory() ? diskBytes(join(dir, e.name)) : statSync(join(dir, e.name)).size;
  return n;
}

export const status = async (s) => (await fetch(`${s.url}/skep/v1/status`)).json();

// What a program of the benchmark prints. Waiting must not block: connections that the server closes
// meanwhile would be used again.
export const tool = (name, ...args) => new Promise((resolve) => {
  execFile(join(build, 'bin', name), args, { encoding: 'utf8' }, (_, stdout) => resolve(stdout));
});

// blast ends with 1 when bodies were refused: that is a figure here, not a failure.
export const blast = async (s, file, ...more) => JSON.parse(await tool('blast', '127.0.0.1', String(s.port), file, '--connections', '8', ...more));

// Let flushes and merges end: what came is flushed when it was quiet for half a minute (the server's own rows of each
// minute may stay); then the CPU stands still for two seconds.
export async function settle(s) {
  for (let i = 0; i < 90 && (await status(s)).store.part_bytes > 1e6; i++) await sleep(1000);
  for (let still = 0, cpu = -1; still < 4;) {
    await sleep(500);
    const now = proc(s).cpu;
    still = now - cpu < 0.02 ? still + 1 : 0;
    cpu = now;
  }
  return { ...proc(s), store: (await status(s)).store };
}

async function timed(wire, { path, body }, range) {
  const { ms, status: code, text } = await wire.ask(path, body && { ...range, ...body });
  if (code !== 200) return { ms, rows: code, refused: code === 422 || code === 503 };
  const a = JSON.parse(text);
  return { ms, rows: (a.groups ?? a.traces ?? a.rows?.id ?? a.rows ?? a.facets ?? a.spans)?.length };
}

// Each question once with nothing in the cache and n times more.
export async function askAll(s, n = 15) {
  const st = await status(s);
  const range = { start_time: BASE - 60, end_time: Math.ceil(Number(st.newest_ns) / 1e9) + 60 };
  const any = await (await fetch(`${s.url}/skep/v1/rows`, { method: 'POST', body: JSON.stringify({ ...range, limit: 1, filters: [{ column: 'duration_ms', op: '>', value: 400 }] }) })).json();
  const traceId = any.rows[0].fields['trace.trace_id'];
  const asked = [], wire = new Wire(s.port);
  for (const { name, skep } of questions) {
    const question = typeof skep === 'function' ? skep({ traceId }) : skep;
    const answers = [];
    const cpu = proc(s).cpu;
    for (let i = 0; i <= n; i++) answers.push(await timed(wire, question, range));
    const refused = answers.filter((a) => a.refused).length; // quickly, mostly: it would pass for a fast answer
    asked.push({ name, first: answers[0].ms, warm: median(answers.slice(1).map((a) => a.ms)), cpu: (proc(s).cpu - cpu) / (n + 1) * 1000,
      refused,
      rows: refused ? `${answers[n].rows}, ${refused} refused` : answers[n].rows, n });
  }
  wire.close();
  return { traceId, asked };
}
