import { expect, test } from 'vitest';
import { sparkPath } from './spark';

test.each([
  ['nothing', [], 4, ''],
  ['one value sits at the right edge', [5], 4, 'M240.0 3.0'],
  ['newest at the right, scaled to the highest', [0, 10], 4, 'M160.0 41.0L240.0 3.0'],
  ['more than fit: the newest', [9, 0, 0], 2, 'M0.0 41.0L240.0 41.0'],
] as [string, number[], number, string][])('%s', (_, values, slots, path) => {
  expect(sparkPath(values, slots)).toBe(path);
});
