import { describe, expect, it } from 'vitest';
import { flat, lineOf, valuesAt } from './event';
import { csv, csvCell } from './export';

describe('csv', () => {
  it.each([
    ['plain', 'plain'],
    ['=1+1', "'=1+1"],
    ['+49 30', "'+49 30"],
    ['@SUM(A1)', "'@SUM(A1)"],
    ['-2+3', "'-2+3"],
    ['-23.5', '-23.5'],
    ['|cmd', "'|cmd"],
    ['\t=1', '"\'\t=1"'],
    ['a,b', '"a,b"'],
    ['say "hi"', '"say ""hi"""'],
    ['=cmd|"/c calc"!A1', '"\'=cmd|""/c calc""!A1"'],
    ['two\nlines', '"two\nlines"'],
  ])('%j becomes %j', (text, cell) => expect(csvCell(text)).toBe(cell));

  const event = { '@timestamp': '2026-11-21T12:00:00Z', event: { category: ['a', 'b'], original: '=1' }, user: { name: 'x' } };

  it('has a line for each event', () => {
    expect(csv([event], ['@timestamp', 'event.category', 'event.original', 'no.such'])).toBe("'@timestamp,event.category,event.original,no.such\r\n2026-11-21T12:00:00Z,a; b,'=1,\r\n");
  });

  it('reads nested fields', () => {
    expect(valuesAt(event, 'event.category')).toEqual(['a', 'b']);
    expect(valuesAt(event, 'event.category.x')).toEqual([]);
    expect(flat(event).map(([name]) => name)).toEqual(['@timestamp', 'event.category', 'event.original', 'user.name']);
    expect(lineOf({ message: 'm' })).toBe('m');
  });
});
