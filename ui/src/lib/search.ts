/** What is searched for: the URL is the only place where that is kept. Pure. */
import { ALL_TIME, pointMs, spanMs, type TimeRange } from './range';

export interface SearchState extends TimeRange {
  q: string;
  /** Columns beside the time; empty: the line. */
  columns: string[];
  order: 'desc' | 'asc';
  /** The field whose top values are shown. */
  by: string;
}

/** The range of a search that names none. */
export const DEFAULT_LAST = '24h';

export const NO_SEARCH: SearchState = { q: '', ...ALL_TIME, last: DEFAULT_LAST, columns: [], order: 'desc', by: '' };

const COLUMNS_MAX = 12;

const point = (text: string | null) => (text !== null && pointMs(text, 0, 'utc') !== undefined && text.includes('T') ? text : '');

export function parseSearch(search: string): SearchState {
  const query = new URLSearchParams(search);
  const [from, to] = [point(query.get('from')), point(query.get('to'))];
  const last = query.get('last') ?? '';
  const relative = last === 'all' ? '' : spanMs(last) === undefined ? DEFAULT_LAST : last;
  return {
    q: query.get('q') ?? '',
    last: from !== '' || to !== '' ? '' : relative,
    from,
    to,
    columns: [...new Set(query.getAll('col').filter((name) => name !== ''))].slice(0, COLUMNS_MAX),
    order: query.get('order') === 'asc' ? 'asc' : 'desc',
    by: query.get('by') ?? '',
  };
}

/** The query part of the URL; empty for the search that one starts with. */
export function printSearch(state: Partial<SearchState>): string {
  const query = new URLSearchParams();
  if (state.q) query.set('q', state.q);
  if (state.from) query.set('from', state.from);
  if (state.to) query.set('to', state.to);
  if (!state.from && !state.to && state.last !== undefined && state.last !== DEFAULT_LAST) query.set('last', state.last === '' ? 'all' : state.last);
  for (const column of state.columns ?? []) query.append('col', column);
  if (state.order === 'asc') query.set('order', 'asc');
  if (state.by) query.set('by', state.by);
  return query.size > 0 ? `?${query}` : '';
}

export const searchPath = (state: Partial<SearchState>) => `/search${printSearch(state)}`;
