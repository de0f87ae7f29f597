// SPDX-License-Identifier: Apache-2.0
// packaging/compose without Docker: the file is YAML of the right shape, and the commands of skep and Cruddur, with
// their environments, work in two network namespaces that see each other as two containers do.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { cruddurBinary, pageFolder, quiet } from './cruddur.mjs';
import { binary, freePort, root, Skep, until } from './support.mjs';

const folder = join(root, 'packaging', 'compose');
const file = join(folder, 'docker-compose.yml');

// Debian's python3 has one YAML reader or another (awscli's).
function readYaml() {
  const program = `
import json, sys
try:
    import yaml
    read = yaml.safe_load
except ImportError:
    from ruamel.yaml import YAML
    read = YAML(typ='safe').load
json.dump(read(open(sys.argv[1])), sys.stdout)`;
  for (const python of ['/usr/bin/python3', 'python3']) {
    try {
      return JSON.parse(execFileSync(python, ['-c', program, file], { stdio: ['ignore', 'pipe', 'ignore'] }));
    } catch { /* the next one */ }
  }
  return null;
}
const compose = readYaml();
const noYaml = !compose && 'no python3 reads YAML: tools/setup-debian.sh test';

// ${NAME}, ${NAME:-default}, ${NAME:?message} as compose has them.
const fill = (text, env) => text.replace(/\$\{(\w+)(?::([-?])([^}]*))?\}/g, (_, name, how, rest) => {
  if (env[name]) return env[name];
  assert.notEqual(how, '?', rest);
  return how === '-' ? rest : '';
});

test('the compose file: what is built is there, ports on loopback, health before dependants', { skip: noYaml }, () => {
  const { services, volumes } = compose;
  assert.deepEqual(Object.keys(services), ['skep', 'backend-flask', 'visitors']);
  for (const s of Object.values(services)) {
    if (s.build) assert.ok(existsSync(join(folder, s.build.context, s.build.dockerfile)), s.build.dockerfile);
    for (const p of s.ports ?? []) assert.match(p, /^127\.0\.0\.1:(\d+):\1$/);
    for (const v of s.volumes ?? []) assert.ok(v.split(':')[0] in volumes, v);
    for (const [name, { condition }] of Object.entries(s.depends_on ?? {})) {
      assert.equal(condition, 'service_healthy');
      assert.ok(services[name].healthcheck);
    }
  }
});

const canUnshare = (() => {
  try {
    execFileSync('unshare', ['-n', '-m', 'sh', '-ec', 'mount --bind /etc/hosts /etc/hosts; ip link add veth-a type veth peer name veth-b; nsenter --version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();
const skip = noYaml || (!canUnshare && 'namespaces need root, unshare, nsenter and ip');

test('the X-Ray daemon\'s port on all addresses takes the calls of SDKs, which know no keys', async () => {
  const port = await freePort();
  const skep = await Skep.start({ args: ['--auth', 'keys', '--xray', `0.0.0.0:${port}`] });
  try {
    const ask = (at, path) => fetch(`http://127.0.0.1:${at}${path}`, { method: 'POST', body: '{}' }).then((r) => r.status);
    assert.equal(await ask(port, '/GetSamplingRules'), 200);
    assert.equal(await ask(skep.port, '/GetSamplingRules'), 403);
    assert.equal(await ask(port, '/Groups'), 403); // of the daemon's calls only those
  } finally {
    await skep.done();
  }
});

// A network namespace with a hosts file of its own, held by a process.
async function namespace(dir) {
  const child = spawn('unshare', ['-n', '-m', '--', 'bash', '-c', `mount --bind ${dir}/hosts /etc/hosts && ip link set lo up && echo ready && exec sleep 600`], { stdio: ['ignore', 'pipe', 'inherit'] });
  let out = '';
  child.stdout.on('data', (d) => { out += d; });
  await until('the namespace', () => out.includes('ready'));
  const enter = ['nsenter', '-t', String(child.pid), '-n', '-m', '--'];
  return {
    pid: String(child.pid),
    run: (args, env = quiet()) => execFileSync(enter[0], [...enter.slice(1), ...args], { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }),
    start: (args, env = quiet()) => spawn(enter[0], [...enter.slice(1), ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] }),
    end: () => child.kill('SIGKILL'),
  };
}

test('its commands, in two network namespaces: keys from .env, all four wires arrive at the other end', { skip }, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'skep-compose-'));
  const places = { '/var/lib/skep': join(dir, 'skep'), '/var/lib/cruddur': join(dir, 'cruddur'), '/usr/share/cruddur/page': pageFolder };
  const here = (text) => Object.entries(places).reduce((t, [from, to]) => t.replaceAll(from, to), text);
  mkdirSync(join(dir, 'skep'));
  mkdirSync(join(dir, 'cruddur'));
  writeFileSync(join(dir, 'hosts'), '127.0.0.1 localhost\n172.30.0.1 skep\n172.30.0.2 backend-flask\n');
  execFileSync(join(folder, 'keys.sh'), { env: { ...quiet(), SKEP: binary, SKEP_DIR: join(dir, 'skep'), ENV_FILE: join(dir, '.env') }, stdio: 'pipe' });
  assert.equal(statSync(join(dir, '.env')).mode & 0o777, 0o600);
  const env = Object.fromEntries(readFileSync(join(dir, '.env'), 'utf8').trim().split('\n').map((l) => [l.slice(0, l.indexOf('=')), l.slice(l.indexOf('=') + 1)]));
  assert.deepEqual(Object.keys(env), ['HONEYCOMB_API_KEY', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'ROLLBAR_ACCESS_TOKEN']);
  const children = [];
  const a = await namespace(dir);
  const b = await namespace(dir);
  try {
    execFileSync('ip', ['link', 'add', 'veth-a', 'netns', a.pid, 'type', 'veth', 'peer', 'name', 'veth-b', 'netns', b.pid]);
    for (const [ns, link, address] of [[a, 'veth-a', '172.30.0.1/24'], [b, 'veth-b', '172.30.0.2/24']]) {
      ns.run(['ip', 'address', 'add', address, 'dev', link]);
      ns.run(['ip', 'link', 'set', link, 'up']);
    }
    const healthy = (ns, service) => until(`${service} to be healthy`, () => {
      const [cmd, ...args] = compose.services[service].healthcheck.test;
      assert.equal(cmd, 'CMD');
      ns.run(args);
      return true;
    });
    const start = (ns, service, program) => {
      const { command, environment = {} } = compose.services[service];
      const variables = Object.fromEntries(Object.entries(environment).map(([k, v]) => [k, here(fill(v, env))]));
      const child = ns.start([program, ...command.map((c) => here(fill(c, env)))], { ...quiet(), ...variables });
      children.push(child);
      child.told = '';
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (d) => { child.told += d; });
    };
    start(a, 'skep', binary);
    await healthy(a, 'skep');
    start(b, 'backend-flask', cruddurBinary);
    await healthy(b, 'backend-flask');
    // Visitors from a third place are the same to Cruddur as from its own.
    const { entrypoint, command } = compose.services.visitors;
    assert.equal(entrypoint[0], '/usr/bin/cruddur-visitors');
    a.run([`${cruddurBinary}-visitors`, ...command, '--count', '10', '--rate', '0']);
    b.run(['bash', '-c', "exec 3<>/dev/tcp/127.0.0.1/4567 && printf 'GET /rollbar/test HTTP/1.0\\r\\n\\r\\n' >&3 && cat <&3 >/dev/null"]);
    const key = /export SKEP_KEY=(\S+)/.exec(execFileSync(binary, ['key', 'create', '--data', join(dir, 'skep'), '--env', 'bootcamp', '--name', 'reader', '--rights', 'query'], { encoding: 'utf8' }))[1];
    for (const source of ['otlp', 'xray', 'rollbar', 'logs'])
      await until(`rows by ${source}`, () => {
        const answer = a.run(['curl', '-sS', '-H', `authorization: Bearer ${key}`, '-H', 'accept: application/json', '-d', JSON.stringify({ time_range: 600, calculations: [{ op: 'COUNT' }], filters: [{ column: 'meta.source', op: '=', value: source }] }), 'http://127.0.0.1:4318/skep/v1/query?tracers=all']);
        return JSON.parse(answer).groups?.[0]?.values[0] > 0;
      });
    assert.throws(() => a.run([binary, 'query', '--server', 'http://127.0.0.1:4318', '--calc', 'COUNT']), /401|key/i);
    assert.doesNotMatch(children.map((c) => c.told).join(''), /not delivered|no sampling rules/);
  } finally {
    for (const child of children) {
      child.kill('SIGTERM');
      await new Promise((r) => { if (child.exitCode !== null) r(); else child.once('close', r); });
    }
    a.end();
    b.end();
    rmSync(dir, { recursive: true, force: true });
  }
});
