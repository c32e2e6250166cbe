import { expect, test } from 'vitest';
import { carriedFields, entitiesOf, fieldTexts, originOf, targetOf } from './fields';
import { alertOf } from './testdata';

test.each([
  ['source.ip', ['192.0.2.1']],
  ['user.name', ['root', 'admin']],
  ['source', []],
  ['rule.name.more', []],
  ['no.such.field', []],
])('%s of an alert', (name, values) => expect(fieldTexts(alertOf(), name)).toEqual(values));

test('a group field stands in for a missing field', () => {
  const alert = alertOf({ group: { 'destination.port': '22' } }, { source: undefined });
  expect(fieldTexts(alert, 'destination.port')).toEqual(['22']);
  expect(originOf(alert)).toBe('22');
});

test('target is user and host, or what there is', () => {
  expect(targetOf(alertOf())).toBe('root@vm');
  expect(targetOf(alertOf({}, { user: undefined }))).toBe('vm');
  expect(targetOf(alertOf({}, { user: undefined, host: undefined }))).toBeUndefined();
});

test('entities come longest first, each once', () => {
  expect(entitiesOf(alertOf())).toEqual(['192.0.2.1', 'admin', 'root', 'vm']);
});

test('carried fields are flat and leave out what is shown elsewhere', () => {
  expect(carriedFields(alertOf({}, { url: { original: '/x', query: null } }))).toEqual([
    ['host.name', ['vm']],
    ['source.ip', ['192.0.2.1']],
    ['url.original', ['/x']],
    ['user.name', ['root', 'admin']],
  ]);
});
