// SPDX-License-Identifier: Apache-2.0
//
// docs/tour.md is true: its commands are run against Cruddur and skep and print what it says, its pictures can be
// taken anew by tour.mjs.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { Cruddur, pageFolder, visitorsBinary } from '../e2e/cruddur.mjs';
import { binary, freePort, root, Skep, until } from '../e2e/support.mjs';
import { launch, missing, options, PATIENCE } from './browser.mjs';
import { show, SHOTS } from './tour.mjs';


const tour = readFileSync(join(root, 'docs', 'tour.md'), 'utf8');
let skep, cruddur, browser, env;
before(async () => {
  if (missing) return;
  process.env.SKEP_TOUR_ENV = 'default';
  const daemon = `127.0.0.1:${await freePort()}`;
  skep = await Skep.start({ args: ['--xray', daemon] });
  env = { AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE', AWS_SECRET_ACCESS_KEY: 'secret', AWS_DEFAULT_REGION: 'ca-central-1', ROLLBAR_ACCESS_TOKEN: 'any' };
  cruddur = await Cruddur.start({ args: ['--trouble', '--quiet', '--page', pageFolder, '--page-otlp', skep.url], env: { ...env,
    OTEL_EXPORTER_OTLP_ENDPOINT: skep.url, OTEL_BSP_SCHEDULE_DELAY: '50', AWS_XRAY_DAEMON_ADDRESS: daemon, AWS_ENDPOINT_URL_CLOUDWATCH_LOGS: skep.url, ROLLBAR_ENDPOINT: `${skep.url}/api/1/` } });
  // What `make run` has after some minutes: ordinary visitors, slow ones, failing ones.
  const visitors = spawn(visitorsBinary, ['--url', cruddur.url, '--people', '16', '--rate', '0', '--count', '30', '--slow', '0-60', '--errors', '0-60'], { stdio: 'ignore' });
  assert.equal((await once(visitors, 'close'))[0], 0);
  await until('all spans', async () => (await skep.query({ time_range: 600, calculations: [{ op: 'COUNT' }], filters: [{ column: 'span.kind', op: '=', value: 'server' }, { column: 'app.client', op: 'exists' }, { column: 'meta.source', op: '=', value: 'otlp' }] })).groups?.[0]?.values[0] >= 480);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await cruddur?.done();
  await skep?.done();
});

// The blocks of commands, each with what it prints.
const blocks = [...tour.matchAll(/```sh\n([^]*?)```\n(?:<!-- prints: (.*?) -->)?/g)].map(([, sh, prints]) => ({ sh: sh.trim(), prints }));
const SETUP = ['make run', '. data/cruddur.env']; // tests/e2e/demo.test.mjs starts it so

test('its commands print what it says', options, async () => {
  const run = promisify(execFile);
  const variables = { PATH: `${join(binary, '..')}:${process.env.PATH}`, HOME: process.env.HOME, ...env, SKEP_URL: skep.url, SKEP_KEY: 'any' };
  const commands = blocks.filter(({ sh }) => !SETUP.some((s) => sh.startsWith(s)));
  assert.ok(commands.length >= 12);
  assert.ok(commands.filter((c) => c.prints).length >= 10);
  // In the order of the document, three at a time: most of their time is AWS's command line starting.
  const one = async ({ sh, prints }) => {
    const here = sh.replaceAll('http://127.0.0.1:4567', cruddur.url).replace('sleep 1; ', '');
    // What was just sent may be on its way: a question is asked until it has its answer.
    let told;
    await until(sh, async () => {
      try {
        told = (await run('bash', ['-eo', 'pipefail', '-c', here], { env: variables })).stdout;
      } catch (e) {
        if (/AlreadyExists|already exists/i.test(e.stderr)) return true; // of an attempt before
        throw e;
      }
      return !prints || new RegExp(prints.replace('(?s)', ''), prints.startsWith('(?s)') ? 's' : '').test(told);
    }, 30000).catch((e) => { throw new Error(`${e.message}\nprinted: ${told}`); });
  };
  const queue = commands.slice();
  await Promise.all([1, 2, 3].map(async () => { while (queue.length) await one(queue.shift()); }));
});

test('its pictures can be taken anew, and each is there', options, async () => {
  const named = [...tour.matchAll(/\]\(img\/(tour-[a-z]+)\.png\)/g)].map((m) => m[1]);
  assert.deepEqual(named.sort(), SHOTS.map((s) => s.name).sort());
  const there = readdirSync(join(root, 'docs', 'img'));
  for (const name of named) assert.ok(there.includes(`${name}.png`), `docs/img/${name}.png`);
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, colorScheme: 'dark', reducedMotion: 'reduce' });
  page.setDefaultTimeout(PATIENCE);
  for (const shot of SHOTS) await show(page, skep.url, shot).catch((e) => { throw new Error(`${shot.name}: ${e.message}`); });
  await page.close();
});
