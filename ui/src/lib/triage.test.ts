import { expect, test } from 'vitest';
import { retagged, typedTags, undoing } from './triage';
import { alertOf } from './testdata';

test('undoing brings back status, disposition and owner', () => {
  const { alert } = alertOf().tocsin;
  expect(undoing({ ...alert, status: 'new' })).toEqual({ status: 'new', owner: '' });
  expect(undoing({ ...alert, status: 'acknowledged', owner: 'ana' })).toEqual({ status: 'acknowledged', owner: 'ana' });
  const closed = undoing({ ...alert, status: 'closed', disposition: 'test', owner: 'ana' });
  expect(closed).toEqual({ disposition: 'test', owner: 'ana' });
  expect(undoing({ ...alert, status: 'closed' })).toEqual({ status: 'closed', owner: '' });
});

test('tags are typed between commas, and their change can be taken back', () => {
  const { alert } = alertOf().tocsin;
  expect(typedTags(' vpn, ,shop,vpn ')).toEqual(['vpn', 'shop']);
  expect(retagged(['vpn', 'old'], ['vpn', 'new'])).toEqual({ add_tags: ['new'], remove_tags: ['old'] });
  expect(retagged(['vpn'], ['vpn'])).toEqual({});
  const tagged = { ...alert, status: 'new', tags: ['vpn', 'old'] } as const;
  expect(undoing({ ...tagged, tags: [...tagged.tags] }, { add_tags: ['new', 'vpn'], remove_tags: ['old', 'none'] })).toEqual({ status: 'new', owner: '', remove_tags: ['new'], add_tags: ['old'] });
});
