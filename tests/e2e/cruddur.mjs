// SPDX-License-Identifier: Apache-2.0
// A Cruddur of its own on free ports, for tests.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { root, until } from './support.mjs';

const programs = process.env.SKEP_BUILD_DIR || join(root, 'build', 'release');
export const cruddurBinary = join(programs, 'bin', 'cruddur');
export const pageFolder = join(programs, 'sub', 'cruddur', 'page', 'dist');
export const visitorsBinary = join(programs, 'bin', 'cruddur-visitors');

// The caller's environment without what would switch telemetry on behind the test's back.
export const quiet = () => Object.fromEntries(Object.entries(process.env).filter(([k]) => !/^(OTEL_|AWS_|ROLLBAR_|CRUDDUR_|FRONTEND_URL|BACKEND_URL)/.test(k)));

export class Cruddur {
  // Without telemetry unless env says otherwise; posts are kept in memory.
  static async start({ args = [], env = { OTEL_SDK_DISABLED: 'true' } } = {}) {
    const c = new Cruddur();
    c.out = '';
    c.log = '';
    c.child = spawn(cruddurBinary, ['--port', '0', '--page-port', '0', '--database', ':memory:', ...args],
      { env: { ...quiet(), ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    c.child.stdout.on('data', (d) => { c.out += d; });
    c.child.stderr.on('data', (d) => { c.log += d; });
    c.exited = new Promise((resolve) => { c.child.once('exit', (code, signal) => resolve({ code, signal })); });
    let ended;
    c.child.once('close', (code) => { ended = new Error(`cruddur ended with ${code}: ${c.log}`); });
    await until('Cruddur to listen', () => ended || (c.out.includes('the API on') && (!args.includes('--page') || c.out.includes('the page on'))));
    if (ended) throw ended;
    c.url = /the API on (\S+)/.exec(c.out)[1];
    c.page = /the page on (\S+)/.exec(c.out)?.[1];
    return c;
  }

  call(method, path, { body, headers = {} } = {}) {
    const json = body !== undefined && typeof body !== 'string';
    return fetch(this.url + path, { method, body: json ? JSON.stringify(body) : body, headers: { ...(body !== undefined ? { 'content-type': 'application/json' } : {}), ...headers } });
  }

  async json(method, path, options) {
    const r = await this.call(method, path, options);
    const text = await r.text();
    if (!r.ok) throw new Error(`${method} ${path}: ${r.status} ${text}`);
    return JSON.parse(text);
  }

  // Clean end; gives the exit code.
  async stop() {
    this.child.kill('SIGTERM');
    return (await this.exited).code;
  }

  async done() {
    if (this.child.exitCode === null && this.child.signalCode === null) await this.stop();
  }
}
