import { expect, test } from 'vitest';
import type { AlertGroup } from '../../api/types';
import { groupKey, layOut, pagesFor, placeOf, rowOf, type Section } from './layout';

const group = {} as AlertGroup;
const section = (key: string, count: number, open: boolean, headed = true): Section => ({ key, count, open, query: {}, ...(headed ? { group } : {}) });

test('a list without groups is its alerts', () => {
  const layout = layOut([section('all', 100_000, true, false)]);
  expect(layout.rows).toBe(100_000);
  expect(placeOf(layout, 99_999)?.at).toBe(99_999);
  expect(placeOf(layout, 100_000)).toBeUndefined();
  expect(rowOf(layout, 'all', 5)).toBe(5);
});

test('groups have a heading, open ones their alerts', () => {
  const layout = layOut([section('a', 3, false), section('b', 2, true), section('c', 9, false)]);
  expect(layout.rows).toBe(5);
  const seen = Array.from({ length: 5 }, (_, row) => placeOf(layout, row)).map((place) => `${place?.section.key}${place?.at}`);
  expect(seen).toEqual(['a-1', 'b-1', 'b0', 'b1', 'c-1']);
  expect([rowOf(layout, 'b', 1), rowOf(layout, 'a', 0), rowOf(layout, 'c', -1), rowOf(layout, 'x', 0)]).toEqual([3, -1, 4, -1]);
});

test('pages are asked for once each', () => {
  const layout = layOut([section('a', 250, true), section('b', 10, true)]);
  const asked = pagesFor(layout, 90, 255, 100).map(({ section: { key }, page }) => `${key}${page}`);
  expect(asked).toEqual(['a0', 'a1', 'a2', 'b0']);
  expect(pagesFor(layout, -5, 0, 100)).toEqual([]);
});

test('no groups at all are no rows', () => {
  expect([layOut([]).rows, placeOf(layOut([]), 0)]).toEqual([0, undefined]);
});

test('the key of a group does not depend on the order of its parts', () => {
  expect(groupKey({ rule: 'r', source: '-' })).toBe(groupKey({ source: '-', rule: 'r' }));
});
