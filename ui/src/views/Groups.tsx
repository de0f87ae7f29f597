// SPDX-License-Identifier: Apache-2.0
// X-Ray's groups: names for filter expressions.

import { useEffect, useRef, useState } from 'preact/hooks';
import { api } from '../lib/api';
import { formErrors, position, type FormErrors } from '../lib/awsform';
import { href } from '../lib/route';
import { useLoad } from '../lib/use';
import { ErrorBox, Progress } from '../parts/States';
import type { XrayGroup } from '../lib/types';

export function Groups() {
  const groups = useLoad('groups', api.groups);
  const [editing, edit] = useState<string | null>(null); // a group's name, "" = a new one
  const [failed, fail] = useState<Error | null>(null);
  const list = groups.data;
  const group = list?.find((g) => g.GroupName === editing) ?? null;
  const error = groups.error ?? failed;
  const drop = (name: string) => void api.xray('DeleteGroup', { GroupName: name }).then(() => fail(null), fail).then(groups.reload);
  return (
    <div class="view settings">
      <div class="bar">
        <h1>Groups</h1>
        <a href={href('sampling')}>Sampling rules</a>
        <span class="end" />
        <button type="button" class="button primary" onClick={() => edit('')}>New group</button>
      </div>
      {!list && groups.loading && <Progress loading progress={null} />}
      {error && <ErrorBox error={error} retry={groups.reload} />}
      {editing !== null && (editing === '' || group) && (
        <Form key={editing} group={group} close={() => edit(null)} saved={() => { edit(null); groups.reload(); }} />
      )}
      {list && (
        <section class="panel" aria-label="Groups">
          <div class="table-wrap" role="region" aria-label="Groups and their filter expressions" tabIndex={0}>
            <table class="table">
              <thead><tr><th>Group</th><th>Filter expression</th><th><span class="visually-hidden">Change</span></th></tr></thead>
              <tbody>{list.map((g) => <Line key={g.GroupName} g={g} edit={edit} drop={drop} />)}</tbody>
            </table>
          </div>
        </section>
      )}
      <p class="muted">A group stands in X-Ray's filter expressions as <code>group.name = "…"</code> and in GetServiceGraph as GroupName. Changing one also changes what it meant in the past.</p>
    </div>
  );
}

function Line({ g, edit, drop }: { g: XrayGroup; edit: (name: string) => void; drop: (name: string) => void }) {
  const [sure, ask] = useState(false);
  return (
    <tr>
      <td class="nowrap"><strong title={g.GroupARN}>{g.GroupName}</strong></td>
      <td class="mono grow">{g.FilterExpression ?? <span class="muted">every trace</span>}</td>
      <td class="right nowrap">
        {g.GroupName !== 'Default' && (
          <>
            <button type="button" class="button small" onClick={() => edit(g.GroupName)} aria-label={`Edit ${g.GroupName}`}>Edit</button>{' '}
            {sure
              ? <button type="button" class="button small error" onClick={() => drop(g.GroupName)} onBlur={() => ask(false)} aria-label={`Really delete ${g.GroupName}`}>Really?</button>
              : <button type="button" class="button small" onClick={() => ask(true)} aria-label={`Delete ${g.GroupName}`}>Delete</button>}
          </>
        )}
      </td>
    </tr>
  );
}

function Form({ group, close, saved }: { group: XrayGroup | null; close: () => void; saved: () => void }) {
  const [name, setName] = useState(group?.GroupName ?? '');
  const [expression, set] = useState(group?.FilterExpression ?? '');
  const [errors, fail] = useState<FormErrors>({ fields: {}, rest: null });
  const input = useRef<HTMLInputElement>(null);
  const at = errors.rest === null ? null : position(errors.rest);
  // The cursor goes to where something else was expected.
  useEffect(() => {
    if (at === null || !input.current) return;
    input.current.focus();
    const characters = [...new TextEncoder().encode(expression)].slice(0, at);
    const before = new TextDecoder().decode(new Uint8Array(characters)).length;
    input.current.setSelectionRange(before, Math.min(before + 1, expression.length));
  }, [errors]);
  const submit = (e: Event) => {
    e.preventDefault();
    api.xray(group ? 'UpdateGroup' : 'CreateGroup', { GroupName: name, FilterExpression: expression }).then(saved, (error: Error) => fail(formErrors(error.message)));
  };
  return (
    <form class="panel rule-form" aria-label={group ? `Edit ${group.GroupName}` : 'New group'} onSubmit={submit}>
      <h2>{group ? group.GroupName : 'New group'}</h2>
      {errors.rest && at === null && <div class="error" role="alert">{errors.rest}</div>}
      {!group && (
        <label class="field-of-form">
          <span>Name</span>
          <input value={name} spellcheck={false} aria-invalid={errors.fields.groupName ? true : undefined} onInput={(e) => setName(e.currentTarget.value)} />
          {errors.fields.groupName && <span class="error" role="alert">{errors.fields.groupName}</span>}
        </label>
      )}
      <label class="field-of-form">
        <span>Filter expression</span>
        <input ref={input} class="mono" value={expression} spellcheck={false} placeholder={'service("backend-flask") { fault }'} aria-invalid={at === null ? undefined : true} onInput={(e) => set(e.currentTarget.value)} />
        {at !== null && <span class="error" role="alert">{errors.rest}</span>}
      </label>
      <div class="bar">
        <button type="submit" class="button primary">Save</button>
        <button type="button" class="button" onClick={close}>Cancel</button>
      </div>
    </form>
  );
}
