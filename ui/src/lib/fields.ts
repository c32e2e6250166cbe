/** Reads ECS fields of an alert by dotted name, and what the screens derive from them. */
import type { Alert } from '../api/types';

function textsOf(value: unknown): string[] {
  if (value === null || value === undefined) return [];
  if (Array.isArray(value)) return value.flatMap(textsOf);
  if (typeof value === 'object') return [];
  return [String(value)];
}

/** Every value of a field as text; looks in the alert's own fields, then in its group. */
export function fieldTexts(alert: Alert, name: string): string[] {
  let node: unknown = alert;
  for (const part of name.split('.')) {
    if (node === null || typeof node !== 'object' || Array.isArray(node)) {
      node = undefined;
      break;
    }
    node = (node as Record<string, unknown>)[part];
  }
  const own = textsOf(node);
  if (own.length > 0) return own;
  const grouped = alert.tocsin.alert.group[name];
  return grouped === undefined ? [] : [grouped];
}

/** A field with its value. */
export interface Held {
  field: string;
  value: string;
}

/** The first of these fields that has a value. */
export function firstHeld(alert: Alert, ...names: string[]): Held | undefined {
  for (const field of names) {
    const value = fieldTexts(alert, field)[0];
    if (value !== undefined && value !== '') return { field, value };
  }
  return undefined;
}

export const firstText = (alert: Alert, ...names: string[]): string | undefined => firstHeld(alert, ...names)?.value;

/** Where it came from: an address, or else what the alert is grouped by. */
export function originHeld(alert: Alert): Held | undefined {
  const [group] = Object.entries(alert.tocsin.alert.group);
  return firstHeld(alert, 'source.ip', 'source.address', 'client.ip') ?? (group && { field: group[0], value: group[1] });
}

export const originOf = (alert: Alert): string | undefined => originHeld(alert)?.value;

/** What it was aimed at: a user, a host, or both. */
export function targetHeld(alert: Alert): Held[] {
  const user = firstHeld(alert, 'user.target.name', 'user.name');
  const host = firstHeld(alert, 'host.name', 'host.hostname', 'url.domain', 'destination.ip');
  return [user, host].filter((held) => held !== undefined);
}

/** What it was aimed at, as `user@host`. */
export function targetOf(alert: Alert): string | undefined {
  const parts = targetHeld(alert);
  return parts.length === 0 ? undefined : parts.map(({ value }) => value).join('@');
}

/** Fields whose values are entities: worth pointing out in sentences and raw lines. */
const ENTITY_FIELDS = [
  'source.ip',
  'source.address',
  'destination.ip',
  'user.name',
  'user.target.name',
  'user.effective.name',
  'host.name',
  'host.hostname',
];

/** Values shorter than this mark half of a line by chance. */
const ENTITY_CHARS_MIN = 2;

/** The alert's entity values, longest first, each once. */
export function entitiesOf(alert: Alert): string[] {
  const values = new Set<string>(Object.values(alert.tocsin.alert.group));
  for (const name of ENTITY_FIELDS) for (const value of fieldTexts(alert, name)) values.add(value);
  return [...values]
    .filter((value) => value.length >= ENTITY_CHARS_MIN)
    .toSorted((a, b) => b.length - a.length || (a < b ? -1 : 1));
}

/** Fields that the detail shows in its own way, so the field table leaves them out. */
const SHOWN_ELSEWHERE = new Set(['@timestamp', 'message', 'rule', 'threat', 'tocsin', 'event', 'ecs']);

/** The other fields the alert carries, flattened to dotted names, sorted. */
export function carriedFields(alert: Alert): [name: string, values: string[]][] {
  const out: [string, string[]][] = [];
  const walk = (prefix: string, value: unknown) => {
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
      for (const [key, inner] of Object.entries(value)) walk(`${prefix}.${key}`, inner);
      return;
    }
    const texts = textsOf(value);
    if (texts.length > 0) out.push([prefix, texts]);
  };
  for (const [key, value] of Object.entries(alert)) {
    if (!SHOWN_ELSEWHERE.has(key)) walk(key, value);
  }
  return out.toSorted(([a], [b]) => (a < b ? -1 : 1));
}
