import { expect, it } from 'vitest';
import { matrix, TACTICS } from './attack';

const rule = (techniques: string[], source_seen: boolean, enabled = true, tactics: string[] = []) => ({ techniques, tactics, source_seen, enabled });

const stateOf = (rules: ReturnType<typeof rule>[], id: string) => matrix(rules).flatMap((tactic) => tactic.cells).find((cell) => cell.id === id)?.state;

it('has three states', () => {
  expect(stateOf([], 'T1110')).toBe('none');
  expect(stateOf([rule(['T1110.001'], false)], 'T1110')).toBe('blind');
  expect(stateOf([rule(['T1110.001'], false), rule(['T1110'], true)], 'T1110')).toBe('covered');
  expect(stateOf([rule(['T1110'], true, false)], 'T1110')).toBe('none');
});

it('shows techniques that only own rules name', () => {
  const cells = matrix([rule(['T9999.001'], true, true, ['impact'])]).find((tactic) => tactic.slug === 'impact')?.cells;
  expect(cells?.at(-1)).toMatchObject({ id: 'T9999', state: 'covered' });
});

it('lists every technique once and well written', () => {
  const all = TACTICS.flatMap((tactic) => tactic.techniques.map((technique) => technique.id));
  expect(new Set(all).size).toBe(all.length);
  expect(all.every((id) => /^T\d{4}$/.test(id))).toBe(true);
});
