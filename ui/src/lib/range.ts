/** Time ranges as people choose and write them. Pure; the clock and zone are arguments. */
import type { Zone } from './time';

export interface TimeRange {
  /** `15m`, `24h`, `7d`; empty: `from` and `to` say it, or all time. */
  last: string;
  /** RFC 3339 in UTC; empty: open. */
  from: string;
  to: string;
}

export const ALL_TIME: TimeRange = { last: '', from: '', to: '' };
export const PRESETS = ['15m', '1h', '4h', '24h', '7d', '30d'] as const;

const UNIT_MS: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const SPAN = /^(?:last\s+)?-?(\d{1,6})\s*([smhdw])$/i;

/** Milliseconds of `15m`; undefined when it is none. */
export function spanMs(text: string): number | undefined {
  const [, count, unit] = SPAN.exec(text.trim()) ?? [];
  const each = UNIT_MS[unit?.toLowerCase() ?? ''];
  return each === undefined || Number(count) === 0 ? undefined : Number(count) * each;
}

function startOfDay(ms: number, zone: Zone): number {
  const day = new Date(ms);
  if (zone === 'utc') return Date.UTC(day.getUTCFullYear(), day.getUTCMonth(), day.getUTCDate());
  return new Date(day.getFullYear(), day.getMonth(), day.getDate()).getTime();
}

const LOCAL = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,3}))?)?)?$/;

/** A point in time: ISO (in `zone` where it names none), `now`, `-4h`, `today`, `yesterday`. */
export function pointMs(text: string, now: number, zone: Zone): number | undefined {
  const word = text.trim().toLowerCase();
  if (word === 'now') return now;
  if (word === 'today') return startOfDay(now, zone);
  if (word === 'yesterday') return startOfDay(startOfDay(now, zone) - 1, zone);
  const ago = spanMs(word.replace(/^now/, ''));
  if (ago !== undefined) return now - ago;
  const local = LOCAL.exec(text.trim());
  if (local) {
    const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, milli = 0] = local.slice(1).map((part) => Number(part ?? 0));
    const at = zone === 'utc'
      ? Date.UTC(year, month - 1, day, hour, minute, second, milli)
      : new Date(year, month - 1, day, hour, minute, second, milli).getTime();
    // 2026-02-31 is not the third of March.
    const real = zone === 'utc' ? new Date(at).getUTCDate() : new Date(at).getDate();
    return real === day ? at : undefined;
  }
  const zoned = /T.*(?:Z|[+-]\d\d:?\d\d)$/i.test(text.trim()) ? Date.parse(text.trim()) : Number.NaN;
  return Number.isFinite(zoned) ? zoned : undefined;
}

const iso = (ms: number) => new Date(ms).toISOString();

/** What two fields say; undefined when one of them cannot be read or they are the wrong way round. */
export function typedRange(from: string, to: string, now: number, zone: Zone): TimeRange | undefined {
  const [start, end] = [from.trim(), to.trim()];
  const openEnd = end === '' || end.toLowerCase() === 'now';
  if (start === '' && openEnd) return ALL_TIME;
  const relative = spanMs(start);
  if (relative !== undefined && openEnd) return { last: start.replace(/^last\s+|^-/i, '').replaceAll(/\s/g, '').toLowerCase(), from: '', to: '' };
  if (start.toLowerCase() === 'yesterday' && end === '') {
    const at = pointMs(start, now, zone) ?? now;
    return { last: '', from: iso(at), to: iso(startOfDay(now, zone)) };
  }
  const a = start === '' ? undefined : pointMs(start, now, zone);
  const b = openEnd ? undefined : pointMs(end, now, zone);
  if ((start !== '' && a === undefined) || (!openEnd && b === undefined)) return undefined;
  if (a !== undefined && b !== undefined && a >= b) return undefined;
  return { last: '', from: a === undefined ? '' : iso(a), to: b === undefined ? '' : iso(b) };
}

/** The range as points, at the time it was asked for. */
export function resolved(range: TimeRange, now: number): { from: string; to: string } {
  const span = range.last === '' ? undefined : spanMs(range.last);
  if (span !== undefined) return { from: iso(now - span), to: '' };
  return { from: range.from, to: range.to };
}

/** The range moved by its own length; `[` and `]`. All time stays. */
export function shifted(range: TimeRange, by: -1 | 1, now: number): TimeRange {
  const { from, to } = resolved(range, now);
  if (from === '') return range;
  const start = Date.parse(from);
  const end = to === '' ? now : Date.parse(to);
  const width = end - start;
  return { last: '', from: iso(start + by * width), to: iso(end + by * width) };
}

/** Bucket widths that people can read off an axis. */
const WIDTHS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800, 1_209_600, 2_592_000];
const BUCKETS_WANTED = 96;

export function bucketSeconds(fromMs: number, toMs: number): number {
  const wanted = Math.max(1, (toMs - fromMs) / 1000 / BUCKETS_WANTED);
  return WIDTHS_S.find((width) => width >= wanted) ?? Math.ceil(wanted / 86_400) * 86_400;
}

