import { describe, expect, it } from 'vitest';
import { ALL_TIME, bucketSeconds, pointMs, resolved, shifted, spanMs, typedRange } from './range';

const NOW = Date.parse('2026-11-21T12:00:00Z');

describe('typed times', () => {
  it.each([
    ['15m', 900_000],
    ['last 4h', 14_400_000],
    ['-2 d', 172_800_000],
    ['0m', undefined],
    ['soon', undefined],
  ])('%j is a span of %s', (text, ms) => expect(spanMs(text)).toBe(ms));

  it.each([
    ['now', NOW],
    ['today', Date.parse('2026-11-21T00:00:00Z')],
    ['yesterday', Date.parse('2026-11-20T00:00:00Z')],
    ['now-1h', NOW - 3_600_000],
    ['2026-11-20', Date.parse('2026-11-20T00:00:00Z')],
    ['2026-11-20 08:15', Date.parse('2026-11-20T08:15:00Z')],
    ['2026-11-20T08:15:00+02:00', Date.parse('2026-11-20T06:15:00Z')],
    ['2026-02-31', undefined],
    ['8 o’clock', undefined],
  ])('%j is a point', (text, ms) => expect(pointMs(text, NOW, 'utc')).toBe(ms));

  it.each([
    ['', '', ALL_TIME],
    ['4h', '', { last: '4h', from: '', to: '' }],
    ['-4h', 'now', { last: '4h', from: '', to: '' }],
    ['yesterday', '', { last: '', from: '2026-11-20T00:00:00.000Z', to: '2026-11-21T00:00:00.000Z' }],
    ['2026-11-20', '-1h', { last: '', from: '2026-11-20T00:00:00.000Z', to: '2026-11-21T11:00:00.000Z' }],
    ['2026-11-20', '2026-11-19', undefined],
    ['x', '', undefined],
  ])('%j to %j', (from, to, range) => expect(typedRange(from, to, NOW, 'utc')).toEqual(range));
});

describe('ranges', () => {
  it('become points when they are asked for', () => {
    expect(resolved({ last: '1h', from: '', to: '' }, NOW)).toEqual({ from: '2026-11-21T11:00:00.000Z', to: '' });
    expect(resolved(ALL_TIME, NOW)).toEqual({ from: '', to: '' });
  });

  it('move by their length', () => {
    expect(shifted({ last: '1h', from: '', to: '' }, -1, NOW)).toEqual({ last: '', from: '2026-11-21T10:00:00.000Z', to: '2026-11-21T11:00:00.000Z' });
    expect(shifted(ALL_TIME, 1, NOW)).toEqual(ALL_TIME);
  });

  it.each([[900, 10], [3600, 60], [86_400, 900], [604_800, 7200], [86_400 * 365, 604_800]])('%s s have buckets of %s s', (span, width) => {
    expect(bucketSeconds(0, span * 1000)).toBe(width);
  });
});
