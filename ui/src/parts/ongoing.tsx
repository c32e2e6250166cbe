/** Says that an attack still lasts. */
import type { Alert } from '../api/types';
import { useNow } from '../lib/now';
import { millis } from '../lib/time';
import { t } from '../strings';

/** An attack is over when nothing of it was seen for this long. */
const QUIET_MS = 60_000;
/** A single event is not something that goes on. */
const LASTED_MIN_MS = 2000;

/** Pure. */
export function isOngoing(alert: Alert, now: number): boolean {
  const core = alert.tocsin.alert;
  if (core.historical || core.status === 'closed') return false;
  const last = millis(core.last_seen);
  return now - last < QUIET_MS && last - millis(core.first_seen) >= LASTED_MIN_MS;
}

export function Ongoing({ alert }: { alert: Alert }) {
  return isOngoing(alert, useNow()) ? <span className="ongoing">{t.alerts.ongoing}</span> : null;
}
