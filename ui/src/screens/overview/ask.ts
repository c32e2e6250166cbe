/** Panels that are a query: what is asked for, and the answer. */
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { getJson, sendJson } from '../../api/client';
import { API } from '../../api/queries';
import type { Facets, Range } from '../../api/types';

/** A panel as packs define it, and as the page's own are. */
export interface PanelDef {
  title: string;
  kind: 'top' | 'time' | 'figure' | 'map';
  /** KQL; empty: every event. */
  query: string;
  /** The field whose values are counted. */
  field?: string;
  /** The field that is added up instead of counting events. */
  sum?: string;
  /** The pack it comes from. */
  pack?: string;
}

export interface Row {
  value: string;
  events: number;
  sum: number | null;
}

const EVERY_MS: Record<Range, number> = { '15m': 15_000, '1h': 30_000, '24h': 60_000, '7d': 120_000 };
/** Values of a list; a map asks for every country there is. */
const TOP_MAX = 8;
const COUNTRIES_MAX = 300;
const BUCKETS: Record<Range, string> = { '15m': '15s', '1h': '60s', '24h': '900s', '7d': '7200s' };

interface Bucket {
  key: unknown;
  doc_count: number;
  sum?: { value: number | null };
}

interface Found {
  total: number;
  partial: boolean;
  aggregations: Record<string, { buckets?: Bucket[]; value?: number | null }>;
}

export interface PanelAnswer {
  total: number;
  partial: boolean;
  rows: Row[];
  points: { t: number; count: number }[];
  figure: number;
}

const sumOf = (def: PanelDef) => (def.sum === undefined ? {} : { aggs: { sum: { sum: { field: def.sum } } } });

function aggs(def: PanelDef, range: Range): Record<string, unknown> {
  if (def.kind === 'time') return { by: { date_histogram: { field: '@timestamp', fixed_interval: BUCKETS[range] }, ...sumOf(def) } };
  if (def.kind === 'figure') return def.sum === undefined ? {} : { by: { sum: { field: def.sum } } };
  const size = def.kind === 'map' ? COUNTRIES_MAX : TOP_MAX;
  const order = def.sum === undefined ? {} : { order: { sum: 'desc' } };
  return { by: { terms: { field: def.field, size, ...order }, ...sumOf(def) } };
}

export function usePanel(def: PanelDef, range: Range) {
  return useQuery({
    queryKey: ['panel', def, range],
    queryFn: async ({ signal }): Promise<PanelAnswer> => {
      const found = await sendJson<Found>('POST', `${API}/search`, { q: def.query, last: range, limit: 0, aggs: aggs(def, range) }, signal);
      const by = found.aggregations['by'];
      const buckets = by?.buckets ?? [];
      const amount = (bucket: Bucket) => (def.sum === undefined ? bucket.doc_count : (bucket.sum?.value ?? 0));
      return {
        total: found.total,
        partial: found.partial,
        rows: def.kind === 'time' ? [] : buckets.map((bucket) => ({ value: String(bucket.key), events: bucket.doc_count, sum: bucket.sum?.value ?? null })),
        points: def.kind === 'time' ? buckets.map((bucket) => ({ t: Number(bucket.key) / 1000, count: amount(bucket) })) : [],
        figure: def.sum === undefined ? found.total : (by?.value ?? 0),
      };
    },
    refetchInterval: EVERY_MS[range],
    staleTime: 5000,
    placeholderData: keepPreviousData,
  });
}

export function useTactics(range: Range) {
  return useQuery({
    queryKey: ['alerts', 'facets', 'tactics', range],
    queryFn: ({ signal }) => getJson<Facets>(`${API}/alerts/facets`, { last: range }, signal),
    refetchInterval: EVERY_MS[range],
    placeholderData: keepPreviousData,
  });
}

export interface Dashboard {
  pack: string;
  title: string;
  panels: PanelDef[];
}

/** Panels of packs; those without events in the range are left out when drawn. */
export function useDashboards() {
  return useQuery({
    queryKey: ['dashboards'],
    queryFn: ({ signal }) => getJson<{ dashboards: Dashboard[] }>(`${API}/dashboards`, {}, signal),
    staleTime: 300_000,
    retry: false,
  });
}
