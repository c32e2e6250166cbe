/** Why an alert was raised, what its incident is, how its rule did so far. */
import { useQuery } from '@tanstack/react-query';
import { getJson } from './client';
import { API } from './queries';
import type { Severity } from './types';

/** A condition with what it wanted and what the event had. */
export interface Explained {
  what: string;
  matched: boolean;
  wanted?: string[];
  found?: [field: string, value: unknown][];
  parts?: Explained[];
}

export interface Takes {
  kind: string;
  tests: string[];
  within: string;
  by: string[];
  rules: string[];
}

export interface WhyPart {
  rule_id: string;
  events: number;
  event_id: string;
  time: string;
  stored: boolean;
  explanation: { title: string; matched: boolean; log_source: Explained; condition: Explained } | null;
}

export interface Why {
  rule_id: string;
  in_force: boolean;
  takes: Takes | null;
  counted: number | null;
  field: string | null;
  parts: WhyPart[];
}

const SOON_MS = 1000;
const SOON_MAX = 5;

export function useWhy(id: string, version: number) {
  return useQuery({
    queryKey: ['why', id, version],
    queryFn: ({ signal }) => getJson<Why>(`${API}/alerts/${encodeURIComponent(id)}/why`, {}, signal),
    placeholderData: (before, asked) => (asked?.queryKey[1] === id ? before : undefined),
    staleTime: 60_000,
    // An alert may be faster than the store.
    refetchInterval: ({ state }) => (state.dataUpdateCount < SOON_MAX && state.data?.parts.some((part) => !part.stored) ? SOON_MS : false),
  });
}

export interface Noise {
  rule_id: string;
  title: string;
  alerts: number;
  open: number;
  closed: Record<string, number>;
  hidden: number;
  score: number;
}

export function useNoise() {
  return useQuery({
    queryKey: ['noise'],
    queryFn: ({ signal }) => getJson<{ rules: Noise[] }>(`${API}/rules/noise`, {}, signal),
    staleTime: 60_000,
  });
}

export interface Incident {
  id: number;
  title: string;
  severity: Severity;
  status: string;
  first_seen: string;
  last_seen: string;
  alerts: number;
  events: number;
  rules: { rule_id: string; title: string; severity: Severity; alerts: number }[];
}

export interface TimelineLine {
  time: string;
  title: string;
  severity: Severity;
  reason: string;
  alerts: number;
  ids: string[];
}

export function useIncident(id: number) {
  return useQuery({
    queryKey: ['incident', id],
    queryFn: ({ signal }) => getJson<{ incident: Incident; timeline: TimelineLine[] }>(`${API}/incidents/${id}`, {}, signal),
    staleTime: 15_000,
  });
}
