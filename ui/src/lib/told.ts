// SPDX-License-Identifier: Apache-2.0
//
// What a Rollbar item tells beside its stack, read out of the item as it came.

export interface Crumb { ms: number; type: string; level: string; text: string }
export interface ToldOf { crumbs: Crumb[]; parts: [string, [string, string][]][] }

type Obj = Record<string, unknown>;
const obj = (v: unknown): Obj => (v && typeof v === 'object' && !Array.isArray(v) ? (v as Obj) : {});
const text = (v: unknown): string => (typeof v === 'string' ? v : v === undefined || v === null ? '' : JSON.stringify(v) ?? '');
const LEVELS = new Set(['critical', 'error', 'warning', 'info', 'debug']);

// One line of each kind of telemetry.
function says(type: string, body: Obj): string {
  switch (type) {
    case 'network': {
      const ms = Number(body.end_time_ms) - Number(body.start_time_ms);
      return `${text(body.method) || 'GET'} ${text(body.url)}${body.status_code === undefined || body.status_code === null ? '' : ` → ${text(body.status_code)}`}${ms > 0 ? ` in ${Math.round(ms)} ms` : ''}`;
    }
    case 'dom': return `${text(body.subtype)} ${text(body.element)}${body.value === undefined ? '' : ` = ${text(body.value)}`}`.trim();
    case 'navigation': return `${text(body.from)} → ${text(body.to)}`;
    case 'connectivity': return text(body.change);
    default: return text(body.message) || (Object.keys(body).length ? text(body) : '');
  }
}

function crumbOf(v: unknown): Crumb {
  const c = obj(v);
  const type = text(c.type) || 'manual';
  const level = text(c.level);
  return { ms: Number(c.timestamp_ms) || 0, type, level: LEVELS.has(level) ? level : 'info', text: says(type, obj(c.body)) };
}

// Members as lines, by dotted names; those without a value are left out.
function lines(o: Obj, skip: string[] = [], prefix = '', depth = 0): [string, string][] {
  return Object.entries(o).filter(([k]) => !skip.includes(k)).flatMap(([k, v]): [string, string][] => {
    const inner = obj(v);
    if (Object.keys(inner).length > 0 && depth < 2) return lines(inner, [], `${prefix}${k}.`, depth + 1);
    const t = text(v);
    return t === '' || t === '{}' || t === '[]' ? [] : [[`${prefix}${k}`, t]];
  });
}

const none: ToldOf = { crumbs: [], parts: [] };

export function toldOf(document: string | null | undefined): ToldOf {
  let data: Obj;
  try {
    data = obj(JSON.parse(document ?? ''));
  } catch {
    return none; // no item, or one that was cut
  }
  const told = obj(data.body).telemetry;
  const parts: [string, [string, string][]][] = [
    ['Person', lines(obj(data.person))], ['Request', lines(obj(data.request), ['headers'])], ['Headers', lines(obj(obj(data.request).headers))],
    ['Browser', lines(obj(obj(data.client).javascript), ['plugins', 'source_map_enabled', 'guess_uncaught_frames'])], ['Server', lines(obj(data.server))], ['Custom', lines(obj(data.custom))],
  ];
  return { crumbs: (Array.isArray(told) ? told : told ? [told] : []).map(crumbOf), parts: parts.filter(([, l]) => l.length > 0) };
}
