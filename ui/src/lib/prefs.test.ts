import { expect, test } from 'vitest';
import { parsePrefs } from './prefs';

const defaults = { theme: 'system', zone: 'local', keys: true };

test.each([
  [null, defaults],
  ['', defaults],
  ['[]', defaults],
  ['null', defaults],
  ['{"theme":"purple","zone":7,"keys":"no"}', defaults],
  ['{"theme":"light","zone":"utc","keys":false}', { theme: 'light', zone: 'utc', keys: false }],
])('%j', (text, prefs) => expect(parsePrefs(text)).toEqual(prefs));
