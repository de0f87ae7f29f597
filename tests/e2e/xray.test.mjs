// SPDX-License-Identifier: Apache-2.0
// AWS X-Ray's API: every operation of the model is said in docs/api/xray.md and does what that says;
// envelopes, validation, paging tokens.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { join } from 'node:path';
import { Skep, root } from './support.mjs';

const model = readFileSync(join(root, 'tests/golden/xray/operations.txt'), 'utf8').split('\n')
  .filter((l) => l && !l.startsWith('#')).map((l) => {
    const [name, path, errors] = l.split(' ');
    return { name, path, errors: errors.split(',') };
  });
const documented = new Map(readFileSync(join(root, 'docs/api/xray.md'), 'utf8').split('\n')
  .filter((l) => /^\| [A-Z]\w+ \| `\//.test(l)).map((l) => {
    const [, name, path, state, text] = l.split('|').map((c) => c.trim());
    return [name, { path: path.replaceAll('`', ''), state, text }];
  }));

let skep;
before(async () => { skep = await Skep.start(); });
after(async () => { await skep.done(); });

const call = (path, body, headers) => skep.call('POST', path, body, headers);

async function error(r) {
  const body = await r.json();
  assert.equal(r.headers.get('x-amzn-errortype'), body.__type);
  assert.match(r.headers.get('x-amzn-requestid'), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(typeof body.Message, 'string');
  return { status: r.status, type: body.__type, message: body.Message };
}

test('the model is the one of 38 operations, and each is documented under its path', () => {
  assert.equal(model.length, 38);
  for (const { name, path } of model) {
    assert.ok(documented.has(name), `${name} is not in docs/api/xray.md`);
    assert.equal(documented.get(name).path, path, name);
    assert.match(documented.get(name).state, /^(works|refuses|not yet)$/, name);
  }
  assert.equal(documented.size, model.length, 'the table names an operation that the model has not');
});

test('each operation does what the table says: those that refuse do, with a modelled error', async () => {
  for (const { name, path, errors } of model) {
    const doc = documented.get(name);
    const r = await call(path, {});
    if (doc.state === 'not yet') {
      assert.equal(r.status, 404, name);
    } else if (doc.state === 'refuses') {
      const e = await error(r);
      assert.ok([...errors, 'InvalidRequestException'].includes(e.type), `${name}: ${e.type} is not in its model`);
      assert.ok(doc.text.startsWith(`${e.type}: `), `${name}: ${e.type} ${e.message}`);
      assert.equal(e.message, `${name}: ${doc.text.slice(e.type.length + 2)}`);
    } else if (r.status !== 200) {
      const e = await error(r);
      assert.ok([...errors, 'InvalidRequestException'].includes(e.type), `${name}: ${e.type} is not in its model`); // PutResourcePolicy's has none for a member that is missing
      assert.match(e.message, /validation error|must|either/i, `${name}: ${e.message}`);
    }
  }
});

test('bodies: none, null members and unknown ones are fine, what is no object is not', async () => {
  const old = await call('/GetCentralizedSamplingRules', '');
  const now = await call('/GetSamplingRules', { NextToken: null, Nonsense: [1] });
  assert.equal(old.status, now.status);
  for (const [body, message] of [['[]', /must be a JSON object/], ['{"a":', /not JSON: .* at byte/], ['\u0000', /not JSON/]]) {
    const e = await error(await call('/GetSamplingRules', body));
    assert.deepEqual([e.status, e.type], [400, 'SerializationException']);
    assert.match(e.message, message);
  }
});

test('a body that is too large is refused in the API\'s own words', async () => {
  const e = await error(await call('/GetSamplingRules', 'x'.repeat(2 << 20)));
  assert.deepEqual([e.status, e.type], [413, 'RequestEntityTooLargeException']);
});
