/**
 * Untrusted text for people: makes invisible characters visible and cuts text into marked pieces.
 * In: strings from logs. Out: pieces of text. Never markup.
 */

export interface Piece {
  text: string;
  kind: 'plain' | 'match' | 'entity' | 'control';
  /** For control characters: which one. */
  code?: number;
}

export interface Mark {
  start: number;
  end: number;
  kind: 'match' | 'entity';
}

/**
 * Characters that draw nothing, move the cursor or turn text around: C0 (but tab and, in
 * multi-line text, line feed), DEL and C1, soft hyphen, zero-width and joiners, Arabic letter
 * mark, line and paragraph separators, all bidi controls and isolates, BOM, interlinear marks,
 * fillers, variation selectors and tags.
 */
const INVISIBLE =
  // oxlint-disable-next-line no-control-regex, no-misleading-character-class
  /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff]|[\u{1bca0}-\u{1bca3}\u{1d173}-\u{1d17a}\u{e0000}-\u{e0fff}]/gu;

const SYMBOL_FOR_NUL = 0x2400;
const DEL = 0x7f;
const SYMBOL_FOR_DEL = 0x2421;
const SPACE = 0x20;

/** What stands for an invisible character. */
export function controlLabel(code: number): string {
  if (code < SPACE) return String.fromCharCode(SYMBOL_FOR_NUL + code);
  if (code === DEL) return String.fromCharCode(SYMBOL_FOR_DEL);
  return `U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
}

/** Index into the UTF-16 string for a byte offset into its UTF-8 form; clamps to the text. */
export function byteToIndex(text: string, offset: number): number {
  let bytes = 0;
  let index = 0;
  for (const char of text) {
    if (bytes >= offset) return index;
    const code = char.codePointAt(0) ?? 0;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    index += char.length;
  }
  return index;
}

/** Splits one stretch of text at its invisible characters. */
function visible(text: string, kind: Piece['kind'], out: Piece[]) {
  let from = 0;
  for (const found of text.matchAll(INVISIBLE)) {
    if (found.index > from) out.push({ text: text.slice(from, found.index), kind });
    const code = found[0].codePointAt(0) ?? 0;
    out.push({ text: controlLabel(code), kind: 'control', code });
    from = found.index + found[0].length;
  }
  if (from < text.length) out.push({ text: text.slice(from), kind });
}

/** Cuts `text` into pieces. Where marks overlap, a match wins over an entity, then the earlier. */
export function pieces(text: string, marks: readonly Mark[] = []): Piece[] {
  const kinds = new Uint8Array(text.length);
  for (const [value, kind] of [[1, 'entity'], [2, 'match']] as const) {
    for (const mark of marks) {
      if (mark.kind === kind && mark.end > mark.start) kinds.fill(value, mark.start, mark.end);
    }
  }
  const out: Piece[] = [];
  const names = ['plain', 'entity', 'match'] as const;
  for (let from = 0; from < text.length; ) {
    let to = from + 1;
    while (to < text.length && kinds[to] === kinds[from]) to += 1;
    visible(text.slice(from, to), names[kinds[from] ?? 0] ?? 'plain', out);
    from = to;
  }
  return out;
}

const WORD = /[\p{L}\p{N}_]/u;
const NUMBERISH = /[\d.:]/;

/** Whether `value` at `at` stands alone: 192.0.2.1 is not in 192.0.2.10, root not in chroot. */
function standsAlone(text: string, value: string, at: number): boolean {
  const before = text[at - 1] ?? '';
  const after = text[at + value.length] ?? '';
  if (WORD.test(before) && WORD.test(value[0] ?? '')) return false;
  if (WORD.test(after) && WORD.test(value.at(-1) ?? '')) return false;
  const address = /^[\da-f.:]+$/i.test(value) && /[.:]/.test(value);
  if (!address) return true;
  const beyond = text[at + value.length + 1] ?? '';
  if (value.startsWith(':') && /[\da-f:]/i.test(before)) return false;
  if (before === '.' && /\d/.test(text[at - 2] ?? '')) return false;
  return !(after === '.' && NUMBERISH.test(beyond));
}

/** Marks every place where one of `values` stands alone in `text`. */
export function findEntities(text: string, values: readonly string[]): Mark[] {
  const marks: Mark[] = [];
  for (const value of values) {
    if (value === '') continue;
    for (let at = text.indexOf(value); at >= 0; at = text.indexOf(value, at + value.length)) {
      if (standsAlone(text, value, at)) {
        marks.push({ start: at, end: at + value.length, kind: 'entity' });
      }
    }
  }
  return marks;
}

interface Span {
  field: string;
  value: string;
  start: number;
  end: number;
}

/** The matched part of a span's own value, as a mark. */
export function spanMark(span: Span): Mark {
  return {
    start: byteToIndex(span.value, span.start),
    end: byteToIndex(span.value, span.end),
    kind: 'match',
  };
}

/**
 * Marks the matched parts in a raw line. A keyword match's value is the line itself, which a
 * contribution may hold cut short; a field's value is looked for in the line.
 */
export function lineMarks(line: string, spans: readonly Span[]): Mark[] {
  const marks: Mark[] = [];
  for (const span of spans) {
    if (span.value === '') continue;
    const mark = spanMark(span);
    if (mark.end <= mark.start) continue;
    const cut = span.field === '' && line !== '' && span.value.startsWith(line);
    const at = cut ? 0 : line.indexOf(span.value);
    if (at < 0) continue;
    const end = Math.min(line.length, at + mark.end);
    if (end > at + mark.start) marks.push({ start: at + mark.start, end, kind: 'match' });
  }
  return marks;
}
