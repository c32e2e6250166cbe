/** Lists of alerts by page, what they are made of, and changes of many of them. */
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { filterParams, type AlertFilter } from '../lib/filter';
import { getJson, sendJson } from './client';
import { API, PAGES, queryClient } from './queries';
import type { Alert, AlertChange, AlertPage, Facets } from './types';

/** Alerts of one page. */
export const PAGE_ALERTS = 100;
/** Pages that are out of sight are kept so long. */
const PAGE_KEPT_MS = 120_000;
const FACETS_EVERY_MS = 15_000;

/** One page of a list; `until` keeps what was raised later out, so that nothing moves. */
export interface PageQuestion {
  params: Record<string, string>;
  page: number;
  until: string;
  /** Goes up when the list is read anew. */
  round: number;
}

/** A page is asked for once: rows must not move under the hands, news waits behind a button. */
export const pageQuery = ({ params, page, until, round }: PageQuestion) => ({
  queryKey: [...PAGES, params, until, round, page],
  queryFn: ({ signal }: { signal: AbortSignal }) => {
    const { last, ...rest } = params;
    const asked = until === '' ? params : { ...rest, ...(last === undefined ? {} : { from: since(last, until) }), to: rest['to'] ?? until };
    return getJson<AlertPage>(`${API}/alerts`, { ...asked, lines: 'false', limit: String(PAGE_ALERTS), skip: String(page * PAGE_ALERTS) }, signal);
  },
  staleTime: Number.POSITIVE_INFINITY,
  gcTime: PAGE_KEPT_MS,
  refetchOnWindowFocus: false,
  refetchOnReconnect: false,
});

const UNIT_MS: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** A relative range as a point in time. */
function since(last: string, until: string): string {
  const span = Number(last.slice(0, -1)) * (UNIT_MS[last.at(-1) ?? ''] ?? 0);
  return new Date(Date.parse(until) - span).toISOString();
}

/** What the list is made of. Counts follow what happens; groups stay as they are until `round` goes up. */
export function useFacets(filter: AlertFilter, round: number) {
  const { by } = filter;
  const params = filterParams(filter);
  return useQuery({
    queryKey: ['alerts', 'facets', params, by, round],
    queryFn: ({ signal }) => getJson<Facets>(`${API}/alerts/facets`, { ...params, group: by }, signal),
    refetchInterval: FACETS_EVERY_MS,
    placeholderData: keepPreviousData,
  });
}

export interface BulkDone {
  changed: number;
  undo: string | null;
}

/** Changes all alerts that one of the queries finds. */
export async function changeMany(queries: readonly Record<string, string>[], change: AlertChange): Promise<BulkDone[]> {
  const done: BulkDone[] = [];
  for (const query of queries) {
    // One after the other: each is a write of its own, and what follows may overlap it.
    // oxlint-disable-next-line no-await-in-loop
    done.push(await sendJson<BulkDone>('POST', `${API}/alerts/change`, { query, change }));
  }
  void queryClient.invalidateQueries({ queryKey: ['alerts', 'facets'] });
  void queryClient.invalidateQueries({ queryKey: ['overview'] });
  return done;
}

export async function undoMany(words: readonly string[], by: string): Promise<number> {
  let restored = 0;
  for (const undo of words.toReversed()) {
    // oxlint-disable-next-line no-await-in-loop
    const done = await sendJson<{ restored: number }>('POST', `${API}/alerts/undo`, { undo, ...(by === '' ? {} : { by }) });
    restored += done.restored;
  }
  void queryClient.invalidateQueries({ queryKey: ['alerts', 'facets'] });
  return restored;
}

/** Shows a change at once in what is on the page; the server's word follows over the stream. */
export function showChange(change: AlertChange, hit: (alert: Alert) => boolean) {
  queryClient.setQueriesData<AlertPage>({ queryKey: PAGES }, (page) => {
    if (!page?.alerts.some(hit)) return page;
    return { ...page, alerts: page.alerts.map((alert) => (hit(alert) ? changed(alert, change) : alert)) };
  });
}

function changed(alert: Alert, { status, disposition, owner }: AlertChange): Alert {
  const { disposition: was, owner: had, ...rest } = alert.tocsin.alert;
  const next = disposition === undefined ? (status ?? rest.status) : 'closed';
  const why = next === 'closed' ? (disposition ?? was) : undefined;
  const who = owner ?? had;
  const core = { ...rest, status: next, ...(why === undefined ? {} : { disposition: why }), ...(who === undefined || who === '' ? {} : { owner: who }) };
  return { ...alert, tocsin: { alert: core } };
}
