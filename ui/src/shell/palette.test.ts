import { expect, test } from 'vitest';
import { fits, meant } from './palette';

test.each([
  ['192.0.2.7', ['/entities/address/192.0.2.7', '/alerts?q=192.0.2.7', '/search?q=related.ip']],
  ['2001:db8::1', ['/entities/address/2001%3Adb8%3A%3A1']],
  ['root', ['/alerts?q=root', '/search?q=%22root%22', '/entities/user/root', '/entities/host/root']],
  ['a "b" <img>', ['/alerts?q=', '/search?q=%22a+%5C%22b%5C%22']],
])('%s may mean', (text, wanted) => {
  const found = meant(text).map((item) => item.to ?? '');
  for (const path of wanted) expect(found.some((each) => each.startsWith(path)), `${path} in ${found.join(' ')}`).toBe(true);
});

test('nothing means nothing', () => expect(meant('')).toEqual([]));

test.each([
  ['Login brute force', 'brute log', true],
  ['Login brute force', 'brute x', false],
  ['Alerts', '', true],
])('%s fits %s: %s', (name, asked, expected) => expect(fits(name, asked)).toBe(expected));
