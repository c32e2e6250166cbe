import { expect, test } from 'vitest';
import { yamlAt } from './yamlpath';

/** The place at `|`. */
const at = (text: string) => {
  const place = yamlAt(text.replace('|', ''), text.indexOf('|'));
  return place && { path: place.path.join('/'), kind: place.kind, prefix: place.prefix, present: place.present.join(' ') };
};

test.each([
  ['ti|', '', 'key', 'ti', ''],
  ['title: x\nle|\nid: y', '', 'key', 'le', 'title id'],
  ['level: me|', 'level', 'value', 'me', ''],
  ['logsource:\n  cat|', 'logsource', 'key', 'cat', ''],
  ['logsource:\n  category: auth|', 'logsource/category', 'value', 'auth', ''],
  ['detection:\n  selection:\n    user|', 'detection/selection', 'key', 'user', ''],
  ['detection:\n  selection:\n    user.name:\n      - ro|', 'detection/selection/user.name/[]', 'item', 'ro', ''],
  ['detection:\n  selection:\n    a: 1\n  |', 'detection', 'key', '', 'selection'],
  ['tags:\n  - attack.t1|', 'tags/[]', 'item', 'attack.t1', ''],
  ['tags:\n- att|', 'tags/[]', 'item', 'att', ''],
  ['tests:\n  - name: x\n    fi|', 'tests/[]', 'key', 'fi', 'name'],
  ['tests:\n  - name: x\n    fires: true\n  - n|', 'tests/[]', 'item', 'n', ''],
  ['tests:\n  - name: x\n    events:\n      - at: 0s\n        user|', 'tests/[]/events/[]', 'key', 'user', 'at'],
  ['correlation:\n  rules: [a, b|', 'correlation/rules/[]', 'value', 'b', ''],
  ['a:\n  b: 1\ntocsin:\n  |\n  reason: x', 'tocsin', 'key', '', 'reason'],
  ['title: one\n---\nti|', '', 'key', 'ti', ''],
])('%s', (text, path, kind, prefix, present) => {
  expect(at(text)).toEqual({ path, kind, prefix, present });
});

test('nothing is completed in comments and literal blocks', () => {
  expect(at('title: x # le|')).toBeUndefined();
  expect(at('tests:\n  - lines: |\n      Nov le\u007c'.replace('lines: |', 'lines: >'))).toBeUndefined();
});
