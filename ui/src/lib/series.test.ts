import { describe, expect, test } from 'vitest';
import type { Overview } from '../api/types';
import { buckets, fill, openingRange } from './series';

const range = (from: string, to: string, bucket_seconds: number) => ({ from, to, bucket_seconds });

const day = (events: [string, number][]): Overview => ({
  range: range('2026-11-20T12:00:00Z', '2026-11-21T12:00:00Z', 900),
  events: { total: 0, series: events.map(([t, count]) => ({ t, count })) },
  alerts: { total: 0, by_severity: { critical: 0, high: 0, medium: 0, low: 0, informational: 0 }, by_rule: [], series: [] },
  logins: { series: [] },
  top_sources: [],
  newest_alerts: [],
});

describe('buckets', () => {
  test.each([
    ['aligned', range('2026-11-21T10:00:00Z', '2026-11-21T10:05:00Z', 60), undefined, 5],
    ['from inside a bucket', range('2026-11-21T10:00:30Z', '2026-11-21T10:05:00Z', 60), undefined, 5],
    ['aligned with the points', range('2026-11-21T10:00:30Z', '2026-11-21T10:05:30Z', 60), '2026-11-21T10:01:30Z', 5],
    ['no width', range('2026-11-21T10:00:00Z', '2026-11-21T10:05:00Z', 0), undefined, 0],
    ['backwards', range('2026-11-21T10:00:00Z', '2026-11-21T09:05:00Z', 60), undefined, 0],
    ['absurd', range('1970-01-01T00:00:00Z', '2026-11-21T09:05:00Z', 1), undefined, 2000],
  ])('%s', (_, given, first, count) => {
    expect(buckets(given, first)).toHaveLength(count);
  });

  test('points land in their buckets, gaps are zero', () => {
    const given = range('2026-11-21T10:00:00Z', '2026-11-21T10:04:00Z', 60);
    const points = [
      { t: '2026-11-21T10:01:00Z', count: 3 },
      { t: '2026-11-21T10:03:59Z', count: 4 },
      { t: '2026-11-21T09:00:00Z', count: 99 },
      { t: '2026-11-21T11:00:00Z', count: 99 },
    ];
    expect(fill(buckets(given), 60, points, (point) => point.count)).toEqual([0, 3, 0, 4]);
  });
});

describe('the opening range', () => {
  test.each([
    ['nothing at all', [], '24h'],
    ['only buckets of zero', [['2026-11-21T08:00:00Z', 0]], '24h'],
    ['started just now', [['2026-11-21T11:45:00Z', 10]], '15m'],
    ['started half an hour ago', [['2026-11-21T11:30:00Z', 10], ['2026-11-21T11:45:00Z', 10]], '1h'],
    ['started in the night', [['2026-11-21T02:30:00Z', 10], ['2026-11-21T11:45:00Z', 10]], '24h'],
  ] as [string, [string, number][], string][])('%s', (_, events, expected) => {
    expect(openingRange(day(events))).toBe(expected);
  });
});
