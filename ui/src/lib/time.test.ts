import { describe, expect, test } from 'vitest';
import { age, big, perSecond, shortTime, span, zoneName } from './time';

const NOW = Date.parse('2026-11-21T14:05:00Z');

describe('spans', () => {
  test.each([
    [0, '0 s'],
    [59_400, '59 s'],
    [60_000, '1 m'],
    [252_000, '4 m 12 s'],
    [3_600_000, '1 h'],
    [11_100_000, '3 h 5 m'],
    [187_200_000, '2 d 4 h'],
    [-5, '0 s'],
  ])('%i ms is %s', (ms, text) => expect(span(ms)).toBe(text));
});

describe('ages', () => {
  test.each([
    [-3000, '0 s'],
    [999, '0 s'],
    [12_900, '12 s'],
    [61_000, '1 m'],
    [7_300_000, '2 h'],
    [200_000_000, '2 d'],
    [Number.NaN, '–'],
  ])('%d ms is %s', (ms, text) => expect(age(ms)).toBe(text));
});

test('times of today are clock times, others carry the date', () => {
  expect(shortTime(Date.parse('2026-11-21T14:03:35Z'), NOW, 'utc')).toBe('14:03:35');
  expect(shortTime(Date.parse('2026-11-20T14:03:35Z'), NOW, 'utc')).toBe('Nov 20 14:03');
  expect(shortTime(Date.parse('2025-11-21T14:03:35Z'), NOW, 'utc')).toBe('Nov 21 14:03');
  expect(shortTime(Number.NaN, NOW, 'utc')).toBe('–');
});

test('numbers', () => {
  expect(perSecond(0.44)).toBe('0.4');
  expect(perSecond(1041.6)).toBe('1,042');
  expect(big(99_999)).toBe('99,999');
  expect(big(1_234_567)).toBe('1.2M');
  expect(zoneName('utc')).toBe('UTC');
});
