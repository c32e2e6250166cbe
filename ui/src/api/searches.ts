/** Searches that people keep. */
import { useQuery } from '@tanstack/react-query';
import { DEFAULT_LAST, NO_SEARCH, type SearchState } from '../lib/search';
import { getJson, sendJson } from './client';
import { API, queryClient } from './queries';

export interface Kept {
  id: number;
  name: string;
  owner: string;
  shared: boolean;
  /** Whether one may remove it. */
  yours: boolean;
  q: string;
  last: string;
  from: string;
  to: string;
  order: string;
  columns: string[];
  changed: string;
}

export function useSearches(enabled = true) {
  return useQuery({
    queryKey: ['searches'],
    queryFn: ({ signal }) => getJson<{ searches: Kept[] }>(`${API}/searches`, {}, signal),
    enabled,
    staleTime: 30_000,
  });
}

const again = () => queryClient.invalidateQueries({ queryKey: ['searches'] });

export async function keepSearch(name: string, shared: boolean, state: SearchState): Promise<Kept> {
  const { q, last, from, to, order, columns } = state;
  const kept = await sendJson<Kept>('POST', `${API}/searches`, { name, shared, q, last, from, to, order, columns });
  await again();
  return kept;
}

export async function removeSearch(id: number): Promise<void> {
  await sendJson('DELETE', `${API}/searches/${id}`, {});
  await again();
}

/** The search that somebody kept, as the page has it. */
export function stateOf(kept: Kept): SearchState {
  const ranged = kept.last !== '' || kept.from !== '' || kept.to !== '';
  return { ...NO_SEARCH, q: kept.q, last: ranged ? kept.last : DEFAULT_LAST, from: kept.from, to: kept.to, order: kept.order === 'asc' ? 'asc' : 'desc', columns: kept.columns };
}
