import { expect, test } from 'vitest';
import { fieldAt, optionsAt, schemaAt, type Known } from './ruleschema';
import { yamlAt } from './yamlpath';

const KNOWN: Known = {
  fields: [{ name: 'user.name', note: '50%' }, { name: 'source.ip', note: '40%' }],
  rules: [{ name: 'login_failure', note: 'A failed login' }],
  sources: [{ name: 'openssh.sshd', note: '' }],
};

const offered = (text: string) => {
  const place = yamlAt(text.replace('@', ''), text.indexOf('@'));
  return place ? optionsAt(place, KNOWN).map((option) => option.text) : [];
};

test('keys and values come from the schema', () => {
  expect(offered('title: x\n@')).toContain('logsource');
  expect(offered('title: x\n@')).not.toContain('title');
  expect(offered('level: @')).toEqual(['informational', 'low', 'medium', 'high', 'critical']);
  expect(offered('tocsin:\n  co@')).toContain('cooldown');
  expect(offered('correlation:\n  type: v@')).toContain('value_count');
  expect(offered('tags:\n  - at@')).toContain('attack.t1110');
  expect(offered('tests:\n  - source: o@')).toEqual(['openssh.sshd']);
  expect(offered('tests:\n  - @')).toContain('fires');
  expect(offered('tests:\n  - fires: @')).toEqual(['true', 'false']);
});

test('fields, modifiers and rules are those there are', () => {
  expect(offered('detection:\n  selection:\n    @')).toEqual(['user.name', 'source.ip']);
  expect(offered('detection:\n  selection:\n    user.name|@')).toContain('user.name|contains');
  expect(offered('detection:\n  @')).toEqual(['condition']);
  expect(offered('correlation:\n  rules:\n    - l@')).toEqual(['login_failure']);
  expect(offered('correlation:\n  group-by: [@')).toEqual(['user.name', 'source.ip']);
  expect(offered('nothing:\n  @')).toEqual([]);
});

const field = (text: string) => {
  const place = yamlAt(text.replace('@', ''), text.indexOf('@'));
  return place && fieldAt(place);
};

test('values of a search are those of its field', () => {
  expect(field('detection:\n  selection:\n    user.name|contains: r@')).toBe('user.name');
  expect(field('detection:\n  selection:\n    user.name:\n      - r@')).toBe('user.name');
  expect(field('detection:\n  condition: s@')).toBeUndefined();
  expect(field('level: h@')).toBeUndefined();
});

const known = (path: string[]) => Object.keys(schemaAt(path)?.properties ?? {});
const RULES = import.meta.glob<string>('../../../content/*/rules/*.yml', { query: '?raw', import: 'default', eager: true });

test('the schema knows every key of the shipped rules', () => {
  const unknown = Object.entries(RULES).flatMap(([file, text]) => text.split('\n').flatMap((line, at, lines) => {
    const [, indent = '', key = ''] = /^( {0,2})([a-z_-]+):/.exec(line) ?? [];
    if (key === '') return [];
    const above = indent === '' ? '' : (lines.slice(0, at).findLast((each) => /^[a-z]/.test(each))?.split(':')[0] ?? '');
    if (indent.length === 1 || (indent !== '' && !['logsource', 'tocsin', 'correlation'].includes(above))) return [];
    return known(indent === '' ? [] : [above]).includes(key) ? [] : [`${file}: ${above} ${key}`];
  }));
  expect(Object.keys(RULES).length).toBeGreaterThan(10);
  expect(unknown).toEqual([]);
});
