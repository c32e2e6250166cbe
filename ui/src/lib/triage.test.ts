import { expect, test } from 'vitest';
import { undoing } from './triage';
import { alertOf } from './testdata';

test('undoing brings back status, disposition and owner', () => {
  const { alert } = alertOf().tocsin;
  expect(undoing({ ...alert, status: 'new' })).toEqual({ status: 'new', owner: '' });
  expect(undoing({ ...alert, status: 'acknowledged', owner: 'ana' })).toEqual({ status: 'acknowledged', owner: 'ana' });
  const closed = undoing({ ...alert, status: 'closed', disposition: 'test', owner: 'ana' });
  expect(closed).toEqual({ disposition: 'test', owner: 'ana' });
  expect(undoing({ ...alert, status: 'closed' })).toEqual({ status: 'closed', owner: '' });
});
