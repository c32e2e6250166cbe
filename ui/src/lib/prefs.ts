/** What a person chose for this browser: theme, time zone, keys. Kept in localStorage. */
import { useSyncExternalStore } from 'react';
import type { Zone } from './time';

export type Theme = 'system' | 'dark' | 'light';

export interface Prefs {
  theme: Theme;
  zone: Zone;
  /** Single-letter shortcuts; some input methods and speech control need them off. */
  keys: boolean;
  /** Who this is: said with what is done to alerts. Empty: somebody. */
  name: string;
}

const KEY = 'tocsin.prefs';
const DEFAULTS: Prefs = { theme: 'system', zone: 'local', keys: true, name: '' };

/** The longest name, in letters; the server counts bytes. */
export const NAME_MAX = 16;

/** What the server takes as a person's name. */
export const cleanName = (text: string) => text.replaceAll(/[\p{Cc},]/gu, '').trim().slice(0, NAME_MAX);

/** Reads what was stored; anything unknown becomes the default. */
export function parsePrefs(text: string | null): Prefs {
  let stored: Partial<Record<keyof Prefs, unknown>> = {};
  try {
    const value: unknown = JSON.parse(text ?? '{}');
    if (value !== null && typeof value === 'object') stored = value;
  } catch {
    // Somebody edited it; the defaults will do.
  }
  return {
    theme: stored.theme === 'dark' || stored.theme === 'light' ? stored.theme : DEFAULTS.theme,
    zone: stored.zone === 'utc' ? 'utc' : DEFAULTS.zone,
    keys: stored.keys !== false,
    name: typeof stored.name === 'string' ? cleanName(stored.name) : DEFAULTS.name,
  };
}

function read(): Prefs {
  try {
    return parsePrefs(localStorage.getItem(KEY));
  } catch {
    return DEFAULTS;
  }
}

/** Absent only in unit tests. */
const light: MediaQueryList | undefined = globalThis.matchMedia?.('(prefers-color-scheme: light)');
const listeners = new Set<() => void>();
let current = read();
let theme: 'dark' | 'light' = 'dark';

function apply() {
  theme = current.theme === 'system' ? (light?.matches ? 'light' : 'dark') : current.theme;
  document.documentElement.dataset['theme'] = theme;
  for (const listener of listeners) listener();
}

export function startPrefs() {
  light?.addEventListener('change', apply);
  addEventListener('storage', (event) => {
    if (event.key !== KEY) return;
    current = read();
    apply();
  });
  apply();
}

export function setPrefs(patch: Partial<Prefs>) {
  current = { ...current, ...patch };
  try {
    localStorage.setItem(KEY, JSON.stringify(current));
  } catch {
    // Private mode: it lasts as long as the page.
  }
  apply();
}

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => void listeners.delete(listener);
};

export const usePrefs = () => useSyncExternalStore(subscribe, () => current);

/** The theme in force. */
export const useTheme = () => useSyncExternalStore(subscribe, () => theme);

export const keysOn = () => current.keys;
