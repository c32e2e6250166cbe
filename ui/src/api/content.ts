/** Rules: drafts of queries, checks, saving. */
import { useQuery } from '@tanstack/react-query';
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

export function useRules() {
  return useQuery({
    queryKey: ['rules'],
    queryFn: ({ signal }) => getJson<{ rules: Rule[]; total: number; problems: string[] }>(`${API}/rules`, {}, signal),
    refetchInterval: EVERY_MS,
  });
}

export function useRule(id: string) {
  return useQuery({
    queryKey: ['rules', 'one', id],
    queryFn: ({ signal }) => getJson<RuleDetail>(`${API}/rules/${encodeURIComponent(id)}`, {}, signal),
    staleTime: 30_000,
  });
}

export const removeRule = (id: string) => sendJson<{ text: string }>('DELETE', `${API}/rules/${encodeURIComponent(id)}`, {});
