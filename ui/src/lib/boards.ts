// SPDX-License-Identifier: Apache-2.0
//
// Boards as Honeycomb's API has them, and what a board's page knows beside: its questions, their names, the
// names of datasets. Places are the API's own members, so that Terraform reads what the mouse has made.

import { flow, free, reading, type Place } from '../boards/layout';
import { slugOf } from './alerts';
import { api, hny } from './api';
import { dateTime } from './format';
import { questionName } from './query';
import type { Dataset, Filter, QuerySpec, Value } from './types';

export interface Position { x_coordinate: number; y_coordinate: number; width: number; height: number }
export type ChartType = 'default' | 'line' | 'stacked' | 'stat' | 'tsbar' | 'cbar' | 'cpie';
export interface Chart { chart_index: number; chart_type?: ChartType; log_scale?: boolean; omit_missing_values?: boolean; [other: string]: unknown }
export interface Settings { hide_markers?: boolean; hide_hovers?: boolean; hide_compare?: boolean; utc_xaxis?: boolean; overlaid_charts?: boolean; charts?: Chart[]; [other: string]: unknown }
// `caption`: of a board of the older form, until it has an annotation.
export interface QueryPart { query_id: string; query_annotation_id: string; caption?: string; query_style?: 'graph' | 'table' | 'combo'; dataset?: string; visualization_settings?: Settings }
export interface Panel { type: 'query' | 'slo' | 'text'; position?: Position; query_panel?: QueryPart; slo_panel?: { slo_id: string }; text_panel?: { content: string } }
export interface Preset { column: string; alias: string }
interface OldQuery { caption?: string; query_style?: QueryPart['query_style']; dataset?: string; query_id?: string; query_annotation_id?: string }
export interface Board {
  id: string; name: string; description: string; type: string; layout_generation?: 'manual' | 'auto'; panels: Panel[]; preset_filters?: Preset[]; updated_at?: string; revision: string; updated_by?: string;
  queries?: OldQuery[]; slos?: string[];
}
export interface Annotation { id: string; name: string; query_id: string }
export interface View { id: string; name: string; filters: { column: string; operation: string; value?: Value }[] }

const sizeOf = (p: Panel) => (p.type === 'text' ? { w: 12, h: 2 } : { w: 6, h: 4 });

export const placeOf = ({ x_coordinate: x, y_coordinate: y, width: w, height: h }: Position): Place => ({ x, y, w: w || 6, h: h || 4 });
const positionOf = (p: Place): Position => ({ x_coordinate: p.x, y_coordinate: p.y, width: p.w, height: p.h });

export const placesOf = (panels: Panel[]): Place[] => (panels.every((p) => p.position) ? panels.map((p) => placeOf(p.position!)) : flow(panels.map(sizeOf)));

// Panels at these places, in reading order: who has no eyes, and who has a narrow screen, goes through them so.
export const placed = (panels: Panel[], places: Place[]): Panel[] => reading(places).map((i) => ({ ...panels[i]!, position: positionOf(places[i]!) }));

export const added = (panels: Panel[], p: Panel, size = sizeOf(p)): Panel[] => {
  const places = placesOf(panels);
  return placed([...panels, p], [...places, free(places, size.w, size.h)]);
};

export const boards = (signal?: AbortSignal) => hny<Board[]>('GET', 'boards', undefined, signal);
export const makeBoard = (name: string) => hny<Board>('POST', 'boards', { name, type: 'flexible' });
export const dropBoard = (id: string) => hny<null>('DELETE', `boards/${encodeURIComponent(id)}`);

const viewsPath = (board: string, id?: string) => `boards/${encodeURIComponent(board)}/views${id ? `/${encodeURIComponent(id)}` : ''}`;
export const views = (board: string, signal?: AbortSignal) => hny<View[]>('GET', viewsPath(board), undefined, signal);
export const keepView = (board: string, v: Omit<View, 'id'>, id?: string) => hny<View>(id ? 'PUT' : 'POST', viewsPath(board, id), v);
export const dropView = (board: string, id: string) => hny<null>('DELETE', viewsPath(board, id));
export const viewFilters = (v: View): Filter[] => v.filters.map(({ column, operation: op, value }) => ({ column, op, ...(value !== undefined && { value }) }));
export const filtersOfView = (filters: Filter[]): View['filters'] => filters.map(({ column, op: operation, value }) => ({ column, operation, ...(value !== undefined && { value }) }));

// A board of the older form lists queries: shown as panels, and made panels by the first change.
function modern(b: Board): Board {
  if (b.panels.length > 0) return b;
  const named = (b.queries ?? []).filter((q) => q.query_id).map(({ query_id, query_annotation_id = '', dataset = '', caption, query_style }): Panel => (
    { type: 'query', query_panel: { query_id: query_id!, query_annotation_id, dataset, ...(query_style && { query_style }), ...(!query_annotation_id && { caption: caption || 'Question' }) } }));
  return { ...b, panels: [...named, ...(b.slos ?? []).map((slo_id): Panel => ({ type: 'slo', slo_panel: { slo_id } }))] };
}

async function withName(p: Panel): Promise<Panel> {
  if (!p.query_panel?.caption) return p;
  const { caption, ...q } = p.query_panel;
  const a = await hny<Annotation>('POST', `query_annotations/${pathOf(q.dataset)}`, { name: caption, query_id: q.query_id, source: 'board' });
  return { ...p, query_panel: { ...q, query_annotation_id: a.id } };
}

export const board = async (id: string, signal?: AbortSignal) => modern(await hny<Board>('GET', `boards/${encodeURIComponent(id)}`, undefined, signal));

export const changerOf = (b: Board) => b.updated_by || 'somebody else';

// Of two who change a board at once the second is told; `revision` is that of the board that was changed.
export async function keepBoard(b: Board): Promise<Board> {
  const there = await hny<Board>('GET', `boards/${encodeURIComponent(b.id)}`);
  if (b.revision !== there.revision) throw new Error(`${changerOf(there)} has changed this board; here it is as it is now`);
  const { queries: _q, slos: _s, ...rest } = b;
  const panels = await Promise.all(b.panels.map(withName));
  return hny<Board>('PUT', `boards/${encodeURIComponent(b.id)}`, { ...rest, panels, type: 'flexible', layout_generation: 'manual' });
}

// --- what stands behind panels ---

const pathOf = (dataset: string | undefined) => encodeURIComponent(dataset || '__all__');

// A stored question never changes: asked for once.
const known = new Map<string, QuerySpec>();
export async function questionOf(p: QueryPart, signal?: AbortSignal): Promise<QuerySpec> {
  const found = known.get(p.query_id);
  if (found) return found;
  const { id: _, ...spec } = await hny<QuerySpec & { id?: string }>('GET', `queries/${pathOf(p.dataset)}/${p.query_id}`, undefined, signal);
  known.set(p.query_id, spec);
  return spec;
}

export interface Around { names: Map<string, string>; sets: Dataset[] }

// Names of the panels' questions and of datasets: a list a dataset, not a request a panel.
export async function around(b: Board, signal?: AbortSignal): Promise<Around> {
  const scopes = [...new Set(b.panels.flatMap((p) => (p.query_panel ? [pathOf(p.query_panel.dataset)] : [])))];
  const [sets, ...lists] = await Promise.all([api.datasets({}, signal), ...scopes.map((s) => hny<Annotation[]>('GET', `query_annotations/${s}`, undefined, signal))]);
  return { sets, names: new Map(lists.flat().map((a) => [a.id, a.name])) };
}

export const datasetName = (sets: Dataset[], slug: string | undefined) => (slug ? sets.find((s) => slugOf(s.name) === slug)?.name ?? slug : '');

export const rename = async (p: QueryPart, name: string) => {
  const path = `query_annotations/${pathOf(p.dataset)}/${p.query_annotation_id}`;
  return hny<Annotation>('PUT', path, { ...(await hny<Annotation>('GET', path)), name });
};

// A question with a name, in the first place that is free; on a new board where none is named.
export async function addQuestion(to: Board | null, dataset: string, spec: QuerySpec, name = questionName(spec)): Promise<Board> {
  const ds = encodeURIComponent(slugOf(dataset));
  const q = await hny<{ id: string }>('POST', `queries/${ds}`, spec);
  const a = await hny<Annotation>('POST', `query_annotations/${ds}`, { name, query_id: q.id, source: 'board' });
  const b = to ? await board(to.id) : await makeBoard(`Board of ${dateTime(Date.now()).slice(0, -3)}`);
  const charts = Math.max(1, (spec.formulas ?? spec.calculations ?? []).length);
  return keepBoard({ ...b, panels: added(b.panels, { type: 'query', query_panel: { query_id: q.id, query_annotation_id: a.id } }, { w: 6, h: Math.min(10, 4 + 3 * (charts - 1)) }) });
}
