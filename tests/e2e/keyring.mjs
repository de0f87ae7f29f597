// SPDX-License-Identifier: Apache-2.0
// Keys for tests: made with the terminal, carried in each form that a wire takes. SigV4 is signed here
// with node's own hashes, so that the server's signature is checked by code that is not its own.
import { spawn } from 'node:child_process';
import { createHash, createHmac } from 'node:crypto';
import { binary } from './support.mjs';

// input: what stands on its standard input.
export function run(args, env = {}, input = null) {
  return new Promise((resolve) => {
    const child = spawn(binary, args, { env: { ...process.env, ...env }, stdio: [input === null ? 'ignore' : 'pipe', 'pipe', 'pipe'] });
    child.stdin?.on('error', () => {}); // who refuses its flags does not read
    if (input !== null) child.stdin.end(input);
    let out = '', err = '';
    child.stdout.on('data', (d) => { out += d; });
    child.stderr.on('data', (d) => { err += d; });
    child.once('close', (code) => resolve({ code, out, err }));
  });
}

// {id, token, access_key, aws_secret, rollbar_token} of `skep key create`.
export async function makeKey(dir, name, ...flags) {
  const r = await run(['key', 'create', '--data', dir, '--name', name, '--json', ...flags]);
  if (r.code !== 0) throw new Error(`skep key create ${flags.join(' ')}: ${r.err}`);
  return JSON.parse(r.out);
}

const sha256 = (b) => createHash('sha256').update(b).digest('hex');
const hmac = (key, text) => createHmac('sha256', key).update(text).digest();
const escaped = (s) => encodeURIComponent(s).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

// Authorization and X-Amz-Date of a request to `url`.
export function sigv4({ method, url, body = '', key, region = 'us-east-1', service = 'xray', headers = {}, at = new Date() }) {
  const { host, pathname, search } = new URL(url);
  const date = at.toISOString().replace(/[-:]|\.\d{3}/g, '');
  const all = { ...headers, host, 'x-amz-date': date };
  const names = Object.keys(all).sort();
  const query = [...new URLSearchParams(search)].map(([k, v]) => `${escaped(k)}=${escaped(v)}`).sort().join('&');
  const path = pathname.split('/').map(escaped).join('/');
  const canonical = [method, path, query, ...names.map((n) => `${n}:${all[n]}`), '', names.join(';'), sha256(body)].join('\n');
  const scope = `${date.slice(0, 8)}/${region}/${service}/aws4_request`;
  const text = ['AWS4-HMAC-SHA256', date, scope, sha256(canonical)].join('\n');
  const signing = scope.split('/').reduce((k, part) => hmac(k, part), `AWS4${key.aws_secret}`);
  const signature = hmac(signing, text).toString('hex');
  return {
    ...headers, 'x-amz-date': date,
    authorization: `AWS4-HMAC-SHA256 Credential=${key.access_key}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`,
  };
}

// Headers that carry a key in a form.
export function carry(form, key, { method, url, body, headers }) {
  switch (form) {
    case 'honeycomb': return { 'x-honeycomb-team': key.token };
    case 'bearer': return { authorization: `Bearer ${key.token}` };
    case 'rollbar': return { 'x-rollbar-access-token': key.rollbar_token };
    case 'sigv4': return sigv4({ method, url, body, key, headers });
    default: throw new Error(`no such form: ${form}`);
  }
}
