/** Live view: asks every second for what is new. Holds news back while somebody reads. */
import { useCallback, useEffect, useRef, useState } from 'react';
import { search } from '../../api/history';
import { idOf, timeOf, type EcsEvent } from '../../lib/event';

const EVERY_MS = 1000;
/** Events of one look; what is more went by too fast. */
const LOOK_MAX = 300;
/** Events kept on the page. */
export const KEPT_MAX = 1000;
/** Events may be stored a little after others that are younger. */
const OVERLAP_MS = 5000;

export interface Live {
  events: readonly EcsEvent[];
  held: number;
  skipped: number;
  error: Error | undefined;
  release: () => void;
}

/** News before what is shown, each event once, newest first. Pure. */
export function merged(shown: readonly EcsEvent[], news: readonly EcsEvent[]): EcsEvent[] {
  const known = new Set(shown.map(idOf));
  const fresh = news.filter((event) => !known.has(idOf(event)));
  if (fresh.length === 0) return shown as EcsEvent[];
  return [...fresh, ...shown].toSorted((a, b) => (timeOf(a) < timeOf(b) ? 1 : -1)).slice(0, KEPT_MAX);
}

interface Gathered {
  /** Which query it is of. */
  q: string;
  events: readonly EcsEvent[];
  waiting: readonly EcsEvent[];
  skipped: number;
  error: Error | undefined;
}

const EMPTY: Gathered = { q: '', events: [], waiting: [], skipped: 0, error: undefined };

/** Asks for what is new until stopped; `gather` gets each look's news. */
async function look(q: string, stop: AbortSignal, gather: (news: readonly EcsEvent[], skipped: number, error: Error | undefined) => void) {
  let since = Date.now() - OVERLAP_MS;
  let seen = new Set<string>();
  while (!stop.aborted) {
    try {
      // One look after another.
      // oxlint-disable-next-line no-await-in-loop
      const found = document.hidden ? undefined : await search({ q, from: new Date(since).toISOString(), limit: LOOK_MAX }, stop);
      const known = seen;
      const fresh = found?.events.filter((event) => !known.has(idOf(event))) ?? [];
      if (found) {
        const newest = Date.parse(timeOf(found.events[0] ?? {}));
        if (Number.isFinite(newest)) since = Math.max(since, Math.min(newest, Date.now()) - OVERLAP_MS);
        seen = new Set(found.events.map(idOf));
      }
      gather(fresh, fresh.length >= LOOK_MAX && found ? found.total - LOOK_MAX : 0, undefined);
    } catch (cause) {
      if (!stop.aborted) gather([], 0, cause instanceof Error ? cause : new Error(String(cause)));
    }
    // oxlint-disable-next-line no-await-in-loop
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
}

/** `hold`: somebody reads, so nothing may move. */
export function useLive(on: boolean, q: string, hold: boolean): Live {
  const [state, setState] = useState(EMPTY);
  const holding = useRef(hold);
  useEffect(() => {
    holding.current = hold;
  });
  useEffect(() => {
    if (!on) return undefined;
    const stop = new AbortController();
    let first = true;
    void look(q, stop.signal, (news, skipped, error) => setState((before) => {
      const old = first || before.q !== q ? { ...EMPTY, q } : before;
      first = false;
      const next = { ...old, skipped: old.skipped + skipped, error };
      if (holding.current) return { ...next, waiting: merged(old.waiting, news) };
      return { ...next, events: merged(merged(old.events, old.waiting), news), waiting: [] };
    }));
    return () => stop.abort();
  }, [on, q]);
  const mine = state.q === q ? state : EMPTY;
  const release = useCallback(() => setState((before) => ({ ...before, events: merged(before.events, before.waiting), waiting: [] })), []);
  return { events: mine.events, held: mine.waiting.length, skipped: mine.skipped, error: mine.error, release };
}
