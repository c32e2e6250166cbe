import { describe, expect, test } from 'vitest';
import { byteToIndex, controlLabel, findEntities, lineMarks, pieces } from './text';

const show = (text: string, marks: Parameters<typeof pieces>[1] = []) =>
  pieces(text, marks)
    .map((piece) => ({ plain: piece.text, match: `[${piece.text}]`, entity: `(${piece.text})`, control: `<${piece.text}>` })[piece.kind])
    .join('');

describe('byte offsets', () => {
  test.each([
    ['abc', 0, 0],
    ['abc', 2, 2],
    ['abc', 9, 3],
    ['naïve', 3, 3],
    ['naïve', 4, 3],
    ['€x', 3, 1],
    ['a😀b', 5, 3],
    ['', 4, 0],
  ])('%j byte %i is index %i', (text, offset, index) => {
    expect(byteToIndex(text, offset)).toBe(index);
  });
});

describe('invisible characters', () => {
  test.each([
    ['plain text', 'plain text'],
    ['tab\tstays', 'tab\tstays'],
    ['esc\u001b[31mred', 'esc<␛>[31mred'],
    ['nul\u0000', 'nul<␀>'],
    ['two\nlines\r', 'two<␊>lines<␍>'],
    ['user\u202egnp.exe', 'user<U+202E>gnp.exe'],
    ['zero\u200bwidth\u2066x\u2069', 'zero<U+200B>width<U+2066>x<U+2069>'],
    ['\ufeffbom', '<U+FEFF>bom'],
    ['c1\u009b2J', 'c1<U+009B>2J'],
    ['del\u007f', 'del<␡>'],
    ['tag\u{e0041}', 'tag<U+E0041>'],
    ['lone\ud800x', 'lone<U+D800>x'],
    ['emoji 😀 and é stay', 'emoji 😀 and é stay'],
    ['<img src=x onerror=alert(1)>', '<img src=x onerror=alert(1)>'],
  ])('%j', (text, shown) => {
    expect(show(text)).toBe(shown);
  });

  test('labels are printable', () => {
    for (let code = 0; code < 0xa0; code += 1) {
      if (code >= 0x20 && code < 0x7f) continue;
      expect(controlLabel(code)).toMatch(/^(?:[\u2400-\u2421]|U\+[0-9A-F]{4,5})$/);
    }
  });
});

describe('entities', () => {
  test.each([
    ['from 192.0.2.1 port', ['192.0.2.1'], 'from (192.0.2.1) port'],
    ['from 192.0.2.10 port', ['192.0.2.1'], 'from 192.0.2.10 port'],
    ['at 192.0.2.1.', ['192.0.2.1'], 'at (192.0.2.1).'],
    ['1.192.0.2.1', ['192.0.2.1'], '1.192.0.2.1'],
    ['chroot for root', ['root'], 'chroot for (root)'],
    ['root root', ['root'], '(root) (root)'],
    ['::1 to fe80::1', ['::1'], '(::1) to fe80::1'],
    ['nothing', ['', 'x'], 'nothing'],
    ['web-01 db', ['web-01', 'web'], '(web-01) db'],
  ])('%j', (text, values, shown) => {
    expect(show(text, findEntities(text, values))).toBe(shown);
  });
});

describe('matched parts of raw lines', () => {
  const url = "/item?id=1' UNION SELECT";
  test.each([
    ['a field value inside the line', `GET ${url} 200`, { field: 'url.original', value: url, start: 12, end: 24 }, "GET /item?id=1' [UNION SELECT] 200"],
    ['a value that the line does not hold', 'Failed password', { field: 'event.outcome', value: 'failure', start: 0, end: 7 }, 'Failed password'],
    ['a keyword, offsets into the line', 'é segfault', { field: '', value: 'é segfault', start: 3, end: 11 }, 'é [segfault]'],
    ['a keyword, line cut short', 'xx seg', { field: '', value: 'xx segfault', start: 3, end: 11 }, 'xx [seg]'],
    ['an empty span', 'abc', { field: 'f', value: 'abc', start: 1, end: 1 }, 'abc'],
    ['offsets beyond the value', 'abc', { field: 'f', value: 'abc', start: 1, end: 99 }, 'a[bc]'],
  ])('%s', (_, line, span, shown) => {
    expect(show(line, lineMarks(line, [span]))).toBe(shown);
  });

  test('a match wins over an entity', () => {
    expect(show('a root b', [{ start: 0, end: 4, kind: 'match' }, { start: 2, end: 6, kind: 'entity' }])).toBe('[a ro](ot) b');
  });
});
