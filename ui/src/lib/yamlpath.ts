/**
 * Where in a YAML text the cursor is: the keys around it, and what is being typed. Reads block
 * style by indentation, as rules are written, without parsing the rest. Pure.
 */

/** An item of a list, in a path. */
export const ITEM = '[]';

export interface YamlPlace {
  /** Keys from the outside in; `[]` for an item of a list. For a value its own key is the last. */
  path: readonly string[];
  /** What is typed: a key, a value, or the item of a list, which may become a key. */
  kind: 'key' | 'value' | 'item';
  prefix: string;
  /** Where `prefix` begins. */
  from: number;
  /** Keys that the map has already. */
  present: readonly string[];
}

interface Line {
  /** Column of the text behind dashes. */
  column: number;
  /** Columns of dashes. */
  dashes: readonly number[];
  /** The key, when the line begins one. */
  key: string | undefined;
  /** What stands behind the colon. */
  value: string;
}

const LINE = /^(\s*)((?:-(?:\s+|$))*)(?:("[^"]*"|'[^']*'|[^\s#:{}[\]"'][^:{}[\]"']*?)\s*:(?:\s+(.*)|$))?/;
const BLOCK = /^[|>][-+\d]*\s*(?:#.*)?$/;

const bare = (key: string) => key.replace(/^(["'])(.*)\1$/, '$2');

function read(text: string): Line | undefined {
  if (/^\s*(?:#.*)?$/.test(text)) return undefined;
  const [, indent = '', marks = '', key, value = ''] = LINE.exec(text) ?? [];
  const dashes = [...marks.matchAll(/-/g)].map((mark) => indent.length + mark.index);
  return { column: indent.length + marks.length, dashes, key: key === undefined ? undefined : bare(key), value };
}

/** Walks up from a line: which keys are around column `limit`, the innermost first. */
function around(lines: readonly string[], at: number, start: Line): { path: string[]; present: string[]; literal: boolean } {
  const inner: string[] = [];
  const present: string[] = [];
  let limit = start.column;
  let beside = false;
  const enter = (dashes: readonly number[]) => {
    for (const dash of dashes.toReversed()) {
      inner.push(ITEM);
      limit = dash;
      beside = true;
    }
  };
  enter(start.dashes);
  const own = inner.length === 0;
  for (let line = at - 1; line >= 0; line -= 1) {
    const text = lines[line] ?? '';
    if (text.startsWith('---')) break;
    const found = read(text);
    if (!found) continue;
    if (found.key !== undefined && BLOCK.test(found.value) && found.column < start.column && inner.length === 0) return { path: [], present: [], literal: true };
    if (own && inner.length === 0 && found.column === limit && found.key !== undefined) present.push(found.key);
    if (found.column === limit && !beside && found.dashes.length > 0) {
      enter(found.dashes);
      continue;
    }
    const fits = found.column < limit || (beside && found.column === limit && found.dashes.length === 0);
    if (fits && found.key !== undefined && found.value.trim() === '') {
      inner.push(found.key);
      [limit, beside] = [found.column, false];
      enter(found.dashes);
    }
    if (limit === 0 && !beside) break;
  }
  return { path: inner.toReversed(), present, literal: false };
}

/** Keys of the same map below a line. */
function below(lines: readonly string[], at: number, column: number): string[] {
  const keys: string[] = [];
  for (const text of lines.slice(at + 1)) {
    const found = read(text);
    if (text.startsWith('---') || (found && (found.column < column || found.dashes.length > 0))) break;
    if (found?.key !== undefined && found.column === column) keys.push(found.key);
  }
  return keys;
}

/** Where the cursor is; nothing inside comments and literal blocks. */
export function yamlAt(text: string, cursor: number): YamlPlace | undefined {
  const before = text.slice(0, cursor);
  const lines = text.split('\n');
  const at = before.split('\n').length - 1;
  const typed = before.slice(before.lastIndexOf('\n') + 1);
  if (/(?:^|\s)#/.test(typed)) return undefined;
  const blank = { column: typed.length, dashes: [], key: undefined, value: '' };
  const start = read(typed) ?? blank;
  const { path, present, literal } = around(lines, at, start);
  if (literal) return undefined;
  if (start.key !== undefined) {
    const whole = typed.slice(typed.indexOf(':', start.column) + 1).trimStart();
    const list = /^\[(?:.*,)?\s*([^,\]]*)$/.exec(whole);
    const prefix = list ? (list[1] ?? '') : whole;
    return { path: [...path, start.key, ...(list ? [ITEM] : [])], kind: 'value', prefix, from: cursor - prefix.length, present: [] };
  }
  const prefix = typed.slice(start.column);
  const kind = start.dashes.length > 0 ? 'item' : 'key';
  return { path, kind, prefix, from: cursor - prefix.length, present: [...present, ...below(lines, at, start.column)] };
}
