/**
 * A value of a field that can be worked with: a click or Enter opens a menu with what there is to
 * do. One menu for the page, in the top layer. In: field and value. Out: another address.
 */
import { lazy, Suspense, useSyncExternalStore, type MouseEvent } from 'react';
import { Text } from './text';

export interface Asked {
  field: string;
  value: string;
  anchor: HTMLElement;
}

let asked: Asked | undefined;
const listeners = new Set<() => void>();

function show(next: Asked | undefined) {
  asked = next;
  for (const listener of listeners) listener();
}

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => void listeners.delete(listener);
};

/** The longest value drawn at once; the rest is behind a button where it matters. */
export const SHOWN_CHARS = 300;

/** Opens the menu of a value that is drawn by other means. */
export const showValue = (field: string, value: string, anchor: HTMLElement) => show({ field, value, anchor });

export function Value({ field, value, className }: { field: string; value: string; className?: string }) {
  const open = (event: MouseEvent<HTMLButtonElement>) => {
    event.stopPropagation();
    show({ field, value, anchor: event.currentTarget });
  };
  const text = value.length > SHOWN_CHARS ? `${value.slice(0, SHOWN_CHARS)}…` : value;
  return (
    <button type="button" className={`value ${className ?? ''}`} aria-haspopup="menu" onClick={open}>
      {text === '' ? '""' : <Text text={text} />}
    </button>
  );
}

const Menu = lazy(async () => ({ default: (await import('./valuemenu')).Menu }));

/** Drawn once, by the frame of the page. */
export function ValueMenu() {
  const current = useSyncExternalStore(subscribe, () => asked);
  return current && <Suspense fallback={null}><Menu asked={current} hide={() => show(undefined)} /></Suspense>;
}
