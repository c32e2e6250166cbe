import { expect, it } from 'vitest';
import { KEPT_MAX, merged } from './live';

const event = (id: number) => ({ '@timestamp': new Date(id * 1000).toISOString(), event: { id: String(id) } });

it('puts news on top, each once', () => {
  const shown = [event(3), event(1)];
  expect(merged(shown, [event(3), event(2), event(5)]).map((each) => each.event)).toEqual([{ id: '5' }, { id: '3' }, { id: '2' }, { id: '1' }]);
  expect(merged(shown, [event(1)])).toBe(shown);
});

it('keeps no more than the page can bear', () => {
  const many = Array.from({ length: KEPT_MAX }, (_, at) => event(at));
  expect(merged(many, [event(99_999)])).toHaveLength(KEPT_MAX);
});
