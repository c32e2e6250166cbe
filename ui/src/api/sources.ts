/** What is collected, and as what it is understood. */
import { queryOptions, useQuery } from '@tanstack/react-query';
import type { EcsEvent } from '../lib/event';
import { getJson, sendJson } from './client';
import { API } from './queries';

export interface Source {
  name: string;
  pack: string;
  about: string;
  setup: string;
  paths: string[];
  events: number;
  series: number[];
  last_event: string | null;
  inputs: string[];
  hosts: number;
  unparsed: number;
}

export interface UnparsedShape {
  input: string;
  source: string;
  shape: string;
  count: number;
  first: string;
  last: string;
  samples: string[];
}

const EVERY_MS = 15_000;

const sources = queryOptions({
  queryKey: ['sources'],
  queryFn: ({ signal }) => getJson<{ sources: Source[]; from: string; span_seconds: number }>(`${API}/sources`, {}, signal),
});

export const useSources = () => useQuery({ ...sources, refetchInterval: EVERY_MS });

const NAMES_LAST_MS = 60_000;

/** The same for who only wants their names. */
export const useNamedSources = () => useQuery({ ...sources, staleTime: NAMES_LAST_MS }).data?.sources;

export function useUnparsed() {
  return useQuery({
    queryKey: ['unparsed'],
    queryFn: ({ signal }) => getJson<{ shapes: UnparsedShape[]; forgotten: number }>(`${API}/sources/unparsed`, {}, signal),
    refetchInterval: EVERY_MS,
  });
}

export interface ParsedLine {
  event: EcsEvent;
  frame: string;
  source: string | null;
  why: string;
}

export const parseLines = (asked: { lines: string[]; source?: string }) =>
  sendJson<{ parsed: ParsedLine[] }>('POST', `${API}/sources/parse`, asked);
