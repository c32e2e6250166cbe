/** Questions to stored history: rows, histogram, fields and values, backtests. */
import { keepPreviousData, useInfiniteQuery, useQuery, type InfiniteData } from '@tanstack/react-query';
import { timeOf, type EcsEvent } from '../lib/event';
import { bucketSeconds } from '../lib/range';
import { getJson, sendJson } from './client';
import type { RuleCost } from './content';
import { API, queryClient } from './queries';

export interface Found {
  events: EcsEvent[];
  total: number;
  next: string | null;
  partial: boolean;
  /** Archived days were looked through, which takes longer. */
  archived?: boolean;
  /** Why archived days could not be read. */
  missing?: string | null;
  took_ms: number;
  aggregations: Record<string, Aggregation>;
}

export interface Bucket {
  key: string | number;
  key_as_string?: string;
  doc_count: number;
  [agg: string]: unknown;
}

export interface Aggregation {
  value?: number | null;
  buckets?: Bucket[];
}

/** A search with its time range made absolute: asked again, it is the same. */
export interface Question {
  q: string;
  from: string;
  to: string;
  order: 'asc' | 'desc';
  /** When it was asked, milliseconds. */
  run: number;
  /** How often it was asked again. */
  round: number;
}

interface SearchBody {
  q?: string;
  last?: string;
  from?: string | undefined;
  to?: string | undefined;
  limit?: number;
  order?: string;
  cursor?: string | undefined;
  fields?: string[];
  aggs?: unknown;
}

/** Rows fetched at once. */
export const PAGE_ROWS = 100;
/** Rows kept on the page; more is a narrower search or an export. */
export const ROWS_MAX = 5000;

const given = (text: string) => (text === '' ? undefined : text);

export const search = (body: SearchBody, signal?: AbortSignal) => sendJson<Found>('POST', `${API}/search`, body, signal);

export type Pages = InfiniteData<Found, string | undefined>;

export function useRows(question: Question) {
  return useInfiniteQuery({
    queryKey: ['search', 'rows', question],
    queryFn: ({ signal, pageParam }) =>
      search({ q: question.q, from: given(question.from), to: given(question.to), limit: PAGE_ROWS, order: question.order, cursor: pageParam }, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page, pages) => (pages.length * PAGE_ROWS >= ROWS_MAX ? undefined : (page.next ?? undefined)),
    ...FROZEN,
    placeholderData: keepPreviousData,
  });
}

/** What was found stays as it is until somebody asks again. */
const FROZEN = {
  staleTime: Number.POSITIVE_INFINITY,
  gcTime: 120_000,
  retry: false,
  refetchOnWindowFocus: false,
  refetchOnReconnect: false,
} as const;

export interface Histogram {
  /** Seconds. */
  from: number;
  to: number;
  width: number;
  points: { t: string; count: number }[];
  partial: boolean;
}

/** When the first event that matches was. */
async function oldest(question: Question, signal: AbortSignal): Promise<number | undefined> {
  const found = await search({ q: question.q, to: given(question.to), limit: 1, order: 'asc', fields: ['@timestamp'] }, signal);
  const at = Date.parse(timeOf(found.events[0] ?? {}));
  return Number.isFinite(at) ? at : undefined;
}

/** The bounds to draw; an open start is that of the events, an open end is now. */
async function bounds(question: Question, signal: AbortSignal): Promise<[number, number] | undefined> {
  const from = Date.parse(question.from);
  const to = Date.parse(question.to);
  const start = Number.isFinite(from) ? from : await oldest(question, signal);
  if (start === undefined) return undefined;
  const end = Number.isFinite(to) ? to : question.run;
  return [start, Math.max(end, start + 1000)];
}

export function useHistogram(question: Question) {
  return useQuery({
    queryKey: ['search', 'histogram', question],
    queryFn: async ({ signal }): Promise<Histogram | null> => {
      const range = await bounds(question, signal);
      if (!range) return null;
      const width = bucketSeconds(...range);
      const aggs = { time: { date_histogram: { field: '@timestamp', fixed_interval: `${width}s` } } };
      const found = await search({ q: question.q, from: given(question.from), to: given(question.to), limit: 0, aggs }, signal);
      const points = (found.aggregations['time']?.buckets ?? []).map((bucket) => ({ t: new Date(Number(bucket.key)).toISOString(), count: bucket.doc_count }));
      return { from: range[0] / 1000, to: range[1] / 1000, width, points, partial: found.partial };
    },
    ...FROZEN,
    placeholderData: keepPreviousData,
  });
}

export const cancelSearch = () => queryClient.cancelQueries({ queryKey: ['search'] });

export interface Field {
  name: string;
  kind: string;
  events: number;
  coverage: number;
}

export function useFields() {
  return useQuery({
    queryKey: ['fields'],
    queryFn: ({ signal }) => getJson<{ fields: Field[]; events: number }>(`${API}/fields`, {}, signal),
    staleTime: 60_000,
  });
}

export interface FieldValue {
  value: unknown;
  events: number;
}

export interface ValueQuestion {
  field: string;
  prefix?: string;
  q?: string;
  from?: string;
  to?: string;
  last?: string;
  limit: number;
}

export const fieldValues = ({ field, limit, ...rest }: ValueQuestion, signal: AbortSignal) =>
  getJson<{ values: FieldValue[]; partial: boolean }>(`${API}/fields/${encodeURIComponent(field)}/values`, { ...rest, limit: String(limit) }, signal);

export function useValues(question: ValueQuestion, enabled: boolean) {
  return useQuery({
    queryKey: ['values', question],
    queryFn: ({ signal }) => fieldValues(question, signal),
    enabled,
    staleTime: 30_000,
    retry: false,
  });
}

export interface RuleReport {
  id: string;
  title: string;
  severity: string;
  findings: number;
  alerts: number;
  allowed: number;
  first: string | null;
  last: string | null;
  days: { day: string; findings: number; alerts: number }[];
  groups: { group: string; findings: number }[];
  samples: EcsEvent[];
  cost?: RuleCost | null;
}

/** An alert in short. */
export interface Brief {
  first: string;
  last: string;
  group: string;
  reason: string;
}

/** What a change of a rule changes. */
export interface Difference {
  same: number;
  new: number;
  gone: number;
  new_alerts: Brief[];
  gone_alerts: Brief[];
  same_matches: number;
  new_matches: number;
  gone_matches: number;
  new_lines: { time: string; line: string }[];
  gone_lines: { time: string; line: string }[];
  cut: boolean;
}

export interface Report {
  events: number;
  cancelled: boolean;
  took_ms: number;
  findings: number;
  alerts: number;
  rules: RuleReport[];
  /** Of the rule in force, when it was compared with that. */
  before?: Report;
  difference?: Difference;
}

export interface Backtest {
  id: number;
  about: string;
  state: 'running' | 'done' | 'cancelled' | 'failed';
  started: string;
  events_done: number;
  events_total: number;
  report: Report | null;
  error: string | null;
}

const BACKTEST_EVERY_MS = 400;

export const startBacktest = (body: { rule?: string; text?: string; against?: string; all_rules?: boolean; last?: string; samples?: number }) =>
  sendJson<Backtest>('POST', `${API}/backtests`, body);

export const cancelBacktest = (id: number) => sendJson<Backtest>('DELETE', `${API}/backtests/${id}`, {});

export function useBacktest(id: number | undefined) {
  return useQuery({
    queryKey: ['backtest', id],
    queryFn: ({ signal }) => getJson<Backtest>(`${API}/backtests/${id}`, {}, signal),
    enabled: id !== undefined,
    refetchInterval: ({ state }) => (state.data && state.data.state !== 'running' ? false : BACKTEST_EVERY_MS),
    staleTime: Number.POSITIVE_INFINITY,
  });
}
