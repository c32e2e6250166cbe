/** Which alerts are asked for: the URL is the only place where that is kept. Pure. */
import {
  RANGES,
  SEVERITIES,
  STATUSES,
  type Alert,
  type Range,
  type Severity,
  type Status,
} from '../api/types';
import { fieldTexts } from './fields';
import { millis } from './time';

export interface AlertFilter {
  /** Empty: all. */
  severity: Severity[];
  status: Status[];
  q: string;
  /** Id of a rule; empty: any. */
  rule: string;
  /** Relative range; empty: all time, unless `from`/`to` say otherwise. */
  last: Range | '';
  /** Absolute range, RFC 3339. */
  from: string;
  to: string;
}

export const NO_FILTER: AlertFilter = { severity: [], status: [], q: '', rule: '', last: '', from: '', to: '' };

function words<W extends string>(text: string | null, known: readonly W[]): W[] {
  const asked = new Set(text?.split(','));
  return known.filter((word) => asked.has(word));
}

const time = (text: string | null) => (text !== null && Number.isFinite(millis(text)) ? text : '');

/** What the URL's query says; what it says wrongly is left out. */
export function parseFilter(search: string): AlertFilter {
  const query = new URLSearchParams(search);
  const from = time(query.get('from'));
  const to = time(query.get('to'));
  const absolute = from !== '' || to !== '';
  return {
    severity: words(query.get('severity'), SEVERITIES),
    status: words(query.get('status'), STATUSES),
    q: query.get('q') ?? '',
    rule: query.get('rule') ?? '',
    last: absolute ? '' : (words(query.get('last'), RANGES)[0] ?? ''),
    from,
    to,
  };
}

/** The query part of a URL, with its question mark; empty when nothing is filtered. */
export function printFilter(filter: Partial<AlertFilter>): string {
  const query = new URLSearchParams();
  const put = (name: string, value: string | undefined) => {
    if (value) query.set(name, value);
  };
  put('severity', filter.severity?.join(','));
  put('status', filter.status?.join(','));
  put('q', filter.q);
  put('rule', filter.rule);
  put('last', filter.last);
  put('from', filter.from);
  put('to', filter.to);
  // Commas are plain in a query; %2C is only hard to read.
  return query.size > 0 ? `?${query.toString().replaceAll('%2C', ',')}` : '';
}

export function isFiltered(filter: AlertFilter): boolean {
  return printFilter(filter) !== '';
}

export const RANGE_MS: Record<Range, number> = {
  '15m': 15 * 60_000,
  '1h': 60 * 60_000,
  '24h': 24 * 60 * 60_000,
  '7d': 7 * 24 * 60 * 60_000,
};

/** The filter's words for the API. */
export function filterParams(filter: AlertFilter): Record<string, string> {
  return {
    severity: filter.severity.join(','),
    status: filter.status.join(','),
    q: filter.q.trim(),
    rule: filter.rule,
    last: filter.last,
    from: filter.from,
    to: filter.to,
  };
}

/** Whether a new alert would be in the list. The server decides in the end; this only counts. */
export function accepts(filter: AlertFilter, alert: Alert, now: number): boolean {
  const core = alert.tocsin.alert;
  if (filter.severity.length > 0 && !filter.severity.includes(core.severity)) return false;
  if (filter.status.length > 0 && !filter.status.includes(core.status)) return false;
  if (filter.rule !== '' && filter.rule !== alert.rule.id && filter.rule !== alert.rule.name) return false;
  const raised = millis(alert['@timestamp']);
  if (filter.last !== '' && raised < now - RANGE_MS[filter.last]) return false;
  if (filter.from !== '' && raised < millis(filter.from)) return false;
  if (filter.to !== '' && raised >= millis(filter.to)) return false;
  const asked = filter.q.trim().toLowerCase();
  if (asked === '') return true;
  const texts = [
    alert.rule.name,
    core.reason,
    ...Object.values(core.group),
    ...fieldTexts(alert, 'source.ip'),
    ...fieldTexts(alert, 'user.name'),
    ...fieldTexts(alert, 'host.name'),
  ];
  return texts.some((text) => text.toLowerCase().includes(asked));
}
