import { expect, test } from 'vitest';
import { phaseAt } from './phase';

test.each([
  ['just started', 1000, null, 0, 'connecting'],
  ['nothing came', 3001, null, 0, 'stale'],
  ['a beat came', 9000, 8000, 0, 'live'],
  ['two beats missed', 11_001, 8000, 0, 'stale'],
  ['back from sleep: wait first', 99_000, 8000, 98_000, 'live'],
  ['back from sleep: waited enough', 101_001, 8000, 98_000, 'stale'],
] as const)('%s', (_, now, heard, waiting, phase) => expect(phaseAt(now, heard, waiting)).toBe(phase));
