/** What may stand where in a rule, from its JSON schema. Pure: names of fields and rules are given. */
import schema from '../../../content/rule.schema.json';
import { TACTICS } from './attack';
import { ITEM, type YamlPlace } from './yamlpath';

interface Schema {
  description?: string;
  type?: string;
  properties?: Record<string, Schema>;
  additionalProperties?: Schema;
  items?: Schema;
  enum?: readonly string[];
  examples?: readonly string[];
  'x-keys'?: string;
  'x-values'?: string;
}

export interface Known {
  fields: readonly { name: string; note: string }[];
  rules: readonly { name: string; note: string }[];
  sources: readonly { name: string; note: string }[];
}

export interface Option {
  text: string;
  note: string;
  /** What follows it: `: `, or a new line for what stands inside. */
  after: string;
}

export const MODIFIERS: Record<string, string> = {
  contains: 'holds the text',
  startswith: 'begins with it',
  endswith: 'ends with it',
  all: 'all of the list',
  re: 'a regular expression',
  cidr: 'is in the network',
  cased: 'in this letter case',
  exists: 'whether it is there: true or false',
  gt: 'more than',
  gte: 'at least',
  lt: 'less than',
  lte: 'at most',
  neq: 'anything but',
  fieldref: 'equals another field',
  base64: 'in base64',
  base64offset: 'in base64, at any offset',
  windash: 'with - or / before options',
};

/** The schema of what stands at a path. */
export function schemaAt(path: readonly string[]): Schema | undefined {
  return path.reduce<Schema | undefined>((node, part) => {
    if (part === ITEM) return node?.items;
    return node?.properties?.[part] ?? node?.additionalProperties;
  }, schema as unknown as Schema);
}

const attack = (): Option[] => TACTICS.flatMap((tactic) => [
  { text: `attack.${tactic.slug}`, note: tactic.name, after: '' },
  ...tactic.techniques.map((technique) => ({ text: `attack.${technique.id.toLowerCase()}`, note: technique.name, after: '' })),
]);

const named = (list: Known['fields'], after: string): Option[] => list.map(({ name, note }) => ({ text: name, note, after }));

const plain = (texts: readonly string[]): Option[] => texts.map((text) => ({ text, note: '', after: '' }));

function valuesOf(node: Schema | undefined, known: Known): Option[] {
  if (!node) return [];
  const of = node['x-values'];
  if (of === 'attack') return attack();
  if (of === 'fields' || of === 'rules' || of === 'sources') return named(known[of], '');
  if (node.type === 'boolean') return plain(['true', 'false']);
  return plain(node.enum ?? node.examples ?? []);
}

const inside = (node: Schema) => (node.type === 'object' ? ':\n' : node.type === 'array' ? ':\n' : ': ');

function keysOf(node: Schema | undefined, place: YamlPlace, known: Known): Option[] {
  if (!node) return [];
  const own = Object.entries(node.properties ?? {})
    .filter(([key]) => !place.present.includes(key))
    .map(([text, one]) => ({ text, note: one.description ?? '', after: inside(one) }));
  if (node['x-keys'] !== 'fields') return own;
  const bar = place.prefix.lastIndexOf('|');
  if (bar < 0) return [...own, ...named(known.fields, ': ')];
  const stem = place.prefix.slice(0, bar + 1);
  return Object.entries(MODIFIERS).map(([name, note]) => ({ text: stem + name, note, after: ': ' }));
}

/** What may be typed at a place. */
export function optionsAt(place: YamlPlace, known: Known): Option[] {
  const node = schemaAt(place.path);
  if (place.kind === 'value') return valuesOf(node, known);
  if (place.kind === 'key') return keysOf(node, place, known);
  return [...valuesOf(node, known), ...keysOf(node, place, known)];
}

/** The field whose values are typed, when it is a search's. */
export function fieldAt(place: YamlPlace): string | undefined {
  const path = place.path.filter((part) => part !== ITEM);
  if (place.kind === 'key' || path.length < 3) return undefined;
  const search = path[0] === 'detection' || path[0] === 'filter';
  const name = path.at(-1)?.split('|')[0];
  return search && name !== 'condition' ? name : undefined;
}
