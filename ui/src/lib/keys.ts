/**
 * Keyboard: one listener for the page. Screens bind keys while they are shown. Keys do nothing in
 * text fields, menus and dialogs, nor with Ctrl, Alt or Meta; single letters can be switched off.
 */
import { useEffect, useRef } from 'react';
import { keysOn } from './prefs';

/** How long the second key of a sequence (`g a`) may take. */
const SEQUENCE_MS = 1200;

/** Key as in `KeyboardEvent.key`, or a sequence with a space between; → what to do. */
export type Bindings = Record<string, () => void>;

const layers: { current: Bindings }[] = [];
let prefix = '';
let prefixAt = 0;

/** Which binding a key press means, given what was typed before. Pure. */
export function resolve(bound: readonly Bindings[], before: string, key: string): (() => void) | undefined {
  const word = before === '' ? key : `${before} ${key}`;
  for (const bindings of bound.toReversed()) {
    const found = bindings[word];
    if (found) return found;
  }
  return before === '' ? undefined : resolve(bound, '', key);
}

/** Whether some sequence starts with `key`. Pure. */
export function startsSequence(bound: readonly Bindings[], key: string): boolean {
  return bound.some((bindings) => Object.keys(bindings).some((word) => word.startsWith(`${key} `)));
}

/** Where keys belong to the control, not to us. */
const OWNS_KEYS = 'input:not([type=checkbox],[type=radio]),textarea,select,[contenteditable],dialog[open],[role=menu]';
const OWNS_ENTER = 'a[href],button,summary,input';

function onKeyDown(event: KeyboardEvent) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
  const target = event.target instanceof Element ? event.target : document.body;
  if (target.closest(OWNS_KEYS)) return;
  if ((event.key === 'Enter' || event.key === ' ') && target.closest(OWNS_ENTER)) return;
  if (event.key.startsWith('Arrow') && target.closest('input,[role=radiogroup]')) return;
  if (event.key.length === 1 && !keysOn()) return;
  const bound = layers.map((layer) => layer.current);
  const before = event.timeStamp - prefixAt < SEQUENCE_MS ? prefix : '';
  prefix = '';
  const action = resolve(bound, before, event.key);
  if (action) {
    event.preventDefault();
    action();
  } else if (startsSequence(bound, event.key)) {
    prefix = event.key;
    prefixAt = event.timeStamp;
  }
}

/** Binds keys while the component is mounted; later components win. */
export function useKeys(bindings: Bindings) {
  const layer = useRef(bindings);
  useEffect(() => {
    layer.current = bindings;
  });
  useEffect(() => {
    if (layers.length === 0) addEventListener('keydown', onKeyDown);
    layers.push(layer);
    return () => {
      layers.splice(layers.indexOf(layer), 1);
      if (layers.length === 0) removeEventListener('keydown', onKeyDown);
    };
  }, []);
}
