import { expect, test } from 'vitest';
import { parsePrefs } from './prefs';

const defaults = { theme: 'system', zone: 'local', keys: true, name: '' };

test.each([
  [null, defaults],
  ['', defaults],
  ['[]', defaults],
  ['null', defaults],
  ['{"theme":"purple","zone":7,"keys":"no"}', defaults],
  ['{"theme":"light","zone":"utc","keys":false}', { theme: 'light', zone: 'utc', keys: false, name: '' }],
  ['{"name":" A,n\\u0007a and a very long name "}', { ...defaults, name: 'Ana and a very l' }],
  ['{"name":7}', defaults],
])('%j', (text, prefs) => expect(parsePrefs(text)).toEqual(prefs));
