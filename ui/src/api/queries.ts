/** Server state for the screens: what is asked, how long it is fresh, how live news changes it. */
import {
  keepPreviousData,
  QueryClient,
  useMutation,
  useQuery,
} from '@tanstack/react-query';
import { intoNewest, replaced } from '../lib/merge';
import { openingRange } from '../lib/series';
import { stream } from '../live/stream';
import { ApiError, getJson, sendJson } from './client';
import type { Activity, Alert, AlertChange, AlertPage, Overview, Range, SystemStatus } from './types';

export const API = '/api/v1';

/** Pages of lists of alerts. */
export const PAGES = ['alerts', 'page'] as const;

/** After an alert, the overview's sums are asked for again, but not more often than this. */
const OVERVIEW_AFTER_ALERT_MS = 2000;

const OVERVIEW_EVERY_MS: Record<Range, number> = { '15m': 5000, '1h': 10_000, '24h': 30_000, '7d': 60_000 };
const OVERVIEW_EMPTY_EVERY_MS = 2000;
const STATUS_EVERY_MS = 5000;

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 4000,
      // A refusal will not change by asking again; a broken connection may.
      retry: (failures, error) => failures < 1 && !(error instanceof ApiError && error.status !== 0),
      retryDelay: 500,
      refetchOnWindowFocus: true,
    },
  },
});

export function useOverview(last: Range | null) {
  return useQuery({
    queryKey: ['overview', last],
    queryFn: ({ signal }) => getJson<Overview>(`${API}/overview`, { last: last ?? '24h' }, signal),
    enabled: last !== null,
    // Where nothing has arrived yet, somebody waits for the first event.
    refetchInterval: ({ state }) =>
      state.data?.events.total === 0 ? OVERVIEW_EMPTY_EVERY_MS : OVERVIEW_EVERY_MS[last ?? '24h'],
    placeholderData: keepPreviousData,
  });
}

/** The range to open with, after one look at the last day; decided once per page load. */
export function useOpeningRange(enabled: boolean) {
  return useQuery({
    queryKey: ['opening-range'],
    queryFn: async ({ signal }) => {
      const day = await getJson<Overview>(`${API}/overview`, { last: '24h' }, signal);
      queryClient.setQueryData(['overview', '24h'], day);
      return openingRange(day);
    },
    enabled,
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: Number.POSITIVE_INFINITY,
  });
}

export function useStatus() {
  return useQuery({
    queryKey: ['status'],
    queryFn: ({ signal }) => getJson<SystemStatus>(`${API}/status`, {}, signal),
    refetchInterval: STATUS_EVERY_MS,
  });
}

/** An alert that some list on the page already holds. */
function known(id: string): Alert | undefined {
  for (const [, page] of queryClient.getQueriesData<AlertPage>({ queryKey: PAGES })) {
    const found = page?.alerts.find((alert) => alert.tocsin.alert.id === id);
    if (found) return found;
  }
  for (const [, data] of queryClient.getQueriesData<Overview>({ queryKey: ['overview'] })) {
    const found = data?.newest_alerts.find((alert) => alert.tocsin.alert.id === id);
    if (found) return found;
  }
  return undefined;
}

export function useAlert(id: string) {
  return useQuery<Alert>({
    queryKey: ['alert', id],
    queryFn: ({ signal }) => getJson<Alert>(`${API}/alerts/${encodeURIComponent(id)}`, {}, signal),
    placeholderData: () => known(id),
  });
}

/** Changes an alert; every list that shows it follows. */
export function useChangeAlert(id: string) {
  return useMutation<Alert, Error, AlertChange>({
    mutationFn: (change) => sendJson<Alert>('PATCH', `${API}/alerts/${encodeURIComponent(id)}`, change),
    onSuccess: (alert) => {
      queryClient.setQueryData<Alert>(['alert', id], alert);
      intoPages([alert]);
      void queryClient.invalidateQueries({ queryKey: ['overview'] });
    },
    // Somebody else was first: show what they did.
    onError: () => queryClient.invalidateQueries({ queryKey: ['alert', id] }),
  });
}

/** Who did what to an alert; asked anew with each version of it. */
export function useActivity(id: string, version: number) {
  return useQuery({
    queryKey: ['activity', id, version],
    queryFn: ({ signal }) =>
      getJson<{ activity: Activity[] }>(`${API}/alerts/${encodeURIComponent(id)}/activity`, {}, signal),
    placeholderData: (before, asked) => (asked?.queryKey[1] === id ? before : undefined),
  });
}

/** Other alerts that involve the same value; `q` searches where people would. */
export function useRelated(value: string, limit: number) {
  return useQuery({
    queryKey: ['alerts', 'related', value],
    queryFn: ({ signal }) =>
      getJson<AlertPage>(`${API}/alerts`, { q: value, limit: String(limit) }, signal),
    staleTime: 15_000,
  });
}

/** Puts alerts as they are now into every list that shows them. */
export function intoPages(news: readonly Alert[]) {
  queryClient.setQueriesData<AlertPage>({ queryKey: PAGES }, (page) => {
    if (!page) return page;
    const alerts = replaced(page.alerts, news);
    return alerts === page.alerts ? page : { ...page, alerts };
  });
}

/** Keeps cached answers in step with the live stream. Called once, when the page starts. */
export function startLiveQueries() {
  let timer: ReturnType<typeof setTimeout> | undefined;
  stream.onAlerts((news) => {
    intoPages(news);
    for (const alert of news) {
      queryClient.setQueryData<Alert>(['alert', alert.tocsin.alert.id], (old) => old && (replaced([old], [alert])[0] ?? old));
    }
    queryClient.setQueriesData<Overview>({ queryKey: ['overview'] }, (old) =>
      old && { ...old, newest_alerts: intoNewest(old.newest_alerts, news) });
    timer ??= setTimeout(() => {
      timer = undefined;
      void queryClient.invalidateQueries({ queryKey: ['overview'] });
      void queryClient.invalidateQueries({ queryKey: ['alerts', 'facets'] });
    }, OVERVIEW_AFTER_ALERT_MS);
  });
  stream.onRecovery(() => {
    for (const key of [['overview'], ['status'], ['alert'], ['alerts', 'facets']]) {
      void queryClient.invalidateQueries({ queryKey: key });
    }
  });
}
