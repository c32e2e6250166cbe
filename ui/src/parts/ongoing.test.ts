import { expect, test } from 'vitest';
import { alertOf } from '../lib/testdata';
import { isOngoing } from './ongoing';

const NOW = Date.parse('2026-11-21T11:58:30Z');

test.each([
  ['seen half a minute ago', {}, NOW, true],
  ['quiet for a minute', {}, NOW + 31_000, false],
  ['a single event', { first_seen: '2026-11-21T11:58:00Z' }, NOW, false],
  ['history', { historical: true }, NOW, false],
  ['closed', { status: 'closed' }, NOW, false],
] as const)('%s', (_, core, now, ongoing) => expect(isOngoing(alertOf(core), now)).toBe(ongoing));
