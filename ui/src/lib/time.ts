/** Times and numbers for people. All output names or follows the chosen zone; never the clock. */
import { LOCALE } from '../strings';

export type Zone = 'local' | 'utc';

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

export function millis(text: string): number {
  return Date.parse(text);
}

const cache = new Map<string, Intl.DateTimeFormat>();

function format(zone: Zone, key: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const id = `${zone}.${key}`;
  let found = cache.get(id);
  if (!found) {
    found = new Intl.DateTimeFormat(LOCALE, {
      ...options,
      hourCycle: 'h23',
      ...(zone === 'utc' ? { timeZone: 'UTC' } : {}),
    });
    cache.set(id, found);
  }
  return found;
}

const DATE = { month: 'short', day: 'numeric' } as const;
const HM = { hour: '2-digit', minute: '2-digit' } as const;
const HMS = { ...HM, second: '2-digit' } as const;

export const clock = (ms: number, zone: Zone) => format(zone, 'hms', HMS).format(ms);
export const hourMinute = (ms: number, zone: Zone) => format(zone, 'hm', HM).format(ms);
export const date = (ms: number, zone: Zone) => format(zone, 'date', DATE).format(ms);

/** `14:03:35` today, `Nov 20 14:03` before. */
export function shortTime(ms: number, now: number, zone: Zone): string {
  if (!Number.isFinite(ms)) return '–';
  if (date(ms, zone) === date(now, zone) && Math.abs(now - ms) < DAY_MS) return clock(ms, zone);
  return `${date(ms, zone)} ${hourMinute(ms, zone)}`;
}

/** The whole time with its zone, for titles and details. */
export function fullTime(ms: number, zone: Zone): string {
  if (!Number.isFinite(ms)) return '–';
  return format(zone, 'full', { year: 'numeric', ...DATE, ...HMS, timeZoneName: 'short' }).format(ms);
}

/** The name of the zone in force: `UTC`, `Europe/Berlin`. */
export function zoneName(zone: Zone): string {
  if (zone === 'utc') return 'UTC';
  const name = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return name === undefined || name === 'Etc/UTC' ? 'UTC' : name;
}

/** `4 m 12 s`, `3 h 5 m`, `2 d 4 h`: two units at most. */
export function span(ms: number): string {
  const total = Math.max(0, Math.round(ms / SECOND_MS));
  if (total < 60) return `${total} s`;
  const units: [number, string][] = [
    [Math.floor(total / 86_400), 'd'],
    [Math.floor((total % 86_400) / 3600), 'h'],
    [Math.floor((total % 3600) / 60), 'm'],
    [total % 60, 's'],
  ];
  const first = units.findIndex(([n]) => n > 0);
  return units
    .slice(first, first + 2)
    .filter(([n]) => n > 0)
    .map(([n, unit]) => `${n} ${unit}`)
    .join(' ');
}

/** The age of something in one unit: `now`, `12 s`, `4 m`, `3 h`, `2 d`. */
export function age(ms: number): string {
  if (!Number.isFinite(ms)) return '–';
  if (ms < SECOND_MS) return '0 s';
  if (ms < MINUTE_MS) return `${Math.floor(ms / SECOND_MS)} s`;
  if (ms < HOUR_MS) return `${Math.floor(ms / MINUTE_MS)} m`;
  if (ms < DAY_MS) return `${Math.floor(ms / HOUR_MS)} h`;
  return `${Math.floor(ms / DAY_MS)} d`;
}

const plain = new Intl.NumberFormat(LOCALE);
const rate = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 1 });
const compact = new Intl.NumberFormat(LOCALE, { notation: 'compact', maximumFractionDigits: 1 });

export const number = (n: number) => plain.format(n);

/** `0.4`, `38`, `1,042`: decimals only where they say something. */
export const perSecond = (n: number) => (n < 10 ? rate.format(n) : plain.format(Math.round(n)));

const COMPACT_FROM = 100_000;
export const big = (n: number) => (n < COMPACT_FROM ? plain.format(n) : compact.format(n));

const share = new Intl.NumberFormat(LOCALE, { style: 'percent', maximumSignificantDigits: 3 });
export const percent = (part: number) => share.format(part);

/** `Nov 20 14:03:35.042`: as near as an event's row needs it. */
export function preciseTime(ms: number, zone: Zone): string {
  if (!Number.isFinite(ms)) return '–';
  return `${date(ms, zone)} ${clock(ms, zone)}.${String(new Date(ms).getMilliseconds()).padStart(3, '0')}`;
}
