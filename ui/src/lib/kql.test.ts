import { describe, expect, it } from 'vitest';
import { clause, complete, completionAt, conjuncts, excluding, including, printValue, valuesIn } from './kql';

describe('clauses', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['2001:db8::1', '"2001:db8::1"'],
    ['a "b" \\c', '"a \\"b\\" \\\\c"'],
    ['and', '"and"'],
    ['', '""'],
    ['x*', '"x*"'],
    ['two\nlines', '"two\\nlines"'],
  ])('%j is written %s', (value, text) => expect(printValue(value)).toBe(text));

  it.each([
    ['', 'user.name: root', 'user.name: root'],
    ['a: 1', 'b: 2', 'a: 1 and b: 2'],
    ['a: 1 and b: 2', 'b: 2', 'a: 1 and b: 2'],
    ['not b: 2', 'b: 2', 'b: 2'],
    ['a: 1 or a: 2', 'b: 2', '(a: 1 or a: 2) and b: 2'],
    ['(a: 1 or a: 2)', 'b: 2', '(a: 1 or a: 2) and b: 2'],
    ['message: "this or that"', 'b: 2', 'message: "this or that" and b: 2'],
  ])('%j and %j', (query, added, text) => expect(including(query, added)).toBe(text));

  it('excludes, and turns a clause around', () => {
    expect(excluding('a: 1 and b: 2', 'b: 2')).toBe('a: 1 and not b: 2');
    expect(excluding('', clause('user.name', 'x y'))).toBe('not user.name: "x y"');
  });

  it('splits at and', () => {
    expect(conjuncts('user: {first: a and last: b} and c: {d}e and f: 1')).toEqual(['user: {first: a and last: b}', 'c: {d}e', 'f: 1']);
    expect(conjuncts('a: "x and y" and (b: 1 and c: 2) AND d: 3')).toEqual(['a: "x and y"', '(b: 1 and c: 2)', 'd: 3']);
  });
});

describe('completion', () => {
  it.each([
    ['', 'field', ''],
    ['sou|', 'field', 'sou'],
    ['a: 1 and us|', 'field', 'us'],
    ['not (so|', 'field', 'so'],
    ['a: 1 |', 'join', ''],
    ['a: 1 a|', 'join', 'a'],
    ['user.name: |', 'value', ''],
    ['user.name: ro|', 'value', 'ro'],
    ['user.name:ro|', 'value', 'ro'],
    ['source.ip: 2001:db|', 'value', '2001:db'],
    ['user.name: "ro|', 'value', 'ro'],
    ['a: (x or y|', 'value', 'y'],
    ['n >= 1|', 'value', '1'],
  ])('%j completes a %s with %j', (text, kind, prefix) => {
    const caret = text.includes('|') ? text.indexOf('|') : 0;
    const at = completionAt(text.replace('|', ''), caret);
    expect(at?.kind).toBe(kind);
    expect(at?.prefix).toBe(prefix);
  });

  it('does not complete behind a closed quote or in free text', () => {
    expect(completionAt('a: "x"', 6)).toBeUndefined();
    expect(completionAt('"free te', 8)).toBeUndefined();
  });

  it('puts the choice in place', () => {
    const text = 'a: 1 and us';
    const at = completionAt(text, text.length);
    expect(at && complete(text, at, 'user.name')).toEqual({ text: 'a: 1 and user.name: ', caret: 20 });
    const value = completionAt('user.name: ro and b: 1', 13);
    expect(value && complete('user.name: ro and b: 1', value, 'root x')).toEqual({ text: 'user.name: "root x" and b: 1', caret: 20 });
  });
});

it('finds what to mark in lines', () => {
  expect(valuesIn('user.name: "ro ot" and not host.name: web1 and (sshd or x) and source.ip: 10.0.0.0/8 and url.path: */admin*')).toEqual(['/admin', 'ro ot', 'sshd']);
});
