import { expect, test } from 'vitest';
import { arrived, intoNewest, replaced } from './merge';
import { alertOf } from './testdata';

const one = (id: string, version = 1, more = {}) => alertOf({ id, version, ...more });
const show = (alerts: ReturnType<typeof one>[]) => alerts.map((alert) => alert.tocsin.alert.id + alert.tocsin.alert.version).join(' ');

test.each([
  ['a newer self takes the place', [one('a'), one('b')], [one('a', 2)], 'a2 b1'],
  ['an older self does not', [one('a', 3)], [one('a', 2)], 'a3'],
  ['strangers stay out', [one('a')], [one('c')], 'a1'],
  ['the last word wins', [one('a')], [one('a', 2), one('a', 3)], 'a3'],
])('replaced: %s', (_, alerts, news, shown) => {
  expect(show(replaced(alerts, news))).toBe(shown);
});

test('replaced keeps the array when nothing changed', () => {
  const alerts = [one('a')];
  expect(replaced(alerts, [one('z')])).toBe(alerts);
});

/** Raised at that minute. */
const at = (minute: number, id: string, version = 1) => ({
  ...one(id, version),
  '@timestamp': `2026-11-21T11:${String(minute).padStart(2, '0')}:00Z`,
});
const full = Array.from({ length: 20 }, (_, back) => at(40 - back, `n${back}`));

test.each([
  ['raised on top, newest first', [at(1, 'a')], [at(2, 'b'), at(3, 'c')], 'c1 b1 a1'],
  ['late ones at their place', [at(5, 'a')], [at(2, 'b')], 'a1 b1'],
  ['updated stay where they are', [at(2, 'a'), at(1, 'b')], [at(1, 'b', 2)], 'a1 b2'],
  ['raised and updated within one batch', [at(1, 'a')], [at(2, 'b'), at(2, 'b', 2)], 'b2 a1'],
  ['first heard of after some updates', [at(1, 'a')], [at(2, 'b', 9)], 'b9 a1'],
])('newest: %s', (_, newest, news, shown) => {
  expect(show(intoNewest(newest, news))).toBe(shown);
});

test('a full list takes the newest only and does not grow', () => {
  expect(intoNewest(full, [at(3, 'old', 7)])).toBe(full);
  const after = intoNewest(full, [at(50, 'new')]);
  expect(after).toHaveLength(20);
  expect(after[0]?.tocsin.alert.id).toBe('new');
});

test('what is below the end of a part of a list is no arrival', () => {
  const alerts = [at(9, 'a'), at(8, 'b')];
  expect(show(arrived(alerts, false, [at(7, 'c'), at(8, 'd'), at(9, 'a', 2)]))).toBe('d1');
  expect(show(arrived(alerts, true, [at(7, 'c')]))).toBe('c1');
});
