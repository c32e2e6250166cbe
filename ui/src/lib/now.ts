/** A clock for components that show ages: one timer for all of them. */
import { useSyncExternalStore } from 'react';

const TICK_MS = 1000;
const listeners = new Set<() => void>();
let now = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;

function subscribe(listener: () => void) {
  listeners.add(listener);
  now = Date.now();
  timer ??= setInterval(() => {
    now = Date.now();
    for (const each of listeners) each();
  }, TICK_MS);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

/** The time now, for what is asked once. */
export const nowMs = () => Date.now();

/** The time in milliseconds, at most a second old. */
export const useNow = () => useSyncExternalStore(subscribe, () => now);

/** The time to the minute: for what need not be drawn every second. */
export const useMinute = () => useSyncExternalStore(subscribe, () => now - (now % 60_000));
