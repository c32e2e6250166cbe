import { expect, test } from 'vitest';
import { resolve, startsSequence, type Bindings } from './keys';

const calls: string[] = [];
const does = (what: string) => () => void calls.push(what);
const shell: Bindings = { '?': does('help'), 'g a': does('go alerts'), j: does('shell j') };
const screen: Bindings = { j: does('next'), a: does('ack') };

test.each([
  ['', 'j', 'next'],
  ['', '?', 'help'],
  ['g', 'a', 'go alerts'],
  ['', 'a', 'ack'],
  ['g', 'j', 'next'],
  ['', 'q', undefined],
])('%j then %j does %s', (before, key, expected) => {
  calls.length = 0;
  resolve([shell, screen], before, key)?.();
  expect(calls[0]).toBe(expected);
});

test('only g starts a sequence', () => {
  expect(startsSequence([shell, screen], 'g')).toBe(true);
  expect(startsSequence([shell, screen], 'a')).toBe(false);
});
