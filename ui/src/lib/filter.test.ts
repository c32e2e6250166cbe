import { describe, expect, test } from 'vitest';
import { accepts, allowing, excludingValue, filterParams, isFiltered, NO_FILTER, parseFilter, nots, printFilter, wanting, type AlertFilter } from './filter';
import { alertOf } from './testdata';

const NOW = Date.parse('2026-11-21T12:00:00Z');

describe('a filter survives the URL', () => {
  const filters: Partial<AlertFilter>[] = [
    {},
    { severity: ['critical', 'high'] },
    { status: ['new'], last: '24h' },
    { q: 'a, b & c=d #1 %2C + “x”' },
    { from: '2026-11-20T00:00:00Z', to: '2026-11-21T00:00:00Z' },
    { rule: '5f0c-1', last: '7d' },
    { source: '192.0.2.1', user: '-', host: 'a,b', owner: '-', incident: '7', tactic: 'impact' },
    { disposition: ['false_positive'], last: '30d' },
    { q: '<img src=x onerror=alert(1)>' },
  ];
  test.each(filters)('%j', (filter) => {
    const printed = printFilter(filter);
    expect(parseFilter(printed)).toEqual({ ...NO_FILTER, ...filter });
    expect(isFiltered(parseFilter(printed))).toBe(Object.keys(filter).length > 0);
  });
});

test.each([
  ['?severity=bogus,high,high', { severity: ['high'] }],
  ['?severity=low,critical', { severity: ['critical', 'low'] }],
  ['?last=3y', {}],
  ['?from=yesterday', {}],
  ['?last=1h&from=2026-11-20T00:00:00Z', { from: '2026-11-20T00:00:00Z' }],
  ['?status=', {}],
])('%s says %j', (search, filter) => {
  expect(parseFilter(search)).toEqual({ ...NO_FILTER, ...filter });
});

test('how a list is grouped is in the URL and hides nothing', () => {
  const filter = parseFilter('?by=source');
  expect([filter.by, isFiltered(filter), printFilter(filter)]).toEqual(['source', false, '?by=source']);
  expect(parseFilter('?by=colour').by).toBe('');
});

test('the API gets the same words, trimmed', () => {
  expect(filterParams({ ...NO_FILTER, severity: ['high', 'low'], last: '1h', q: ' x ' })).toEqual({
    severity: 'high,low', q: 'x', last: '1h',
  });
});

test.each([
  [{}, true],
  [{ severity: ['critical'] }, false],
  [{ severity: ['high'] }, true],
  [{ status: ['closed'] }, false],
  [{ last: '15m' }, true],
  [{ to: '2026-11-21T11:00:00Z' }, false],
  [{ rule: 'r1' }, true],
  [{ rule: 'r2' }, false],
  [{ source: '192.0.2.1', user: 'root', host: 'vm', owner: '-' }, true],
  [{ source: '-' }, false],
  [{ user: 'admin' }, false],
  [{ incident: '3' }, false],
  [{ disposition: ['test'] }, false],
  [{ not: 'source:192.0.2.1' }, false],
  [{ not: 'source:192.0.2.2\nuser:admin' }, true],
  [{ not: 'rule:r1' }, false],
  [{ q: '192.0.2.1' }, true],
  [{ q: 'BRUTE' }, true],
  [{ q: 'nothing like it' }, false],
] as [Partial<AlertFilter>, boolean][])('%j accepts the alert: %s', (filter, expected) => {
  const alert = alertOf();
  expect(accepts({ ...NO_FILTER, ...filter }, alert, NOW)).toBe(expected);
});

test('values are excluded, asked for, and allowed again', () => {
  const one = { ...NO_FILTER, source: '::1', ...excludingValue({ ...NO_FILTER, source: '::1' }, 'source', '::1') };
  expect([one.source, nots(one)]).toEqual(['', [['source', '::1']]]);
  const two = { ...one, ...excludingValue(one, 'user', 'a: b') };
  expect(nots(parseFilter(printFilter(two)))).toEqual([['source', '::1'], ['user', 'a: b']]);
  expect(nots({ ...two, ...allowing(two, 'source', '::1') })).toEqual([['user', 'a: b']]);
  expect(wanting(two, 'user', 'a: b')).toEqual({ user: 'a: b', not: 'source:::1' });
  expect(nots({ ...NO_FILTER, not: 'colour:red\nuser:\nnothing' })).toEqual([]);
});
