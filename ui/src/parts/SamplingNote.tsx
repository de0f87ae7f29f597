// SPDX-License-Identifier: Apache-2.0
// Above views of rows: X-Ray's clients kept some back, by which rule, and where that is changed.

import { api } from '../lib/api';
import { count, percent } from '../lib/format';
import { href } from '../lib/route';
import { useInterval, useLoad } from '../lib/use';
import type { Sampling, SamplingRule } from '../lib/types';

const AGAIN_MS = 30e3;

export const taken = (r: SamplingRule) => Math.min(r.requests, r.sampled + r.borrowed);

// "Cruddur took 12 of 200 requests (6%)"
const said = (r: SamplingRule) => `${r.name} took ${count(taken(r))} of ${count(r.requests)} requests (${percent(r.requests ? taken(r) / r.requests : 0)})`;

export function below(s: Sampling): string {
  return s.rules.filter((r) => s.below.includes(r.name)).map(said).join('; ');
}

export function SamplingNote() {
  const sampling = useLoad('sampling', api.sampling);
  useInterval(AGAIN_MS, sampling.reload);
  if (!sampling.data?.below.length) return null;
  return (
    <div class="note top-note" role="status">
      <span>Not every request is here: in the last hour the sampling rule{sampling.data.below.length > 1 ? 's' : ''} {below(sampling.data)}.</span>
      <a href={href('sampling')}>Sampling rules</a>
    </div>
  );
}
