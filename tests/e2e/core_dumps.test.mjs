// SPDX-License-Identifier: Apache-2.0
// What a crash leaves behind: no core dump; with --core-dumps on one without the key that secrets are sealed under
// and without the client secret.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { makeKey, sigv4 } from './keyring.mjs';
import { Skep, until } from './support.mjs';

const dir = mkdtempSync(join(tmpdir(), 'skep-core-'));
after(() => rmSync(dir, { recursive: true, force: true }));
// Cores go to a file in the working folder on this machine: else there is nothing to look into.
const here = /^core/.test(readFileSync('/proc/sys/kernel/core_pattern', 'utf8'));

// A server that crashes after it opened a sealed secret; its folder and its log.
async function crashed(name, ...args) {
  const at = join(dir, name);
  rmSync(at, { recursive: true, force: true });
  const s = await Skep.start({ dir: at, args: ['--auth', 'keys', ...args], wrap: ['sh', '-c', `ulimit -c unlimited; mkdir -p ${at} && cd ${at} && exec "$0" "$@"`] });
  try {
    const key = await makeKey(at, 'aws', '--rights', 'ingest,query');
    await until('the key', async () => (await s.call('GET', '/skep/v1/auth', undefined, { authorization: `Bearer ${key.token}` })).status === 200);
    const url = `${s.url}/GetSamplingRules`;
    const r = await fetch(url, { method: 'POST', body: '{}', headers: sigv4({ method: 'POST', url, body: '{}', key }) });
    assert.equal(r.status, 200);
    assert.match(readFileSync(`/proc/${s.child.pid}/limits`, 'utf8'), args.includes('on') ? /Max core file size\s+unlimited/ : /Max core file size\s+[01]\s+[01]/);
    s.child.kill('SIGABRT');
    assert.equal((await s.exited).signal, 'SIGABRT');
    return { at, key, core: readdirSync(at).find((f) => f.startsWith('core')) };
  } finally {
    await s.done();
  }
}

test('a crash leaves no core dump', async () => {
  assert.equal((await crashed('off')).core, undefined);
});

test('one that is asked for holds neither the sealing key nor the client secret', { skip: !here && 'core dumps go elsewhere on this machine' }, async () => {
  const secret = 'a-client-secret-of-31-characters';
  writeFileSync(join(dir, 'secret'), `${secret}\n`);
  const { at, core, key } = await crashed('on', '--core-dumps', 'on', '--oidc-issuer', 'https://id.example', '--oidc-client-id', 'the-client-id-of-this-test', '--oidc-client-secret-file', join(dir, 'secret'));
  assert.ok(core, 'a core dump');
  const bytes = readFileSync(join(at, core));
  const hex = /skep-key-1 ([0-9a-f]{64})/.exec(readFileSync(join(at, 'key'), 'latin1'))[1];
  assert.ok(bytes.includes('the-client-id-of-this-test'), 'memory is in it');
  for (const [what, part] of [['the sealing key', Buffer.from(hex, 'hex')], ['its file', Buffer.from(hex)], ['the client secret', Buffer.from(secret)], ['the AWS secret', Buffer.from(key.aws_secret)]])
    assert.ok(!bytes.includes(part), what);
});
