/** Time series: sparse points from the API → one value per bucket of the whole range. */
import type { Overview, Range } from '../api/types';
import { millis } from './time';

/** More buckets than this and something is wrong with the range; keeps the page alive. */
export const BUCKETS_MAX = 2000;

/** Start of every bucket of the range in seconds, aligned with the points that came. */
export function buckets(range: Overview['range'], firstPoint?: string): number[] {
  const width = range.bucket_seconds;
  const from = millis(range.from) / 1000;
  const to = millis(range.to) / 1000;
  if (!(width > 0) || !(to > from)) return [];
  const phase = firstPoint === undefined ? 0 : (millis(firstPoint) / 1000) % width;
  const count = Math.min(BUCKETS_MAX, Math.ceil((to - from) / width) + 1);
  const first = Math.floor((from - phase) / width) * width + phase;
  const starts: number[] = [];
  for (let index = 0; index < count; index += 1) {
    const start = first + index * width;
    if (start < to) starts.push(start);
  }
  return starts;
}

/** Values of `pick` in each bucket; 0 where no point is. Points outside the range are left out. */
export function fill<P extends { t: string }>(
  starts: readonly number[],
  width: number,
  points: readonly P[],
  pick: (point: P) => number,
): number[] {
  const values = starts.map(() => 0);
  const first = starts[0];
  if (first === undefined) return values;
  for (const point of points) {
    const index = Math.floor((millis(point.t) / 1000 - first) / width + 1e-6);
    if (index >= 0 && index < values.length) values[index] = (values[index] ?? 0) + pick(point);
  }
  return values;
}

export const sum = (values: readonly number[]) => values.reduce((total, n) => total + n, 0);

/**
 * Which range to open with: the shortest that still holds (nearly) all that happened in the last
 * day, so that an installation of a minute ago does not show one bar at the right edge.
 */
export function openingRange(day: Overview): Range {
  const total = sum(day.events.series.map((point) => point.count))
    + sum(day.alerts.series.map((point) => point.critical + point.high + point.medium + point.low + point.informational));
  if (total === 0) return '24h';
  const end = millis(day.range.to);
  const oldest = Math.min(
    ...day.events.series.filter((point) => point.count > 0).map((point) => millis(point.t)),
    ...day.newest_alerts.map((alert) => millis(alert.tocsin.alert.first_seen)),
  );
  if (!Number.isFinite(oldest)) return '24h';
  const held = end - oldest;
  // A bucket says only that something happened since its start.
  const slack = day.range.bucket_seconds * 1000;
  if (held <= 15 * 60_000 || held <= slack) return '15m';
  return held <= 60 * 60_000 + slack ? '1h' : '24h';
}
