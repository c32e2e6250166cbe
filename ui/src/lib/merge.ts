/** Live alerts into the lists that the page already has. Pure. */
import type { Alert } from '../api/types';

const idOf = (alert: Alert) => alert.tocsin.alert.id;

/**
 * Each alert's newest self, in place; the same array when nothing changed. A list may leave raw
 * lines out, a live alert never does.
 */
export function replaced(alerts: Alert[], news: readonly Alert[]): Alert[] {
  const byId = new Map(news.map((alert) => [idOf(alert), alert]));
  let changed = false;
  const after = alerts.map((old) => {
    const next = byId.get(idOf(old));
    if (!next || next.tocsin.alert.version < old.tocsin.alert.version) return old;
    changed = true;
    return next;
  });
  return changed ? after : alerts;
}

/** Alerts on the overview, at most; with fewer, the list holds all there are. */
export const NEWEST_MAX = 20;

const raisedAt = (alert: Alert) => Date.parse(alert['@timestamp']);

/**
 * Those of `news` that belong into a list sorted by time raised, newest first, and are not there.
 * What is older than a list's end is an update of an alert further down, unless `whole`: then
 * nothing is further down.
 */
export function arrived(alerts: readonly Alert[], whole: boolean, news: readonly Alert[]): Alert[] {
  const here = new Set(alerts.map(idOf));
  const last = alerts.at(-1);
  const end = whole || !last ? Number.NEGATIVE_INFINITY : raisedAt(last);
  const fresh = new Map<string, Alert>();
  for (const alert of news) {
    if (!here.has(idOf(alert)) && raisedAt(alert) >= end) fresh.set(idOf(alert), alert);
  }
  return [...fresh.values()];
}

/** The newest alerts with `news` among them. */
export function intoNewest(newest: Alert[], news: readonly Alert[]): Alert[] {
  const fresh = arrived(newest, newest.length < NEWEST_MAX, news);
  const updated = replaced(newest, news);
  if (fresh.length === 0) return updated;
  return [...fresh, ...updated].toSorted((a, b) => raisedAt(b) - raisedAt(a)).slice(0, NEWEST_MAX);
}
