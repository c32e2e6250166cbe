/**
 * Query text (KQL): clauses out of values, clauses into a query, and what can be completed where.
 * In: text from people and logs. Out: text that the server reads; it alone decides what is valid.
 */

const BARE = /^[\w.@/-]+$/;
const KEYWORDS = new Set(['and', 'or', 'not']);

/** A value as it stands in a query. */
export function printValue(value: string): string {
  if (BARE.test(value) && !KEYWORDS.has(value.toLowerCase())) return value;
  const escaped = value
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r')
    .replaceAll('\t', '\\t');
  return `"${escaped}"`;
}

const printField = (field: string) => (/^[\w.@-]+$/.test(field) ? field : printValue(field));

export const clause = (field: string, value: string) => `${printField(field)}: ${printValue(value)}`;
export const exists = (field: string) => `${printField(field)}: *`;

/** How much deeper a token leads into parentheses or braces. */
function deeper(token: Token): number {
  if (token.text === '(' || token.text === '{') return 1;
  return token.text === ')' || token.text === '}' ? -1 : 0;
}

/** Whether `or` stands outside of quotes and parentheses, so that more needs parentheses around. */
function hasTopLevelOr(text: string): boolean {
  let depth = 0;
  for (const token of tokens(text)) {
    depth += deeper(token);
    if (depth === 0 && token.text.toLowerCase() === 'or') return true;
  }
  return false;
}

/** The query and also this clause; one that excludes the same is replaced, a double is not added. */
export function including(query: string, added: string): string {
  return joined(query, added, `not ${added}`);
}

export function excluding(query: string, added: string): string {
  return joined(query, `not ${added}`, added);
}

function joined(query: string, added: string, opposite: string): string {
  const text = query.trim();
  if (text === '') return added;
  if (hasTopLevelOr(text)) return `(${text}) and ${added}`;
  const parts = conjuncts(text).filter((part) => part !== opposite);
  if (parts.includes(added)) return parts.join(' and ');
  return [...parts, added].join(' and ');
}

/** The parts of a query between its top-level `and`s. */
export function conjuncts(query: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (const token of tokens(query)) {
    depth += deeper(token);
    if (depth === 0 && token.text.toLowerCase() === 'and') {
      parts.push(query.slice(from, token.start).trim());
      from = token.end;
    }
  }
  parts.push(query.slice(from).trim());
  return parts.filter((part) => part !== '');
}

interface Token {
  text: string;
  start: number;
  end: number;
  /** A quoted text that has no closing quote yet. */
  open?: boolean;
}

const SPACE = /\s/;
const ALONE = new Set(['(', ')', ':', '<', '>', '~', '=']);

/** Words, quoted texts and signs. A bare word after a colon keeps its own colons (addresses). */
function tokens(text: string): Token[] {
  const out: Token[] = [];
  let at = 0;
  let braces = 0;
  while (at < text.length) {
    const char = text[at] ?? '';
    const brace = (char === '{' && out.at(-1)?.text === ':') || (char === '}' && braces > 0);
    if (brace) {
      braces += char === '{' ? 1 : -1;
      out.push({ text: char, start: at, end: at + 1 });
      at += 1;
    } else if (SPACE.test(char)) {
      at += 1;
    } else if (char === '"') {
      const end = closing(text, at);
      out.push({ text: text.slice(at, end.at), start: at, end: end.at, open: end.open });
      at = end.at;
    } else if (ALONE.has(char)) {
      out.push({ text: char, start: at, end: at + 1 });
      at += 1;
    } else {
      const end = wordEnd(text, at, braces > 0, [':', '<', '>', '~', '='].includes(out.at(-1)?.text ?? ''));
      out.push({ text: text.slice(at, end), start: at, end });
      at = end;
    }
  }
  return out;
}

function closing(text: string, from: number): { at: number; open: boolean } {
  for (let at = from + 1; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === '"') return { at: at + 1, open: false };
  }
  return { at: text.length, open: true };
}

function wordEnd(text: string, from: number, inBraces: boolean, value: boolean): number {
  let at = from;
  for (; at < text.length; at += 1) {
    const char = text[at] ?? '';
    if (char === '\\') at += 1;
    else if (SPACE.test(char) || char === '(' || char === ')' || char === '"') break;
    else if (inBraces && char === '}') break;
    else if (!value && ALONE.has(char)) break;
  }
  return Math.min(at, text.length);
}

/** What could be written at a place: replaces `from` to `to`. */
export type Completion =
  | { kind: 'field'; prefix: string; from: number; to: number }
  | { kind: 'value'; field: string; prefix: string; from: number; to: number }
  | { kind: 'join'; prefix: string; from: number; to: number };

const COMPARES = new Set([':', '<', '>', '=', '~']);

/** What can be completed where the caret is; undefined where nothing can. */
export function completionAt(text: string, caret: number): Completion | undefined {
  const all = tokens(text);
  const inside = all.findIndex((token) => token.start < caret && caret <= token.end && (token.open || !ALONE.has(token.text)));
  const here = all[inside];
  const quotedAndDone = here?.text.startsWith('"') && !here.open && caret === here.end;
  if (quotedAndDone) return undefined;
  const from = here?.start ?? caret;
  const to = here?.end ?? caret;
  const prefix = text.slice(from, caret);
  const before = all.filter((token) => token.end <= from);
  const sign = before.at(-1)?.text ?? '';
  if (COMPARES.has(sign)) return valueAfter(before, prefix, from, to);
  const list = listField(before);
  if (list !== undefined) return { kind: 'value', field: list, prefix: bare(prefix), from, to };
  if (prefix.startsWith('"')) return undefined;
  const starts = before.length === 0 || sign === '(' || KEYWORDS.has(sign.toLowerCase());
  return { kind: starts ? 'field' : 'join', prefix, from, to };
}

function valueAfter(before: readonly Token[], prefix: string, from: number, to: number): Completion | undefined {
  const name = before.toReversed().find((token) => !COMPARES.has(token.text));
  return name && { kind: 'value', field: bare(name.text), prefix: bare(prefix), from, to };
}

/** The field whose list of values, `field: (a or b`, is open at the end. */
function listField(before: readonly Token[]): string | undefined {
  const open: (string | undefined)[] = [];
  before.forEach((token, at) => {
    if (token.text === ')') open.pop();
    if (token.text === '(') open.push(before[at - 1]?.text === ':' ? before[at - 2]?.text : undefined);
  });
  const name = open.at(-1);
  return name === undefined ? undefined : bare(name);
}

/** A token without its quotes and escapes. */
function bare(text: string): string {
  if (!text.startsWith('"')) return text;
  return text.slice(1).replace(/(?<!\\)"$/, '').replaceAll(/\\(["\\])/g, '$1');
}

export interface Completed {
  text: string;
  caret: number;
}

/** The text with a chosen completion in place. */
export function complete(text: string, at: Completion, chosen: string): Completed {
  const word = at.kind === 'field' ? `${printField(chosen)}: ` : at.kind === 'value' ? `${printValue(chosen)} ` : `${chosen} `;
  const rest = text.slice(at.to).replace(/^\s+/, '');
  return { text: `${text.slice(0, at.from)}${word}${rest}`, caret: at.from + word.length };
}

/** Values that a query asks for, as far as they can be found in a line: to be marked there. */
export function valuesIn(query: string): string[] {
  const all = tokens(query);
  const found = all.flatMap((token, at) => {
    if (ALONE.has(token.text) || KEYWORDS.has(token.text.toLowerCase()) || token.open) return [];
    if (all[at - 1]?.text.toLowerCase() === 'not' || COMPARES.has(all[at + 1]?.text ?? '')) return [];
    const excluded = all[at - 3]?.text.toLowerCase() === 'not';
    const value = bare(token.text).replaceAll(/^\*+|\*+$/g, '');
    return excluded || value.length < MARK_CHARS_MIN || value.includes('*') || /\/\d+$/.test(value) ? [] : [value];
  });
  return [...new Set(found)].toSorted((a, b) => b.length - a.length);
}

/** Shorter values mark half of a line by chance. */
const MARK_CHARS_MIN = 3;
