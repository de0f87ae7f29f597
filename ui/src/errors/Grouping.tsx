// SPDX-License-Identifier: Apache-2.0
// How errors are grouped: rules in their order, made and changed with a look at what they would do.

import { useState } from 'preact/hooks';
import { api } from '../lib/api';
import { RULE_OPS, type GroupingPreview, type GroupingRule, type RuleCondition } from '../lib/errors';
import { count } from '../lib/format';
import { href, useRoute } from '../lib/route';
import { useLoad } from '../lib/use';
import { Empty, ErrorBox, Progress } from '../parts/States';
import { Sure } from '../parts/Sure';

const NAMES = ['class', 'message', 'culprit', 'frame', 'stage', 'fingerprint', 'service.name'];
const fresh = (): GroupingRule => ({ id: 0, name: '', conditions: [{ field: 'class', op: 'is', value: '' }], fingerprint: '', title: '' });

export function Grouping() {
  const { params } = useRoute();
  const rules = useLoad('grouping rules', api.groupingRules);
  const [failed, fail] = useState<Error | null>(null);
  const asked = params.get('class');
  const [edited, edit] = useState<GroupingRule | null>(asked === null ? null : { ...fresh(), conditions: [{ field: 'class', op: 'is', value: asked }] });
  const list = rules.data ?? [];
  const saved = () => { fail(null); edit(null); rules.reload(); };
  const move = (at: number, by: number) => {
    const ids = list.map((r) => r.id);
    [ids[at], ids[at + by]] = [ids[at + by]!, ids[at]!];
    api.orderGroupingRules(ids).then(saved, fail);
  };
  return (
    <div class="view errors settings">
      <div class="bar">
        <a href={href('errors')} class="muted">Errors</a><h1>How they are grouped</h1>
        <span class="end" />
        {!edited && <button type="button" class="button primary" onClick={() => edit(fresh())}>New rule</button>}
      </div>
      <Progress loading={rules.loading && !rules.data} progress={null} />
      {(rules.error ?? failed) && <ErrorBox error={(rules.error ?? failed)!} retry={() => { fail(null); rules.reload(); }} />}
      {edited && <Form rule={edited} key={edited.id} saved={saved} cancel={() => edit(null)} />}
      {rules.data && list.length === 0 && !edited && (
        <Empty title="No rule"><p>Errors are grouped by the class and the program's own frames. A rule says it better for some: by a field, by the message, or without frames that say nothing.</p></Empty>
      )}
      {list.length > 0 && (
        <section class="panel" aria-label="Rules">
          <div class="table-wrap" role="region" aria-label="Rules, the first that holds counts" tabIndex={0}>
            <table class="table">
              <thead><tr><th>Rule</th><th>When</th><th>Then</th><th><span class="visually-hidden">Change</span></th></tr></thead>
              <tbody>{list.map((r, n) => (
                <tr key={r.id}>
                  <td>{r.name}</td>
                  <td class="grow">{r.conditions.map((c) => `${c.field} ${c.op} “${c.value}”`).join(' and ')}</td>
                  <td>{r.ignore_frames ? 'leave the frames out' : [r.fingerprint && `group by ${r.fingerprint}`, r.title && `title ${r.title}`].filter(Boolean).join(', ')}</td>
                  <td class="right nowrap">
                    <button type="button" class="button small" disabled={n === 0} onClick={() => move(n, -1)} aria-label={`Earlier: ${r.name}`}>↑</button>{' '}
                    <button type="button" class="button small" disabled={n === list.length - 1} onClick={() => move(n, 1)} aria-label={`Later: ${r.name}`}>↓</button>{' '}
                    <button type="button" class="button small" onClick={() => edit(r)} aria-label={`Change: ${r.name}`}>Change</button>{' '}
                    <Sure label="Delete" name={`Delete the rule: ${r.name}`} question="Delete it?" run={() => api.dropGroupingRule(r.id)} done={saved} failed={fail} />
                  </td>
                </tr>
              ))}</tbody>
            </table>
          </div>
        </section>
      )}
      <p class="muted">A rule groups what comes after it, of every wire; what is stored stays where it is. Rules that leave frames out all apply; of the others the first that holds counts.</p>
    </div>
  );
}

function Form({ rule, saved, cancel }: { rule: GroupingRule; saved: () => void; cancel: () => void }) {
  const [r, set] = useState(rule);
  const [failed, fail] = useState<Error | null>(null);
  const [preview, show] = useState<GroupingPreview | null>(null);
  const change = (what: Partial<GroupingRule>) => { set({ ...r, ...what }); show(null); };
  const condition = (at: number, what: Partial<RuleCondition>) => change({ conditions: r.conditions.map((c, n) => (n === at ? { ...c, ...what } : c)) });
  const sent = (): Omit<GroupingRule, 'id'> => (r.ignore_frames
    ? { name: r.name, conditions: r.conditions, ignore_frames: true }
    : { name: r.name, conditions: r.conditions, fingerprint: r.fingerprint ?? '', title: r.title ?? '' });
  const look = () => api.previewGrouping({ ...sent(), name: r.name || 'preview' }, r.id).then((p) => { fail(null); show(p); }, fail);
  const save = (e: Event) => { e.preventDefault(); api.putGroupingRule(r.id, sent()).then(saved, fail); };
  return (
    <form class="panel pad grouping" aria-label={r.id ? 'Change the rule' : 'New rule'} onSubmit={save}>
      {failed && <ErrorBox error={failed} />}
      <label>Name <input value={r.name} required maxLength={100} onInput={(e) => change({ name: e.currentTarget.value })} /></label>
      {r.conditions.map((c, n) => (
        <div class="bar" key={n}>
          <span class="muted">{n === 0 ? 'When' : 'and'}</span>
          <input list="grouping-names" value={c.field} required aria-label={`Field of condition ${n + 1}`} onInput={(e) => condition(n, { field: e.currentTarget.value })} />
          <select value={c.op} aria-label={`Operator of condition ${n + 1}`} onChange={(e) => condition(n, { op: e.currentTarget.value })}>{RULE_OPS.map((op) => <option key={op} value={op}>{op.replaceAll('-', ' ')}</option>)}</select>
          <input class="grow" value={c.value} aria-label={`Value of condition ${n + 1}`} onInput={(e) => condition(n, { value: e.currentTarget.value })} />
          {r.conditions.length > 1 && <button type="button" class="button small" onClick={() => change({ conditions: r.conditions.filter((_, k) => k !== n) })} aria-label={`Without condition ${n + 1}`}>×</button>}
        </div>
      ))}
      <datalist id="grouping-names">{NAMES.map((n) => <option key={n} value={n} />)}</datalist>
      <div class="bar">
        <button type="button" class="button small" disabled={r.conditions.length >= 10} onClick={() => change({ conditions: [...r.conditions, { field: 'message', op: 'contains', value: '' }] })}>Another condition</button>
        <label><input type="checkbox" checked={r.ignore_frames === true} onChange={(e) => change({ ignore_frames: e.currentTarget.checked })} /> leave out the frames for which “frame” holds</label>
      </div>
      {!r.ignore_frames && <label>Fingerprint <input class="mono" value={r.fingerprint ?? ''} placeholder="{{ class }} {{ custom.code }}" onInput={(e) => change({ fingerprint: e.currentTarget.value })} /></label>}
      {!r.ignore_frames && <label>Title <input class="mono" value={r.title ?? ''} placeholder="as it is" onInput={(e) => change({ title: e.currentTarget.value })} /></label>}
      <div class="bar">
        <button type="submit" class="button primary">Save</button>
        <button type="button" class="button" onClick={look}>What would it do?</button>
        <button type="button" class="button" onClick={cancel}>Cancel</button>
      </div>
      {preview && <Preview p={preview} />}
    </form>
  );
}

function Preview({ p }: { p: GroupingPreview }) {
  return (
    <section aria-label="What it would do" role="status">
      <p>It holds for {count(p.held)} of the last {count(p.looked)} occurrences{p.groups.length > 0 ? `: ${count(p.groups.length)} ${p.groups.length === 1 ? 'group' : 'groups'}.` : '.'}</p>
      <ul>{p.groups.map((g) => (
        <li key={g.fingerprint}><b>{g.title}</b> <span class="num">{count(g.count)}</span> <code>{g.fingerprint}</code>
          <span class="muted"> from {g.from.map((f) => `${f.title} (${count(f.count)})`).join(', ')}</span></li>
      ))}</ul>
    </section>
  );
}
