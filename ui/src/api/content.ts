/** Rules: drafts of queries, checks, saving. */
import { queryOptions, useQuery } from '@tanstack/react-query';
import { getJson, sendJson } from './client';
import { API } from './queries';
import type { Severity } from './types';

export interface Problem {
  level: 'error' | 'warning';
  message: string;
  /** From 1; 0 where no place is known. */
  line: number;
  column: number;
}

export interface Checked {
  problems: Problem[];
  rules: { id: string; title: string; severity: string }[];
  tests: RuleTest[];
}

export interface Draft {
  q: string;
  title: string;
  severity: string;
}

export const draftRule = (draft: Draft) => sendJson<{ text: string; notes: string[] }>('POST', `${API}/rules/draft`, draft);
export const checkRule = (text: string, signal?: AbortSignal) => sendJson<Checked>('POST', `${API}/rules/check`, { text }, signal);
export const saveRule = (text: string) => sendJson<{ path: string; ids: string[] }>('POST', `${API}/rules`, { text });

export interface Rule {
  id: string;
  name: string | null;
  title: string;
  severity: Severity;
  pack: string;
  techniques: string[];
  tactics: string[];
  description: string;
  false_positives: string[];
  references: string[];
  correlation: boolean;
  enabled: boolean;
  own: boolean;
  fired: number;
  last_fired: string | null;
  false_positive: number;
  closed: number;
  log_source: string;
  source_seen: boolean;
  /** Absent after few events. */
  cost: RuleCost | null;
}

export interface RuleCost {
  nanos_per_event: number;
  /** Share of events for which its condition is looked at. */
  looked_at: number;
  /** Of all the time of detection. */
  share: number;
}

export interface RuleTest {
  name: string;
  fires: boolean;
  failure: string | null;
  line: number;
}

export interface RuleDetail extends Rule {
  texts: { path: string; text: string }[];
  tests: RuleTest[];
}

const EVERY_MS = 20_000;

const rules = queryOptions({
  queryKey: ['rules'],
  queryFn: ({ signal }) => getJson<{ rules: Rule[]; total: number; problems: string[]; measured_events: number; nanos_per_event: number }>(`${API}/rules`, {}, signal),
});

export const useRules = () => useQuery({ ...rules, refetchInterval: EVERY_MS });

const NAMES_LAST_MS = 60_000;

/** The same for who only wants their names. */
export const useNamedRules = () => useQuery({ ...rules, staleTime: NAMES_LAST_MS }).data?.rules;

export function useRule(id: string) {
  return useQuery({
    queryKey: ['rules', 'one', id],
    queryFn: ({ signal }) => getJson<RuleDetail>(`${API}/rules/${encodeURIComponent(id)}`, {}, signal),
    staleTime: 30_000,
  });
}

export const removeRule = (id: string) => sendJson<{ text: string }>('DELETE', `${API}/rules/${encodeURIComponent(id)}`, {});

/** Null is as the configuration has it. */
export const switchRule = (id: string, enabled: boolean | null) => sendJson<{ id: string; enabled: boolean }>('PATCH', `${API}/rules/${encodeURIComponent(id)}`, { enabled });

/** What a rule that is off would have raised. */
export interface Foreseen {
  rule_id: string;
  alerts: number;
  findings: number;
  days: number;
  by_day: { day: string; findings: number; alerts: number }[];
}

export interface Foresight {
  state: 'running' | 'done';
  events_done: number;
  events_total: number;
  off: number;
  rules: Foreseen[];
  error: string | null;
}

const FORESIGHT_EVERY_MS = 1500;

/** What rules that are off would have raised; asked again while it is worked out. */
export function useForesight(enabled: boolean) {
  return useQuery({
    queryKey: ['foresight'],
    queryFn: ({ signal }) => getJson<Foresight>(`${API}/rules/foresight`, {}, signal),
    enabled,
    refetchInterval: ({ state }) => (state.data?.state === 'running' ? FORESIGHT_EVERY_MS : false),
    staleTime: 60_000,
  });
}
