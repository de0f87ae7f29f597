// SPDX-License-Identifier: Apache-2.0
// Questions to begin with, as links: on Home, and in Query while nothing is asked.

import { useEffect, useState } from 'preact/hooks';
import { readyQuestions, type Ready as Question } from '../lib/ready';
import { elsewhere } from '../lib/actions';
import { fields } from '../lib/schema';
import { useRoute } from '../lib/route';

export function Ready({ title }: { title: string }) {
  const { params } = useRoute();
  const [list, set] = useState<Question[]>([]);
  useEffect(() => {
    let here = true;
    fields().then((f) => here && set(readyQuestions(f)), () => undefined); // the answer above says what is wrong
    return () => { here = false; };
  }, [params.get('env'), params.get('ds'), params.get('t'), params.get('from')]);
  if (list.length === 0) return null;
  return (
    <section class="panel ready" aria-label={title}>
      <h2>{title}</h2>
      <ul>
        {list.map((q) => <li key={q.name}><a href={elsewhere('query', q.changes)}><b>{q.name}</b><span class="muted">{q.about}</span></a></li>)}
      </ul>
    </section>
  );
}
