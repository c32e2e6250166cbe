/** What Tocsin notices by itself, and what is known beyond lines: silence, risk, indicators, places. */
import { useQuery } from '@tanstack/react-query';
import { ApiError, getJson, sendJson } from './client';
import { API, queryClient } from './queries';

const EVERY_MS = 20_000;

export interface Sending {
  source: string;
  host: string;
  input: string;
  condition: 'silent' | 'sending' | 'learning' | 'irregular' | 'ignored';
  first: string | null;
  last: string | null;
  events: number;
  usual_seconds: number;
  limit_seconds: number | null;
  alert: string | null;
}

export const useSilence = () =>
  useQuery({
    queryKey: ['silence'],
    queryFn: ({ signal }) => getJson<{ sources: Sending[] }>(`${API}/silence`, {}, signal),
    refetchInterval: EVERY_MS,
  });

export const forgetSource = (body: { source: string; host: string }) => sendJson('POST', `${API}/silence/forget`, body);

export type EntityKind = 'address' | 'user' | 'host';

export interface RiskPart {
  alert_id: string;
  rule_id: string;
  title: string;
  time: string;
  points: number;
  now: number;
  harmless: string | null;
}

export interface Risk {
  kind: EntityKind;
  entity: string;
  score: number;
  alerts: number;
  rules: [title: string, points: number][];
  last: string;
  parts?: RiskPart[];
}

export const useRisks = (kind: EntityKind | '', limit: number) =>
  useQuery({
    queryKey: ['risk', kind, limit],
    queryFn: ({ signal }) => getJson<{ entities: Risk[]; total: number; threshold: number; half_life_hours: number }>(`${API}/risk`, { kind, limit: String(limit) }, signal),
    refetchInterval: EVERY_MS,
  });

const NOT_FOUND = 404;

/** The risk of one entity; null when no alert is about it. */
export const useRisk = (kind: EntityKind, entity: string) =>
  useQuery({
    queryKey: ['risk-of', kind, entity],
    queryFn: async ({ signal }) => {
      try {
        return await getJson<Risk>(`${API}/risk/${kind}/${encodeURIComponent(entity)}`, {}, signal);
      } catch (error) {
        if (error instanceof ApiError && error.status === NOT_FOUND) return null;
        throw error;
      }
    },
    refetchInterval: EVERY_MS,
  });

export interface Feed {
  name: string;
  format: string;
  source: string;
  indicators: number;
  by_kind: Record<string, number>;
  fetched: string | null;
  fetches: number;
  failures: number;
  refused: Record<string, number>;
  problem: string | null;
}

export interface Indicator {
  feed: string;
  kind: string;
  value: string;
  confidence: number;
  expires: string | null;
  about: string;
}

export interface Hunt {
  id: number;
  about: string;
  started: string;
  ended: string | null;
  events: number;
  matched: number;
  alerts: number;
  problem: string | null;
}

export const useFeeds = () =>
  useQuery({
    queryKey: ['intel', 'feeds'],
    queryFn: ({ signal }) => getJson<{ feeds: Feed[]; indicators: number }>(`${API}/intel`, {}, signal),
    refetchInterval: EVERY_MS,
  });

/** Who warns of a value; empty: nobody is asked. */
export const useIndicators = (value: string) =>
  useQuery({
    queryKey: ['intel', 'value', value],
    queryFn: ({ signal }) => getJson<{ indicators: Indicator[] }>(`${API}/intel/indicators`, { value }, signal),
    enabled: value !== '',
    retry: false,
  });

export const useHunts = () =>
  useQuery({
    queryKey: ['intel', 'hunts'],
    queryFn: ({ signal }) => getJson<{ hunts: Hunt[] }>(`${API}/intel/hunts`, {}, signal),
    refetchInterval: 5000,
  });

export const addIndicator = (body: { value: string; about: string; expires_days?: number }) => sendJson('POST', `${API}/intel/indicators`, body);
export const removeIndicator = (value: string) => sendJson('DELETE', `${API}/intel/indicators?value=${encodeURIComponent(value)}`, {});
export const fetchFeed = (name: string) => sendJson('POST', `${API}/intel/feeds/${encodeURIComponent(name)}/fetch`, {});
export const startHunt = () => sendJson('POST', `${API}/intel/hunts`, {});
export const refreshIntel = () => queryClient.invalidateQueries({ queryKey: ['intel'] });

export interface Place {
  country_iso_code: string | null;
  country_name: string | null;
  region_name: string | null;
  city_name: string | null;
  as_number: number | null;
  as_organization: string | null;
  attribution: string[];
}

export const usePlace = (ip: string) =>
  useQuery({
    queryKey: ['place', ip],
    queryFn: ({ signal }) => getJson<Place>(`${API}/context/addresses/${encodeURIComponent(ip)}`, {}, signal),
    retry: false,
  });

export interface Context {
  databases: { path: string; kind: string; built: number; bytes: number }[];
  attribution: string[];
  hosts: number;
  users: number;
  networks: number;
  problems: Record<string, string>;
}

export const useContext = () =>
  useQuery({
    queryKey: ['context'],
    queryFn: ({ signal }) => getJson<Context>(`${API}/context`, {}, signal),
    staleTime: 60_000,
  });
