/** Stored events (nested ECS) for people: fields by dotted name, one line about each. Pure. */

export type EcsEvent = Record<string, unknown>;

function textsOf(value: unknown): string[] {
  if (value === null || value === undefined) return [];
  if (Array.isArray(value)) return value.flatMap(textsOf);
  if (typeof value === 'object') return [JSON.stringify(value)];
  return [String(value)];
}

/** Every value of a dotted field as text. */
export function valuesAt(event: EcsEvent, name: string): string[] {
  let node: unknown = event;
  for (const part of name.split('.')) {
    if (node === null || typeof node !== 'object' || Array.isArray(node)) return [];
    node = (node as EcsEvent)[part];
  }
  return textsOf(node);
}

/** All fields, flattened to dotted names, sorted. */
export function flat(event: EcsEvent): [name: string, values: string[]][] {
  const out: [string, string[]][] = [];
  const walk = (prefix: string, value: unknown) => {
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
      for (const [key, inner] of Object.entries(value)) walk(prefix === '' ? key : `${prefix}.${key}`, inner);
      return;
    }
    const texts = textsOf(value);
    if (texts.length > 0) out.push([prefix, texts]);
  };
  walk('', event);
  return out.toSorted(([a], [b]) => (a < b ? -1 : 1));
}

export const timeOf = (event: EcsEvent) => valuesAt(event, '@timestamp')[0] ?? '';
export const idOf = (event: EcsEvent) => valuesAt(event, 'event.id')[0] ?? '';

/** The raw line, or else the message, or else everything. */
export function lineOf(event: EcsEvent): string {
  const line = valuesAt(event, 'event.original')[0] ?? valuesAt(event, 'message')[0];
  return line === undefined || line === '' ? JSON.stringify(event) : line;
}

/** Fields whose values are entities with a page of their own. */
export const ENTITY_KINDS: Record<string, 'address' | 'user' | 'host'> = {
  'source.ip': 'address',
  'source.address': 'address',
  'destination.ip': 'address',
  'destination.address': 'address',
  'client.ip': 'address',
  'related.ip': 'address',
  'related.user': 'user',
  'related.hosts': 'host',
  'user.name': 'user',
  'user.target.name': 'user',
  'user.effective.name': 'user',
  'host.name': 'host',
  'host.hostname': 'host',
};

export const entityPath = (field: string, value: string): string | undefined => {
  const kind = ENTITY_KINDS[field];
  return kind && `/entities/${kind}/${encodeURIComponent(value)}`;
};
