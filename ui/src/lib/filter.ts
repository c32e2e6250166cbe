/** Which alerts are asked for: the URL is the only place where that is kept. Pure. */
import {
  DISPOSITIONS,
  SEVERITIES,
  STATUSES,
  type Alert,
  type Disposition,
  type Severity,
  type Status,
} from '../api/types';
import { fieldTexts, firstText } from './fields';
import { spanMs } from './range';
import { millis } from './time';

/** What alerts can be grouped by. */
export const GROUPINGS = ['rule', 'source', 'user', 'host', 'incident', 'rule_source'] as const;
export type Grouping = (typeof GROUPINGS)[number];

/** Parts of the filter that hold one value; `-` is none. */
const SINGLES = ['rule', 'owner', 'tactic', 'source', 'user', 'host', 'incident', 'exception'] as const;

export interface AlertFilter {
  /** Empty: all. */
  severity: Severity[];
  status: Status[];
  disposition: Disposition[];
  q: string;
  /** Id of a rule; empty: any. */
  rule: string;
  owner: string;
  tactic: string;
  source: string;
  user: string;
  host: string;
  incident: string;
  /** Number of an exception: what it hid, instead of what is shown. */
  exception: string;
  /** What must not be, `name:value` a line. */
  not: string;
  /** Relative range; empty: all time, unless `from`/`to` say otherwise. */
  last: string;
  /** Absolute range, RFC 3339. */
  from: string;
  to: string;
  /** How the list is grouped; empty: it is not. No part of what is asked for. */
  by: Grouping | '';
}

export const NO_FILTER: AlertFilter = {
  severity: [], status: [], disposition: [], q: '', rule: '', owner: '', tactic: '', source: '', user: '', host: '', incident: '', exception: '', not: '', last: '', from: '', to: '', by: '',
};

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
  const last = query.get('last') ?? '';
  const filter: AlertFilter = {
    ...NO_FILTER,
    severity: words(query.get('severity'), SEVERITIES),
    status: words(query.get('status'), STATUSES),
    disposition: words(query.get('disposition'), DISPOSITIONS),
    q: query.get('q') ?? '',
    not: query.get('not') ?? '',
    last: absolute || spanMs(last) === undefined ? '' : last,
    from,
    to,
    by: words(query.get('by'), GROUPINGS)[0] ?? '',
  };
  for (const name of SINGLES) filter[name] = query.get(name) ?? '';
  return filter;
}

/** The query part of a URL, with its question mark; empty when nothing is filtered. */
export function printFilter(filter: Partial<AlertFilter>): string {
  const query = new URLSearchParams();
  const put = (name: string, value: string | undefined) => {
    if (value) query.set(name, value);
  };
  put('severity', filter.severity?.join(','));
  put('status', filter.status?.join(','));
  put('disposition', filter.disposition?.join(','));
  put('q', filter.q);
  for (const name of SINGLES) put(name, filter[name]);
  put('not', filter.not);
  put('last', filter.last);
  put('from', filter.from);
  put('to', filter.to);
  put('by', filter.by);
  // Commas are plain in a query; %2C is only hard to read.
  return query.size > 0 ? `?${query.toString().replaceAll('%2C', ',')}` : '';
}

export function isFiltered(filter: AlertFilter): boolean {
  return printFilter({ ...filter, by: '' }) !== '';
}

/** The filter's words for the API; what says nothing is left out. */
export function filterParams(filter: AlertFilter): Record<string, string> {
  const asked: Record<string, string> = {
    severity: filter.severity.join(','),
    status: filter.status.join(','),
    disposition: filter.disposition.join(','),
    q: filter.q.trim(),
    not: filter.not,
    last: filter.last,
    from: filter.from,
    to: filter.to,
  };
  for (const name of SINGLES) asked[name] = filter[name];
  return Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== ''));
}

/** Parts of the filter that can be excluded, too. */
export const NOTABLE = ['rule', 'source', 'user', 'host'] as const;
export type Notable = (typeof NOTABLE)[number];

/** What must not be. */
export function nots(filter: AlertFilter): [name: Notable, value: string][] {
  return filter.not.split('\n').flatMap((line) => {
    const at = line.indexOf(':');
    const name = NOTABLE.find((each) => each === line.slice(0, at));
    return name === undefined || at + 1 === line.length ? [] : [[name, line.slice(at + 1)] as [Notable, string]];
  });
}

const printNots = (all: readonly [Notable, string][]) => all.map(([name, value]) => `${name}:${value}`).join('\n');

/** What else must not be. */
const otherNots = (filter: AlertFilter, name: Notable, value: string) => nots(filter).filter(([other, not]) => other !== name || not !== value);

/** The filter in which a value may be there again. */
export function allowing(filter: AlertFilter, name: Notable, value: string): Partial<AlertFilter> {
  return { not: printNots(otherNots(filter, name, value)) };
}

/** The filter with a value that must be there; it is no longer excluded. */
export function wanting(filter: AlertFilter, name: Notable, value: string): Partial<AlertFilter> {
  return { [name]: value, ...allowing(filter, name, value) };
}

/** The filter without what has a value; it is no longer asked for. */
export function excludingValue(filter: AlertFilter, name: Notable, value: string): Partial<AlertFilter> {
  return { ...(filter[name] === value ? { [name]: '' } : {}), not: printNots([...otherNots(filter, name, value), [name, value]]) };
}

/** The ECS field of each part. */
const FIELDS: Record<Notable, string> = { rule: 'rule.id', source: 'source.ip', user: 'user.name', host: 'host.name' };

/** The part of the filter that an ECS field's value is asked for by. */
export const partOf = (field: string): Notable | undefined => NOTABLE.find((name) => FIELDS[name] === field);

/** Whether the alert has a value; `-` is none. */
function has(alert: Alert, name: Notable, value: string): boolean {
  if (name === 'rule') return value === alert.rule.id || value === alert.rule.name;
  return value === (firstText(alert, FIELDS[name]) ?? '-');
}

/** Whether the alert has the one values that are asked for. */
function hasSingles(filter: AlertFilter, alert: Alert): boolean {
  const core = alert.tocsin.alert;
  if (filter.owner !== '' && filter.owner !== (core.owner ?? '-')) return false;
  if (filter.tactic !== '' && !(alert.threat?.tactic?.name ?? []).includes(filter.tactic)) return false;
  if (filter.exception !== '') return false;
  if (filter.incident !== '' && filter.incident !== String(core.incident ?? 0)) return false;
  if (nots(filter).some(([name, value]) => has(alert, name, value))) return false;
  return NOTABLE.every((name) => filter[name] === '' || has(alert, name, filter[name]));
}

/** Whether a new alert would be in the list. The server decides in the end; this only counts. */
export function accepts(filter: AlertFilter, alert: Alert, now: number): boolean {
  const core = alert.tocsin.alert;
  if (filter.severity.length > 0 && !filter.severity.includes(core.severity)) return false;
  if (filter.status.length > 0 && !filter.status.includes(core.status)) return false;
  if (filter.disposition.length > 0 && (core.disposition === undefined || !filter.disposition.includes(core.disposition))) return false;
  if (!hasSingles(filter, alert)) return false;
  const raised = millis(alert['@timestamp']);
  if (filter.last !== '' && raised < now - (spanMs(filter.last) ?? 0)) return false;
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
