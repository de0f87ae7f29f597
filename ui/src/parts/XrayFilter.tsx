// SPDX-License-Identifier: Apache-2.0
// X-Ray's filter expression: one text in the URL (`xf`).

import { useEffect, useState } from 'preact/hooks';
import { ApiError } from '../lib/api';
import { patch, useRoute } from '../lib/route';
import { values } from '../lib/schema';
import { completeXray, EXAMPLES, openTrace } from '../lib/xray';
import { Completed } from './Completed';

export function XrayFilter({ error }: { error: Error | null }) {
  const { params } = useRoute();
  const ask = (text: string) => {
    if (!openTrace(text)) patch({ xf: text || null, rt: null });
  };
  return (
    <Completed label="X-Ray filter" class="xray-filter" placeholder={'all traces; type e.g. service("api") { fault }'} asked={params.get('xf') ?? ''}
      complete={completeXray} ask={ask} issue={error instanceof ApiError && error.field === 'filter_expression' ? error : null}>
      {(take) => <Examples take={take} />}
    </Completed>
  );
}

// With services that are there, so that each gives an answer.
function Examples({ take }: { take: (text: string) => void }) {
  const [names, set] = useState<string[]>([]);
  useEffect(() => {
    let on = true;
    values('service.name', '').then((found) => on && set(found.map((v) => v.value).filter((v): v is string => typeof v === 'string')), () => undefined);
    return () => { on = false; };
  }, []);
  const fit = (t: string) => t.replace('"web"', `"${names[0] ?? 'web'}"`).replace('"api"', `"${names[t.startsWith('edge') ? 1 : 0] ?? 'api'}"`);
  return (
    <div class="xray-examples" aria-label="Examples" role="group">
      {EXAMPLES.map(([t, what]) => <button type="button" class="button small mono" title={what} onClick={() => take(fit(t))}>{fit(t)}</button>)}
    </div>
  );
}
