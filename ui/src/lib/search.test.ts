import { expect, it } from 'vitest';
import { NO_SEARCH, parseSearch, printSearch, type SearchState } from './search';

const cases: SearchState[] = [
  NO_SEARCH,
  { ...NO_SEARCH, q: 'a: "x, y" & b=1', last: '' },
  { ...NO_SEARCH, last: '15m', columns: ['user.name', 'odd,name'], order: 'asc', by: 'host.name' },
  { ...NO_SEARCH, last: '', from: '2026-11-20T00:00:00.000Z', to: '2026-11-21T00:00:00.000Z' },
];

it.each(cases)('%j goes into the URL and back', (state) => {
  expect(parseSearch(printSearch(state))).toEqual(state);
});

it('leaves nonsense out', () => {
  expect(parseSearch('?last=soon&from=then&order=up&col=&col=a&col=a')).toEqual({ ...NO_SEARCH, columns: ['a'] });
  expect(printSearch(NO_SEARCH)).toBe('');
});
