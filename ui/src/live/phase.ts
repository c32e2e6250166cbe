/** Whether the live stream can be trusted. Pure. */

/** The server beats once a second; two beats missed and the page says so. */
export const STALE_AFTER_MS = 3000;

export type Phase = 'connecting' | 'live' | 'stale';

/** The phase at `now`, given when we began to wait and when we heard last. */
export function phaseAt(now: number, heardAt: number | null, waitingSince: number): Phase {
  const reference = Math.max(heardAt ?? 0, waitingSince);
  if (now - reference > STALE_AFTER_MS) return 'stale';
  return heardAt === null ? 'connecting' : 'live';
}
